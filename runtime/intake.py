# SPDX-License-Identifier: Apache-2.0
"""Intake: from bytes that arrived to authentic envelopes in their senders' order.

Two steps. *Authenticate*: size, form, digests, recipient, the broker's word on the sender, key,
signature, clock. What fails is refused with its finding and uses up no sequence; an envelope whose
key or sender is not known yet, or whose time has not quite come, is held for a while. A clock that
is far ahead refuses no envelope: it would block everything behind it. Only the proposals in it are
refused, when its turn has come (`is_ahead`). *Arrange*: per
sender, what comes next is ready, what comes later is early, what came before is twice, and twice
with other bytes is equivocation.

Elsewhere: what is done with each (`node`), what messages say (`schemas.messages`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from ledger.directory import Directory
from runtime import journal as journals
from runtime.broker import Arrival
from runtime.journal import Journal
from runtime.store import Session
from schemas import limits
from schemas.envelope import EnvelopeError, Opened, open_envelope, verify
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, Instant, Participant

__all__ = [
    "Arranged",
    "Authentic",
    "Held",
    "Refused",
    "Unit",
    "arrange",
    "authenticate",
    "is_ahead",
]


@dataclass(frozen=True, slots=True)
class Unit:
    """An envelope's bytes on their way in. `arrival` is absent for what we had stored."""

    body: bytes
    sender: str | None
    arrival: Arrival | None = None


@dataclass(frozen=True, slots=True)
class Authentic:
    """An envelope that its author signed."""

    unit: Unit
    opened: Opened

    @property
    def sequence(self) -> int:
        """Its place in its sender's order; control envelopes have none."""
        sequence = self.opened.manifest.sequence
        assert sequence is not None
        return sequence


@dataclass(frozen=True, slots=True)
class Refused:
    """Bytes that are put aside; `authentic` when the claimed actor did sign them."""

    unit: Unit
    finding: Finding
    claimed: Actor | None = None
    authentic: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """An envelope that may be fine later, said to be of `claimed`. If it lacks but time, it is
    authentic, and its time comes at its `sent_at`.
    """

    unit: Unit
    finding: Finding
    claimed: Actor
    authentic: Authentic | None = None


def authenticate(
    unit: Unit, participant: Participant, directory: Directory, now: Instant
) -> Authentic | Refused | Held:
    """Open one envelope and check everything that can be checked without its sequence."""
    try:
        opened = open_envelope(unit.body)
    except EnvelopeError as error:
        return Refused(unit, error.finding)
    manifest = opened.manifest
    sender = manifest.sender
    if manifest.to != participant:
        return _refused(unit, Reason.RECIPIENT_WRONG, f"it is for {manifest.to}", sender)
    if unit.sender is not None and unit.sender != sender.participant:
        detail = f"{unit.sender} sent an envelope of {sender}"
        return _refused(unit, Reason.SENDER_NOT_AT_LINK, detail, sender)
    key = directory.key_for(sender, opened.token.kid, participant, manifest.sequence)
    if key is None:
        known = sender in directory.keys
        reason = Reason.KEY_UNKNOWN if known else Reason.SENDER_UNKNOWN
        return Held(unit, finding(reason, f"{sender} with key {opened.token.kid}"), sender)
    try:
        verify(opened.token, key)
    except EnvelopeError as error:
        return Refused(unit, error.finding, sender)
    return _in_time(Authentic(unit, opened), now)


def _in_time(authentic: Authentic, now: Instant) -> Authentic | Held:
    """Rule 2.12. Control envelopes are handled at once, whatever the time (3.6): they mend."""
    manifest = authentic.opened.manifest
    found = is_ahead(manifest.sent_at, now)
    bound = now.moment() + timedelta(seconds=limits.CLOCK_AHEAD_SECONDS_MAX)
    if found is None or manifest.control or manifest.sent_at > Instant.of(bound):
        return authentic
    return Held(authentic.unit, found, manifest.sender, authentic)


def is_ahead(sent_at: Instant, now: Instant) -> Finding | None:
    """The finding about a sending time that lies further ahead than clocks differ."""
    tolerated = now.moment() + timedelta(seconds=limits.CLOCK_AHEAD_SECONDS_TOLERATED)
    if sent_at <= Instant.of(tolerated):
        return None
    return finding(Reason.CLOCK_AHEAD, f"sent at {sent_at}, it is {now}")


def _refused(unit: Unit, reason: Reason, detail: str, claimed: Actor) -> Refused:
    return Refused(unit, finding(reason, detail), claimed)


@dataclass
class Arranged:
    """Sequenced envelopes by what is to be done with them."""

    ready: list[Opened] = field(default_factory=list)
    stored: list[Opened] = field(default_factory=list)
    early: list[Opened] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    last: dict[Actor, int] = field(default_factory=dict)
    """Where each sender's sequence stands after the ready ones."""
    forgotten: dict[Actor, int] = field(default_factory=dict)
    """From which sequence on stored early envelopes were dropped: their key was withdrawn."""


async def arrange(
    session: Session,
    journal: Journal,
    directory: Directory,
    arrived: Iterable[Authentic],
    waiting: frozenset[Participant],
    resume: Iterable[Actor] = (),
    until: Mapping[Actor, int] | None = None,
) -> Arranged:
    """Put envelopes into their senders' order.

    Those of participants in `waiting` (sequences not yet exchanged with them) are all early. The
    stored early ones of the senders in `resume` are looked at again. With `until`, nothing is ready
    beyond the sequences that it names. `ready` holds, in order, the new envelopes and the stored
    ones that may now be applied; `stored` are those of them that are in the inbox already.
    """
    by_sender: dict[Actor, list[Authentic]] = {sender: [] for sender in resume}
    for authentic in arrived:
        by_sender.setdefault(authentic.opened.manifest.sender, []).append(authentic)
    result = Arranged()
    for sender, envelopes in by_sender.items():
        bound = limits.INTEGER_MAX if until is None else until.get(sender, 0)
        await _arrange_sender(
            session, journal, directory, sender, envelopes, waiting, bound, result
        )
    return result


async def _arrange_sender(
    session: Session,
    journal: Journal,
    directory: Directory,
    sender: Actor,
    envelopes: list[Authentic],
    waiting: frozenset[Participant],
    bound: int,
    result: Arranged,
) -> None:
    last = journal.received(sender)
    kept = journal.early.get(sender, set())
    fresh: dict[int, Authentic] = {}
    for authentic in envelopes:
        sequence = authentic.sequence
        if sequence in kept and not await _stored(
            session, journal, directory, sender, sequence, only=True
        ):
            result.forgotten[sender] = sequence  # sealed with a key that was withdrawn meanwhile
            kept = {number for number in kept if number < sequence}
        if sequence <= last or sequence in kept:
            known = await journals.signed_of(session, sender, sequence)
            _compare(authentic, known, result)
        elif sequence in fresh:
            _compare(authentic, fresh[sequence].opened.signed_digest, result)
        else:
            fresh[sequence] = authentic
    while sender.participant not in waiting and last < bound:
        if last + 1 in fresh:
            last += 1
            result.ready.append(fresh.pop(last).opened)
        elif last + 1 in kept:
            opened = await _stored(session, journal, directory, sender, last + 1, bound=bound)
            result.ready += opened
            result.stored += opened
            last += len(opened)
            if (
                last + 1 in kept and last < bound
            ):  # its key was withdrawn meanwhile: it never authenticated
                result.forgotten[sender] = last + 1
                kept = {sequence for sequence in kept if sequence <= last}
        else:
            break
    if last != journal.received(sender):
        result.last[sender] = last
    room = limits.EARLY_ENVELOPES_MAX - len(kept)
    for number, sequence in enumerate(sorted(fresh)):
        if number < room or sender.participant in waiting:
            result.early.append(fresh[sequence].opened)
        else:
            detail = f"sequence {sequence} waits for {last + 1}"
            found = finding(Reason.TOO_MANY_EARLY, detail)
            result.refused.append(Refused(fresh[sequence].unit, found, sender, authentic=True))


async def _stored(
    session: Session,
    journal: Journal,
    directory: Directory,
    sender: Actor,
    first: int,
    *,
    only: bool = False,
    bound: int = limits.INTEGER_MAX,
) -> list[Opened]:
    """The run of stored early envelopes from a sequence on, as far as their keys are still good;
    they are applied now. With `only` it is about that one, which stays early.
    """
    end = first if only else min(_run_end(journal.early[sender], first), bound)
    bodies = await journals.received_range(session, sender, first, end)
    good: list[Opened] = []
    for opened in map(open_envelope, bodies):
        sequence = opened.manifest.sequence
        if directory.key_for(sender, opened.token.kid, journal.participant, sequence) is None:
            await journals.forget_early(session, sender, first + len(good))
            break
        good.append(opened)
    if good and not only:
        await journals.mark_applied(session, sender, first, first + len(good) - 1)
    return good


def _compare(authentic: Authentic, known: str | None, result: Arranged) -> None:
    """The same envelope twice is nothing; another one under its sequence is equivocation."""
    if known != authentic.opened.signed_digest:
        sender = authentic.opened.manifest.sender
        detail = f"sequence {authentic.sequence} was {known}"
        found = finding(Reason.SEQUENCE_EQUIVOCATION, detail)
        result.refused.append(Refused(authentic.unit, found, sender, authentic=True))


def _run_end(kept: set[int], first: int) -> int:
    last = first
    while last + 1 in kept:
        last += 1
    return last
