# SPDX-License-Identifier: Apache-2.0
"""What people see of holdings: ranges of units in accounts, by the auditor's model; and the line of
a proposal that they make of one.

Elsewhere: what they then ask for (`workload`, `cer_work`).
"""

import json
import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from schemas.identifiers import Actor, account_number
from schemas.units import Key

__all__ = ["MWH", "MWH_NUMBER", "Held", "Holdings", "line_of", "pick", "some_of"]

Holdings = Mapping[str, list[tuple[int, int, str, str]]]
"""Per key: ranges with first and last serial, account, and the text of the attributes."""

MWH, MWH_NUMBER = "MWh", 9
"""A metric that is not a greenhouse gas, and the number of accounts of it."""

SOME_MOST = 60


class Held(NamedTuple):
    """A range of units in an account."""

    key: Key
    first: int
    last: int
    account: str
    attributes: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The letters of the kind of account."""
        return self.account.split("-")[2]


def pick(units: Holdings, dice: random.Random, fits: Callable[[Held], bool]) -> Held | None:
    """Any range that fits, if there is one."""
    found = [
        one
        for text, ranges in sorted(units.items())
        for first, last, account, attributes in ranges
        if fits(one := Held(Key.parse(text), first, last, account, json.loads(attributes)))
    ]
    return dice.choice(found) if found else None


def some_of(held: Held, dice: random.Random) -> tuple[int, int]:
    """A part of a range, often the whole of it."""
    if dice.random() < 0.3:
        return held.first, held.last
    first = dice.randint(held.first, held.last)
    return first, dice.randint(first, min(held.last, first + SOME_MOST))


def line_of(held: Held, first: int, last: int, to: Actor) -> dict[str, Any]:
    """A line by which a part of a range goes to somebody's holding account."""
    return {
        "key": held.key.model_dump(mode="json"),
        "first": first,
        "last": last,
        "source": held.account,
        "target": account_number(to, "HLD", MWH_NUMBER if held.attributes["unit"] else 1),
    }
