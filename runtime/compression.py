# SPDX-License-Identifier: Apache-2.0
"""How PostgreSQL compresses large values, for migrations.

Much of what is stored repeats: each message that an envelope passes on comes with the manifest of a
whole bundle. With PostgreSQL's own method compressing takes more time than anything else in writing
such a row.
"""

from collections.abc import Iterable

from alembic import op

__all__ = ["compress_with_lz4"]


def compress_with_lz4(*columns: tuple[str, Iterable[str]]) -> None:
    """Have columns of tables compressed with LZ4, from now on. On a server older than version 14,
    or built without it, they keep their method; SQLite does not compress.
    """
    dialect = op.get_bind().dialect
    if dialect.name != "postgresql" or (dialect.server_version_info or ()) < (14,):
        return
    for table, names in columns:
        for name in names:
            op.execute(
                f"do $$ begin alter table {table} alter column {name} set compression lz4; "
                "exception when feature_not_supported then null; end $$"
            )
