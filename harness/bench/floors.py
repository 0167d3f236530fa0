# SPDX-License-Identifier: Apache-2.0
"""Running the floor: what a transfer of ours has weighed, and processes that carry as much.

Common libraries carry the same messages in the same way, without storing anything.

Elsewhere: one process of the floor (`floor`), or of a library (`plain_aio_pika`,
`plain_faststream`).
"""

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from sqlalchemy.engine import make_url

from harness.bench.course import ACQUIRER, SENDER
from harness.bench.floor import TABLE
from harness.bench.part import Part
from harness.bench.verify import RoundFailed
from harness.services import Postgres, RabbitMQ
from runtime.definitions import apply_definitions, definitions, hash_password
from schemas.identifiers import HUB, REC, Participant

__all__ = ["Carriers", "Weight", "floor", "plain"]

LOOK_SECONDS = 1.0
LAST_LINES = 20
"""Of the log of a process that has ended by itself."""

MESSAGES = {
    (SENDER.participant, HUB): ("proposal",),
    (HUB, SENDER.participant): ("cleared", "completed"),
    (HUB, ACQUIRER.participant): ("cleared", "completed"),
    (HUB, REC): ("cleared", "completed"),
    (ACQUIRER.participant, HUB): ("acceptance",),
}
"""What a transfer takes: who says what to whom."""


@dataclass(frozen=True)
class Weight:
    """What one transfer of ours weighs, in bytes."""

    envelopes: Mapping[tuple[Participant, Participant], float]
    """Sealed, by sender and recipient, everything included that travels beside it."""
    durable: float
    """Written ahead by the database server, all databases together."""

    def parts(self, links: Mapping[str, tuple[str, str]], *, bundle: int, batch: int) -> list[Part]:
        """The floor's processes for this weight; `links` are broker and database URLs."""
        received: dict[str, int] = dict.fromkeys(links, 0)
        for (_, to), kinds in MESSAGES.items():
            received[to] += len(kinds)
        received[SENDER.participant] += 1  # the sender stores what it begins
        each = self.durable / sum(received.values())
        return [
            Part(
                participant=name,
                sender=SENDER.participant,
                broker=broker,
                database=database,
                sizes={
                    f"{kind} {to}": round(
                        self.envelopes.get((Participant(name), to), 0) / len(kinds)
                    )
                    for (said_by, to), kinds in MESSAGES.items()
                    if said_by == name
                    for kind in kinds
                },
                durable=round(each),
                bundle=bundle,
                batch=batch,
            )
            for name, (broker, database) in links.items()
        ]


class Carriers:
    """Processes that carry what transfers weigh, ready for some; `what` they are, for errors."""

    def __init__(
        self, what: str, processes: dict[str, subprocess.Popen[bytes]], folder: Path
    ) -> None:
        self._what = what
        self._processes = processes
        self._folder = folder

    @property
    def pids(self) -> dict[str, int]:
        """The number of each process."""
        return {name: process.pid for name, process in self._processes.items()}

    async def run(self, number: int, window: int) -> tuple[float, list[float]]:
        """So many transfers, so many in flight: the seconds of all, and of each; `RoundFailed` when
        a process has failed or ended.
        """
        process = self._processes[SENDER.participant]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"number": number, "window": window}).encode() + b"\n")
        process.stdin.flush()
        reading = asyncio.create_task(asyncio.to_thread(process.stdout.readline))
        while not (await asyncio.wait({reading}, timeout=LOOK_SECONDS))[0]:
            for name, one in self._processes.items():
                if one is not process and one.poll() is not None:
                    process.kill()  # it would wait for ever, and we for its answer
                    raise RoundFailed(self._ended(name, one))
        line = await reading
        if not line:
            raise RoundFailed(self._ended(SENDER.participant, process))
        answer = json.loads(line)
        if "failed" in answer:
            raise RoundFailed(f"{self._what} has failed: {answer['failed']}")
        return answer["all"], answer["each"]

    def _ended(self, name: str, process: subprocess.Popen[bytes]) -> str:
        status = process.wait()
        log = (self._folder / f"{name}.log").read_text(errors="replace")
        last = "\n".join(log.splitlines()[-LAST_LINES:])
        return f"{name} of {self._what} has ended with {status}: {last}"


@asynccontextmanager
async def floor(
    folder: Path, postgres: Postgres, rabbitmq: RabbitMQ, weight: Weight, *, bundle: int, batch: int
) -> AsyncIterator[Carriers]:
    """Start the floor's processes on queues and databases of their own, and end them."""
    brokers = await _brokers(rabbitmq)
    names = {p: f"{folder.name}_{p}".lower() for p in brokers}
    links: dict[str, tuple[str, str]] = {}
    for participant, name in names.items():
        url = postgres.create_database(name).replace("+asyncpg", "")
        connection = await asyncpg.connect(url)
        await connection.execute(TABLE)
        await connection.close()
        links[participant] = (brokers[participant], url)
    parts = weight.parts(links, bundle=bundle, batch=batch)
    try:
        with _running("the floor", "harness.bench.floor", parts, folder) as carriers:
            yield carriers
    finally:
        for name in names.values():
            postgres.drop_database(name)


@asynccontextmanager
async def plain(
    folder: Path, rabbitmq: RabbitMQ, weight: Weight, *, what: str, program: str
) -> AsyncIterator[Carriers]:
    """Start processes of a program that uses a common library, on queues of their own and without
    databases, and end them.
    """
    links = {p: (broker, "") for p, broker in (await _brokers(rabbitmq)).items()}
    parts = weight.parts(links, bundle=1, batch=1)
    with _running(what, program, parts, folder) as carriers:
        yield carriers


async def _brokers(rabbitmq: RabbitMQ) -> dict[str, str]:
    """Queues for everybody; gives each one's URL."""
    participants = [HUB, REC, SENDER.participant, ACQUIRER.participant]
    passwords = {str(p): secrets.token_hex(16) for p in participants}
    hashes = {p: hash_password(w, secrets.token_bytes(4)) for p, w in passwords.items()}
    await apply_definitions(
        rabbitmq.admin_url, definitions(sorted(passwords), [], hashes, vhost=rabbitmq.vhost)
    )
    url = make_url(rabbitmq.amqp_url)
    return {
        participant: url.set(username=participant, password=password).render_as_string(
            hide_password=False
        )
        for participant, password in passwords.items()
    }


@contextmanager
def _running(what: str, program: str, parts: Sequence[Part], folder: Path) -> Iterator[Carriers]:
    processes: dict[str, subprocess.Popen[bytes]] = {}
    folder.mkdir(parents=True)
    try:
        for part in parts:
            processes[part.participant] = _launch(program, part, folder)
        yield Carriers(what, processes, folder)
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()  # which closes the pipes, too


def _launch(program: str, part: Part, folder: Path) -> subprocess.Popen[bytes]:
    settings = folder / f"{part.participant}.json"
    descriptor = os.open(settings, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(part.text)
    with (folder / f"{part.participant}.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - a process of our own
            [sys.executable, "-m", program, str(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=Path(__file__).resolve().parent.parent.parent,
        )
