# SPDX-License-Identifier: Apache-2.0
"""A fleet: every program of an estate, started, stopped and killed.

`EmbeddedFleet` runs all programs in this process on SQLite and the in-process broker, and takes
nothing but Python. `ProcessFleet` runs each as an operating-system process on RabbitMQ and a
database server, by the same settings files and commands that an operator has. Whoever drives a
fleet speaks to its programs through their databases alone (`remote`), and cannot tell the two
apart.
"""

import asyncio
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.engine import make_url

from harness.prepare import Estate, Member
from harness.server import free_port
from hub.genesis import begin_log
from hub.guard import Guard
from hub.program import Hub, HubSettings
from mechanism_node.program import MechanismRegistry
from reconciliation.program import Reconciler
from registry.program import Registry, RegistrySettings
from runtime.amqp import AmqpBroker
from runtime.anchor import FileAnchor
from runtime.broker import Broker, BrokerSettings
from runtime.clock import Ids, SystemClock
from runtime.definitions import apply_definitions, definitions, hash_password, recipients
from runtime.memory import MemoryBroker, MemoryExchange
from runtime.node import Node, NodeSettings
from runtime.program import Program
from runtime.schema import migrate
from runtime.settings import secret
from runtime.store import Store, open_store
from schemas.identifiers import HUB, Participant
from schemas.limits import MESSAGES_MAX

__all__ = [
    "EmbeddedFleet",
    "Fleet",
    "Pace",
    "ProcessFleet",
    "begin",
    "build_program",
    "embedded_fleet",
]


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How the programs of a fleet run; the defaults are the quick pace of a demonstration.

    Durations in seconds.
    """

    checkpoint_seconds: float = 0.25
    heartbeat_seconds: float = 1.0
    tick_seconds: float = 0.05
    sweep_seconds: float = 1.0
    batch_max: int = 200
    bundle_max: int = MESSAGES_MAX


QUICK = Pace()
READY_SECONDS_MAX = 60.0
END_SECONDS_MAX = 20.0
CROWD_TICK_SECONDS = 5.0
"""Registries in a crowd are there to answer, which no tick is needed for."""


class Fleet(Protocol):
    """Programs that run; `databases` are where to speak to them."""

    databases: dict[Participant, str]

    async def start(self) -> None:
        """Make databases and start everything."""
        ...

    async def check(self) -> None:
        """Raise when a program has ended by itself."""
        ...

    def link(self, participant: Participant) -> Broker:
        """One more link of a program's to the broker, not opened yet."""
        ...

    async def stop(self) -> None:
        """Drain and end everything."""
        ...


def build_program(estate: Estate, member: Member, pace: Pace = QUICK) -> Program:
    """The program of a member."""
    if member.program == "hub":
        settings = HubSettings(
            checkpoint_seconds=pace.checkpoint_seconds, heartbeat_seconds=pace.heartbeat_seconds
        )
        return Hub(member.keyring, FileAnchor(estate.anchor), settings)
    if member.program == "reconcile":
        return Reconciler(estate.genesis, member.keyring)
    kind = MechanismRegistry if member.program == "mechanism" else Registry
    return kind(
        member.participant,
        member.actors,
        estate.genesis,
        member.keyring,
        RegistrySettings(accept=member.accept),
    )


async def begin(estate: Estate, store: Store) -> None:
    """Begin the log of an estate."""
    guard = Guard(FileAnchor(estate.anchor), estate.members[HUB].keyring.checkpoint)
    await begin_log(store, estate.genesis, SystemClock().now(), Ids(), guard)


class EmbeddedFleet:
    """Everything in this process."""

    def __init__(self, estate: Estate, pace: Pace = QUICK) -> None:
        self._pace = pace
        self.databases = {p: f"sqlite:///{estate.folder / f'{p}.db'}" for p in estate.members}
        self._estate = estate
        self._exchange = MemoryExchange(
            recipients([str(p) for p in estate.members], []),
            randomness=random.Random(secrets.randbits(64)),
        )
        self._nodes: dict[Participant, Node] = {}
        self._tasks: dict[Participant, asyncio.Task[None]] = {}

    async def start(self) -> None:
        clock = SystemClock()
        for participant, member in self._estate.members.items():
            program = build_program(self._estate, member, self._pace)
            url = self.databases[participant]
            await migrate(url, program.packages)
            store = open_store(url)
            if participant == HUB:
                await begin(self._estate, store)
            node = Node(
                program,
                store,
                MemoryBroker(self._exchange, str(participant)),
                clock,
                member.keyring,
                operators=self._estate.operators,
                settings=NodeSettings(
                    tick_seconds=self._pace.tick_seconds,
                    batch_max=self._pace.batch_max,
                    bundle_max=self._pace.bundle_max,
                ),
            )
            self._nodes[participant] = node
            self._tasks[participant] = asyncio.create_task(node.run())

    def link(self, participant: Participant) -> Broker:
        return MemoryBroker(self._exchange, str(participant))

    async def check(self) -> None:
        for participant, task in self._tasks.items():
            if task.done():
                task.result()
                raise RuntimeError(f"{participant} ended: {self._nodes[participant].halted}")

    async def stop(self) -> None:
        for node in self._nodes.values():
            node.stop()
        await asyncio.gather(*self._tasks.values())


@asynccontextmanager
async def embedded_fleet(estate: Estate) -> AsyncIterator[Fleet]:
    """Everything in this process, stopped at the end."""
    fleet = EmbeddedFleet(estate)
    try:
        yield fleet
    finally:
        await fleet.stop()


class ProcessFleet:
    """Each program a process, on RabbitMQ and a database server.

    `databases` maps participants to empty databases; `broker` is an AMQP URL whose host and virtual
    host are used, `admin` the management API by which users, queues and permissions are defined.
    The registries in `crowd` share one process. Users are the whole broker's: fleets on one broker
    are given the same `password`, or the one that was started last alone can log in.
    """

    def __init__(
        self,
        estate: Estate,
        databases: dict[Participant, str],
        broker: str,
        admin: str,
        pace: Pace = QUICK,
        crowd: Collection[Participant] = (),
        password: str | None = None,
    ) -> None:
        self.databases = databases
        self._password = password
        self._crowd = crowd
        self._estate = estate
        self._broker = make_url(broker)
        self._admin = admin
        self._pace = pace
        self.ports = {participant: free_port() for participant in estate.members}
        """Where each serves its health."""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    async def start(self) -> None:
        credentials = {
            str(p): self._password or secrets.token_hex(16) for p in self._estate.members
        }
        hashes = {p: hash_password(w, secrets.token_bytes(4)) for p, w in credentials.items()}
        vhost = self._broker.database or "/"
        document = definitions(sorted(credentials), [], hashes, vhost=vhost)
        await apply_definitions(self._admin, document)
        for participant, member in self._estate.members.items():
            program = build_program(self._estate, member, self._pace)
            await migrate(self.databases[participant], program.packages)
            if participant == HUB:
                store = open_store(self.databases[participant])
                await begin(self._estate, store)
                await store.close()
            self._write_settings(member, credentials[str(participant)])
        for participant in self._estate.members:
            if participant not in self._crowd:
                self.launch(participant)
        if self._crowd:
            files = [self.settings(participant) for participant in self._crowd]
            self._launch("crowd", ["harness.crowd", *map(str, files)])

    def settings(self, participant: Participant) -> Path:
        """A program's settings file, which its verbs take."""
        return self._estate.folder / "settings" / f"{participant}.toml"

    def _write_settings(self, member: Member, password: str) -> None:
        """The files that an operator would write for this program."""
        folder = self._estate.folder / "settings"
        folder.mkdir(exist_ok=True)
        url = self._broker.set(username=str(member.participant), password=password)
        name = str(member.participant)
        crowded = member.participant in self._crowd
        _secret(folder / f"{name}.broker", url.render_as_string(hide_password=False))
        _secret(folder / f"{name}.database", self.databases[member.participant])
        members: dict[str, Any] = {
            "participant": name,
            "actors": [str(actor) for actor in member.actors],
            "database_file": str(folder / f"{name}.database"),
            "broker_file": str(folder / f"{name}.broker"),
            "keys": str(self._estate.folder / "keys" / name),
            "tick_seconds": CROWD_TICK_SECONDS if crowded else self._pace.tick_seconds,
            "sweep_seconds": self._pace.sweep_seconds,
            "batch_max": self._pace.batch_max,
            "bundle_max": self._pace.bundle_max,
            "http_port": self.ports[member.participant],
        }
        if member.program == "hub":
            members["anchor_file"] = str(self._estate.anchor)
            members["checkpoint_seconds"] = self._pace.checkpoint_seconds
            members["heartbeat_seconds"] = self._pace.heartbeat_seconds
        else:
            members["genesis"] = str(self._estate.folder / "genesis.json")
        if member.program in {"party", "international", "mechanism"}:
            members["accept"] = member.accept
        lines = [f"{key} = {json.dumps(value)}" for key, value in members.items()]
        for operator in self._estate.operators:
            told = operator.model_dump(mode="json", exclude_none=True)  # TOML has no null
            lines += ["[[operators]]"]
            lines += [f"{name} = {json.dumps(value)}" for name, value in told.items()]
        self.settings(member.participant).write_text("\n".join(lines) + "\n")

    def launch(self, participant: Participant) -> None:
        """Start one program's process."""
        module = MODULES[self._estate.members[participant].program]
        settings = str(self.settings(participant))
        self._launch(str(participant), [module, "run", "--settings", settings])

    def _launch(self, name: str, module: Sequence[str]) -> None:
        file = self.log(name)
        file.parent.mkdir(exist_ok=True)
        with file.open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", *module],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={k: v for k, v in os.environ.items() if not k.startswith("A6HUB_")},  # noqa: TID251 - what a child process inherits
                cwd=Path(__file__).resolve().parent.parent,
            )

    def log(self, name: str) -> Path:
        """The file with all that a program has logged, across its processes."""
        return self._estate.folder / "logs" / f"{name}.jsonl"

    @property
    def pids(self) -> dict[str, int]:
        """The number of each program's process."""
        return {name: process.pid for name, process in self._processes.items()}

    def link(self, participant: Participant) -> Broker:
        url = secret(self._estate.folder / "settings" / f"{participant}.broker")
        return AmqpBroker(str(participant), BrokerSettings(url=url))

    def kill(self, participant: Participant) -> None:
        """SIGKILL, and wait for the end."""
        process = self._processes[str(participant)]
        process.kill()
        process.wait()

    async def end(self, participant: Participant) -> int:
        """SIGTERM, and wait for the end; gives the exit status."""
        self._processes[str(participant)].terminate()
        return await self.ended(participant)

    async def ended(self, participant: Participant) -> int:
        """Wait until a program has ended; gives its exit status."""
        process = self._processes[str(participant)]
        return await asyncio.to_thread(process.wait, END_SECONDS_MAX)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to every process."""
        for process in self._processes.values():
            process.send_signal(number)

    async def ready(self, participant: Participant) -> None:
        """Wait until a program says that it is ready; `RuntimeError` when it does not."""
        address = f"http://127.0.0.1:{self.ports[participant]}/readyz"
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not await asyncio.to_thread(_answers, address):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{participant} was not ready after {READY_SECONDS_MAX} seconds")
            await asyncio.sleep(0.02)

    async def check(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                tail = self.log(name).read_text().splitlines()[-3:]
                raise RuntimeError(f"{name} ended with {process.returncode}: {tail}")

    async def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                await asyncio.to_thread(process.wait, END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()


MODULES = {
    "hub": "hub",
    "reconcile": "reconciliation",
    "party": "party_node",
    "international": "international_node",
    "mechanism": "mechanism_node",
}
"""The package that is each program's process."""


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=1):  # noqa: S310 - an address of our own
            return True
    except OSError:  # nobody listens yet, or says that it is not ready
        return False


def _secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
