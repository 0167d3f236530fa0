# SPDX-License-Identifier: Apache-2.0
"""Working on cases: owners, due dates, comments, and resolutions that two people have signed."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner, Result

from reconciliation import report
from reconciliation.cli import app
from reconciliation.notes import Note, Resolution, progress_of
from reconciliation.program import Reconciler
from reconciliation.storage import load_kept
from runtime import events
from runtime.schema import migrate
from runtime.store import open_store
from schemas.identifiers import CaseId
from tests.unit.reconciliation.steps import CASE, give, issue, the_case
from tests.unit.reconciliation.world import GHANA, START, World, genesis


async def with_a_case(world: World) -> None:
    """Ghana lacks 9-10."""
    await issue(world, GHANA, 1, 10)
    await world.nodes[GHANA].sql("update blocks set last = 8 where last = 10")
    await world.examine(GHANA)


async def test_a_case_is_nobody_s_until_it_is_assigned_and_again_when_it_is_taken_off(
    world: World,
) -> None:
    await with_a_case(world)
    case = await the_case(world)
    assert (case.owner, case.due, case.comments, case.resolution) == (None, None, 0, None)
    done, told = await give(world, "ada", "assign", case=CASE, owner="Ben B.", due="2026-12-31")
    assert (done, told) == (True, "REC-1 is Ben B.'s, due 2026-12-31")
    case = await the_case(world)
    assert (case.owner, case.due) == ("Ben B.", "2026-12-31")
    await world.restart()
    assert (await give(world, "ben", "assign", case=CASE))[1] == "REC-1 is nobody's"
    case = await the_case(world)
    assert (case.owner, case.due) == (None, None)
    assert world.events.count(events.CASE_WORKED) == 2


async def test_comments_are_kept_in_order_with_who_said_them(world: World) -> None:
    await with_a_case(world)
    assert (await give(world, "ada", "comment", case=CASE, text="backup of Monday?"))[0]
    assert (await give(world, "ben", "comment", case=CASE, text="no: Sunday"))[0]
    case = await the_case(world)
    assert (case.comments, case.last_comment) == (2, "ben: no: Sunday")


async def test_a_resolution_holds_once_two_people_have_signed_the_same_words(
    world: World,
) -> None:
    await with_a_case(world)
    done, told = await give(world, "ada", "resolve", case=CASE, text="restored")
    assert done
    assert "somebody else must sign the same words" in told
    case = await the_case(world)
    assert (case.resolution, case.signed_by, case.resolved) == ("restored", "ada", False)
    done, told = await give(world, "ada", "resolve", case=CASE, text="restored")
    assert not done
    assert "somebody else must, too" in told
    done, told = await give(world, "ben", "resolve", case=CASE, text="restored, I think")
    assert (done, (await the_case(world)).resolved) == (True, False)
    done, told = await give(world, "ben", "resolve", case=CASE, text="restored")
    assert (done, told) == (True, "REC-1 resolved by ada and ben")
    case = await the_case(world)
    assert (case.resolution, case.signed_by, case.resolved) == ("restored", "ada, ben", True)
    assert case.state == "open", "a case ends when the ledgers agree, not by what people say"
    done, told = await give(world, "cleo", "resolve", case=CASE, text="something else")
    assert not done
    assert "was resolved by ada and ben" in told


async def test_a_case_that_has_ended_can_still_be_resolved(world: World) -> None:
    await with_a_case(world)
    await world.nodes[GHANA].sql("update blocks set last = 10 where last = 8")
    await world.examine(GHANA)
    assert (await the_case(world)).state == "closed"
    for operator in ("ada", "ben"):
        assert (await give(world, operator, "resolve", case=CASE, text="mended"))[0]
    case = await the_case(world)
    assert (case.state, case.resolved) == ("closed", True)


@pytest.mark.parametrize(
    ("command", "arguments", "why"),
    [
        ("assign", {"case": "REC-2", "owner": "ada"}, "no case REC-2"),
        ("comment", {"case": "REC-2", "text": "x"}, "no case REC-2"),
        ("resolve", {"case": "REC-2", "text": "x"}, "no case REC-2"),
        ("comment", {"case": "one", "text": "x"}, "in case"),
        ("comment", {"case": CASE}, "in text"),
        ("comment", {"case": CASE, "text": "  "}, "in text"),
        ("comment", {"case": CASE, "text": "\u001b[2J"}, "in text"),
        ("comment", {"case": CASE, "text": "x" * 2001}, "in text"),
        ("comment", {"case": CASE, "text": "x", "more": 1}, "in more"),
        ("assign", {"case": CASE, "owner": "ada", "due": "31.12.2026"}, "in due"),
        ("assign", {"case": CASE, "owner": "ada", "due": "20261231"}, "in due"),
        ("assign", {"case": CASE, "owner": 7}, "in owner"),
        ("resolve", {"case": CASE, "text": ["x"]}, "in text"),
        ("resolve", {}, "in case"),
    ],
)
async def test_a_command_that_makes_no_sense_is_refused_and_changes_nothing(
    world: World, command: str, arguments: dict[str, Any], why: str
) -> None:
    await with_a_case(world)
    done, told = await give(world, "ada", command, **arguments)
    assert not done
    assert told.startswith("2007 command-invalid")
    assert why in told
    async with world.store.snapshot() as session:
        assert list(await session.execute(text("select 1 from case_notes"))) == []


@pytest.mark.parametrize("sql", ["update case_notes set text = 'x'", "delete from case_notes"])
async def test_the_database_refuses_to_change_a_note(world: World, sql: str) -> None:
    await with_a_case(world)
    await give(world, "ada", "comment", case=CASE, text="said")
    with pytest.raises(DBAPIError, match="append_only"):
        async with world.store.transaction() as session:
            await session.execute(text(sql))


def test_the_resolution_that_holds_is_not_displaced_and_else_the_newest_counts() -> None:
    def signed(*pairs: tuple[str, str]) -> Resolution | None:
        notes = [
            Note(CaseId(CASE), n, START, who, "resolution", words)
            for n, (who, words) in enumerate(pairs)
        ]
        return progress_of(notes).resolution

    assert signed() is None
    assert signed(("ada", "a"), ("ben", "b")) == ("b", ("ben",))
    assert signed(("ada", "a"), ("ben", "b"), ("ben", "a")) == ("a", ("ada", "ben"))
    assert signed(("ada", "a"), ("ada", "a")) == ("a", ("ada",))
    assert signed(("ada", "a"), ("ben", "a"), ("cleo", "c")) == ("a", ("ada", "ben"))


# --- what operators see ---------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A settings file of the service whose database the world is."""
    (tmp_path / "database").write_text(f"sqlite:///{tmp_path / 'rec.db'}")
    lines = [f'{name} = "{tmp_path / name}"' for name in ("broker_file", "keys")]
    lines += ['participant = "REC"', 'actors = ["REC"]']
    lines.append(f'database_file = "{tmp_path / "database"}"')
    path = tmp_path / "settings.toml"
    path.write_text("\n".join(lines))
    return path


async def shown(*words: str | Path) -> Result:
    """What a verb prints; in a thread, since it runs a loop of its own."""
    arguments = [str(word) for word in words]
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments))


async def test_reports_show_the_work_in_every_form(world: World, settings: Path) -> None:
    await with_a_case(world)
    await give(world, "ada", "assign", case=CASE, owner="ben", due="2026-12-31")
    await give(world, "ada", "comment", case=CASE, text="<b>look</b>")
    await give(world, "ada", "resolve", case=CASE, text="restored")
    forms = {
        form: (await shown("discrepancies", "--settings", settings, "--format", form)).output
        for form in ("text", "record", "json", "csv", "html")
    }
    (row,) = json.loads(forms["json"])
    assert (row["owner"], row["due"], row["comments"]) == ("ben", "2026-12-31", 1)
    assert (row["resolution"], row["signed_by"], row["resolved"]) == ("restored", "ada", False)
    head, line = forms["text"].splitlines()
    told = dict(zip(head.split(), line.split(), strict=True))
    assert (told["case"], told["owner"], told["due"]) == (CASE, "ben", "2026-12-31")
    assert (told["first"], told["last"]) == (str(row["first"]), str(row["last"]))
    assert len(line) <= 160, "a person reads it on one line"
    for form in ("record", "csv"):
        assert "ben" in forms[form]
        assert "restored" in forms[form]
    assert row["expected"].startswith("GHA01-GHA-HLD-1-"), "the account, then the attributes"
    assert "<td>ada: &lt;b&gt;look&lt;/b&gt;</td>" in forms["html"]
    assert "<th>signed_by</th>" in forms["html"]
    assert "http" not in forms["html"], "the page needs nothing from elsewhere"


async def test_the_notes_of_a_case_are_listed_and_what_is_not_there_is_named(
    world: World, settings: Path
) -> None:
    await with_a_case(world)
    await give(world, "ada", "assign", case=CASE, owner="ben")
    await give(world, "ben", "comment", case=CASE, text="hm")
    lines = (await shown("notes", "--settings", settings, CASE)).output.splitlines()
    assert [line.split()[1:3] for line in lines] == [
        ["operator", "kind"],
        ["ada", "assignment"],
        ["ben", "comment"],
    ]
    for verb in ("notes", "case"):
        result = await shown(verb, "--settings", settings, "REC-9")
        assert (result.exit_code, "there is no case REC-9" in result.output) == (2, True)
    key = ("--operator", "ada", "--key", settings)
    result = await shown("resolve", "--settings", settings, *key, CASE)
    assert result.exit_code == 2
    assert "no resolution of REC-1 waits for a signature" in result.output


async def test_one_case_is_shown_with_every_column(world: World, settings: Path) -> None:
    await with_a_case(world)
    await give(world, "ada", "comment", case=CASE, text="two\nlines")
    told = (await shown("case", "--settings", settings, CASE)).output.splitlines()
    heads = [line.split()[0] for line in told if not line.startswith(" ")]
    assert heads == list(report.Discrepancy._fields)
    place = heads.index("last_comment")
    assert [line.split()[-1] for line in told[place : place + 2]] == ["two", "lines"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_database_of_an_older_version_gets_the_notes_and_forgets_descents(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    if kind == "postgresql":
        url = request.getfixturevalue("database_url")
    await migrate(url, Reconciler.packages)
    store = open_store(url)
    async with store.transaction() as session:
        await session.execute(text("drop table case_notes"))
        if kind == "postgresql":
            await session.execute(text("drop function refuse_note_change"))
        await session.execute(text("insert into drills values ('GHA01/GHA', 'of an older form')"))
        await session.execute(
            text("update alembic_version set version_num = 'c0001' where version_num = 'c0006'")
        )
    await store.close()
    await migrate(url, Reconciler.packages)
    store = open_store(url)
    async with store.snapshot() as session:
        assert (await session.execute(text("select * from drills"))).all() == []
    note = "insert into case_notes values ('REC-1', 1, 'now', 'ada', 'comment', 'x', null, null, 1)"
    async with store.transaction() as session:
        await session.execute(text(note))
    for sql in ("update case_notes set text = 'y'", "delete from case_notes"):
        with pytest.raises(DBAPIError, match="append_only"):
            async with store.transaction() as session:
                await session.execute(text(sql))
    await store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_notes_of_an_older_version_stay_and_cases_can_be_explained(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    """Before revision c0006 nobody else was told of a case, and none was explained."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    if kind == "postgresql":
        url = request.getfixturevalue("database_url")
    await migrate(url, Reconciler.packages)
    store = open_store(url)
    note = "insert into case_notes values ('REC-1', :n, 'now', 'ada', :kind, 'x', null, null, 1)"
    case = (
        "insert into cases (id, number, actor, key, first, last, cause, detail, frozen, state, "
        "opened_at, evidence) values ('REC-1', 1, 'GHA01/GHA', 'k', 1, 2, 'missing', '', 1, "
        "'open', '2026-03-01T12:00:00.000000Z', '[]')"
    )
    async with store.transaction() as session:
        await session.execute(text(note), {"n": 1, "kind": "comment"})
        for sql in (
            case,
            "drop index deliveries_position",
            "drop table tellings",
            *(f"alter table cases drop column {c}" for c in ("concerned", "explanation")),
            "alter table cases drop column explained_at",
            "update alembic_version set version_num = 'c0005' where version_num = 'c0006'",
        ):
            await session.execute(text(sql))
    await store.close()
    await migrate(url, Reconciler.packages)
    store = open_store(url)
    async with store.transaction() as session:
        kept = await load_kept(session, genesis())
        assert [(c.concerned, c.explanation) for c in kept.cases.values()] == [((), None)]
        await session.execute(text(note), {"n": 2, "kind": "explanation"})
        rows = await session.execute(text("select kind from case_notes order by number"))
        assert [row.kind for row in rows] == ["comment", "explanation"]
    with pytest.raises(DBAPIError, match="append_only"):
        async with store.transaction() as session:
            await session.execute(text("delete from case_notes"))
    await store.close()
