# SPDX-License-Identifier: Apache-2.0
"""A run that failed is made shorter, fails the same way, and the command that is printed repeats
it.
"""

import re
import shlex
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from harness.simulation.cli import app
from harness.simulation.run import Plan, Simulator
from harness.simulation.shrink import shrunk
from tests.simulation.planted import BUGS

PLAN = Plan(1, 30, frozenset({"loss", "partition"}))


@pytest.fixture
def planted() -> Iterator[None]:
    with BUGS["expiry forgets to release"].plant():
        yield


@pytest.mark.usefixtures("planted")
def test_a_failed_run_is_made_shorter_and_fails_the_same_way(simulator: Simulator) -> None:
    failed = simulator.run(PLAN)
    assert failed.failure is not None
    progress: list[str] = []
    small = shrunk(failed, simulator.run, progress.append)
    assert small.failure is not None
    assert small.failure.invariant == failed.failure.invariant
    assert small.plan.steps <= failed.failure.step < PLAN.steps
    assert small.plan.kinds <= PLAN.kinds
    assert progress
    assert simulator.run(small.plan).trace == small.trace


@pytest.mark.usefixtures("planted")
def test_the_command_that_is_printed_for_a_failed_run_repeats_it() -> None:
    told = CliRunner().invoke(app, shlex.split(PLAN.command)[2:])
    assert told.exit_code == 1
    assert "FAILED: 30 steps" in told.output
    assert "Traceback" not in told.output
    command = re.search(r"^  a6hub simulate (.*)$", told.output, re.MULTILINE)
    assert command is not None
    again = CliRunner().invoke(app, shlex.split(command[1]))
    assert again.exit_code == 1
    invariant = re.search(r"^The invariant: (.*)$", told.output, re.MULTILINE)
    assert invariant is not None
    assert invariant[0] in again.output
    assert again.output.splitlines()[-1].startswith("trace ")


def test_the_same_command_passes_when_the_bug_is_gone() -> None:
    done = CliRunner().invoke(app, ["--steps", "10", "--faults", "none"])
    assert done.exit_code == 0
    assert "every invariant held: 10 steps" in done.output
