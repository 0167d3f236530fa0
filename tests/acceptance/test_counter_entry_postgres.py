# SPDX-License-Identifier: Apache-2.0
"""A first transfer taken back on PostgreSQL: rows, what is stopped, and the quantity given back."""

import pytest

from hub import tables
from runtime.stopped import load_stopped
from tests.acceptance.test_federation_counter_entry import TWO, blocks, revoked
from tests.cast import CHE, HUB, KOR, counter_entry
from tests.federation import Federation


@pytest.mark.requirement(88)
async def test_on_postgresql_the_same_goes_back_and_the_rest_stands_still(
    on_postgres: Federation,
) -> None:
    federation = on_postgres
    await revoked(federation)
    for by, first, last in ((CHE, 211, 225), (KOR, 241, 260)):
        back = counter_entry(first, last, by, TWO)
        assert await federation.transact(by, back) == "completed"
    assert [row for row in await blocks(federation, HUB, 201, 260) if row[2] is False] == [
        ("GHA01-GHA-HLD", "itmo 211-225", False),
        ("GHA01-GHA-HLD", "itmo 241-260", False),
        ("GHA01-GHA-LCK", "unde 211-225", False),
        ("GHA01-GHA-LCK", "unde 241-260", False),
    ]
    async with federation.store(HUB).snapshot() as session:
        found = await load_stopped(session, "log", tables.authorizations)
    assert [(block.position.actor, block.first, block.last) for block, _ in found] == [
        ("CHE01/CHE", 226, 240),
        ("GHA01/GHA", 226, 240),
    ]
    (row,) = await federation.rows(HUB, "select used from authorization_use where id = 'GH-9'")
    assert row.used == 25
