# SPDX-License-Identifier: Apache-2.0
"""What may go wrong at the in-process broker, and how often.

Probabilities are in permille and drawn from the `random.Random` that the exchange was given, so a
seed decides everything. Durations are at most the given seconds of the event loop's time, evenly
drawn. All are nought unless set: a fresh exchange is slow in nothing and loses nothing.

Faults that are events and not chances (partitions, restarts, blocking) are methods of the exchange.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, fields

__all__ = ["Dice", "Faults"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The chances; an exchange's `faults` may be replaced at any time."""

    lost_permille: int = 0
    """A parcel does not reach the queue; reported False."""
    unreported_permille: int = 0
    """A parcel reaches the queue and is reported False all the same."""
    repeated_permille: int = 0
    """A parcel reaches the queue twice, the second time behind the others of its call."""
    reordered_permille: int = 0
    """The recipients of one call are served in any order. Within a queue order always holds."""
    delay_seconds_max: float = 0.0
    """Before the parcels of a call reach one recipient's queue."""
    confirm_seconds_max: float = 0.0
    """Between their reaching the queue and the answer."""
    receive_seconds_max: float = 0.0
    """A slow consumer: before something is handed out."""
    reconnect_seconds_max: float = 0.0
    """Before a participant is back after a restart or a healed partition."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            most = 1000 if each.name.endswith("_permille") else 86_400
            if not 0 <= value <= most:
                raise ValueError(f"{each.name} must be between 0 and {most}")


class Dice:
    """Draws. What has no chance of happening draws nothing, so switching one fault on or off does
    not move the others' draws of calls that do not meet it. `happened` is told of each fault, by
    the name of its chance without the unit.
    """

    def __init__(
        self, randomness: random.Random, happened: Callable[[str], None] = lambda _name: None
    ) -> None:
        self._randomness = randomness
        self._happened = happened

    def falls(self, faults: Faults, name: str) -> bool:
        permille: int = getattr(faults, f"{name}_permille")
        if not (permille and self._randomness.randrange(1000) < permille):
            return False
        self._happened(name)
        return True

    def seconds(self, faults: Faults, name: str) -> float:
        most: float = getattr(faults, f"{name}_seconds_max")
        if not most:
            return 0.0
        self._happened(name)
        return self._randomness.uniform(0.0, most)

    def shuffled(self, names: list[str]) -> list[str]:
        return self._randomness.sample(names, len(names))
