# SPDX-License-Identifier: Apache-2.0
"""The hub's facts: what a batch has loaded and changes in memory before it is written.

`HubFacts` holds the rows, transactions, authorizations and directory that a batch touches; `Kept`
is what the hub keeps between batches. Facts are made from what is kept and replace it only once
they are durable.

Elsewhere: the rules (`rules`), loading and writing (`storage`).
"""

from dataclasses import dataclass, field

from ledger.asking import Approval, Authorization, Facts, Policy
from ledger.directory import Directory
from ledger.growth import Growth
from ledger.holdings import Holdings
from ledger.transactions import State
from schemas.effects import Cause
from schemas.identifiers import (
    Actor,
    AuthorizationId,
    CaseId,
    Digest,
    Instant,
    Participant,
    PartyCode,
    TransactionId,
)
from schemas.messages import Entry, Message, Proposal

__all__ = [
    "Case",
    "HubFacts",
    "Kept",
    "NewEntry",
    "Outcome",
    "StatementRow",
    "Transaction",
    "Wanted",
    "facts_of",
]


@dataclass
class Transaction:
    """A transaction as the log has it; `line` is its proposal as received."""

    id: TransactionId
    state: State
    proposer: Actor
    acquirer: Actor | None
    proposal: Proposal
    line: bytes
    message: Digest
    deadline: Instant
    position: int
    opened_at: Instant
    changed_at: Instant


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry that a batch has made."""

    message: Message
    line: bytes
    addressed: tuple[tuple[Actor, int, bytes], ...]


@dataclass(frozen=True, slots=True)
class StatementRow:
    """The newest statement of an actor."""

    actor: Actor
    size: int
    delivered: int
    holdings: Digest
    message: Digest
    at: Instant


@dataclass(frozen=True, slots=True)
class Wanted:
    """The evidence of a transaction that an actor has asked for, and how much of it was sent."""

    message: Digest
    actor: Actor
    transaction: TransactionId
    position: int
    """That of the transaction's last entry: a head must hold it before anything can be proven."""
    asked_at: Instant
    size: int = 0
    """Of the head that everything is proven in; nought before the first part."""
    part: int = 0
    """The number of the next part."""
    after: int = -1
    """The position of the last act that was sent."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a message had led to: an entry, or else a notice or a status answer; and whom it was
    passed on to.
    """

    entry: Entry | None
    passed_on_to: frozenset[Participant]


@dataclass(frozen=True, slots=True)
class Case:
    """A case as the log opened it; `frozen` if its range was frozen with it."""

    id: CaseId
    actor: Actor
    concerned: tuple[Actor, ...]
    cause: Cause
    key: str
    first: int
    last: int
    frozen: bool
    open: bool

    @property
    def subject(self) -> tuple[Actor, str, int, int]:
        """Whose units it is about, and which."""
        return self.actor, self.key, self.first, self.last

    @property
    def told(self) -> str:
        """Whom else it concerns, in words."""
        return ", ".join(self.concerned) or "nobody else"


@dataclass
class Kept:
    """What the hub keeps in memory between batches."""

    directory: Directory
    log: Growth = field(default_factory=Growth)
    acts: int = 0
    """How many acts the log has."""
    deliveries: dict[Actor, Growth] = field(default_factory=dict)
    checkpoint_size: int = 0
    shown: dict[Participant, int] = field(default_factory=dict)
    shown_at: dict[Participant, Instant] = field(default_factory=dict)
    owed: frozenset[Participant] = frozenset()
    next_deadline: Instant | None = None
    last_turn: Instant | None = None
    overdue: dict[Actor, tuple[CaseId, ...]] = field(default_factory=dict)
    away: bool = True
    """Whether the hub was not consuming at some time since the last look at the clock."""
    wanted: dict[Digest, Wanted] = field(default_factory=dict)
    """Evidence that was asked for, by the request's digest, in the order of turns."""
    recovered: bool = False
    """Whether the hub has recovered once: what it hears may have been heard before."""


@dataclass
class HubFacts(Facts):
    """The facts of one batch."""

    directory: Directory
    holdings: Holdings
    authorizations: dict[tuple[PartyCode, AuthorizationId], Authorization]
    now: Instant
    policy: Policy
    whole: bool = True
    approvals: dict[tuple[Actor, str], Approval] = field(default_factory=dict)
    overdue: dict[Actor, tuple[CaseId, ...]] = field(default_factory=dict)
    transactions: dict[TransactionId, Transaction] = field(default_factory=dict)
    log: Growth = field(default_factory=Growth)
    log_id: str = ""
    acts: int = 0
    deliveries: dict[Actor, Growth] = field(default_factory=dict)
    entries: list[NewEntry] = field(default_factory=list)
    earlier: list[tuple[Message, bytes]] = field(default_factory=list)
    begun: set[TransactionId] = field(default_factory=set)
    changed: set[TransactionId] = field(default_factory=set)
    issued: set[tuple[Actor, str]] = field(default_factory=set)
    cases: dict[CaseId, Case] = field(default_factory=dict)
    versions: list[tuple[PartyCode, AuthorizationId, int]] = field(default_factory=list)
    used: set[tuple[PartyCode, AuthorizationId]] = field(default_factory=set)
    statements: dict[Actor, StatementRow] = field(default_factory=dict)
    delivered_roots: dict[tuple[Actor, int], bytes] = field(default_factory=dict)
    checkpoints: dict[int, tuple[Digest, Instant]] = field(default_factory=dict)
    """Root and time of those that statements are about, by size."""
    cosigned: dict[tuple[int, Participant], str] = field(default_factory=dict)
    expired: dict[tuple[Actor, TransactionId], Digest] = field(default_factory=dict)
    """The statements that say whether their author had answered what expired."""
    concerned: dict[int, frozenset[Actor]] = field(default_factory=dict)
    """To whom the entries are addressed whose transactions are asked about, by position."""
    wanted: dict[Digest, Wanted] = field(default_factory=dict)
    asked: list[Digest] = field(default_factory=list)
    """The requests for evidence that this batch has taken."""
    owed: set[Participant] = field(default_factory=set)
    open: dict[TransactionId, tuple[Instant, Instant]] = field(default_factory=dict)
    moved: dict[TransactionId, Instant] = field(default_factory=dict)
    last_turn: Instant | None = None
    away: bool = False
    ticked: bool = False
    next_deadline: Instant | None = None
    shown: list[Participant] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """What became of messages that were heard before the database was set back, by their names."""
    recovered: Kept | None = None
    """What is kept from now on, when this batch has ended a recovery."""


def facts_of(kept: Kept, now: Instant, policy: Policy) -> HubFacts:
    """Facts of a batch that has nothing loaded yet."""
    return HubFacts(
        directory=kept.directory,
        holdings=Holdings(),
        authorizations={},
        now=now,
        policy=policy,
        overdue=dict(kept.overdue),
        log=kept.log,
        log_id=kept.directory.genesis.log,
        acts=kept.acts,
        deliveries=dict(kept.deliveries),
        owed=set(kept.owed),
        last_turn=kept.last_turn,
        away=kept.away,
        wanted=dict(kept.wanted),
    )
