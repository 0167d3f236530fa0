# SPDX-License-Identifier: Apache-2.0
"""Corresponding adjustments of a Party for a year: from the sums of its tally to annual figures.

Rules carried out here, all of 2/CMA.3 annex:

* Para 8: to the emissions of a year are added the units first-transferred of that vintage, and from
  them are taken the units used for that year. There is no term for what was acquired.
* Para 9: a metric that is not a greenhouse gas has an account of its own, with the signs reversed:
  first-transferred units are taken from the indicator, used ones added to it.
* Para 7: one method for a whole NDC period. *Trajectory*: each year has its own adjustment, and all
  of them together count at the end of the period. *Averaging*, for single-year NDCs alone: each
  year has the cumulative adjustment since the period's first year, divided by the years elapsed.
* Para 12: a closed year keeps the figures that it was closed with. What later entries would change
  is told as a difference; later years go on from what was closed.

Integers only: an average is a numerator and a denominator, and beside them the quotient rounded to
the nearest whole unit, halves away from zero, so that it does not depend on the sign.

Elsewhere: what counts (`tally`), closing (`registry.adjustments`).
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from ledger.tally import Account, Sum, difference
from schemas.envelope import digest
from schemas.identifiers import Digest, Instant, Participant, PartyCode
from schemas.units import Frozen

__all__ = [
    "AccountFigures",
    "Average",
    "ClosedYear",
    "Figures",
    "Late",
    "NdcPeriod",
    "adjustment",
    "annual_figures",
    "check_periods",
    "late_entries",
    "levies_left_out",
    "may_close",
    "period_of",
    "report_due",
]

Year = Annotated[int, Field(ge=2021, le=2200)]


class NdcPeriod(Frozen):
    """An implementation period of a Party's NDC, and how adjustments are made in all of it."""

    party: PartyCode
    first_year: Year
    last_year: Year
    method: Literal["trajectory", "averaging"]
    target: Literal["single-year", "multi-year"] = "single-year"
    levies: bool = True
    """Whether units count that are levied at an issuance and are mitigation contributions."""

    @model_validator(mode="after")
    def _fits_together(self) -> "NdcPeriod":
        if self.first_year > self.last_year:
            raise ValueError("last_year: the period ends before it begins")
        if self.target == "multi-year" and self.method == "averaging":
            raise ValueError("method: averaging is for single-year targets; use trajectory")
        return self

    @property
    def years(self) -> range:
        """Its calendar years."""
        return range(self.first_year, self.last_year + 1)


class Average(Frozen):
    """A cumulative adjustment and the years elapsed; `rounded` is to whole units."""

    numerator: int
    denominator: Annotated[int, Field(ge=1)]
    rounded: int

    @classmethod
    def of(cls, numerator: int, denominator: int) -> "Average":
        """Halves are rounded away from zero."""
        size = (2 * abs(numerator) + denominator) // (2 * denominator)
        return cls(
            numerator=numerator,
            denominator=denominator,
            rounded=-size if numerator < 0 else size,
        )


class AccountFigures(Frozen):
    """One metric in one year. `adjustment` is added to the Party's emissions, or to its indicator
    in that metric; the cumulative figures are since the period's first year. `applied` is what the
    method applies to this year.
    """

    metric: Literal["GHG", "non-GHG"]
    unit: str
    first_transferred: int
    used: int
    adjustment: int
    cumulative_first_transferred: int
    cumulative_used: int
    cumulative_adjustment: int
    average: Average | None
    applied: int

    @property
    def account(self) -> str | None:
        """Its unit as accounts have it."""
        return None if self.metric == "GHG" else self.unit


class Figures(Frozen):
    """A Party's annual information for one year, as one registry's entries tell it."""

    registry: Participant
    party: PartyCode
    year: Year
    period: NdcPeriod
    accounts: tuple[AccountFigures, ...]

    @cached_property
    def text(self) -> str:
        """The canonical text: all members, always in this order."""
        return self.model_dump_json()

    @cached_property
    def digest(self) -> Digest:
        """What an operator signs who closes the year."""
        return digest(self.text.encode())


class ClosedYear(NamedTuple):
    """A year whose figures are final: what they were, when and by whose command at the desk."""

    figures: Figures
    closed_at: Instant
    operator: str
    command: int


class Late(Frozen):
    """What entries after a year was closed would change of it, had it not been."""

    year: int
    metric: Literal["GHG", "non-GHG"]
    unit: str
    first_transferred: int
    used: int
    adjustment: int

    @property
    def account(self) -> str | None:
        """Its unit as accounts have it."""
        return None if self.metric == "GHG" else self.unit


Closed = Mapping[int, ClosedYear]
"""The closed years of one Party."""


def adjustment(unit: str | None, units: Sum) -> int:
    """What a year's units do to emissions, or to the indicator of a non-GHG metric (para 9)."""
    net = units.first_transferred - units.used
    return net if unit is None else -net


def annual_figures(
    registry: Participant,
    year: int,
    period: NdcPeriod,
    sums: Mapping[Account, Sum],
    closed: Closed,
) -> Figures:
    """The figures of a year of the period: those it was closed with, or what entries tell now."""
    if year in closed:
        return closed[year].figures
    sums = _with_closed(sums, closed)
    elapsed = range(period.first_year, year + 1)
    units = sorted({a.unit for a in sums if a.unit is not None and a.year in elapsed})
    return Figures(
        registry=registry,
        party=period.party,
        year=year,
        period=period,
        accounts=tuple(_account(unit, year, period, sums) for unit in (None, *units)),
    )


def _account(
    unit: str | None, year: int, period: NdcPeriod, sums: Mapping[Account, Sum]
) -> AccountFigures:
    elapsed = range(period.first_year, year + 1)
    annual = [sums.get(Account(unit, y), Sum()) for y in elapsed]
    total = Sum(sum(s.first_transferred for s in annual), sum(s.used for s in annual))
    own, cumulative = adjustment(unit, annual[-1]), adjustment(unit, total)
    average = Average.of(cumulative, len(elapsed)) if period.method == "averaging" else None
    return AccountFigures(
        metric=_metric(unit),
        unit=_shown(unit),
        first_transferred=annual[-1].first_transferred,
        used=annual[-1].used,
        adjustment=own,
        cumulative_first_transferred=total.first_transferred,
        cumulative_used=total.used,
        cumulative_adjustment=cumulative,
        average=average,
        applied=own if average is None else average.rounded,
    )


def _metric(unit: str | None) -> Literal["GHG", "non-GHG"]:
    return "GHG" if unit is None else "non-GHG"


def _shown(unit: str | None) -> str:
    return unit or "t CO2 eq"


def _with_closed(sums: Mapping[Account, Sum], closed: Closed) -> dict[Account, Sum]:
    """The sums of open years, and of closed years what they were closed with."""
    found = {account: units for account, units in sums.items() if account.year not in closed}
    for year, one in closed.items():
        for a in one.figures.accounts:
            found[Account(a.account, year)] = Sum(a.first_transferred, a.used)
    return found


def late_entries(sums: Mapping[Account, Sum], closed: Closed) -> list[Late]:
    """What the entries of now say otherwise of closed years."""
    then = _with_closed({}, closed)
    now = {account: units for account, units in sums.items() if account.year in closed}
    return [
        Late(
            year=account.year,
            metric=_metric(account.unit),
            unit=_shown(account.unit),
            first_transferred=more.first_transferred,
            used=more.used,
            adjustment=adjustment(account.unit, more),
        )
        for account, more in sorted(
            difference(then, now).items(), key=lambda pair: (pair[0].year, pair[0].unit or "")
        )
    ]


# --- periods and closing ------------------------------------------------------------------------


def check_periods(periods: Iterable[NdcPeriod]) -> None:
    """`ValueError` when two periods of a Party have a year in common."""
    taken: set[tuple[PartyCode, int]] = set()
    for period in periods:
        years = {(period.party, year) for year in period.years}
        if both := sorted(taken & years):
            raise ValueError(f"two periods of {period.party} have the year {both[0][1]}")
        taken |= years


def period_of(
    periods: Iterable[NdcPeriod], party: PartyCode, year: int, closed: Closed
) -> NdcPeriod:
    """The period that a year belongs to. `ValueError` when the settings have none, or when a year
    of it was closed under another one: a period has one method from its first year to its last.
    """
    found = next((p for p in periods if p.party == party and year in p.years), None)
    if found is None:
        raise ValueError(
            f"ndc_periods in the settings has no period of {party} with the year {year}; add it"
        )
    for one in closed.values():
        was = one.figures.period
        apart = was.last_year < found.first_year or found.last_year < was.first_year
        if was != found and not apart:
            raise ValueError(
                f"{party} {one.figures.year} was closed in the period {was.first_year}-"
                f"{was.last_year}, {was.method}, {was.target}; the settings say otherwise. "
                "A period keeps its method: set ndc_periods back"
            )
    return found


def levies_left_out(periods: Iterable[NdcPeriod], party: PartyCode) -> frozenset[int]:
    """The vintages of a Party of which levies that are mitigation contributions do not count."""
    return frozenset(y for p in periods if p.party == party and not p.levies for y in p.years)


def may_close(period: NdcPeriod, year: int, closed: Closed, now: Instant) -> None:
    """`ValueError` unless the year is over, open, and the next one of its period: what comes after
    rests on what was closed before.
    """
    if year in closed:
        raise ValueError(f"{period.party} {year} is closed since {closed[year].closed_at}")
    if now.moment().year <= year:
        raise ValueError(f"{year} is not over yet")
    first = next(y for y in period.years if y not in closed)
    if year != first:
        raise ValueError(f"close {period.party} {first} first: years are closed in their order")


def report_due(year: int) -> str:
    """The day by which what happened in a year is reported (para 20)."""
    return f"{year + 1}-04-15"
