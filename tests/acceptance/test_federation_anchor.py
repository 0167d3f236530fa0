# SPDX-License-Identifier: Apache-2.0
"""The hub does not go on from a database that is older than what it has sent, or is another one: it
ends before anything leaves it. With the newest database it goes on as if nothing had been.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hub.guard import Guard, Head, Refusal, lay_anew
from ledger.note import Checkpoint, parse_note
from runtime import events
from runtime.anchor import FileAnchor, MemoryAnchor
from runtime.errors import LocalProtocolError, Unavailable
from runtime.store import Store, open_store
from schemas.identifiers import Participant
from tests.cast import CHE, GHA, HUB, REC, I, asked, first_transfer, keyring, use
from tests.crashes import Crash, CrashingAnchor, FailingStore
from tests.federation import Federation, copy_databases

GHANA = Participant("GHA01")
FULL_SECONDS = 30.0


async def set_aside(federation: Federation, name: str) -> Path:
    """A copy of the databases of programs that have stopped; they stay where they are."""
    await federation.let_go()
    kept = federation.folder / name
    copy_databases(federation.folder, kept)
    return kept


async def put_back(federation: Federation, kept: Path) -> None:
    """The hub's database out of a copy, and nothing else."""
    await federation.let_go()
    copy_databases(kept, federation.folder, str(HUB))


async def refusal(federation: Federation) -> str:
    """Start the hub; gives why it does not run. Nobody has heard anything of it."""
    before = await heard(federation)
    await federation.start(HUB)
    why = await end(federation)
    await asyncio.sleep(5)
    assert await heard(federation) == before
    return why


async def end(federation: Federation) -> str:
    """Wait until the hub has ended by itself; gives why."""
    task = federation.tasks.pop(HUB)
    with pytest.raises(LocalProtocolError) as error:
        await asyncio.wait_for(task, 60)
    return str(error.value)


async def heard(federation: Federation) -> dict[str, list[Any]]:
    """What came from the hub."""
    sql = "select sequence, body from inbox where sender = 'HUB' order by sequence"
    return {
        place: [tuple(row) for row in await federation.rows(place, sql)]
        for place in federation.urls
        if place not in {HUB, "ROG01"}
    }


async def anchored(federation: Federation) -> int:
    """The anchor's size; it is not behind what the reconciliation service was sent, which is
    everything, nor ahead of the log.
    """
    text = federation.anchor.read()
    assert text is not None
    size = Checkpoint.from_text(parse_note(text)[0]).size
    ((newest,),) = await federation.rows(REC, "select max(position) from entries")
    assert newest + 1 <= size <= await federation.log_size()
    return size


async def test_a_hub_whose_database_was_replaced_by_an_older_copy_does_not_start(
    federation: Federation,
) -> None:
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    assert await federation.transact(GHA, first_transfer(201, 300, 201)) == "completed"
    await federation.settled()
    await federation.stop(HUB)
    size = await anchored(federation)
    newest = await set_aside(federation, "newest")

    await put_back(federation, older)
    why = await refusal(federation)
    assert why.startswith(f"{Refusal.SHORTER}: the database has {await federation.log_size()} ")
    assert f"{size} entries with root" in why

    await put_back(federation, newest)
    await federation.start(HUB)
    assert await federation.transact(CHE, use(I, 201, 210, CHE)) == "completed"
    assert not federation.logged(events.ENVELOPE_DEAD)


async def test_a_hub_whose_database_is_set_back_while_it_runs_ends(
    federation: Federation,
) -> None:
    """As when a server that had not yet copied everything takes over."""
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    between: list[FailingStore] = []

    def through(store: Store) -> Store:
        between.append(FailingStore(store))
        return between[0]

    await federation.start(HUB, through=through)
    await federation.propose(GHA, first_transfer(201, 300, 201))
    await federation.settled()
    (failing,) = between
    failing.away, newest = True, failing.store
    await asyncio.sleep(2)
    assert federation.logged(events.STORE_UNAVAILABLE, participant=HUB)
    failing.store = open_store(f"sqlite:///{older / f'{HUB}.db'}")
    before = await heard(federation)
    failing.away = False
    assert (await end(federation)).startswith(f"{Refusal.SHORTER}: ")
    await newest.close()
    assert await heard(federation) == before
    await federation.start(HUB)


async def test_a_database_of_the_same_size_with_other_entries_is_refused(
    federation: Federation,
) -> None:
    await federation.settled()
    await federation.stop()
    rested = await set_aside(federation, "rested")
    copies = []
    for first in (201, 301):
        await federation.let_go()
        copy_databases(rested, federation.folder)
        federation.empty_broker()
        await federation.start()
        transfer = first_transfer(first, first + 9, first)
        assert await federation.transact(GHA, transfer) == "completed"
        await federation.settled()
        await federation.stop()
        copies.append((await anchored(federation), await set_aside(federation, str(first))))
    (size, one), (other_size, two) = copies
    assert size == other_size

    await put_back(federation, one)
    assert (await refusal(federation)).startswith(f"{Refusal.FORKED}: ")
    await put_back(federation, two)
    await federation.start()


async def test_without_its_anchor_the_hub_does_not_start_until_one_is_laid_by_what_others_saw(
    federation: Federation,
) -> None:
    await federation.settled()
    await federation.stop(HUB)
    assert isinstance(federation.anchor, FileAnchor)
    federation.anchor.path.unlink()
    assert (await refusal(federation)).startswith(f"{Refusal.MISSING}: ")

    size = await lay_by_what_the_service_saw(federation)
    assert await anchored(federation) == size
    await federation.start(HUB)
    assert await federation.transact(GHA, first_transfer(201, 300, 201)) == "completed"


async def lay_by_what_the_service_saw(federation: Federation) -> int:
    """As an operator does with `hub anchor` and `reconcile head`; gives the size."""
    newest = "select position, root from entries order by position desc limit 1"
    (row,) = await federation.rows(REC, newest)
    seen = Head(row.position + 1, bytes(row.root))
    store = open_store(federation.urls[HUB])
    await lay_anew(store, Guard(federation.anchor, keyring(HUB).checkpoint), seen)
    await store.close()
    return seen.size


async def test_what_was_anchored_and_never_sent_may_be_lost(federation: Federation) -> None:
    """The hub dies between the two, and its database is lost. Everybody's sequences show that
    nobody has anything that the older copy lacks.
    """
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    kept = federation.anchor
    assert isinstance(kept, FileAnchor)
    federation.anchor = CrashingAnchor(kept, 1, "after")
    await federation.start(HUB)
    hub = federation.tasks.pop(HUB)
    order = asked(first_transfer(201, 300, 201))
    number = await federation.submit(GHANA, "propose", actor=GHA, **order)
    await asyncio.wait([hub], timeout=20)
    assert isinstance(hub.exception(), Crash)
    federation.anchor = kept

    await put_back(federation, older)
    assert (await refusal(federation)).startswith(f"{Refusal.SHORTER}: ")
    sql = "select last from sequences where sender = 'HUB' and recipient = :p"
    for place in federation.tasks:
        sealed = await federation.rows(HUB, sql, p=place)
        assert sealed == await federation.rows(place, sql, p=place)
    kept.path.rename(kept.path.with_suffix(".aside"))
    await lay_by_what_the_service_saw(federation)
    await federation.start(HUB)
    (row,) = await federation.rows(GHANA, "select result from desk where id = :i", i=number)
    assert await federation.ended(row.result) == "completed"
    await federation.settled()
    assert not federation.logged(events.ENVELOPE_DEAD)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_death_around_the_writing_of_the_anchor_changes_nothing(
    federation: Federation, when: str
) -> None:
    await federation.settled()
    await federation.stop(HUB)
    kept, deaths, first = federation.anchor, 0, 201
    for writing in range(1, 20):
        federation.anchor = CrashingAnchor(kept, writing, when)
        await federation.start(HUB)
        hub = federation.tasks[HUB]
        order = asked(first_transfer(first, first + 9, first))
        number = await federation.submit(GHANA, "propose", actor=GHA, **order)
        first += 10
        await asyncio.wait([hub], timeout=20)
        died = hub.done()
        federation.anchor = kept
        if died:
            assert isinstance(hub.exception(), Crash)
            del federation.tasks[HUB]
            await anchored(federation)
            await federation.start(HUB)
            deaths += 1
        (row,) = await federation.rows(GHANA, "select result from desk where id = :i", i=number)
        assert await federation.ended(row.result) == "completed"
        await federation.settled()
        await anchored(federation)
        await federation.audit()
        await federation.stop(HUB)
        if not died:
            break
    assert deaths >= 2, "it died in the midst of it"
    await federation.start(HUB)


@pytest.mark.parametrize("way", ["before", "after"])
async def test_while_the_anchor_cannot_be_written_nothing_is_sent_and_then_all_of_it(
    federation: Federation, way: str
) -> None:
    def full() -> None:
        raise Unavailable("the disk is full")

    await federation.settled()
    await federation.stop(HUB)
    kept = federation.anchor
    federation.anchor = memory = MemoryAnchor(kept.read())
    await federation.start(HUB)
    await federation.greeted()
    before, size = await heard(federation), await federation.log_size()
    setattr(memory, way, full)
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201))
    if way == "before":
        await asyncio.sleep(FULL_SECONDS)
        assert await federation.log_size() == size + 1, "it is committed"
        assert await heard(federation) == before, "and nobody knows"
        assert memory.size == size
    else:  # what could not be reported was written, so the next look finds it there
        await federation.reached(transaction, "cleared")
    assert federation.logged(events.STORE_UNAVAILABLE, participant=HUB, error="the disk is full")
    setattr(memory, way, lambda: None)
    assert await federation.ended(transaction) == "completed"
    await federation.settled()
    assert await anchored(federation) == size + 2
    assert not federation.logged(events.ENVELOPE_DEAD)
