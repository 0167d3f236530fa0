# SPDX-License-Identifier: Apache-2.0
"""The bell at the desk, on a real PostgreSQL: it rings for commands, and after a lost connection.

That a node which hears it takes the command is the matter of `test_engine_desk`.
"""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from runtime import events
from runtime.bell import desk_bell
from runtime.schema import migrate
from runtime.store import Store, open_store

PATIENCE_SECONDS = 60.0
COMMAND = "insert into desk (submitted_at, nonce, command, signature) values ('', :nonce, '', '')"
HANG_UP = "select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'"


class Bell:
    """Counts how often it rang."""

    def __init__(self) -> None:
        self.rung = 0
        self._changed = asyncio.Event()

    def ring(self) -> None:
        self.rung += 1
        self._changed.set()

    async def until(self, times: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.rung < times:
                self._changed.clear()
                await self._changed.wait()


async def execute(store: Store, sql: str, **values: str) -> None:
    async with store.transaction() as session:
        await session.execute(text(sql), values)


async def test_it_rings_for_what_was_there_for_each_command_and_after_a_lost_connection(
    database_url: str,
) -> None:
    await migrate(database_url, ["runtime"])
    store, bell = open_store(database_url), Bell()
    async with desk_bell(database_url, bell.ring, again_seconds=0.05):
        await bell.until(1)
        await execute(store, COMMAND, nonce="one")
        await bell.until(2)
        await execute(store, HANG_UP)
        await bell.until(3)
        await execute(store, COMMAND, nonce="two")
        await bell.until(4)
    await execute(store, COMMAND, nonce="three")
    await store.close()
    assert bell.rung == 4


async def test_whatever_goes_wrong_with_it_is_told_of_and_ends_nothing(
    database_url: str,
) -> None:
    """What is called when it rings raises: no fault of the database's."""

    def broken() -> None:
        raise ValueError("no hammer")

    await migrate(database_url, ["runtime"])
    with capture_logs() as logs:
        async with desk_bell(database_url, broken, again_seconds=0.01):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not logs:
                    await asyncio.sleep(0.01)
    assert [(entry["event"], entry["error"]) for entry in logs] == [(events.BELL_LOST, "no hammer")]


WRONG: dict[str, Callable[[str], str]] = {
    "no such database": lambda url: str(url).rpartition("/")[0] + "/nowhere",
    "a wrong password": lambda url: (
        make_url(url).set(password="wrong").render_as_string(hide_password=False)
    ),
}


@pytest.mark.parametrize("name", WRONG, ids=lambda name: name.replace(" ", "-"))
async def test_a_server_that_does_not_let_it_in_is_told_of_once(
    database_url: str, name: str
) -> None:
    bell = Bell()
    with capture_logs() as logs:
        async with desk_bell(WRONG[name](database_url), bell.ring, again_seconds=0.01):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not logs:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)  # some more attempts
    assert [entry["event"] for entry in logs] == [events.BELL_LOST]
    assert bell.rung == 0
