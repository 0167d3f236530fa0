# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong in a run is a failure of that run, with its seed, and others go on."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from harness.simulation import campaign, run
from harness.simulation.cast import HUB
from harness.simulation.run import Plan, Result
from harness.simulation.steps import RUNS, Run
from harness.simulation.watchdog import TooLong
from harness.simulation.world import World
from runtime.node import Node
from tests.simulation.planted import replaced

PLAN = Plan(3, 1, frozenset())
turn = Node._turn


def failing(owner: Any, name: str, other: Callable[..., Any]) -> tuple[Result, Result]:
    """What comes of a plan with a function that fails, and of the same plan without it after."""
    with campaign.simulating() as simulator:
        if owner is not run:
            assert simulator.run(PLAN).failure is None
        simulator.cpu_seconds = 1
        with replaced((owner, name, other)):
            first = simulator.run(PLAN)
        gc.collect()  # what a run that was cut off leaves open is closed here, with a warning
        simulator.cpu_seconds = 60
        return first, simulator.run(PLAN)


async def broken(*_arguments: Any) -> None:
    raise OSError("nobody expected this")


async def busy(*_arguments: Any) -> None:
    while True:
        pass


async def busy_node(node: Node) -> None:
    if node.program.participant == HUB:
        await busy()
    await turn(node)


async def restless(*_arguments: Any) -> None:
    while True:
        await asyncio.sleep(0)


FAILING: dict[str, tuple[Any, str, Callable[..., Any], str]] = {
    "before the steps": (run, "established", broken, "nobody expected this"),
    "at a step": (Run, "_step", broken, "nobody expected this"),
    "at the end": (World, "close", broken, "nobody expected this"),
    "a step that never ends": (Run, "_step", busy, "seconds of processor time"),
    "a step in which no time passes": (Run, "_step", restless, "seconds of processor time"),
    "a program that never ends": (Node, "_turn", busy_node, "seconds of processor time"),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("where", FAILING)
def test_what_goes_wrong_is_a_failure_of_the_run_and_the_next_one_passes(where: str) -> None:
    *planted, detail = FAILING[where]
    first, second = failing(*planted)
    assert first.failure is not None
    assert first.failure.invariant == RUNS
    assert detail in first.failure.detail
    assert first.plan == PLAN
    assert second.failure is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_logs_are_put_back_after_a_run_whose_coroutine_is_left_open() -> None:
    """Its loop ends at once, and again whenever it is run to close what is open."""
    before = structlog.get_config()
    left_open: list[asyncio.Task[Any] | None] = []

    def end() -> None:
        asyncio.get_running_loop().call_soon(end)
        raise TooLong("ended")

    async def open_for_ever(*_arguments: Any) -> None:
        left_open.append(asyncio.current_task())
        asyncio.get_running_loop().call_soon(end)
        await asyncio.Event().wait()

    with campaign.simulating() as simulator, replaced((Run, "_step", open_for_ever)):
        assert simulator.run(PLAN).failure is not None
    assert structlog.get_config() == before
    assert [task and task.done() for task in left_open] == [False]
    left_open.clear()
    gc.collect()  # with a warning, as above


def die(_plan: Plan) -> Result:
    """A process that is killed, as when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def test_a_campaign_whose_process_dies_names_the_seeds_that_it_had() -> None:
    with replaced((campaign, "_run", die)):
        done = campaign.run_campaign([Plan(seed, 1, frozenset()) for seed in range(20)], 1, print)
    assert 0 < done.runs < 20
    assert [result.plan.seed for result in done.failed] == list(range(done.runs))
    assert all(result.failure and result.failure.invariant == RUNS for result in done.failed)
