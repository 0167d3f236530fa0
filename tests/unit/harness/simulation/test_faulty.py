# SPDX-License-Identifier: Apache-2.0
"""Faulty ports: each fault does what its kind says, and nothing else."""

import asyncio
import random
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import text

from harness.simulation.chances import Chances
from harness.simulation.faulty import Crash, Dice, FaultyBroker, FaultyClock, FaultyStore
from harness.simulation.virtual_time import START, VirtualLoop
from runtime.broker import LinkState, Parcel
from runtime.errors import Unavailable
from runtime.memory import MemoryExchange
from runtime.store import Store, open_store
from runtime.tables import marks

T = TypeVar("T")


def run(story: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)


class Bench:
    """One program's faulty ports, where a fault of one kind always comes."""

    def __init__(self, folder: Path, kind: str = "", permille: int = 1000) -> None:
        self.happened: list[str] = []
        self.hasty: list[str] = []
        self.deaths = 0
        chances = Chances({kind: permille} if kind else {})
        self.dice = Dice(chances, random.Random(1), self.happened.append)
        self.exchange = MemoryExchange(
            {"HUB": ["GHA01"], "GHA01": ["HUB"]}, randomness=random.Random(1)
        )
        self.broker = FaultyBroker(self.exchange, "HUB", self.dice, self.die, self.hasty.append)
        (folder / "store.db").touch()  # no store creates its database
        self.real = open_store(f"sqlite:///{folder}/store.db")
        self.store = FaultyStore(self.real, self.dice, self.die, self.broker.committed)

    def die(self) -> None:
        self.deaths += 1
        self.broker.cut()

    async def prepare(self) -> None:
        async with self.real.transaction() as session:
            await session.execute(text("create table marks (name text primary key, value integer)"))

    async def write(self) -> None:
        async with self.store.transaction() as session:
            await session.execute(marks.insert(), [{"name": "one", "value": 1}])

    async def written(self, store: Store | None = None) -> int:
        async with (store or self.real).snapshot() as session:
            return int((await session.execute(text("select count(*) from marks"))).scalar_one())

    async def close(self) -> None:
        await self.store.close()


OUTCOMES: dict[str, tuple[type[BaseException], int, int]] = {
    "database-busy": (Unavailable, 0, 0),
    "disk-full": (Unavailable, 0, 0),
    "commit-fails": (Unavailable, 0, 0),
    "commit-unreported": (Unavailable, 1, 0),
    "crash-before-commit": (Crash, 0, 1),
    "crash-after-commit": (Crash, 1, 1),
}
"""Per kind: what is raised, how many rows are there then, and how often the program died."""


@pytest.mark.parametrize("kind", OUTCOMES)
def test_a_fault_of_the_store_raises_what_it_should_and_keeps_or_loses_the_rows(
    kind: str, tmp_path: Path
) -> None:
    raised, rows, deaths = OUTCOMES[kind]

    async def story() -> None:
        bench = Bench(tmp_path, kind)
        await bench.prepare()
        with pytest.raises(raised):
            await bench.write()
        assert await bench.written() == rows
        assert await bench.written(bench.store) == rows
        assert bench.deaths == deaths
        assert bench.happened == [kind]
        await bench.close()

    run(story())


def test_unarmed_dice_never_fall_and_kinds_that_cannot_come_draw_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        bench = Bench(tmp_path, "commit-fails")
        bench.dice.armed = False
        await bench.prepare()
        await bench.write()
        assert await bench.written() == 1
        assert bench.happened == []
        await bench.close()

    run(story())
    before = random.Random(1).getstate()
    dice = Dice(Chances({"loss": 0}), random.Random(1), lambda _kind: None)
    assert not dice.falls("loss")
    assert not dice.falls("crash")
    assert dice.randomness.getstate() == before


def parcels(number: int) -> list[Parcel]:
    return [
        Parcel(to="GHA01", body=b"%d" % n, message_id=str(n), type="envelope")
        for n in range(number)
    ]


def test_a_program_that_dies_while_it_publishes_has_sent_the_first_few_and_confirmed_none(
    tmp_path: Path,
) -> None:
    async def story() -> set[int]:
        reached = set()
        for seed in range(20):
            bench = Bench(tmp_path, "crash-in-relay")
            bench.dice.randomness.seed(seed)
            await bench.broker.open()
            assert await bench.broker.publish(parcels(3)) == [False] * 3
            assert bench.deaths == 1
            assert bench.broker.state is not LinkState.UP
            reached.add(bench.exchange.waiting("GHA01"))
            assert await bench.broker.publish(parcels(3)) == [False] * 3
        return reached

    assert run(story()) == {0, 1, 2, 3}


def test_a_link_that_is_cut_gives_back_what_was_not_acknowledged(tmp_path: Path) -> None:
    async def story() -> None:
        bench = Bench(tmp_path)
        await bench.broker.open()
        await send(bench, b"one", b"two")
        first, _ = await bench.broker.receive(10, 0.0)
        bench.broker.committed()
        await bench.broker.acknowledge([first])
        bench.broker.cut()
        assert bench.exchange.waiting("HUB") == 1
        assert await bench.broker.receive(10, 0.0) == []

    run(story())


async def send(bench: Bench, *bodies: bytes) -> None:
    other = FaultyBroker(bench.exchange, "GHA01", bench.dice, lambda: None, bench.hasty.append)
    await other.open()
    sent = [Parcel(to="HUB", body=b, message_id=b.decode(), type="envelope") for b in bodies]
    assert await other.publish(sent) == [True] * len(bodies)
    await other.close()


@pytest.mark.parametrize(
    ("bodies", "commits", "acknowledged", "hasty"),
    [
        ([b"one"], 1, [0], []),
        ([b"one"], 0, [0], ["HUB one"]),
        ([b"one", b"two"], 0, [1], ["HUB two"]),
        ([b"one", b"one"], 0, [0], []),  # a copy of it is open
        ([b"one", b"one"], 0, [0, 1], ["HUB one", "HUB one"]),
    ],
)
def test_what_is_acknowledged_before_a_commit_is_told(
    tmp_path: Path, bodies: list[bytes], commits: int, acknowledged: list[int], hasty: list[str]
) -> None:
    async def story() -> list[str]:
        bench = Bench(tmp_path)
        await bench.broker.open()
        await send(bench, *bodies)
        arrivals = await bench.broker.receive(10, 0.0)
        for _ in range(commits):
            bench.broker.committed()
        await bench.broker.acknowledge([arrivals[number] for number in acknowledged])
        return bench.hasty

    assert run(story()) == hasty


def test_a_commit_of_the_store_counts_and_one_that_fails_does_not(tmp_path: Path) -> None:
    async def story(kind: str) -> list[str]:
        folder = tmp_path / (kind or "none")
        folder.mkdir()
        bench = Bench(folder, kind)
        await bench.prepare()
        await bench.broker.open()
        await send(bench, b"one")
        arrivals = await bench.broker.receive(10, 0.0)
        if kind:
            with pytest.raises(Unavailable):
                await bench.write()
        else:
            await bench.write()
        await bench.broker.acknowledge(arrivals)
        await bench.close()
        return bench.hasty

    assert run(story("")) == []
    assert run(story("commit-unreported")) == []
    assert run(story("commit-fails")) == ["HUB one"]


def test_a_clock_is_wrong_by_so_many_seconds_and_right_again() -> None:
    async def story() -> Iterator[float]:
        clock = FaultyClock()
        found = []
        for wrong in (0.0, -3600.0, 4.5, 0.0):
            clock.wrong_by_seconds = wrong
            found.append((clock.now().moment() - START).total_seconds())
            await asyncio.sleep(10.0)
        return iter(found)

    assert list(run(story())) == [0.0, 10.0 - 3600.0, 20.0 + 4.5, 30.0]
