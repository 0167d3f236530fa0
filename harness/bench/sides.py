# SPDX-License-Identifier: Apache-2.0
"""Two fleets side by side: the same programs on the same servers, of which one has grown.

The load goes to one and to the other in turn. In the end both are held to what must have come of
it, like any round that counts.

Elsewhere: what makes one of them large (`preload`, and a crowd of participants), what is asked of
them (`growth`).
"""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from harness.bench.course import UNITS
from harness.bench.load import Load
from harness.bench.ours import Ours, ours
from harness.bench.rounds import PACE, WINDOW
from harness.bench.verify import verify
from harness.fleet import Pace
from harness.services import PrivatePostgres, RabbitMQ
from schemas.identifiers import HUB

__all__ = ["Servers", "Side", "Sides", "side_by_side"]


@dataclass(frozen=True)
class Servers:
    """Where fleets run: private servers, and a folder for files."""

    folder: Path
    postgres: PrivatePostgres
    rabbitmq: RabbitMQ

    def broker(self, name: str) -> RabbitMQ:
        """The same broker with a virtual host of its own."""
        url = make_url(self.rabbitmq.amqp_url).set(database=name)
        amqp = url.render_as_string(hide_password=False)
        return RabbitMQ(amqp, self.rabbitmq.admin_url, vhost=name)


@dataclass(frozen=True)
class Side:
    """One of the fleets: its course has so many transfers, `most` of which will be done, and
    `prepare` makes it what it is before its log is counted.
    """

    name: str
    course: int
    most: int
    prepare: Callable[[Ours], Awaitable[None]]
    pace: Pace = PACE
    more: int = 0
    """Registries that only answer the hub."""


class Sides:
    """Both fleets with their loads, by name; the first is the one compared with."""

    def __init__(self, fleets: Mapping[str, Ours], loads: Mapping[str, Load]) -> None:
        self.fleets = fleets
        self.loads = loads

    async def ratios(self, turns: int, transfers: int) -> list[float]:
        """Transfers a second of the second fleet to those of the first, turn by turn; which one has
        the load first changes from turn to turn, and the other one stands still meanwhile.
        """
        first, second = self.loads
        for load in self.loads.values():
            await load.run(WINDOW, WINDOW)  # warm
        found: list[float] = []
        for turn in range(turns):
            seconds: dict[str, float] = {}
            for name in (second, first) if turn % 2 else (first, second):
                other = self.fleets[first if name == second else second].fleet
                other.send_signal(signal.SIGSTOP)
                try:
                    seconds[name] = await self.loads[name].run(transfers, WINDOW)
                finally:
                    other.send_signal(signal.SIGCONT)
            found.append(seconds[first] / seconds[second])
        return found


@asynccontextmanager
async def side_by_side(servers: Servers, first: Side, second: Side) -> AsyncIterator[Sides]:
    """Start and prepare both fleets, and hold them to what must be in the end."""
    async with AsyncExitStack() as stack:
        fleets: dict[str, Ours] = {}
        logs: dict[str, int] = {}
        for side in (first, second):
            # Users are the whole broker's: once the second fleet has its passwords, no program of
            # the first one can be started any more.
            fleets[side.name] = programs = await stack.enter_async_context(
                ours(
                    servers.folder / side.name,
                    servers.postgres,
                    servers.broker(side.name),
                    side.course,
                    side.pace,
                    more=side.more,
                )
            )
            await side.prepare(programs)
            sql = "select max(position) + 1 as n from log_entries"
            (log,) = await programs.remote.rows(HUB, sql)
            logs[side.name] = log.n
        loads = {
            side.name: Load(fleets[side.name].estate, fleets[side.name].fleet.databases, side.most)
            for side in (first, second)
        }
        try:
            yield Sides(fleets, loads)
            for side in (first, second):
                running_one, done = fleets[side.name], len(loads[side.name].ended)
                await running_one.fleet.check()
                left = (side.course - done) * UNITS
                await verify(running_one.remote, done, logs[side.name], left=left)
        finally:
            for load in loads.values():
                await load.close()
