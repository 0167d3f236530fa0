# SPDX-License-Identifier: Apache-2.0
"""What happens as ledgers grow: the same programs on a small and on a large ledger, side by side.

Two fleets of processes stand on the same servers. In the databases of one of them the sender's
units, a single block so far, are cut into as many blocks as asked for, by SQL and behind the
programs' backs: no serial moves, so the log, the holdings trees and every statement stay right.
The load then goes to one and to the other in turn.

After it, the sender's program is killed and started again on the large ledger, until it says that
it is ready; and the fleet on the small one does many transfers while the memory of its programs is
looked at.

Elsewhere: the rounds against a floor (`rounds`), the command (`growth_cli`).
"""

import asyncio
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

from harness.bench.course import SENDER, UNITS
from harness.bench.figures import Spread
from harness.bench.load import Load
from harness.bench.ours import Ours, ours
from harness.bench.rounds import PACE, WINDOW
from harness.bench.usage import memory_bytes
from harness.bench.verify import verify
from harness.services import PrivatePostgres, RabbitMQ
from schemas.identifiers import HUB, REC

__all__ = ["Growing", "Growth", "Plan", "growing", "help_seconds"]

READY_SECONDS_MAX = 60.0
LOOKS = 10
"""How often memory is looked at."""


@dataclass(frozen=True)
class Plan:
    """Sizes of a run."""

    small_blocks: int = 10_000
    large_blocks: int = 1_000_000
    transfers: int = 1000
    """Of one turn on one ledger."""
    turns: int = 3
    starts: int = 5
    memory_transfers: int = 20_000


@dataclass
class Growth:
    """What was found."""

    plan: Plan
    ledger_ratios: list[float] = field(default_factory=list)
    """Transfers a second on the large ledger to those on the small one, turn by turn."""
    start_seconds: list[float] = field(default_factory=list)
    memory_bytes: dict[str, list[int]] = field(default_factory=dict)
    """Of each program, at even distances over the run."""
    help_seconds: list[float] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            **asdict(self),
            "ledger_ratio": Spread.of(self.ledger_ratios).asdict(),
            "start_median_seconds": median(self.start_seconds),
            "help_median_seconds": median(self.help_seconds),
        }


class Growing:
    """Two fleets with their loads: on the small and on the large ledger."""

    def __init__(self, plan: Plan, fleets: dict[str, Ours], loads: dict[str, Load]) -> None:
        self._plan = plan
        self._fleets = fleets
        self._loads = loads

    async def ledgers(self) -> list[float]:
        """The ratio of each turn; which ledger has the load first changes from turn to turn."""
        ratios: list[float] = []
        for load in self._loads.values():
            await load.run(WINDOW, WINDOW)  # warm
        for turn in range(self._plan.turns):
            seconds: dict[str, float] = {}
            for name in sorted(self._loads, reverse=bool(turn % 2)):
                seconds[name] = await self._loads[name].run(self._plan.transfers, WINDOW)
            ratios.append(seconds["small"] / seconds["large"])
        return ratios

    async def starts(self) -> list[float]:
        """Seconds from the launch of the sender's program on the large ledger until it is ready."""
        fleet, found = self._fleets["large"].fleet, []
        for _ in range(self._plan.starts):
            fleet.kill(SENDER.participant)
            begun = time.perf_counter()
            fleet.launch(SENDER.participant)
            await _ready(fleet.ports[SENDER.participant])
            found.append(time.perf_counter() - begun)
        return found

    async def memory(self) -> dict[str, list[int]]:
        """Resident bytes of each program of the small ledger, over many transfers."""
        fleet, load = self._fleets["small"].fleet, self._loads["small"]
        found: dict[str, list[int]] = {name: [] for name in fleet.pids}
        for _ in range(LOOKS):
            await load.run(self._plan.memory_transfers // LOOKS, WINDOW)
            for name, pid in fleet.pids.items():
                found[name].append(memory_bytes(pid))
        return found


async def _ready(port: int) -> None:
    deadline = time.perf_counter() + READY_SECONDS_MAX
    while time.perf_counter() < deadline:
        try:
            await asyncio.to_thread(
                urllib.request.urlopen, f"http://127.0.0.1:{port}/readyz", None, 1
            )
        except (urllib.error.URLError, OSError):
            await asyncio.sleep(0.02)
        else:
            return
    raise RuntimeError(f"a program was not ready after {READY_SECONDS_MAX} seconds")


def _get(address: str) -> None:
    with urllib.request.urlopen(address, timeout=1):  # noqa: S310 - an address of our own
        return


@asynccontextmanager
async def growing(
    plan: Plan, folder: Path, postgres: PrivatePostgres, brokers: dict[str, RabbitMQ]
) -> AsyncIterator[Growing]:
    """Start both fleets, cut the large ledger, and hold both to what must be in the end."""
    sizes = {"small": plan.small_blocks, "large": plan.large_blocks}
    turns = WINDOW + plan.turns * plan.transfers
    transfers = {"small": turns + plan.memory_transfers, "large": turns}
    assert all(transfers[name] <= sizes[name] for name in sizes), "more transfers than blocks"
    async with (
        ours(folder / "small", postgres, brokers["small"], sizes["small"], PACE) as small,
        ours(folder / "large", postgres, brokers["large"], sizes["large"], PACE) as large,
    ):
        fleets = {"small": small, "large": large}
        logs: dict[str, int] = {}
        for name, programs in fleets.items():
            (log,) = await programs.remote.rows(HUB, "select count(*) as n from log_entries")
            logs[name] = log.n
            for participant in (HUB, REC, SENDER.participant):
                await cut(programs.fleet.databases[participant])
        loads = {n: Load(p.estate, p.fleet.databases, transfers[n]) for n, p in fleets.items()}
        try:
            yield Growing(plan, fleets, loads)
            for name, programs in fleets.items():
                await programs.fleet.check()
                done = len(loads[name].ended)
                left = (sizes[name] - done) * UNITS
                await verify(programs.remote, done, logs[name], left=left)
        finally:
            for load in loads.values():
                await load.close()


async def cut(database: str) -> int:
    """Cut what the sender holds into blocks of a transfer's size; gives how many there are.

    Triggers and foreign keys are left out, as for rows that COPY brings; that no two blocks overlap
    the database makes sure of.
    """
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    try:
        async with connection.transaction():
            await connection.execute("set local session_replication_role = replica")
            whole = await connection.fetch(_TAKEN, str(SENDER), UNITS)
            for block in whole:
                await connection.execute(_CUT, UNITS, *block.values())
        await connection.execute("analyze blocks")
        return int(await connection.fetchval(_COUNTED, str(SENDER)))
    finally:
        await connection.close()


_COLUMNS = "book, series, first, last, key, slot, attributes, actor, kind, account"
_TAKEN = f"delete from blocks where actor = $1 and last - first >= $2 returning {_COLUMNS}"  # noqa: S608 - our own names
_CUT = (
    f"insert into blocks ({_COLUMNS}) "  # noqa: S608 - our own names
    "select $2, $3, serial, least(serial + $1 - 1, $5), $6, $7, $8, $9, $10, $11 "
    "from generate_series($4::bigint, $5::bigint, $1::bigint) as serial"
)
_COUNTED = "select count(*) from blocks where actor = $1"


def help_seconds(times: int) -> list[float]:
    """Seconds of `a6hub --help`, so often."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        command = [sys.executable, "-c", "from harness.cli import main; main()", "--help"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
        found.append(time.perf_counter() - begun)
    return found
