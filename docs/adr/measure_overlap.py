# SPDX-License-Identifier: Apache-2.0
"""What it costs to have the database refuse overlapping blocks: the figures of ADR 0007.

    .venv/bin/python docs/adr/measure_overlap.py [ROUNDS] [ROWS]

Starts a private PostgreSQL, makes the schema with the real migration, and swaps nothing but the
rule against overlap. Rows are inserted, replaced (deleted and inserted, as transfers do) and
deleted in batches of 200, one transaction each, through the real store. A tenth of them is replaced
once more before the planner has statistics (`fresh`), because an index can also harm by being
chosen. Variants take turns within a round, and ratios are taken within a round, because machines
are noisy. At the end it is tried whether two writers at a time can slip overlapping rows past each.
"""
# ruff: noqa: INP001, T201, S311  (a script beside its record, which prints; its rows are made up)

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
from sqlalchemy import bindparam, delete, func, select, text

from harness.services import PrivatePostgres, service_folder, start_postgres
from ledger.tree import slot
from runtime.schema import migrate
from runtime.store import Store, open_store
from runtime.tables import blocks, keys
from schemas.identifiers import Actor, ApproachId, PartyCode, RegistryId, account_number
from schemas.units import Attributes, Key, Layer

BATCH = 200
SERIES = 50
PHASES = ("insert", "fresh", "replace", "delete")

NO_EXCLUSION = "alter table blocks drop constraint blocks_disjoint"
PROBE = """
create function refuse_overlap() returns trigger language plpgsql as $$
begin
  if exists (
    select 1 from (
      select last from blocks
      where book = new.book and series = new.series and first <= new.last
      order by first desc limit 1
    ) as neighbour where neighbour.last >= new.first
  ) then
    raise exclusion_violation using message = 'blocks_disjoint: units of this series overlap';
  end if;
  return new;
end $$
"""
TRIGGER = (
    "create trigger blocks_disjoint before insert on blocks "
    "for each row execute function refuse_overlap()"
)
HASHED = (
    "alter table blocks add constraint blocks_disjoint exclude using gist "
    "(hashtextextended(book || ' ' || series, 0) with =, int8range(first, last, '[]') with &&)"
)
POSTGRESQL = {
    "no constraint": (NO_EXCLUSION,),
    "exclusion": (),
    "hashed": (NO_EXCLUSION, HASHED),
    "trigger": (NO_EXCLUSION, PROBE, TRIGGER),
}
SQLITE = {
    "no constraint": ("drop trigger blocks_disjoint_insert", "drop trigger blocks_disjoint_update"),
    "trigger": (),
}
"""What is done to the migrated schema; the migration itself has no statement here."""

Row = dict[str, Any]
DELETE = delete(blocks).where(
    blocks.c.book == bindparam("b"),
    blocks.c.series == bindparam("s"),
    blocks.c.first == bindparam("f"),
)


def make_key(number: int) -> Key:
    return Key(
        layer=Layer.UNDERLYING,
        approach=ApproachId(f"CA{number + 2:04}"),
        registry=RegistryId("GHA01"),
        party=PartyCode("GHA"),
        vintage=2023,
    )


def make_rows(number: int) -> list[Row]:
    """Adjoining blocks of uneven length in fifty series, in a fixed random order."""
    dice = random.Random(7)
    actor = Actor("GHA01/GHA")
    rows: list[Row] = []
    for key in map(make_key, range(SERIES)):
        cuts = sorted(dice.sample(range(1, 50 * number), number // SERIES + 1))
        rows += (
            {
                "book": "log",
                "series": key.series,
                "first": first,
                "last": after - 1,
                "key": key.text,
                "slot": slot(key.text),
                "attributes": Attributes().text,
                "actor": str(actor),
                "kind": "holding",
                "account": str(account_number(actor, "HLD", 1)),
            }
            for first, after in pairwise(cuts)
        )
    dice.shuffle(rows)
    return rows


async def measure(url: str, changes: Sequence[str], rows: list[Row]) -> tuple[float, ...]:
    """Seconds for each phase in a new database with these changes to the migrated schema."""
    await migrate(url, ["runtime"])
    store = open_store(url)
    async with store.transaction() as session:
        for change in changes:
            await session.execute(text(change))
        if session.dialect == "postgresql":
            await session.execute(text("alter table blocks set (autovacuum_enabled = false)"))
        for key in map(make_key, range(SERIES)):
            values = {"key": key.text, "series": key.series, "slot": slot(key.text)}
            await session.execute(keys.insert(), values)
    moved = [row | {"account": str(account_number(Actor("GHA01/GHA"), "HLD", 2))} for row in rows]
    tenth = rows[: len(rows) // 10]
    inserting = await timed(store, [], rows)
    fresh = await timed(store, tenth, tenth)
    async with store.transaction() as session:
        await session.execute(text("analyze blocks"))
    seconds = (
        inserting,
        fresh * len(rows) / len(tenth),
        await timed(store, rows, moved),
        await timed(store, moved, []),
    )
    async with store.snapshot() as session:
        left = await session.execute(select(func.count()).select_from(blocks))
        assert left.scalar_one() == 0
    await store.close()
    return seconds


async def timed(store: Store, removed: list[Row], added: list[Row]) -> float:
    """Seconds to take some rows out and put others in, a batch of both in each transaction."""
    began = time.perf_counter()
    for start in range(0, max(len(removed), len(added)), BATCH):
        async with store.transaction() as session:
            if out := removed[start : start + BATCH]:
                named = [{"b": r["book"], "s": r["series"], "f": r["first"]} for r in out]
                await session.execute(DELETE, named)
            if new := added[start : start + BATCH]:
                await session.execute(blocks.insert(), new)
    return time.perf_counter() - began


async def two_writers(url: str, changes: Sequence[str], rows: list[Row]) -> str:
    """What becomes of two open transactions that insert overlapping rows."""
    await migrate(url, ["runtime"])
    plain = url.replace("+asyncpg", "", 1)
    one, two = await asyncpg.connect(plain), await asyncpg.connect(plain)
    row = rows[0]
    names = ", ".join(row)
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    insert = f"insert into blocks ({names}) values ({places})"  # noqa: S608 - our own names
    try:
        for change in changes:
            await one.execute(change)
        key = [row["key"], row["series"], row["slot"]]
        await one.execute("insert into keys (key, series, slot) values ($1, $2, $3)", *key)
        first, second = one.transaction(), two.transaction()
        await first.start()
        await second.start()
        await one.execute(insert, *(row | {"first": 1000, "last": 2000}).values())
        inserting = asyncio.create_task(
            two.execute(insert, *(row | {"first": 1500, "last": 2500}).values())
        )
        await asyncio.sleep(0.2)  # it has looked by now, or waits for the first to end
        await first.commit()
        try:
            await inserting
        except asyncpg.ExclusionViolationError:
            return "the second is refused"
        await second.commit()
        return "BOTH ARE COMMITTED"
    finally:
        await one.close()
        await two.close()


def report(name: str, found: dict[str, list[tuple[float, ...]]], rows: int) -> None:
    print(f"\n{name}: {rows} rows, batches of {BATCH}; median [min-max] of the ratio to none")
    for variant, rounds in found.items():
        cells = []
        for phase, label in enumerate(PHASES):
            ratios = [
                mine[phase] / none[phase]
                for mine, none in zip(rounds, found["no constraint"], strict=True)
            ]
            rate = rows / median(seconds[phase] for seconds in rounds)
            spread = f"{median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]"
            cells.append(f"{label} {spread} {rate:6.0f}/s")
        print(f"  {variant:14} " + "   ".join(cells))


async def compare(server: PrivatePostgres, rounds: int, rows: list[Row]) -> None:
    on_postgresql: dict[str, list[tuple[float, ...]]] = {name: [] for name in POSTGRESQL}
    on_sqlite: dict[str, list[tuple[float, ...]]] = {name: [] for name in SQLITE}
    for turn in range(rounds):
        for number, (name, changes) in enumerate(POSTGRESQL.items()):
            database = f"round_{turn}_{number}"
            url = server.create_database(database)
            on_postgresql[name].append(await measure(url, changes, rows))
            server.drop_database(database)
        for name, changes in SQLITE.items():
            with tempfile.TemporaryDirectory() as folder:
                url = f"sqlite:///{Path(folder) / 'ledger.db'}"
                on_sqlite[name].append(await measure(url, changes, rows))
        print(f"round {turn + 1} of {rounds} is done", flush=True)
    report("PostgreSQL", on_postgresql, len(rows))
    report("SQLite", on_sqlite, len(rows))
    print("\nTwo writers of overlapping rows at a time, PostgreSQL:")
    for number, (name, changes) in enumerate(POSTGRESQL.items()):
        url = server.create_database(f"writers_{number}")
        print(f"  {name:14} {await two_writers(url, changes, rows)}")


def main() -> None:
    rounds, rows = (int(word) for word in (sys.argv[1:] + ["5", "100000"][len(sys.argv) - 1 :]))
    with service_folder() as folder:
        server = start_postgres(folder / "postgres")
        try:
            asyncio.run(compare(server, rounds, make_rows(rows)))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
