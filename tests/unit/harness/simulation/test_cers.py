# SPDX-License-Identifier: Apache-2.0
"""What the log must not show of CERs is seen in an entry's effects, whatever was predicted."""

from typing import Any

import pytest

from harness.simulation.cers import Cers

KEY = {
    "layer": "underlying",
    "approach": "CA0001",
    "registry": "UN01",
    "party": "MMR",
    "vintage": 2019,
    "activity": "A0042",
}
PLAIN = {"designation": "CER", "mitigation": "Emission reductions"}
NDC = {"purpose": "NDC", "user": "MMR", "year": 2026}
USED = {**PLAIN, "use": NDC}


def moved(
    source: str | None, target: str, said: dict[str, Any] = PLAIN, **key: Any
) -> dict[str, Any]:
    left = source and {"kind": source}
    members = {"effect": "move", "source": left, "target": {"kind": target}, "attributes": said}
    return members | {"key": {**KEY, **key}, "first": 1, "last": 10}


def restated(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    members = {"effect": "restate", "before": before, "after": after}
    return members | {"key": KEY, "first": 1, "last": 10}


ENTERED, ENDED = moved(None, "cer"), [restated(PLAIN, USED), moved("cer", "retirement", USED)]


def test_cers_come_in_change_hands_and_are_used_and_others_are_not_looked_at() -> None:
    cers = Cers("UN01")
    assert cers.look([ENTERED]) == []
    assert cers.look([moved("cer", "cer")]) == []
    assert cers.look(ENDED) == []
    itmo = {"layer": "itmo", "vintage": 2022}
    assert cers.look([moved(None, "pending", {"designation": "MCU"}, **itmo)]) == []
    assert cers.look([moved(None, "holding", {}, registry="GHA01", activity=None)]) == []
    assert cers.look([{"effect": "reserve"}]) == []


@pytest.mark.parametrize(
    ("effects", "what"),
    [
        ([moved(None, "cer", layer="itmo")], "become none"),
        ([moved(None, "cer", registry="GHA01")], "become none"),
        ([moved(None, "cer", vintage=2021)], "no CER is of 2021"),
        ([moved(None, "pending", {"designation": "MCU"})], "nothing is said of a CER"),
        ([moved(None, "cer", {**PLAIN, "first_transferred": True})], "nothing is said of a CER"),
        ([moved(None, "holding")], "no CER goes from nowhere to holding"),
        ([ENTERED, ENTERED], "comes into being twice"),
        ([ENTERED, moved("cer", "holding")], "no CER goes from cer to holding"),
        ([ENTERED, moved("cer", "retirement")], "is retired, and no other"),
        ([ENTERED, restated(PLAIN, USED)], "is retired, and no other"),
        ([ENTERED, restated(PLAIN, {**PLAIN, "designation": "N"})], "by its use alone"),
        (
            [ENTERED, restated(PLAIN, {**USED, "use": {"purpose": "IMP", "user": "X"}})],
            "used towards an NDC",
        ),
    ],
)
def test_what_a_cer_must_not_do_is_named(effects: list[dict[str, Any]], what: str) -> None:
    said = Cers("UN01").look(effects)
    assert any(what in one for one in said), said


def test_a_cer_that_is_used_is_counted_once_and_stays() -> None:
    cers = Cers("UN01")
    cers.look([ENTERED])
    cers.look(ENDED)
    for again in (ENDED, [moved("retirement", "cer", USED)]):
        assert any("a CER that is used stays as it is" in one for one in cers.look(again))
