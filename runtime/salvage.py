# SPDX-License-Identifier: Apache-2.0
"""Salvage: a batch that failed is run again in its smallest parts, and the culprit is set aside.

A bug of ours is found by its item: that one gets the finding `internal`, everything else goes on.
Two things are never set aside, an entry and a checkpoint of the hub: to skip one would be to lose
it. The node halts, and leaves it with the broker for a version that can handle it.

Elsewhere: running a batch (`handler`), what follows a commit (`node`).
"""

from collections.abc import Awaitable, Callable

import structlog

from runtime import desk, events
from runtime.errors import Unavailable
from runtime.handler import Handler
from runtime.intake import Refused, Unit
from runtime.program import Heard, Item
from runtime.store import Store
from runtime.work import Culprit, Work
from schemas.findings import Reason, finding
from schemas.identifiers import HUB, Participant

__all__ = ["Salvage", "Unskippable"]

Run = Callable[[Work, frozenset[str]], Awaitable[bool]]
"""Runs a batch without the culprits named, and does what follows its commit; False when the node
has halted."""

UNSKIPPABLE = ("entry", "checkpoint")


class Unskippable(Exception):
    """An entry or a checkpoint could not be handled, for a fault of ours."""

    def __init__(self) -> None:
        super().__init__("internal fault here: an entry or checkpoint could not be handled")


class Salvage:
    """Runs the parts of failed batches, one after another."""

    def __init__(self, handler: Handler, store: Store, run: Run, participant: Participant) -> None:
        self._handler = handler
        self._store = store
        self._run = run
        self._log = structlog.get_logger().bind(participant=str(participant))
        self._left: list[Unit] = []

    def left(self) -> list[Unit]:
        """What is to be tried again with what arrives next."""
        left, self._left = self._left, []
        return left

    async def save(self, work: Work) -> None:
        """Run a failed batch in its smallest parts; what still fails is set aside."""
        parts = work.parts()
        for index, part in enumerate(parts):
            try:
                if not await self._persist(part):
                    return  # what follows stays with the broker
            except Unavailable:
                self._left += [unit for p in parts[index:] for unit in p.units()]
                raise

    async def _persist(self, part: Work) -> bool:
        """Run one part, each time without the culprits found so far."""
        culprits: frozenset[str] = frozenset()
        failures = 0
        while True:
            await self._handler.load()
            if self._handler.halted:
                return False
            try:
                return await self._run(part, culprits)
            except Unavailable:
                raise
            except Culprit as error:
                culprits |= {self._blamed(error)}
            except Exception as error:
                names = part.names() | await self._commands(part)
                failures += 1
                if failures == 1 and names:
                    continue  # once more: what may pass is not held against an item
                if _may_hold_unskippable(part):
                    raise Unskippable from error
                self._log.error(events.CULPRIT_SET_ASIDE, item=sorted(names), error=repr(error))
                if names <= culprits:
                    return await self._set_aside(part)
                culprits |= names

    def _blamed(self, culprit: Culprit) -> str:
        """The name of an item that may be left out."""
        cause = culprit.__cause__
        self._log.error(events.CULPRIT_SET_ASIDE, item=culprit.item.name, error=repr(cause))
        if _is_unskippable(culprit.item):
            raise Unskippable from cause
        return culprit.item.name

    async def _commands(self, part: Work) -> frozenset[str]:
        """The names of the commands in a part that fails before one of them can be blamed."""
        if not part.commands:
            return frozenset()
        async with self._store.snapshot() as session:
            rows = await desk.open_commands(session, desk.COMMANDS_MAX)
        return frozenset(f"command#{row.id}" for row in rows)

    async def _set_aside(self, part: Work) -> bool:
        """A part that fails whatever is left out of it.

        Control envelopes and what was refused are put aside as dead letters; one in a sequence is
        tried again with what arrives next, because leaving it out would leave a gap for ever.
        """
        self._left += [a.unit for a in part.sequenced]
        units = [a.unit for a in part.control] + [r.unit for r in part.refused]
        if not units:
            return True
        await self._handler.load()
        dead = [Refused(unit, finding(Reason.INTERNAL)) for unit in units]
        return await self._run(Work(refused=dead), frozenset())


def _is_unskippable(item: Item) -> bool:
    if not isinstance(item, Heard):
        return False
    return item.author.participant == HUB and item.message.type in UNSKIPPABLE


def _may_hold_unskippable(part: Work) -> bool:
    """Whether a line looks like one; too many is better than too few."""
    marks = [f'"type":"{name}"'.encode() for name in UNSKIPPABLE]
    return any(
        mark in line
        for authentic in part.sequenced
        if authentic.opened.manifest.sender.participant == HUB
        for line in authentic.opened.lines
        for mark in marks
    )
