# SPDX-License-Identifier: Apache-2.0
"""A peer of the toy program (`toy`): says things by hand, with an admitted key, in its sequence.

It seals and does not send: the tests hand its envelopes to whatever they try. Time is the tests'.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from runtime.clock import Ids
from runtime.intake import Authentic, Unit
from schemas import jws
from schemas.envelope import Manifest, digest, open_envelope, seal
from schemas.identifiers import Actor, Instant, Participant, TransactionId
from schemas.messages import StatusRequest, new_message
from schemas.units import Frozen
from tests.cast import HUB, signer
from tests.virtual_time import START

__all__ = ["NOON", "Peer", "authentic", "later"]

NOON = Instant.of(START)


def later(seconds: float, since: Instant = NOON) -> Instant:
    return Instant.of(since.moment() + timedelta(seconds=seconds))


def authentic(envelope: bytes) -> Authentic:
    """As it comes out of authentication."""
    return Authentic(Unit(envelope, None), open_envelope(envelope))


@dataclass
class Peer:
    """Seals for an actor, each envelope with the next sequence unless told otherwise."""

    actor: Actor
    to: Participant = HUB
    now: Callable[[], Instant] = lambda: NOON
    ids: Ids = field(default_factory=Ids)
    sequence: int = 0
    signer: jws.Signer | None = None

    def line(self, type_: str, conversation: str, body: Frozen, **members: Any) -> bytes:
        """A message's line."""
        message = new_message(type_, self.ids.message(self.now()), conversation, body, **members)
        return message.model_dump_json().encode()

    def question(self, number: int = 1) -> bytes:
        """The line of a status request, which the toy counts."""
        transaction = TransactionId(f"{self.actor.replace('/', '-')}-{number}")
        return self.line("status-request", transaction, StatusRequest(transaction=transaction))

    def seal(self, lines: Sequence[bytes], **members: Any) -> bytes:
        """An envelope of lines, with members of its manifest as told."""
        if "sequence" not in members and "control" not in members:
            self.sequence += 1
            members["sequence"] = self.sequence
        manifest = Manifest.model_validate(
            {
                "from": self.actor,
                "to": self.to,
                "sent_at": self.now(),
                "seen": 0,
                "messages": tuple(digest(one) for one in lines),
                **members,
            }
        )
        return seal(manifest, tuple(lines), self.signer or signer(self.actor))

    def ask(self, *numbers: int, **members: Any) -> bytes:
        """An envelope with a status request for each number."""
        return self.seal([self.question(number) for number in numbers], **members)
