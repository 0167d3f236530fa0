# SPDX-License-Identifier: Apache-2.0
"""What a program is to its node: rules over loaded facts, and nothing of transport.

A node runs batches of items through one handler shape: *load* every fact the items need, *decide*
one item after another, purely, against facts that earlier items have changed in memory, *finish*
(write the facts, say what the whole batch gives rise to), commit once. A `Program` supplies these
three; the node does the rest.

`decide` must not wait, read a clock or draw randomness: time, ids and the directory come with the
batch. A raised exception is a bug: nothing of the batch is committed and the item is set aside.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ledger.directory import Directory
from runtime.clock import Ids
from runtime.store import Session
from schemas.envelope import Opened, digest
from schemas.findings import Finding
from schemas.identifiers import AccountNumber, Actor, Digest, Instant, Participant
from schemas.messages import Message, new_message
from schemas.units import Frozen

__all__ = [
    "Batch",
    "Entity",
    "Heard",
    "Item",
    "Order",
    "Others",
    "Program",
    "Recovery",
    "Said",
    "Tick",
]


@dataclass(frozen=True, slots=True)
class Heard:
    """An authentic message: who said it, its bytes, and the manifest that covers it."""

    author: Actor
    message: Message
    line: bytes
    digest: Digest
    manifest: bytes
    sequence: int
    index: int

    @property
    def name(self) -> str:
        """How logs and culprits name it."""
        return f"{self.author}#{self.sequence}/{self.index}"


class Entity(NamedTuple):
    """An authorized entity at the desk of a registry: its name there, and its accounts."""

    id: str
    accounts: tuple[AccountNumber, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """An operator's command whose signature and role were checked."""

    id: int
    command: str
    operator: str
    arguments: dict[str, Any]
    entity: Entity | None = None
    """Set where the operator acts for an authorized entity, and not for the Party."""

    @property
    def name(self) -> str:
        """How logs and culprits name it."""
        return f"command#{self.id}"


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed: deadlines, checkpoints, periodic work. `consuming` is true when the link is up
    and everything that had arrived is in this batch or before it.
    """

    now: Instant
    consuming: bool = True

    @property
    def name(self) -> str:
        """How logs and culprits name it."""
        return "tick"


Item = Heard | Order | Tick


@dataclass(frozen=True, slots=True)
class Said:
    """A message of ours, to be sealed into an envelope with others of the same way."""

    author: Actor
    to: Participant
    message: Message
    line: bytes
    digest: Digest


@dataclass
class Batch:
    """What a batch is given besides a program's own facts, and then what it is about to do."""

    now: Instant
    ids: Ids
    sequences: Mapping[tuple[Actor, Participant], int] = field(default_factory=dict)
    """The last ones per sender and recipient before the batch."""
    waiting: frozenset[Participant] = frozenset()
    """Participants with whom sequences are not exchanged yet: a program that may have been restored
    begins nothing new with them.
    """
    early: frozenset[Actor] = frozenset()
    """Actors of whom authentic envelopes are here that may not be applied yet, those of this batch
    included: an earlier one is missing, or their time has not come.
    """

    said: list[Said] = field(default_factory=list)
    results: dict[int, str] = field(default_factory=dict)
    refusals: dict[int, list[Finding]] = field(default_factory=dict)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    rotations: list[Actor] = field(default_factory=list)
    restored: list[Opened] = field(default_factory=list)
    """Envelopes of others that they have lost and a recovery has put together: stored like early
    ones, so that they take them back (rule 3.11).
    """
    halt: str | None = None
    pause: bool = False
    """Whether nothing behind the envelope that is being heard is taken in this batch."""

    def make(
        self, type_: str, conversation: str, body: Frozen, *, answers: Digest | None = None
    ) -> tuple[Message, bytes]:
        """A new message and its line."""
        message = new_message(
            type_, self.ids.message(self.now), conversation, body, answers=answers
        )
        return message, message.model_dump_json().encode()

    def say(
        self,
        author: Actor,
        to: Participant,
        type_: str,
        conversation: str,
        body: Frozen,
        *,
        answers: Digest | None = None,
    ) -> Digest:
        """Say something to a participant; gives the digest of its line."""
        message, line = self.make(type_, conversation, body, answers=answers)
        return self.repeat(author, [to], message, line)

    def repeat(
        self, author: Actor, to: Iterable[Participant], message: Message, line: bytes
    ) -> Digest:
        """Say the same bytes to several participants; gives their digest."""
        named = digest(line)
        self.said += [Said(author, recipient, message, line, named) for recipient in to]
        return named

    def log(self, event: str, **values: Any) -> None:
        """Have an event logged once the batch is committed."""
        self.events.append((event, values))


@dataclass(frozen=True, slots=True)
class Others:
    """How far the others have come with a program that recovers."""

    waiting: frozenset[Participant] = frozenset()
    """They have not given back all that they keep."""
    whole: frozenset[Actor] = frozenset()
    """They have said how much they have sent here since the start, and all of it is here."""
    early: Mapping[Actor, AbstractSet[int]] = field(default_factory=dict)
    """The sequences of their envelopes that are stored and not applied."""


class Recovery(Protocol):
    """What brings back what a program's database has lost and others keep. While there is one,
    nothing is heard, ordered or begun, and nothing is said (rule 3.13).
    """

    @property
    def lacking(self) -> Collection[Actor]:
        """Others whose own envelopes are needed to go further."""
        ...

    async def step(self, session: Session, batch: Batch, others: Others) -> Any:
        """Take what is here and can be taken; gives facts for `committed`. What is said in the step
        that ends the recovery is sealed and sent.

        `LocalProtocolError` when nothing can ever be right: nothing of the step is written.
        """
        ...


class Program(Protocol):
    """The rules of one participant. Caches of facts may be kept between batches; they are valid
    because there is one writer, and are dropped when a commit's outcome is unknown (`start`).
    """

    participant: Participant
    actors: tuple[Actor, ...]
    packages: tuple[str, ...]
    roles: dict[str, str]
    second_person: tuple[str, ...]
    """Commands that need one unless the settings say otherwise (`runtime.second_person`)."""

    @property
    def greets(self) -> tuple[Participant, ...]:
        """Whom it says hello to, as of the last commit; nobody is taken off again."""
        ...

    @property
    def recovery(self) -> Recovery | None:
        """What is to be brought back before anything else, if anything is."""
        ...

    @property
    def directory(self) -> Directory:
        """The directory as of the last commit."""
        ...

    @property
    def seen(self) -> int:
        """The largest log size known, for manifests."""
        ...

    async def start(self, session: Session) -> None:
        """Load what is kept between batches, anew."""
        ...

    def due(self, now: Instant) -> bool:
        """Whether a tick has something to do."""
        ...

    def malformed(self, order: Order, now: Instant) -> list[Finding]:
        """What is wrong with the form of a command of the program's own, whatever the facts are:
        such a one waits for no second person.
        """
        ...

    async def load(self, session: Session, items: Sequence[Item], batch: Batch) -> Any:
        """Every fact that the items need, in a handful of queries."""
        ...

    def decide(self, facts: Any, item: Item, batch: Batch) -> list[Finding]:
        """Carry out one item on the facts; findings go to who said it, and mean no effect."""
        ...

    async def finish(self, session: Session, facts: Any, batch: Batch) -> None:
        """Write the facts; say what the whole batch gives rise to."""
        ...

    def committed(self, facts: Any) -> None:
        """The batch is durable and nothing of it is sent: keep what is to be kept between batches.

        `Unavailable` when something else that must be durable before it is sent cannot be: the
        batch counts as one whose commit has an unknown outcome, and `start` comes next.
        """
        ...

    async def recall(self, session: Session, said: Sequence[Heard], batch: Batch) -> None:
        """Take back what we said before a restore from an older backup; it was sent already."""
        ...
