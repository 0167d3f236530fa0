# SPDX-License-Identifier: Apache-2.0
"""Serials as a set: ranges that are added and taken out again, each serial in it once at most.

Adding tells what was not there before, taking out what was: so whoever counts serials by it counts
each once, however the ranges were cut. Each step is a search and a slice, not a walk.

Elsewhere: arithmetic on a few ranges (`blocks`), ranges with attributes and positions (`holdings`).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from ledger.blocks import Range, quantity, subtract

__all__ = ["Ranges"]


class Ranges:
    """Sorted ranges with gaps between them."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __iter__(self) -> Iterator[Range]:
        return iter(zip(self._firsts, self._lasts, strict=True))

    @property
    def quantity(self) -> int:
        """Serials in the set."""
        return quantity(self)

    def within(self, first: int, last: int) -> list[Range]:
        """What of a range is in the set."""
        low, high = self._reach(first, last)
        return [
            (max(first, a), min(last, b))
            for a, b in zip(self._firsts[low:high], self._lasts[low:high], strict=True)
        ]

    def add(self, first: int, last: int) -> list[Range]:
        """Put a range in; gives what of it was not there before."""
        new = subtract((first, last), self.within(first, last))
        low, high = self._reach(first - 1, last + 1)  # neighbours become one range with it
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high], self._lasts[low:high] = [first], [last]
        return new

    def remove(self, first: int, last: int) -> list[Range]:
        """Take a range out; gives what of it was there."""
        gone = self.within(first, last)
        low, high = self._reach(first, last)
        rest = [
            part
            for a, b in zip(self._firsts[low:high], self._lasts[low:high], strict=True)
            for part in subtract((a, b), [(first, last)])
        ]
        self._firsts[low:high] = [a for a, _ in rest]
        self._lasts[low:high] = [b for _, b in rest]
        return gone

    def _reach(self, first: int, last: int) -> tuple[int, int]:
        """Which of the ranges share a serial with this one, as the bounds of a slice."""
        return bisect_left(self._lasts, first), bisect_right(self._firsts, last)
