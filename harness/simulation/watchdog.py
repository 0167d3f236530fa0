# SPDX-License-Identifier: Apache-2.0
"""A bound on the processor time of a run: one that never ends would take its campaign with it.

What a run does never depends on it: it comes long after any honest run is over. It works in the
main thread alone, where signals are heard, and there each process of a campaign simulates.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["TooLong", "cpu_seconds_at_most"]

AGAIN_SECONDS = 2
"""How long what is interrupted may take to end before it is interrupted again."""


class TooLong(SystemExit):
    """A run has used up its processor time. An event loop stops at once for an exit alone; any
    other exception would end one task, and the rest might go on for ever.
    """


@contextmanager
def cpu_seconds_at_most(seconds: float) -> Iterator[None]:
    """Raise `TooLong` from whatever runs after so many seconds of processor time."""

    def bark(_signal: int, _frame: FrameType | None) -> None:
        raise TooLong(f"after {seconds} seconds of processor time it had not come to an end")

    before = signal.signal(signal.SIGPROF, bark)
    signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
