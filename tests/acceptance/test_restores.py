# SPDX-License-Identifier: Apache-2.0
"""A registry and the hub, processes on real RabbitMQ and PostgreSQL, are killed and get an older
copy of their database: each has again what it had lost before it says anything, and nobody is given
a reason to think that it lies.

What else can be lost, and what is refused, is tried without processes: `test_faults`,
`test_federation_recovery`.
"""

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from harness.demo import process_fleets
from harness.fleet import ProcessFleet
from harness.prepare import prepare
from harness.services import Postgres, RabbitMQ
from hub.guard import Refusal, root_at
from runtime import events
from runtime.clock import SystemClock
from schemas.identifiers import HUB, REC
from tests.processes import SCENARIO, SECONDS, SWISS, THAILAND, Processes, first_transfer, use


@pytest.fixture
async def processes(
    rabbitmq: RabbitMQ, postgres: Postgres, tmp_path: Path
) -> AsyncIterator[Processes]:
    """Established; with a virtual host and databases of its own."""
    vhost = f"restores-{secrets.token_hex(6)}"
    broker = make_url(rabbitmq.amqp_url).set(database=vhost)
    url = broker.render_as_string(hide_password=False)
    estate = prepare(SCENARIO, tmp_path, SystemClock())
    async with process_fleets(url, rabbitmq.admin_url, postgres.url)(estate) as fleet:
        assert isinstance(fleet, ProcessFleet)
        one = Processes(estate, fleet, postgres)
        await one.establish()
        yield one
        await one.remote.close()
    for name in one.copies.values():
        postgres.drop_database(name)
    rabbitmq.admin("DELETE", f"/api/vhosts/{vhost}")


async def test_a_registry_with_an_older_database_has_its_envelopes_again_before_it_says_anything(
    processes: Processes,
) -> None:
    await processes.take(first_transfer(1, 100), use(1, 10))
    await processes.back_up(SWISS)
    await processes.take(first_transfer(101, 200), use(101, 110), use(11, 20))
    sent = await processes.sent(SWISS, confirmed=True)
    received = await processes.received(SWISS)
    processes.fleet.kill(SWISS)
    missed = await processes.propose(first_transfer(201, 300))
    await processes.cleared(missed, HUB)

    await processes.put_back(SWISS)
    older = await processes.sent(SWISS)
    assert older.items() < sent.items()
    assert (await processes.received(SWISS)).items() < received.items()
    processes.fleet.launch(SWISS)
    await processes.fleet.ready(SWISS)
    assert sent.items() <= (await processes.sent(SWISS)).items()
    assert await processes.remote.final_state(missed, SECONDS) == "completed"
    await processes.take(use(201, 210), first_transfer(301, 400))
    await processes.agree()
    assert received.items() <= (await processes.received(SWISS)).items()
    assert processes.logged(HUB, events.ENVELOPES_RESENT), "what it had received came again"


async def test_a_hub_with_an_older_database_does_not_start_until_it_is_told_to_recover(
    processes: Processes,
) -> None:
    await processes.take(first_transfer(1, 100), use(1, 10))
    await processes.back_up(HUB)
    older = await processes.log()
    await processes.take(first_transfer(101, 200), use(101, 110), use(11, 20))
    assert await processes.fleet.end(SWISS) == 0
    pending = await processes.propose(first_transfer(201, 300))
    await processes.cleared(pending, THAILAND)
    entries, sent = await processes.log(), await processes.sent(HUB, confirmed=True)
    processes.fleet.kill(HUB)

    await processes.put_back(HUB)
    assert await processes.log() == older
    processes.fleet.launch(HUB)
    assert await processes.fleet.ended(HUB) == 1
    (failure,) = processes.logged(HUB, events.SERVICE_FAILED)
    assert failure["error"].startswith(f"{Refusal.SHORTER}: the database has {len(older)} entries")
    assert await processes.log() == older

    assert heads(processes.verb(HUB, "hub", "recover"))[1][0] == len(older)
    assert processes.verb(HUB, "hub", "recover", "--undo").startswith(f"log  {len(older)}  ")
    anchor, log = heads(processes.verb(HUB, "hub", "recover"))
    assert (log[0], anchor[0]) == (len(older), len(entries))
    meanwhile = await processes.propose(first_transfer(301, 400))
    processes.fleet.launch(SWISS)
    processes.fleet.launch(HUB)
    await processes.fleet.ready(HUB)
    assert processes.logged(HUB, events.LOG_RECOVERED)
    assert (await processes.log())[: len(entries)] == entries
    assert sent.items() <= (await processes.sent(HUB)).items()
    async with processes.remote.stores[HUB].snapshot() as session:
        assert await root_at(session, anchor[0]) == bytes.fromhex(anchor[1])

    for transaction in (pending, meanwhile):
        assert await processes.remote.final_state(transaction, SECONDS) == "completed"
    await processes.take(use(201, 210), first_transfer(401, 500))
    await processes.agree()
    anchor, log = heads(processes.verb(HUB, "hub", "anchor"))
    assert anchor == log == (len(await processes.log()), log[1])
    (seen,) = json.loads(processes.verb(REC, "reconcile", "head", "--format", "json"))
    assert (seen["size"], seen["root"]) == log


def heads(printed: str) -> tuple[tuple[int, str], tuple[int, str]]:
    """The anchor and the log, size and root, as the hub's verbs print them."""
    anchor, log = (line.split() for line in printed.splitlines())
    assert (anchor[0], log[0]) == ("anchor", "log")
    return (int(anchor[1]), anchor[2]), (int(log[1]), log[2])
