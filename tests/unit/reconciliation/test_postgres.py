# SPDX-License-Identifier: Apache-2.0
"""The same statements on PostgreSQL: follow, compare, name, know, close."""

from pathlib import Path

from reconciliation import report
from reconciliation.examine import ReconcilerSettings
from tests.unit.reconciliation.steps import hand_over, issue
from tests.unit.reconciliation.world import GHANA, SWISS, World, brief


async def test_a_difference_from_its_first_statement_to_its_end(
    tmp_path: Path, database_url: str
) -> None:
    world = await World.begin(tmp_path, database_url)
    world.settings = ReconcilerSettings(inquiry_seconds=10, overdue_seconds=15)
    await world.restart()
    try:
        await _life_of_a_difference(world)
    finally:
        await world.store.close()


async def _life_of_a_difference(world: World) -> None:
    node = world.nodes[SWISS]
    await issue(world, GHANA, 1, 1_916)
    await hand_over(world, 1, 1_916)
    await node.sql("update blocks set last = 1960")
    await world.feed(await world.stated(SWISS))
    world.later(11)
    await world.tick()
    world.later(11)
    said = await world.tick()
    assert brief([s.message.body for s in said if s.message.type == "case"]) == [
        ("statement-overdue", 1, 1_916)
    ]
    await world.restart()
    world.later(16)
    notices = await world.settle(await world.tick())
    assert brief(notices) == [("held-without-issuance", 1_917, 1_960)]
    await issue(world, GHANA, 2_001, 2_010)
    assert await world.feed(await world.stated(SWISS), await world.stated(GHANA)) == []
    await hand_over(world, 2_001, 2_010)
    await world.restart()
    assert await world.feed(await world.stated(SWISS)) == []  # the known difference
    async with world.store.snapshot() as session:
        (total,) = await report.totals(session)
        positions = {p.actor: p for p in await report.positions(session)}
    assert (total.expected, total.stated) == (1_916, 1_960)
    assert (positions[SWISS].equal, positions[SWISS].open_cases) == (False, 1)
    await node.sql("update blocks set last = 1916 where first = 1")
    (closed,) = await world.examine(SWISS)
    assert not closed.open
    old, new = world.hub.checkpoint(), world.hub.entry()
    assert [s.message.type for s in await world.feed(new, old)] == ["statement"]
    await world.restart()
    assert [s.message.type for s in await world.feed(old, new)] == ["statement"]
    assert await world.alarms() == []
    assert [d.state for d in await world.discrepancies()] == ["closed", "closed"]
