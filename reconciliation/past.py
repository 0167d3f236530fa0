# SPDX-License-Identifier: Apache-2.0
"""What the service asks its database about the past: roots, entries, movements, replicas' spans.

One statement per question, whatever the number of things asked about; the same on both databases.

Elsewhere: what is kept in memory, and all writing (`storage`).
"""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import and_, bindparam, func, select

from ledger import tree
from reconciliation import tables
from reconciliation.classify import Moved
from reconciliation.notes import Note
from runtime.journal import said_lines
from runtime.places import Place
from runtime.store import ASKED, Session, asked_number, asked_text
from runtime.tables import blocks
from schemas.effects import Units
from schemas.identifiers import HUB_ACTOR, Actor, CaseId, Digest, Instant
from schemas.messages import Entry, parse_message
from schemas.units import Key

__all__ = [
    "load_addressed",
    "load_delivered_roots",
    "load_deliveries",
    "load_digests",
    "load_movements",
    "load_notes",
    "load_place",
    "load_roots",
    "load_spans",
    "read_note",
]


_ENTRIES = (
    select(tables.entries.c.position, tables.entries.c.digest, tables.entries.c.root)
    .select_from(ASKED)
    .join(tables.entries, tables.entries.c.position == asked_number("p"))
)
_DELIVERED = (
    select(tables.deliveries.c.actor, tables.deliveries.c.number, tables.deliveries.c.root)
    .select_from(ASKED)
    .join(
        tables.deliveries,
        and_(
            tables.deliveries.c.actor == asked_text("a"),
            tables.deliveries.c.number == asked_number("n"),
        ),
    )
)


async def load_roots(session: Session, sizes: Iterable[int]) -> dict[int, bytes]:
    """The log's root at each of these sizes, as far as it has them."""
    asked = [{"p": size - 1} for size in sorted(set(sizes)) if size > 0]
    if not asked:
        return {}
    rows = await session.execute(_ENTRIES, {"asked": json.dumps(asked)})
    return {row.position + 1: bytes(row.root) for row in rows}


async def load_digests(session: Session, positions: Iterable[int]) -> dict[int, Digest]:
    """The digests of entries, as far as there are such."""
    asked = [{"p": position} for position in sorted(set(positions))]
    if not asked:
        return {}
    rows = await session.execute(_ENTRIES, {"asked": json.dumps(asked)})
    return {row.position: Digest(row.digest) for row in rows}


async def load_place(session: Session, position: int) -> Place | None:
    """Where the hub's message stands that brought an entry."""
    digests = await load_digests(session, [position])
    for kept in await said_lines(session, digests.values()):
        if kept.author == HUB_ACTOR:
            return Place(kept.sequence, kept.line)
    return None


async def load_delivered_roots(
    session: Session, wanted: Iterable[tuple[Actor, int]]
) -> dict[tuple[Actor, int], bytes]:
    """The roots of actors' delivery trees at sizes."""
    asked = [{"a": actor, "n": size - 1} for actor, size in sorted(set(wanted)) if size > 0]
    if not asked:
        return {}
    rows = await session.execute(_DELIVERED, {"asked": json.dumps(asked)})
    return {(Actor(row.actor), row.number + 1): bytes(row.root) for row in rows}


async def load_deliveries(session: Session, actor: Actor, first: int, after: int) -> list[Entry]:
    """An actor's deliveries from `first` up to, and without, `after`, in order."""
    statement = (
        select(tables.entries.c.line)
        .select_from(tables.deliveries)
        .join(tables.entries, tables.entries.c.position == tables.deliveries.c.position)
        .where(
            tables.deliveries.c.actor == actor,
            tables.deliveries.c.number >= first,
            tables.deliveries.c.number < after,
        )
        .order_by(tables.deliveries.c.number)
    )
    rows = await session.execute(statement)
    return [parse_message(bytes(row.line)).body for row in rows]


_MOVEMENTS = (
    select(tables.movements, tables.deliveries.c.number)
    .distinct()
    .select_from(ASKED)
    .join(
        tables.movements,
        and_(
            tables.movements.c.series == asked_text("s"),
            tables.movements.c.first <= asked_number("l"),
            tables.movements.c.last >= asked_number("f"),
        ),
    )
    .outerjoin(
        tables.deliveries,
        and_(
            tables.deliveries.c.actor == bindparam("actor"),
            tables.deliveries.c.position == tables.movements.c.position,
        ),
    )
)


async def load_movements(session: Session, actor: Actor, ranges: Iterable[Units]) -> list[Moved]:
    """What the log has moved of these units, with the number of the actor's delivery."""
    asked = [{"s": u.key.series, "f": u.first, "l": u.last} for u in ranges]
    rows = await session.execute(_MOVEMENTS, {"asked": json.dumps(asked), "actor": str(actor)})
    return [
        Moved(
            position=row.position,
            effect=row.effect,
            series=row.series,
            first=row.first,
            last=row.last,
            source=Actor(row.source) if row.source else None,
            target=Actor(row.target),
            delivery=row.number,
        )
        for row in rows
    ]


_ADDRESSED = (
    select(tables.deliveries.c.position, tables.deliveries.c.actor)
    .select_from(ASKED)
    .join(tables.deliveries, tables.deliveries.c.position == asked_number("p"))
    .order_by(tables.deliveries.c.position, tables.deliveries.c.actor)
)


async def load_addressed(
    session: Session, positions: Iterable[int]
) -> dict[int, tuple[Actor, ...]]:
    """To whom the entries at these positions are addressed, sorted."""
    asked = [{"p": position} for position in sorted(set(positions))]
    found: dict[int, tuple[Actor, ...]] = {}
    if asked:
        for row in await session.execute(_ADDRESSED, {"asked": json.dumps(asked)}):
            found[row.position] = (*found.get(row.position, ()), Actor(row.actor))
    return found


async def load_notes(session: Session, cases: Iterable[str]) -> dict[CaseId, tuple[Note, ...]]:
    """The notes to each of these cases, in order; a case that is not there is absent."""
    asked = sorted(set(cases))
    known = await session.execute(select(tables.cases.c.id).where(tables.cases.c.id.in_(asked)))
    found: dict[CaseId, tuple[Note, ...]] = {CaseId(row.id): () for row in known}
    table = tables.case_notes
    statement = select(table).where(table.c.case.in_(asked)).order_by(table.c.case, table.c.number)
    for row in await session.execute(statement):
        found[CaseId(row.case)] += (read_note(row),)
    return found


def read_note(row: Any) -> Note:
    """A row of `case_notes`."""
    return Note(
        case=CaseId(row.case),
        number=row.number,
        at=Instant(row.at),
        operator=row.operator,
        kind=row.kind,
        text=row.text,
        owner=row.owner,
        due=row.due,
        command=row.command,
    )


async def load_spans(session: Session, actor: Actor, slots: set[int]) -> list[Units]:
    """Per key in some slots (none: any), from the first to the last unit of an actor's replica."""
    statement = (
        select(blocks.c.key, func.min(blocks.c.first), func.max(blocks.c.last))
        .where(blocks.c.book == str(actor))
        .group_by(blocks.c.key)
        .order_by(blocks.c.key)
    )
    return [
        Units(key=Key.parse(key), first=first, last=last)
        for key, first, last in await session.execute(statement)
        if not slots or tree.slot(key) in slots
    ]
