# SPDX-License-Identifier: Apache-2.0
"""Places for envelopes that wait: who gets one, and what a copy does."""

import pytest

from runtime.broker import Arrival
from runtime.holding import Holding, Waiting
from runtime.intake import Held, Unit
from schemas.findings import Reason, finding
from schemas.identifiers import Actor
from tests.cast import CHE, GHA, KOR, VUT

UNKNOWN = finding(Reason.KEY_UNKNOWN, "a key")


def hold(holding: Holding, claimed: Actor, body: str, tag: int | None = None) -> bool:
    arrival = None if tag is None else Arrival(tag, body.encode(), None, redelivered=False)
    unit = Unit(body.encode(), None, arrival)
    return holding.hold(Waiting(unit, 7.0), Held(unit, UNKNOWN, claimed))


PLACES: dict[str, tuple[list[tuple[Actor, str]], list[bool]]] = {
    "one participant takes no more than its own": (
        [(GHA, "1"), (GHA, "2"), (GHA, "3"), (CHE, "4")],
        [True, True, False, True],
    ),
    "two actors of a participant share its places": (
        [(KOR, "1"), (VUT, "2"), (KOR, "3")],
        [True, True, False],
    ),
    "all together take no more than there are": (
        [(GHA, "1"), (CHE, "2"), (KOR, "3"), (CHE, "4")],
        [True, True, True, False],
    ),
    "the same bytes take one place": (
        [(GHA, "1"), (GHA, "1"), (GHA, "2"), (GHA, "2")],
        [True, True, True, True],
    ),
}


@pytest.mark.parametrize("name", PLACES, ids=lambda name: name.replace(" ", "-"))
def test_places_are_given_by_claimed_participant(name: str) -> None:
    envelopes, expected = PLACES[name]
    holding = Holding(most=3, most_of_one=2)
    assert [hold(holding, *one) for one in envelopes] == expected


def test_what_is_taken_out_frees_its_places_and_keeps_its_deadline() -> None:
    holding = Holding(most=1, most_of_one=1)
    assert hold(holding, GHA, "1")
    (waiting,) = holding.take()
    assert (waiting.unit.body, waiting.deadline, waiting.again) == (b"1", 7.0, True)
    assert len(holding) == 0
    assert hold(holding, CHE, "2")


def test_a_newer_copy_takes_the_place_and_the_older_one_may_be_acknowledged() -> None:
    holding = Holding(most=1, most_of_one=1)
    assert hold(holding, GHA, "1", tag=1)
    assert hold(holding, GHA, "1", tag=2)
    assert [arrival.tag for arrival in holding.copies()] == [1]
    assert holding.copies() == []
    (waiting,) = holding.take()
    assert waiting.unit.arrival is not None
    assert waiting.unit.arrival.tag == 2
