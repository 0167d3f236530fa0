# SPDX-License-Identifier: Apache-2.0
"""The load: who waits for transfers that have ended already goes on at once."""

import asyncio
from types import SimpleNamespace

from harness.bench.load import Load


async def test_what_has_ended_before_it_is_asked_for_is_not_waited_for() -> None:
    """As when a program was being killed while the last transfers ended."""
    load = SimpleNamespace(ended={0: 1.0, 1: 1.0}, _awaited=[])
    async with asyncio.timeout(10):
        await Load.reached(load, 2)  # type: ignore[arg-type]
    assert load._awaited == []
