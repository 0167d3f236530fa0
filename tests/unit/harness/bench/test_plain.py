# SPDX-License-Identifier: Apache-2.0
"""Carrying through a library: every message goes its way, and what fails does not wait for ever."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from harness.bench.course import ACQUIRER, SENDER
from harness.bench.floors import MESSAGES, Weight
from harness.bench.part import Part
from harness.bench.plain import Process, Publish, Take
from schemas.identifiers import HUB, REC

SIZE = 300
EVERYBODY = (HUB, REC, SENDER.participant, ACQUIRER.participant)


class Post:
    """A library without a broker: messages are taken in tasks of their own."""

    def __init__(self, lost: str = "") -> None:
        self.takes: dict[str, Take] = {}
        self.sent: Counter[tuple[str, str, str]] = Counter()
        self.sizes: set[int] = set()
        self._lost = lost
        self._tasks: set[asyncio.Future[None]] = set()

    @asynccontextmanager
    async def link(self, part: Part, take: Take) -> AsyncIterator[Publish]:
        self.takes[part.participant] = take

        async def publish(to: str, body: bytes) -> None:
            kind = body.split(b" ")[0].decode()
            if kind == self._lost:
                raise ConnectionError("nobody is there")
            self.sent[part.participant, to, kind] += 1
            self.sizes.add(len(body))
            self._tasks.add(asyncio.ensure_future(self.takes[to](body)))

        yield publish

    async def settle(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)


def processes(post: Post) -> dict[str, Process]:
    envelopes = {way: float(SIZE * len(kinds)) for way, kinds in MESSAGES.items()}
    links = {str(participant): ("amqp://localhost", "") for participant in EVERYBODY}
    parts = Weight(envelopes, 0.0).parts(links, bundle=1, batch=1)
    return {part.participant: Process(part, post.link) for part in parts}


async def test_each_transfer_is_a_message_of_each_kind_on_each_way() -> None:
    post = Post()
    everybody = processes(post)
    running = [asyncio.create_task(process.run()) for process in everybody.values()]
    sender = everybody[SENDER.participant]
    try:
        async with asyncio.timeout(60):
            seconds = await sender.transfer(30, 8) + await sender.transfer(1, 1)
            await post.settle()
    finally:
        for task in running:
            task.cancel()
    assert len(seconds) == 31
    assert all(one > 0 for one in seconds)
    assert post.sizes == {SIZE}
    assert post.sent == {
        (str(said_by), str(to), kind): 31
        for (said_by, to), kinds in MESSAGES.items()
        for kind in kinds
    }


async def test_a_message_that_cannot_be_sent_ends_its_process() -> None:
    """The library would have it again and again, and everybody would wait."""
    post = Post(lost="cleared")
    everybody = processes(post)
    running = {name: asyncio.create_task(process.run()) for name, process in everybody.items()}
    doing = asyncio.create_task(everybody[SENDER.participant].transfer(1, 1))
    try:
        async with asyncio.timeout(60):
            with pytest.raises(ConnectionError, match="nobody is there"):
                await running[HUB]
    finally:
        for task in (doing, *running.values()):
            task.cancel()
        await post.settle()
