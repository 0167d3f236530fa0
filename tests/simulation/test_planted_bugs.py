# SPDX-License-Identifier: Apache-2.0
"""The simulation bites: every planted bug is caught, by an invariant that is known, within so many
seeds.

The run that fails passes without the bug, or it would be no proof of anything. Faults are chosen
that bring a bug out soon; all of them together do so later. Elsewhere: the bugs (`planted`), the
table of them (`docs/reliability.md`).
"""

import re
from pathlib import Path

import pytest

from harness.simulation.chances import parse_kinds
from harness.simulation.run import Plan, Result, Simulator
from tests.simulation.planted import BUGS, Bug

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
each_bug = pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)


def caught(simulator: Simulator, bug: Bug) -> Result | None:
    """The first run that fails within the seeds of a bug that is planted."""
    for seed in range(1, bug.seeds + 1):
        plan = Plan(seed, bug.steps, parse_kinds(bug.faults))
        with bug.plant():
            result = simulator.run(plan)
        if result.failure is not None:
            return result
    return None


@each_bug
def test_a_planted_bug_is_caught_within_its_seeds(simulator: Simulator, bug: Bug) -> None:
    found = caught(simulator, bug)
    assert found is not None, f"{bug.seeds} seeds have not shown it: {bug.text}"
    assert found.failure is not None
    assert found.failure.invariant in {bug.invariant, bug.or_else}, found.failure
    assert simulator.run(found.plan).failure is None, "the bug is not what was caught"


def test_a_planted_bug_is_gone_when_its_context_is_left(simulator: Simulator) -> None:
    plan = Plan(1, 20, frozenset())
    before = simulator.run(plan).trace
    for bug in BUGS.values():
        with bug.plant():
            pass
    assert simulator.run(plan).trace == before


def test_there_are_at_least_as_many_planted_bugs_as_were_promised() -> None:
    assert len(BUGS) >= 9
    assert all(bug.seeds <= 12 for bug in BUGS.values())


def test_the_table_of_planted_bugs_in_the_documents_is_that_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    section = page.partition("\n## Planted bugs\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!Bug |---)(.*) \|$", section, re.MULTILINE)
    assert rows == [
        f"{name} | {bug.text} | {bug.invariant} | {bug.seeds}" for name, bug in BUGS.items()
    ]
