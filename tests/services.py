# SPDX-License-Identifier: Apache-2.0
"""Fixtures for tests that need RabbitMQ or PostgreSQL: the real ones, never skipped.

Servers that somebody names in A6HUB_TEST_DATABASE_URL, A6HUB_TEST_AMQP_URL and
A6HUB_TEST_RABBITMQ_ADMIN_URL are used as they are; otherwise private instances are started, once
per session. Tests share them, so each takes its own database (`database_url`) and names of its own
in the broker. The shared fake adapters are elsewhere: they ship in `runtime`.
"""

import os
import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.services import (
    Postgres,
    PrivatePostgres,
    PrivateRabbitMQ,
    RabbitMQ,
    service_folder,
    start_postgres,
    start_rabbitmq,
)

_ran: Counter[str] = Counter()
"""How many tests of this session ran on which server."""


@pytest.fixture(scope="session")
def services_folder() -> Iterator[Path]:
    with service_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres(services_folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL server that is shared by the session."""
    given = os.environ.get("A6HUB_TEST_DATABASE_URL")
    if given:
        yield Postgres(given)
        return
    server = start_postgres(services_folder / "postgres")
    yield server
    server.stop(kill=True)


@pytest.fixture(scope="session")
def rabbitmq(services_folder: Path) -> Iterator[RabbitMQ]:
    """A RabbitMQ server that is shared by the session."""
    amqp = os.environ.get("A6HUB_TEST_AMQP_URL")
    admin = os.environ.get("A6HUB_TEST_RABBITMQ_ADMIN_URL")
    if amqp and admin:
        yield RabbitMQ(amqp, admin)
        return
    if amqp or admin:
        pytest.fail("set A6HUB_TEST_AMQP_URL and A6HUB_TEST_RABBITMQ_ADMIN_URL both, or neither")
    server = start_rabbitmq(services_folder / "rabbitmq")
    yield server
    # The folder goes with it, and a clean stop takes the management plugin five seconds.
    server.stop(kill=True)


@pytest.fixture(scope="session")
def restartable_postgres(services_folder: Path, postgres: Postgres) -> Iterator[PrivatePostgres]:
    """A PostgreSQL server that a test may stop and restart: never one that somebody named."""
    if isinstance(postgres, PrivatePostgres):
        yield postgres
        return
    server = start_postgres(services_folder / "restartable-postgres")
    yield server
    server.stop(kill=True)


@pytest.fixture(scope="session")
def restartable_rabbitmq(services_folder: Path, rabbitmq: RabbitMQ) -> Iterator[PrivateRabbitMQ]:
    """A RabbitMQ server that a test may stop and restart: never one that somebody named."""
    if isinstance(rabbitmq, PrivateRabbitMQ):
        yield rabbitmq
        return
    server = start_rabbitmq(services_folder / "restartable-rabbitmq")
    yield server
    server.stop(kill=True)


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """The URL of an empty database that is this test's alone."""
    name = f"a6hub_{secrets.token_hex(6)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


def count_services(item: pytest.Item) -> None:
    """Notes on which servers a test that is about to run will run."""
    names: list[str] = getattr(item, "fixturenames", [])
    _ran.update({"rabbitmq", "postgres"}.intersection(names))


def services_summary() -> str:
    return (
        f"real services: {_ran['rabbitmq']} tests ran on RabbitMQ, {_ran['postgres']} on PostgreSQL"
    )
