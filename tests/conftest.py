# SPDX-License-Identifier: Apache-2.0
"""What every test may ask for, and the line at the end that says which ran on real services.

Fixtures of one folder alone stand in a conftest.py of that folder.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.claims import hold_claims, pytest_runtest_makereport
from tests.services import (
    count_services,
    database_url,
    postgres,
    rabbitmq,
    restartable_postgres,
    restartable_rabbitmq,
    services_folder,
    services_summary,
)
from tests.simulation.background import start_campaign

__all__ = [
    "database_url",
    "postgres",
    "pytest_runtest_makereport",
    "rabbitmq",
    "restartable_postgres",
    "restartable_rabbitmq",
    "services_folder",
]


MEMORY = Path("/dev/shm")
ROOM_BYTES = 2 * 1024**3
"""What the tests' own files may need at a time, with room to spare."""


def pytest_configure(config: pytest.Config) -> None:
    """Have the tests' own files in memory, where there is such a disk and nobody says otherwise:
    what is tested of SQLite is not the disk. PostgreSQL and RabbitMQ have theirs on the disk.
    """
    usable = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    if usable and config.option.basetemp is None:
        config.option.basetemp = MEMORY / f"a6hub-tests-{os.getpid()}"


def pytest_unconfigure(config: pytest.Config) -> None:
    chosen = config.option.basetemp
    if chosen is not None and Path(chosen).parent == MEMORY:
        shutil.rmtree(chosen, ignore_errors=True)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A test that leaves the process's logging changed fails itself, and no other after it."""
    before = structlog.get_config()
    yield
    after = structlog.get_config()
    structlog.configure(**before)
    assert after == before


def pytest_collection_finish(session: pytest.Session) -> None:
    hold_claims(session)
    start_campaign(session)


def pytest_runtest_call(item: pytest.Item) -> None:
    # After set-up, so that only a test which got its servers is counted.
    count_services(item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(services_summary())
