# SPDX-License-Identifier: Apache-2.0
"""Effects: what a line of the log does, spelled out so that replay needs no rules.

An effect names exact units. `Move` takes units from a position to a position (no source: they are
issued); `Restate` changes attributes where the units stand; `Reserve`, `Release`, `Pledge`,
`Freeze` and `Unfreeze` lay or lift overlays; the rest change the directory, an authorization, what
is issued under an approval, or a case. Old entries stay readable after every change of the rules,
since rules are not consulted.

Elsewhere: carrying effects out (`ledger.effects`), deriving them (`ledger.actions`).
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.approvals import ApprovalRecord
from schemas.identifiers import (
    Actor,
    ApproachId,
    AuthorizationId,
    CaseId,
    Day,
    Digest,
    PartyCode,
    TransactionId,
)
from schemas.limits import CONCERNED_MAX, SERIAL_MAX
from schemas.units import (
    Attributes,
    FirstTransferDefinition,
    Frozen,
    Key,
    MetricUnit,
    Oimp,
    Position,
    Purpose,
    Serial,
    User,
    Vintage,
    Whole,
)

__all__ = [
    "ApprovalEffect",
    "ApprovalRecordEffect",
    "AuthorizationEffect",
    "AuthorizationTerms",
    "AuthorizedEntity",
    "CaseEffect",
    "CaseState",
    "CaseWord",
    "Cause",
    "DirectoryEffect",
    "Effect",
    "Freeze",
    "Move",
    "Pledge",
    "Release",
    "Reserve",
    "Restate",
    "Unfreeze",
    "Units",
]


class Units(Frozen):
    """A key and an inclusive serial range of it."""

    key: Key
    first: Serial
    last: Serial

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first > self.last:
            raise ValueError(f"range reversed: {self.first} comes after {self.last}")
        return self

    @property
    def quantity(self) -> int:
        """Units in the range, in the key's metric."""
        return self.last - self.first + 1


class Move(Units):
    """Units change position; without a source they come into being."""

    effect: Literal["move"] = "move"
    attributes: Attributes
    source: Position | None
    target: Position


class Restate(Units):
    """Units keep their position and change their attributes."""

    effect: Literal["restate"] = "restate"
    position: Position
    before: Attributes
    after: Attributes


class Reserve(Units):
    """Units of an actor are bound to a transaction."""

    effect: Literal["reserve"] = "reserve"
    actor: Actor
    transaction: TransactionId


class Release(Units):
    """The binding ends."""

    effect: Literal["release"] = "release"
    actor: Actor
    transaction: TransactionId


class Pledge(Units):
    """Locked units follow the fate of the ITMOs that represent them; `consent` is the digest of
    the first-transfer proposal by which their holder agreed to that.
    """

    effect: Literal["pledge"] = "pledge"
    actor: Actor
    consent: Digest


class Freeze(Units):
    """No proposal may touch these units of this actor while the case is open."""

    effect: Literal["freeze"] = "freeze"
    actor: Actor
    case: CaseId


class Unfreeze(Units):
    """The freeze ends with its case."""

    effect: Literal["unfreeze"] = "unfreeze"
    actor: Actor
    case: CaseId


class DirectoryEffect(Frozen):
    """A signed act on the directory; its text is kept with the signatures that entitle it."""

    effect: Literal["directory"] = "directory"
    act: Annotated[str, Field(max_length=65536)]
    signatures: Annotated[tuple[Annotated[str, Field(max_length=1024)], ...], Field(max_length=300)]


Text = Annotated[str, Field(min_length=1, max_length=400)]
LongText = Annotated[str, Field(min_length=1, max_length=2000)]
Named = Annotated[str, Field(min_length=1, max_length=80)]


class AuthorizedEntity(Frozen):
    """Who an authorized entity is (table 5 of the agreed electronic format). `id` is the name under
    which it uses units and stands in the terms; `number` identifies it where it is incorporated.
    """

    id: User
    name: Annotated[str, Field(min_length=1, max_length=200)]
    country: PartyCode
    number: Named
    date: Day | None = None
    conditions: Text | None = None
    change_conditions: Text | None = None
    explanation: Text | None = None


class AuthorizationTerms(Frozen):
    """What a Party authorizes (4/CMA.6; table 2 of the agreed electronic format).

    Empty `parties` means any Party, empty `entities` any entity; `entity_records` says who some of
    these are. Outcomes occur in the calendar years from `vintage_from` to `vintage_to`, and are
    used in those from `use_from` to `use_to`. `date` is that of the Party's own decision, where it
    is not the day of the entry. Without `metric` all metrics are meant, but that a `quantity` is
    then in t CO2 eq; without `sectors` and `activity_types` all of these. A version with
    `binds_first_transferred` has what a later version says, or a revocation, apply to units that
    were first-transferred under it, too.
    """

    id: AuthorizationId
    version: Annotated[int, Field(ge=1, le=9999)]
    approach: ApproachId
    party: PartyCode
    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1, max_length=3)]
    parties: Annotated[tuple[PartyCode, ...], Field(max_length=200)] = ()
    entities: Annotated[tuple[User, ...], Field(max_length=200)] = ()
    quantity: Whole | None = None
    vintage_from: Vintage = 2021
    vintage_to: Vintage = 2200
    use_from: Vintage = 2021
    use_to: Vintage = 2200
    first_transfer: FirstTransferDefinition | None = None
    oimp: Oimp | None = None
    revoked: bool = False
    terms: LongText | None = None
    date: Day | None = None
    metric: Literal["GHG", "non-GHG"] | None = None
    unit: MetricUnit | None = None
    gwp: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    sectors: Annotated[tuple[Named, ...], Field(max_length=20)] = ()
    activity_types: Annotated[tuple[Named, ...], Field(max_length=40)] = ()
    documentation: Text | None = None
    explanation: LongText | None = None
    binds_first_transferred: bool = False
    entity_records: Annotated[tuple[AuthorizedEntity, ...], Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _definition_goes_with_oimp(self) -> Self:
        international = {Purpose.IMP, Purpose.OP} & set(self.purposes)
        if bool(international) != (self.first_transfer is not None):
            raise ValueError("a first transfer definition goes with IMP or OP, and only with them")
        if self.oimp is not None and not international:
            raise ValueError("oimp goes with the purposes IMP and OP, and only with them")
        return self

    @model_validator(mode="after")
    def _lists_are_canonical(self) -> Self:
        """What is alike is written alike: each once, and in order where order says nothing."""
        if len(set(self.purposes)) != len(self.purposes):
            raise ValueError("a purpose stands twice")
        records = tuple(record.id for record in self.entity_records)
        for name, given in (
            ("sectors", self.sectors),
            ("activity_types", self.activity_types),
            ("entity_records", records),
        ):
            if list(given) != sorted(set(given)):
                raise ValueError(f"{name}: each once, and in order")
        if self.entities and not set(records) <= set(self.entities):
            raise ValueError("entity_records: only of entities that are authorized")
        return self

    @model_validator(mode="after")
    def _years_in_order(self) -> Self:
        for what in ("vintage", "use"):
            first, last = getattr(self, f"{what}_from"), getattr(self, f"{what}_to")
            if first > last:
                raise ValueError(f"{what}_to: {last} comes before {what}_from, {first}")
        return self

    @model_validator(mode="after")
    def _metric_belongs_to_unit(self) -> Self:
        if (self.metric == "non-GHG") != (self.unit is not None):
            raise ValueError("a non-GHG metric names its unit, and only a non-GHG metric does")
        return self


class AuthorizationEffect(Frozen):
    """A version of an authorization is recorded by `actor`."""

    effect: Literal["authorization"] = "authorization"
    actor: Actor
    terms: AuthorizationTerms


class ApprovalRecordEffect(Frozen):
    """`actor` records that a request for issuance was approved."""

    effect: Literal["approval-record"] = "approval-record"
    actor: Actor
    record: ApprovalRecord


class ApprovalEffect(Frozen):
    """`actor` has issued units under an approval of so many; the sum of all entries counts."""

    effect: Literal["approval"] = "approval"
    actor: Actor
    approval: Annotated[str, Field(min_length=1, max_length=120)]
    approved_quantity: Annotated[int, Field(ge=1, le=SERIAL_MAX)]
    quantity: Annotated[int, Field(ge=1, le=SERIAL_MAX)]


Cause = Literal[
    "held-without-issuance",
    "held-twice",
    "missing",
    "surplus",
    "attributes-differ",
    "position-differs",
    "late-or-lost-message",
    "tampered-rows",
    "log-fork",
    "statement-overdue",
    "deliveries-differ",
]
"""Why a ledger and the log differ, as far as the reconciliation service can tell."""


CaseState = Literal["open", "explained", "closed"]
"""How a case stands: found; said in words why the ledgers differ; over, since they agree again."""


class CaseWord(Units):
    """What is said of a case at every turn: whose units differ from the log, whom else that
    concerns, and how it stands.
    """

    case: CaseId
    actor: Actor
    concerned: Annotated[tuple[Actor, ...], Field(max_length=CONCERNED_MAX)] = ()
    cause: Cause
    state: CaseState

    @model_validator(mode="after")
    def _concerns_others(self) -> Self:
        if list(self.concerned) != sorted(set(self.concerned) - {self.actor}):
            raise ValueError("concerned: others than the case's actor, each once, and in order")
        return self

    @property
    def open(self) -> bool:
        """Whether the ledgers still differ, explained or not."""
        return self.state != "closed"


class CaseEffect(CaseWord):
    """A discrepancy case is opened, explained or closed; it has an explanation if it is explained
    by this entry, and only then.
    """

    effect: Literal["case"] = "case"
    explanation: Text | None = None

    @model_validator(mode="after")
    def _explains(self) -> Self:
        if (self.explanation is not None) != (self.state == "explained"):
            raise ValueError("an explanation goes with the state explained, and only with it")
        return self


Effect = Annotated[
    Move
    | Restate
    | Reserve
    | Release
    | Pledge
    | Freeze
    | Unfreeze
    | DirectoryEffect
    | AuthorizationEffect
    | ApprovalRecordEffect
    | ApprovalEffect
    | CaseEffect,
    Field(discriminator="effect"),
]
