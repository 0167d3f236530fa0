# SPDX-License-Identifier: Apache-2.0
"""The engine on each kind of store and each kind of broker: four combinations, the same tests."""

import asyncio
import random
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from harness.services import Postgres, RabbitMQ
from runtime.amqp import AmqpBroker
from runtime.broker import Broker, BrokerSettings
from runtime.definitions import apply_definitions, definitions, hash_password, recipients
from runtime.memory import MemoryBroker, MemoryExchange
from runtime.store import open_store
from runtime.tables import metadata
from schemas.identifiers import Participant
from tests.cast import ACTORS, HUB
from tests.engine import Engine, Site
from tests.toy import acts, counted, make_database
from tests.wire import Wire

EVERYBODY = [str(participant) for participant in ACTORS]
RUNNING = (HUB, Participant("GHA01"))
"""Who runs a node in some test, and so has a database."""


class MemorySite:
    def __init__(self) -> None:
        self.exchange = MemoryExchange(recipients(EVERYBODY, []), randomness=random.Random(1))

    def broker(self, participant: Participant) -> Broker:
        return MemoryBroker(self.exchange, str(participant))

    async def cut(self) -> None:
        self.exchange.stop()

    async def mend(self) -> None:
        self.exchange.start()

    async def close(self) -> None:
        """It goes with the test."""


class RabbitMQSite:
    """A virtual host of its own, and a wire to it."""

    def __init__(self, server: RabbitMQ) -> None:
        self._server = server
        self._vhost = f"engine-{secrets.token_hex(6)}"
        address = urlsplit(server.amqp_url)
        self._wire = Wire(address.hostname or "127.0.0.1", address.port or 5672)
        self._port = 0

    async def open(self) -> None:
        hashes = {name: hash_password(f"{name}-password", b"salt") for name in EVERYBODY}
        wanted = definitions(EVERYBODY, [], hashes, vhost=self._vhost)
        await apply_definitions(self._server.admin_url, wanted)
        self._port = await self._wire.lay()

    def broker(self, participant: Participant) -> Broker:
        login = f"{participant}:{participant}-password"
        url = f"amqp://{login}@127.0.0.1:{self._port}/{quote(self._vhost)}"
        chosen = BrokerSettings(url=url, backoff_min_seconds=0.05, backoff_max_seconds=0.2)
        return AmqpBroker(str(participant), chosen)

    async def cut(self) -> None:
        self._wire.cut()

    async def mend(self) -> None:
        self._wire.mend()

    async def close(self) -> None:
        await self._wire.close()
        await asyncio.to_thread(self._server.admin, "DELETE", f"/api/vhosts/{self._vhost}")


@pytest.fixture(params=["memory", "rabbitmq"])
async def site(request: pytest.FixtureRequest) -> Site:
    """A broker without anything in it; the engine closes it."""
    if request.param == "memory":
        return MemorySite()
    _count_for(request, "rabbitmq")
    made = RabbitMQSite(request.getfixturevalue("rabbitmq"))
    await made.open()
    return made


@pytest.fixture(scope="session")
def toy_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("toy") / "toy.db"
    asyncio.run(make_database(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def toy_postgres(postgres: Postgres) -> Iterator[dict[Participant, str]]:
    names = {participant: f"toy_{str(participant).lower()}" for participant in RUNNING}
    urls = {participant: postgres.create_database(name) for participant, name in names.items()}
    for url in urls.values():
        asyncio.run(make_database(url))
    yield urls
    for name in names.values():
        postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def toy_urls(request: pytest.FixtureRequest, tmp_path: Path) -> dict[Participant, str]:
    """A database with nothing in it for each node."""
    if request.param == "sqlite":
        made: Path = request.getfixturevalue("toy_sqlite")
        paths = {p: tmp_path / f"{p}.db" for p in RUNNING}
        for path in paths.values():
            shutil.copy(made, path)
        return {participant: f"sqlite:///{path}" for participant, path in paths.items()}
    _count_for(request, "postgres")
    urls: dict[Participant, str] = request.getfixturevalue("toy_postgres")
    for url in urls.values():
        asyncio.run(_emptied(url))
    return urls


def _count_for(request: pytest.FixtureRequest, service: str) -> None:
    """Have a test counted among those on real services; its list of names is its siblings', too."""
    request.node.fixturenames = [*request.node.fixturenames, service]


async def _emptied(url: str) -> None:
    tables = [*metadata.tables, counted.name, acts.name]
    store = open_store(url)
    async with store.transaction() as session:
        await session.execute(text(f"truncate {', '.join(tables)} restart identity"))
    await store.close()


@pytest.fixture
async def engine(site: Site, toy_urls: dict[Participant, str]) -> AsyncIterator[Engine]:
    """Nothing runs yet; whatever a test starts is stopped after it."""
    with capture_logs() as logs:
        one = Engine(site, toy_urls, logs)
        yield one
        await one.close()
