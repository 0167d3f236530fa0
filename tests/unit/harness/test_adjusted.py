# SPDX-License-Identifier: Apache-2.0
"""The adjustments of a run are those of all Parties, over the whole log."""

from harness.adjusted import adjusted
from schemas.effects import Effect
from schemas.units import Attributes
from tests.unit.ledger.test_tally import DONE, ITMO, NEW, born, ndc, restate
from tests.unit.ledger.world import CHE, GHA, I, U

POWER = Attributes(metric="non-GHG", unit="MWh")


def test_each_party_has_a_line_for_each_year_and_metric_in_which_something_counts() -> None:
    effects: list[Effect] = [
        restate(U, 1001, 1100, NEW, DONE),
        born(I, 1, 100, ITMO, CHE),
        restate(I, 1, 10, ITMO, ITMO.but(use=ndc(2025)), CHE),
        restate(I, 11, 14, ITMO, ITMO.but(use=ndc(2026)), CHE),
        restate(U, 2001, 2005, POWER, POWER.but(first_transferred=True), GHA),
    ]
    found = [
        (x.party, x.unit, x.year, x.first_transferred, x.used, x.adjustment)
        for x in adjusted(effects)
    ]
    assert found == [
        ("CHE", "t CO2 eq", 2025, 0, 10, -10),
        ("CHE", "t CO2 eq", 2026, 0, 4, -4),
        ("GHA", "MWh", 2023, 5, 0, -5),
        ("GHA", "t CO2 eq", 2023, 100, 0, 100),
    ]
    assert adjusted([]) == []
    assert adjusted([born(U, 1, 10, NEW, GHA)]) == []
