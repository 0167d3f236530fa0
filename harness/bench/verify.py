# SPDX-License-Identifier: Apache-2.0
"""Correctness before speed: whether a round of ours came out right, or does not count.

Every transfer is completed at the hub and settled; the log has the entries that it must have; each
registry's rows are those of the log, block by block; no unit was made or lost; the reconciliation
service has compared every actor's holdings root and found it equal.
"""

from collections import Counter

from harness.bench.course import ACQUIRER, SENDER, UNITS
from harness.remote import Overdue, Remote, wait_for
from ledger.blocks import Block, join
from runtime.rows import read_block
from schemas.identifiers import HUB, REC, Actor, Participant
from schemas.units import Layer

__all__ = ["RoundFailed", "verify"]

ENTRIES = 2
"""Of each transfer: cleared, completed."""
PATIENCE_SECONDS = 60.0


class RoundFailed(RuntimeError):
    """A round that does not count; the text says what is wrong."""


async def verify(remote: Remote, transfers: int, log_before: int, *, left: int = 0) -> None:
    """Hold a round of so many transfers to what must have come of it; raises `RoundFailed`. `left`
    are the ITMOs that were not handed on.
    """
    try:
        await wait_for(lambda: _all_equal(remote), PATIENCE_SECONDS, "the comparison of all roots")
    except Overdue as error:
        raise RoundFailed(str(error)) from None
    states = Counter(
        row.state
        for row in await remote.rows(HUB, "select state from transactions where action='transfer'")
    )
    _must(states == {"completed": transfers}, f"transfers ended as {dict(states)}")
    (log,) = await remote.rows(HUB, "select count(*) as n from log_entries")
    expected = log_before + ENTRIES * transfers
    _must(log.n == expected, f"the log has {log.n} entries, not {expected}")
    for actor, units in ((SENDER, left), (ACQUIRER, transfers * UNITS)):
        held = await _held(remote, HUB, actor)
        rows = await _held(remote, actor.participant, actor)
        _must(rows == held, f"the rows of {actor} are not those of the log")
        itmos = sum(b.last - b.first + 1 for b in held if b.key.layer is Layer.ITMO)
        _must(itmos == units, f"{actor} holds {itmos} ITMOs, not {units}")
    cases = await remote.rows(REC, "select id from cases")
    _must(not cases, f"{len(cases)} discrepancies were found")


def _must(holds: object, otherwise: str) -> None:
    if not holds:
        raise RoundFailed(otherwise)


async def _all_equal(remote: Remote) -> bool | None:
    """Whether everything delivered is stated as applied and every stated root is the expected."""
    if not await remote.settled():
        return None
    standings = await remote.rows(REC, "select equal, holdings, expected from standings")
    good = all(row.equal and row.holdings == row.expected for row in standings)
    return True if standings and good else None


async def _held(remote: Remote, at: Participant, actor: Actor) -> list[Block]:
    """An actor's blocks by some program's rows, joined as far as they go."""
    sql = "select * from blocks where actor = :actor"
    rows = await remote.rows(at, sql, actor=str(actor))
    return list(join(read_block(row._mapping) for row in rows))  # noqa: SLF001 - SQLAlchemy's name
