# SPDX-License-Identifier: Apache-2.0
"""Cases know whom else they concern."""

from alembic import op
from sqlalchemy import inspect

revision = "h0010"
down_revision = "h0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; cases that are open already concern their own actor alone, as they said."""
    columns = {column["name"] for column in inspect(op.get_bind()).get_columns("cases")}
    if "concerned" not in columns:  # the migrations before make the table as it is now
        op.execute("alter table cases add column concerned text not null default '[]'")
