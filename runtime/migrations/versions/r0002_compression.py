# SPDX-License-Identifier: Apache-2.0
"""Envelopes are compressed with LZ4 where PostgreSQL was built with it.

Much in them repeats (an enclosure carries the manifest of its whole bundle), so they shrink to a
part of their size; with PostgreSQL's own method that takes more time than anything else in writing
them. What was stored before stays as it is, and is read as before. SQLite does not compress.
"""

from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Set the columns' method; where the server has no LZ4 they keep their own."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in ("outbox", "inbox", "dead_letters"):
        op.execute(
            f"do $$ begin alter table {table} alter column body set compression lz4; "
            "exception when feature_not_supported then null; end $$"
        )
