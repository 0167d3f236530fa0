# SPDX-License-Identifier: Apache-2.0
"""What `a6hub verify` is given: files, folders of them, and what cannot be read."""

import json
from pathlib import Path

from typer.testing import CliRunner

from harness.verify import app
from schemas.evidence import Trust, write_trust
from schemas.identifiers import Digest


def trust(folder: Path) -> list[str]:
    file = folder / "root"
    file.write_bytes(write_trust(Trust(log="a.log", root=Digest("0" * 64))))
    return ["--trust", str(file)]


def test_a_folder_stands_for_the_files_in_it(tmp_path: Path) -> None:
    files = tmp_path / "evidence"
    files.mkdir()
    for name in ("b.json", "a.json", "c.txt"):
        (files / name).write_text("no evidence")
    told = CliRunner().invoke(app, [str(files), *trust(tmp_path)])
    assert told.exit_code == 2
    assert [line.split(": ")[1] for line in told.stderr.splitlines()] == [
        str(files / "a.json"),
        str(files / "b.json"),
    ]


def test_an_empty_folder_is_not_taken_for_valid(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    told = CliRunner().invoke(app, [str(tmp_path / "evidence"), *trust(tmp_path)])
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.endswith("/evidence: no files of evidence (*.json) in it\n")


def test_a_file_of_another_kind_is_said_to_be_none(tmp_path: Path) -> None:
    given = trust(tmp_path)
    told = CliRunner().invoke(app, [given[1], *given])
    assert told.exit_code == 2
    assert f"{given[1]}: no file of evidence or proof of misbehaviour: " in told.stderr
    damaged = tmp_path / "damaged.json"
    damaged.write_text('{"format": "a6hub-evidence-1"}')
    told = CliRunner().invoke(app, [str(damaged), *given])
    assert f"{damaged}: transaction: Field required" in told.stderr


def test_each_file_is_an_object_also_if_it_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing.json"
    told = CliRunner().invoke(app, [str(missing), *trust(tmp_path), "--json"])
    assert told.exit_code == 2
    assert json.loads(told.stdout) == {
        "file": str(missing),
        "valid": None,
        "reason": "No such file or directory",
    }
