# SPDX-License-Identifier: Apache-2.0
"""Rounds of a benchmark with everything in one process, on SQLite and the in-process broker.

There is no floor to hold this to: it tells what batches and bundles bring there, and what one
processor core does without servers and round trips. Processor time is that of the whole process,
the load included; durable bytes are those by which the databases have grown.

Elsewhere: the rounds on servers (`rounds`), what the figures mean (`figures`).
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from harness.bench.figures import Measured, Taken, measured
from harness.bench.layers import LAYERS, REST, timed_layers
from harness.bench.load import Load
from harness.bench.ours import Embedded, embedded
from harness.bench.rounds import NAIVE_WINDOW, PACE, WINDOW, LoadRunner, Sizes
from harness.bench.verify import verify
from harness.fleet import Pace
from schemas.identifiers import HUB

__all__ = ["EMBEDDED_VARIANTS", "EmbeddedBench"]

EMBEDDED_PACE = replace(PACE, tick_seconds=0.02)
"""SQLite does not tell when a command comes to a desk: it is looked for."""


class EmbeddedBench:
    """Rounds in a folder of their own, each from nothing."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self._folder = folder
        self._sizes = sizes
        self._number = 0

    async def ours(self) -> dict[str, Measured]:
        """The programs as they are."""
        return await self._both(EMBEDDED_PACE, self._sizes.saturation, WINDOW)

    async def naive(self) -> dict[str, Measured]:
        """The same programs, with one envelope in a batch and one message in an envelope."""
        pace = replace(EMBEDDED_PACE, batch_max=1, bundle_max=1)
        return await self._both(pace, self._sizes.naive, NAIVE_WINDOW)

    async def layers(self) -> dict[str, float]:
        """Where the time of a transfer goes at saturation: microseconds by layer."""
        warm, number = self._sizes.warm, self._sizes.saturation
        async with self._loaded(EMBEDDED_PACE, warm + number) as (_, runner):
            await runner.run(warm, WINDOW)
            with timed_layers() as seconds:
                await runner.run(number, WINDOW)
        return {layer: 1e6 * seconds[layer] / number for layer in (*LAYERS, REST)}

    async def _both(self, pace: Pace, number: int, window: int) -> dict[str, Measured]:
        sizes, few = self._sizes, min(self._sizes.warm, 20)
        total = sizes.warm + number + few + sizes.single
        async with self._loaded(pace, total) as (programs, runner):
            folder = programs.estate.folder
            await runner.run(sizes.warm, window)
            await programs.repeat_everything()
            saturation = await _phase(folder, runner, number, window)
            await runner.run(few, 1)
            single = await _phase(folder, runner, sizes.single, 1)
        return {"saturation": saturation, "single": single}

    @asynccontextmanager
    async def _loaded(
        self, pace: Pace, transfers: int
    ) -> AsyncIterator[tuple[Embedded, LoadRunner]]:
        """Programs and a load for so many transfers, which in the end are held to what must be."""
        self._number += 1
        folder = self._folder / f"bench{self._number}"
        async with embedded(folder, transfers, pace) as programs:
            (log,) = await programs.remote.rows(HUB, "select count(*) as n from log_entries")
            load = Load(programs.estate, programs.fleet.databases, transfers)
            try:
                yield programs, LoadRunner(load)
                await programs.fleet.check()
                await verify(programs.remote, transfers, log.n)
            finally:
                await load.close()


async def _phase(folder: Path, runner: LoadRunner, number: int, window: int) -> Measured:
    stored, before = _stored(folder), time.process_time()
    seconds, each = await runner.run(number, window)
    used = time.process_time() - before
    durable = _stored(folder) - stored
    return measured(Taken(number, window, seconds, each, {"everything": used}, durable))


def _stored(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.db*"))


EMBEDDED_VARIANTS: dict[str, Callable[[EmbeddedBench], Awaitable[dict[str, Measured]]]] = {
    "ours": EmbeddedBench.ours,
    "naive": EmbeddedBench.naive,
}
"""By the names that the figures use."""
