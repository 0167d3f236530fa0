# SPDX-License-Identifier: Apache-2.0
"""An approval has its record, where there is one."""

from alembic import op
from sqlalchemy import inspect

from registry.tables import approvals

revision = "g0006"
down_revision = "g0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; the second migration makes the table as it is now."""
    there = {column["name"] for column in inspect(op.get_bind()).get_columns("approvals")}
    if approvals.c.record.name not in there:
        op.execute("alter table approvals add column record text")
