# SPDX-License-Identifier: Apache-2.0
"""Intake: from bytes that arrived to an authentic envelope, by rules 2.11 to 2.13.

Size, form, digests, recipient, the broker's word on the sender, key, signature, clock. What fails
is refused with its finding and uses up no sequence; an envelope whose key or sender is not known
yet, or whose time has not quite come, is held for a while. A clock that is far ahead refuses no
envelope: it would block everything behind it. Only the proposals in it are refused, when its turn
has come (`is_ahead`).

Elsewhere: the order of sequences (`arranging`), where envelopes are held (`reception`), what
messages say (`schemas.messages`).
"""

from dataclasses import dataclass
from datetime import timedelta

from ledger.directory import Directory
from runtime.broker import Arrival
from schemas import limits
from schemas.envelope import EnvelopeError, Opened, open_envelope, verify
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, Instant, Participant

__all__ = ["Authentic", "Held", "Refused", "Unit", "authenticate", "is_ahead"]


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
    newer_key: bool = False
    """Whether it may be sealed after a change of the claimed actor's key that is not here."""
    sequence: int | None = None
    """That of such an envelope, if it has one."""


@dataclass(frozen=True, slots=True)
class Held:
    """An envelope that may be fine later, said to be of `claimed`. If it lacks but time, it is
    authentic, and its time comes at its `sent_at`.
    """

    unit: Unit
    finding: Finding
    claimed: Actor
    authentic: Authentic | None = None
    newer_key: bool = False
    sequence: int | None = None

    def overdue(self) -> Authentic | Refused:
        """What it is when it cannot wait any longer."""
        if self.authentic is not None:
            return self.authentic
        newer, sequence = self.newer_key, self.sequence
        return Refused(self.unit, self.finding, self.claimed, newer_key=newer, sequence=sequence)


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
        found = finding(reason, f"{sender} with key {opened.token.kid}")
        newer = directory.current_key(sender) is not None
        newer = newer and directory.any_key(sender, opened.token.kid) is None
        return Held(unit, found, sender, newer_key=newer, sequence=manifest.sequence)
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
