# SPDX-License-Identifier: Apache-2.0
"""Sealing: what goes into one envelope, under which number and key."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ledger.directory import Directory
from runtime import outbox
from runtime.clock import Ids
from runtime.journal import Journal, Sealed
from runtime.keys import Keyring
from runtime.program import Batch, Said
from runtime.sealing import Sealer, Way
from runtime.store import Store, open_store
from schemas import jws, limits
from schemas.directory import LastSequence, Revocation, Rotation
from schemas.envelope import Opened, digest, open_envelope, verify
from schemas.identifiers import Actor, Participant
from schemas.messages import parse_message
from tests.cast import ADM, CHE, GHA, HUB, MMR, REC, public, signed, signer
from tests.peer import NOON, Peer
from tests.toy import Toy, empty_keyring, founded, make_database

WAY = (GHA, HUB)


class Bench:
    """A sealer of the mechanism registry, or of Ghana's, and its journal."""

    def __init__(self, store: Store, participant: Participant = GHA.participant) -> None:
        self.store = store
        self.toy = Toy(participant)
        self.journal = Journal(participant)
        self.keyring: Keyring = empty_keyring(participant)
        self.sealer = Sealer(self.toy, self.keyring, self.journal)

    def batch(self) -> Batch:
        return Batch(NOON, Ids())

    def revoke(self, last: int) -> Directory:
        """Ghana's key is withdrawn beyond a sequence, and the next one named."""
        act = Revocation(
            actor=GHA,
            old=signer(GHA).public.key_id,
            new=public("next"),
            closes=(LastSequence(to=HUB, last=last),),
            reason="lost",
            at=NOON,
        )
        return founded().apply(signed(act, "ada", "ben"))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path / 'gha.db'}"
    await make_database(url)
    opened = open_store(url)
    yield opened
    await opened.close()


def say(batch: Batch, size: int, author: Actor = GHA, to: Participant = HUB) -> bytes:
    """Say so many bytes; what they say is not sealing's business."""
    peer = Peer(GHA)
    line = peer.question(1)
    line = line + b" " * (size - len(line))
    batch.said.append(Said(author, to, parse_message(line), line, digest(line)))
    return line


def opened(sealed: list[Sealed]) -> list[Opened]:
    return [open_envelope(one.body) for one in sealed]


BUNDLE, SMALL = limits.BUNDLE_BYTES_MAX, 1000
BUNDLES: dict[str, tuple[list[int], list[int]]] = {
    "one message": ([SMALL], [1]),
    "as many as one envelope takes": ([SMALL] * limits.MESSAGES_MAX, [limits.MESSAGES_MAX]),
    "one more": ([SMALL] * (limits.MESSAGES_MAX + 1), [limits.MESSAGES_MAX, 1]),
    "as many bytes as one takes": ([BUNDLE // 2, BUNDLE // 2], [2]),
    "one byte more": ([BUNDLE // 2, BUNDLE // 2, SMALL], [2, 1]),
    "a large one alone": ([SMALL, BUNDLE + 1, SMALL], [1, 1, 1]),
}


@pytest.mark.parametrize("name", BUNDLES, ids=lambda name: name.replace(" ", "-"))
def test_an_envelope_is_closed_by_number_and_by_size(store: Store, name: str) -> None:
    sizes, expected = BUNDLES[name]
    bench, changed = Bench(store), {WAY: 4}
    batch = bench.batch()
    lines = [say(batch, size) for size in sizes]
    sealed, kept = bench.sealer.seal(batch, changed)
    envelopes = opened(sealed)
    assert [len(envelope.lines) for envelope in envelopes] == expected
    assert [line for envelope in envelopes for line in envelope.lines] == lines
    sequences = list(range(5, 5 + len(expected)))
    assert [envelope.manifest.sequence for envelope in envelopes] == sequences
    assert changed == {WAY: sequences[-1]}
    places = [(row.sequence, row.line) for row in kept]
    assert places == [(n, i) for n, e in zip(sequences, expected, strict=True) for i in range(e)]


def test_every_author_and_recipient_has_envelopes_and_sequences_of_its_own(store: Store) -> None:
    bench = Bench(store, ADM.participant)
    bench.journal.last[ADM, HUB] = 9
    batch = bench.batch()
    changed: dict[Way, int] = {}
    for author, to in ((ADM, HUB), (MMR, HUB), (ADM, REC), (ADM, HUB)):
        say(batch, SMALL, author, to)
    sealed, _ = bench.sealer.seal(batch, changed)
    assert changed == {(ADM, HUB): 10, (MMR, HUB): 1, (ADM, REC): 1}
    for one, envelope in zip(sealed, opened(sealed), strict=True):
        manifest = envelope.manifest
        assert (manifest.sender, manifest.to) == (one.sender, one.recipient)
        verify(envelope.token, signer(one.sender).public)


async def test_a_rotation_is_the_last_envelope_under_the_old_key(store: Store) -> None:
    bench = Bench(store)
    bench.keyring.add(GHA, signer("next"))
    bench.journal.last.update({WAY: 7, (GHA, REC): 3, (CHE, GHA.participant): 5})
    batch = bench.batch()
    changed: dict[Way, int] = {}
    say(batch, SMALL)
    bench.sealer.seal(batch, changed)
    async with store.transaction() as session:
        sealed, row = await bench.sealer.rotate(session, GHA, batch, changed)
    (envelope,) = opened([sealed])
    assert (envelope.token.kid, envelope.manifest.sequence) == (signer(GHA).public.key_id, 9)
    assert changed == {WAY: 9}
    after = founded().apply(parse_message(envelope.lines[0]).body.act)
    assert after.keys[GHA][0].closes == {"HUB": 9, "REC": 3}
    assert (row.sequence, row.type) == (9, "rotation")
    bench.sealer.rotated(GHA)
    say(following := bench.batch(), SMALL)
    sealed_after, _ = bench.sealer.seal(following, changed)
    assert opened(sealed_after)[0].token.kid == signer("next").public.key_id


async def test_which_key_is_in_use_is_remembered(store: Store) -> None:
    bench = Bench(store)
    bench.keyring.add(GHA, signer("next"))
    async with store.transaction() as session:
        await bench.sealer.rotate(session, GHA, bench.batch(), {})
    again = Bench(store)
    again.keyring.add(GHA, signer("next"))
    async with store.transaction() as session:
        await again.sealer.load(session)
    say(batch := again.batch(), SMALL)
    sealed, _ = again.sealer.seal(batch, {})
    assert opened(sealed)[0].token.kid == signer("next").public.key_id


async def test_what_a_withdrawn_key_had_sealed_is_sealed_anew_with_the_same_messages(
    store: Store,
) -> None:
    bench = Bench(store)
    bench.keyring.add(GHA, signer("next"))
    batch = bench.batch()
    changed: dict[Way, int] = {}
    for _ in range(3):
        say(batch, BUNDLE)
    sealed, _ = bench.sealer.seal(batch, changed)
    async with store.transaction() as session:
        await outbox.keep_sealed(session, sealed, NOON)
        await outbox.mark_confirmed(session, sealed)
    bench.journal.last.update(changed)
    assert await bench.sealer.seal_anew(store) == []
    bench.toy.directory = bench.revoke(1)
    anew = await bench.sealer.seal_anew(store)
    assert [one.sequence for one in anew] == [2, 3]
    for before, after in zip(opened(sealed[1:]), opened(anew), strict=True):
        assert after.lines == before.lines
        assert after.manifest == before.manifest
        verify(after.token, signer("next").public)
    async with store.snapshot() as session:
        assert await outbox.sealed_range(session, *WAY, 1, 9) == [sealed[0], *anew]
        assert await outbox.unconfirmed(session, NOON, 9) == anew
    assert await bench.sealer.seal_anew(store) == []  # once


async def test_while_a_key_is_being_changed_nothing_is_sealed_anew(store: Store) -> None:
    """The directory here is behind: what the key in use has sealed is yet to be accepted."""
    bench = Bench(store)
    for name in ("next", "later"):
        bench.keyring.add(GHA, signer(name))
    changed: dict[Way, int] = {}
    bench.keyring.used[GHA] = 2
    say(batch := bench.batch(), BUNDLE)
    later, _ = bench.sealer.seal(batch, changed)
    async with store.transaction() as session:
        await outbox.keep_sealed(session, later, NOON)
    bench.journal.last.update(changed)
    bench.toy.directory = bench.revoke(0)
    assert await bench.sealer.seal_anew(store) == []


async def test_what_was_taken_under_an_older_key_is_not_sealed_anew(store: Store) -> None:
    """A key was changed, and the new one withdrawn before the recipient took anything under it."""
    bench = Bench(store)
    changed: dict[Way, int] = {}
    say(batch := bench.batch(), BUNDLE)
    taken, _ = bench.sealer.seal(batch, changed)
    async with store.transaction() as session:
        await outbox.keep_sealed(session, taken, NOON)
    bench.journal.last.update(changed)
    for name in ("next", "later"):
        bench.keyring.add(GHA, signer(name))
    rotation = Rotation(
        actor=GHA,
        old=signer(GHA).public.key_id,
        new=public("next"),
        closes=(LastSequence(to=HUB, last=1),),
        at=NOON,
    )
    revocation = Revocation(
        actor=GHA,
        old=signer("next").public.key_id,
        new=public("later"),
        closes=(),
        reason="lost",
        at=NOON,
    )
    bench.toy.directory = (
        founded().apply(signed(rotation, str(GHA), "next")).apply(signed(revocation, "ada", "ben"))
    )
    assert await bench.sealer.seal_anew(store) == []
    async with store.snapshot() as session:
        assert await outbox.sealed_range(session, *WAY, 1, 9) == taken


async def test_what_a_key_had_sealed_that_was_never_shown_is_sealed_anew(store: Store) -> None:
    """It was changed to, and the change was lost; then the key before it was withdrawn."""
    bench = Bench(store)
    for name in ("lost", "next"):
        bench.keyring.add(GHA, signer(name))
    changed: dict[Way, int] = {}
    say(batch := bench.batch(), BUNDLE)
    async with store.transaction() as session:
        rotated, _ = await bench.sealer.rotate(session, GHA, batch, changed)
        bench.sealer.rotated(GHA)
        say(batch := bench.batch(), BUNDLE)
        lost, _ = bench.sealer.seal(batch, changed)
        await outbox.keep_sealed(session, [rotated, *lost], NOON)
    bench.journal.last.update(changed)
    bench.toy.directory = bench.revoke(0)
    anew = await bench.sealer.seal_anew(store)
    assert [one.sequence for one in anew] == [1, 2]
    for one in opened(anew):
        verify(one.token, signer("next").public)


def test_a_control_envelope_has_a_nonce_and_no_sequence(store: Store) -> None:
    bench = Bench(store)
    line = Peer(GHA).question(1)
    sealed = bench.sealer.seal_control(WAY, line, NOON, "1" * 32, "2" * 32)
    envelope = open_envelope(sealed)
    manifest = envelope.manifest
    assert (manifest.control, manifest.sequence) == (True, None)
    assert (manifest.nonce, manifest.answers_nonce) == ("1" * 32, "2" * 32)
    verify(envelope.token, signer(GHA).public)


def test_a_key_that_is_held_here_is_known_by_its_id(store: Store) -> None:
    bench = Bench(store)
    held: jws.PublicKey = signer(GHA).public
    assert bench.sealer.own_key(GHA, held.key_id) == held
    assert bench.sealer.own_key(GHA, signer("next").public.key_id) is None
    assert bench.sealer.own_key(CHE, held.key_id) is None
    assert not bench.sealer.following(GHA)
    bench.keyring.add(GHA, signer("next"))
    assert bench.sealer.following(GHA)
