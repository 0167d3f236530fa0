# SPDX-License-Identifier: Apache-2.0
"""What a scenario expects: of the whole run at its end, and of each of its examples.

Of an example everything is said in full, to the serial: which step first-transferred how many
units, where each unit is at the end, what the reconciliation names, and which movement an account
statement dates wrongly. What is found and not said here is a failure as much as the reverse.

A name that ends in `2021..2025` stands for one of each year.

Elsewhere: the steps (`scenario`), reading the files (`loading`), holding a run to it (`runner`,
`examples`).
"""

import re
from itertools import pairwise
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from ledger.first_transfer import Subtype
from schemas.effects import Cause
from schemas.identifiers import AccountNumber, Actor, Participant, account_number
from schemas.units import KIND_CODES, Key, Kind, Layer, Vintage, parse_itmo_block

__all__ = [
    "Expect",
    "ExpectExample",
    "Held",
    "Misdated",
    "Planted",
    "read_account",
    "years_of",
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Planted(_Model):
    """A discrepancy that the reconciliation must name, to the serial."""

    participant: Participant
    actor: Actor
    first: str
    last: str
    layer: Layer = Layer.ITMO
    activity: str | None = None
    cause: Cause

    def span(self) -> tuple[Key, int, int]:
        """The key and serial range of the printed identifiers."""
        key, first, last = parse_itmo_block(self.first, self.last)
        return key.model_copy(update={"layer": self.layer, "activity": self.activity}), first, last


class Misdated(_Model):
    """A movement that an account statement dates so many days later than the log does."""

    actor: Actor
    step: str
    days: int


class Held(NamedTuple):
    """Units that an account holds at the end, as the log has it."""

    series: str
    first: int
    last: int
    account: AccountNumber


class Expect(_Model):
    """What must hold at the end."""

    transactions: dict[str, int]
    units_issued: dict[str, int]
    discrepancies: list[Planted] = []
    settled: bool


class ExpectExample(_Model):
    """What must come of an example; the ends of its steps stand with them.

    `first_transfers` has, by the kind of event, the steps that are the first transfer and of how
    many units: the step of the authorization, where that is the event. `adjustments` maps a Party
    and year (`GHA 2024`, and the unit of measure if it is no tonne) to the corresponding
    adjustment that these units make. `holdings` maps series to ranges of serials (`5001-71733`) and
    the accounts that hold them. `alike` are steps that propose the very same and both count.
    """

    first_transfers: dict[Subtype, dict[str, int]]
    adjustments: dict[str, int]
    holdings: Annotated[dict[str, dict[str, str]], Field(min_length=1)]
    alike: list[str] = []
    discrepancies: list[Planted] = []
    misdated: list[Misdated] = []

    def first_transferred(self) -> dict[tuple[Subtype, str], int]:
        """Each first transfer, by the kind of event and its step, with its units."""
        return {
            (subtype, name): units
            for subtype, events in self.first_transfers.items()
            for text, units in events.items()
            for name, _ in years_of(text)
        }

    def adjusted(self) -> dict[str, int]:
        """Each Party and year with its adjustment, in order."""
        named = {
            name: units for text, units in self.adjustments.items() for name, _ in years_of(text)
        }
        return dict(sorted(named.items()))

    def held(self) -> list[Held]:
        """Where every unit of the example is at the end, in order; or `ValueError`."""
        found = []
        for text, ranges in self.holdings.items():
            for series, _ in years_of(text):
                if Key.parse(series).activity is not None:
                    raise ValueError(f"expect/holdings: {series}: a series is without activity")
                for span, account in ranges.items():
                    numbers = re.fullmatch(r"([1-9]\d*)-([1-9]\d*)", span)
                    if numbers is None or int(numbers[1]) > int(numbers[2]):
                        raise ValueError(f"expect/holdings: {span!r} is no range such as 1-1916")
                    first, last = int(numbers[1]), int(numbers[2])
                    found.append(Held(series, first, last, read_account(account)))
        found.sort()
        for before, after in pairwise(found):
            if before.series == after.series and after.first <= before.last:
                raise ValueError(f"expect/holdings: {after.series} {after.first} stands twice")
        return found


def years_of(text: str) -> list[tuple[str, Vintage | None]]:
    """What a name stands for: itself, or one of each year if it ends in `2021..2025`."""
    found = re.fullmatch(r"(.*)(\d{4})\.\.(\d{4})", text)
    if found is None:
        return [(text, None)]
    first, last = int(found[2]), int(found[3])
    if first >= last:
        raise ValueError(f"{text}: the first year comes before the last")
    return [(f"{found[1]}{year}", year) for year in range(first, last + 1)]


def read_account(text: str) -> AccountNumber:
    """The account number of `GHA01/GHA:holding:1`; a number as printed is taken as it is."""
    parts = text.split(":")
    if len(parts) == 1:
        return AccountNumber(text)
    if len(parts) != 3 or not parts[2].isdigit():
        raise ValueError(f"{text!r} is not an account such as GHA01/GHA:holding:1")
    code = next((c for c, kind in KIND_CODES.items() if kind == parts[1]), None)
    if code is None:
        raise ValueError(f"{text!r}: {parts[1]} is no kind of account; one of {', '.join(Kind)}")
    return account_number(Actor(parts[0]), code, int(parts[2]))
