# SPDX-License-Identifier: Apache-2.0
"""Proposals and entries are compressed with LZ4; what was stored before is read as before. The
manifest of a proposal stands in its envelope, and no more in its transaction as well.
"""

from alembic import op
from sqlalchemy import inspect

from runtime.compression import compress_with_lz4

revision = "h0004"
down_revision = "h0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Set the columns' method, and drop one."""
    compress_with_lz4(("transactions", ["proposal"]), ("log_entries", ["line"]))
    columns = {column["name"] for column in inspect(op.get_bind()).get_columns("transactions")}
    if "manifest" in columns:  # the first migrations make tables as they are now
        op.execute("alter table transactions drop column manifest")
