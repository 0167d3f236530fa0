# SPDX-License-Identifier: Apache-2.0
"""Ledgers and logs made large by SQL, behind the programs' backs, as if years had gone by.

Nothing that the programs rely on is made untrue: cutting blocks moves no serial, so that the log,
the holdings trees and every statement stay right; and a log with more leaves contains the one that
was witnessed before.

Elsewhere: who wants it (`growth`).
"""

import json

import asyncpg

from harness.bench.course import SENDER, UNITS
from harness.bench.ours import Ours
from harness.remote import Overdue
from ledger.log import frontier
from schemas.identifiers import HUB, REC
from schemas.messages import Entry, new_message, parse_message

__all__ = ["cut", "lengthen"]

SETTLE_SECONDS = 60.0


async def _connect(database: str) -> asyncpg.Connection:
    return await asyncpg.connect(database.replace("+asyncpg", ""))


# --- blocks -------------------------------------------------------------------------------------


async def cut(programs: Ours) -> None:
    """Cut what the sender holds into blocks of a transfer's size, wherever there are rows of it."""
    for participant in (HUB, REC, SENDER.participant):
        connection = await _connect(programs.fleet.databases[participant])
        try:
            await _cut(connection)
        finally:
            await connection.close()


async def _cut(connection: asyncpg.Connection) -> None:
    """Triggers and foreign keys are left out, as for rows that COPY brings; that no two blocks
    overlap the database makes sure of.
    """
    async with connection.transaction():
        await connection.execute("set local session_replication_role = replica")
        whole = await connection.fetch(_TAKEN, str(SENDER), UNITS)
        for block in whole:
            await connection.execute(_CUT, UNITS, *block.values())
    await connection.execute("analyze blocks")


_COLUMNS = "book, series, first, last, key, slot, attributes, actor, kind, account"
_TAKEN = f"delete from blocks where actor = $1 and last - first >= $2 returning {_COLUMNS}"  # noqa: S608 - our own names
_CUT = (
    f"insert into blocks ({_COLUMNS}) "  # noqa: S608 - our own names
    "select $2, $3, serial, least(serial + $1 - 1, $5), $6, $7, $8, $9, $10, $11 "
    "from generate_series($4::bigint, $5::bigint, $1::bigint) as serial"
)

# --- log ----------------------------------------------------------------------------------------


async def lengthen(programs: Ours, leaves: int) -> None:
    """Have the log hold so many leaves: the shortest entries that there can be, which concern
    nobody, at the hub and in the copy of the reconciliation service; both are started again.
    """
    if not await programs.remote.wait_settled(SETTLE_SECONDS):
        raise Overdue("the statements before the log was lengthened")
    for participant in (HUB, REC):
        programs.fleet.kill(participant)
    around = await _around_the_position(programs)
    nodes = await _lengthen_hub(programs.fleet.databases[HUB], leaves, around)
    await _lengthen_copy(programs.fleet.databases[REC], leaves, around, nodes)
    for participant in (HUB, REC):
        programs.fleet.launch(participant)
        await programs.fleet.ready(participant)


async def _around_the_position(programs: Ours) -> tuple[str, str]:
    """What stands before and after the position in the line of an entry about nothing."""
    (last,) = await programs.remote.rows(
        HUB, "select line from log_entries order by position desc limit 1"
    )
    message = parse_message(bytes(last.line))
    entry: Entry = message.body
    body = Entry(
        log=entry.log,
        position=POSITION,
        at=entry.at,
        manifest=None,
        state=None,
        action=None,
        rules=entry.rules,
        acts=entry.acts_after,
    )
    line = new_message("entry", message.id, "preloaded", body).model_dump_json()
    before, _, after = line.partition(str(POSITION))
    return before, after


async def _lengthen_hub(database: str, leaves: int, around: tuple[str, str]) -> str:
    """Gives the frontier afterwards, as the copy keeps it."""
    connection = await _connect(database)
    try:
        size = await connection.fetchval("select max(position) + 1 from log_entries")
        await connection.execute("set work_mem = '256MB'")
        async with connection.transaction():
            await connection.execute(_ENTRIES, size, leaves, *around)
            await connection.execute(_LEAVES, size)
            level = 1
            while leaves >> level:
                await connection.execute(_PARENTS, level, size >> level)
                level += 1
        await connection.execute("analyze log_entries")
        await connection.execute("analyze log_nodes")
        found = []
        for level, node in frontier(leaves):
            value = await connection.fetchval(_NODE, level, node)
            found.append([level, node, value.hex()])
        return json.dumps(found)
    finally:
        await connection.close()


async def _lengthen_copy(database: str, leaves: int, around: tuple[str, str], nodes: str) -> None:
    connection = await _connect(database)
    try:
        async with connection.transaction():
            size = await connection.fetchval("select size from trees where name = 'log'")
            await connection.execute(_COPIES, size, leaves, *around)
            await connection.execute(_GROWN, leaves, nodes)
        await connection.execute("analyze entries")
    finally:
        await connection.close()


POSITION = 1_000_000_000
"""Where a position goes in the line; no other figure in it has as many digits."""

_LINE = "convert_to($3::text || at || $4::text, 'UTF8')"
_ENTRIES = (
    "insert into log_entries (position, line, conversation, at) "  # noqa: S608 - our own names
    f"select at, {_LINE}, 'preloaded-' || at / 2, '2026-01-01T00:00:00.000000Z' "
    "from generate_series($1::bigint, $2::bigint - 1) as at"
)
_LEAVES = (
    "insert into log_nodes (level, node, hash) "
    "select 0, position, sha256('\\x00'::bytea || line) from log_entries where position >= $1"
)
_PARENTS = (
    "insert into log_nodes (level, node, hash) "
    "select $1, l.node / 2, sha256('\\x01'::bytea || l.hash || r.hash) from log_nodes l "
    "join log_nodes r on r.level = $1 - 1 and r.node = l.node + 1 "
    "where l.level = $1 - 1 and l.node % 2 = 0 and l.node / 2 >= $2"
)
_NODE = "select hash from log_nodes where level = $1 and node = $2"
_COPIES = (
    "insert into entries (position, line, digest, root) "  # noqa: S608 - our own names
    f"select at, {_LINE}, encode(sha256({_LINE}), 'hex'), sha256({_LINE}) "
    "from generate_series($1::bigint, $2::bigint - 1) as at"
)
"""The roots after these entries are made up: nobody has seen a checkpoint of such a size."""
_GROWN = "update trees set size = $1, nodes = $2 where name = 'log'"
