# SPDX-License-Identifier: Apache-2.0
"""Making and checking a program's database schema: alembic migrations of `runtime` and its own.

Each package that has tables keeps its migrations beside them; a program names the packages that it
needs. Production never migrates by itself: a daemon refuses to start on another revision than its
code's, and `a6hub <program> migrate` brings the database up to date, whole or not at all.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from runtime.database import database_url, translated
from runtime.errors import LocalProtocolError
from runtime.settings import DaemonSettings, secret
from runtime.sqlite import sqlite_engine
from runtime.store import Store, open_store

__all__ = ["check_schema", "migrate", "open_database"]

ROOT = Path(__file__).resolve().parent.parent
T = TypeVar("T")


async def migrate(url: str, packages: Sequence[str]) -> None:
    """Bring the database to the newest revision of these packages' migrations."""

    def upgrade(connection: Connection) -> None:
        config = _config(packages)
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "heads")
        except CommandError as error:
            raise LocalProtocolError(f"the database cannot be migrated: {error}") from None

    await _run(url, upgrade, mode="create")


async def check_schema(url: str, packages: Sequence[str]) -> None:
    """`LocalProtocolError` unless the database is at exactly the revisions of the code."""
    scripts = ScriptDirectory.from_config(_config(packages))
    needed = set(scripts.get_heads())
    known = {script.revision for script in scripts.walk_revisions()}

    def read(connection: Connection) -> set[str]:
        return set(MigrationContext.configure(connection).get_current_heads())

    _require_file(url)
    found = await _run(url, read)
    if found - known:
        raise LocalProtocolError(
            f"the database is at {sorted(found)}, which this version does not know; run the "
            "version that made it, or a later one"
        )
    reached = {script.revision for script in scripts.get_all_current(tuple(found))}
    if not needed <= reached:
        raise LocalProtocolError(
            f"the database is at {sorted(found) or 'nothing'}, this program needs "
            f"{sorted(needed)}; run its `migrate` command"
        )


@asynccontextmanager
async def open_database(settings: DaemonSettings) -> AsyncIterator[Store]:
    """The database of a program for one verb; `LocalProtocolError` unless it is of this version."""
    url = secret(settings.database_file)
    await check_schema(url, settings.program.packages)
    store = open_store(url)
    try:
        yield store
    finally:
        await store.close()


def _require_file(url: str) -> None:
    """A better word for it than SQLite's "unable to open database file"."""
    parts = database_url(url)
    path = Path(parts.database or "")
    if parts.drivername == "sqlite" and not path.is_file():
        raise LocalProtocolError(f"{path}: no such database; make it with the `migrate` command")


async def _run(url: str, action: Callable[[Connection], T], mode: str = "write") -> T:
    """Do something with a connection, in one transaction."""
    with translated():
        if database_url(url).drivername == "sqlite":
            engine = sqlite_engine(url, mode=mode)
            try:
                with engine.begin() as connection:
                    return action(connection)
            finally:
                engine.dispose()
        async_engine = create_async_engine(url, connect_args={"timeout": 10})
        try:
            async with async_engine.begin() as async_connection:
                return await async_connection.run_sync(action)
        finally:
            await async_engine.dispose()


def _config(packages: Sequence[str]) -> Config:
    assert packages, "alembic would take its own folder"
    config = Config()
    folders = [str(ROOT / package / "migrations" / "versions") for package in packages]
    for option, value in (
        ("script_location", str(ROOT / "runtime" / "migrations")),
        ("version_locations", "\n".join(folders)),  # a folder's name may have spaces
        ("path_separator", "newline"),
    ):
        config.set_main_option(option, value.replace("%", "%%"))
    return config
