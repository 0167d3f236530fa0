# SPDX-License-Identifier: Apache-2.0
"""Annual figures, held against examples that were worked out by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ledger.adjustments import (
    Average,
    ClosedYear,
    Figures,
    NdcPeriod,
    adjustment,
    annual_figures,
    check_periods,
    late_entries,
    levies_left_out,
    may_close,
    period_of,
    report_due,
)
from ledger.tally import Account, Sum
from schemas.identifiers import Instant, Participant, PartyCode

GHANA = PartyCode("GHA")
GHA01 = Participant("GHA01")
NOW = Instant("2026-11-26T12:00:00.000000Z")

Sums = dict[Account, Sum]


def period(method: str = "trajectory", **changes: Any) -> NdcPeriod:
    members = {"party": GHANA, "first_year": 2021, "last_year": 2030, "method": method}
    return NdcPeriod.model_validate(members | changes)


def ghg(**years: tuple[int, int]) -> Sums:
    """`y2023=(10, 4)`: ten units first-transferred of that vintage, four used for that year."""
    return {Account(None, int(name[1:])): Sum(*units) for name, units in years.items()}


def figures(
    year: int, sums: Sums, chosen: NdcPeriod, closed: dict[int, ClosedYear] | None = None
) -> Figures:
    return annual_figures(GHA01, year, chosen, sums, closed or {})


def closing(*years: int, sums: Sums, chosen: NdcPeriod) -> dict[int, ClosedYear]:
    closed: dict[int, ClosedYear] = {}
    for year in years:
        closed[year] = ClosedYear(figures(year, sums, chosen, closed), NOW, "olga", year)
    return closed


# --- one year -----------------------------------------------------------------------------------


@pytest.mark.requirement(90)
def test_ten_thousand_units_transferred_in_two_parts_add_ten_thousand_to_their_vintage() -> None:
    """A10, the figures; the parts are counted in the tests of the tally."""
    (one,) = figures(2023, ghg(y2023=(10_000, 0)), period()).accounts
    assert (one.metric, one.unit, one.account) == ("GHG", "t CO2 eq", None)
    assert (one.first_transferred, one.used, one.adjustment, one.applied) == (
        10_000,
        0,
        10_000,
        10_000,
    )


@pytest.mark.requirement(90)
def test_additions_go_by_vintage_and_subtractions_by_the_year_of_use() -> None:
    sums = ghg(y2022=(1_916, 0), y2023=(11_733, 250), y2025=(0, 1_000))
    adjustments = [figures(y, sums, period()).accounts[0].adjustment for y in range(2021, 2026)]
    assert adjustments == [0, 1_916, 11_483, 0, -1_000]


@pytest.mark.requirement(92)
def test_a_metric_that_is_no_greenhouse_gas_has_its_signs_reversed_and_adds_nothing_to_tons() -> (
    None
):
    """A11: 700 MWh of 2023 went abroad, 150 MWh from abroad were used for 2023."""
    sums = ghg(y2023=(40, 10)) | {Account("MWh", 2023): Sum(700, 150)}
    tons, megawatt_hours = figures(2023, sums, period()).accounts
    assert (tons.unit, tons.adjustment) == ("t CO2 eq", 30)
    assert (megawatt_hours.metric, megawatt_hours.unit) == ("non-GHG", "MWh")
    assert (megawatt_hours.adjustment, megawatt_hours.cumulative_adjustment) == (-550, -550)
    assert adjustment(None, Sum(700, 150)) == 550


def test_a_metric_appears_from_its_first_unit_on() -> None:
    sums = {Account("MWh", 2025): Sum(1)}
    shown = {y: [a.unit for a in figures(y, sums, period()).accounts] for y in (2024, 2025, 2026)}
    assert shown == {2024: ["t CO2 eq"], 2025: ["t CO2 eq", "MWh"], 2026: ["t CO2 eq", "MWh"]}


def test_without_units_there_is_the_account_of_greenhouse_gases_with_nothing_in_it() -> None:
    (one,) = figures(2024, {}, period()).accounts
    assert (one.first_transferred, one.used, one.cumulative_adjustment) == (0, 0, 0)


# --- methods ------------------------------------------------------------------------------------


def test_by_trajectory_each_year_has_its_own_and_the_last_year_the_sum_of_all() -> None:
    """2021 to 2025: +100, -30, 0, +50, -20, so +100 at the end."""
    sums = ghg(y2021=(100, 0), y2022=(20, 50), y2024=(50, 0), y2025=(0, 20))
    chosen = period(last_year=2025, target="multi-year")
    found = [figures(year, sums, chosen).accounts[0] for year in chosen.years]
    assert [a.applied for a in found] == [100, -30, 0, 50, -20]
    assert [a.cumulative_adjustment for a in found] == [100, 70, 70, 120, 100]
    assert {a.average for a in found} == {None}


@pytest.mark.requirement(91)
def test_by_averaging_each_year_has_the_cumulative_sum_divided_by_the_years_elapsed() -> None:
    """2021: 100/1. 2022: 70/2 = 35. 2023: 70/3 = 23.3. 2024: 122/4 = 30.5, so 31. 2025: 102/5."""
    sums = ghg(y2021=(100, 0), y2022=(20, 50), y2024=(52, 0), y2025=(0, 20))
    found = [figures(y, sums, period("averaging")).accounts[0] for y in range(2021, 2026)]
    averages = [(a.average.numerator, a.average.denominator) for a in found if a.average]
    assert averages == [(100, 1), (70, 2), (70, 3), (122, 4), (102, 5)]
    assert [a.applied for a in found] == [100, 35, 23, 31, 20]
    assert [a.adjustment for a in found] == [100, -30, 0, 52, -20]


def test_vintages_before_the_period_do_not_count_in_it() -> None:
    sums = ghg(y2024=(500, 0), y2025=(7, 0), y2026=(8, 0))
    (one,) = figures(2026, sums, period("averaging", first_year=2025)).accounts
    assert (one.cumulative_first_transferred, one.average) == (15, Average.of(15, 2))


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(0, 3, 0), (1, 3, 0), (5, 3, 2), (1, 2, 1), (-1, 2, -1), (3, 2, 2), (-5, 3, -2), (9, 3, 3)],
)
def test_averages_are_rounded_to_whole_units_and_halves_away_from_zero(
    numerator: int, denominator: int, rounded: int
) -> None:
    assert Average.of(numerator, denominator).rounded == rounded


@given(st.integers(-(10**18), 10**18), st.integers(1, 40))
def test_a_rounded_average_is_never_more_than_half_a_unit_off(n: int, d: int) -> None:
    rounded = Average.of(n, d).rounded
    assert 2 * abs(rounded * d - n) <= d
    assert Average.of(-n, d).rounded == -rounded


# --- periods ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"first_year": 2031}, "ends before it begins"),
        ({"method": "averaging", "target": "multi-year"}, "averaging is for single-year targets"),
        ({"method": "mean"}, "'trajectory' or 'averaging'"),
        ({"first_year": 2020}, "greater than or equal to 2021"),
    ],
)
def test_a_period_that_cannot_be_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        period(**changes)


def test_periods_of_a_party_have_no_year_in_common() -> None:
    other = period(party=PartyCode("CHE"))
    check_periods([period(), period(first_year=2031, last_year=2035), other])
    with pytest.raises(ValueError, match="two periods of GHA have the year 2030"):
        check_periods([period(), other, period(first_year=2030, last_year=2035)])


def test_a_year_without_a_period_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="no period of GHA with the year 2031; add it"):
        period_of([period()], GHANA, 2031, {})
    with pytest.raises(ValueError, match="no period of CHE"):
        period_of([period()], PartyCode("CHE"), 2024, {})


@pytest.mark.parametrize(
    "changes", [{"method": "averaging"}, {"last_year": 2025}, {"levies": False}]
)
def test_a_period_keeps_its_method_once_a_year_of_it_is_closed(changes: dict[str, Any]) -> None:
    closed = closing(2021, sums={}, chosen=period())
    assert period_of([period()], GHANA, 2022, closed) == period()
    with pytest.raises(ValueError, match=r"GHA 2021 was closed in the period 2021-2030, traj"):
        period_of([period(**changes)], GHANA, 2022, closed)
    later = period("averaging", first_year=2031, last_year=2040)
    assert period_of([period(), later], GHANA, 2031, closed) == later


def test_levies_are_left_out_in_the_years_of_the_periods_that_say_so() -> None:
    periods = [
        period(last_year=2022, levies=False),
        period(first_year=2023),
        period(party=PartyCode("CHE"), levies=False),
    ]
    assert levies_left_out(periods, GHANA) == {2021, 2022}


# --- closed years -------------------------------------------------------------------------------


@pytest.mark.requirement(93)
def test_a_closed_year_keeps_its_figures_and_what_came_late_is_told_as_a_difference() -> None:
    then = ghg(y2021=(100, 0), y2022=(10, 4))
    closed = closing(2021, 2022, sums=then, chosen=period("averaging"))
    now = ghg(y2021=(130, 0), y2022=(10, 9), y2023=(6, 0)) | {Account("MWh", 2022): Sum(5, 0)}
    assert figures(2021, now, period("averaging"), closed) is closed[2021].figures
    (one,) = figures(2022, now, period("averaging"), closed).accounts
    assert (one.first_transferred, one.used, one.applied) == (10, 4, 53)
    assert [
        (x.year, x.unit, x.first_transferred, x.used, x.adjustment)
        for x in late_entries(now, closed)
    ] == [
        (2021, "t CO2 eq", 30, 0, 30),
        (2022, "t CO2 eq", 0, 5, -5),
        (2022, "MWh", 5, 0, -5),
    ]


@pytest.mark.requirement(93)
def test_open_years_go_on_from_what_was_closed() -> None:
    closed = closing(2021, 2022, sums=ghg(y2021=(100, 0), y2022=(10, 4)), chosen=period())
    now = ghg(y2021=(130, 0), y2022=(10, 9), y2023=(6, 0))
    (one,) = figures(2023, now, period(), closed).accounts
    assert (one.adjustment, one.cumulative_adjustment) == (6, 112)


@pytest.mark.requirement(93)
def test_a_metric_that_comes_late_into_a_closed_year_is_in_no_later_sum() -> None:
    closed = closing(2021, sums=ghg(y2021=(100, 0)), chosen=period())
    late = ghg(y2021=(100, 0)) | {Account("MWh", 2021): Sum(50), Account("MWh", 2022): Sum(7)}
    _, hours = figures(2022, late, period(), closed).accounts
    assert (hours.unit, hours.cumulative_first_transferred) == ("MWh", 7)
    assert [(x.year, x.unit, x.adjustment) for x in late_entries(late, closed)] == [
        (2021, "MWh", -50)
    ]


def test_what_is_taken_away_from_a_closed_year_is_told_too() -> None:
    closed = closing(2021, sums=ghg(y2021=(100, 0)), chosen=period())
    (late,) = late_entries({}, closed)
    assert (late.first_transferred, late.adjustment) == (-100, -100)
    assert late_entries(ghg(y2021=(100, 0), y2022=(1, 0)), closed) == []


@pytest.mark.requirement(93)
@pytest.mark.parametrize(
    ("year", "closed", "why"),
    [
        (2021, (), None),
        (2022, (2021,), None),
        (2021, (2021,), "GHA 2021 is closed since 2026-11-26"),
        (2023, (2021,), "close GHA 2022 first"),
        (2026, (2021, 2022, 2023, 2024, 2025), "2026 is not over yet"),
    ],
)
def test_years_are_closed_when_they_are_over_and_in_their_order(
    year: int, closed: tuple[int, ...], why: str | None
) -> None:
    before = closing(*closed, sums={}, chosen=period())
    if why is None:
        may_close(period(), year, before, NOW)
    else:
        with pytest.raises(ValueError, match=why):
            may_close(period(), year, before, NOW)


def test_the_digest_is_of_everything_that_the_figures_say() -> None:
    base = figures(2023, ghg(y2023=(10, 4)), period())
    assert Figures.model_validate_json(base.text) == base
    assert Figures.model_validate_json(base.text).digest == base.digest
    others = [
        figures(2023, ghg(y2023=(10, 5)), period()),
        figures(2023, ghg(y2022=(1, 1), y2023=(10, 4)), period()),
        figures(2023, ghg(y2023=(10, 4)), period(last_year=2031)),
        annual_figures(Participant("UN01"), 2023, period(), ghg(y2023=(10, 4)), {}),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == 5


def test_the_text_whose_digest_operators_sign_keeps_its_form() -> None:
    """Another order of members, or a new one, is another digest of a year that was closed."""
    found = figures(2021, ghg(y2021=(5, 0)), period("averaging"))
    assert found.text == (
        '{"registry":"GHA01","party":"GHA","year":2021,"period":{"party":"GHA","first_year":2021,'
        '"last_year":2030,"method":"averaging","target":"single-year","levies":true},"accounts":['
        '{"metric":"GHG","unit":"t CO2 eq","first_transferred":5,"used":0,"adjustment":5,'
        '"cumulative_first_transferred":5,"cumulative_used":0,"cumulative_adjustment":5,'
        '"average":{"numerator":5,"denominator":1,"rounded":5},"applied":5}]}'
    )


def test_the_report_is_due_in_april_of_the_next_year() -> None:
    assert report_due(2024) == "2025-04-15"
