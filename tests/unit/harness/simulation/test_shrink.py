# SPDX-License-Identifier: Apache-2.0
"""Shrinking, on runs that are made up: what fails is known exactly."""

from collections import Counter
from collections.abc import Callable

from harness.simulation.coverage import Coverage
from harness.simulation.run import Failure, Plan, Result
from harness.simulation.shrink import TRIES_MAX, shrunk

KINDS = frozenset({"crash", "delay", "loss"})
Breaks = Callable[[Plan], tuple[str, int] | None]


class Runs:
    """Runs plans in thought, and counts them."""

    def __init__(self, breaks: Breaks, seen: frozenset[str] = KINDS) -> None:
        self.breaks = breaks
        self.seen = seen
        self.tried: list[Plan] = []

    def __call__(self, plan: Plan) -> Result:
        self.tried.append(plan)
        found = self.breaks(plan)
        failure = Failure(found[0], "", min(found[1], plan.steps)) if found else None
        coverage = Coverage(faults=Counter(plan.kinds & self.seen))
        return Result(plan, "", failure, coverage)


def small(breaks: Breaks, steps: int = 100) -> tuple[Plan, Runs]:
    runs = Runs(breaks)
    failed = runs(Plan(3, steps, KINDS))
    told: list[str] = []
    result = shrunk(failed, runs, told.append)
    assert result.failure is not None
    assert failed.failure is not None
    assert result.failure.invariant == failed.failure.invariant
    assert len(told) == len(runs.tried) - 1
    return result.plan, runs


def test_the_shortest_prefix_and_the_only_kind_that_it_takes_are_found() -> None:
    plan, _ = small(lambda p: ("x", 37) if p.steps >= 37 and "loss" in p.kinds else None)
    assert plan == Plan(3, 37, frozenset({"loss"}))


def test_kinds_that_are_needed_together_stay() -> None:
    both = frozenset({"crash", "delay"})
    plan, _ = small(lambda p: ("x", 5) if p.steps >= 5 and both <= p.kinds else None)
    assert plan == Plan(3, 5, both)


def test_what_breaks_at_rest_alone_is_found_by_halving() -> None:
    plan, _ = small(lambda p: ("x", p.steps) if p.steps >= 61 else None)
    assert plan == Plan(3, 61, frozenset())


def test_another_invariant_is_another_failure() -> None:
    plan, _ = small(lambda p: ("x", 20) if p.steps >= 20 and "loss" in p.kinds else ("y", 1))
    assert plan == Plan(3, 20, frozenset({"loss"}))


def test_a_run_of_one_step_cannot_be_made_shorter() -> None:
    plan, _ = small(lambda _plan: ("x", 1), steps=1)
    assert plan == Plan(3, 1, frozenset())


def test_there_is_an_end_to_trying() -> None:
    _, runs = small(lambda p: ("x", p.steps) if p.steps >= 7 and p.kinds else None, steps=10**5)
    assert len(runs.tried) <= TRIES_MAX + 1


def test_kinds_that_never_came_are_left_out_at_once() -> None:
    runs = Runs(lambda _plan: ("x", 1), seen=frozenset({"loss"}))
    shrunk(runs(Plan(3, 1, KINDS)), runs, lambda _text: None)
    assert [plan.kinds for plan in runs.tried] == [KINDS, frozenset({"loss"}), frozenset()]


def test_a_run_that_was_cut_off_is_left_as_it_is() -> None:
    runs = Runs(lambda _plan: ("x", 0))
    failed = runs(Plan(3, 100, KINDS))
    assert shrunk(failed, runs, lambda _text: None) is failed
    assert len(runs.tried) == 1
