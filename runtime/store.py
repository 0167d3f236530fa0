# SPDX-License-Identifier: Apache-2.0
"""The store: one database per program, one set of SQLAlchemy Core statements.

Contract of the port (`Store`):

* `transaction()` gives a `Session`; leaving it normally commits everything or nothing, durably
  (synchronous commits on both databases); leaving it by an exception rolls back.
* One writer: transactions of one `Store` run one after another.
* `snapshot()` gives a `Session` whose reads are all of one instant; writing in it is refused.
* `write` may be carried out later: before the next `execute`, and before the transaction ends. What
  it violates is told then. Writes to one table keep their order. Writes to several tables may be
  one statement, whose parts do not see one another.
* `lock_writer()` makes this program the only writer of the database until `close`; a second one
  gets `LocalProtocolError`. A lock that is lost with its connection is taken again before anything
  is written; while somebody else has it, that is `Unavailable`.
* Errors of the database's availability come out as `Unavailable`; those of our own statements
  (a violated constraint, a value that no column takes) as SQLAlchemy's, since they are faults of
  ours, and waiting would not mend them.
* A store never makes a database: that is `runtime.schema.migrate`'s.

PostgreSQL is spoken to through asyncpg; SQLite synchronously in the event loop (WAL, full
synchronous commits), which is the embedded default and what simulations use.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from sqlalchemy import BigInteger, Executable, Table, Text, bindparam, cast
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from runtime.database import database_url
from runtime.postgres import PostgresStore
from runtime.sqlite import SqliteStore

__all__ = ["ASKED", "Session", "Store", "asked_number", "asked_text", "each", "open_store"]

Rows = Sequence[Mapping[str, Any]]


class Session(Protocol):
    """Statements inside one transaction; `dialect` is `postgresql` or `sqlite`."""

    dialect: str

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Rows | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Run a Core statement, once or for each of several parameter sets."""
        ...

    async def write(
        self, table: Table, statement: Executable, parameters: Mapping[str, Any] | Rows
    ) -> None:
        """Have a statement run, now or later, that changes this table and gives nothing back. Its
        parameters have names that no statement about another table has.
        """
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


ASKED = each(bindparam("asked", type_=Text)).table_valued("value").alias("asked")
"""What a question is about: the elements of the JSON array that is its parameter `asked`."""


def asked_text(name: str) -> Any:
    """A member of each thing that is asked about, as text."""
    return cast(ASKED.c.value.op("->>")(name), Text)


def asked_number(name: str) -> Any:
    """A member of each thing that is asked about, as a number."""
    return cast(ASKED.c.value.op("->>")(name), BigInteger)


def open_store(url: str) -> Store:
    """A store by SQLAlchemy URL: `sqlite:///path` or `postgresql+asyncpg://…`."""
    return SqliteStore(url) if database_url(url).drivername == "sqlite" else PostgresStore(url)
