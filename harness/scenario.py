# SPDX-License-Identifier: Apache-2.0
"""Scenario files: a fleet of registries, what they do, what is planted, and what must come of it.

A scenario is TOML. `registries` are admitted with their sections, `profiles` connect pairs of
actors, `accounts` are opened, `steps` are proposed one after another by their actors, `plants`
edit rows behind a program's back after a step, and `expect` says what must hold at the end. Unknown
names anywhere are errors that say where.

An account is written `GHA01/GHA:holding:1`; units are given by their first and last identifiers.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.directory import Profile, Status
from schemas.effects import Cause
from schemas.findings import Reason
from schemas.identifiers import AccountNumber, Actor, Participant, account_number
from schemas.units import KIND_CODES, Key, Kind, Layer, parse_itmo_block

__all__ = ["Plant", "Scenario", "ScenarioError", "Step", "Units", "load_scenario", "read_account"]


class ScenarioError(ValueError):
    """A scenario file that cannot be run; the text names the member and what is wrong with it."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RegistryModel(_Model):
    """A registry and its sections."""

    id: Participant
    program: Literal["party", "international", "mechanism"]
    name: str
    actors: Annotated[list[Actor], Field(min_length=1)]
    accept: bool = True
    status: Status = Status.ACTIVE


class ProfileModel(_Model):
    """A connection profile between two actors."""

    actors: Annotated[list[Actor], Field(min_length=2, max_length=2)]
    profile: Profile


class AccountModel(_Model):
    """An account to open."""

    account: str
    name: str = ""


class Units(_Model):
    """A range of units, as a step's line. Attributes stand where units come into being."""

    first: str
    last: str
    layer: Layer = Layer.ITMO
    activity: str | None = None
    source: str | None = None
    target: str | None = None
    attributes: dict[str, Any] | None = None
    itmo_first: int | None = None

    def span(self) -> tuple[Key, int, int]:
        """The key and serial range of the printed identifiers."""
        key, first, last = parse_itmo_block(self.first, self.last)
        return key.model_copy(update={"layer": self.layer, "activity": self.activity}), first, last

    def line(self) -> dict[str, Any]:
        """The line of a proposal."""
        key, first, last = self.span()
        line: dict[str, Any] = {"key": key.model_dump(mode="json"), "first": first, "last": last}
        for name in ("source", "target"):
            account = getattr(self, name)
            if account is not None:
                line[name] = read_account(account)
        if self.attributes is not None:
            line["attributes"] = self.attributes
        if self.itmo_first is not None:
            line["itmo_first"] = self.itmo_first
        return line


class Step(_Model):
    """One action of one actor, and the state in which its transaction must end.

    `refused-here` means that the node's own checks refuse it and nothing is sent.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    case: str = ""
    by: Actor
    action: str
    acquirer: Actor | None = None
    units: list[Units] = []
    authorization: dict[str, Any] | None = None
    terms: dict[str, Any] | None = None
    use: dict[str, Any] | None = None
    references: dict[str, Any] | None = None
    issue: dict[str, Any] | None = None
    lifetime_seconds: Annotated[int, Field(ge=1, le=86400)] = 3600
    expect: Literal["completed", "refused", "refused-here", "rejected", "expired", "withdrawn"] = (
        "completed"
    )
    reason: Reason | None = None
    story: str = ""

    def arguments(self) -> dict[str, Any]:
        """The arguments of the command `propose`."""
        members: dict[str, Any] = {
            "actor": self.by,
            "action": self.action,
            "lines": [units.line() for units in self.units],
            "lifetime_seconds": self.lifetime_seconds,
        }
        for name in ("acquirer", "authorization", "terms", "use", "references"):
            value = getattr(self, name)
            if value is not None:
                members[name] = value
        return members


class Plant(_Model):
    """An edit of a registry's rows behind its program's back, after a step has been settled."""

    after: str
    actor: Actor
    first: str
    last: str
    layer: Layer = Layer.ITMO
    activity: str | None = None
    delete: bool = False
    set_last: int | None = None
    story: str = ""


class Planted(_Model):
    """A discrepancy that the reconciliation must name, to the serial."""

    participant: Participant
    actor: Actor
    first: str
    last: str
    layer: Layer = Layer.ITMO
    activity: str | None = None
    cause: Cause


class After(_Model):
    """After the plants: a proposal that touches what is frozen, and others that do not."""

    steps: list[Step] = []


class Expect(_Model):
    """What must hold at the end."""

    transactions: dict[str, int]
    units_issued: dict[str, int]
    discrepancies: list[Planted] = []
    settled: bool


class Scenario(_Model):
    """A whole scenario."""

    title: str
    log: str
    sources: list[str] = []
    registries: Annotated[list[RegistryModel], Field(min_length=1)]
    profiles: list[ProfileModel] = []
    accounts: list[AccountModel] = []
    steps: list[Step] = []
    plants: list[Plant] = []
    after: After = After()
    expect: Expect

    def actors(self) -> list[Actor]:
        """Every registry's actors."""
        return [actor for registry in self.registries for actor in registry.actors]


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file; `ScenarioError` names what is wrong and where."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ScenarioError(
            f"{path}: no such scenario; name one with --scenario, such as those in the folder "
            "scenarios of the source"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from None
    try:
        scenario = Scenario.model_validate(data)
        _check(scenario)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "/".join(str(part) for part in first["loc"])
        raise ScenarioError(f"{path}: {where}: {first['msg']}") from None
    except ValueError as error:
        raise ScenarioError(f"{path}: {error}") from None
    return scenario


def _check(scenario: Scenario) -> None:
    """References must resolve, names must be unique."""
    actors = set(scenario.actors())
    steps = [*scenario.steps, *scenario.after.steps]
    names = [step.name for step in steps]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"step {name} stands twice")
    for step in steps:
        if step.by not in actors:
            raise ValueError(f"step {step.name}: {step.by} is not an actor of this scenario")
        if step.acquirer is not None and step.acquirer not in actors:
            raise ValueError(f"step {step.name}: {step.acquirer} is not an actor of this scenario")
        try:
            step.arguments()
        except ValueError as error:
            raise ValueError(f"step {step.name}: {error}") from None
    for plant in scenario.plants:
        if plant.after not in names:
            raise ValueError(f"plant after {plant.after}: there is no such step")
        if plant.delete == (plant.set_last is not None):
            raise ValueError(f"plant after {plant.after}: either delete or set_last")
        parse_itmo_block(plant.first, plant.last)
    _check_expected(scenario, steps)
    named = [a for p in scenario.profiles for a in p.actors]
    named += [plant.actor for plant in scenario.plants]
    named += [planted.actor for planted in scenario.expect.discrepancies]
    for actor in named:
        if actor not in actors:
            raise ValueError(f"{actor} is not an actor of this scenario")
    for account in scenario.accounts:
        read_account(account.account)


def read_account(text: str) -> AccountNumber:
    """The account number of `GHA01/GHA:holding:1`; a number as printed is taken as it is."""
    parts = text.split(":")
    if len(parts) == 1:
        return AccountNumber(text)
    if len(parts) != 3 or not parts[2].isdigit():
        raise ValueError(f"{text!r} is not an account such as GHA01/GHA:holding:1")
    code = next((c for c, kind in KIND_CODES.items() if kind == parts[1]), None)
    if code is None:
        raise ValueError(f"{text!r}: {parts[1]} is no kind of account; one of {', '.join(Kind)}")
    return account_number(Actor(parts[0]), code, int(parts[2]))


_WITH_REASON = {"refused", "refused-here", "rejected"}


def _check_expected(scenario: Scenario, steps: list[Step]) -> None:
    """What is expected must be said in full: what is left out would be missed by nobody."""
    for step in steps:
        if (step.expect in _WITH_REASON) != (step.reason is not None):
            raise ValueError(f"step {step.name}: what is refused or rejected has a reason")
    planted = {_about(plant) for plant in scenario.plants}
    for one in scenario.expect.discrepancies:
        if one.actor.participant != one.participant or _about(one) not in planted:
            raise ValueError(f"expect/discrepancies: no such units of {one.actor} are planted")


def _about(one: Plant | Planted) -> tuple[Actor, Key]:
    """Whose units, and of which key."""
    key, _, _ = parse_itmo_block(one.first, one.last)
    return one.actor, key.model_copy(update={"layer": one.layer, "activity": one.activity})
