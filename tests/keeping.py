# SPDX-License-Identifier: Apache-2.0
"""Keeping: somebody who speaks by hand, and yet keeps what the hub sends and gives it back.

A hub that recovers waits for everybody. `Keeper` is what the program of a voice's participant would
be to it: it reads the inbox, answers each hello, and returns or sends again what it is asked for.
"""

import asyncio
from dataclasses import dataclass, field

from runtime.broker import Arrival
from schemas.envelope import open_envelope
from schemas.identifiers import HUB_ACTOR, Participant
from schemas.messages import Hello, ResendRequest, Returned, parse_message
from tests.cast import HUB
from tests.voice import Voice

__all__ = ["Keeper"]


@dataclass
class Keeper(Voice):
    """Keeps envelopes of the hub's by their sequences; `before` came before anything was kept."""

    kept: dict[int, bytes] = field(default_factory=dict)
    before: int = 0
    said: dict[int, bytes] = field(default_factory=dict)
    """What this actor has said to the hub, by its sequences."""
    keeping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once whatever is sent is kept."""
    silent: bool = False
    """Whether nothing is answered."""

    async def keep(self) -> None:
        """Read and answer until cancelled."""
        sql = "select last from sequences where sender = 'HUB' and recipient = :p"
        rows = await self.federation.rows(HUB, sql, p=str(self.actor.participant))
        self.before = rows[0].last
        await self.open()
        self.keeping.set()
        while True:
            for arrival in await self.broker.receive(100, 0.1):
                await self._take(arrival)
                await self.broker.acknowledge([arrival])
            await asyncio.sleep(0.05)

    async def send(self, to: Participant, envelope: bytes) -> None:
        number = open_envelope(envelope).manifest.sequence
        if number is not None:
            self.said[number] = envelope
        await super().send(to, envelope)

    async def _take(self, arrival: Arrival) -> None:
        opened = open_envelope(arrival.body)
        manifest = opened.manifest
        if manifest.sequence is not None:
            self.kept[manifest.sequence] = arrival.body
            return
        body = parse_message(opened.lines[0]).body
        if self.silent:
            return
        if isinstance(body, Hello) and not body.answer:
            kept = max([self.before, *self.kept])
            sent = kept if body.actor == HUB_ACTOR else body.sent
            answer = Hello(actor=body.actor, sent=sent, received=0, answer=True)
            await self._control("hello", answer, manifest.nonce, manifest.sender.participant)
        elif isinstance(body, ResendRequest) and body.sender == HUB_ACTOR:
            for number in sorted(self.kept.keys() & set(range(body.first, body.last + 1))):
                await self._control("returned", Returned(envelope=self.kept[number].decode()))
        elif isinstance(body, ResendRequest) and body.sender == self.actor:
            for number in sorted(self.said.keys() & set(range(body.first, body.last + 1))):
                await super().send(HUB, self.said[number])

    async def _control(
        self, type_: str, body: Hello | Returned, answers: str | None = None, to: Participant = HUB
    ) -> None:
        line = self.make(type_, "control", body)
        nonce = self.federation.ids.nonce()
        members = {"control": True, "nonce": nonce, "answers_nonce": answers}
        await self.send(to, await self.seal(to, [line], **members))
