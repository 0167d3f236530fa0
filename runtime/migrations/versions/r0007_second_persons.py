# SPDX-License-Identifier: Apache-2.0
"""Commands may wait for a second person: a state of the desk, and who confirmed what."""

from alembic import op
from sqlalchemy import CheckConstraint, Connection

from runtime.tables import awaited, desk, metadata

revision = "r0007"
down_revision = "r0006"
branch_labels = None
depends_on = None

_NAME = "desk_states"


def upgrade() -> None:
    """Say anew which states there are, and create the table; the first migration makes both as they
    are now.
    """
    if op.get_bind().dialect.name == "postgresql":
        for name in ("desk_state_check", _NAME):
            op.execute(f"alter table desk drop constraint if exists {name}")
        (rule,) = (
            one
            for one in desk.constraints
            if isinstance(one, CheckConstraint) and one.name == _NAME
        )
        op.create_check_constraint(_NAME, "desk", rule.sqltext)
    else:
        _sqlite(op.get_bind())
    metadata.create_all(op.get_bind(), tables=[awaited])


def _sqlite(connection: Connection) -> None:
    """Make the table anew: SQLite changes no constraint of one that is there. Nothing refers to it
    yet, and it has no triggers.
    """
    names = ", ".join(column.name for column in desk.columns)
    op.execute(f"create temporary table desk_before as select {names} from desk")
    op.execute("drop table desk")
    metadata.create_all(connection, tables=[desk])
    op.execute(f"insert into desk ({names}) select {names} from desk_before")
    op.execute("drop table desk_before")
