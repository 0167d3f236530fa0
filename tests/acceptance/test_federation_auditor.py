# SPDX-License-Identifier: Apache-2.0
"""The auditor finds nothing wrong with what a federation did, and names whatever is changed in it.

One federation goes through everything that can become of a proposal. Its log is shown to the
auditor as it is, and then with one thing after another that the hub must not have done.
"""

import asyncio
import copy
import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from structlog.testing import capture_logs

from harness.simulation.auditor import Auditor, Observed
from harness.simulation.virtual_time import START, LoopClock, VirtualLoop
from runtime import books
from schemas.directory import Status, StatusChange
from schemas.effects import CaseState
from schemas.identifiers import Actor, CaseId, Participant
from schemas.messages import CaseNotice
from schemas.units import Key
from tests.acceptance.conftest import Established
from tests.cast import (
    ADM,
    CHE,
    GHA,
    HUB,
    KOR,
    MMR,
    REC,
    ROG,
    A,
    I,
    R,
    account,
    approval,
    first_transfer,
    instruction,
    line,
    signed,
    terms,
    transfer,
    use,
)
from tests.federation import Federation, Settings, copy_databases

SWISS, GHANA = Participant("CHE01"), Participant("GHA01")


class History(NamedTuple):
    """A log with its proposals, and what the hub's tables hold after it."""

    entries: list[Observed]
    rows: set[tuple[str, int, int, str, str, str]]
    reserved: set[tuple[str, str, int, int, str]]
    states: dict[str, str]


# --- what happens ---------------------------------------------------------------------------------


async def answered(federation: Federation) -> None:
    """Accepted, rejected, withdrawn, expired."""
    assert await federation.transact(CHE, use(I, 1, 10, CHE)) == "completed"
    for first, command, place, end in (
        (201, "accept", SWISS, "completed"),
        (211, "reject", SWISS, "rejected"),
        (221, "withdraw", GHANA, "withdrawn"),
    ):
        one = await federation.propose(GHA, first_transfer(first, first + 9, first))
        await federation.reached(one, "cleared", "CHE01")
        await federation.order(place, command, transaction=one)
        assert await federation.ended(one) == end
    late = await federation.propose(GHA, first_transfer(231, 240, 231), lifetime_seconds=60)
    assert await federation.ended(late, 600) == "expired"


async def moved(federation: Federation) -> None:
    """Home again and used there, issued anew, recorded anew; one is left open."""
    assert await federation.transact(CHE, transfer(I, 11, 20, CHE, GHA)) == "completed"
    assert await federation.transact(GHA, use(I, 11, 15, GHA)) == "completed"
    version = terms("GH-1", GHA, "CA0007", version=2, quantity=600, parties=["CHE", "GHA"])
    recorded = await federation.transact(GHA, {"action": "authorization", "terms": version})
    assert recorded == "completed"
    assert await federation.transact(ADM, approval("A2", A, 101)) == "completed"
    issued = await federation.order(
        "UN01",
        "issue",
        party="MMR",
        activity="A0042",
        vintage=2024,
        quantity=101,
        first=5001,
        authorized=50,
        designation="N",
        authorization={"id": "MM-1", "version": 1},
        references={"request": "R", "approval": "A2", "approved_quantity": 101},
    )
    assert await federation.ended(issued) == "completed"
    one = line(A, 401, 410, account(ADM, "PEN"), account(MMR))
    forwarding: dict[str, Any] = {"action": "forwarding", "lines": (one,), "acquirer": MMR}
    forwarding |= {"instruction": instruction("A")}
    assert await federation.transact(ADM, forwarding) == "completed"
    waiting = await federation.propose(KOR, transfer(A, 1, 10, KOR, CHE))
    await federation.reached(waiting, "cleared", "CHE01")


async def refused(federation: Federation) -> None:
    """What is frozen, and somebody suspended."""
    cancelled = {
        "action": "cancellation",
        "lines": (line(R, 310, 311, account(ROG), account(ROG, "CAN")),),
        "use": {"purpose": "OP", "user": "Nobody"},
    }
    await federation.stop(REC)
    reconciler, rogue = await federation.voice(Actor("REC")), await federation.voice(ROG)
    turns: list[tuple[int, CaseState]] = [(3, "open"), (4, "closed"), (5, "closed")]
    for number, state in turns:
        about = CaseNotice(
            key=R,
            first=301,
            last=310,
            case=CaseId("REC-7"),
            actor=ROG,
            cause="missing",
            state=state,
            freeze=True,
            detail="",
        )
        if number < 5:
            await reconciler.say("case", "REC-7", about)
        said = await rogue.propose(f"ROG01-ROG-{number}", cancelled)
        reasons = {3: ["units-frozen"], 4: [], 5: ["units-final"]}
        assert await rogue.reasons(said) == reasons[number]
    act = StatusChange(
        participant=Participant("ROG01"),
        status=Status.SUSPENDED,
        reason="tried",
        at=federation.clock.now(),
    )
    assert (await federation.act(signed(act, "ada", "cleo")))[0]
    said = await rogue.propose("ROG01-ROG-6", cancelled)
    assert await rogue.reasons(said) == ["participant-suspended"]


async def gathered(federation: Federation) -> History:
    sql = "select id, state, proposer, proposal from transactions"
    known = {row.id: row for row in await federation.rows(HUB, sql)}
    entries: list[Observed] = []
    for row in await federation.rows(HUB, "select line from log_entries order by position"):
        entry = json.loads(bytes(row.line))
        about = known.get(entry["conversation"])
        proposal = json.loads(bytes(about.proposal))["body"] if about else None
        entries.append(Observed(entry, proposal, about.proposer if about else None))
    series = await federation.rows(HUB, "select distinct series from blocks")
    async with federation.store(HUB).snapshot() as session:
        spans = {(row.series, 1, 2**44) for row in series}
        holdings = await books.load_holdings(session, "log", spans)
    return History(
        entries,
        {
            (b.key.text, b.first, b.last, b.position.account, b.attributes.text, b.position.actor)
            for b in holdings.blocks()
        },
        {
            (o.actor, o.key.text, o.first, o.last, o.reference)
            for o in holdings.overlays()
            if o.kind == "reserved"
        },
        {name: row.state for name, row in known.items()},
    )


@pytest.fixture(scope="module")
def history(established: Established, tmp_path_factory: pytest.TempPathFactory) -> History:
    """A federation goes on from where it was established, and stops."""
    folder = tmp_path_factory.mktemp("audited")
    copy_databases(established.folder, folder)

    async def work() -> History:
        with capture_logs() as logs:
            settings = Settings(manual=frozenset({SWISS}))
            federation = Federation(folder, logs, LoopClock(START), settings)
            await federation.start()
            await federation.greeted()
            await answered(federation)
            await moved(federation)
            await refused(federation)
            found = await gathered(federation)
            await federation.close()
        return found

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work())


# --- as it was ------------------------------------------------------------------------------------


def audited(entries: list[Observed]) -> tuple[Auditor, dict[int, list[str]]]:
    """What is said of the entries, by their places; nothing is left out."""
    auditor = Auditor("UN01", frozenset({"UN02"}), 50, 20)
    said = {number: auditor.observe(one) for number, one in enumerate(entries)}
    return auditor, {number: found for number, found in said.items() if found}


def test_nothing_is_wrong_with_what_a_federation_did(history: History) -> None:
    auditor, said = audited(history.entries)
    assert said == {}
    assert set(history.states.values()) == {
        "completed",
        "cleared",
        "refused",
        "rejected",
        "withdrawn",
        "expired",
    }
    assert auditor.transactions() == history.states


@pytest.mark.requirement(30)
def test_model_and_log_hold_the_same_units(history: History) -> None:
    auditor, _ = audited(history.entries)
    believed = {
        (key, serial, account_number, attributes, actor)
        for actor in {row[5] for row in history.rows}
        for key, ranges in auditor.units(actor).items()
        for first, last, account_number, attributes in ranges
        for serial in range(first, last + 1)
    }
    logged = {
        (key, serial, account_number, attributes, actor)
        for key, first, last, account_number, attributes, actor in history.rows
        for serial in range(first, last + 1)
    }
    assert believed == logged
    assert sum(auditor.issued().values()) == len(logged)
    assert auditor.reserved() == history.reserved != set()


def test_what_differs_in_nothing_is_one_range(history: History) -> None:
    auditor, _ = audited(history.entries)
    for ranges in (*auditor.units(GHA).values(), *auditor.units(CHE).values()):
        for (_, last, *labels), (first, _, *others) in pairwise(ranges):
            assert last + 1 < first or labels != others


# --- as it was not --------------------------------------------------------------------------------

Tamper = Callable[[list[Observed]], int]
"""Changes the entries; gives the place that must be named."""


def at(
    entries: list[Observed], action: str, state: str, proposer: Actor, nth: int = 0
) -> tuple[int, Observed]:
    """The nth entry of an action, a state and a proposer."""
    found = [
        (number, one)
        for number, one in enumerate(entries)
        if (one.entry["body"]["action"], one.entry["body"]["state"]) == (action, state)
        and one.proposer == proposer
    ]
    return found[nth]


def of(observed: Observed, name: str) -> list[dict[str, Any]]:
    """Effects of a name."""
    return [effect for effect in observed.entry["body"]["effects"] if effect["effect"] == name]


def a_quantity_changed(entries: list[Observed]) -> int:
    number, one = at(entries, "use", "completed", CHE)
    of(one, "move")[0]["last"] -= 1
    return number


def a_locked_unit_left_behind(entries: list[Observed]) -> int:
    number, one = at(entries, "use", "completed", CHE)
    retired = [e for e in of(one, "move") if e["target"]["kind"] == "retirement"]
    one.entry["body"]["effects"].remove(retired[0])
    return number


def a_use_mark_changed(entries: list[Observed]) -> int:
    number, one = at(entries, "use", "completed", CHE)
    for effect in of(one, "restate"):
        effect["after"]["use"]["year"] += 1
    for effect in of(one, "move"):
        effect["attributes"]["use"]["year"] += 1
    return number


def a_refusal_completed(entries: list[Observed]) -> int:
    number, one = at(entries, "cancellation", "refused", ROG, 2)
    assert one.entry["body"]["findings"][0]["reason"] == "participant-suspended"
    one.entry["body"] |= {"state": "completed", "findings": []}
    return number


def a_freeze_ignored(entries: list[Observed]) -> int:
    number, one = at(entries, "cancellation", "refused", ROG)
    _, free = at(entries, "cancellation", "completed", ROG)
    body = free.entry["body"]
    one.entry["body"] |= {"state": "completed", "findings": [], "effects": body["effects"]}
    return number


def a_refusal_without_reason(entries: list[Observed]) -> int:
    number, one = at(entries, "cancellation", "completed", ROG)
    _, other = at(entries, "cancellation", "refused", ROG)
    changed = {name: other.entry["body"][name] for name in ("state", "findings", "effects")}
    one.entry["body"] |= changed | {"consents": []}
    return number


def another_reason(entries: list[Observed]) -> int:
    number, one = at(entries, "cancellation", "refused", ROG)
    one.entry["body"]["findings"][0]["reason"] = "units-reserved"
    return number


def a_unit_doubled(entries: list[Observed]) -> int:
    number, one = at(entries, "issuance", "completed", ADM, 1)
    again = copy.deepcopy(of(one, "move")[0])
    again["first"], again["last"] = 1, 1
    one.entry["body"]["effects"].append(again)
    return number


def a_levy_short_by_one(entries: list[Observed]) -> int:
    number, one = at(entries, "issuance", "completed", ADM, 1)
    assert one.proposal is not None
    for ranges in (one.proposal["lines"], of(one, "move")):
        for before, after in ((ranges[1], ranges[2]),):
            before["last"] += 1
            after["first"] += 1
    return number


def a_consent_of_somebody_else(entries: list[Observed]) -> int:
    number, one = at(entries, "first-transfer", "completed", GHA)
    consents = one.entry["body"]["consents"]
    consents[0]["message"] = consents[1]["message"]
    return number


def a_consent_left_out(entries: list[Observed]) -> int:
    number, one = at(entries, "use", "completed", CHE)
    one.entry["body"]["consents"] = one.entry["body"]["consents"][:1]
    return number


def a_delivery_skipped(entries: list[Observed]) -> int:
    number, one = at(entries, "use", "completed", CHE)
    one.entry["body"]["addressed"][0]["index"] += 1
    return number


def a_holder_not_told(entries: list[Observed]) -> int:
    number, one = at(entries, "use", "completed", CHE)
    one.entry["body"]["addressed"].pop()
    return number


def a_use_completed_twice(entries: list[Observed]) -> int:
    _, one = at(entries, "use", "completed", CHE)
    again = copy.deepcopy(one)
    again.entry["body"]["position"] = len(entries)
    entries.append(again)
    return len(entries) - 1


def the_same_units_used_again(entries: list[Observed]) -> int:
    a_use_completed_twice(entries)
    entries[-1].entry["conversation"] = "CHE01-CHE-99"
    return len(entries) - 1


def an_expiry_before_its_time(entries: list[Observed]) -> int:
    number, one = at(entries, "first-transfer", "expired", GHA)
    assert one.proposal is not None
    one.entry["body"]["at"] = one.proposal["expires_at"].replace("2027", "2026")
    return number


def a_reservation_that_stays(entries: list[Observed]) -> int:
    number, one = at(entries, "first-transfer", "withdrawn", GHA)
    one.entry["body"]["effects"] = []
    return number


def an_end_of_what_has_ended(entries: list[Observed]) -> int:
    _, one = at(entries, "first-transfer", "withdrawn", GHA)
    again = copy.deepcopy(one)
    again.entry["body"] |= {"position": len(entries), "state": "completed"}
    entries.append(again)
    return len(entries) - 1


def a_clearance_skipped(entries: list[Observed]) -> int:
    number, one = at(entries, "transfer", "cleared", KOR)
    one.entry["body"]["state"] = "completed"
    return number


def a_position_left_out(entries: list[Observed]) -> int:
    number = len(entries) - 2
    del entries[number]
    return number


def an_entry_that_says_nothing(entries: list[Observed]) -> int:
    entries[-1].entry["body"] |= {"state": None, "effects": []}
    return len(entries) - 1


def no_entry_at_all(entries: list[Observed]) -> int:
    entries.append(Observed({"type": "entry"}, None, None))
    return len(entries) - 1


TAMPERED: list[tuple[Tamper, str]] = [
    (a_quantity_changed, "itmo:CA0007-GHA01-GHA-2023 10: the entry makes of it"),
    (a_locked_unit_left_behind, "underlying:CA0007-GHA01-GHA-2023 1 and 9 more: the entry makes"),
    (a_use_mark_changed, "not where or as move says|the entry makes of it"),
    (a_refusal_completed, "by the model refused because of ['participant-suspended']"),
    (a_freeze_ignored, "by the model refused because of ['units-frozen']"),
    (a_refusal_without_reason, "is refused with ['units-frozen'], by the model completed"),
    (another_reason, "is refused with ['units-reserved'], not ['units-frozen']"),
    (a_unit_doubled, "itmo:CA0001-UN01-MMR-2024 1: doubled"),
    (a_levy_short_by_one, "by the model refused because of ['share-of-proceeds-wrong']"),
    (a_consent_of_somebody_else, "consents are"),
    (a_consent_left_out, "consents are"),
    (a_delivery_skipped, "to CHE01/CHE where"),
    (a_holder_not_told, "addressed to ['CHE01/CHE'], by the model to ['CHE01/CHE', 'GHA01/GHA']"),
    (a_use_completed_twice, "is completed and becomes completed"),
    (the_same_units_used_again, "by the model refused because of ['units-final']"),
    (an_expiry_before_its_time, "before its deadline"),
    (a_reservation_that_stays, "release for GHA01/GHA"),
    (an_end_of_what_has_ended, "is withdrawn and becomes completed"),
    (a_clearance_skipped, "is completed, by the model cleared"),
    (a_position_left_out, "where"),
    (an_entry_that_says_nothing, "of no transaction, act or case"),
    (no_entry_at_all, "the entry cannot be followed"),
]


@pytest.mark.parametrize(
    ("tamper", "words"), [pytest.param(*one, id=one[0].__name__) for one in TAMPERED]
)
def test_what_the_hub_must_not_have_done_is_named(
    history: History, tamper: Tamper, words: str
) -> None:
    entries = copy.deepcopy(history.entries)
    place = tamper(entries)
    _, said = audited(entries)
    assert min(said) == place, said
    assert any(one in text for text in said[place] for one in words.split("|")), said[place]


def test_one_wrong_effect_is_said_once_and_not_believed(history: History) -> None:
    entries = copy.deepcopy(history.entries)
    place = a_quantity_changed(entries)
    auditor, said = audited(entries)
    assert list(said) == [place]
    assert (1, 10) in {span[:2] for span in auditor.units(CHE)[Key.parse(I.text).text]}
