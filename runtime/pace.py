# SPDX-License-Identifier: Apache-2.0
"""Pace: what a node looks after now and then, by the event loop's clock."""

import asyncio

__all__ = ["Pace"]


class Pace:
    """When each thing was last done, by its name."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def every(self, name: str, seconds: float) -> bool:
        """Whether so many seconds have passed since this was last true for the name."""
        clock = asyncio.get_running_loop().time()
        if clock < self._last.get(name, float("-inf")) + seconds:
            return False
        self._last[name] = clock
        return True

    def hurry(self) -> None:
        """Everything may be done at once."""
        self._last.clear()
