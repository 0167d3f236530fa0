# SPDX-License-Identifier: Apache-2.0
"""Arguments and seed files that cannot be used: exit status 2, and one line that names what is
wrong and what would do.
"""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.simulation.cli import app

REMEDIES = {
    "--registries 0": "--registries is 0; give 1 to 8",
    "--registries 99": "--registries is 99; give 1 to 8",
    "--steps -1": "--steps is -1; give 1 to 100000",
    "--steps 0": "--steps is 0; give 1 to 100000",
    "--steps 100001": "--steps is 100001; give 1 to 100000",
    "--runs 0": "--runs is 0; give 1 to 100000",
    "--runs 10000000000": "--runs is 10000000000; give 1 to 100000",
    "--jobs -1": "--jobs is -1; give 0 to 256 (0: one a core)",
    "--jobs 257": "--jobs is 257; give 0 to 256 (0: one a core)",
    "--seed -1": "--seed is -1; give 0 or more",
    "--faults delya": "--faults: there is no fault 'delya'; give 'all', 'none', or some of: delay,",
    "--faults delay,,loss": "--faults: there is no fault ''",
    "--runs 2 --trace events": "--trace follows a single run",
    "--seed-file missing.toml": "missing.toml cannot be read: No such file or directory",
    "--trace no-such-folder/events": "cannot be written: No such file or directory",
    "--trace .": "--trace: . cannot be written: Is a directory",
    "--seed-file f --faults all": "--faults does not go with --seed-file, which says what is run",
    "--seed-file f --steps 100": "--steps does not go with --seed-file",
    "--seed-file f --registries 2": "--registries does not go with --seed-file",
    "--seed-file f --runs 1": "--runs does not go with --seed-file",
    "--seed-file f --seed 1": "--seed does not go with --seed-file",
}
FILES = {
    "[[run]\n": "is not TOML",
    "": "run: Field required (members: seed, steps, faults, registries, why)",
    "run = []\n": "run: List should have at least 1 item",
    "[[run]]\nseed = 1\n": "run/0/steps: Field required",
    "[[run]]\nseed = -1\nsteps = 5\n": "run/0/seed: Input should be greater than or equal to 0",
    "[[run]]\nseed = 1\nsteps = 0\n": "run/0/steps: Input should be greater than or equal to 1",
    "[[run]]\nseed = 1\nsteps = 100001\n": "run/0/steps: Input should be less than or equal to",
    "[[run]]\nseed = 1\nsteps = 5\nregistries = 0\n": "run/0/registries: Input should be greater",
    "[[run]]\nseed = 1\nsteps = 5\nfalts = 'all'\n": "run/0/falts: Extra inputs are not permitted",
    "[[run]]\nseed = 1\nsteps = 5\nfaults = 'gremlins'\n": "faults: there is no fault 'gremlins'",
    "[[run]]\nseed = '1'\nsteps = 5\n": "run/0/seed: Input should be a valid integer",
}


def refused(words: list[str]) -> str:
    """The one line that a command line which cannot be used is answered with."""
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("a6hub: ")
    return result.stderr


@pytest.mark.parametrize("arguments", REMEDIES)
def test_an_argument_that_cannot_be_used_is_named_with_its_remedy(arguments: str) -> None:
    assert REMEDIES[arguments] in refused(arguments.split())


@pytest.mark.parametrize("text", FILES)
def test_a_seed_file_that_cannot_be_used_is_named_with_its_member(
    text: str, tmp_path: Path
) -> None:
    path = tmp_path / "seeds.toml"
    path.write_text(text)
    told = refused(["--seed-file", str(path)])
    assert str(path) in told
    assert FILES[text] in told


def test_a_folder_or_a_file_that_is_no_text_is_no_seed_file(tmp_path: Path) -> None:
    assert "cannot be read" in refused(["--seed-file", str(tmp_path)])
    (tmp_path / "seeds.toml").write_bytes(b"\xff\xfe")
    assert "is not TOML" in refused(["--seed-file", str(tmp_path / "seeds.toml")])


@pytest.mark.parametrize("words", [["--steps", "many"], ["--sead", "1"]])
def test_the_command_line_itself_is_checked(words: list[str]) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert words[0] in result.stderr
