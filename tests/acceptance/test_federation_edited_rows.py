# SPDX-License-Identifier: Apache-2.0
"""Rows edited behind a running node's back are named to the serial, within two statements.

On SQLite here, each edit by itself; on PostgreSQL in `test_edited_rows_postgres.py`.
"""

import pytest

from runtime import events
from schemas.identifiers import Participant
from tests.cast import CHE, GHA, I, first_transfer, use
from tests.edits import EDITS, named, plant
from tests.federation import Federation, Settings

QUICK = pytest.mark.parametrize("settings", [Settings(heartbeat_seconds=5.0)])


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
