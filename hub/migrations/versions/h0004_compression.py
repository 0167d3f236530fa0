# SPDX-License-Identifier: Apache-2.0
"""Proposals, their manifests and entries are compressed with LZ4; what was stored before is read as
before.
"""

from runtime.compression import compress_with_lz4

revision = "h0004"
down_revision = "h0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Set the columns' method."""
    compress_with_lz4(("transactions", ["proposal", "manifest"]), ("log_entries", ["line"]))
