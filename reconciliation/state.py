# SPDX-License-Identifier: Apache-2.0
"""The reconciliation service's facts: what it keeps between batches, and what a batch adds.

`Kept` is small (actors, open cases, drill-downs under way; of the log only the frontier), so all of
it is in memory. A batch works on a copy, whose values are never changed in place: what is not the
same object as before has changed and is written, and the copy replaces `Kept` once it is durable.

Elsewhere: the tables (`tables`), loading and writing (`storage`).
"""

from dataclasses import dataclass, field, replace

from ledger import tree
from ledger.directory import Directory
from ledger.growth import Growth
from reconciliation.drill import DifferingTotal, Drill, Held
from reconciliation.known import Known
from reconciliation.notes import Note
from runtime.places import Place
from runtime.program import Heard
from schemas.directory import SignedAct
from schemas.effects import CaseState, Cause
from schemas.envelope import Manifest
from schemas.findings import Finding
from schemas.identifiers import Actor, CaseId, Digest, Instant
from schemas.jws import Token
from schemas.messages import Answer, Entry, Message, Statement

__all__ = [
    "Alarm",
    "Case",
    "Enclosed",
    "Facts",
    "Head",
    "Kept",
    "NewEntry",
    "Standing",
    "Stated",
    "Telling",
]

NOTHING = Digest(tree.EMPTY_ROOT.hex())
"""The holdings root of an actor that holds nothing."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an actor's ledger stands: our replica at `applied` deliveries digests to `expected`; its
    newest statement, and whether the two are equal there (None: not compared yet).

    `explained` is the last pair of roots, theirs and ours, whose difference is accounted for.
    """

    actor: Actor
    applied: int = 0
    expected: Digest = NOTHING
    statement: Digest | None = None
    place: int = -1
    size: int = 0
    delivered: int = 0
    holdings: Digest | None = None
    said_at: Instant | None = None
    equal: bool | None = None
    explained: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """An open discrepancy: an exact range of an actor's units, why it differs, and whom else that
    concerns; `explanation` is what an operator has said of it.
    """

    number: int
    actor: Actor
    key: str
    first: int
    last: int
    cause: Cause
    frozen: bool
    detail: str
    opened_at: Instant
    expected: Held | None = None
    stated: Held | None = None
    evidence: tuple[Digest, ...] = ()
    concerned: tuple[Actor, ...] = ()
    explanation: str | None = None
    explained_at: Instant | None = None

    @property
    def id(self) -> CaseId:
        return CaseId(f"REC-{self.number}")


@dataclass(frozen=True, slots=True)
class Telling:
    """An entry about a case as a delivery of one whom it concerns, and the statement of that actor
    which covers it first, if there is one: by that it has acknowledged what it was told.
    """

    case: CaseId
    state: CaseState
    position: int
    actor: Actor
    number: int
    at: Instant
    statement: Digest | None = None
    size: int | None = None
    said_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that the hub said or passed on, and that cannot be true of one log; and where its
    message stands that shows it.
    """

    kind: str
    subject: str
    detail: str
    place: Place | None


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry that a batch has taken: the log's root after it, and per actor that it is addressed
    to the number and the delivery root after it.
    """

    body: Entry
    line: bytes
    digest: Digest
    root: bytes
    delivered: tuple[tuple[Actor, int, bytes], ...]
    acts: tuple[SignedAct, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint that was verified: its note's text, and the log's size and root that it says."""

    text: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What the hub enclosed, taken apart; nothing is verified yet."""

    token: Token
    manifest: Manifest
    message: Message
    digest: Digest


@dataclass(frozen=True, slots=True)
class Stated:
    """An actor's own statement, verified. `place` orders its statements: sequence, then line."""

    actor: Actor
    body: Statement
    digest: Digest
    place: int


@dataclass
class Kept:
    """What is in memory between batches; `genesis` is the act that the log begins with, and
    `trust_root` the digest of its first entry, if we were told; `acts` is how many acts the next
    entry has before it. `hub_heard`, `spoken` and `looked_at` begin anew with each start
    (`silence`).
    """

    genesis: SignedAct
    directory: Directory
    trust_root: Digest | None = None
    log: Growth = field(default_factory=Growth)
    acts: int = 0
    deliveries: dict[Actor, Growth] = field(default_factory=dict)
    standings: dict[Actor, Standing] = field(default_factory=dict)
    drills: dict[Actor, Drill] = field(default_factory=dict)
    known: dict[Actor, Known] = field(default_factory=dict)
    cases: dict[int, Case] = field(default_factory=dict)
    told: dict[Actor, tuple[Telling, ...]] = field(default_factory=dict)
    """What actors were told of cases and have not acknowledged."""
    last_case: int = 0
    alarms: frozenset[tuple[str, str]] = frozenset()
    hub_heard: Instant | None = field(default=None, compare=False)
    spoken: dict[Actor, Instant] = field(default_factory=dict, compare=False)
    looked_at: Instant | None = field(default=None, compare=False)

    def copy(self) -> "Kept":
        """One to work on; the values are shared, since none is changed in place."""
        return replace(
            self,
            deliveries=dict(self.deliveries),
            standings=dict(self.standings),
            drills=dict(self.drills),
            known=dict(self.known),
            cases=dict(self.cases),
            told=dict(self.told),
        )

    def standing(self, actor: Actor) -> Standing:
        """How an actor stands; as at the beginning of the log if nothing is known."""
        return self.standings.get(actor) or Standing(actor)

    def delivered(self, actor: Actor) -> Growth:
        """An actor's delivery tree, as derived from the log."""
        return self.deliveries.get(actor) or Growth()

    def cases_of(self, actor: Actor) -> list[Case]:
        """An actor's open cases, oldest first."""
        return [case for case in self.cases.values() if case.actor == actor]


@dataclass
class Facts:
    """The facts of one batch. `roots`, `delivered_roots` and `digests` are what the batch may ask
    of the past, loaded beforehand and added to as entries arrive. `notes` has the cases that
    commands name, as far as there are such, and `noted` what is added to them.
    """

    kept: Kept
    roots: dict[int, bytes] = field(default_factory=dict)
    delivered_roots: dict[tuple[Actor, int], bytes] = field(default_factory=dict)
    digests: dict[int, Digest] = field(default_factory=dict)
    enclosed: dict[Digest, Enclosed | Finding] = field(default_factory=dict)
    entries: list[NewEntry] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    statements: dict[Actor, Stated] = field(default_factory=dict)
    answers: list[tuple[Heard, Answer]] = field(default_factory=list)
    closed: list[Case] = field(default_factory=list)
    tellings: list[Telling] = field(default_factory=list)
    """Those that are new, or newly acknowledged."""
    notes: dict[CaseId, tuple[Note, ...]] = field(default_factory=dict)
    noted: list[Note] = field(default_factory=list)
    totals: dict[Actor, tuple[DifferingTotal, ...]] = field(default_factory=dict)
    head: Head | None = None
    ticked: bool = False
