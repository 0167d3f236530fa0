# SPDX-License-Identifier: Apache-2.0
"""A simulated federation: the real programs on the in-process broker, each on a faulty store.

Everything runs in one event loop in virtual time, on SQLite in the loop, with randomness from the
seed alone. A program that dies is started again after a while; the folder of its database is all
that it has left. What programs do is seen in three ways: what reaches a queue (`tap`), what they
log, and what stands in their databases.

Elsewhere: faults (`chances`, `faulty`, `disturb`), what is asked of programs (`workload`), what
must hold (`invariants`).
"""

import asyncio
import shutil
import sqlite3
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from harness.simulation.cast import ADM, HUB, OPERATOR, REC, SECOND, Cast, public, signer
from harness.simulation.chances import Chances, stream
from harness.simulation.faulty import Crash, Dice, FaultyBroker, FaultyClock, FaultyStore
from harness.simulation.trace import Trace
from harness.simulation.virtual_time import LoopClock
from hub.program import Hub, HubSettings
from mechanism_node.program import MechanismRegistry
from reconciliation.program import Reconciler, ReconcilerSettings
from registry.program import Registry, RegistrySettings
from runtime.anchor import MemoryAnchor
from runtime.clock import Ids
from runtime.definitions import recipients
from runtime.memory import MemoryExchange
from runtime.node import Node, NodeSettings
from runtime.orders import Operator, submit, write_order
from runtime.program import Order, Program
from runtime.second_person import SecondPerson
from runtime.store import Store, open_store
from schemas.envelope import digest
from schemas.identifiers import Participant

__all__ = ["Life", "Places", "World", "copy_database"]

CHECKPOINT_SECONDS = 0.5
HEARTBEAT_SECONDS = 40.0
INQUIRY_SECONDS = 8.0
TICK_SECONDS = 2.0
RETURN_SECONDS = (0.1, 6.0)
"""How long a program that died stays away, at least and at most."""


BROKER_FAULTS = {
    "lost": "loss",
    "unreported": "unreported",
    "repeated": "repeat",
    "reordered": "reorder",
    "receive": "slow-consumer",
    "delay": "delay",
    "confirm": "delay",
}
"""Kinds of fault by the names of chances at the broker; coming back late is part of what went."""


@dataclass
class Life:
    """A program from its start to its end."""

    node: Node
    task: asyncio.Task[None]
    broker: FaultyBroker


class Places:
    """Where databases are, and three ways to each: the program's, ours to write, and ours to look,
    which is plain SQLite since that is done so often. The first two outlive runs, since making them
    and their statements anew would cost more than a run.
    """

    def __init__(self, folder: Path, cast: Cast) -> None:
        self.folder = folder
        self.paths = {p: folder / f"{p}.db" for p in cast.programs}
        self.stores = {p: open_store(f"sqlite:///{path}") for p, path in self.paths.items()}
        self.views = {p: open_store(f"sqlite:///{path}") for p, path in self.paths.items()}
        self._looks: dict[Participant, sqlite3.Connection] = {}
        self._versions: dict[Participant, int] = {}

    def look(self, participant: Participant) -> sqlite3.Connection:
        """A connection that reads, and gives rows whose columns have names."""
        if participant not in self._looks:
            connection = sqlite3.connect(self.paths[participant])
            connection.row_factory = _named
            connection.execute("pragma query_only = on")
            self._looks[participant] = connection
        return self._looks[participant]

    def has_changed(self, participant: Participant) -> bool:
        """Whether anything was committed to a database since this was asked last."""
        before = self._versions.get(participant)
        ((version,),) = self.look(participant).execute("pragma data_version")
        self._versions[participant] = version
        return bool(version != before)

    async def let_go(self, participant: Participant) -> None:
        """Close all connections to a database, so that its file can be replaced."""
        await self.stores[participant].close()
        await self.views[participant].close()
        if participant in self._looks:
            self._looks.pop(participant).close()
            self._versions.pop(participant, None)

    async def put(self, source: Path) -> None:
        """The databases of another folder in the place of these."""
        for participant, path in self.paths.items():
            await self.let_go(participant)
            copy_database(source / path.name, path)


def copy_database(source: Path, target: Path) -> None:
    """A database that nobody has open, in the place of another one."""
    for suffix in ("-wal", "-shm"):
        Path(f"{target}{suffix}").unlink(missing_ok=True)
    shutil.copyfile(source, target)


def _named(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> Any:
    return _row_type(tuple(column[0] for column in cursor.description))(*row)


@cache
def _row_type(names: tuple[str, ...]) -> Callable[..., Any]:
    return namedtuple("Row", names, rename=True)  # noqa: PYI024 - any columns


@dataclass
class World:
    """The programs of a cast, alive."""

    cast: Cast
    places: Places
    seed: int
    chances: Chances
    trace: Trace
    started: datetime
    manual: frozenset[Participant] = frozenset()
    anchor: MemoryAnchor = field(default_factory=MemoryAnchor)
    """The hub's, which no crash takes away."""
    lives: dict[Participant, Life] = field(default_factory=dict)
    clocks: dict[Participant, FaultyClock] = field(default_factory=dict)
    ended: dict[Participant, str] = field(default_factory=dict)
    """Programs that ended by themselves, and why."""
    hasty: list[str] = field(default_factory=list)
    """What was acknowledged before a commit could have made it durable."""
    happened: Callable[[str], None] = lambda _kind: None

    def __post_init__(self) -> None:
        self._count = dict.fromkeys(self.cast.actors, 0)
        self._returns = stream(self.seed, "returns")
        self._pending: set[asyncio.Task[None]] = set()
        self._closing = False
        self.ids = Ids(stream(self.seed, "operators").randbytes)
        self._second_ids = Ids(stream(self.seed, "second persons").randbytes)
        self.dice = {
            p: Dice(self.chances, stream(self.seed, f"faults of {p}"), self._fault(p))
            for p in self.cast.actors
        }
        self.exchange = MemoryExchange(
            recipients([str(p) for p in self.cast.actors], []),
            randomness=stream(self.seed, "broker"),
            faults=self.chances.broker(),
            tap=lambda parcel: self.trace.note("sent", parcel.to, parcel.body),
            happened=self._at_broker,
        )
        self.right = LoopClock(self.started)
        """A clock that is never wrong: that of whoever watches."""
        for participant in self.cast.actors:
            self.clocks[participant] = FaultyClock(self.started)
        self.operators = [
            Operator(name=name, role="administrator", key=public(name))
            for name in (OPERATOR, SECOND)
        ]

    def _at_broker(self, name: str) -> None:
        if name in BROKER_FAULTS:
            self.happened(BROKER_FAULTS[name])

    def _fault(self, participant: Participant) -> Callable[[str], None]:
        def happened(kind: str) -> None:
            self.trace.note("fault", kind, str(participant).encode())
            self.happened(kind)

        return happened

    # --- programs -------------------------------------------------------------------------------

    def program(self, participant: Participant) -> Program:
        """A participant's program, with nothing in its memory."""
        ring = self.cast.keyring(participant)
        if participant == HUB:
            return Hub(
                ring,
                self.anchor,
                HubSettings(
                    checkpoint_seconds=CHECKPOINT_SECONDS, heartbeat_seconds=HEARTBEAT_SECONDS
                ),
            )
        genesis = self.cast.genesis()
        if participant == REC:
            return Reconciler(genesis, ring, ReconcilerSettings(inquiry_seconds=INQUIRY_SECONDS))
        settings = RegistrySettings(accept=participant not in self.manual)
        kind, actors = _kind(participant), self.cast.actors[participant]
        return kind(participant, actors, genesis, ring, settings)

    def start(self, participant: Participant) -> None:
        """Start a program."""
        assert participant not in self.lives, f"{participant} runs"
        self._count[participant] += 1
        life_of = stream(self.seed, f"ids of {participant}, life {self._count[participant]}")
        dice = self.dice[participant]
        broker = FaultyBroker(
            self.exchange, str(participant), dice, lambda: self.kill(participant), self.hasty.append
        )
        node = Node(
            self.program(participant),
            FaultyStore(self.places.stores[participant], dice, broker.cut, broker.committed),
            broker,
            self.clocks[participant],
            self.cast.keyring(participant),
            ids=Ids(life_of.randbytes),
            operators=self.operators,
            settings=NodeSettings(tick_seconds=TICK_SECONDS, drain_seconds=2),
        )
        task = asyncio.create_task(node.run())
        self.lives[participant] = Life(node, task, broker)
        task.add_done_callback(lambda done: self._over(participant, done))

    def kill(self, participant: Participant) -> None:
        """A program dies at this very point; it comes back after a while."""
        life = self.lives.get(participant)
        if life is not None:
            life.broker.cut()
            life.task.cancel()

    def _over(self, participant: Participant, task: asyncio.Task[None]) -> None:
        life = self.lives.pop(participant)
        if task.cancelled() or isinstance(task.exception(), Crash):
            self.trace.note("died", str(participant), b"")
            if not self._closing:
                self._later(self._come_back(participant))
            return
        error = task.exception()
        self.ended[participant] = life.node.halted or (repr(error) if error else "it stopped")

    async def _come_back(self, participant: Participant) -> None:
        await asyncio.sleep(self._returns.uniform(*RETURN_SECONDS))
        if participant not in self.lives:
            self.start(participant)

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def gone(self, participant: Participant) -> None:
        """Kill a program, wait until nothing of it is left, and keep it away."""
        life = self.lives.get(participant)
        if life is not None:
            self.kill(participant)
            await asyncio.wait([life.task])
        await asyncio.sleep(0)

    async def everybody_back(self) -> None:
        """Wait until every program that died has been started again."""
        while self._pending:
            await asyncio.wait(list(self._pending))

    async def close(self) -> None:
        """End everything at once, for good."""
        self._closing = True
        lives = list(self.lives.values())
        for participant in list(self.lives):
            self.kill(participant)
        if lives:
            await asyncio.wait([life.task for life in lives])
        for task in list(self._pending):
            task.cancel()
        await asyncio.gather(*self._pending, return_exceptions=True)

    def queued(self, participant: Participant) -> list[bytes]:
        """The bodies that wait for a participant at the broker, those included that its program has
        and has not acknowledged.
        """
        life = self.lives.get(participant)
        waiting = self.exchange.mailbox(str(participant)).waiting
        found = [stored.parcel.body for stored in waiting]
        return found + (life.broker.handed_out if life else [])

    # --- databases ------------------------------------------------------------------------------

    async def recovers(self) -> bool:
        """Whether the hub was set back and has not got back all that it lost."""
        rows = await self.rows(HUB, "select value from marks where name = 'recovering'")
        return bool(rows and rows[0].value)

    def view(self, participant: Participant) -> Store:
        """Our own way to a program's database."""
        return self.places.views[participant]

    async def rows(self, participant: Participant, sql: str, **values: Any) -> list[Any]:
        """Look at a program's rows. It is over before anybody else runs."""
        return self.places.look(participant).execute(sql, values).fetchall()

    async def command(self, participant: Participant, command: str, /, **arguments: Any) -> int:
        """Put an operator's signed command on a desk, and where it needs one, somebody else's
        confirmation behind it; gives its number there.
        """
        number, line = await self._submit(participant, command, arguments, OPERATOR, self.ids)
        order = Order(number, command, OPERATOR, arguments)
        second = SecondPerson(_kind(participant).second_person)
        if second.wanted(order, self.cast.actors[participant]):
            named = {"command": number, "digest": digest(line.encode())}
            await self._submit(participant, "confirm", named, SECOND, self._second_ids)
        return number

    async def _submit(
        self,
        participant: Participant,
        command: str,
        arguments: dict[str, Any],
        operator: str,
        ids: Ids,
    ) -> tuple[int, str]:
        now = self.clocks[participant].now()
        line, signature = write_order(
            participant, command, arguments, operator, signer(operator), now, ids
        )
        self.trace.note("command", str(participant), line.encode())
        async with self.view(participant).transaction() as session:
            return await submit(session, line, signature, now), line

    def back_up(self, participant: Participant, target: Path) -> None:
        """A consistent copy of a database that is in use."""
        source = sqlite3.connect(self.places.paths[participant])
        copy = sqlite3.connect(target)
        with source, copy:
            source.backup(copy)
        source.close()
        copy.close()


def _kind(participant: Participant) -> type[Registry]:
    return MechanismRegistry if participant == ADM.participant else Registry
