# SPDX-License-Identifier: Apache-2.0
"""Words: what others had said in the lost time, held to what they keep of it.

Whoever said something the hub had acted on keeps it, and needs it: a registry that does not know
its own consent halts at the entry that names it, and under a sequence that it has forgotten it
would seal another envelope. So a hub that was set back does not go on before these are here, each
in its author's own envelope:

* whatever an entry of the tail names as its cause, or as a consent;
* whatever the hub had passed on, as far as that came back.

An author that was set back as well may have lost one. If all of its lines were passed on, it is put
together from them, byte for byte, and its author takes it back from here (rule 3.11). If not, the
program ends and says what is lacking, and whose.

Elsewhere: proposals that entries begin with (`causes`), the entries themselves (`recovering`).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import select

from hub import storage, tables, tail
from hub.causes import Causes
from hub.guard import Refusal, bring, refused
from hub.state import Transaction
from ledger.directory import Directory
from ledger.enclosed import unproven
from runtime import outbox
from runtime.program import Batch, Others
from runtime.store import Session
from schemas.directory import Rotation, parse_act
from schemas.effects import CaseEffect, DirectoryEffect
from schemas.envelope import Opened, digest, open_envelope, open_manifest
from schemas.identifiers import HUB, HUB_ACTOR, REC_ACTOR, Actor, Digest, Participant, TransactionId
from schemas.messages import Enclosure, Entry, Message, parse_message

__all__ = ["Words"]

READ_MAX = 200
"""Entries read in one step."""

Place = tuple[Actor, int]
"""An author and the sequence of an envelope to the hub."""


class Named(NamedTuple):
    """What an entry names, and who must have said it."""

    position: int
    conversation: str
    what: str
    author: Actor


class Parts(NamedTuple):
    """What was passed on of an envelope: lines by their digests."""

    manifest: bytes
    lines: dict[Digest, bytes]

    def whole(self) -> Opened | None:
        """The envelope as its author sealed it, if every line is here."""
        named = open_manifest(self.manifest)[1].messages
        if any(one not in self.lines for one in named):
            return None
        return open_envelope(b"\n".join((self.manifest, *(self.lines[one] for one in named))))


class Words:
    """Looks through what came back, from a position of the log on; remembers how far it is."""

    def __init__(self, base: int, causes: Causes) -> None:
        self.awaited: frozenset[Actor] = frozenset()
        """Who has not sent again all that it ever sent, and had said something that is not here."""
        self._causes = causes
        self._position = base
        self._sequences: dict[Participant, int] = {}
        self._parts: dict[Place, dict[bytes, Parts]] = {}
        self._named: dict[Digest, Named] = {}

    async def hold(
        self, session: Session, directory: Directory, batch: Batch, others: Others
    ) -> bool:
        """Whether all of it is here; what is put together is `batch.restored`.

        `LocalProtocolError` for what is with nobody.
        """
        more = await self._read_enclosures(session, directory, batch)
        more = await self._read_entries(session) or more
        self._forget_what_is_here(batch, others)
        missing = {place[0] for place in self._parts}
        for place in sorted(self._parts):
            if place[0] in others.whole:
                batch.restored.append(_put_together(place, list(self._parts[place].values())))
                missing.discard(place[0])
        if not self._parts:
            missing |= await self._missing(session, others)
        self.awaited = frozenset(missing)
        return not (more or self._parts or self._named)

    # --- what was passed on ---------------------------------------------------------------------

    async def _read_enclosures(self, session: Session, directory: Directory, batch: Batch) -> bool:
        """Look through the next envelopes that came back of each participant; whether there are
        more.
        """
        more = False
        for participant in directory.members:
            way = (HUB_ACTOR, participant)
            first = self._sequences.get(participant) or await tail.first_back(session, participant)
            last = batch.sequences.get(way, 0)
            if not first or first > last:
                continue
            part = await outbox.sealed_part(session, *way, first, last)
            assert part, "what came back is kept"
            for sealed in part:
                for line in open_envelope(sealed.body).lines:
                    self._note(parse_message(line), directory)
            self._sequences[participant] = part[-1].sequence + 1
            more = more or part[-1].sequence < last
        return more

    def _note(self, message: Message, directory: Directory) -> None:
        body = message.body
        if not isinstance(body, Enclosure):
            return
        manifest_line, line = body.manifest.encode(), body.line.encode()
        token, manifest = open_manifest(manifest_line)
        if unproven(directory, token, manifest, digest(line)) is not None:
            return  # its key was withdrawn since, and its author has sealed it anew
        assert manifest.sequence is not None
        known = self._parts.setdefault((manifest.sender, manifest.sequence), {})
        parts = known.setdefault(manifest_line, Parts(manifest_line, {}))
        parts.lines[digest(line)] = line

    def _forget_what_is_here(self, batch: Batch, others: Others) -> None:
        for actor, sequence in list(self._parts):
            applied = batch.sequences.get((actor, HUB), 0)
            if sequence <= applied or sequence in others.early.get(actor, ()):
                del self._parts[actor, sequence]

    # --- what entries name ----------------------------------------------------------------------

    async def _read_entries(self, session: Session) -> bool:
        """Look through the next entries for what they name; whether there are more."""
        table = tables.log_entries
        statement = select(table.c.line).where(table.c.position >= self._position)
        statement = statement.order_by(table.c.position).limit(READ_MAX)
        messages = [parse_message(bytes(r.line)) for r in await session.execute(statement)]
        ids = {m.conversation for m in messages if m.body.state is not None}
        known = await storage.load_transactions(session, ids)
        for message in messages:
            self._named |= dict(_names(message, known))
        self._position += len(messages)
        return len(messages) == READ_MAX

    async def _missing(self, session: Session, others: Others) -> set[Actor]:
        """Authors of what entries name and is not here."""
        wanted = {one: named.author for one, named in self._named.items()}
        for one in await self._causes.kept(session, wanted):
            del self._named[one]
        for one, named in self._named.items():
            if named.author in others.whole:
                raise refused(
                    Refusal.LACKING,
                    f"entry {named.position} ({named.conversation}) names a {named.what} of "
                    f"{named.author}, message {one}, that nobody has any more: its author has sent "
                    f"again all that it keeps. {bring(named.author)}",
                )
        return {named.author for named in self._named.values()}


def _names(
    message: Message, known: dict[TransactionId, Transaction]
) -> Iterator[tuple[Digest, Named]]:
    """The messages that an entry rests on."""
    entry: Entry = message.body
    author = _cause(message, known)
    if author is not None and message.answers is not None:
        yield message.answers, Named(entry.position, message.conversation, "message", author)
    for consent in entry.consents:
        named = Named(entry.position, message.conversation, "consent", consent.actor)
        yield consent.message, named


def _cause(message: Message, known: dict[TransactionId, Transaction]) -> Actor | None:
    """Who said what caused an entry; None for a deadline or a command."""
    entry: Entry = message.body
    if entry.state is not None:
        transaction = known[TransactionId(message.conversation)]
        by_proposer = entry.state == "withdrawn" or message.answers == transaction.message
        return transaction.proposer if by_proposer else transaction.acquirer
    for effect in entry.effects:
        if isinstance(effect, CaseEffect):
            return REC_ACTOR
        if isinstance(effect, DirectoryEffect):
            act = parse_act(effect.act)
            return act.actor if isinstance(act, Rotation) else None
    return None


def _put_together(place: Place, known: Sequence[Parts]) -> Opened:
    """The envelope that its author has lost."""
    author, sequence = place
    for parts in known:
        opened = parts.whole()
        if opened is not None:
            return opened
    parts = known[0]
    there, all_of_it = len(parts.lines), len(open_manifest(parts.manifest)[1].messages)
    raise refused(
        Refusal.LACKING,
        f"{author} has lost its envelope {sequence} to the hub; of {all_of_it} messages in it "
        f"{there} were passed on, and nobody has the others. {bring(author)}",
    )
