# SPDX-License-Identifier: Apache-2.0
"""Requests for evidence that wait for their turn."""

from alembic import op

from hub.tables import evidence_requests, metadata

revision = "h0007"
down_revision = "h0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    metadata.create_all(op.get_bind(), tables=[evidence_requests])
