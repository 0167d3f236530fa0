# SPDX-License-Identifier: Apache-2.0
"""Reception: what has arrived, and what was held and may be fine or overdue now, by what it is.

Elsewhere: authentication itself (`intake`), the places of held envelopes (`holding`).
"""

import structlog

from runtime import events
from runtime.holding import Holding, Waiting
from runtime.intake import Authentic, Held, Refused, Unit, authenticate
from runtime.program import Program
from runtime.work import Work
from schemas.findings import Reason, finding
from schemas.identifiers import Instant

__all__ = ["Reception"]


class Reception:
    """Receives for one program. `hold_seconds` is how long the directory is waited for."""

    def __init__(self, program: Program, holding: Holding, hold_seconds: float) -> None:
        self._program = program
        self._holding = holding
        self._hold_seconds = hold_seconds
        self._log = structlog.get_logger().bind(participant=str(program.participant))

    def sort(self, units: list[Unit], now: Instant, clock: float, *, held_too: bool) -> Work:
        """A batch of envelopes; with `held_too` those that wait are looked at again."""
        sequenced: list[Authentic] = []
        control: list[Authentic] = []
        refused: list[Refused] = []
        waiting = self._holding.take() if held_too else []
        waiting += [Waiting(unit, clock + self._hold_seconds) for unit in units]
        for one in waiting:
            found = self._authenticated(one.unit, now)
            taken = self._held(one, found, clock) if isinstance(found, Held) else found
            if isinstance(taken, Authentic):
                (control if taken.opened.manifest.control else sequenced).append(taken)
            elif isinstance(taken, Refused):
                refused.append(taken)
        return Work(sequenced, control, refused, held=self._holding.authors())

    def _authenticated(self, unit: Unit, now: Instant) -> Authentic | Refused | Held:
        try:
            return authenticate(unit, self._program.participant, self._program.directory, now)
        except Exception as error:  # noqa: BLE001 - whatever a stranger sent must not stop us
            self._log.error(events.CULPRIT_SET_ASIDE, item="envelope", error=repr(error))
            return Refused(unit, finding(Reason.INTERNAL))

    def _held(self, waiting: Waiting, held: Held, clock: float) -> Authentic | Refused | None:
        """Have it wait, if it may and there is room. One that lacks but time is taken otherwise:
        its place in the sequence is sure, and its time is looked at again when its turn comes.
        """
        may_wait = held.authentic is not None or clock < waiting.deadline
        if may_wait and self._holding.hold(waiting, held):
            if not waiting.again:
                self._log.info(events.ENVELOPE_HELD, finding=str(held.finding))
            return None
        return held.overdue()
