# SPDX-License-Identifier: Apache-2.0
"""Accounts are of a metric; those that are there already, of tonnes of CO2 equivalent."""

from alembic import op
from sqlalchemy import Column, Text, inspect

revision = "g0005"
down_revision = "g0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, where the first revision has not."""
    columns = {column["name"] for column in inspect(op.get_bind()).get_columns("accounts")}
    if "unit" not in columns:
        op.add_column("accounts", Column("unit", Text))
