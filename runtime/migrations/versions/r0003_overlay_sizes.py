# SPDX-License-Identifier: Apache-2.0
"""Overlays by classes of size, so that those on a serial are found without looking at all that
begin before it.
"""

from alembic import op

from runtime.tables import OVERLAY_REACHES, metadata, overlays

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table anew: SQLite adds no constraint to one that is there."""
    names = "book, kind, actor, key, first, last, reference, series"
    smaller = " ".join(
        f"when last - first < {reach} then {number}" for number, reach in enumerate(OVERLAY_REACHES)
    )
    op.execute(f"create temporary table overlays_before as select {names} from overlays")
    op.execute("drop table overlays")
    metadata.create_all(op.get_bind(), tables=[overlays])
    op.execute(
        f"insert into overlays ({names}, size_class) "
        f"select {names}, case {smaller} end from overlays_before"
    )
    op.execute("drop table overlays_before")
