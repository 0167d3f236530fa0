# SPDX-License-Identifier: Apache-2.0
"""What must hold after each step is seen at that very step, and not at the next rest.

A database is written to behind everybody's back in the middle of a run; the step after which that
is noticed must be the one at which it was done. What a statement needs is not there in every run:
the first seed counts in which it changes a row.
"""

import pytest

from harness.simulation.cast import ADM, HUB
from harness.simulation.run import Plan, Result, Simulator
from schemas.identifiers import Participant
from tests.simulation.planted import written_at

STEP = 15
STEPS, SEEDS = 30, 12
REGISTRY = ADM.participant
"""It has rows from the beginning, whatever the workload draws."""

LAST = "select rowid from blocks where last > first order by rowid desc limit 1"
SHRINK = f"update blocks set last = last - 1 where rowid = ({LAST})"
RESERVE = (
    "insert into overlays (book, kind, actor, key, first, last, reference, series, size_class) "
    "select book, 'reserved', actor, key, 900001, 900002, {reference}, series, 0 from blocks "
    "where {reference} is not null limit 1"
)
OPEN = "(select id from transactions where state = 'cleared')"
UPDATE = (
    "drop trigger log_entries_no_update; "
    "update log_entries set line = cast(replace(line, 'a', 'b') as blob) where position = 3"
)
DELETE = (
    "drop trigger log_entries_no_delete; "
    "delete from log_entries where position = (select max(position) from log_entries)"
)
WRITTEN = {
    "an old entry": (
        HUB,
        UPDATE,
        "the log is only added to",
    ),
    "the last entry": (
        HUB,
        DELETE,
        "the log is only added to",
    ),
    "a row of the hub": (HUB, SHRINK, "units are conserved"),
    "a row of a registry": (REGISTRY, SHRINK, "registries hold what was delivered"),
    "a reservation of the hub": (
        HUB,
        RESERVE.format(reference="'GHA01-GHA-1'"),
        "what is open is reserved, and nothing else",
    ),
    "a reservation for what is open": (
        HUB,
        RESERVE.format(reference=OPEN),
        "what is open is reserved, and nothing else",
    ),
}


def first_written(simulator: Simulator, participant: Participant, sql: str) -> Result:
    """The first run in which a statement has changed something."""
    for seed in range(1, SEEDS + 1):
        with written_at(STEP, participant, sql) as changed:
            result = simulator.run(Plan(seed, STEPS, frozenset()))
        if any(changed):
            return result
        assert result.failure is None, "nothing was written"
    raise AssertionError(f"{SEEDS} seeds have nothing to write to at that step")


@pytest.mark.requirement(53)
@pytest.mark.parametrize("what", WRITTEN)
def test_what_is_written_behind_everybodys_back_is_seen_at_that_step(
    simulator: Simulator, what: str
) -> None:
    participant, sql, invariant = WRITTEN[what]
    failure = first_written(simulator, participant, sql).failure
    assert failure is not None
    assert (failure.step, failure.invariant) == (STEP, invariant), failure
