# SPDX-License-Identifier: Apache-2.0
"""Causes: the proposals that entries name, found again where a database was set back.

What others had said to the hub since is lost with its database as well. Each of them keeps it and
sends it again; while the hub recovers it is stored and not heard. A proposal that another was asked
to answer also came back, enclosed in what the hub had sent to that one.

Elsewhere: who needs them (`recovering`), how others are asked (`runtime.gaps`).
"""

from collections.abc import Collection, Mapping

from sqlalchemy import select

from runtime.journal import answers_said, kept_lines, messages_by_digest, received_range
from runtime.store import Session
from runtime.tables import inbox
from schemas.envelope import digest, open_envelope
from schemas.identifiers import HUB_ACTOR, Actor, Digest
from schemas.messages import parse_message

__all__ = ["Causes"]


class Causes:
    """Finds lines by their digests; remembers what it has looked through."""

    def __init__(self) -> None:
        self._places: dict[Digest, tuple[Actor, int]] = {}
        self._looked: dict[Actor, set[int]] = {}

    async def find(self, session: Session, wanted: Mapping[Digest, Actor]) -> dict[Digest, bytes]:
        """The lines with these digests, said by these actors, as far as they are here."""
        found: dict[Digest, bytes] = {}
        if wanted:
            heard = await messages_by_digest(session, wanted, set(wanted.values()))
            lines = await kept_lines(session, heard.values())
            found = {named: line for named, (_, line) in lines.items()}
            found |= await _enclosed(session, wanted.keys() - found.keys())
        for author in sorted({wanted[named] for named in wanted.keys() - found.keys()}):
            await self._look_through(session, author)
        for named in wanted.keys() - found.keys():
            line = await self._stored(session, named)
            if line is not None:
                found[named] = line
        return found

    async def _look_through(self, session: Session, author: Actor) -> None:
        """Note the digests of what is stored early of an actor, and was not looked at before."""
        looked = self._looked.setdefault(author, set())
        where = (inbox.c.sender == author, inbox.c.applied == 0)
        rows = await session.execute(select(inbox.c.sequence).where(*where))
        for sequence in sorted({row.sequence for row in rows} - looked):
            for body in await received_range(session, author, sequence, sequence):
                for named in open_envelope(body).manifest.messages:
                    self._places.setdefault(named, (author, sequence))
            looked.add(sequence)

    async def _stored(self, session: Session, named: Digest) -> bytes | None:
        if named not in self._places:
            return None
        author, sequence = self._places[named]
        for body in await received_range(session, author, sequence, sequence):
            for line in open_envelope(body).lines:
                if digest(line) == named:
                    return line
        return None


async def _enclosed(session: Session, wanted: Collection[Digest]) -> dict[Digest, bytes]:
    """Lines that the hub had passed on."""
    said = await answers_said(session, HUB_ACTOR, wanted)
    enclosures = [kept for kept in said if kept.type == "enclosure"]
    found: dict[Digest, bytes] = {}
    for _, line in (await kept_lines(session, enclosures)).values():
        enclosed = parse_message(line).body.line.encode()
        found[digest(enclosed)] = enclosed
    return {named: line for named, line in found.items() if named in wanted}
