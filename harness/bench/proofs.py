# SPDX-License-Identifier: Apache-2.0
"""What proofs about the log cost, as it grows: time, and rows that are read for one.

One log grows in the hub's own table of nodes, from each size to the next. At each size both kinds
of proof are made at many places, the way the hub makes them: the addresses are known beforehand,
one query loads them, and the proof is folded from what came. PostgreSQL says itself how many rows
it fetched for that. Each proof is then verified.

Leaves are hashes of their positions, and no entries come with them: no proof reads an entry.

Elsewhere: the tree (`ledger.log`), the command (`proofs_cli`), figures as text (`proofs_page`).
"""

import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg
from sqlalchemy import text

from harness.bench.figures import Spread
from harness.bench.verify import RoundFailed
from harness.services import Postgres
from hub.program import Hub
from hub.storage import load_nodes
from ledger import log
from runtime.schema import migrate
from runtime.store import Session, Store, open_store

__all__ = ["KINDS", "PROOFS", "SIZES", "Kind", "Proofs", "measure", "places", "prove"]

SIZES = tuple(10**digits for digits in range(3, 8))
"""Leaves of the logs."""
PROOFS = 200
"""Of each kind on each log, after a first one that finds caches cold and does not count."""
CHUNK = 1 << 16
"""Leaves that are added at a time, so that memory does not grow with the log."""


@dataclass(frozen=True)
class Kind:
    """One of the two kinds of proof, about a *place* in the log of a size: the index of a leaf, or
    the size that the log had before.
    """

    path: Callable[[int, int], tuple[log.Address, ...]]
    proof: Callable[[int, int, log.Nodes], list[bytes]]
    claim_path: Callable[[int], tuple[log.Address, ...]]
    claim: Callable[[int, log.Nodes], bytes]
    """What a proof is about: the leaf, or the root before; and of which nodes that is made."""
    holds: Callable[[bytes, int, int, Sequence[bytes], bytes], bool]
    """Whether a proof shows a claim about a place in the log of a size and root."""
    first: int
    """The least place."""


KINDS = {
    "inclusion": Kind(
        path=log.inclusion_path,
        proof=log.inclusion_proof,
        claim_path=lambda index: ((0, index),),
        claim=lambda index, nodes: nodes[0, index],
        holds=log.verify_inclusion,
        first=0,
    ),
    "consistency": Kind(
        path=log.consistency_path,
        proof=log.consistency_proof,
        claim_path=log.frontier,
        claim=log.root,
        holds=lambda claim, old, new, proof, root: log.verify_consistency(
            old, claim, new, root, proof
        ),
        first=1,
    ),
}


@dataclass(frozen=True)
class Proved:
    """One proof that holds."""

    made_seconds: float
    verified_seconds: float
    rows: int
    """That the database fetched for it."""
    hashes: int
    """That it consists of."""


@dataclass(frozen=True)
class Proofs:
    """All proofs of a kind on one log. Times in microseconds."""

    leaves: int
    kind: str
    proofs: int
    bound: int
    """The most rows that any of them may take."""
    rows: Spread
    hashes: Spread
    made_us: Spread
    verified_us: Spread

    def asdict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def places(kind: str, leaves: int) -> list[int]:
    """Where proofs are made: at both ends, in the middle, and at places that are drawn, the same
    ones in each run.
    """
    first = KINDS[kind].first
    drawn = random.Random(f"{leaves}/{kind}")
    at = [first, first + 1, leaves // 2, leaves - 2, leaves - 1]
    return at + [drawn.randrange(first, leaves) for _ in range(PROOFS - len(at))]


async def measure(
    postgres: Postgres, sizes: Sequence[int], say: Callable[[str], None]
) -> list[Proofs]:
    """Both kinds on logs of these sizes, the shortest first; `say` is told what begins."""
    found: list[Proofs] = []
    async with _log(postgres) as database:
        size, nodes = 0, dict[log.Address, bytes]()
        for leaves in sizes:
            say(f"a log of {leaves:,} leaves")
            nodes = await _lengthen(database, size, nodes, leaves)
            size, root = leaves, log.root(leaves, nodes)
            store = open_store(database)
            try:
                found += [await _proofs(store, kind, size, root) for kind in KINDS]
            finally:
                await store.close()
    return found


@asynccontextmanager
async def _log(postgres: Postgres) -> AsyncIterator[str]:
    """A database of the hub's in which there is nothing yet."""
    name = "proofs"
    database = postgres.create_database(name)
    try:
        await migrate(database, Hub.packages)
        yield database
    finally:
        postgres.drop_database(name)


async def _lengthen(
    database: str, size: int, nodes: dict[log.Address, bytes], leaves: int
) -> dict[log.Address, bytes]:
    """Add leaves to a log of which the frontier is given, and give the frontier afterwards."""
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    try:
        while size < leaves:
            until = min(size + CHUNK, leaves)
            added = [log.leaf_hash(b"%d" % position) for position in range(size, until)]
            made = log.append(size, nodes, added)
            await connection.copy_records_to_table(
                "log_nodes",
                columns=("level", "node", "hash"),
                records=((level, node, value) for (level, node), value in made.items()),
            )
            nodes = {at: made[at] if at in made else nodes[at] for at in log.frontier(until)}
            size = until
        await connection.execute("vacuum analyze log_nodes")
    finally:
        await connection.close()
    return nodes


async def _proofs(store: Store, kind: str, leaves: int, root: bytes) -> Proofs:
    """Proofs of one kind at all places."""
    at = places(kind, leaves)
    async with store.snapshot() as session:
        await prove(session, KINDS[kind], at[0], leaves, root)
        proved = [await prove(session, KINDS[kind], place, leaves, root) for place in at]
    return Proofs(
        leaves=leaves,
        kind=kind,
        proofs=len(proved),
        bound=_rows_most(leaves),
        rows=Spread.of(one.rows for one in proved),
        hashes=Spread.of(one.hashes for one in proved),
        made_us=Spread.of(1e6 * one.made_seconds for one in proved),
        verified_us=Spread.of(1e6 * one.verified_seconds for one in proved),
    )


async def prove(session: Session, kind: Kind, place: int, leaves: int, root: bytes) -> Proved:
    """Make one proof and verify it; `RoundFailed` if it does not hold, or if more was read for it
    than it needs.
    """
    before = await _fetched(session)
    begun = time.perf_counter()
    needed = kind.path(place, leaves)
    nodes = await load_nodes(session, None, needed)
    proof = kind.proof(place, leaves, nodes)
    made = time.perf_counter() - begun
    rows = await _fetched(session) - before
    if rows != len(needed):
        raise RoundFailed(f"{rows} rows were read for a proof that needs {len(needed)}")
    claim = kind.claim(place, await load_nodes(session, None, kind.claim_path(place)))
    begun = time.perf_counter()
    holds = kind.holds(claim, place, leaves, proof, root)
    verified = time.perf_counter() - begun
    if not holds:
        raise RoundFailed(f"a proof at {place} in a log of {leaves} leaves does not hold")
    return Proved(made, verified, rows, len(proof))


def _rows_most(leaves: int) -> int:
    """The most rows that a proof in a log of so many leaves may take: two for each level."""
    return 2 * (leaves - 1).bit_length()


async def _fetched(session: Session) -> int:
    """Rows of the log's nodes that this transaction has had to look at until now."""
    return int((await session.execute(_FETCHED)).scalar_one())


_FETCHED = text(
    "select seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables "
    "where relname = 'log_nodes'"
)
