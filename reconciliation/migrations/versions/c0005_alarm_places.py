# SPDX-License-Identifier: Apache-2.0
"""Alarms say where the hub's message stands that shows them."""

from alembic import op
from sqlalchemy import inspect

revision = "c0005"
down_revision = "c0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; of alarms that were raised before nobody knows."""
    columns = {column["name"] for column in inspect(op.get_bind()).get_columns("alarms")}
    for name, kind in (("sequence", "bigint"), ("line", "integer")):
        if name not in columns:  # the first migration makes tables as they are now
            op.execute(f"alter table alarms add column {name} {kind}")
