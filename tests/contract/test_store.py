# SPDX-License-Identifier: Apache-2.0
"""The store's contract, run on SQLite and on PostgreSQL with the same tests: the port, the schema,
and the rules that the database itself keeps about ledger rows.

What only one of the two has to fear stands at the end.
"""

import asyncio
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import TextClause, bindparam, event, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError

from harness.services import Postgres, PrivatePostgres
from ledger import tree
from ledger.blocks import Block
from ledger.holdings import Holdings, Overlay, OverlayKind
from runtime import books, journal, many
from runtime.errors import LocalProtocolError, Unavailable
from runtime.journal import Kept
from runtime.rows import block_row, overlay_row
from runtime.schema import check_schema, migrate
from runtime.store import Session, Store, open_store
from runtime.tables import blocks as rows_table
from runtime.tables import dead_letters, keys, marks, metadata, outbox, overlays, sequences
from schemas.identifiers import HUB, Actor, Digest, account_number
from schemas.limits import SERIAL_MAX
from schemas.units import Attributes, ItmoIdentifier, Key, Layer, Position

ROOT = Path(__file__).parents[2]
GHANA, SWISS = Actor("GHA01/GHA"), Actor("CHE01/CHE")
KEY = ItmoIdentifier.parse("CA0007-GHA01-GHA-1-2023").key()
OTHER = ItmoIdentifier.parse("CA0001-THA01-THA-1-2022").key()
ACTIVITY = ItmoIdentifier.parse("CA0007-GHA01-GHA-1-2023").key(activity="A1")  # KEY's series
PLAIN, NAMED = Attributes(first_transferred=True), Attributes(designation="N")
BOOK = "GHA01"


def holding(actor: Actor = GHANA, number: int = 1, kind: str = "HLD") -> Position:
    return Position.of(account_number(actor, kind, number))


def block(
    first: int,
    last: int,
    key: Key = KEY,
    attributes: Attributes = PLAIN,
    position: Position | None = None,
) -> Block:
    return Block(key, first, last, attributes, position or holding())


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a database of this test's own is, or may be made."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'a database.db'}"
    request.node.fixturenames.append("postgres")  # to be counted among the tests on real services
    url: str = request.getfixturevalue("database_url")
    return url


@pytest.fixture(scope="module")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "a.db"
    asyncio.run(migrate(f"sqlite:///{path}", ["runtime"]))
    return path


@pytest.fixture(scope="module")
def migrated_postgres(postgres: Postgres) -> Iterator[str]:
    url = postgres.create_database("store_contract")
    asyncio.run(migrate(url, ["runtime"]))
    yield url
    postgres.drop_database("store_contract")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database with nothing in it."""
    if request.param == "sqlite":
        path = tmp_path / "a database.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        return f"sqlite:///{path}"
    request.node.fixturenames.append("postgres")
    shared: str = request.getfixturevalue("migrated_postgres")
    asyncio.run(emptied(shared))
    return shared


async def emptied(url: str) -> None:
    """What an earlier test has left is gone."""
    store = open_store(url)
    for statement in (
        "alter table blocks enable trigger user",
        "update alembic_version set version_num = 'r0007'",
        f"truncate {', '.join(name for name in metadata.tables)}",
    ):
        await sql(store, statement)
    await store.close()


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = open_store(url)
    yield opened
    await opened.close()


async def put(session: Session, *blocks: Block, book: str = BOOK) -> None:
    """Rows that nobody has loaded before, as a program would write them."""
    changed = Holdings()
    for one in blocks:
        changed.put(one)
    await books.save_holdings(session, book, changed.changes())


async def put_all(store: Store, *blocks: Block, book: str = BOOK) -> None:
    async with store.transaction() as session:
        await put(session, *blocks, book=book)


async def sql(store: Store, statement: str, **parameters: Any) -> list[Any]:
    """Somebody's own SQL, behind the program's back."""
    async with store.transaction() as session:
        result = await session.execute(text(statement), parameters)
        return list(result) if result.returns_rows else []


async def rows(store: Store, book: str = BOOK) -> list[tuple[str, int, int]]:
    found = await sql(
        store, "select series, first, last from blocks where book = :b order by 1, 2", b=book
    )
    return [tuple(row) for row in found]


# --- the port -----------------------------------------------------------------------------------


async def test_a_transaction_is_kept_whole_or_not_at_all(store: Store) -> None:
    async def fail() -> None:
        async with store.transaction() as session:
            await put(session, block(1, 10), block(11, 20))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await rows(store) == []
    assert await sql(store, "select * from dirty") == []
    await put_all(store, block(1, 10), block(11, 20))
    assert [row[1:] for row in await rows(store)] == [(1, 10), (11, 20)]


async def test_a_statement_that_fails_takes_the_rest_of_its_transaction_with_it(
    store: Store,
) -> None:
    async def overlap() -> None:
        async with store.transaction() as session:
            await put(session, block(1, 10))
            await put(session, block(10, 20))

    with pytest.raises(IntegrityError):
        await overlap()
    assert await rows(store) == []


async def test_a_snapshot_reads_one_instant_while_others_commit(url: str, store: Store) -> None:
    other = open_store(url)
    await put_all(store, block(1, 10))
    count = text("select count(*) from blocks")
    async with store.snapshot() as session:
        before = (await session.execute(count)).scalar_one()
        await put_all(store, block(11, 20))
        await put_all(other, block(21, 30))
        after = (await session.execute(count)).scalar_one()
    async with store.snapshot() as session:
        later = (await session.execute(count)).scalar_one()
    await other.close()
    assert (before, after, later) == (1, 1, 3)


async def test_a_snapshot_sees_nothing_of_a_transaction_under_way(store: Store) -> None:
    async with store.transaction() as session:
        await put(session, block(1, 10))
        async with store.snapshot() as reader:
            assert (await reader.execute(text("select count(*) from blocks"))).scalar_one() == 0


async def test_writing_in_a_snapshot_is_refused(store: Store) -> None:
    with pytest.raises(Unavailable):
        async with store.snapshot() as session:
            await session.execute(text("delete from blocks"))
    await put_all(store, block(1, 10))  # and the connection still serves


async def test_rows_are_written_over_by_their_key_and_others_are_left(store: Store) -> None:
    rows = [
        {"sender": "a", "recipient": "b", "last": 1},
        {"sender": "a", "recipient": "c", "last": 2},
    ]
    async with store.transaction() as session:
        await many.write_over(session, sequences, rows)
        await many.write_over(session, sequences, [{**rows[0], "last": 7}])
        await many.write_over(session, sequences, [])
    async with store.snapshot() as session:
        found = await session.execute(select(sequences).order_by(sequences.c.recipient))
        assert [tuple(row) for row in found] == [("a", "b", 7), ("a", "c", 2)]


async def test_many_rows_are_added_changed_and_removed_in_one_call(store: Store) -> None:
    way = {"sender": "a", "recipient": "b"}
    sealed = [
        {**way, "sequence": n, "body": bytes([0, n, 255]), "sealed_at": "now"} for n in (1, 2, 3)
    ]
    async with store.transaction() as session:
        await many.add(session, outbox, sealed)
        done = [{**way, "sequence": n, "confirmed": n} for n in (1, 3, 4)]
        await many.change(session, outbox, ["sender", "recipient", "sequence"], done)
        await many.remove(session, outbox, [{**way, "sequence": n} for n in (2, 5)])
        for without in (many.add, many.add_new, many.remove):
            await without(session, outbox, [])
        await many.change(session, outbox, ["sequence"], [])
    async with store.snapshot() as session:
        rows = await session.execute(select(outbox).order_by(outbox.c.sequence))
        found = [(row.sequence, bytes(row.body), row.confirmed) for row in rows]
    assert found == [(1, b"\0\1\377", 1), (3, b"\0\3\377", 3)]


async def test_what_is_written_is_there_for_what_comes_after_it(store: Store) -> None:
    async with store.transaction() as session:
        await many.add(session, marks, [{"name": "one", "value": 1}])
        await many.add(session, sequences, [{"sender": "a", "recipient": "b", "last": 1}])
        await many.change(session, marks, ["name"], [{"name": "one", "value": 2}])
        found = await session.execute(select(marks.c.value))
        assert found.scalars().all() == [2]
        await many.remove(session, marks, [{"name": "one"}])
        await many.add(session, marks, [{"name": "one", "value": 3}])
    async with store.snapshot() as session:
        found = await session.execute(select(marks.c.value))
        assert found.scalars().all() == [3]


WRITTEN = [{"sender": "a", "recipient": "b", "last": 1}]


async def write_again(store: Store, reads: int) -> None:
    async with store.transaction() as session:
        await many.add(session, marks, [{"name": "one", "value": 1}])
        await many.add(session, sequences, WRITTEN)
        for _ in range(reads):
            await session.execute(select(marks.c.value))
            pytest.fail("a write from before the read has not been told of")


@pytest.mark.parametrize("reads", [0, 1])
async def test_what_a_write_violates_is_told_by_a_read_or_in_the_end(
    store: Store, reads: int
) -> None:
    async with store.transaction() as session:
        await many.add(session, sequences, WRITTEN)
    with pytest.raises(IntegrityError):
        await write_again(store, reads)
    async with store.snapshot() as session:
        assert (await session.execute(select(marks))).all() == []


async def test_a_write_has_one_set_of_parameters_or_several(store: Store) -> None:
    statement = marks.insert().values(name=bindparam("marks_name"), value=bindparam("marks_value"))
    async with store.transaction() as session:
        await session.write(marks, statement, {"marks_name": "one", "marks_value": 1})
        more = [{"marks_name": name, "marks_value": 2} for name in ("two", "three")]
        await session.write(marks, statement, more)
        await session.write(marks, statement, {"marks_name": "four", "marks_value": 3})
    async with store.snapshot() as session:
        found = await session.execute(select(marks).order_by(marks.c.name))
        assert [tuple(row) for row in found] == [("four", 3), ("one", 1), ("three", 2), ("two", 2)]


async def test_postgresql_writes_to_several_tables_in_one_statement(database_url: str) -> None:
    await migrate(database_url, ["runtime"])
    store = open_store(database_url)
    sent: list[str] = []
    try:
        async with store.transaction() as session:
            connection: Any = session
            event.listen(
                connection._connection.sync_engine,
                "before_cursor_execute",
                lambda *given: sent.append(given[2]),
            )
            await many.add(session, marks, [{"name": "one", "value": 1}])
            await many.write_over(session, sequences, [{"sender": "", "recipient": "", "last": 1}])
            await many.remove(session, outbox, [{"sender": "", "recipient": "", "sequence": 1}])
    finally:
        await store.close()
    assert [(sql.count("INSERT"), sql.count("DELETE")) for sql in sent] == [(2, 1)]


async def test_many_rows_leave_alone_what_is_there(store: Store) -> None:
    def marked(value: int) -> list[dict[str, object]]:
        return [{"name": name, "value": value} for name in ("one", "two")]

    async with store.transaction() as session:
        await many.add(session, marks, [{"name": "two", "value": 2**62}])
        await many.add_new(session, marks, marked(7))
    with pytest.raises(IntegrityError):
        async with store.transaction() as session:
            await many.add(session, marks, marked(8))
    async with store.snapshot() as session:
        found = await session.execute(select(marks).order_by(marks.c.name))
        assert [tuple(row) for row in found] == [("one", 7), ("two", 2**62)]


async def test_many_rows_may_have_nothing_in_a_column(store: Store) -> None:
    letters = [
        {"received_at": "", "claimed_sender": claimed, "code": 1, "reason": "", "detail": 'é"{,}'}
        for claimed in (None, "GHA01", None)
    ]
    async with store.transaction() as session:
        await many.add(session, dead_letters, [{**row, "body": b""} for row in letters])
    async with store.snapshot() as session:
        rows = await session.execute(select(dead_letters).order_by(dead_letters.c.id))
        found = [(row.claimed_sender, row.detail, row.state) for row in rows]
    assert found == [(row["claimed_sender"], 'é"{,}', "open") for row in letters]


ODD_TEXTS = ("", "null", "NULL", "{}", "a,b", 'a"b', "a\\b", '\\"', " a ", "a\nb", "ä\u2028€", "'")


async def test_texts_of_every_kind_come_back_as_they_were_given(store: Store) -> None:
    for texts in (ODD_TEXTS, *((odd, "plain") for odd in ODD_TEXTS)):
        rows = [
            {"sender": "HUB", "recipient": odd, "sequence": n, "body": b"{", "sealed_at": odd}
            for n, odd in enumerate(texts)
        ]
        async with store.transaction() as session:
            await many.add(session, outbox, rows)
        async with store.transaction() as session:
            found = await session.execute(select(outbox).order_by(outbox.c.sequence))
            assert [(row.recipient, row.sealed_at) for row in found] == [(t, t) for t in texts]
            await many.remove(session, outbox, [{"recipient": odd} for odd in set(texts)])


async def test_transactions_of_one_store_run_one_after_another(store: Store) -> None:
    order: list[str] = []
    inside = asyncio.Event()

    async def first() -> None:
        async with store.transaction() as session:
            inside.set()
            await asyncio.sleep(0)  # the other one has its turn to try
            await put(session, block(1, 10))
            order.append("first")

    async def second() -> None:
        await inside.wait()
        async with store.transaction() as session:
            order.append("second")
            await put(session, block(11, 20))

    await asyncio.gather(first(), second())
    assert order == ["first", "second"]


async def test_a_second_process_is_refused_as_writer_until_the_first_one_ends(
    url: str, store: Store
) -> None:
    await store.lock_writer()
    program = (
        "import asyncio, sys; from runtime.store import open_store; from runtime.errors import *"
    )
    program += "\nasync def main():\n store = open_store(sys.argv[1])\n"
    program += " try: await store.lock_writer(); print('locked')\n"
    program += " except LocalProtocolError as error: print(error)\n await store.close()\n"
    program += "asyncio.run(main())"

    async def answer() -> str:
        command = [sys.executable, "-c", program, url]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert "in use by another process" in await answer()
    await store.close()
    assert await answer() == "locked"


async def test_the_writer_writes_and_others_may_still_leave_commands(
    url: str, store: Store
) -> None:
    await store.lock_writer()
    await put_all(store, block(1, 10))
    other = open_store(url)
    insert = (
        "insert into desk (submitted_at, nonce, command, signature) values ('now', '1', '{}', '')"
    )
    await sql(other, insert)
    await other.close()
    assert len(await sql(store, "select * from desk")) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "select * from nowhere",
        "insert into marks (name, value) values ('a', null)",
        "insert into marks (name, value) values ('a', 1), ('a', 2)",
        "select case when exists (select * from marks, nowhere) then 1 end",
    ],
)
async def test_a_fault_of_ours_is_not_taken_for_an_unavailable_database(
    store: Store, statement: str
) -> None:
    with pytest.raises(DBAPIError):
        await sql(store, statement)


async def test_a_value_that_no_column_takes_is_a_fault_of_ours(store: Store) -> None:
    insert = "insert into marks (name, value) values (:name, :value)"
    with pytest.raises((DBAPIError, OverflowError)):
        await sql(store, insert, name="large", value=2**70)
    assert await sql(store, "select * from marks") == []


BAD_URLS = {
    "": "cannot be read",
    "nonsense": "cannot be read",
    "mysql://user:secret-word@host/base": "mysql is not supported",
    "sqlite://": "names no database",
    "sqlite:///:memory:": "names no database",
    "postgresql+asyncpg://user:secret-word@host": "names no database",
}


@pytest.mark.parametrize("bad", BAD_URLS)
def test_a_url_that_is_of_no_use_is_refused_without_telling_its_password(bad: str) -> None:
    with pytest.raises(LocalProtocolError, match=BAD_URLS[bad]) as refusal:
        open_store(bad)
    assert "secret-word" not in str(refusal.value)


# --- the schema ---------------------------------------------------------------------------------


async def test_a_database_is_migrated_from_nothing_and_once(empty_url: str) -> None:
    await migrate(empty_url, ["runtime", "hub"])
    await migrate(empty_url, ["runtime", "hub"])
    await check_schema(empty_url, ["runtime", "hub"])


async def test_what_an_older_version_held_is_added_up(clean: Store) -> None:
    """Before revision r0005 there were no sums, and nothing that kept them."""
    names = {
        "sqlite": [f"drop trigger blocks_sums_{e}" for e in ("insert", "update", "delete")],
        "postgresql": [],
    }
    for statement in (
        *names[make_url(clean.url).get_backend_name()],
        "drop table sums",
        "update alembic_version set version_num = 'r0004'",
    ):
        await sql(clean, statement)
    await migrate(clean.url, ["runtime"])
    await must_add_up(clean)
    await sql(clean, "delete from blocks where first = 301")
    await must_add_up(clean)


async def test_kinds_that_came_later_are_taken_once_the_database_is_migrated(clean: Store) -> None:
    """Before revision r0006 there were neither buffers nor what goes with them."""
    before = await sql(clean, "select * from blocks")
    assert before
    older = [
        "create table older as select * from blocks",
        "drop table blocks",
        "alter table older rename to blocks",
    ]
    if make_url(clean.url).get_backend_name() == "postgresql":
        older = ["alter table blocks drop constraint blocks_account_agrees"]
        older += [
            "alter table blocks add constraint blocks_account_agrees check (kind <> 'buffer')"
        ]
    else:
        triggers = await sql(clean, "select sql from sqlite_master where type = 'trigger'")
        older += [row[0] for row in triggers if " on blocks " in row[0]]
    for statement in [*older, "update alembic_version set version_num = 'r0005'"]:
        await sql(clean, statement)
    await migrate(clean.url, ["runtime"])
    assert sorted(await sql(clean, "select * from blocks")) == sorted(before)
    await put_all(clean, block(9001, 9010, position=holding(kind="BUF")))
    await must_add_up(clean)


@pytest.mark.requirement(26)
async def test_commands_wait_for_a_second_person_once_the_database_is_migrated(
    clean: Store,
) -> None:
    """Before revision r0007 a command was open, done or refused, and there was one person."""
    for n, state in enumerate(("open", "done", "refused"), 1):
        members = f"({n}, 'then', '{n}', 'line', 'signature', '{state}', 'words')"
        await sql(clean, f"insert into desk values {members}")
    before = await sql(clean, "select * from desk order by id")
    older = "state in ('open', 'done', 'refused')"
    if make_url(clean.url).get_backend_name() == "postgresql":
        statements = [
            "alter table desk drop constraint desk_states",
            f"alter table desk add constraint desk_state_check check ({older})",
        ]
    else:
        columns = (
            "id integer primary key, submitted_at text not null, nonce text not null unique, "
            "command text not null, signature text not null, "
            f"state text not null default 'open' check ({older}), result text"
        )
        statements = [
            "create table older as select * from desk",
            "drop table desk",
            f"create table desk ({columns})",
            "create index desk_open on desk (id) where state = 'open'",
            "insert into desk select * from older",
            "drop table older",
        ]
    for statement in (
        "drop table awaited",
        *statements,
        "update alembic_version set version_num = 'r0006'",
    ):
        await sql(clean, statement)
    with pytest.raises(IntegrityError):
        await sql(clean, "update desk set state = 'awaiting' where id = 1")
    await migrate(clean.url, ["runtime"])
    assert await sql(clean, "select * from desk order by id") == before
    await sql(clean, "update desk set state = 'awaiting' where id = 1")
    with pytest.raises(IntegrityError):
        await sql(clean, "update desk set state = 'thought of' where id = 1")
    waits = "insert into awaited (command, digest, author, author_key, since, until)"
    await sql(clean, f"{waits} values (1, 'd', 'olga', 'k', 'now', 'then')")
    with pytest.raises(IntegrityError):
        await sql(clean, f"{waits} values (9, 'd', 'olga', 'k', 'now', 'then')")


ENDED = {
    "by the same name": "'confirmed', 'then', 2, 'olga', 'l'",
    "by the same key": "'confirmed', 'then', 2, 'otto', 'k'",
    "by the command itself": "'confirmed', 'then', 1, 'otto', 'l'",
    "by nobody": "'confirmed', 'then', 2, null, null",
    "declined by nobody": "'declined', 'then', null, null, null",
    "lapsed by somebody": "'lapsed', 'then', 2, 'otto', 'l'",
    "at no time": "'lapsed', null, null, null, null",
    "in another way": "'forgotten', 'then', null, null, null",
}


@pytest.mark.requirement(26)
@pytest.mark.parametrize("name", ENDED, ids=lambda name: name.replace(" ", "-"))
async def test_the_database_holds_how_a_command_that_waited_ended(clean: Store, name: str) -> None:
    for n in (1, 2):
        row = f"({n}, 'then', '{n}', 'line', 'signature', 'done', 'words')"
        await sql(clean, f"insert into desk values {row}")
    await sql(
        clean,
        "insert into awaited (command, digest, author, author_key, since, until) "
        "values (1, 'd', 'olga', 'k', 'now', 'then')",
    )
    ends = zip(
        ("ending", "ended_at", "answer", "person", "person_key"),
        ENDED[name].split(", "),
        strict=True,
    )
    with pytest.raises(IntegrityError):
        await sql(clean, f"update awaited set {', '.join(f'{c} = {v}' for c, v in ends)}")
    good = "ending = 'confirmed', ended_at = 'then', answer = 2, person = 'otto', person_key = 'l'"
    await sql(clean, f"update awaited set {good}")


async def test_the_hub_keeps_neither_marks_nor_sums(empty_url: str) -> None:
    """It has no holdings trees, so these would only grow."""
    await migrate(empty_url, ["runtime", "hub"])
    store = open_store(empty_url)
    try:
        await put_all(store, block(1, 300), block(301, 5000, attributes=NAMED))
        await sql(store, "update blocks set last = last - 1 where first = 301")
        await sql(store, "delete from blocks where first = 1")
        assert await marked(store) == set()
        assert await sql(store, "select * from sums") == []
    finally:
        await store.close()


async def test_a_program_refuses_a_database_of_another_revision(empty_url: str) -> None:
    if empty_url.startswith("sqlite"):
        with pytest.raises(LocalProtocolError, match=r"no such database.*migrate"):
            await check_schema(empty_url, ["runtime", "hub"])
    await migrate(empty_url, ["runtime"])
    with pytest.raises(LocalProtocolError, match=r"at \['r0007'\].*needs .*h[0-9]{4}.*migrate"):
        await check_schema(empty_url, ["runtime", "hub"])
    await migrate(empty_url, ["runtime", "registry"])
    with pytest.raises(LocalProtocolError, match="does not know"):
        await check_schema(empty_url, ["runtime", "hub"])


async def test_a_program_refuses_a_database_that_a_later_version_made(url: str) -> None:
    store = open_store(url)
    await sql(store, "update alembic_version set version_num = 'r9999'")
    await store.close()
    with pytest.raises(LocalProtocolError, match=r"\['r9999'\], which this version does not know"):
        await check_schema(url, ["runtime"])
    with pytest.raises(LocalProtocolError, match="r9999"):
        await migrate(url, ["runtime"])


async def test_a_migration_that_fails_half_way_leaves_nothing(empty_url: str) -> None:
    if empty_url.startswith("sqlite"):
        sqlite3.connect(make_url(empty_url).database or "").close()
    store = open_store(empty_url)
    await sql(store, "create table in_the_way (x integer)")
    if empty_url.startswith("sqlite"):
        body = "create trigger blocks_dirty_update after insert on in_the_way begin select 1; end"
    else:
        body = "create function mark_dirty_both() returns trigger language plpgsql as 'begin end'"
    await sql(store, body)
    with pytest.raises(DBAPIError):
        await migrate(empty_url, ["runtime"])
    with pytest.raises(DBAPIError):
        await sql(store, "select * from inbox")
    await sql(store, "drop table in_the_way")
    if not empty_url.startswith("sqlite"):
        await sql(store, "drop function mark_dirty_both()")
    await store.close()
    await migrate(empty_url, ["runtime"])
    await check_schema(empty_url, ["runtime"])


APPEND_ONLY = {
    "log_entries": "position, line, conversation, at) values (0, 'x', 'c', 'now'",
    "log_nodes": "level, node, hash) values (0, 0, 'x'",
    "acts": "position, act, signatures) values (0, '{}', '[]'",
    "checkpoints": "size, root, note, at) values (1, 'x', 'x', 'now'",
    "deliveries": "actor, number, position, root) values ('GHA01/GHA', 0, 0, 'x'",
    "delivery_nodes": "actor, level, node, hash) values ('GHA01/GHA', 0, 0, 'x'",
}


@pytest.mark.requirement(27)
async def test_the_log_refuses_to_be_changed_or_shortened(empty_url: str) -> None:
    await migrate(empty_url, ["runtime", "hub"])
    store = open_store(empty_url)
    for table, row in APPEND_ONLY.items():
        await sql(store, f"insert into {table} ({row})")
        column = row.partition(",")[0]
        for change in (f"update {table} set {column} = {column}", f"delete from {table}"):
            with pytest.raises(DBAPIError, match="append_only"):
                await sql(store, change)
        assert len(await sql(store, f"select * from {table}")) == 1
    await store.close()


# --- no two blocks overlap ----------------------------------------------------------------------

TAKEN = (100, 200)
TAKEN_ALREADY = r"blocks_disjoint|blocks_pkey|UNIQUE"
OVERLAPPING = [(100, 200), (50, 100), (200, 250), (1, 1000), (120, 130), (100, 100), (200, 200)]
BESIDE = [(1, 99), (201, 300), (99, 99), (201, 201)]
AWAY = (5000, 5001)


@pytest.mark.requirement(53)
@pytest.mark.parametrize("span", OVERLAPPING)
async def test_the_database_refuses_overlapping_blocks_in_any_order(
    store: Store, span: tuple[int, int]
) -> None:
    for first, second in ((TAKEN, span), (span, TAKEN)):
        await sql(store, "delete from blocks")
        await put_all(store, block(*first))
        for key in (KEY, ACTIVITY):  # serials are unique in a series, whatever the activity
            with pytest.raises(IntegrityError, match=TAKEN_ALREADY):
                await put_all(store, block(*second, key=key))
        await put_all(store, block(*AWAY))
        with pytest.raises(IntegrityError, match=TAKEN_ALREADY):
            await sql(
                store,
                "update blocks set first = :f, last = :l where first = 5000",
                f=second[0],
                l=second[1],
            )
        assert {row[1:] for row in await rows(store)} == {first, AWAY}


@pytest.mark.parametrize("span", BESIDE)
async def test_adjacent_blocks_are_allowed_in_any_order(
    store: Store, span: tuple[int, int]
) -> None:
    for first, second in ((TAKEN, span), (span, TAKEN)):
        await sql(store, "delete from blocks")
        await put_all(store, block(*first))
        await put_all(store, block(*second))
        await put_all(store, block(*AWAY))
        await sql(store, "update blocks set last = last + 3 where first = 5000")
        await sql(store, "update blocks set first = first - 3 where first = 5000")
    assert len(await rows(store)) == 3


async def test_rows_of_one_statement_may_not_overlap_either(store: Store) -> None:
    for spans in ([(1, 10), (10, 20)], [(10, 20), (1, 10)], [(1, 30), (5, 6)], [(5, 6), (1, 30)]):
        with pytest.raises(IntegrityError):
            await put_without_looking(store, [block(*span) for span in spans])
    assert await rows(store) == []


async def put_without_looking(store: Store, blocks: Sequence[Block]) -> None:
    async with store.transaction() as session:
        for key in {one.key for one in blocks}:
            await session.execute(
                keys.insert(), {"key": key.text, "series": key.series, "slot": tree.slot(key.text)}
            )
        await session.execute(rows_table.insert(), [block_row(BOOK, b) for b in blocks])


async def test_a_block_among_many_is_measured_against_both_neighbours(store: Store) -> None:
    await put_all(store, *(block(n, n + 4) for n in range(1, 1000, 10)))
    for bad in ((4, 7), (7, 11), (6, 21), (500, 502), (995, 2000), (1, 2)):
        with pytest.raises(IntegrityError):
            await put_all(store, block(*bad))
    for good in ((6, 10), (16, 20), (996, 2000)):
        await put_all(store, block(*good))


async def test_books_series_and_layers_are_apart(store: Store) -> None:
    await put_all(store, block(1, 10))
    await put_all(store, block(1, 10), book="CHE01/CHE")
    await put_all(store, block(1, 10, key=OTHER), block(1, 10, key=KEY.on(Layer.UNDERLYING)))
    with pytest.raises(IntegrityError):
        await put_all(store, block(10, 12), book="CHE01/CHE")
    with pytest.raises(IntegrityError):
        await sql(store, "update blocks set book = :b where book <> :b", b=BOOK)
    assert len(await rows(store)) == 3


# --- rows that contradict themselves ------------------------------------------------------------

ACCOUNT = str(holding().account)
CONTRADICTIONS = {
    "another actor's account": f"account = '{holding(SWISS).account}'",
    "another actor": "actor = 'CHE01/CHE'",
    "an actor that is none": "actor = 'GHA01-GHA'",
    "an account of another kind": f"account = '{holding(kind='USE').account}'",
    "another kind": "kind = 'use'",
    "a kind that is none": "kind = 'nonsense'",
    "neither kind nor account": "kind = 'nonsense', account = 'GHA01-GHA--1-2'",
    "an account in small letters": f"account = '{ACCOUNT.lower()}'",
    "a pattern for an account": "account = 'GHA01-GHA-___-1-1'",
    "a range reversed": "last = 0",
    "a serial before the first": "first = 0",
    "a serial past the last": f"last = {SERIAL_MAX + 1}",
    "a fraction of a unit": "first = 0.4",
    "a serial that is no number": "last = 'many'",
    "a key that nobody knows": "key = 'itmo:CA9999-GHA01-GHA-2023'",
    "another slot than the key's": "slot = slot + 1",
    "a series that is not the key's": "series = 'itmo:CA9999-GHA01-GHA-2023'",
    "no attributes": "attributes = null",
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
async def test_the_database_refuses_a_row_that_contradicts_itself(store: Store, case: str) -> None:
    await put_all(store, block(1, 10), block(SERIAL_MAX, SERIAL_MAX, key=OTHER))
    with pytest.raises(DBAPIError):
        await sql(store, f"update blocks set {CONTRADICTIONS[case]} where first = 1")


# --- dirty buckets ------------------------------------------------------------------------------


async def marked(store: Store, actor: Actor = GHANA) -> set[int]:
    found = await sql(store, "select bucket from dirty where actor = :a", a=str(actor))
    return {row[0] for row in found}


def touched(*blocks: Block) -> set[int]:
    return {bucket for b in blocks for bucket in tree.dirty_buckets(b.key.text, b.first, b.last)}


@pytest.fixture
async def clean(store: Store) -> Store:
    """Rows of two keys and two actors, hashed."""
    await put_all(
        store,
        block(1, 300),
        block(301, 5000, attributes=NAMED),
        block(5001, 5001, position=holding(SWISS)),
        block(1, 255, key=OTHER),
        block(256, 1023, key=OTHER),
    )
    await hashed(store, GHANA, SWISS)
    return store


async def hashed(store: Store, *actors: Actor) -> list[bytes]:
    async with store.transaction() as session:
        return [await books.holdings_root(session, actor) for actor in actors]


COPY = """
insert into blocks (book, series, first, last, key, slot, attributes, actor, kind, account)
select 'copy', series, first + 60000, last + 60000, key, slot, attributes, actor, kind, account
from blocks
"""
WRITES: dict[str, tuple[str, set[int], set[int]]] = {
    "nothing": ("update blocks set last = last where first = -1", set(), set()),
    "attributes": (
        "update blocks set attributes = 'x' where first = 301",
        touched(block(301, 5000)),
        set(),
    ),
    "account": (
        f"update blocks set account = '{holding(number=7).account}' where first = 301",
        touched(block(301, 5000)),
        set(),
    ),
    "holder": (
        "update blocks set actor = 'CHE01/CHE', account = 'CHE01-CHE-HLD-1-27' where first = 301",
        touched(block(301, 5000)),
        touched(block(301, 5000)),
    ),
    "range": (
        "update blocks set first = 700, last = 4000 where first = 301",
        touched(block(301, 5000), block(700, 4000)),
        set(),
    ),
    "one row deleted": (
        "delete from blocks where first = 5001",
        set(),
        touched(block(5001, 5001)),
    ),
    "many rows updated": (
        "update blocks set attributes = 'x'",
        touched(block(1, 300), block(301, 5000), block(1, 255, OTHER), block(256, 1023, OTHER)),
        touched(block(5001, 5001)),
    ),
    "many rows deleted": (
        "delete from blocks",
        touched(block(1, 300), block(301, 5000), block(1, 255, OTHER), block(256, 1023, OTHER)),
        touched(block(5001, 5001)),
    ),
    "many rows inserted": (
        COPY,
        touched(
            block(60001, 60300),
            block(60301, 65000),
            block(60001, 60255, OTHER),
            block(60256, 61023, OTHER),
        ),
        touched(block(65001, 65001)),
    ),
}


async def must_add_up(store: Store) -> None:
    """The totals that are kept are those of the rows."""
    for actor in (GHANA, SWISS):
        rows = await sql(
            store,
            "select key, kind, sum(last - first + 1) from blocks where actor = :a "
            "group by key, kind order by key, kind",
            a=str(actor),
        )
        async with store.snapshot() as session:
            kept = await books.totals(session, actor)
        assert kept == [(key, kind, int(quantity)) for key, kind, quantity in rows]


@pytest.mark.parametrize("case", WRITES)
async def test_every_write_marks_exactly_the_buckets_that_it_touches(
    clean: Store, case: str
) -> None:
    assert await marked(clean) | await marked(clean, SWISS) == set()
    statement, ghana, swiss = WRITES[case]
    await sql(clean, statement)
    assert (await marked(clean), await marked(clean, SWISS)) == (ghana, swiss)
    await must_add_up(clean)


async def test_the_last_serial_of_all_has_a_bucket_for_its_end(store: Store) -> None:
    await put_all(store, block(SERIAL_MAX - 5, SERIAL_MAX))
    assert await marked(store) == touched(block(SERIAL_MAX - 5, SERIAL_MAX))
    assert await hashed(store, GHANA) == [tree.Tree([block(SERIAL_MAX - 5, SERIAL_MAX)]).root]


# --- the holdings tree --------------------------------------------------------------------------


async def root_of_rows(store: Store, actor: Actor) -> bytes:
    """The root as `ledger.tree` has it, from all rows at once."""
    async with store.snapshot() as session:
        spans = [(key.series, 1, SERIAL_MAX) for key in (KEY, OTHER)]
        held = (await books.load_holdings(session, BOOK, spans)).blocks()
    return tree.Tree(b for b in held if b.position.actor == actor).root


async def test_the_stored_root_is_that_of_the_rows_after_any_edits(store: Store) -> None:
    for seed in range(6):
        await sql(store, "delete from blocks")
        dice = random.Random(seed)
        for _ in range(40):
            await edit(store, dice)
            if dice.random() < 0.4:
                expected = [await root_of_rows(store, actor) for actor in (GHANA, SWISS)]
                assert await hashed(store, GHANA, SWISS) == expected, seed
                assert await marked(store) | await marked(store, SWISS) == set()
                await must_add_up(store)
        await sql(store, "delete from blocks")
        assert await hashed(store, GHANA, SWISS) == [tree.EMPTY_ROOT] * 2
        assert await sql(store, "select * from tree") == []


async def edit(store: Store, dice: random.Random) -> None:
    """One random edit, by the program or by somebody's SQL; what overlaps is refused."""
    first = dice.choice([1, 200, 250, 256, 257, 500, 40_000, 2**20]) + dice.randrange(20)
    last = first + dice.choice([0, 5, 255, 256, 3000])
    key, actor = dice.choice([KEY, OTHER, ACTIVITY]), dice.choice([GHANA, SWISS])
    new = block(first, last, key, dice.choice([PLAIN, NAMED]), holding(actor, dice.choice([1, 2])))
    chosen = "where first in (select first from blocks order by first limit 2)"
    act = dice.randrange(6)
    try:
        if act < 3:
            await put_all(store, new)
        elif act == 3:
            await move(store, new)
        elif act == 4:
            await sql(store, f"delete from blocks {chosen}")
        else:
            await sql(store, f"update blocks set last = last + 1, attributes = 'x' {chosen}")
    except IntegrityError:
        return


async def move(store: Store, to: Block) -> None:
    """What the program does in a transfer: load, take, put, save."""
    async with store.transaction() as session:
        held = await books.load_holdings(session, BOOK, [(to.key.series, to.first, to.last)])
        for position in {b.position for b in held.blocks()}:
            for part in held.take(to.key, to.first, to.last, position):
                held.put(part._replace(position=to.position))
        await books.save_holdings(session, BOOK, held.changes())


async def test_nodes_and_points_are_read_as_the_whole_tree_has_them(clean: Store) -> None:
    whole = tree.Tree(
        [
            block(1, 300),
            block(301, 5000, attributes=NAMED),
            block(1, 1023, key=OTHER),  # joined: the rows are two, the points are not
        ]
    )
    async with clean.snapshot() as session:
        every: dict[tuple[int, int], dict[int, bytes]] = {}
        nodes = [0]
        for level in range(tree.LEVELS):
            places = [(level, node) for node in nodes]
            below = await books.children_of(session, GHANA, places)
            assert below == {(level, node): whole.below(level, [node]) for node in nodes}
            every |= below
            nodes = sorted(child for found in below.values() for child in found)
        every[3, 4095] = {}
        assert await books.children_of(session, GHANA, every) == every
        found = await books.load_tree_points(session, GHANA, nodes)
        expected = tree.points([block(1, 300), block(301, 5000, attributes=NAMED)])
        expected |= tree.points([block(1, 1023, key=OTHER)])
        assert {point for points in found.values() for point in points} == expected
        assert [sorted(p) for _, p in books.buckets_of(found)] == [
            p for _, p in books.buckets_of(found)
        ]


DISABLE = {
    "sqlite": [
        f"drop trigger blocks_{kept}_{event}"
        for kept in ("dirty", "sums")
        for event in ("insert", "update", "delete")
    ],
    "postgresql": ["alter table blocks disable trigger user"],
}
AROUND = {
    "a row changed": "update blocks set attributes = 'x' where first = 301",
    "a row deleted": "delete from blocks where first = 256",
    "every row deleted": "delete from blocks",
    "a stored bucket forged": f"update tree set digest = '0' where level = {tree.LEVELS}",
    "an inner node forged": "update tree set digest = '0' where level = 5",
    "a stored root forged": "update tree set digest = '0' where level = 0",
    "a sum forged": "update sums set quantity = 7",
    "every sum deleted": "delete from sums",
    "a branch with nothing in it": "insert into tree (actor, level, node, digest) "
    f"values ('{GHANA}', 1, 13, '0'), ('{GHANA}', 2, 213, '0')",
}


@pytest.mark.parametrize("case", AROUND)
async def test_a_scrub_finds_what_was_written_around_the_triggers(clean: Store, case: str) -> None:
    for statement in DISABLE[make_url(clean.url).get_backend_name()]:
        await sql(clean, statement)
    await sql(
        clean, AROUND[case].replace("'0'", "x'30'") if "sqlite" in clean.url else AROUND[case]
    )
    assert await marked(clean) == set()
    async with clean.transaction() as session:
        await books.mark_everything_dirty(session, GHANA)
        await books.mark_everything_dirty(session, SWISS)
    await must_add_up(clean)
    assert await hashed(clean, GHANA) == [await root_of_rows(clean, GHANA)]
    below = await sql(clean, "select level, node, digest from tree where actor = :a", a=str(GHANA))
    fresh = tree.Tree(await blocks_of(clean, GHANA))
    assert {(r[0], r[1]): bytes(r[2]) for r in below} == {
        (level, node): value
        for level, stored in enumerate(fresh._levels)
        for node, value in stored.items()
    }


async def blocks_of(store: Store, actor: Actor) -> list[Block]:
    async with store.snapshot() as session:
        spans = [(key.series, 1, SERIAL_MAX) for key in (KEY, OTHER)]
        held = (await books.load_holdings(session, BOOK, spans)).blocks()
    return [one for one in held if one.position.actor == actor]


async def test_a_scrub_takes_a_share_of_the_tree_at_a_time(clean: Store) -> None:
    marked_by: list[set[int]] = []
    for share in range(books.SHARES):
        async with clean.transaction() as session:
            await books.scrub(session, GHANA, share)
        marked_by.append(await marked(clean))
        assert all(bucket >> 44 == share for bucket in marked_by[-1])
        assert await hashed(clean, GHANA) == [await root_of_rows(clean, GHANA)]
    rows_marked = touched(
        block(1, 300), block(301, 5000), block(1, 255, OTHER), block(256, 1023, OTHER)
    )
    assert rows_marked <= set().union(*marked_by)
    assert len(set().union(*marked_by) - rows_marked) <= books.SHARES


async def test_totals_are_by_key_and_kind(clean: Store) -> None:
    async with clean.snapshot() as session:
        everything = await books.totals(session, GHANA)
        chosen = await books.totals(session, GHANA, [tree.slot(OTHER.text)])
        none = await books.totals(session, GHANA, [1 << 12, 2**47])  # whoever asks may ask so
    assert everything == [(OTHER.text, "holding", 1023), (KEY.text, "holding", 5000)]
    assert chosen == [(OTHER.text, "holding", 1023)]
    assert none == []


# --- loading and saving -------------------------------------------------------------------------

LOADED: dict[str, tuple[list[tuple[int, int]], set[int]]] = {
    "nothing asked": ([], set()),
    "before everything": ([(1, 99)], set()),
    "touching the first serial": ([(50, 100)], {100}),
    "the first serial alone": ([(100, 100)], {100}),
    "inside one block": ([(150, 160)], {100}),
    "the last serial alone": ([(200, 200)], {100}),
    "the gap": ([(201, 299)], set()),
    "from the gap into the next": ([(250, 300)], {300}),
    "over the gap": ([(200, 300)], {100, 300}),
    "across neighbours": ([(310, 320)], {300, 311}),
    "over everything": ([(1, SERIAL_MAX)], {100, 300, 311, 9000}),
    "past everything": ([(10_000, SERIAL_MAX)], set()),
    "reversed": ([(200, 100)], set()),
    "several that overlap": ([(90, 110), (105, 120), (9000, 9000)], {100, 9000}),
}


@pytest.mark.parametrize("case", LOADED)
async def test_loading_gives_exactly_the_rows_that_share_a_serial(store: Store, case: str) -> None:
    spans, expected = LOADED[case]
    await put_all(store, block(100, 200), block(300, 310), block(311, 400), block(9000, 9999))
    await put_all(store, block(1, SERIAL_MAX, key=OTHER))
    await put_all(store, block(1, SERIAL_MAX), book="another book")
    async with store.snapshot() as session:
        held = await books.load_holdings(session, BOOK, [(KEY.series, *span) for span in spans])
    assert {one.first for one in held.blocks()} == expected
    assert all(one == block(one.first, one.last) for one in held.blocks())
    assert held.changes() == Holdings().changes()


async def test_what_is_saved_is_loaded_again(store: Store) -> None:
    laid = Overlay(OverlayKind.RESERVED, GHANA, KEY, 5, 8, "GHA01-GHA-1")
    frozen = laid._replace(kind=OverlayKind.FROZEN, reference="REC-1")
    whole = [(KEY.series, 1, SERIAL_MAX)]
    held = Holdings()
    held.put(block(1, 10))
    for overlay in (laid, frozen):
        held.lay(overlay)
    async with store.transaction() as session:
        await books.save_holdings(session, BOOK, held.changes())
        again = await books.load_holdings(session, BOOK, whole)
        assert (again.blocks(), set(again.overlays())) == ([block(1, 10)], {laid, frozen})
        again.lift(laid._replace(first=7))
        again.take(KEY, 3, 4, holding())
        await books.save_holdings(session, BOOK, again.changes())
        last = await books.load_holdings(session, BOOK, whole)
    assert last.blocks() == [block(1, 2), block(5, 10)]
    assert set(last.overlays()) == {laid._replace(last=6), frozen}


@pytest.mark.parametrize(("span", "found"), [((1, 4), 0), ((1, 5), 1), ((8, 9), 1), ((9, 12), 0)])
async def test_overlays_load_where_they_share_a_serial(
    store: Store, span: tuple[int, int], found: int
) -> None:
    held = Holdings()
    held.lay(Overlay(OverlayKind.FROZEN, GHANA, KEY, 5, 8, "REC-1"))
    async with store.transaction() as session:
        await books.save_holdings(session, BOOK, held.changes())
        loaded = await books.load_holdings(session, BOOK, [(KEY.series, *span)])
    assert len(loaded.overlays()) == found


@pytest.mark.parametrize("length", [1, 255, 256, 257, 65_536, 65_537, 2**40, SERIAL_MAX])
async def test_overlays_of_every_size_load_by_each_of_their_serials(
    store: Store, length: int
) -> None:
    first = min(1000, SERIAL_MAX - length + 1)
    last = first + length - 1
    held = Holdings()
    held.lay(Overlay(OverlayKind.FROZEN, GHANA, KEY, first, last, "REC-1"))
    held.lay(Overlay(OverlayKind.FROZEN, GHANA, KEY, first, first, "REC-2"))
    async with store.transaction() as session:
        await books.save_holdings(session, BOOK, held.changes())
        for serial in {first, (first + last) // 2, last}:
            loaded = await books.load_holdings(session, BOOK, [(KEY.series, serial, serial)])
            there = {o.reference for o in loaded.overlays()}
            assert there == ({"REC-1", "REC-2"} if serial == first else {"REC-1"})
        for serial in {max(first - 1, 1), min(last + 1, SERIAL_MAX)} - {first, last}:
            loaded = await books.load_holdings(session, BOOK, [(KEY.series, serial, serial)])
            assert loaded.overlays() == []


async def test_an_overlay_is_not_longer_than_its_class_says(store: Store) -> None:
    row = overlay_row(BOOK, Overlay(OverlayKind.FROZEN, GHANA, KEY, 1, 300, "REC-1"))
    for wrong in (0, -1, 6):
        with pytest.raises(IntegrityError):
            async with store.transaction() as session:
                await many.add(session, overlays, [{**row, "size_class": wrong}])


async def test_overlays_from_before_they_had_sizes_are_kept(empty_url: str) -> None:
    await migrate(empty_url, ["runtime"])
    store = open_store(empty_url)
    held = Holdings()
    for first, last in ((1, 1), (5, 260), (5, 261), (1, SERIAL_MAX)):
        held.lay(Overlay(OverlayKind.PLEDGED, GHANA, KEY, first, last, f"{last:064x}"))
    async with store.transaction() as session:
        await books.save_holdings(session, BOOK, held.changes())
        await session.execute(text("update overlays set size_class = 5"))  # as if nobody knew
        await session.execute(text("update alembic_version set version_num = 'r0002'"))
    await migrate(empty_url, ["runtime"])
    async with store.snapshot() as session:
        rows = await session.execute(select(overlays.c.size_class).order_by(overlays.c.last))
        assert [row[0] for row in rows] == [0, 0, 1, 5]
        again = await books.load_holdings(session, BOOK, [(KEY.series, 1, SERIAL_MAX)])
    assert set(again.overlays()) == set(held.overlays())
    await store.close()


async def test_sqlite_looks_for_overlays_by_their_class(tmp_path: Path) -> None:
    """And does so without statistics, which nobody has it gather."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    await migrate(url, ["runtime"])
    store = open_store(url)
    asked: list[str] = []

    class Asking:
        dialect = "sqlite"

        def __init__(self, session: Session) -> None:
            self._session = session

        async def execute(self, statement: Any, parameters: Any = None) -> Any:
            if isinstance(statement, TextClause):  # the one that is written out, for its order
                plan = text(f"explain query plan {statement}")
                asked.extend(row.detail for row in await self._session.execute(plan, parameters))
            return await self._session.execute(statement, parameters)

        async def write(self, table: Any, statement: Any, parameters: Any) -> None:
            raise AssertionError("loading writes nothing")

    async with store.transaction() as session:
        await books.load_holdings(Asking(session), BOOK, [(KEY.series, 1, 2)])
    wanted = "overlays_series (book=? AND series=? AND size_class=? AND first>? AND first<?)"
    assert any(detail.endswith(wanted) for detail in asked), asked
    await store.close()


async def test_more_rows_than_a_statement_takes_are_all_there(store: Store) -> None:
    number = 2 * many.ROWS_MAX + 1
    rows = [{"name": f"{n}", "value": n} for n in range(number)]
    async with store.transaction() as session:
        await many.add(session, marks, rows)
        await many.write_over(session, marks, [{**row, "value": 7} for row in rows])
        await many.remove(session, marks, [{"name": row["name"]} for row in rows[1:]])
        found = await session.execute(select(marks))
        assert [tuple(row) for row in found] == [("0", 7)]


NONSENSE = {
    "attributes that are no JSON": "attributes = 'not json'",
    "attributes in another spelling": "attributes = replace(attributes, ':', ': ')",
    "attributes of another shape": "attributes = '[1]'",
    "attributes that are empty": "attributes = ''",
    "an account with wrong check digits": "account = 'GHA01-GHA-HLD-1-00'",
    "an account without a number": "account = 'GHA01-GHA-HLD-'",
}


@pytest.mark.parametrize("case", NONSENSE)
async def test_a_row_edited_into_nonsense_still_loads_and_changes_the_root(
    clean: Store, case: str
) -> None:
    (before,) = await hashed(clean, GHANA)
    await sql(clean, f"update blocks set {NONSENSE[case]} where first = 301")
    (after,) = await hashed(clean, GHANA)
    assert before != after == await root_of_rows(clean, GHANA)
    held = next(b for b in await blocks_of(clean, GHANA) if b.first == 301)
    stored = await sql(clean, "select attributes, account from blocks where first = 301")
    assert (held.attributes.text, held.position.account) == tuple(stored[0])
    await move(clean, block(301, 400, position=holding(number=9)))  # and can be worked with


async def test_a_key_edited_into_nonsense_still_loads_and_changes_the_root(clean: Store) -> None:
    (before,) = await hashed(clean, GHANA)
    await sql(
        clean,
        "insert into keys (key, series, slot) values ('units of mine', 'mine', :s)",
        s=tree.slot("units of mine"),
    )
    await sql(
        clean,
        "update blocks set key = 'units of mine', series = 'mine', slot = :s where first = 301",
        s=tree.slot("units of mine"),
    )
    (after,) = await hashed(clean, GHANA)
    assert before != after
    async with clean.snapshot() as session:
        held = await books.load_holdings(session, BOOK, [("mine", 1, 400)])
    assert [b.key.text for b in held.blocks()] == ["units of mine"]


# --- what only one of the two has to fear -------------------------------------------------------


async def test_sqlite_is_never_made_by_looking(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'absent.db'}")
    for way in (store.transaction, store.snapshot):
        with pytest.raises(Unavailable, match="unable to open"):
            async with way() as session:
                await session.execute(text("select 1"))
    await store.close()
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    await migrate(url, ["runtime"])
    store = open_store(url)
    yield store
    await store.close()


async def test_a_full_disk_is_waited_for(sqlite: Store) -> None:
    async with sqlite.transaction() as session:
        pages = (await session.execute(text("pragma page_count"))).scalar_one()
        await session.execute(text(f"pragma max_page_count = {pages}"))
    with pytest.raises(Unavailable, match="full"):
        await put_all(sqlite, *(block(n, n) for n in range(1, 5000, 2)))
    async with sqlite.transaction() as session:
        await session.execute(text("pragma max_page_count = 1000000"))
    await put_all(sqlite, *(block(n, n) for n in range(1, 5000, 2)))


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database, " * 1000)
    with pytest.raises(Unavailable, match="not a database"):
        await check_schema(f"sqlite:///{path}", ["runtime"])


async def test_replacing_rows_by_a_plain_client_cannot_go_around_the_triggers(
    sqlite: Store,
) -> None:
    """A client that has not turned recursive triggers on would delete without a mark."""
    await put_all(sqlite, block(1, 10))
    plain = sqlite3.connect(make_url(sqlite.url).database or "")
    row = ", ".join("'x'" if c == "attributes" else c for c in COLUMNS)
    for change in (
        f"insert or replace into blocks ({', '.join(COLUMNS)}) select {row} from blocks",
        f"replace into blocks ({', '.join(COLUMNS)}) select {row} from blocks",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            plain.execute(change)
    plain.close()


COLUMNS = [column.name for column in rows_table.columns]


async def test_emptying_the_table_at_once_marks_every_row(database_url: str) -> None:
    await migrate(database_url, ["runtime"])
    store = open_store(database_url)
    await put_all(store, block(1, 300), block(400, 5000))
    await hashed(store, GHANA)
    await sql(store, "truncate blocks")
    assert await marked(store) == touched(block(1, 300), block(400, 5000))
    assert await hashed(store, GHANA) == [tree.EMPTY_ROOT]
    await store.close()


async def test_a_lock_that_is_lost_with_its_connection_is_taken_again_before_writing(
    database_url: str,
) -> None:
    await migrate(database_url, ["runtime"])
    first, second = open_store(database_url), open_store(database_url)
    await first.lock_writer()
    await put_all(first, block(1, 10))
    await end_locks(second)
    with pytest.raises(Unavailable):
        await put_all(first, block(11, 20))
    await put_all(first, block(11, 20))
    with pytest.raises(LocalProtocolError):
        await second.lock_writer()
    await end_locks(second)
    await second.lock_writer()  # somebody else was quicker
    for _ in range(2):
        with pytest.raises(Unavailable):
            await put_all(first, block(21, 30))
    await put_all(second, block(31, 40))
    await second.close()
    await put_all(first, block(21, 30))
    await first.close()


async def end_locks(store: Store) -> None:
    """Have the server end every session that holds an advisory lock in this database."""
    locks = "pg_locks l join pg_database d on d.oid = l.database "
    locks += "where l.locktype = 'advisory' and d.datname = current_database()"
    await sql(store, f"select pg_terminate_backend(l.pid) from {locks}")
    async with asyncio.timeout(30):
        while (await sql(store, f"select count(*) from {locks}"))[0][0]:
            await asyncio.sleep(0.01)


async def test_a_server_that_goes_away_is_unavailable_and_serves_again_when_it_is_back(
    restartable_postgres: PrivatePostgres,
) -> None:
    url = restartable_postgres.create_database("store_contract_restart")
    await migrate(url, ["runtime"])
    store = open_store(url)
    await store.lock_writer()
    await put_all(store, block(1, 10))
    restartable_postgres.stop(kill=True)

    async def tries() -> Iterable[Any]:
        for attempt in (
            put_all(store, block(11, 20)),
            hashed(store, GHANA),
            snapshot(store),
            open_store(url).lock_writer(),
            check_schema(url, ["runtime"]),
            migrate(url, ["runtime"]),
        ):
            with pytest.raises(Unavailable):
                await attempt
        return ()

    try:
        await tries()
    finally:
        restartable_postgres.restart()
    await eventually(store, block(21, 30))
    assert [row[1:] for row in await rows(store)] == [(1, 10), (21, 30)]
    await store.close()
    restartable_postgres.drop_database("store_contract_restart")


async def snapshot(store: Store) -> None:
    async with store.snapshot() as session:
        await session.execute(text("select 1"))


async def eventually(store: Store, one: Block) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                return await put_all(store, one)
            except Unavailable:
                await asyncio.sleep(0.05)


ABSENT = {
    "no such database": ("database", "nowhere", "does not exist"),
    "no such user": ("username", "nobody", "authentication"),
    "a wrong password": ("password", "wrong", "authentication"),
}


@pytest.mark.parametrize("case", ABSENT)
async def test_a_server_that_does_not_let_us_in_is_unavailable_and_says_why(
    database_url: str, case: str
) -> None:
    member, value, reason = ABSENT[case]
    parts: dict[str, Any] = {member: value}
    url = make_url(database_url).set(**parts)
    with pytest.raises(Unavailable, match=reason):
        await check_schema(url.render_as_string(hide_password=False), ["runtime"])


async def rows_read(store: Store, table: str = "blocks") -> int:
    """How many rows of a table the server has read for us so far, by its own count."""
    async with store.snapshot() as session:
        await session.execute(text("select pg_stat_force_next_flush()"))
    counted = "select seq_tup_read + idx_tup_fetch as n from pg_stat_user_tables "
    return int((await sql(store, counted + f"where relname = '{table}'"))[0].n)


async def test_few_rows_are_read_for_few_spans_however_little_the_planner_knows(
    database_url: str,
) -> None:
    """The table has grown since it was last analysed, as every new one has."""
    await migrate(database_url, ["runtime"])
    store = open_store(database_url)
    await put_all(store, block(1, 10))
    await sql(store, "analyze blocks")
    await put_all(store, *(block(10 * n + 1, 10 * n + 5) for n in range(1, 2000)))
    spans = [(KEY.series, 10 * n + 2, 10 * n + 3) for n in range(100, 2000, 50)]
    for _ in range(8):  # from the sixth time on, one plan serves all
        before = await rows_read(store)
        async with store.transaction() as session:
            held = await books.load_holdings(session, BOOK, spans)
        assert len(held.blocks()) == len(spans)
        assert await rows_read(store) - before < 10 * len(spans)
    await store.close()


async def test_few_overlays_are_read_for_few_spans(database_url: str) -> None:
    """However many begin before a span: most units of a registry may be pledged."""
    await migrate(database_url, ["runtime"])
    store = open_store(database_url)
    held = Holdings()
    for n in range(2000):
        held.lay(Overlay(OverlayKind.PLEDGED, GHANA, KEY, 300 * n + 1, 300 * n + 300, "0" * 64))
    async with store.transaction() as session:
        await books.save_holdings(session, BOOK, held.changes())
    spans = [(KEY.series, 300 * n + 2, 300 * n + 3) for n in range(100, 2000, 50)]
    for _ in range(8):
        before = await rows_read(store, "overlays")
        async with store.transaction() as session:
            loaded = await books.load_holdings(session, BOOK, spans)
        assert len(loaded.overlays()) == len(spans)
        assert await rows_read(store, "overlays") - before < 250 * len(spans)
    await store.close()


async def test_few_messages_are_read_to_find_one(database_url: str) -> None:
    """Whatever the planner thinks of a table that has grown since it was last analysed."""
    await migrate(database_url, ["runtime"])
    store = open_store(database_url)

    def kept(number: int) -> Kept:
        name = f"{number:064x}"
        return Kept(GHANA, name, Digest(name), "entry", "", None, HUB, number, 0)

    async with store.transaction() as session:
        await journal.keep_messages(session, map(kept, range(20)))
    await sql(store, "analyze messages")
    async with store.transaction() as session:
        await journal.keep_messages(session, map(kept, range(20, 3000)))
    for number in range(100, 110):  # from the sixth time on, one plan serves all
        before, one = await rows_read(store, "messages"), kept(number)
        async with store.transaction() as session:
            assert await journal.known_messages(session, [(GHANA, one.id)])
            assert await journal.messages_by_digest(session, [one.digest], {GHANA})
        assert await rows_read(store, "messages") - before < 20
    await store.close()
