# SPDX-License-Identifier: Apache-2.0
"""The newest migrations of each package, on both databases: a database of an older version keeps
its rows, becomes as one that is made today, and refuses what that one refuses.

An older version is made of today's by taking back what each migration brought, the newest first
(`STEPS`). What a database then is, is read out of it: tables with their constraints and indexes,
triggers, functions. The tables of a new one are those of the models.

Elsewhere: what migrations work out of older rows, and what a program makes of these (`test_store`
and the tests of each program's storage).
"""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
from sqlalchemy import CheckConstraint, Connection, MetaData, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

import hub.tables
import reconciliation.tables
import registry.tables
import runtime.tables
from runtime import schema
from runtime.store import Store, open_store

T = TypeVar("T")

MODELS = {
    "runtime": runtime.tables.metadata,
    "hub": hub.tables.metadata,
    "registry": registry.tables.metadata,
    "reconciliation": reconciliation.tables.metadata,
}
NOT_IN_MODELS = {"blocks_disjoint"}
"""What PostgreSQL alone has, from a migration."""
NOT_AT_HUBS = ("blocks_tree", "blocks_tree_end")
"""A hub has no holdings trees, and so not the indexes that serve to hash them (`h0005`)."""


class Check(NamedTuple):
    """The check of a table that was another one before; PostgreSQL knows it by its name."""

    table: str
    name: str
    now: str
    before: str


class Step(NamedTuple):
    """A migration: which revision is before it, and what that one lacked."""

    package: str
    before: str
    undo: tuple[str, ...] = ()
    """What makes the version before; for one database alone behind its name and a colon."""
    check: Check | None = None
    filled: tuple[tuple[str, str, str], ...] = ()
    """By table and column, what older rows get; nothing in columns that are not named."""
    refused: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()


AWAITED = (
    "insert into awaited (command, digest, author, author_key, since, until) "
    "values ({}, 'd', 'olga', 'k', 'now', 'then')"
)
BLOCK = "insert into blocks values ('b', 'S', {}, {}, '{}', 1, '{}', 'GHA01/GHA', '{}', '{}')"
ACCOUNT = "insert into accounts values ('N-{}', 'GHA01/GHA', 'holding', '', '{}', 'at', null, {})"
IDENTIFIED = (
    "insert into identifications values ('GHA01/GHA', 'Airline', 1, '{}', null, 'olga', 7, 'at')"
)
NOTE = "insert into case_notes values ('REC-1', {}, 'at', 'ada', '{}', 'words', {}, {}, 7)"
CASE = (
    "insert into cases values ('REC-1', 1, 'GHA01/GHA', 'K', 1, 2, 'missing', 'e', 's', 'words', "
    "1, 'closed', 'at', 'later', '[\"d\"]', '[]', null, null)"
)
NEW_KINDS = ", 'administrative', 'buffer', 'cer'"
GUARDS = ("accounts_owned", "accounts_identified", "identifications_kept", "identifications_stay")

STEPS = {
    "h0010": Step(
        "hub",
        "h0009",
        ("alter table cases drop column concerned",),
        filled=(("cases", "concerned", "[]"),),
        refused=("update cases set concerned = null",),
        taken=("update cases set concerned = '[\"CHE01/CHE\"]'",),
    ),
    "h0009": Step(
        "hub",
        "h0008",
        ("alter table approvals drop column record",),
        Check("approvals", "approvals_issued_check", "issued >= 0", "issued >= 1"),
        refused=(
            "update approvals set issued = -1",
            "update approvals set issued = null",
            "insert into approvals values ('GHA01/GHA', 'A', 1, 1, null)",
        ),
        taken=("insert into approvals values ('GHA01/GHA', 'B', 1, 0, '{}')",),
    ),
    "h0008": Step(
        "hub",
        "h0007",
        ("drop table tail",),
        refused=("insert into tail values ('neither', 1, 'd', '', 'at')",),
        taken=("insert into tail values ('entry', 1, 'd', '', 'at')",),
    ),
    "g0007": Step(
        "registry",
        "g0006",
        (
            "sqlite: drop trigger accounts_owned",
            "sqlite: drop trigger accounts_identified",
            *(f"postgresql: drop function refuse_{name} cascade" for name in GUARDS),
            "drop table identifications",
            "alter table accounts drop column entity",
        ),
        refused=(
            "update accounts set actor = 'GHA01/CHE'",
            "update accounts set entity = 'Airline'",
            ACCOUNT.format(2, "open", "'Airline'"),
        ),
        taken=(
            IDENTIFIED,
            ACCOUNT.format(2, "open", "'Airline'"),
        ),
    ),
    "g0006": Step(
        "registry",
        "g0005",
        ("alter table approvals drop column record",),
        taken=("update approvals set record = '{}'",),
    ),
    "g0005": Step(
        "registry",
        "g0004",
        ("alter table accounts drop column unit",),
        taken=("update accounts set unit = 'MWh'",),
    ),
    "c0006": Step(
        "reconciliation",
        "c0005",
        (
            "drop index deliveries_position",
            "drop table tellings",
            "alter table cases drop column concerned",
            "alter table cases drop column explanation",
            "alter table cases drop column explained_at",
        ),
        Check(
            "case_notes",
            "case_notes_kind_check",
            "kind in ('assignment', 'comment', 'explanation', 'resolution')",
            "kind in ('assignment', 'comment', 'resolution')",
        ),
        filled=(("cases", "concerned", "[]"),),
        refused=(
            "update cases set concerned = null",
            "update case_notes set text = 'other words'",
            "delete from case_notes",
            NOTE.format(3, "rumour", "null", "null"),
        ),
        taken=(NOTE.format(3, "explanation", "null", "null"),),
    ),
    "c0005": Step(
        "reconciliation",
        "c0004",
        ("alter table alarms drop column sequence", "alter table alarms drop column line"),
        taken=("update alarms set sequence = 7, line = 0",),
    ),
    "r0007": Step(
        "runtime",
        "r0006",
        ("drop table awaited",),
        Check(
            "desk",
            "desk_states",
            "state in ('open', 'awaiting', 'done', 'refused')",
            "state in ('open', 'done', 'refused')",
        ),
        refused=("update desk set state = 'thought of'", AWAITED.format(9)),
        taken=("update desk set state = 'awaiting'", AWAITED.format(1)),
    ),
    "r0006": Step(
        "runtime",
        "r0005",
        check=Check(
            "blocks",
            "blocks_account_agrees",
            f"'retirement'{NEW_KINDS})",
            "'retirement')",
        ),
        refused=(
            "update blocks set kind = 'gift'",
            "update blocks set kind = 'buffer'",
            "update blocks set key = 'of another series'",
            "update blocks set last = 11 where first = 1",
            BLOCK.format(5, 6, "K", "{}", "holding", "GHA01-GHA-HLD-1"),
        ),
        taken=(BLOCK.format(21, 30, "K", "{}", "buffer", "GHA01-GHA-BUF-1"),),
    ),
}

ROWS = {
    "runtime": (
        "insert into keys values ('K', 'S', 1)",
        BLOCK.format(1, 10, "K", "{}", "holding", "GHA01-GHA-HLD-1"),
        BLOCK.format(11, 20, "K", '{"a": 1}', "use", "GHA01-GHA-USE-2"),
        "insert into desk values (1, 'at', 'n', 'line', 'signature', 'open', null)",
        "insert into desk values (2, 'later', 'm', 'other', 'signature', 'done', 'words')",
    ),
    "hub": (
        "insert into approvals values ('GHA01/GHA', 'A', 100, 60, null)",
        "insert into cases values ('REC-1', 'GHA01/GHA', 'missing', 'K', 1, 2, 1, 1, '[]')",
        "insert into cases values ('REC-2', 'GHA01/GHA', 'invented', 'K', 3, 4, 0, 0, '[]')",
    ),
    "registry": (
        ACCOUNT.format(1, "closed", "null"),
        "insert into approvals values ('GHA01/GHA', 'A', 100, 60, null)",
    ),
    "reconciliation": (
        "insert into deliveries values ('GHA01/GHA', 0, 7, '')",
        CASE,
        NOTE.format(1, "assignment", "'ben'", "'later'"),
        NOTE.format(2, "comment", "null", "null"),
        "insert into alarms values ('log-forked', 'HUB', 'words', 'at', null, null)",
    ),
}
"""What a database has, in today's columns and in no other form than its oldest version could."""

CASES = [*((STEPS[name].package, name) for name in STEPS), ("hub", "r0007"), ("hub", "r0006")]
"""Which database comes from which revision; a hub's is not quite the others'."""


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A database with nothing in it."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    (tmp_path / "a.db").touch()
    if request.param == "postgresql":
        request.node.fixturenames.append("postgres")
        url = request.getfixturevalue("database_url")
    opened = open_store(url)
    yield opened
    await opened.close()


def packages_of(package: str) -> list[str]:
    return ["runtime"] if package == "runtime" else ["runtime", package]


async def run(store: Store, *statements: str) -> None:
    """Each in a transaction of its own. Their colons are those of JSON."""
    for statement in statements:
        async with store.transaction() as session:
            await session.execute(text(statement.replace(":", "\\:")))


# --- what a database is ---------------------------------------------------------------------------


async def read(store: Store, what: Callable[[Connection], T]) -> T:
    return await schema._run(store.url, what)


def tables_of(connection: Connection) -> dict[str, list[str]]:
    """Each table, whatever the order of its columns: they, its constraints and its indexes."""
    found, tables = inspect(connection), {}
    for table in found.get_table_names():
        parts = [
            *found.get_columns(table),
            *found.get_check_constraints(table),
            *found.get_unique_constraints(table),
            *found.get_foreign_keys(table),
            *(one for one in found.get_indexes(table) if one["name"] not in NOT_IN_MODELS),
            found.get_pk_constraint(table),
        ]
        tables[table] = sorted(_said(part) for part in parts)
    tables.pop("alembic_version", None)
    return tables


def _said(part: Any) -> str:
    """Words that do not depend on when something was read."""
    if isinstance(part, Mapping):
        return str({name: _said(part[name]) for name in sorted(part)})
    return str(part)


RULES = {
    "sqlite": ("select name, sql from sqlite_master where type = 'trigger' order by 1",),
    "postgresql": (
        "select tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal order by 1",
        "select proname, pg_get_functiondef(oid) from pg_proc where prorettype = 2279 order by 1",
        "select conname, pg_get_constraintdef(oid) from pg_constraint where contype = 'x'",
    ),
}


def rules_of(connection: Connection) -> list[tuple[str, str]]:
    """Triggers, functions and exclusions, as they are written."""
    statements = RULES[connection.dialect.name]
    return [(name, sql) for one in statements for name, sql in connection.execute(text(one))]


def rows_of(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table that has one, by the names of its columns."""
    found, inspector = {}, inspect(connection)
    for table in sorted(set(inspector.get_table_names()) - {"alembic_version"}):
        order = ", ".join(
            f'"{c}"' for c in inspector.get_pk_constraint(table)["constrained_columns"]
        )
        rows = connection.execute(text(f"select * from {table} order by {order}")).mappings()
        found[table] = [dict(row) for row in rows]
    return {table: rows for table, rows in found.items() if rows}


@pytest.mark.parametrize("package", MODELS)
async def test_a_new_database_is_as_the_models_say(store: Store, package: str) -> None:
    def make(connection: Connection) -> None:
        for name in packages_of(package):
            MODELS[name].create_all(connection)
        for index in NOT_AT_HUBS if package == "hub" else ():
            connection.execute(text(f"drop index {index}"))

    def empty(connection: Connection) -> None:
        everything = MetaData()
        everything.reflect(connection)
        everything.drop_all(connection)

    await read(store, make)
    models = await read(store, tables_of)
    await read(store, empty)
    await schema.migrate(store.url, packages_of(package))
    assert await read(store, tables_of) == models


# --- one of an older version ----------------------------------------------------------------------


@pytest.mark.parametrize(("package", "revision"), CASES)
async def test_an_older_database_keeps_its_rows_and_becomes_as_a_new_one(
    store: Store, package: str, revision: str
) -> None:
    packages, steps = packages_of(package), _steps_since(revision)
    await schema.migrate(store.url, packages)
    today = await read(store, tables_of), await read(store, rules_of)
    for name in packages:
        await run(store, *ROWS[name])
    for step in steps:
        await undo(store, step)
    await run(store, *_version(package, revision))
    assert await read(store, tables_of) != today[0]
    expected = await read(store, rows_of)
    for table, rows in expected.items():
        for row in rows:
            row.update((c, value) for step in steps for t, c, value in step.filled if t == table)

    await schema.migrate(store.url, packages)

    assert (await read(store, tables_of), await read(store, rules_of)) == today
    for table, rows in (await read(store, rows_of)).items():
        empty = dict.fromkeys(rows[0])
        assert rows == [{**empty, **row} for row in expected.pop(table)], table
    assert not expected
    await takes_and_refuses(store, STEPS[revision])


def _steps_since(revision: str) -> list[Step]:
    """The migrations of a package from one on, the newest first."""
    names = [n for n in STEPS if n[0] == revision[0] and n >= revision]
    return [STEPS[name] for name in sorted(names, reverse=True)]


def _version(package: str, revision: str) -> list[str]:
    """What has a database say that it is at the revision before one."""
    before = STEPS[revision].before
    own = f"where version_num like '{before[0]}%'"
    if package == "hub" and before == "r0005":  # on which a hub's own revisions depend
        return [f"delete from alembic_version {own}"]
    return [f"update alembic_version set version_num = '{before}' {own}"]


async def takes_and_refuses(store: Store, step: Step) -> None:
    for statement in step.refused:
        with pytest.raises(DBAPIError):
            await run(store, statement)
    await run(store, *step.taken)


async def undo(store: Store, step: Step) -> None:
    """Take back what a migration brought."""
    backend = make_url(store.url).get_backend_name()
    for line in step.undo:
        name, colon, rest = line.partition(": ")
        if not colon:
            await run(store, line)
        elif name == backend:
            await run(store, rest)
    if step.check is None:
        return
    if backend == "sqlite":
        await _make_anew(store, step.check)
        return
    table, name, now, before = step.check
    model = MODELS[step.package].tables[table]
    checks = [*model.constraints, *(one for c in model.columns for one in c.constraints)]
    rules = [str(one.sqltext) for one in checks if isinstance(one, CheckConstraint)]
    (rule,) = (rule for rule in rules if now in rule)
    await run(
        store,
        f"alter table {table} drop constraint {name}",
        f"alter table {table} add constraint {name} check ({rule.replace(now, before)})",
    )


async def _make_anew(store: Store, check: Check) -> None:
    """A table of SQLite with another check, and with its rows, indexes and triggers."""
    found = "select type, sql from sqlite_master where tbl_name = :table and sql is not null"
    async with store.transaction() as session:
        rows = (await session.execute(text(found), {"table": check.table})).all()
        (table,) = (row.sql for row in rows if row.type == "table")
        assert check.now in table
        for sql in (
            f"create temporary table kept as select * from {check.table}",
            f"drop table {check.table}",
            table.replace(check.now, check.before),
            f"insert into {check.table} select * from kept",
            "drop table kept",
            *(row.sql for row in rows if row.type != "table"),
        ):
            await session.execute(text(sql))
