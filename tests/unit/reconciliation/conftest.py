# SPDX-License-Identifier: Apache-2.0
"""A federation with two registries, ready to trade."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.reconciliation.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = await World.begin(tmp_path)
    yield world
    assert not any("assert" in str(one) for one in world.findings)
    await world.store.close()
    for node in world.nodes.values():
        await node.store.close()
