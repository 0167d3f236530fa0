# SPDX-License-Identifier: Apache-2.0
"""Closing a year in the batch in which entries come: each is in the figures or comes late."""

from typing import Any

import pytest

from harness.simulation.virtual_time import START
from ledger.adjustments import NdcPeriod, annual_figures, late_entries
from ledger.asking import Policy
from ledger.directory import Directory
from ledger.holdings import Holdings
from ledger.tally import Account, Sum, Tally
from registry.adjustments import close_year, closed_vintages, count_entry, parties_closing
from registry.state import RegistryFacts
from runtime import events
from runtime.clock import Ids
from runtime.program import Batch, Order
from schemas.effects import Restate
from schemas.findings import Reason
from schemas.identifiers import Instant, Participant, PartyCode
from schemas.messages import Entry, Proposal
from schemas.units import Attributes, Position
from tests.cast import CHE, GHA, U, account, counter_entry, genesis

GHANA, GHA01 = PartyCode("GHA"), Participant("GHA01")
NOON = Instant.of(START)
NEW, DONE = Attributes(), Attributes(first_transferred=True)
PERIOD = NdcPeriod(party=GHANA, first_year=2023, last_year=2030, method="trajectory")


def entry(first: int, last: int, before: Attributes = NEW, after: Attributes = DONE) -> Entry:
    place = Position.of(account(GHA))
    restated = Restate(key=U, first=first, last=last, position=place, before=before, after=after)
    return Entry(
        log="federation.test",
        position=7,
        acts=1,
        at=NOON,
        manifest=None,
        state=None,
        action=None,
        rules="1",
        effects=(restated,),
    )


def closing(quantity: int, number: int = 1) -> Order:
    """The command to close 2023 with so many units first-transferred."""
    sums = {Account(None, 2023): Sum(quantity)} if quantity else {}
    digest = annual_figures(GHA01, 2023, PERIOD, sums, {}).digest
    arguments = {"party": "GHA", "year": 2023, "digest": digest}
    return Order(number, "close-year", "olga", arguments)


@pytest.fixture
def facts() -> RegistryFacts:
    return RegistryFacts(
        directory=Directory.begin(genesis()),
        holdings=Holdings(),
        authorizations={},
        now=NOON,
        policy=Policy(),
        ndc_periods=(PERIOD,),
        tallies={GHANA: Tally(GHANA, GHA01)},
    )


@pytest.fixture
def batch() -> Batch:
    return Batch(NOON, Ids())


def late(batch: Batch) -> list[dict[str, Any]]:
    return [values for name, values in batch.events if name == events.CLOSED_YEAR_CONTRADICTED]


def test_an_entry_before_the_command_is_in_the_figures(facts: RegistryFacts, batch: Batch) -> None:
    count_entry(facts, entry(1, 10), GHA01, batch)
    (refused,) = close_year(facts, closing(0), GHA01, batch)
    assert "are others by now" in refused.detail
    assert close_year(facts, closing(10), GHA01, batch) == []
    assert late(batch) == []
    (one,) = facts.new_closed
    assert (one.figures.accounts[0].first_transferred, one.operator, one.command) == (10, "olga", 1)


@pytest.mark.requirement(93)
def test_an_entry_after_the_command_is_late(facts: RegistryFacts, batch: Batch) -> None:
    assert close_year(facts, closing(0), GHA01, batch) == []
    count_entry(facts, entry(1, 10), GHA01, batch)
    (told,) = late(batch)
    assert (told["party"], told["year"], told["first_transferred"], told["position"]) == (
        "GHA",
        2023,
        10,
        7,
    )
    (seen,) = late_entries(facts.tallies[GHANA].sums(), facts.closed[GHANA])
    assert seen.first_transferred == 10


def test_what_an_entry_takes_away_is_late_too(facts: RegistryFacts, batch: Batch) -> None:
    count_entry(facts, entry(1, 10), GHA01, batch)
    assert close_year(facts, closing(10), GHA01, batch) == []
    count_entry(facts, entry(4, 6, DONE, NEW), GHA01, batch)
    assert [told["first_transferred"] for told in late(batch)] == [-3]


def test_a_year_is_closed_once_in_a_batch_and_the_facts_of_before_stay_as_they_were(
    facts: RegistryFacts, batch: Batch
) -> None:
    before = facts.closed
    assert close_year(facts, closing(0), GHA01, batch) == []
    with pytest.raises(ValueError, match="GHA 2023 is closed"):
        close_year(facts, closing(0, 2), GHA01, batch)
    assert before == {}, "a batch that fails has closed nothing"
    assert len(facts.new_closed) == 1


@pytest.mark.parametrize("party", ["", "gha", "GHANA", "ÄÖÜ", "GH1", "ADM", None, 7, ["GHA"]])
def test_what_is_no_party_is_not_counted(party: Any) -> None:
    orders = [Order(1, "close-year", "olga", {"party": party}), Order(2, "close-year", "olga", {})]
    assert parties_closing(orders) == set()
    assert parties_closing([closing(0), Order(2, "propose", "olga", {"party": "CHE"})]) == {"GHA"}


@pytest.mark.requirement(88)
def test_a_first_transfer_of_a_closed_vintage_is_not_taken_back(
    facts: RegistryFacts, batch: Batch
) -> None:
    assert close_year(facts, closing(0), GHA01, batch) == []
    asked = {
        "quantity": 3,
        "expires_at": NOON,
        **counter_entry(1, 3, CHE, {"id": "GH-1", "version": 2}),
    }
    back = Proposal.model_validate(asked)
    (found,) = closed_vintages(facts, back, GHA, {GHA})
    assert (found.reason, found.first, found.last) == (Reason.YEAR_CLOSED, 1, 3)
    assert found.detail == f"GHA 2023 is closed since {NOON}"
    assert closed_vintages(facts, back, GHA, {CHE}) == [], "it is of no concern to the holder"
    moved = back.model_copy(update={"action": "transfer", "authorization": None})
    assert closed_vintages(facts, moved, GHA, {GHA}) == [], "a transfer changes no figures"
    facts.closed = {}
    assert closed_vintages(facts, back, GHA, {GHA}) == []
