# SPDX-License-Identifier: Apache-2.0
"""Ledger rows in the store: load what a batch touches, write what changed, hash what is dirty.

The statements are the same on both databases. What a range query may cost is bounded by the blocks
that it returns: rows of a series never overlap, so one probe finds the row that a range begins in.

Elsewhere: the tables (`tables`), rows in memory (`ledger.holdings`), digests (`ledger.tree`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from sqlalchemy import BigInteger, Text, and_, bindparam, cast, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ColumnElement

from ledger import tree as holdings_tree
from ledger.blocks import Block
from ledger.holdings import Changes, Holdings, Overlay, OverlayKind
from ledger.tree import Point
from runtime.store import Session, each
from runtime.tables import blocks, dirty, keys, overlays, tree
from schemas.identifiers import AccountNumber, Actor
from schemas.units import Attributes, Key, Position

__all__ = [
    "buckets_of",
    "children_of",
    "holdings_root",
    "load_holdings",
    "load_tree_points",
    "save_holdings",
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
    rows = {_block(row) for row in (await session.execute(_LOAD_BLOCKS, parameters)).mappings()}
    laid = {_overlay(r) for r in (await session.execute(_LOAD_OVERLAYS, parameters)).mappings()}
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
        await session.execute(blocks.insert(), [_block_row(book, b) for b in changes.added])
    if changes.lifted:
        await session.execute(
            _DELETE_OVERLAYS, [_named(_overlay_row(book, x)) for x in changes.lifted]
        )
    if changes.laid:
        await session.execute(overlays.insert(), [_overlay_row(book, x) for x in changes.laid])


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
        {"k": k.text, "s": k.series, "n": holdings_tree.slot(k.text)}
        for k in sorted(wanted, key=lambda k: k.text)
    ]
    statement = _INSERT_KEYS[session.dialect]
    await session.execute(statement, {"rows": json.dumps(rows)})


@lru_cache(maxsize=4096)
def _key(text: str) -> Key:
    return Key.parse(text)


@lru_cache(maxsize=4096)
def _attributes(text: str) -> Attributes:
    """Attributes by their text. Text that somebody edited into nonsense still loads, under its own
    name, so that the row can be stated and named instead of stopping the program.
    """
    try:
        attributes = Attributes.model_validate_json(text)
    except ValidationError:
        attributes = Attributes.model_construct()
    if attributes.text != text:
        attributes = Attributes.model_construct()
        attributes.__dict__["text"] = text
    return attributes


@lru_cache(maxsize=4096)
def _position(account: str) -> Position:
    return Position.of(AccountNumber(account))


def _block(row: Any) -> Block:
    """A row as a block; the database holds actor and kind to what the account number says."""
    return Block(
        _key(row["key"]),
        row["first"],
        row["last"],
        _attributes(row["attributes"]),
        _position(row["account"]),
    )


def _block_row(book: str, block: Block) -> dict[str, Any]:
    return {
        "book": book,
        "series": block.key.series,
        "first": block.first,
        "last": block.last,
        "key": block.key.text,
        "slot": holdings_tree.slot(block.key.text),
        "attributes": block.attributes.text,
        "actor": str(block.position.actor),
        "kind": str(block.position.kind),
        "account": str(block.position.account),
    }


def _overlay(row: Any) -> Overlay:
    return Overlay(
        OverlayKind(row["kind"]),
        Actor(row["actor"]),
        _key(row["key"]),
        row["first"],
        row["last"],
        row["reference"],
    )


def _overlay_row(book: str, overlay: Overlay) -> dict[str, Any]:
    return {
        "book": book,
        "kind": str(overlay.kind),
        "actor": str(overlay.actor),
        "key": overlay.key.text,
        "first": overlay.first,
        "last": overlay.last,
        "reference": overlay.reference,
        "series": overlay.key.series,
    }


# --- the holdings tree --------------------------------------------------------------------------

_SLOT_SERIALS = 36
_BUCKET_SERIALS = 8


async def holdings_root(session: Session, actor: Actor) -> bytes:
    """The root of an actor's holdings tree, as its rows are now: dirty buckets are hashed first."""
    rows = await session.execute(
        delete(dirty).where(dirty.c.actor == actor).returning(dirty.c.bucket)
    )
    marked = sorted(row[0] for row in rows)
    if marked:
        await _rehash(session, actor, marked)
    stored = select(tree.c.digest).where(tree.c.actor == actor, tree.c.level == 0, tree.c.node == 0)
    root = (await session.execute(stored)).scalar_one_or_none()
    return bytes(root) if root is not None else holdings_tree.EMPTY_ROOT


async def _rehash(session: Session, actor: Actor, marked: Sequence[int]) -> None:
    points = await load_tree_points(session, actor, marked)
    changed: dict[int, bytes | None] = {
        bucket: holdings_tree.bucket_digest(points.get(bucket, frozenset())) for bucket in marked
    }
    await _store_level(session, actor, holdings_tree.LEVELS, changed)
    for level in range(holdings_tree.LEVELS, 0, -1):
        siblings = await children_of(session, actor, level - 1, holdings_tree.parents(changed))
        changed = holdings_tree.climb(level, changed, siblings)
        await _store_level(session, actor, level - 1, changed)


async def _store_level(
    session: Session, actor: Actor, level: int, changed: Mapping[int, bytes | None]
) -> None:
    await session.execute(
        _DELETE_NODES, [{"a": actor, "v": level, "n": node} for node in sorted(changed)]
    )
    rows = [
        {"actor": actor, "level": level, "node": node, "digest": digest}
        for node, digest in sorted(changed.items())
        if digest is not None
    ]
    if rows:
        await session.execute(tree.insert(), rows)


_DELETE_NODES = delete(tree).where(
    tree.c.actor == bindparam("a"), tree.c.level == bindparam("v"), tree.c.node == bindparam("n")
)
_nodes = each(bindparam("nodes", type_=Text)).table_valued("value").alias("wanted")
_node = cast(_member(_nodes.c.value, "n"), BigInteger)
_CHILDREN = (
    select(tree.c.node, tree.c.digest)
    .select_from(_nodes)
    .join(
        tree,
        and_(
            tree.c.actor == bindparam("actor"),
            tree.c.level == bindparam("level"),
            tree.c.node >= _node * 16,
            tree.c.node < _node * 16 + 16,
        ),
    )
)


async def children_of(
    session: Session, actor: Actor, level: int, nodes: Iterable[int]
) -> dict[int, bytes]:
    """The stored children (at `level` + 1) of nodes at `level`."""
    wanted = json.dumps([{"n": node} for node in sorted(nodes)])
    rows = await session.execute(_CHILDREN, {"nodes": wanted, "actor": actor, "level": level + 1})
    return {row[0]: bytes(row[1]) for row in rows}


_buckets = each(bindparam("buckets", type_=Text)).table_valued("value").alias("wanted")
_slot = cast(_member(_buckets.c.value, "s"), BigInteger)
_low = cast(_member(_buckets.c.value, "f"), BigInteger)
_high = cast(_member(_buckets.c.value, "l"), BigInteger)
_POINT_BLOCKS = {
    end: select(blocks)
    .select_from(_buckets)
    .join(
        blocks,
        and_(
            blocks.c.actor == bindparam("actor"),
            blocks.c.slot == _slot,
            column >= _low - shift,
            column <= _high - shift,
        ),
    )
    for end, column, shift in (("first", blocks.c.first, 0), ("last", blocks.c.last, 1))
}


async def load_tree_points(
    session: Session, actor: Actor, buckets: Sequence[int]
) -> dict[int, frozenset[Point]]:
    """The signed points of an actor's rows in each of these buckets."""
    mask = (1 << (_SLOT_SERIALS)) - 1
    wanted = []
    for bucket in buckets:
        low = (bucket & mask) << _BUCKET_SERIALS
        wanted.append(
            {"s": bucket >> _SLOT_SERIALS, "f": low, "l": low + (1 << _BUCKET_SERIALS) - 1}
        )
    parameters = {"actor": actor, "buckets": json.dumps(wanted)}
    near: set[Block] = set()
    for statement in _POINT_BLOCKS.values():
        near |= {_block(row) for row in (await session.execute(statement, parameters)).mappings()}
    found: dict[int, set[Block]] = {}
    for block in near:
        for bucket in holdings_tree.dirty_buckets(block.key.text, block.first, block.last):
            found.setdefault(bucket, set()).add(block)
    return {
        bucket: holdings_tree.bucket_points(found.get(bucket, ()), bucket) for bucket in buckets
    }


def buckets_of(points: Mapping[int, frozenset[Point]]) -> list[tuple[int, list[Point]]]:
    """Points by bucket, in a fixed order."""
    return [(bucket, sorted(points[bucket])) for bucket in sorted(points)]


async def mark_everything_dirty(session: Session, actor: Actor) -> None:
    """Have every bucket of an actor hashed again: the scrub for writes that bypassed triggers."""
    rows = await session.execute(
        select(blocks.c.slot, blocks.c.first, blocks.c.last).where(blocks.c.actor == actor)
    )
    stored = await session.execute(
        select(tree.c.node).where(tree.c.actor == actor, tree.c.level == holdings_tree.LEVELS)
    )
    marked = {row[0] for row in stored}
    for slot, first, last in rows:
        marked |= {slot << 36 | serial >> 8 for serial in (first, last + 1)}
    await session.execute(delete(dirty).where(dirty.c.actor == actor))
    if marked:
        await session.execute(
            dirty.insert(), [{"actor": actor, "bucket": bucket} for bucket in sorted(marked)]
        )


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
