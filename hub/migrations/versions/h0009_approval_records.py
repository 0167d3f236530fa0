# SPDX-License-Identifier: Apache-2.0
"""An approval has its record, and there may be one before anything is issued under it."""

from alembic import op

from hub.tables import approvals, metadata

revision = "h0009"
down_revision = "h0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table anew: SQLite changes no constraint of one that is there."""
    names = "actor, approval, approved_quantity, issued"
    op.execute(f"create temporary table approvals_before as select {names} from approvals")
    op.execute("drop table approvals")
    metadata.create_all(op.get_bind(), tables=[approvals])
    op.execute(f"insert into approvals ({names}) select {names} from approvals_before")
    op.execute("drop table approvals_before")
