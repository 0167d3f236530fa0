# SPDX-License-Identifier: Apache-2.0
"""The rounds of a benchmark: every variant in turn, on the same servers, each from nothing.

A variant is run up to its saturation, with `WINDOW` transfers in flight, and then one transfer at
a time; ours and the floor with other numbers in flight in between. Each gets databases and a
virtual host of its own, which are gone after it; the order turns from round to round. In a round of
ours everything that was said before the clock runs arrives once more, and a round that does not
verify fails the run. One more round, which is not measured, kills every program once.

Elsewhere: what a variant is made of (`ours`, `floors`), everything in one process (`embedded`),
what the figures mean (`figures`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import asyncpg
from sqlalchemy.engine import make_url

from harness.bench.figures import Killed, Measured, Taken, measured
from harness.bench.floors import MESSAGES, Carriers, Weight, floor, plain
from harness.bench.load import Load
from harness.bench.ours import Ours, ours
from harness.bench.usage import cpu_seconds
from harness.bench.verify import verify
from harness.fleet import Pace
from harness.services import PrivatePostgres, PrivateRabbitMQ, RabbitMQ
from schemas.identifiers import HUB, Participant
from schemas.limits import MESSAGES_MAX

__all__ = ["NAIVE_WINDOW", "PACE", "VARIANTS", "WINDOW", "Bench", "LoadRunner", "Sizes"]

WINDOW = 512
NAIVE_WINDOW = 64
"""With one transaction for each message more in flight only wait longer."""

PACE = Pace(checkpoint_seconds=1.0, heartbeat_seconds=60.0, tick_seconds=0.25, sweep_seconds=5.0)


BETWEEN = (8, 32, 128)
"""Other numbers in flight, for the curve of throughput and latency against load."""


@dataclass(frozen=True)
class Sizes:
    """How many transfers a phase takes. Before each phase some are done that do not count."""

    saturation: int
    naive: int
    single: int
    warm: int
    killed: int

    def between(self, window: int) -> int:
        """With so many in flight."""
        return min(self.saturation, max(self.single, 8 * window))


class _Runner(Protocol):
    """What both kinds of variants can do."""

    async def run(self, number: int, window: int) -> tuple[float, list[float]]:
        """So many transfers: the seconds of all, and of each."""
        ...


class Bench:
    """Rounds on one pair of private servers, in a folder of their own."""

    def __init__(
        self, folder: Path, postgres: PrivatePostgres, rabbitmq: PrivateRabbitMQ, sizes: Sizes
    ) -> None:
        self._folder = folder
        self._postgres = postgres
        self._rabbitmq = rabbitmq
        self._sizes = sizes
        self._number = 0
        self._weight: Weight | None = None

    async def weigh(self) -> Weight:
        """What a transfer of ours weighs, from a run that does not count."""
        weighed: list[Weight] = []

        async def weigh(programs: Ours, load: Load) -> None:
            before = await _sealed(programs)
            taken = await self._phase(
                programs.fleet.pids, LoadRunner(load), self._sizes.saturation, WINDOW
            )
            after = await _sealed(programs)
            ways = {way: (after[way] - before.get(way, 0)) / taken.transfers for way in MESSAGES}
            weighed.append(Weight(ways, taken.durable / taken.transfers))

        await self._ours(PACE, self._sizes.warm + self._sizes.saturation, self._sizes.warm, weigh)
        self._weight = weighed[0]
        return weighed[0]

    # --- variants -------------------------------------------------------------------------------

    async def ours(self) -> dict[str, Measured]:
        """The programs as they are."""
        return await self._both(PACE, self._sizes.saturation, WINDOW, BETWEEN)

    async def naive(self) -> dict[str, Measured]:
        """The same programs, with one envelope in a batch and one message in an envelope."""
        pace = replace(PACE, batch_max=1, bundle_max=1)
        return await self._both(pace, self._sizes.naive, NAIVE_WINDOW, ())

    async def floor(self) -> dict[str, Measured]:
        """The floor, with as many messages in an envelope as ours."""
        return await self._floor(MESSAGES_MAX, BETWEEN)

    async def unbundled_floor(self) -> dict[str, Measured]:
        """The floor, with one message in an envelope."""
        return await self._floor(1, ())

    async def raw_aio_pika(self) -> dict[str, Measured]:
        """The floor's messages through aio-pika alone, one by one, stored by nobody."""
        return await self._plain("raw-aio-pika", "harness.bench.plain_aio_pika")

    async def faststream(self) -> dict[str, Measured]:
        """The same through FastStream."""
        return await self._plain("faststream", "harness.bench.plain_faststream")

    async def _both(
        self, pace: Pace, number: int, window: int, between: Sequence[int]
    ) -> dict[str, Measured]:
        found: dict[str, Measured] = {}
        sizes = self._sizes

        async def phases(programs: Ours, load: Load) -> None:
            found.update(
                await self._phases(programs.fleet.pids, LoadRunner(load), number, window, between)
            )

        total = sizes.warm + number + min(sizes.warm, 20) + sizes.single
        total += sum(map(sizes.between, between))
        await self._ours(pace, total, sizes.warm, phases)
        return found

    async def _phases(
        self,
        pids: Mapping[str, int],
        runner: _Runner,
        number: int,
        window: int,
        between: Sequence[int],
    ) -> dict[str, Measured]:
        """Saturation, then ever fewer in flight."""
        sizes = self._sizes
        found = {"saturation": measured(await self._phase(pids, runner, number, window))}
        for fewer in sorted(between, reverse=True):
            some = sizes.between(fewer)
            found[f"window {fewer}"] = measured(await self._phase(pids, runner, some, fewer))
        await runner.run(min(sizes.warm, 20), 1)
        found["single"] = measured(await self._phase(pids, runner, sizes.single, 1))
        return found

    async def _ours(
        self,
        pace: Pace,
        total: int,
        warm: int,
        phases: Callable[[Ours, Load], Awaitable[None]],
    ) -> None:
        async with (
            self._place() as (folder, rabbitmq),
            ours(folder, self._postgres, rabbitmq, total, pace) as programs,
        ):
            (log,) = await programs.remote.rows(HUB, "select count(*) as n from log_entries")
            load = Load(programs.estate, programs.fleet.databases, total)
            try:
                await load.run(warm, WINDOW)
                await programs.repeat_everything()
                await phases(programs, load)
                await programs.fleet.check()
                await verify(programs.remote, total, log.n)
            finally:
                await load.close()

    async def _floor(self, bundle: int, between: Sequence[int]) -> dict[str, Measured]:
        assert self._weight is not None, "weigh first"
        postgres, batch = self._postgres, PACE.batch_max
        async with (
            self._place() as (folder, rabbitmq),
            floor(folder, postgres, rabbitmq, self._weight, bundle=bundle, batch=batch) as carriers,
        ):
            return await self._carried(carriers, between)

    async def _plain(self, what: str, program: str) -> dict[str, Measured]:
        assert self._weight is not None, "weigh first"
        async with (
            self._place() as (folder, rabbitmq),
            plain(folder, rabbitmq, self._weight, what=what, program=program) as carriers,
        ):
            return await self._carried(carriers, ())

    async def _carried(self, carriers: Carriers, between: Sequence[int]) -> dict[str, Measured]:
        sizes = self._sizes
        await carriers.run(sizes.warm, WINDOW)
        return await self._phases(carriers.pids, carriers, sizes.saturation, WINDOW, between)

    async def killed(self) -> Killed:
        """The programs as they are, each killed once while transfers are in flight; all of these
        must be finished none the less.
        """
        number = self._sizes.killed
        found: list[Killed] = []

        async def phases(programs: Ours, load: Load) -> None:
            fleet, members = programs.fleet, list(programs.estate.members)
            begun = len(load.ended)

            async def kill_each() -> None:
                for place, participant in enumerate(members, 1):
                    await load.reached(begun + number * place // (len(members) + 1))
                    fleet.kill(participant)
                    fleet.launch(participant)

            seconds, _ = await asyncio.gather(load.run(number, WINDOW), kill_each())
            found.append(Killed(number, tuple(map(str, members)), seconds))

        await self._ours(PACE, self._sizes.warm + number, self._sizes.warm, phases)
        return found[0]

    # --- measuring ------------------------------------------------------------------------------

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[tuple[Path, RabbitMQ]]:
        """A folder and a virtual host for one variant."""
        self._number += 1
        name = f"bench{self._number}"
        url = make_url(self._rabbitmq.amqp_url).set(database=name)
        broker = RabbitMQ(
            url.render_as_string(hide_password=False), self._rabbitmq.admin_url, vhost=name
        )
        try:
            yield self._folder / name, broker
        finally:
            await asyncio.to_thread(self._rabbitmq.admin, "DELETE", f"/api/vhosts/{name}")

    async def _phase(
        self, pids: Mapping[str, int], runner: _Runner, number: int, window: int
    ) -> Taken:
        roots = {**pids, "RabbitMQ": self._rabbitmq.pid, "PostgreSQL": self._postgres.pid}
        wal = await self._written()
        before = cpu_seconds(roots)
        seconds, each = await runner.run(number, window)
        after = cpu_seconds(roots)
        return Taken(
            transfers=number,
            window=window,
            seconds=seconds,
            latencies=each,
            cpu={part: after[part] - before[part] for part in roots},
            durable=await self._written() - wal,
        )

    async def _written(self) -> int:
        """Where the server's write-ahead log is."""
        connection = await asyncpg.connect(self._postgres.url.replace("+asyncpg", ""))
        try:
            return int(
                await connection.fetchval("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
            )
        finally:
            await connection.close()


class LoadRunner:
    """A load as a runner."""

    def __init__(self, load: Load) -> None:
        self._load = load

    async def run(self, number: int, window: int) -> tuple[float, list[float]]:
        first = len(self._load.ended)
        seconds = await self._load.run(number, window)
        ended, began = self._load.ended, self._load.began
        return seconds, [ended[n] - began[n] for n in range(first, first + number)]


async def _sealed(programs: Ours) -> dict[tuple[Participant, Participant], int]:
    """The bytes of the envelopes sealed so far, by sender and recipient."""
    found: dict[tuple[Participant, Participant], int] = {}
    sql = "select recipient, sum(length(body)) as n from outbox group by recipient"
    for participant in programs.estate.members:
        for row in await programs.remote.rows(participant, sql):
            found[participant, Participant(row.recipient)] = int(row.n)
    return found


VARIANTS: dict[str, Callable[[Bench], Awaitable[dict[str, Measured]]]] = {
    "floor": Bench.floor,
    "unbundled-floor": Bench.unbundled_floor,
    "raw-aio-pika": Bench.raw_aio_pika,
    "faststream": Bench.faststream,
    "ours": Bench.ours,
    "naive": Bench.naive,
}
"""By the names that the figures use."""
