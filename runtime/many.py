# SPDX-License-Identifier: Apache-2.0
"""Many rows in one statement: added, written over, changed or deleted.

PostgreSQL gets each column as an array, so that however many rows there are, there is one statement
to plan and triggers of statements fire once. SQLite has no arrays, and nothing to save by them: it
runs the statement for each row.

All rows of a call have the same columns; without rows nothing is done. Everywhere rows take the
names of a table's columns, and a key is some of these.

Elsewhere: questions about many things at once (`store.each`), the tables (`tables`).
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, Executable, FromClause, Table, and_, bindparam, cast, func, select
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
        await _execute(session, _add(table, session.dialect, tuple(rows[0])), rows)


async def add_new(session: Session, table: Table, rows: Rows) -> None:
    """Insert rows; where one of the same key is there, it stays as it is."""
    if rows:
        await _execute(session, _add_new(table, session.dialect, tuple(rows[0])), rows)


async def write_over(session: Session, table: Table, rows: Rows) -> None:
    """Insert rows; where one of the same primary key is there, it takes the other columns. No two
    rows of a call have one key.
    """
    if rows:
        await _execute(session, _write_over(table, session.dialect, tuple(rows[0])), rows)


async def change(session: Session, table: Table, key: Iterable[str], rows: Rows) -> None:
    """Set the other columns where a row's key is."""
    if rows:
        statement = _change(table, session.dialect, tuple(key), tuple(rows[0]))
        await _execute(session, statement, rows)


async def remove(session: Session, table: Table, rows: Rows) -> None:
    """Delete what has these rows' columns."""
    if rows:
        await _execute(session, _remove(table, session.dialect, tuple(rows[0])), rows)


async def _execute(session: Session, statement: Executable, rows: Rows) -> None:
    if session.dialect == "postgresql":
        for start in range(0, len(rows), ROWS_MAX):
            some = rows[start : start + ROWS_MAX]
            await session.execute(
                statement, {_given(name): [row[name] for row in some] for name in rows[0]}
            )
    else:
        await session.execute(
            statement, [{_given(name): value for name, value in row.items()} for row in rows]
        )


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
    arrays = [
        cast(bindparam(_given(name)), postgresql.ARRAY(table.c[name].type)) for name in columns
    ]
    return (
        func.unnest(*arrays)
        .table_valued(*(named(name, table.c[name].type) for name in columns))
        .render_derived("given")
    )


def _one(table: Table, name: str) -> Any:
    column: Column[Any] = table.c[name]
    return bindparam(_given(name), type_=column.type)


def _given(name: str) -> str:
    """The parameter of a column. Named as the column, an update would take it for its own."""
    return f"given_{name}"
