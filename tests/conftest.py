# SPDX-License-Identifier: Apache-2.0
"""What every test may ask for, and the line at the end that says which ran on real services.

Fixtures of one folder alone stand in a conftest.py of that folder.
"""

import pytest

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
    "rabbitmq",
    "restartable_postgres",
    "restartable_rabbitmq",
    "services_folder",
]


def pytest_collection_finish(session: pytest.Session) -> None:
    start_campaign(session)


def pytest_runtest_call(item: pytest.Item) -> None:
    # After set-up, so that only a test which got its servers is counted.
    count_services(item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(services_summary())
