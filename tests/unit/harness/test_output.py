# SPDX-License-Identifier: Apache-2.0
"""The output folder: nobody else's files are ever deleted, and that is known before the run."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.demo import app
from harness.output import check_output, clear_output
from runtime.errors import LocalProtocolError

SUMMARY = '{"log_size": 1, "log_root": "00", "expectations_failed": []}'


def test_a_folder_of_others_is_refused_before_the_run_and_left_whole(tmp_path: Path) -> None:
    (tmp_path / "letters.md").write_text("mine")
    result = CliRunner().invoke(app, ["--output", str(tmp_path)])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert str(tmp_path) in line
    assert line.endswith("name another folder with --output")
    assert result.stdout == ""
    assert (tmp_path / "letters.md").read_text() == "mine"


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", '{"log_size": 1}'])
def test_a_summary_of_something_else_makes_no_folder_ours(text: str, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(LocalProtocolError, match="neither empty nor the output of an earlier run"):
        check_output(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("mine")
    with pytest.raises(LocalProtocolError, match="output: not a folder; name another"):
        check_output(tmp_path / "output")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(LocalProtocolError, match="cannot be written, not a directory; name anoth"):
        check_output(tmp_path / "file" / "output")


def test_a_new_folder_and_an_empty_one_are_taken(tmp_path: Path) -> None:
    check_output(tmp_path)
    check_output(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_an_earlier_run_is_replaced_and_what_stands_beside_it_stays(tmp_path: Path) -> None:
    for name in ("messages", "aef"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.json").write_text("old")
    (tmp_path / "report.html").write_text("old")
    (tmp_path / "summary.json").write_text(SUMMARY)
    (tmp_path / "notes.md").write_text("mine")
    check_output(tmp_path)
    clear_output(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.md"]


def test_a_link_is_taken_away_and_not_followed(tmp_path: Path) -> None:
    others, output = tmp_path / "others", tmp_path / "output"
    others.mkdir()
    (others / "letter.md").write_text("mine")
    output.mkdir()
    (output / "summary.json").write_text(SUMMARY)
    (output / "messages").symlink_to(others)
    clear_output(output)
    assert list(output.iterdir()) == []
    assert (others / "letter.md").exists()
