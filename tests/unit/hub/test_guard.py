# SPDX-License-Identifier: Apache-2.0
"""The guard: which database the hub goes on from, and when its anchor moves."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hub import storage
from hub.genesis import begin_log
from hub.guard import Guard, Head, Refusal, anchored_and_logged, lay_anew
from hub.program import Hub
from ledger import log, note
from runtime.anchor import MemoryAnchor
from runtime.clock import Ids
from runtime.errors import LocalProtocolError, Unavailable
from runtime.schema import migrate
from runtime.store import open_store
from tests.cast import CHE, GHA, HUB, U, genesis, issuance, keyring, signer
from tests.unit.hub.alone import NOON, Alone

LOG = "federation.test"


def head(size: int, root: bytes, key: str = "checkpoints", origin: str = LOG) -> str:
    """A signed head."""
    text = note.Checkpoint(origin, size, root).to_text()
    return note.format_note(text, [note.sign_note(text, origin, signer(key))])


def held(anchor: MemoryAnchor) -> tuple[int, bytes]:
    assert anchor.text is not None
    text, _ = note.parse_note(anchor.text)
    checkpoint = note.Checkpoint.from_text(text)
    return checkpoint.size, checkpoint.root


def logged(alone: Alone) -> tuple[int, bytes]:
    return alone.hub.kept.log.size, alone.hub.kept.log.root()


async def refused(alone: Alone, anchor: MemoryAnchor) -> str:
    """Start another hub on the database, with this anchor; gives why it does not."""
    alone.hub = Hub(keyring(HUB), anchor)
    with pytest.raises(LocalProtocolError) as error:
        await alone.restart()
    return str(error.value)


# --- when it moves ------------------------------------------------------------------------------


async def test_the_anchor_is_laid_with_entry_0(alone: Alone) -> None:
    assert held(alone.anchor) == logged(alone)
    assert alone.anchor.size == 1


async def test_the_anchor_moves_with_every_batch_that_logs_and_with_no_other(alone: Alone) -> None:
    await alone.admit(GHA.participant, CHE.participant)
    assert held(alone.anchor) == logged(alone)
    before = alone.anchor.text
    batch = await alone.tick(61)
    assert [said.message.type for said in batch.said] == ["checkpoint", "checkpoint"]
    assert alone.anchor.text is before
    await alone.run(alone.proposal(GHA, "GHA01-GHA-1", issuance(GHA, U, 1, 10)))
    assert held(alone.anchor) == logged(alone)
    assert alone.facts is not None
    assert alone.facts.shown == [], "no checkpoint was due yet"


async def test_the_note_is_signed_by_the_checkpoint_key(alone: Alone) -> None:
    assert alone.anchor.text == head(*logged(alone))


@pytest.mark.parametrize("way", ["before", "after"])
async def test_a_batch_whose_anchor_is_not_written_counts_as_one_of_unknown_outcome(
    alone: Alone, way: str
) -> None:
    """Nothing is kept of it in memory, and a new start anchors what the database has."""
    await alone.admit(GHA.participant)

    def full() -> None:
        raise Unavailable("the disk is full")

    size, _ = logged(alone)
    setattr(alone.anchor, way, full)
    with pytest.raises(Unavailable):
        await alone.admit(CHE.participant)
    assert logged(alone)[0] == size
    if way == "before":
        with pytest.raises(Unavailable):
            await alone.restart()
    setattr(alone.anchor, way, lambda: None)
    await alone.restart()
    assert held(alone.anchor) == logged(alone)
    assert alone.anchor.size == size + 1


# --- which database it goes on from -------------------------------------------------------------


async def test_a_database_that_is_ahead_is_one_whose_hub_died_before_the_anchor_was_written(
    alone: Alone,
) -> None:
    older = alone.anchor.text
    await alone.admit(GHA.participant, CHE.participant)
    alone.hub = Hub(keyring(HUB), anchor := MemoryAnchor(older))
    await alone.restart()
    assert held(anchor) == logged(alone)


async def test_a_database_that_is_behind_is_refused_with_both_sizes_and_roots(
    alone: Alone,
) -> None:
    size, root = logged(alone)
    why = await refused(alone, MemoryAnchor(head(size + 3, log.leaf_hash(b"another"))))
    assert why.startswith(f"{Refusal.SHORTER}: ")
    assert f"{size} entries with root {root.hex()}" in why
    assert f"{size + 3} entries with root {log.leaf_hash(b'another').hex()}" in why
    assert "docs/operating.md" in why


@pytest.mark.parametrize("back", [0, 1])
async def test_a_database_with_another_root_is_refused(alone: Alone, back: int) -> None:
    await alone.admit(GHA.participant, CHE.participant)
    size, _ = logged(alone)
    wrong = log.leaf_hash(b"another")
    why = await refused(alone, MemoryAnchor(head(size - back, wrong)))
    assert why.startswith(f"{Refusal.FORKED}: ")
    assert wrong.hex() in why


async def test_every_size_that_the_log_has_had_is_found_again(alone: Alone) -> None:
    await alone.admit(GHA.participant, CHE.participant)
    for number in range(1, 6):
        said = alone.proposal(GHA, f"GHA01-GHA-{number}", issuance(GHA, U, number, number))
        await alone.run(said)
    size, tree = alone.hub.kept.log.size, log.Tree()
    async with alone.store.snapshot() as session:
        leaves = await storage.load_nodes(session, None, [(0, n) for n in range(size)])
    for number in range(size):
        tree.append(leaves[0, number])
        alone.hub = Hub(keyring(HUB), anchor := MemoryAnchor(head(tree.size, tree.root())))
        await alone.restart()
        assert anchor.size == size


async def test_no_anchor_is_refused_with_a_remedy(alone: Alone) -> None:
    why = await refused(alone, MemoryAnchor())
    assert why.startswith(f"{Refusal.MISSING}: ")
    assert "a6hub hub anchor --size" in why


DAMAGED: dict[str, tuple[Callable[[int, bytes], str], Refusal]] = {
    "nothing in it": (lambda *_: "", Refusal.DAMAGED),
    "something else in it": (lambda *_: "a letter\n", Refusal.DAMAGED),
    "no signature": (lambda n, r: f"{note.Checkpoint(LOG, n, r).to_text()}\n", Refusal.DAMAGED),
    "another key's": (lambda n, r: head(n, r, "witness HUB"), Refusal.DAMAGED),
    "another size": (lambda n, r: head(n, r).replace(f"\n{n}\n", f"\n{n - 1}\n"), Refusal.DAMAGED),
    "another log's": (lambda n, r: head(n, r, origin="another.log"), Refusal.STRANGE),
}


@pytest.mark.parametrize(("make", "why"), DAMAGED.values(), ids=DAMAGED)
async def test_an_anchor_that_the_hub_has_not_signed_is_refused(
    alone: Alone, make: Callable[[int, bytes], str], why: Refusal
) -> None:
    await alone.admit(GHA.participant)
    found = await refused(alone, MemoryAnchor(make(*logged(alone))))
    assert found.startswith(f"{why}: ")


async def test_no_part_of_an_anchor_passes_for_one(alone: Alone) -> None:
    whole = alone.anchor.text
    assert whole is not None
    for length in range(len(whole)):
        why = await refused(alone, MemoryAnchor(whole[:length]))
        assert why.startswith(f"{Refusal.DAMAGED}: "), whole[:length]


async def test_a_hub_with_another_checkpoint_key_is_refused(alone: Alone) -> None:
    ring = keyring(HUB)
    ring.checkpoint = signer("another")
    alone.hub = Hub(ring, alone.anchor)
    with pytest.raises(LocalProtocolError, match=f"^{Refusal.KEY}: "):
        await alone.restart()


# --- by command ---------------------------------------------------------------------------------


async def test_looking_writes_nothing(alone: Alone) -> None:
    older = alone.anchor.text
    await alone.admit(GHA.participant)
    anchor = MemoryAnchor(older)
    found = await anchored_and_logged(alone.store, Guard(anchor, None))
    assert [one.size for one in found] == [1, 2]
    assert anchor.text is older


async def test_a_lost_anchor_is_laid_anew_for_a_database_that_holds_what_others_have_seen(
    alone: Alone,
) -> None:
    size, root = logged(alone)
    await alone.admit(GHA.participant)
    anchor = MemoryAnchor()
    written = await lay_anew(alone.store, Guard(anchor, signer("checkpoints")), Head(size, root))
    assert (written.size, written.root) == held(anchor) == logged(alone)


@pytest.mark.parametrize(
    ("more", "step", "why"),
    [(1, 1, Refusal.SHORTER), (0, -1, Refusal.FORKED)],
)
async def test_it_is_not_for_a_database_that_does_not(
    alone: Alone, more: int, step: int, why: Refusal
) -> None:
    size, root = logged(alone)
    seen = Head(size + more, root[::step])
    anchor = MemoryAnchor()
    with pytest.raises(LocalProtocolError, match=f"^{why}: "):
        await lay_anew(alone.store, Guard(anchor, signer("checkpoints")), seen)
    assert anchor.text is None


async def test_it_overwrites_no_anchor_and_none_is_laid_beside_a_hub_that_runs(
    alone: Alone,
) -> None:
    seen = Head(*logged(alone))
    with pytest.raises(LocalProtocolError, match=f"^{Refusal.THERE}: "):
        await lay_anew(alone.store, Guard(alone.anchor, signer("checkpoints")), seen)
    beside = open_store(alone.store.url)
    with pytest.raises(LocalProtocolError, match="in use"):
        await lay_anew(beside, Guard(MemoryAnchor(), signer("checkpoints")), seen)
    await beside.close()


async def test_a_log_does_not_begin_beside_an_anchor(alone: Alone, tmp_path: Path) -> None:
    """Its database was lost: a second log under the same id would be a fork."""
    url = f"sqlite:///{tmp_path / 'another.db'}"
    await migrate(url, Hub.packages)
    another = open_store(url)
    guard = Guard(alone.anchor, signer("checkpoints"))
    with pytest.raises(LocalProtocolError, match=f"^{Refusal.THERE}: "):
        await begin_log(another, genesis(), NOON, Ids(), guard)
    await another.close()


async def test_a_log_whose_anchor_cannot_be_written_has_not_begun(tmp_path: Path) -> None:
    def full() -> None:
        raise Unavailable("the disk is full")

    url = f"sqlite:///{tmp_path / 'hub.db'}"
    await migrate(url, Hub.packages)
    store, anchor = open_store(url), MemoryAnchor(before=full)
    with pytest.raises(Unavailable):
        await begin_log(store, genesis(), NOON, Ids(), Guard(anchor, signer("checkpoints")))
    async with store.snapshot() as session:
        assert await storage.load_kept(session) is None
    await begin_log(store, genesis(), NOON, Ids(), Guard(MemoryAnchor(), signer("checkpoints")))
    await store.close()
