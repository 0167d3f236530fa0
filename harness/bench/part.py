# SPDX-License-Identifier: Apache-2.0
"""One process that carries the messages of transfers: what it is given, and what it does when told.

It is given a `Part`, as a file. The sending one is told on its standard input how many transfers to
do, and answers with their seconds, of all and of each, or with what has failed. Any other that
fails ends.

A transfer is `proposal` (sender to hub), `cleared` (hub to everybody), `acceptance` (acquirer to
hub), `completed` (hub to everybody). It is done when the sender has its last message. What is sent
is the kind, a number and random bytes.

Elsewhere: what stores as well as carries (`floor`), what carries through a common library
(`plain`), starting such processes (`floors`).
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

__all__ = ["Carrier", "Noise", "Part", "serve"]

ANSWERS: Final = {"proposal": "cleared", "cleared": "acceptance", "acceptance": "completed"}
"""What comes of a message, of those who send such."""

NOISE_BYTES: Final = 2**20

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """What a process is. Sizes are bytes of one message of one transfer."""

    participant: str
    sender: str
    broker: str
    database: str
    """Empty for one that stores nothing."""
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

    @classmethod
    def read(cls, file: Path) -> "Part":
        """From that file."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def answers(self, kind: str) -> list[tuple[str, str]]:
        """What it sends for a message of this kind, and to whom."""
        sent = (key.split(" ") for key in self.sizes)
        return [(answer, to) for answer, to in sent if answer == ANSWERS.get(kind)]


class Noise:
    """Random bytes, so that no database makes less of them."""

    def __init__(self, seed: str) -> None:
        self._noise = random.Random(seed).randbytes(NOISE_BYTES)
        self._taken = 0

    def take(self, size: int) -> bytes:
        """So many in a row, from another place each time; after many times a place comes again."""
        assert size < NOISE_BYTES, "there is not so much noise"
        start = self._taken * 7919 % (NOISE_BYTES - size)
        self._taken += 1
        return self._noise[start : start + size]


class Carrier(Protocol):
    """What a process does."""

    async def run(self) -> None:
        """Receive and answer for ever."""

    async def transfer(self, number: int, window: int) -> list[float]:
        """As the sender: so many transfers, so many in flight; gives the seconds of each."""
        ...


async def serve(carrier: Carrier) -> None:
    """Run, and do what standard input says until it ends."""
    running = asyncio.create_task(carrier.run())
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    try:
        while line := await _while_it_runs(running, commands.readline()):
            asked = json.loads(line)
            start = time.perf_counter()
            doing = carrier.transfer(asked["number"], asked["window"])
            each = await _while_it_runs(running, doing)
            print(json.dumps({"all": time.perf_counter() - start, "each": each}), flush=True)
    except Exception as error:
        print(json.dumps({"failed": f"{type(error).__name__}: {error}"}), flush=True)
        raise
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _while_it_runs(running: asyncio.Task[None], work: Coroutine[Any, Any, T]) -> T:
    """What the work gives; if running ends before, why. Whoever waits would wait for ever."""
    doing = asyncio.create_task(work)
    await asyncio.wait({doing, running}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        doing.cancel()
        running.result()
    return await doing
