# SPDX-License-Identifier: Apache-2.0
"""Where the time goes: processor time of a transfer by what it is spent on.

Everything runs in one process on SQLite, and functions that stand for a layer are timed while the
load runs. Time belongs to the innermost layer that is at work; but what statements, holdings trees
and their comparison give rise to is theirs alone, the database's work for them included. What no
layer claims is the rest: receiving, publishing, the event loop, and the load itself.

Elsewhere: the load and its programs (`embedded`).
"""

import inspect
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

from hub import rules, showing
from hub.program import Hub
from ledger.growth import Growth
from reconciliation import examine
from reconciliation.program import Reconciler
from registry import witness
from registry.program import Registry
from runtime import journal, outbox, reception, sqlite
from runtime.handler import Handler
from runtime.hearing import Hearing
from schemas import jws
from schemas.messages import Statement

__all__ = ["LAYERS", "REST", "STATEMENTS", "timed_layers"]

STATEMENTS = "checkpoints, statements, holdings trees"
REST = "the rest"

Place = tuple[Any, Any]
"""An object and the name of its function, or a table and the function's key in it."""

LAYERS: Mapping[str, tuple[Place, ...]] = {
    "signatures": ((jws.PublicKey, "accepts"), (jws.SoftwareSigner, "sign")),
    "log and delivery trees": ((Growth, "append"), (Growth, "root")),
    STATEMENTS: (
        (rules.DECIDED_BY, Statement),
        (showing.Showing, "show"),
        (witness, "witness_checkpoint"),
        (witness, "make_statements"),
        (examine.Examination, "run"),
        (Reconciler, "_state"),
    ),
    "envelopes and messages read": ((reception, "authenticate"), (Hearing, "hear")),
    "facts loaded": ((Hub, "load"), (Registry, "load"), (Reconciler, "load")),
    "rules": ((Handler, "_decide"),),
    "facts written": ((Hub, "finish"), (Registry, "finish"), (Reconciler, "finish")),
    "envelopes sealed": ((Handler, "_seal"),),
    "inbox, messages, outbox written": (
        (journal, "keep_received"),
        (journal, "keep_messages"),
        (journal, "save_sequences"),
        (outbox, "keep_sealed"),
        (outbox, "mark_confirmed"),
    ),
    "SQL": ((sqlite.SqliteSession, "execute"),),
    "commits": ((Handler, "run"),),
}
"""The functions of each layer. What remains of a batch beside all others is its commit."""


class _Clock:
    """Processor time by layer; one layer is at work at a time."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._working = [REST]
        self._since = time.process_time()

    def enter(self, layer: str) -> None:
        self._account()
        self._working.append(STATEMENTS if self._working[-1] == STATEMENTS else layer)

    def leave(self) -> None:
        self._account()
        self._working.pop()

    def _account(self) -> None:
        now = time.process_time()
        self.seconds[self._working[-1]] += now - self._since
        self._since = now


@contextmanager
def timed_layers() -> Iterator[Mapping[str, float]]:
    """Time the layers as long as it lasts; gives seconds by layer, complete when it is over."""
    clock, before = _Clock(), []
    for layer, places in LAYERS.items():
        for owner, name in places:
            plain = owner[name] if isinstance(owner, dict) else getattr(owner, name)
            before.append((owner, name, plain))
            _put(owner, name, _timed(plain, layer, clock))
    try:
        yield clock.seconds
    finally:
        for owner, name, plain in before:
            _put(owner, name, plain)
        clock.leave()


def _put(owner: Any, name: Any, function: Callable[..., Any]) -> None:
    if isinstance(owner, dict):
        owner[name] = function
    else:
        setattr(owner, name, function)


def _timed(plain: Callable[..., Any], layer: str, clock: _Clock) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(plain):

        @wraps(plain)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            clock.enter(layer)
            try:
                return await plain(*args, **kwargs)
            finally:
                clock.leave()

        return awaited

    @wraps(plain)
    def called(*args: Any, **kwargs: Any) -> Any:
        clock.enter(layer)
        try:
            return plain(*args, **kwargs)
        finally:
            clock.leave()

    return called
