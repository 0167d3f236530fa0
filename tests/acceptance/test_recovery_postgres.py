# SPDX-License-Identifier: Apache-2.0
"""A hub on PostgreSQL whose database was set back is given back the tail of its log.

The same federation as on SQLite, in real time.
"""

import asyncio
import secrets
from urllib.parse import urlsplit

from harness.services import Postgres
from hub.guard import Refusal
from runtime import events
from tests.acceptance.test_federation_recovery import (
    goes_on,
    hub_rows,
    lively,
    recovered,
    told_to_recover,
)
from tests.cast import HUB, ROG
from tests.federation import Federation
from tests.keeping import Keeper


async def test_on_postgresql_a_hub_that_was_set_back_gets_its_tail_and_goes_on(
    on_postgres: Federation, postgres: Postgres
) -> None:
    federation, name = on_postgres, urlsplit(on_postgres.urls[HUB]).path[1:]
    older = f"a6hub_{secrets.token_hex(4)}_older"
    keeper = Keeper(federation, ROG)
    keeping = asyncio.create_task(keeper.keep())
    await keeper.keeping.wait()
    await federation.settled()
    await stopped(federation)
    postgres.copy_database(name, older)
    await federation.start(HUB)
    await lively(federation)
    await stopped(federation)
    expected = await hub_rows(federation.urls[HUB])

    postgres.drop_database(name)
    postgres.copy_database(older, name)
    await federation.start(HUB)
    done = await asyncio.gather(federation.tasks.pop(HUB), return_exceptions=True)
    assert str(done[0]).startswith(f"{Refusal.SHORTER}: ")
    await told_to_recover(federation)
    await federation.start(HUB)
    await recovered(federation)
    await stopped(federation)
    assert await hub_rows(federation.urls[HUB]) == expected
    await federation.start(HUB)
    await goes_on(federation)
    assert len(federation.logged(events.LOG_RECOVERED)) == 1
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await keeper.broker.close()
    postgres.drop_database(older)


async def stopped(federation: Federation) -> None:
    """The hub has stopped, and nobody is connected to its database."""
    await federation.stop(HUB)
    await federation.let_go()
