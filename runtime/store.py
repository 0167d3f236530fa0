# SPDX-License-Identifier: Apache-2.0
"""The store: one database per program, one set of SQLAlchemy Core statements.

Contract of the port (`Store`):

* `transaction()` gives a `Session`; leaving it normally commits everything or nothing, durably
  (synchronous commits on both databases); leaving it by an exception rolls back.
* One writer: transactions of one `Store` run one after another.
* `snapshot()` gives a `Session` whose reads are all of one instant; it never writes.
* `lock_writer()` makes this program the only writer of the database until `close`; a second one
  gets `LocalProtocolError`. Called again it makes sure of that after a lost connection.
* Errors of the database's availability come out as `Unavailable`; those of our own statements
  (a violated constraint) as SQLAlchemy's, since they are faults of ours.

PostgreSQL is spoken to through asyncpg; SQLite synchronously in the event loop (WAL, full
synchronous commits), which is the embedded default and what simulations use.
"""

import asyncio
import fcntl
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Executable, create_engine, event, text
from sqlalchemy.engine import CursorResult, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from runtime.errors import LocalProtocolError, Unavailable

__all__ = ["Session", "Store", "each", "open_store"]

Rows = Sequence[Mapping[str, Any]]


class Session(Protocol):
    """Statements inside one transaction; `dialect` is `postgresql` or `sqlite`."""

    dialect: str

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Rows | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Run a Core statement, once or for each of several parameter sets."""
        ...


class Store(Protocol):
    """A program's database; the contract stands at the head of this module."""

    url: str

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        """All or nothing."""
        ...

    def snapshot(self) -> AbstractAsyncContextManager[Session]:
        """Reads of one instant."""
        ...

    async def lock_writer(self) -> None:
        """Become the only writer."""
        ...

    async def close(self) -> None:
        """Give back connections and the writer's lock."""
        ...


class each(FunctionElement[Any]):  # noqa: N801 - reads as the SQL function that it is
    """The elements of a JSON array parameter as rows with one column `value`.

    One statement serves any number of rows, so it is compiled and prepared once; members are read
    with `value ->> 'name'` on both databases.
    """

    name = "each"
    inherit_cache = True


@compiles(each, "sqlite")
def _each_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **kw)})"


@compiles(each, "postgresql")
def _each_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_array_elements(cast({compiler.process(element.clauses, **kw)} as json))"


def open_store(url: str) -> Store:
    """A store by SQLAlchemy URL: `sqlite:///path` or `postgresql+asyncpg://…`."""
    driver = make_url(url).drivername
    if driver == "sqlite":
        return SqliteStore(url)
    if driver == "postgresql+asyncpg":
        return PostgresStore(url)
    raise LocalProtocolError(
        f"database {driver} is not supported; use sqlite:///… or postgresql+asyncpg://…"
    )


class _SqliteSession:
    dialect = "sqlite"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Rows | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        return self._connection.execute(statement, parameters)


class SqliteStore:
    """SQLite in the event loop: short statements, no threads, one connection for the writer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = _sqlite_engine(url)
        self._turn = asyncio.Lock()
        self._lock_file: Any = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        async with self._turn:
            with _translated(), self._engine.begin() as connection:
                yield _SqliteSession(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Session]:
        async with self._turn:
            with _translated(), self._engine.connect() as plain:
                yield _SqliteSession(plain.execution_options(a6hub_begin="begin"))

    async def lock_writer(self) -> None:
        path = make_url(self.url).database
        if self._lock_file is None and path and path != ":memory:":
            self._lock_file = Path(f"{path}.lock").open("w")  # noqa: SIM115, ASYNC230 - held until close
            try:
                fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise LocalProtocolError(f"{path} is in use by another process") from None

    async def close(self) -> None:
        self._engine.dispose()
        if self._lock_file is not None:
            self._lock_file.close()


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 10, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in (
            "journal_mode = wal",
            "synchronous = full",
            "foreign_keys = on",
            "recursive_triggers = on",  # so that REPLACE fires the triggers of what it deletes
        ):
            connection.execute(f"pragma {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        how = connection.get_execution_options().get("a6hub_begin", "begin immediate")
        connection.connection.cursor().execute(how)

    return engine


class _PostgresSession:
    dialect = "postgresql"

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Rows | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        return await self._connection.execute(statement, parameters)


class PostgresStore:
    """PostgreSQL through asyncpg."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine: AsyncEngine = create_async_engine(
            url, pool_size=3, max_overflow=2, connect_args={"timeout": 10, "command_timeout": 60}
        )
        self._turn = asyncio.Lock()
        self._lock: AsyncConnection | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        async with self._turn:
            with _translated():
                async with self._engine.begin() as connection:
                    yield _PostgresSession(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Session]:
        with _translated():
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
                async with connection.begin():
                    yield _PostgresSession(connection)

    async def lock_writer(self) -> None:
        if self._lock is not None and await _alive(self._lock):
            return
        again, self._lock = self._lock is not None, None
        name = make_url(self.url).database or ""
        number = int.from_bytes(hashlib.sha256(f"a6hub {name}".encode()).digest()[:8], signed=True)
        with _translated():
            self._lock = await self._engine.connect()
            got = await self._lock.execute(
                text("select pg_try_advisory_lock(:number)"), {"number": number}
            )
            held = got.scalar_one()
            await self._lock.commit()
        if not held:
            await self._lock.close()
            self._lock = None
            if again:  # the lost connection's lock may not be released yet
                raise Unavailable(f"database {name}: the writer's lock is not free again yet")
            raise LocalProtocolError(f"database {name} is in use by another process")

    async def close(self) -> None:
        if self._lock is not None:
            with _translated():
                await self._lock.close()
        await self._engine.dispose()


async def _alive(connection: AsyncConnection) -> bool:
    """Whether the connection that holds the writer's lock is still there."""
    try:
        await connection.execute(text("select 1"))
        await connection.commit()
    except (DBAPIError, OSError):
        return False
    return True


PASSING = ("08", "25", "40", "53", "55", "57", "58", "XX")
"""Classes of SQLSTATE that say something of the server's state and nothing of the statement."""


def _passes(error: DBAPIError) -> bool:
    """Whether an error is the database's trouble, which may pass, and not a fault of ours."""
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None) or ""
    return str(state).startswith(PASSING)


class _translated:  # noqa: N801 - a context manager that reads as an adjective
    """Turn a database's unavailability into `Unavailable`; faults of ours pass through."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DBAPIError) and _passes(error):
            raise Unavailable(f"database: {error.orig}") from error
        if isinstance(error, OSError):
            raise Unavailable(f"database: {error}") from error
