# SPDX-License-Identifier: Apache-2.0
"""Many seeds under all faults without a violation, every kept run, and one trace for one seed.

Elsewhere: that a violation would be seen (`test_planted_bugs`), wrong arguments
(`test_bad_input`), making a failed run shorter (`test_shrinking`).
"""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.console import logging_from
from harness.simulation.chances import KINDS
from harness.simulation.run import Plan, Simulator
from harness.simulation.seeds import KeptRun, read_seeds
from tests.simulation.background import campaign

ROOT = Path(__file__).parents[2]
KEPT = read_seeds(Path(__file__).parent / "seeds.toml")
FINDINGS_MIN = 44
"""Reasons for refusing that a hundred seeds reach; some are left to luck."""


@pytest.mark.requirement(33, 53)
@pytest.mark.campaign
def test_a_hundred_seeds_of_two_hundred_steps_hold_every_invariant_and_reach_what_they_should() -> (
    None
):
    done = campaign()
    assert [f"{result.plan.seed}: {result.failure}" for result in done.failed] == []
    assert (done.runs, done.steps) == (100, 20_000)
    missing = done.coverage.missing()
    assert missing["faults"] == []
    assert missing["transitions"] == []
    assert [one for one in missing["actions"] if one.endswith("completed")] == []
    assert len(done.coverage.findings) >= FINDINGS_MIN, missing["findings"]


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: f"seed {kept.seed}")
def test_a_kept_run_passes_now(simulator: Simulator, kept: KeptRun) -> None:
    assert simulator.run(kept.plan).failure is None


def test_every_kept_run_says_what_was_wrong_and_stands_in_the_documents() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    for kept in KEPT:
        assert kept.why
        text = kept.why[0].upper() + kept.why[1:]
        assert f"| {kept.seed} | {kept.steps} | {text} |" in page


@pytest.mark.parametrize("registries", [1, 2, 3])
def test_a_run_without_faults_holds_with_any_number_of_registries(
    simulator: Simulator, registries: int
) -> None:
    result = simulator.run(Plan(7, 40, frozenset(), registries))
    assert result.failure is None
    assert result.coverage.faults.total() == 0
    assert result.entries > 0


# --- one seed, one trace ------------------------------------------------------------------------


def test_a_seed_has_one_trace_in_this_process_and_in_any_other(
    simulator: Simulator, tmp_path: Path
) -> None:
    plan = Plan(5, 60, frozenset(KINDS))
    first = simulator.run(plan)
    simulator.run(Plan(6, 30, frozenset(KINDS)))  # what ran before does not matter
    with logging_from(logging.CRITICAL):  # nor how much this process shows of what it logs
        again = simulator.run(plan, tmp_path / "events")
    assert first.failure is None
    assert again.trace == first.trace
    assert (tmp_path / "events").read_text().count("\n") > 100
    for hash_seed in ("1", "4711"):
        printed = fresh_process(plan, hash_seed)
        assert printed.splitlines()[-1] == f"trace {first.trace}"


def test_another_seed_has_another_trace(simulator: Simulator) -> None:
    traces = {simulator.run(Plan(seed, 10, frozenset())).trace for seed in range(3)}
    assert len(traces) == 3


def fresh_process(plan: Plan, hash_seed: str) -> str:
    """What the command prints about a plan."""
    command = plan.command.split()[1:]
    code = "from harness.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    return done.stdout
