# SPDX-License-Identifier: Apache-2.0
"""Entries are compressed with LZ4; what was stored before is read as before."""

from runtime.compression import compress_with_lz4

revision = "c0003"
down_revision = "c0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Set the columns' method."""
    compress_with_lz4(("entries", ["line"]))
