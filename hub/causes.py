# SPDX-License-Identifier: Apache-2.0
"""Causes: the messages that entries name, found again where a database was set back.

What others had said to the hub since is lost with its database as well. Each of them keeps it and
sends it again; while the hub recovers it is stored and not heard. A proposal that another was asked
to answer also came back, enclosed in what the hub had sent to that one.

Elsewhere: who needs them (`recovering`, `words`), how others are asked (`runtime.gaps`).
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import select

from runtime.journal import (
    answers_said,
    kept_lines,
    messages_by_digest,
    received_range,
    said_lines,
)
from runtime.store import Session
from runtime.tables import inbox
from schemas.envelope import digest, open_envelope
from schemas.identifiers import HUB_ACTOR, Actor, Digest
from schemas.messages import Enclosure, parse_message

__all__ = ["Causes", "Word"]


class Word(NamedTuple):
    """A message as it was said: the manifest line of its envelope, and its own."""

    manifest: bytes
    line: bytes


class Causes:
    """Finds lines by their digests; remembers what it has looked through."""

    def __init__(self) -> None:
        self._places: dict[tuple[Actor, Digest], int] = {}
        self._looked: dict[Actor, set[int]] = {}

    async def find(self, session: Session, wanted: Mapping[Digest, Actor]) -> dict[Digest, Word]:
        """The messages with these digests, said by these actors, as far as they are here."""
        found: dict[Digest, Word] = {}
        if wanted:
            heard = await messages_by_digest(session, wanted, set(wanted.values()))
            lines = await kept_lines(session, heard.values())
            found = {named: Word(*word) for named, word in lines.items()}
            found |= await _enclosed(session, wanted.keys() - found.keys())
        left = {named: wanted[named] for named in wanted.keys() - found.keys()}
        for named in await self._stored(session, left):
            word = await self._read(session, left[named], named)
            if word is not None:
                found[named] = word
        return found

    async def kept(self, session: Session, wanted: Mapping[Digest, Actor]) -> set[Digest]:
        """Which of these messages are here in an envelope of their author's own."""
        if not wanted:
            return set()
        said = await said_lines(session, wanted)
        heard = {one.digest for one in said if one.author == wanted[one.digest]}
        left = {named: author for named, author in wanted.items() if named not in heard}
        return heard | await self._stored(session, left)

    async def _stored(self, session: Session, wanted: Mapping[Digest, Actor]) -> set[Digest]:
        """Which of these messages stand in an envelope that is stored early."""
        for author in sorted(set(wanted.values())):
            await self._look_through(session, author)
        return {named for named, author in wanted.items() if (author, named) in self._places}

    async def _look_through(self, session: Session, author: Actor) -> None:
        """Note the digests of what is stored early of an actor, and was not looked at before."""
        looked = self._looked.setdefault(author, set())
        where = (inbox.c.sender == author, inbox.c.applied == 0)
        rows = await session.execute(select(inbox.c.sequence).where(*where))
        for sequence in sorted({row.sequence for row in rows} - looked):
            for body in await received_range(session, author, sequence, sequence):
                for named in open_envelope(body).manifest.messages:
                    self._places.setdefault((author, named), sequence)
            looked.add(sequence)

    async def _read(self, session: Session, author: Actor, named: Digest) -> Word | None:
        sequence = self._places[author, named]
        for body in await received_range(session, author, sequence, sequence):
            opened = open_envelope(body)
            for line in opened.lines:
                if digest(line) == named:
                    return Word(opened.manifest_line, line)
        return None


async def _enclosed(session: Session, wanted: Collection[Digest]) -> dict[Digest, Word]:
    """Messages that the hub had passed on."""
    said = await answers_said(session, HUB_ACTOR, wanted)
    enclosures = [kept for kept in said if kept.type == "enclosure"]
    found: dict[Digest, Word] = {}
    for _, line in (await kept_lines(session, enclosures)).values():
        body: Enclosure = parse_message(line).body
        enclosed = Word(body.manifest.encode(), body.line.encode())
        found[digest(enclosed.line)] = enclosed
    return {named: word for named, word in found.items() if named in wanted}
