# SPDX-License-Identifier: Apache-2.0
"""Totals by key and kind, kept by the database with each write to `blocks`, like the marks of the
buckets that it touches.
"""

from alembic import op

from runtime.tables import metadata, sums

revision = "r0005"
down_revision = "r0004"
branch_labels = None
depends_on = None

_NAMES = "actor, slot, key, kind"
_ADDED = "on conflict (actor, slot, key, kind) do update set quantity = sums.quantity + "


def upgrade() -> None:
    """Create the table with what there is, and have the triggers keep it."""
    metadata.create_all(op.get_bind(), tables=[sums])
    op.execute(sums.delete())  # the first migration makes tables as they are now
    op.execute(
        f"insert into sums ({_NAMES}, quantity) "
        f"select {_NAMES}, sum(last - first + 1) from blocks group by {_NAMES}"
    )
    if op.get_bind().dialect.name == "postgresql":
        _postgresql()
    else:
        _sqlite()


def _postgresql() -> None:
    signs = {"added": "last - first + 1", "removed": "first - last - 1"}
    for name, tables in (("new", ["added"]), ("old", ["removed"]), ("both", ["added", "removed"])):
        marked = " union all ".join(
            f"select actor, slot, {serial} as serial from {table}"
            for table in tables
            for serial in ("first", "last + 1")
        )
        moved = " union all ".join(
            f"select {_NAMES}, {signs[table]} as quantity from {table}" for table in tables
        )
        op.execute(
            f"create or replace function mark_dirty_{name}() returns trigger language plpgsql as "
            "$$ begin "
            "insert into dirty (actor, bucket) "
            "select distinct actor, (slot::bigint << 36) | (serial >> 8) "
            f"from ({marked}) as points order by 1, 2 on conflict do nothing; "
            f"insert into sums ({_NAMES}, quantity) "
            f"select {_NAMES}, sum(quantity) from ({moved}) as moved group by {_NAMES} "
            f"having sum(quantity) <> 0 order by 1, 2, 3, 4 {_ADDED} excluded.quantity; "
            "return null; end $$"
        )
    op.execute(
        "create or replace function mark_dirty_all() returns trigger language plpgsql as "
        "$$ begin "
        "insert into dirty (actor, bucket) "
        "select distinct actor, (slot::bigint << 36) | (serial >> 8) from "
        "(select actor, slot, first as serial from blocks "
        "union all select actor, slot, last + 1 from blocks) as points "
        "order by 1, 2 on conflict do nothing; "
        "delete from sums; "
        "return null; end $$"
    )


def _sqlite() -> None:
    row = "{r}.actor, {r}.slot, {r}.key, {r}.kind, {sign}({r}.last - {r}.first + 1)"
    for event, rows in (
        ("insert", [("new", "")]),
        ("delete", [("old", "-")]),
        ("update", [("old", "-"), ("new", "")]),
    ):
        summed = "".join(
            f"insert into sums ({_NAMES}, quantity) values ({row.format(r=r, sign=sign)}) "
            f"{_ADDED} excluded.quantity; "
            for r, sign in rows
        )
        op.execute(
            f"create trigger if not exists blocks_sums_{event} after {event} on blocks "
            f"begin {summed} end"
        )
