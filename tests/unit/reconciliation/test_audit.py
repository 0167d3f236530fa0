# SPDX-License-Identifier: Apache-2.0
"""Whatever is traded and whatever is edited behind a registry's back: every unit that differs is in
exactly one open case, and no other unit is. Unit by unit, by a model that knows no trees."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from schemas.effects import Restate
from tests.unit.reconciliation.world import (
    GHANA,
    PLAIN,
    SWISS,
    USED,
    FakeNode,
    World,
    brief,
    holding,
    move,
)

SERIALS = 3_000


async def cells(node: FakeNode) -> dict[int, tuple[str, str]]:
    """Account and attributes of every unit that the rows have."""
    async with node.store.snapshot() as session:
        rows = await session.execute(text("select first, last, account, attributes from blocks"))
        return {
            serial: (row.account, row.attributes)
            for row in rows
            for serial in range(row.first, row.last + 1)
        }


async def trade(world: World, model: dict[int, tuple[str, str]], dice: random.Random) -> None:
    """Ghana issues, restates and hands over; `model` is what Switzerland should hold."""
    await world.log(move(1, SERIALS, holding(GHANA)), to=[GHANA])
    for first in range(1, SERIALS, 100):
        last = first + dice.randrange(100)
        if dice.random() < 0.6:
            await world.log(move(first, last, holding(SWISS), holding(GHANA)), to=[GHANA, SWISS])
            model.update((s, (holding(SWISS).account, PLAIN.text)) for s in range(first, last + 1))
            if dice.random() < 0.3:
                await world.log(
                    Restate(
                        key=move(1, 1, holding(SWISS)).key,
                        first=first,
                        last=last,
                        position=holding(SWISS),
                        before=PLAIN,
                        after=USED,
                    ),
                    to=[SWISS],
                )
                model.update(
                    (s, (holding(SWISS).account, USED.text)) for s in range(first, last + 1)
                )


async def tamper(node: FakeNode, dice: random.Random) -> None:
    for _ in range(dice.randrange(1, 8)):
        first = dice.randrange(1, SERIALS)
        how = dice.choice(
            [
                "delete from blocks where first >= :f and first < :f + 300",
                "update blocks set last = first where first >= :f and first < :f + 200",
                "update blocks set attributes = :a where first >= :f and first < :f + 400",
                "update blocks set account = :c where first >= :f and first < :f + 200",
                "update blocks set last = last + 9 where first = (select max(first) from blocks)",
            ]
        )
        parameters = {"f": first, "a": USED.text, "c": holding(SWISS, 2).account}
        names = {n for n in parameters if f":{n}" in how}
        await node.sql(how, **{n: parameters[n] for n in names})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = await World.begin(tmp_path)
    yield world
    await world.store.close()


@pytest.mark.parametrize("seed", range(8))
async def test_exactly_what_differs_is_named(world: World, seed: int) -> None:
    dice = random.Random(seed)
    model: dict[int, tuple[str, str]] = {}
    await trade(world, model, dice)
    node = world.nodes[SWISS]
    assert await cells(node) == model
    for _ in range(3):
        await tamper(node, dice)
        await world.examine(SWISS)
        stated = await cells(node)
        differ = {s for s in model.keys() | stated.keys() if model.get(s) != stated.get(s)}
        found = [d for d in await world.discrepancies() if d.state == "open"]
        named = [s for d in found for s in range(d.first, d.last + 1)]
        assert len(named) == len(set(named))
        # A case stays whole while any unit of it differs.
        assert differ <= set(named)
        assert all(differ.intersection(range(d.first, d.last + 1)) for d in found)
    assert brief(await world.examine(GHANA)) == []
    assert await world.alarms() == []
