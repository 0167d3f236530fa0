# SPDX-License-Identifier: Apache-2.0
"""How PostgreSQL compresses large values, for migrations.

Much of what is stored repeats: a proposal is kept with the manifest of its whole bundle. With
PostgreSQL's own method compressing takes more time than anything else in writing such a row.
"""

from collections.abc import Iterable

from alembic import op

__all__ = ["compress_with_lz4"]


def compress_with_lz4(*columns: tuple[str, Iterable[str]]) -> None:
    """Have columns of tables compressed with LZ4, from now on. Where the server was built without
    it they keep their method; SQLite does not compress.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, names in columns:
        for name in names:
            op.execute(
                f"do $$ begin alter table {table} alter column {name} set compression lz4; "
                "exception when feature_not_supported then null; end $$"
            )
