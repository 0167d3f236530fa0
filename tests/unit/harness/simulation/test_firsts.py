# SPDX-License-Identifier: Apache-2.0
"""A second first transfer is seen in the log's effects, and so is one that is taken away."""

from typing import Any

import pytest

from harness.simulation.firsts import Firsts

ITMO = {"layer": "itmo", "approach": "CA0007", "registry": "GHA01", "party": "GHA", "vintage": 2023}
DONE, NEW = {"first_transferred": True}, {"first_transferred": False}


def born(first: int, last: int, said: dict[str, bool], layer: str = "itmo") -> dict[str, Any]:
    members = {"effect": "move", "source": None, "attributes": said}
    return members | {"key": ITMO | {"layer": layer}, "first": first, "last": last}


def restated(first: int, last: int, before: dict[str, bool], after: dict[str, bool]) -> Any:
    members = {"effect": "restate", "before": before, "after": after}
    return members | {"key": ITMO, "first": first, "last": last}


def test_children_of_a_split_are_first_transferred_in_turn() -> None:
    firsts = Firsts()
    assert firsts.look([born(1, 100, NEW)]) == []
    assert firsts.look([restated(1, 40, NEW, DONE)]) == []
    assert firsts.look([restated(41, 100, {}, DONE), born(101, 110, DONE)]) == []
    assert firsts.look([restated(1, 110, DONE, DONE)]) == [], "marked for another reason"


def test_a_second_first_transfer_names_its_first_unit() -> None:
    firsts = Firsts()
    firsts.look([born(1, 50, DONE)])
    (said,) = firsts.look([restated(50, 60, NEW, DONE)])
    assert said == "('itmo:CA0007-GHA01-GHA-2023', 50): first-transferred a second time"


def test_a_first_transfer_that_is_taken_away_is_named() -> None:
    firsts = Firsts()
    firsts.look([born(1, 50, DONE)])
    (said,) = firsts.look([restated(7, 8, DONE, NEW)])
    assert said.endswith("7): its first transfer is taken away")


@pytest.mark.requirement(88)
def test_a_counter_entry_takes_one_back_and_no_other_follows() -> None:
    firsts = Firsts()
    firsts.look([born(1, 50, DONE)], "first-transfer")
    assert firsts.look([restated(7, 8, DONE, NEW)], "counter-entry") == []
    (said,) = firsts.look([restated(8, 9, NEW, DONE)], "first-transfer")
    assert said.endswith("8): first-transferred a second time")


def test_underlying_units_are_no_itmos_and_other_effects_say_nothing() -> None:
    firsts = Firsts()
    below = born(1, 10, DONE, "underlying")
    moved = born(1, 10, DONE) | {"source": {"account": "x"}}
    assert firsts.look([below, below, moved, moved, {"effect": "reserve"}]) == []
    assert firsts.look([born(1, 10, DONE)]) == []
