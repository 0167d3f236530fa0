# SPDX-License-Identifier: Apache-2.0
"""Voices: what is authentic and wrong, said by hand with real, admitted keys.

A `Voice` speaks for an actor whose program does not run: in that actor's sequence, through that
participant's link, in envelopes that verify. What it says is up to the test.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from runtime import outbox
from runtime.broker import Parcel
from runtime.memory import MemoryBroker
from schemas import jws
from schemas.envelope import Manifest, digest, open_envelope, seal
from schemas.findings import Reason
from schemas.identifiers import Actor, Digest, Instant, Participant
from schemas.messages import Entry, Message, Notice, Proposal, new_message, parse_message
from schemas.units import Frozen
from tests.cast import HUB, asked, signer

if TYPE_CHECKING:
    from tests.federation import Federation

__all__ = ["Voice"]


@dataclass
class Voice:
    """Says by hand, with an actor's real key and in its sequence, whatever it is told to."""

    federation: "Federation"
    actor: Actor
    sequences: dict[Participant, int] = field(default_factory=dict)
    key: str = ""

    def __post_init__(self) -> None:
        self.key = self.key or self.actor

    async def open(self) -> None:
        self.broker = MemoryBroker(self.federation.exchange, str(self.actor.participant))
        await self.broker.open()

    async def close(self) -> None:
        await self.hear()
        await self.broker.close()

    # --- saying ---------------------------------------------------------------------------------

    async def next_sequence(self, to: Participant) -> int:
        if to not in self.sequences:
            sql = "select last from sequences where sender = :s and recipient = :r"
            places = {to, self.actor.participant} - {Participant("ROG01")}
            found = [
                row.last
                for place in places
                for row in await self.federation.rows(place, sql, s=str(self.actor), r=str(to))
            ]
            self.sequences[to] = max(found, default=0)
        self.sequences[to] += 1
        return self.sequences[to]

    def make(
        self,
        type_: str,
        conversation: str,
        body: Frozen,
        *,
        answers: str | None = None,
    ) -> bytes:
        """A message's line."""
        id_ = self.federation.ids.message(self.federation.clock.now())
        told = Digest(answers) if answers else None
        return new_message(type_, id_, conversation, body, answers=told).model_dump_json().encode()

    async def seal(self, to: Participant, lines: Sequence[bytes], **members: Any) -> bytes:
        """An envelope of lines, with members of its manifest as told."""
        if "sequence" not in members and "control" not in members:
            members["sequence"] = await self.next_sequence(to)
        manifest = Manifest.model_validate(
            {
                "from": self.actor,
                "to": to,
                "sent_at": self.federation.clock.now(),
                "seen": 0,
                "messages": tuple(digest(one) for one in lines),
                **members,
            }
        )
        return seal(manifest, tuple(lines), signer(self.key))

    async def seal_padded(self, to: Participant, lines: Sequence[bytes], size: int) -> bytes:
        """An envelope whose manifest is longer by so many spaces, which JSON allows."""
        plain = await self.seal(to, lines)
        payload = open_envelope(plain).token.payload
        token = jws.sign(payload[:-1] + b" " * size + payload[-1:], signer(self.key))
        return b"\n".join((token.encode(), *lines))

    async def send(self, to: Participant, envelope: bytes) -> None:
        parcel = Parcel(to=str(to), body=envelope, message_id="by hand", type="envelope")
        assert await self.broker.publish([parcel]) == [True]

    async def say(
        self,
        type_: str,
        conversation: str,
        body: Frozen,
        *,
        answers: str | None = None,
        to: Participant = HUB,
    ) -> Digest:
        """Say a message in an envelope of its own; gives the digest of its line."""
        return await self.say_line(self.make(type_, conversation, body, answers=answers), to)

    async def say_line(self, said: bytes, to: Participant = HUB) -> Digest:
        """Say any line, and wait until the other side has taken it."""
        await self.send(to, await self.seal(to, [said]))
        await self.taken(to)
        return digest(said)

    async def taken(self, to: Participant = HUB) -> None:
        """Wait until the other side has taken all that was said in sequence."""
        if to not in self.federation.tasks:
            return
        sql = "select last from sequences where sender = :s and recipient = :r"

        async def there() -> bool | None:
            found = await self.federation.rows(to, sql, s=str(self.actor), r=str(to))
            gone = self.federation.tasks[to].done()
            return True if gone or (found and found[0].last >= self.sequences[to]) else None

        await self.federation.wait(there, f"what {self.actor} said to {to}")

    def proposal(self, members: Mapping[str, Any], *, seconds: float = 3600) -> Proposal:
        """A proposal, complete but for what `members` says otherwise."""
        lines = members.get("lines", ())
        now = self.federation.clock.now().moment()
        total = sum(x.last - x.first + 1 for x in lines)
        values = {
            "quantity": total,
            "expires_at": str(Instant.of(now + timedelta(seconds=seconds))),
            **asked(members),
        }
        return Proposal.model_validate_json(json.dumps(values))

    async def propose(
        self, transaction: str, members: Mapping[str, Any], *, seconds: float = 3600
    ) -> Digest:
        return await self.say("proposal", transaction, self.proposal(members, seconds=seconds))

    async def completes(self, transaction: str, members: Mapping[str, Any]) -> None:
        """Propose what concerns this actor alone, and is fine."""
        said = await self.propose(transaction, members)
        found = [m.body for m in await self.answers(said) if isinstance(m.body, Entry)]
        assert [(e.state, e.findings) for e in found] == [("completed", ())]

    # --- hearing --------------------------------------------------------------------------------

    async def hear(self) -> list[Message]:
        """Everything that waits in the inbox, read and acknowledged."""
        found: list[Message] = []
        while arrivals := await self.broker.receive(100, 0.0):
            for arrival in arrivals:
                opened = open_envelope(arrival.body)
                found += [parse_message(one) for one in opened.lines]
            await self.broker.acknowledge(arrivals)
        return found

    async def answers(self, said: Digest, at: Participant = HUB) -> list[Message]:
        """What another program has said in answer to a line, from its own outbox."""
        async with self.federation.store(at).snapshot() as session:
            sealed = await outbox.answers_to(session, said)
        lines = {x for envelope in sealed for x in open_envelope(envelope.body).lines}
        return [m for m in map(parse_message, sorted(lines)) if m.answers == said]

    async def reasons(self, said: Digest, at: Participant = HUB) -> list[Reason]:
        """The reasons for which a line was refused: by notice, or by the entry it became."""
        return [
            found.reason
            for message in await self.answers(said, at)
            if isinstance(message.body, Notice | Entry)
            for found in message.body.findings
        ]
