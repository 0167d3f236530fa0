# SPDX-License-Identifier: Apache-2.0
"""A hub that was set back, alone: what came back to it is taken as it was, or not at all.

Two hubs have the same first entries. One of them lives on; what it says comes back to the other.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hub import saving
from hub.guard import Guard, Head, Refusal
from hub.program import Hub
from hub.recovering import TAKEN_MAX, begin_recovery, undo_recovery
from hub.state import Wanted
from hub.tail import RECOVERING
from ledger import note
from runtime import journal as journals
from runtime.anchor import MemoryAnchor
from runtime.errors import LocalProtocolError
from runtime.hearing import kept_as
from runtime.program import Batch, Heard
from runtime.store import Session, open_store
from schemas.effects import DirectoryEffect
from schemas.envelope import digest
from schemas.evidence import EvidencePart
from schemas.findings import Reason, finding
from schemas.identifiers import TransactionId
from schemas.messages import Checkpoint, Entry, Notice, parse_message
from tests.cast import (
    CHE,
    GHA,
    HUB,
    LOG,
    REC,
    U,
    genesis,
    issuance,
    keyring,
)
from tests.unit.hub.alone import NOON, Alone, later
from tests.unit.hub.pair import GHANA, SWISS, Pair, envelope, recipient

TABLES = {
    "log_entries": "position, line, conversation, at",
    "log_nodes": "level, node, hash",
    "deliveries": "actor, number, position, root",
    "delivery_nodes": "actor, level, node, hash",
    "acts": "position, act, signatures",
    "transactions": "id, state, proposer, acquirer, proposal, message, deadline, position",
    "authorizations": "party, id, version, terms",
    "authorization_use": "party, id, used",
    "approvals": "actor, approval, approved_quantity, issued",
    "blocks": "book, key, first, last, attributes, account",
    "overlays": "book, kind, actor, key, first, last, reference",
    "checkpoints": "size, root, note",
}


@pytest.fixture
async def pair(tmp_path: Path, each_url: str) -> Any:
    one = await Pair.begin(tmp_path, each_url)
    await one.live()
    await one.set_back()
    yield one
    await one.close()


async def rows(alone: Alone) -> dict[str, list[Any]]:
    async with alone.store.snapshot() as session:
        return {table: await _rows(session, table, columns) for table, columns in TABLES.items()}


async def _rows(session: Session, table: str, columns: str) -> list[Any]:
    found = await session.execute(text(f"select {columns} from {table}"))
    return sorted((tuple(row) for row in found), key=repr)


@pytest.mark.parametrize("seed", range(3))
async def test_what_came_back_in_any_order_makes_the_log_that_was(pair: Pair, seed: int) -> None:
    pieces = list(pair.said)
    random.Random(seed).shuffle(pieces)
    for piece in pieces:
        await pair.given([piece])
        await pair.step(REC)
    await pair.resent(pair.heard)
    batch = await pair.finish()
    assert await rows(pair.back) == await rows(pair.alive)
    assert batch.said == [], "everybody has what was said to them"
    mine, theirs = pair.back.hub.kept, pair.alive.hub.kept
    assert (mine.log.root(), mine.acts, mine.shown) == (theirs.log.root(), 5, theirs.shown)
    assert pair.back.anchor.text == pair.alive.anchor.text


async def test_an_entry_waits_for_the_proposal_that_it_begins_with(pair: Pair) -> None:
    await pair.given(pair.said)
    size = pair.back.hub.kept.log.size
    await pair.step()
    assert pair.back.hub.kept.log.size == size
    assert pair.back.hub.recovery is not None
    assert pair.back.hub.recovery.lacking == {GHA}
    await pair.resent(pair.heard[:1])
    await pair.step()
    assert pair.back.hub.kept.log.size == size + 1
    await pair.resent(pair.heard[1:])
    await pair.finish()
    assert await rows(pair.back) == await rows(pair.alive)


async def test_a_proposal_that_nobody_has_any_more_is_not_waited_for(pair: Pair) -> None:
    """Its author has sent again what it keeps, and nobody was sent it by the hub."""
    await pair.given(pair.said)
    await pair.resent(pair.heard[1:])
    position = pair.back.hub.kept.log.size
    for _ in range(5):
        await pair.step(SWISS, whole=[GHA, CHE])
        await pair.step(whole=[CHE])
    why = await pair.refusal(whole=[GHA, CHE])
    assert why.startswith(f"{Refusal.LACKING}: entry {position} begins GHA01-GHA-1, and its ")
    assert "GHA01/GHA has sent again all that it keeps" in why


async def test_a_proposal_that_its_author_lost_and_another_was_asked_about_is_taken_from_that_one(
    pair: Pair,
) -> None:
    await pair.resent(pair.heard[:2])
    await pair.given(pair.said)
    await pair.resent(pair.heard[3:])
    await pair.finish(whole=[GHA, CHE])
    assert await rows(pair.back) == await rows(pair.alive)


async def test_whoever_lacks_an_entry_is_sent_it_as_it_was(pair: Pair) -> None:
    await pair.resent(pair.heard)
    await pair.given(one for one in pair.said if recipient(one) != SWISS)
    batch = await pair.finish()
    lines = [one.line for one in pair.said if recipient(one) == SWISS and is_entry(one)]
    assert [said.to for said in batch.said] == [SWISS] * (len(lines) + 1)
    cleared, asked, *rest = [said.line for said in batch.said]
    assert [cleared, *rest] == lines
    enclosed = parse_message(asked).body
    proposal = pair.heard[2]
    assert (enclosed.manifest, enclosed.line) == (
        proposal.manifest.decode(),
        proposal.line.decode(),
    )


async def test_until_everybody_has_given_back_what_they_keep_it_does_not_end(pair: Pair) -> None:
    await pair.resent(pair.heard)
    await pair.given(pair.said)
    for _ in range(5):
        await pair.step(SWISS)
    assert pair.back.hub.kept.log.root() == pair.alive.hub.kept.log.root()
    assert pair.back.hub.recovery is not None
    await pair.finish()


async def test_a_hole_in_the_tail_is_told(pair: Pair) -> None:
    await pair.resent(pair.heard)
    size = pair.back.hub.kept.log.size
    await pair.given(one for one in pair.said if not is_entry(one, size + 1))
    for _ in range(3):
        await pair.step(SWISS)
    why = await pair.refusal()
    assert why.startswith(f"{Refusal.LACKING}: everybody gave back what they keep, and entry ")
    assert f"entry {size + 1} did not come back; entry {size + 2} did" in why


async def test_what_comes_back_while_only_a_word_is_awaited_is_looked_at_as_well(
    pair: Pair,
) -> None:
    """Somebody's newer database was brought, and between two steps nobody is waited for."""
    await pair.given(pair.said)
    *kept, acceptance = pair.heard
    await pair.resent(kept)
    for _ in range(4):
        await pair.step()
    assert pair.lacking == {CHE}
    size = pair.back.hub.kept.log.size
    last = [one for one in pair.said if is_entry(one)][-1]
    other = changed(last, lambda _: {"position": size + 3})
    number = sum(recipient(one) == SWISS for one in pair.said)
    await pair.given([envelope(SWISS, number + 2, other.message, other.line)])
    await pair.resent([acceptance])
    with pytest.raises(LocalProtocolError, match=f"entry {size} did not come back"):
        await pair.finish()


async def test_an_entry_beyond_which_a_head_was_sent_is_missed(pair: Pair) -> None:
    """An anchor that was set back with the database does not tell."""
    await pair.resent(pair.heard)
    size = pair.alive.hub.kept.log.size
    await pair.given(one for one in pair.said if not is_entry(one, size - 1))
    kept = pair.back.hub.kept
    pair.back.hub = Hub(keyring(HUB), MemoryAnchor(signed_head(kept.log.size, kept.log.root())))
    await pair.back.restart()
    for _ in range(3):
        await pair.step(SWISS)
    why = await pair.refusal()
    assert why.startswith(f"{Refusal.LACKING}: ")
    assert f"entry {size - 1} did not come back; a head of {size} entries was sent" in why


async def test_two_entries_of_one_position_are_not_taken(pair: Pair) -> None:
    await pair.resent(pair.heard)
    first = next(one for one in pair.said if is_entry(one))
    await pair.given([first, changed(first, lambda _: {"at": later(1)})])
    assert (await pair.refusal()).startswith(f"{Refusal.FORKED}: two different entries ")


async def test_another_entry_than_the_log_has_is_not_taken(pair: Pair) -> None:
    await pair.resent(pair.heard)
    first = next(one for one in pair.said if is_entry(one))
    await pair.given([changed(first, lambda _: {"position": 2})])
    assert (await pair.refusal()).startswith(f"{Refusal.FORKED}: another entry 2 came back")


MISFITS: dict[str, tuple[Callable[[Entry], dict[str, Any]], str]] = {
    "another log": (lambda _: {"log": "other.example/log"}, "it is of log other.example/log"),
    "more acts": (lambda body: {"acts": body.acts + 1}, "it counts 6 acts before it, there are 5"),
    "another delivery": (
        lambda body: {"addressed": (body.addressed[0].model_copy(update={"index": 7}),)},
        "it is not the next delivery of GHA01/GHA",
    ),
    "a step that cannot be": (lambda _: {"state": "withdrawn"}, "which is proposed"),
    "an act that does not count": (
        lambda _: {
            "effects": (DirectoryEffect(act=genesis().act, signatures=genesis().signatures),)
        },
        "its act does not count",
    ),
    "units that are there": (
        lambda body: {"effects": (body.effects[0], body.effects[0])},
        "the log's rows cannot carry",
    ),
}


@pytest.mark.parametrize("name", MISFITS, ids=lambda name: name.replace(" ", "-"))
async def test_an_entry_that_does_not_follow_is_not_taken(pair: Pair, name: str) -> None:
    change, expected = MISFITS[name]
    await pair.resent(pair.heard)
    first = next(one for one in pair.said if is_entry(one))
    await pair.given([changed(first, change)])
    why = await pair.refusal()
    assert why.startswith(f"{Refusal.FORKED}: entry {first.message.body.position} that came back ")
    assert expected in why


async def test_a_head_with_another_root_is_not_kept(pair: Pair) -> None:
    head = next(one for one in pair.said if isinstance(one.message.body, Checkpoint))
    signed = signed_head(3, bytes(32))
    body = head.message.body.model_copy(update={"note": signed})
    message = head.message.model_copy(update={"body": body})
    await pair.given([envelope(REC, 99, message, message.model_dump_json().encode())])
    why = await pair.refusal()
    assert why.startswith(f"{Refusal.FORKED}: a head of size 3 came back with root {'00' * 32}")


async def test_more_entries_than_are_taken_in_one_step_are_taken_in_several(pair: Pair) -> None:
    for number in range(4, TAKEN_MAX + 6):
        units = issuance(GHA, U, number * 1000, number * 1000)
        await pair.says(pair.alive.proposal(GHA, f"GHA01-GHA-{number}", units))
    pair.collect(await pair.alive.tick(10))
    pair.back.anchor.text = pair.alive.anchor.text
    await pair.resent(pair.heard)
    await pair.given(pair.said)
    await pair.step()
    assert pair.back.hub.recovery is not None
    assert pair.back.hub.kept.log.size < pair.alive.hub.kept.log.size
    await pair.finish()
    assert await rows(pair.back) == await rows(pair.alive)


@pytest.mark.parametrize("parts", [0, 1, 2])
async def test_an_answer_about_evidence_that_had_gone_on_is_not_begun_again(
    pair: Pair, parts: int
) -> None:
    """One part of it had been said when the database was what it is now again."""
    wanted = Wanted(digest(b"asked"), GHA, TransactionId("GHA01-GHA-1"), 5, NOON, size=6, part=1)
    async with pair.back.store.transaction() as session:
        await saving.save_turn(session, wanted, over=False)
        said = [_part(number, wanted, pair.back) for number in range(parts)]
        await journals.keep_messages(session, [kept_as(one, GHANA) for one in said])
    await pair.back.restart()
    await pair.resent(pair.heard)
    await pair.given(pair.said)
    await pair.finish()
    assert list(pair.back.hub.kept.wanted) == ([wanted.message] if parts < 2 else [])


async def test_a_request_that_was_given_up_by_a_notice_is_not_answered(pair: Pair) -> None:
    wanted = Wanted(digest(b"asked"), GHA, TransactionId("GHA01-GHA-1"), 5, NOON)
    found = (finding(Reason.INTERNAL, "it cannot be put together"),)
    body = Notice(about=wanted.message, sequence=None, findings=found)
    said, line = Batch(NOON, pair.back.ids).make(
        "notice", str(wanted.transaction), body, answers=wanted.message
    )
    async with pair.back.store.transaction() as session:
        await saving.save_turn(session, wanted, over=False)
        kept = kept_as(envelope(GHANA, 201, said, line), GHANA)
        await journals.keep_messages(session, [kept])
    await pair.back.restart()
    await pair.resent(pair.heard)
    await pair.given(pair.said)
    await pair.finish()
    assert list(pair.back.hub.kept.wanted) == []


def _part(number: int, wanted: Wanted, alone: Alone) -> Heard:
    body = EvidencePart(transaction=wanted.transaction, number=number, last=False, size=6)
    message, line = Batch(NOON, alone.ids).make(
        "evidence-part", str(wanted.transaction), body, answers=wanted.message
    )
    return envelope(GHANA, 200 + number, message, line)


async def test_a_recovery_is_begun_with_an_anchor_that_fits_and_once(pair: Pair) -> None:
    size = pair.back.hub.kept.log.size
    grown, held = await told_to_recover(pair, pair.back.anchor)
    assert (grown, held) == (size, pair.alive.hub.kept.log.size)
    await pair.resent(pair.heard[:1])
    await pair.given(pair.said)
    await pair.step(SWISS)
    grown, _ = await told_to_recover(pair, pair.back.anchor)
    assert grown == size + 1
    async with pair.back.store.snapshot() as session:
        assert await journals.get_mark(session, RECOVERING) == size, "it goes on as it was begun"
    with pytest.raises(LocalProtocolError, match=Refusal.FORKED):
        await told_to_recover(pair, MemoryAnchor(signed_head(3, bytes(32))))
    with pytest.raises(LocalProtocolError, match=Refusal.MISSING):
        await told_to_recover(pair, MemoryAnchor())


async def test_the_command_is_taken_back_while_nothing_has_come_back(pair: Pair) -> None:
    head = await undone(pair)
    assert head.size == pair.back.hub.kept.log.size
    with pytest.raises(LocalProtocolError, match=Refusal.SHORTER):
        await pair.back.restart()
    with pytest.raises(LocalProtocolError, match=Refusal.NONE):
        await undone(pair)


async def test_the_command_is_not_taken_back_once_something_has_come_back(pair: Pair) -> None:
    head = next(one for one in pair.said if isinstance(one.message.body, Checkpoint))
    await pair.given([head])
    with pytest.raises(LocalProtocolError, match=Refusal.BEGUN):
        await undone(pair)
    await pair.given(pair.said)
    await pair.resent(pair.heard)
    await pair.step(SWISS)
    with pytest.raises(LocalProtocolError, match=Refusal.BEGUN):
        await undone(pair)
    await pair.finish()
    with pytest.raises(LocalProtocolError, match=Refusal.NONE):
        await undone(pair)


async def undone(pair: Pair) -> Head:
    store = open_store(pair.back.store.url)
    try:
        return await undo_recovery(store)
    finally:
        await store.close()


async def told_to_recover(pair: Pair, anchor: MemoryAnchor) -> tuple[int, int]:
    """As by the hub's verb; gives the sizes of log and anchor."""
    store = open_store(pair.back.store.url)
    try:
        grown, held = await begin_recovery(store, Guard(anchor, keyring(HUB).checkpoint))
    finally:
        await store.close()
    return grown.size, held.size


# --- what came back, and what was made of it -----------------------------------------------------


def is_entry(one: Heard, position: int | None = None) -> bool:
    body = one.message.body
    return isinstance(body, Entry) and position in {None, body.position}


def changed(one: Heard, change: Callable[[Entry], dict[str, Any]]) -> Heard:
    """The same entry with other members, signed all the same."""
    body = one.message.body.model_copy(update=change(one.message.body))
    message = one.message.model_copy(update={"body": body})
    return envelope(REC, 98, message, message.model_dump_json().encode())


def signed_head(size: int, root: bytes) -> str:
    key = keyring(HUB).checkpoint
    assert key is not None
    head = note.Checkpoint(LOG, size, root).to_text()
    return note.format_note(head, [note.sign_note(head, LOG, key)])
