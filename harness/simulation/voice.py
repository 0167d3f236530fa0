# SPDX-License-Identifier: Apache-2.0
"""`ROG01`: a participant that was admitted like everybody, has real keys, and means harm.

What it says may be fine, wrong, or nonsense: envelopes that verify with anything inside, envelopes
that do not verify, sequences with gaps, the same sequence or message id with other bytes, answers
to what it was never asked. It keeps what it sent, because it must answer requests to send it again;
what it withholds it hands over in the end. What the hub sends it keeps as everybody does, and gives
it back to a hub that was set back.

Elsewhere: what is proposed, by it and others (`workload`).
"""

import json
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from harness.simulation.cast import HUB, ROG, key_name, signer
from runtime.broker import Arrival, Parcel
from runtime.clock import Clock, Ids
from runtime.memory import MemoryBroker, MemoryExchange
from schemas import jws
from schemas.envelope import EnvelopeError, Manifest, digest, open_envelope, seal
from schemas.findings import Reason, finding
from schemas.identifiers import HUB_ACTOR, Digest, Instant, Participant
from schemas.messages import (
    Acceptance,
    Enclosure,
    Hello,
    Malformed,
    Message,
    Proposal,
    Rejection,
    ResendRequest,
    Returned,
    StatusRequest,
    Withdrawal,
    new_message,
    parse_message,
)
from schemas.units import Frozen

__all__ = ["Voice"]


class Voice:
    """Speaks for `ROG01/ROG`."""

    def __init__(self, exchange: MemoryExchange, clock: Clock, ids: Ids) -> None:
        self.broker = MemoryBroker(exchange, str(ROG.participant))
        self.sent: dict[tuple[Participant, int], bytes] = {}
        """Envelopes by recipient and sequence; what is withheld as well."""
        self.contradictions: dict[int, set[bytes]] = {}
        """Other envelopes to the hub under the same sequence: it takes whichever comes first."""
        self.offered: dict[str, Digest] = {}
        """Transactions whose proposal was passed on to it, and the digest of that proposal."""
        self.proposed: dict[str, Digest] = {}
        self.broken: dict[bytes, str] = {}
        """Bodies that must come to nothing: nobody could authenticate them, or they contradict what
        was said before; and in which way.
        """
        self.arrived: set[bytes] = set()
        """Those of them that the broker has confirmed."""
        self._kept: dict[int, bytes] = {}
        """The hub's envelopes by their sequences, from the beginning of the run on."""
        self._before = 0
        self._withheld: list[tuple[Participant, int]] = []
        self._sequences: dict[Participant, int] = {}
        self._clock = clock
        self._ids = ids

    async def open(self, before: int) -> None:
        """Connect; so many envelopes of the hub's came before."""
        self._before = before
        await self.broker.open()

    @property
    def contradicting(self) -> set[bytes]:
        """Envelopes under sequences that are used by others."""
        return {body for bodies in self.contradictions.values() for body in bodies}

    @property
    def has(self) -> set[int]:
        """The sequences of the hub's envelopes that have come."""
        return {*range(1, self._before + 1), *self._kept}

    # --- saying ---------------------------------------------------------------------------------

    @property
    def said(self) -> int:
        """The last sequence to the hub."""
        return self._sequences.get(HUB, 0)

    def line(
        self, type_: str, conversation: str, body: Frozen, answers: Digest | None = None
    ) -> bytes:
        """A message's line."""
        id_ = self._ids.message(self._clock.now())
        return (
            new_message(type_, id_, conversation, body, answers=answers).model_dump_json().encode()
        )

    async def say(
        self, lines: Sequence[bytes], to: Participant = HUB, *, withhold: bool = False
    ) -> None:
        """An envelope of lines, next in the sequence; withheld, it leaves a gap for a while."""
        number = self._sequences.get(to, 0) + 1
        self._sequences[to] = number
        self.sent[to, number] = self._sealed(lines, to, sequence=number)
        if withhold:
            self._withheld.append((to, number))
        else:
            await self._publish(to, self.sent[to, number])

    async def control(self, type_: str, body: Frozen, answers_nonce: str | None = None) -> None:
        """A control envelope to the hub, outside the sequence."""
        line = self.line(type_, "control", body)
        members = {"control": True, "nonce": self._ids.nonce(), "answers_nonce": answers_nonce}
        await self._publish(HUB, self._sealed([line], HUB, **members))

    def _sealed(self, lines: Sequence[bytes], to: Participant, **members: Any) -> bytes:
        manifest = Manifest.model_validate(
            {
                "from": ROG,
                "to": to,
                "sent_at": self._clock.now(),
                "seen": 0,
                "messages": tuple(digest(one) for one in lines),
                **members,
            }
        )
        return seal(manifest, tuple(lines), signer(key_name(ROG)))

    async def _publish(self, to: Participant, body: bytes) -> bool:
        """Give it to the broker; whether the broker has confirmed it."""
        parcel = Parcel(to=str(to), body=body, message_id="by hand", type="envelope")
        (confirmed,) = await self.broker.publish([parcel])
        return confirmed

    async def hand_over(self) -> None:
        """Send what was withheld, and what was lost, again."""
        self._withheld.clear()
        for (to, _), body in self.sent.items():
            await self._publish(to, body)

    # --- proposals and answers ------------------------------------------------------------------

    def proposal(self, arguments: Mapping[str, Any]) -> tuple[str, bytes]:
        """A proposal's transaction and line, from the arguments of a command."""
        members = {k: v for k, v in arguments.items() if k not in {"actor", "lifetime_seconds"}}
        total = sum(max(0, x["last"] - x["first"] + 1) for x in members.get("lines", ()))
        members.setdefault("quantity", total)
        lifetime = timedelta(seconds=arguments.get("lifetime_seconds", 3600))
        members["expires_at"] = str(Instant.of(self._clock.now().moment() + lifetime))
        body = Proposal.model_validate_json(json.dumps(members))
        transaction = f"ROG01-ROG-{len(self.proposed) + 1}"
        line = self.line("proposal", transaction, body)
        self.proposed[transaction] = digest(line)
        return transaction, line

    def answer(self, transaction: str, how: str, *, bound: bool = True) -> bytes:
        """An acceptance, rejection or withdrawal; unbound, it answers another proposal."""
        told = self.offered.get(transaction) or self.proposed.get(transaction)
        if told is None or not bound:
            told = digest(transaction.encode())
        body: Frozen
        if how == "rejection":
            body = Rejection(findings=(finding(Reason.DECLINED),))
        else:
            body = Acceptance() if how == "acceptance" else Withdrawal()
        return self.line(how, transaction, body, told)

    def question(self, transaction: str) -> bytes:
        """A question: what the hub knows of a transaction."""
        return self.line(
            "status-request",
            transaction,
            StatusRequest.model_validate({"transaction": transaction}),
        )

    # --- harm -----------------------------------------------------------------------------------

    async def harm(self, how: str, line: bytes, randomness: random.Random) -> None:
        """One malicious envelope to the hub, of a kind in `HARMS`; `line` is what it is about."""
        number = self._sequences.get(HUB, 0)
        body = getattr(self, f"_{how.replace('-', '_')}")(line, number, randomness)
        if body is None:
            return
        confirmed = await self._publish(HUB, body)
        if how in BROKEN:
            self.broken[body] = how
            self.arrived |= {body} if confirmed else set()

    def _nonsense(self, line: bytes, number: int, randomness: random.Random) -> bytes:
        return randomness.randbytes(randomness.randrange(1, 400))

    def _forged(self, line: bytes, number: int, randomness: random.Random) -> bytes:
        """Signed with a key that is not the actor's."""
        opened = open_envelope(self._sealed([line], HUB, sequence=number + 1))
        return seal(opened.manifest, opened.lines, signer("somebody else"))

    def _altered(self, line: bytes, number: int, randomness: random.Random) -> bytes:
        """A line changed after it was signed."""
        body = self._sealed([line], HUB, sequence=number + 1)
        return body[:-2] + b" " + body[-2:]

    def _misdirected(self, line: bytes, number: int, randomness: random.Random) -> bytes:
        """An envelope for somebody else."""
        return self._sealed([line], Participant("UN02"), sequence=1)

    def _impersonating(self, line: bytes, number: int, randomness: random.Random) -> bytes:
        """In another actor's name."""
        opened = open_envelope(self._sealed([line], HUB, sequence=number + 1))
        manifest = opened.manifest.model_copy(update={"sender": "UN02/KOR"})
        return seal(manifest, opened.lines, signer(key_name(ROG)))

    def _twice(self, line: bytes, number: int, randomness: random.Random) -> bytes | None:
        """The same envelope again."""
        told = sorted(n for to, n in self.sent if to == HUB)
        if not told:
            return None
        chosen = (HUB, randomness.choice(told))
        self._withheld = [one for one in self._withheld if one != chosen]
        return self.sent[chosen]

    def _equivocal(self, line: bytes, number: int, randomness: random.Random) -> bytes | None:
        """Another envelope under a sequence that was used."""
        if not number:
            return None
        used = randomness.randrange(1, number + 1)
        body = self._sealed([line], HUB, sequence=used)
        self.contradictions.setdefault(used, set()).add(body)
        return body

    def _in_the_future(self, line: bytes, number: int, randomness: random.Random) -> bytes:
        """Sent, as it says, in a moment; its sequence is the next one."""
        later = self._clock.now().moment() + timedelta(seconds=randomness.randrange(11, 60))
        body = self._sealed([line], HUB, sequence=number + 1, sent_at=Instant.of(later))
        self._sequences[HUB] = number + 1
        self.sent[HUB, number + 1] = body
        return body

    # --- hearing --------------------------------------------------------------------------------

    async def hear(self) -> None:
        """Read what has come; send again what is asked for."""
        while arrivals := await self.broker.receive(200, 0.0):
            for arrival in arrivals:
                await self._heard(arrival)
            await self.broker.acknowledge(arrivals)

    async def _heard(self, arrival: Arrival) -> None:
        try:
            opened = open_envelope(arrival.body)
            messages = [parse_message(one) for one in opened.lines]
        except (EnvelopeError, Malformed, jws.JWSError):
            return
        manifest = opened.manifest
        if manifest.sender == HUB_ACTOR and manifest.sequence is not None:
            self._kept[manifest.sequence] = arrival.body
        for message in messages:
            await self._take(message, manifest.nonce)

    async def _take(self, message: Message, nonce: str | None) -> None:
        body = message.body
        if isinstance(body, Hello) and not body.answer and body.actor == HUB_ACTOR:
            answer = Hello(actor=HUB_ACTOR, sent=max(self.has), received=self.said, answer=True)
            await self.control("hello", answer, nonce)
        elif isinstance(body, ResendRequest) and body.sender == HUB_ACTOR:
            for number in range(body.first, body.last + 1):
                if number in self._kept:
                    await self.control("returned", Returned(envelope=self._kept[number].decode()))
        elif isinstance(body, Enclosure):
            told = digest(body.line.encode())
            enclosed = parse_message(body.line.encode())
            if isinstance(enclosed.body, Proposal):
                self.offered[enclosed.conversation] = told
        elif isinstance(body, ResendRequest) and body.sender == ROG:
            for number in range(body.first, body.last + 1):
                if (HUB, number) in self.sent and (HUB, number) not in self._withheld:
                    await self._publish(HUB, self.sent[HUB, number])


HARMS = (
    "nonsense",
    "forged",
    "altered",
    "misdirected",
    "impersonating",
    "twice",
    "equivocal",
    "in-the-future",
)
"""Kinds of malicious envelope."""

BROKEN = {
    "nonsense": "envelope-malformed",
    "forged": "key-unknown",
    "altered": "manifest-mismatch",
    "misdirected": "recipient-wrong",
    "impersonating": "sender-not-at-link",
    "equivocal": "sequence-equivocation",
}
"""Those that must come to nothing, and the reason for which each is put aside."""
