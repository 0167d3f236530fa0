# SPDX-License-Identifier: Apache-2.0
"""Setting back the hub: its database is an older backup again, and it is told to recover.

What it lost must be with others, or nobody could give it back: that is what a recovery promises
(docs/operating.md). So it is set back only at a moment when

* everybody has the hub's envelopes up to some sequence without a gap, in the database or in the
  queue, and the reconciliation service has them all;
* its anchor says what its log says: what was committed and not anchored was sent to nobody;
* nobody has itself been set back and not caught up;
* no envelope that contradicts another one of its author is on its way to the hub, which would take
  it for the first.

From then on, and until it is over, nobody else is set back, and nobody contradicts itself.

Elsewhere: when it comes (`disturb`), that the log is then what it was (`invariants`).
"""

from pathlib import Path

from harness.simulation.cast import HUB, REC, ROG
from harness.simulation.voice import Voice
from harness.simulation.world import World, copy_database
from hub.guard import Guard
from hub.recovering import begin_recovery
from runtime.store import open_store
from schemas.envelope import EnvelopeError, open_envelope
from schemas.identifiers import HUB_ACTOR, Participant

__all__ = ["can_be_set_back", "set_back"]


async def can_be_set_back(world: World, voice: Voice) -> bool:
    """Whether everything that the hub has sent and logged is with others as well."""
    ((size,),) = await world.rows(HUB, "select count(*) from log_entries")
    if world.anchor.size != size:
        return False
    if voice.contradicting & set(world.queued(HUB)):
        return False
    for participant in world.cast.actors:
        if participant == HUB:
            continue
        rows = await world.rows(
            HUB, "select sequence from outbox where recipient = :p", p=str(participant)
        )
        sealed = {row.sequence for row in rows}
        there = sealed & await _there(world, voice, participant)
        if there != {number for number in sealed if number <= len(there)}:
            return False
        if participant == REC and there != sealed:
            return False
        if participant != ROG.participant and not await _has_what_it_said(world, participant):
            return False
    return True


async def _there(world: World, voice: Voice, participant: Participant) -> set[int]:
    """The sequences of the hub's envelopes that a participant has, or will find in its queue."""
    if participant == ROG.participant:
        found = set(voice.has)
    else:
        rows = await world.rows(participant, "select sequence from inbox where sender = 'HUB'")
        found = {row.sequence for row in rows}
    for body in world.queued(participant):
        try:
            manifest = open_envelope(body).manifest
        except EnvelopeError:
            continue
        if manifest.sender == HUB_ACTOR and manifest.sequence is not None:
            found.add(manifest.sequence)
    return found


async def _has_what_it_said(world: World, participant: Participant) -> bool:
    """Whether a participant has everything that the hub has heard from it."""
    for actor in world.cast.actors[participant]:
        values = {"a": str(actor)}
        heard = await world.rows(HUB, "select max(sequence) from inbox where sender = :a", **values)
        sealed = await world.rows(
            participant,
            "select count(*) from outbox where sender = :a and recipient = 'HUB'",
            **values,
        )
        if (heard[0][0] or 0) > sealed[0][0]:
            return False
    return True


async def set_back(world: World, backup: Path) -> None:
    """Put an older database in the place of the hub's, which does not run, and have it recover."""
    await world.places.let_go(HUB)
    path = world.places.paths[HUB]
    copy_database(backup, path)
    store = open_store(f"sqlite:///{path}")
    try:
        await begin_recovery(store, Guard(world.anchor, world.cast.keyring(HUB).checkpoint))
    finally:
        await store.close()
