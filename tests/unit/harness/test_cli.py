# SPDX-License-Identifier: Apache-2.0
"""Command lines that the program prints for people to type."""

from pathlib import Path

import pytest

from harness.cli import command_line


@pytest.mark.parametrize(
    ("called_as", "typed"),
    [
        (".venv/bin/a6hub", ".venv/bin/a6hub"),
        ("/opt/a6hub/bin/a6hub", "/opt/a6hub/bin/a6hub"),
        ("/opt/my hub/a6hub", "'/opt/my hub/a6hub'"),
        ("a6hub", "a6hub"),
        ("-c", "a6hub"),
    ],
)
def test_a_command_line_begins_with_the_program_as_it_was_called(
    called_as: str, typed: str
) -> None:
    assert command_line("verify", "out", called_as=called_as) == f"{typed} verify out"


def test_what_is_found_on_the_path_needs_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "a6hub"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command_line("demo", called_as=str(program)) == "a6hub demo"
    assert command_line("demo", called_as="/other/a6hub") == "/other/a6hub demo"


def test_names_with_spaces_stay_one_word() -> None:
    assert command_line("verify", "my output", called_as="a6hub") == "a6hub verify 'my output'"
