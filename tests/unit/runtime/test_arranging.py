# SPDX-License-Identifier: Apache-2.0
"""The order of sequences: what is ready, early, twice or false, for every order of arrival."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from ledger.directory import Directory
from runtime import journal as journals
from runtime.arranging import Arranged, arrange
from runtime.journal import Journal
from runtime.store import Store, open_store
from schemas.directory import LastSequence, Revocation, Rotation
from schemas.envelope import open_envelope
from schemas.findings import Reason
from schemas.identifiers import Participant
from tests.cast import CHE, GHA, HUB, signed, signer
from tests.peer import NOON, Peer, authentic
from tests.toy import founded, make_database

NOBODY: frozenset[Participant] = frozenset()


class Bench:
    """A hub's journal, and envelopes of Ghana's by their sequence."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.journal = Journal(HUB)
        self.ghana = Peer(GHA)
        self.envelopes: dict[int, bytes] = {}

    def envelope(self, sequence: int) -> bytes:
        if sequence not in self.envelopes:
            self.envelopes[sequence] = self.ghana.ask(sequence, sequence=sequence)
        return self.envelopes[sequence]

    async def received(self, *sequences: int, applied: bool) -> None:
        """What is there before."""
        opened = [open_envelope(self.envelope(n)) for n in sequences]
        async with self.store.transaction() as session:
            await journals.keep_received(session, opened, NOON, applied=applied)
        if applied:
            self.journal.last[GHA, HUB] = max(sequences)
        else:
            self.journal.early[GHA] = set(sequences)

    async def arrange(
        self,
        envelopes: Sequence[bytes],
        directory: Directory | None = None,
        waiting: frozenset[Participant] = NOBODY,
        **members: object,
    ) -> Arranged:
        async with self.store.transaction() as session:
            return await arrange(
                session,
                self.journal,
                directory or founded(),
                [authentic(one) for one in envelopes],
                waiting,
                **members,  # type: ignore[arg-type]
            )


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    await make_database(url)
    store = open_store(url)
    yield Bench(store)
    await store.close()


def numbers(opened: Sequence[object]) -> list[int]:
    return [one.manifest.sequence for one in opened]  # type: ignore[attr-defined]


# what arrives, with 1 and 2 applied and 5 and 6 stored: what is ready, fresh, early, stored after
ORDERS: dict[str, tuple[list[int], list[int], list[int], list[int], set[int]]] = {
    "the next": ([3], [3], [3], [], {5, 6}),
    "two in order": ([3, 4], [3, 4, 5, 6], [3, 4], [], set()),
    "two in reverse": ([4, 3], [3, 4, 5, 6], [3, 4], [], set()),
    "one too early": ([4], [], [], [4], {4, 5, 6}),
    "one far ahead": ([9], [], [], [9], {5, 6, 9}),
    "behind what is stored": ([7, 4, 3], [3, 4, 5, 6, 7], [3, 4, 7], [], set()),
    "what was applied": ([1, 2], [], [], [], {5, 6}),
    "what is stored": ([5, 6], [], [], [], {5, 6}),
    "the next, three times": ([3, 3, 3], [3], [3], [], {5, 6}),
}


@pytest.mark.parametrize("name", ORDERS, ids=lambda name: name.replace(" ", "-"))
async def test_envelopes_are_ready_in_order_and_early_before_their_turn(
    bench: Bench, name: str
) -> None:
    arrived, ready, fresh, early, stored = ORDERS[name]
    await bench.received(1, 2, applied=True)
    await bench.received(5, 6, applied=False)
    found = await bench.arrange([bench.envelope(n) for n in arrived])
    assert numbers(found.ready) == ready
    assert numbers(found.fresh) == fresh
    assert numbers(found.early) == early
    assert found.stored == {GHA: stored}
    assert found.last == ({GHA: ready[-1]} if ready else {})
    assert found.refused == []


@pytest.mark.parametrize("sequence", [2, 5, 3], ids=["applied", "stored", "in-the-same-batch"])
async def test_another_envelope_under_a_sequence_is_equivocation(
    bench: Bench, sequence: int
) -> None:
    await bench.received(1, 2, applied=True)
    await bench.received(5, applied=False)
    other = bench.ghana.ask(99, sequence=sequence)
    found = await bench.arrange([bench.envelope(3), other])
    assert numbers(found.ready) == [3]
    assert [r.finding.reason for r in found.refused] == [Reason.SEQUENCE_EQUIVOCATION]
    assert [(r.unit.body, r.claimed, r.authentic) for r in found.refused] == [(other, GHA, True)]


async def test_senders_do_not_wait_for_one_another(bench: Bench) -> None:
    found = await bench.arrange([bench.envelope(2), Peer(CHE).ask(1)])
    assert numbers(found.early) == [2]
    assert found.last == {CHE: 1}


async def test_until_sequences_are_exchanged_everything_is_early_without_a_bound(
    bench: Bench,
) -> None:
    await bench.received(1, 2, applied=True)
    found = await bench.arrange([bench.envelope(3)], waiting=frozenset({GHA.participant}))
    assert (numbers(found.ready), numbers(found.early)) == ([], [3])
    await bench.received(3, applied=False)
    found = await bench.arrange([], resume=[GHA])
    assert (numbers(found.ready), found.fresh, found.last) == ([3], [], {GHA: 3})


@pytest.mark.parametrize(("bound", "ready"), [(2, []), (3, [3]), (5, [3, 4, 5]), (9, [3, 4, 5, 6])])
async def test_nothing_is_ready_beyond_where_the_program_stops(
    bench: Bench, bound: int, ready: list[int]
) -> None:
    await bench.received(1, 2, applied=True)
    await bench.received(4, 5, 6, applied=False)
    arrived = [bench.envelope(3)][: len(ready)]
    found = await bench.arrange(arrived, resume=[GHA], until={GHA: bound})
    assert numbers(found.ready) == ready
    assert found.stored[GHA] == {4, 5, 6} - set(ready)


def withdrawn(last: int) -> Directory:
    """Ghana's key is good up to a sequence."""
    act = Revocation(
        actor=GHA,
        old=signer(GHA).public.key_id,
        new=None,
        closes=(LastSequence(to=HUB, last=last),),
        reason="lost",
        at=NOON,
    )
    return founded().apply(signed(act, "ada", "ben"))


async def test_what_is_stored_under_a_key_that_is_not_shown_yet_waits_for_it(bench: Bench) -> None:
    """A hub that recovered has learned of the change before it is heard: in envelope 3."""
    await bench.received(1, 2, applied=True)
    new = Peer(GHA, signer=signer("GHA01/GHA next"))
    bench.envelopes |= {n: new.ask(n, sequence=n) for n in (4, 5)}
    await bench.received(3, 4, 5, applied=False)
    found = await bench.arrange([], resume=[GHA])
    assert numbers(found.ready) == [3]
    assert found.stored == {GHA: {4, 5}}
    bench.journal.last[GHA, HUB] = 3
    bench.journal.early[GHA] = {4, 5}
    assert numbers((await bench.arrange([], resume=[GHA])).ready) == []
    found = await bench.arrange([], changed(3), resume=[GHA])
    assert numbers(found.ready) == [4, 5]


async def test_what_waits_for_its_key_gives_way_to_what_is_authentic(bench: Bench) -> None:
    """The change was not taken, so its owner has sealed anew."""
    await bench.received(1, 2, applied=True)
    new = Peer(GHA, signer=signer("GHA01/GHA next"))
    bench.envelopes[3] = new.ask(3, sequence=3)
    await bench.received(3, applied=False)
    anew = bench.ghana.ask(3, sequence=3)
    found = await bench.arrange([anew])
    assert [one.body for one in found.ready] == [anew]
    assert found.refused == []


def changed(last: int) -> Directory:
    """Ghana has another key behind envelope `last`."""
    names = (str(GHA), "GHA01/GHA next")
    old, new = (signer(name).public for name in names)
    act = Rotation(
        actor=GHA,
        old=old.key_id,
        new=new.to_text(),
        closes=(LastSequence(to=HUB, last=last),),
        at=NOON,
    )
    return founded().apply(signed(act, *names))


@pytest.mark.parametrize(("last", "ready"), [(2, []), (3, [3]), (4, [3, 4]), (9, [3, 4, 5])])
async def test_what_is_stored_under_a_withdrawn_key_never_authenticated(
    bench: Bench, last: int, ready: list[int]
) -> None:
    await bench.received(1, 2, applied=True)
    await bench.received(3, 4, 5, applied=False)
    found = await bench.arrange([], withdrawn(last), resume=[GHA])
    assert numbers(found.ready) == ready
    assert found.stored == {GHA: set()}
    async with bench.store.snapshot() as session:
        left = await journals.received_range(session, GHA, 3, 9)
    assert len(left) == len(ready)
