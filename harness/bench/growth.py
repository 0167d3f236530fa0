# SPDX-License-Identifier: Apache-2.0
"""What happens as things grow: ledgers, logs, participants, hours of running.

1. *Ledgers.* The same load on a small and on a large one, in turn. On the large one the sender's
   program is then killed and started again, until it says that it is ready; and many transfers are
   done while the programs' memory is looked at.
2. *Logs.* The same load on a short and on a long one.
3. *Participants.* The same load with two registries and with many more that answer heartbeats.
4. *Descents.* What it takes to find the serials that differ, on two sizes of ledgers, and beside it
   what it takes to send everything.

Elsewhere: how two fleets are run (`sides`) and made large (`preload`), the rounds against a floor
(`rounds`), the command (`growth_cli`).
"""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any

from harness.bench.course import SENDER
from harness.bench.descents import Compared, pair
from harness.bench.figures import Spread
from harness.bench.preload import cut, lengthen
from harness.bench.rounds import PACE, WINDOW
from harness.bench.sides import Running, Servers, Side, side_by_side
from harness.bench.usage import memory_bytes
from harness.bench.verify import RoundFailed

__all__ = ["LOOKS", "PARTICIPANTS_MIN", "Growth", "Plan", "measure"]

PARTICIPANTS_MIN = 3
"""Beside the hub: two registries that trade, and the reconciliation service."""
LOOKS = 10
"""How often memory is looked at."""
DIFFERENCES = (0, 1, 10)
"""Of which descents are measured."""
DESCENTS = 5
"""Of each, after a first one that finds caches cold and does not count."""
SENDINGS = 3
"""Of all blocks, which takes long."""
HELPS = 5
"""How often `a6hub --help` is run."""
CROWDED_PACE = replace(PACE, heartbeat_seconds=15.0)
"""Heartbeats of those that do not trade, four times as often as by the default settings."""
CROWDED_TURNS = 4
"""So many times as many transfers in a turn: a turn then takes about as long as a heartbeat."""


@dataclass(frozen=True)
class Plan:
    """Sizes of a run."""

    small_blocks: int = 10_000
    large_blocks: int = 1_000_000
    short_log: int = 10_000
    long_log: int = 10_000_000
    participants: int = 100
    transfers: int = 1000
    """Of one turn on one side."""
    turns: int = 3
    starts: int = 5
    memory_transfers: int = 100_000

    @property
    def most(self) -> int:
        """Transfers of both sides of a comparison."""
        return WINDOW + self.turns * self.transfers

    @property
    def descent_blocks(self) -> tuple[int, int]:
        """Of the two ledgers on which descents are measured."""
        return self.large_blocks // 4, self.large_blocks


@dataclass
class Growth:
    """What was found. Ratios are transfers a second of the larger side to the smaller one's, turn
    by turn.
    """

    plan: Plan
    help_seconds: list[float] = field(default_factory=list)
    ledger_ratios: list[float] = field(default_factory=list)
    start_seconds: list[float] = field(default_factory=list)
    memory_bytes: dict[str, list[int]] = field(default_factory=dict)
    """Of each program, at even distances over the run."""
    log_ratios: list[float] = field(default_factory=list)
    participant_ratios: list[float] = field(default_factory=list)
    descents: list[dict[str, Any]] = field(default_factory=list)
    """Blocks, differences, seconds and bytes of a descent and of sending everything."""

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        ratios = {
            "ledger": self.ledger_ratios,
            "log": self.log_ratios,
            "participant": self.participant_ratios,
        }
        return {
            **asdict(self),
            "ratios": {name: Spread.of(found).asdict() for name, found in ratios.items()},
            "start_median_seconds": median(self.start_seconds),
            "help_median_seconds": median(self.help_seconds),
        }


async def measure(plan: Plan, servers: Servers, say: Callable[[str], None]) -> Growth:
    """Everything, one after another; `say` is told what begins."""
    found = Growth(plan, help_seconds=_help_seconds())
    await _ledgers(found, servers, say)
    await _logs(found, servers, say)
    await _participants(found, servers, say)
    for blocks in plan.descent_blocks:
        say(f"descents in {blocks:,} blocks")
        found.descents += await _descents(servers, blocks)
    return found


async def _ledgers(found: Growth, servers: Servers, say: Callable[[str], None]) -> None:
    plan = found.plan
    say(f"ledgers of {plan.small_blocks:,} and {plan.large_blocks:,} blocks")
    most = plan.most + plan.memory_transfers
    first = Side(name="small", course=plan.small_blocks, most=plan.most, prepare=cut)
    second = Side(name="large", course=plan.large_blocks, most=most, prepare=cut)
    async with side_by_side(servers, first, second) as sides:
        found.ledger_ratios = await sides.ratios(plan.turns, plan.transfers)
        say("starts on the large one")
        found.start_seconds = await _starts(sides.second, plan.starts)
        say(f"{plan.memory_transfers:,} transfers on it")
        found.memory_bytes = await _memory(sides.second, plan.memory_transfers)


async def _logs(found: Growth, servers: Servers, say: Callable[[str], None]) -> None:
    plan = found.plan
    say(f"logs of {plan.short_log:,} and {plan.long_log:,} leaves")

    def side(name: str, leaves: int) -> Side:
        return Side(
            name=name,
            course=plan.most,
            most=plan.most,
            prepare=lambda programs: lengthen(programs, leaves),
        )

    first, second = side("short", plan.short_log), side("long", plan.long_log)
    async with side_by_side(servers, first, second) as sides:
        found.log_ratios = await sides.ratios(plan.turns, plan.transfers)


async def _participants(found: Growth, servers: Servers, say: Callable[[str], None]) -> None:
    plan = found.plan
    say(f"{PARTICIPANTS_MIN} and {plan.participants} participants beside the hub")

    transfers = CROWDED_TURNS * plan.transfers
    most = WINDOW + plan.turns * transfers

    def side(name: str, participants: int) -> Side:
        more = participants - PARTICIPANTS_MIN
        return Side(name=name, course=most, most=most, pace=CROWDED_PACE, more=more)

    first, second = side("few", PARTICIPANTS_MIN), side("many", plan.participants)
    async with side_by_side(servers, first, second) as sides:
        found.participant_ratios = await sides.ratios(plan.turns, transfers)


# --- one figure each ----------------------------------------------------------------------------


async def _starts(running: Running, number: int) -> list[float]:
    """Seconds from the launch of the sender's program until it is ready."""
    fleet, found = running.programs.fleet, []
    for _ in range(number):
        fleet.kill(SENDER.participant)
        begun = time.perf_counter()
        fleet.launch(SENDER.participant)
        await fleet.ready(SENDER.participant)
        found.append(time.perf_counter() - begun)
    return found


async def _memory(running: Running, transfers: int) -> dict[str, list[int]]:
    """Resident bytes of each program, over many transfers."""
    fleet, load = running.programs.fleet, running.load
    found: dict[str, list[int]] = {name: [] for name in fleet.pids}
    for _ in range(LOOKS):
        await load.run(transfers // LOOKS, WINDOW)
        for name, pid in fleet.pids.items():
            found[name].append(memory_bytes(pid))
    return found


async def _descents(servers: Servers, blocks: int) -> list[dict[str, Any]]:
    """Of each number of differences; beside the last of them, what sending everything takes."""
    found: list[dict[str, Any]] = []
    async with pair(servers.postgres, blocks) as both:
        for number in DIFFERENCES:
            if number:
                await both.edit(number, blocks)
            descents = [await both.descend() for _ in range(DESCENTS + 1)][1:]
            one = {"blocks": blocks, "differences": number, **_figures(descents, number)}
            found.append(one)
        everything = [await both.send_all() for _ in range(SENDINGS)]
        found[-1]["everything"] = _figures(everything, DIFFERENCES[-1])
    return found


def _figures(taken: list[Compared], number: int) -> dict[str, Any]:
    wrong = {one.found for one in taken} - {number}
    if wrong:
        raise RoundFailed(f"a comparison found {min(wrong)} ranges, and {number} differ")
    return {
        "seconds": Spread.of(one.seconds for one in taken).asdict(),
        "bytes": taken[0].size,
        "questions": taken[0].questions,
    }


def _help_seconds() -> list[float]:
    """Seconds of `a6hub --help`."""
    found = []
    for _ in range(HELPS):
        begun = time.perf_counter()
        command = [sys.executable, "-c", "from harness.cli import main; main()", "--help"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
        found.append(time.perf_counter() - begun)
    return found
