# SPDX-License-Identifier: Apache-2.0
"""Nobody has to trust the hub: whoever it lies to finds out, in a run like any other, and the run
is over. The same run passes with a hub that does not lie. Not every run has an entry to lie about:
the first seed counts in which the hub has lied.
"""

import re

import pytest

from harness.simulation.run import Plan, Result, Simulator
from tests.simulation.lies import LIES, Lie
from tests.simulation.planted import FAULT_ITSELF

STEPS, SEEDS = 40, 12


def first_told(simulator: Simulator, lie: Lie) -> Result:
    """The first run in which the hub has lied."""
    for seed in range(1, SEEDS + 1):
        with lie.plant() as lied:
            result = simulator.run(Plan(seed, STEPS, frozenset()))
        if lied:
            return result
        assert result.failure is None, "nobody was lied to"
    raise AssertionError(f"{SEEDS} seeds have nothing to lie about")


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_whoever_is_lied_to_finds_out(simulator: Simulator, lie: Lie) -> None:
    found = first_told(simulator, lie)
    assert found.failure is not None, lie.text
    assert found.failure.invariant == FAULT_ITSELF
    assert lie.event in found.failure.detail
    assert re.search(lie.said, found.failure.detail), found.failure.detail
    assert simulator.run(found.plan).failure is None, "the lie is not what was found"
