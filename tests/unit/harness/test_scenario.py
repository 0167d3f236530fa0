# SPDX-License-Identifier: Apache-2.0
"""Scenario files: those of the project load, and a wrong one says where it is wrong."""

import json
import shutil
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.expected import read_account, years_of
from harness.loading import load_scenario
from harness.scenario import Example, Scenario, ScenarioError
from ledger.first_transfer import Subtype
from schemas.messages import Proposal
from tests.plain import traces_of_pydantic

FOLDER = Path(__file__).resolve().parents[3] / "scenarios"
SMALL = (FOLDER / "small.toml").read_text(encoding="utf-8")


ARTICLE6 = FOLDER / "article6.toml"
FILES = [FOLDER / "small.toml", ARTICLE6, *sorted((FOLDER / "article6").iterdir())]
"""Both scenarios, and the examples of the larger."""


@pytest.mark.parametrize("name", ["article6", "small"])
def test_the_files_of_the_project_load_and_every_step_is_a_proposal(name: str) -> None:
    scenario = load_scenario(FOLDER / f"{name}.toml")
    for step in scenario.every_step():
        arguments = step.arguments()
        if step.issue is not None:  # worked out by the mechanism registry
            continue
        if step.reason == "command-invalid":  # no proposal at all
            continue
        arguments["quantity"] = sum(x["last"] - x["first"] + 1 for x in arguments["lines"])
        arguments["expires_at"] = "2026-01-01T00:00:00.000000Z"
        del arguments["actor"], arguments["lifetime_seconds"]
        Proposal.model_validate_json(json.dumps(arguments))


def test_every_example_is_named_by_the_scenario_and_bears_the_number_of_its_file() -> None:
    named = tomllib.loads(ARTICLE6.read_text(encoding="utf-8"))["examples"]
    assert sorted(named) == sorted(
        f"article6/{path.name}" for path in (FOLDER / "article6").iterdir()
    )
    for name, example in zip(named, load_scenario(ARTICLE6).examples, strict=True):
        assert int(Path(name).name[1:3]) == int(example.id[1:])


def expectations(path: Path) -> Iterator[tuple[Path, int]]:
    """Every line of a file that says what must come of a step, or of the whole."""
    lines = path.read_text(encoding="utf-8").splitlines()
    end = lines.index("[expect]")
    for number, line in enumerate(lines):
        told = number >= end and line.strip() and not line.startswith("#")
        if told or line.startswith(("expect = ", "reason = ")):
            yield path, number


@pytest.mark.parametrize(
    ("path", "number"),
    [one for path in FILES for one in expectations(path)],
    ids=lambda value: value.stem if isinstance(value, Path) else str(value),
)
def test_no_line_of_the_expectations_can_be_left_out(
    path: Path, number: int, tmp_path: Path
) -> None:
    """A demo that expects less than it says would pass whatever came."""
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    copy = tmp_path / path.relative_to(FOLDER)
    lines = copy.read_text(encoding="utf-8").splitlines()
    del lines[number]
    copy.write_text("\n".join(lines), encoding="utf-8")
    try:
        scenario = load_scenario(copy if copy.parent == tmp_path else tmp_path / ARTICLE6.name)
    except ScenarioError:
        return  # exit status 2
    assert ends(scenario) != scenario.expect.transactions, "the run compares them: 1"


@pytest.mark.parametrize("name", ["article6", "small"])
def test_what_is_expected_of_steps_adds_up_to_what_is_expected_at_the_end(name: str) -> None:
    scenario = load_scenario(FOLDER / f"{name}.toml")
    assert ends(scenario) == scenario.expect.transactions


def ends(scenario: Scenario) -> Counter[str]:
    """How many transactions end how, by the steps."""
    return Counter(s.expect for s in scenario.every_step() if s.expect != "refused-at-home")


def test_the_figures_of_the_real_examples_are_those_that_were_published() -> None:
    examples = {example.id: example for example in load_scenario(ARTICLE6).examples}
    transferred = {
        id_: list(one.expect.first_transferred().values()) for id_, one in examples.items()
    }
    assert transferred["A1"] == [1916]
    assert transferred["A2"] == [11_733, 60_000]
    assert {subtype for subtype, _ in examples["A3"].expect.first_transferred()} == {
        Subtype.AUTHORIZATION,
        Subtype.ISSUANCE,
        Subtype.USE_OR_CANCELLATION,
        Subtype.INTERNATIONAL,
    }
    assert sum(one.last - one.first + 1 for one in examples["A3"].expect.held()) == 7_140_000
    assert sum(transferred["A6"]) == 2_175_000
    assert len(transferred["A6"]) == 20
    assert transferred["A4"] == [500, 200, 6_000], "five per cent, two, and what is authorized"
    assert transferred["A5"] == [200, 9_300]
    assert transferred["A9"] == [400, 200]
    assert transferred["A10"] == [4_000, 6_000]
    (authorized,) = [s.terms for s in examples["A2"].steps if s.terms is not None]
    assert (authorized["date"], authorized["quantity"]) == ("2024-02-29", 71_733)
    assert {step.story for step in examples["A2"].steps if "8 July 2025" in step.story}
    planted = examples["A1"].plants
    assert [(plant.days_later, plant.set_last) for plant in planted] == [(5, None), (None, 1960)]


def test_accounts_are_written_by_owner_kind_and_number_or_as_printed() -> None:
    printed = read_account("GHA01/GHA:holding:1")
    assert printed == "GHA01-GHA-HLD-1-51"
    assert read_account(str(printed)) == printed


WRONG = {
    "no TOML": ("[expect]", "[expect", "line"),
    "wrong key at the top": ('title = "', 'titel = "', "title"),
    "wrong key in a registry": ('program = "party"', 'programme = "party"', "registries/0/program"),
    "unknown program": ('program = "party"', 'program = "bank"', "registries/0/program"),
    "wrong key in a step": ('case = "A1"', 'caze = "A1"', "steps/0/caze"),
    "wrong key in a unit": ("itmo_first = 1", "itmo_last = 1", "steps/2/units/0/itmo_last"),
    "wrong key in a plant": ("set_last = 1960", "set_end = 1960", "plants/0/set_end"),
    "wrong key after the plants": ('reason = "units-frozen"', 'why = "x"', "after/steps/0/why"),
    "wrong key in an expectation": ("units_issued = {", "units = {", "expect/units"),
    "no name": ('name = "issuance"\n', "", "steps/0/name"),
    "unknown end": ('expect = "refused-at-home"', 'expect = "lost"', "after/steps/0/expect"),
    "unknown reason": ('reason = "units-frozen"', 'reason = "cold"', "after/steps/0/reason"),
    "unknown cause": ('cause = "missing"', 'cause = "gone"', "expect/discrepancies/1/cause"),
    "unknown profile": ('profile = "information"', 'profile = "all"', "profiles/0/profile"),
    "malformed registry": ('id = "THA01"', 'id = "THAI"', "registries/0/id"),
    "malformed actor": ('by = "THA01/THA"', 'by = "Thailand"', "steps/0/by"),
    "unknown actor": ('by = "THA01/THA"', 'by = "LAO01/LAO"', "LAO01/LAO"),
    "step twice": ('name = "authorization"', 'name = "issuance"', "issuance stands twice"),
    "plant after nothing": ('after = "first-transfer"', 'after = "lunch"', "lunch"),
    "plant of no block": ('last = "CA0005-THA01-THA-1916-2022"\nset', 'last = "1916"\nset', "1916"),
    "bad account": ('account = "CHE01/CHE:use:1"', 'account = "CHE01/CHE:use"', "CHE01/CHE:use"),
    "bad kind": ('account = "CHE01/CHE:use:1"', 'account = "CHE01/CHE:purse:1"', "purse"),
    "bad account number": ('account = "CHE01/CHE:use:1"', 'account = "CHE01/CHE:use:x"', "use:x"),
    "bad check digits": ('target = "THA01/THA:holding:1"', 'target = "THA01-THA-HLD-1-67"', "67"),
    "bad account of a unit": ('target = "THA01/THA:holding:1"', 'target = "here"', "here"),
    "bad identifier": ('first = "CA0005-THA01-THA-1-2022"', 'first = "CA5-THA-1"', "CA5-THA-1"),
    "range reversed": ('"CA0005-THA01-THA-1-2022"', '"CA0005-THA01-THA-2017-2022"', "comes after"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_with_the_place(name: str, tmp_path: Path) -> None:
    old, new, place = WRONG[name]
    assert old in SMALL
    path = tmp_path / "wrong.toml"
    path.write_text(SMALL.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ScenarioError) as refused:
        load_scenario(path)
    assert str(path) in str(refused.value)
    assert place in str(refused.value)
    assert traces_of_pydantic(str(refused.value)) == []


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'title = "R\xe9publique"')
    for path in (tmp_path / "absent.toml", tmp_path, tmp_path / "latin.toml"):
        with pytest.raises(ScenarioError, match=path.name):
            load_scenario(path)


def test_a_folder_or_an_example_alone_is_said_to_be_one() -> None:
    with pytest.raises(ScenarioError, match="a folder; name a scenario's file"):
        load_scenario(FOLDER)
    for path in (FOLDER / "article6").glob("*.toml"):
        with pytest.raises(ScenarioError, match=r"one example, .*; name that with --scenario"):
            load_scenario(path)


def test_a_name_stands_for_one_of_each_year() -> None:
    assert years_of("a6-peru-2021..2023") == [
        ("a6-peru-2021", 2021),
        ("a6-peru-2022", 2022),
        ("a6-peru-2023", 2023),
    ]
    assert years_of("a6-peru-2021") == [("a6-peru-2021", None)]


EXAMPLE = """
id = "A1"
title = "Thailand to Switzerland"
shows = "A transfer in two years, the same transfer twice, and a wrong date."
source = "The gazette."

[[steps]]
name = "transfer-2021..2022"
by = "THA01/THA"
action = "first-transfer"
acquirer = "CHE01/CHE"
units = [{ first = "CA0005-THA01-THA-1-{year}", last = "CA0005-THA01-THA-9-{year}" }]
story = "In {year}."

[[steps]]
name = "again"
by = "CHE01/CHE"
action = "transfer"
units = []

[[steps]]
name = "and-again"
by = "CHE01/CHE"
action = "transfer"
units = []

[[plants]]
after = "again"
actor = "CHE01/CHE"
first = "CA0005-THA01-THA-1-2021"
last = "CA0005-THA01-THA-9-2021"
days_later = 5

[expect]
first_transfers.first-international-transfer = { "transfer-2021..2022" = 9 }
adjustments = { "THA 2021..2022" = 9, "CHE 2025" = -4 }
alike = ["again", "and-again"]

[expect.holdings."itmo:CA0005-THA01-THA-2021..2022"]
"1-4" = "CHE01/CHE:use:1"
"5-9" = "CHE01/CHE:holding:1"

[[expect.misdated]]
actor = "CHE01/CHE"
step = "transfer-2021"
days = 5
"""

MAIN = """
title = "One example"
log = "a.b"
examples = ["example.toml"]

[[registries]]
id = "THA01"
program = "party"
name = "Thailand"
actors = ["THA01/THA"]

[[registries]]
id = "CHE01"
program = "party"
name = "Switzerland"
actors = ["CHE01/CHE"]

[expect]
transactions = { completed = 4 }
units_issued = { itmo = 18 }
settled = true
"""


def with_example(folder: Path, old: str = "", new: str = "") -> Scenario:
    assert old in EXAMPLE
    (folder / "example.toml").write_text(EXAMPLE.replace(old, new, 1), encoding="utf-8")
    (folder / "main.toml").write_text(MAIN, encoding="utf-8")
    return load_scenario(folder / "main.toml")


def test_a_scenario_has_all_that_its_examples_say(tmp_path: Path) -> None:
    scenario = with_example(tmp_path)
    names = ["transfer-2021", "transfer-2022", "again", "and-again"]
    assert [step.name for step in scenario.steps] == names
    assert {step.case for step in scenario.steps} == {"A1"}
    assert scenario.steps[1].units[0].first == "CA0005-THA01-THA-1-2022"
    assert scenario.steps[1].story == "In 2022."
    assert scenario.sources == ["A1 Thailand to Switzerland: The gazette."]
    assert len(scenario.plants) == 1
    (example,) = scenario.examples
    assert isinstance(example, Example)
    assert example.expect.first_transferred() == {
        (Subtype.INTERNATIONAL, "transfer-2021"): 9,
        (Subtype.INTERNATIONAL, "transfer-2022"): 9,
    }
    assert example.expect.adjusted() == {"CHE 2025": -4, "THA 2021": 9, "THA 2022": 9}
    assert [(one.series[-4:], one.first, one.last) for one in example.expect.held()] == [
        ("2021", 1, 4),
        ("2021", 5, 9),
        ("2022", 1, 4),
        ("2022", 5, 9),
    ]


WRONG_EXAMPLES = {
    "no number": ('id = "A1"', 'id = "One"', "id"),
    "wrong key": ('shows = "', 'says = "', "shows"),
    "years in disorder": ("transfer-2021..2022", "transfer-2022..2021", "first year comes before"),
    "nothing about a first transfer": ("2021..2022", "2021..2023", "nothing about transfer-2023"),
    "no such kind of event": ("first-international-transfer", "first", "first_transfers"),
    "no such step": ('"again", "and-again"]', '"again", "anew"]', "anew is no step"),
    "alike untold": ('alike = ["again", "and-again"]', "alike = []", "alike are again, and-again"),
    "date untold": ("days_later = 5", "set_last = 9", "0 planted, 1 told"),
    "two errors in one": ("days_later = 5", "days_later = 5\nset_last = 9", "either delete"),
    "no range": ('"1-4"', '"4"', "'4' is no range"),
    "range reversed": ('"1-4"', '"4-1"', "'4-1' is no range"),
    "units in two places": ('"5-9"', '"4-9"', "stands twice"),
    "units nowhere": ('"5-9"', '"6-9"', "placed, {'itmo': 18} issued"),
    "no account": ('"CHE01/CHE:use:1"', '"CHE01/CHE:use"', "CHE01/CHE:use"),
    "no series": ('"itmo:CA0005-THA01-THA-2021..2022"', '"CA0005"', "CA0005"),
    "an answer of nobody": (
        'action = "transfer"',
        'action = "transfer"\nanswer = "accept"',
        "nobody",
    ),
}


@pytest.mark.parametrize("name", WRONG_EXAMPLES)
def test_a_wrong_example_is_refused_with_the_place(name: str, tmp_path: Path) -> None:
    old, new, place = WRONG_EXAMPLES[name]
    with pytest.raises(ScenarioError) as refused:
        with_example(tmp_path, old, new)
    assert place in str(refused.value)


@pytest.mark.parametrize("examples", ['"example.toml"', "[1]", '["absent.toml"]'])
def test_examples_are_files_that_are_there(examples: str, tmp_path: Path) -> None:
    path = tmp_path / "main.toml"
    path.write_text(MAIN.replace('["example.toml"]', examples), encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"examples|absent\.toml"):
        load_scenario(path)
