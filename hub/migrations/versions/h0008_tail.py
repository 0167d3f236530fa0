# SPDX-License-Identifier: Apache-2.0
"""What comes back to a hub whose database was set back, until it is in the log again."""

from alembic import op

from hub.tables import metadata, tail
from runtime.compression import compress_with_lz4

revision = "h0008"
down_revision = "h0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    metadata.create_all(op.get_bind(), tables=[tail])
    compress_with_lz4(("tail", ["line"]))
