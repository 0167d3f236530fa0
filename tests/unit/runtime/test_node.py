# SPDX-License-Identifier: Apache-2.0
"""What is a node's alone and no batch's: how it starts and ends.

Everything else is in the engine's contract (`tests/contract/test_engine*.py`).
"""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from runtime.broker import Parcel
from runtime.clock import SystemClock
from runtime.definitions import recipients
from runtime.errors import LocalProtocolError
from runtime.memory import MemoryBroker, MemoryExchange
from runtime.node import Node, NodeSettings
from runtime.store import open_store
from tests.cast import GHA
from tests.toy import Toy, empty_keyring, make_database

REGISTRY = GHA.participant


class BrokenBroker(MemoryBroker):
    """One that breaks its port's contract: an exception instead of an answer."""

    async def publish(self, parcels: Sequence[Parcel]) -> list[bool]:
        raise ZeroDivisionError("a bug of ours")


def node(url: str, kind: type[MemoryBroker] = MemoryBroker) -> Node:
    exchange = MemoryExchange(recipients(["HUB", "REC", "GHA01"], []), randomness=random.Random(1))
    return Node(
        Toy(REGISTRY),
        open_store(url),
        kind(exchange, str(REGISTRY)),
        SystemClock(),
        empty_keyring(REGISTRY),
        settings=NodeSettings(tick_seconds=0.01, greet_seconds=0.01),
    )


async def test_a_node_that_cannot_send_any_more_ends_with_the_error(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'gha.db'}"
    await make_database(url)
    with pytest.raises(ZeroDivisionError, match="a bug of ours"):
        await node(url, BrokenBroker).run()
    again = node(url)  # the writer's lock was given back
    again.stop()
    await again.run()


async def test_a_database_that_is_not_there_makes_starting_impossible(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match="no such database"):
        await node(f"sqlite:///{tmp_path / 'nothing.db'}").run()
