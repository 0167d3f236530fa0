# SPDX-License-Identifier: Apache-2.0
"""What is missing, and when it is asked for: at once, and then ever more rarely."""

from itertools import pairwise

import pytest

from runtime.gaps import INTERVAL_SECONDS_MAX, Gap, Gaps
from runtime.journal import Journal
from schemas.limits import RESEND_ENVELOPES_MAX
from tests.cast import ADM, CHE, GHA, HUB, MMR


def journal(received: int = 0, early: set[int] | None = None) -> Journal:
    return Journal(HUB, {(GHA, HUB): received}, {GHA: early or set()})


MISSING: dict[str, tuple[Journal, int, list[Gap]]] = {
    "nothing": (journal(3), 3, []),
    "what lies before an early one": (journal(3, {6, 7}), 0, [Gap(GHA, 4, 5)]),
    "what a greeting told of": (journal(3), 8, [Gap(GHA, 4, 8)]),
    "first what lies before an early one": (journal(3, {6}), 8, [Gap(GHA, 4, 5)]),
    "an early one that is next": (journal(3, {4}), 0, []),
    "what lies behind those that wait to be heard": (journal(3, {4, 5, 9}), 0, [Gap(GHA, 6, 8)]),
    "what was told of beyond them": (journal(3, {4, 5}), 8, [Gap(GHA, 6, 8)]),
    "less than was received": (journal(3), 2, []),
}


@pytest.mark.parametrize("name", MISSING, ids=lambda name: name.replace(" ", "-"))
def test_a_gap_is_what_lies_between(name: str) -> None:
    kept, told, expected = MISSING[name]
    gaps = Gaps(kept, 1.0)
    if told:
        gaps.told(GHA, told)
    assert gaps.due(0.0, ()) == expected


def test_a_participant_that_is_not_greeted_yet_is_not_asked() -> None:
    gaps = Gaps(journal(3, {6}), 1.0)
    assert gaps.due(0.0, [GHA.participant]) == []
    assert gaps.due(0.0, [CHE.participant]) == [Gap(GHA, 4, 5)]


def test_requests_get_rarer_while_nothing_comes_and_never_stop() -> None:
    gaps = Gaps(journal(3, {6}), 1.0)
    asked = [second for second in range(400) if gaps.due(float(second), ())]
    assert asked[:7] == [0, 1, 3, 7, 15, 31, 63]
    assert {b - a for a, b in pairwise(asked[6:])} == {INTERVAL_SECONDS_MAX}


def test_what_is_but_suspected_is_asked_for_once() -> None:
    gaps = Gaps(journal(3), 1.0)
    gaps.suspect(GHA, 5)
    assert gaps.due(0.0, [GHA.participant]) == []
    assert gaps.due(0.0, ()) == [Gap(GHA, 4, 3 + RESEND_ENVELOPES_MAX)]
    assert gaps.due(100.0, ()) == []


@pytest.mark.parametrize("sequence", [None, 5], ids=["greetings", "envelopes"])
@pytest.mark.parametrize("greeted", [False, True])
def test_suspicions_one_after_the_other_are_followed_ever_more_rarely(
    greeted: object, sequence: int | None
) -> None:
    gaps = Gaps(journal(3), 1.0)
    asked = []
    for second in range(400):
        gaps.suspect(GHA, sequence)
        if greeted:  # it says that we have all of it
            gaps.told(GHA, 3)
        asked += [second] * len(gaps.due(float(second), ()))
    assert asked[:7] == [0, 1, 3, 7, 15, 31, 63]
    assert {b - a for a, b in pairwise(asked[6:])} == {INTERVAL_SECONDS_MAX}


def test_nothing_is_suspected_to_be_missing_before_what_comes_next() -> None:
    """The answer to a request: what comes next is here, and no better. Asking again would bring the
    same again.
    """
    kept = journal(3)
    gaps = Gaps(kept, 1.0)
    gaps.suspect(GHA, 5)
    gaps.suspect(GHA, 4)
    gaps.suspect(GHA, 6)
    gaps.suspect(GHA, None)
    assert gaps.due(0.0, ()) == []
    kept.last[GHA, HUB] = 4
    gaps.suspect(GHA, 6)
    assert gaps.due(0.0, ()) == [Gap(GHA, 5, 4 + RESEND_ENVELOPES_MAX)]


def test_a_suspicion_makes_no_gap_wait() -> None:
    kept = journal(3)
    gaps = Gaps(kept, 1.0)
    for second in range(100):
        gaps.suspect(GHA, None)
        gaps.due(float(second), ())
    kept.early[GHA] = {6}
    assert gaps.due(100.0, ()) == [Gap(GHA, 4, 5)]


def test_beside_what_is_missing_for_sure_a_suspicion_asks_for_nothing_more() -> None:
    gaps = Gaps(journal(3, {6}), 1.0)
    gaps.suspect(GHA, 7)
    assert gaps.due(0.0, ()) == [Gap(GHA, 4, 5)]


def test_one_sender_of_a_participant_is_asked_about_at_a_time() -> None:
    gaps = Gaps(Journal(HUB, {}, {ADM: {5}, CHE: {5}, MMR: {5}}), 1.0)
    assert gaps.due(0.0, ()) == [Gap(CHE, 1, 4), Gap(ADM, 1, 4)]
    assert gaps.due(0.0, ()) == [Gap(MMR, 1, 4)]
    assert gaps.due(0.5, ()) == []
    assert gaps.due(1.0, ()) == [Gap(CHE, 1, 4), Gap(ADM, 1, 4)]


def test_after_a_part_has_come_the_rest_is_asked_for_at_the_quick_pace() -> None:
    kept = journal(3, {600})
    gaps = Gaps(kept, 1.0)
    for second in (0, 1, 3, 7):
        assert gaps.due(float(second), ()) == [Gap(GHA, 4, 599)]
    kept.last[GHA, HUB] = 203
    assert gaps.due(7.5, ()) == []
    assert gaps.due(8.0, ()) == [Gap(GHA, 204, 599)]
    assert gaps.due(9.0, ()) == [Gap(GHA, 204, 599)]


def test_after_a_lost_link_everything_is_asked_for_at_once() -> None:
    gaps = Gaps(journal(3, {6}), 1.0)
    assert gaps.due(0.0, ())
    assert not gaps.due(0.5, ())
    gaps.forget_requests()
    assert gaps.due(0.5, ())
