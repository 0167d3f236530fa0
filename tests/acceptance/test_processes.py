# SPDX-License-Identifier: Apache-2.0
"""Every program a process on real RabbitMQ and PostgreSQL: undisturbed, and with each process
killed once and the broker restarted once. Both must come to the same end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from harness.demo import process_fleets, run_demo
from harness.fleet import Fleet, ProcessFleet
from harness.loading import load_scenario
from harness.outcome import Outcome
from harness.prepare import Estate
from harness.services import Postgres, PrivateRabbitMQ
from schemas.identifiers import Participant

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ROOT / "scenarios" / "article6.toml"

KILLED = {
    "a1-first-transfer": "THA01",
    "a2-first-transfer": "HUB",
    "a2-second-tranche": "CHE01",
    "a3-issuance-issued": "GUY01",
    "a4-first-transfer": "UN01",
    "a10-part": "GHA01",
    "a10-remainder": "REC",
    "a8-acquisition": "UN02",
    "a12-first-twin": "SGP01",
}
"""Which program is killed while which step is under way."""
BROKER_DURING = "a12-second-twin"


def essence(outcome: Outcome) -> dict[str, object]:
    """What must be the same, whatever was killed: all but times, digests and case numbers."""
    return {
        "steps": [(t.step, t.id, t.state, t.quantity) for t in outcome.transactions],
        "transactions": outcome.summary.transactions,
        "issued": outcome.summary.units_issued,
        "positions": outcome.summary.units_by_position,
        "layers": outcome.summary.units_by_layer,
        "holdings": outcome.holdings,
        "settled": outcome.summary.settled,
        "log_size": outcome.summary.log_size,
        "discrepancies": sorted(
            (d.actor, d.key, d.first, d.last, d.cause) for d in outcome.discrepancies
        ),
        "failed": outcome.summary.expectations_failed,
        "examples": outcome.summary.examples,
    }


async def run_on(
    broker: PrivateRabbitMQ, postgres: Postgres, output: Path, *, disturbed: bool
) -> tuple[Outcome, list[str]]:
    """Run the scenario; gives the outcome and who was killed."""
    fleets: list[ProcessFleet] = []
    killed: list[str] = []
    tasks: list[asyncio.Task[None]] = []
    make = process_fleets(broker.amqp_url, broker.admin_url, postgres.url)

    @asynccontextmanager
    async def watched(estate: Estate) -> AsyncIterator[Fleet]:
        async with make(estate) as fleet:
            assert isinstance(fleet, ProcessFleet)
            fleets.append(fleet)
            yield fleet

    async def kill_soon(participant: Participant) -> None:
        await asyncio.sleep(0.06)  # in the middle of the step: after its command, before its end
        fleets[0].kill(participant)
        killed.append(participant)
        fleets[0].launch(participant)

    async def disturb(step: str) -> None:
        await asyncio.gather(*tasks)
        tasks.clear()
        if step in KILLED:
            tasks.append(asyncio.create_task(kill_soon(Participant(KILLED[step]))))
        if step == BROKER_DURING:
            broker.restart(kill=True)
            killed.append("broker")

    scenario = load_scenario(SCENARIO)
    outcome = await run_demo(scenario, output, watched, disturb if disturbed else None)
    await asyncio.gather(*tasks)
    return outcome, killed


async def test_the_end_is_the_same_when_each_process_is_killed_and_the_broker_restarted(
    restartable_rabbitmq: PrivateRabbitMQ, postgres: Postgres, tmp_path: Path
) -> None:
    calm, _ = await run_on(restartable_rabbitmq, postgres, tmp_path / "calm", disturbed=False)
    assert calm.summary.expectations_failed == []
    rough, killed = await run_on(restartable_rabbitmq, postgres, tmp_path / "rough", disturbed=True)
    assert sorted(killed) == sorted([*KILLED.values(), "broker"])
    assert essence(rough) == essence(calm)
