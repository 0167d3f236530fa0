# SPDX-License-Identifier: Apache-2.0
"""The floor: what it costs to carry and store a transfer's bytes, and nothing else.

The same processes, queues, links and databases as ours, as many messages of the same sizes, as many
durable bytes, one commit before each acknowledgement. Nothing is parsed, signed, checked or
decided: an envelope is a kind of message, a count of transfers and random bytes. A transfer is done
when the sender has committed its last message. `python -m harness.bench.floor FILE` is one process.

Elsewhere: what a transfer is, and what such a process is told (`part`); how the sizes are measured
(`floors`); our own load (`load`).
"""

import asyncio
import sys
import time
from collections import Counter, deque
from pathlib import Path

import asyncpg

from harness.bench.part import Noise, Part, serve
from runtime.amqp import AmqpBroker
from runtime.broker import Arrival, BrokerSettings, Parcel
from schemas.identifiers import HUB

__all__ = ["TABLE"]

TABLE = "create table kept (body bytea not null)"
"""Everything that a process stores."""

WAIT_SECONDS = 0.25
RETRY_SECONDS = 0.5


class Process:
    """One participant of the floor."""

    def __init__(self, part: Part, connection: asyncpg.Connection) -> None:
        self._part = part
        self._connection = connection
        self._broker = AmqpBroker(part.participant, BrokerSettings(url=part.broker))
        self._noise = Noise(part.participant)
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
            what, some, _ = arrival.body.split(b" ", 2)
            counts[what.decode()] += int(some)
        await self._store(counts.total())
        await self._broker.acknowledge(arrivals)
        for kind, count in counts.items():
            for answer, to in self._part.answers(kind):
                self._send(answer, to, count)
        if self._part.participant == self._part.sender:
            now = time.perf_counter()
            done = [now - self._begun.popleft() for _ in range(counts["completed"])]
            self._seconds += done
            self._done.set()

    async def _store(self, messages: int) -> None:
        rows = [(self._noise.take(self._part.durable),) for _ in range(messages)]
        async with self._turn:  # what begins and what arrives are stored one after the other
            await self._connection.copy_records_to_table("kept", records=rows, columns=["body"])

    def _send(self, kind: str, to: str, count: int) -> None:
        size = self._part.sizes.get(f"{kind} {to}", 0)
        while count:
            some = min(count, self._part.bundle)
            body = b"%s %d " % (kind.encode(), some)
            body += self._noise.take(max(0, some * size - len(body)))
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


async def _serve(part: Part) -> None:
    connection = await asyncpg.connect(part.database)
    try:
        await serve(Process(part, connection))
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(_serve(Part.read(Path(sys.argv[1]))))
