# SPDX-License-Identifier: Apache-2.0
"""The bytes of a descent: at most four kilobytes of bodies for each difference, and four more.

They depend on the rows alone, so that ledgers of some ten thousand blocks tell them exactly.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copy

import pytest
from sqlalchemy import text

from harness.bench.descents import descend
from ledger.blocks import Block
from ledger.tree import slot
from runtime.books import holdings_root
from runtime.many import add
from runtime.rows import block_row
from runtime.schema import migrate
from runtime.store import Store, open_store
from runtime.tables import blocks, keys
from schemas.units import Key
from tests.unit.reconciliation.world import GHANA, KEY, PLAIN, START, holding

BYTES_EACH = 4096
BLOCKS = 10_000
DIFFERENCES = (1, 10, 100)
KEYS = [KEY.model_copy(update={"vintage": 2021 + n}) for n in range(20)]

# Keys, units of a block, and how far apart blocks begin.
SHAPES: dict[str, tuple[list[Key], int, int]] = {
    "dense": ([KEY], 10, 20),
    "each block in a bucket of its own": ([KEY], 10, 1_000),
    "blocks of many buckets": ([KEY], 700_000, 1_000_000),
    "many keys": (KEYS, 10, 20),
    "blocks of one unit": ([KEY], 1, 2),
}
EDITS = {
    "a unit less": "update blocks set last = last - 1 where {}",
    "deleted": "delete from blocks where {}",
}


@asynccontextmanager
async def ledger(file: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{file}"
    await migrate(url, ["runtime", "registry"])
    store = open_store(url)
    yield store
    await store.close()


async def fill(store: Store, shape: str) -> None:
    names, units, every = SHAPES[shape]
    each = BLOCKS // len(names)
    rows = [{"key": k.text, "series": k.series, "slot": slot(k.text)} for k in names]
    held = [
        block_row("registry", Block(k, first, first + units - 1, PLAIN, holding(GHANA)))
        for k in names
        for first in range(1, 1 + every * each, every)
    ]
    async with store.transaction() as session:
        await add(session, keys, rows)
        await add(session, blocks, held)
        await holdings_root(session, GHANA)


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_descent_takes_four_kilobytes_a_difference_and_four_more(
    tmp_path: Path, shape: str
) -> None:
    async with ledger(tmp_path / "filled.db") as filled:
        await fill(filled, shape)
    copy(tmp_path / "filled.db", tmp_path / "ours.db")
    async with ledger(tmp_path / "ours.db") as ours:
        for edit, statement in EDITS.items():
            if shape == "blocks of one unit" and edit == "a unit less":
                continue  # would be a row of no units, which the database refuses
            copy(tmp_path / "filled.db", tmp_path / f"{edit}.db")
            async with ledger(tmp_path / f"{edit}.db") as theirs:
                for number in DIFFERENCES:
                    where = f"rowid % {BLOCKS // number} = 1"
                    async with theirs.transaction() as session:
                        await session.execute(text(statement.format(where)))
                    done = await descend(theirs, ours, GHANA, START)
                    assert done.found == number
                    assert done.size <= BYTES_EACH * (number + 1), (shape, edit, number, done.size)
