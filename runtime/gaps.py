# SPDX-License-Identifier: Apache-2.0
"""Gaps: which envelopes of others are missing here, and when they are asked for.

Missing is what lies before a stored early envelope, and what a peer's greeting told of. It is asked
for at once, then again as long as it is missing: a request may be lost, and one answer may bring a
part only. While nothing comes of it the requests get rarer, so that a peer that is away finds few
of them in its inbox.

Where something is but suspected to be missing, each suspicion is followed once, at the same pace,
until what comes next is here. One sender of a participant is asked about at a time, since it
answers one request in a batch.

Elsewhere: the request itself (`control`), what was stored early (`journal`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from runtime.journal import Journal
from schemas.identifiers import Actor, Participant
from schemas.limits import RESEND_ENVELOPES_MAX

__all__ = ["Gap", "Gaps"]

INTERVAL_SECONDS_MAX: Final = 60.0
"""Requests for the same envelopes are no rarer than this."""


class Gap(NamedTuple):
    """The missing envelopes of a sender."""

    sender: Actor
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Asked:
    first: int
    at: float
    interval: float


class Gaps:
    """What is missing, by sender; `seconds` lie between two requests at least."""

    def __init__(self, journal: Journal, seconds: float) -> None:
        self._journal = journal
        self._seconds = seconds
        self._told: dict[Actor, int] = {}
        self._suspected: set[Actor] = set()
        self._next_is_here: dict[Actor, int] = {}
        self._asked: dict[tuple[Actor, bool], _Asked] = {}

    def told(self, sender: Actor, last: int) -> None:
        """A greeting says that the sender has sealed so many envelopes for us."""
        self._told[sender] = last

    def suspect(self, sender: Actor, sequence: int | None) -> None:
        """An envelope of the sender has an unknown key: a change of it may be missing, and then it
        is the next envelope or one of those behind it. Unless that next one is what is unknown.
        """
        following = self._journal.received(sender) + 1
        if sequence == following:
            self._next_is_here[sender] = following
            self._suspected.discard(sender)
        elif self._next_is_here.get(sender) != following:
            self._suspected.add(sender)

    def forget_requests(self) -> None:
        """The link was lost: what was asked for may never come, so ask at once."""
        self._asked.clear()

    def due(self, clock: float, waiting: Iterable[Participant]) -> list[Gap]:
        """The gaps to be asked for now, but for participants that are not greeted yet."""
        passed = set(waiting)
        due: list[Gap] = []
        for gap, sure in self._open():
            if gap.sender.participant not in passed and self._is_due(gap, clock, sure=sure):
                passed.add(gap.sender.participant)
                self._suspected.discard(gap.sender)
                due.append(gap)
        return due

    def _open(self) -> list[tuple[Gap, bool]]:
        """Every gap, and whether it is sure that there is one."""
        found: list[tuple[Gap, bool]] = []
        for sender in sorted({*self._journal.early, *self._told, *self._suspected}):
            first = self._journal.received(sender) + 1
            early = self._journal.early.get(sender, set())
            while first in early:  # nobody is heard yet; it is here all the same
                first += 1
            beyond = [sequence for sequence in early if sequence > first]
            last = min(beyond) - 1 if beyond else self._told.get(sender, 0)
            if first <= last:
                found.append((Gap(sender, first, last), True))
                continue
            if sender in self._suspected:
                found.append((Gap(sender, first, first + RESEND_ENVELOPES_MAX - 1), False))
            if not beyond:
                self._told.pop(sender, None)
                self._asked.pop((sender, True), None)
        return found

    def _is_due(self, gap: Gap, clock: float, *, sure: bool) -> bool:
        before, interval = self._asked.get((gap.sender, sure)), self._seconds
        if before is not None:
            nothing_came = before.first == gap.first
            if clock < before.at + (before.interval if nothing_came else self._seconds):
                return False
            if nothing_came:
                interval = min(2 * before.interval, INTERVAL_SECONDS_MAX)
        self._asked[gap.sender, sure] = _Asked(gap.first, clock, interval)
        return True
