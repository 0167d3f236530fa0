# SPDX-License-Identifier: Apache-2.0
"""A database for each test, on SQLite and on PostgreSQL, and the hub alone on SQLite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.hub.alone import Alone


@pytest.fixture(params=["sqlite", "postgresql"])
def each_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.db'}"
    url: str = request.getfixturevalue("database_url")
    return url


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Alone]:
    one = await Alone.begin(f"sqlite:///{tmp_path / 'hub.db'}")
    yield one
    await one.store.close()
