# SPDX-License-Identifier: Apache-2.0
"""Arranging: authentic envelopes put into their senders' order, by rules 3.2 to 3.5 and 3.8.

Per sender: what comes next is ready, and with it what was stored early behind it; what comes later
is early; what came before is twice, and twice with other bytes is equivocation. An early envelope
whose key was withdrawn before its turn never authenticated, and is forgotten.

Elsewhere: what makes an envelope authentic (`intake`), what becomes of its messages (`hearing`).
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from ledger.directory import Directory
from runtime import journal as journals
from runtime.intake import Authentic, Refused
from runtime.journal import Journal
from runtime.store import Session
from schemas import limits
from schemas.envelope import Opened, open_envelope
from schemas.findings import Reason, finding
from schemas.identifiers import Actor, Participant

__all__ = ["Arranged", "arrange"]


@dataclass
class Arranged:
    """Sequenced envelopes by what is to be done with them. `ready` holds, in order, the new
    envelopes and the stored ones that may be applied now.
    """

    ready: list[Opened] = field(default_factory=list)
    fresh: list[Opened] = field(default_factory=list)
    """Those of the ready ones that are not in the inbox yet."""
    early: list[Opened] = field(default_factory=list)
    """What is to be stored, and applied later."""
    refused: list[Refused] = field(default_factory=list)
    last: dict[Actor, int] = field(default_factory=dict)
    """Where each sender's sequence stands after the ready ones."""
    stored: dict[Actor, set[int]] = field(default_factory=dict)
    """The sequences that are stored early after this, of each sender looked at."""
    unfinished: set[Actor] = field(default_factory=set)
    """Senders of whom more is stored that may be applied: it is too much for one batch."""


async def arrange(
    session: Session,
    journal: Journal,
    directory: Directory,
    arrived: Iterable[Authentic],
    unheard: Container[Participant],
    resume: Iterable[Actor] = (),
    until: Mapping[Actor, int] | None = None,
) -> Arranged:
    """Put envelopes into their senders' order.

    Those of participants in `unheard` (sequences are not exchanged yet) are all early. The
    stored early ones of the senders in `resume` are looked at again. With `until`, nothing is ready
    beyond the sequences that it names.
    """
    by_sender: dict[Actor, list[Authentic]] = {sender: [] for sender in resume}
    for authentic in arrived:
        by_sender.setdefault(authentic.opened.manifest.sender, []).append(authentic)
    result = Arranged()
    for sender, envelopes in by_sender.items():
        bound = limits.INTEGER_MAX if until is None else until.get(sender, 0)
        line = _Line(session, journal, directory, sender, result)
        await line.take(envelopes)
        if sender.participant not in unheard:
            await line.advance(bound)
        line.store(bounded=sender.participant not in unheard)
    return result


class _Line:
    """The envelopes of one sender, in line."""

    def __init__(
        self,
        session: Session,
        journal: Journal,
        directory: Directory,
        sender: Actor,
        result: Arranged,
    ) -> None:
        self._session = session
        self._journal = journal
        self._directory = directory
        self._sender = sender
        self._result = result
        self._last = journal.received(sender)
        self._kept = set(journal.early.get(sender, ()))
        self._fresh: dict[int, Authentic] = {}
        self._waits = False
        """Whether what is stored next has a key that the directory has not shown yet."""

    async def take(self, envelopes: Iterable[Authentic]) -> None:
        """Sort out what was there before."""
        for authentic in envelopes:
            sequence = authentic.sequence
            if sequence in self._kept and not await self._is_good(sequence):
                await self._forget(sequence)
            if sequence <= self._last or sequence in self._kept:
                known = await journals.signed_of(self._session, self._sender, sequence)
                self._compare(authentic, known)
            elif sequence in self._fresh:
                self._compare(authentic, self._fresh[sequence].opened.signed_digest)
            else:
                self._fresh[sequence] = authentic

    async def advance(self, bound: int) -> None:
        """Make ready what is next, and next after it, up to a sequence."""
        before = self._last
        while self._last < bound:
            following = self._last + 1
            if following in self._fresh:
                opened = [self._fresh.pop(following).opened]
                self._result.fresh += opened
            elif following in self._kept and self._may_go_on:
                opened = await self._stored_run(following, bound)
            else:
                break
            self._result.ready += opened
            self._last += len(opened)
        self._kept = {sequence for sequence in self._kept if sequence > self._last}
        if self._last != before:
            self._result.last[self._sender] = self._last

    @property
    def _may_go_on(self) -> bool:
        """Whether more of what is stored may be applied in this batch."""
        return not self._waits and self._sender not in self._result.unfinished

    def store(self, *, bounded: bool) -> None:
        """What is left came early. Nobody stores more than so many, except while all wait."""
        room = limits.EARLY_ENVELOPES_MAX - len(self._kept)
        for number, sequence in enumerate(sorted(self._fresh)):
            authentic = self._fresh[sequence]
            if number < room or not bounded:
                self._result.early.append(authentic.opened)
                self._kept.add(sequence)
            else:
                detail = f"sequence {sequence} waits for {self._last + 1}"
                self._refuse(authentic, Reason.TOO_MANY_EARLY, detail)
        self._result.stored[self._sender] = self._kept

    async def _stored_run(self, first: int, bound: int) -> list[Opened]:
        """The stored early envelopes from a sequence on without a gap, which are applied now: as
        many as may be loaded at a time, the rest with the next batch.
        """
        end = first
        while end + 1 in self._kept and end < bound:
            end += 1
        bodies = await journals.received_part(self._session, self._sender, first, end)
        good = self._good(bodies)
        last = first + len(good) - 1
        if good:
            await journals.mark_applied(self._session, self._sender, first, last)
        if len(good) < len(bodies):
            if self._was_shown(bodies[len(good)]):
                await self._forget(last + 1)
            else:  # a hub that recovered has learned it ahead of the act, which comes before it
                self._waits = True
        elif last < end:
            self._result.unfinished.add(self._sender)
        return good

    def _good(self, bodies: Iterable[bytes]) -> list[Opened]:
        """Stored envelopes as far as their keys are still good."""
        good: list[Opened] = []
        for opened in map(open_envelope, bodies):
            place = (self._journal.participant, opened.manifest.sequence)
            if self._directory.key_for(self._sender, opened.token.kid, *place) is None:
                break
            good.append(opened)
        return good

    def _was_shown(self, body: bytes) -> bool:
        """Whether the directory has ever shown the key of a stored envelope."""
        return self._directory.any_key(self._sender, open_envelope(body).token.kid) is not None

    async def _is_good(self, sequence: int) -> bool:
        """Whether the key of a stored early envelope is still good."""
        sender = self._sender
        bodies = await journals.received_range(self._session, sender, sequence, sequence)
        return bool(self._good(bodies))

    async def _forget(self, first: int) -> None:
        await journals.forget_early(self._session, self._sender, first)
        self._kept = {sequence for sequence in self._kept if sequence < first}

    def _compare(self, authentic: Authentic, known: str | None) -> None:
        """The same envelope twice is nothing; another one under its sequence is equivocation."""
        if known != authentic.opened.signed_digest:
            detail = f"sequence {authentic.sequence} was {known}"
            self._refuse(authentic, Reason.SEQUENCE_EQUIVOCATION, detail)

    def _refuse(self, authentic: Authentic, reason: Reason, detail: str) -> None:
        found = finding(reason, detail)
        self._result.refused.append(Refused(authentic.unit, found, self._sender, authentic=True))
