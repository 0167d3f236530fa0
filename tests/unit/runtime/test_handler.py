# SPDX-License-Identifier: Apache-2.0
"""The handler alone, on SQLite, with the toy program: batches without node and broker."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from runtime.clock import Ids
from runtime.handler import Done, Handler, Work
from runtime.store import Store, open_store
from tests.cast import CHE, GHA, HUB
from tests.peer import NOON, Peer, authentic
from tests.toy import Toy, empty_keyring, make_database


@dataclass
class Bench:
    """A handler and the toy hub under it."""

    store: Store
    toy: Toy
    handler: Handler

    async def run(self, *envelopes: bytes, **members: Any) -> Done:
        work = Work(sequenced=[authentic(one) for one in envelopes], **members)
        return await self.handler.run(work, NOON, (), frozenset())

    async def counted(self) -> list[str]:
        """The transactions that had an effect, in the order of effects."""
        async with self.store.snapshot() as session:
            rows = await session.execute(text('select "transaction" from toy_counted order by id'))
            return [row[0] for row in rows]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    await make_database(url)
    store, toy = open_store(url), Toy(HUB)
    handler = Handler(toy, store, empty_keyring(HUB), Ids(), {})
    await handler.load()
    yield Bench(store, toy, handler)
    await store.close()


async def test_a_program_knows_of_whom_something_waits_behind_a_gap(bench: Bench) -> None:
    ghana, swiss = Peer(GHA), Peer(CHE)
    missing, early, later_one = ghana.ask(1), ghana.ask(2), ghana.ask(3)
    first = await bench.run(early, swiss.ask(1))
    assert first.batch.early == {GHA}  # what came in this very batch counts
    await bench.handler.load()
    after_a_restart = await bench.run(swiss.ask(2))
    assert after_a_restart.batch.early == {GHA}
    filled = await bench.run(missing)
    assert filled.batch.early == frozenset()
    assert (await bench.run(later_one)).batch.early == frozenset()
    assert bench.toy.early == [{GHA}, {GHA}, frozenset(), frozenset()]
