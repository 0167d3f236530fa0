# SPDX-License-Identifier: Apache-2.0
"""Time that passes only when nobody has anything to do: an event loop and the clock that shows it.

On a `VirtualLoop` waiting costs nothing and every run is the same, as long as all that runs on it
is in this process: SQLite in the loop, the in-process broker. A test module that wants it says so
by its name, in the folder's conftest.py.
"""

import asyncio
import selectors
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.identifiers import Instant

__all__ = ["START", "LoopClock", "VirtualLoop"]

START = datetime(2027, 3, 1, 12, tzinfo=UTC)


class _Impatient(selectors.DefaultSelector):
    """A selector that never waits: when nothing is ready, the loop's time moves on instead."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits for somebody, and nobody for time"
            self.passed += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time."""

    def __init__(self) -> None:
        self._impatient = _Impatient()
        super().__init__(self._impatient)
        self._clock_resolution = 1e-9  # what is due together does not depend on the machine's clock

    def time(self) -> float:
        return self._impatient.passed


class LoopClock:
    """The clock of a federation: the loop's time, counted from a fixed day."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start

    def now(self) -> Instant:
        passed = asyncio.get_running_loop().time()
        return Instant.of(self.start + timedelta(seconds=passed))
