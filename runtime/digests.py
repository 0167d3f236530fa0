# SPDX-License-Identifier: Apache-2.0
"""The holdings trees in the store: dirty buckets hashed, nodes and points read.

Every write to `blocks` marks the buckets that it touches and is added to the sums by key and kind:
the database's triggers do both, whoever writes. `holdings_root` hashes what is marked, and climbs.
What was written around the triggers is found by `scrub`, which has a share of a tree hashed again
from its rows, and these added up again.

Elsewhere: what a tree is (`ledger.tree`), ledger rows and reading the sums (`books`), the triggers
(migrations r0001, r0005).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal_column,
    select,
    true,
    union,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite

from ledger import tree as holdings_tree
from ledger.blocks import Block
from ledger.tree import Point
from runtime.many import add, remove
from runtime.rows import read_block
from runtime.store import Session, each
from runtime.tables import blocks, dirty, sums, tree
from schemas.identifiers import Actor

__all__ = [
    "SHARES",
    "buckets_of",
    "children_of",
    "holdings_root",
    "load_tree_points",
    "mark_everything_dirty",
    "scrub",
]

SHARES = 16
"""A scrub takes a sixteenth of the tree at a time: one child of the root."""

_SLOT_BITS = 36
_BUCKET_BITS = 8


_of_the_actor = tree.c.actor == bindparam("actor")
_ROOT = select(tree.c.digest).where(_of_the_actor, tree.c.level == 0, tree.c.node == 0)
_MARKED = select(dirty.c.bucket).where(dirty.c.actor == bindparam("actor")).limit(1)
_LOOK = select(
    _ROOT.scalar_subquery().label("root"), _MARKED.scalar_subquery().is_not(None).label("marked")
)


async def holdings_root(session: Session, actor: Actor) -> bytes:
    """The root of an actor's holdings tree, as its rows are now: dirty buckets are hashed first.
    Mostly there are none, and one look is all.
    """
    look = (await session.execute(_LOOK, {"actor": actor})).one()
    root = look.root
    if look.marked:
        rows = await session.execute(
            delete(dirty).where(dirty.c.actor == actor).returning(dirty.c.bucket)
        )
        await _rehash(session, actor, sorted(row[0] for row in rows))
        root = (await session.execute(_ROOT, {"actor": actor})).scalar_one_or_none()
    return bytes(root) if root is not None else holdings_tree.EMPTY_ROOT


async def _rehash(session: Session, actor: Actor, marked: Sequence[int]) -> None:
    """Hash marked buckets and all that is above them; the whole way is read, and written, at once:
    it has a dozen levels, and each statement costs more than the hashing.
    """
    points = await load_tree_points(session, actor, marked)
    changed: dict[int, bytes | None] = {
        bucket: holdings_tree.bucket_digest(points.get(bucket, frozenset())) for bucket in marked
    }
    stored = await _way_up(session, actor, marked)
    levels = {holdings_tree.LEVELS: changed}
    for level in range(holdings_tree.LEVELS, 0, -1):
        changed = holdings_tree.climb(level, changed, stored.get(level, {}))
        levels[level - 1] = changed
    await _store(session, actor, levels)


async def _way_up(
    session: Session, actor: Actor, marked: Sequence[int]
) -> dict[int, dict[int, bytes]]:
    """Per level, the stored children of every node above the marked buckets."""
    wanted, nodes = [], set(marked)
    for level in range(holdings_tree.LEVELS, 0, -1):
        nodes = holdings_tree.parents(nodes)
        wanted += [(level - 1, node) for node in sorted(nodes)]
    return await _load_below(session, actor, wanted)


async def _store(
    session: Session, actor: Actor, levels: Mapping[int, Mapping[int, bytes | None]]
) -> None:
    nodes = [(level, *pair) for level in sorted(levels) for pair in sorted(levels[level].items())]
    places = [{"actor": actor, "level": level, "node": node} for level, node, _ in nodes]
    await remove(session, tree, places)
    rows = [
        {"actor": actor, "level": level, "node": node, "digest": digest}
        for level, node, digest in nodes
        if digest is not None
    ]
    await add(session, tree, rows)


_each_node = each(bindparam("nodes", type_=Text)).table_valued("value").alias("wanted")
_nodes = (
    select(
        cast(_each_node.c.value.op("->>")("v"), Integer).label("level"),
        cast(_each_node.c.value.op("->>")("n"), BigInteger).label("node"),
    )
    .cte("nodes")
    .prefix_with("MATERIALIZED")
)


def _below(dialect: str) -> Select[Any]:
    """The stored children of nodes; each node is a look into the index (`_points` says how)."""
    below = and_(
        tree.c.actor == bindparam("actor"),
        tree.c.level == _nodes.c.level + 1,
        tree.c.node >= _nodes.c.node * 16,
        tree.c.node < _nodes.c.node * 16 + 16,
    )
    columns = (tree.c.level, tree.c.node, tree.c.digest)
    if dialect == "postgresql":
        inner = select(*columns).where(below).correlate(_nodes)
        near = inner.offset(literal_column("0")).lateral()
        return select(near).select_from(_nodes.join(near, true()))
    return select(*columns).select_from(_nodes.join(tree, below))


_BELOW = {dialect: _below(dialect) for dialect in ("postgresql", "sqlite")}


async def children_of(
    session: Session, actor: Actor, nodes: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], dict[int, bytes]]:
    """Per node, given by level and index, its stored children by index; none if it is not stored.

    However many levels the nodes are of, it is one statement.
    """
    below: dict[tuple[int, int], dict[int, bytes]] = {place: {} for place in sorted(set(nodes))}
    for level, found in (await _load_below(session, actor, below)).items():
        for child, digest in found.items():
            below[level - 1, child >> 4][child] = digest
    return below


async def _load_below(
    session: Session, actor: Actor, nodes: Iterable[tuple[int, int]]
) -> dict[int, dict[int, bytes]]:
    """The stored children of nodes, given by level and index, by their own level."""
    wanted = json.dumps([{"v": level, "n": node} for level, node in nodes])
    found: dict[int, dict[int, bytes]] = {}
    parameters = {"nodes": wanted, "actor": actor}
    for level, node, digest in await session.execute(_BELOW[session.dialect], parameters):
        found.setdefault(level, {})[node] = bytes(digest)
    return found


_buckets = each(bindparam("buckets", type_=Text)).table_valued("value").alias("wanted")
_wanted = (
    select(
        *(
            cast(_buckets.c.value.op("->>")(name), BigInteger).label(name)
            for name in ("slot", "low", "high")
        )
    )
    .cte("buckets")
    .prefix_with("MATERIALIZED")
)


def _points(dialect: str) -> CompoundSelect[Any]:
    """The rows that begin in a bucket, and those behind whose end one begins; a row may be both.

    On PostgreSQL each bucket is a look into an index of its own (`offset 0` is the fence), however
    little the planner knows of a table that has grown.
    """
    found: list[Select[Any]] = []
    for column, shift in ((blocks.c.first, 0), (blocks.c.last, 1)):
        in_bucket = and_(
            blocks.c.actor == bindparam("actor"),
            blocks.c.slot == _wanted.c.slot,
            column >= _wanted.c.low - shift,
            column <= _wanted.c.high - shift,
        )
        if dialect == "postgresql":
            inner = select(blocks).where(in_bucket).correlate(_wanted)
            near = inner.offset(literal_column("0")).lateral()
            found.append(select(near).select_from(_wanted.join(near, true())))
        else:
            found.append(select(blocks).select_from(_wanted.join(blocks, in_bucket)))
    return union_all(*found)


_POINT_BLOCKS = {dialect: _points(dialect) for dialect in ("postgresql", "sqlite")}


async def load_tree_points(
    session: Session, actor: Actor, buckets: Sequence[int]
) -> dict[int, frozenset[Point]]:
    """The signed points of an actor's rows in each of these buckets."""
    mask = (1 << _SLOT_BITS) - 1
    wanted = []
    for bucket in buckets:
        low = (bucket & mask) << _BUCKET_BITS
        high = low + (1 << _BUCKET_BITS) - 1
        wanted.append({"slot": bucket >> _SLOT_BITS, "low": low, "high": high})
    parameters = {"actor": actor, "buckets": json.dumps(wanted)}
    rows = await session.execute(_POINT_BLOCKS[session.dialect], parameters)
    near = set(map(read_block, rows.mappings()))
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


_rows_of_share = (
    blocks.c.actor == bindparam("actor"),
    blocks.c.slot.between(bindparam("first_slot"), bindparam("last_slot")),
)
_MARK_SHARE = {
    name: dialect.insert(dirty)
    .from_select(
        ["actor", "bucket"],
        union(
            *(
                select(
                    blocks.c.actor,
                    cast(blocks.c.slot, BigInteger) * (1 << _SLOT_BITS)
                    + serial // (1 << _BUCKET_BITS),
                ).where(*_rows_of_share)
                for serial in (blocks.c.first, blocks.c.last + 1)
            )
        ),
    )
    .on_conflict_do_nothing()
    for name, dialect in (("postgresql", postgresql), ("sqlite", sqlite))
}
_FORGET_SUMS = delete(sums).where(
    sums.c.actor == bindparam("actor"),
    sums.c.slot.between(bindparam("first_slot"), bindparam("last_slot")),
)
_summed = (blocks.c.actor, blocks.c.slot, blocks.c.key, blocks.c.kind)
_ADD_UP = insert(sums).from_select(
    ["actor", "slot", "key", "kind", "quantity"],
    select(*_summed, func.sum(blocks.c.last - blocks.c.first + 1))
    .where(*_rows_of_share)
    .group_by(*_summed),
)
_MARK_BUCKET = {
    name: dialect.insert(dirty).on_conflict_do_nothing()
    for name, dialect in (("postgresql", postgresql), ("sqlite", sqlite))
}


async def scrub(session: Session, actor: Actor, share: int) -> None:
    """Have one of `SHARES` parts of an actor's tree hashed again from its rows, and added up again,
    whatever is stored: for writes that bypassed the triggers.
    """
    assert 0 <= share < SHARES
    for level in range(1, holdings_tree.LEVELS + 1):
        width = 16 ** (level - 1)
        part = tree.c.node.between(share * width, (share + 1) * width - 1)
        await session.execute(
            delete(tree).where(tree.c.actor == actor, tree.c.level == level, part)
        )
    slots = 1 << 12 - 4
    which = {"actor": actor, "first_slot": share * slots, "last_slot": (share + 1) * slots - 1}
    await session.execute(_MARK_SHARE[session.dialect], which)
    await session.execute(_FORGET_SUMS, which)
    await session.execute(_ADD_UP, which)
    # One more bucket, so that the way to the root is climbed even if no row is left here.
    lowest = {"actor": actor, "bucket": share * slots << _SLOT_BITS}
    await session.execute(_MARK_BUCKET[session.dialect], lowest)


async def mark_everything_dirty(session: Session, actor: Actor) -> None:
    """Have an actor's whole tree hashed again from its rows, and all of them added up again."""
    for share in range(SHARES):
        await scrub(session, actor, share)
