# SPDX-License-Identifier: Apache-2.0
"""`a6hub keygen`: all keys are made where they were asked for, or none is."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.keygen import app

WRONG = [
    (["--name", "../evil"], "--name ../evil: lower-case letters"),
    (["--name", "GHA01/GHA"], "an actor goes with --actor"),
    (["--name", "a", "--actor", "nobody"], "--actor 'nobody' is not an actor such as"),
    (["--name", "a", "--name", "a"], "a: named twice"),
    (["--name", "a", "--name", "there"], "there.pem exists; keys are never overwritten"),
    (["--name", "a", "--name", "witness", "--algorithm", "ES256"], "is always Ed25519"),
    (["--name", "checkpoint", "--algorithm", "ES256"], "is always Ed25519"),
    (["--name", "a", "--password-file", "no/file"], "no/file: no such file"),
    ([], "name at least one --actor or --name"),
]


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_no_key_is_made_when_one_cannot_be(words: list[str], said: str, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "there.pem").write_text("a key")
    result = CliRunner().invoke(app, [str(folder), *words])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert said in line
    assert result.stdout == ""
    assert [path.name for path in tmp_path.rglob("*.pem")] == ["there.pem"]


def test_a_password_file_without_a_password_encrypts_nothing(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("\n")
    words = [str(tmp_path), "--name", "a", "--password-file", str(tmp_path / "password")]
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, "there is no password in it" in result.stderr) == (2, True)
    assert not (tmp_path / "a.pem").exists()


def test_what_is_printed_has_a_head(tmp_path: Path) -> None:
    words = [str(tmp_path), "--actor", "GHA01/GHA", "--name", "witness"]
    head, *rows = CliRunner().invoke(app, words).stdout.splitlines()
    assert head.split("  ") == ["name", "public key", "id", "file"]
    assert [row.split("  ")[0] for row in rows] == ["GHA01/GHA", "witness"]
    for row in rows:
        _, public, id_, path = row.split("  ")
        assert (public.split(":")[0], len(id_), Path(path).exists()) == ("Ed25519", 43, True)
