# SPDX-License-Identifier: Apache-2.0
"""What the README shows of the demonstration is what its scenario says; the maps name real files.

Times, digests and counts of messages differ from run to run and are not looked at.
"""

import re
from io import StringIO
from pathlib import Path
from xml.dom import minidom

import pytest
from rich.console import Console

from harness import console
from harness.gallery import standalone
from harness.loading import load_scenario
from harness.outcome import Outcome, Summary
from harness.pictures import draw_flows
from harness.report import STATES
from harness.scenario import Step

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
SCENARIO = load_scenario(ROOT / "scenarios" / "article6.toml")
STEPS = SCENARIO.every_step()
PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))


def shown() -> list[str]:
    """The lines of the demonstration's output in the README."""
    found = re.search(r"<!-- demo -->\n```text\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


def table(title: str) -> list[list[str]]:
    """Head and rows of a table in the output, cell by cell."""
    lines = shown()
    start = lines.index(title) + 1
    end = lines.index("", start)
    rows = [line for line in lines[start:end] if line != "[…]" and not line.startswith("─")]
    return [re.split(r" {2,}", row.strip()) for row in rows]


def printed() -> str:
    """What the program prints of a run without transactions."""
    summary = Summary(
        title=SCENARIO.title,
        examples={},
        transactions=SCENARIO.expect.transactions,
        units_issued=SCENARIO.expect.units_issued,
        units_by_position={},
        units_by_layer={},
        discrepancies=[],
        settled=True,
        log_size=0,
        log_root="0" * 64,
        messages=0,
        signatures=0,
        evidence=0,
        expectations_failed=[],
    )
    outcome = Outcome(
        title=SCENARIO.title,
        sources=[],
        registries={},
        started_at="",
        finished_at="",
        examples=[],
        transactions=[],
        flows=[],
        holdings=[],
        timeline_of="",
        timeline=[],
        proof=[],
        discrepancies=[],
        summary=summary,
    )
    text = StringIO()
    console.show(outcome, Console(file=text, width=160, highlight=False))
    return text.getvalue()


def is_shown_as(step: Step, row: list[str]) -> bool:
    """Whether a row of the table may be this step's."""
    _, example, action, proposer, acquirer, quantity, state, _ = row
    units = sum(u.span()[2] - u.span()[1] + 1 for u in step.units)
    if step.issue is not None:
        units = step.issue["quantity"]
    counted = quantity.partition(" ")[0]
    return (example, action, proposer, acquirer, counted, state) == (
        step.case,
        step.action,
        str(step.by),
        str(step.acquirer or "-"),
        f"{units:,}" if units else "-",
        STATES[step.expect].name,
    )


def test_the_output_begins_with_the_scenarios_title_and_ends_as_the_program_does() -> None:
    lines = shown()
    assert lines[0] == SCENARIO.title
    assert "PASS: every expectation of the scenario held" in lines
    assert "PASS: every expectation of the scenario held" in printed()
    assert lines[-3:] == [
        "Report: demo-output/report.html, messages: demo-output/messages",
        "Evidence: .venv/bin/a6hub verify demo-output/evidence --trust demo-output/trust.json",
        "Workbooks: .venv/bin/a6hub aef check demo-output/aef",
    ]


def test_every_transaction_shown_is_a_step_of_the_scenario_in_its_order() -> None:
    head, *rows = table("Transactions")
    assert head[:2] == ["Transaction", "Example"]  # a case is a discrepancy
    assert " ".join(head) in " ".join(printed().split())
    assert len(rows) > 8
    steps = iter(STEPS)
    for row in rows:
        assert any(is_shown_as(step, row) for step in steps), row


def test_the_examples_shown_are_those_of_the_scenario() -> None:
    head, *rows = table("Examples")
    assert head == ["Example", "What it is", "Steps", "Outcome"]
    assert rows == [
        [one.id, one.title, str(len(one.every_step())), "as expected"] for one in SCENARIO.examples
    ]


def test_the_discrepancies_shown_are_those_that_the_scenario_expects() -> None:
    head, *rows = table("Discrepancies")
    assert head == ["Case", "Registry", "Key", "First-last", "Quantity", "Cause"]
    expected = set()
    for planted in SCENARIO.expect.discrepancies:
        key, first, last = planted.span()
        quantity = f"{last - first + 1:,}"
        expected.add((planted.actor, key.text, f"{first}-{last}", quantity, planted.cause))
    assert {tuple(row[1:]) for row in rows} == expected


def test_the_totals_shown_are_those_that_the_scenario_expects() -> None:
    (log,) = (line for line in shown() if line.startswith("In the log:"))
    counts = {name: int(number) for number, name in re.findall(r"(\d+) (\w+)", log)}
    assert SCENARIO.expect.transactions.items() <= counts.items()
    (brought,) = (line for line in shown() if line.startswith("Brought into being:"))
    assert brought in printed()


def test_every_member_of_the_summary_is_explained() -> None:
    section = README[README.index("`summary.json`:") : README.index("The exit status is 0")]
    rows = re.findall(r"^\| (.+?) \|", section, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert told == list(Summary.model_fields)


# --- pictures -----------------------------------------------------------------------------------


def test_the_readme_shows_every_picture() -> None:
    assert {f"docs/pictures/{path.name}" for path in PICTURES} == set(
        re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    )


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_a_file_by_itself(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8")
    root = minidom.parseString(text).documentElement  # noqa: S318 - our own
    assert root is not None
    assert root.tagName == "svg"
    assert "<script" not in text
    assert not re.search(r"\b(?:href|src)=|url\(|@import", text)
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_the_pictures_show_the_scenarios_figures() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in PICTURES)
    names = [r.name for r in SCENARIO.registries if str(r.id) in {"THA01", "CHE01", "GHA01"}]
    for words in [*names, "1,916", "44 more"]:
        assert words in text


def test_a_picture_keeps_its_title_and_gets_a_ground() -> None:
    made = standalone(draw_flows([], {}), "svg { color: red }")
    assert made.index("<title>") < made.index("<style>") < made.index('class="ground"')
    minidom.parseString(made)  # noqa: S318 - our own


# --- maps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "docs/operating.md"])
def test_every_file_that_a_page_names_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|toml|json|md|yaml|jinja))`", text))
    named |= set(re.findall(r"`((?:schemas|docs|scenarios|harness)/[a-z]+)`", text))
    outputs = {"demo-output/report.html"}
    assert {path for path in named - outputs if not (ROOT / path).exists()} == set()


def test_the_map_names_every_package_and_no_other() -> None:
    block = re.search(r"```\n(harness/.*?)```", ARCHITECTURE, re.DOTALL)
    assert block is not None
    named = re.findall(r"^(\w+)/ ", block[1], re.MULTILINE)
    assert sorted(named) == sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
    for package in named:
        line = re.search(rf"^{package}/ +(.*)$", block[1], re.MULTILINE)
        assert line is not None
        assert line[1].startswith("process:") == (ROOT / package / "__main__.py").exists()
