# SPDX-License-Identifier: Apache-2.0
"""The hub has no holdings trees: its log is what they are compared with. So nothing marks buckets
or keeps sums there, and no index serves to hash them.
"""

from alembic import op

from runtime.tables import dirty, sums

revision = "h0005"
down_revision = "h0004"
branch_labels = None
depends_on = "r0005"


def upgrade() -> None:
    """Drop the triggers and indexes, and what they have left behind."""
    if op.get_bind().dialect.name == "postgresql":
        for name in ("truncated", "inserted", "deleted", "updated"):
            op.execute(f"drop trigger if exists blocks_{name} on blocks")
    else:
        for event in ("insert", "delete", "update"):
            op.execute(f"drop trigger if exists blocks_dirty_{event}")
            op.execute(f"drop trigger if exists blocks_sums_{event}")
    op.execute(dirty.delete())
    op.execute(sums.delete())
    op.execute("drop index if exists blocks_tree")
    op.execute("drop index if exists blocks_tree_end")
