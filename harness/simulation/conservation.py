# SPDX-License-Identifier: Apache-2.0
"""Units are conserved, at any moment: at the hub all that was issued, at a registry its share.

The hub's rows hold of each key what was ever issued of it, each unit once. A registry's rows hold
what its actors held by the model after the last entry that it has applied, whichever that is: it
may be behind the log, and has neither more nor less than the entries up to there say.

Elsewhere: that they are the right units, in the right accounts, which is asked at rest
(`invariants`), and what is reserved (`reservations`).
"""

from collections.abc import Container

from harness.simulation.auditor import Auditor
from harness.simulation.cast import HUB
from harness.simulation.world import World
from schemas.identifiers import Actor, Participant

__all__ = ["in_two_positions", "wrong_at_hub", "wrong_at_registry"]

_TWICE = (
    "select key, first from (select key, first, lag(last) over (partition by series "
    "order by first) as before from blocks) where first <= before"
)
_SUMS = "select key, sum(last - first + 1) as units from blocks group by key"
_SHARE = (
    "select actor, null as key, count(*) as number from deliveries group by actor "
    "union all select actor, key, sum(last - first + 1) from blocks group by actor, key"
)


async def in_two_positions(world: World, participant: Participant) -> list[str]:
    """Blocks that begin before the one before them ends."""
    return [f"{row.key} {row.first}" for row in await world.rows(participant, _TWICE)]


async def wrong_at_hub(world: World, auditor: Auditor) -> list[str]:
    """Keys of which the hub's rows hold more or less than was issued."""
    held = {row.key: row.units for row in await world.rows(HUB, _SUMS)}
    issued = auditor.issued()
    return [
        f"{key}: {held.get(key, 0)} held, {issued.get(key, 0)} issued"
        for key in sorted(held.keys() | issued.keys())
        if held.get(key, 0) != issued.get(key, 0)
    ]


async def wrong_at_registry(
    world: World, auditor: Auditor, participant: Participant, diverged: Container[Actor]
) -> list[str]:
    """Actors of a registry whose rows hold other sums than what was delivered makes of them; of
    those whose rows were edited nothing is known.
    """
    delivered: dict[str, int] = {}
    sums: dict[str, dict[str, int]] = {}
    for row in await world.rows(participant, _SHARE):
        if row.key is None:
            delivered[row.actor] = row.number
        else:
            sums.setdefault(row.actor, {})[row.key] = row.number
    wrong = []
    for actor in world.cast.actors[participant]:
        held, due = sums.get(actor, {}), auditor.share(actor, delivered.get(actor, 0))
        if actor not in diverged and held != due:
            wrong.append(f"{actor} holds {held}, {due} after {delivered.get(actor)} deliveries")
    return wrong
