# SPDX-License-Identifier: Apache-2.0
"""Rows of blocks may be of the kinds that came since: administrative, buffer and cer."""

from alembic import op
from sqlalchemy import CheckConstraint, Connection, text

from runtime.tables import blocks, metadata

revision = "r0006"
down_revision = "r0005"
branch_labels = None
depends_on = None

_NAME = "blocks_account_agrees"


def upgrade() -> None:
    """Say anew which kinds there are; rows stay as they are, so no bucket is marked."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(_NAME, "blocks")
        (rule,) = (
            one
            for one in blocks.constraints
            if isinstance(one, CheckConstraint) and one.name == _NAME
        )
        op.create_check_constraint(_NAME, "blocks", rule.sqltext)
    else:
        _sqlite(op.get_bind())


def _sqlite(connection: Connection) -> None:
    """Make the table anew: SQLite changes no constraint of one that is there. Its triggers go with
    it, and come again as they were once the rows are back.
    """
    triggers = connection.execute(
        text("select name, sql from sqlite_master where type = 'trigger' and tbl_name = 'blocks'")
    ).all()
    names = ", ".join(column.name for column in blocks.columns)
    for name, _ in triggers:
        op.execute(f"drop trigger {name}")
    op.execute(f"create temporary table blocks_before as select {names} from blocks")
    op.execute("drop table blocks")
    metadata.create_all(connection, tables=[blocks])
    op.execute(f"insert into blocks ({names}) select {names} from blocks_before")
    op.execute("drop table blocks_before")
    for _, trigger in triggers:
        connection.exec_driver_sql(trigger)
