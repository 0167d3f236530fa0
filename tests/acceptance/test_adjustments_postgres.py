# SPDX-License-Identifier: Apache-2.0
"""Corresponding adjustments out of databases on PostgreSQL: counted, closed, and late."""

from registry.tallying import load_closed
from runtime import events
from schemas.identifiers import PartyCode
from tests.acceptance.test_federation_adjustments import (
    GHANA,
    PERIODS,
    SECTIONS,
    close,
    figures,
    units,
)
from tests.cast import CHE, GHA, KOR, I, first_transfer, transfer, use
from tests.federation import Federation


async def test_on_postgresql_the_same_is_counted_and_stays_closed(on_postgres: Federation) -> None:
    federation = on_postgres
    federation.settings.ndc_periods = PERIODS
    await federation.stop(GHANA)
    await federation.start(GHANA)
    await federation.greeted()
    assert await federation.transact(CHE, transfer(I, 1, 50, CHE, KOR)) == "completed"
    assert await federation.transact(KOR, use(I, 1, 30, KOR)) == "completed"
    assert await units(federation, SECTIONS, "KOR", 2025) == [("t CO2 eq", 0, 30, -30)]
    assert await close(federation, 2022) == (True, "GHA 2022 closed")
    assert await close(federation, 2023) == (True, "GHA 2023 closed")
    closed = await figures(federation, GHANA, "GHA", 2023)
    assert closed.accounts[0].first_transferred == 100
    assert await federation.transact(GHA, first_transfer(101, 140, 101)) == "completed"
    assert await figures(federation, GHANA, "GHA", 2023) == closed
    assert len(federation.logged(events.CLOSED_YEAR_CONTRADICTED, year=2023)) == 1
    await federation.stop(GHANA)
    await federation.start(GHANA)
    await federation.greeted()
    assert "is closed since" in (await close(federation, 2023))[1]
    async with federation.store(GHANA).snapshot() as session:
        assert set((await load_closed(session))[PartyCode("GHA")]) == {2022, 2023}
