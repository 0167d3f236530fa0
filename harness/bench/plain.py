# SPDX-License-Identifier: Apache-2.0
"""What it costs to carry a transfer's messages through a common library, as such are used.

As many processes and queues as the floor's, as many messages of the same sizes, persistent and
confirmed; but each is a message of AMQP by itself, and nothing is stored. A process takes a
message, publishes what comes of it, and acknowledges when that is confirmed; several at a time. A
message has the number of its transfer, which is done when the sender has its last one.

Elsewhere: the libraries (`plain_aio_pika`, `plain_faststream`); what a transfer is, and what such a
process is told (`part`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from harness.bench.part import Noise, Part, serve
from runtime.broker import BrokerSettings
from schemas.identifiers import HUB

__all__ = ["Link", "Publish", "Take", "carry", "prefetch"]

Take = Callable[[bytes], Awaitable[None]]
"""Does what is to be done for a message; it is acknowledged thereafter."""
Publish = Callable[[str, bytes], Awaitable[object]]
"""Sends a message to a participant; the broker has confirmed it when this returns."""
Link = Callable[[Part, Take], AbstractAsyncContextManager[Publish]]
"""A library: connects, and has every message of the participant's inbox taken."""


def prefetch(part: Part) -> int:
    """Messages handed out and not acknowledged, at most: as many as the floor's envelopes."""
    return BrokerSettings(url=part.broker).prefetch


async def carry(file: str, link: Link) -> None:
    """Be the process that this file says, until standard input ends."""
    await serve(Process(Part.read(Path(file)), link))


class Process:
    """One participant; made where a loop runs."""

    def __init__(self, part: Part, link: Link) -> None:
        self._part = part
        self._link = link
        self._noise = Noise(part.participant)
        loop = asyncio.get_running_loop()
        self._linked: asyncio.Future[Publish] = loop.create_future()
        self._failed: asyncio.Future[None] = loop.create_future()
        self._begun = 0
        self._ends: dict[int, asyncio.Future[None]] = {}

    async def run(self) -> None:
        """Take, publish and acknowledge until something fails."""
        async with self._link(self._part, self._take) as publish:
            self._linked.set_result(publish)
            await self._failed

    async def transfer(self, number: int, window: int) -> list[float]:
        """As the sender: so many transfers, so many in flight; gives the seconds of each."""
        seconds: list[float] = []
        left = iter(range(number))

        async def one_after_another() -> None:
            for _ in left:  # shared: each takes the next
                start = time.perf_counter()
                await self._one()
                seconds.append(time.perf_counter() - start)

        await asyncio.gather(*(one_after_another() for _ in range(window)))
        return seconds

    async def _one(self) -> None:
        self._begun += 1
        number = self._begun
        end = self._ends[number] = asyncio.get_running_loop().create_future()
        await self._send("proposal", HUB, number)
        await end

    async def _take(self, body: bytes) -> None:
        kind, number, _ = body.split(b" ", 2)
        try:
            answers = self._part.answers(kind.decode())
            await asyncio.gather(*(self._send(answer, to, int(number)) for answer, to in answers))
        except Exception as error:
            if not self._failed.done():  # a library may keep to itself what a message has met
                self._failed.set_exception(error)
            raise
        if kind == b"completed" and (end := self._ends.pop(int(number), None)):
            end.set_result(None)

    async def _send(self, kind: str, to: str, number: int) -> None:
        publish = await self._linked
        body = b"%s %d " % (kind.encode(), number)
        body += self._noise.take(max(0, self._part.sizes[f"{kind} {to}"] - len(body)))
        await publish(to, body)
