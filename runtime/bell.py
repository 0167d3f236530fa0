# SPDX-License-Identifier: Apache-2.0
"""The bell at the desk: PostgreSQL tells a node that a command was put there (LISTEN and NOTIFY).

Without it a node finds a command with its next tick, as it does on SQLite, which tells nobody. So
nothing depends on the bell: it listens on a connection of its own, and one that is lost is opened
again after a while.

Elsewhere: who rings (the trigger of migration r0004), what is done then (`node`, `desk`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from runtime import events
from runtime.database import database_url

__all__ = ["CHANNEL", "desk_bell"]

CHANNEL = "a6hub_desk"
AGAIN_SECONDS = 5.0


@asynccontextmanager
async def desk_bell(
    url: str, ring: Callable[[], None], *, again_seconds: float = AGAIN_SECONDS
) -> AsyncIterator[None]:
    """Have `ring` called whenever a command comes to the desk of a database that can tell, and once
    for whatever came before it could. A lost connection is opened again after `again_seconds`.
    """
    if database_url(url).drivername == "sqlite":
        yield
        return
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": 10})
    listening = asyncio.create_task(_listen(engine, ring, again_seconds))
    try:
        yield
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await engine.dispose()


async def _listen(engine: AsyncEngine, ring: Callable[[], None], again_seconds: float) -> None:
    heard = True
    while True:
        try:
            await _until_lost(engine, ring)
            heard = True
        except Exception as error:  # noqa: BLE001 - whatever it is, ticks find commands as well
            if heard:  # once, and not again for each attempt
                structlog.get_logger().warning(events.BELL_LOST, error=str(error))
            heard = False
        await asyncio.sleep(again_seconds)


async def _until_lost(engine: AsyncEngine, ring: Callable[[], None]) -> None:
    lost = asyncio.Event()
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        driver.add_termination_listener(lambda _: lost.set())
        await driver.add_listener(CHANNEL, lambda *_: ring())
        ring()
        await lost.wait()
        await connection.invalidate()
