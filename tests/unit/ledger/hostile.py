# SPDX-License-Identifier: Apache-2.0
"""A hub that logs what it likes, in memory: its files are right in every hash and signature of its
own, and what it cannot do is sign for others.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from ledger import note
from ledger.log import Tree, leaf_hash
from schemas import jws
from schemas.directory import SignedAct
from schemas.effects import DirectoryEffect
from schemas.envelope import Manifest, digest, seal
from schemas.evidence import Bundle, Head, Logged, Receipt, Said, Trust
from schemas.identifiers import HUB, Actor, Digest, Instant, TransactionId, message_id
from schemas.messages import (
    Addressed,
    Delivered,
    Entry,
    Message,
    Proposal,
    Statement,
    new_message,
    parse_message,
)
from schemas.units import Frozen
from tests.cast import ACTORS, LOG, admission, genesis, signer

__all__ = ["Hostile", "Spoken", "proposal"]

START = datetime(2026, 1, 1, tzinfo=UTC)
EXPIRES = Instant("2026-01-20T00:00:00.000000Z")
Spoken = tuple[bytes, bytes]
"""A manifest's line and a message's."""


def proposal(members: dict[str, Any]) -> Proposal:
    """What an actor would propose with these members."""
    lines = tuple(members.get("lines", ()))
    quantity = sum(line.last - line.first + 1 for line in lines)
    whole = {**members, "lines": lines, "quantity": quantity, "expires_at": EXPIRES}
    return Proposal(**whole)


class Hostile:
    """The hub, everybody admitted, and what anybody says."""

    def __init__(self) -> None:
        self.tree = Tree()
        self.deliveries: dict[Actor, Tree] = {}
        self._lines: list[bytes] = []
        self._messages: list[Message] = []
        self._acts: list[int] = []
        self._sequences: dict[Actor, int] = {}
        self._number = 0
        self.keys: dict[Actor, jws.Signer] = {}
        """With which actors sign whose first key is withdrawn."""
        self.act(genesis())
        for participant in ACTORS:
            if participant != HUB:
                self.act(admission(participant, self.now()))

    @property
    def trust(self) -> Trust:
        return Trust(log=LOG, root=digest(self._lines[0]))

    def say(
        self,
        actor: Actor,
        type_: str,
        conversation: str,
        body: Frozen,
        answers: Digest | None = None,
        seen: int = 0,
        key: jws.Signer | None = None,
    ) -> Spoken:
        """What an actor signs and says to the hub, by its first key or another."""
        message = new_message(type_, self._id(), conversation, body, answers=answers)
        line = message.model_dump_json().encode()
        self._sequences[actor] = sequence = self._sequences.get(actor, 0) + 1
        manifest = Manifest.model_validate(
            {
                "from": actor,
                "to": HUB,
                "sequence": sequence,
                "sent_at": self.now(),
                "seen": seen,
                "messages": (digest(line),),
            }
        )
        return seal(manifest, (line,), key or self.keys.get(actor) or signer(actor)).split(b"\n")[
            0
        ], line

    def repeat(self, actor: Actor, line: bytes) -> Spoken:
        """A line of somebody else's, in an envelope of this actor's."""
        self._sequences[actor] = sequence = self._sequences.get(actor, 0) + 1
        manifest = Manifest.model_validate(
            {
                "from": actor,
                "to": HUB,
                "sequence": sequence,
                "sent_at": self.now(),
                "seen": 0,
                "messages": (digest(line),),
            }
        )
        return seal(manifest, (line,), signer(actor)).split(b"\n")[0], line

    def entry(
        self,
        conversation: str,
        cause: Spoken | None = None,
        addressed: Iterable[Actor] = (),
        at: Instant | None = None,
        **members: Any,
    ) -> int:
        """Log something; gives its position."""
        position, told = self.tree.size, list(addressed)
        numbers = [self.deliveries.setdefault(actor, Tree()).size for actor in told]
        body = Entry(
            log=LOG,
            position=position,
            acts=len(self._acts),
            at=at or self.now(),
            manifest=digest(cause[0]) if cause else None,
            rules="2026-11",
            addressed=tuple(
                Addressed(actor=a, index=n) for a, n in zip(told, numbers, strict=True)
            ),
            **{"state": None, "action": None, **members},
        )
        answers = digest(cause[1]) if cause else None
        message = new_message("entry", self._id(), conversation, body, answers=answers)
        line = message.model_dump_json().encode()
        self.tree.append(leaf_hash(line))
        for actor in told:
            self.deliveries[actor].append(leaf_hash(line))
        if any(isinstance(effect, DirectoryEffect) for effect in body.effects):
            self._acts.append(position)
        self._lines.append(line)
        self._messages.append(message)
        return position

    def bundle(
        self,
        transaction: str,
        positions: list[int],
        said: list[Spoken],
        actors: Iterable[Actor] = (),
    ) -> Bundle:
        """A file about these entries, with receipts of these actors, cosigned by everybody."""
        return Bundle(
            transaction=TransactionId(transaction),
            messages=tuple(map(_said, said)),
            entries=tuple(map(self._logged, positions)),
            directory=tuple(map(self._logged, self._acts)),
            heads=(self._head(),),
            receipts=tuple(self._receipt(actor, positions) for actor in sorted(actors)),
        )

    def act(self, signed: SignedAct) -> None:
        """Log an act on the directory."""
        effect = DirectoryEffect(act=signed.act, signatures=signed.signatures)
        self.entry("directory", effects=(effect,))

    def _head(self) -> Head:
        text = self._text()
        lines = [note.sign_note(text, LOG, signer("checkpoints"))]
        lines += [
            note.cosign(text, str(p), signer(f"witness {p}"), 1_800_000_000)
            for p in ACTORS
            if p != HUB
        ]
        return Head(note=note.format_note(text, lines), proof=())

    def _text(self) -> str:
        return note.Checkpoint(LOG, self.tree.size, self.tree.root()).to_text()

    def _receipt(self, actor: Actor, positions: list[int]) -> Receipt:
        own, root = self.deliveries[actor], Digest(self.tree.root().hex())
        key = signer(f"witness {actor.participant}")
        statement = Statement(
            size=self.tree.size,
            root=root,
            delivered=Delivered(size=own.size, root=Digest(own.root().hex())),
            holdings=Digest("0" * 64),
            sent=(),
            cosignature=note.cosign(self._text(), str(actor.participant), key, 1_800_000_000),
        )
        spoken = self.say(actor, "statement", "statement", statement)
        places = [
            one.index
            for position in positions
            for one in self._messages[position].body.addressed
            if one.actor == actor
        ]
        return Receipt(
            statement=_said(spoken), proofs=tuple(_hexes(own.inclusion(n)) for n in places)
        )

    def _logged(self, position: int) -> Logged:
        proof = _hexes(self.tree.inclusion(position))
        return Logged(line=self._lines[position].decode(), proof=proof)

    def now(self) -> Instant:
        """Later than whatever was before."""
        self._number += 1
        return Instant.of(START + timedelta(seconds=self._number))

    def _id(self) -> Any:
        self._number += 1
        return message_id(1000 * self._number, self._number.to_bytes(10, "big"))


def _said(spoken: Spoken) -> Said:
    parse_message(spoken[1])
    return Said(manifest=spoken[0].decode(), line=spoken[1].decode())


def _hexes(hashes: Iterable[bytes]) -> tuple[Digest, ...]:
    return tuple(Digest(value.hex()) for value in hashes)
