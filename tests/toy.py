# SPDX-License-Identifier: Apache-2.0
"""A toy program, to try the engine on: it counts what it hears, and answers with the count.

As `HUB` it counts `status-request`s per author in a table of its own and answers each; as a
registry it counts the answers, and asks by the command `ask`. What it counts is kept in memory
between batches as well, so a cache that outlives a lost commit would show. It can be told to
have a bug about a transaction or a checkpoint, to spoil the commit with a transaction's row, to
refuse a transaction or to stop at one.

Elsewhere: the engine that it runs on (`runtime`), stores and brokers (`tests/contract`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, Text, func, select
from sqlalchemy.schema import CreateTable

from harness.simulation.virtual_time import START
from ledger.directory import Directory
from runtime.keys import Keyring
from runtime.program import Batch, Heard, Item, Order, Recovery, Tick
from runtime.schema import migrate
from runtime.store import Session, open_store
from schemas import jws
from schemas.directory import SignedAct
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, Instant, Participant, TransactionId
from schemas.messages import StatusAnswer, StatusRequest
from tests.cast import ACTORS, HUB, admission, genesis, signer

__all__ = ["Toy", "counted", "empty_keyring", "make_database"]

_metadata = MetaData()

counted = Table(
    "toy_counted",
    _metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("author", Text, nullable=False),
    Column("transaction", Text, nullable=False),
)
"""One row for each message that had an effect, in the order of effects."""

acts = Table(
    "toy_acts",
    _metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("act", Text, nullable=False),
)
"""Acts that came as `rotation`."""


async def make_database(url: str) -> None:
    """The runtime's tables and the toy's own."""
    await migrate(url, ["runtime"])
    store = open_store(url)
    async with store.transaction() as session:
        for table in (counted, acts):
            await session.execute(CreateTable(table))
    await store.close()


def empty_keyring(participant: Participant) -> Keyring:
    """The keys that the cast gives a participant's actors, in a ring of this test's own."""
    actors: dict[Actor, list[jws.Signer]] = {a: [signer(a)] for a in ACTORS[participant]}
    return Keyring(actors, signer(f"witness {participant}"))


def founded() -> Directory:
    """Everybody of the cast is admitted."""
    directory = Directory.begin(genesis())
    for participant in ACTORS:
        if participant != HUB:
            directory = directory.apply(admission(participant, Instant.of(START)))
    return directory


@dataclass
class Facts:
    """What a batch changes."""

    counts: dict[Actor, int]
    rows: list[dict[str, str | None]] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    directory: Directory | None = None


@dataclass
class Toy:
    """Counts; `bugs`, `spoils`, `refused`, `halts`, `pauses` are transactions that it meets."""

    participant: Participant
    bugs: set[str] = field(default_factory=set)
    spoils: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    halts: set[str] = field(default_factory=set)
    pauses: set[str] = field(default_factory=set)
    greets: tuple[Participant, ...] = ()
    recovery: Recovery | None = None
    packages: tuple[str, ...] = ("runtime",)
    roles: dict[str, str] = field(default_factory=lambda: {"ask": "operator"})
    second_person: tuple[str, ...] = ()
    seen: int = 0
    directory: Directory = field(default_factory=founded)
    counts: dict[Actor, int] = field(default_factory=dict)
    early: list[frozenset[Actor]] = field(default_factory=list)
    """What each batch with items said about actors behind a gap."""
    recalled: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.actors = ACTORS[self.participant]
        if self.participant != HUB:
            self.greets = (HUB,)

    async def start(self, session: Session) -> None:
        found = await session.execute(
            select(counted.c.author, func.count()).group_by(counted.c.author)
        )
        self.counts = {Actor(author): number for author, number in found}
        self.directory = founded()
        for row in await session.execute(select(acts.c.act).order_by(acts.c.id)):
            self.directory = self.directory.apply(SignedAct.model_validate_json(row.act))

    def due(self, now: Instant) -> bool:
        return False

    def malformed(self, order: Order, now: Instant) -> list[Finding]:
        if order.command != "ask" or "transaction" in order.arguments:
            return []
        return [finding(Reason.COMMAND_INVALID, "missing", field="transaction")]

    async def load(self, session: Session, items: Sequence[Item], batch: Batch) -> Facts:
        if items:
            self.early.append(batch.early)
        return Facts(dict(self.counts))

    def decide(self, facts: Facts, item: Item, batch: Batch) -> list[Finding]:
        if isinstance(item, Tick):
            return []
        if isinstance(item, Order):
            return self._ask(item, batch)
        if item.message.type == "rotation":
            act = item.message.body.act
            facts.directory = (facts.directory or self.directory).apply(act)
            facts.acts.append(act.model_dump_json())
            return []
        if item.message.type == "checkpoint":
            assert item.message.body.note not in self.bugs, "a bug"
        if item.message.type not in {"status-request", "status"}:
            return []
        return self._count(facts, item, batch)

    def _ask(self, order: Order, batch: Batch) -> list[Finding]:
        named = order.arguments["transaction"]
        assert named not in self.bugs
        transaction = TransactionId(named)
        batch.say(
            self.actors[0],
            HUB,
            "status-request",
            transaction,
            StatusRequest(transaction=transaction),
        )
        batch.results[order.id] = "asked"
        return []

    def _count(self, facts: Facts, item: Heard, batch: Batch) -> list[Finding]:
        about = item.message.body.transaction
        assert about not in self.bugs, "a bug"
        if about in self.refused:
            return [finding(Reason.TRANSACTION_UNKNOWN, about)]
        if about in self.halts:
            batch.halt = f"stopped at {about}"
            return []
        batch.pause = batch.pause or about in self.pauses
        facts.counts[item.author] = number = facts.counts.get(item.author, 0) + 1
        spoilt = about in self.spoils  # no row may be without a transaction
        facts.rows.append({"author": item.author, "transaction": None if spoilt else about})
        if item.message.type == "status-request":
            told = StatusAnswer(transaction=about, state=None, position=None, closed_to=number)
            batch.say(
                self.actors[0], item.author.participant, "status", about, told, answers=item.digest
            )
        return []

    async def finish(self, session: Session, facts: Facts, batch: Batch) -> None:
        if facts.rows:
            await session.execute(counted.insert(), facts.rows)
        if facts.acts:
            await session.execute(acts.insert(), [{"act": act} for act in facts.acts])

    def committed(self, facts: Any) -> None:
        self.counts = facts.counts
        self.directory = facts.directory or self.directory

    async def recall(self, session: Session, said: Sequence[Heard], batch: Batch) -> None:
        self.recalled += [heard.message.conversation for heard in said]
