# SPDX-License-Identifier: Apache-2.0
"""Holding: envelopes that cannot be judged yet wait in memory, unacknowledged and bounded.

An envelope waits for its sender or key to be in the directory, or for its time to come. There are
so many places, and so many for what one participant is said to have sent, so that nobody can fill
them all. An envelope that is held already takes no second place: its newer copy does, since a
copy may be what the broker handed out again after a lost link.

Elsewhere: why an envelope is held (`intake`), what becomes of it then (`reception`).
"""

from dataclasses import dataclass

from runtime.broker import Arrival
from runtime.intake import Held, Unit
from schemas.identifiers import Actor

__all__ = ["Holding", "Waiting"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An envelope to be looked at: until `deadline`, by the event loop's clock, it may wait."""

    unit: Unit
    deadline: float
    again: bool = False
    """Whether it was looked at before."""


class Holding:
    """The places of one node: `most` in all, `most_of_one` for each claimed participant."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._held: dict[bytes, tuple[Held, Waiting]] = {}
        self._copies: list[Arrival] = []

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, waiting: Waiting, held: Held) -> bool:
        """Give an envelope a place; False when there is none left for it."""
        body = waiting.unit.body
        if body in self._held:
            _, before = self._held[body]
            if before.unit.arrival is not None:
                self._copies.append(before.unit.arrival)
            kept = Waiting(waiting.unit, before.deadline, again=True)
            self._held[body] = held, kept
            return True
        of_one = sum(
            held.claimed.participant == h.claimed.participant for h, _ in self._held.values()
        )
        if len(self._held) >= self._most or of_one >= self._most_of_one:
            return False
        self._held[body] = held, waiting
        return True

    def take(self) -> list[Waiting]:
        """All of them, out of their places, to be looked at again."""
        held, self._held = self._held, {}
        return [Waiting(w.unit, w.deadline, again=True) for _, w in held.values()]

    def authors(self) -> frozenset[Actor]:
        """The actors whose envelopes are authentic and lack but time."""
        return frozenset(h.claimed for h, _ in self._held.values() if h.authentic is not None)

    def copies(self) -> list[Arrival]:
        """Arrivals whose newer copy is held: they may be acknowledged."""
        copies, self._copies = self._copies, []
        return copies
