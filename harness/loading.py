# SPDX-License-Identifier: Apache-2.0
"""Reading scenario files: the scenario, the examples that it names, and whether all of it agrees.

What is wrong is told with the file and the member. What is expected must be said in full, since
what is left out would be missed by nobody: every refusal has a reason, every first transfer its
units, and the units that examples hold at the end are as many as were issued.

Elsewhere: what a file may say (`scenario`, `expected`).
"""

import tomllib
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from harness.expected import Planted, read_account, years_of
from harness.scenario import After, Example, Plant, Scenario, ScenarioError, Step
from schemas.identifiers import Actor
from schemas.plain import in_words, mistake_in
from schemas.units import Key

__all__ = ["load_scenario"]

M = TypeVar("M", bound=BaseModel)

IN_SOURCE = "in the folder scenarios of the source"
OF_AN_EXAMPLE = "shows"
"""A member that every example has and no scenario."""


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file and its examples; `ScenarioError` names what is wrong and where."""
    data = _read(path)
    if OF_AN_EXAMPLE in data and "registries" not in data:
        raise ScenarioError(
            f"{path}: one example, which runs in a scenario that names it under examples; name "
            "that with --scenario, such as scenarios/article6.toml"
        )
    names = data.pop("examples", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ScenarioError(f"{path}: examples: a list of files is wanted")
    examples = [_made(file, Example, _read(file)) for file in (path.parent / n for n in names)]
    scenario = _joined(_made(path, Scenario, data), examples)
    try:
        _check(scenario)
    except ValueError as error:
        raise ScenarioError(f"{path}: {error}") from None
    return scenario


def _read(path: Path) -> dict[str, Any]:
    if path.is_dir():
        raise ScenarioError(f"{path}: a folder; name a scenario's file, such as those {IN_SOURCE}")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return _each_year(data)
    except FileNotFoundError:
        raise ScenarioError(
            f"{path}: no such scenario; name one with --scenario, such as those {IN_SOURCE}"
        ) from None
    except (OSError, ValueError) as error:  # not TOML, not UTF-8, no years
        raise ScenarioError(f"{path}: {error}") from None


def _each_year(data: dict[str, Any]) -> dict[str, Any]:
    """Steps whose name ends in a span of years, once for each."""
    steps = data.get("steps")
    if not isinstance(steps, list):
        return data
    taken: list[Any] = []
    for step in steps:
        name = step.get("name") if isinstance(step, dict) else None
        if not isinstance(name, str):
            taken.append(step)
            continue
        for one, year in years_of(name):
            taken.append(step if year is None else {**_in_year(step, str(year)), "name": one})
    return {**data, "steps": taken}


def _in_year(value: Any, year: str) -> Any:
    if isinstance(value, dict):
        return {name: _in_year(member, year) for name, member in value.items()}
    if isinstance(value, list):
        return [_in_year(member, year) for member in value]
    return value.replace("{year}", year) if isinstance(value, str) else value


def _made(path: Path, model: type[M], data: dict[str, Any]) -> M:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(f"{path}: {mistake_in(error)}") from None


def _joined(scenario: Scenario, examples: list[Example]) -> Scenario:
    """The scenario with all that its examples say; their steps bear the example's id."""
    named = [_bearing_its_id(example) for example in examples]
    discrepancies = [one for example in named for one in example.expect.discrepancies]
    expect = scenario.expect.model_copy(
        update={"discrepancies": [*scenario.expect.discrepancies, *discrepancies]}
    )
    after = [step for example in named for step in example.after.steps]
    return scenario.model_copy(
        update={
            "sources": [*scenario.sources, *(f"{e.id} {e.title}: {e.source}" for e in named)],
            "steps": [*scenario.steps, *(step for e in named for step in e.steps)],
            "plants": [*scenario.plants, *(plant for e in named for plant in e.plants)],
            "after": After(steps=[*scenario.after.steps, *after]),
            "examples": named,
            "expect": expect,
        }
    )


def _bearing_its_id(example: Example) -> Example:
    def marked(steps: list[Step]) -> list[Step]:
        return [step.model_copy(update={"case": example.id}) for step in steps]

    after = After(steps=marked(example.after.steps))
    return example.model_copy(update={"steps": marked(example.steps), "after": after})


# --- whether it agrees --------------------------------------------------------------------------


def _check(scenario: Scenario) -> None:
    """References must resolve, names must be unique."""
    actors = set(scenario.actors())
    steps = scenario.every_step()
    names = _once([step.name for step in steps], "step")
    _once([example.id for example in scenario.examples], "example")
    for step in steps:
        if step.by not in actors:
            raise ValueError(f"step {step.name}: {step.by} is not an actor of this scenario")
        if step.acquirer is not None and step.acquirer not in actors:
            raise ValueError(f"step {step.name}: {step.acquirer} is not an actor of this scenario")
        if step.answer is not None and step.acquirer is None:
            raise ValueError(f"step {step.name}: nobody answers where nobody acquires")
        try:
            step.arguments()
        except ValueError as error:
            raise ValueError(f"step {step.name}: {in_words(error)}") from None
    for plant in scenario.plants:
        if plant.after not in names:
            raise ValueError(f"plant after {plant.after}: there is no such step")
        if plant.delete + (plant.set_last is not None) + (plant.days_later is not None) != 1:
            raise ValueError(f"plant after {plant.after}: either delete, set_last or days_later")
        plant.span()
    _check_expected(scenario, steps)
    named = [a for p in scenario.profiles for a in p.actors]
    named += [plant.actor for plant in scenario.plants]
    named += [planted.actor for planted in scenario.expect.discrepancies]
    for actor in named:
        if actor not in actors:
            raise ValueError(f"{actor} is not an actor of this scenario")
    for account in scenario.accounts:
        read_account(account.account)


def _once(names: list[str], what: str) -> set[str]:
    for name, times in Counter(names).items():
        if times > 1:
            raise ValueError(f"{what} {name} stands twice")
    return set(names)


_WITH_REASON = {"refused", "refused-at-home", "rejected"}


def _check_expected(scenario: Scenario, steps: list[Step]) -> None:
    """What is expected must be said in full: what is left out would be missed by nobody."""
    for step in steps:
        if (step.expect in _WITH_REASON) != (step.reason is not None):
            raise ValueError(f"step {step.name}: what is refused or rejected has a reason")
    planted = {_about(plant) for plant in scenario.plants}
    for one in scenario.expect.discrepancies:
        if one.actor.participant != one.participant or _about(one) not in planted:
            raise ValueError(f"expect/discrepancies: no such units of {one.actor} are planted")
    for example in scenario.examples:
        try:
            _check_example(example)
        except ValueError as error:
            raise ValueError(f"example {example.id}: {error}") from None
    if scenario.examples:
        _check_holdings(scenario)


def _check_example(example: Example) -> None:
    steps, expect = {step.name: step for step in example.every_step()}, example.expect
    transferred = {name for _, name in expect.first_transferred()}
    told = [*transferred, *expect.alike, *(one.step for one in expect.misdated)]
    for name in told:
        if name not in steps:
            raise ValueError(f"expect: {name} is no step of it")
    for step in steps.values():
        transfers = step.action == "first-transfer" and step.expect == "completed"
        if transfers and step.name not in transferred and not _brings_together(step):
            raise ValueError(f"expect/first_transfers: nothing about {step.name}")
    alike = {name for name, step in steps.items() if _twin(step, list(steps.values()))}
    if alike != set(expect.alike):
        raise ValueError(f"expect/alike: alike are {', '.join(sorted(alike)) or 'no two'}")
    dated = [plant for plant in example.plants if plant.days_later is not None]
    if len(dated) != len(expect.misdated):
        raise ValueError(f"expect/misdated: {len(dated)} planted, {len(expect.misdated)} told")


def _brings_together(step: Step) -> bool:
    """Whether the first transfer was an earlier event, which this one brings units to."""
    return step.acquirer is None


def _twin(step: Step, steps: list[Step]) -> bool:
    """Whether another step that counts proposes the very same."""
    return step.expect == "completed" and any(
        other.name != step.name
        and other.expect == "completed"
        and other.arguments() == step.arguments()
        for other in steps
    )


def _check_holdings(scenario: Scenario) -> None:
    """Every unit that was issued is somewhere at the end, in one example's words."""
    held: Counter[str] = Counter()
    placed: dict[str, list[tuple[int, int, str]]] = {}
    for example in scenario.examples:
        for one in example.expect.held():
            held[one.series.partition(":")[0]] += one.last - one.first + 1
            placed.setdefault(one.series, []).append((one.first, one.last, example.id))
    for series, ranges in placed.items():
        ranges.sort()
        for before, after in pairwise(ranges):
            if after[0] <= before[1]:
                told = f"{before[2]} and {after[2]}"
                raise ValueError(f"expect/holdings: {series} {after[0]} is placed by {told}")
    issued: Counter[str] = Counter()
    for name, units in scenario.expect.units_issued.items():
        issued[name.partition(" ")[0]] += units  # a series has one layer, and may have two metrics
    if held != issued:
        raise ValueError(f"expect/holdings: {dict(held)} placed, {dict(issued)} issued")


def _about(one: Plant | Planted) -> tuple[Actor, Key]:
    """Whose units, and of which key."""
    key, _, _ = one.span()
    return one.actor, key
