# SPDX-License-Identifier: Apache-2.0
"""Seed files as they should be; wrong ones are in `tests/simulation/test_bad_input.py`."""

from pathlib import Path

from harness.simulation.chances import KINDS
from harness.simulation.run import Plan
from harness.simulation.seeds import read_seeds


def test_runs_are_read_in_order_with_what_is_usual_where_nothing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "seeds.toml"
    path.write_text(
        '[[run]]\nseed = 9\nsteps = 5\n\n[[run]]\nseed = 0\nsteps = 7\nfaults = "loss, crash"\n'
        'registries = 3\nwhy = "once failed"\n'
    )
    first, second = read_seeds(path)
    assert first.plan == Plan(9, 5, frozenset(KINDS), 2)
    assert second.plan == Plan(0, 7, frozenset({"loss", "crash"}), 3)
    assert second.why == "once failed"


def test_a_plan_names_the_command_that_runs_it_again() -> None:
    command = Plan(9, 5, frozenset({"loss"}), 3).command
    assert command == "a6hub simulate --seed 9 --steps 5 --faults loss --registries 3"
