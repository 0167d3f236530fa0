# SPDX-License-Identifier: Apache-2.0
"""A hub that breaks the protocol, with the hub's own keys: its nodes keep the proof and halt.

The real hub is stopped and spoken for. Each case is an entry or a checkpoint that is authentic,
next in its sequence, and not what it must be. The node applies nothing of it, keeps it as it was
signed, alarms and stops. What it had agreed to is applied from the same mouth, so that it is the
lie that stops the node and not the stranger.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from ledger import actions, log, note
from ledger.convicting import convict
from ledger.growth import Growth
from registry.accusing import accuse
from runtime import events
from schemas.directory import Status, StatusChange
from schemas.effects import (
    AuthorizationEffect,
    AuthorizationTerms,
    DirectoryEffect,
    Effect,
    Move,
    Pledge,
    Release,
    Reserve,
    Restate,
    Units,
)
from schemas.envelope import digest
from schemas.evidence import read_members, write_members
from schemas.findings import Reason
from schemas.identifiers import Actor, Digest, Instant, Participant, TransactionId
from schemas.messages import (
    Addressed,
    Consent,
    Enclosure,
    Entry,
    Message,
)
from schemas.misbehaviour import Misbehaviour
from schemas.units import Attributes, AuthorizationRef, Position, Purpose, UseMark
from tests.cast import (
    CHE,
    GHA,
    HUB,
    KOR,
    LOG,
    REC,
    ROG,
    VUT,
    A,
    I,
    U,
    account,
    first_transfer,
    signed,
    signer,
    transfer,
    use,
)
from tests.false_hub import FalseHub, tree
from tests.federation import Federation, Settings
from tests.voice import Voice

DIGEST = Digest("0" * 64)
OTHER = account(GHA, number=2)


async def books_of(federation: Federation, participant: Participant) -> dict[str, list[Any]]:
    """Everything in a registry's database that an entry could change."""
    tables = ("blocks", "overlays", "transactions", "deliveries", "movements", "authorizations")
    found = {}
    for table in (*tables, "acts", "witness"):
        rows = await federation.rows(participant, f"select * from {table}")
        found[table] = sorted(map(tuple, rows), key=repr)
    return found


async def keeps_proof_and_halts(
    federation: Federation,
    participant: Participant,
    said: bytes,
    before: dict[str, list[Any]],
    open_question: str | None = None,
) -> str:
    """Holds a node to what it owes a lie: nothing of it is applied, and anybody can be shown that
    it is one, unless what the node does not have may explain it (`open_question`). Gives why the
    node halted.
    """
    why = await federation.halted(participant)
    assert await books_of(federation, participant) == before
    (letter,) = await federation.rows(participant, "select id, reason, body from dead_letters")
    manifest, _, kept = bytes(letter.body).partition(b"\n")
    assert kept == said
    assert manifest.count(b".") == 2, "the signed manifest stands before it"
    async with federation.store(participant).snapshot() as session:
        file, trust = await accuse(session, participant, letter.id)
    found = convict(read_members(Misbehaviour, write_members(file)), trust)
    if open_question:
        assert open_question in (found.flaw or "")
    else:
        assert found.flaw is None
        assert found.proven is not None
        assert found.proven.rpartition(": ")[2] in why
    return f"{letter.reason}: {why}"


# --- a completion that nobody consented to -------------------------------------------------------

Twist = Callable[[FalseHub, list[Effect]], Awaitable[list[Effect]]]


def changed(kind: type[Effect], **changes: Any) -> Twist:
    """The right effects, with some members of one kind of effect changed."""

    async def twist(hub: FalseHub, effects: list[Effect]) -> list[Effect]:
        result: list[Effect] = []
        for effect in effects:
            mine = isinstance(effect, kind) and GHA in _actors(effect)
            result.append(effect.model_copy(update=changes) if mine else effect)
        assert result != effects
        return result

    return twist


def _actors(effect: Any) -> set[Actor | None]:
    source = getattr(effect, "source", None) or getattr(effect, "position", None)
    return {source.actor} if source is not None else {getattr(effect, "actor", None)}


async def nothing_at_all(hub: FalseHub, effects: list[Effect]) -> list[Effect]:
    return []


async def half(hub: FalseHub, effects: list[Effect]) -> list[Effect]:
    """Only half of each range."""
    return [
        e.model_copy(update={"last": (e.first + e.last) // 2})
        for e in effects
        if isinstance(e, Units)
    ]


async def without_itmos(hub: FalseHub, effects: list[Effect]) -> list[Effect]:
    """Locked here, and nothing in exchange."""
    return [e for e in effects if not (isinstance(e, Move) and e.source is None)]


async def and_more(hub: FalseHub, effects: list[Effect]) -> list[Effect]:
    """All that was agreed, and ten units more."""
    extra = [e for e in effects if isinstance(e, Move) and e.source is not None]
    return [*effects, *(e.model_copy(update={"first": 301, "last": 310}) for e in extra)]


async def and_a_pledge(hub: FalseHub, effects: list[Effect]) -> list[Effect]:
    return [*effects, Pledge(key=U, first=301, last=310, actor=GHA, consent=DIGEST)]


async def as_agreed(hub: FalseHub, effects: list[Effect]) -> list[Effect]:
    return effects


def position(actor: Actor, code: str = "HLD", number: int = 1) -> Position:
    return Position.of(account(actor, code, number))


TWISTS: dict[str, Twist] = {
    "nothing happens": nothing_at_all,
    "half of it": half,
    "no itmos come to be": without_itmos,
    "ten units more": and_more,
    "a pledge of other units": and_a_pledge,
    "other units": changed(Move, first=401, last=500),
    "to another actor": changed(Move, target=position(CHE)),
    "to another account": changed(Move, target=position(GHA, number=2)),
    "from another account": changed(Move, source=position(GHA, number=2)),
    "retired instead of locked": changed(Move, target=position(GHA, "RET")),
    "under another authorization": changed(
        Restate,
        after=Attributes(
            first_transferred=True,
            authorization=AuthorizationRef.model_validate({"id": "GH-7", "version": 1}),
        ),
    ),
    "pledged for something else": changed(Pledge, consent=DIGEST),
}


@pytest.mark.parametrize("name", TWISTS)
async def test_a_completion_does_what_was_agreed_and_nothing_else(
    federation: Federation, name: str
) -> None:
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201, ROG))
    await federation.reached(transaction, "cleared", "GHA01")
    hub = await FalseHub.take_over(federation)
    before = await books_of(federation, GHA.participant)
    effects = await hub.completing(transaction)
    _, said = await hub.say_entry(
        [GHA],
        transaction,
        await TWISTS[name](hub, effects),
        state="completed",
        action="first-transfer",
        consents=await hub.consents(transaction, GHA),
        answers=DIGEST,
    )
    why = await keeps_proof_and_halts(federation, GHA.participant, said, before)
    assert why.startswith("consent-missing: the hub broke the protocol: 5009")
    assert federation.logged(events.CONSENT_MISSING, participant="GHA01")
    await hub.voice.close()


async def test_what_was_agreed_is_applied(federation: Federation) -> None:
    """The same words without a lie: it is not the stranger that stops the node."""
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201, ROG))
    await federation.reached(transaction, "cleared", "GHA01")
    hub = await FalseHub.take_over(federation)
    effects = await hub.completing(transaction)
    await hub.say_entry(
        [GHA],
        transaction,
        effects,
        state="completed",
        action="first-transfer",
        consents=await hub.consents(transaction, GHA),
        answers=DIGEST,
    )
    await federation.reached(transaction, "completed", "GHA01")
    assert (U.text, 201, 300, account(GHA, "LCK")) in await federation.holdings(GHA)
    federation.diverged.add(GHA)  # the log knows nothing of it
    await hub.voice.close()


class Claim(NamedTuple):
    """Consents that an entry lists, and those that they should make believe."""

    transaction: str
    actors: tuple[Actor, ...]
    as_actor: Actor | None = None


CLAIMS = {
    "none": None,
    "somebody else's": Claim("GHA01-GHA-3", (CHE,), GHA),
    "its own, for another transaction": Claim("GHA01-GHA-1", (GHA,)),
    "its own, for a first transfer of other units": Claim("GHA01-GHA-3", (GHA,)),
}


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("conversation", ["CHE01-CHE-77", "GHA01-GHA-77"])
async def test_units_move_by_nobody_else_s_consent(
    federation: Federation, name: str, conversation: str
) -> None:
    claim = CLAIMS[name]
    hub = await FalseHub.take_over(federation)
    before = await books_of(federation, GHA.participant)
    consents: tuple[Consent, ...] = ()
    if claim is not None:
        found = await hub.consents(claim.transaction, *claim.actors)
        assert found
        consents = tuple(Consent(actor=claim.as_actor or c.actor, message=c.message) for c in found)
    marks = Attributes()
    theft = Move(
        key=U, first=201, last=300, attributes=marks, source=position(GHA), target=position(CHE)
    )
    _, said = await hub.say_entry(
        [GHA], conversation, [theft], state="completed", action="transfer", consents=consents
    )
    why = await keeps_proof_and_halts(federation, GHA.participant, said, before)
    assert why.startswith("consent-missing")
    await hub.voice.close()


async def test_nothing_is_reserved_for_what_is_no_transaction(federation: Federation) -> None:
    hub = await FalseHub.take_over(federation)
    before = await books_of(federation, GHA.participant)
    bound = Reserve(
        key=U, first=201, last=300, actor=GHA, transaction=TransactionId("GHA01-GHA-77")
    )
    _, said = await hub.say_entry([GHA], "REC-1", [bound])
    why = await keeps_proof_and_halts(federation, GHA.participant, said, before)
    assert why.startswith("consent-missing")
    await hub.voice.close()


async def test_a_consent_is_not_used_twice(federation: Federation) -> None:
    """Units that came back do not leave again by the old proposal."""
    assert await federation.transact(CHE, transfer(I, 1, 10, CHE, GHA)) == "completed"
    assert await federation.transact(GHA, transfer(I, 1, 10, GHA, CHE)) == "completed"
    hub = await FalseHub.take_over(federation)
    before = await books_of(federation, CHE.participant)
    effects = await hub.completing("CHE01-CHE-1")
    _, said = await hub.say_entry(
        [CHE],
        "CHE01-CHE-1",
        effects,
        state="completed",
        action="transfer",
        consents=await hub.consents("CHE01-CHE-1", CHE),
    )
    why = await keeps_proof_and_halts(federation, CHE.participant, said, before)
    assert "makes CHE01-CHE-1 completed, which is completed" in why
    await hub.voice.close()


# --- an acquirer ---------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [Settings(manual=frozenset({Participant("CHE01")}))])
@pytest.mark.parametrize("agreed", [True, False])
async def test_nothing_arrives_that_the_acquirer_did_not_accept(
    federation: Federation,
    agreed: bool,  # noqa: FBT001 - a case of the test
) -> None:
    """What it waits with is not accepted; what it accepted comes as proposed."""
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201))
    await federation.reached(transaction, "cleared", "CHE01")
    hub = await FalseHub.take_over(federation)
    if agreed:
        await federation.order("CHE01", "accept", transaction=transaction)
    before = await books_of(federation, CHE.participant)
    effects = await hub.completing(transaction)
    if agreed:  # and it is given more
        arriving = next(e for e in effects if isinstance(e, Move) and e.source is None)
        effects.append(arriving.model_copy(update={"first": 301, "last": 310}))
    consents = await hub.consents(transaction, CHE) or (Consent(actor=CHE, message=DIGEST),)
    _, said = await hub.say_entry(
        [CHE], transaction, effects, state="completed", action="first-transfer", consents=consents
    )
    missing = None if agreed else "unless 0000"
    why = await keeps_proof_and_halts(federation, CHE.participant, said, before, missing)
    assert why.startswith("consent-missing")
    await hub.voice.close()


# --- a pledge ------------------------------------------------------------------------------------

MARK = UseMark(purpose=Purpose.NDC, user="CHE", year=2025)
LOCKED, RETIRED = position(GHA, "LCK"), position(GHA, "RET")


async def used(hub: FalseHub, first: int, last: int) -> list[Effect]:
    """What a use of ITMOs has for effects, as the log has them now."""
    proposal = hub.voice.proposal(use(I, first, last, CHE))
    holdings = await hub.holdings(proposal)
    return list(actions.completion(proposal, CHE, holdings, DIGEST))


async def all_as_pledged(hub: FalseHub) -> list[Effect]:
    return await used(hub, 1, 10)


async def without_the_itmos(hub: FalseHub) -> list[Effect]:
    return [e for e in await used(hub, 1, 10) if GHA in _actors(e)]


async def itmos_that_only_move(hub: FalseHub) -> list[Effect]:
    return [
        e.model_copy(update={"target": position(KOR)}) if isinstance(e, Move) and e.key == I else e
        for e in await used(hub, 1, 10)
    ]


async def more_than_the_itmos(hub: FalseHub) -> list[Effect]:
    return [
        e.model_copy(update={"last": 11}) if isinstance(e, Move | Restate) and e.key == U else e
        for e in await used(hub, 1, 10)
    ]


async def units_that_are_not_pledged(hub: FalseHub) -> list[Effect]:
    return [
        e.model_copy(update={"first": 201, "last": 210, "source": position(GHA)})
        if isinstance(e, Move) and e.key == U
        else e
        for e in await used(hub, 1, 10)
        if not isinstance(e, Restate)
    ]


async def to_somebody_else(hub: FalseHub) -> list[Effect]:
    return [
        e.model_copy(update={"target": position(CHE, "RET")})
        if isinstance(e, Move) and e.key == U
        else e
        for e in await used(hub, 1, 10)
    ]


async def back_into_the_holding(hub: FalseHub) -> list[Effect]:
    return [
        e.model_copy(update={"target": position(GHA)}) if isinstance(e, Move) and e.key == U else e
        for e in await used(hub, 1, 10)
    ]


async def with_another_mark(hub: FalseHub) -> list[Effect]:
    other = MARK.model_copy(update={"user": "KOR"})
    return [
        e.model_copy(update={"attributes": e.attributes.but(use=other)})
        if isinstance(e, Move) and e.key == U
        else e
        for e in await used(hub, 1, 10)
    ]


PLEDGES: dict[str, tuple[Callable[[FalseHub], Awaitable[list[Effect]]], bool]] = {
    "with the itmos": (all_as_pledged, True),
    "without the itmos": (without_the_itmos, False),
    "while the itmos only move": (itmos_that_only_move, False),
    "one unit more than the itmos": (more_than_the_itmos, False),
    "units that are not pledged": (units_that_are_not_pledged, False),
    "to somebody else": (to_somebody_else, False),
    "back into the holding account": (back_into_the_holding, False),
    "with another mark than the itmos": (with_another_mark, False),
}


@pytest.mark.parametrize("name", PLEDGES)
async def test_pledged_units_follow_their_itmos_and_nothing_else(
    federation: Federation, name: str
) -> None:
    make, fine = PLEDGES[name]
    hub = await FalseHub.take_over(federation)
    before = await books_of(federation, GHA.participant)
    _, said = await hub.say_entry(
        [GHA],
        "CHE01-CHE-1",
        await make(hub),
        state="completed",
        action="use",
        consents=await hub.consents("GHA01-GHA-3", GHA),
    )
    if fine:
        await federation.reached("CHE01-CHE-1", "completed", "GHA01")
        assert (U.text, 1, 10, RETIRED.account) in await federation.holdings(GHA)
        federation.diverged.add(GHA)
    else:
        why = await keeps_proof_and_halts(federation, GHA.participant, said, before)
        assert why.startswith("consent-missing")
    await hub.voice.close()


# --- rights ---------------------------------------------------------------------------------------


def terms(**members: Any) -> AuthorizationTerms:
    values = {"id": "GH-8", "version": 1, "approach": "CA0007", "party": "GHA", "purposes": ["NDC"]}
    return AuthorizationTerms.model_validate_json(json.dumps(values | members))


RIGHTS: dict[str, tuple[str, str | None, list[Effect]]] = {
    "an authorization": (
        "GHA01-GHA-77",
        "completed",
        [AuthorizationEffect(actor=GHA, terms=terms())],
    ),
    "an authorization in a case": ("REC-1", None, [AuthorizationEffect(actor=GHA, terms=terms())]),
    "a reservation": (
        "GHA01-GHA-77",
        "cleared",
        [Reserve(key=U, first=201, last=210, actor=GHA, transaction=TransactionId("GHA01-GHA-77"))],
    ),
    "a pledge": ("REC-1", None, [Pledge(key=U, first=201, last=210, actor=GHA, consent=DIGEST)]),
}


@pytest.mark.parametrize("name", RIGHTS)
async def test_nothing_is_said_or_bound_in_an_actor_s_name(
    federation: Federation, name: str
) -> None:
    conversation, state, effects = RIGHTS[name]
    hub = await FalseHub.take_over(federation)
    before = await books_of(federation, GHA.participant)
    _, said = await hub.say_entry([GHA], conversation, effects, state=state)
    why = await keeps_proof_and_halts(federation, GHA.participant, said, before)
    assert why.startswith("consent-missing")
    await hub.voice.close()


# --- an entry that is not the next one ----------------------------------------------------------

TRANSACTION = TransactionId("GHA01-GHA-1")
LATER = Instant("2027-06-01T00:00:00.000000Z")
LET_GO: list[Effect] = [Release(key=U, first=1, last=2, actor=GHA, transaction=TRANSACTION)]


def status_act(*administrators: str) -> list[Effect]:
    act = StatusChange(
        participant=Participant("CHE01"), status=Status.SUSPENDED, reason="", at=LATER
    )
    made = signed(act, *administrators)
    return [DirectoryEffect(act=made.act, signatures=made.signatures)]


MISPLACED: dict[str, tuple[dict[str, Any], str]] = {
    "one delivery was withheld": ({"shift": 1}, "is the next"),
    "a delivery again": ({"shift": -1}, "is the next"),
    "addressed twice": ({"to": [GHA, GHA]}, "addressed twice"),
    "of another log": ({"log": "another.log"}, "of the log another.log"),
    "a second beginning": ({"position": 0}, "another genesis"),
    "a state of no transaction": (
        {"state": "completed", "conversation": "REC-1"},
        "steps no transaction",
    ),
    "completed after it was completed": ({"state": "completed"}, "which is completed"),
    "expired after it was completed": ({"state": "expired"}, "which is completed"),
    "cleared after it was completed": ({"state": "cleared"}, "which is completed"),
    "an act that one administrator signed": (
        {"effects": status_act("ada")},
        "an act that does not count",
    ),
    "an act was withheld before it": ({"miscount": 1}, "acts before it"),
    "an act is hidden from whoever is shown it": ({"miscount": -1}, "acts before it"),
    "an act was withheld before this one": (
        {"effects": status_act("ada", "ben"), "miscount": 1},
        "acts before it",
    ),
    "two acts at once": (
        {"effects": [*status_act("ada", "ben"), *status_act("ada", "cleo")]},
        "carries 2 acts",
    ),
}


@pytest.mark.parametrize("name", MISPLACED)
async def test_an_entry_is_the_next_of_our_log(federation: Federation, name: str) -> None:
    members, expected = MISPLACED[name]
    members = {"to": [GHA], "conversation": str(TRANSACTION), "effects": LET_GO} | members
    hub = await FalseHub.take_over(federation)
    before = await books_of(federation, GHA.participant)
    _, said = await hub.say_entry(**members)
    missing = "not of federation.test" if "log" in members else None
    why = await keeps_proof_and_halts(federation, GHA.participant, said, before, missing)
    assert why.startswith("log-differs")
    assert expected in why
    await hub.voice.close()


# --- checkpoints --------------------------------------------------------------------------------


def fork(size: int) -> Growth:
    grown = Growth()
    for number in range(size):
        grown = grown.append(log.leaf_hash(b"another entry %d" % number))
    return grown


def deliveries(size: int, root: bytes) -> dict[str, Any]:
    return {"deliveries": tree(size, root)}


def checkpoints(log_size: int, own: int) -> dict[str, tuple[dict[str, Any], str]]:
    """What is wrong with each, given the size of the log and of the node's deliveries."""
    return {
        "another root of the same size": ({"log": fork(log_size)}, "does not contain"),
        "a larger log that is another one": ({"log": fork(log_size + 3)}, "does not contain"),
        "a larger log with a made-up proof": (
            {"log": fork(log_size + 3), "proof": (DIGEST,)},
            "does not contain",
        ),
        "a log that has shrunk": ({"log": fork(5)}, "comes after one of"),
        "another key": ({"key": signer("mallory")}, "checkpoint:"),
        "another log": ({"origin": "another.log"}, "not signed by the hub"),
        "no note at all": ({"note": "hello"}, "checkpoint:"),
        "a delivery that never came": (
            deliveries(own + 1, fork(own + 1).root()),
            "is not what was received",
        ),
        "a delivery that was altered": (
            deliveries(own, fork(own).root()),
            "is not what was received",
        ),
        "a delivery taken back": (deliveries(0, log.EMPTY_ROOT), "is not what was received"),
        "no word of deliveries": ({"deliveries": ()}, "is not what was received"),
    }


@pytest.mark.parametrize("name", checkpoints(1, 1))
async def test_a_checkpoint_extends_the_last_one_and_covers_what_came(
    federation: Federation, name: str
) -> None:
    hub = await FalseHub.take_over(federation)
    before = await books_of(federation, GHA.participant)
    own = await hub.deliveries(GHA)
    members, expected = checkpoints(hub.log.size, own.size)[name]
    missing = "not of federation.test" if "origin" in members else None
    _, said = await hub.say_checkpoint(GHA, **members)
    why = await keeps_proof_and_halts(federation, GHA.participant, said, before, missing)
    assert why.startswith("log-differs")
    assert expected in why
    assert federation.logged(events.CHECKPOINT_REFUSED, participant="GHA01")
    statements = await hub.voice.hear()
    assert [m for m in statements if m.type == "statement"] == [], "it witnesses nothing of it"
    await hub.voice.close()


async def shown_with(hub: FalseHub, size: int) -> tuple[str, tuple[str, ...]]:
    """A head that was made, and the cosignatures that it has gathered."""
    sql = "select note from checkpoints where size = :size"
    (head,) = await hub.federation.rows(HUB, sql, size=size)
    sql = "select line from cosignatures where size = :size order by participant"
    lines = await hub.federation.rows(HUB, sql, size=size)
    return head.note, tuple(row.line for row in lines)


async def earlier_head(hub: FalseHub) -> int:
    """The last one before the newest that several witnesses have cosigned."""
    sql = (
        "select size from cosignatures where size < :size group by size having count(*) > 1 "
        "order by size desc limit 1"
    )
    (row,) = await hub.federation.rows(HUB, sql, size=hub.log.size)
    return int(row.size)


PREVIOUS = {
    "another log": "does not contain the previous one",
    "no proof": "does not contain the previous one",
    "another key": "previous checkpoint:",
    "a cosignature of another head": "a cosignature of",
    "a witness twice": "which has none to give",
    "a stranger": "which has none to give",
    "cosignatures of nothing": "cosignatures of no head",
}


@pytest.mark.parametrize("name", PREVIOUS)
async def test_the_head_before_is_of_the_log_and_cosigned_as_is_said(
    federation: Federation, name: str
) -> None:
    """This is what two groups that are shown two logs would stumble over."""
    hub = await FalseHub.take_over(federation)
    before = await books_of(federation, GHA.participant)
    size = await earlier_head(hub)
    head, lines = await shown_with(hub, size)
    way = tuple(
        Digest(one.hex()) for one in log.consistency_proof(size, hub.log.size, hub.log.fresh)
    )
    text = note.Checkpoint(LOG, size, fork(size).root()).to_text()
    forked = note.format_note(text, [note.sign_note(text, LOG, signer("checkpoints"))])
    _, newer = await shown_with(hub, hub.log.size)
    members: dict[str, dict[str, Any]] = {
        "another log": {"previous": forked},
        "no proof": {"previous_proof": ()},
        "another key": {"previous": head.replace(head.splitlines()[2], DIGEST[:43] + "=")},
        "a cosignature of another head": {"cosignatures": newer[:1]},
        "a witness twice": {"cosignatures": (*lines, lines[0])},
        "a stranger": {"cosignatures": (lines[0].replace(lines[0].split()[1], "XXX01"),)},
        "cosignatures of nothing": {"previous": None, "previous_proof": ()},
    }
    whole = {"previous": head, "previous_proof": way, "cosignatures": lines}
    if name == "another log":
        whole["cosignatures"] = ()
    _, said = await hub.say_checkpoint(GHA, **(whole | members[name]))
    why = await keeps_proof_and_halts(federation, GHA.participant, said, before)
    assert PREVIOUS[name] in why
    await hub.voice.close()


async def test_the_head_before_is_taken_with_its_cosignatures(federation: Federation) -> None:
    hub = await FalseHub.take_over(federation)
    size = await earlier_head(hub)
    head, lines = await shown_with(hub, size)
    assert len(lines) > 1
    way = log.consistency_proof(size, hub.log.size, hub.log.fresh)
    await hub.voice.hear()
    await hub.say_checkpoint(
        GHA,
        previous=head,
        previous_proof=tuple(Digest(one.hex()) for one in way),
        cosignatures=lines,
    )

    async def stated() -> bool | None:
        return any(m.type == "statement" for m in await hub.voice.hear()) or None

    assert await federation.wait(stated, "the statement")
    await hub.voice.close()


@pytest.mark.parametrize("settings", [Settings(heartbeat_seconds=120.0)])
async def test_a_registry_says_when_no_majority_is_seen(federation: Federation) -> None:
    """While there is one, nothing is said; when the others see nothing, or are said to, it is."""
    await federation.settled()
    await asyncio.sleep(600)
    sql = "select value from marks where name = 'majority'"
    (known,) = await federation.rows(GHA.participant, sql)
    assert known.value == await federation.log_size()
    await federation.stop(REC, KOR.participant, CHE.participant, Participant("UN01"))
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201, ROG))
    await federation.reached(transaction, "cleared", "GHA01")
    await asyncio.sleep(1800)
    assert not federation.logged(events.MAJORITY_MISSING)
    await asyncio.sleep(3600)
    (first, *_) = federation.logged(events.MAJORITY_MISSING, participant="GHA01")
    assert int(first["seen"]) == known.value
    assert int(first["size"]) > known.value


async def test_the_same_checkpoint_again_is_witnessed_again(federation: Federation) -> None:
    hub = await FalseHub.take_over(federation)
    await hub.voice.hear()
    await hub.say_checkpoint(GHA)

    async def stated() -> Message | None:
        said = [m for m in await hub.voice.hear() if m.type == "statement"]
        return said[0] if said else None

    statement = (await federation.wait(stated, "the statement")).body
    own = await hub.deliveries(GHA)
    assert (statement.size, statement.delivered.size) == (hub.log.size, own.size)
    await hub.voice.close()


async def test_what_comes_behind_a_lie_is_not_applied(federation: Federation) -> None:
    """Not even in the same envelope: the first lie is the end."""
    hub = await FalseHub.take_over(federation)
    before = await books_of(federation, GHA.participant)
    size = (await hub.deliveries(GHA)).size
    lines = [
        hub.voice.make(
            "entry",
            "GHA01-GHA-1",
            Entry(
                log=LOG,
                position=hub.log.size + n,
                acts=hub.acts,
                at=federation.clock.now(),
                manifest=None,
                state=None,
                action=None,
                rules="false",
                addressed=(Addressed(actor=GHA, index=size + shift),),
                effects=tuple(LET_GO),
            ),
        )
        for n, shift in ((0, 1), (1, 0))
    ]
    envelope = await hub.voice.seal(GHA.participant, lines)
    await hub.voice.send(GHA.participant, envelope)
    await keeps_proof_and_halts(federation, GHA.participant, lines[0], before)
    await hub.voice.close()


async def test_two_sections_are_one_commit_and_each_keeps_to_its_own_word(
    federation: Federation,
) -> None:
    """The seller's consent is not the buyer's, even inside one registry."""
    transaction = await federation.propose(KOR, transfer(A, 1, 10, KOR, VUT))
    assert await federation.ended(transaction) == "completed"
    hub = await FalseHub.take_over(federation)
    before = await books_of(federation, KOR.participant)
    move = Move(
        key=A,
        first=11,
        last=20,
        attributes=Attributes(),
        source=position(KOR),
        target=position(VUT),
    )
    _, said = await hub.say_entry(
        [KOR, VUT],
        "UN02-KOR-77",
        [move],
        state="completed",
        action="transfer",
        consents=await hub.consents(transaction, KOR, VUT),
    )
    why = await keeps_proof_and_halts(federation, KOR.participant, said, before)
    assert why.startswith("consent-missing")
    assert digest(said)
    await hub.voice.close()


@dataclass
class Clearance:
    """A clearance of our making: Ghana proposes to Switzerland, and its node does not run."""

    hub: FalseHub
    proposer: Voice
    said: bytes

    @classmethod
    async def begin(cls, federation: Federation) -> "Clearance":
        hub = await FalseHub.take_over(federation)
        await federation.stop(GHA.participant)
        proposer = await federation.voice(GHA)
        proposal = proposer.proposal(first_transfer(201, 300, 201))
        return cls(hub, proposer, proposer.make("proposal", "GHA01-GHA-9", proposal))

    async def enclosed(self, to: Participant = HUB, **members: Any) -> Enclosure:
        """The proposal as its author has sealed it, to whomever and however."""
        manifest, _ = (await self.proposer.seal(to, [self.said], **members)).split(b"\n")
        return Enclosure(manifest=manifest.decode(), line=self.said.decode())

    async def lines(self, enclosure: Enclosure, times: int = 1) -> list[bytes]:
        """The entry that clears it, and the enclosure behind it."""
        hub = self.hub
        entry = Entry(
            log=LOG,
            position=hub.log.size,
            acts=hub.acts,
            at=hub.federation.clock.now(),
            manifest=digest(enclosure.manifest.encode()),
            state="cleared",
            action="first-transfer",
            rules="false",
            addressed=(Addressed(actor=CHE, index=(await hub.deliveries(CHE)).size),),
        )
        return [
            hub.voice.make("entry", "GHA01-GHA-9", entry, answers=digest(self.said)),
            *(hub.voice.make("enclosure", "GHA01-GHA-9", enclosure) for _ in range(times)),
        ]

    async def answers(self) -> int:
        """How often Switzerland has accepted it."""
        sql = "select answers from messages where type = 'acceptance'"
        rows = await self.hub.federation.rows(CHE.participant, sql)
        return [row.answers for row in rows].count(digest(self.said))

    async def close(self) -> None:
        await self.hub.voice.close()
        await self.proposer.close()


async def test_a_clearance_is_answered_once_however_often_it_is_enclosed(
    federation: Federation,
) -> None:
    """Three times in the envelope that clears it, and once more later."""
    clearance = await Clearance.begin(federation)
    voice, enclosure = clearance.hub.voice, await clearance.enclosed()
    lines = await clearance.lines(enclosure, times=3)
    await voice.send(CHE.participant, await voice.seal(CHE.participant, lines))
    await voice.say("enclosure", "GHA01-GHA-9", enclosure, to=CHE.participant)
    assert await clearance.answers() == 1
    await clearance.close()


NOT_SAID: dict[str, tuple[dict[str, Any], Reason]] = {
    "what was said to somebody else": ({"to": REC}, Reason.RECIPIENT_WRONG),
    "what stood in a control envelope": (
        {"control": True, "nonce": "0" * 32},
        Reason.TYPE_NOT_ALLOWED,
    ),
}


@pytest.mark.parametrize("name", NOT_SAID)
async def test_a_clearance_is_answered_only_as_it_was_said_to_the_hub(
    federation: Federation, name: str
) -> None:
    members, expected = NOT_SAID[name]
    clearance = await Clearance.begin(federation)
    voice, enclosure = clearance.hub.voice, await clearance.enclosed(**members)
    entry, passed_on = await clearance.lines(enclosure)
    await voice.say_line(entry, CHE.participant)
    said = await voice.say_line(passed_on, CHE.participant)
    assert await voice.reasons(said, CHE.participant) == [expected]
    assert await clearance.answers() == 0
    await clearance.close()
