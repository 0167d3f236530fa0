# SPDX-License-Identifier: Apache-2.0
"""What is a node's alone and no batch's: how it starts and ends.

Everything else is in the engine's contract (`tests/contract/test_engine*.py`).
"""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from runtime.broker import Arrival, Parcel
from runtime.clock import SystemClock
from runtime.definitions import recipients
from runtime.errors import LocalProtocolError, Unavailable
from runtime.memory import MemoryBroker, MemoryExchange
from runtime.node import Node, NodeSettings
from runtime.store import open_store
from tests.cast import GHA
from tests.engine import until
from tests.toy import Toy, empty_keyring, make_database

REGISTRY = GHA.participant


class BrokenBroker(MemoryBroker):
    """One that breaks its port's contract: an exception instead of an answer."""

    async def publish(self, parcels: Sequence[Parcel]) -> list[bool]:
        raise ZeroDivisionError("a bug of ours")


class ForgetfulBroker(MemoryBroker):
    """One that does not confirm the first dead letter."""

    async def dead_letter(self, arrival: Arrival, reason: str, detail: str) -> None:
        if arrival.tag == 1:
            self._exchange.give_back(self._open_mailbox(), [self._unacknowledged.pop(arrival.tag)])
            raise Unavailable("the dead letter was not confirmed")
        await super().dead_letter(arrival, reason, detail)


def empty_exchange() -> MemoryExchange:
    return MemoryExchange(recipients(["HUB", "REC", "GHA01"], []), randomness=random.Random(1))


def node(
    url: str,
    kind: type[MemoryBroker] = MemoryBroker,
    exchange: MemoryExchange | None = None,
) -> Node:
    exchange = exchange or empty_exchange()
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


async def test_a_dead_letter_that_is_not_confirmed_holds_up_no_other(tmp_path: Path) -> None:
    """Whatever is handed out and never acknowledged takes up room for ever: in the end nothing
    would be handed out any more.
    """
    url = f"sqlite:///{tmp_path / 'gha.db'}"
    await make_database(url)
    exchange = empty_exchange()
    bodies = [b"rubbish %d" % number for number in range(3)]
    for body in bodies:
        exchange.route("HUB", Parcel(str(REGISTRY), body, body.decode(), "envelope"))
    running = node(url, ForgetfulBroker, exchange)
    task = asyncio.create_task(running.run())
    mailbox = exchange.mailbox(str(REGISTRY))

    async def put_aside() -> bool:
        return len(mailbox.dead) == 3

    await until(put_aside, "three dead letters at the broker")
    running.stop()
    await task
    assert sorted(letter.body for letter in mailbox.dead) == bodies
    assert not mailbox.waiting
