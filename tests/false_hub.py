# SPDX-License-Identifier: Apache-2.0
"""A hub that lies: it has the hub's own keys, and says what a test has it say."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger import actions, log, note
from ledger.growth import Growth
from ledger.holdings import Holdings
from runtime import books
from schemas import jws
from schemas.effects import Effect
from schemas.identifiers import Actor, Digest, Participant, TransactionId
from schemas.messages import (
    Addressed,
    Checkpoint,
    Consent,
    DeliveryTree,
    Entry,
    Proposal,
    parse_message,
)
from tests.cast import GHA, HUB, LOG, REC, A, I, U, signer
from tests.federation import Federation
from tests.voice import Voice


@dataclass
class FalseHub:
    """Speaks as the hub, whose program is stopped."""

    federation: Federation
    voice: Voice
    position: int = 0
    log: Growth = field(default_factory=Growth)
    acts: int = 0

    @classmethod
    async def take_over(
        cls, federation: Federation, stopping: Sequence[Participant] = (REC,)
    ) -> "FalseHub":
        """Speak for a hub that has stopped, and the reconciliation service with it, unless that is
        who is lied to.
        """
        await federation.settled()
        await federation.stop(*stopping, HUB)
        hub = cls(federation, await federation.voice(Actor("HUB")))
        for row in await federation.rows(HUB, "select line from log_entries order by position"):
            hub.log = hub.log.append(log.leaf_hash(bytes(row.line)))
        hub.acts = len(await federation.rows(HUB, "select position from acts"))
        return hub

    async def deliveries(self, actor: Actor) -> Growth:
        """An actor's delivery tree, as the log has it."""
        sql = (
            "select e.line from deliveries d join log_entries e on e.position = d.position "
            "where d.actor = :actor order by d.number"
        )
        grown = Growth()
        for row in await self.federation.rows(HUB, sql, actor=str(actor)):
            grown = grown.append(log.leaf_hash(bytes(row.line)))
        return grown

    async def say_entry(
        self,
        to: Sequence[Actor],
        conversation: str,
        effects: Sequence[Effect] = (),
        *,
        answers: str | None = None,
        shift: int = 0,
        miscount: int = 0,
        **members: Any,
    ) -> tuple[Digest, bytes]:
        """An entry of our making to the participant of `to`; gives the digest of its line."""
        addressed = [
            Addressed(actor=actor, index=(await self.deliveries(actor)).size + shift)
            for actor in to
        ]
        values: dict[str, Any] = {
            "log": LOG,
            "position": self.log.size,
            "acts": self.acts + miscount,
            "at": self.federation.clock.now(),
            "manifest": None,
            "state": None,
            "action": None,
            "rules": "false",
            "addressed": tuple(addressed),
            "effects": tuple(effects),
        }
        body = Entry.model_validate(values | members)
        said = self.voice.make("entry", conversation, body, answers=answers)
        return await self.voice.say_line(said, to[0].participant), said

    async def say_checkpoint(self, to: Actor, **members: Any) -> tuple[Digest, bytes]:
        """A checkpoint of our making; by itself it is right, if nothing new was said."""
        grown = members.pop("log", self.log)
        key: jws.Signer = members.pop("key", signer("checkpoints"))
        text = note.Checkpoint(
            members.pop("origin", LOG), grown.size, members.pop("root", grown.root())
        ).to_text()
        own = await self.deliveries(to)
        place, sql = to.participant, "select size from witness where subject = 'log'"
        if place == REC:
            place, sql = HUB, "select value as size from marks where name = 'shown REC'"
        seen = (await self.federation.rows(place, sql))[0].size
        proof = log.consistency_proof(seen, self.log.size, self.log.fresh)
        values: dict[str, Any] = {
            "note": note.format_note(text, [note.sign_note(text, LOG, key)]),
            "proof_from": seen,
            "proof": tuple(Digest(node.hex()) for node in proof),
            "deliveries": tree(own.size, own.root(), to),
        }
        body = Checkpoint.model_validate(values | members)
        said = self.voice.make("checkpoint", "checkpoint", body)
        return await self.voice.say_line(said, to.participant), said

    async def completing(self, transaction: str) -> list[Effect]:
        """The effects that the completion of a transaction has."""
        sql = "select proposal, message from transactions where id = :id"
        (row,) = await self.federation.rows(HUB, sql, id=transaction)
        proposal: Proposal = parse_message(bytes(row.proposal)).body
        id_ = TransactionId(transaction)
        holdings = await self.holdings(proposal)
        return [
            *actions.release(proposal, id_.proposer, id_),
            *actions.completion(proposal, id_.proposer, holdings, Digest(row.message)),
        ]

    async def holdings(self, proposal: Proposal) -> Holdings:
        spans = {(key.series, 1, 10_000) for x in proposal.lines for key in (U, I, A, x.key)}
        async with self.federation.store(HUB).snapshot() as session:
            return await books.load_holdings(session, "log", spans)

    async def consents(self, transaction: str, *actors: Actor) -> tuple[Consent, ...]:
        """What each of the actors really said in a transaction that consents to it."""
        found = []
        for actor in actors:
            sql = (
                "select digest from messages where author = :a and conversation = :c "
                "and type in ('proposal', 'acceptance')"
            )
            rows = await self.federation.rows(actor.participant, sql, a=str(actor), c=transaction)
            found += [Consent(actor=actor, message=Digest(row.digest)) for row in rows]
        return tuple(found)


def tree(size: int, root: bytes, actor: Actor = GHA) -> tuple[DeliveryTree, ...]:
    return (DeliveryTree(actor=actor, size=size, root=Digest(root.hex())),)
