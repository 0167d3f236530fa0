# SPDX-License-Identifier: Apache-2.0
"""The proof of an alarm from the reconciliation service's database on PostgreSQL, in real time."""

from ledger.convicting import Conviction
from tests.acceptance.test_federation_alarms import (
    Teller,
    a_delivery_is_passed_over,
    an_old_entry_is_another_now,
    proven,
    raised,
)
from tests.federation import Federation


async def test_on_postgresql_alarms_convict_as_well(on_postgres: Federation) -> None:
    hub = await Teller.begin(on_postgres)
    await an_old_entry_is_another_now(hub)
    await a_delivery_is_passed_over(hub)
    assert sorted(await raised(on_postgres)) == ["delivery-misnumbered:GHA01/GHA", "log-fork:5"]
    for name in await raised(on_postgres):
        found = await proven(on_postgres, name)
        assert isinstance(found, Conviction), found
        assert found.proven is not None
    await hub.close()
