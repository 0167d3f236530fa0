# SPDX-License-Identifier: Apache-2.0
"""Bringing a federation to rest: faults end, everybody comes back, and what is under way ends.

It is at rest when nothing waits anywhere: no command on a desk, no transaction open at the hub or
at a registry, no envelope missing, no entry undelivered, no checkpoint unanswered, no question of
the reconciliation service open. If that does not come about in a long while, something has been
lost, and that is a violation.

Elsewhere: what must hold then (`invariants`), evidence at the end (`proofs`).
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta

from harness.simulation.cast import HUB, REC, ROG
from harness.simulation.disturb import Disturber
from harness.simulation.edits import set_right
from harness.simulation.invariants import Ledgers, Violation
from harness.simulation.proofs import prove
from harness.simulation.voice import Voice
from harness.simulation.world import HEARTBEAT_SECONDS, World
from runtime.memory import Faults
from schemas.directory import Status
from schemas.identifiers import Actor, Instant

__all__ = ["come_to_rest"]

PATIENCE_SECONDS = 3000.0
CONFIRMED_SECONDS = 60.0
"""An envelope that is unconfirmed for longer is lost; heartbeats are always under way."""


async def come_to_rest(
    world: World, ledgers: Ledgers, disturber: Disturber, voice: Voice, *, last: bool
) -> None:
    """End all faults, wait for rest, hold everything to the invariants; set edited rows right, and
    once more. Faults may come again afterwards, unless it is the last rest: then it is proven what
    some transactions came to.
    """
    with _calm(world):
        await _come_to_rest(world, ledgers, disturber, voice)
        if last:
            await prove(world)


@contextmanager
def _calm(world: World) -> Iterator[None]:
    """No faults by chance for a while."""
    for dice in world.dice.values():
        dice.armed = False
    world.exchange.faults = Faults()
    yield
    for dice in world.dice.values():
        dice.armed = True
    world.exchange.faults = world.chances.broker()


async def _come_to_rest(world: World, ledgers: Ledgers, disturber: Disturber, voice: Voice) -> None:
    disturber.undo()
    await world.everybody_back()
    await _until_recovered(world, voice)
    for participant in (*world.cast.programs, ROG.participant):
        if participant not in {HUB, REC}:
            await disturber.set_status(participant, Status.ACTIVE)
    await voice.hand_over()
    for transaction in list(voice.offered):
        await voice.say([voice.answer(transaction, "rejection")])
    await _rest(world, ledgers, voice, edited=bool(disturber.diverged))
    await ledgers.at_rest()
    if disturber.diverged:
        for actor in sorted(disturber.diverged):
            await set_right(world, actor, ledgers.auditor.units(actor))
        disturber.diverged.clear()
        await _rest(world, ledgers, voice, edited=True)
        await ledgers.at_rest()


async def _until_recovered(world: World, voice: Voice) -> None:
    """Wait until the hub has been given back what it lost: until then it takes no command."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    while await world.recovers():
        if loop.time() > deadline:
            raise Violation("everything comes to an end", "the hub recovers")
        await asyncio.sleep(1.3)
        await voice.hear()


async def _rest(world: World, ledgers: Ledgers, voice: Voice, *, edited: bool) -> None:
    """Wait until nothing is under way; people answer what waits for them."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    if edited:  # a heartbeat asks for statements, and cases come of them
        await asyncio.sleep(2 * HEARTBEAT_SECONDS)
    quiet, looks = 0, 0
    while quiet < 2:
        looks += 1
        # Never in step with anything periodic, or the same moment would be seen again and again.
        await asyncio.sleep(min(2.0 + looks * 0.7, 23.0) + looks % 7 * 0.6)
        await voice.hear()
        await ledgers.follow()
        late = loop.time() > deadline
        waits = await _first(_under_way(world, voice), 6 if late else 1)
        quiet = 0 if waits else quiet + 1
        if late and waits:
            raise Violation("everything comes to an end", "; ".join(waits))
        if waits:
            await _answer(world)


async def _first(found: AsyncIterator[str], most: int) -> list[str]:
    """The first few; looking for all of them takes its time."""
    chosen: list[str] = []
    async for one in found:
        chosen.append(one)
        if len(chosen) == most:
            break
    return chosen


async def _answer(world: World) -> None:
    """Operators answer every clearance that waits for them."""
    for participant in world.manual:
        open_ = await world.rows(participant, "select 1 from desk where state = 'open'")
        if open_:
            continue
        rows = await world.rows(
            participant,
            "select id from transactions where waiting = 1 and state = 'cleared' order by id",
        )
        for number, row in enumerate(rows):
            command = "reject" if number % 3 == 0 else "accept"
            await world.command(participant, command, transaction=row.id)


async def _under_way(world: World, voice: Voice) -> AsyncIterator[str]:
    """What is not at an end yet, in words."""
    taken = await world.rows(HUB, "select last from sequences where sender = :a", a=str(ROG))
    heard = taken[0].last if taken else 0
    if heard != voice.said:
        yield f"HUB has heard {heard} of {voice.said} envelopes of the rogue"
    old = world.right.now().moment() - timedelta(seconds=CONFIRMED_SECONDS)
    for participant in world.cast.programs:
        life = world.lives.get(participant)
        if life is None:
            yield f"{participant} is away"
        elif life.broker.unacknowledged or world.exchange.waiting(str(participant)):
            yield f"{participant} has not handled all that came"
        for table, what in (
            ("desk where state = 'open'", "open commands"),
            ("outbox where confirmed = 0 and sealed_at < :old", "unconfirmed envelopes"),
            ("inbox where applied = 0", "envelopes behind a gap"),
        ):
            sql = f"select count(*) from {table}"
            found = (await world.rows(participant, sql, old=str(Instant.of(old))))[0][0]
            if found:
                yield f"{participant} has {found} {what}"
        if participant == REC:
            continue
        rows = await world.rows(
            participant, "select id from transactions where state in ('proposed', 'cleared')"
        )
        if rows:
            yield f"{participant} has open {', '.join(sorted(row.id for row in rows))}"
    async for one in _undelivered(world):
        yield one


async def _undelivered(world: World) -> AsyncIterator[str]:
    size = (await world.rows(HUB, "select count(*) from log_entries"))[0][0]
    held = (await world.rows(REC, "select count(*) from entries"))[0][0]
    if held != size:
        yield f"REC holds {held} of {size} entries"
    if (await world.rows(REC, "select count(*) from drills"))[0][0]:
        yield "REC has questions open"
    due = {
        row.actor: row.n
        for row in await world.rows(
            HUB, "select actor, count(*) as n from deliveries group by actor"
        )
    }
    stated = {
        row.actor: row.delivered
        for row in await world.rows(HUB, "select actor, delivered from statements")
    }
    standings = {
        row.actor: row
        for row in await world.rows(REC, "select actor, delivered, equal from standings")
    }
    for actor in world.cast.holders:
        number = due.get(str(actor), 0)
        applied = await world.rows(
            Actor(actor).participant,
            "select count(*) from deliveries where actor = :a",
            a=str(actor),
        )
        if applied[0][0] != number:
            yield f"{actor} has applied {applied[0][0]} of {number}"
        if stated.get(str(actor), 0) != number:
            yield f"{actor} has stated {stated.get(str(actor), 0)} of {number}"
        standing = standings.get(str(actor))
        if standing is None or standing.delivered != number or standing.equal is None:
            yield f"REC has not compared {actor}"
