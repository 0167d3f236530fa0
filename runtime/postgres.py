# SPDX-License-Identifier: Apache-2.0
"""The store on PostgreSQL, through asyncpg.

Writes wait until something is executed, or for the end of the transaction, and become one
statement: a batch writes to a dozen tables, and each statement costs as much as many rows. The
parts of one statement share a snapshot, so that none sees what another writes; therefore a second
write to a table does not join the first one. What is put together is remembered by the identity of
its statements, which `many` makes once for each table and keeps.

Elsewhere: the port's contract (`store`).
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Executable, Table, event, text
from sqlalchemy.engine import CursorResult
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from runtime.database import database_url, translated
from runtime.errors import LocalProtocolError, Unavailable

__all__ = ["PostgresStore"]

Rows = Sequence[Mapping[str, Any]]


PLANNING = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit")
"""Off. Every statement on the way of a transfer is so many looks into an index as it has things to
look for. A plan is made early, when a table is small or has never been analysed, and serves for
ever: left to itself the planner reads the whole table for each, and goes on doing so when that has
a million rows.
"""


TOGETHER_MAX = 1000
"""Statements put together that are remembered here and prepared by the server; a program comes to
one or two hundred.
"""


def _plan_by_index(connection: DBAPIConnection, record: object) -> None:
    """On a new connection, and not when it is asked for: a pooler knows no such options."""
    cursor = connection.cursor()
    off = ", ".join(f"set_config('{name}', 'off', false)" for name in PLANNING)
    cursor.execute(f"select {off}")
    cursor.close()
    connection.commit()


class PostgresSession:
    """A session that puts writes off; what waits in the end has to be flushed."""

    dialect = "postgresql"

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._waiting: dict[Table, tuple[Executable, Mapping[str, Any]]] = {}

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Rows | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        await self.flush()
        return await self._connection.execute(statement, parameters)

    async def write(
        self, table: Table, statement: Executable, parameters: Mapping[str, Any] | Rows
    ) -> None:
        if not isinstance(parameters, Mapping):  # run so many times, it can be no part of another
            await self.execute(statement, parameters)
            return
        if table in self._waiting:
            await self.flush()
        self._waiting[table] = statement, parameters

    async def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            statements, parameters = zip(*self._waiting.values(), strict=True)
            self._waiting = {}
            given = {name: value for part in parameters for name, value in part.items()}
            await self._connection.execute(_together(statements), given)


@asynccontextmanager
async def _session(connection: AsyncConnection) -> AsyncIterator[PostgresSession]:
    """A session that has written everything when it is left; by an exception, it writes no more."""
    session = PostgresSession(connection)
    yield session
    await session.flush()


@lru_cache(maxsize=TOGETHER_MAX)
def _together(statements: tuple[Any, ...]) -> Executable:
    """Several statements as one: each but the last is a part of it (`with … as`)."""
    *others, last = statements
    whole: Executable = last.add_cte(*(part.cte(f"part_{n}") for n, part in enumerate(others)))
    return whole


class PostgresStore:
    """One writing connection and a few for reading.

    The connection that holds the writer's lock is the one that writes: what ends the one ends the
    other, so nobody can write under a lock that is gone.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._name = database_url(url).database or ""
        self._engine: AsyncEngine = create_async_engine(
            url,
            pool_size=3,
            max_overflow=2,
            connect_args={
                "timeout": 10,
                "command_timeout": 60,
                "prepared_statement_cache_size": TOGETHER_MAX,
            },
        )
        event.listen(self._engine.sync_engine, "connect", _plan_by_index)
        self._turn = asyncio.Lock()
        self._lock: AsyncConnection | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresSession]:
        async with self._turn:
            with translated():
                if self._lock is None:
                    async with self._engine.begin() as connection, _session(connection) as session:
                        yield session
                else:
                    writer = await self._writer(self._lock)
                    async with writer.begin(), _session(writer) as session:
                        yield session

    async def _writer(self, held: AsyncConnection) -> AsyncConnection:
        """The connection that has the lock; a new one when the old one is lost."""
        if held.closed or held.invalidated:
            again = await self._try_lock()
            if again is None:
                raise Unavailable(f"database {self._name} is being written by another process")
            await held.close()
            self._lock = held = again
        return held

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[PostgresSession]:
        with translated():
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
                async with connection.begin(), _session(connection) as session:
                    yield session

    async def lock_writer(self) -> None:
        with translated():
            self._lock = await self._try_lock()
        if self._lock is None:
            raise LocalProtocolError(f"database {self._name} is in use by another process")

    async def _try_lock(self) -> AsyncConnection | None:
        """A connection with the writer's lock, or None when somebody else has it."""
        digest = hashlib.sha256(f"a6hub {self._name}".encode()).digest()
        number = int.from_bytes(digest[:8], signed=True)
        connection = await self._engine.connect()
        try:
            got = await connection.execute(
                text("select pg_try_advisory_lock(:number)"), {"number": number}
            )
            held = bool(got.scalar_one())
            await connection.commit()
        except BaseException:
            await connection.close()
            raise
        if not held:
            await connection.close()
            return None
        return connection

    async def close(self) -> None:
        with translated():
            try:
                if self._lock is not None:
                    await self._lock.close()
            finally:
                await self._engine.dispose()
