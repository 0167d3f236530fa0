# SPDX-License-Identifier: Apache-2.0
"""What the terminal shows of a run, with a terminal and without one."""

import io

import pytest
from rich.console import Console

from harness.console import Progress, show
from harness.outcome import Outcome


def plain(width: int = 160) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, width=width, highlight=False, emoji=False), written


def shown(outcome: Outcome, width: int = 160) -> list[str]:
    console, written = plain(width)
    show(outcome, console)
    return written.getvalue().splitlines()


def test_tables_totals_and_verdict_are_shown(outcome: Outcome) -> None:
    lines = shown(outcome)
    row = next(line for line in lines if "THA01-THA-1 " in line)
    assert row.split() == [
        *("THA01-THA-1", "A1", "first-transfer", "THA01/THA", "CHE01/CHE", "7,140,001"),
        *("completed", "1.75"),
    ]
    assert any("refused at home" in line and "(not sent)" in line for line in lines)
    assert any("expired (expected rejected)" in line for line in lines)
    told = [line.split(maxsplit=1) for line in lines if line.startswith(("A1 ", "A2 "))]
    assert [(name, " ".join(words.split())) for name, words in told] == [
        ("A1", "Thailand to Switzerland, buses 3 differs, see below"),
        ("A2", "Ghana, stoves 0 as expected"),
    ]
    row = next(line for line in lines if "REC-1" in line)
    assert row.split() == [
        *("REC-1", "CHE01/CHE", "itmo:CA0005-THA01-THA-2022", "1917-1960", "44"),
        "held-without-issuance",
    ]
    text = "\n".join(lines)
    for words in ("1 completed, 1 expired", "1,234 entries", "5,678 under 4,321", "22.5 seconds"):
        assert words in text
    assert "  - step step-3 ended expired, expected rejected" in lines
    assert lines[-1] == "FAIL: 1 expectation did not hold, listed above"


def test_the_last_line_says_that_a_run_passed(outcome: Outcome) -> None:
    summary = outcome.summary.model_copy(update={"expectations_failed": []})
    lines = shown(outcome.model_copy(update={"summary": summary, "discrepancies": []}))
    assert lines[-1] == "PASS: every expectation of the scenario held"
    assert "No discrepancies." in lines


def test_ids_and_keys_are_whole_even_where_it_is_narrow(outcome: Outcome) -> None:
    text = "".join("".join(line.split()) for line in shown(outcome, width=70))
    assert "…" not in text.replace("abababababababab…", "")


def test_nothing_in_a_name_is_obeyed(outcome: Outcome) -> None:
    nasty = "[bold]:smile:[/] \x1b[31mred\x1b[0m \u202e"
    lines = [t.model_copy(update={"case": nasty, "story": nasty}) for t in outcome.transactions]
    console, written = plain(300)
    show(outcome.model_copy(update={"title": nasty, "transactions": lines}), console)
    with Progress(2, console) as progress:
        progress.step("one", nasty)
    assert written.getvalue().count("[bold]:smile:[/]") == 5
    assert not set(written.getvalue()) & {"\x1b", "\u202e"}


def test_without_a_terminal_each_step_is_a_line() -> None:
    console, written = plain()
    with Progress(2, console) as progress:
        for name in ("one", "two", "three"):
            progress.step(name, f"the story of {name} " * 20)
        progress.done()
    lines = written.getvalue().splitlines()
    assert [line[:10] for line in lines] == ["[1/2] one:", "[2/2] two:", "[3/3] thre"]


@pytest.mark.parametrize("total", [0, 2])
def test_with_a_terminal_there_is_a_bar(total: int) -> None:
    written = io.StringIO()
    console = Console(file=written, width=100, force_terminal=True, highlight=False)
    with Progress(total, console) as progress:
        progress.step("one", "the story of one")
        progress.step("two", "the story of two\nin two lines")
        progress.step("three", "the story of three")
        progress.done()
    assert "3/3" in written.getvalue()
