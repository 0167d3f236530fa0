# SPDX-License-Identifier: Apache-2.0
"""One run: a seed, so many steps, and what came of it.

A run begins with a federation that is established (admitted, connected, with accounts): that part
is the same for all seeds and is made once. Each step is one operation or none, whatever faults come
with it, and a moment of time; then the ledgers are looked at. Every so many steps, and at the end,
the federation is brought to rest.

Elsewhere: shrinking a run that failed (`shrink`), many runs (`campaign`).
"""

import asyncio
import traceback
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from harness.simulation.auditor import Auditor
from harness.simulation.cast import ADM, KOR, ROG, Cast
from harness.simulation.chances import Chances, stream
from harness.simulation.coverage import Coverage
from harness.simulation.disturb import Disturber
from harness.simulation.establish import established
from harness.simulation.invariants import Ledgers, Violation
from harness.simulation.rest import come_to_rest
from harness.simulation.trace import Trace
from harness.simulation.virtual_time import VirtualLoop
from harness.simulation.voice import HARMS, Voice
from harness.simulation.workload import Operation, Workload
from harness.simulation.world import Places, World
from ledger.checks import Policy
from runtime import events
from runtime.clock import Ids

__all__ = ["Failure", "Plan", "Result", "Simulator"]

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
    events.NODE_HALTED,
}
"""What programs log only when something is wrong with them or with the hub."""


@dataclass(frozen=True)
class Plan:
    """What is to be run: it decides everything that happens."""

    seed: int
    steps: int
    kinds: frozenset[str]
    registries: int = 2

    def command(self, name: str) -> str:
        """The command that runs it again; `name` is what was given as its faults."""
        return (
            f"a6hub simulate --seed {self.seed} --steps {self.steps} "
            f"--faults {name} --registries {self.registries}"
        )


@dataclass(frozen=True)
class Failure:
    """An invariant that did not hold, and after how many steps that showed."""

    invariant: str
    detail: str
    step: int


@dataclass
class Result:
    """What came of a run."""

    plan: Plan
    trace: str
    failure: Failure | None
    coverage: Coverage
    entries: int = 0
    virtual_seconds: float = 0.0


class Simulator:
    """Runs plans, one after another, in a folder of its own. The folder should be on a disk in
    memory: what is simulated is not the disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[int, Places] = {}
        self._began: dict[int, datetime] = {}
        structlog.configure(processors=[_drop])

    def run(self, plan: Plan, trace_file: Path | None = None) -> Result:
        """Run a plan from beginning to end."""
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(self._run(plan, trace_file))

    async def _run(self, plan: Plan, trace_file: Path | None) -> Result:
        cast = Cast(plan.registries)
        template = self._folder / f"established-{plan.registries}"
        if plan.registries not in self._places:
            self._began[plan.registries] = await established(template, cast)
            work = self._folder / f"run-{plan.registries}"
            work.mkdir()
            self._places[plan.registries] = Places(work, cast)
        places = self._places[plan.registries]
        await places.put(template)
        trace = Trace(trace_file)
        passed = asyncio.get_running_loop().time()
        began = self._began[plan.registries] + timedelta(hours=1) - timedelta(seconds=passed)
        run = _Run(plan, cast, places, trace, began)
        failure = await run.all_steps()
        trace.close()
        structlog.configure(processors=[_drop])
        return Result(
            plan,
            trace.digest,
            failure,
            run.coverage,
            len(run.ledgers.leaves),
            asyncio.get_running_loop().time() - passed,
        )


def _drop(logger: Any, name: str, values: Any) -> Any:
    raise structlog.DropEvent


@dataclass
class _Run:
    plan: Plan
    cast: Cast
    places: Places
    trace: Trace
    began: datetime
    coverage: Coverage = field(default_factory=Coverage)

    def __post_init__(self) -> None:
        seed = self.plan.seed
        chances = Chances.draw(seed, self.plan.kinds)
        people = stream(seed, "people")
        may_wait = [*(a.participant for a in self.cast.parties), KOR.participant]
        manual = frozenset(p for p in may_wait if people.random() < 0.4)
        self.world = World(
            self.cast,
            self.places,
            seed,
            chances,
            self.trace,
            self.began,
            manual,
            happened=self._happened,
        )
        policy = Policy()
        self.auditor = Auditor(
            str(ADM.participant),
            policy.international,
            policy.share_of_proceeds_permille,
            policy.omge_permille,
        )
        voice_ids = Ids(stream(seed, "ids of the rogue").randbytes)
        self.voice = Voice(self.world.exchange, self.world.right, voice_ids)
        self.disturber = Disturber(self.world, chances, self._happened)
        self.ledgers = Ledgers(self.world, self.auditor, self.disturber, self.voice, self.coverage)
        self.workload = Workload(
            self.cast, stream(seed, "workload"), self.auditor.units, self.auditor.transactions
        )
        self.dice = stream(seed, "steps")

    def _happened(self, kind: str) -> None:
        self.coverage.faults[kind] += 1

    def _collect(self, logger: Any, name: str, values: Any) -> Any:
        """Every event that a program logs."""
        event = values["event"]
        self.coverage.events[event] += 1
        found = str(values.get("finding", ""))
        reason = found.split(" ")[1].rstrip(":") if found[:4].isdigit() else ""
        if reason:
            self.coverage.findings[reason] += 1
        if event in ALARMING or (event == events.NODE_BEHIND and values["participant"] == "HUB"):
            said = {k: str(v)[:300] for k, v in values.items() if k != "event"}
            self.ledgers.wrong.append(f"{event} {said}")
        raise structlog.DropEvent

    async def all_steps(self) -> Failure | None:
        """Take all steps; gives what did not hold, if anything did not."""
        structlog.configure(processors=[self._collect], cache_logger_on_first_use=False)
        step = 0
        try:
            for participant in self.cast.programs:
                self.world.start(participant)
            await self.voice.open()
            await self.ledgers.follow()
            for step in range(1, self.plan.steps + 1):
                await self._step(step)
                if step % REST_EVERY == 0 or step == self.plan.steps:
                    await come_to_rest(self.world, self.ledgers, self.disturber, self.voice)
        except Violation as violation:
            return Failure(violation.invariant, violation.detail, step)
        except Exception:  # noqa: BLE001 - a fault of the simulation itself is a failure as well
            return Failure("the simulation runs", traceback.format_exc(limit=-6), step)
        finally:
            await self.world.close()
            await self.voice.broker.close()
        return None

    async def _step(self, number: int) -> None:
        self.trace.note("step", str(number), b"")
        await self.disturber.step()
        if self.dice.random() < 0.85:
            operation = self.workload.draw()
            if operation is not None:
                await self._do(operation)
        if self.dice.random() < 0.12:
            await self._harm()
        await asyncio.sleep(self.dice.choice((0.0, 0.05, 0.3, 1.0, 4.0)))
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
        withhold = self.dice.random() < 0.1
        if operation.command == "propose":
            try:
                _, line = self.voice.proposal(operation.arguments)
            except ValueError:
                return
            await self.voice.say([line], withhold=withhold)
            return
        how = {"accept": "acceptance", "reject": "rejection", "withdraw": "withdrawal"}
        transaction = operation.arguments["transaction"]
        if operation.command in how:
            bound = self.dice.random() < 0.8
            line = self.voice.answer(transaction, how[operation.command], bound=bound)
            await self.voice.say([line], withhold=withhold)
        else:
            await self.voice.say([self.voice.question(transaction)])

    async def _harm(self) -> None:
        how = self.dice.choice(HARMS)
        line = self.voice.question("ROG01-ROG-1")
        self.trace.note("harm", how, b"")
        await self.voice.harm(how, line, self.dice)
