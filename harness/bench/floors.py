# SPDX-License-Identifier: Apache-2.0
"""Running the floor: what a transfer of ours has weighed, and processes that carry as much.

Elsewhere: one process of the floor (`floor`).
"""

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from sqlalchemy.engine import make_url

from harness.bench.course import ACQUIRER, SENDER
from harness.bench.floor import TABLE, Part
from harness.bench.verify import RoundFailed
from harness.services import Postgres, RabbitMQ
from runtime.definitions import apply_definitions, definitions, hash_password
from schemas.identifiers import HUB, REC, Participant

__all__ = ["Floor", "Weight", "floor"]

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
                acquirer=ACQUIRER.participant,
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


class Floor:
    """Processes of the floor, ready for transfers."""

    def __init__(self, processes: dict[str, subprocess.Popen[bytes]], folder: Path) -> None:
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
            raise RoundFailed(f"the floor has failed: {answer['failed']}")
        return answer["all"], answer["each"]

    def _ended(self, name: str, process: subprocess.Popen[bytes]) -> str:
        status = process.wait()
        log = (self._folder / f"{name}.log").read_text(errors="replace")
        last = "\n".join(log.splitlines()[-LAST_LINES:])
        return f"{name} of the floor has ended with {status}: {last}"


@asynccontextmanager
async def floor(
    folder: Path, postgres: Postgres, rabbitmq: RabbitMQ, weight: Weight, *, bundle: int, batch: int
) -> AsyncIterator[Floor]:
    """Start the floor's processes on queues and databases of their own, and end them."""
    participants = [HUB, REC, SENDER.participant, ACQUIRER.participant]
    passwords = {str(p): secrets.token_hex(16) for p in participants}
    hashes = {p: hash_password(w, secrets.token_bytes(4)) for p, w in passwords.items()}
    await apply_definitions(
        rabbitmq.admin_url, definitions(sorted(passwords), [], hashes, vhost=rabbitmq.vhost)
    )
    names = {p: f"{folder.name}_{p}".lower() for p in participants}
    links: dict[str, tuple[str, str]] = {}
    for participant, name in names.items():
        url = postgres.create_database(name).replace("+asyncpg", "")
        connection = await asyncpg.connect(url)
        await connection.execute(TABLE)
        await connection.close()
        link = make_url(rabbitmq.amqp_url).set(
            username=str(participant), password=passwords[participant]
        )
        links[participant] = (link.render_as_string(hide_password=False), url)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    folder.mkdir(parents=True)
    try:
        for part in weight.parts(links, bundle=bundle, batch=batch):
            processes[part.participant] = _launch(part, folder)
        yield Floor(processes, folder)
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()  # which closes the pipes, too
        for name in names.values():
            postgres.drop_database(name)


def _launch(part: Part, folder: Path) -> subprocess.Popen[bytes]:
    settings = folder / f"{part.participant}.json"
    descriptor = os.open(settings, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(part.text)
    with (folder / f"{part.participant}.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - a process of our own
            [sys.executable, "-m", "harness.bench.floor", str(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=Path(__file__).resolve().parent.parent.parent,
        )
