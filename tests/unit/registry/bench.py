# SPDX-License-Identifier: Apache-2.0
"""A registry without a node: items are loaded, decided and written as a node would have them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from harness.simulation.virtual_time import START
from registry.program import Registry
from registry.state import RegistryFacts
from registry.tables import acts
from runtime.clock import Ids
from runtime.many import add
from runtime.program import Batch, Item
from runtime.schema import migrate
from runtime.store import Store, open_store
from schemas.directory import SignedAct
from schemas.findings import Finding
from schemas.identifiers import Instant

__all__ = ["NOON", "Bench", "bench_of"]

NOON = Instant.of(START)


@dataclass
class Bench:
    """A registry and its database."""

    store: Store
    registry: Registry

    async def load(self, *items: Item) -> RegistryFacts:
        async with self.store.transaction() as session:
            return await self.registry.load(session, items, Batch(NOON, Ids()))

    async def run(self, *items: Item) -> list[list[Finding]]:
        batch = Batch(NOON, Ids())
        async with self.store.transaction() as session:
            facts = await self.registry.load(session, items, batch)
            found = [self.registry.decide(facts, item, batch) for item in items]
            await self.registry.finish(session, facts, batch)
        self.registry.committed(facts)
        return found


@asynccontextmanager
async def bench_of(registry: Registry, url: str, *known: SignedAct) -> AsyncIterator[Bench]:
    """A registry on a new database, to which these acts of the directory were delivered."""
    await migrate(url, registry.packages)
    bench = Bench(open_store(url), registry)
    rows = [
        {"position": place, "act": one.act, "signatures": json.dumps(one.signatures)}
        for place, one in enumerate(known, start=1)
    ]
    async with bench.store.transaction() as session:
        await add(session, acts, rows)
        await registry.start(session)
    yield bench
    await bench.store.close()
