# SPDX-License-Identifier: Apache-2.0
"""The engine on a PostgreSQL whose wire is cut: what only a real connection can show.

Elsewhere: stores that fail on purpose, of both kinds (`test_engine_commits`).
"""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.engine import make_url

from runtime import events
from tests.cast import GHA, HUB
from tests.engine import Engine
from tests.wire import Wire


@pytest.fixture
async def wire(engine: Engine) -> AsyncIterator[Wire]:
    """The wire to the database server that the engine's nodes go through."""
    there = make_url(engine.urls[HUB])
    wire = Wire(there.host or "", there.port or 5432)
    port = await wire.lay()
    through = there.set(host="127.0.0.1", port=port)
    engine.through = {HUB: through.render_as_string(hide_password=False)}
    yield wire
    await wire.close()


only_postgres = pytest.mark.parametrize(
    ("toy_urls", "site"), [("postgresql", "memory")], indirect=True
)


@only_postgres
async def test_a_lost_connection_to_the_database_is_waited_for(engine: Engine, wire: Wire) -> None:
    await engine.start()
    ghana = await engine.hand(GHA)
    await ghana.send(ghana.ask(1))
    await engine.counts(1)
    wire.cut()
    await ghana.send(ghana.ask(2), ghana.ask(3))
    await engine.logged(events.STORE_UNAVAILABLE, 3)
    await engine.counts(1)
    wire.mend()
    await engine.counts(1, 2, 3)
    assert engine.toys[HUB].counts == {GHA: 3}


@only_postgres
async def test_a_node_that_lost_its_database_can_be_stopped(engine: Engine, wire: Wire) -> None:
    await engine.start()
    ghana = await engine.hand(GHA)
    await ghana.send(ghana.ask(1))
    await engine.counts(1)
    wire.cut()
    await engine.logged(events.STORE_UNAVAILABLE)
    await engine.stop()
    assert engine.so_far(events.NODE_STOPPED, halted=None)
    wire.mend()
    await engine.start()
    await ghana.send(ghana.ask(2))
    await engine.counts(1, 2)
