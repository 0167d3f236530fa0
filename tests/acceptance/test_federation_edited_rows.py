# SPDX-License-Identifier: Apache-2.0
"""Rows edited behind a running node's back are named to the serial, within two statements; past the
database's triggers, within a period of the scrub.

On SQLite here, each edit by itself; on PostgreSQL in `test_edited_rows_postgres.py`.
"""

import asyncio
import json

import pytest
from sqlalchemy import text

from runtime import events
from runtime.books import SHARES
from schemas.identifiers import Participant
from tests.cast import CHE, GHA, I, first_transfer, use
from tests.edits import EDITS, Edit, named, plant
from tests.federation import Federation, Settings

QUICK = pytest.mark.parametrize("settings", [Settings(heartbeat_seconds=5.0)])


@pytest.mark.requirement(122, case="a row of another actor's units is added")
@pytest.mark.requirement(27, 39)
@pytest.mark.requirement(41, case="one unit too many")
@QUICK
@pytest.mark.parametrize("name", EDITS)
async def test_an_edit_is_named_within_two_statements(federation: Federation, name: str) -> None:
    edit = EDITS[name]
    await federation.settled()
    federation.logs.clear()
    await plant(federation, edit)

    async def all_named() -> bool | None:
        return True if await named(federation) else None

    await federation.wait(all_named, "a case")
    assert await named(federation) == {("CHE01/CHE", *case) for case in edit.cases}
    found = federation.logs.index(federation.logged(events.DISCREPANCY_FOUND)[0])
    said = federation.logged(events.STATEMENT_MADE, participant="CHE01")
    assert len([one for one in said if federation.logs.index(one) < found]) <= 2

    async def frozen() -> bool | None:
        sql = "select first, last from overlays where kind = 'frozen'"
        rows = await federation.rows("CHE01", sql)
        return True if {tuple(r) for r in rows} == {c[1:3] for c in edit.cases} else None

    await federation.wait(frozen, "the freeze at the registry")
    assert not federation.tasks[Participant("CHE01")].done()
    assert await federation.transact(GHA, first_transfer(201, 300, 201)) == "completed"


PERIOD_SECONDS = 160
SCRUBBED = pytest.mark.parametrize(
    "settings", [Settings(heartbeat_seconds=5.0, scrub_seconds=PERIOD_SECONDS)]
)


async def plant_past_the_triggers(federation: Federation, edit: Edit) -> None:
    """As somebody would who can change the database's schema, and takes care to put it back."""
    sql = "select name, sql from sqlite_master where type = 'trigger' and tbl_name = 'blocks'"
    triggers = await federation.rows("CHE01", sql)
    assert len(triggers) == 8
    async with federation.store(Participant("CHE01")).transaction() as session:
        for trigger in triggers:
            await session.execute(text(f"drop trigger {trigger.name}"))
    await plant(federation, edit)
    async with federation.store(Participant("CHE01")).transaction() as session:
        for trigger in triggers:
            await session.execute(text(trigger.sql))
    assert await federation.rows("CHE01", "select 1 from dirty where actor = 'CHE01/CHE'") == []


@pytest.mark.requirement(41)
@SCRUBBED
@pytest.mark.parametrize("name", ["the last serial is raised", "the row is deleted"])
async def test_an_edit_past_the_triggers_is_named_within_one_period_of_the_scrub(
    federation: Federation, name: str
) -> None:
    edit = EDITS[name]
    await federation.settled()
    await plant_past_the_triggers(federation, edit)
    begun = asyncio.get_running_loop().time()

    async def all_named() -> bool | None:
        return True if await named(federation) else None

    await federation.wait(all_named, "a case", PERIOD_SECONDS + 15)
    assert await named(federation) == {("CHE01/CHE", *case) for case in edit.cases}
    assert federation.logged(events.SCRUB_DIFFERED, participant="CHE01", actor=CHE)
    assert asyncio.get_running_loop().time() - begun > 1, "the triggers have not named it"


@SCRUBBED
async def test_the_scrub_goes_on_where_it_was_after_every_start(federation: Federation) -> None:
    """Stopped again and again before it is round once, it gets round."""
    await federation.settled()
    await plant_past_the_triggers(federation, EDITS["the last serial is raised"])
    swiss, pause = Participant("CHE01"), PERIOD_SECONDS / SHARES
    sql = "select value from marks where name = 'scrubbed'"
    before = (await federation.rows("CHE01", sql))[0].value
    for _ in range(SHARES // 2):
        await asyncio.sleep(2 * pause)
        await federation.stop(swiss)
        await federation.start(swiss)
        await federation.greeted()
    after = (await federation.rows("CHE01", sql))[0].value
    assert after - before in {SHARES - 1, SHARES, SHARES + 1}
    assert len(federation.logged(events.SCRUB_DIFFERED, participant="CHE01")) == 1


@QUICK
async def test_two_operators_resolve_a_case_each_with_a_command_of_their_own(
    federation: Federation,
) -> None:
    await plant(federation, EDITS["the last serial is raised"])

    async def case() -> str | None:
        rows = await federation.rows("REC", "select id from cases")
        return rows[0].id if rows else None

    about = await federation.wait(case, "a case")
    assert "is otto's" in await federation.order("REC", "assign", case=about, owner="otto")
    told = [
        await federation.command("REC", "resolve", by=by, case=about, text="put back")
        for by in ("olga", "olga", "otto")
    ]
    assert [done for done, _ in told] == [True, False, True]
    assert told[-1][1] == f"{about} resolved by olga and otto"
    signed = await federation.rows(
        "REC",
        "select d.command, d.signature from case_notes n join desk d on d.id = n.command "
        "where n.kind = 'resolution' order by n.number",
    )
    assert [json.loads(row.command)["operator"] for row in signed] == ["olga", "otto"]
    assert len({row.signature for row in signed}) == 2
    assert (await federation.rows("REC", "select state from cases"))[0].state == "open"


@pytest.mark.requirement(112)
@QUICK
async def test_a_mended_row_closes_its_case_and_lifts_the_freeze(federation: Federation) -> None:
    edit = EDITS["the last serial is raised"]
    await plant(federation, edit)

    async def state() -> str | None:
        rows = await federation.rows("REC", "select state from cases")
        return rows[0].state if rows else None

    assert await federation.wait(state, "a case") == "open"
    await federation.edit("CHE01", "update blocks set last = 100 where last = 144")

    async def closed() -> bool | None:
        frozen = await federation.rows("CHE01", "select 1 from overlays where kind = 'frozen'")
        return True if await state() == "closed" and not frozen else None

    await federation.wait(closed, "the end of the case")
    federation.diverged.clear()
    assert await federation.transact(CHE, use(I, 91, 100, CHE)) == "completed"
