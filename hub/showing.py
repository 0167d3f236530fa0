# SPDX-License-Identifier: Apache-2.0
"""Showing: checkpoints of the log, made and sent with the batch that calls for them.

A checkpoint is made with a batch that has new entries, at most every `checkpoint_seconds`, and
shown to whoever was sent an entry that no checkpoint covers yet; everybody else gets a heartbeat
now and then. Each carries the consistency proof from the last one shown to that participant, the
delivery trees of its actors, and the cosignatures that the one before has gathered.

Elsewhere: what comes back (`statements`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from hub import saving, storage
from hub.state import HubFacts, Kept
from ledger import log, note
from ledger.growth import Growth
from runtime import events
from runtime.journal import set_mark
from runtime.program import Batch
from runtime.store import Session
from schemas import jws
from schemas.identifiers import HUB_ACTOR, Digest, Instant, Participant
from schemas.messages import Checkpoint, DeliveryTree

__all__ = ["Showing"]


@dataclass(frozen=True, slots=True)
class Showing:
    """Makes checkpoints; `seconds` apart at least, and `heartbeat_seconds` at most."""

    seconds: float
    heartbeat_seconds: float
    signer: jws.Signer

    def choose(self, kept: Kept, owed: Collection[Participant], now: Instant) -> list[Participant]:
        """Who is shown a checkpoint now: whoever is owed one, or has not seen one for long. What
        was shown later than now was shown before the clock was set back, and nobody knows when.
        """
        soon = Instant.of(now.moment() - timedelta(seconds=self.seconds))
        late = Instant.of(now.moment() - timedelta(seconds=self.heartbeat_seconds))
        chosen = []
        for participant in kept.directory.members:
            shown = kept.shown_at.get(participant)
            if shown is not None and shown > now:
                shown = late
            if (participant in owed and (shown is None or shown <= soon)) or (
                shown is not None and shown <= late
            ):
                chosen.append(participant)
        return chosen

    async def show(
        self, session: Session, kept: Kept, facts: HubFacts, batch: Batch
    ) -> list[Participant]:
        """Say the checkpoint of this batch to whoever gets one; gives who did."""
        chosen = self.choose(kept, facts.owed, batch.now)
        if not chosen or facts.log.size == 0:
            return []
        signed = await self._sign(session, kept, facts, batch)
        previous, cosignatures, way = await _previous(session, kept, facts)
        proofs = {kept.checkpoint_size: way}
        for participant in chosen:
            old = kept.shown.get(participant, 0)
            if old not in proofs:
                proofs[old] = await _proof(session, old, facts.log)
            body = Checkpoint(
                note=signed,
                proof_from=old,
                proof=proofs[old],
                deliveries=_trees(facts, participant),
                previous=previous,
                previous_proof=way,
                cosignatures=cosignatures,
            )
            batch.say(HUB_ACTOR, participant, "checkpoint", "checkpoint", body)
            await set_mark(session, f"shown {participant}", facts.log.size)
        return chosen

    async def _sign(self, session: Session, kept: Kept, facts: HubFacts, batch: Batch) -> str:
        """The note over the log as it is after this batch; kept, when it is a new size."""
        root = facts.log.root()
        text = note.Checkpoint(facts.log_id, facts.log.size, root).to_text()
        signed = note.format_note(text, [note.sign_note(text, facts.log_id, self.signer)])
        if facts.log.size > kept.checkpoint_size:
            await saving.save_checkpoint(session, facts.log.size, root, signed, batch.now)
            batch.log(events.CHECKPOINT_MADE, size=facts.log.size, root=root.hex())
        return signed


async def _previous(
    session: Session, kept: Kept, facts: HubFacts
) -> tuple[str | None, tuple[str, ...], tuple[Digest, ...]]:
    """The head that was made last before this batch, its cosignatures, and the way from it."""
    if kept.checkpoint_size == 0:
        return None, (), ()
    signed, cosignatures = await storage.load_cosigned(session, kept.checkpoint_size)
    return signed, cosignatures, await _proof(session, kept.checkpoint_size, facts.log)


async def _proof(session: Session, old: int, grown: Growth) -> tuple[Digest, ...]:
    """The consistency proof from an older size; empty from nothing or from the same size."""
    if old in {0, grown.size}:
        return ()
    nodes = await storage.load_nodes(session, None, log.consistency_path(old, grown.size))
    proof = log.consistency_proof(old, grown.size, nodes)
    return tuple(Digest(value.hex()) for value in proof)


def _trees(facts: HubFacts, participant: Participant) -> tuple[DeliveryTree, ...]:
    member = facts.directory.members[participant]
    grown = [(actor, facts.deliveries.get(actor, Growth())) for actor in member.actors]
    return tuple(
        DeliveryTree(actor=actor, size=g.size, root=Digest(g.root().hex())) for actor, g in grown
    )
