# SPDX-License-Identifier: Apache-2.0
"""What counts as first-transferred and as used, by effects alone.

Most entries here are made by hand, so that each says one thing; that the actions have such effects
is tried on the world of the checks.
"""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.tally import Account, Sum, Tally, changes
from schemas.effects import Effect, Move, Restate
from schemas.identifiers import Actor, Participant, PartyCode, account_number
from schemas.units import Attributes, Key, Position, Purpose, UseMark
from tests.unit.ledger.world import (
    ADM,
    CHE,
    FLIGHT,
    GHA,
    KOR,
    MMR,
    NDC,
    A,
    I,
    U,
    World,
    account,
    authorization,
    first_transfer,
    issuance,
    move,
    settled,
    unit_transfer,
)

GHANA, SWISS, MYANMAR, KOREA = (PartyCode(p) for p in ("GHA", "CHE", "MMR", "KOR"))
NEW, DONE = Attributes(), Attributes(first_transferred=True)
ITMO = DONE.but(underlying_registry="GHA01", underlying_offset=1000)
NOTHING: dict[Account, Sum] = {}


def at(actor: Actor, code: str = "HLD") -> Position:
    return Position.of(account_number(actor, code, 1))


def restate(
    key: Key, first: int, last: int, before: Attributes, after: Attributes, by: Actor = GHA
) -> Restate:
    return Restate(key=key, first=first, last=last, position=at(by), before=before, after=after)


def born(key: Key, first: int, last: int, said: Attributes, to: Actor, code: str = "HLD") -> Move:
    return Move(key=key, first=first, last=last, attributes=said, source=None, target=at(to, code))


def goes(key: Key, first: int, last: int, said: Attributes, by: Actor, to: Actor) -> Move:
    return Move(
        key=key, first=first, last=last, attributes=said, source=at(by), target=at(to, "HLD")
    )


def ndc(year: int) -> UseMark:
    return UseMark(purpose=Purpose.NDC, user="CHE", year=year)


def sums(party: PartyCode, *effects: Effect, **settings: Any) -> dict[Account, Sum]:
    tally = Tally(party, **settings)
    tally.take(effects)
    return tally.sums()


def ghg(year: int, first_transferred: int = 0, used: int = 0) -> dict[Account, Sum]:
    return {Account(None, year): Sum(first_transferred, used)}


# --- first transfers ----------------------------------------------------------------------------


@pytest.mark.requirement(90)
def test_a_first_transfer_counts_in_the_vintage_and_for_the_party_of_the_key() -> None:
    effect = restate(U, 1, 100, NEW, DONE)
    assert sums(GHANA, effect) == ghg(2023, 100)
    assert sums(SWISS, effect) == NOTHING


def test_units_that_come_into_being_first_transferred_count() -> None:
    said = DONE.but(designation="N")
    levies = born(A, 94, 98, said, ADM, "SOP"), born(A, 99, 100, said, ADM, "OMG")
    assert sums(MYANMAR, born(A, 1, 93, NEW, ADM, "PEN"), *levies) == ghg(2024, 7)


@pytest.mark.requirement(4, 90)
def test_part_of_a_block_and_later_the_rest_are_two_first_transfers_of_all_its_units() -> None:
    """A10: in another registry the children of a split were born already transferred, and the
    first transfer of the rest was lost.
    """
    world = World()
    world.act(GHA, issuance(GHA, U, 1, 10_000))
    world.act(GHA, authorization(GHA, quantity=10_000))
    tally = Tally(GHANA)
    tally.take(world.act(GHA, first_transfer(1, 4_000, 1)))
    assert tally.sums() == ghg(2023, 4_000)
    tally.take(world.act(GHA, first_transfer(4_001, 10_000, 4_001)))
    assert tally.sums() == ghg(2023, 10_000)


def test_an_itmo_and_the_unit_that_it_represents_are_one() -> None:
    underlying, itmo = restate(U, 1001, 1100, NEW, DONE), born(I, 1, 100, ITMO, CHE)
    for effects in ([underlying, itmo], [itmo, underlying], [underlying], [itmo]):
        assert sums(GHANA, *effects) == ghg(2023, 100)
    # Units beside the range are not taken for it.
    assert sums(GHANA, underlying, born(I, 1001, 1010, ITMO, CHE)) == ghg(2023, 110)


@pytest.mark.parametrize("registry", [None, "GS", "CHE01"])
def test_an_itmo_that_represents_a_unit_of_elsewhere_counts_as_itself(registry: str | None) -> None:
    offset = None if registry is None else 1000
    said = DONE.but(underlying_registry=registry, underlying_offset=offset)
    effects = restate(U, 1001, 1100, NEW, DONE), born(I, 1, 100, said, CHE)
    assert sums(GHANA, *effects) == ghg(2023, 200)


@pytest.mark.requirement(90)
def test_what_moves_on_counts_no_more() -> None:
    effects = (
        restate(U, 1001, 1100, NEW, DONE),
        born(I, 1, 100, ITMO, CHE),
        goes(I, 1, 100, ITMO, CHE, GHA),
        restate(I, 1, 100, ITMO, ITMO.but(use=FLIGHT)),
    )
    assert sums(GHANA, *effects) == ghg(2023, 100)
    assert sums(SWISS, *effects) == NOTHING, "acquiring and giving on counts nowhere"


def test_a_first_transfer_that_is_undone_is_taken_out_again() -> None:
    done, undone = restate(U, 1, 100, NEW, DONE), restate(U, 41, 50, DONE, NEW)
    assert sums(GHANA, done, undone) == ghg(2023, 90)
    assert sums(GHANA, done, undone, restate(U, 50, 50, NEW, DONE)) == ghg(2023, 91)


def test_levies_count_though_nobody_has_authorized_them_and_other_contributions_do_not() -> None:
    mcu = Attributes(designation="MCU")
    levied = mcu.but(first_transferred=True)
    issued = (
        born(A, 1, 93, mcu, ADM, "PEN"),
        born(A, 94, 98, levied, ADM, "SOP"),
        born(A, 99, 100, levied, ADM, "OMG"),
    )
    assert sums(MYANMAR, *issued) == ghg(2024, 7)


def test_a_party_may_leave_levies_out_that_are_contributions_and_they_are_told_apart() -> None:
    levied = born(A, 1, 5, DONE.but(designation="MCU"), ADM, "SOP")
    authorized = born(A, 6, 8, DONE.but(designation="N"), ADM, "SOP")
    tally = Tally(MYANMAR, left_out={2024})
    tally.take([levied, authorized])
    assert tally.sums() == ghg(2024, 3)
    assert (tally.apart("contribution", 2024), tally.apart("contribution", 2023)) == (5, 0)
    assert sums(MYANMAR, levied, authorized, left_out={2023, 2025}) == ghg(2024, 8)


def test_outcomes_before_2021_have_no_adjustment() -> None:
    old = U.model_copy(update={"vintage": 2020})
    assert sums(GHANA, restate(old, 1, 5, NEW, DONE)) == NOTHING


def test_a_contribution_that_is_authorized_later_counts_from_its_first_transfer_on() -> None:
    mcu, authorized = Attributes(designation="MCU"), Attributes(designation="N")
    tally = Tally(MYANMAR)
    tally.take([born(A, 1, 10, mcu, ADM), restate(A, 1, 4, mcu, authorized)])
    assert tally.sums() == NOTHING
    tally.take([restate(A, 1, 4, authorized, authorized.but(first_transferred=True))])
    assert tally.sums() == ghg(2024, 4)


def test_tallies_of_single_registries_add_up_to_that_of_the_log() -> None:
    """Each event is counted where the unit stood, or where what it represents was issued."""
    authorized = Attributes(designation="I")
    effects: list[Effect] = [
        restate(U, 1001, 1100, NEW, DONE),
        born(I, 1, 100, ITMO, CHE),
        restate(A, 1, 10, authorized, authorized.but(first_transferred=True), MMR),
        restate(A, 11, 13, authorized, authorized.but(first_transferred=True), KOR),
        restate(I, 1, 10, ITMO, ITMO.but(use=ndc(2025)), CHE),
    ]
    found = {
        (party, registry): sums(party, *effects, registry=Participant(registry))
        for party in (GHANA, SWISS, MYANMAR)
        for registry in ("GHA01", "CHE01", "UN01", "UN02")
    }
    assert {name: told for name, told in found.items() if told} == {
        (GHANA, "GHA01"): ghg(2023, 100),
        (SWISS, "CHE01"): ghg(2025, 0, 10),
        (MYANMAR, "UN01"): ghg(2024, 10),
        (MYANMAR, "UN02"): ghg(2024, 3),
    }
    assert sums(MYANMAR, *effects) == ghg(2024, 13)


def test_an_itmo_of_ours_that_is_first_transferred_by_its_end_abroad_counts_at_home() -> None:
    """For other purposes a cancellation may be the first transfer; the unit below follows."""
    ours = ITMO.but(first_transferred=False)
    abroad = restate(I, 1, 10, ours, ITMO.but(use=FLIGHT), CHE)
    below = restate(U, 1001, 1010, NEW, DONE.but(use=FLIGHT), GHA)
    for effects in ([abroad, below], [abroad]):
        assert sums(GHANA, *effects, registry=Participant("GHA01")) == ghg(2023, 10)
        assert sums(GHANA, *effects, registry=Participant("CHE01")) == NOTHING


# --- uses ---------------------------------------------------------------------------------------


@pytest.mark.requirement(90)
def test_a_use_towards_an_ndc_counts_for_the_section_it_is_in_and_in_its_year() -> None:
    effects = (
        restate(I, 1, 10, ITMO, ITMO.but(use=ndc(2025)), CHE),
        restate(I, 11, 13, ITMO, ITMO.but(use=ndc(2026)), CHE),
    )
    assert sums(SWISS, *effects) == ghg(2025, 0, 10) | ghg(2026, 0, 3)
    assert sums(GHANA, *effects) == NOTHING


def test_the_units_below_follow_and_are_used_by_nobody() -> None:
    effects = (
        restate(I, 1, 10, ITMO, ITMO.but(use=ndc(2025)), CHE),
        restate(U, 1001, 1010, DONE, DONE.but(use=ndc(2025)), GHA),
    )
    assert sums(GHANA, *effects) == NOTHING
    assert sums(SWISS, *effects) == ghg(2025, 0, 10)


@pytest.mark.parametrize(
    ("what", "before", "mark"),
    [
        ("for another purpose", ITMO, FLIGHT),
        ("of units that were never first-transferred", NEW, ndc(2025)),
        ("of contributions", DONE.but(designation="MCU"), ndc(2025)),
    ],
)
def test_other_uses_take_nothing_off(what: str, before: Attributes, mark: UseMark) -> None:
    assert sums(SWISS, restate(A, 1, 10, before, before.but(use=mark), CHE)) == NOTHING, what


def test_a_party_that_uses_what_it_has_first_transferred_has_both() -> None:
    effects = (
        restate(U, 1001, 1100, NEW, DONE),
        restate(I, 1, 100, ITMO, ITMO.but(use=ndc(2023)), GHA),
    )
    assert sums(GHANA, *effects) == ghg(2023, 100, 100)


def test_the_use_of_a_cer_is_told_apart() -> None:
    cer = A.model_copy(update={"vintage": 2019})
    tally = Tally(KOREA)
    tally.take([restate(cer, 1, 10, NEW, NEW.but(use=ndc(2024)), KOR)])
    assert tally.sums() == NOTHING
    assert (tally.apart("cer", 2024), tally.apart("cer", 2019)) == (10, 0)


@pytest.mark.requirement(92)
def test_each_other_metric_is_an_account_of_its_own() -> None:
    """A11, the counting."""
    power = Attributes(metric="non-GHG", unit="MWh")
    done = power.but(first_transferred=True)
    effects = (
        restate(U, 1, 10, NEW, DONE),
        restate(U, 11, 15, power, done),
    )
    tons, megawatt_hours = Account(None, 2023), Account("MWh", 2023)
    assert sums(GHANA, *effects) == {tons: Sum(10), megawatt_hours: Sum(5)}


# --- what actions do ----------------------------------------------------------------------------


def test_actions_have_the_effects_that_are_counted() -> None:
    world = World()
    entries = [
        world.act(GHA, issuance(GHA, U, 1001, 2000)),
        world.act(GHA, authorization(GHA)),
        world.act(GHA, first_transfer(1001, 1100, 1)),
        world.act(CHE, move("use", I, 91, 95, account(CHE, "HLD"), account(CHE, "USE"), use=NDC)),
        world.act(
            CHE,
            move("cancellation", I, 31, 40, account(CHE, "HLD"), account(CHE, "CAN"), use=FLIGHT),
        ),
    ]
    effects = [effect for entry in entries for effect in entry]
    assert sums(GHANA, *effects) == ghg(2023, 100)
    assert sums(SWISS, *effects) == ghg(2026, 0, 5)
    assert sums(MYANMAR, *settled().act(MMR, unit_transfer(21, 30))) == ghg(2024, 10)


# --- however units are cut ----------------------------------------------------------------------

SERIALS = range(1, 31)
spans = st.tuples(st.integers(1, 30), st.integers(1, 30)).map(lambda x: (min(x), max(x)))
lives = st.lists(
    st.tuples(st.sampled_from(["transfer", "undo", "use 2025", "use 2026", "authorize"]), spans),
    max_size=12,
)


def lived(before: Attributes, event: str) -> Attributes:
    """What an event makes of a unit; not always what a registry would allow."""
    if event.startswith("use"):
        return before.but(use=ndc(int(event[4:]))) if before.first_transferred else before
    if event == "authorize":
        return before.but(designation="N")
    return before.but(first_transferred=event == "transfer")


def entries_of(events: list[tuple[str, tuple[int, int]]], cuts: Random | None) -> list[Any]:
    """An entry for each event, its effects cut anywhere and in any order, or as long as can be;
    and last what each unit has become.
    """
    units = dict.fromkeys(SERIALS, NEW)
    entries: list[Any] = []
    for event, (first, last) in events:
        effects: list[Effect] = []
        start = first
        for serial in range(first, last + 1):
            ends = serial == last or units[serial + 1] != units[serial]
            if ends or (cuts is not None and cuts.random() < 0.4):
                before = units[serial]
                effects.append(restate(I, start, serial, before, lived(before, event), GHA))
                start = serial + 1
        if cuts is not None:
            cuts.shuffle(effects)
        for serial in range(first, last + 1):
            units[serial] = lived(units[serial], event)
        entries.append(effects)
    return [*entries, units]


@given(lives, st.randoms())
def test_sums_are_those_of_the_single_units_however_blocks_are_cut(
    events: list[tuple[str, tuple[int, int]]], cuts: Random
) -> None:
    *whole, units = entries_of(events, None)
    *pieces, _ = entries_of(events, cuts)
    expected: dict[Account, Sum] = {}
    for said in units.values():
        for year, name in (
            (2023, "first_transferred"),
            (said.use.year if said.use else None, "used"),
        ):
            if said.first_transferred and year is not None:
                account_ = Account(None, year)
                known = expected.get(account_, Sum())
                expected[account_] = known._replace(**{name: getattr(known, name) + 1})
    for entries in (whole, pieces):
        assert sums(GHANA, *(effect for entry in entries for effect in entry)) == expected


@given(lives, st.randoms())
def test_what_single_entries_change_adds_up_to_the_sums(
    events: list[tuple[str, tuple[int, int]]], cuts: Random
) -> None:
    *entries, _ = entries_of(events, cuts)
    total: dict[Account, Sum] = {}
    for effects in entries:
        for one, more in changes(effects, GHANA).items():
            known = total.get(one, Sum())
            total[one] = Sum(known[0] + more[0], known[1] + more[1])
    expected = sums(GHANA, *(effect for entry in entries for effect in entry))
    assert {a: s for a, s in total.items() if s != Sum()} == expected


def test_an_entry_that_brings_itmos_of_units_first_transferred_before_changes_nothing() -> None:
    effects = [
        goes(U, 1001, 1010, DONE, GHA, GHA),
        born(I, 1, 10, ITMO, CHE),
    ]
    assert changes(effects, GHANA) == NOTHING
    assert changes([restate(U, 1001, 1010, NEW, DONE), *effects], GHANA) == ghg(2023, 10)
    assert changes([restate(U, 1001, 1010, DONE, NEW)], GHANA) == ghg(2023, -10)
