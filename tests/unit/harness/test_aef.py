# SPDX-License-Identifier: Apache-2.0
"""`a6hub aef` as an operator types it: what is wrong is one line, and so is what was found."""

import asyncio
import json
import os
import resource
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aef.nomenclature import load
from harness.aef import app
from registry.program import Registry
from runtime.schema import migrate
from tests.cast import genesis
from tests.unit.aef.books import GHANA, SWITZERLAND, packed, submitted

RUNNER = CliRunner()


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """The settings of a registry whose database has nothing in it."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    asyncio.run(migrate(url, Registry.packages))
    (tmp_path / "database").write_text(url)
    (tmp_path / "genesis.json").write_text(genesis().model_dump_json())
    members = {
        "participant": "GHA01",
        "actors": ["GHA01/GHA"],
        "database_file": str(tmp_path / "database"),
        "broker_file": str(tmp_path / "broker"),
        "keys": str(tmp_path),
        "genesis": str(tmp_path / "genesis.json"),
    }
    file = tmp_path / "GHA01.toml"
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in members.items()))
    return file


def export(settings: Path, *words: str) -> tuple[int, str]:
    out = settings.with_name("out.xlsx")
    given = ["--settings", str(settings), "--party", "GHA", "--year", "2025"]
    given += ["--ndc-period", "2021-2030", "--output", str(out), *words]
    done = RUNNER.invoke(app, ["export", *given])
    return done.exit_code, done.output


def test_a_registry_with_nothing_in_it_reports_nothing(settings: Path) -> None:
    assert export(settings) == (0, "")
    done = RUNNER.invoke(app, ["check", str(settings.with_name("out.xlsx"))])
    assert (done.exit_code, done.output.count("\n")) == (0, 2)
    assert "GHA 2025, version 1.0: 0 authorizations, 0 actions, 0 holdings" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--party", "CHE", "--ndc-period", ""], "CHE has no section in GHA01; there are GHA"),
        (["--ndc-period", "soon"], "give years as 2021-2030"),
        (["--ndc-period", "2031-2040"], "--ndc-period 2031-2040 does not contain 2025"),
        (["--ndc-period", ""], "give --ndc-period, or ndc_periods in the settings"),
        (["--version", "0.1"], "--version 0.1: give it as 1.0"),
        (["--submitted", "tomorrow"], "give it as yyyy-mm-dd"),
        (["--nomenclature", "1999-01-01"], "no nomenclatures of 1999-01-01"),
        (["--nomenclature", "nowhere.toml"], "nowhere.toml"),
        (
            ["--confidential", "AuthorizedEntityID"],
            "--confidential: names the columns that --public",
        ),
        (["--public", "--confidential", "Nothing"], "there is no such column"),
        (["--output", "/nowhere/at.xlsx"], "/nowhere"),
        (["--settings", "nowhere.toml"], "nowhere.toml: no such settings file"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_one_line(
    settings: Path, words: list[str], said: str
) -> None:
    status, output = export(settings, *words)
    assert status == 2
    assert said in output
    assert output.count("\n") == 1


def test_a_workbook_of_a_year_that_is_not_over_is_written_with_a_warning(settings: Path) -> None:
    status, output = export(settings, "--year", "2200", "--ndc-period", "2191-2200")
    assert status == 0
    assert output.startswith("a6hub: warning: 2200 was not over on ")
    assert output.count("\n") == 1
    done = RUNNER.invoke(app, ["check", str(settings.with_name("out.xlsx"))])
    assert done.exit_code == 1
    assert "R09" in done.output


def test_a_check_ends_with_what_it_found(tmp_path: Path) -> None:
    files = {
        "right.xlsx": packed(GHANA),
        "wrong.xlsx": packed(submitted(party=None)),
        "none.xlsx": b"nothing",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    for names, status in (
        (["right.xlsx"], 0),
        (["wrong.xlsx"], 1),
        (["none.xlsx"], 2),
        (["right.xlsx", "wrong.xlsx", "none.xlsx"], 2),
        (["missing.xlsx"], 2),
    ):
        paths = [str(tmp_path / name) for name in names]
        done = RUNNER.invoke(app, ["check", *paths, "--json"])
        assert (done.exit_code, json.loads(done.output)["status"]) == (status, status)
        assert RUNNER.invoke(app, ["check", *paths]).exit_code == status


@pytest.mark.requirement(110)
def test_a_check_before_a_submission_says_the_same_as_one_after_it(tmp_path: Path) -> None:
    before, after = tmp_path / "draft.xlsx", tmp_path / "submitted.xlsx"
    before.write_bytes(packed(SWITZERLAND))
    first = json.loads(RUNNER.invoke(app, ["check", str(before), "--json"]).output)
    after.write_bytes(before.read_bytes())
    second = json.loads(RUNNER.invoke(app, ["check", str(after), "--json"]).output)
    assert json.dumps(first).replace("draft", "submitted") == json.dumps(second)
    assert first["unchecked"]


def test_other_nomenclatures_are_taken_from_a_file(tmp_path: Path) -> None:
    lists, book = tmp_path / "lists.toml", tmp_path / "book.xlsx"
    values = {**load().lists, "sectors": ["Space flight"]}
    rows = "".join(f"{name} = {list(value)}\n" for name, value in values.items())
    lists.write_text(f'date = "2027-01-01"\n[lists]\n{rows}')
    book.write_bytes(packed(GHANA))
    done = RUNNER.invoke(app, ["check", str(book), "--nomenclature", str(lists)])
    assert done.exit_code == 1
    assert "C06" in done.output


def test_a_folder_without_workbooks_is_said_to_have_none(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    done = RUNNER.invoke(app, ["check", str(tmp_path)])
    assert done.exit_code == 2
    assert "no workbooks (*.xlsx) in it" in done.output
    assert "directory" not in done.output


def test_folders_are_taken_for_the_workbooks_in_them(tmp_path: Path) -> None:
    (tmp_path / "GHA.xlsx").write_bytes(packed(GHANA))
    (tmp_path / "CHE.xlsx").write_bytes(packed(SWITZERLAND))
    (tmp_path / "notes.txt").write_text("nothing")
    done = RUNNER.invoke(app, ["check", str(tmp_path)])
    assert (done.exit_code, done.output.splitlines()[-1]) == (
        0,
        "0 error, 0 warning, 0 tolerated, 0 not checked",
    )


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.xlsx")
    done = RUNNER.invoke(app, ["check", str(tmp_path / "pipe.xlsx"), "/dev/null"])
    assert done.exit_code == 2
    assert done.output.count("error F01 file-unreadable: not a file") == 2


def test_a_file_that_is_named_twice_is_checked_once(tmp_path: Path) -> None:
    book = tmp_path / "GHA.xlsx"
    book.write_bytes(packed(GHANA))
    (tmp_path / "same.xlsx").symlink_to(book)
    names = [str(book), str(tmp_path), f"{tmp_path}/./GHA.xlsx"]
    done = RUNNER.invoke(app, ["check", *names, "--json"])
    assert [one["file"] for one in json.loads(done.output)["files"]] == [str(book)]


def test_more_workbooks_are_checked_than_a_process_may_have_open(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number}.xlsx").write_bytes(b"nothing")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    there = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (there + 20, most[1]))
    try:
        done = RUNNER.invoke(app, ["check", str(tmp_path), "--json"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    assert {one["code"] for one in json.loads(done.output)["findings"]} == {"F02"}
    assert len(json.loads(done.output)["files"]) == 60


def test_what_a_spreadsheet_program_keeps_beside_an_open_file_is_no_workbook(
    tmp_path: Path,
) -> None:
    (tmp_path / "GHA.xlsx").write_bytes(packed(GHANA))
    (tmp_path / "~$GHA.xlsx").write_bytes(b"lock")
    assert RUNNER.invoke(app, ["check", str(tmp_path)]).exit_code == 0


def test_names_of_any_bytes_are_shown(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff\x9b.xlsx")).write_bytes(packed(GHANA))
    for words in ([], ["--json"]):
        done = RUNNER.invoke(app, ["check", str(tmp_path), *words])
        assert done.exit_code == 0
        assert "\\udcff" in done.output
        assert "\x9b" not in done.output


def test_nomenclatures_that_are_no_text_are_refused_by_name(tmp_path: Path) -> None:
    book = tmp_path / "GHA.xlsx"
    book.write_bytes(packed(GHANA))
    done = RUNNER.invoke(app, ["check", str(book), "--nomenclature", str(book)])
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert f"--nomenclature {book}" in done.output
