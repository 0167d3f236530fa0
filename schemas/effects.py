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

from schemas.identifiers import (
    Actor,
    ApproachId,
    AuthorizationId,
    CaseId,
    Digest,
    PartyCode,
    TransactionId,
)
from schemas.limits import SERIAL_MAX
from schemas.units import (
    Attributes,
    FirstTransferDefinition,
    Frozen,
    Key,
    Position,
    Purpose,
    Serial,
    Vintage,
    Whole,
)

__all__ = [
    "ApprovalEffect",
    "AuthorizationEffect",
    "AuthorizationTerms",
    "CaseEffect",
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


class AuthorizationTerms(Frozen):
    """What a Party authorizes (4/CMA.6; table 2 of the agreed electronic format).

    Empty `parties` means any Party, empty `entities` any entity. Years are calendar years.
    """

    id: AuthorizationId
    version: Annotated[int, Field(ge=1, le=9999)]
    approach: ApproachId
    party: PartyCode
    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1, max_length=3)]
    parties: Annotated[tuple[PartyCode, ...], Field(max_length=200)] = ()
    entities: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=80)], ...], Field(max_length=200)
    ] = ()
    quantity: Whole | None = None
    vintage_from: Vintage = 2021
    vintage_to: Vintage = 2200
    use_from: Vintage = 2021
    use_to: Vintage = 2200
    first_transfer: FirstTransferDefinition | None = None
    oimp: Annotated[str, Field(max_length=80)] | None = None
    revoked: bool = False
    terms: Annotated[str, Field(max_length=2000)] | None = None

    @model_validator(mode="after")
    def _definition_goes_with_oimp(self) -> Self:
        international = {Purpose.IMP, Purpose.OP} & set(self.purposes)
        if bool(international) != (self.first_transfer is not None):
            raise ValueError("a first transfer definition goes with IMP or OP, and only with them")
        return self


class AuthorizationEffect(Frozen):
    """A version of an authorization is recorded by `actor`."""

    effect: Literal["authorization"] = "authorization"
    actor: Actor
    terms: AuthorizationTerms


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


class CaseEffect(Units):
    """A discrepancy case is opened or closed."""

    effect: Literal["case"] = "case"
    case: CaseId
    actor: Actor
    cause: Cause
    open: bool


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
    | ApprovalEffect
    | CaseEffect,
    Field(discriminator="effect"),
]
