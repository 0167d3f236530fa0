# SPDX-License-Identifier: Apache-2.0
"""A registry is cut off for longer than any clock may be wrong: what it missed, and what was missed
of it, comes all the same, in order and once.
"""

import asyncio
from typing import Any

import pytest

from runtime import events
from runtime.memory import MemoryBroker
from schemas.envelope import open_envelope
from schemas.identifiers import Participant
from schemas.limits import CLOCK_AHEAD_SECONDS_MAX
from tests.cast import CHE, GHA, HUB, I, U, first_transfer, issuance, use
from tests.federation import Federation, Settings

GHANA = Participant("GHA01")
OUTAGE_SECONDS = 7200.0
DAY = {"lifetime_seconds": 86400}

slowly = pytest.mark.parametrize("settings", [Settings(checkpoint_seconds=60.0, tick_seconds=5.0)])


async def last_taken(federation: Federation) -> int:
    """The last sequence of Ghana's that the hub has taken."""
    sql = "select last from sequences where sender = :s and recipient = 'HUB'"
    (row,) = await federation.rows(HUB, sql, s=str(GHA))
    return int(row.last)


async def in_order(federation: Federation) -> None:
    """Ghana has applied what was delivered to it, in the order of the log; nothing is left over."""
    of_ghana = "select position from deliveries where actor = :a order by"
    delivered = await federation.rows(HUB, f"{of_ghana} number", a=str(GHA))
    applied = await federation.rows(GHANA, f"{of_ghana} applied_at, position", a=str(GHA))
    assert [tuple(row) for row in applied] == [tuple(row) for row in delivered]
    for place in (HUB, GHANA):
        assert await federation.rows(place, "select * from dead_letters") == []
    assert federation.logged(events.ENVELOPE_DEAD) == []


async def ends(federation: Federation, *transactions: str) -> list[Any]:
    """Where the log has the ends of transactions; all of them are completed."""
    for transaction in transactions:
        assert await federation.ended(transaction, 600) == "completed"
    return [
        next(
            m.body.position
            for m in await federation.entries()
            if m.conversation == transaction and m.body.state == "completed"
        )
        for transaction in transactions
    ]


@slowly
async def test_a_registry_that_was_cut_off_for_two_hours_catches_up(
    federation: Federation,
) -> None:
    assert OUTAGE_SECONDS > 10 * CLOCK_AHEAD_SECONDS_MAX
    await federation.settled(600)
    federation.exchange.partition(str(GHANA))
    before = await last_taken(federation)
    said = [
        await federation.propose(GHA, issuance(GHA, U, 2001, 2010), **DAY),
        await federation.propose(GHA, first_transfer(201, 210, 201), **DAY),
    ]
    meanwhile = await federation.propose(CHE, use(I, 1, 50, CHE))
    await asyncio.sleep(OUTAGE_SECONDS)
    assert await federation.state(meanwhile) == "completed", "the others go on"
    assert await last_taken(federation) == before
    assert await federation.state(meanwhile, GHANA) is None
    federation.exchange.heal(str(GHANA))
    there = await ends(federation, meanwhile, *said)
    assert there == sorted(there)
    await federation.settled(600)
    await in_order(federation)


@slowly
async def test_a_gap_that_is_older_than_any_skew_is_mended_and_what_waited_behind_it_goes_on(
    federation: Federation,
) -> None:
    """The broker had confirmed Ghana's first envelope and lost it; the second one waits behind it
    for two hours, since nobody can reach Ghana to ask for the first.
    """
    await federation.settled(600)
    before = await last_taken(federation)
    await federation.stop(HUB)
    first = await federation.propose(GHA, issuance(GHA, U, 2001, 2010), **DAY)
    await withheld(federation, before + 1)
    second = await federation.propose(GHA, first_transfer(201, 210, 201), **DAY)
    await asyncio.sleep(2)
    federation.exchange.partition(str(GHANA))
    await federation.start(HUB)
    await asyncio.sleep(OUTAGE_SECONDS)
    assert await last_taken(federation) == before, "what is early waits"
    assert await federation.state(second) is None
    assert federation.logged(events.GAP_ASKED)
    federation.exchange.heal(str(GHANA))
    there = await ends(federation, first, second)
    assert there == sorted(there)
    await federation.settled(600)
    await in_order(federation)


async def withheld(federation: Federation, sequence: int) -> None:
    """Everything in the hub's inbox is gone, though it was confirmed; among it Ghana's envelope."""
    thief = MemoryBroker(federation.exchange, str(HUB))
    await thief.open()
    taken: list[int | None] = []
    async with asyncio.timeout(60):
        while sequence not in taken:
            arrivals = await thief.receive(100, 1.0)
            manifests = [open_envelope(arrival.body).manifest for arrival in arrivals]
            taken += [m.sequence for m in manifests if m.sender == GHA]
            await thief.acknowledge(arrivals)
    await thief.close()
