# SPDX-License-Identifier: Apache-2.0
"""The tail of the log on its way back, in the database: entries by position and heads by size, as
others gave them back, until the log has them again.

Two that contradict each other are both kept, so that whoever takes them sees it.

Elsewhere: taking them (`recovering`).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import and_, func, or_, select

from hub import tables
from hub.tables import tail
from ledger import note
from runtime.journal import get_mark, set_mark
from runtime.many import add_new
from runtime.program import Heard
from runtime.store import Session
from runtime.tables import marks
from schemas.envelope import open_manifest
from schemas.identifiers import Instant, Participant
from schemas.messages import Checkpoint, Entry, Message, parse_message

__all__ = [
    "RECOVERED",
    "RECOVERING",
    "Head",
    "contradicted",
    "count",
    "first_back",
    "first_left",
    "forget_back",
    "forget_entries",
    "forget_heads",
    "is_untouched",
    "keep",
    "load_entries",
    "load_heads",
    "told",
]

RECOVERING = "recovering"
"""The mark of a hub that recovers: the size that its log had when that began."""

RECOVERED = "recovered"
"""The mark of a hub that has recovered once: what it hears may have been heard before."""

ENTRY, HEAD = "entry", "head"
BACK = "back "


class Head(NamedTuple):
    """A head of the log that somebody was shown: its size, root, note, and when it was sent."""

    size: int
    root: str
    note: str
    at: Instant


async def keep(session: Session, said: Iterable[Heard]) -> None:
    """Keep what came back of entries and heads, and how far each participant had been told."""
    rows: dict[tuple[str, int, str], dict[str, object]] = {}
    reached: dict[str, int] = {}
    back: dict[Participant, int] = {}
    for heard in said:
        manifest, body = open_manifest(heard.manifest)[1], heard.message.body
        back[manifest.to] = min(heard.sequence, back.get(manifest.to, heard.sequence))
        if isinstance(body, Entry):
            kind, number, digest = ENTRY, body.position, str(heard.digest)
            line, at = heard.line, body.at
            mark, last = _told(manifest.to), body.position + 1
        elif isinstance(body, Checkpoint):
            head = note.Checkpoint.from_text(note.parse_note(body.note)[0])
            kind, number, digest = HEAD, head.size, head.root.hex()
            line, at = body.note.encode(), manifest.sent_at
            mark, last = f"shown {manifest.to}", head.size
        else:
            continue
        rows[kind, number, digest] = {
            "kind": kind,
            "number": number,
            "digest": digest,
            "line": line,
            "at": at,
        }
        reached[mark] = max(last, reached.get(mark, 0))
    await add_new(session, tail, list(rows.values()))
    for mark, last in reached.items():
        await set_mark(session, mark, max(last, await get_mark(session, mark)))
    for participant, sequence in back.items():
        before = await first_back(session, participant)
        await set_mark(session, _back(participant), min(sequence, before or sequence))


def _back(participant: Participant) -> str:
    return BACK + participant


async def first_back(session: Session, participant: Participant) -> int:
    """The first sequence of the envelopes that came back from a participant; nought if none did."""
    return await get_mark(session, _back(participant))


async def is_untouched(session: Session) -> bool:
    """Whether nothing has come back yet."""
    came = select(marks.c.name).where(marks.c.name.startswith(BACK), marks.c.value > 0)
    return (await session.execute(came.limit(1))).first() is None and not await count(session)


async def forget_back(session: Session, participants: Iterable[Participant]) -> None:
    """The recovery is over."""
    for participant in participants:
        if await first_back(session, participant):
            await set_mark(session, _back(participant), 0)


def _told(participant: Participant) -> str:
    return f"told {participant}"


async def told(session: Session, participant: Participant) -> int:
    """Below which position a participant has all entries that concern it, of those that came back
    from it; nought if none did.
    """
    return await get_mark(session, _told(participant))


async def load_entries(
    session: Session, first: int, most: int | None = None
) -> list[tuple[Message, bytes]]:
    """The entries that came back, from a position on, in order."""
    where = and_(tail.c.kind == ENTRY, tail.c.number >= first)
    statement = select(tail.c.line).where(where).order_by(tail.c.number, tail.c.digest).limit(most)
    lines = [bytes(row.line) for row in await session.execute(statement)]
    return [(parse_message(line), line) for line in lines]


async def count(session: Session) -> int:
    """How much is there."""
    return int((await session.execute(select(func.count()).select_from(tail))).scalar_one())


async def contradicted(session: Session, size: int) -> int | None:
    """The first position below a size at which another entry came back than the log has."""
    table = tables.log_entries
    other = or_(table.c.line.is_(None), table.c.line != tail.c.line)
    statement = (
        select(func.min(tail.c.number))
        .select_from(tail)
        .outerjoin(table, table.c.position == tail.c.number)
        .where(tail.c.kind == ENTRY, tail.c.number < size, other)
    )
    found = (await session.execute(statement)).scalar_one_or_none()
    return None if found is None else int(found)


async def forget_entries(session: Session, size: int) -> None:
    """The log has these."""
    await session.execute(tail.delete().where(tail.c.kind == ENTRY, tail.c.number < size))


async def load_heads(session: Session, size: int) -> list[Head]:
    """The heads up to a size that came back, in order."""
    where = and_(tail.c.kind == HEAD, tail.c.number <= size)
    rows = await session.execute(select(tail).where(where).order_by(tail.c.number))
    return [Head(r.number, r.digest, bytes(r.line).decode(), Instant(r.at)) for r in rows]


async def forget_heads(session: Session, heads: Sequence[Head]) -> None:
    """These are kept with the log."""
    if heads:
        sizes = [head.size for head in heads]
        await session.execute(tail.delete().where(tail.c.kind == HEAD, tail.c.number.in_(sizes)))


async def first_left(session: Session) -> tuple[int | None, int | None]:
    """The first position of an entry, and the largest size of a head, that wait for what comes
    before them.
    """
    entries = select(func.min(tail.c.number)).where(tail.c.kind == ENTRY)
    heads = select(func.max(tail.c.number)).where(tail.c.kind == HEAD)
    return (
        (await session.execute(entries)).scalar_one_or_none(),
        (await session.execute(heads)).scalar_one_or_none(),
    )
