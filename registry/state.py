# SPDX-License-Identifier: Apache-2.0
"""A registry's facts: what a batch has loaded and changes in memory before it is written.

Elsewhere: loading and writing (`storage`, `saving`), what happens to them (`applying`, `hearing`,
`desk`, `witness`).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from ledger.adjustments import ClosedYear, NdcPeriod
from ledger.asking import Approval, Authorization, Facts
from ledger.directory import Directory
from ledger.growth import Growth
from ledger.tally import Tally
from ledger.transactions import State
from registry.identities import Identification
from registry.initial_reports import InitialReports
from registry.scrubbing import Scrubbed
from runtime.journal import Kept as KeptMessage
from schemas.directory import SignedAct
from schemas.effects import AuthorizationTerms
from schemas.findings import Finding
from schemas.identifiers import (
    AccountNumber,
    Actor,
    AuthorizationId,
    Digest,
    Instant,
    Participant,
    PartyCode,
    TransactionId,
)
from schemas.messages import Inquiry, Proposal

__all__ = [
    "Account",
    "Closings",
    "Delivery",
    "Inquired",
    "Kept",
    "Majority",
    "Movement",
    "RegistryFacts",
    "Transaction",
]


@dataclass
class Transaction:
    """A transaction as this registry knows it. `proposal` is unknown until it is enclosed."""

    id: TransactionId
    state: State
    action: str
    proposer: Actor
    acquirer: Actor | None
    proposal: Proposal | None
    line: bytes | None
    message: Digest | None
    position: int | None
    opened_at: Instant
    changed_at: Instant
    findings: list[Finding] = field(default_factory=list)
    waiting: bool = False
    stated: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """An account of one of the registry's sections. `unit` is that of its non-GHG metric; without
    one it takes tonnes of CO2 equivalent. Without an `entity` it is the Party's own.
    """

    number: AccountNumber
    actor: Actor
    name: str
    open: bool
    opened_at: Instant
    unit: str | None = None
    entity: str | None = None


class Delivery(NamedTuple):
    """An entry applied for an actor."""

    actor: Actor
    number: int
    position: int
    digest: Digest
    conversation: str


class Movement(NamedTuple):
    """An effect on this registry's rows; accounts are absent where units come or go."""

    actor: Actor
    number: int
    effect: int
    position: int
    entry: Digest
    at: Instant
    action: str | None
    conversation: str
    key: str
    series: str
    first: int
    last: int
    source: str | None
    target: str | None


Closings = dict[PartyCode, dict[int, ClosedYear]]
"""The closed years of each Party."""


class Majority(NamedTuple):
    """How large a head a majority of the participants is known to have cosigned, or a larger one;
    and since when the log has been larger; not known before the first head after a start.
    """

    size: int = 0
    since: Instant | None = None


NOT_YET = Majority()


@dataclass(frozen=True, slots=True)
class Inquired:
    """A question of the reconciliation service that the end of the batch answers."""

    inquiry: Inquiry
    conversation: str
    digest: Digest


@dataclass
class Kept:
    """What a registry keeps in memory between batches."""

    directory: Directory
    log_size: int = 0
    log_root: bytes = b""
    majority: Majority = NOT_YET
    cosigned: dict[Participant, int] = field(default_factory=dict)
    """The size of the newest head that each participant is known to have cosigned; it begins anew
    with each start.
    """
    deliveries: dict[Actor, Growth] = field(default_factory=dict)
    known_acts: tuple[int, ...] = (0,)
    """The positions of the acts that the directory is made of, genesis first."""
    numbers: dict[Actor, int] = field(default_factory=dict)
    scrubbed: Scrubbed = field(default_factory=Scrubbed)
    closed: Closings = field(default_factory=dict)


@dataclass
class RegistryFacts(Facts):
    """The facts of one batch."""

    authorizations: dict[tuple[PartyCode, AuthorizationId], Authorization]
    approvals: dict[tuple[Actor, str], Approval] = field(default_factory=dict)
    transactions: dict[TransactionId, Transaction] = field(default_factory=dict)
    accounts: dict[AccountNumber, Account] = field(default_factory=dict)
    deliveries: dict[Actor, Growth] = field(default_factory=dict)
    log_size: int = 0
    log_root: bytes = b""
    majority: Majority = NOT_YET
    cosigned: dict[Participant, int] = field(default_factory=dict)
    majority_seconds: float = 3600.0
    trust_root: Digest | None = None
    known_acts: tuple[int, ...] = (0,)
    numbers: dict[Actor, int] = field(default_factory=dict)
    said: dict[Digest, KeptMessage] = field(default_factory=dict)
    said_proposals: dict[Digest, Proposal] = field(default_factory=dict)
    answered: set[Digest] = field(default_factory=set)
    changed: set[TransactionId] = field(default_factory=set)
    occupied: set[AccountNumber] = field(default_factory=set)
    changed_accounts: set[AccountNumber] = field(default_factory=set)
    identified: dict[tuple[Actor, str], Identification] = field(default_factory=dict)
    """The newest record of each entity that a command or an account names, by section and name."""
    new_identifications: list[Identification] = field(default_factory=list)
    issued: set[tuple[Actor, str]] = field(default_factory=set)
    new_acts: list[tuple[int, SignedAct]] = field(default_factory=list)
    new_deliveries: list[Delivery] = field(default_factory=list)
    new_movements: list[Movement] = field(default_factory=list)
    new_versions: list[tuple[AuthorizationTerms, int]] = field(default_factory=list)
    inquiries: list[Inquired] = field(default_factory=list)
    initial_reports: InitialReports = field(default_factory=InitialReports)
    ndc_periods: tuple[NdcPeriod, ...] = ()
    closed: Closings = field(default_factory=dict)
    new_closed: list[ClosedYear] = field(default_factory=list)
    tallies: dict[PartyCode, Tally] = field(default_factory=dict)
    """Of the Parties of which commands close a year."""
    witnessed: bool = False
    scrubbed: Scrubbed | None = None
    buried: list[tuple[bytes, Finding]] = field(default_factory=list)
