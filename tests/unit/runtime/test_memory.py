# SPDX-License-Identifier: Apache-2.0
"""The in-process broker's faults, each alone, on a clock that jumps instead of waiting.

What the twin has in common with RabbitMQ is in `tests/contract/test_broker.py`.
"""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from runtime.broker import Arrival, BrokerSettings, LinkState, Parcel
from runtime.errors import Unavailable
from runtime.memory import Faults, MemoryBroker, MemoryExchange

T = TypeVar("T")

PERMITTED = {"HUB": ["GHA01", "CHE01"], "GHA01": ["HUB", "CHE01"], "CHE01": ["HUB", "GHA01"]}
SETTINGS = BrokerSettings(url="memory:", publish_timeout_seconds=10.0, prefetch=50)


class JumpingSelector(selectors.SelectSelector):
    """Nothing comes from outside, so waiting is over at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everything waits for something that will not happen"
        self.now += timeout
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.jumping = JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now


def run(story: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(story)


def now() -> float:
    return asyncio.get_running_loop().time()


def exchange(seed: int = 1, **chances: Any) -> MemoryExchange:
    return MemoryExchange(PERMITTED, randomness=random.Random(seed), faults=Faults(**chances))


async def opened(at: MemoryExchange, *names: str) -> list[MemoryBroker]:
    brokers = [MemoryBroker(at, name, SETTINGS) for name in names]
    for broker in brokers:
        await broker.open()
    return brokers


def parcels(to: str, count: int) -> list[Parcel]:
    return [Parcel(to, str(n).encode(), f"{to}-{n}", "test") for n in range(count)]


async def everything(broker: MemoryBroker) -> list[str]:
    found: list[str] = []
    while batch := await broker.receive(10, 1.0):
        found += bodies(batch)
        await broker.acknowledge(batch)
    return found


def bodies(arrivals: Sequence[Arrival]) -> list[str]:
    return [arrival.body.decode() for arrival in arrivals]


def test_a_lost_parcel_is_false_and_does_not_arrive() -> None:
    async def story() -> None:
        sender, hub = await opened(exchange(lost_permille=500), "GHA01", "HUB")
        outcome = await sender.publish(parcels("HUB", 40))
        assert {True, False} == set(outcome)
        assert await everything(hub) == [str(n) for n in range(40) if outcome[n]]

    run(story())


def test_an_unreported_parcel_is_false_and_arrives() -> None:
    async def story() -> None:
        sender, hub = await opened(exchange(unreported_permille=500), "GHA01", "HUB")
        outcome = await sender.publish(parcels("HUB", 40))
        assert {True, False} == set(outcome)
        assert await everything(hub) == [str(n) for n in range(40)]

    run(story())


def test_a_repeated_parcel_comes_again_behind_the_others() -> None:
    async def story() -> None:
        seen: list[Parcel] = []
        at = MemoryExchange(
            PERMITTED,
            randomness=random.Random(1),
            faults=Faults(repeated_permille=1000),
            tap=seen.append,
        )
        sender, hub = await opened(at, "GHA01", "HUB")
        sent = parcels("HUB", 3)
        assert await sender.publish(sent) == [True] * 3
        assert await everything(hub) == ["0", "1", "2"] * 2
        assert seen == sent  # as sent, not as repeated

    run(story())


def test_delay_takes_time_and_keeps_the_order() -> None:
    async def story() -> None:
        sender, hub = await opened(exchange(delay_seconds_max=2.0), "GHA01", "HUB")
        publishing = asyncio.gather(*(sender.publish([p]) for p in parcels("HUB", 5)))
        assert await hub.receive(10, 0.0) == []
        assert await publishing == [[True]] * 5
        assert 1.0 < now() < 10.0
        assert await everything(hub) == ["0", "1", "2", "3", "4"]

    run(story())


@pytest.mark.parametrize(
    ("chances", "arrives"), [("delay_seconds_max", False), ("confirm_seconds_max", True)]
)
def test_what_takes_longer_than_the_limit_is_false(chances: str, *, arrives: bool) -> None:
    async def story() -> None:
        at = exchange()
        at.faults = Faults(**{chances: 80_000.0})  # type: ignore[arg-type]
        sender, hub = await opened(at, "GHA01", "HUB")
        assert await sender.publish(parcels("HUB", 1)) == [False]
        assert now() == pytest.approx(10.0)
        assert await everything(hub) == (["0"] if arrives else [])

    run(story())


def test_recipients_are_served_in_any_order_and_each_in_its_own() -> None:
    orders = set()

    async def story(seed: int) -> None:
        at = exchange(seed, reordered_permille=1000)
        sender, hub, other = await opened(at, "GHA01", "HUB", "CHE01")
        seen: list[str] = []
        at._tap = lambda parcel: seen.append(parcel.to)
        mixed = [
            p for pair in zip(parcels("HUB", 3), parcels("CHE01", 3), strict=True) for p in pair
        ]
        assert await sender.publish(mixed) == [True] * 6
        orders.add(tuple(dict.fromkeys(seen)))
        assert await everything(hub) == await everything(other) == ["0", "1", "2"]

    for seed in range(10):
        run(story(seed))
    assert orders == {("HUB", "CHE01"), ("CHE01", "HUB")}


def test_a_partition_cuts_off_one_and_healing_brings_it_back() -> None:
    async def story() -> None:
        at = exchange()
        sender, hub, other = await opened(at, "GHA01", "HUB", "CHE01")
        await sender.publish(parcels("HUB", 3))
        handed = await hub.receive(2, 1.0)
        at.partition("HUB")
        assert hub.state is LinkState.DOWN
        assert hub.last_error == "the network is down"
        assert await hub.publish(parcels("GHA01", 1)) == [False]
        assert await hub.receive(1, 1.0) == []
        await hub.acknowledge(handed)  # too late, and no harm
        assert await sender.publish(parcels("CHE01", 1)) == [True]
        assert await sender.publish([Parcel("HUB", b"3", "m", "test")]) == [True]
        assert await everything(other) == ["0"]
        at.heal("HUB")
        arrivals = await hub.receive(10, 1.0)
        assert bodies(arrivals) == ["0", "1", "2", "3"]
        assert [a.redelivered for a in arrivals] == [True, True, False, False]

    run(story())


def test_a_restart_loses_what_is_on_its_way_and_nothing_else() -> None:
    async def story() -> None:
        at = exchange()
        sender, hub = await opened(at, "GHA01", "HUB")
        await sender.publish(parcels("HUB", 2))
        await hub.receive(1, 1.0)
        at.faults = Faults(delay_seconds_max=8.0)
        on_their_way = asyncio.create_task(sender.publish(parcels("HUB", 9)))
        await asyncio.sleep(0.01)
        await at.restart(down_seconds=1.0)
        assert await on_their_way == [False] * 9
        arrivals = await hub.receive(10, 1.0)
        assert [(a.body, a.redelivered) for a in arrivals] == [(b"0", True), (b"1", False)]

    run(story())


def test_after_a_restart_everybody_takes_its_time() -> None:
    async def story() -> None:
        at = exchange(reconnect_seconds_max=5.0)
        brokers = await opened(at, "GHA01", "HUB", "CHE01")
        await at.restart()
        assert {broker.state for broker in brokers} == {LinkState.DOWN}
        assert await brokers[0].publish(parcels("HUB", 1)) == [True]  # waits for its link
        assert 0.0 < now() < 5.0
        await asyncio.sleep(5.0)
        assert {broker.state for broker in brokers} == {LinkState.UP}

    run(story())


def test_a_slow_consumer_gets_everything_later() -> None:
    async def story() -> None:
        sender, hub = await opened(exchange(receive_seconds_max=4.0), "GHA01", "HUB")
        await sender.publish(parcels("HUB", 30))
        assert await everything(hub) == [str(n) for n in range(30)]
        assert now() > 1.0

    run(story())


def test_a_blocked_broker_takes_nothing_and_still_delivers() -> None:
    async def story() -> None:
        at = exchange()
        sender, hub = await opened(at, "GHA01", "HUB")
        await sender.publish(parcels("HUB", 1))
        at.block()
        assert sender.state == "blocked"
        assert await sender.publish(parcels("HUB", 1)) == [False]
        assert now() == pytest.approx(10.0)
        (arrival,) = await hub.receive(1, 1.0)
        with pytest.raises(Unavailable):
            await hub.dead_letter(arrival, "form", "")
        waiting = asyncio.create_task(sender.publish(parcels("HUB", 2)))
        await asyncio.sleep(3.0)
        at.unblock()
        assert await waiting == [True, True]
        assert sender.state == "up"
        assert await everything(hub) == ["0", "0", "1"]

    run(story())


def test_a_dead_letter_may_be_kept_and_reported_lost() -> None:
    async def story() -> None:
        at = exchange()
        sender, hub = await opened(at, "GHA01", "HUB")
        await sender.publish(parcels("HUB", 1))
        (arrival,) = await hub.receive(1, 1.0)
        at.faults = Faults(unreported_permille=1000)
        with pytest.raises(Unavailable):
            await hub.dead_letter(arrival, "form", "not JSON")
        assert [letter.reason for letter in await hub.dead_letters(9)] == ["form"]
        assert await everything(hub) == ["0"]

    run(story())


@pytest.mark.parametrize("misuse", ["twice", "never handed out", "dead-lettered already"])
def test_acknowledging_what_is_not_open_is_a_bug(misuse: str) -> None:
    async def story() -> None:
        sender, hub = await opened(exchange(), "GHA01", "HUB")
        await sender.publish(parcels("HUB", 1))
        (arrival,) = await hub.receive(1, 1.0)
        if misuse == "dead-lettered already":
            await hub.dead_letter(arrival, "form", "")
        elif misuse == "twice":
            await hub.acknowledge([arrival])
        else:
            arrival = replace(arrival, tag=arrival.tag + 1)
        with pytest.raises(AssertionError, match="is not open"):
            await hub.acknowledge([arrival])

    run(story())


def test_what_may_be_written_to_can_be_changed() -> None:
    async def story() -> None:
        at = exchange()
        sender, other = await opened(at, "GHA01", "CHE01")
        at.define({"GHA01": ["HUB"], "THA01": []})
        assert await sender.publish(parcels("CHE01", 1)) == [False]
        assert await sender.publish(parcels("THA01", 1)) == [False]
        at.define({"GHA01": ["HUB", "THA01"]})
        assert await sender.publish(parcels("THA01", 1)) == [True]
        assert at.waiting("THA01") == 1
        assert await everything(other) == []

    run(story())


def test_the_seed_decides_everything() -> None:
    async def story(seed: int) -> tuple[object, ...]:
        at = exchange(
            seed,
            lost_permille=200,
            unreported_permille=200,
            repeated_permille=200,
            reordered_permille=500,
            delay_seconds_max=1.0,
            confirm_seconds_max=1.0,
            receive_seconds_max=1.0,
        )
        sender, hub, other = await opened(at, "GHA01", "HUB", "CHE01")
        outcome = await sender.publish([*parcels("HUB", 20), *parcels("CHE01", 20)])
        return outcome, await everything(hub), await everything(other), now()

    assert run(story(5)) == run(story(5))
    assert run(story(5)) != run(story(6))


@pytest.mark.parametrize("wrong", [{"lost_permille": 1001}, {"delay_seconds_max": -1.0}])
def test_chances_have_bounds(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be between"):
        Faults(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Parcel("", b"", "m", "t"),
        lambda: Parcel("HUB", b"", "", "t"),
        lambda: Parcel("HUB", b"", "m" * 256, "t"),
        lambda: Parcel("HUB", b"", "m", "ü" * 128),
        lambda: Parcel("HUB", b"", "m", "t", headers={"baggage": "x" * 4096}),
    ],
)
def test_a_parcel_that_could_not_travel_is_a_bug(wrong: Callable[[], Parcel]) -> None:
    with pytest.raises(AssertionError):
        wrong()


@pytest.mark.parametrize(
    "wrong",
    [
        {"prefetch": 0},
        {"prefetch": 65_536},
        {"publish_window": 0},
        {"publish_window": 1001},
        {"heartbeat_seconds": 0},
        {"publish_timeout_seconds": 0.0},
        {"backoff_min_seconds": 20.0},
    ],
)
def test_settings_have_bounds(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        BrokerSettings(**{"url": "memory:", **wrong})


def test_settings_do_not_show_the_password() -> None:
    assert "secret" not in repr(BrokerSettings(url="amqp://HUB:secret@localhost/"))
