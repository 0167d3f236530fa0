# SPDX-License-Identifier: Apache-2.0
"""Verbs that write a file: where it may go is asked first, and nothing of another kind is lost."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from harness.acts import ORDER
from harness.aef import WORKBOOK
from harness.cli import COMMANDS
from runtime import keys
from runtime.errors import LocalProtocolError
from runtime.exporting import EVIDENCE_FILE, PROOF_FILE, TRUST_FILE, FileKind, export_file
from schemas.evidence import Trust, write_trust
from schemas.identifiers import Digest

OWN = ["--settings", "settings.toml", "--output"]
WORDS: dict[tuple[str, ...], list[str]] = {
    ("evidence", "export"): ["GHA01-GHA-1", *OWN],
    ("evidence", "trust"): OWN,
    ("aef", "export"): ["--party", "GHA", "--year", "2025", *OWN],
    ("party", "proof"): ["1", *OWN],
    ("international", "proof"): ["1", *OWN],
    ("mechanism", "proof"): ["1", *OWN],
    ("reconcile", "proof"): OWN,
    ("act", "order"): ["admission.json"],
    ("act", "new"): [],
    ("demo",): ["--output"],
}
"""What each verb that writes is given, up to the file's name."""

ONE_FILE = sorted(WORDS.keys() - {("demo",), ("act", "new")})
"""`demo` writes a folder, and `act new` replaces nothing: both say so in words of their own."""


def run(verb: tuple[str, ...], *more: str) -> Result:
    app = importlib.import_module(COMMANDS[verb[0]][0]).app
    return CliRunner().invoke(app, [*verb[1:], *WORDS[verb], *more])


def refusal(result: Result) -> str:
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    return line


def verbs(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every verb that has a file or folder to write."""
    for name, one in getattr(command, "commands", {}).items():
        yield from verbs(one, (*path, name))
    if any(given.name in {"output", "out"} for given in command.params):
        yield path


def test_the_table_has_every_verb_that_writes() -> None:
    found = {
        verb
        for name, (module, _) in COMMANDS.items()
        for verb in verbs(get_command(importlib.import_module(module).app), (name,))
    }
    assert found == WORDS.keys()


@pytest.mark.parametrize("verb", [*ONE_FILE, ("act", "new")], ids=" ".join)
def test_a_folder_that_is_not_there_is_said_to_be_missing(
    verb: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "nodir" / "file"
    more = ["{}"] if verb == ("act", "new") else []
    assert f"{file}: no such folder: {file.parent}" in refusal(run(verb, str(file), *more))


@pytest.mark.parametrize("verb", ONE_FILE, ids=" ".join)
def test_a_folder_is_no_file_to_write(verb: tuple[str, ...], tmp_path: Path) -> None:
    assert f"{tmp_path}: is a folder; name a file in it" in refusal(run(verb, str(tmp_path)))


@pytest.mark.parametrize("verb", ONE_FILE, ids=" ".join)
def test_a_private_key_is_never_written_over(verb: tuple[str, ...], tmp_path: Path) -> None:
    key = tmp_path / "operator.pem"
    keys.save(keys.generate(), key)
    before = key.read_bytes()
    assert f"{key}: exists and is no " in refusal(run(verb, str(key)))
    assert key.read_bytes() == before


def workbook(path: Path) -> None:
    with ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")


KINDS = {
    "evidence": (EVIDENCE_FILE, '{"format": "a6hub-evidence-1"}'),
    "trust": (TRUST_FILE, write_trust(Trust(log="log", root=Digest("0" * 64))).decode()),
    "proof": (PROOF_FILE, '{"format": "a6hub-misbehaviour-1"}'),
    "order": (ORDER, json.dumps({"act": "{}"})),
    "workbook": (WORKBOOK, None),
}


@pytest.mark.parametrize("wanted", KINDS)
@pytest.mark.parametrize("there", [*KINDS, "genesis", "nothing"])
def test_a_file_is_replaced_by_one_of_its_own_kind_alone(
    wanted: str, there: str, tmp_path: Path
) -> None:
    file, (kind, _) = tmp_path / "file", KINDS[wanted]
    texts = {name: text for name, (_, text) in KINDS.items()}
    texts |= {"genesis": '{"act": "{}", "signatures": []}', "nothing": ""}
    text = texts[there]
    if text is None:
        workbook(file)
    else:
        file.write_text(text)
    before = file.read_bytes()
    if there in {wanted, "nothing"}:
        export_file(file, kind, lambda: b"new")
        assert file.read_bytes() == b"new"
    else:
        with pytest.raises(LocalProtocolError, match=f"is no {kind.name}, .* name another file"):
            export_file(file, kind, lambda: b"new")
        assert file.read_bytes() == before


def test_what_cannot_be_made_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    def fails() -> bytes:
        raise LocalProtocolError("nothing to write")

    file = tmp_path / "file"
    file.write_text("before")
    with pytest.raises(LocalProtocolError, match="nothing to write"):
        export_file(file, FileKind("text", lambda _: True), fails)
    assert file.read_text() == "before"
