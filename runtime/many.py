# SPDX-License-Identifier: Apache-2.0
"""Many rows in one statement: added, written over, changed or deleted.

PostgreSQL gets each column as an array, so that however many rows there are, there is one statement
to plan and triggers of statements fire once. SQLite has no arrays, and nothing to save by them: it
runs the statement for each row.

A call may be carried out later, and what it violates is told then (`store.Session.write`).

All rows of a call have the same columns; without rows nothing is done. Everywhere rows take the
names of a table's columns, and a key is some of these.

Elsewhere: questions about many things at once (`store.each`), the tables (`tables`).
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    Executable,
    FromClause,
    Integer,
    LargeBinary,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy import column as named
from sqlalchemy.dialects import postgresql, sqlite

from runtime.store import Session

__all__ = ["add", "add_new", "change", "remove", "write_over"]

Rows = Sequence[Mapping[str, Any]]


ROWS_MAX = 500
"""In one statement. One value has at most a gibibyte on PostgreSQL, and an array is a value; an
envelope may have a mebibyte.
"""


async def add(session: Session, table: Table, rows: Rows) -> None:
    """Insert rows; one that is there already is an error."""
    if rows:
        statement = _add(table, session.dialect, tuple(rows[0]))
        await _write(session, table, statement, rows)


async def add_new(session: Session, table: Table, rows: Rows) -> None:
    """Insert rows; where one of the same key is there, it stays as it is."""
    if rows:
        statement = _add_new(table, session.dialect, tuple(rows[0]))
        await _write(session, table, statement, rows)


async def write_over(session: Session, table: Table, rows: Rows) -> None:
    """Insert rows; where one of the same primary key is there, it takes the other columns. No two
    rows of a call have one key.
    """
    if rows:
        statement = _write_over(table, session.dialect, tuple(rows[0]))
        await _write(session, table, statement, rows)


async def change(session: Session, table: Table, key: Iterable[str], rows: Rows) -> None:
    """Set the other columns where a row's key is."""
    if rows:
        statement = _change(table, session.dialect, tuple(key), tuple(rows[0]))
        await _write(session, table, statement, rows)


async def remove(session: Session, table: Table, rows: Rows) -> None:
    """Delete what has these rows' columns."""
    if rows:
        statement = _remove(table, session.dialect, tuple(rows[0]))
        await _write(session, table, statement, rows)


async def _write(session: Session, table: Table, statement: Executable, rows: Rows) -> None:
    if session.dialect != "postgresql":
        await session.write(table, statement, _one_by_one(table, rows))
        return
    for start in range(0, len(rows), ROWS_MAX):
        await session.write(table, statement, _as_arrays(table, rows[start : start + ROWS_MAX]))


def _one_by_one(table: Table, rows: Rows) -> Rows:
    """Parameters for each row."""
    given = {name: _given(table.c[name]) for name in rows[0]}
    return [{given[name]: value for name, value in row.items()} for row in rows]


def _as_arrays(table: Table, rows: Rows) -> Mapping[str, Any]:
    """Parameters for all rows: the values of each column."""
    columns = {table.c[name]: [row[name] for row in rows] for name in rows[0]}
    return {_given(column): _array(column, values) for column, values in columns.items()}


def _array(column: Column[Any], values: list[Any]) -> list[bytes] | str:
    """The values of a column as an array. Numbers and texts are written out here, in the form that
    PostgreSQL reads: of each value in a list asyncpg asks whether it is a list as well, and takes
    three times as long. Bytes stay a list, since as text they would double.
    """
    if isinstance(column.type, LargeBinary):
        return values
    if isinstance(column.type, Integer):
        # Not `str`: a boolean or a member of an enumeration is written as its number.
        texts = ["NULL" if v is None else int.__repr__(v) for v in values]
    else:
        # Hardly any text has a character to escape: all are looked through at once, and only if one
        # is there, one by one.
        together = "".join(filter(None, values))
        if '"' in together or "\\" in together:
            values = [v and v.replace("\\", "\\\\").replace('"', '\\"') for v in values]
        texts = ["NULL" if v is None else '"' + v + '"' for v in values]  # quoted, it is a text
    return "{" + ",".join(texts) + "}"


def _given(column: Column[Any]) -> str:
    """The parameter of a column. Named as the column, an update would take it for its own; and with
    its table, since several of these may become one statement.
    """
    return f"{column.table.name}_{column.name}"


# --- one statement per table, columns and database, so that it is compiled once -----------------


@cache
def _add(table: Table, dialect: str, columns: tuple[str, ...]) -> Any:
    if dialect == "postgresql":
        given = _arrays(table, columns)
        return postgresql.insert(table).from_select(columns, select(*given.c))
    return sqlite.insert(table).values({name: _one(table, name) for name in columns})


@cache
def _add_new(table: Table, dialect: str, columns: tuple[str, ...]) -> Executable:
    statement: Executable = _add(table, dialect, columns).on_conflict_do_nothing()
    return statement


@cache
def _write_over(table: Table, dialect: str, columns: tuple[str, ...]) -> Executable:
    insert = _add(table, dialect, columns)
    statement: Executable = insert.on_conflict_do_update(
        index_elements=[column.name for column in table.primary_key],
        set_={name: insert.excluded[name] for name in columns if not table.c[name].primary_key},
    )
    return statement


@cache
def _change(
    table: Table, dialect: str, key: tuple[str, ...], columns: tuple[str, ...]
) -> Executable:
    given = _given_values(table, dialect, columns)
    where = and_(*(table.c[name] == given[name] for name in key))
    return table.update().where(where).values({n: given[n] for n in columns if n not in key})


@cache
def _remove(table: Table, dialect: str, columns: tuple[str, ...]) -> Executable:
    given = _given_values(table, dialect, columns)
    return table.delete().where(and_(*(table.c[name] == given[name] for name in columns)))


def _given_values(table: Table, dialect: str, columns: tuple[str, ...]) -> Mapping[str, Any]:
    if dialect == "postgresql":
        return dict(_arrays(table, columns).c)
    return {name: _one(table, name) for name in columns}


def _arrays(table: Table, columns: tuple[str, ...]) -> FromClause:
    """The parameters as rows: `unnest(…) as given(…)`."""
    arrays = [_from_array(table.c[name]) for name in columns]
    return (
        func.unnest(*arrays)
        .table_valued(*(named(name, table.c[name].type) for name in columns))
        .render_derived("given")
    )


def _from_array(column: Column[Any]) -> Any:
    """The parameter of `_array`: a text, which the server reads as an array, or a list of bytes."""
    written = None if isinstance(column.type, LargeBinary) else Text
    return cast(bindparam(_given(column), type_=written), postgresql.ARRAY(column.type))


def _one(table: Table, name: str) -> Any:
    column: Column[Any] = table.c[name]
    return bindparam(_given(column), type_=column.type)
