# SPDX-License-Identifier: Apache-2.0
"""Nobody has to trust the hub: whoever it lies to finds out, in a run like any other, and the run
is over. The same run passes with a hub that does not lie.
"""

import re

import pytest

from harness.simulation.run import Plan, Simulator
from tests.simulation.lies import LIES, Lie
from tests.simulation.planted import FAULT_ITSELF

PLAN = Plan(2, 40, frozenset())


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_whoever_is_lied_to_finds_out(simulator: Simulator, lie: Lie) -> None:
    with lie.plant():
        failure = simulator.run(PLAN).failure
    assert failure is not None, lie.text
    assert failure.invariant == FAULT_ITSELF
    assert lie.event in failure.detail
    assert re.search(lie.said, failure.detail), failure.detail


def test_the_same_run_passes_with_a_hub_that_does_not_lie(simulator: Simulator) -> None:
    assert simulator.run(PLAN).failure is None
