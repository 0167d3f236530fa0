# SPDX-License-Identifier: Apache-2.0
"""The first tables of every program, and the rules that the database itself keeps.

Overlap: on PostgreSQL an exclusion constraint over a hash of book and series and the serial range;
on SQLite, which has none, triggers that look at the one neighbour that could overlap (rows of a
series never do, so one probe of the primary key decides). Dirty buckets: triggers on both, for
every row written, whoever writes it.
"""

from alembic import op

from runtime.tables import metadata

revision = "r0001"
down_revision = None
branch_labels = ("runtime",)
depends_on = None


def upgrade() -> None:
    """Create tables, constraints and triggers."""
    metadata.create_all(op.get_bind())
    if op.get_bind().dialect.name == "postgresql":
        _postgresql()
    else:
        _sqlite()


def _postgresql() -> None:
    op.execute("create extension if not exists btree_gist")
    op.execute(
        "alter table blocks add constraint blocks_disjoint exclude using gist "
        "(hashtextextended(book || ' ' || series, 0) with =, "
        "int8range(first, last, '[]') with &&)"
    )
    mark = (
        "insert into dirty (actor, bucket) "
        "select distinct actor, (slot::bigint << 36) | (serial >> 8) from "
        "(select actor, slot, first as serial from {rows} "
        "union all select actor, slot, last + 1 from {rows}) as points "
        "order by 1, 2 on conflict do nothing"
    )
    for name, rows in (("new", ["added"]), ("old", ["removed"]), ("both", ["added", "removed"])):
        body = "; ".join(mark.format(rows=table) for table in rows)
        op.execute(
            f"create function mark_dirty_{name}() returns trigger language plpgsql as "
            f"$$ begin {body}; return null; end $$"
        )
    op.execute(
        "create function mark_dirty_all() returns trigger language plpgsql as "
        f"$$ begin {mark.format(rows='blocks')}; return null; end $$"
    )
    op.execute(
        "create trigger blocks_truncated before truncate on blocks "
        "for each statement execute function mark_dirty_all()"
    )
    op.execute(
        "create trigger blocks_inserted after insert on blocks referencing new table as added "
        "for each statement execute function mark_dirty_new()"
    )
    op.execute(
        "create trigger blocks_deleted after delete on blocks referencing old table as removed "
        "for each statement execute function mark_dirty_old()"
    )
    op.execute(
        "create trigger blocks_updated after update on blocks "
        "referencing new table as added old table as removed "
        "for each statement execute function mark_dirty_both()"
    )


def _sqlite() -> None:
    for event in ("insert", "update"):
        op.execute(
            f"create trigger blocks_disjoint_{event} before {event} on blocks begin "
            "select raise(abort, 'blocks_disjoint: units of this series overlap') where exists ("
            "select 1 from (select * from blocks where book = new.book and series = new.series "
            "and first <= new.last"
            + (" and rowid <> old.rowid" if event == "update" else "")
            + " order by first desc limit 1) where last >= new.first); end"
        )
    for event, rows in (("insert", ["new"]), ("delete", ["old"]), ("update", ["old", "new"])):
        marks = "".join(
            f"insert or ignore into dirty (actor, bucket) "
            f"select {r}.actor, ({r}.slot << 36) | ({s} >> 8); "
            for r in rows
            for s in (f"{r}.first", f"({r}.last + 1)")
        )
        op.execute(f"create trigger blocks_dirty_{event} after {event} on blocks begin {marks} end")
