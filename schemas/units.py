# SPDX-License-Identifier: Apache-2.0
"""What is held: keys, attributes, positions and the identifiers printed on units.

A *block* is a key, an inclusive serial range, attributes and a position; one serial is one whole
unit of the block's metric. The key never changes; attributes do (an authorization, a first
transfer, a use mark), and so they are fields and not parts of a name.

Rules carried out here: 6/CMA.4 annex I paras 5 and 6 (identifiers, blocks), 3/CMA.3 annex
paras 55 and 63 (designations, kinds of account), common nomenclatures tables 12, 36, 49.

Elsewhere: arithmetic on ranges and rows (`ledger.blocks`, `ledger.holdings`).
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.identifiers import (
    AccountNumber,
    Actor,
    ApproachId,
    AuthorizationId,
    PartyCode,
    RegistryId,
)
from schemas.limits import INTEGER_MAX, SERIAL_MAX

__all__ = [
    "FINAL_KINDS",
    "KIND_CODES",
    "Attributes",
    "AuthorizationRef",
    "Cancellation",
    "Designation",
    "FirstTransferDefinition",
    "Frozen",
    "ItmoIdentifier",
    "Key",
    "Kind",
    "Layer",
    "MetricUnit",
    "Oimp",
    "Position",
    "Purpose",
    "Serial",
    "UseMark",
    "User",
    "Vintage",
    "Whole",
    "parse_itmo_block",
]


class Frozen(BaseModel):
    """A value that is what it is: no coercion, no unknown names, no change after it is made."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        ser_json_inf_nan="constants",
        regex_engine="rust-regex",
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy with changes, checked like any other value and without its cached texts."""
        fields = type(self).model_fields
        values = {name: getattr(self, name) for name in fields} | dict(update or {})
        return type(self).model_validate(
            {fields[n].alias or n if n in fields else n: value for n, value in values.items()}
        )


Whole = Annotated[int, Field(ge=0, le=INTEGER_MAX)]
Serial = Annotated[int, Field(ge=1, le=SERIAL_MAX)]
Vintage = Annotated[int, Field(ge=1990, le=2200)]


class Layer(StrEnum):
    """`underlying`: units of a crediting or cooperative-approach registry. `itmo`: ITMOs, and
    A6.4ERs from their issuance on.
    """

    UNDERLYING = "underlying"
    ITMO = "itmo"


class Kind(StrEnum):
    """What a position means; each account has one kind. `administrative` is what an administrator
    cancelled, `buffer` the pool against reversals, `cer` holds units of the clean development
    mechanism.
    """

    PENDING = "pending"
    HOLDING = "holding"
    LOCKED = "locked"
    USE = "use"
    CANCELLATION = "cancellation"
    OMGE = "omge"
    SHARE_OF_PROCEEDS = "share-of-proceeds"
    RETIREMENT = "retirement"
    ADMINISTRATIVE = "administrative"
    BUFFER = "buffer"
    CER = "cer"


KIND_CODES: dict[str, Kind] = {
    "PEN": Kind.PENDING,
    "HLD": Kind.HOLDING,
    "LCK": Kind.LOCKED,
    "USE": Kind.USE,
    "CAN": Kind.CANCELLATION,
    "OMG": Kind.OMGE,
    "SOP": Kind.SHARE_OF_PROCEEDS,
    "RET": Kind.RETIREMENT,
    "ADC": Kind.ADMINISTRATIVE,
    "BUF": Kind.BUFFER,
    "CER": Kind.CER,
}
"""Kind letters in account numbers; the nomenclature's numeric types are not published in full."""

FINAL_KINDS = frozenset(
    {Kind.USE, Kind.CANCELLATION, Kind.OMGE, Kind.RETIREMENT, Kind.ADMINISTRATIVE}
)
"""Positions that no unit leaves."""


class Purpose(StrEnum):
    """What an outcome may be, or was, used for (2/CMA.3 annex para 1(d) and (f))."""

    NDC = "NDC"
    IMP = "IMP"
    OP = "OP"


class FirstTransferDefinition(StrEnum):
    """What counts as first transfer for other international mitigation purposes
    (2/CMA.3 annex para 2(b)), chosen with each authorization.
    """

    AUTHORIZATION = "authorization"
    ISSUANCE = "issuance"
    USE_OR_CANCELLATION = "use-or-cancellation"


class Cancellation(StrEnum):
    """What kind of cancellation it is: a voluntary one has a purpose; one that delivers overall
    mitigation has none, and counts for nobody (2/CMA.3 annex paras 20(a), 29 and 39).
    """

    VOLUNTARY = "voluntary"
    OMGE_VOLUNTARY = "omge-voluntary"
    OMGE_MANDATORY = "omge-mandatory"
    OTHER = "other"

    @property
    def delivers_omge(self) -> bool:
        """Whether it delivers overall mitigation in global emissions."""
        return self in {Cancellation.OMGE_VOLUNTARY, Cancellation.OMGE_MANDATORY}


MetricUnit = Annotated[str, Field(min_length=1, max_length=40)]
"""What one unit of a non-GHG metric is, such as `MWh`."""
Oimp = Annotated[str, Field(min_length=1, max_length=80)]
"""Which international mitigation purpose or other purpose, such as `CORSIA`."""
User = Annotated[str, Field(min_length=1, max_length=80)]
"""Who uses or cancels: a Party's code, or the id of an authorized entity."""


Designation = Annotated[str, Field(pattern=r"^N?I?O?$", min_length=1, max_length=3)]
"""What A6.4ERs are authorized for: N (NDC), I (IMP), O (OP), in that order."""


class Key(Frozen):
    """The immutable identity of a series of units (6/CMA.4 annex I para 5).

    `registry` is the *originating* registry, `party` the first transferring Party. `activity` is
    set for A6.4ERs alone. Serials are unique within a `series` (a key without its activity), so
    that ITMO identifiers never collide across activities.
    """

    layer: Layer
    approach: ApproachId
    registry: RegistryId
    party: PartyCode
    vintage: Vintage
    activity: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,24}$")] | None = None

    @cached_property
    def series(self) -> str:
        """Within this text serials never overlap."""
        return f"{self.layer}:{self.approach}-{self.registry}-{self.party}-{self.vintage}"

    @cached_property
    def text(self) -> str:
        """The canonical text of the key; equal text means equal key."""
        return f"{self.series}:{self.activity}" if self.activity else self.series

    @classmethod
    def parse(cls, text: str) -> "Key":
        """Read what `text` gives; `ValueError` for anything else."""
        layer, _, rest = text.partition(":")
        parts, _, activity = rest.partition(":")
        pieces = parts.split("-")
        if len(pieces) != 4 or not re.fullmatch(r"[0-9]{4}", pieces[3]):
            raise ValueError(f"{text!r} is not the text of a key")
        approach, registry, party, vintage = pieces
        key = cls(
            layer=Layer(layer),
            approach=ApproachId(approach),
            registry=RegistryId(registry),
            party=PartyCode(party),
            vintage=int(vintage),
            activity=activity or None,
        )
        if key.text != text:
            raise ValueError(f"{text!r} is not the text of a key")
        return key

    def on(self, layer: Layer) -> "Key":
        """The same series on the other layer: an ITMO and the unit it represents."""
        return self if layer is self.layer else self.model_copy(update={"layer": layer})

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and other.text == self.text


class AuthorizationRef(Frozen):
    """One version of one authorization."""

    id: AuthorizationId
    version: Annotated[int, Field(ge=1, le=9999)]


class UseMark(Frozen):
    """What a unit was used or cancelled for, by whom, and for which calendar year.

    `cancellation` is absent for a use, and for a cancellation of none of its kinds. `oimp` says
    which international mitigation purpose or other purpose.
    """

    purpose: Purpose | None = None
    user: User
    year: Annotated[int, Field(ge=2021, le=2200)] | None = None
    cancellation: Cancellation | None = None
    oimp: Oimp | None = None

    @model_validator(mode="after")
    def _belongs_together(self) -> "UseMark":
        if (self.purpose is Purpose.NDC) != (self.year is not None):
            raise ValueError("a calendar year goes with use towards an NDC, and only with it")
        omge = self.cancellation is not None and self.cancellation.delivers_omge
        if omge and self.purpose is not None:
            raise ValueError("a cancellation that delivers overall mitigation has no purpose")
        if self.purpose is None and not omge and self.cancellation is not Cancellation.OTHER:
            raise ValueError("a use or cancellation has a purpose, unless it says why it has none")
        if self.oimp is not None and self.purpose not in {Purpose.IMP, Purpose.OP}:
            raise ValueError("oimp goes with the purposes IMP and OP, and only with them")
        return self

    @property
    def words(self) -> str:
        """The mark as people read it: `IMP (CORSIA) by Airline`, `NDC by CHE for 2026`."""
        kind = self.cancellation
        oimp = f"({self.oimp})" if self.oimp else None
        year = f"for {self.year}" if self.year else None
        words = (kind and f"{kind} cancellation", self.purpose, oimp, f"by {self.user}", year)
        return " ".join(str(word) for word in words if word)


class Attributes(Frozen):
    """What is true of every unit of a block and may change while its serial does not.

    `designation` is any of the letters N (NDC), I (international mitigation purposes) and O (other
    purposes) in that order, or `MCU` for a mitigation contribution, or `CER` for a unit of the
    clean development mechanism of before 2021, or absent when nobody has authorized anything.
    `underlying_offset` added to a serial gives the serial of the unit that it
    represents in `underlying_registry`.
    """

    metric: Literal["GHG", "non-GHG"] = "GHG"
    unit: MetricUnit | None = None
    mitigation: Literal["Emission reductions", "Removals", "Emission reductions and removals"] = (
        "Emission reductions"
    )
    designation: Annotated[str, Field(pattern=r"^(?:N?I?O?|MCU|CER)$", min_length=1)] | None = None
    authorization: AuthorizationRef | None = None
    first_transferred: bool = False
    underlying_registry: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,16}$")] | None = None
    underlying_offset: Annotated[int, Field(ge=-SERIAL_MAX, le=SERIAL_MAX)] | None = None
    use: UseMark | None = None

    @model_validator(mode="after")
    def _belongs_together(self) -> "Attributes":
        if (self.metric == "non-GHG") != (self.unit is not None):
            raise ValueError("a non-GHG metric names its unit, and only a non-GHG metric does")
        if (self.underlying_registry is None) != (self.underlying_offset is None):
            raise ValueError("an underlying registry and its offset go together")
        return self

    @cached_property
    def text(self) -> str:
        """The canonical text: absent and default members included, always in this order."""
        return self.model_dump_json()

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Attributes) and other.text == self.text

    def but(self, **changes: object) -> "Attributes":
        """These attributes with some members changed."""
        return self.model_copy(update=changes)


class Position(Frozen):
    """Where units are: an actor, a kind and an account number that says both."""

    actor: Actor
    kind: Kind
    account: AccountNumber

    @classmethod
    def of(cls, account: AccountNumber) -> "Position":
        """The position that an account number names; `ValueError` when its kind is unknown."""
        kind = KIND_CODES.get(account.kind_code)
        if kind is None:
            raise ValueError(f"{account} names no kind of account known here")
        return cls(actor=account.actor, kind=kind, account=account)

    @model_validator(mode="after")
    def _account_agrees(self) -> "Position":
        if self.account.actor != self.actor or KIND_CODES.get(self.account.kind_code) != self.kind:
            raise ValueError("the account number names another actor or kind")
        return self

    def __hash__(self) -> int:
        return hash(self.account)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Position) and other.account == self.account


class ItmoIdentifier(NamedTuple):
    """The printed identifier of one ITMO, as reports carry it.

    `CA0007-GHA01-GHA-11733-2023`: cooperative approach, originating registry, first transferring
    Party, serial, vintage. Commas in the serial are accepted when read and never written.
    """

    approach: ApproachId
    registry: RegistryId
    party: PartyCode
    serial: int
    vintage: int

    @classmethod
    def parse(cls, text: str) -> "ItmoIdentifier":
        """Read a printed identifier; `ValueError` says what form was expected."""
        found = _ITMO.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r:.80} is not an identifier such as CA0007-GHA01-GHA-1-2023")
        serial = int(found[4].replace(",", ""))
        if serial > SERIAL_MAX:
            raise ValueError(f"{text!r:.80}: the serial is larger than {SERIAL_MAX}")
        return cls(
            ApproachId(found[1]), RegistryId(found[2]), PartyCode(found[3]), serial, int(found[5])
        )

    @classmethod
    def of(cls, key: Key, serial: int) -> "ItmoIdentifier":
        """The identifier of one unit of a series."""
        return cls(key.approach, key.registry, key.party, serial, key.vintage)

    def __str__(self) -> str:
        return f"{self.approach}-{self.registry}-{self.party}-{self.serial}-{self.vintage}"

    def key(self, layer: Layer = Layer.ITMO, activity: str | None = None) -> Key:
        """The key of the series that this unit belongs to."""
        return Key(
            layer=layer,
            approach=self.approach,
            registry=self.registry,
            party=self.party,
            vintage=self.vintage,
            activity=activity,
        )


_ITMO = re.compile(
    r"(CA[0-9]{4})-([A-Z]{3}[0-9]{2}|UN[0-9]{2})-([A-Z]{3})-"
    r"([1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]*)-([0-9]{4})",
    re.ASCII,
)


def parse_itmo_block(first: str, last: str) -> tuple[Key, int, int]:
    """Read a block from its first and last printed identifiers.

    They are a block when everything but the serial is equal and first <= last; `ValueError`
    otherwise. Gives the key and the inclusive serial range.
    """
    a, b = ItmoIdentifier.parse(first), ItmoIdentifier.parse(last)
    if a._replace(serial=1) != b._replace(serial=1):
        raise ValueError(f"{first} and {last} differ in more than the serial")
    if a.serial > b.serial:
        raise ValueError(f"{first} comes after {last}")
    return a.key(), a.serial, b.serial
