# SPDX-License-Identifier: Apache-2.0
"""Crashes and failures at the only points that matter: just before a commit, and just after one; at
the hub also around the writing of its anchor.

Everything a program does between two commits leaves no trace, so dying before its nth commit and
after it covers every moment at which it can die. `FailingStore` is the same for a program that
lives on: the commit is reported as failed, whether it was saved or not.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from runtime.anchor import Anchor
from runtime.errors import Unavailable
from runtime.store import Store

__all__ = ["NEVER", "Crash", "CrashingAnchor", "CrashingStore", "FailingStore"]

NEVER = 10**9
"""More commits than there will be."""


class Crash(BaseException):
    """The process is gone, at this very point."""


@dataclass
class CrashingStore:
    """A store under which its program dies: `before` or just `after` its nth commit from now."""

    store: Store
    commits: int
    when: str

    def __post_init__(self) -> None:
        self.url = self.store.url

    def transaction(self) -> Any:
        return _CrashingTransaction(self)

    def snapshot(self) -> Any:
        return self.store.snapshot()

    async def lock_writer(self) -> None:
        await self.store.lock_writer()

    async def close(self) -> None:
        await self.store.close()


class _CrashingTransaction:
    def __init__(self, crashing: CrashingStore) -> None:
        self._crashing = crashing
        self._inner = crashing.store.transaction()

    async def __aenter__(self) -> Any:
        return await self._inner.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Any:
        crashing = self._crashing
        if error is None:
            crashing.commits -= 1
            if crashing.commits == 0 and crashing.when == "before":
                crash = Crash()
                await self._inner.__aexit__(Crash, crash, None)
                raise crash
        result = await self._inner.__aexit__(kind, error, trace)
        if error is None and crashing.commits == 0:
            raise Crash
        return result


@dataclass
class CrashingAnchor:
    """An anchor under which the hub dies: `before` or just `after` its nth writing from now."""

    anchor: Anchor
    writings: int
    when: str

    @property
    def name(self) -> str:
        return self.anchor.name

    def read(self) -> str | None:
        return self.anchor.read()

    def write(self, text: str) -> None:
        self.writings -= 1
        if self.writings == 0 and self.when == "before":
            raise Crash
        self.anchor.write(text)
        if self.writings == 0:
            raise Crash


@dataclass
class FailingStore:
    """A store that cannot be had at its nth commit from now, and says so both ways: `saved` or not.

    While it is `away`, nothing can be had of it at all.
    """

    store: Store
    commits: int = NEVER
    saved: bool = False
    away: bool = False

    def __post_init__(self) -> None:
        self.url = self.store.url

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        self._require()
        self.commits -= 1
        if self.commits != 0:
            async with self.store.transaction() as session:
                yield session
            return
        with suppress(_NotSaved):
            async with self.store.transaction() as session:
                yield session
                if not self.saved:
                    raise _NotSaved
        raise Unavailable(f"the commit's outcome is unknown; it was saved: {self.saved}")

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Any]:
        self._require()
        async with self.store.snapshot() as session:
            yield session

    def _require(self) -> None:
        if self.away:
            raise Unavailable("the store is away")

    async def lock_writer(self) -> None:
        await self.store.lock_writer()

    async def close(self) -> None:
        await self.store.close()


class _NotSaved(Exception):
    """Rolls back."""
