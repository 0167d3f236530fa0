# SPDX-License-Identifier: Apache-2.0
"""The journal: every envelope received, where each message stands, and the sequences.

`Journal` keeps the sequences in memory beside the database, because one writer changes them; after
anything that leaves a commit's outcome unknown it is loaded anew. Envelopes are kept byte for byte.

Elsewhere: the tables (`tables`), envelopes of our own (`outbox`), commands (`desk`), what is done
with an envelope (`arranging`, `hearing`).
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    bindparam,
    delete,
    func,
    select,
    update,
)

from runtime.many import add, add_new, write_over
from runtime.store import ASKED, Session, asked_text
from runtime.tables import dead_letters, inbox, marks, messages, outbox, sequences
from schemas import limits
from schemas.envelope import Opened, digest
from schemas.findings import Finding
from schemas.identifiers import Actor, Digest, Instant, Participant

__all__ = ["Journal", "Kept", "Sealed", "get_mark", "kept_line", "set_mark"]


class Sealed(NamedTuple):
    """An envelope of ours, ready to be sent and sent again."""

    sender: Actor
    recipient: Participant
    sequence: int
    body: bytes


class Kept(NamedTuple):
    """A message that was said or heard: who said it, its digest, and where it stands."""

    author: Actor
    id: str
    digest: Digest
    type: str
    conversation: str
    answers: Digest | None
    recipient: Participant
    sequence: int
    line: int


@dataclass
class Journal:
    """Sequences and early envelopes of one program, in step with its database.

    `ahead` are envelopes of our own that came back after a restore, beyond a sequence that nobody
    has: what is sealed next takes the free numbers first.
    """

    participant: Participant
    last: dict[tuple[Actor, Participant], int] = field(default_factory=dict)
    early: dict[Actor, set[int]] = field(default_factory=dict)
    ahead: dict[tuple[Actor, Participant], set[int]] = field(default_factory=dict)

    async def load(self, session: Session) -> None:
        """Take the sequences from the database."""
        rows = await session.execute(select(sequences))
        self.last = {(Actor(r.sender), Participant(r.recipient)): r.last for r in rows}
        self.early = {}
        rows = await session.execute(
            select(inbox.c.sender, inbox.c.sequence).where(inbox.c.applied == 0)
        )
        for sender, sequence in rows:
            self.early.setdefault(Actor(sender), set()).add(sequence)
        self.ahead = {}
        for sender, recipient, sequence in await session.execute(_AHEAD):
            self.ahead.setdefault((Actor(sender), Participant(recipient)), set()).add(sequence)

    def received(self, sender: Actor) -> int:
        """The last sequence of another's actor that was applied here."""
        return self.last.get((sender, self.participant), 0)

    def next_stored(self) -> set[Actor]:
        """The senders whose next envelope is stored already: no other one will bring it on."""
        return {s for s, stored in self.early.items() if self.received(s) + 1 in stored}

    def has_all(self, sender: Actor, last: int) -> bool:
        """Whether all of another's actor up to a sequence is here, applied or stored."""
        stored = self.early.get(sender, ())
        return all(n in stored for n in range(self.received(sender) + 1, last + 1))

    def sent(self, sender: Actor, recipient: Participant) -> int:
        """The last sequence sealed by an actor of ours."""
        return self.last.get((sender, recipient), 0)

    def lacks(self, sender: Actor, recipient: Participant, sequence: int) -> bool:
        """Whether an envelope of ours is not here."""
        way = (sender, recipient)
        return sequence > self.last.get(way, 0) and sequence not in self.ahead.get(way, ())

    def following(self, way: tuple[Actor, Participant], last: int) -> int:
        """The next free sequence of an actor of ours after one."""
        taken = self.ahead.get(way, ())
        last += 1
        while last in taken:
            last += 1
        return last

    def joined(self, way: tuple[Actor, Participant], last: int) -> int:
        """The last sequence without a gap, when everything up to one is there."""
        return self.following(way, last) - 1

    def moved(self, changed: Mapping[tuple[Actor, Participant], int]) -> None:
        """Sequences have moved, durably."""
        self.last.update(changed)
        for way in set(self.ahead) & set(changed):
            self.ahead[way] = {n for n in self.ahead[way] if n > self.last[way]}
            if not self.ahead[way]:
                del self.ahead[way]


_AHEAD = select(outbox.c.sender, outbox.c.recipient, outbox.c.sequence).join(
    sequences,
    and_(
        sequences.c.sender == outbox.c.sender,
        sequences.c.recipient == outbox.c.recipient,
        outbox.c.sequence > sequences.c.last,
    ),
)


async def save_sequences(session: Session, changed: dict[tuple[Actor, Participant], int]) -> None:
    """Write the sequences that a batch has moved."""
    rows = [{"sender": a, "recipient": b, "last": n} for (a, b), n in sorted(changed.items())]
    await write_over(session, sequences, rows)


async def set_mark(session: Session, name: str, value: int) -> None:
    """Remember a number by name."""
    await write_over(session, marks, [{"name": name, "value": value}])


async def get_mark(session: Session, name: str, default: int = 0) -> int:
    """A number remembered by name."""
    found = await session.execute(select(marks.c.value).where(marks.c.name == name))
    value = found.scalar_one_or_none()
    return default if value is None else int(value)


async def keep_received(
    session: Session, opened: Sequence[Opened], now: Instant, *, applied: bool
) -> None:
    """Store authentic envelopes of others."""
    rows = [
        {
            "sender": o.manifest.sender,
            "sequence": o.manifest.sequence,
            "signed": o.signed_digest,
            "body": o.body,
            "received_at": now,
            "applied": int(applied),
        }
        for o in opened
    ]
    await add(session, inbox, rows)


async def mark_applied(session: Session, sender: Actor, first: int, last: int) -> None:
    """Stored early envelopes of a sender are applied now."""
    where = and_(inbox.c.sender == sender, inbox.c.sequence.between(first, last))
    await session.execute(update(inbox).where(where).values(applied=1))


async def signed_of(session: Session, sender: Actor, sequence: int) -> Digest | None:
    """The digest of what was signed in the envelope received under a sequence."""
    found = await session.execute(
        select(inbox.c.signed).where(inbox.c.sender == sender, inbox.c.sequence == sequence)
    )
    value = found.scalar_one_or_none()
    return None if value is None else Digest(value)


async def keep_messages(session: Session, rows: Iterable[Kept]) -> None:
    """Store where messages stand; what is said to several recipients is stored once."""
    first: dict[tuple[Actor, str], Kept] = {}
    for row in rows:
        first.setdefault((row.author, row.id), row)
    await add_new(session, messages, [row._asdict() for row in first.values()])


_KNOWN = (
    select(messages)
    .select_from(ASKED)
    .join(
        messages,
        and_(
            messages.c.author == asked_text("a"),
            messages.c.id == asked_text("i"),
        ),
    )
)
_ANSWERS = (
    select(messages)
    .select_from(ASKED)
    .join(messages, messages.c.answers == asked_text("d"))
    .where(messages.c.author == bindparam("author"))
)
_BY_DIGEST = (
    select(messages).select_from(ASKED).join(messages, messages.c.digest == asked_text("d"))
)


async def known_messages(
    session: Session, ids: Iterable[tuple[Actor, str]]
) -> dict[tuple[Actor, str], Kept]:
    """Which of these authors' message ids were seen before."""
    asked = [{"a": author, "i": id_} for author, id_ in ids]
    if not asked:
        return {}
    rows = await session.execute(_KNOWN, {"asked": json.dumps(asked)})
    return {(k.author, k.id): k for k in map(_kept, rows)}


async def said_lines(session: Session, digests: Iterable[Digest]) -> list[Kept]:
    """Where these lines were said or heard here, by whomever: anybody may say another's line."""
    asked = json.dumps([{"d": one} for one in digests])
    if asked == "[]":
        return []
    return [_kept(row) for row in await session.execute(_BY_DIGEST, {"asked": asked})]


async def answers_said(session: Session, author: Actor, answered: Iterable[Digest]) -> list[Kept]:
    """Where an actor answered these lines."""
    asked = json.dumps([{"d": one} for one in answered])
    if asked == "[]":
        return []
    rows = await session.execute(_ANSWERS, {"asked": asked, "author": str(author)})
    return [_kept(row) for row in rows]


async def messages_by_digest(
    session: Session, digests: Iterable[Digest], authors: Collection[Actor]
) -> dict[Digest, Kept]:
    """Which of these lines were said by one of these authors, by their digest."""
    found = await said_lines(session, digests)
    return {kept.digest: kept for kept in found if kept.author in authors}


async def said_about(session: Session, conversation: str) -> list[Kept]:
    """All that was said and heard here in a conversation, in the order of the messages' ids."""
    where = messages.c.conversation == conversation
    rows = await session.execute(select(messages).where(where).order_by(messages.c.id))
    return [_kept(row) for row in rows]


def _kept(row: Any) -> Kept:
    return Kept(
        Actor(row.author),
        row.id,
        Digest(row.digest),
        row.type,
        row.conversation,
        Digest(row.answers) if row.answers else None,
        Participant(row.recipient),
        row.sequence,
        row.line,
    )


async def kept_lines(
    session: Session, messages: Iterable[Kept]
) -> dict[Digest, tuple[bytes, bytes]]:
    """The manifest lines and lines of many kept messages, by digest; an envelope is read once."""
    found: dict[Digest, tuple[bytes, bytes]] = {}
    place, lines = None, list[bytes]()
    for kept in sorted(messages, key=lambda one: (one.author, one.recipient, one.sequence)):
        if place != (kept.author, kept.recipient, kept.sequence):
            place = (kept.author, kept.recipient, kept.sequence)
            lines = await _envelope_lines(session, kept)
        found[kept.digest] = _line_of(lines, kept)
    return found


async def kept_line(session: Session, kept: Kept) -> tuple[bytes, bytes]:
    """The manifest line and the line of a kept message, byte for byte."""
    return _line_of(await _envelope_lines(session, kept), kept)


def _line_of(lines: Sequence[bytes], kept: Kept) -> tuple[bytes, bytes]:
    assert digest(lines[kept.line + 1]) == kept.digest
    return lines[0], lines[kept.line + 1]


async def _envelope_lines(session: Session, kept: Kept) -> list[bytes]:
    """All lines of the envelope that a message stands in."""
    where = (outbox.c.sender == kept.author, outbox.c.recipient == kept.recipient)
    statement = select(outbox.c.body).where(*where, outbox.c.sequence == kept.sequence)
    body = (await session.execute(statement)).scalar_one_or_none()
    if body is None:
        received = select(inbox.c.body).where(
            inbox.c.sender == kept.author, inbox.c.sequence == kept.sequence
        )
        body = (await session.execute(received)).scalar_one()
    return bytes(body).split(b"\n")


async def received_range(session: Session, sender: Actor, first: int, last: int) -> list[bytes]:
    """Envelopes received from an actor, by their sequences."""
    statement = (
        select(inbox.c.body)
        .where(inbox.c.sender == sender, inbox.c.sequence.between(first, last))
        .order_by(inbox.c.sequence)
    )
    return [bytes(row[0]) for row in await session.execute(statement)]


async def part_end(
    session: Session, kept: Table, where: ColumnElement[bool], first: int, last: int
) -> int:
    """How far a range of envelopes may be loaded: so many, and so many bytes, but one at least."""
    statement = (
        select(kept.c.sequence, func.length(kept.c.body))
        .where(where, kept.c.sequence.between(first, last))
        .order_by(kept.c.sequence)
        .limit(limits.RESEND_ENVELOPES_MAX)
    )
    end, total = first - 1, 0
    for sequence, size in await session.execute(statement):
        total += size
        if total > limits.RESEND_BYTES_MAX and end >= first:
            break
        end = sequence
    return end


async def received_part(session: Session, sender: Actor, first: int, last: int) -> list[bytes]:
    """The beginning of such a range: as much of it as is given back at a time."""
    end = await part_end(session, inbox, inbox.c.sender == sender, first, last)
    return await received_range(session, sender, first, end)


async def bury(
    session: Session, found: Finding, body: bytes, claimed: str | None, now: Instant
) -> None:
    """Put a body aside as a dead letter, with the reason."""
    await session.execute(
        dead_letters.insert(),
        [
            {
                "received_at": now,
                "claimed_sender": claimed,
                "code": found.code,
                "reason": str(found.reason),
                "detail": found.detail,
                "body": body,
            }
        ],
    )


async def forget_early(session: Session, sender: Actor, first: int) -> None:
    """Drop stored early envelopes from a sequence on: their key was withdrawn."""
    await session.execute(
        delete(inbox).where(
            inbox.c.sender == sender, inbox.c.sequence >= first, inbox.c.applied == 0
        )
    )
