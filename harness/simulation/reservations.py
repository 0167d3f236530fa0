# SPDX-License-Identifier: Apache-2.0
"""What is reserved, at any moment: what open transactions bind, at the hub and at each registry.

A registry reserves the units of its own proposals before it says them and until the hub's word ends
that; the hub reserves those of what it has cleared. Units that are bound to nothing, or proposed
and not bound, are a fault even if nothing has come of it yet.

Elsewhere: that nothing is bound when everything is over (`invariants`).
"""

import json
from collections.abc import Iterator

from harness.simulation.cast import HUB
from harness.simulation.world import World
from schemas.identifiers import Participant
from schemas.units import Key

__all__ = ["wrongly_reserved"]

Bound = tuple[str, str, int, int, str]
"""Actor, key, first and last serial, transaction."""

_OPEN = (
    "select id, proposer, proposal, state from transactions where state in ('proposed', 'cleared')"
)
_RESERVED = "select actor, key, first, last, reference from overlays where kind = 'reserved'"


async def wrongly_reserved(world: World, participant: Participant) -> list[str]:
    """What a program has reserved without need, and what it should have reserved; in words."""
    reserved: set[Bound] = {tuple(row) for row in await world.rows(participant, _RESERVED)}
    bound: set[Bound] = set()
    for row in await world.rows(participant, _OPEN):
        own = row.proposer.startswith(f"{participant}/") if participant != HUB else True
        if own and row.proposal is not None:
            bound |= set(_named(row.id, row.proposer, row.proposal))
    wrong = [f"{one} is proposed and not reserved" for one in sorted(bound - reserved)]
    return wrong + [f"{one} is reserved for nothing" for one in sorted(reserved - bound)]


def _named(transaction: str, proposer: str, line: bytes) -> Iterator[Bound]:
    for one in json.loads(bytes(line))["body"].get("lines") or ():
        if one.get("source") is not None:
            key = Key.model_validate_json(json.dumps(one["key"])).text
            yield proposer, key, one["first"], one["last"], transaction
