# SPDX-License-Identifier: Apache-2.0
"""Cases say whom they concern and are explained; it is kept who acknowledges what it was told."""

from alembic import op
from sqlalchemy import inspect

from reconciliation.tables import case_notes, metadata, tellings

revision = "c0006"
down_revision = "c0005"
branch_labels = None
depends_on = None

COLUMNS = {
    "concerned": "text not null default '[]'",
    "explanation": "text",
    "explained_at": "text",
}


def upgrade() -> None:
    """Add what is not there: the first migration makes tables as they are now."""
    connection = op.get_bind()
    columns = {column["name"] for column in inspect(connection).get_columns("cases")}
    for name, kind in COLUMNS.items():
        if name not in columns:
            op.execute(f"alter table cases add column {name} {kind}")
    op.execute("create index if not exists deliveries_position on deliveries (position)")
    metadata.create_all(connection, tables=[tellings])
    _make_notes_anew()


def _make_notes_anew() -> None:
    """With one more kind of note: SQLite changes no constraint of a table that is there."""
    op.execute("create temporary table notes_before as select * from case_notes")
    op.execute("drop table case_notes")
    metadata.create_all(op.get_bind(), tables=[case_notes])
    op.execute("insert into case_notes select * from notes_before")
    op.execute("drop table notes_before")
    if op.get_bind().dialect.name == "postgresql":  # the function is there since c0002
        op.execute(
            "create trigger case_notes_append_only before update or delete or truncate "
            "on case_notes for each statement execute function refuse_note_change()"
        )
        return
    for event in ("update", "delete"):
        op.execute(
            f"create trigger case_notes_no_{event} before {event} on case_notes begin "
            "select raise(abort, 'append_only: case_notes cannot be changed'); end"
        )
