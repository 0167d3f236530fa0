# SPDX-License-Identifier: Apache-2.0
"""A registry's tables."""

from alembic import op

from registry.tables import metadata

revision = "g0001"
down_revision = None
branch_labels = ("registry",)
depends_on = ("r0001",)


def upgrade() -> None:
    """Create the tables."""
    metadata.create_all(op.get_bind())
