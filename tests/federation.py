# SPDX-License-Identifier: Apache-2.0
"""A federation to try things on: the real programs on the in-process broker, and voices of rogues.

`Federation` runs hub, reconciliation service, two Party registries, the mechanism and the
international registry in one process, each on a database of its own (who they are: `cast`). Time is
the event loop's: on a `VirtualLoop` hours cost nothing. Any participant can be stopped, killed and
spoken for (`voice`).

`audit` holds all ledgers to the log, the log to its effects, and everything to conservation. The
fixture `federation` of the acceptance tests does that after every test.
"""

import asyncio
import random
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select, text
from structlog.typing import EventDict

from harness.simulation.virtual_time import LoopClock
from hub.genesis import begin_log
from hub.guard import Guard
from hub.program import Hub, HubSettings
from ledger.adjustments import NdcPeriod
from ledger.blocks import join
from ledger.effects import Everybody, apply
from ledger.holdings import Holdings
from mechanism_node.program import MechanismRegistry
from reconciliation.program import Reconciler, ReconcilerSettings
from registry.initial_reports import InitialReports
from registry.program import Registry, RegistrySettings
from runtime import books, events
from runtime.anchor import Anchor, FileAnchor
from runtime.clock import Clock, Ids
from runtime.definitions import recipients
from runtime.keys import Keyring
from runtime.memory import MemoryBroker, MemoryExchange
from runtime.node import Node, NodeSettings
from runtime.orders import Operator, submit, write_order
from runtime.program import Program
from runtime.schema import migrate
from runtime.store import Store, open_store
from runtime.tables import desk
from schemas.directory import SignedAct
from schemas.effects import Move
from schemas.envelope import digest
from schemas.identifiers import Actor, Digest, Participant
from schemas.messages import Entry, Message, parse_message
from tests.cast import (
    ACTORS,
    ADM,
    CHE,
    GHA,
    HUB,
    KOR,
    MM1,
    MMR,
    PROFILES,
    REC,
    ROG,
    VUT,
    A,
    R,
    U,
    account,
    admission,
    approval,
    asked,
    first_transfer,
    genesis,
    instruction,
    issuance,
    keyring,
    line,
    profile,
    public,
    signer,
    terms,
)
from tests.crashes import NEVER, Crash, CrashingStore
from tests.voice import Voice

__all__ = ["Federation", "Settings", "copy_databases"]

T = TypeVar("T")
OPERATORS = ("olga", "otto")
"""They may command every program."""


@dataclass
class Settings:
    """The pace of a federation; durations in seconds."""

    checkpoint_seconds: float = 0.5
    heartbeat_seconds: float = 60.0
    inquiry_seconds: float = 10.0
    tick_seconds: float = 0.25
    scrub_seconds: float = 86400.0
    batch_max: int = 200
    manual: frozenset[Participant] = frozenset()
    """Participants that leave clearances to an operator."""
    ndc_periods: tuple[NdcPeriod, ...] = ()
    """How Parties make their corresponding adjustments, at every registry."""
    initial_reports: InitialReports = field(default_factory=InitialReports)
    """Which approaches have one, at every registry."""
    trust_root: Digest | None = None
    """What registries and the reconciliation service were told."""


@dataclass
class Federation:
    """Programs, their databases, and what they logged."""

    folder: Path
    logs: list[EventDict]
    clock: Clock = field(default_factory=LoopClock)
    settings: Settings = field(default_factory=Settings)
    urls: dict[Participant, str] = field(default_factory=dict)
    nodes: dict[Participant, Node] = field(default_factory=dict)
    tasks: dict[Participant, asyncio.Task[None]] = field(default_factory=dict)
    diverged: set[Actor] = field(default_factory=set)
    """Actors whose rows a test has spoilt: the audit expects nothing of them."""
    faults_expected: bool = False
    """Whether a test has made a program fail on purpose."""
    more: Mapping[Participant, tuple[Actor, ...]] = field(default_factory=dict)
    """Sections that registries have besides those of everybody's cast."""

    def __post_init__(self) -> None:
        self.empty_broker()
        for participant in ACTORS:
            self.urls.setdefault(participant, f"sqlite:///{self.folder / f'{participant}.db'}")
        self.anchor: Anchor = FileAnchor(self.folder / f"{HUB}.anchor")
        self._stores: dict[Participant, Store] = {}
        self.ids = Ids()
        self.operators = [
            Operator(name=name, role="administrator", key=public(name)) for name in OPERATORS
        ]

    # --- programs -------------------------------------------------------------------------------

    def program(self, participant: Participant) -> Program:
        ring, pace = self.keyring(participant), self.settings
        if participant == HUB:
            return Hub(
                ring,
                self.anchor,
                HubSettings(
                    checkpoint_seconds=pace.checkpoint_seconds,
                    heartbeat_seconds=pace.heartbeat_seconds,
                ),
            )
        if participant == REC:
            return Reconciler(
                genesis(),
                ring,
                ReconcilerSettings(
                    inquiry_seconds=pace.inquiry_seconds, trust_root=pace.trust_root
                ),
            )
        kind = MechanismRegistry if participant == "UN01" else Registry
        accept = participant not in pace.manual
        chosen = RegistrySettings(
            accept=accept,
            scrub_seconds=pace.scrub_seconds,
            trust_root=pace.trust_root,
            ndc_periods=pace.ndc_periods,
            initial_reports=pace.initial_reports,
        )
        return kind(participant, self.sections(participant), genesis(), ring, chosen)

    def sections(self, participant: Participant) -> tuple[Actor, ...]:
        return (*ACTORS[participant], *self.more.get(participant, ()))

    def keyring(self, participant: Participant) -> Keyring:
        return keyring(participant, *self.more.get(participant, ()))

    async def make_databases(self) -> None:
        """Empty databases, and a log that has begun."""
        for participant in ACTORS:
            if participant != "ROG01":
                await migrate(self.urls[participant], self.program(participant).packages)
        guard = Guard(self.anchor, keyring(HUB).checkpoint)
        await begin_log(self.store(HUB), genesis(), self.clock.now(), self.ids, guard)

    async def start(
        self,
        *participants: Participant,
        crash: tuple[int, str] | None = None,
        keys: Mapping[Actor, Sequence[str]] | None = None,
        through: Callable[[Store], Store] | None = None,
    ) -> None:
        """Start programs, by default all; with `crash` they die at their nth commit, with `keys`
        actors have the keys of these names in their folders, and with `through` there is something
        between a program and its store.
        """
        for participant in participants or [p for p in ACTORS if p != "ROG01"]:
            store: Store = open_store(self.urls[participant])
            ring = self.keyring(participant)
            for actor, names in (keys or {}).items():
                ring.actors[actor] = [signer(name) for name in names]
            if crash is not None:
                store = CrashingStore(store, *crash)
            if through is not None:
                store = through(store)
            self.nodes[participant] = Node(
                self.program(participant),
                store,
                MemoryBroker(self.exchange, str(participant)),
                self.clock,
                ring,
                operators=self.operators,
                settings=NodeSettings(
                    batch_max=self.settings.batch_max,
                    tick_seconds=self.settings.tick_seconds,
                    drain_seconds=2,
                ),
            )
            self.tasks[participant] = asyncio.create_task(self.nodes[participant].run())

    async def stop(self, *participants: Participant) -> None:
        """Stop programs as SIGTERM does, by default all."""
        chosen = participants or tuple(self.tasks)
        for participant in chosen:
            self.nodes[participant].stop()
        for participant in chosen:
            await self.tasks.pop(participant)

    async def greeted(self) -> None:
        """Wait until every running program has exchanged sequences with the hub."""
        async with asyncio.timeout(60):
            for participant in self.tasks:
                await self.nodes[participant].ready.wait()

    async def crash(self, participant: Participant) -> None:
        """Kill a program where it stands."""
        task = self.tasks.pop(participant)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def crashed(self, participant: Participant, seconds: float) -> bool:
        """Wait until a program that was started with `crash` has died; False when it has not."""
        task = self.tasks[participant]
        done, _ = await asyncio.wait([task], timeout=seconds)
        if not done:
            store = self.nodes[participant].store
            assert isinstance(store, CrashingStore)
            store.commits = NEVER
            return False
        assert isinstance(task.exception(), Crash), task.exception()
        del self.tasks[participant]
        return True

    def empty_broker(self) -> None:
        """A broker without anything in it, for programs that start from now on."""
        self.exchange = MemoryExchange(
            recipients([str(p) for p in ACTORS], []), randomness=random.Random(1)
        )

    async def close(self) -> None:
        """Stop what runs and give back all connections."""
        await self.stop()
        await self.let_go()

    async def let_go(self) -> None:
        """Give back our own connections."""
        for store in self._stores.values():
            await store.close()
        self._stores.clear()

    def store(self, participant: Participant) -> Store:
        """A connection of our own to a program's database."""
        if participant not in self._stores:
            self._stores[participant] = open_store(self.urls[participant])
        return self._stores[participant]

    # --- looking --------------------------------------------------------------------------------

    async def rows(self, participant: Participant | str, sql: str, **values: Any) -> list[Any]:
        async with self.store(Participant(participant)).snapshot() as session:
            return list(await session.execute(text(sql), values))

    async def edit(self, participant: Participant | str, sql: str, **values: Any) -> None:
        """Change rows behind a program's back."""
        async with self.store(Participant(participant)).transaction() as session:
            done = await session.execute(text(sql), values)
            assert done.rowcount == 1, f"{done.rowcount} rows: {sql}"

    async def wait(
        self, ready: Callable[[], Awaitable[T | None]], what: str, seconds: float = 60.0
    ) -> T:
        """Look again and again until there is something."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            found = await ready()
            if found is not None:
                return found
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"{what} did not come within {seconds} seconds")
            await asyncio.sleep(0.05)

    def logged(self, event: str, **values: Any) -> list[EventDict]:
        """What programs logged."""
        return [
            e
            for e in self.logs
            if e["event"] == event and all(str(e.get(k)) == str(v) for k, v in values.items())
        ]

    async def log_size(self) -> int:
        return int((await self.rows(HUB, "select count(*) from log_entries"))[0][0])

    async def entries(self) -> list[Message]:
        found = await self.rows(HUB, "select line from log_entries order by position")
        return [parse_message(bytes(row.line)) for row in found]

    async def state(self, transaction: str, at: Participant | str = HUB) -> str | None:
        sql = "select state from transactions where id = :id"
        found = await self.rows(at, sql, id=transaction)
        return found[0].state if found else None

    async def holdings(self, actor: Actor, at: Participant | None = None) -> set[tuple[Any, ...]]:
        """An actor's rows: key, serials, account; at its own registry, or as the log has them."""
        sql = "select key, first, last, account from blocks where actor = :actor"
        found = await self.rows(at or actor.participant, sql, actor=str(actor))
        return {tuple(row) for row in found}

    async def ledgers(self) -> dict[str, Any]:
        """Everything that must not change when something is refused."""
        found: dict[str, Any] = {"log": await self.log_size()}
        for participant in ACTORS:
            if participant in {REC, "ROG01"}:
                continue
            for table, columns in (
                ("blocks", "book, key, first, last, attributes, account"),
                ("overlays", "book, kind, actor, key, first, last, reference"),
            ):
                rows = await self.rows(participant, f"select {columns} from {table}")
                found[f"{participant} {table}"] = sorted(tuple(row) for row in rows)
        sql = "select id, state, position from transactions"
        found["transactions"] = sorted(tuple(row) for row in await self.rows(HUB, sql))
        found["used"] = sorted(
            tuple(r) for r in await self.rows(HUB, "select party, id, used from authorization_use")
        )
        return found

    # --- doing ----------------------------------------------------------------------------------

    async def submit(
        self, participant: Participant | str, command: str, /, by: str = "olga", **arguments: Any
    ) -> int:
        """Put an operator's command on a program's desk; gives its number there."""
        now = self.clock.now()
        order, signature = write_order(
            Participant(participant),
            command,
            arguments,
            by,
            signer(by),
            now,
            self.ids,
        )
        async with self.store(Participant(participant)).transaction() as session:
            return await submit(session, order, signature, now)

    async def command(
        self, participant: Participant | str, command: str, /, **arguments: Any
    ) -> tuple[bool, str]:
        """Give a command and wait for its end: whether it was done, and the result. Otto confirms
        what olga has given, where it needs a second person.
        """
        number = await self.submit(participant, command, **arguments)
        state, result = await self.handled(participant, number)
        if state == "awaiting":
            by = await self.answer(participant, number)
            state, result = await self.handled(participant, by)
        return state == "done", result

    async def answer(
        self, participant: Participant | str, number: int, by: str = "otto", word: str = "confirm"
    ) -> int:
        """Have somebody confirm or decline a command; gives the number of that."""
        rows = await self.rows(participant, "select command from desk where id = :id", id=number)
        named = digest(rows[0].command.encode())
        return await self.submit(participant, word, by, command=number, digest=named)

    async def handled(self, participant: Participant | str, number: int) -> tuple[str, str]:
        """Wait until a command was looked at: its state and result."""
        statement = select(desk.c.state, desk.c.result).where(desk.c.id == number)

        async def looked_at() -> tuple[str, str] | None:
            async with self.store(Participant(participant)).snapshot() as session:
                row = (await session.execute(statement)).one()
            return None if row.state == "open" else (row.state, row.result or "")

        return await self.wait(looked_at, f"command {number} at {participant}")

    async def order(self, participant: Participant | str, command: str, /, **arguments: Any) -> str:
        """A command that must be done."""
        done, result = await self.command(participant, command, **arguments)
        assert done, result
        return result

    async def act(self, act: SignedAct) -> tuple[bool, str]:
        """Hand an act to the hub as its administrator."""
        return await self.command(HUB, "act", act=act.model_dump_json())

    async def propose(self, actor: Actor, proposal: Mapping[str, Any], **arguments: Any) -> str:
        """Propose at an actor's desk; gives the transaction."""
        members = {**asked(proposal), **arguments}
        return await self.order(actor.participant, "propose", actor=actor, **members)

    async def ended(self, transaction: str, seconds: float = 60.0) -> str:
        """Wait for a transaction's end; gives the state, once everybody has applied it."""

        async def final() -> str | None:
            state = await self.state(transaction)
            return state if state not in {None, "proposed", "cleared"} else None

        state = await self.wait(final, f"the end of {transaction}", seconds)
        await self.applied()
        return state

    async def transact(self, actor: Actor, proposal: Mapping[str, Any], **arguments: Any) -> str:
        """Propose and wait for the end; gives the state."""
        return await self.ended(await self.propose(actor, proposal, **arguments))

    async def reached(self, transaction: str, state: str, at: Participant | str = HUB) -> None:
        """Wait until a transaction is in a state."""

        async def there() -> bool | None:
            return True if await self.state(transaction, at) == state else None

        await self.wait(there, f"{transaction} {state} at {at}")

    async def applied(self) -> None:
        """Wait until every running registry has applied what was delivered to it."""

        async def all_applied() -> bool | None:
            sql = "select actor, count(*) as n from deliveries group by actor"
            for row in await self.rows(HUB, sql):
                place = Actor(row.actor).participant
                if place not in self.tasks or self.tasks[place].done():
                    continue
                mine = await self.rows(
                    place, "select count(*) from deliveries where actor = :a", a=row.actor
                )
                if mine[0][0] < row.n:
                    return None
            return True

        await self.wait(all_applied, "applying")

    async def settled(self, seconds: float = 60.0) -> None:
        """Wait until every running registry has stated that it applied all its deliveries."""

        async def all_stated() -> bool | None:
            delivered = await self.rows(
                HUB, "select actor, count(*) as n from deliveries group by actor"
            )
            stated = await self.rows(HUB, "select actor, delivered from statements")
            known = {row.actor: row.delivered for row in stated}
            waiting = [
                row.actor
                for row in delivered
                if Actor(row.actor).participant in self.tasks and known.get(row.actor, 0) < row.n
            ]
            return None if waiting else True

        await self.wait(all_stated, "settlement", seconds)

    async def halted(self, participant: Participant | str) -> str:
        """Wait until a program has halted by itself; gives why."""
        place = Participant(participant)
        await asyncio.wait([self.tasks[place]], timeout=60)
        assert self.tasks[place].done(), f"{place} goes on"
        await self.tasks.pop(place)
        why = self.nodes[place].halted
        assert why is not None
        assert self.logged(events.NODE_HALTED, participant=place, log_level="critical")
        return why

    # --- establishing ---------------------------------------------------------------------------

    async def establish(self) -> None:
        """Admit and connect everybody, open accounts, issue, authorize, make some transfers."""
        for participant in ACTORS:
            if participant != HUB:
                done, why = await self.act(admission(participant, self.clock.now()))
                assert done, why
        for a, b, name in PROFILES:
            done, why = await self.act(profile(a, b, name, self.clock.now()))
            assert done, why
        for actor, kinds in (
            (GHA, ("holding", "holding", "use", "cancellation")),
            (CHE, ("holding", "holding", "use", "cancellation")),
            (ADM, ("pending", "share-of-proceeds", "omge", "cancellation", "buffer")),
            (MMR, ("holding", "cancellation")),
            (KOR, ("holding", "use")),
            (VUT, ("holding", "use")),
        ):
            for kind in kinds:
                await self.order(actor.participant, "open-account", actor=actor, kind=kind)
        rogue = await self.voice(ROG)
        await rogue.completes("ROG01-ROG-1", issuance(ROG, R, 1, 1000))
        await rogue.completes(
            "ROG01-ROG-2",
            {"action": "authorization", "terms": terms("RG-1", ROG, "CA0009", quantity=900)},
        )
        await rogue.close()
        await self._transfers()
        await self.settled()

    async def _transfers(self) -> None:
        steps: list[tuple[Actor, dict[str, Any]]] = [
            (GHA, issuance(GHA, U, 1, 1000)),
            (
                GHA,
                {"action": "authorization", "terms": terms("GH-1", GHA, "CA0007", quantity=600)},
            ),
            (GHA, first_transfer(1, 100, 1)),
            (
                MMR,
                {"action": "authorization", "terms": terms("MM-1", MMR, "CA0001", quantity=500)},
            ),
        ]
        for actor, proposal in steps:
            assert await self.transact(actor, proposal) == "completed"
        for name, quantity in (("A", 1000), ("B", 7125)):
            assert await self.transact(ADM, approval(name, A, quantity)) == "completed"
        issued = await self.order(
            "UN01",
            "issue",
            party="MMR",
            activity="A0042",
            vintage=2024,
            quantity=1000,
            first=1,
            authorized=500,
            designation="N",
            authorization={"id": "MM-1", "version": 1},
            references={"request": "R", "approval": "A", "approved_quantity": 1000},
        )
        assert await self.ended(issued) == "completed"
        one = line(A, 1, 400, account(ADM, "PEN"), account(MMR))
        forwarding = {
            "action": "forwarding",
            "lines": (one,),
            "acquirer": MMR,
            "instruction": instruction("A"),
        }
        assert await self.transact(ADM, forwarding) == "completed"
        one = line(A, 1, 100, account(MMR), account(KOR))
        bring = {"action": "first-transfer", "lines": (one,), "acquirer": KOR, "authorization": MM1}
        assert await self.transact(MMR, bring) == "completed"

    async def voice(self, actor: Actor) -> Voice:
        """Speak by hand for an actor whose program does not run."""
        assert actor.participant not in self.tasks, f"{actor.participant} runs"
        voice = Voice(self, actor)
        await voice.open()
        return voice

    # --- auditing -------------------------------------------------------------------------------

    async def audit(self) -> None:
        """The log is the sum of its effects; every ledger is its actors' part of it; nothing that
        was issued is gone or twice; no program failed on anything.
        """
        if not self.faults_expected:
            bad = {events.CULPRIT_SET_ASIDE, events.BATCH_FAILED, events.SERVICE_FAILED}
            assert [e for e in self.logs if e["event"] in bad] == []
        entries, log = await self._log_and_rows()
        holdings, issued = Holdings(), 0
        for message in entries:
            entry: Entry = message.body
            for effect in entry.effects:
                assert apply(holdings, effect, Everybody()) == []
                if isinstance(effect, Move) and effect.source is None:
                    issued += effect.quantity
        assert log == (_blocks(holdings), set(holdings.overlays())), "the log's rows"
        assert sum(block[2] - block[1] + 1 for block in log[0]) == issued, "conservation"
        for participant in self.tasks:
            if participant in {HUB, REC}:
                continue
            blocks, overlays = await self._books(participant)
            for actor in set(self.sections(participant)) - self.diverged:
                mine = {b for b in log[0] if b[4] == actor}
                assert {b for b in blocks if b[4] == actor} == mine, f"the rows of {actor}"
                laid = {o for o in log[1] if o.actor == actor}
                assert {o for o in overlays if o.actor == actor} == laid, f"overlays of {actor}"

    async def _log_and_rows(self) -> tuple[list[Message], tuple[set[Any], set[Any]]]:
        """The log's entries and rows of one moment, though the hub may be running."""
        while True:
            entries = await self.entries()
            rows = await self._books(HUB)
            if await self.log_size() == len(entries):
                return entries, rows

    async def _books(self, participant: Participant) -> tuple[set[Any], set[Any]]:
        async with self.store(participant).snapshot() as session:
            series = await session.execute(text("select distinct series from overlays"))
            spans = {(row[0], 1, 2**44) for row in series}
            series = await session.execute(text("select distinct series from blocks"))
            spans |= {(row[0], 1, 2**44) for row in series}
            book = "log" if participant == HUB else str(participant)
            holdings = await books.load_holdings(session, book, spans)
        return _blocks(holdings), set(holdings.overlays())


def _blocks(holdings: Holdings) -> set[tuple[Any, ...]]:
    """Rows joined where nothing but the range differs, so that how they are split does not show."""
    return {
        (b.key.text, b.first, b.last, b.attributes.text, b.position.actor, b.position.account)
        for b in join(holdings.blocks())
    }


def copy_databases(template: Path, folder: Path, only: str = "*") -> None:
    """The databases of programs that have stopped, in the place of what is there; the hub's anchor
    with them when it is all of them, as if what came after had never been.
    """
    folder.mkdir(exist_ok=True)
    names = [f"{only}.db*"] + ["*.anchor"] * (only == "*")
    for path in [path for name in names for path in folder.glob(name)]:
        path.unlink()
    for path in [path for name in names for path in template.glob(name)]:
        shutil.copy(path, folder / path.name)
