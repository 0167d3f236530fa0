# SPDX-License-Identifier: Apache-2.0
"""Lists that operators and their scripts read: heads, columns, forms, and nothing cut or obeyed."""

import csv
import json
from io import StringIO

import pytest

from runtime.listing import Form, write_list

COLUMNS = ("case", "first", "equal", "told", "words")
ROWS = [
    ("REC-7", 91, True, ("GHA01/GHA", "CHE01/CHE"), "lost"),
    ("REC-12", None, False, (), None),
]
NASTY = "a\x1b[2Jb\u202e\x00\r\nc"


def written(
    capsys: pytest.CaptureFixture[str], form: Form, *rows: tuple[object, ...], short: str = ""
) -> str:
    """What is printed of rows, of which nothing goes to standard error."""
    write_list("cases", COLUMNS, rows or ROWS, form, short.split())
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


def test_text_has_a_head_and_columns_that_stand_under_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert written(capsys, Form.TEXT) == (
        "case    first  equal  told                  words\n"
        "REC-7      91  yes    GHA01/GHA; CHE01/CHE  lost\n"
        "REC-12      -  no     -                     -\n"
    )


def test_text_may_leave_columns_out_and_every_other_form_has_them_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert written(capsys, Form.TEXT, short="words case") == (
        "words  case\nlost   REC-7\n-      REC-12\n"
    )
    for form in (Form.RECORD, Form.JSON, Form.CSV, Form.HTML):
        told = written(capsys, form, short="words case")
        assert [name for name in COLUMNS if name not in told] == [], form


def test_a_record_has_each_column_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("REC-7", 91, True, ("GHA01/GHA", "CHE01/CHE"), "two\nlines"), ROWS[1]]
    assert written(capsys, Form.RECORD, *rows) == (
        "case   REC-7\nfirst  91\nequal  yes\ntold   GHA01/GHA\n       CHE01/CHE\n"
        "words  two\n       lines\n"
        "\n"
        "case   REC-12\nfirst  -\nequal  no\ntold   -\nwords  -\n"
    )


def test_programs_read_numbers_truth_and_lists(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = json.loads(written(capsys, Form.JSON))
    assert list(first) == list(COLUMNS)
    assert first["told"] == ["GHA01/GHA", "CHE01/CHE"]
    assert list(second.values()) == ["REC-12", None, False, [], None]
    head, *rows = csv.reader(StringIO(written(capsys, Form.CSV), newline=""))
    assert head == list(COLUMNS)
    assert rows == [
        ["REC-7", "91", "True", "GHA01/GHA; CHE01/CHE", "lost"],
        ["REC-12", "", "False", "", ""],
    ]


def test_a_line_is_as_long_as_what_it_holds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    long = "0123456789" * 40
    (_, line) = written(capsys, Form.TEXT, ("REC-7", 1, None, (long, long), long)).splitlines()
    assert line.count(long) == 3


def test_wide_characters_take_the_place_that_they_take_on_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [("東京", 1, None, (), "x"), ("Ōta", 2, None, (), "y")]
    assert written(capsys, Form.TEXT, *rows, short="case first") == (
        "case  first\n東京      1\nŌta       2\n"
    )


@pytest.mark.parametrize("form", Form)
def test_no_form_has_anything_that_a_terminal_obeys(
    form: Form, capsys: pytest.CaptureFixture[str]
) -> None:
    told = written(capsys, form, (NASTY, 1, None, (NASTY,), NASTY))
    ends = "\r\n" if form is Form.CSV else "\n"
    assert all(line.isprintable() for line in told.replace(ends, "\n").split("\n")), repr(told)
    assert "\\u001b[2J" in told
    if form is Form.TEXT:
        assert len(told.splitlines()) == 2, "nor begins another line"


@pytest.mark.parametrize("form", [Form.TEXT, Form.RECORD])
def test_an_empty_list_says_so_to_people_alone(
    form: Form, capsys: pytest.CaptureFixture[str]
) -> None:
    write_list("cases", COLUMNS, [], form)
    assert tuple(capsys.readouterr()) == ("", "none\n")
