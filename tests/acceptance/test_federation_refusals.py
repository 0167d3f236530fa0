# SPDX-License-Identifier: Apache-2.0
"""What is authentic and wrong is refused by the running hub, with its code, and changes no ledger.

Each case is said by hand with a real key, past the checks of the sender's own desk. The table says
what is proposed and every reason for refusing it; `spoil` is what happened before. A refused
proposal that belongs to its author's transaction gets an entry, everything else a notice; either
way the sender learns it, and what is said next goes on.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

import pytest
from sqlalchemy import text

from registry.program import Registry
from runtime import events
from runtime.node_settings import NodeSettings
from runtime.schema import migrate
from schemas.directory import Status, StatusChange
from schemas.effects import CaseState, Units
from schemas.envelope import digest
from schemas.findings import Reason
from schemas.identifiers import Actor, CaseId, Participant, TransactionId
from schemas.limits import PROPOSAL_LIFETIME_SECONDS_MAX, SERIAL_MAX
from schemas.messages import (
    Acceptance,
    CaseNotice,
    Entry,
    Line,
    Notice,
    Rejection,
    StatusRequest,
    Withdrawal,
)
from schemas.units import Attributes, Key
from tests.cast import (
    ADM,
    CHE,
    GH1,
    GHA,
    HUB,
    KOR,
    MM1,
    MMR,
    REC,
    ROG,
    VUT,
    A,
    I,
    R,
    U,
    account,
    asked,
    first_transfer,
    instruction,
    issuance,
    line,
    signed,
    terms,
    transfer,
    use,
)
from tests.federation import Federation
from tests.voice import Voice

X = Reason
Spoil = Callable[[Federation], Awaitable[None]]


async def nothing(federation: Federation) -> None:
    """Everything is as it was established."""


class Case(NamedTuple):
    """Who proposes what, and every reason for which it is refused."""

    author: Actor
    wanted: dict[str, Any]
    found: list[Reason]
    spoil: Spoil = nothing
    seconds: float = 3600


def steps(*done: tuple[Actor, dict[str, Any]]) -> Spoil:
    """Transactions that complete before."""

    async def spoil(federation: Federation) -> None:
        for actor, proposal in done:
            assert await federation.transact(actor, proposal) == "completed"

    return spoil


def status(participant: str, name: Status) -> Spoil:
    async def spoil(federation: Federation) -> None:
        act = StatusChange(
            participant=Participant(participant),
            status=name,
            reason="tried",
            at=federation.clock.now(),
        )
        assert (await federation.act(signed(act, "ada", "cleo")))[0]

    return spoil


async def reserved_by_another(federation: Federation) -> None:
    """Ghana's units 201 to 300 wait for the rogue, which does not answer."""
    waiting = await federation.propose(GHA, first_transfer(201, 300, 201, ROG))
    await federation.reached(waiting, "cleared", "GHA01")


async def frozen(federation: Federation, first: int = 301, last: int = 310) -> None:
    """Ghana's units 301 to 310, or others, are under case REC-7."""
    await federation.stop(REC)
    voice = await federation.voice(Actor("REC"))
    notice = CaseNotice(
        key=U,
        first=first,
        last=last,
        case=CaseId("REC-7"),
        actor=GHA,
        cause="missing",
        state="open",
        freeze=True,
        detail="",
    )
    await voice.say("case", "REC-7", notice)
    await voice.close()
    await federation.applied()


def cancel(key: Key, first: int, last: int, by: Actor, **members: Any) -> dict[str, Any]:
    one = line(key, first, last, account(by), account(by, "CAN"))
    mark = {"purpose": "OP", "user": "Nobody"}
    return {"action": "cancellation", "lines": (one,), "use": mark} | members


def authorized(actor: Actor, id_: str, approach: str, **members: Any) -> tuple[Actor, Any]:
    return actor, {"action": "authorization", "terms": terms(id_, actor, approach, **members)}


def second_version(**members: Any) -> Spoil:
    return steps(authorized(GHA, "GH-1", "CA0007", version=2, quantity=600, **members))


def under(id_: str, version: int = 1) -> dict[str, Any]:
    return {"authorization": {"id": id_, "version": version}}


def issued(total: int, share: int, omge: int, **changes: Any) -> dict[str, Any]:
    """An issuance of A6.4ERs with levies as told, from serial 5001 on."""
    key = changes.pop("key", A)
    lines, first = [], 5001
    for code, quantity in (("PEN", total - share - omge), ("SOP", share), ("OMG", omge)):
        marks = Attributes(designation="MCU", first_transferred=code != "PEN")
        target = account(ADM, code)
        lines.append(line(key, first, first + quantity - 1, target=target, attributes=marks))
        first += quantity
    references = {"request": "R", "approval": "B", "approved_quantity": total}
    return {"action": "issuance", "lines": tuple(lines), "references": references} | changes


SECTION_KEY = Key.parse("underlying:CA0011-UN02-KOR-2024")
OLD_KEY = Key.parse("underlying:CA0007-GHA01-GHA-2020")
LATE_KEY = Key.parse("underlying:CA0007-GHA01-GHA-2031")

CASES: dict[str, Case] = {
    # --- who
    "units of another actor": Case(
        ROG,
        {"action": "transfer", "lines": (line(I, 1, 5, account(CHE), account(GHA)),)}
        | {"acquirer": GHA},
        [X.AUTHOR_NOT_ACTING],
    ),
    "a suspended participant": Case(
        CHE, use(I, 1, 5, CHE), [X.PARTICIPANT_SUSPENDED], status("CHE01", Status.SUSPENDED)
    ),
    "a participant in testing": Case(
        CHE, use(I, 1, 5, CHE), [X.PARTICIPANT_TESTING], status("CHE01", Status.TESTING)
    ),
    "an acquirer in testing": Case(
        CHE, transfer(I, 1, 5, CHE, GHA), [X.PARTICIPANT_TESTING], status("GHA01", Status.TESTING)
    ),
    "an acquirer that nobody admitted": Case(
        CHE, transfer(I, 1, 5, CHE, Actor("FRA01/FRA")), [X.PARTICIPANT_UNKNOWN, X.PROFILE_FORBIDS]
    ),
    "a pair that only looks": Case(CHE, transfer(I, 1, 5, CHE, VUT), [X.PROFILE_FORBIDS]),
    "the hub as acquirer": Case(
        CHE,
        transfer(I, 1, 5, CHE, GHA) | {"acquirer": Actor("HUB")},
        [X.NOT_BOUND, X.PROFILE_FORBIDS],
    ),
    # --- form
    "reversed": Case(
        GHA,
        cancel(U, 1, 5, GHA, lines=(line(U, 130, 121, account(GHA), account(GHA, "CAN")),))
        | {"quantity": 10},
        [X.RANGE_REVERSED, X.QUANTITY_DIFFERS],
    ),
    "overlapping lines": Case(
        GHA,
        cancel(U, 1, 5, GHA)
        | {
            "lines": (
                line(U, 121, 130, account(GHA), account(GHA, "CAN")),
                line(U, 130, 140, account(GHA), account(GHA, "CAN")),
            )
        },
        [X.RANGES_OVERLAP],
    ),
    "two lines for the same new serial": Case(
        GHA,
        first_transfer(201, 210, 201)
        | {
            "lines": (
                line(U, 201, 210, account(GHA), account(CHE), itmo_first=201),
                line(U, 211, 220, account(GHA), account(CHE), itmo_first=210),
            )
        },
        [X.RANGES_OVERLAP],
    ),
    "every serial there is": Case(
        GHA, cancel(U, 1, SERIAL_MAX, GHA), [X.UNITS_NOT_HELD, X.UNITS_NOT_HELD]
    ),
    "itmos beyond the last serial": Case(
        GHA, first_transfer(201, 210, SERIAL_MAX - 5), [X.SERIALS_TAKEN]
    ),
    "a quantity that is one off": Case(
        GHA, cancel(U, 201, 210, GHA, quantity=11), [X.QUANTITY_DIFFERS]
    ),
    "no lines": Case(GHA, cancel(U, 1, 5, GHA, lines=()), [X.MEMBER_MISSING]),
    "an acquirer where there is none": Case(
        KOR, use(A, 1, 5, KOR, acquirer=MMR), [X.MEMBER_SUPERFLUOUS]
    ),
    "itself as acquirer": Case(CHE, transfer(I, 1, 5, CHE, CHE), [X.ACQUIRER_WRONG]),
    "a use into a holding account": Case(
        CHE,
        use(I, 1, 5, CHE, lines=(line(I, 1, 5, account(CHE), account(CHE, number=2)),)),
        [X.ACCOUNT_WRONG],
    ),
    "a transfer into somebody else's account": Case(
        CHE,
        transfer(I, 1, 5, CHE, GHA)
        | {"lines": (line(I, 1, 5, account(CHE), account(CHE, number=2)),)},
        [X.ACCOUNT_WRONG],
    ),
    "out of the locked account": Case(
        GHA,
        cancel(U, 1, 5, GHA, lines=(line(U, 1, 5, account(GHA, "LCK"), account(GHA, "CAN")),)),
        [X.ACCOUNT_WRONG],
    ),
    "underlying units as if they were itmos": Case(
        GHA, transfer(U, 201, 205, GHA, CHE), [X.KEY_WRONG]
    ),
    "a use of underlying units": Case(GHA, use(U, 201, 205, GHA), [X.KEY_WRONG]),
    # --- when
    "late by a second": Case(CHE, use(I, 1, 5, CHE), [X.PROPOSAL_LATE], seconds=-1),
    "longer than any proposal lives": Case(
        CHE, use(I, 1, 5, CHE), [X.LIFETIME_TOO_LONG], seconds=PROPOSAL_LIFETIME_SECONDS_MAX + 60
    ),
    # --- units
    "units that nobody issued": Case(GHA, cancel(U, 1001, 1010, GHA), [X.UNITS_NOT_HELD]),
    "one unit more than is held": Case(GHA, cancel(U, 901, 1001, GHA), [X.UNITS_NOT_HELD]),
    "units in another account": Case(
        GHA,
        cancel(
            U, 1, 5, GHA, lines=(line(U, 201, 205, account(GHA, number=2), account(GHA, "CAN")),)
        ),
        [X.UNITS_NOT_HELD],
    ),
    "locked units": Case(GHA, cancel(U, 100, 101, GHA), [X.UNITS_NOT_HELD]),
    "reserved units": Case(GHA, cancel(U, 300, 301, GHA), [X.UNITS_RESERVED], reserved_by_another),
    "frozen units": Case(GHA, cancel(U, 310, 311, GHA), [X.UNITS_FROZEN], frozen),
    "used units": Case(CHE, use(I, 5, 6, CHE), [X.UNITS_FINAL], steps((CHE, use(I, 1, 5, CHE)))),
    "a transfer of used units": Case(
        CHE, transfer(I, 5, 6, CHE, GHA), [X.UNITS_FINAL], steps((CHE, use(I, 1, 5, CHE)))
    ),
    "cancelled units": Case(
        GHA, first_transfer(205, 206, 205), [X.UNITS_FINAL], steps((GHA, cancel(U, 201, 205, GHA)))
    ),
    "itmo serials that are taken": Case(GHA, first_transfer(201, 210, 100), [X.SERIALS_TAKEN]),
    "an issuance over issued serials": Case(GHA, issuance(GHA, U, 1000, 1001), [X.SERIALS_TAKEN]),
    "an issuance over serials of another activity": Case(
        ADM,
        issued(100, 5, 2)
        | {
            "lines": (
                line(
                    Key.parse("itmo:CA0001-UN01-MMR-2024:B0001"),
                    900,
                    999,
                    target=account(ADM, "PEN"),
                    attributes=Attributes(designation="MCU"),
                ),
            )
        },
        [X.SERIALS_TAKEN, X.SERIALS_TAKEN, X.SERIALS_TAKEN],
    ),
    # --- issuance
    "an issuance by a section": Case(KOR, issuance(KOR, SECTION_KEY, 1, 10), [X.ISSUANCE_NOT_HERE]),
    "an issuance in another registry's key": Case(GHA, issuance(GHA, R, 2001, 2010), [X.KEY_WRONG]),
    "an issuance by a Party of the mechanism": Case(
        MMR,
        issuance(MMR, A, 5001, 5010)
        | {"lines": (line(A, 5001, 5010, target=account(MMR, "PEN"), attributes=Attributes()),)},
        [X.ADMINISTRATOR_ONLY],
    ),
    "one unit over the approval": Case(
        GHA,
        issuance(GHA, U, 2001, 2100)
        | {"references": {"request": "R", "approval": "A", "approved_quantity": 99}},
        [X.APPROVAL_EXCEEDED],
    ),
    "A6.4ERs that nobody has approved": Case(
        ADM,
        issued(7125, 357, 143)
        | {"references": {"request": "R", "approval": "Z", "approved_quantity": 7125}},
        [X.APPROVAL_MISSING],
    ),
    "vintage 2020": Case(GHA, issuance(GHA, OLD_KEY, 1, 10), [X.VINTAGE_TOO_EARLY]),
    "a share of proceeds one too small": Case(
        ADM, issued(7125, 356, 143), [X.SHARE_OF_PROCEEDS_WRONG]
    ),
    "a share of proceeds one too large": Case(
        ADM, issued(7125, 358, 143), [X.SHARE_OF_PROCEEDS_WRONG]
    ),
    "omge one too small": Case(ADM, issued(7125, 357, 142), [X.OMGE_TOO_SMALL]),
    "a forwarding outside the mechanism": Case(
        GHA,
        {
            "action": "forwarding",
            "lines": (line(U, 201, 205, account(GHA, "PEN"), account(CHE)),),
            "acquirer": CHE,
        },
        [X.ADMINISTRATOR_ONLY, X.ACQUIRER_WRONG],
    ),
    # --- authorization
    "an authorization nobody gave": Case(
        GHA, first_transfer(201, 210, 201, **under("GH-9")), [X.AUTHORIZATION_MISSING]
    ),
    "a version nobody gave": Case(
        GHA, first_transfer(201, 210, 201, **under("GH-1", 2)), [X.AUTHORIZATION_MISSING]
    ),
    "one unit over the authorization": Case(
        GHA, first_transfer(201, 701, 201), [X.AUTHORIZATION_EXCEEDED]
    ),
    "a superseded authorization": Case(
        GHA, first_transfer(201, 210, 201), [X.AUTHORIZATION_REVOKED], second_version()
    ),
    "a revoked authorization": Case(
        GHA,
        first_transfer(201, 210, 201, **under("GH-1", 2)),
        [X.AUTHORIZATION_REVOKED],
        second_version(revoked=True),
    ),
    "a vintage that is not authorized": Case(
        GHA,
        first_transfer(201, 210, 201, **under("GH-1", 2)),
        [X.AUTHORIZATION_OUT_OF_TIME],
        second_version(vintage_from=2024),
    ),
    "an approach that is not authorized": Case(
        GHA,
        first_transfer(201, 210, 201, **under("GH-2")),
        [X.KEY_WRONG],
        steps(authorized(GHA, "GH-2", "CA0008")),
    ),
    "an acquirer that is not authorized": Case(
        GHA,
        first_transfer(201, 210, 201, **under("GH-1", 2)),
        [X.AUTHORIZATION_PARTY],
        second_version(parties=["ROG"]),
    ),
    "a purpose that is not authorized": Case(
        CHE,
        use(I, 1, 5, CHE, use={"purpose": "IMP", "user": "Airline"}),
        [X.AUTHORIZATION_PURPOSE],
    ),
    "a year that is not authorized": Case(
        CHE,
        use(I, 201, 205, CHE, use={"purpose": "NDC", "user": "CHE", "year": 2031}),
        [X.AUTHORIZATION_OUT_OF_TIME],
        steps(
            authorized(GHA, "GH-3", "CA0007", use_to=2030),
            (GHA, first_transfer(201, 210, 201, **under("GH-3"))),
        ),
    ),
    "a use for another Party's NDC": Case(
        CHE,
        use(I, 1, 5, CHE, use={"purpose": "NDC", "user": "GHA", "year": 2025}),
        [X.AUTHOR_NOT_ACTING],
    ),
    "the same version twice": Case(
        *authorized(GHA, "GH-1", "CA0007", quantity=900), [X.AUTHORIZATION_EXISTS]
    ),
    "a version that skips one": Case(
        *authorized(GHA, "GH-1", "CA0007", version=3), [X.AUTHORIZATION_EXISTS]
    ),
    "another Party's authorization": Case(
        GHA,
        {"action": "authorization", "terms": terms("CH-1", CHE, "CA0007")},
        [X.KEY_WRONG],
    ),
    # --- first transfer
    "a mitigation contribution that leaves": Case(
        MMR,
        {
            "action": "first-transfer",
            "lines": (line(A, 501, 510, account(MMR), account(KOR)),),
            "acquirer": KOR,
            "authorization": MM1,
        },
        [X.CONTRIBUTION_STAYS],
        steps(
            (
                ADM,
                {
                    "action": "forwarding",
                    "lines": (line(A, 501, 510, account(ADM, "PEN"), account(MMR)),),
                    "acquirer": MMR,
                    "instruction": instruction("A"),
                },
            )
        ),
    ),
    "a second first transfer": Case(
        MMR,
        {
            "action": "first-transfer",
            "lines": (line(A, 1, 10, account(MMR), account(KOR)),),
            "acquirer": KOR,
            "authorization": MM1,
        },
        [X.ALREADY_FIRST_TRANSFERRED],
        steps((KOR, transfer(A, 1, 10, KOR, MMR))),
    ),
    "a first transfer by somebody else": Case(
        KOR,
        {
            "action": "first-transfer",
            "lines": (line(A, 1, 10, account(KOR), account(MMR)),),
            "acquirer": MMR,
            "authorization": MM1,
        },
        [X.KEY_WRONG],
    ),
    "a transfer before the first transfer": Case(
        MMR, transfer(A, 101, 110, MMR, KOR), [X.NOT_FIRST_TRANSFERRED]
    ),
    "units of two kinds in one line": Case(
        MMR,
        {
            "action": "first-transfer",
            "lines": (line(A, 395, 400, account(MMR), account(KOR)),),
            "acquirer": KOR,
            "authorization": GH1,
        },
        [X.AUTHORIZATION_MISSING],
    ),
}


@pytest.mark.requirement(7, case="used units")
@pytest.mark.requirement(9, case="cancelled units")
@pytest.mark.requirement(60, case="a participant in testing")
@pytest.mark.parametrize("name", CASES)
async def test_a_wrong_proposal_is_refused_and_changes_no_ledger(
    federation: Federation, name: str
) -> None:
    case = CASES[name]
    await case.spoil(federation)
    await federation.settled()
    voice = await spoken_for(federation, case.author)
    transaction = await next_transaction(federation, case.author)
    before = await federation.ledgers()
    said = await voice.propose(transaction, case.wanted, seconds=case.seconds)
    assert await voice.reasons(said) == case.found
    after = await federation.ledgers()
    assert after["transactions"] == sorted(
        [*before["transactions"], (transaction, "refused", before["log"])]
    )
    assert after | {"log": before["log"], "transactions": before["transactions"]} == before
    await still_taken(voice, await next_transaction(federation, case.author))
    await voice.close()


async def spoken_for(federation: Federation, actor: Actor) -> Voice:
    """The actor's program stops, and everything is said by hand from now on."""
    if actor.participant in federation.tasks:
        await federation.stop(actor.participant)
    return await federation.voice(actor)


async def next_transaction(federation: Federation, actor: Actor) -> str:
    stem = actor.replace("/", "-")
    sql = "select id from transactions where proposer = :actor"
    numbers = [int(r.id.split("-")[2]) for r in await federation.rows(HUB, sql, actor=str(actor))]
    return f"{stem}-{max(numbers, default=0) + 1}"


async def still_taken(voice: Voice, transaction: str) -> None:
    """What is said next is heard like anything else."""
    asked = StatusRequest(transaction=TransactionId(transaction))
    said = await voice.say("status-request", transaction, asked)
    answers = [m.body for m in await voice.answers(said)]
    assert [a.state for a in answers] == [None]


# --- lines that are no message, or not one that this author may say -------------------------------


def spoilt(change: Callable[[dict[str, Any]], None]) -> Callable[[Voice], bytes]:
    """A good proposal whose JSON is changed."""

    def make(voice: Voice) -> bytes:
        body = voice.proposal(issuance(ROG, R, 2001, 2010))
        value = json.loads(voice.make("proposal", "ROG01-ROG-3", body))
        change(value)
        return json.dumps(value).encode()

    return make


def said_as(type_: str, body: dict[str, Any], conversation: str = "ROG01-ROG-3") -> Any:
    def make(voice: Voice) -> bytes:
        value = json.loads(voice.make("withdrawal", conversation, Withdrawal()))
        return json.dumps({**value, "type": type_, "body": body}).encode()

    return make


def padded(size: int) -> Callable[[Voice], bytes]:
    """A good proposal with so many spaces in it: valid JSON, and too much to be passed on."""

    def make(voice: Voice) -> bytes:
        body = voice.proposal(issuance(ROG, R, 2001, 2010))
        made = voice.make("proposal", "ROG01-ROG-3", body)
        return made[:-1] + b" " * (size - len(made)) + made[-1:]

    return make


DIGEST = "0" * 64
NOTICE = {"code": 9001, "reason": "internal", "detail": "x"}
LINES: dict[str, tuple[Callable[[Voice], bytes], list[Reason]]] = {
    "no JSON": (lambda _: b"hello", [X.MESSAGE_MALFORMED]),
    "a list": (lambda _: b"[]", [X.MESSAGE_MALFORMED]),
    "an unknown type": (spoilt(lambda v: v.update(type="wish")), [X.TYPE_UNKNOWN]),
    "no type": (spoilt(lambda v: v.pop("type")), [X.TYPE_UNKNOWN]),
    "an unknown name": (spoilt(lambda v: v.update(urgent=True)), [X.MESSAGE_MALFORMED]),
    "an unknown name in the body": (
        spoilt(lambda v: v["body"].update(priority=1)),
        [X.MESSAGE_MALFORMED],
    ),
    "an unknown action": (
        spoilt(lambda v: v["body"].update(action="donation")),
        [X.MESSAGE_MALFORMED],
    ),
    "a quantity in quotes": (
        spoilt(lambda v: v["body"].update(quantity="10")),
        [X.MESSAGE_MALFORMED],
    ),
    "a serial past the last": (
        spoilt(lambda v: v["body"]["lines"][0].update(last=SERIAL_MAX + 1)),
        [X.MESSAGE_MALFORMED],
    ),
    "serial nought": (
        spoilt(lambda v: v["body"]["lines"][0].update(first=0)),
        [X.MESSAGE_MALFORMED],
    ),
    "a conversation that is no transaction": (
        spoilt(lambda v: v.update(conversation="hello")),
        [X.MESSAGE_MALFORMED],
    ),
    "an acceptance of no transaction": (said_as("acceptance", {}, "hello"), [X.MESSAGE_MALFORMED]),
    "somebody else's transaction": (
        spoilt(lambda v: v.update(conversation="GHA01-GHA-99")),
        [X.AUTHOR_NOT_ACTING],
    ),
    "somebody else's transaction, which is known": (
        spoilt(lambda v: v.update(conversation="GHA01-GHA-3")),
        [X.AUTHOR_NOT_ACTING],
    ),
    "its own transaction again": (
        spoilt(lambda v: v.update(conversation="ROG01-ROG-1")),
        [X.TRANSACTION_EXISTS],
    ),
    "too much to pass on": (padded(300_000), [X.MESSAGE_TOO_LARGE]),
    "more than a message may be": (padded(990_000), [X.MESSAGE_TOO_LARGE]),
    "a case, by a registry": (
        said_as(
            "case",
            {
                "key": json.loads(U.model_dump_json()),
                "first": 1,
                "last": 2,
                "case": "REC-1",
                "actor": "GHA01/GHA",
                "cause": "missing",
                "state": "open",
                "freeze": True,
                "detail": "",
            },
        ),
        [X.TYPE_NOT_ALLOWED],
    ),
    "a control message in sequence": (
        said_as("hello", {"actor": "ROG01/ROG", "sent": 0, "received": 0, "answer": False}),
        [X.TYPE_NOT_ALLOWED],
    ),
    "an enclosure to the hub": (
        said_as("enclosure", {"manifest": "a", "line": "b"}),
        [X.TYPE_NOT_ALLOWED],
    ),
    "a withdrawal of nothing": (said_as("withdrawal", {}), [X.TRANSACTION_UNKNOWN]),
    "an acceptance of nothing": (said_as("acceptance", {}), [X.TRANSACTION_UNKNOWN]),
    "a rejection of nothing": (
        said_as("rejection", {"findings": [NOTICE]}),
        [X.TRANSACTION_UNKNOWN],
    ),
    "a notice about nothing": (
        said_as("notice", {"about": DIGEST, "sequence": None, "findings": [NOTICE]}),
        [],
    ),
}


@pytest.mark.parametrize("name", LINES)
async def test_a_wrong_line_is_told_to_its_author_and_changes_nothing(
    federation: Federation, name: str
) -> None:
    make, found = LINES[name]
    voice = await federation.voice(ROG)
    before = await federation.ledgers()
    said = await voice.say_line(make(voice))
    assert await voice.reasons(said) == found
    assert all(isinstance(m.body, Notice) for m in await voice.answers(said))
    assert await federation.ledgers() == before
    await still_taken(voice, "ROG01-ROG-3")
    await voice.close()


async def test_who_is_not_admitted_is_put_aside_after_its_time_and_the_rest_goes_on(
    federation: Federation,
) -> None:
    """An act that admits it may be under way; the first word of somebody else is not held up."""
    stranger, voice = await federation.voice(Actor("ROG01/TGO")), await federation.voice(ROG)
    before, began = await federation.ledgers(), asyncio.get_running_loop().time()
    made = stranger.make("proposal", "ROG01-TGO-1", stranger.proposal(issuance(ROG, R, 2001, 2010)))
    envelope = await stranger.seal(HUB, [made], sequence=1)
    await stranger.send(HUB, envelope)
    await still_taken(voice, "ROG01-ROG-3")
    letters = "select reason, claimed_sender, body, state from dead_letters"
    assert await federation.rows(HUB, letters) == [], "it waits"

    async def put_aside() -> Any:
        return await federation.rows(HUB, letters) or None

    (letter,) = await federation.wait(put_aside, "the dead letter")
    assert asyncio.get_running_loop().time() - began >= NodeSettings().hold_seconds
    assert (letter.reason, letter.claimed_sender, bytes(letter.body), letter.state) == (
        "sender-unknown",
        "ROG01/TGO",
        envelope,
        "open",
    )
    await still_taken(voice, "ROG01-ROG-4")
    (told,) = federation.logged(events.ENVELOPE_DEAD)
    assert "sender-unknown: ROG01/TGO with key" in told["finding"]
    assert await federation.ledgers() == before
    await stranger.close()
    await voice.close()


async def test_one_wrong_line_does_not_hold_up_its_neighbours(federation: Federation) -> None:
    """Each message of an envelope has its own outcome, and the rest of the queue goes on."""
    voice = await federation.voice(ROG)
    good = [
        voice.make(
            "proposal", f"ROG01-ROG-{n}", voice.proposal(issuance(ROG, R, n * 1000, n * 1000))
        )
        for n in (3, 4)
    ]
    bad = voice.make("proposal", "ROG01-ROG-5", voice.proposal(issuance(ROG, R, 1, 1)))
    await voice.send(HUB, await voice.seal(HUB, [good[0], b"{}", bad, good[1]]))
    honest = await federation.transact(CHE, use(I, 1, 5, CHE))
    await voice.taken()
    states = [await federation.state(f"ROG01-ROG-{n}") for n in (3, 4, 5)]
    assert (states, honest) == (["completed", "completed", "refused"], "completed")
    await voice.close()


async def test_a_manifest_too_long_to_be_passed_on_clears_nothing(federation: Federation) -> None:
    """The entry `cleared` and what the acquirer needs to answer it come together, or not at all."""
    voice = await federation.voice(ROG)
    bring = {
        "action": "first-transfer",
        "lines": (line(R, 1, 10, account(ROG), account(CHE), itmo_first=1),),
        "acquirer": CHE,
        "authorization": {"id": "RG-1", "version": 1},
    }
    before = await federation.ledgers()
    said = voice.make("proposal", "ROG01-ROG-3", voice.proposal(bring))
    envelope = await voice.seal_padded(HUB, [said], 20_000)
    await voice.send(HUB, envelope)
    await voice.taken()
    assert await voice.reasons(digest(said)) == [X.MESSAGE_TOO_LARGE]
    assert await federation.ledgers() == before
    await voice.propose("ROG01-ROG-3", bring)
    assert await federation.ended("ROG01-ROG-3") == "completed"
    await voice.close()


# --- answers -------------------------------------------------------------------------------------


async def cleared(federation: Federation, voice: Voice) -> tuple[str, str]:
    """Ghana waits for the rogue: the transaction, and the digest of what was proposed."""
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201, ROG))
    await federation.reached(transaction, "cleared", "GHA01")
    sql = "select message from transactions where id = :id"
    message = (await federation.rows(HUB, sql, id=transaction))[0].message
    return transaction, message


FINDING = {"findings": ({"code": 7019, "reason": X.DECLINED, "detail": "no"},)}


@pytest.mark.requirement(48)
async def test_only_the_acquirer_answers_and_only_the_very_proposal(
    federation: Federation,
) -> None:
    rogue = await federation.voice(ROG)
    transaction, message = await cleared(federation, rogue)
    third = await spoken_for(federation, CHE)
    proposer = await spoken_for(federation, GHA)
    rejection = Rejection.model_validate(FINDING)
    before = await federation.ledgers()
    for voice, type_, body, answers, found in (
        (third, "acceptance", Acceptance(), message, X.NOT_CONCERNED),
        (third, "rejection", rejection, message, X.NOT_CONCERNED),
        (third, "withdrawal", Withdrawal(), message, X.NOT_CONCERNED),
        (proposer, "acceptance", Acceptance(), message, X.NOT_CONCERNED),
        (rogue, "withdrawal", Withdrawal(), message, X.NOT_CONCERNED),
        (rogue, "acceptance", Acceptance(), DIGEST, X.ANSWERS_OTHER_PROPOSAL),
        (rogue, "acceptance", Acceptance(), None, X.ANSWERS_OTHER_PROPOSAL),
        (rogue, "rejection", rejection, DIGEST, X.ANSWERS_OTHER_PROPOSAL),
        (proposer, "withdrawal", Withdrawal(), DIGEST, X.ANSWERS_OTHER_PROPOSAL),
    ):
        said = await voice.say(type_, transaction, body, answers=answers)
        assert await voice.reasons(said) == [found], (voice.actor, type_)
    assert await federation.ledgers() == before
    await rogue.say("acceptance", transaction, Acceptance(), answers=message)
    assert await federation.ended(transaction) == "completed"
    for voice in (rogue, third, proposer):
        await voice.close()


async def test_an_acceptance_counts_once_whatever_is_said_after_it(federation: Federation) -> None:
    rogue = await federation.voice(ROG)
    transaction, message = await cleared(federation, rogue)
    accepted = rogue.make("acceptance", transaction, Acceptance(), answers=message)
    first = await rogue.say_line(accepted)
    assert await federation.ended(transaction) == "completed"
    proposer = await spoken_for(federation, GHA)
    answered = await rogue.answers(first)
    before = await federation.ledgers()
    assert await rogue.say_line(accepted) == first, "the same bytes"
    assert await rogue.answers(first) == answered, "are answered as the first time"
    rejection = Rejection.model_validate(FINDING)
    for voice, type_, body in (
        (rogue, "acceptance", Acceptance(comment="once more")),
        (rogue, "rejection", rejection),
        (proposer, "withdrawal", Withdrawal()),
    ):
        said = await voice.say(type_, transaction, body, answers=message)
        assert await voice.reasons(said) == [X.TRANSACTION_STATE], type_
    assert await federation.ledgers() == before
    await rogue.close()
    await proposer.close()


@pytest.mark.requirement(120)
@pytest.mark.parametrize("end", ["rejected", "withdrawn", "expired"])
async def test_after_the_end_without_completion_units_are_free_and_answers_too_late(
    federation: Federation, end: str
) -> None:
    rogue = await federation.voice(ROG)
    seconds = 10 if end == "expired" else 3600
    before = await federation.ledgers()
    wanted = first_transfer(201, 300, 201, ROG)
    transaction = await federation.propose(GHA, wanted, lifetime_seconds=seconds)
    await federation.reached(transaction, "cleared", "GHA01")
    sql = "select message from transactions where id = :id"
    message = (await federation.rows(HUB, sql, id=transaction))[0].message
    if end == "rejected":
        body = Rejection.model_validate(FINDING)
        await rogue.say("rejection", transaction, body, answers=message)
    if end == "withdrawn":
        await federation.order("GHA01", "withdraw", transaction=transaction)
    assert await federation.ended(transaction) == end
    said = await rogue.say("acceptance", transaction, Acceptance(), answers=message)
    assert await rogue.reasons(said) == [X.TRANSACTION_STATE]
    after = await federation.ledgers()
    same = {k: v for k, v in after.items() if k not in {"log", "transactions"}}
    assert same == {k: v for k, v in before.items() if k in same}
    assert await federation.state(transaction, "GHA01") == end
    assert await federation.transact(GHA, first_transfer(201, 300, 201)) == "completed"
    await rogue.close()


async def test_an_answer_behind_a_gap_is_waited_for_past_the_deadline(
    federation: Federation,
) -> None:
    rogue = await federation.voice(ROG)
    wanted = first_transfer(201, 300, 201, ROG)
    transaction = await federation.propose(GHA, wanted, lifetime_seconds=10)
    await federation.reached(transaction, "cleared", "GHA01")
    sql = "select message from transactions where id = :id"
    message = (await federation.rows(HUB, sql, id=transaction))[0].message
    asked_too = StatusRequest(transaction=TransactionId(transaction))
    lost = await rogue.seal(HUB, [rogue.make("status-request", transaction, asked_too)])
    answer = rogue.make("acceptance", transaction, Acceptance(), answers=message)
    await rogue.send(HUB, await rogue.seal(HUB, [answer]))
    await asyncio.sleep(30)
    assert await federation.state(transaction) == "cleared"
    await rogue.send(HUB, lost)
    assert await federation.ended(transaction) == "completed"
    await rogue.close()


# --- the same again ------------------------------------------------------------------------------


async def test_the_same_proposal_again_has_one_effect_and_the_same_answer(
    federation: Federation,
) -> None:
    voice = await federation.voice(ROG)
    said = voice.make("proposal", "ROG01-ROG-3", voice.proposal(issuance(ROG, R, 2001, 2010)))
    first = await voice.say_line(said)
    answers = await voice.answers(first)
    assert [a.body.state for a in answers] == ["completed"]
    await voice.hear()
    before = await federation.ledgers()
    assert await voice.say_line(said) == first

    async def heard() -> bool | None:
        return True if [m for m in await voice.hear() if m.answers == first] == answers else None

    await federation.wait(heard, "the same answer again")
    assert await federation.ledgers() == before
    await voice.close()


async def test_the_same_transaction_or_id_with_other_content_is_refused_and_kept(
    federation: Federation,
) -> None:
    voice = await federation.voice(ROG)
    made = voice.make("proposal", "ROG01-ROG-3", voice.proposal(issuance(ROG, R, 2001, 2010)))
    await voice.say_line(made)
    before = await federation.ledgers()
    other = await voice.propose("ROG01-ROG-3", issuance(ROG, R, 3001, 3010))
    assert await voice.reasons(other) == [X.TRANSACTION_EXISTS]
    twisted = json.loads(made)
    twisted["body"]["comment"] = "another one"
    same_id = await voice.say_line(json.dumps(twisted).encode())
    assert await voice.reasons(same_id) == [X.MESSAGE_EQUIVOCATION]
    assert await federation.ledgers() == before
    kept = await federation.rows(HUB, "select reason, body from dead_letters")
    assert [(row.reason, bytes(row.body)) for row in kept] == [
        ("message-equivocation", json.dumps(twisted).encode())
    ]
    await voice.close()


# --- status ---------------------------------------------------------------------------------------


async def test_the_hub_tells_a_status_to_those_concerned_alone(federation: Federation) -> None:
    rogue = await federation.voice(ROG)
    transaction, _ = await cleared(federation, rogue)
    for about, expected in (
        (transaction, "cleared"),
        ("ROG01-ROG-1", "completed"),
        ("ROG01-ROG-77", None),
        ("GHA01-GHA-77", None),
    ):
        body = StatusRequest(transaction=TransactionId(about))
        said = await rogue.say("status-request", about, body)
        (answer,) = [m.body for m in await rogue.answers(said)]
        assert (answer.transaction, answer.state) == (about, expected)
        assert answer.closed_to == rogue.sequences[HUB] - 1, "what was taken before the question"
    body = StatusRequest(transaction=TransactionId("GHA01-GHA-1"))
    said = await rogue.say("status-request", "GHA01-GHA-1", body)
    assert await rogue.reasons(said) == [X.NOT_CONCERNED]
    await rogue.close()


# --- REC ------------------------------------------------------------------------------------------


async def test_a_case_about_nobody_is_refused(federation: Federation) -> None:
    await federation.stop(REC)
    voice = await federation.voice(Actor("REC"))
    units = Units(key=U, first=1, last=2)
    before = await federation.ledgers()
    for actor in ("FRA01/FRA", "HUB", "REC"):
        notice = CaseNotice(
            **units.model_dump(),
            case=CaseId("REC-9"),
            actor=Actor(actor),
            cause="missing",
            state="open",
            freeze=True,
            detail="",
        )
        said = await voice.say("case", "REC-9", notice)
        assert await voice.reasons(said) == [X.PARTICIPANT_UNKNOWN], actor
    assert await federation.ledgers() == before
    await voice.close()


async def test_a_frozen_range_names_its_case_and_nothing_else_stops(federation: Federation) -> None:
    await frozen(federation)
    wanted = {"actor": GHA, **asked(cancel(U, 291, 320, GHA))}
    done, why = await federation.command("GHA01", "propose", **wanted)
    assert not done
    assert "units-frozen" in why
    assert "REC-7" in why
    assert await federation.transact(GHA, cancel(U, 291, 300, GHA)) == "completed"
    voice = await spoken_for(federation, GHA)
    said = await voice.propose("GHA01-GHA-5", cancel(U, 299, 320, GHA, lines=rest_of_it()))
    (entry,) = [m.body for m in await voice.answers(said) if isinstance(m.body, Entry)]
    (found,) = entry.findings
    assert (found.case, found.key, found.first, found.last) == ("REC-7", U, 302, 310)
    await voice.close()


@pytest.mark.parametrize("action", ["use", "cancellation"])
async def test_itmos_do_not_end_while_a_case_lies_on_the_units_they_represent(
    federation: Federation, action: str
) -> None:
    """Ghana holds 201 to 300 locked, Switzerland the ITMOs: 241 to 250 are frozen, in Ghana."""
    recorded = authorized(
        GHA, "GH-2", "CA0007", purposes=["NDC", "OP"], first_transfer="use-or-cancellation"
    )
    await steps(recorded, (GHA, first_transfer(201, 300, 201, **under("GH-2"))))(federation)
    await frozen(federation, 241, 250)
    ends = partial(use if action == "use" else cancel, I, by=CHE)
    before = await federation.holdings(GHA)
    wanted = await federation.propose(CHE, ends(231, 245))
    assert await federation.ended(wanted) == "refused"
    (entry,) = [
        m.body for m in await federation.entries() if m.conversation == wanted and m.body.findings
    ]
    (found,) = entry.findings
    assert (found.reason, found.case) == (X.UNITS_FROZEN, "REC-7")
    assert (found.field, found.key, found.first, found.last) == ("body/lines/0", U, 241, 245)
    assert await federation.holdings(GHA) == before
    assert await federation.transact(CHE, ends(231, 240)) == "completed"
    assert await federation.transact(CHE, transfer(I, 241, 245, CHE, GHA)) == "completed"


# --- approvals ------------------------------------------------------------------------------------


def resting_on(approval: str, first: int, last: int, approved: int) -> dict[str, Any]:
    references = {"request": "R", "approval": approval, "approved_quantity": approved}
    return issuance(GHA, U, first, last) | {"references": references}


async def test_issuances_under_one_approval_do_not_exceed_it_together(
    federation: Federation,
) -> None:
    """The registry says so at its own desk, the hub to whoever asks it all the same."""
    assert await federation.transact(GHA, resting_on("S", 2001, 2060, 100)) == "completed"
    await federation.stop(HUB, Participant("GHA01"))
    await federation.start(HUB, Participant("GHA01"))
    await federation.greeted()
    for wanted, reason, field in (
        (resting_on("S", 2061, 2101, 100), "approval-exceeded", "body/quantity"),
        (resting_on("S", 2061, 2062, 200), "approval-differs", "body/references/approved_quantity"),
    ):
        done, why = await federation.command("GHA01", "propose", **{"actor": GHA, **asked(wanted)})
        assert not done
        assert f"{reason} in {field}" in why
    voice = await spoken_for(federation, GHA)
    transaction = await next_transaction(federation, GHA)
    said = await voice.propose(transaction, resting_on("S", 2061, 2101, 100))
    assert await voice.reasons(said) == [X.APPROVAL_EXCEEDED]
    await voice.close()
    await federation.start(Participant("GHA01"))
    await federation.greeted()
    assert await federation.transact(GHA, resting_on("S", 2061, 2100, 100)) == "completed"


async def test_a_registry_s_migration_works_out_what_was_issued(federation: Federation) -> None:
    assert await federation.transact(GHA, resting_on("S", 2001, 2060, 100)) == "completed"
    assert await federation.transact(GHA, resting_on("S", 2061, 2070, 100)) == "completed"
    ghana = Participant("GHA01")
    await federation.stop(ghana)
    everything = "select actor, approval, approved_quantity, issued from approvals"
    before = {tuple(row) for row in await federation.rows(ghana, everything)}
    assert (str(GHA), "S", 100, 70) in before
    async with federation.store(ghana).transaction() as session:
        await session.execute(text("drop table approvals"))
    sql = "update alembic_version set version_num = 'g0001' where version_num like 'g%'"
    await federation.edit(ghana, sql)
    await federation.let_go()
    await migrate(federation.urls[ghana], Registry.packages)
    await federation.start(ghana)
    await federation.greeted()
    assert {tuple(row) for row in await federation.rows(ghana, everything)} == before


# --- no answer ------------------------------------------------------------------------------------


async def test_who_owes_an_answer_moves_nothing_out_until_its_case_is_closed(
    federation: Federation,
) -> None:
    await federation.stop(REC)
    voice = await federation.voice(Actor("REC"))

    async def told(state: CaseState) -> None:
        notice = CaseNotice(
            key=U,
            first=901,
            last=910,
            case=CaseId("REC-7"),
            actor=GHA,
            cause="statement-overdue",
            state=state,
            freeze=False,
            detail="",
        )
        await voice.say("case", "REC-7", notice)

    waiting = await federation.propose(GHA, first_transfer(201, 210, 201, ROG))
    await federation.reached(waiting, "cleared", "GHA01")
    await told("open")
    await federation.stop(HUB)
    await federation.start(HUB)
    await federation.greeted()
    refused = await federation.propose(GHA, first_transfer(301, 310, 301))
    assert await federation.ended(refused) == "refused"
    rogue = await federation.voice(ROG)
    sql = "select message from transactions where id = :id"
    message = (await federation.rows(HUB, sql, id=waiting))[0].message
    await rogue.say("acceptance", waiting, Acceptance(), answers=message)
    assert await federation.ended(waiting) == "refused", "completing is asked for again"
    for entry in [m for m in await federation.entries() if m.body.findings][-2:]:
        (found,) = entry.body.findings
        assert (found.reason, found.case) == (X.ACTOR_SUSPENDED, "REC-7")
    assert await federation.transact(GHA, issuance(GHA, U, 2001, 2010)) == "completed"
    assert await federation.transact(CHE, transfer(I, 1, 10, CHE, GHA)) == "completed"
    await told("closed")
    assert await federation.transact(GHA, first_transfer(301, 310, 301)) == "completed"
    await voice.close()
    await rogue.close()


def rest_of_it() -> tuple[Line, ...]:
    return tuple(
        line(U, first, last, account(GHA), account(GHA, "CAN"))
        for first, last in ((302, 320), (400, 409))
    )
