# SPDX-License-Identifier: Apache-2.0
"""The private servers serve, last and end as `harness/services.py` promises."""

import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

import aio_pika
import asyncpg
import pytest
from aio_pika.abc import AbstractChannel, AbstractQueue

from harness import install, server
from harness.services import (
    Postgres,
    PrivatePostgres,
    PrivateRabbitMQ,
    RabbitMQ,
    ServiceError,
    service_folder,
    start_postgres,
)

ROOT = Path(__file__).parents[2]


def plain(url: str) -> str:
    """The URL as asyncpg takes it, without SQLAlchemy's driver name."""
    return url.replace("+asyncpg", "", 1)


async def test_the_broker_carries_a_message(rabbitmq: RabbitMQ) -> None:
    async with await aio_pika.connect(rabbitmq.amqp_url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        queue = await channel.declare_queue(exclusive=True)
        await channel.default_exchange.publish(aio_pika.Message(b"a line"), queue.name)
        message = await queue.get(timeout=10)
        assert message is not None
        assert message.body == b"a line"
        await message.ack()


def test_the_management_api_makes_users_and_refuses_strangers(rabbitmq: RabbitMQ) -> None:
    rabbitmq.admin("PUT", "/api/users/services-test", {"password": "x", "tags": ""})
    users = rabbitmq.admin("GET", "/api/users")
    assert isinstance(users, list)
    assert "services-test" in {user["name"] for user in users}
    assert rabbitmq.admin("DELETE", "/api/users/services-test") is None
    parts = urlsplit(rabbitmq.admin_url)
    stranger = RabbitMQ("", f"http://stranger:wrong@{parts.hostname}:{parts.port}")
    with pytest.raises(HTTPError) as refusal:
        stranger.admin("GET", "/api/overview")
    with closing(refusal.value):
        assert refusal.value.code == 401


async def test_a_broker_keeps_durable_queues_through_a_stop_and_a_kill(
    restartable_rabbitmq: PrivateRabbitMQ,
) -> None:
    name = "services-test-restart"

    @asynccontextmanager
    async def queue() -> AsyncIterator[tuple[AbstractChannel, AbstractQueue]]:
        async with await aio_pika.connect(restartable_rabbitmq.amqp_url) as connection:
            channel = await connection.channel(publisher_confirms=True)
            yield (
                channel,
                await channel.declare_queue(
                    name, durable=True, arguments={"x-queue-type": "quorum"}
                ),
            )

    # The kill comes second: a quorum queue must be a second old to survive one (see `restart`).
    for kill in (False, True):
        async with queue() as (channel, _):
            message = aio_pika.Message(
                f"killed: {kill}".encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT
            )
            await channel.default_exchange.publish(message, name)
        restartable_rabbitmq.restart(kill=kill)
        restartable_rabbitmq.wait_until_ready()
    async with queue() as (_, kept):
        async with kept.iterator(timeout=30) as messages:
            for body in (b"killed: False", b"killed: True"):
                received = await anext(messages)
                assert received.body == body
                await received.ack()
        await kept.delete(if_unused=False, if_empty=False)  # quorum queues take neither condition


async def test_the_database_is_empty_and_durable(database_url: str) -> None:
    connection = await asyncpg.connect(plain(database_url))
    try:
        assert await connection.fetchval("select 1") == 1
        tables = "select count(*) from pg_tables where schemaname = 'public'"
        assert await connection.fetchval(tables) == 0
        assert await connection.fetchval("show fsync") == "on"
        assert await connection.fetchval("show synchronous_commit") == "on"
    finally:
        await connection.close()


async def test_databases_can_be_made_and_dropped_inside_an_event_loop(postgres: Postgres) -> None:
    url = postgres.create_database("services-test")
    connection = await asyncpg.connect(plain(url))
    postgres.drop_database("services-test")
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await connection.fetchval("select 1")
    connection.terminate()


@pytest.mark.parametrize("kill", [False, True], ids=["clean", "killed"])
async def test_a_restarted_database_keeps_what_was_committed(
    restartable_postgres: PrivatePostgres, *, kill: bool
) -> None:
    url = restartable_postgres.create_database(f"services-test-restart-{kill}")
    connection = await asyncpg.connect(plain(url))
    await connection.execute("create table kept as select 42 as number")
    await connection.close()
    restartable_postgres.restart(kill=kill)
    connection = await asyncpg.connect(plain(url))
    assert await connection.fetchval("select number from kept") == 42
    await connection.close()
    restartable_postgres.drop_database(f"services-test-restart-{kill}")


async def test_no_two_instances_share_a_port_or_a_password(
    restartable_postgres: PrivatePostgres, restartable_rabbitmq: PrivateRabbitMQ
) -> None:
    first = restartable_postgres
    with service_folder() as folder:
        second = start_postgres(folder / "second")
        urls = [first.url, second.url, restartable_rabbitmq.amqp_url]
        ports = {urlsplit(url).port for url in [*urls, restartable_rabbitmq.admin_url]}
        assert len(ports) == 4
        assert not ports & {5432, 5672, 15672, 4369, 25672}
        assert len({urlsplit(url).password for url in urls}) == 3
        assert {urlsplit(url).hostname for url in urls} == {"127.0.0.1"}
        second.stop()
        with pytest.raises(OSError, match=str(urlsplit(second.url).port)):
            await asyncpg.connect(plain(second.url))
    assert not folder.exists()


OWNER = """
import sys, time
from pathlib import Path
from harness.services import start_postgres, start_rabbitmq
folder = Path(sys.argv[1])
postgres = start_postgres(folder / "postgres")
rabbitmq = start_rabbitmq(folder / "rabbitmq")
servers = (postgres._server, rabbitmq._broker, rabbitmq._mapper)
print(*(server._process.pid for server in servers), flush=True)
time.sleep(600)
"""


def running(pid: int) -> bool:
    """Whether a process does anything still; a zombie that nobody reaps does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_nothing_outlives_an_owner_that_is_killed() -> None:
    with service_folder() as folder:
        command = [sys.executable, "-c", OWNER, str(folder)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout is not None
            pids = [int(pid) for pid in owner.stdout.readline().split()]
            assert len(pids) == 3
            assert all(running(pid) for pid in pids)
            owner.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 60
        while any(running(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not [pid for pid in pids if running(pid)]


def test_a_server_that_ends_while_starting_is_reported_with_its_last_words(tmp_path: Path) -> None:
    failing = server.Server(
        command=["sh", "-c", "echo the disk is full; exit 3"],
        folder=tmp_path,
        log=tmp_path / "log",
        ready=lambda: False,
    )
    with pytest.raises(ServiceError, match=r"(?s)ended while starting.*the disk is full"):
        failing.start()


def test_what_is_missing_is_said_with_the_remedy() -> None:
    text = install.what_is_missing(["rabbitmq-server"])
    assert "apt-get install rabbitmq-server" in text
    assert all(variable in text for variable in install.VARIABLES)


def test_with_everything_there_nothing_is_installed() -> None:
    assert install.missing_packages() == []
    install.install_missing()
