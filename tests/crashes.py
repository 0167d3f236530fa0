# SPDX-License-Identifier: Apache-2.0
"""Crashes at the only points that matter: just before a commit, and just after one.

Everything a program does between two commits leaves no trace, so dying before its nth commit and
after it covers every moment at which it can die.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Any

from runtime.store import Store

__all__ = ["NEVER", "Crash", "CrashingStore"]

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
