# SPDX-License-Identifier: Apache-2.0
"""The relay: sends what is sealed until the broker has it, and knows what is on its way."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256

import pytest

from runtime.journal import Sealed
from runtime.memory import Faults, MemoryBroker, MemoryExchange
from runtime.relay import Relay
from schemas.identifiers import Participant
from tests.cast import CHE, GHA, HUB

PERMITTED = {"HUB": ["GHA01", "CHE01"], "GHA01": ["HUB"], "CHE01": ["HUB"]}


def sealed(sequence: int, to: Participant = HUB, body: bytes | None = None) -> Sealed:
    return Sealed(GHA, to, sequence, body or envelope(sequence))


def envelope(number: int) -> bytes:
    """As much of an envelope as a relay looks at."""
    return b'manifest %d\n{"conversation":"GHA01-GHA-%d"}' % (number, number)


class Bench:
    """Ghana's relay, and the broker that it sends through."""

    def __init__(self, window: int = 256) -> None:
        self.exchange = MemoryExchange(PERMITTED, randomness=random.Random(1))
        self.relay = Relay(self._link("GHA01"), window=window, retry_seconds=0.001)
        self.hub = self._link("HUB")

    def _link(self, participant: str) -> MemoryBroker:
        return MemoryBroker(self.exchange, participant)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.relay._broker.open()
        await self.hub.open()
        task = asyncio.create_task(self.relay.run())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def arrived(self) -> list[bytes]:
        """What the hub has in its inbox."""
        return [arrival.body for arrival in await self.hub.receive(200, 0.0)]


async def until(ready: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not ready():
            await asyncio.sleep(0.001)


async def test_what_is_sent_arrives_in_order_and_is_confirmed() -> None:
    bench = Bench(window=7)
    async with bench.running():
        chosen = [sealed(n) for n in range(1, 31)]
        assert bench.relay.send(chosen) == 30
        assert await bench.relay.drained(20)
        assert await bench.arrived() == [envelope.body for envelope in chosen]
        assert bench.relay.confirmed() == chosen
        assert bench.relay.pending == 0


async def test_all_that_is_said_of_one_transaction_is_one_trace() -> None:
    """For operators' tools alone: the conversation, and a W3C trace context made from it."""
    bench = Bench()
    async with bench.running():
        same = b'other manifest\n{"conversation":"GHA01-GHA-1"}'
        bench.relay.send([sealed(1), sealed(2), sealed(3, body=same)])
        assert await bench.relay.drained(20)
        traces = [a.headers["traceparent"] for a in await bench.hub.receive(200, 0.0)]
    assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", trace) for trace in traces)
    ids = [trace.split("-")[1] for trace in traces]
    assert ids[0] == ids[2] == sha256(b"GHA01-GHA-1").hexdigest()[:32]
    assert ids[0] != ids[1]
    assert len(set(traces)) == 3


FAULTS = {
    "lost": Faults(lost_permille=700),
    "arrived and reported as lost": Faults(unreported_permille=700),
    "both": Faults(lost_permille=400, unreported_permille=400, repeated_permille=200),
}


@pytest.mark.parametrize("name", FAULTS, ids=lambda name: name.replace(" ", "-"))
async def test_the_same_bytes_are_sent_until_the_broker_has_them(name: str) -> None:
    bench = Bench()
    bench.exchange.faults = FAULTS[name]
    async with bench.running():
        chosen = [sealed(n) for n in range(1, 21)]
        bench.relay.send(chosen)
        assert await bench.relay.drained(20)
        assert set(await bench.arrived()) == {envelope.body for envelope in chosen}
        assert sorted(bench.relay.confirmed()) == chosen


async def test_a_recipient_that_cannot_be_reached_holds_nobody_up() -> None:
    bench = Bench(window=2)
    async with bench.running():
        away = [sealed(n, CHE.participant) for n in (1, 2, 3)]  # Ghana may not write to it
        bench.relay.send([*away, sealed(1), sealed(2)])
        await until(lambda: bench.relay.pending == 3)
        assert await bench.arrived() == [envelope(1), envelope(2)]
        assert all(bench.relay.knows(envelope) for envelope in away)


async def test_an_envelope_is_taken_once_while_it_is_on_its_way() -> None:
    bench = Bench()
    assert bench.relay.send([sealed(1), sealed(1)]) == 1
    assert bench.relay.send([sealed(1)]) == 0
    assert bench.relay.knows(sealed(1))
    async with bench.running():
        assert await bench.relay.drained(20)
        assert bench.relay.knows(sealed(1))  # until the outbox has it marked
        bench.relay.settled([sealed(1)])
        assert not bench.relay.knows(sealed(1))
        assert bench.relay.send([sealed(1)]) == 1  # somebody lacks it
        assert await bench.relay.drained(20)
        assert await bench.arrived() == [envelope(1)] * 2


async def test_what_was_sealed_anew_takes_the_place_of_the_old_bytes() -> None:
    bench = Bench()
    bench.relay.send([sealed(1), sealed(2)])
    anew = b'anew\n{"conversation":"GHA01-GHA-1"}'
    bench.relay.replace([sealed(1, body=anew)])
    async with bench.running():
        assert await bench.relay.drained(20)
        assert sorted(await bench.arrived()) == [anew, envelope(2)]


async def test_a_control_envelope_is_sent_once_and_not_kept() -> None:
    bench = Bench()
    async with bench.running():
        bench.relay.pass_on(HUB, b"hello", "1")
        await until(lambda: bench.exchange.waiting("HUB") == 1)
        assert bench.relay.confirmed() == []
        assert bench.relay.pending == 0


async def test_draining_ends_with_its_time_while_the_link_is_down() -> None:
    bench = Bench()
    async with bench.running():
        bench.exchange.stop()
        bench.relay.send([sealed(1)])
        assert not await bench.relay.drained(0.01)
        bench.exchange.start()
        assert await bench.relay.drained(20)
        assert await bench.arrived() == [envelope(1)]
