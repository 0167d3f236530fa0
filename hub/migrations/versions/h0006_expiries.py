# SPDX-License-Identifier: Apache-2.0
"""Which statement says whether its author had answered what expired."""

from alembic import op

from hub.tables import expiries, metadata

revision = "h0006"
down_revision = "h0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; of what expired before, nothing is known."""
    metadata.create_all(op.get_bind(), tables=[expiries])
