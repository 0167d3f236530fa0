# SPDX-License-Identifier: Apache-2.0
"""The floor: what it costs to carry and store a transfer's bytes, and nothing else.

The same processes, queues, links and databases as ours, as many messages of the same sizes, as many
durable bytes, one commit before each acknowledgement. Nothing is parsed, signed, checked or
decided: a message is a count of transfers and random bytes. `python -m harness.bench.floor FILE`
is one process; the sending one is told on its standard input how many transfers to do, and answers
with their seconds, of all and of each, or with what has failed.

A transfer is `proposal` (sender to hub), `cleared` (hub to everybody), `acceptance` (acquirer to
hub), `completed` (hub to everybody). It is done when the sender has committed the last.

Elsewhere: how the sizes are measured (`floors`), our own load (`load`).
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg

from runtime.amqp import AmqpBroker
from runtime.broker import Arrival, BrokerSettings, Parcel
from schemas.identifiers import HUB, REC

__all__ = ["TABLE", "Part"]

TABLE = "create table kept (body bytea not null)"
"""Everything that a process stores."""

NOISE_BYTES = 2**20
WAIT_SECONDS = 0.25
RETRY_SECONDS = 0.5


@dataclass(frozen=True)
class Part:
    """One process of the floor. Sizes are bytes of one message of one transfer."""

    participant: str
    sender: str
    acquirer: str
    broker: str
    database: str
    sizes: dict[str, int]
    """By `<kind> <recipient>`: what this process sends."""
    durable: int
    """What it stores for each message that it receives."""
    bundle: int
    """Messages in one envelope, at most."""
    batch: int
    """Envelopes received at a time, at most."""

    @property
    def text(self) -> str:
        """As the file that the process is given."""
        return json.dumps(asdict(self))


class Process:
    """One participant of the floor."""

    def __init__(self, part: Part, connection: asyncpg.Connection) -> None:
        self._part = part
        self._connection = connection
        self._broker = AmqpBroker(part.participant, BrokerSettings(url=part.broker))
        self._noise = random.Random(part.participant).randbytes(NOISE_BYTES)
        self._outgoing: deque[Parcel] = deque()
        self._sending = asyncio.Event()
        self._done = asyncio.Event()
        self._turn = asyncio.Lock()
        self._number = 0
        self._begun: deque[float] = deque()
        self._seconds: list[float] = []

    async def run(self) -> None:
        """Receive, store, acknowledge and send for ever."""
        await self._broker.open()
        relay = asyncio.create_task(self._relay())
        try:
            while not relay.done():
                arrivals = await self._broker.receive(self._part.batch, WAIT_SECONDS)
                if arrivals:
                    await self._take(arrivals)
            relay.result()
        finally:
            relay.cancel()
            await self._broker.close()

    async def transfer(self, number: int, window: int) -> list[float]:
        """As the sender: so many transfers, so many in flight; gives the seconds of each."""
        self._seconds = []
        begun = 0
        while len(self._seconds) < number:
            room = min(number - begun, window - len(self._begun))
            if room > 0:
                await self._store(room)
                self._begun.extend([time.perf_counter()] * room)
                begun += room
                self._send("proposal", HUB, room)
            self._done.clear()
            await self._done.wait()
        return self._seconds

    async def _take(self, arrivals: list[Arrival]) -> None:
        counts: Counter[str] = Counter()
        for arrival in arrivals:
            what, count, _ = arrival.body.split(b" ", 2)
            counts[what.decode()] += int(count)
        await self._store(counts.total())
        await self._broker.acknowledge(arrivals)
        part = self._part
        if part.participant == HUB:
            for kind, answer in (("proposal", "cleared"), ("acceptance", "completed")):
                for to in (part.sender, part.acquirer, REC):
                    self._send(answer, to, counts[kind])
        elif part.participant == part.acquirer:
            self._send("acceptance", HUB, counts["cleared"])
        elif part.participant == part.sender:
            now = time.perf_counter()
            done = [now - self._begun.popleft() for _ in range(counts["completed"])]
            self._seconds += done
            self._done.set()

    async def _store(self, messages: int) -> None:
        rows = [(self._bytes(self._part.durable),) for _ in range(messages)]
        async with self._turn:  # what begins and what arrives are stored one after the other
            await self._connection.copy_records_to_table("kept", records=rows, columns=["body"])

    def _send(self, kind: str, to: str, count: int) -> None:
        size = self._part.sizes.get(f"{kind} {to}", 0)
        while count:
            some = min(count, self._part.bundle)
            body = b"%s %d " % (kind.encode(), some)
            body += self._bytes(max(0, some * size - len(body)))
            self._number += 1
            name = f"{self._part.participant}:{to}:{self._number}"
            self._outgoing.append(Parcel(to=to, body=body, message_id=name, type="envelope"))
            count -= some
        self._sending.set()

    async def _relay(self) -> None:
        """Publish in order until confirmed."""
        while True:
            await self._sending.wait()
            self._sending.clear()
            while self._outgoing:
                parcels = [self._outgoing.popleft() for _ in range(min(256, len(self._outgoing)))]
                outcomes = await self._broker.publish(parcels)
                left = [p for p, sent in zip(parcels, outcomes, strict=True) if not sent]
                if left:
                    self._outgoing.extendleft(reversed(left))
                    await asyncio.sleep(RETRY_SECONDS)

    def _bytes(self, size: int) -> bytes:
        """Random bytes, so that no database makes less of them."""
        start = self._number * 7919 % max(1, NOISE_BYTES - size)
        self._number += 1
        return self._noise[start : start + size]


async def _serve(part: Part) -> None:
    connection = await asyncpg.connect(part.database)
    process = Process(part, connection)
    running = asyncio.create_task(process.run())
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    try:
        while line := await commands.readline():
            asked = json.loads(line)
            start = time.perf_counter()
            doing = asyncio.create_task(process.transfer(asked["number"], asked["window"]))
            await asyncio.wait({doing, running}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():  # it never ends by itself: whoever waits for it would wait for ever
                running.result()
            found = {"all": time.perf_counter() - start, "each": await doing}
            print(json.dumps(found), flush=True)
    except Exception as error:
        print(json.dumps({"failed": f"{type(error).__name__}: {error}"}), flush=True)
        raise
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await connection.close()


if __name__ == "__main__":
    asyncio.run(_serve(Part(**json.loads(Path(sys.argv[1]).read_text()))))
