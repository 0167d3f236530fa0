# SPDX-License-Identifier: Apache-2.0
"""Notes of people to cases; the database refuses to change or delete one."""

from alembic import op

from reconciliation.tables import case_notes, metadata

revision = "c0002"
down_revision = "c0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and what keeps it append-only."""
    metadata.create_all(op.get_bind(), tables=[case_notes])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "create function refuse_note_change() returns trigger language plpgsql as "
            "$$ begin raise exception 'append_only: % cannot be changed', tg_table_name; end $$"
        )
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
