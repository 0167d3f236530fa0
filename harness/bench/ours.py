# SPDX-License-Identifier: Apache-2.0
"""A round of ours: the real programs as processes, under load.

Elsewhere: the load (`load`), the course (`course`), the floor (`floor`).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from harness.bench.course import ACQUIRER, SENDER, course
from harness.bench.verify import RoundFailed
from harness.fleet import Pace, ProcessFleet
from harness.prepare import Estate, prepare
from harness.remote import Remote
from harness.runner import Run, admit, take
from harness.services import Postgres, RabbitMQ
from runtime.amqp import AmqpBroker
from runtime.broker import BrokerSettings, Parcel
from runtime.clock import SystemClock
from runtime.settings import secret
from schemas.identifiers import Participant

__all__ = ["Ours", "ours"]


class _Silent:
    def step(self, name: str, story: str) -> None:
        """Nobody watches."""


class Ours:
    """Programs that have taken the course's steps and wait for transfers."""

    def __init__(self, estate: Estate, fleet: ProcessFleet, remote: Remote) -> None:
        self.estate = estate
        self.fleet = fleet
        self.remote = remote

    async def repeat_everything(self) -> None:
        """Have every envelope that the two registries have sealed so far arrive once more."""
        sql = "select recipient, sequence, body from outbox order by recipient, sequence"
        for participant in (SENDER.participant, ACQUIRER.participant):
            link = self.estate.folder / "settings" / f"{participant}.broker"
            broker = AmqpBroker(participant, BrokerSettings(url=secret(link)))
            await broker.open()
            try:
                parcels = [
                    Parcel(row.recipient, bytes(row.body), f"again:{row.sequence}", "envelope")
                    for row in await self.remote.rows(participant, sql)
                ]
                if not all(await broker.publish(parcels)):
                    raise RoundFailed(f"{participant}: the broker has not taken all repetitions")
            finally:
                await broker.close()


@asynccontextmanager
async def ours(
    folder: Path, postgres: Postgres, rabbitmq: RabbitMQ, transfers: int, pace: Pace
) -> AsyncIterator[Ours]:
    """Start the programs on empty databases, take the steps before the transfers, end them all."""
    scenario = course(transfers)
    estate = prepare(scenario, folder, SystemClock())
    names = {p: f"{folder.name}_{p}".lower() for p in estate.members}
    databases: dict[Participant, str] = {
        p: postgres.create_database(name) for p, name in names.items()
    }
    fleet = ProcessFleet(estate, databases, rabbitmq.amqp_url, rabbitmq.admin_url, pace)
    remote = Remote(estate, databases)
    try:
        await fleet.start()
        run = Run(scenario, estate, remote, _Silent())
        await admit(run)
        for step in scenario.steps:
            await take(run, step)
        if run.failed:
            raise RoundFailed("; ".join(run.failed))
        yield Ours(estate, fleet, remote)
    finally:
        await fleet.stop()
        await remote.close()
        for name in names.values():
            postgres.drop_database(name)
