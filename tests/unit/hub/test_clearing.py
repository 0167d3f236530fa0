# SPDX-License-Identifier: Apache-2.0
"""The life of a transaction at the hub alone: every state and every message that could step it."""

from dataclasses import replace

import pytest

from hub import storage
from hub.clearing import MANIFEST_BYTES_MAX, unfit_to_pass_on
from ledger.transactions import TRANSITIONS, Event, State
from runtime.program import Batch, Heard
from schemas import jws
from schemas.envelope import open_manifest
from schemas.findings import Reason, finding
from schemas.identifiers import Actor, Participant, TransactionId
from schemas.limits import BUNDLE_BYTES_MAX, MESSAGE_BYTES_MAX
from schemas.messages import (
    Acceptance,
    Enclosure,
    Entry,
    Rejection,
    StatusAnswer,
    StatusRequest,
    Withdrawal,
)
from schemas.units import Frozen
from tests.cast import (
    CHE,
    GHA,
    I,
    U,
    account,
    first_transfer,
    issuance,
    line,
    signer,
    terms,
    transfer,
    use,
)
from tests.unit.hub.alone import Alone

ID = TransactionId("GHA01-GHA-3")
PARTIES = (Participant("GHA01"), Participant("CHE01"))
REJECTION = Rejection(findings=(finding(Reason.DECLINED),))
SAID: dict[Event, tuple[Actor, str, Frozen]] = {
    Event.COMPLETE: (CHE, "acceptance", Acceptance()),
    Event.REJECT: (CHE, "rejection", REJECTION),
    Event.WITHDRAW: (GHA, "withdrawal", Withdrawal()),
}


async def brought_to(alone: Alone, wanted: State) -> str:
    """A transaction in a state; gives the digest of its proposal."""
    await alone.admit(*PARTIES)
    given = {"action": "authorization", "terms": terms("GH-1", GHA, "CA0007", quantity=150)}
    await alone.run(
        alone.proposal(GHA, "GHA01-GHA-1", issuance(GHA, U, 1, 1000)),
        alone.proposal(GHA, "GHA01-GHA-2", given),
    )
    last = 1001 if wanted is State.REFUSED else 100
    one = alone.proposal(GHA, ID, first_transfer(1, last, 1), 30)
    await alone.run(one)
    event = next((e for e in SAID if TRANSITIONS[State.CLEARED, e] is wanted), None)
    if event is not None:
        author, type_, body = SAID[event]
        await alone.run(alone.heard(author, type_, ID, body, one.digest))
    if wanted is State.EXPIRED:
        for seconds in range(33):
            await alone.tick(seconds)
    assert await state(alone) == wanted
    return one.digest


async def state(alone: Alone) -> State:
    async with alone.store.snapshot() as session:
        return (await storage.load_transactions(session, [ID]))[ID].state


@pytest.mark.requirement(118)
@pytest.mark.parametrize("event", SAID)
@pytest.mark.parametrize("begun", [s for s in State if s is not State.PROPOSED])
async def test_a_message_steps_a_transaction_as_the_table_says_or_not_at_all(
    alone: Alone, begun: State, event: Event
) -> None:
    said = await brought_to(alone, begun)
    size = alone.hub.kept.log.size
    author, type_, body = SAID[event]
    one = alone.heard(author, type_, ID, body, said)
    batch = await alone.run(one)
    after = TRANSITIONS.get((begun, event))
    if after is not None:
        assert alone.found[one.name] == []
        assert await state(alone) is after
        assert alone.hub.kept.log.size == size + 1
    else:
        assert [f.reason for f in alone.found[one.name]] == [Reason.TRANSACTION_STATE]
        assert await state(alone) is begun
        assert (alone.hub.kept.log.size, batch.said) == (size, [])


async def test_what_is_accepted_is_checked_again_at_the_point_of_no_return(alone: Alone) -> None:
    """Two clearances under an authorization for 150: the second acceptance exceeds it."""
    said = await brought_to(alone, State.CLEARED)
    other = alone.proposal(GHA, "GHA01-GHA-4", first_transfer(201, 300, 201))
    await alone.run(other)
    answers = [
        alone.heard(CHE, "acceptance", ID, Acceptance(), said),
        alone.heard(CHE, "acceptance", "GHA01-GHA-4", Acceptance(), other.digest),
    ]
    batch = await alone.run(*answers)
    assert alone.facts is not None
    entries = [new.message.body for new in alone.facts.entries]
    assert [e.state for e in entries] == ["completed", "refused"]
    assert [f.reason for f in entries[1].findings] == [Reason.AUTHORIZATION_EXCEEDED]
    assert {one.actor for one in entries[1].addressed} == {GHA, CHE}
    assert [e.effect for e in entries[1].effects] == ["release"]
    passed = [s for s in batch.said if isinstance(s.message.body, Enclosure)]
    assert [s.to for s in passed] == ["GHA01", "GHA01"], "the proposer sees both acceptances"


async def test_a_clearance_and_what_is_needed_to_answer_it_come_together(alone: Alone) -> None:
    await alone.admit(*PARTIES)
    given = {"action": "authorization", "terms": terms("GH-1", GHA, "CA0007")}
    one = alone.proposal(GHA, ID, first_transfer(1, 100, 1))
    batch = await alone.run(
        alone.proposal(GHA, "GHA01-GHA-1", issuance(GHA, U, 1, 1000)),
        alone.proposal(GHA, "GHA01-GHA-2", given),
        one,
    )
    swiss = [s.message for s in batch.said if s.to == "CHE01"]
    assert [m.type for m in swiss] == ["entry", "enclosure"]
    entry, enclosure = swiss[0].body, swiss[1].body
    assert isinstance(entry, Entry)
    assert isinstance(enclosure, Enclosure)
    assert (swiss[0].answers, swiss[1].answers) == (one.digest, one.digest)
    assert enclosure.line.encode() == one.line
    assert enclosure.manifest.encode() == one.manifest


def passed_on(batch: Batch, to: str) -> list[tuple[bytes, bytes]]:
    """Manifest and line of everything that a batch passes on to a participant."""
    bodies = [s.message.body for s in batch.said if s.to == to]
    enclosed = [body for body in bodies if isinstance(body, Enclosure)]
    return [(one.manifest.encode(), one.line.encode()) for one in enclosed]


def padded(one: Heard) -> Heard:
    """The same, in an envelope whose manifest is longer than what can be passed on."""
    payload = open_manifest(one.manifest)[0].payload
    wide = payload[:-1] + b" " * MANIFEST_BYTES_MAX + payload[-1:]
    return replace(one, manifest=jws.sign(wide, signer(one.author)).encode())


async def test_a_withdrawal_reaches_the_acquirer_as_it_was_said(alone: Alone) -> None:
    said = await brought_to(alone, State.CLEARED)
    one = alone.heard(GHA, "withdrawal", ID, Withdrawal(comment="Not this year."), said)
    batch = await alone.run(one)
    assert passed_on(batch, "CHE01") == [(one.manifest, one.line)]
    assert passed_on(batch, "GHA01") == []
    (entry,) = [s.message for s in batch.said if s.to == "CHE01" and s.message.type == "entry"]
    assert (entry.body.state, entry.answers) == ("withdrawn", one.digest)


async def test_a_withdrawal_that_cannot_be_passed_on_withdraws_nothing(alone: Alone) -> None:
    said = await brought_to(alone, State.CLEARED)
    one = padded(alone.heard(GHA, "withdrawal", ID, Withdrawal(), said))
    batch = await alone.run(one)
    assert [f.reason for f in alone.found[one.name]] == [Reason.MESSAGE_TOO_LARGE]
    assert (await state(alone), batch.said) == (State.CLEARED, [])


async def test_whose_pledged_units_follow_is_shown_by_whose_word(alone: Alone) -> None:
    """Ghana holds what its rows owe to a proposal of Switzerland's: the entry, and the proposal."""
    await brought_to(alone, State.COMPLETED)
    one = alone.proposal(CHE, "CHE01-CHE-1", use(I, 11, 20, CHE))
    batch = await alone.run(one)
    entries = [s.message.body for s in batch.said if s.to == "GHA01" and s.message.type == "entry"]
    assert [e.state for e in entries] == ["completed"]
    assert {c.actor for c in entries[0].consents} == {GHA, CHE}
    assert passed_on(batch, "GHA01") == [(one.manifest, one.line)]
    assert passed_on(batch, "CHE01") == []


async def test_who_holds_the_pledge_by_itself_is_shown_nothing_twice(alone: Alone) -> None:
    """The units came back to whoever pledged them: its own proposal it has."""
    await brought_to(alone, State.COMPLETED)
    back = alone.proposal(CHE, "CHE01-CHE-1", transfer(I, 11, 20, CHE, GHA))
    await alone.run(back)
    await alone.run(alone.heard(GHA, "acceptance", "CHE01-CHE-1", Acceptance(), back.digest))
    batch = await alone.run(alone.proposal(GHA, "GHA01-GHA-7", use(I, 11, 20, GHA)))
    entries = [s.message.body for s in batch.said if s.to == "GHA01" and s.message.type == "entry"]
    assert [(e.state, e.findings) for e in entries] == [("completed", ())]
    assert len(entries[0].consents) == 2, "by the pledge, and by the use"
    assert [s for s in batch.said if isinstance(s.message.body, Enclosure)] == []


async def test_what_never_became_a_transaction_releases_nothing(alone: Alone) -> None:
    """A refused proposal has no reservation in the log, whatever its lines look like."""
    await alone.admit(*PARTIES)
    reversed_line = line(U, 10, 1, account(GHA), account(GHA, "CAN"))
    wanted = {
        "action": "cancellation",
        "lines": (reversed_line,),
        "quantity": 10,
        "use": {"purpose": "OP", "user": "Nobody"},
    }
    one = alone.proposal(GHA, ID, wanted)
    await alone.run(one)
    assert alone.facts is not None
    (entry,) = [new.message.body for new in alone.facts.entries]
    assert (entry.state, entry.effects) == ("refused", ())
    assert Reason.RANGE_REVERSED in [f.reason for f in entry.findings]


@pytest.mark.parametrize(
    ("line_bytes", "manifest_bytes", "fits"),
    [
        (BUNDLE_BYTES_MAX, MANIFEST_BYTES_MAX, True),
        (BUNDLE_BYTES_MAX + 1, 1, False),
        (1, MANIFEST_BYTES_MAX + 1, False),
    ],
)
def test_what_is_passed_on_fits_an_enclosure_however_it_must_be_quoted(
    line_bytes: int, manifest_bytes: int, *, fits: bool
) -> None:
    """Every byte of a line may take two in a JSON string; the manifest is base64 and takes one."""
    heard = Heard.__new__(Heard)
    object.__setattr__(heard, "line", b'"' * line_bytes)
    object.__setattr__(heard, "manifest", b"a" * manifest_bytes)
    found = unfit_to_pass_on(heard)
    assert (found == []) is fits
    if fits:
        made = Enclosure(manifest="a" * manifest_bytes, line='"' * line_bytes)
        assert len(made.model_dump_json()) < MESSAGE_BYTES_MAX - 1000
    else:
        assert [f.reason for f in found] == [Reason.MESSAGE_TOO_LARGE]


async def test_a_status_answer_closes_nothing_that_may_follow_in_the_same_envelope(
    alone: Alone,
) -> None:
    """A question and then the proposal it is about, under one sequence: what is unknown when it is
    asked is not unknown for ever.
    """
    await alone.admit(*PARTIES)
    question = alone.heard(GHA, "status-request", ID, StatusRequest(transaction=ID))
    batch = await alone.run(question)
    (answer,) = [s.message.body for s in batch.said if isinstance(s.message.body, StatusAnswer)]
    assert answer.state is None
    assert answer.closed_to == question.sequence - 1
