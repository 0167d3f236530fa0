# SPDX-License-Identifier: Apache-2.0
"""Ledger rows in the store: load what a batch touches, write what changed.

What a range query may cost is bounded by what it returns. Rows of a series never overlap, so one
probe finds the row that a range begins in; overlays may, and are looked for by classes of size.

Elsewhere: the tables (`tables`), rows as values (`rows`), rows in memory (`ledger.holdings`). The
holdings trees, and sums that are added up anew, are `digests`' matter; its names are here as well,
since a book's rows and its tree are used together.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Executable,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    select,
    text,
    true,
    union_all,
)
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
from runtime.many import add, add_new, remove
from runtime.rows import block_row, overlay_row, read_block, read_overlay
from runtime.store import Session, each
from runtime.tables import OVERLAY_REACHES, blocks, keys, overlays, sums
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

SLOTS = 1 << 12
"""Slots of a holdings tree; whoever asks about others is told of none."""

Spans = Iterable[tuple[str, int, int]]
"""Series and inclusive serial ranges."""


def _member(value: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    return value.op("->>")(name)


_each = each(bindparam("spans", type_=Text)).table_valued("value").alias("span")
_wanted = (
    select(
        cast(_member(_each.c.value, "s"), Text).label("series"),
        cast(_member(_each.c.value, "f"), BigInteger).label("first"),
        cast(_member(_each.c.value, "l"), BigInteger).label("last"),
    )
    .cte("wanted")
    .prefix_with("MATERIALIZED")  # or else JSON is taken apart again for each pair of rows
)
"""The spans asked for."""


def _in_book(table: FromClause, *more: ColumnElement[bool]) -> ColumnElement[bool]:
    """What rows of a table are of the book and of a span's series."""
    return and_(table.c.book == bindparam("book"), table.c.series == _wanted.c.series, *more)


def _load_blocks_sqlite() -> Select[Any]:
    """The row that a span begins in is found by one look into the index, and the others follow."""
    inner = blocks.alias("inner_blocks")
    start = (
        select(func.max(inner.c.first))
        .where(_in_book(inner, inner.c.first <= _wanted.c.first))
        .scalar_subquery()
    )
    found = _in_book(
        blocks,
        blocks.c.first >= func.coalesce(start, _wanted.c.first),
        blocks.c.first <= _wanted.c.last,
        blocks.c.last >= _wanted.c.first,
    )
    return select(blocks).select_from(_wanted).join(blocks, found)


def _load_blocks_postgresql() -> Select[Any]:
    """The same, in a form that leaves the planner no other way, however little it knows of a table
    that has grown since it was last analysed.
    """
    at, after = blocks.alias("at_first"), blocks.alias("after_first")
    begin = (
        select(at)
        .where(_in_book(at, at.c.first <= _wanted.c.first))
        .order_by(at.c.first.desc())
        .limit(1)
        .correlate(_wanted)
        .subquery("begin")
    )
    inside = and_(after.c.first > _wanted.c.first, after.c.first <= _wanted.c.last)
    follow = select(after).where(_in_book(after, inside)).correlate(_wanted)
    found = union_all(select(begin), follow).lateral("found")
    rows = _wanted.join(found, found.c.last >= _wanted.c.first)
    return select(found).select_from(rows)


_CLASSES = json.dumps([{"c": n, "r": reach} for n, reach in enumerate(OVERLAY_REACHES)])
_each_class = each(bindparam("classes", type_=Text)).table_valued("value").alias("class")
_classes = (
    select(
        cast(_member(_each_class.c.value, "c"), Integer).label("size_class"),
        cast(_member(_each_class.c.value, "r"), BigInteger).label("reach"),
    )
    .cte("classes")
    .prefix_with("MATERIALIZED")
)
_on_span = _in_book(
    overlays,
    overlays.c.size_class == _classes.c.size_class,
    overlays.c.first > _wanted.c.first - _classes.c.reach,
    overlays.c.first <= _wanted.c.last,
    overlays.c.last >= _wanted.c.first,
)
_pairs = _wanted.join(_classes, true())


def _load_overlays_postgresql() -> Select[Any]:
    """With a fence (`offset 0`), for the same reason as with blocks."""
    near = select(overlays).where(_on_span).correlate(_wanted, _classes).offset(literal_column("0"))
    found = near.lateral("found")
    return select(found).select_from(_pairs.join(found, true()))


def _load_both_postgresql() -> CompoundSelect[Any]:
    """Rows, which have no reference, and overlays, which have no attributes and no account."""
    rows, laid = _load_blocks_postgresql().subquery(), _load_overlays_postgresql().subquery()
    both = ("series", "first", "last", "key", "actor", "kind")
    nothing = cast(null(), Text)
    return union_all(
        select(
            *(rows.c[name] for name in both),
            rows.c.attributes,
            rows.c.account,
            nothing.label("reference"),
        ),
        select(*(laid.c[name] for name in both), nothing, nothing, laid.c.reference),
    )


_LOAD_OVERLAYS_SQLITE = text(
    # As text, for `cross join`: it alone has SQLite keep this order, and look into the index last.
    "select overlays.* from json_each(:spans) as span cross join json_each(:classes) as class "
    "cross join overlays where overlays.book = :book and overlays.series = span.value ->> 's' "
    "and overlays.size_class = class.value ->> 'c' "
    "and overlays.first > (span.value ->> 'f') - (class.value ->> 'r') "
    "and overlays.first <= span.value ->> 'l' and overlays.last >= span.value ->> 'f'"
)
_LOAD: dict[str, list[Executable]] = {
    "sqlite": [_load_blocks_sqlite(), _LOAD_OVERLAYS_SQLITE],
    "postgresql": [_load_both_postgresql()],
}


async def load_holdings(session: Session, book: str, spans: Spans) -> Holdings:
    """The rows and overlays of a book that share a serial with any of the ranges."""
    wanted = sorted({(s, f, x) for s, f, x in spans if f <= x})
    if not wanted:
        return Holdings()
    parameters = {
        "book": book,
        "spans": json.dumps([{"s": s, "f": f, "l": x} for s, f, x in wanted]),
        "classes": _CLASSES,
    }
    held, laid = set(), set()
    for statement in _LOAD[session.dialect]:
        for row in (await session.execute(statement, parameters)).mappings():
            if row.get("reference") is None:
                held.add(read_block(row))
            else:
                laid.add(read_overlay(row))
    return Holdings(held, laid)


async def save_holdings(session: Session, book: str, changes: Changes) -> None:
    """Write the difference: deletions first, so that the database never sees an overlap of ours.

    Those of both tables come first, and then what is added to both: a second write to a table ends
    what waits (`store`), and so there are two statements and not three.
    """
    gone = [{"book": book, "series": b.key.series, "first": b.first} for b in changes.removed]
    await remove(session, blocks, gone)
    lifted = [overlay_row(book, x) for x in changes.lifted]
    await remove(session, overlays, [{n: row[n] for n in _OVERLAY_KEY} for row in lifted])
    await _save_keys(session, {b.key for b in changes.added})
    await add(session, blocks, [block_row(book, b) for b in changes.added])
    await add(session, overlays, [overlay_row(book, x) for x in changes.laid])


_OVERLAY_KEY = [column.name for column in overlays.primary_key]


async def _save_keys(session: Session, wanted: set[Key]) -> None:
    rows = [
        {"key": k.text, "series": k.series, "slot": slot(k.text)}
        for k in sorted(wanted, key=lambda k: k.text)
    ]
    await add_new(session, keys, rows)


async def totals(
    session: Session, actor: Actor, slots: Sequence[int] = ()
) -> list[tuple[str, str, int]]:
    """Units by key and kind in an actor's rows, of some slots or of all: key, kind, quantity. They
    are what the database's triggers keep, so that rows written around these are not in them.
    """
    statement = (
        select(sums.c.key, sums.c.kind, sums.c.quantity)
        .where(sums.c.actor == actor, sums.c.quantity != 0)
        .order_by(sums.c.key, sums.c.kind)
    )
    if slots:
        statement = statement.where(sums.c.slot.in_([one for one in slots if one < SLOTS]))
    return [tuple(row) for row in await session.execute(statement)]
