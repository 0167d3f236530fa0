# SPDX-License-Identifier: Apache-2.0
"""Envelopes are compressed with LZ4; what was stored before is read as before."""

from runtime.compression import compress_with_lz4

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Set the columns' method."""
    compress_with_lz4(*((table, ["body"]) for table in ("outbox", "inbox", "dead_letters")))
