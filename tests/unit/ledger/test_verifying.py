# SPDX-License-Identifier: Apache-2.0
"""What a hub cannot make anybody believe, though all its own hashes and signatures are right."""

from typing import Any

import pytest

from ledger.verifying import verify
from schemas.envelope import digest
from schemas.findings import Reason, finding
from schemas.identifiers import Actor, Instant
from schemas.messages import Acceptance, Consent, Rejection, Withdrawal
from tests.cast import CHE, GHA, ROG, first_transfer
from tests.unit.ledger.hostile import Hostile, Spoken, proposal

ID = "GHA01-GHA-1"
LATE = Instant("2026-02-01T00:00:00.000000Z")
WHAT: dict[str, Any] = {"action": "first-transfer"}


class Story:
    """A proposal of Ghana's to Switzerland, and a hub that does with it what it likes."""

    def __init__(self) -> None:
        self.hub = Hostile()
        self.proposed = self.hub.say(GHA, "proposal", ID, proposal(first_transfer(201, 300, 201)))

    def cleared(self, *actors: Actor) -> int:
        return self.hub.entry(ID, self.proposed, actors, state="cleared", **WHAT)

    def answered(self, actor: Actor, type_: str, body: Any) -> Spoken:
        return self.hub.say(actor, type_, ID, body, answers=digest(self.proposed[1]))

    def fails(self, positions: list[int], said: list[Spoken], *actors: Actor) -> tuple[int, str]:
        verdict = verify(self.hub.bundle(ID, positions, said, actors), self.hub.trust)
        assert verdict.failed is not None
        assert verdict.reason is not None
        return verdict.failed, verdict.reason


def test_a_rejection_is_believed_for_it_is_so() -> None:
    story = Story()
    one = finding(Reason.UNITS_NOT_HELD, "not this year")
    cleared = story.cleared(GHA, CHE)
    no = story.answered(CHE, "rejection", Rejection(findings=(one,)))
    ended = story.hub.entry(ID, no, [GHA, CHE], state="rejected", findings=(one,), **WHAT)
    bundle = story.hub.bundle(ID, [cleared, ended], [story.proposed, no], [GHA, CHE])
    assert verify(bundle, story.hub.trust).failed is None
    other = story.hub.entry(ID, no, [GHA, CHE], state="rejected", **WHAT)
    assert story.fails([cleared, other], [story.proposed, no], GHA, CHE)[0] == 6


def test_an_acceptance_rejects_nothing() -> None:
    story = Story()
    cleared = story.cleared(GHA, CHE)
    yes = story.answered(CHE, "acceptance", Acceptance())
    ended = story.hub.entry(ID, yes, [GHA, CHE], state="rejected", **WHAT)
    number, reason = story.fails([cleared, ended], [story.proposed, yes], GHA, CHE)
    assert number == 6
    assert "acceptance of CHE01/CHE does not make it rejected" in reason


def test_nothing_completes_by_a_proposal_to_another_alone() -> None:
    story = Story()
    ended = story.hub.entry(ID, story.proposed, [GHA], state="completed", **WHAT)
    assert story.fails([ended], [story.proposed], GHA) == (6, f"entry {ended}: nobody was asked")


@pytest.mark.parametrize("by", [GHA, CHE, ROG])
def test_a_withdrawal_or_an_acceptance_of_another_completes_nothing(by: Actor) -> None:
    story = Story()
    cleared = story.cleared(GHA, CHE)
    type_, body = ("withdrawal", Withdrawal()) if by == CHE else ("acceptance", Acceptance())
    said = story.answered(by, type_, body)
    ended = story.hub.entry(ID, said, [GHA, CHE], state="completed", **WHAT)
    number, reason = story.fails([cleared, ended], [story.proposed, said], GHA, CHE)
    assert number == 6
    assert f"{type_} of {by} does not make it completed" in reason


def test_a_completion_without_consents_or_effects_is_none() -> None:
    story = Story()
    cleared = story.cleared(GHA, CHE)
    yes = story.answered(CHE, "acceptance", Acceptance())
    bare = story.hub.entry(ID, yes, [GHA, CHE], state="completed", **WHAT)
    assert story.fails([cleared, bare], [story.proposed, yes], GHA, CHE) == (
        7,
        f"entry {bare}: CHE01/CHE, GHA01/GHA did not consent",
    )
    both = (
        Consent(actor=GHA, message=digest(story.proposed[1])),
        Consent(actor=CHE, message=digest(yes[1])),
    )
    idle = story.hub.entry(ID, yes, [GHA, CHE], state="completed", consents=both, **WHAT)
    number, reason = story.fails([cleared, idle], [story.proposed, yes], GHA, CHE)
    assert number == 7
    assert "without all of" in reason


def test_what_is_no_consent_is_not_counted_as_one() -> None:
    story = Story()
    cleared = story.cleared(GHA, CHE)
    yes = story.answered(CHE, "acceptance", Acceptance())
    other = story.hub.say(GHA, "withdrawal", ID, Withdrawal(), answers=digest(story.proposed[1]))
    listed = (
        Consent(actor=GHA, message=digest(other[1])),
        Consent(actor=CHE, message=digest(yes[1])),
    )
    ended = story.hub.entry(ID, yes, [GHA, CHE], state="completed", consents=listed, **WHAT)
    said = [story.proposed, yes, other]
    assert story.fails([cleared, ended], said, GHA, CHE) == (
        7,
        "withdrawal of GHA01/GHA is no consent to this",
    )


def test_ends_that_nobody_concerned_was_told_of_are_none() -> None:
    """In one log, under one head: an end in secret, beside the one that everybody knows."""
    story = Story()
    cleared = story.cleared(GHA, CHE)
    secret = story.cleared()
    expired = story.hub.entry(ID, None, [], at=LATE, state="expired", **WHAT)
    refused = story.hub.entry(ID, story.proposed, [], state="refused", **WHAT)
    said = [story.proposed]
    assert story.fails([secret, expired], said) == (6, f"entry {secret} is addressed to []")
    assert story.fails([cleared, expired], said, GHA, CHE)[0] == 6
    assert story.fails([refused], said) == (6, f"entry {refused} is addressed to []")


def test_nothing_expires_before_its_time() -> None:
    story = Story()
    cleared = story.cleared(GHA, CHE)
    ended = story.hub.entry(ID, None, [GHA, CHE], state="expired", **WHAT)
    number, reason = story.fails([cleared, ended], [story.proposed], GHA, CHE)
    assert number == 6
    assert "expired before" in reason
