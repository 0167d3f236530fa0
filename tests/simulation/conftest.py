# SPDX-License-Identifier: Apache-2.0
"""A simulator for the tests of one module, and logging set back to what it was after each test."""

from collections.abc import Iterator

import pytest
import structlog

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


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A simulator takes all that programs log for itself."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
