# SPDX-License-Identifier: Apache-2.0
"""A round of ours: the real programs under load, as processes or all in this one.

Elsewhere: the load (`load`), the course (`course`), the floor (`floor`).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.bench.course import ACQUIRER, SENDER, course, others
from harness.bench.verify import RoundFailed
from harness.fleet import EmbeddedFleet, Fleet, Pace, ProcessFleet
from harness.prepare import Estate, prepare
from harness.remote import Remote
from harness.runner import Run, admit, take
from harness.scenario import Scenario
from harness.services import Postgres, RabbitMQ
from runtime.broker import Parcel
from runtime.clock import SystemClock

__all__ = ["Embedded", "Ours", "embedded", "ours"]


class _Silent:
    def step(self, name: str, story: str) -> None:
        """Nobody watches."""


@dataclass(frozen=True)
class Programs:
    """Programs that have taken the course's steps and wait for transfers."""

    estate: Estate
    fleet: Fleet
    remote: Remote

    async def repeat_everything(self) -> None:
        """Have every envelope that the two registries have sealed so far arrive once more."""
        sql = "select recipient, sequence, body from outbox order by recipient, sequence"
        for participant in (SENDER.participant, ACQUIRER.participant):
            link = self.fleet.link(participant)
            await link.open()
            try:
                parcels = [
                    Parcel(row.recipient, bytes(row.body), f"again:{row.sequence}", "envelope")
                    for row in await self.remote.rows(participant, sql)
                ]
                if not all(await link.publish(parcels)):
                    raise RoundFailed(f"{participant}: the broker has not taken all repetitions")
            finally:
                await link.close()

    async def begin(self, scenario: Scenario) -> None:
        """Start everything and take the steps before the transfers."""
        await self.fleet.start()
        run = Run(scenario, self.estate, self.remote, _Silent())
        await admit(run)
        for step in scenario.steps:
            await take(run, step)
        if run.failed:
            raise RoundFailed("; ".join(run.failed))


@dataclass(frozen=True)
class Ours(Programs):
    """Each program a process."""

    fleet: ProcessFleet


@dataclass(frozen=True)
class Embedded(Programs):
    """Every program in this process."""

    fleet: EmbeddedFleet


@asynccontextmanager
async def ours(
    folder: Path,
    postgres: Postgres,
    rabbitmq: RabbitMQ,
    transfers: int,
    pace: Pace,
    more: int = 0,
    password: str | None = None,
) -> AsyncIterator[Ours]:
    """Start the programs on empty databases, take the steps before the transfers, end them all.
    `more` registries share one process, and have their databases as files. `password`: see
    `ProcessFleet`.
    """
    scenario, crowd = course(transfers, more), others(more)
    estate = prepare(scenario, folder, SystemClock())
    names = {p: f"{folder.name}_{p}".lower() for p in estate.members if p not in crowd}
    databases = {participant: f"sqlite:///{folder / f'{participant}.db'}" for participant in crowd}
    databases |= {p: postgres.create_database(name) for p, name in names.items()}
    broker, admin = rabbitmq.amqp_url, rabbitmq.admin_url
    fleet = ProcessFleet(estate, databases, broker, admin, pace, crowd, password)
    programs = Ours(estate, fleet, Remote(estate, databases))
    try:
        await programs.begin(scenario)
        yield programs
    finally:
        await fleet.stop()
        await programs.remote.close()
        for name in names.values():
            postgres.drop_database(name)


@asynccontextmanager
async def embedded(folder: Path, transfers: int, pace: Pace) -> AsyncIterator[Embedded]:
    """The same in this process, on SQLite and the in-process broker."""
    scenario = course(transfers)
    estate = prepare(scenario, folder, SystemClock())
    fleet = EmbeddedFleet(estate, pace)
    programs = Embedded(estate, fleet, Remote(estate, fleet.databases))
    try:
        await programs.begin(scenario)
        yield programs
    finally:
        await fleet.stop()
        await programs.remote.close()
