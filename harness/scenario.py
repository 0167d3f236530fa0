# SPDX-License-Identifier: Apache-2.0
"""Scenario files: a fleet of registries, what they do, what is planted, and what must come of it.

A scenario is TOML. `registries` are admitted with their sections, `profiles` connect pairs of
actors, `accounts` are opened, `steps` are proposed one after another by their actors, `plants`
edit rows behind a program's back after a step, and `expect` says what must hold at the end. Unknown
names anywhere are errors that say where.

`examples` are files beside it, each with the steps of one example and what must come of it. All
examples of a scenario are played in one fleet, in this order.

An account is written `GHA01/GHA:holding:1`; units are given by their first and last identifiers. A
step whose name ends in `2021..2025` is taken once for each of these years, which stands in it for
`{year}`.

Elsewhere: reading the files (`loading`), the expectations (`expected`).
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.expected import Expect, ExpectExample, read_account
from schemas.directory import Profile, Status
from schemas.findings import Reason
from schemas.identifiers import Actor, Participant
from schemas.units import Key, Layer, parse_itmo_block

__all__ = ["Example", "Plant", "Scenario", "ScenarioError", "Step", "Units"]


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
    unit: str | None = None


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


_MEMBERS = (
    *("acquirer", "authorization", "terms", "use", "references", "approval"),
    *("unit", "entity", "adjustment", "instruction", "designation", "reversal"),
)
"""What a step may have of a proposal, besides its action and units."""


class Step(_Model):
    """One action of one actor, and the state in which its transaction must end.

    `refused-at-home` means that the node's own checks refuse it and nothing is sent. `answer` is
    what an officer of the acquirer says, where its registry leaves that to people. Neighbours of
    one `together` are all proposed before the first of them is answered.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    case: str = ""
    by: Actor
    action: str
    acquirer: Actor | None = None
    units: list[Units] = []
    unit: str | None = None
    entity: str | None = None
    adjustment: str | None = None
    authorization: dict[str, Any] | None = None
    terms: dict[str, Any] | None = None
    use: dict[str, Any] | None = None
    references: dict[str, Any] | None = None
    approval: dict[str, Any] | None = None
    instruction: dict[str, Any] | None = None
    designation: str | None = None
    reversal: str | None = None
    issue: dict[str, Any] | None = None
    lifetime_seconds: Annotated[int, Field(ge=1, le=86400)] = 3600
    answer: Literal["accept", "reject"] | None = None
    together: str | None = None
    expect: Literal[
        "completed", "refused", "refused-at-home", "rejected", "expired", "withdrawn"
    ] = "completed"
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
        for name in _MEMBERS:
            value = getattr(self, name)
            if value is not None:
                members[name] = value
        return members


class Plant(_Model):
    """An edit of a registry's rows behind its program's back, after a step has been settled: a row
    of units deleted or made longer, or a movement of its account statement dated later.
    """

    after: str
    actor: Actor
    first: str
    last: str
    layer: Layer = Layer.ITMO
    activity: str | None = None
    delete: bool = False
    set_last: int | None = None
    days_later: int | None = None
    story: str = ""

    def span(self) -> tuple[Key, int, int]:
        """The key and serial range of the printed identifiers."""
        key, first, last = parse_itmo_block(self.first, self.last)
        return key.model_copy(update={"layer": self.layer, "activity": self.activity}), first, last


class After(_Model):
    """After the plants: a proposal that touches what is frozen, and others that do not."""

    steps: list[Step] = []


class Example(_Model):
    """One example: what it is, what it shows, its steps, and what must come of them."""

    id: Annotated[str, Field(pattern=r"^A[1-9]\d?$")]
    title: str
    shows: str
    source: str
    steps: Annotated[list[Step], Field(min_length=1)]
    plants: list[Plant] = []
    after: After = After()
    expect: ExpectExample

    def every_step(self) -> list[Step]:
        """Its steps before and after the planted errors were found."""
        return [*self.steps, *self.after.steps]


class Scenario(_Model):
    """A whole scenario. What its examples say stands among its own members, too."""

    title: str
    log: str
    sources: list[str] = []
    registries: Annotated[list[RegistryModel], Field(min_length=1)]
    profiles: list[ProfileModel] = []
    accounts: list[AccountModel] = []
    steps: list[Step] = []
    plants: list[Plant] = []
    after: After = After()
    examples: list[Example] = []
    expect: Expect

    def every_step(self) -> list[Step]:
        """Its steps before and after the planted errors were found."""
        return [*self.steps, *self.after.steps]

    def actors(self) -> list[Actor]:
        """Every registry's actors."""
        return [actor for registry in self.registries for actor in registry.actors]
