# SPDX-License-Identifier: Apache-2.0
"""A federation for each test that asks for one, and time that costs nothing where it may.

The federation is established once: admitted, connected, with units issued and moved. Each test goes
on from a copy of its databases, and is audited at its end.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from harness.services import Postgres
from harness.simulation.virtual_time import START, LoopClock, VirtualLoop
from runtime.clock import SystemClock
from schemas.identifiers import Participant
from tests.cast import ACTORS
from tests.federation import Federation, Settings, copy_databases


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Modules named `test_federation…` run in virtual time."""
    virtual = item.path.name.startswith("test_federation")
    return {"virtual": VirtualLoop} if virtual else {"real": asyncio.new_event_loop}


class Established(NamedTuple):
    """Databases of a federation at rest, and the time at which it rested."""

    folder: Path
    seconds: float


@pytest.fixture(scope="session")
def established(tmp_path_factory: pytest.TempPathFactory) -> Established:
    folder = tmp_path_factory.mktemp("established")

    async def work() -> float:
        with capture_logs() as logs:
            federation = Federation(folder, logs)
            await federation.make_databases()
            await federation.start()
            await federation.establish()
            await federation.audit()
            await federation.close()
        return asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return Established(folder, runner.run(work()))


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as found:
        yield found


@pytest.fixture
def settings() -> Settings:
    """The pace; a test that wants another one parametrizes this."""
    return Settings()


@pytest.fixture
async def federation(
    established: Established, tmp_path: Path, logs: list[EventDict], settings: Settings
) -> AsyncIterator[Federation]:
    """Everybody established and running, and audited at the end."""
    copy_databases(established.folder, tmp_path)
    clock = LoopClock(START + timedelta(seconds=established.seconds + 3600))
    one = Federation(tmp_path, logs, clock, settings)
    await one.start()
    await one.greeted()
    yield one
    await one.audit()
    await one.close()


@pytest.fixture
async def on_postgres(
    postgres: Postgres, tmp_path: Path, logs: list[EventDict]
) -> AsyncIterator[Federation]:
    """Everybody established and running on a database of its own at one server."""
    stem = secrets.token_hex(4)
    names = {p: f"a6hub_{stem}_{p.lower()}" for p in ACTORS if p != "ROG01"}
    urls = {Participant(p): postgres.create_database(name) for p, name in names.items()}
    one = Federation(
        tmp_path,
        logs,
        SystemClock(),
        Settings(
            checkpoint_seconds=0.2, heartbeat_seconds=2.0, tick_seconds=0.05, scrub_seconds=8.0
        ),
        urls,
    )
    await one.make_databases()
    await one.start()
    await one.establish()
    yield one
    await one.audit()
    await one.close()
    for name in names.values():
        postgres.drop_database(name)
