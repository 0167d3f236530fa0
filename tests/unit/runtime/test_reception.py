# SPDX-License-Identifier: Apache-2.0
"""What arrived, by what it is: taken, refused, or held until its key or its time has come."""

from dataclasses import replace

import pytest

from runtime.holding import Holding
from runtime.intake import Unit
from runtime.reception import Reception
from runtime.work import Work
from schemas import limits
from schemas.findings import Reason
from tests.cast import CHE, GHA, HUB, signer
from tests.peer import Peer, later
from tests.toy import Toy, founded

SOON = later(limits.CLOCK_AHEAD_SECONDS_TOLERATED + 5)


class Bench:
    """A hub's reception with two places, one for each participant."""

    def __init__(self) -> None:
        self.toy = Toy(HUB)
        self.holding = Holding(most=2, most_of_one=1)
        self.reception = Reception(self.toy, self.holding, hold_seconds=10.0)

    def sort(self, *envelopes: bytes, seconds: float = 0.0, held_too: bool = True) -> Work:
        units = [Unit(envelope, None) for envelope in envelopes]
        return self.reception.sort(units, later(seconds), seconds, held_too=held_too)


def summary(work: Work) -> tuple[list[int], int, list[Reason]]:
    """The sequences taken, how many control envelopes, and why others were refused."""
    return (
        [one.sequence for one in work.sequenced],
        len(work.control),
        [refused.finding.reason for refused in work.refused],
    )


def stranger() -> Peer:
    return Peer(GHA, signer=signer("next"))


def test_envelopes_are_sorted_by_what_they_are() -> None:
    bench, ghana = Bench(), Peer(GHA)
    control = ghana.ask(1, control=True, nonce="0" * 32)
    work = bench.sort(ghana.ask(1), control, b"rubbish", stranger().ask(1))
    assert summary(work) == ([1], 1, [Reason.ENVELOPE_MALFORMED])
    assert len(bench.holding) == 1


def test_an_unknown_key_is_waited_for_and_refused_when_it_does_not_come() -> None:
    bench = Bench()
    held = stranger().ask(1)
    assert summary(bench.sort(held)) == ([], 0, [])
    assert summary(bench.sort(seconds=9.9)) == ([], 0, [])
    work = bench.sort(seconds=10.0)
    assert summary(work) == ([], 0, [Reason.KEY_UNKNOWN])
    assert (work.refused[0].claimed, work.refused[0].newer_key) == (GHA, True)
    assert len(bench.holding) == 0


def test_an_envelope_is_taken_once_its_key_is_known() -> None:
    bench = Bench()
    known = founded()
    bench.toy.directory = replace(known, keys={})
    assert summary(bench.sort(Peer(GHA).ask(1))) == ([], 0, [])
    bench.toy.directory = known
    assert summary(bench.sort(held_too=False)) == ([], 0, [])
    assert summary(bench.sort()) == ([1], 0, [])


def test_an_envelope_a_little_ahead_waits_for_its_time_however_long_that_is() -> None:
    bench = Bench()
    bench.sort(Peer(GHA).ask(1, sent_at=later(limits.CLOCK_AHEAD_SECONDS_MAX)))
    due = limits.CLOCK_AHEAD_SECONDS_MAX - limits.CLOCK_AHEAD_SECONDS_TOLERATED
    assert summary(bench.sort(seconds=due - 1)) == ([], 0, [])
    assert summary(bench.sort(seconds=due)) == ([1], 0, [])


def test_without_a_place_an_unknown_key_is_refused_and_an_early_clock_is_not() -> None:
    bench, ghana = Bench(), Peer(GHA)
    work = bench.sort(ghana.ask(1, sent_at=SOON), stranger().ask(2), ghana.ask(3, sent_at=SOON))
    assert summary(work) == ([2], 0, [Reason.KEY_UNKNOWN])  # its proposals are refused in turn
    assert summary(bench.sort(Peer(CHE, signer=signer("next")).ask(1))) == ([], 0, [])
    assert len(bench.holding) == 2


@pytest.mark.parametrize("held_too", [True, False], ids=["looked-at", "left-alone"])
def test_a_deadline_counts_from_the_first_look(held_too: object) -> None:
    bench = Bench()
    bench.sort(stranger().ask(1))
    bench.sort(seconds=5.0, held_too=bool(held_too))
    assert summary(bench.sort(seconds=10.0)) == ([], 0, [Reason.KEY_UNKNOWN])
