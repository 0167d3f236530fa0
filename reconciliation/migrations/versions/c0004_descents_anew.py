# SPDX-License-Identifier: Apache-2.0
"""Descents under way were begun with questions and answers of an older form: the next statement
that differs begins them anew.
"""

from alembic import op

from reconciliation.tables import drills

revision = "c0004"
down_revision = "c0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forget them."""
    op.execute(drills.delete())
