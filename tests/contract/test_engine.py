# SPDX-License-Identifier: Apache-2.0
"""The engine's contract about messages: order, repetition, gaps, false ones, and bugs.

It runs real nodes with a toy program on each kind of store and broker, with the same tests.
Elsewhere: commits that fail (`test_engine_commits`), the desk and keys (`test_engine_desk`).
"""

import pytest

from runtime import events
from runtime.halts import HALTED_BEFORE
from schemas import limits
from schemas.envelope import digest
from schemas.findings import Reason
from schemas.identifiers import Actor, TransactionId
from schemas.messages import Checkpoint, Message, Notice, StatusAnswer
from tests.cast import CHE, GHA
from tests.engine import Engine, until
from tests.peer import later


def status(number: int) -> StatusAnswer:
    about = TransactionId(f"GHA01-GHA-{number}")
    return StatusAnswer(transaction=about, state=None, position=None, closed_to=0)


def reasons(message: Message) -> list[Reason]:
    assert isinstance(message.body, Notice)
    return [found.reason for found in message.body.findings]


@pytest.mark.requirement(33)
async def test_a_message_has_one_effect_however_often_it_comes(engine: Engine) -> None:
    await engine.start()
    ghana = await engine.hand(GHA)
    line = ghana.question(1)
    await ghana.send(*[ghana.seal([line])] * 3)
    answer = await ghana.answer(digest(line))
    await ghana.send(ghana.seal([line]), ghana.ask(2))  # said once more, in an envelope of its own
    await engine.counts(1, 2)
    assert await engine.logged(events.ENVELOPE_TWICE)

    async def answered_again() -> bool:
        return len([m for m in await ghana.listen() if m.id == answer.id]) >= 2

    await until(answered_again, "the same answer once more")
    assert len({m.id for m in ghana.heard if m.answers == digest(line)}) == 1
    assert await engine.rows("select * from dead_letters") == []


async def test_what_is_missing_is_asked_for_and_applied_in_order(engine: Engine) -> None:
    await engine.start()
    ghana = await engine.hand(GHA)
    first, second, third, fourth = (ghana.ask(n) for n in (1, 2, 3, 4))
    await ghana.send(first, fourth, third)
    asked = await ghana.hears(lambda m: m.type == "resend", "a request for what is missing")
    assert (asked.body.sender, asked.body.first, asked.body.last) in {(GHA, 2, 2), (GHA, 2, 3)}
    assert len(await engine.counted()) <= 1
    await ghana.send(second)
    await engine.counts(1, 2, 3, 4)


async def test_a_gap_is_asked_for_again_after_an_outage(engine: Engine) -> None:
    await engine.start()
    ghana = await engine.hand(GHA)
    first, second = ghana.ask(1), ghana.ask(2)
    await ghana.send(second)
    await ghana.hears(lambda m: m.type == "resend", "a request for what is missing")
    await engine.site.cut()
    await engine.logged(events.LINK_CHANGED, state="down")
    before = len(engine.so_far(events.GAP_ASKED))
    await engine.site.mend()
    await engine.logged(events.GAP_ASKED, before + 1)
    await ghana.send(first)
    await engine.counts(1, 2)


async def test_early_ones_are_stored_up_to_a_bound_and_nothing_is_lost(engine: Engine) -> None:
    await engine.start()
    ghana = await engine.hand(GHA)
    first = ghana.ask(1)
    early = [ghana.ask(n + 2) for n in range(limits.EARLY_ENVELOPES_MAX)]
    beyond = ghana.ask(limits.EARLY_ENVELOPES_MAX + 2)
    await ghana.send(*early)

    async def stored() -> bool:
        rows = await engine.rows("select count(*) from inbox where applied = 0")
        return bool(rows[0][0] == limits.EARLY_ENVELOPES_MAX)

    await until(stored, "all early ones stored")
    await ghana.send(beyond)
    assert await engine.dead(1) == [Reason.TOO_MANY_EARLY]
    told = await ghana.hears(lambda m: m.type == "notice", "a notice about the one too many")
    assert reasons(told) == [Reason.TOO_MANY_EARLY]
    await ghana.send(first, beyond)  # its place is still free
    await engine.counts(*range(1, limits.EARLY_ENVELOPES_MAX + 3))


@pytest.mark.parametrize("place", ["applied", "stored early"])
async def test_another_envelope_under_a_used_sequence_is_kept_as_proof(
    engine: Engine, place: str
) -> None:
    first_applied = place == "applied"
    await engine.start()
    ghana = await engine.hand(GHA)
    missing = b"" if first_applied else ghana.ask(7)
    first = ghana.ask(1)
    await ghana.send(first)
    await engine.counts(*([1] if first_applied else []))

    async def kept() -> bool:
        return bool(await engine.rows("select 1 from inbox"))

    await until(kept, "the first one in the inbox")
    false = ghana.ask(2, sequence=ghana.sequence)
    await ghana.send(false)
    assert await engine.dead(1) == [Reason.SEQUENCE_EQUIVOCATION]
    proof = await engine.rows("select body from dead_letters")
    assert bytes(proof[0][0]) == false
    await ghana.send(*([missing] if missing else []), ghana.ask(3))
    await engine.counts(*([1, 3] if first_applied else [7, 1, 3]))


async def test_other_bytes_under_a_message_id_are_kept_as_proof(engine: Engine) -> None:
    await engine.start()
    ghana = await engine.hand(GHA)
    line = ghana.question(1)
    other = line.replace(b"GHA01-GHA-1", b"GHA01-GHA-2")
    await ghana.send(ghana.seal([line]), ghana.seal([other, ghana.question(3)]))
    assert reasons(await ghana.answer(digest(other))) == [Reason.MESSAGE_EQUIVOCATION]
    assert await engine.dead(1) == [Reason.MESSAGE_EQUIVOCATION]
    await engine.counts(1, 3)


async def test_a_culprit_in_the_middle_of_a_batch_is_set_aside_and_the_rest_goes_on(
    engine: Engine,
) -> None:
    ghana, swiss = await engine.hand(GHA), await engine.hand(CHE)
    bad = ghana.question(3)
    envelopes = [ghana.ask(1), ghana.seal([ghana.question(2), bad, ghana.question(4)])]
    await ghana.send(*envelopes, ghana.ask(5))
    await swiss.send(swiss.ask(6))
    await engine.start(bugs={"GHA01-GHA-3"})  # all of it waits, and comes as one batch
    assert reasons(await ghana.answer(digest(bad))) == [Reason.INTERNAL]
    await engine.taken(ghana)
    await engine.taken(swiss)
    assert sorted(await engine.counted()) == sorted(
        [f"GHA01-GHA-{n}" for n in (1, 2, 4, 5)] + ["CHE01-CHE-6"]
    )
    assert await engine.logged(events.CULPRIT_SET_ASIDE, item="GHA01/GHA#2/1")
    assert engine.toys[ghana.to].counts == {GHA: 4, CHE: 1}


async def test_a_message_that_spoils_the_commit_is_set_aside_and_the_rest_goes_on(
    engine: Engine,
) -> None:
    ghana, swiss = await engine.hand(GHA), await engine.hand(CHE)
    bad = ghana.question(2)
    await ghana.send(ghana.ask(1), ghana.seal([bad]), ghana.ask(3))
    await swiss.send(swiss.ask(4))
    await engine.start(spoils={"GHA01-GHA-2"})
    assert reasons(await ghana.answer(digest(bad))) == [Reason.INTERNAL]
    await engine.taken(ghana)
    await engine.taken(swiss)
    assert sorted(await engine.counted()) == ["CHE01-CHE-4", "GHA01-GHA-1", "GHA01-GHA-3"]
    assert await engine.logged(events.CULPRIT_SET_ASIDE, item=["GHA01/GHA#2/0"])
    assert engine.toys[ghana.to].counts == {GHA: 2, CHE: 1}


@pytest.mark.parametrize("order", [(1, 2, 3), (2, 3, 1)], ids=["in-order", "stored-early"])
async def test_a_checkpoint_that_a_bug_meets_is_never_skipped(
    engine: Engine, order: tuple[int, ...]
) -> None:
    hub = await engine.hand(Actor("HUB"), GHA.participant)
    shown = Checkpoint(note="unlucky", proof_from=0, proof=(), deliveries=())
    envelopes = {
        1: hub.seal([hub.line("status", "GHA01-GHA-1", status(1))]),
        2: hub.seal([hub.line("checkpoint", "checkpoint", shown)]),
        3: hub.seal([hub.line("status", "GHA01-GHA-3", status(3))]),
    }
    registry = await engine.start(GHA.participant, bugs={"unlucky"})
    greeting = await hub.hears(lambda m: m.type == "hello", "a greeting")
    await hub.answer_greeting(greeting.body, hub.nonces[-1])
    await engine.logged(events.NODE_GREETED)
    await hub.send(*(envelopes[n] for n in order))
    await engine.logged(events.NODE_HALTED)
    await engine.tasks.pop(GHA.participant)
    assert "checkpoint could not be handled" in str(registry.halted)
    assert await engine.rows("select * from dead_letters", GHA.participant) == []
    await engine.start(GHA.participant)  # a version without the bug
    await hub.hears(lambda m: m.type == "hello" and m.id != greeting.id, "another greeting")
    await hub.answer_greeting(greeting.body, hub.nonces[-1])
    await engine.counts(1, 3, at=GHA.participant)
    taken = "select sequence from inbox where applied = 1 order by sequence"
    assert [r[0] for r in await engine.rows(taken, GHA.participant)] == [1, 2, 3]


async def test_a_refused_message_is_told_to_its_author_and_its_neighbours_count(
    engine: Engine,
) -> None:
    await engine.start(refused={"GHA01-GHA-2"})
    ghana = await engine.hand(GHA)
    refused = ghana.question(2)
    await ghana.send(ghana.seal([ghana.question(1), refused, b"rubbish", ghana.question(3)]))
    assert reasons(await ghana.answer(digest(refused))) == [Reason.TRANSACTION_UNKNOWN]
    assert reasons(await ghana.answer(digest(b"rubbish"))) == [Reason.MESSAGE_MALFORMED]
    await engine.counts(1, 3)


async def test_what_follows_a_halting_message_is_there_once_it_is_resumed(
    engine: Engine,
) -> None:
    ghana = await engine.hand(GHA)
    await ghana.send(ghana.ask(1), ghana.ask(2), ghana.ask(3), ghana.ask(4))
    node = await engine.start(halts={"GHA01-GHA-2"})
    await engine.logged(events.NODE_HALTED)
    await engine.tasks.pop(ghana.to)
    assert node.halted == "stopped at GHA01-GHA-2"
    await engine.counts(1)
    again = await engine.start()
    await engine.tasks.pop(ghana.to)
    assert again.halted == HALTED_BEFORE
    await engine.counts(1)
    await engine.resume()
    await engine.start()
    await engine.counts(1, 3, 4)


async def test_what_is_stored_behind_a_halting_message_is_applied_once_it_is_resumed(
    engine: Engine,
) -> None:
    await engine.start(halts={"GHA01-GHA-2"})
    ghana = await engine.hand(GHA)
    missing = ghana.ask(1)
    await ghana.send(ghana.ask(2), ghana.ask(3), ghana.ask(4))
    await ghana.hears(lambda m: m.type == "resend", "a request for what is missing")
    await ghana.send(missing)
    await engine.logged(events.NODE_HALTED)
    await engine.tasks.pop(ghana.to)
    await engine.counts(1)
    await engine.resume()
    await engine.start()  # nothing more arrives
    await engine.counts(1, 3, 4)


@pytest.mark.parametrize("missing", [0, 1])
async def test_a_program_that_pauses_goes_on_with_what_is_behind(
    engine: Engine, missing: int
) -> None:
    """It arrived in one batch, or was stored behind a gap."""
    ghana = await engine.hand(GHA)
    said = [ghana.ask(number) for number in (1, 2, 3, 4)]
    await ghana.send(*said[missing:])
    await engine.start(pauses={"GHA01-GHA-2"})
    if missing:
        await ghana.hears(lambda m: m.type == "resend", "a request for what is missing")
        await ghana.send(*said[:missing])
    await engine.counts(1, 2, 3, 4)
    assert engine.so_far(events.NODE_HALTED) == []


async def test_a_clock_far_ahead_blocks_nothing(engine: Engine) -> None:
    await engine.start()
    ghana = await engine.hand(GHA)
    ahead = later(limits.CLOCK_AHEAD_SECONDS_MAX * 100, engine.clock.now())
    await ghana.send(ghana.ask(1, sent_at=ahead), ghana.ask(2))
    await engine.counts(1, 2)
    assert await engine.logged(events.CLOCK_AHEAD, sender=GHA, sequence=1)
    assert await engine.rows("select * from dead_letters") == []


async def test_a_program_knows_of_whom_something_waits_for_its_time(engine: Engine) -> None:
    await engine.start()
    ghana, swiss = await engine.hand(GHA), await engine.hand(CHE)
    soon = later(limits.CLOCK_AHEAD_SECONDS_MAX / 2, engine.clock.now())
    await ghana.send(ghana.ask(1, sent_at=soon))
    await engine.logged(events.ENVELOPE_HELD)
    await swiss.send(swiss.ask(2))
    await engine.counts(2)
    assert engine.toys[ghana.to].early == [{GHA}]


async def test_what_is_not_authentic_uses_up_nothing(engine: Engine) -> None:
    await engine.start()
    ghana, swiss = await engine.hand(GHA), await engine.hand(CHE)
    stolen = swiss.ask(9)
    await ghana.send(b"rubbish", stolen, ghana.ask(1))
    assert await engine.dead(2) == [Reason.ENVELOPE_MALFORMED, Reason.SENDER_NOT_AT_LINK]
    await swiss.send(swiss.ask(2, sequence=1))
    await engine.counts(1, 2)
