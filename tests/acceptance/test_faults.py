# SPDX-License-Identifier: Apache-2.0
"""Faults of our own: a bug in the middle of a batch, a crash, a restore from an older backup."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from harness.remote import wait_for
from hub.program import Hub, HubSettings
from registry.program import Registry
from runtime.anchor import FileAnchor
from runtime.program import Batch, Heard, Item
from runtime.store import Session
from schemas.envelope import digest
from schemas.findings import RULES, Finding, Reason
from schemas.identifiers import TransactionId
from schemas.messages import StatusRequest
from tests.rogue import HUB, THA, Rogue, World, world

INTERNAL = RULES[Reason.INTERNAL].code
THAILAND = THA.participant
POISON = "CHE01-CHE-13"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


def status(rogue: Rogue, transaction: str) -> bytes:
    body = StatusRequest(transaction=TransactionId(transaction))
    return rogue.message("status-request", transaction, body)


class Buggy(Hub):
    """A hub with a bug in its rules."""

    def decide(self, facts: Any, item: Item, batch: Batch) -> list[Finding]:
        if isinstance(item, Heard) and item.message.conversation == POISON:
            raise ZeroDivisionError("a bug")
        return super().decide(facts, item, batch)


class BuggyAtTheEnd(Hub):
    """A hub whose batch cannot be written when a certain message is in it."""

    async def finish(self, session: Session, facts: Any, batch: Batch) -> None:
        await super().finish(session, facts, batch)
        answered = {
            said.message.conversation for said in batch.said if said.message.type == "status"
        }
        assert POISON not in answered, "a bug"


@pytest.mark.parametrize("kind", [Buggy, BuggyAtTheEnd])
async def test_only_the_culprit_in_a_batch_is_set_aside(running: World, kind: type[Hub]) -> None:
    await running.stop(HUB)
    keyring = running.estate.members[HUB].keyring
    rogue = running.rogue
    lines = [status(rogue, f"CHE01-CHE-{n}") for n in (12, 13, 14)]
    others = [status(rogue, "CHE01-CHE-15")]
    program = kind(
        keyring,
        FileAnchor(running.estate.anchor),
        HubSettings(checkpoint_seconds=0.2, heartbeat_seconds=1),
    )
    if kind is Buggy:
        await rogue.send(rogue.envelope(lines))
    else:
        for line in lines:  # the whole envelope is suspect: its neighbours are other envelopes
            await rogue.send(rogue.envelope([line]))
    await rogue.send(rogue.envelope(others))
    await running.start(HUB, fresh=False, program=program)
    for line in (lines[0], lines[2], others[0]):
        told = digest(line)
        await rogue.listen(lambda m, t=told: m.type == "status" and m.answers == t, "an answer")
    if kind is Buggy:
        assert await rogue.notice_about(lines[1]) == [INTERNAL]
    taken = await running.rows(HUB, "select last from sequences where sender = 'CHE01/CHE'")
    assert taken[0].last == rogue.sequence


class Skipping(Registry):
    """A registry with a bug in what it does with entries."""

    def decide(self, facts: Any, item: Item, batch: Batch) -> list[Finding]:
        if isinstance(item, Heard) and item.message.type == "entry":
            raise ZeroDivisionError("a bug")
        return super().decide(facts, item, batch)


async def test_an_entry_is_never_skipped_for_a_fault_of_ours(running: World) -> None:
    await running.stop(THAILAND)
    member = running.estate.members[THAILAND]
    broken = Skipping(THAILAND, member.actors, running.estate.genesis, member.keyring)
    await running.start(THAILAND, fresh=False, program=broken)
    await running.nodes[THAILAND].ready.wait()
    await _propose(running, 1)
    await asyncio.wait_for(running.tasks[THAILAND], 20)
    halted = running.nodes[THAILAND].halted
    assert halted is not None
    assert "internal fault here" in halted
    await running.start(THAILAND, fresh=False)  # a version without the bug goes on from there
    await _held(running, 100)


async def _propose(running: World, first: int) -> str:
    key = {
        "layer": "underlying",
        "approach": "CA0005",
        "registry": "THA01",
        "party": "THA",
        "vintage": 2022,
    }
    line = {
        "key": key,
        "first": first,
        "last": first + 99,
        "target": "THA01-THA-HLD-1-66",
        "attributes": {},
    }
    if not await running.rows(THAILAND, "select 1 from accounts"):
        await running.order(
            THAILAND, "open-account", {"actor": THA, "kind": "holding", "number": 1}
        )
    references = {"request": "r", "approval": f"a {first}", "approved_quantity": 100}
    done, result = await running.order(
        THAILAND,
        "propose",
        {"actor": THA, "action": "issuance", "lines": [line], "references": references},
    )
    assert done, result
    return result


async def _held(running: World, units: int) -> None:
    async def now() -> bool | None:
        rows = await running.rows(
            THAILAND, "select coalesce(sum(last-first+1), 0) as n from blocks"
        )
        return True if rows[0].n == units else None

    await wait_for(now, 20, f"{units} units")


async def test_a_registry_restored_from_an_older_backup_fetches_what_it_lost_before_it_writes(
    running: World,
) -> None:
    assert await _propose(running, 1) == "THA01-THA-1"
    await _held(running, 100)
    await running.stop(THAILAND)
    database = running.estate.folder / "THA01.db"
    backup = running.estate.folder / "backup.db"
    shutil.copy(database, backup)

    await running.start(THAILAND, fresh=False)
    assert await _propose(running, 101) == "THA01-THA-2"
    assert await _propose(running, 201) == "THA01-THA-3"
    await _held(running, 300)
    before = await running.rows(THAILAND, "select * from blocks order by first")
    sent = await running.rows(THAILAND, "select sequence, body from outbox order by 1")
    await running.crash(THAILAND)
    for path in running.estate.folder.glob("THA01.db*"):
        path.unlink()
    shutil.copy(backup, database)

    await running.start(THAILAND, fresh=False)
    await asyncio.wait_for(running.nodes[THAILAND].ready.wait(), 20)
    await _held(running, 300)
    assert await running.rows(THAILAND, "select * from blocks order by first") == before
    again = await running.rows(THAILAND, "select sequence, body from outbox order by 1")
    assert again[: len(sent)] == sent
    assert await _propose(running, 301) == "THA01-THA-4"
    await _held(running, 400)
    assert await running.dead() == []
    assert await running.dead(THAILAND) == []
    assert running.nodes[THAILAND].halted is None


async def test_a_crash_between_any_two_steps_loses_and_doubles_nothing(running: World) -> None:
    for number in range(8):
        await _propose(running, 1 + 100 * number)
        await asyncio.sleep(0.004 * number)  # another moment of the transaction's life each time
        victim = HUB if number % 2 else THAILAND
        await running.crash(victim)
        await running.start(victim, fresh=False)
    await _held(running, 800)
    entries = await running.rows(HUB, "select conversation from log_entries")
    issued = [row.conversation for row in entries if row.conversation.startswith("THA01")]
    assert sorted(issued) == [f"THA01-THA-{n}" for n in range(1, 9)]
    assert await running.dead() == []
