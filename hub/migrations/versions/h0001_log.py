# SPDX-License-Identifier: Apache-2.0
"""The hub's tables; the log, its trees and the acts refuse any change after they are written."""

from alembic import op

from hub.tables import metadata

revision = "h0001"
down_revision = None
branch_labels = ("hub",)
depends_on = ("r0001",)

APPEND_ONLY = ("log_entries", "log_nodes", "deliveries", "delivery_nodes", "acts", "checkpoints")


def upgrade() -> None:
    """Create tables and the triggers that keep the log append-only."""
    metadata.create_all(op.get_bind())
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "create function refuse_change() returns trigger language plpgsql as "
            "$$ begin raise exception 'append_only: % cannot be changed', tg_table_name; end $$"
        )
        for table in APPEND_ONLY:
            op.execute(
                f"create trigger {table}_append_only before update or delete or truncate "
                f"on {table} for each statement execute function refuse_change()"
            )
        return
    for table in APPEND_ONLY:
        for event in ("update", "delete"):
            op.execute(
                f"create trigger {table}_no_{event} before {event} on {table} begin "
                f"select raise(abort, 'append_only: {table} cannot be changed'); end"
            )
