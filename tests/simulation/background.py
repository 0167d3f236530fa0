# SPDX-License-Identifier: Apache-2.0
"""The one long campaign, run on the other cores while the other tests run on this one.

It begins when tests have been collected, if a test that wants it is among them (marker
`campaign`), and such tests come last.
"""

import os
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from harness.simulation.campaign import Campaign, run_campaign
from harness.simulation.chances import KINDS
from harness.simulation.run import Plan

__all__ = ["PLANS", "campaign", "start_campaign"]

PLANS = [Plan(seed, 200, frozenset(KINDS)) for seed in range(1, 101)]
_RUNNING: list[Future[Campaign]] = []


def start_campaign(session: pytest.Session) -> None:
    """Put the tests that want the campaign last, and begin it."""
    waiting = [item for item in session.items if item.get_closest_marker("campaign")]
    if not waiting or session.config.option.collectonly or _RUNNING:
        return
    session.items[:] = [item for item in session.items if item not in waiting] + waiting
    jobs = max(1, (os.cpu_count() or 1) - 1) if len(session.items) > 50 else os.cpu_count() or 1
    pool = ThreadPoolExecutor(1)
    _RUNNING.append(pool.submit(run_campaign, PLANS, jobs, lambda _campaign, _result: None))
    pool.shutdown(wait=False)


def campaign() -> Campaign:
    """What came of it, once it has ended."""
    (running,) = _RUNNING
    return running.result()
