# SPDX-License-Identifier: Apache-2.0
"""Bad input at a running hub: each gives its coded finding, the sender learns it where it is known,
what follows goes on, and no ledger changes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness.remote import wait_for
from schemas import jws, limits
from schemas.envelope import digest
from schemas.findings import RULES, Reason
from schemas.identifiers import CaseId, TransactionId
from schemas.messages import CaseNotice, Hello, Proposal, Returned, StatusRequest, Withdrawal
from schemas.units import parse_itmo_block
from tests.rogue import CHE, HUB, THA, Rogue, World, world

STRANGER = jws.SoftwareSigner(Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
OTHER_ALGORITHM = jws.SoftwareSigner(generate_private_key(SECP256R1()))


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


def code(reason: Reason) -> int:
    return RULES[reason].code


def status(rogue: Rogue, transaction: str = "CHE01-CHE-77") -> bytes:
    """A harmless, valid message."""
    body = StatusRequest(transaction=TransactionId(transaction))
    return rogue.message("status-request", transaction, body)


async def goes_on(running: World) -> None:
    """The next valid message of the same sender is answered."""
    line = status(running.rogue)
    await running.rogue.send(running.rogue.envelope([line]))
    answer = digest(line)
    await running.rogue.listen(
        lambda m: m.type == "status" and m.answers == answer, "an answer to what follows"
    )


def _edit(line: bytes, change: Callable[[dict[str, object]], None]) -> bytes:
    members = json.loads(line)
    change(members)
    return json.dumps(members, separators=(",", ":")).encode()


def _set(path: str, value: object) -> Callable[[dict[str, object]], None]:
    def change(members: dict[str, object]) -> None:
        *parents, last = path.split("/")
        place = members
        for name in parents:
            child = place[name]
            assert isinstance(child, dict)
            place = child
        place[last] = value

    return change


MESSAGES: dict[str, tuple[Callable[[Rogue], bytes], Reason]] = {
    "an unknown type": (lambda r: _edit(status(r), _set("type", "wish")), Reason.TYPE_UNKNOWN),
    "an unknown field": (
        lambda r: _edit(status(r), _set("body/extra", 1)),
        Reason.MESSAGE_MALFORMED,
    ),
    "a coerced type": (
        lambda r: _edit(status(r), _set("body/transaction", 7)),
        Reason.MESSAGE_MALFORMED,
    ),
    "a repeated name": (
        lambda r: status(r).replace(b'{"id"', b'{"type":"status-request","id"'),
        Reason.MESSAGE_MALFORMED,
    ),
    "a float": (lambda r: _edit(status(r), _set("body/x", 1.5)), Reason.MESSAGE_MALFORMED),
    "deep nesting": (
        lambda r: _edit(status(r), _set("body/x", json.loads("[" * 60 + "]" * 60))),
        Reason.MESSAGE_MALFORMED,
    ),
    "no JSON at all": (lambda _: b"\xff\xfe not json", Reason.MESSAGE_MALFORMED),
    "an integer beyond 2^53": (
        lambda r: _edit(status(r), _set("body/x", 2**60)),
        Reason.MESSAGE_MALFORMED,
    ),
    "a type that registries may not say": (
        lambda r: r.message("case", "REC-1", _case()),
        Reason.TYPE_NOT_ALLOWED,
    ),
    "a control message in the sequence": (
        lambda r: r.message("hello", "control", Hello(actor=CHE, sent=0, received=0, answer=False)),
        Reason.TYPE_NOT_ALLOWED,
    ),
    "a withdrawal of nothing": (
        lambda r: r.message("withdrawal", "CHE01-CHE-9", Withdrawal()),
        Reason.TRANSACTION_UNKNOWN,
    ),
    "a conversation that is no transaction": (
        lambda r: r.message("withdrawal", "nothing", Withdrawal()),
        Reason.MESSAGE_MALFORMED,
    ),
    "another actor's transaction": (
        lambda r: r.message("proposal", "THA01-THA-99", _proposal(r)),
        Reason.AUTHOR_NOT_ACTING,
    ),
}


def _case() -> CaseNotice:
    key, first, last = parse_itmo_block("CA0005-THA01-THA-1-2022", "CA0005-THA01-THA-9-2022")
    return CaseNotice(
        key=key,
        first=first,
        last=last,
        case=CaseId("REC-1"),
        actor=THA,
        cause="missing",
        state="open",
        freeze=True,
        detail="forged",
    )


def _proposal(rogue: Rogue, seconds: float = 600) -> Proposal:
    return Proposal(action="authorization", quantity=0, expires_at=rogue.later(seconds))


@pytest.mark.parametrize("name", MESSAGES, ids=lambda name: name.replace(" ", "-"))
async def test_a_bad_message_is_answered_and_its_neighbours_count(
    running: World, name: str
) -> None:
    make, reason = MESSAGES[name]
    before = await running.ledger()
    rogue = running.rogue
    bad, good = make(rogue), status(rogue)
    await rogue.send(rogue.envelope([bad, good]))
    assert code(reason) in await rogue.notice_about(bad)
    told = digest(good)
    await rogue.listen(lambda m: m.type == "status" and m.answers == told, "the neighbour's answer")
    assert await running.ledger() == before
    await goes_on(running)


def _manifest(rogue: Rogue, **changes: object) -> bytes:
    return rogue.envelope([status(rogue)], **changes)


def _with_header(rogue: Rogue, **members: str) -> bytes:
    """An envelope whose JWS header says something else, signed over it all the same."""
    first, *lines = rogue.envelope([status(rogue)]).split(b"\n")
    _, payload, _ = first.split(b".")
    header = {"alg": "Ed25519", "kid": rogue.signer.public.key_id, "typ": "a6hub", **members}
    encoded = jws.b64url_encode(json.dumps(header, separators=(",", ":")).encode()).encode()
    signature = jws.b64url_encode(rogue.signer.sign(encoded + b"." + payload)).encode()
    return b"\n".join((b".".join((encoded, payload, signature)), *lines))


def _with_payload(rogue: Rogue, **members: str) -> bytes:
    """An envelope whose manifest says more, signed all the same."""
    first, *lines = rogue.envelope([status(rogue)]).split(b"\n")
    payload = json.loads(jws.b64url_decode_strict(first.split(b".")[1].decode()))
    token = jws.sign(json.dumps({**payload, **members}).encode(), rogue.signer)
    return b"\n".join((token.encode(), *lines))


def _flip(body: bytes) -> bytes:
    first, *lines = body.split(b"\n")
    head, payload, signature = first.split(b".")
    changed = b"A" if signature[10:11] != b"A" else b"B"
    return b"\n".join(
        (b".".join((head, payload, signature[:10] + changed + signature[11:])), *lines)
    )


ENVELOPES: dict[str, tuple[Callable[[Rogue], bytes], Reason]] = {
    "no envelope at all": (lambda _: b"hello", Reason.ENVELOPE_MALFORMED),
    "a malformed JWS": (lambda r: b"a.b\n" + status(r), Reason.ENVELOPE_MALFORMED),
    "a wrong signature": (lambda r: _flip(_manifest(r)), Reason.SIGNATURE_INVALID),
    "a critical header": (lambda r: _with_header(r, crit="x"), Reason.ENVELOPE_MALFORMED),
    "no algorithm": (lambda r: _with_header(r, alg="none"), Reason.SIGNATURE_INVALID),
    "another algorithm": (lambda r: _with_header(r, alg="ES256"), Reason.SIGNATURE_INVALID),
    "a key id that no text can hold": (
        lambda r: _with_header(r, kid="\ud800"),
        Reason.ENVELOPE_MALFORMED,
    ),
    "an unknown member with a zero byte": (
        lambda r: _with_payload(r, **{"a\x00b": "c"}),
        Reason.ENVELOPE_MALFORMED,
    ),
    "another recipient": (lambda r: _manifest(r, to="REC"), Reason.RECIPIENT_WRONG),
    "another participant's actor": (
        lambda r: r.envelope([status(r)], **{"from": THA}),
        Reason.SENDER_NOT_AT_LINK,
    ),
    "a message that is not named": (
        lambda r: _manifest(r) + b"\n" + status(r),
        Reason.MANIFEST_MISMATCH,
    ),
    "a named message that is absent": (
        lambda r: r.envelope([status(r), status(r)]).rpartition(b"\n")[0],
        Reason.MANIFEST_MISMATCH,
    ),
    "a key that nobody knows": (lambda r: _manifest(r, signer=STRANGER), Reason.KEY_UNKNOWN),
    "a key of another algorithm": (
        lambda r: _manifest(r, signer=OTHER_ALGORITHM),
        Reason.KEY_UNKNOWN,
    ),
    "too many bytes": (
        lambda r: _manifest(r) + b"\n" + b"x" * limits.ENVELOPE_BYTES_MAX,
        Reason.ENVELOPE_TOO_LARGE,
    ),
}


@pytest.mark.parametrize("name", ENVELOPES, ids=lambda name: name.replace(" ", "-"))
async def test_an_envelope_that_is_not_authentic_uses_up_nothing(running: World, name: str) -> None:
    make, reason = ENVELOPES[name]
    before = await running.ledger()
    rogue = running.rogue
    sequence = rogue.sequence
    await rogue.send(make(rogue))
    assert await running.wait_dead(1) == [code(reason)]
    rogue.sequence = sequence  # the number is still free
    assert await running.ledger() == before
    await goes_on(running)


async def test_a_wrong_version_is_named(running: World) -> None:
    rogue = running.rogue
    first, *lines = rogue.envelope([status(rogue)]).split(b"\n")
    payload = jws.b64url_decode_strict(first.split(b".")[1].decode())
    token = jws.sign(payload.replace(b'"version":1', b'"version":2'), rogue.signer)
    await rogue.send(b"\n".join((token.encode(), *lines)))
    assert await running.wait_dead(1) == [code(Reason.VERSION_UNSUPPORTED)]
    rogue.sequence -= 1
    await goes_on(running)


@pytest.mark.requirement(119)
async def test_the_same_envelope_three_times_has_one_effect(running: World) -> None:
    rogue = running.rogue
    body = rogue.envelope([status(rogue)])
    for _ in range(3):
        await rogue.send(body)
    await goes_on(running)
    taken = await running.rows(HUB, "select * from inbox where sender = 'CHE01/CHE'")
    assert len(taken) == rogue.sequence
    assert await running.dead() == []


async def test_other_bytes_under_a_sequence_are_kept_as_proof(running: World) -> None:
    rogue = running.rogue
    await goes_on(running)
    before = await running.ledger()
    await rogue.send(rogue.envelope([status(rogue)], sequence=rogue.sequence))
    assert await running.wait_dead(1) == [code(Reason.SEQUENCE_EQUIVOCATION)]
    assert await running.ledger() == before
    await goes_on(running)


async def test_other_bytes_under_a_message_id_are_refused_and_kept(running: World) -> None:
    rogue = running.rogue
    line = status(rogue)
    await rogue.send(rogue.envelope([line]))
    other = line.replace(b"CHE01-CHE-77", b"CHE01-CHE-78")
    await rogue.send(rogue.envelope([other]))
    assert await rogue.notice_about(other) == [code(Reason.MESSAGE_EQUIVOCATION)]
    assert await running.wait_dead(1) == [code(Reason.MESSAGE_EQUIVOCATION)]
    await goes_on(running)


async def test_a_gap_is_asked_for_and_what_came_early_is_taken_in_order(running: World) -> None:
    rogue = running.rogue
    lines = [status(rogue, f"CHE01-CHE-{n}") for n in (11, 12, 13)]
    first, second, third = (rogue.envelope([line]) for line in lines)
    await rogue.send(third)
    await rogue.send(second)
    asked = await rogue.listen(lambda m: m.type == "resend", "a request for the missing one")
    assert (asked.body.sender, asked.body.first) == (CHE, 1)
    await rogue.send(first)
    for line in lines:
        told = digest(line)
        await rogue.listen(lambda m, t=told: m.type == "status" and m.answers == t, "an answer")
    order = [m.answers for m in rogue.heard if m.type == "status"]
    assert order == [digest(line) for line in lines]


async def test_an_envelope_from_the_near_future_waits_until_it_is_due(running: World) -> None:
    rogue = running.rogue
    ahead = limits.CLOCK_AHEAD_SECONDS_TOLERATED + 1
    line = status(rogue)
    await rogue.send(rogue.envelope([line], sent_at=rogue.later(ahead)))
    await asyncio.wait_for(running.nodes[THA.participant].ready.wait(), 5)
    told = digest(line)
    await rogue.listen(lambda m: m.type == "status" and m.answers == told, "the held one's answer")
    assert await running.dead() == []


@pytest.mark.requirement(46)
async def test_a_clock_far_ahead_refuses_the_proposals_and_blocks_nothing(running: World) -> None:
    rogue = running.rogue
    before = await running.ledger()
    ahead = rogue.later(limits.CLOCK_AHEAD_SECONDS_MAX + 86_400)
    line = rogue.message("proposal", "CHE01-CHE-1", _proposal(rogue, 90_000))
    beside = status(rogue)
    await rogue.send(rogue.envelope([line, beside], sent_at=ahead))
    assert await rogue.notice_about(line) == [code(Reason.CLOCK_AHEAD)]
    told = digest(beside)
    await rogue.listen(lambda m: m.type == "status" and m.answers == told, "the neighbour's answer")
    assert await running.ledger() == before
    assert await running.dead() == []
    await goes_on(running)


LIFETIMES = {
    "over": (-5, Reason.PROPOSAL_LATE),
    "too long": (limits.PROPOSAL_LIFETIME_SECONDS_MAX + 60, Reason.LIFETIME_TOO_LONG),
}


@pytest.mark.parametrize("name", LIFETIMES)
async def test_a_proposal_whose_lifetime_is_wrong_is_refused_in_the_log(
    running: World, name: str
) -> None:
    seconds, reason = LIFETIMES[name]
    rogue = running.rogue
    terms = {
        "id": "CH-1",
        "version": 1,
        "approach": "CA0005",
        "party": "CHE",
        "purposes": ["NDC"],
    }
    proposal = Proposal.model_validate_json(
        json.dumps(
            {
                "action": "authorization",
                "quantity": 0,
                "terms": terms,
                "expires_at": rogue.later(seconds),
            }
        )
    )
    line = rogue.message("proposal", "CHE01-CHE-1", proposal)
    await rogue.send(rogue.envelope([line]))
    told = digest(line)
    entry = await rogue.listen(
        lambda m: m.type == "entry" and m.answers == told, "the entry that refuses"
    )
    assert entry.body.state == "refused"
    assert [f.code for f in entry.body.findings] == [code(reason)]


async def test_dead_letters_are_replayed_and_discarded_by_command(running: World) -> None:
    rogue = running.rogue
    for _ in range(2):
        await rogue.send(_flip(_manifest(rogue)))
        rogue.sequence -= 1
    await running.wait_dead(2)
    assert await running.order(HUB, "discard", {"letter": 1}) == (True, "dead letter 1 discarded")
    assert await running.order(HUB, "replay", {"letter": 2}) == (True, "dead letter 2 replayed")
    await running.wait_dead(3)  # what was wrong is still wrong, and is put aside again
    assert [state for _, state in await running.dead()] == ["discarded", "replayed", "open"]
    done, why = await running.order(HUB, "discard", {"letter": 1})
    assert not done
    assert "no open dead letter" in why


async def test_a_wrong_argument_does_not_stop_the_desk(running: World) -> None:
    thailand = THA.participant
    for name, arguments in (
        ("rotate-key", {"actor": "che"}),
        ("rotate-key", {"actor": 7}),
        ("accept", {"transaction": "\x00"}),
        ("propose", {"actor": THA, "lines": 5}),
        ("open-account", {"actor": THA, "kind": "nothing"}),
    ):
        done, why = await running.order(thailand, name, arguments)
        assert not done, why
    done, why = await running.order(thailand, "open-account", {"actor": THA, "kind": "holding"})
    assert done, why


async def test_envelopes_that_nobody_asked_back_are_not_taken_for_ones_own(running: World) -> None:
    rogue = running.rogue
    line = status(rogue)
    forged = rogue.envelope([line], **{"from": HUB, "to": CHE.participant, "sequence": 99})
    before = await running.rows(HUB, "select count(*) as n from outbox")
    for envelope in (forged.decode(), "rubbish"):
        body = Returned(envelope=envelope)
        control = rogue.message("returned", "control", body)
        await rogue.send(rogue.envelope([control], control=True, nonce="0" * 32))
    assert len(await running.wait_dead(2)) == 2
    after = await running.rows(HUB, "select count(*) as n from outbox where sequence >= 99")
    assert after[0].n == 0
    assert before
    await goes_on(running)


async def test_a_key_is_changed_by_command_and_the_old_one_is_refused_above_its_last(
    running: World,
) -> None:
    thailand = THA.participant
    keyring = running.estate.members[thailand].keyring
    old = keyring.actors[THA][0]
    keyring.add(THA, STRANGER)
    done, why = await running.order(thailand, "rotate-key", {"actor": THA})
    assert done, why

    async def known() -> bool | None:
        keys = running.nodes[HUB].program.directory.keys[THA]
        return True if keys[-1].key == STRANGER.public else None

    await wait_for(known, 20, "the new key in the directory")
    done, why = await running.order(thailand, "status", {"transaction": "THA01-THA-1"})
    records = running.nodes[HUB].program.directory.keys[THA]
    assert records[0].key == old.public
    assert records[0].closes is not None
    last = records[0].closes["HUB"]
    directory = running.nodes[HUB].program.directory
    assert directory.key_for(THA, old.public.key_id, "HUB", last) == old.public
    assert directory.key_for(THA, old.public.key_id, "HUB", last + 1) is None
    await goes_on(running)
