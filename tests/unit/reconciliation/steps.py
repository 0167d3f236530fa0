# SPDX-License-Identifier: Apache-2.0
"""What a test has happen: units are issued and handed over, a row is added, a command is given.

Elsewhere: the hub and the nodes that it happens to (`world`).
"""

import json
from itertools import count
from typing import Any

from reconciliation.report import Discrepancy
from runtime.program import Batch, Order
from schemas.identifiers import Actor
from schemas.units import Key
from tests.unit.reconciliation.world import GHANA, KEY, SWISS, World, holding, move

ADD = (
    "insert into blocks (book, series, first, last, key, slot, attributes, actor, kind, account) "
    "select book, series, :first, :last, key, slot, attributes, actor, kind, account "
    "from blocks limit 1"
)
"""A row beside the first one, behind a program's back."""

CASE = "REC-1"
NUMBERS = count(1)


async def issue(world: World, actor: Actor, first: int, last: int, key: Key = KEY) -> None:
    """Units come into being at an actor."""
    await world.log(move(first, last, holding(actor), key=key), to=[actor])


async def hand_over(world: World, first: int, last: int, lose: Actor | None = None) -> None:
    """Ghana transfers units to Switzerland; whoever is to `lose` them does not apply that."""
    effect = move(first, last, holding(SWISS), holding(GHANA))
    await world.log(effect, to=[GHANA, SWISS], lose=[lose] if lose else [])


async def give(world: World, operator: str, command: str, **arguments: Any) -> tuple[bool, str]:
    """A command as the handler hands it over: done or not, and its result."""
    order = Order(next(NUMBERS), command, operator, json.loads(json.dumps(arguments)))
    batch = Batch(now=world.now, ids=world.ids)
    async with world.store.transaction() as session:
        facts = await world.rec.load(session, [order], batch)
        found = world.rec.decide(facts, order, batch)
        await world.rec.finish(session, facts, batch)
    world.rec.committed(facts)
    world.events += [event for event, _ in batch.events]
    assert bool(found) != bool(batch.results.get(order.id))
    return not found, "; ".join(map(str, found)) or batch.results[order.id]


async def the_case(world: World) -> Discrepancy:
    (case,) = await world.discrepancies()
    return case
