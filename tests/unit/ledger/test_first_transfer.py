# SPDX-License-Identifier: Apache-2.0
"""First transfers: one event per unit, by each of the definitions, whatever is split and moved."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from ledger.first_transfer import (
    OIMP,
    FirstTransfer,
    Recorded,
    Version,
    counted,
    first_transfers,
    is_due_at_once,
    is_international,
    served,
    stated,
)
from schemas.effects import AuthorizationEffect
from schemas.identifiers import Actor, Instant, PartyCode
from schemas.messages import Entry, Line, Proposal
from schemas.units import (
    Attributes,
    Cancellation,
    FirstTransferDefinition,
    Key,
    Layer,
    Purpose,
)
from tests.unit.ledger.world import (
    ADM,
    AT_ISSUANCE,
    AUTHORIZED,
    AUTHORIZED64,
    CHE,
    FLIGHT,
    GHA,
    GOOD,
    KOR,
    MMR,
    OMGE,
    VOLUNTARY,
    A,
    I,
    U,
    World,
    account,
    approval,
    authorization,
    issuance,
    move,
    proposal,
    settled,
    terms,
)

DEFINITIONS = list(FirstTransferDefinition)


@dataclass
class Life:
    """What is done with units, a day after another, and the first transfers that the log shows."""

    world: World = field(default_factory=World)
    recorded: dict[Version, Recorded] = field(default_factory=dict)
    events: list[FirstTransfer] = field(default_factory=list)
    day: int = 0

    def act(self, author: Actor, wanted: Proposal) -> None:
        self.day += 1
        at = Instant(f"2027-03-{self.day:02d}T12:00:00.000000Z")
        entry = Entry(
            log="hub.example",
            position=self.day,
            acts=1,
            at=at,
            manifest=None,
            state="completed",
            action=wanted.action,
            rules="test",
            effects=tuple(self.world.act(author, wanted)),
        )
        for effect in entry.effects:
            if isinstance(effect, AuthorizationEffect):
                said = effect.terms
                self.recorded[said.party, said.id, said.version] = Recorded(said, at)
        self.events += first_transfers(entry, self.recorded)

    def told(self) -> list[tuple[str, int, int, str, str, str]]:
        """Key, serials, subtype, the day of the entry, the day of the event."""
        return [
            (
                {I: "I", A: "A"}[one.units.key],
                one.units.first,
                one.units.last,
                str(one.subtype),
                one.at[8:10],
                one.occurred_at[8:10],
            )
            for one in self.events
        ]


def defined(definition: FirstTransferDefinition | None, *purposes: Purpose) -> Proposal:
    return authorization(
        GHA,
        purposes=purposes,
        first_transfer=definition,
        oimp="CORSIA" if definition else None,
        quantity=None,
    )


def itmos(first: int, last: int, *, gone: bool) -> Proposal:
    """Guyana's way: ITMOs are issued under their authorization, and stand for ART's units."""
    said = Attributes(
        authorization=AUTHORIZED,
        first_transferred=gone,
        underlying_registry="ART",
        underlying_offset=7000,
    )
    return issuance(GHA, I, first, last, said)


def cancelled(first: int, last: int, *, named: bool) -> Proposal:
    hld, can = account(GHA, "HLD"), account(GHA, "CAN")
    members: dict[str, Any] = {"authorization": AUTHORIZED} if named else {}
    return move("cancellation", I, first, last, hld, can, use=VOLUNTARY, **members)


@pytest.mark.requirement(81)
@pytest.mark.parametrize(
    ("definition", "events"),
    [
        ("authorization", [("I", 1, 90, "authorization", "02", "01")]),
        ("issuance", [("I", 1, 90, "issuance", "02", "02")]),
        ("use-or-cancellation", [("I", 11, 40, "use-or-cancellation", "03", "03")]),
    ],
)
def test_the_same_life_has_its_first_transfer_on_three_days_under_three_definitions(
    definition: str, events: list[tuple[str, int, int, str, str, str]]
) -> None:
    life, at_once = Life(), definition != "use-or-cancellation"
    life.act(GHA, defined(FirstTransferDefinition(definition), Purpose.IMP))
    life.act(GHA, itmos(1, 90, gone=at_once))
    life.act(GHA, cancelled(11, 40, named=not at_once))
    assert life.told() == events


@pytest.mark.requirement(4, 82)
@pytest.mark.parametrize("definition", DEFINITIONS)
def test_a_transfer_abroad_of_what_was_first_transferred_is_no_event(
    definition: FirstTransferDefinition,
) -> None:
    """NDC and OIMP both: the earliest event counts, and what comes after it does not."""
    life = Life()
    life.act(GHA, defined(definition, Purpose.NDC, Purpose.IMP))
    at_once = definition is not FirstTransferDefinition.USE_OR_CANCELLATION
    life.act(GHA, itmos(1, 90, gone=at_once))
    abroad = account(GHA, "HLD"), account(CHE, "HLD")
    if at_once:
        life.act(GHA, move("transfer", I, 1, 50, *abroad))
        expected = [("I", 1, 90, str(definition), "02", "01" if "auth" in definition else "02")]
    else:
        life.act(GHA, move("first-transfer", I, 1, 50, *abroad, authorization=AUTHORIZED))
        expected = [("I", 1, 50, "first-international-transfer", "03", "03")]
    life.act(CHE, move("use", I, 1, 20, account(CHE, "HLD"), account(CHE, "USE"), use=FLIGHT))
    assert life.told() == expected


@pytest.mark.requirement(82)
def test_a_use_before_any_international_transfer_is_the_earliest_event() -> None:
    life = Life()
    definition = FirstTransferDefinition.USE_OR_CANCELLATION
    life.act(GHA, defined(definition, Purpose.NDC, Purpose.IMP))
    life.act(GHA, itmos(1, 90, gone=False))
    life.act(GHA, cancelled(1, 10, named=True))
    abroad = account(GHA, "HLD"), account(CHE, "HLD")
    life.act(GHA, move("first-transfer", I, 11, 90, *abroad, authorization=AUTHORIZED))
    assert [event[1:4] for event in life.told()] == [
        (1, 10, "use-or-cancellation"),
        (11, 90, "first-international-transfer"),
    ]


@pytest.mark.requirement(4)
def test_children_of_a_split_are_first_transferred_each_in_their_turn() -> None:
    """4,000 of 10,000, then the other 6,000 (a registry once lost the second event)."""
    life = Life()
    life.act(GHA, issuance(GHA, U, 1, 10_000))
    life.act(GHA, defined(None, Purpose.NDC))
    for first, last in ((1, 4000), (4001, 10_000)):
        abroad = account(GHA, "HLD"), account(CHE, "HLD")
        life.act(
            GHA, move("first-transfer", U, first, last, *abroad, first, authorization=AUTHORIZED)
        )
    life.act(CHE, move("transfer", I, 3990, 4010, account(CHE, "HLD"), account(GHA, "HLD")))
    assert life.told() == [
        ("I", 1, 4000, "first-international-transfer", "03", "03"),
        ("I", 4001, 10_000, "first-international-transfer", "04", "04"),
    ]
    assert life.world.authorizations[U.party, AUTHORIZED.id].used == 10_000


@pytest.mark.requirement(80)
def test_what_moves_inside_the_host_is_no_first_transfer_and_what_then_leaves_is() -> None:
    life = Life()
    life.act(MMR, authorization(MMR))
    life.act(ADM, approval("SB-1", 100))
    life.act(ADM, issuance(ADM, A, 1, 100, Attributes(designation="NI")))
    levies = life.told()
    pending, home, abroad = account(ADM, "PEN"), account(MMR, "HLD"), account(KOR, "HLD")
    life.act(ADM, move("forwarding", A, 1, 90, pending, home))
    assert (
        life.told()
        == levies
        == [
            ("A", 94, 98, "share-of-proceeds", "03", "03"),
            ("A", 99, 100, "omge-mandatory", "03", "03"),
        ]
    )
    life.act(MMR, move("first-transfer", A, 1, 40, home, abroad, authorization=AUTHORIZED64))
    assert life.told()[2:] == [("A", 1, 40, "first-international-transfer", "05", "05")]


def test_an_authorization_that_comes_after_the_issuance_is_the_event_when_it_is_applied() -> None:
    life = Life()
    life.act(GHA, issuance(GHA, U, 1, 100))
    life.act(GHA, defined(FirstTransferDefinition.ISSUANCE, Purpose.OP, Purpose.IMP))
    home = account(GHA, "HLD"), account(GHA, "HLD", 2)
    life.act(GHA, move("first-transfer", U, 1, 60, *home, 501, authorization=AUTHORIZED))
    assert life.told() == [("I", 501, 560, "issuance", "03", "03")]


@pytest.mark.requirement(10)
def test_units_cancelled_for_overall_mitigation_are_first_transferred_by_it() -> None:
    """Two per cent of what is authorized, as Singapore's agreements have it (A5)."""
    life = Life()
    life.act(GHA, authorization(GHA, purposes=tuple(Purpose), quantity=None))
    life.act(GHA, issuance(GHA, U, 1, 1000))
    omge = account(GHA, "HLD"), account(GHA, "OMG")
    share = move("cancellation", U, 1, 20, *omge, 1, authorization=AUTHORIZED, use=OMGE)
    life.act(GHA, share)
    assert life.told() == [("I", 1, 20, "omge-voluntary", "03", "03")]
    mandatory = OMGE.model_copy(update={"cancellation": Cancellation.OMGE_MANDATORY})
    again = move("cancellation", U, 21, 40, *omge, 21, authorization=AUTHORIZED, use=mandatory)
    life.act(GHA, again)
    assert life.told()[1:] == [("I", 21, 40, "omge-mandatory", "04", "04")]


def marked(world: World) -> set[tuple[Key, int]]:
    """Every ITMO of a world that is first-transferred."""
    return {
        (block.key, serial)
        for block in world.holdings.blocks()
        if block.key.layer is Layer.ITMO and block.attributes.first_transferred
        for serial in range(block.first, block.last + 1)
    }


@pytest.mark.requirement(4)
def test_each_unit_that_is_first_transferred_has_one_event_in_everything_that_is_done() -> None:
    life = Life(world=settled())
    for known in life.world.authorizations.values():
        said = known.current
        life.recorded[said.party, said.id, said.version] = Recorded(said, life.world.now)
    before = marked(life.world)
    for name, (author, wanted) in GOOD.items():
        if name != "authorization":  # which supersedes what the others rely on
            life.act(author, wanted)
    counts = Counter(
        (event.units.key, serial)
        for event in life.events
        for serial in range(event.units.first, event.units.last + 1)
    )
    assert set(counts.values()) == {1}
    assert set(counts) == marked(life.world) - before


# --- what the authorization says ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("designation", "purposes"),
    [(None, "NDC IMP OP"), ("N", "NDC"), ("IO", "IMP OP"), ("NIO", "NDC IMP OP"), ("MCU", "")],
)
def test_a_designation_says_for_which_of_the_purposes_units_are(
    designation: str | None, purposes: str
) -> None:
    said = terms(GHA, purposes=tuple(Purpose))
    assert served(said, designation) == {Purpose(name) for name in purposes.split()}


@pytest.mark.parametrize("definition", DEFINITIONS)
@pytest.mark.parametrize("designation", [None, "N", "NI", "O", "MCU"])
def test_units_for_ndcs_alone_are_not_first_transferred_at_once(
    definition: FirstTransferDefinition, designation: str | None
) -> None:
    said = terms(GHA, first_transfer=definition)
    other = OIMP & served(said, designation)
    at_once = definition is not FirstTransferDefinition.USE_OR_CANCELLATION
    assert is_due_at_once(said, designation) is (at_once and bool(other))


@pytest.mark.parametrize(
    ("to", "abroad"),
    [(None, False), (GHA, False), (ADM, False), (Actor("UN02/GHA"), False), (CHE, True)],
)
def test_only_another_party_is_abroad(to: Actor | None, *, abroad: bool) -> None:
    assert is_international(PartyCode("GHA"), to) is abroad


def test_an_issuance_is_made_to_say_what_is_first_transferred_with_it() -> None:
    known = settled().authorizations
    author, wanted = GOOD["issuance of ITMOs"]
    unsaid = issuance(GHA, I, 5001, 5100, Attributes(authorization=AT_ISSUANCE))
    assert stated(unsaid, known) == wanted
    assert stated(unsaid, {}) == unsaid, "what is not known here, the hub tells"
    later = issuance(GHA, I, 5001, 5100, Attributes(authorization=AUTHORIZED))
    for other in (later, wanted, *(one for _, one in GOOD.values())):
        assert stated(other, known) == other
    assert settled().examine(author, stated(unsaid, known)) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("first transfer", {("GHA", "GHA-1"): 50}),
        ("first transfer by use", {("GHA", "GHA-1"): 10}),
        ("first transfer for overall mitigation", {("GHA", "GHA-1"): 2}),
        ("issuance of ITMOs", {("GHA", "GHA-2"): 100}),
        ("issuance of A6.4ERs", {}),
        ("counter-entry", {("GHA", "GHA-3"): -30}),
        ("transfer", {}),
        ("use", {}),
    ],
)
def test_what_counts_against_an_authorized_quantity(
    name: str, expected: dict[tuple[str, str], int]
) -> None:
    assert counted(GOOD[name][1]) == expected


def test_contributions_that_are_authorized_later_are_first_transferred_at_home() -> None:
    """By the authorization or the issuance, which both have happened: before they go anywhere."""
    life = Life()
    at_once = {"first_transfer": FirstTransferDefinition.AUTHORIZATION, "quantity": None}
    life.act(MMR, authorization(MMR, **at_once))
    life.act(ADM, approval("SB-1", 100))
    life.act(ADM, issuance(ADM, A, 1, 100, Attributes(designation="MCU")))
    pending, home, abroad = account(ADM, "PEN"), account(MMR, "HLD"), account(KOR, "HLD")
    life.act(ADM, move("forwarding", A, 1, 60, pending, home))
    designated = Line(key=A, first=1, last=60, source=home)
    members = {"authorization": AUTHORIZED64, "designation": "NI"}
    life.act(MMR, proposal("designation", designated, **members))
    levies = len(life.events)
    marked_here = move("first-transfer", A, 1, 60, home, home, authorization=AUTHORIZED64)
    life.act(MMR, marked_here)
    life.act(MMR, move("transfer", A, 1, 40, home, abroad))
    assert [event[1:4] for event in life.told()[levies:]] == [(1, 60, "authorization")]
