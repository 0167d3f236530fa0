# SPDX-License-Identifier: Apache-2.0
"""The engine's contract about commits and links that fail, crashes, restores and stopping.

Elsewhere: messages (`test_engine`), the desk and keys (`test_engine_desk`).
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Table, select

from runtime import events, outbox
from runtime.journal import Sealed
from runtime.second_person import SecondPerson
from runtime.store import Session
from runtime.tables import metadata
from schemas.envelope import digest
from schemas.identifiers import Actor, Participant, TransactionId
from schemas.messages import StatusAnswer
from tests.cast import CHE, GHA, HUB
from tests.crashes import NEVER, CrashingStore, FailingStore
from tests.engine import Engine, Hand, until
from tests.peer import Peer
from tests.toy import acts, counted

REGISTRY = GHA.participant


async def conversation(engine: Engine, ghana: Hand, round_: int) -> list[bytes]:
    """Some of everything: several messages in one envelope, an early one, a repetition. Each step
    waits for the one before to be stored, so that they are several batches.

    Gives the lines, each of which must have one effect and one answer.
    """
    lines = [ghana.question(10 * round_ + n) for n in range(1, 6)]
    first, missing, early = (ghana.seal(part) for part in (lines[:2], lines[2:3], lines[3:4]))
    last = ghana.seal([lines[4]])
    before = ghana.sequence - 4
    steps = {1: [first], 3: [early, first], 2: [missing], 4: [last]}
    for stored, envelopes in steps.items():
        await ghana.send(*envelopes)
        await until(partial(has, engine, before + stored), "what was sent, stored")
    return lines


async def has(engine: Engine, sequence: int) -> bool:
    """Whether Ghana's envelope is in the inbox; also if the node has died."""
    found = await engine.rows("select 1 from inbox where sequence = :n", n=sequence)
    return bool(found) or engine.tasks[HUB].done()


async def all_is_well(engine: Engine, ghana: Hand, lines: list[bytes], rounds: int) -> None:
    """Every message ever said had one effect and one answer, and memory agrees with the rows."""
    await engine.taken(ghana)
    for line in lines:
        await ghana.answer(digest(line))
    names = await engine.counted()
    assert len(names) == len(set(names)) == 5 * rounds
    answers = {m.answers: m.id for m in ghana.heard if m.type == "status"}
    assert len({m.id for m in ghana.heard if m.type == "status"}) == len(answers) == 5 * rounds
    assert engine.toys[HUB].counts == {GHA: 5 * rounds}
    sealed = await engine.rows("select sequence from outbox order by sequence")
    assert [row[0] for row in sealed] == list(range(1, len(sealed) + 1))
    assert await engine.rows("select * from dead_letters") == []


@pytest.mark.parametrize("outcome", ["not saved", "saved and reported as failed"])
async def test_whichever_commit_fails_the_end_is_the_same(engine: Engine, outcome: str) -> None:
    stores: list[FailingStore] = []

    def failing(store: Any) -> FailingStore:
        stores.append(FailingStore(store, saved=outcome.startswith("saved")))
        return stores[-1]

    await engine.start(wrap=failing)
    ghana = await engine.hand(GHA)
    for commit in range(1, 100):
        stores[0].commits = commit
        lines = await conversation(engine, ghana, commit)
        await all_is_well(engine, ghana, lines, commit)
        if stores[0].commits > 0:
            break
    assert commit > 3, "the conversation takes some commits"
    assert len(engine.so_far(events.STORE_UNAVAILABLE)) >= commit - 1


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_at_any_commit_repeats_bytes_and_never_effects(
    engine: Engine, when: str
) -> None:
    ghana = await engine.hand(GHA)
    for commit in range(1, 100):
        await engine.start(wrap=partial(CrashingStore, commits=commit, when=when))
        lines = await conversation(engine, ghana, commit)

        async def over(lines: list[bytes] = lines) -> bool:
            told = {m.answers for m in await ghana.listen()}
            return engine.tasks[HUB].done() or told.issuperset(map(digest, lines))

        await until(over, "the end of the conversation, or of the node")
        store = engine.nodes[HUB].store
        assert isinstance(store, CrashingStore)
        dies = store.commits <= 0
        if dies:
            await until(engine.died, "the end of the node")
            await engine.start()
        else:
            store.commits = NEVER  # it may be about to do more, and is to live
        await all_is_well(engine, ghana, lines, commit)
        if not dies:
            break
        await engine.stop()
    assert commit > 3, "the conversation takes some commits"


async def test_a_store_that_is_away_is_waited_for_and_nothing_is_lost(engine: Engine) -> None:
    stores: list[FailingStore] = []

    def failing(store: Any) -> FailingStore:
        stores.append(FailingStore(store))
        return stores[-1]

    await engine.start(wrap=failing)
    ghana = await engine.hand(GHA)
    await ghana.send(ghana.ask(1))
    await engine.counts(1)
    stores[0].away = True
    await ghana.send(ghana.ask(2), ghana.ask(3))
    await engine.logged(events.STORE_UNAVAILABLE, 3)
    await engine.counts(1)
    stores[0].away = False
    await engine.counts(1, 2, 3)


async def test_a_node_whose_store_is_away_can_be_stopped(engine: Engine) -> None:
    stores: list[FailingStore] = []

    def failing(store: Any) -> FailingStore:
        stores.append(FailingStore(store))
        return stores[-1]

    await engine.start(wrap=failing)
    ghana = await engine.hand(GHA)
    await ghana.send(ghana.ask(1))
    await engine.counts(1)
    stores[0].away = True
    await engine.stop()
    assert engine.so_far(events.NODE_STOPPED, halted=None)


async def test_a_late_row_of_a_dead_process_is_found_by_the_sweep(engine: Engine) -> None:
    await engine.start()
    swiss = await engine.hand(CHE)
    await engine.linked()
    line = Peer(Actor("HUB"), CHE.participant).line("status", "CHE01-CHE-1", status("CHE01-CHE-1"))
    body = Peer(Actor("HUB"), CHE.participant, engine.clock.now).seal([line])

    async def land(session: Session) -> None:
        late = Sealed(Actor("HUB"), CHE.participant, 1, body)
        await outbox.keep_sealed(session, [late], engine.clock.now())

    await engine.change(land, HUB)
    await swiss.hears(lambda m: m.type == "status", "the late envelope")
    assert swiss.envelopes == [body]
    assert await engine.logged(events.OUTBOX_SWEPT)

    async def marked() -> bool:
        return not await engine.rows("select 1 from outbox where confirmed = 0")

    await until(marked, "the row marked as confirmed")


# --- two nodes ----------------------------------------------------------------------------------


def status(transaction: str) -> StatusAnswer:
    named = TransactionId(transaction)
    return StatusAnswer(transaction=named, state=None, position=None, closed_to=0)


async def both(engine: Engine) -> None:
    """The hub and a registry, greeted."""
    await engine.start(HUB)
    await engine.start(REGISTRY)
    await asyncio.wait_for(engine.nodes[REGISTRY].ready.wait(), 60)


async def asks(engine: Engine, *numbers: int) -> None:
    """The registry asks by command, one after another."""
    for number in numbers:
        order = await engine.order("ask", REGISTRY, transaction=f"GHA01-GHA-{number}")
        assert order == ("done", "asked")


async def saved(engine: Engine, at: Participant) -> dict[Table, list[Mapping[str, Any]]]:
    """A backup: every row of a program's tables."""
    tables = [*metadata.sorted_tables, counted, acts]
    async with engine.store(at).snapshot() as session:
        return {
            table: [dict(row._mapping) for row in await session.execute(select(table))]
            for table in tables
        }


async def restored(
    engine: Engine, at: Participant, backup: dict[Table, list[Mapping[str, Any]]]
) -> None:
    async with engine.store(at).transaction() as session:
        for table in reversed(backup):
            await session.execute(table.delete())
        for table, rows in backup.items():
            if rows:
                await session.execute(table.insert(), rows)


async def test_a_node_restored_from_an_older_backup_gets_back_what_it_lacks(
    engine: Engine,
) -> None:
    await both(engine)
    await asks(engine, 1)
    await engine.counts(1, at=REGISTRY)
    await engine.stop(REGISTRY)
    backup = await saved(engine, REGISTRY)
    await engine.start(REGISTRY)
    await asks(engine, 2, 3)
    await engine.counts(1, 2, 3, at=REGISTRY)
    await engine.crash(REGISTRY)
    before = await engine.rows("select * from outbox order by sequence", REGISTRY)
    await restored(engine, REGISTRY, backup)
    await engine.start(REGISTRY)
    await engine.counts(1, 2, 3, at=REGISTRY)
    assert engine.toys[REGISTRY].recalled == ["GHA01-GHA-2", "GHA01-GHA-3"]
    after = await engine.rows("select * from outbox order by sequence", REGISTRY)
    assert [bytes(row.body) for row in after] == [bytes(row.body) for row in before]
    await asks(engine, 4)
    await engine.counts(1, 2, 3, 4, at=REGISTRY)
    await engine.counts(1, 2, 3, 4)
    for participant in (HUB, REGISTRY):
        assert await engine.rows("select * from dead_letters", participant) == []


@pytest.mark.requirement(26)
async def test_what_waited_for_a_second_person_before_a_restore_is_confirmed_no_more(
    engine: Engine,
) -> None:
    """It was carried out in what the backup does not know."""
    engine.second = SecondPerson(("ask",), 3600.0)
    await both(engine)
    first = await engine.submit("ask", REGISTRY, transaction="GHA01-GHA-1")

    async def is_in(*states: str) -> bool:
        (row,) = await engine.rows("select state from desk where id = :n", REGISTRY, n=first)
        return bool(row.state in states)

    await until(partial(is_in, "awaiting"), "the command waits")
    await engine.stop(REGISTRY)
    backup = await saved(engine, REGISTRY)
    (row,) = await engine.rows("select command from desk where id = :n", REGISTRY, n=first)
    named = {"command": first, "digest": digest(row.command.encode())}
    await engine.start(REGISTRY)
    assert await engine.order("confirm", REGISTRY, "otto", **named) == ("done", "asked")
    await engine.counts(1)
    await engine.crash(REGISTRY)
    await restored(engine, REGISTRY, backup)
    assert await is_in("awaiting")
    await engine.start(REGISTRY)
    await until(partial(is_in, "refused"), "the end of the waiting")
    state, result = await engine.order("confirm", REGISTRY, "otto", **named)
    assert (state, f"command {first} was void" in result) == ("refused", True)
    await engine.counts(1)


async def test_a_node_without_its_broker_works_on_and_catches_up(engine: Engine) -> None:
    await both(engine)
    await engine.site.cut()
    await engine.logged(events.LINK_CHANGED, state="down", participant=REGISTRY)
    await asks(engine, 1, 2)
    await engine.counts()
    greeted = len(engine.so_far(events.NODE_GREETED, participant=REGISTRY))
    await engine.site.mend()
    await engine.counts(1, 2)
    await engine.counts(1, 2, at=REGISTRY)
    await engine.logged(events.NODE_GREETED, greeted + 1, participant=REGISTRY)


async def test_a_node_says_why_it_never_found_its_broker(engine: Engine) -> None:
    """Not only that it is down, which was so before the first try."""
    await engine.site.cut()
    starting = asyncio.create_task(engine.start(HUB))

    async def told() -> bool:
        found = engine.so_far(events.LINK_CHANGED, participant=HUB, state="down")
        return any(one["error"] for one in found)

    await until(told, "the reason")
    await engine.site.mend()
    await starting
    await engine.logged(events.LINK_CHANGED, participant=HUB, state="up")


async def test_what_was_lost_with_the_broker_is_found_out_when_the_link_is_back(
    engine: Engine,
) -> None:
    await both(engine)
    await engine.stop(HUB)
    await asks(engine, 1)

    async def with_the_broker() -> bool:
        return not await engine.rows("select 1 from outbox where confirmed = 0", REGISTRY)

    await until(with_the_broker, "the question at the broker")
    thief = engine.site.broker(HUB)  # the inbox is emptied and nobody is told
    await thief.open()

    async def stolen() -> bool:
        arrivals = await thief.receive(10, 0.1)
        await thief.acknowledge(arrivals)
        return any(b'"type":"status-request"' in arrival.body for arrival in arrivals)

    await until(stolen, "the question in the hub's inbox")
    await thief.close()
    await engine.start(HUB)
    await engine.linked()
    await engine.site.cut()
    await engine.logged(events.LINK_CHANGED, state="down", participant=REGISTRY)
    await engine.site.mend()
    await engine.counts(1)
    await engine.counts(1, at=REGISTRY)


async def test_a_greeting_after_a_lost_link_makes_nobody_wait(engine: Engine) -> None:
    await both(engine)
    await engine.stop(HUB)  # from now on nobody answers a greeting
    await engine.site.cut()
    await engine.logged(events.LINK_CHANGED, state="down", participant=REGISTRY)
    await engine.site.mend()
    hub = await engine.hand(Actor("HUB"), REGISTRY)
    await hub.hears(lambda m: m.type == "hello", "a greeting anew")
    await hub.send(hub.seal([hub.line("status", "GHA01-GHA-7", status("GHA01-GHA-7"))]))
    await engine.counts(7, at=REGISTRY)
    await asks(engine, 8)
    await hub.hears(lambda m: m.type == "status-request", "what was asked meanwhile")


async def test_a_stopping_node_sends_what_it_has_sealed(engine: Engine) -> None:
    await both(engine)
    await engine.site.cut()
    await engine.logged(events.LINK_CHANGED, state="down", participant=REGISTRY)
    await asks(engine, 1, 2)
    assert len(await engine.rows("select 1 from outbox where confirmed = 0", REGISTRY)) == 2
    stopping = asyncio.create_task(engine.stop(REGISTRY))
    await engine.site.mend()
    await stopping
    assert await engine.rows("select 1 from outbox where confirmed = 0", REGISTRY) == []
    await engine.counts(1, 2)
    assert engine.so_far(events.NODE_STOPPED, participant=REGISTRY, halted=None)


async def test_what_a_stopping_node_has_not_taken_is_there_at_the_next_start(
    engine: Engine,
) -> None:
    ghana = await engine.hand(GHA)
    await engine.start()
    await ghana.send(*[ghana.ask(n) for n in range(1, 60)])
    await engine.stop()
    await engine.start()
    await engine.counts(*range(1, 60))
