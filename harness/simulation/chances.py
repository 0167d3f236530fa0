# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in a simulation, by name, and how often it does under one seed.

Each seed draws, for each kind of fault that is switched on, whether it stays away, comes now and
then, or comes often: runs in which a few things go wrong very often find what an even mixture hides
(swarm testing). Each kind draws from a stream of its own, so that leaving one out does not move the
others' draws.

Elsewhere: how each fault is done (`faulty`, `disturb`, `runtime.memory_faults`).
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from runtime.memory import Faults

__all__ = ["EVENTS", "KINDS", "Chances", "FaultListError", "parse_kinds", "stream"]

BROKER: Final = {
    "delay": "parcels take their time to a queue, confirmations theirs back",
    "loss": "a parcel is lost before it is confirmed",
    "unreported": "a parcel arrives and its confirmation does not",
    "repeat": "a parcel arrives twice",
    "reorder": "the recipients of one call are served in any order",
    "slow-consumer": "whoever receives takes its time",
}
STORE: Final = {
    "commit-fails": "a commit fails and says so",
    "commit-unreported": "a commit succeeds and is reported as failed",
    "disk-full": "the disk is full in the middle of a transaction",
    "database-busy": "the database is locked by somebody else when a transaction begins",
    "crash-before-commit": "the program dies just before a commit",
    "crash-after-commit": "the program dies after a commit, before it has acknowledged anything",
    "crash-in-relay": "the program dies while it publishes",
}
EVENTS: Final = {
    "crash": "the program dies at any moment",
    "partition": "a participant loses the broker for a while",
    "broker-restart": "the broker stops and starts again; what was on its way is lost",
    "broker-blocked": "the broker takes no parcels for a while",
    "clock-skew": "clocks differ by seconds",
    "clock-jump": "a clock jumps forth or back, and is set right later",
    "key-rotation": "an actor changes its key while messages are under way",
    "restore": "a program is set back to an older backup of its database",
    "hub-restore": "the hub is set back to an older backup of its database, and told to recover",
    "edited-rows": "rows of a ledger are edited behind its program's back",
    "operator": "operators command twice, too late, or at somebody who is away",
}
KINDS: Final = {**BROKER, **STORE, **EVENTS}
"""Every kind of fault, and what it is."""

_PERMILLE: Final = {
    **dict.fromkeys(BROKER, (20, 150)),
    **dict.fromkeys(STORE, (2, 15)),
    **dict.fromkeys(EVENTS, (15, 60)),
    "restore": (8, 25),
    "hub-restore": (8, 25),
    "edited-rows": (8, 25),
    "key-rotation": (8, 25),
    "operator": (60, 250),
}
"""How often each kind comes when it comes now and then, and when it comes often: of a thousand
parcels, commits, or steps.
"""


class FaultListError(ValueError):
    """A list of faults that names what there is none of."""


def parse_kinds(text: str) -> frozenset[str]:
    """The kinds that `all`, `none` or a comma-separated list names; `FaultListError` otherwise."""
    if text == "all":
        return frozenset(KINDS)
    if text == "none":
        return frozenset()
    named = [name.strip() for name in text.split(",")]
    unknown = [name for name in named if name not in KINDS]
    if unknown:
        known = ", ".join(KINDS)
        raise FaultListError(
            f"there is no fault {unknown[0]!r}; give 'all', 'none', or some of: {known}"
        )
    return frozenset(named)


def stream(seed: int, name: str) -> random.Random:
    """The randomness of one purpose under a seed, the same on every machine."""
    return random.Random(f"{seed}/{name}")


@dataclass(frozen=True)
class Chances:
    """How often each kind comes, in permille; kinds that stay away are not there."""

    permille: dict[str, int]

    @classmethod
    def draw(cls, seed: int, kinds: Iterable[str]) -> "Chances":
        """What a seed has in store of the kinds that are switched on."""
        drawn = {}
        for kind in sorted(kinds):
            seldom, often = _PERMILLE[kind]
            chosen = stream(seed, f"chance of {kind}").choice((0, seldom, seldom, often))
            if chosen:
                drawn[kind] = chosen
        return cls(drawn)

    def of(self, kind: str) -> int:
        """How often a kind comes."""
        return self.permille.get(kind, 0)

    def broker(self) -> Faults:
        """What the broker's twin does wrong."""
        slow = 1.5 if self.of("delay") else 0.0
        return Faults(
            lost_permille=self.of("loss"),
            unreported_permille=self.of("unreported"),
            repeated_permille=self.of("repeat"),
            reordered_permille=self.of("reorder"),
            delay_seconds_max=slow,
            confirm_seconds_max=slow / 3,
            receive_seconds_max=1.0 if self.of("slow-consumer") else 0.0,
            reconnect_seconds_max=2.0,
        )
