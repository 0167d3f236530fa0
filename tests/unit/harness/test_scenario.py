# SPDX-License-Identifier: Apache-2.0
"""Scenario files: those of the project load, and a wrong one says where it is wrong."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.scenario import Scenario, ScenarioError, Step, load_scenario, read_account
from schemas.messages import Proposal

FOLDER = Path(__file__).resolve().parents[3] / "scenarios"
SMALL = (FOLDER / "small.toml").read_text(encoding="utf-8")


def every_step(scenario: Scenario) -> list[Step]:
    return [*scenario.steps, *scenario.after.steps]


@pytest.mark.parametrize("name", ["article6", "small"])
def test_the_files_of_the_project_load_and_every_step_is_a_proposal(name: str) -> None:
    scenario = load_scenario(FOLDER / f"{name}.toml")
    for step in every_step(scenario):
        arguments = step.arguments()
        if step.issue is not None:  # worked out by the mechanism registry
            continue
        arguments["quantity"] = sum(x["last"] - x["first"] + 1 for x in arguments["lines"])
        arguments["expires_at"] = "2026-01-01T00:00:00.000000Z"
        del arguments["actor"], arguments["lifetime_seconds"]
        Proposal.model_validate_json(json.dumps(arguments))


def expectations(name: str) -> Iterator[tuple[str, int]]:
    """Every line of a file that says what must come of a step, or of the whole."""
    lines = (FOLDER / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    end = lines.index("[expect]")
    for number, line in enumerate(lines):
        told = number >= end and line.strip() and not line.startswith("#")
        if told or line.startswith(("expect = ", "reason = ")):
            yield name, number


@pytest.mark.parametrize(("name", "number"), [*expectations("article6"), *expectations("small")])
def test_no_line_of_the_expectations_can_be_left_out(
    name: str, number: int, tmp_path: Path
) -> None:
    """A demo that expects less than it says would pass whatever came."""
    lines = (FOLDER / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    del lines[number]
    path = tmp_path / "less.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    try:
        scenario = load_scenario(path)
    except ScenarioError:
        return  # exit status 2
    assert ends(scenario) != scenario.expect.transactions, "the run compares them: 1"


@pytest.mark.parametrize("name", ["article6", "small"])
def test_what_is_expected_of_steps_adds_up_to_what_is_expected_at_the_end(name: str) -> None:
    scenario = load_scenario(FOLDER / f"{name}.toml")
    assert ends(scenario) == scenario.expect.transactions


def ends(scenario: Scenario) -> Counter[str]:
    """How many transactions end how, by the steps."""
    return Counter(s.expect for s in every_step(scenario) if s.expect != "refused-here")


def test_the_cases_of_the_issue_are_all_there() -> None:
    scenario = load_scenario(FOLDER / "article6.toml")
    assert {"A1", "A2", "A3", "A4", "A10"} <= {step.case for step in every_step(scenario)}
    assert scenario.expect.transactions["completed"] >= 12
    assert {"refused", "rejected", "expired"} <= set(scenario.expect.transactions)
    assert len(scenario.plants) == len(scenario.expect.discrepancies) == 2
    surplus = next(plant for plant in scenario.plants if plant.set_last)
    assert (surplus.actor, surplus.set_last) == ("CHE01/CHE", 1960)
    quantities = {
        last - first + 1
        for step in scenario.steps
        if step.action == "first-transfer"
        for _, first, last in (units.span() for units in step.units)
    }
    assert {1916, 11_733, 7_140_000, 4_000, 6_000} <= quantities


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
    "unknown end": ('expect = "refused-here"', 'expect = "lost"', "after/steps/0/expect"),
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


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'title = "R\xe9publique"')
    for path in (tmp_path / "absent.toml", tmp_path, tmp_path / "latin.toml"):
        with pytest.raises(ScenarioError, match=path.name):
            load_scenario(path)
