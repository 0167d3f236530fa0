# SPDX-License-Identifier: Apache-2.0
"""Ports that fail on purpose: a store, a broker's link and a clock around the real ones.

A crash is what a killed process is: its link is cut and its writer's lock is let go, at that very
point, and nothing of it runs on. It comes before a commit, after one and before the
acknowledgement, or while parcels are being published; everything else that a program does leaves no
trace, so these are all the points there are.

Elsewhere: how often (`chances`), what befalls programs from outside (`disturb`).
"""

import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Executable, Table
from sqlalchemy.engine import CursorResult

from harness.simulation.chances import Chances
from harness.simulation.virtual_time import START, LoopClock
from runtime.broker import Arrival, Parcel
from runtime.clock import Clock
from runtime.errors import Unavailable
from runtime.memory import MemoryBroker, MemoryExchange
from runtime.store import Session, Store
from schemas.identifiers import Instant

__all__ = ["Crash", "Dice", "FaultyBroker", "FaultyClock", "FaultyStore"]

Rows = Sequence[Mapping[str, Any]]


class Crash(BaseException):
    """The program is gone, at this very point."""


class Dice:
    """Whether a kind of fault comes now. `armed` is false while everything is to go well; each
    fault that comes is told to `happened`.
    """

    def __init__(
        self, chances: Chances, randomness: random.Random, happened: Callable[[str], None]
    ) -> None:
        self.armed = True
        self.randomness = randomness
        self._chances = chances
        self._happened = happened

    def falls(self, kind: str) -> bool:
        """Whether the kind comes; kinds that cannot come draw nothing."""
        permille = self._chances.of(kind)
        if not (self.armed and permille and self.randomness.randrange(1000) < permille):
            return False
        self._happened(kind)
        return True


class FaultyStore:
    """A store that is busy or full at times, whose commits fail or are reported as failed, and
    under which its program dies. `die` cuts the program's link; `committed` is told of commits.
    """

    def __init__(
        self, store: Store, dice: Dice, die: Callable[[], None], committed: Callable[[], None]
    ) -> None:
        self.url = store.url
        self._store = store
        self._dice = dice
        self._die = die
        self._committed = committed

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        if self._dice.falls("database-busy"):
            raise Unavailable("database: database is locked")
        async with self._store.transaction() as session:
            yield _FaultySession(session, self._dice)
            if self._dice.falls("crash-before-commit"):
                self._die()
                raise Crash
            if self._dice.falls("commit-fails"):
                raise _sqlite_error("disk I/O error", sqlite3.SQLITE_IOERR)
        self._committed()
        if self._dice.falls("crash-after-commit"):
            self._die()
            raise Crash
        if self._dice.falls("commit-unreported"):
            raise Unavailable("database: the connection was lost while committing")

    def snapshot(self) -> AbstractAsyncContextManager[Session]:
        return self._store.snapshot()

    async def lock_writer(self) -> None:
        await self._store.lock_writer()

    async def close(self) -> None:
        await self._store.close()


class _FaultySession:
    """A session that finds the disk full when it comes to write."""

    def __init__(self, session: Session, dice: Dice) -> None:
        self.dialect = session.dialect
        self._session = session
        self._dice = dice

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Rows | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        if getattr(statement, "is_dml", False):
            self._may_be_full()
        return await self._session.execute(statement, parameters)

    async def write(
        self, table: Table, statement: Executable, parameters: Mapping[str, Any] | Rows
    ) -> None:
        self._may_be_full()
        await self._session.write(table, statement, parameters)

    def _may_be_full(self) -> None:
        if self._dice.falls("disk-full"):
            raise _sqlite_error("database or disk is full", sqlite3.SQLITE_FULL)


def _sqlite_error(text: str, code: int) -> sqlite3.OperationalError:
    """An error as SQLite raises it, for the store to translate."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


class FaultyBroker(MemoryBroker):
    """A link that can be cut for good, and whose program dies while it publishes. It tells `hasty`
    what is acknowledged though nothing was committed since it was handed out: that would be lost
    with the program. What is open in another copy may be acknowledged at any time.
    """

    def __init__(
        self,
        exchange: MemoryExchange,
        participant: str,
        dice: Dice,
        die: Callable[[], None],
        hasty: Callable[[str], None],
    ) -> None:
        super().__init__(exchange, participant)
        self._faults = dice
        self._die = die
        self._hasty = hasty
        self._commits = 0
        self._handed_out: dict[int, int] = {}
        """By tag, how many commits there were when it was handed out."""

    @property
    def unacknowledged(self) -> int:
        """How many parcels the program has and has not acknowledged."""
        return len(self._unacknowledged)

    @property
    def handed_out(self) -> list[bytes]:
        """The bodies of those."""
        return [stored.parcel.body for stored in self._unacknowledged.values()]

    def committed(self) -> None:
        """The program has committed something."""
        self._commits += 1

    async def receive(self, most: int, wait_seconds: float) -> list[Arrival]:
        arrivals = await super().receive(most, wait_seconds)
        self._handed_out.update((arrival.tag, self._commits) for arrival in arrivals)
        return arrivals

    async def acknowledge(self, arrivals: Sequence[Arrival]) -> None:
        hasty = [a for a in arrivals if self._handed_out.pop(a.tag, -1) == self._commits]
        theirs = [a for a in hasty if a.tag in self._unacknowledged]
        await super().acknowledge(arrivals)
        for arrival in theirs:
            copies = (s for s in self._unacknowledged.values() if s.parcel.body == arrival.body)
            if next(copies, None) is None:
                self._hasty(f"{self._participant} {arrival.message_id}")

    def cut(self) -> None:
        """The process is gone, and its connection with it."""
        self._closing = self._draining = self._ended = True
        self.disconnect("the process is gone")
        self._exchange.leave(self)
        self._wake.set()

    async def publish(self, parcels: Sequence[Parcel]) -> list[bool]:
        if not self._ended and self._faults.falls("crash-in-relay"):
            gone = self._faults.randomness.randrange(len(parcels) + 1)
            await super().publish(parcels[:gone])
            self._die()
            return [False] * len(parcels)
        return await super().publish(parcels)


class FaultyClock(Clock):
    """The loop's time, wrong by so many seconds."""

    def __init__(self, start: datetime = START) -> None:
        self._right = LoopClock(start)
        self.wrong_by_seconds = 0.0

    def now(self) -> Instant:
        right = self._right.now().moment()
        return Instant.of(right + timedelta(seconds=self.wrong_by_seconds))
