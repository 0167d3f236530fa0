# SPDX-License-Identifier: Apache-2.0
"""A run that failed is made shorter, fails the same way, and the command that is printed repeats
it.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence

import pytest
from typer.testing import CliRunner

from harness.simulation import cli
from harness.simulation.campaign import Campaign
from harness.simulation.cli import app
from harness.simulation.run import Plan, Result, Simulator
from harness.simulation.shrink import shrunk
from tests.simulation.planted import BUGS, replaced

STEPS, KINDS, SEEDS = 30, frozenset({"loss", "partition"}), 60


@pytest.fixture
def planted() -> Iterator[None]:
    with BUGS["expiry forgets to release"].plant():
        yield


@pytest.fixture(scope="module")
def failed(simulator: Simulator) -> Result:
    """The first run that fails by the planted bug before its last step."""
    with BUGS["expiry forgets to release"].plant():
        for seed in range(1, SEEDS + 1):
            result = simulator.run(Plan(seed, STEPS, KINDS))
            if result.failure is not None and result.failure.step < STEPS:
                return result
    raise AssertionError(f"{SEEDS} seeds have not shown the planted bug")


@pytest.mark.usefixtures("planted")
def test_a_failed_run_is_made_shorter_and_fails_the_same_way(
    simulator: Simulator, failed: Result
) -> None:
    assert failed.failure is not None
    progress: list[str] = []
    small = shrunk(failed, simulator.run, progress.append)
    assert small.failure is not None
    assert small.failure.invariant == failed.failure.invariant
    assert small.plan.steps <= failed.failure.step < STEPS
    assert small.plan.kinds <= KINDS
    assert progress
    assert simulator.run(small.plan).trace == small.trace


@pytest.mark.usefixtures("planted")
def test_the_command_that_is_printed_for_a_failed_run_repeats_it(failed: Result) -> None:
    told = CliRunner().invoke(app, shlex.split(failed.plan.command)[2:])
    assert told.exit_code == 1
    assert f"FAILED: {STEPS} steps" in told.output
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


def test_each_failure_of_a_campaign_has_its_command_and_the_first_few_are_made_shorter() -> None:
    def all_fail(
        plans: Sequence[Plan], _jobs: int, progress: Callable[[Campaign, Result], None]
    ) -> Campaign:
        campaign = Campaign()
        for plan in plans:
            campaign.add(Result.of_failure(plan, "made up"))
            progress(campaign, campaign.failed[-1])
        return campaign

    with replaced((cli, "run_campaign", all_fail)):
        told = CliRunner().invoke(app, ["--runs", "7", "--steps", "9", "--faults", "loss"])
    assert told.exit_code == 1
    as_it_came, _, at_the_end = told.output.partition("Shortest run found")
    for seed in range(1, 8):
        assert f"  {Plan(seed, 9, frozenset({'loss'})).command}\n" in as_it_came
    assert at_the_end.count("Shortest run found") + 1 == cli.SHRUNK_MAX
