# SPDX-License-Identifier: Apache-2.0
"""The list of requirements: rows and marks on tests agree, and what is marked was run."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.requirements import (
    ROWS,
    Claim,
    Row,
    contradictions,
    load_rows,
    read_claims,
    requirements_page,
)

ROOT = Path(__file__).resolve().parents[3]


def row(number: int, /, **changes: Any) -> Row:
    members = {"number": number, "source": "para 1", "must": "be", "state": "done", "where": "here"}
    return Row.model_validate(members | changes)


ALL = [row(number) for number in range(1, ROWS + 1)]
SHOWN = [Claim(number, "tests/test_a.py", "test_it") for number in range(1, ROWS + 1)]
LATER = {"state": "later", "where": None, "why": "not built yet"}


# --- the project's own ----------------------------------------------------------------------------


def test_rows_and_marks_of_the_project_agree() -> None:
    assert contradictions(load_rows(ROOT / "docs/requirements.toml"), read_claims(ROOT)) == []


def test_every_setting_that_a_row_names_is_one() -> None:
    page = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    named = {row.setting for row in load_rows(ROOT / "docs/requirements.toml") if row.setting}
    assert {name for name in named if f"\n| `{name}` |" not in page} == set()


def test_every_module_that_a_row_names_is_there() -> None:
    texts = [row.where or "" for row in load_rows(ROOT / "docs/requirements.toml")]
    named = {name for text in texts for name in re.findall(r"`([a-z_/]+\.(?:py|toml))`", text)}
    assert named
    assert {name for name in named if not (ROOT / name).is_file()} == set()


# --- what rows and marks may say ------------------------------------------------------------------


def test_nothing_contradicts_itself_where_each_row_is_shown() -> None:
    assert contradictions(ALL, SHOWN) == []


@pytest.mark.parametrize(
    ("rows", "claims", "found"),
    [
        (ALL[:-1], SHOWN[:-1], "the rows are not 1 to 124"),
        ([*ALL, row(7)], SHOWN, "the rows are not 1 to 124"),
        (ALL, SHOWN[1:], "row 1 is done, and no test shows it"),
        ([row(1, state="setting", setting="s"), *ALL[1:]], SHOWN[1:], "row 1 is setting, and no"),
        ([row(1, **LATER), *ALL[1:]], SHOWN, "test_it shows row 1, which is later"),
        (ALL, [*SHOWN, Claim(125, "tests/test_a.py", "test_it")], "row 125, which does not exist"),
    ],
)
def test_a_contradiction_is_told(rows: list[Row], claims: list[Claim], found: str) -> None:
    (told,) = contradictions(rows, claims)
    assert found in told


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 0},
        {"state": "perhaps"},
        {"state": "later"},
        {"state": "later", "why": "not built yet"},
        {"why": "a reason"},
        {"where": None},
        {"setting": "freeze"},
        {"state": "setting"},
        {"colour": "blue"},
    ],
)
def test_a_row_says_what_its_state_needs_and_nothing_else(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        row(1, **changes)


def test_a_row_is_shown_with_its_tests_cases_and_setting() -> None:
    rows = [row(1, state="setting", setting="freeze", tag="M-low"), row(2, **LATER), *ALL[2:]]
    claims = [
        Claim(1, "tests/test_a.py", "test_it", "one more"),
        Claim(1, "tests/b.py", "test_b"),
        Claim(1, "tests/test_a.py", "test_it", "one less"),
    ]
    page = requirements_page(rows, claims)
    assert (
        "| 1 | *para 1 [M low]*: be | setting | here; setting `freeze` "
        "| [`test_it`](../tests/test_a.py): one more; one less<br>[`test_b`](../tests/b.py) |"
    ) in page
    assert "| 2 | *para 1*: be | later | not built yet |  |" in page
    assert page.endswith("124 rows: 122 done, 1 setting, 1 later.\n")


# --- marks ----------------------------------------------------------------------------------------

PASSING = """\
import pytest

@pytest.mark.requirement(3)
@pytest.mark.requirement(1, 2, case="good")
@pytest.mark.parametrize("name", ["good", "other"])
def test_it(name):
    assert name
"""


def project(folder: Path, *, tests: str = PASSING, conftest: str = "") -> None:
    """A project with one module of tests, whose marks are held like ours."""
    (folder / "tests").mkdir()
    (folder / "tests/test_it.py").write_text(tests, encoding="utf-8")
    hooks = (
        "from tests.claims import hold_claims, pytest_runtest_makereport\n"
        "def pytest_collection_finish(session):\n    hold_claims(session)\n"
    )
    (folder / "conftest.py").write_text(hooks + conftest, encoding="utf-8")
    (folder / "pytest.toml").write_text(
        '[pytest]\ntestpaths = ["tests"]\nmarkers = ["requirement"]\nxfail_strict = true\n'
    )


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_marks_are_read_with_their_rows_and_case(tmp_path: Path) -> None:
    project(tmp_path)
    assert read_claims(tmp_path) == [
        Claim(1, "tests/test_it.py", "test_it", "good"),
        Claim(2, "tests/test_it.py", "test_it", "good"),
        Claim(3, "tests/test_it.py", "test_it"),
    ]


@pytest.mark.parametrize("said", ["", '"one"', "1, rows=2", "*ROWS", "1, case=5", "1, case=NAME"])
def test_a_mark_that_cannot_be_read_is_refused_with_its_place(tmp_path: Path, said: str) -> None:
    mark = f"@pytest.mark.requirement({said})\ndef test_it():\n    assert True\n"
    project(tmp_path, tests=f"import pytest\n\n{mark}")
    with pytest.raises(ValueError, match=r"tests/test_it\.py:3: .* has not numbers of rows"):
        read_claims(tmp_path)


def test_a_run_in_which_every_marked_test_passes_is_a_good_one(tmp_path: Path) -> None:
    project(tmp_path)
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


SKIPPED = {
    "skipped by a mark": PASSING.replace("def test_it", '@pytest.mark.skip("no")\ndef test_it'),
    "skipped by itself": PASSING.replace("assert name", 'pytest.skip("no")'),
    "failing as expected": PASSING.replace(
        "def test_it(name):\n    assert name",
        "@pytest.mark.xfail\ndef test_it(name):\n    assert not name",
    ),
    "without any parameters": PASSING.replace('["good", "other"]', "[]"),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_a_marked_test_that_is_not_run_to_its_end_fails(tmp_path: Path, name: str) -> None:
    project(tmp_path, tests=SKIPPED[name])
    done = run(tmp_path, "-k", "test_it")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "shows a requirement, so it is not skipped" in done.stdout


MISSING = {
    "left out by the project": {
        "conftest": "def pytest_collection_modifyitems(items):\n    items.clear()\n"
    },
    "in a module that skips itself": {
        "tests": PASSING.replace("\n\n", '\n\npytest.skip("no", allow_module_level=True)\n\n', 1)
    },
    "of a case that there is not": {"tests": PASSING.replace('case="good"', 'case="better"')},
}


@pytest.mark.parametrize("name", MISSING)
def test_a_whole_run_without_a_marked_test_ends_at_once(tmp_path: Path, name: str) -> None:
    project(tmp_path, **MISSING[name])
    done = run(tmp_path)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "tests that show requirements are missing: tests/test_it.py::test_it" in done.stderr


def test_whoever_asks_for_less_gets_less(tmp_path: Path) -> None:
    other = "\ndef test_other():\n    assert True\n"
    project(tmp_path, tests=PASSING.replace('case="good"', 'case="better"') + other)
    for words in (["-k", "test_other"], ["tests/test_it.py::test_other"]):
        done = run(tmp_path, *words)
        assert done.returncode == 0, done.stdout + done.stderr
