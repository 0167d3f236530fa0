# SPDX-License-Identifier: Apache-2.0
"""The bell at the desk: PostgreSQL tells a node that a command was put there (LISTEN and NOTIFY).

Without it a node finds a command with its next tick, as it does on SQLite, which tells nobody. So
nothing depends on the bell: it listens on a connection of its own, and one that is lost is opened
again after a while.

Elsewhere: who rings (the trigger of migration r0004), what is done then (`node`, `desk`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg
from sqlalchemy.engine import URL

from runtime.database import database_url

__all__ = ["CHANNEL", "desk_bell"]

CHANNEL = "a6hub_desk"
AGAIN_SECONDS = 5.0
"""How soon a lost connection is opened again."""


@asynccontextmanager
async def desk_bell(url: str, ring: Callable[[], None]) -> AsyncIterator[None]:
    """Have `ring` called whenever a command comes to the desk of a database, if it can tell."""
    parts = database_url(url)
    if parts.drivername == "sqlite":
        yield
        return
    listening = asyncio.create_task(_listen(parts, ring))
    try:
        yield
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


async def _listen(parts: URL, ring: Callable[[], None]) -> None:
    plain = parts.set(drivername="postgresql").render_as_string(hide_password=False)
    while True:
        lost = asyncio.Event()
        try:
            connection = await asyncpg.connect(plain, timeout=10)
            try:
                connection.add_termination_listener(lambda _: lost.set())  # noqa: B023
                await connection.add_listener(CHANNEL, lambda *_: ring())
                ring()  # for what came before
                await lost.wait()
            finally:
                connection.terminate()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pass  # the store says that it is away; nothing is lost but time
        await asyncio.sleep(AGAIN_SECONDS)
