# SPDX-License-Identifier: Apache-2.0
"""What a hub cannot make anybody believe, though all its own hashes and signatures are right."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

from ledger.verifying import verify
from schemas import jws
from schemas.directory import LastSequence, Revocation
from schemas.envelope import digest
from schemas.findings import Reason, finding
from schemas.identifiers import HUB, Actor, Instant
from schemas.messages import Acceptance, Consent, Rejection, Withdrawal
from tests.cast import CHE, GHA, ROG, first_transfer, signed, signer
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


@pytest.mark.requirement(48)
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


# --- keys and times -----------------------------------------------------------------------------

WHY = finding(Reason.UNITS_NOT_HELD, "not this year")
ES256 = jws.SoftwareSigner(derive_private_key(7, SECP256R1()))
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def revoked(hub: Hostile, last: int) -> None:
    """Switzerland's key is withdrawn, behind the last sequence that counts; ES256 comes after."""
    act = Revocation(
        actor=CHE,
        old=signer(CHE).public.key_id,
        new=ES256.public.to_text(),
        closes=(LastSequence(to=HUB, last=last),),
        reason="stolen",
        at=hub.now(),
    )
    hub.act(signed(act, "ada", "ben"))
    hub.keys[CHE] = ES256


def rejected(story: Story, cleared: int, no: Spoken) -> tuple[list[int], list[Spoken]]:
    ended = story.hub.entry(ID, no, [GHA, CHE], state="rejected", findings=(WHY,), **WHAT)
    return [cleared, ended], [story.proposed, no]


def test_a_withdrawn_key_signs_nothing_behind_its_last_sequence() -> None:
    story = Story()
    cleared = story.cleared(GHA, CHE)
    revoked(story.hub, 0)
    answers, body = digest(story.proposed[1]), Rejection(findings=(WHY,))
    no = story.hub.say(CHE, "rejection", ID, body, answers, key=signer(CHE))
    number, reason = story.fails(*rejected(story, cleared, no), GHA, CHE)
    assert number == 5
    assert f"signed with {signer(CHE).public.key_id}, which was no key of its for 1" in reason


@pytest.mark.requirement(49)
def test_what_a_key_signed_before_it_was_withdrawn_counts_for_ever() -> None:
    story = Story()
    cleared = story.cleared(GHA, CHE)
    no = story.answered(CHE, "rejection", Rejection(findings=(WHY,)))
    positions, said = rejected(story, cleared, no)
    revoked(story.hub, 1)
    assert verify(story.hub.bundle(ID, positions, said, [GHA, CHE]), story.hub.trust).valid


@pytest.mark.requirement(46)
def test_nothing_is_dated_back() -> None:
    """Who has seen so many entries speaks after them."""
    story = Story()
    cleared = story.cleared(GHA, CHE)
    answers = digest(story.proposed[1])
    no = story.hub.say(CHE, "rejection", ID, Rejection(findings=(WHY,)), answers, seen=cleared + 9)
    number, reason = story.fails(*rejected(story, cleared, no), GHA, CHE)
    assert number == 6
    assert f"the rejection had seen {cleared + 9} entries" in reason


def test_the_other_form_of_a_signature_is_no_other_envelope() -> None:
    """Anybody can compute it from the first; the entry names the one that the hub was sent."""
    story = Story()
    cleared = story.cleared(GHA, CHE)
    revoked(story.hub, 0)
    answers = digest(story.proposed[1])
    manifest, line = story.hub.say(
        CHE, "rejection", ID, Rejection(findings=(WHY,)), answers, key=ES256
    )
    positions, _ = rejected(story, cleared, (manifest, line))
    header, payload, signature = manifest.split(b".")
    raw = urlsafe_b64decode(signature + b"==")
    other = raw[:32] + (P256_ORDER - int.from_bytes(raw[32:])).to_bytes(32)
    twin = b".".join((header, payload, urlsafe_b64encode(other).rstrip(b"=")))
    number, reason = story.fails(positions, [story.proposed, (twin, line)], GHA, CHE)
    assert number == 6
    assert "rests on another envelope than the one that is here" in reason


def test_a_line_is_nobodys_but_its_signers() -> None:
    """Words of one actor in an envelope of another bind neither."""
    story = Story()
    cleared = story.cleared(GHA, CHE)
    yes = story.answered(CHE, "acceptance", Acceptance())
    borrowed = story.hub.repeat(ROG, yes[1])
    ended = story.hub.entry(ID, borrowed, [GHA, CHE], state="completed", **WHAT)
    number, reason = story.fails([cleared, ended], [story.proposed, borrowed], GHA, CHE)
    assert number == 6
    assert f"acceptance of {ROG} does not make it completed" in reason


def test_an_unsigned_manifest_is_none() -> None:
    story = Story()
    cleared = story.cleared(GHA, CHE)
    manifest, line = story.answered(CHE, "rejection", Rejection(findings=(WHY,)))
    positions, _ = rejected(story, cleared, (manifest, line))
    header = urlsafe_b64encode(b'{"alg":"none","kid":"x","typ":"a6hub"}').rstrip(b"=")
    unsigned = b".".join((header, manifest.split(b".")[1], b""))
    number, reason = story.fails(positions, [story.proposed, (unsigned, line)], GHA, CHE)
    assert number == 5
    assert "a message cannot be read" in reason
