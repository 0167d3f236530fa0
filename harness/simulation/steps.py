# SPDX-License-Identifier: Apache-2.0
"""Steps: a run under way, from the start of its programs to its last rest.

Each step is one operation or none, whatever faults come with it, and a moment of time; then the
ledgers are looked at. Every so many steps, and at the end, the federation is brought to rest.

Elsewhere: how a run is put together (`run`).
"""

import asyncio
import random
import re
import traceback
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import structlog

from harness.simulation.cast import HUB, ROG
from harness.simulation.coverage import Coverage
from harness.simulation.disturb import Disturber
from harness.simulation.invariants import Ledgers, Violation
from harness.simulation.rest import come_to_rest
from harness.simulation.voice import HARMS, Voice
from harness.simulation.workload import Operation, Workload
from harness.simulation.world import World
from runtime import events
from schemas.identifiers import Participant

__all__ = ["RUNS", "Failure", "Run"]

RUNS = "the simulation runs"
"""The invariant that is broken when something other than an invariant is."""

REST_EVERY = 100
"""Steps between two rests."""

ALARMING = {
    events.BATCH_FAILED,
    events.CULPRIT_SET_ASIDE,
    events.SERVICE_FAILED,
    events.CONSENT_MISSING,
    events.CHECKPOINT_REFUSED,
    events.COSIGNATURE_REFUSED,
    events.ALARM_RAISED,
    events.NODE_BEHIND,
    events.NODE_HALTED,
}
"""What programs log only when something is wrong with them or with the hub."""

_FINDING = re.compile(r"\d{4} ([a-z-]+)")
"""The reason in a printed finding."""
OPERATION = 0.85
"""How likely a step has an operation."""
HARM = 0.12
"""How likely a step has an envelope that means harm."""
WITHHELD = 0.1
"""How likely what the rogue says leaves a gap."""
BOUND = 0.6
"""How likely an answer of the rogue is bound to the proposal that it was asked about."""
MOMENTS = (0.0, 0.05, 0.3, 1.0, 4.0)
"""Seconds that pass in a step: nought, so that things meet in one batch, up to what ends waits."""


@dataclass(frozen=True)
class Failure:
    """An invariant that did not hold, and after how many steps that showed."""

    invariant: str
    detail: str
    step: int


@dataclass
class Run:
    """A run under way."""

    steps: int
    world: World
    workload: Workload
    voice: Voice
    disturber: Disturber
    ledgers: Ledgers
    coverage: Coverage
    dice: random.Random
    _taken: int = 0

    def collect(self, logger: Any, name: str, values: Any) -> Any:
        """Every event that a program logs."""
        event = values["event"]
        self.coverage.events[event] += 1
        found = _FINDING.match(str(values.get("finding", "")))
        if found is not None:
            self.coverage.findings[found[1]] += 1
        if event in ALARMING:
            said = {k: str(v)[:300] for k, v in values.items() if k != "event"}
            self.ledgers.wrong.append(f"{event} {said}")
        raise structlog.DropEvent

    async def all_steps(self) -> Failure | None:
        """Take all steps, and end; gives what did not hold, if anything did not."""
        failure = await self._failure(self._take_steps())
        at_end = await self._failure(self._end())
        return failure or at_end

    async def _failure(self, work: Awaitable[None]) -> Failure | None:
        try:
            await work
        except Violation as violation:
            return Failure(violation.invariant, violation.detail, self._taken)
        except Exception:  # noqa: BLE001 - a fault of the simulation itself is a failure as well
            return Failure(RUNS, traceback.format_exc(limit=-6), self._taken)
        return None

    async def _take_steps(self) -> None:
        for participant in self.world.cast.programs:
            self.world.start(participant)
        await self.voice.open(await self._sent_before(ROG.participant))
        await self.ledgers.follow()
        while self._taken < self.steps:
            self._taken += 1
            await self._step(self._taken)
            if self._taken % REST_EVERY == 0 or self._taken == self.steps:
                parts = (self.world, self.ledgers, self.disturber, self.voice)
                await come_to_rest(*parts, last=self._taken == self.steps)

    async def _sent_before(self, participant: Participant) -> int:
        """How many envelopes the hub has sent to a participant so far."""
        sql = "select max(sequence) from outbox where recipient = :p"
        return int((await self.world.rows(HUB, sql, p=str(participant)))[0][0] or 0)

    async def _end(self) -> None:
        await self.world.close()
        await self.voice.broker.close()

    async def _step(self, number: int) -> None:
        self.world.trace.note("step", str(number), b"")
        await self.disturber.step()
        if self.dice.random() < OPERATION:
            operation = self.workload.draw()
            if operation is not None:
                await self._do(operation)
        if self.dice.random() < HARM:
            await self._harm()
        await asyncio.sleep(self.dice.choice(MOMENTS))
        await self.voice.hear()
        await self.ledgers.follow()

    async def _do(self, operation: Operation) -> None:
        self.coverage.operations[operation.name] += 1
        if operation.actor == ROG:
            await self._say(operation)
            return
        self.disturber.given.append(operation)
        await self.world.command(
            operation.actor.participant, operation.command, **operation.arguments
        )

    async def _say(self, operation: Operation) -> None:
        """The rogue has no desk: it says what it wants to."""
        withhold = self.dice.random() < WITHHELD
        if operation.command == "propose":
            try:
                _, line = self.voice.proposal(operation.arguments)
            except ValueError:
                return
            await self.voice.say([line], withhold=withhold)
            return
        how = {"accept": "acceptance", "reject": "rejection", "withdraw": "withdrawal"}
        transaction = operation.arguments["transaction"]
        if operation.command in {"accept", "reject"}:
            transaction = self._offered(transaction)
        if operation.command in how:
            bound = self.dice.random() < BOUND
            line = self.voice.answer(transaction, how[operation.command], bound=bound)
            await self.voice.say([line], withhold=withhold)
        else:
            await self.voice.say([self.voice.question(transaction)])

    def _offered(self, transaction: str) -> str:
        """What the rogue answers: mostly something that waits for its answer, if anything does."""
        states = self.ledgers.auditor.transactions()
        waiting = [one for one in self.voice.offered if states.get(one) == "cleared"]
        return self.dice.choice(waiting) if waiting and self.dice.random() < 0.7 else transaction

    async def _harm(self) -> None:
        how = self.dice.choice(HARMS)
        if how == "equivocal" and await self.world.recovers():
            return  # it could keep the hub from its own earlier word, and so from going on
        line = self.voice.question("ROG01-ROG-1")
        self.world.trace.note("harm", how, b"")
        await self.voice.harm(how, line, self.dice)
