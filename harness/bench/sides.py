# SPDX-License-Identifier: Apache-2.0
"""Two fleets side by side: the same programs on the same servers, of which one has grown.

The load goes to one and to the other in turn. In the end both are held to what must have come of
it, like any round that counts.

Elsewhere: what makes one of them large (`preload`, and a crowd of participants), what is asked of
them (`growth`).
"""

import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
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

__all__ = ["Running", "Servers", "Side", "Sides", "side_by_side"]


@dataclass(frozen=True)
class Servers:
    """Where fleets run: private servers, and a folder for files."""

    folder: Path
    postgres: PrivatePostgres
    rabbitmq: RabbitMQ
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    """Of every program at the broker."""

    def broker(self, name: str) -> RabbitMQ:
        """The same broker with a virtual host of its own."""
        url = make_url(self.rabbitmq.amqp_url).set(database=name)
        amqp = url.render_as_string(hide_password=False)
        return RabbitMQ(amqp, self.rabbitmq.admin_url, vhost=name)


async def as_it_is(programs: Ours) -> None:
    """Leave a fleet as it was started: it may be large by that alone."""


@dataclass(frozen=True)
class Side:
    """What one of the fleets is to be: its course has so many transfers, `most` of which will be
    done, and `prepare` makes it large before its log is counted.
    """

    name: str
    course: int
    most: int
    prepare: Callable[[Ours], Awaitable[None]] = as_it_is
    pace: Pace = PACE
    more: int = 0
    """Registries that only answer the hub."""


@dataclass(frozen=True)
class Running:
    """A fleet that runs, with its load; its log had so many leaves before."""

    side: Side
    programs: Ours
    load: Load
    leaves: int

    async def verify(self) -> None:
        """Hold it to what must have come of its load."""
        await self.programs.fleet.check()
        done = len(self.load.ended)
        left = (self.side.course - done) * UNITS
        await verify(self.programs.remote, done, self.leaves, left=left)


@dataclass(frozen=True)
class Sides:
    """Both fleets; the second one is compared with the first."""

    first: Running
    second: Running

    async def ratios(self, turns: int, transfers: int) -> list[float]:
        """Transfers a second of the second fleet to those of the first, turn by turn; which one has
        the load first changes from turn to turn, and the other one stands still meanwhile.
        """
        for one in (self.first, self.second):
            await one.load.run(WINDOW, WINDOW)  # warm
        found: list[float] = []
        for turn in range(turns):
            if turn % 2:
                second = await self._alone(self.second, self.first, transfers)
                first = await self._alone(self.first, self.second, transfers)
            else:
                first = await self._alone(self.first, self.second, transfers)
                second = await self._alone(self.second, self.first, transfers)
            found.append(first / second)
        return found

    async def _alone(self, one: Running, other: Running, transfers: int) -> float:
        """The seconds that one needs while the other stands still."""
        other.programs.fleet.send_signal(signal.SIGSTOP)
        try:
            return await one.load.run(transfers, WINDOW)
        finally:
            other.programs.fleet.send_signal(signal.SIGCONT)


@asynccontextmanager
async def side_by_side(servers: Servers, first: Side, second: Side) -> AsyncIterator[Sides]:
    """Start and prepare both fleets, and hold them to what must be in the end."""
    async with AsyncExitStack() as stack:
        prepared = [(side, await _prepared(servers, side, stack)) for side in (first, second)]
        running: list[Running] = []  # loads are made last: their commands say when they were given
        for side, (programs, leaves) in prepared:
            load = Load(programs.estate, programs.fleet.databases, side.most)
            stack.push_async_callback(load.close)
            running.append(Running(side, programs, load, leaves))
        yield Sides(*running)
        for one in running:
            await one.verify()


async def _prepared(servers: Servers, side: Side, stack: AsyncExitStack) -> tuple[Ours, int]:
    """A fleet, started and made large, and the leaves of its log."""
    folder, broker = servers.folder / side.name, servers.broker(side.name)
    pace, more, password = side.pace, side.more, servers.password
    started = ours(folder, servers.postgres, broker, side.course, pace, more, password)
    programs = await stack.enter_async_context(started)
    await side.prepare(programs)
    (log,) = await programs.remote.rows(HUB, "select max(position) + 1 as n from log_entries")
    return programs, log.n
