# SPDX-License-Identifier: Apache-2.0
"""The handler alone, on SQLite, with the toy program: batches without node and broker."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from runtime import events
from runtime.clock import Ids
from runtime.handler import Handler
from runtime.store import Store, open_store
from runtime.work import Culprit, Done, Halting, Work
from schemas import limits
from schemas.envelope import digest
from schemas.findings import Reason
from schemas.messages import Hello, Lacking, Proposal
from tests.cast import CHE, GHA, HUB
from tests.peer import NOON, Peer, authentic, later
from tests.toy import Toy, empty_keyring, make_database


@dataclass
class Bench:
    """A handler and the toy hub under it."""

    store: Store
    toy: Toy
    handler: Handler

    async def run(self, *envelopes: bytes, **members: Any) -> Done:
        work = Work(sequenced=[authentic(one) for one in envelopes], **members)
        return await self.handler.run(work, NOON, (), frozenset())

    async def counted(self) -> list[str]:
        """The transactions that had an effect, in the order of effects."""
        async with self.store.snapshot() as session:
            rows = await session.execute(text('select "transaction" from toy_counted order by id'))
            return [row[0] for row in rows]


def a_proposal() -> Proposal:
    return Proposal(action="authorization", quantity=0, expires_at=later(3600))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    await make_database(url)
    store, toy = open_store(url), Toy(HUB)
    handler = Handler(toy, store, empty_keyring(HUB), Ids(), {})
    await handler.load()
    yield Bench(store, toy, handler)
    await store.close()


async def test_a_program_knows_of_whom_something_waits_behind_a_gap(bench: Bench) -> None:
    ghana, swiss = Peer(GHA), Peer(CHE)
    missing, early, later_one = ghana.ask(1), ghana.ask(2), ghana.ask(3)
    first = await bench.run(early, swiss.ask(1))
    assert first.batch.early == {GHA}  # what came in this very batch counts
    await bench.handler.load()
    after_a_restart = await bench.run(swiss.ask(2))
    assert after_a_restart.batch.early == {GHA}
    filled = await bench.run(missing)
    assert filled.batch.early == frozenset()
    assert (await bench.run(later_one)).batch.early == frozenset()
    assert bench.toy.early == [{GHA}, {GHA}, frozenset(), frozenset()]


AHEAD = {
    "as clocks differ": (limits.CLOCK_AHEAD_SECONDS_TOLERATED, []),
    "held before it was stored": (limits.CLOCK_AHEAD_SECONDS_MAX, [Reason.CLOCK_AHEAD]),
    "beyond the bound": (limits.CLOCK_AHEAD_SECONDS_MAX + 1, [Reason.CLOCK_AHEAD]),
    "by days": (10 * 86_400, [Reason.CLOCK_AHEAD]),
}


@pytest.mark.parametrize("name", AHEAD, ids=lambda name: name.replace(" ", "-"))
async def test_a_clock_ahead_refuses_proposals_alone_and_uses_up_the_sequence(
    bench: Bench, name: str
) -> None:
    seconds, expected = AHEAD[name]
    ghana = Peer(GHA)
    proposal = ghana.line("proposal", "GHA01-GHA-9", a_proposal())
    said = [ghana.question(1), proposal, ghana.question(2)]
    done = await bench.run(ghana.seal(said, sent_at=later(seconds)), ghana.ask(3))
    assert await bench.counted() == ["GHA01-GHA-1", "GHA01-GHA-2", "GHA01-GHA-3"]
    notices = [s.message.body for s in done.batch.said if s.message.type == "notice"]
    assert [f.reason for notice in notices for f in notice.findings] == expected
    assert [notice.about for notice in notices] == [digest(proposal)] * len(expected)
    assert bool(expected) == any(event == events.CLOCK_AHEAD for event, _ in done.batch.events)
    assert not done.refused


async def test_a_batch_stops_behind_the_envelope_that_halts_the_program(bench: Bench) -> None:
    ghana, swiss = Peer(GHA), Peer(CHE)
    before, halting, behind = ghana.ask(1), ghana.ask(2, 3), ghana.ask(4)
    envelopes = [before, halting, behind, swiss.ask(1)]
    bench.toy.halts = {"GHA01-GHA-2"}
    with pytest.raises(Halting) as stop:
        await bench.run(*envelopes)
    assert stop.value.last == {GHA: 2}
    assert await bench.counted() == []
    await bench.handler.load()
    cut = Work(sequenced=[authentic(one) for one in envelopes], tick=True).cut(stop.value.last)
    assert [a.unit.body for a in cut.sequenced] == [before, halting]
    done = await bench.handler.run(cut, NOON, (), frozenset())
    assert done.batch.halt == "stopped at GHA01-GHA-2"
    assert await bench.counted() == ["GHA01-GHA-1", "GHA01-GHA-3"]  # 3 is in the same envelope
    bench.toy.halts = set()
    await bench.run(behind, swiss.ask(1, sequence=1))
    assert (await bench.counted())[2:] == ["GHA01-GHA-4", "CHE01-CHE-1"]


async def test_what_is_behind_the_envelope_at_which_a_program_pauses_is_left_for_later(
    bench: Bench,
) -> None:
    ghana, swiss = Peer(GHA), Peer(CHE)
    envelopes = [ghana.ask(1), ghana.ask(2, 3), ghana.ask(4), swiss.ask(1)]
    bench.toy.pauses = {"GHA01-GHA-2"}
    with pytest.raises(Halting) as stop:
        await bench.run(*envelopes)
    await bench.handler.load()
    work = Work(sequenced=[authentic(one) for one in envelopes])
    assert [unit.body for unit in work.behind(stop.value.last)] == envelopes[2:]
    done = await bench.handler.run(work.cut(stop.value.last), NOON, (), frozenset())
    assert done.batch.halt is None
    assert await bench.counted() == ["GHA01-GHA-1", "GHA01-GHA-2", "GHA01-GHA-3"]
    await bench.run(*envelopes[2:])
    assert (await bench.counted())[3:] == ["GHA01-GHA-4", "CHE01-CHE-1"]


async def test_what_was_stored_early_behind_a_halting_envelope_stays_stored(bench: Bench) -> None:
    ghana = Peer(GHA)
    first, halting, behind = ghana.ask(1), ghana.ask(2), ghana.ask(3)
    await bench.run(halting, behind)
    bench.toy.halts = {"GHA01-GHA-2"}
    with pytest.raises(Halting) as stop:
        await bench.run(first)
    await bench.handler.load()
    cut = Work(sequenced=[authentic(first)]).cut(stop.value.last)
    await bench.handler.run(cut, NOON, (), frozenset())
    assert bench.handler.journal.early[GHA] == {3}
    bench.toy.halts = set()
    await bench.run(resume=[GHA])
    assert await bench.counted() == ["GHA01-GHA-1", "GHA01-GHA-3"]


async def test_a_control_envelope_with_two_bad_lines_is_put_aside_once(bench: Bench) -> None:
    peer = Peer(GHA)
    envelope = peer.seal([b"rubbish", b"more of it"], control=True, nonce="0" * 32)
    done = await bench.handler.run(Work(control=[authentic(envelope)]), NOON, (), frozenset())
    assert [refused.finding.reason for refused in done.refused] == [Reason.MESSAGE_MALFORMED]


async def test_a_greeting_is_answered_with_all_that_its_own_batch_takes(bench: Bench) -> None:
    """Stored or applied: a restored node would use the sequence of anything left out once more."""
    peer = Peer(GHA)
    applied, _, stored = peer.ask(1), peer.ask(2), peer.ask(3)
    greeting = peer.line("hello", "hello", Hello(actor=GHA, sent=0, received=0, answer=False))
    envelope = peer.seal([greeting], control=True, nonce="0" * 32)
    done = await bench.run(applied, stored, control=[authentic(envelope)])
    ((*_, answer, _),) = done.replies.say
    assert isinstance(answer, Hello)
    assert (answer.sent, answer.lacking) == (3, (Lacking(first=2, last=2),))


async def test_a_bug_names_its_item_and_nothing_has_happened(bench: Bench) -> None:
    bench.toy.bugs = {"GHA01-GHA-2"}
    envelopes = [Peer(CHE).ask(1), Peer(GHA).ask(1, 2, 3)]
    with pytest.raises(Culprit) as raised:
        await bench.run(*envelopes)
    assert raised.value.item.name == "GHA01/GHA#1/1"
    assert await bench.counted() == []
    await bench.handler.load()
    work = Work(sequenced=[authentic(one) for one in envelopes])
    done = await bench.handler.run(work, NOON, (), frozenset({"GHA01/GHA#1/1"}))
    assert await bench.counted() == ["CHE01-CHE-1", "GHA01-GHA-1", "GHA01-GHA-3"]
    notices = [s.message.body for s in done.batch.said if s.message.type == "notice"]
    assert [f.reason for notice in notices for f in notice.findings] == [Reason.INTERNAL]


async def test_what_was_stored_early_is_applied_in_parts_that_one_batch_can_carry(
    bench: Bench,
) -> None:
    ghana = Peer(GHA)
    missing = ghana.ask(1)
    number = limits.RESEND_ENVELOPES_MAX + 5
    await bench.run(*[ghana.ask(n + 2) for n in range(number)])
    first = await bench.run(missing)
    assert first.unfinished == {GHA}
    assert first.batch.early == {GHA}
    assert len(await bench.counted()) == limits.RESEND_ENVELOPES_MAX + 1
    assert bench.handler.journal.next_stored() == {GHA}
    second = await bench.run(ghana.ask(number + 2), resume=first.unfinished)
    assert second.unfinished == set()
    assert await bench.counted() == [f"GHA01-GHA-{n}" for n in range(1, number + 3)]
