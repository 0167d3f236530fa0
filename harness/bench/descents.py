# SPDX-License-Identifier: Apache-2.0
"""What it costs to find the exact serials that differ between an actor's rows and our replica.

Two databases hold equal rows, blocks with gaps between them so that none cancels another's points.
Some of the actor's rows are then edited, and the descent goes its way with the programs' own code
(`descend`): each inquiry is written, read and answered in a transaction over there, its answer
written, read and compared in one over here. Nothing travels: what counts are the bytes of the
bodies and the time of the work. Beside it stands the way of the Kyoto registries: all blocks are
sent, and compared.

Elsewhere: a descent in the running programs (`reconciliation`), how it is measured (`growth`).
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness.bench.verify import RoundFailed
from harness.services import PrivatePostgres
from ledger import note
from ledger.blocks import Block
from ledger.growth import Growth
from reconciliation import drill as drills
from reconciliation.descent import Broken, Named
from reconciliation.drill import Drill
from reconciliation.ours import compare
from registry.answers import answer_to
from runtime.books import holdings_root, mark_everything_dirty
from runtime.clock import SystemClock
from runtime.rows import block_row
from runtime.schema import migrate
from runtime.store import Store, open_store
from schemas import jws
from schemas.identifiers import HUB, REC, Actor, Digest, Instant, account_number
from schemas.messages import Answer, Delivered, Inquiry, LastSent, Statement
from schemas.units import Attributes, Key, Position

__all__ = ["Compared", "Pair", "descend", "pair"]

ACTOR = Actor("CHE01/CHE")
ACCOUNT = account_number(ACTOR, "HLD", 1)
KEY = Key.parse("itmo:CA0007-GHA01-GHA-2023")
BLOCK, EVERY = 10, 20
"""Units of a block, and how far apart blocks begin."""


@dataclass(frozen=True)
class Compared:
    """One comparison: the bytes of all that was said, and how many ranges were found to differ."""

    seconds: float
    size: int
    found: int
    questions: int = 0


async def descend(theirs: Store, ours: Store, actor: Actor, now: Instant) -> Compared:
    """From the statement of a root over there to the exact ranges; `RoundFailed` if it comes to
    nothing.
    """
    begun = time.perf_counter()
    stated, expected = await _root(theirs, actor), await _root(ours, actor)
    size, questions = len(_statement(actor, stated).model_dump_json()), 0
    if stated == expected:
        return Compared(time.perf_counter() - begun, size, 0)
    drill: Drill | Named | Broken = drills.begin(actor, stated, expected, (), now)
    while isinstance(drill, Drill):
        asked = drills.inquiry(drill).model_dump_json()
        async with theirs.transaction() as session:
            inquiry = Inquiry.model_validate_json(asked)
            said = (await answer_to(session, inquiry, Growth())).model_dump_json()
        async with ours.transaction() as session:
            answer = Answer.model_validate_json(said)
            root = Digest((await holdings_root(session, actor)).hex())
            drill = await compare(session, drill, answer, stated, root)
        size, questions = size + len(asked.encode()) + len(said.encode()), questions + 1
    if isinstance(drill, Broken):
        raise RoundFailed(f"a descent came to nothing: {drill.why}")
    return Compared(time.perf_counter() - begun, size, len(drill.rows), questions)


async def _root(store: Store, actor: Actor) -> Digest:
    async with store.transaction() as session:
        return Digest((await holdings_root(session, actor)).hex())


class Pair:
    """An actor's rows, and our replica of them."""

    def __init__(self, theirs: Store, ours: Store) -> None:
        self._theirs = theirs
        self._ours = ours
        self._clock = SystemClock()

    async def edit(self, number: int, of: int) -> None:
        """Take a unit off the end of so many of the actor's blocks, evenly spread among all."""
        connection = await asyncpg.connect(_plain(self._theirs.url))
        try:
            firsts = [_first(of * n // number + 1) for n in range(number)]
            await connection.execute(
                "update blocks set last = last - 1 where first = any($1::bigint[])", firsts
            )
        finally:
            await connection.close()

    async def descend(self) -> Compared:
        """The way by the trees."""
        return await descend(self._theirs, self._ours, ACTOR, self._clock.now())

    async def send_all(self) -> Compared:
        """All blocks from over there, compared with all of ours."""
        begun = time.perf_counter()
        theirs, ours = await _all(self._theirs), await _all(self._ours)
        differing = set(theirs.splitlines()) - set(ours.splitlines())
        return Compared(time.perf_counter() - begun, len(theirs), len(differing))


def _statement(actor: Actor, holdings: Digest) -> Statement:
    """A statement as a registry makes it, about a log of some size."""
    root, log = bytes(32), "a6hub.benchmark"
    text = note.Checkpoint(log, 1_000_000, root).to_text()
    witness = jws.SoftwareSigner(Ed25519PrivateKey.generate())
    return Statement(
        size=1_000_000,
        root=Digest(root.hex()),
        delivered=Delivered(size=1_000_000, root=Digest(root.hex())),
        holdings=holdings,
        sent=(LastSent(to=HUB, last=1_000_000), LastSent(to=REC, last=1_000_000)),
        cosignature=note.cosign(text, str(actor.participant), witness, 1_790_000_000),
    )


async def _all(store: Store) -> bytes:
    connection = await asyncpg.connect(_plain(store.url))
    text = BytesIO()
    try:
        await connection.copy_from_query(
            "select key, first, last, attributes, account from blocks where actor = $1 "
            "order by series, first",
            str(ACTOR),
            output=text,
        )
    finally:
        await connection.close()
    return text.getvalue()


@asynccontextmanager
async def pair(postgres: PrivatePostgres, blocks: int) -> AsyncIterator[Pair]:
    """Two equal ledgers of so many blocks, their trees hashed."""
    names = [f"descent_{blocks}_{side}" for side in ("theirs", "ours")]
    theirs = postgres.create_database(names[0])
    try:
        await migrate(theirs, ("runtime", "registry"))
        await _fill(theirs, blocks)
        ours = postgres.copy_database(names[0], names[1])
        stores = open_store(theirs), open_store(ours)
        try:
            yield Pair(*stores)
        finally:
            for store in stores:
                await store.close()
    finally:
        for name in names:
            postgres.drop_database(name)


async def _fill(database: str, blocks: int) -> None:
    connection = await asyncpg.connect(_plain(database))
    row = block_row("CHE01", Block(KEY, 1, BLOCK, Attributes(), Position.of(ACCOUNT)))
    try:
        async with connection.transaction():
            await connection.execute("set local session_replication_role = replica")
            await connection.execute(_KEY, *(row[name] for name in ("key", "series", "slot")))
            await connection.execute(_BLOCKS, BLOCK, EVERY, blocks, *(row[n] for n in _SAME))
    finally:
        await connection.close()
    store = open_store(database)
    try:
        async with store.transaction() as session:
            await mark_everything_dirty(session, ACTOR)
            await holdings_root(session, ACTOR)
    finally:
        await store.close()
    connection = await asyncpg.connect(_plain(database))
    try:
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()


_SAME = ("book", "series", "key", "slot", "attributes", "actor", "kind", "account")
_KEY = "insert into keys (key, series, slot) values ($1, $2, $3)"
_BLOCKS = (
    f"insert into blocks (first, last, {', '.join(_SAME)}) "  # noqa: S608 - our own names
    "select 1 + $2::bigint * n, $1::bigint + $2::bigint * n, $4, $5, $6, $7, $8, $9, $10, $11 "
    "from generate_series(0::bigint, $3::bigint - 1) as n"
)


def _first(number: int) -> int:
    return 1 + EVERY * (number - 1)


def _plain(url: str) -> str:
    return url.replace("+asyncpg", "")
