# SPDX-License-Identifier: Apache-2.0
"""Years that are closed, with their figures."""

from alembic import op

from registry.tables import closed_years, metadata

revision = "g0004"
down_revision = "g0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, where the first revision has not."""
    metadata.create_all(op.get_bind(), tables=[closed_years])
