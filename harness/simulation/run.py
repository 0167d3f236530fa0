# SPDX-License-Identifier: Apache-2.0
"""One run: a seed, so many steps, and what came of it.

A run begins with a federation that is established (admitted, connected, with first units): that
part is the same for all seeds and is made once.

Elsewhere: the steps of a run (`steps`), making one that failed shorter (`shrink`), many of them
(`campaign`).
"""

import asyncio
import logging
import shutil
import traceback
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import structlog
from structlog.typing import Processor

from harness.simulation.auditor import Auditor
from harness.simulation.cast import ADM, KOR, Cast
from harness.simulation.chances import KINDS, Chances, stream
from harness.simulation.coverage import Coverage
from harness.simulation.disturb import Disturber
from harness.simulation.establish import established
from harness.simulation.invariants import Ledgers
from harness.simulation.steps import RUNS, Failure, Run
from harness.simulation.trace import Trace
from harness.simulation.virtual_time import VirtualLoop
from harness.simulation.voice import Voice
from harness.simulation.watchdog import TooLong, cpu_seconds_at_most
from harness.simulation.workload import Workload
from harness.simulation.world import Places, World
from runtime.anchor import MemoryAnchor
from runtime.clock import Ids

__all__ = ["STEPS_MAX", "Failure", "Plan", "Result", "Simulator"]

Outcome = TypeVar("Outcome")

SHARE_OF_PROCEEDS_PERMILLE, OMGE_PERMILLE = 50, 20
"""Levies as the auditor has them: 5 % and 2 % (protocol 5.13)."""

STEPS_MAX = 100_000
"""Steps of one run."""

MANUAL = 0.4
"""How likely a participant is to leave clearances to its operators."""


@dataclass(frozen=True)
class Plan:
    """What is to be run: it decides everything that happens."""

    seed: int
    steps: int
    kinds: frozenset[str]
    registries: int = 2

    @property
    def faults(self) -> str:
        """The kinds of fault as `--faults` takes them."""
        if len(self.kinds) == len(KINDS):
            return "all"
        return ",".join(sorted(self.kinds)) or "none"

    @property
    def command(self) -> str:
        """The command that runs it again."""
        return (
            f"a6hub simulate --seed {self.seed} --steps {self.steps} "
            f"--faults {self.faults} --registries {self.registries}"
        )


@dataclass
class Result:
    """What came of a run."""

    plan: Plan
    trace: str
    failure: Failure | None
    coverage: Coverage
    entries: int = 0
    virtual_seconds: float = 0.0

    @classmethod
    def of_failure(cls, plan: Plan, why: str) -> "Result":
        """What came of a run that ended otherwise than by its own word."""
        return cls(plan, "unknown", Failure(RUNS, why, 0), Coverage())


@dataclass(frozen=True)
class Stage:
    """Where runs with so many registries take place, the time at which each begins, and what the
    hub's anchor says then.
    """

    cast: Cast
    template: Path
    places: Places
    began: datetime
    anchored: str


class Simulator:
    """Runs plans, one after another, in a folder of its own. The folder should be on a disk in
    memory: what is simulated is not the disk. What programs log goes to nobody else meanwhile.
    """

    cpu_seconds = 300.0
    """Processor time that a run may use, besides a second for each step: it needs a hundredth."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stages: dict[int, Stage] = {}
        self._hear: Processor = _drop

    def run(self, plan: Plan, trace_file: Path | None = None) -> Result:
        """Run a plan from beginning to end; whatever goes wrong is a failure of that plan."""
        most = self.cpu_seconds + plan.steps
        try:
            # The logs are put back here: a run that is cut off may leave its coroutine open.
            with logging_to(self._heard), cpu_seconds_at_most(most):
                # Each in a loop of its own, so that the time of every run begins at nought: sums
                # of seconds differ in their last digit with what they begin at.
                if plan.registries not in self._stages:
                    self._stages[plan.registries] = _in_virtual_time(self._built(plan.registries))
                return _in_virtual_time(self._run(plan, trace_file))
        except (Exception, TooLong):  # noqa: BLE001 - the next plan shall have its turn
            # Nobody knows what became of the databases: they are made anew.
            shutil.rmtree(self._folder / str(plan.registries), ignore_errors=True)
            self._stages.pop(plan.registries, None)
            return Result.of_failure(plan, traceback.format_exc(limit=-6))
        finally:
            self._hear = _drop

    async def _run(self, plan: Plan, trace_file: Path | None) -> Result:
        stage, trace = self._stages[plan.registries], Trace(trace_file)
        await stage.places.put(stage.template)
        run = _begun(plan, stage, trace, stage.began)
        self._hear = run.collect
        failure = await run.all_steps()
        trace.close()
        return Result(
            plan,
            trace.digest,
            failure,
            run.coverage,
            len(run.ledgers.leaves),
            asyncio.get_running_loop().time(),
        )

    def _heard(self, logger: Any, name: str, values: Any) -> Any:
        return self._hear(logger, name, values)

    async def _built(self, registries: int) -> Stage:
        cast = Cast(registries)
        template = self._folder / str(cast.registries) / "established"
        ended, anchored = await established(template, cast)
        work = template.with_name("run")
        work.mkdir()
        return Stage(cast, template, Places(work, cast), ended + timedelta(hours=1), anchored)


def _in_virtual_time(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


@contextmanager
def logging_to(processor: Processor) -> Iterator[None]:
    """Have all that programs log go to one processor, which drops it; how much of it is shown
    elsewhere does not count.
    """
    before = structlog.get_config()
    structlog.configure(
        processors=[processor],
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def _drop(logger: Any, name: str, values: Any) -> Any:
    raise structlog.DropEvent


def _begun(plan: Plan, stage: Stage, trace: Trace, began: datetime) -> Run:
    """A run at its beginning: nobody has been started yet."""
    seed, cast, coverage = plan.seed, stage.cast, Coverage()
    chances, people = Chances.draw(seed, plan.kinds), stream(seed, "people")
    may_wait = [*(a.participant for a in cast.parties), KOR.participant]
    manual = frozenset(p for p in may_wait if people.random() < MANUAL)

    def happened(kind: str) -> None:
        coverage.faults[kind] += 1

    world = World(
        *(cast, stage.places, seed, chances, trace, began, manual),
        anchor=MemoryAnchor(stage.anchored),
        happened=happened,
    )
    auditor = Auditor(
        str(ADM.participant),
        frozenset({str(KOR.participant)}),
        SHARE_OF_PROCEEDS_PERMILLE,
        OMGE_PERMILLE,
    )
    voice = Voice(world.exchange, world.right, Ids(stream(seed, "ids of the rogue").randbytes))
    disturber = Disturber(world, voice, chances, happened)
    return Run(
        plan.steps,
        world,
        Workload(
            *(cast, stream(seed, "workload"), auditor.units),
            auditor.transactions,
            auditor.authorizations,
        ),
        voice,
        disturber,
        Ledgers(world, auditor, disturber, voice, coverage),
        coverage,
        stream(seed, "steps"),
    )
