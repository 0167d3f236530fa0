# SPDX-License-Identifier: Apache-2.0
"""Many runs: seeds on all cores, with progress, what they reached, and what failed.

Each core has a process with a simulator and a folder of its own, in memory where the machine has
such a disk. A run depends on its plan alone, so it does not matter who runs it.
"""

import multiprocessing
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.simulation.coverage import Coverage
from harness.simulation.run import Plan, Result, Simulator

__all__ = ["Campaign", "run_campaign", "simulating"]

AHEAD = 4
"""Plans that are handed out for each process: enough to keep it busy."""

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
_SIMULATOR: Simulator | None = None


@dataclass
class Campaign:
    """What came of many runs."""

    runs: int = 0
    steps: int = 0
    entries: int = 0
    virtual_seconds: float = 0.0
    coverage: Coverage = field(default_factory=Coverage)
    failed: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Take in one run."""
        self.runs += 1
        self.steps += result.plan.steps
        self.entries += result.entries
        self.virtual_seconds += result.virtual_seconds
        self.coverage.add(result.coverage)
        if result.failure is not None:
            self.failed.append(result)


@contextmanager
def simulating() -> Iterator[Simulator]:
    """A simulator with a folder for as long as it is needed."""
    folder = _folder()
    try:
        yield Simulator(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_campaign(
    plans: Iterable[Plan], jobs: int, progress: Callable[[Campaign, Result], None]
) -> Campaign:
    """Run all plans on so many processes; `progress` is told of each as it ends."""
    campaign = Campaign()
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="a6hub-simulation-", dir=_memory()) as folder,
        ProcessPoolExecutor(
            max_workers=jobs, mp_context=context, initializer=_begin, initargs=(folder,)
        ) as pool,
    ):
        for result in _results(pool, plans, jobs):
            campaign.add(result)
            progress(campaign, result)
    return campaign


def _results(pool: Executor, plans: Iterable[Plan], jobs: int) -> Iterator[Result]:
    """What came of each plan, in order. If a process dies, so do all: the plans that were handed
    out have failed, whichever was the cause, and no more are.
    """
    running: deque[tuple[Plan, Future[Result]]] = deque()
    run = _run  # looked up once: a test that breaks another campaign must not break this one
    with suppress(BrokenProcessPool):
        for plan in plans:
            running.append((plan, pool.submit(run, plan)))
            if len(running) > AHEAD * jobs:
                yield _result(*running.popleft())
    for one in running:
        yield _result(*one)


def _result(plan: Plan, running: Future[Result]) -> Result:
    try:
        return running.result()
    except BrokenProcessPool as error:
        return Result.of_failure(plan, str(error))


def _begin(folder: str) -> None:
    global _SIMULATOR  # noqa: PLW0603 - one simulator for each process of the pool
    own = Path(folder) / str(os.getpid())
    own.mkdir()
    _SIMULATOR = Simulator(own)


def _run(plan: Plan) -> Result:
    assert _SIMULATOR is not None
    return _SIMULATOR.run(plan)


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="a6hub-simulation-", dir=_memory()))


def _memory() -> Path | None:
    return MEMORY if os.access(MEMORY, os.W_OK) else None
