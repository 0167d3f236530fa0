# SPDX-License-Identifier: Apache-2.0
"""Authentication of one envelope at a time: what it is taken for, and by which finding."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger.directory import Directory
from runtime.intake import Authentic, Held, Refused, Unit, authenticate
from schemas import limits
from schemas.findings import Reason
from tests.cast import CHE, GHA, HUB, REC, signer
from tests.peer import NOON, Peer, later
from tests.toy import founded

TOLERATED, BOUND = limits.CLOCK_AHEAD_SECONDS_TOLERATED, limits.CLOCK_AHEAD_SECONDS_MAX
CONTROL = {"control": True, "nonce": "0" * 32}
Made = Callable[[Peer], bytes]


def taken(envelope: bytes, sender: str | None = "GHA01") -> Authentic | Refused | Held:
    return authenticate(Unit(envelope, sender), HUB, founded(), NOON)


TIMES: dict[str, tuple[dict[str, object], type]] = {
    "long ago": ({"sent_at": later(-10 * 86_400)}, Authentic),
    "now": ({}, Authentic),
    "as far ahead as clocks differ": ({"sent_at": later(TOLERATED)}, Authentic),
    "a little ahead": ({"sent_at": later(TOLERATED + 1)}, Held),
    "ahead up to the bound": ({"sent_at": later(BOUND)}, Held),
    "ahead beyond the bound": ({"sent_at": later(BOUND + 1)}, Authentic),
    "a control envelope a little ahead": ({"sent_at": later(BOUND), **CONTROL}, Authentic),
    "a control envelope far ahead": ({"sent_at": later(86_400), **CONTROL}, Authentic),
}


@pytest.mark.parametrize("name", TIMES, ids=lambda name: name.replace(" ", "-"))
def test_the_sending_time_holds_an_envelope_or_lets_it_pass(name: str) -> None:
    members, kind = TIMES[name]
    found = taken(Peer(GHA).ask(1, **members))
    assert type(found) is kind
    if isinstance(found, Held):
        assert found.finding.reason is Reason.CLOCK_AHEAD
        assert found.authentic is not None


REFUSED: dict[str, tuple[Made, str | None, Reason]] = {
    "no envelope": (lambda _: b"hello", "GHA01", Reason.ENVELOPE_MALFORMED),
    "too many bytes": (
        lambda p: p.ask(1) + b"x" * limits.ENVELOPE_BYTES_MAX,
        "GHA01",
        Reason.ENVELOPE_TOO_LARGE,
    ),
    "another's envelope": (lambda p: p.ask(1), "CHE01", Reason.SENDER_NOT_AT_LINK),
    "for another": (lambda _: Peer(GHA, REC).ask(1), "GHA01", Reason.RECIPIENT_WRONG),
    "a line that is not named": (
        lambda p: p.ask(1) + b"\n" + p.question(2),
        "GHA01",
        Reason.MANIFEST_MISMATCH,
    ),
}


@pytest.mark.parametrize("name", REFUSED, ids=lambda name: name.replace(" ", "-"))
def test_what_is_not_authentic_is_refused_with_its_finding(name: str) -> None:
    make, sender, reason = REFUSED[name]
    found = taken(make(Peer(GHA)), sender)
    assert isinstance(found, Refused)
    assert (found.finding.reason, found.authentic) == (reason, False)


HELD: dict[str, tuple[Made, Reason]] = {
    "a key that nobody knows": (
        lambda _: Peer(GHA, signer=signer("stranger")).ask(1),
        Reason.KEY_UNKNOWN,
    ),
    "another actor's key": (lambda _: Peer(GHA, signer=signer(CHE)).ask(1), Reason.KEY_UNKNOWN),
}


@pytest.mark.parametrize("name", HELD, ids=lambda name: name.replace(" ", "-"))
def test_a_key_that_may_still_come_holds_the_envelope(name: str) -> None:
    make, reason = HELD[name]
    found = taken(make(Peer(GHA)))
    assert isinstance(found, Held)
    assert (found.finding.reason, found.authentic) == (reason, None)


def test_without_a_word_of_the_broker_the_signature_alone_counts() -> None:
    assert isinstance(taken(Peer(GHA).ask(1), None), Authentic)


WITHDRAWN = replace(founded().keys[GHA][0], closes={})
LAST_UNKNOWN: dict[str, tuple[Directory, str, bool]] = {
    "a key that nobody has shown": (founded(), "next", True),
    "a key of an unknown actor": (replace(founded(), keys={}), "next", False),
    "a key that was withdrawn": (
        replace(founded(), keys={**founded().keys, GHA: (WITHDRAWN,)}),
        str(GHA),
        False,
    ),
    "a key after one that was withdrawn": (
        replace(founded(), keys={**founded().keys, GHA: (WITHDRAWN,)}),
        "next",
        False,
    ),
}


@pytest.mark.parametrize("name", LAST_UNKNOWN, ids=lambda name: name.replace(" ", "-"))
def test_a_key_may_be_newer_than_the_directory(name: str) -> None:
    """Only what the directory has never shown, of an actor whose key can still change."""
    directory, key, newer = LAST_UNKNOWN[name]
    envelope = Peer(GHA, signer=signer(key)).ask(1)
    found = authenticate(Unit(envelope, "GHA01"), HUB, directory, NOON)
    assert isinstance(found, Held)
    assert found.overdue() == Refused(found.unit, found.finding, GHA, newer_key=newer, sequence=1)
