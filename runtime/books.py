# SPDX-License-Identifier: Apache-2.0
"""Ledger rows in the store: load what a batch touches, write what changed.

The statements are the same on both databases. What a range query may cost is bounded by the blocks
that it returns: rows of a series never overlap, so one probe finds the row that a range begins in.

Elsewhere: the tables (`tables`), rows as values (`rows`), rows in memory (`ledger.holdings`). The
holdings trees are `digests`' matter; its names are here as well, since a book's rows and its tree
are used together.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Text, and_, bindparam, cast, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ColumnElement

from ledger.holdings import Changes, Holdings
from ledger.tree import slot
from runtime.digests import (
    SHARES,
    buckets_of,
    children_of,
    holdings_root,
    load_tree_points,
    mark_everything_dirty,
    scrub,
)
from runtime.rows import block_row, overlay_row, read_block, read_overlay
from runtime.store import Session, each
from runtime.tables import blocks, keys, overlays
from schemas.identifiers import Actor
from schemas.units import Key

__all__ = [
    "SHARES",
    "buckets_of",
    "children_of",
    "holdings_root",
    "load_holdings",
    "load_tree_points",
    "mark_everything_dirty",
    "save_holdings",
    "scrub",
    "totals",
]

Spans = Iterable[tuple[str, int, int]]
"""Series and inclusive serial ranges."""


def _member(value: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    return value.op("->>")(name)


_wanted = each(bindparam("spans", type_=Text)).table_valued("value").alias("wanted")
_series = cast(_member(_wanted.c.value, "s"), Text)
_first = cast(_member(_wanted.c.value, "f"), BigInteger)
_last = cast(_member(_wanted.c.value, "l"), BigInteger)
_inner = blocks.alias("inner_blocks")
_start = (
    select(func.max(_inner.c.first))
    .where(
        _inner.c.book == bindparam("book"),
        _inner.c.series == _series,
        _inner.c.first <= _first,
    )
    .scalar_subquery()
)
_LOAD_BLOCKS = (
    select(blocks)
    .select_from(_wanted)
    .join(
        blocks,
        and_(
            blocks.c.book == bindparam("book"),
            blocks.c.series == _series,
            blocks.c.first >= func.coalesce(_start, _first),
            blocks.c.first <= _last,
            blocks.c.last >= _first,
        ),
    )
)
_LOAD_OVERLAYS = (
    select(overlays)
    .select_from(_wanted)
    .join(
        overlays,
        and_(
            overlays.c.book == bindparam("book"),
            overlays.c.series == _series,
            overlays.c.first <= _last,
            overlays.c.last >= _first,
        ),
    )
)


async def load_holdings(session: Session, book: str, spans: Spans) -> Holdings:
    """The rows and overlays of a book that share a serial with any of the ranges."""
    wanted = sorted({(s, f, x) for s, f, x in spans if f <= x})
    if not wanted:
        return Holdings()
    parameters = {
        "book": book,
        "spans": json.dumps([{"s": s, "f": f, "l": x} for s, f, x in wanted]),
    }
    rows = {read_block(row) for row in (await session.execute(_LOAD_BLOCKS, parameters)).mappings()}
    laid = {read_overlay(r) for r in (await session.execute(_LOAD_OVERLAYS, parameters)).mappings()}
    return Holdings(rows, laid)


async def save_holdings(session: Session, book: str, changes: Changes) -> None:
    """Write the difference: deletions first, so that the database never sees an overlap of ours."""
    if changes.removed:
        await session.execute(
            _DELETE_BLOCKS,
            [{"b": book, "s": b.key.series, "f": b.first} for b in changes.removed],
        )
    if changes.added:
        await _save_keys(session, {b.key for b in changes.added})
        await session.execute(blocks.insert(), [block_row(book, b) for b in changes.added])
    if changes.lifted:
        await session.execute(
            _DELETE_OVERLAYS, [_named(overlay_row(book, x)) for x in changes.lifted]
        )
    if changes.laid:
        await session.execute(overlays.insert(), [overlay_row(book, x) for x in changes.laid])


_DELETE_BLOCKS = delete(blocks).where(
    blocks.c.book == bindparam("b"),
    blocks.c.series == bindparam("s"),
    blocks.c.first == bindparam("f"),
)
_DELETE_OVERLAYS = delete(overlays).where(
    *(
        overlays.c[n] == bindparam(f"x_{n}")
        for n in ("book", "kind", "actor", "key", "first", "reference")
    )
)


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {f"x_{name}": value for name, value in row.items()}


_KEY_ROWS = each(bindparam("rows", type_=Text)).table_valued("value").alias("wanted")
_KEY_SELECT = select(
    cast(_member(_KEY_ROWS.c.value, "k"), Text),
    cast(_member(_KEY_ROWS.c.value, "s"), Text),
    cast(_member(_KEY_ROWS.c.value, "n"), BigInteger),
).where(cast(_member(_KEY_ROWS.c.value, "k"), Text) != "")
_INSERT_KEYS = {
    "postgresql": postgresql.insert(keys)
    .from_select(["key", "series", "slot"], _KEY_SELECT)
    .on_conflict_do_nothing(),
    "sqlite": sqlite.insert(keys)
    .from_select(["key", "series", "slot"], _KEY_SELECT)
    .on_conflict_do_nothing(),
}


async def _save_keys(session: Session, wanted: set[Key]) -> None:
    rows = [
        {"k": k.text, "s": k.series, "n": slot(k.text)}
        for k in sorted(wanted, key=lambda k: k.text)
    ]
    statement = _INSERT_KEYS[session.dialect]
    await session.execute(statement, {"rows": json.dumps(rows)})


async def totals(
    session: Session, actor: Actor, slots: Sequence[int] = ()
) -> list[tuple[str, str, int]]:
    """Units by key and kind in an actor's rows, of some slots or of all: key, kind, quantity."""
    statement = (
        select(blocks.c.key, blocks.c.kind, func.sum(blocks.c.last - blocks.c.first + 1))
        .where(blocks.c.actor == actor)
        .group_by(blocks.c.key, blocks.c.kind)
        .order_by(blocks.c.key, blocks.c.kind)
    )
    if slots:
        statement = statement.where(or_(*(blocks.c.slot == slot for slot in slots)))
    return [(row[0], row[1], int(row[2])) for row in await session.execute(statement)]
