# SPDX-License-Identifier: Apache-2.0
"""The reconciliation service's tables."""

from alembic import op

from reconciliation.tables import metadata

revision = "c0001"
down_revision = None
branch_labels = ("reconciliation",)
depends_on = ("r0001",)


def upgrade() -> None:
    """Create the tables."""
    metadata.create_all(op.get_bind())
