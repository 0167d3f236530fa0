# SPDX-License-Identifier: Apache-2.0
"""A participant that holds real, admitted keys and says whatever a test has it say.

`World` runs a real hub and a real Thai registry in this process, on SQLite and the twin broker;
Switzerland is admitted, but its part is played by a `Rogue`: envelopes made by hand, sealed with
the real keys, sent through the real link. What comes back is opened and kept.
"""

import asyncio
import random
import tomllib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from harness.fleet import begin, build_program
from harness.prepare import Estate, prepare
from harness.remote import wait_for
from harness.scenario import Scenario
from registry.program import Registry
from runtime.broker import Parcel
from runtime.clock import Ids, SystemClock
from runtime.definitions import recipients
from runtime.memory import MemoryBroker, MemoryExchange
from runtime.node import Node, NodeSettings
from runtime.orders import submit, write_order
from runtime.schema import migrate
from runtime.store import open_store
from runtime.tables import desk
from schemas import jws
from schemas.envelope import Manifest, digest, open_envelope, seal
from schemas.identifiers import Actor, Digest, Instant, Participant
from schemas.messages import Message, new_message, parse_message
from schemas.units import Frozen

HUB = Participant("HUB")
CHE, THA = Actor("CHE01/CHE"), Actor("THA01/THA")
SECONDS = 20.0
WORLD = """
title = "two Parties"
log = "a6hub.test"
profiles = [{ actors = ["THA01/THA", "CHE01/CHE"], profile = "information" }]
expect = { transactions = {}, units_issued = {}, settled = true }
[[registries]]
id = "THA01"
program = "party"
name = "Thailand"
actors = ["THA01/THA"]
[[registries]]
id = "CHE01"
program = "party"
name = "Switzerland"
actors = ["CHE01/CHE"]
"""


class Rogue:
    """Switzerland, as a test wants it."""

    def __init__(self, estate: Estate, exchange: MemoryExchange) -> None:
        self.signer: jws.Signer = estate.members[CHE.participant].keyring.actors[CHE][0]
        self.clock = SystemClock()
        self.ids = Ids()
        self.sequence = 0
        self.heard: list[Message] = []
        self.broker = MemoryBroker(exchange, str(CHE.participant))

    def message(
        self, type_: str, conversation: str, body: Frozen, answers: Digest | None = None
    ) -> bytes:
        """The line of a message."""
        id_ = self.ids.message(self.clock.now())
        made = new_message(type_, id_, conversation, body, answers=answers)
        return made.model_dump_json().encode()

    def envelope(self, lines: Sequence[bytes], **changes: Any) -> bytes:
        """An envelope with the next sequence; `changes` override members of its manifest."""
        if "sequence" not in changes and "control" not in changes:
            self.sequence += 1
            changes["sequence"] = self.sequence
        signer = changes.pop("signer", self.signer)
        members = {
            "from": CHE,
            "to": HUB,
            "sent_at": self.clock.now(),
            "seen": 0,
            "messages": tuple(digest(line) for line in lines),
            **changes,
        }
        return seal(Manifest.model_validate(members), tuple(lines), signer)

    def later(self, seconds: float) -> Instant:
        """An instant so far from now."""
        return Instant.of(self.clock.now().moment() + timedelta(seconds=seconds))

    async def send(self, body: bytes, to: Participant = HUB) -> None:
        """Send bytes as they are."""
        parcel = Parcel(to=str(to), body=body, message_id="rogue", type="envelope")
        assert await self.broker.publish([parcel]) == [True]

    async def listen(self, wanted: Any, what: str) -> Message:
        """Wait for a message that `wanted` holds for."""

        async def come() -> Message | None:
            for arrival in await self.broker.receive(50, 0.01):
                opened = open_envelope(arrival.body)
                self.heard += [parse_message(line) for line in opened.lines]
                await self.broker.acknowledge([arrival])
            return next((m for m in self.heard if wanted(m)), None)

        return await wait_for(come, SECONDS, what)

    async def notice_about(self, line: bytes) -> list[int]:
        """The codes of the notice about a line (or about the digest of one)."""
        told = digest(line)

        def wanted(message: Message) -> bool:
            return message.type == "notice" and message.body.about == told

        notice = await self.listen(wanted, f"a notice about {told[:12]}")
        return [finding.code for finding in notice.body.findings]


class World:
    """A hub, a Thai registry, and the rogue."""

    def __init__(self, estate: Estate, exchange: MemoryExchange) -> None:
        self.estate = estate
        self.exchange = exchange
        self.nodes: dict[Participant, Node] = {}
        self.tasks: dict[Participant, asyncio.Task[None]] = {}
        self.rogue = Rogue(estate, exchange)

    async def start(
        self, participant: Participant, *, fresh: bool = True, program: Any = None
    ) -> None:
        """Start a program, on a new database or on the one it had."""
        member = self.estate.members[participant]
        program = program or build_program(self.estate, member)
        if isinstance(program, Registry):  # no reconciliation service runs here
            program.greets = (HUB,)
        url = f"sqlite:///{self.estate.folder / f'{participant}.db'}"
        if fresh:
            await migrate(url, program.packages)
        store = open_store(url)
        if fresh and participant == HUB:
            await begin(self.estate, store)
        operator, _ = self.estate.order
        self.nodes[participant] = Node(
            program,
            store,
            MemoryBroker(self.exchange, str(participant)),
            SystemClock(),
            member.keyring,
            operators=[operator],
            settings=NodeSettings(tick_seconds=0.02, hold_seconds=0.5),
        )
        self.tasks[participant] = asyncio.create_task(self.nodes[participant].run())

    async def stop(self, participant: Participant) -> None:
        """Drain a program."""
        self.nodes[participant].stop()
        await self.tasks[participant]

    async def crash(self, participant: Participant) -> None:
        """End a program's task where it stands."""
        self.tasks[participant].cancel()
        await asyncio.gather(self.tasks[participant], return_exceptions=True)

    async def order(
        self, participant: Participant, command: str, arguments: Any
    ) -> tuple[bool, str]:
        """Give a command and wait for its result."""
        operator, signer = self.estate.order
        now = SystemClock().now()
        line, signature = write_order(
            participant, command, arguments, operator.name, signer, now, Ids()
        )
        store = self.nodes[participant].store
        async with store.transaction() as session:
            number = await submit(session, line, signature, now)

        async def handled() -> tuple[bool, str] | None:
            rows = await self.rows(participant, f"select * from desk where id = {number}")
            return None if rows[0].state == "open" else (rows[0].state == "done", rows[0].result)

        return await wait_for(handled, SECONDS, f"{command} at {participant}")

    async def rows(self, participant: Participant, sql: str) -> list[Any]:
        """Read rows of a program's database."""
        task = self.tasks[participant]
        if task.done():
            task.result()
        async with self.nodes[participant].store.snapshot() as session:
            return list(await session.execute(text(sql)))

    async def ledger(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that bad input must not change."""
        tables = ("blocks", "overlays")
        found = {
            f"{p} {table}": sorted(tuple(r) for r in await self.rows(p, f"select * from {table}"))
            for p in self.nodes
            for table in tables
        }
        found["log"] = [tuple(r) for r in await self.rows(HUB, "select position from log_entries")]
        return found

    async def dead(self, participant: Participant = HUB) -> list[tuple[int, str]]:
        """Code and state of the dead letters."""
        rows = await self.rows(participant, "select code, state from dead_letters order by id")
        return [(row.code, row.state) for row in rows]

    async def wait_dead(self, number: int, participant: Participant = HUB) -> list[int]:
        """Wait until there are so many dead letters; gives their codes."""

        async def buried() -> list[int] | None:
            codes = [code for code, _ in await self.dead(participant)]
            return codes if len(codes) >= number else None

        return await wait_for(buried, SECONDS, f"{number} dead letters at {participant}")


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """A world in which both Parties are admitted and connected."""
    estate = prepare(Scenario.model_validate(tomllib.loads(WORLD)), folder, SystemClock())
    exchange = MemoryExchange(
        recipients([str(p) for p in estate.members], []), randomness=random.Random(1)
    )
    made = World(estate, exchange)
    await made.start(HUB)
    await made.start(THA.participant)
    await made.rogue.broker.open()
    for act in estate.acts:
        done, result = await made.order(HUB, "act", {"act": act.model_dump_json()})
        assert done, result
    await asyncio.wait_for(made.nodes[THA.participant].ready.wait(), SECONDS)
    try:
        yield made
    finally:
        for participant, task in made.tasks.items():
            if not task.done():
                await made.stop(participant)
        await made.rogue.broker.close()


__all__ = ["CHE", "HUB", "THA", "Rogue", "World", "desk", "world"]
