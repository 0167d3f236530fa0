# SPDX-License-Identifier: Apache-2.0
"""A simulator for the tests of one module."""

from collections.abc import Iterator

import pytest

from harness.simulation.campaign import simulating
from harness.simulation.run import Plan, Simulator


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """Establishing a federation takes a second; runs of one simulator share it. It is established
    here, by programs in which no bug is planted.
    """
    with simulating() as one:
        one.run(Plan(0, 1, frozenset()))
        yield one
