# SPDX-License-Identifier: Apache-2.0
"""Sealing: what was said is bundled, numbered and signed, once, in the batch that writes it.

An envelope's bytes never change after. Three things stand beside that: a *rotation*, the last
envelope under an actor's old key, which says so itself; *sealing anew* what a key that was revoked
had sealed beyond what the others accepted, with the same messages and sequences; and *control
envelopes*, which have a nonce instead of a sequence and are not kept.

Elsewhere: the batch (`handler`), sending (`relay`), keys (`keys`).
"""

from ledger.directory import KeyRecord, sign_act
from runtime import journal as journals
from runtime import outbox
from runtime.journal import Journal, Kept, Sealed
from runtime.keys import Keyring
from runtime.program import Batch, Program, Said
from runtime.store import Session, Store
from schemas import jws, limits
from schemas.directory import LastSequence, Rotation
from schemas.envelope import Manifest, digest, open_envelope, seal
from schemas.identifiers import HUB, Actor, Instant, Participant
from schemas.messages import RotationRequest

__all__ = ["Sealer", "Way"]

Way = tuple[Actor, Participant]


class Sealer:
    """Seals for the actors of one program."""

    def __init__(
        self,
        program: Program,
        keyring: Keyring,
        journal: Journal,
        bundle_max: int = limits.MESSAGES_MAX,
    ) -> None:
        self._program = program
        self._keyring = keyring
        self._journal = journal
        self._bundle_max = bundle_max

    async def load(self, session: Session) -> None:
        """Which key of each actor is in use, after a rotation of our own."""
        for actor in self._program.actors:
            used = await journals.get_mark(session, f"key {actor}")
            self._keyring.used[actor] = max(used, self._keyring.used.get(actor, 0))

    def own_key(self, actor: Actor, key_id: str) -> jws.PublicKey | None:
        """The public half of a key that is held here for an actor."""
        held = (signer.public for signer in self._keyring.actors.get(actor, []))
        return next((key for key in held if key.key_id == key_id), None)

    def has_ahead(self, actor: Actor) -> bool:
        """Whether envelopes of an actor came back beyond a sequence that is free."""
        return any(sender == actor for sender, _ in self._journal.ahead)

    def following(self, actor: Actor) -> jws.PublicKey | None:
        """The key that an actor changes to next, if it is there."""
        following = self._following(actor)
        return following.public if following else None

    def is_taken(self, key: jws.PublicKey) -> bool:
        """Whether a key signs something else, here or as far as the directory has shown."""
        return self._keyring.is_shared(key) or self._program.directory.is_taken(key)

    def changing(self, actor: Actor) -> bool:
        """Whether the key in use is not the one in the directory: the hub has not told of a change
        yet, or it knows another one (rule 4.4).
        """
        return self._in_use(actor).public != self._program.directory.current_key(actor)

    def seal(self, batch: Batch, changed: dict[Way, int]) -> tuple[list[Sealed], list[Kept]]:
        """Seal what was said; gives the envelopes and where each message stands. `changed` gets the
        sequences used up.
        """
        ways: dict[Way, list[Said]] = {}
        for said in batch.said:
            ways.setdefault((said.author, said.to), []).append(said)
        sealed: list[Sealed] = []
        kept: list[Kept] = []
        for way, messages in ways.items():
            for bundle in _bundles(messages, self._bundle_max):
                number = self._journal.following(
                    way, changed.get(way, self._journal.last.get(way, 0))
                )
                changed[way] = self._journal.joined(way, number)
                sealed.append(Sealed(*way, number, self._sign(way, number, bundle, batch)))
                kept += [_kept(said, number, line) for line, said in enumerate(bundle)]
        return sealed, kept

    async def rotate(
        self, session: Session, actor: Actor, batch: Batch, changed: dict[Way, int]
    ) -> tuple[Sealed, Kept]:
        """Seal the rotation of an actor's key: the last envelope under the old one."""
        old, new = self._in_use(actor), self._following(actor)
        assert new is not None
        after = {**self._journal.last, **changed}
        closes = {to: last for (sender, to), last in after.items() if sender == actor}
        closes[HUB] = closes.get(HUB, 0) + 1
        act = Rotation(
            actor=actor,
            old=old.public.key_id,
            new=new.public.to_text(),
            closes=tuple(LastSequence(to=to, last=last) for to, last in sorted(closes.items())),
            at=batch.now,
        )
        body = RotationRequest(act=sign_act(act.model_dump_json(), [old, new]))
        message, line = batch.make("rotation", "rotation", body)
        said = Said(actor, HUB, message, line, digest(line))
        changed[actor, HUB] = closes[HUB]
        signed = self._sign((actor, HUB), closes[HUB], [said], batch)
        await journals.set_mark(session, f"key {actor}", self._keyring.used.get(actor, 0) + 1)
        return Sealed(actor, HUB, closes[HUB], signed), _kept(said, closes[HUB], 0)

    def rotated(self, actor: Actor) -> None:
        """The rotation is durable: what follows is sealed with the new key."""
        self._keyring.used[actor] = self._keyring.used.get(actor, 0) + 1

    async def seal_anew(self, store: Store) -> list[Sealed]:
        """Seal again, with the key in use, what another one had sealed beyond what the others took
        under it: a withdrawn key, or one that was changed to meanwhile and that nobody was told of.

        That is done once for each key. While a change is under way nothing is done: the directory
        here is behind, and what the newer key has sealed is yet to be accepted.
        """
        again: list[Sealed] = []
        for actor in self._program.actors:
            records = self._program.directory.keys.get(actor, ())
            if len(records) > 1 and not self.changing(actor):
                async with store.transaction() as session:
                    if await journals.get_mark(session, f"anew {actor}") < len(records):
                        again += await self._beyond(session, actor, records[-1])
                        await journals.set_mark(session, f"anew {actor}", len(records))
        return again

    async def _beyond(self, session: Session, actor: Actor, record: KeyRecord) -> list[Sealed]:
        """Seal again what is not under the actor's current key and should be."""
        signer = self._in_use(actor)
        again: list[Sealed] = []
        for (sender, to), last in self._journal.last.items():
            if sender == actor:
                first = record.opens.get(to, 0) + 1
                for part in range(first, last + 1, limits.RESEND_ENVELOPES_MAX):
                    end = min(last, part + limits.RESEND_ENVELOPES_MAX - 1)
                    again += await _again(session, (actor, to), part, end, signer)
        return again

    def seal_control(
        self, way: Way, line: bytes, now: Instant, nonce: str, answers: str | None
    ) -> bytes:
        """A control envelope around one message."""
        members = {"control": True, "nonce": nonce, "answers_nonce": answers}
        return self._signed(way, [line], now, members)

    def _sign(self, way: Way, sequence: int, bundle: list[Said], batch: Batch) -> bytes:
        return self._signed(way, [said.line for said in bundle], batch.now, {"sequence": sequence})

    def _signed(
        self, way: Way, lines: list[bytes], now: Instant, members: dict[str, object]
    ) -> bytes:
        author, to = way
        manifest = Manifest.model_validate(
            {
                "from": author,
                "to": to,
                "sent_at": now,
                "seen": self._program.seen,
                "messages": tuple(digest(line) for line in lines),
                **members,
            }
        )
        return seal(manifest, tuple(lines), self._in_use(author))

    def _following(self, actor: Actor) -> jws.Signer | None:
        """The signer that comes into use after it, if it has been made."""
        return self._keyring.following(actor, self._program.directory.current_key(actor))

    def _in_use(self, actor: Actor) -> jws.Signer:
        """The signer that seals for an actor now."""
        return self._keyring.signer(actor, self._program.directory.current_key(actor))


async def _again(
    session: Session, way: Way, first: int, last: int, signer: jws.Signer
) -> list[Sealed]:
    again = []
    for sealed in await outbox.sealed_range(session, *way, first, last):
        opened = open_envelope(sealed.body)
        if opened.token.kid != signer.public.key_id:
            body = seal(opened.manifest, opened.lines, signer)
            again.append(sealed._replace(body=body))
    await outbox.replace_sealed(session, again)
    return again


def _bundles(messages: list[Said], most: int) -> list[list[Said]]:
    """Messages in envelopes: up to a number, and closed once over a size."""
    bundles: list[list[Said]] = []
    size = limits.BUNDLE_BYTES_MAX
    for said in messages:
        full = size + len(said.line) > limits.BUNDLE_BYTES_MAX
        if not bundles or full or len(bundles[-1]) == most:
            bundles.append([])
            size = 0
        bundles[-1].append(said)
        size += len(said.line)
    return bundles


def _kept(said: Said, sequence: int, line: int) -> Kept:
    message = said.message
    return Kept(
        said.author,
        str(message.id),
        said.digest,
        message.type,
        message.conversation,
        message.answers,
        said.to,
        sequence,
        line,
    )
