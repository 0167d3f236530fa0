# SPDX-License-Identifier: Apache-2.0
"""Evidence at the end of a run: whoever was concerned proves a transaction, and all the same.

Of each end that transactions have come to, the newest one among programs of ours is taken. The
operators of each registry concerned order its evidence. It must come, be what that registry has
itself, verify by the registry's own trust root, and tell what the hub's own file tells.

Elsewhere: bringing the federation to rest before (`rest`).
"""

import asyncio
import json
from typing import Any

from harness.simulation.cast import HUB, ROG
from harness.simulation.invariants import Violation
from harness.simulation.world import HEARTBEAT_SECONDS, World
from hub import evidence as at_the_hub
from ledger.transactions import FINAL
from ledger.verifying import verify
from registry import evidence as at_a_registry
from runtime.errors import LocalProtocolError
from schemas.evidence import Bundle
from schemas.identifiers import Actor, Participant, TransactionId

__all__ = ["prove"]

INVARIANT = "those concerned prove the same"

LOOKS = 20
"""How often it is looked whether the evidence has come, some heartbeats altogether."""

_NEWEST = (
    "select t.id, t.state, e.line from transactions t "
    "join log_entries e on e.position = t.position where t.state = :state "
    "order by t.position desc limit 20"
)


async def prove(world: World) -> None:
    """`Violation` unless all that are concerned by some transactions prove them alike."""
    chosen = [one for state in sorted(FINAL) if (one := await _newest(world, state)) is not None]
    if not chosen:
        return
    await asyncio.sleep(2 * HEARTBEAT_SECONDS)  # statements and cosignatures of everybody
    for transaction, participants in chosen:
        for participant in participants:
            await world.command(participant, "evidence", transaction=str(transaction))
    for transaction, participants in chosen:
        wanted = await _told(world, HUB, transaction)
        for participant in participants:
            found = await _when_come(world, participant, transaction)
            if found != wanted:
                raise Violation(INVARIANT, f"{transaction}: {participant} and HUB differ")


async def _newest(world: World, state: str) -> tuple[TransactionId, list[Participant]] | None:
    """The newest transaction that ended so, and whom it concerns by the hub's last entry; the rogue
    states nothing, and so there is no evidence of what concerned it.
    """
    for row in await world.rows(HUB, _NEWEST, state=state):
        addressed = json.loads(bytes(row.line))["body"]["addressed"]
        actors = [Actor(one["actor"]) for one in addressed]
        if ROG not in actors:
            return TransactionId(row.id), sorted({actor.participant for actor in actors})
    return None


async def _when_come(
    world: World, participant: Participant, transaction: TransactionId
) -> dict[str, Any]:
    why = ""
    for _ in range(LOOKS):
        try:
            return await _told(world, participant, transaction)
        except LocalProtocolError as error:
            why = str(error)
        await asyncio.sleep(HEARTBEAT_SECONDS / 5)
    raise Violation(INVARIANT, f"{participant}: {why}")


async def _told(
    world: World, participant: Participant, transaction: TransactionId
) -> dict[str, Any]:
    """What the file of a participant tells, if it verifies by that participant's own trust root."""
    async with world.view(participant).snapshot() as session:
        if participant == HUB:
            bundle = await at_the_hub.collect(session, transaction)
            trust = await at_the_hub.trust_root(session)
        else:
            mine = world.cast.actors[participant]
            bundle = await at_a_registry.collect(session, transaction, mine)
            await at_a_registry.hold_to_records(session, bundle, mine)
            trust = await at_a_registry.trust_root(session, world.cast.genesis())
    verdict = verify(bundle, trust)
    if not verdict.valid:
        detail = f"step {verdict.failed} of the file of {participant}: {verdict.reason}"
        raise Violation(INVARIANT, f"{transaction}: {detail}")
    return {**_facts(bundle), "trust": trust, "state": verdict.state}


def _facts(bundle: Bundle) -> dict[str, Any]:
    return {"messages": bundle.messages, "entries": [one.line for one in bundle.entries]}
