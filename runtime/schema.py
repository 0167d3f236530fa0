# SPDX-License-Identifier: Apache-2.0
"""Making and checking a program's database schema: alembic migrations of `runtime` and its own.

Each package that has tables keeps its migrations beside them; a program names the packages that it
needs. Production never migrates by itself: a daemon refuses to start on another revision than its
code's, and `a6hub <program> migrate` brings the database up to date.
"""

from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from runtime.errors import LocalProtocolError

__all__ = ["check_schema", "migrate"]

ROOT = Path(__file__).resolve().parent.parent


async def migrate(url: str, packages: Sequence[str]) -> None:
    """Bring the database to the newest revision of these packages' migrations."""

    def upgrade(connection: Connection) -> None:
        config = _config(packages)
        config.attributes["connection"] = connection
        command.upgrade(config, "heads")

    await _run(url, upgrade)


async def check_schema(url: str, packages: Sequence[str]) -> None:
    """`LocalProtocolError` unless the database is at exactly the revisions of the code."""
    scripts = ScriptDirectory.from_config(_config(packages))
    expected = set(scripts.get_heads())
    found: set[str] = set()

    def read(connection: Connection) -> None:
        heads = MigrationContext.configure(connection).get_current_heads()
        found.update(s.revision for s in scripts.get_all_current(heads))

    await _run(url, read)
    if not expected <= found:
        raise LocalProtocolError(
            f"the database is at {sorted(found) or 'nothing'}, this program needs "
            f"{sorted(expected)}; run its `migrate` command"
        )


async def _run(url: str, action: object) -> None:
    assert callable(action)
    if make_url(url).drivername == "sqlite":
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("pragma journal_mode = wal")
            action(connection)
        engine.dispose()
        return
    async_engine = create_async_engine(url)
    async with async_engine.begin() as async_connection:
        await async_connection.run_sync(action)
    await async_engine.dispose()


def _config(packages: Sequence[str]) -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "runtime" / "migrations"))
    folders = [str(ROOT / package / "migrations" / "versions") for package in packages]
    config.set_main_option("version_locations", " ".join(folders))
    config.set_main_option("path_separator", "space")
    return config
