# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL tells who listens that a command was put on the desk."""

from alembic import op

from runtime.bell import CHANNEL

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the trigger; SQLite tells nobody."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(
        "create or replace function ring_desk() returns trigger language plpgsql as "
        f"$$ begin perform pg_notify('{CHANNEL}', ''); return null; end $$"
    )
    op.execute("drop trigger if exists desk_filled on desk")
    op.execute(
        "create trigger desk_filled after insert on desk "
        "for each statement execute function ring_desk()"
    )
