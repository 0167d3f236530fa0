# SPDX-License-Identifier: Apache-2.0
"""Rows of blocks may be of the kinds that came since: administrative, buffer and cer.

What the table is at this revision stands here, and is not taken from `runtime.tables`: that goes on
to change, and this stays. What changes there comes by a later revision.
"""

from alembic import op
from sqlalchemy import Connection, text

revision = "r0006"
down_revision = "r0005"
branch_labels = None
depends_on = None

_NAME = "blocks_account_agrees"

_CODES = {
    "pending": "PEN",
    "holding": "HLD",
    "locked": "LCK",
    "use": "USE",
    "cancellation": "CAN",
    "omge": "OMG",
    "share-of-proceeds": "SOP",
    "retirement": "RET",
    "administrative": "ADC",
    "buffer": "BUF",
    "cer": "CER",
}
_KINDS = ", ".join(f"'{kind}'" for kind in _CODES)
_PREFIX = (
    "replace(actor, '/', '-') || '-' || case kind "
    + " ".join(f"when '{kind}' then '{code}'" for kind, code in _CODES.items())
    + " else '' end || '-'"
)
_RULE = (
    f"actor like '%/%' and kind in ({_KINDS}) and substr(account, 1, length({_PREFIX})) = {_PREFIX}"
)

_RANGE = (
    "first >= 1 and first <= last and last <= 17592186044414 "
    "and first = cast(first as bigint) and last = cast(last as bigint)"
)

_COLUMNS = {
    "book": "text not null",
    "series": "text not null",
    "first": "bigint not null",
    "last": "bigint not null",
    "key": "text not null",
    "slot": "integer not null",
    "attributes": "text not null",
    "actor": "text not null",
    "kind": "text not null",
    "account": "text not null",
}
_CONSTRAINTS = (
    "primary key (book, series, first)",
    "foreign key (key, series, slot) references keys (key, series, slot)",
    f"constraint blocks_range check ({_RANGE})",
    f"constraint {_NAME} check ({_RULE})",
)


def upgrade() -> None:
    """Say anew which kinds there are; rows stay as they are, so no bucket is marked."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(_NAME, "blocks")
        op.create_check_constraint(_NAME, "blocks", _RULE)
    else:
        _sqlite(op.get_bind())


def _sqlite(connection: Connection) -> None:
    """Make the table anew: SQLite changes no constraint of one that is there. Its triggers and
    indexes go with it, and those that were there come again as they were once the rows are back: a
    hub has fewer.
    """
    others = connection.execute(
        text(
            "select type, name, sql from sqlite_master "
            "where type in ('trigger', 'index') and tbl_name = 'blocks' and sql is not null"
        )
    ).all()
    names = ", ".join(_COLUMNS)
    members = (*(f"{name} {kind}" for name, kind in _COLUMNS.items()), *_CONSTRAINTS)
    for kind, name, _ in others:
        op.execute(f"drop {kind} {name}")
    op.execute(f"create temporary table blocks_before as select {names} from blocks")
    op.execute("drop table blocks")
    op.execute(f"create table blocks ({', '.join(members)})")
    op.execute(f"insert into blocks ({names}) select {names} from blocks_before")
    op.execute("drop table blocks_before")
    for _, _, sql in others:
        connection.exec_driver_sql(sql)
