# SPDX-License-Identifier: Apache-2.0
"""The journal: what is in memory is what the database holds, and bytes stay as they were."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime import journal as journals
from runtime import outbox
from runtime.journal import Journal, Kept, Sealed
from runtime.store import Store, open_store
from runtime.tables import dead_letters
from schemas.envelope import digest, open_envelope
from schemas.findings import Reason, finding
from schemas.identifiers import HUB_ACTOR, Digest
from tests.cast import CHE, GHA, HUB, REC
from tests.peer import NOON, Peer, later
from tests.toy import make_database


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    await make_database(url)
    opened = open_store(url)
    yield opened
    await opened.close()


def kept(line: bytes, sequence: int, place: int = 0, answers: str | None = None) -> Kept:
    id_ = f"{sequence}/{place}"
    told = Digest(answers) if answers else None
    return Kept(GHA, id_, digest(line), "status", "control", told, HUB, sequence, place)


async def loaded(store: Store) -> Journal:
    journal = Journal(HUB)
    async with store.snapshot() as session:
        await journal.load(session)
    return journal


async def test_sequences_are_kept_by_sender_and_recipient(store: Store) -> None:
    async with store.transaction() as session:
        await journals.save_sequences(session, {(GHA, HUB): 3, (CHE, HUB): 1})
    async with store.transaction() as session:
        await journals.save_sequences(session, {(GHA, HUB): 4, (GHA, REC): 9})
        await journals.save_sequences(session, {})
    journal = await loaded(store)
    assert journal.last == {(GHA, HUB): 4, (CHE, HUB): 1, (GHA, REC): 9}
    assert (journal.received(GHA), journal.received(CHE)) == (4, 1)
    assert (journal.sent(GHA, REC), journal.sent(CHE, REC)) == (9, 0)


async def test_early_envelopes_are_known_until_they_are_applied_or_forgotten(store: Store) -> None:
    ghana, swiss = Peer(GHA), Peer(CHE)
    early = [open_envelope(ghana.ask(n, sequence=n)) for n in (2, 3, 5, 6)]
    others = [open_envelope(swiss.ask(1))]
    async with store.transaction() as session:
        await journals.keep_received(session, [*early, *others], NOON, applied=False)
    journal = await loaded(store)
    assert journal.early == {GHA: {2, 3, 5, 6}, CHE: {1}}
    assert journal.next_stored() == {CHE}
    async with store.transaction() as session:
        await journals.mark_applied(session, GHA, 2, 3)
        await journals.forget_early(session, GHA, 6)
        await journals.forget_early(session, GHA, 2)  # what is applied is not forgotten
    assert (await loaded(store)).early == {CHE: {1}}
    async with store.snapshot() as session:
        bodies = await journals.received_range(session, GHA, 1, 9)
        assert bodies == [early[0].body, early[1].body]
        assert await journals.signed_of(session, GHA, 2) == early[0].signed_digest
        assert await journals.signed_of(session, GHA, 5) is None


async def test_marks_remember_numbers_by_name(store: Store) -> None:
    async with store.transaction() as session:
        await journals.set_mark(session, "seen", 3)
        await journals.set_mark(session, "seen", 2)
    async with store.snapshot() as session:
        assert await journals.get_mark(session, "seen") == 2
        assert await journals.get_mark(session, "other", 7) == 7


async def test_a_message_is_found_by_author_and_id_and_by_digest(store: Store) -> None:
    rows = [kept(b"one", 1), kept(b"two", 1, 1), kept(b"three", 2)]
    async with store.transaction() as session:
        await journals.keep_messages(session, rows)
        await journals.keep_messages(session, rows[:1])  # said to one more participant
        known = await journals.known_messages(session, [(GHA, "1/0"), (GHA, "9/9"), (CHE, "2/0")])
        asked = [digest(b"three"), digest(b"four")]
        found = await journals.messages_by_digest(session, asked, {GHA, CHE})
        by_another = await journals.messages_by_digest(session, asked, {HUB_ACTOR})
    assert known == {(GHA, "1/0"): rows[0]}
    assert found == {digest(b"three"): rows[2]}
    assert by_another == {}


@pytest.mark.parametrize("side", ["said", "heard"])
async def test_a_kept_line_is_given_back_byte_for_byte(store: Store, side: str) -> None:
    ghana = Peer(GHA)
    lines = [ghana.question(1), ghana.question(2)]
    body = ghana.seal(lines)
    async with store.transaction() as session:
        if side == "said":
            await outbox.keep_sealed(session, [Sealed(GHA, HUB, 1, body)], NOON)
        else:
            await journals.keep_received(session, [open_envelope(body)], NOON, applied=True)
        found = await journals.kept_line(session, kept(lines[1], 1, 1))
    assert found == (body.partition(b"\n")[0], lines[1])


async def test_what_is_unconfirmed_for_a_while_is_found_oldest_first(store: Store) -> None:
    old, new, done = (Sealed(GHA, HUB, n, b"%d" % n) for n in (1, 2, 3))
    async with store.transaction() as session:
        await outbox.keep_sealed(session, [new], later(5))
        await outbox.keep_sealed(session, [old, done], NOON)
        await outbox.mark_confirmed(session, [done])
    async with store.snapshot() as session:
        assert await outbox.unconfirmed(session, NOON, 9) == [old]
        assert await outbox.unconfirmed(session, later(5), 9) == [old, new]
        assert await outbox.unconfirmed(session, later(5), 1) == [old]


async def test_the_envelopes_that_answered_a_message_are_found(store: Store) -> None:
    asked, other = digest(b"asked"), digest(b"other")
    sealed = [Sealed(GHA, HUB, n, b"%d" % n) for n in (1, 2, 3)]
    async with store.transaction() as session:
        await outbox.keep_sealed(session, sealed, NOON)
        rows = [kept(b"a", 1, 0, asked), kept(b"b", 2, 0, other), kept(b"c", 3, 0, asked)]
        await journals.keep_messages(session, rows)
        found = await outbox.answers_to(session, asked)
    assert found == [sealed[0], sealed[2]]


async def test_a_dead_letter_keeps_the_bytes_and_the_reason(store: Store) -> None:
    found = finding(Reason.SIGNATURE_INVALID, "it is not")
    async with store.transaction() as session:
        await journals.bury(session, found, b"\x00\xff", None, NOON)
        rows = list(await session.execute(dead_letters.select()))
    assert [(r.reason, r.detail, r.code, r.body, r.state, r.claimed_sender) for r in rows] == [
        ("signature-invalid", "it is not", found.code, b"\x00\xff", "open", None)
    ]
