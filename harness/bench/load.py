# SPDX-License-Identifier: Apache-2.0
"""The load: transfers given to the sending registry's desk, a fixed number of them in flight.

A transfer begins when its command is committed to the desk's database, as an operator's tool does
it, and is done when both registries have committed the entry that completes it. The load looks at
the registries' inboxes to see that, and takes no part in anything. Commands are signed before the
clock runs: operators sign on machines of their own.

Elsewhere: the course (`course`), the programs (`ours`), the floor's own load (`floor`).
"""

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import text

from harness.bench.course import ACQUIRER, SENDER, transfer
from harness.prepare import Estate
from runtime.clock import Ids, SystemClock
from runtime.orders import submit, write_order
from runtime.store import Store, open_store
from schemas.identifiers import Participant

__all__ = ["Load", "Overdue"]

_TAIL = text(
    "select sequence, body from inbox where sender = 'HUB' and sequence > :last and applied = 1 "
    "order by sequence limit 1000"
)
STALL_SECONDS = 60.0
"""So long nothing is done: then nothing will be."""


class Overdue(RuntimeError):
    """The programs have stopped finishing transfers."""


@dataclass
class Load:
    """One run of transfers; `began` and `ended` are seconds of one clock, by transfer."""

    estate: Estate
    databases: dict[Participant, str]
    total: int
    poll_seconds: float = 0.005
    began: dict[int, float] = field(default_factory=dict)
    ended: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stores: dict[Participant, Store] = {
            p: open_store(self.databases[p]) for p in (SENDER.participant, ACQUIRER.participant)
        }
        self._last: dict[Participant, int] = dict.fromkeys(self._stores, 0)
        self._seen: defaultdict[int, set[Participant]] = defaultdict(set)
        self._given = 0
        self._awaited: list[tuple[int, asyncio.Event]] = []
        operator, signer = self.estate.order
        clock, ids = SystemClock(), Ids()
        self._now = clock.now
        self._orders = [
            write_order(
                SENDER.participant, "propose", transfer(n), operator.name, signer, clock.now(), ids
            )
            for n in range(self.total)
        ]

    async def run(self, number: int, window: int) -> float:
        """Do the next so many transfers, so many in flight; gives the seconds taken."""
        last = self._given + number
        assert last <= self.total, "the course holds no more transfers"
        done = len(self.ended)
        start = progress = time.perf_counter()
        while len(self.ended) < last:
            await self._give(min(last, len(self.ended) + window))
            await asyncio.sleep(self.poll_seconds)
            await self._look()
            now = time.perf_counter()
            if len(self.ended) > done:
                done, progress = len(self.ended), now
            elif now - progress > STALL_SECONDS:
                raise Overdue(f"{last - done} of {number} transfers are not done")
        return time.perf_counter() - start

    async def reached(self, number: int) -> None:
        """Wait until so many transfers have ended, of all that were ever begun."""
        if len(self.ended) >= number:  # while whoever asks was busy; nobody looks any more
            return
        event = asyncio.Event()
        self._awaited.append((number, event))
        await event.wait()

    async def close(self) -> None:
        """Give back the connections."""
        for store in self._stores.values():
            await store.close()

    async def _give(self, until: int) -> None:
        if until <= self._given:
            return
        async with self._stores[SENDER.participant].transaction() as session:
            for line, signature in self._orders[self._given : until]:
                await submit(session, line, signature, self._now())
        now = time.perf_counter()
        self.began.update(dict.fromkeys(range(self._given, until), now))
        self._given = until

    async def _look(self) -> None:
        for participant, store in self._stores.items():
            async with store.snapshot() as session:
                rows = list(await session.execute(_TAIL, {"last": self._last[participant]}))
            now = time.perf_counter()
            for row in rows:
                self._last[participant] = row.sequence
                for number in _completed(bytes(row.body)):
                    self._seen[number].add(participant)
                    if len(self._seen[number]) == len(self._stores):
                        self.ended[number] = now
        for number, event in self._awaited:
            if len(self.ended) >= number:
                event.set()


def _completed(body: bytes) -> list[int]:
    """The transfers, counted from 0, that the entries of an envelope complete."""
    prefix = f"{SENDER.replace('/', '-')}-"
    found: list[int] = []
    for line in body.split(b"\n")[1:]:
        message = json.loads(line)
        if message["type"] == "entry" and message["body"]["state"] == "completed":
            conversation = str(message["conversation"])
            if conversation.startswith(prefix):
                found.append(int(conversation.removeprefix(prefix)) - 1)
    return found
