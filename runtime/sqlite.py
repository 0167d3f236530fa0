# SPDX-License-Identifier: Apache-2.0
"""The store on SQLite, called directly from the event loop: no threads, so that a simulation
repeats itself (ADR 0009).

Elsewhere: the port's contract (`store`).
"""

import asyncio
import fcntl
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Executable, Table, create_engine, event
from sqlalchemy.engine import CursorResult

from runtime.database import database_url, translated
from runtime.errors import LocalProtocolError

__all__ = ["SqliteStore", "sqlite_engine"]

Rows = Sequence[Mapping[str, Any]]


class SqliteSession:
    dialect = "sqlite"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Rows | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        return self._connection.execute(statement, parameters)

    async def write(
        self, table: Table, statement: Executable, parameters: Mapping[str, Any] | Rows
    ) -> None:
        """At once: nothing is saved by waiting where no server is asked."""
        await self.execute(statement, parameters)


class SqliteStore:
    """SQLite in the event loop: short statements, no threads, one connection for the writer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._path = Path(database_url(url).database or "")
        self._writer = sqlite_engine(url)
        self._reader = sqlite_engine(url, mode="read")
        self._turn = asyncio.Lock()
        self._lock: IO[str] | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqliteSession]:
        async with self._turn:
            with translated(), self._writer.begin() as connection:
                yield SqliteSession(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[SqliteSession]:
        with translated(), self._reader.begin() as connection:
            yield SqliteSession(connection)

    async def lock_writer(self) -> None:
        with translated():
            self._lock = _locked(self._path)

    async def close(self) -> None:
        self._writer.dispose()
        self._reader.dispose()
        if self._lock is not None:
            self._lock.close()


def _locked(database: Path) -> IO[str]:
    """The lock file beside a database, locked for as long as it is open."""
    file = Path(f"{database}.lock").open("w")  # noqa: SIM115 - held until the store is closed
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise LocalProtocolError(f"{database} is in use by another process") from None
    return file


def sqlite_engine(url: str, *, mode: str = "write") -> Engine:
    """An engine that says BEGIN by itself. `mode` is `read`, `write`, or `create` for a database
    that need not be there yet.
    """
    path = quote(str(Path(database_url(url).database or "").absolute()))
    access = "rwc" if mode == "create" else "rw"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{path}?mode={access}", uri=True, timeout=10, check_same_thread=False
        )

    engine = create_engine(url, creator=connect)

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in (
            "journal_mode = wal",
            "synchronous = full",
            "foreign_keys = on",
            "recursive_triggers = on",  # so that REPLACE fires the triggers of what it deletes
            f"query_only = {'on' if mode == 'read' else 'off'}",
        ):
            connection.execute(f"pragma {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        how = "begin" if mode == "read" else "begin immediate"
        connection.connection.cursor().execute(how)

    return engine
