# SPDX-License-Identifier: Apache-2.0
"""The relay: sends sealed envelopes until the broker has confirmed them.

It is fed by each commit, and swept by age from the outbox, because one look at start is not enough:
a dead process's commit can land after it. Bytes never change between tries. Control envelopes pass
through as well, once and without a trace, since they are asked for again when lost.

Elsewhere: sealing (`sealing`), what a confirmation means (`broker`).
"""

import asyncio
import json
from collections.abc import Iterable
from hashlib import sha256

from runtime.broker import Broker, Parcel
from runtime.errors import Unavailable
from runtime.journal import Sealed
from schemas.identifiers import Actor, Participant

__all__ = ["Relay"]

Place = tuple[Actor, Participant, int]


class Relay:
    """Pending envelopes in order, one publishing task."""

    def __init__(self, broker: Broker, *, window: int = 256, retry_seconds: float = 0.5) -> None:
        self._broker = broker
        self._window = window
        self._retry_seconds = retry_seconds
        self._pending: dict[Place, Sealed] = {}
        self._passing: list[Parcel] = []
        self._confirmed: dict[Place, Sealed] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def send(self, sealed: Iterable[Sealed]) -> int:
        """Take envelopes over; those already pending or confirmed are passed over."""
        taken = 0
        for envelope in sealed:
            place = (envelope.sender, envelope.recipient, envelope.sequence)
            if place not in self._pending:
                self._pending[place] = envelope
                self._confirmed.pop(place, None)
                taken += 1
        if taken:
            self._idle.clear()
            self._wake.set()
        return taken

    def replace(self, sealed: Iterable[Sealed]) -> None:
        """Send envelopes that were sealed anew in the place of the old ones."""
        chosen = list(sealed)
        for envelope in chosen:
            place = (envelope.sender, envelope.recipient, envelope.sequence)
            self._pending.pop(place, None)
            self._confirmed.pop(place, None)
        self.send(chosen)

    @property
    def pending(self) -> int:
        """How many envelopes wait for their confirmation."""
        return len(self._pending)

    def knows(self, sealed: Sealed) -> bool:
        """Whether an envelope is pending, or confirmed and not yet marked so in the outbox."""
        place = (sealed.sender, sealed.recipient, sealed.sequence)
        return place in self._pending or place in self._confirmed

    def pass_on(self, to: Participant, body: bytes, name: str) -> None:
        """Send a control envelope once."""
        self._passing.append(Parcel(to=str(to), body=body, message_id=name, type="control"))
        self._wake.set()

    def confirmed(self) -> list[Sealed]:
        """Envelopes that the broker has; `settled` says when that is stored."""
        return list(self._confirmed.values())

    def settled(self, sealed: Iterable[Sealed]) -> None:
        """The outbox has these marked; forget them."""
        for envelope in sealed:
            self._confirmed.pop((envelope.sender, envelope.recipient, envelope.sequence), None)

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending or self._passing:
                if not await self._publish_some():
                    await asyncio.sleep(self._retry_seconds)
            self._idle.set()

    async def _publish_some(self) -> bool:
        passing, self._passing = self._passing, []
        chosen = list(self._pending.values())[: self._window]
        parcels = passing + [_parcel(envelope) for envelope in chosen]
        try:
            outcomes = await self._broker.publish(parcels)
        except Unavailable:
            return False
        for envelope, arrived in zip(chosen, outcomes[len(passing) :], strict=True):
            place = (envelope.sender, envelope.recipient, envelope.sequence)
            if arrived:
                self._pending.pop(place, None)
                self._confirmed[place] = envelope
            else:  # let the others go first; whoever is not reachable must not hold them up
                self._pending.pop(place, None)
                self._pending[place] = envelope
        return not chosen or any(outcomes[len(passing) :])

    async def drained(self, seconds: float) -> bool:
        """Wait until nothing is pending, so long at most."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return True


def _parcel(envelope: Sealed) -> Parcel:
    """An envelope with what operators' tools show of it: the conversation of its first message, and
    the same as a W3C trace context, so that all that is said of one transaction is one trace.
    """
    manifest, _, lines = envelope.body.partition(b"\n")
    conversation = str(json.loads(lines.partition(b"\n")[0])["conversation"])
    trace = sha256(conversation.encode()).hexdigest()[:32]
    span = sha256(manifest).hexdigest()[:16]
    return Parcel(
        to=str(envelope.recipient),
        body=envelope.body,
        message_id=f"{envelope.sender}:{envelope.recipient}:{envelope.sequence}",
        type="envelope",
        correlation_id=conversation,
        headers={"traceparent": f"00-{trace}-{span}-01"},
    )
