# SPDX-License-Identifier: Apache-2.0
"""Greetings, requests and what is given back: who asks, who answers, who waits."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.control import Control, Replies
from runtime.journal import Journal, Sealed
from runtime.outbox import keep_sealed
from runtime.store import Store, open_store
from schemas import limits
from schemas.envelope import open_envelope
from schemas.identifiers import Actor
from schemas.messages import Hello, Message, ResendRequest, parse_message
from schemas.units import Frozen
from tests.cast import CHE, GHA, HUB, REC
from tests.peer import NOON, Peer
from tests.toy import founded, make_database

HUB_ACTOR = Actor("HUB")
GREETING = (GHA, HUB)


class Bench:
    """The control of a registry GHA01 that greets HUB, at a database."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.journal = Journal(GHA.participant)
        self.control = Control(GHA.participant, (GHA,), (HUB,), self.journal)

    async def hears(
        self, author: Actor, body: Frozen, type_: str, nonce: str | None = None
    ) -> Replies:
        peer = Peer(author, GHA.participant)
        line = peer.line(type_, "control", body)
        members = {"control": True, "nonce": "0" * 32, "answers_nonce": nonce}
        envelope = peer.seal([line], **members)
        message: Message = parse_message(line)
        replies = Replies()
        async with self.store.transaction() as session:
            await self.control.handle(
                session, open_envelope(envelope), message, founded(), lambda *_: None, replies
            )
        return replies

    async def answered(self, nonce: str | None, *, sent: int = 0, received: int = 0) -> Replies:
        """The hub answers a greeting; `sent` is what it has of ours, `received` what it sealed."""
        body = Hello(actor=GHA, sent=sent, received=received, answer=True)
        replies = await self.hears(HUB_ACTOR, body, "hello", nonce)
        self.control.committed(replies)
        return replies

    async def keep(self, *sizes: int) -> None:
        """Envelopes of ours, so large, sealed to the hub."""
        sealed = [Sealed(GHA, HUB, n, b"x" * size) for n, size in enumerate(sizes, start=1)]
        async with self.store.transaction() as session:
            await keep_sealed(session, sealed, NOON)
        self.journal.last[GHA, HUB] = len(sizes)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    url = f"sqlite:///{tmp_path / 'gha.db'}"
    await make_database(url)
    store = open_store(url)
    yield Bench(store)
    await store.close()


async def test_the_first_greeting_makes_a_program_wait_until_it_is_answered(bench: Bench) -> None:
    assert bench.control.waiting == {HUB}
    assert bench.control.open_greetings() == [GREETING]
    bench.control.greet("1" * 32, GREETING)
    await bench.answered("1" * 32)
    assert bench.control.waiting == frozenset()
    assert bench.control.open_greetings() == []


async def test_after_a_lost_link_everybody_is_greeted_and_nobody_waits(bench: Bench) -> None:
    bench.control.greet("1" * 32, GREETING)
    await bench.answered("1" * 32)
    bench.control.greet_anew()
    assert bench.control.waiting == frozenset()
    assert bench.control.open_greetings() == [GREETING]
    bench.control.greet("2" * 32, GREETING)
    replies = await bench.answered("2" * 32, received=4)
    assert replies.told == {HUB_ACTOR: 4}
    assert bench.control.open_greetings() == []


@pytest.mark.parametrize("nonce", ["2" * 32, None])
async def test_an_answer_to_no_greeting_of_ours_changes_nothing(
    bench: Bench, nonce: str | None
) -> None:
    bench.control.greet("1" * 32, GREETING)
    replies = await bench.answered(nonce, received=4)
    assert replies == Replies()
    assert bench.control.waiting == {HUB}


async def test_a_hello_is_answered_with_what_is_known_of_either_side(bench: Bench) -> None:
    bench.journal.last.update({(CHE, GHA.participant): 3, (GHA, CHE.participant): 5})
    hello = Hello(actor=CHE, sent=7, received=2, answer=False)
    replies = await bench.hears(CHE, hello, "hello")
    answer = Hello(actor=CHE, sent=3, received=5, answer=True)
    assert replies.say == [(GHA, CHE.participant, "hello", answer, "0" * 32)]
    assert replies.told == {CHE: 7}
    assert replies.behind is None


async def test_an_answer_names_what_its_own_batch_takes_as_well(bench: Bench) -> None:
    """Who was restored would use a sequence again that is told to it as free."""
    bench.journal.last.update({(CHE, GHA.participant): 3, (GHA, CHE.participant): 5})
    replies = await bench.hears(CHE, Hello(actor=CHE, sent=3, received=5, answer=False), "hello")
    replies.say.append((GHA, HUB, "hello", Hello(actor=GHA, sent=1, received=1, answer=False), "1"))
    others = replies.say[1:]
    bench.control.take_in(replies, {HUB_ACTOR: 9})
    assert replies.say[0][3] == Hello(actor=CHE, sent=3, received=5, answer=True)
    bench.control.take_in(replies, {CHE: 4, GHA: 9})
    assert replies.say[0][3] == Hello(actor=CHE, sent=4, received=5, answer=True)
    assert replies.say[1:] == others


async def test_whoever_lacks_its_own_envelopes_asks_for_them_and_keeps_waiting(
    bench: Bench,
) -> None:
    bench.control.greet("1" * 32, GREETING)
    replies = await bench.answered("1" * 32, sent=500)
    ask = ResendRequest(sender=GHA, first=1, last=limits.RESEND_ENVELOPES_MAX)
    assert replies.say == [(GHA, HUB, "resend", ask, None)]
    assert bench.control.waiting == {HUB}


MEGABYTE = 1024 * 1024
PARTS: dict[str, tuple[list[int], int]] = {
    "a few": ([10] * 3, 3),
    "too many": ([10] * (limits.RESEND_ENVELOPES_MAX + 5), limits.RESEND_ENVELOPES_MAX),
    "too many bytes": ([MEGABYTE] * 12, limits.RESEND_BYTES_MAX // MEGABYTE),
    "one too large by itself": ([limits.RESEND_BYTES_MAX + 1, 10], 1),
}


@pytest.mark.parametrize("name", PARTS, ids=lambda name: name.replace(" ", "-"))
async def test_what_is_sent_again_at_a_time_is_bounded_by_number_and_bytes(
    bench: Bench, name: str
) -> None:
    sizes, expected = PARTS[name]
    await bench.keep(*sizes)
    asked = ResendRequest(sender=GHA, first=1, last=len(sizes))
    replies = await bench.hears(HUB_ACTOR, asked, "resend")
    assert [e.sequence for e in replies.resend] == list(range(1, expected + 1))
    bench.control.greet("1" * 32, GREETING)
    replies = await bench.answered("1" * 32)
    assert [e.sequence for e in replies.resend] == list(range(1, expected + 1))


async def test_envelopes_of_a_third_are_not_handed_out(bench: Bench) -> None:
    await bench.keep(10, 10)
    asked = ResendRequest(sender=CHE, first=1, last=9)
    assert (await bench.hears(Actor("REC"), asked, "resend")).say == []
    asked = ResendRequest(sender=GHA, first=1, last=9)
    assert (await bench.hears(Actor("REC"), asked, "resend")).resend == []
    assert REC not in bench.control.waiting
