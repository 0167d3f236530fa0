# SPDX-License-Identifier: Apache-2.0
"""What both databases refuse by themselves, behind the checks: records that change, and accounts of
entities that nobody identified or that become another's.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from runtime.schema import migrate
from runtime.store import Store, open_store

RECORD = "insert into identifications values ('UN01/MMR', '{}', {}, {}, {}, 'olga', 7, 'then')"
ACCOUNT = (
    "insert into accounts (number, actor, kind, name, state, opened_at, entity) "
    "values ('{}', 'UN01/MMR', '{}', '', 'open', 'then', {}) "
    "on conflict (number) do update set state = excluded.state, entity = excluded.entity"
)
KNOWN = RECORD.format("Developer", 1, "'{}'", "null")


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    if request.param == "postgresql":
        request.node.fixturenames.append("postgres")
        url = request.getfixturevalue("database_url")
    await migrate(url, ["runtime", "registry"])
    await migrate(url, ["runtime", "registry"])
    opened = open_store(url)
    yield opened
    await opened.close()


async def run(store: Store, *statements: str) -> None:
    for statement in statements:
        async with store.transaction() as session:
            await session.execute(text(statement))


REFUSED = {
    "an entity that nobody identified": ACCOUNT.format("N-1", "holding", "'Airline'"),
    "an entity that is identified with others": ACCOUNT.format(
        "N-1", "holding", "'Developer'"
    ).replace("UN01/MMR", "UN01/KOR"),
    "an account of another kind": ACCOUNT.format("N-1", "cancellation", "'Developer'"),
    "an account that becomes the Party's": ACCOUNT.format("A-1", "holding", "null"),
    "an account that becomes an entity's": ACCOUNT.format("A-2", "holding", "'Developer'"),
    "an account that becomes another Party's": "update accounts set actor = 'UN01/KOR'",
    "a record that is edited": "update identifications set identity = '{1}'",
    "a record that is deleted": "delete from identifications",
    "a record of the same number": KNOWN,
    "a record that is neither": RECORD.format("Developer", 2, "null", "null"),
    "a record that is both": RECORD.format("Developer", 2, "'{}'", "'{}'"),
    "a record before the first": RECORD.format("Developer", 0, "'{}'", "null"),
}


@pytest.mark.requirement(24)
@pytest.mark.parametrize("name", REFUSED)
async def test_the_database_refuses(store: Store, name: str) -> None:
    mine, partys = (
        ACCOUNT.format("A-1", "holding", "'Developer'"),
        ACCOUNT.format("A-2", "holding", "null"),
    )
    await run(store, KNOWN, mine, partys)
    with pytest.raises(IntegrityError):
        await run(store, REFUSED[name])


async def test_what_is_right_is_taken(store: Store) -> None:
    mine = ACCOUNT.format("A-1", "holding", "'Developer'")
    ended = RECORD.format("Developer", 2, "null", "'{}'")
    await run(store, KNOWN, mine, ended, mine, "update accounts set state = 'closed'")
