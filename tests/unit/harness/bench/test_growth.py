# SPDX-License-Identifier: Apache-2.0
"""What grows: two fleets take turns, and a comparison that finds something else does not count."""

import signal
from typing import Any

import pytest

from harness.bench import growth
from harness.bench.descents import Compared
from harness.bench.rounds import WINDOW
from harness.bench.sides import Running, Sides
from harness.bench.verify import RoundFailed


class FakeLoad:
    """Takes as many seconds as it is told, and notes when its turn was."""

    def __init__(self, name: str, seconds: float, turns: list[tuple[str, int]]) -> None:
        self._name = name
        self._seconds = seconds
        self._turns = turns

    async def run(self, number: int, window: int) -> float:
        assert window == WINDOW
        self._turns.append((self._name, number))
        return self._seconds


class FakePrograms:
    """Notes which signals it was sent."""

    def __init__(self, name: str, sent: list[tuple[str, signal.Signals]]) -> None:
        self.fleet = self
        self._name = name
        self._sent = sent

    def send_signal(self, number: signal.Signals) -> None:
        self._sent.append((self._name, number))


async def test_two_fleets_have_the_load_in_turn_and_are_compared_by_speed() -> None:
    turns: list[tuple[str, int]] = []
    still: list[tuple[str, signal.Signals]] = []
    nothing: Any = None

    def running(name: str, seconds: float) -> Running:
        load: Any = FakeLoad(name, seconds, turns)
        programs: Any = FakePrograms(name, still)
        return Running(nothing, programs, load, leaves=0)

    sides = Sides(running("first", 1.0), running("second", 4.0))
    assert await sides.ratios(turns=3, transfers=7) == [0.25, 0.25, 0.25]
    warm, *measured = [turns[n : n + 2] for n in range(0, len(turns), 2)]
    assert warm == [("first", WINDOW), ("second", WINDOW)]
    forth, back = [("first", 7), ("second", 7)], [("second", 7), ("first", 7)]
    assert measured == [forth, back, forth]
    stopped = [name for name, number in still if number == signal.SIGSTOP]
    assert stopped == ["second", "first", "first", "second", "second", "first"]
    assert [number for _, number in still] == [signal.SIGSTOP, signal.SIGCONT] * 6


def test_comparisons_that_find_what_was_edited_have_figures() -> None:
    taken = [Compared(seconds, size=900, found=10, questions=8) for seconds in (1.0, 3.0, 2.0)]
    figures = growth._figures(taken, 10)
    assert (figures["bytes"], figures["questions"]) == (900, 8)
    assert figures["seconds"]["median"] == 2.0


def test_a_comparison_that_finds_something_else_ends_the_run() -> None:
    taken = [Compared(1.0, size=900, found=found) for found in (10, 9)]
    with pytest.raises(RoundFailed, match="found 9 ranges, and 10 differ"):
        growth._figures(taken, 10)
