# SPDX-License-Identifier: Apache-2.0
"""`a6hub bench-proofs` on a server of its own, small; and what makes a run of it not count."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from harness.bench import proofs
from harness.bench.proofs_cli import app
from harness.bench.verify import RoundFailed
from hub.program import Hub
from ledger import log
from runtime.schema import migrate
from runtime.store import Store, open_store

LEAVES = 300


def test_a_small_run_reads_what_the_trees_need_and_no_more(tmp_path: Path) -> None:
    file = tmp_path / "proofs.json"
    done = CliRunner().invoke(app, ["--most", "10000", "--json", str(file)])
    assert done.exit_code == 0, done.output
    found = {(one["leaves"], one["kind"]): one for one in json.loads(file.read_text())["proofs"]}
    assert set(found) == {(n, kind) for n in (1000, 10_000) for kind in proofs.KINDS}
    for (leaves, kind), one in found.items():
        paths = [proofs.KINDS[kind].path(at, leaves) for at in proofs.places(kind, leaves)]
        assert one["proofs"] == len(paths) == proofs.PROOFS
        lengths = [len(path) for path in paths]
        assert (one["rows"]["least"], one["rows"]["most"]) == (min(lengths), max(lengths))
        levels = {1000: 10, 10_000: 14}[leaves]
        assert one["bound"] == 2 * levels >= one["rows"]["most"]
        assert 0 < one["hashes"]["least"] <= one["hashes"]["most"] <= levels + 1
        assert 0 < one["made_us"]["least"] <= one["made_us"]["median"] <= one["made_us"]["most"]
        assert one["verified_us"]["least"] > 0
        assert f"{leaves:,}" in done.stdout
        assert kind in done.stdout


WRONG = {
    "fewer leaves than the least": ("--most", "999"),
    "a size between": ("--most", "5000"),
    "more than the most": ("--most", "100000000"),
    "a folder for a file": ("--json", "."),
}


@pytest.mark.parametrize("name", WRONG, ids=lambda name: name.replace(" ", "-"))
def test_wrong_arguments_are_refused(name: str) -> None:
    done = CliRunner().invoke(app, WRONG[name])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"a6hub: {WRONG[name][0]}")
    assert len(done.stderr.splitlines()) == 1


# --- what does not count ------------------------------------------------------------------------


@pytest.fixture
async def lengthened(database_url: str) -> AsyncIterator[tuple[Store, bytes]]:
    """A hub's database with the nodes of a log, and its root."""
    await migrate(database_url, Hub.packages)
    nodes = await proofs._lengthen(database_url, 0, {}, LEAVES)
    store = open_store(database_url)
    yield store, log.root(LEAVES, nodes)
    await store.close()


@pytest.mark.parametrize("kind", proofs.KINDS)
async def test_the_log_that_is_made_is_the_tree_over_its_leaves(
    lengthened: tuple[Store, bytes], kind: str
) -> None:
    store, root = lengthened
    tree = log.Tree(log.leaf_hash(str(position).encode()) for position in range(LEAVES))
    assert root == tree.root()
    async with store.snapshot() as session:
        rows = await session.execute(text("select level, node, hash from log_nodes"))
        assert {(row.level, row.node): bytes(row.hash) for row in rows} == tree._nodes
        one = await proofs.prove(session, proofs.KINDS[kind], 77, LEAVES, root)
    assert one.rows == len(proofs.KINDS[kind].path(77, LEAVES))


@pytest.mark.parametrize("kind", proofs.KINDS)
async def test_a_proof_for_which_the_whole_table_is_read_does_not_count(
    lengthened: tuple[Store, bytes], kind: str
) -> None:
    store, root = lengthened
    async with store.snapshot() as session:
        for way in ("indexscan", "bitmapscan", "indexonlyscan"):
            await session.execute(text(f"set local enable_{way} = off"))
        with pytest.raises(
            RoundFailed, match=r"^\d{3,} rows were read for a proof that needs \d+$"
        ):
            await proofs.prove(session, proofs.KINDS[kind], 77, LEAVES, root)


@pytest.mark.parametrize("kind", proofs.KINDS)
async def test_a_proof_out_of_a_changed_table_does_not_count(
    lengthened: tuple[Store, bytes], database_url: str, kind: str
) -> None:
    store, root = lengthened
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        await connection.execute("set session_replication_role = replica")
        changed = "update log_nodes set hash = sha256(hash) where level = 8 and node = 0"
        assert await connection.execute(changed) == "UPDATE 1"
    finally:
        await connection.close()
    async with store.snapshot() as session:
        with pytest.raises(RoundFailed, match="a proof at 299 in a log of 300 leaves does not"):
            await proofs.prove(session, proofs.KINDS[kind], 299, LEAVES, root)
