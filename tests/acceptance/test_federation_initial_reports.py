# SPDX-License-Identifier: Apache-2.0
"""First transfers without an initial report, at the desk of a registry that runs."""

import pytest

from registry.initial_reports import InitialReports
from runtime import events
from schemas.identifiers import ApproachId
from tests.cast import GHA, asked, first_transfer
from tests.federation import Federation, Settings


def reports(*approaches: str) -> Settings:
    return Settings(
        initial_reports=InitialReports(frozenset(map(ApproachId, approaches)), "refuse")
    )


@pytest.mark.parametrize("settings", [reports("CA0001")])
async def test_where_it_is_refused_nothing_is_said_and_the_units_stay_free(
    federation: Federation,
) -> None:
    proposal = asked(first_transfer(101, 140, 101))
    done, why = await federation.command("GHA01", "propose", actor=GHA, **proposal)
    assert not done
    assert "CA0007 has no initial report" in why
    sql = "select 1 from overlays where kind = 'reserved'"
    assert await federation.rows("GHA01", sql) == []


@pytest.mark.parametrize("settings", [reports("CA0007")])
async def test_under_an_approach_that_has_one_it_goes_through(federation: Federation) -> None:
    assert await federation.transact(GHA, first_transfer(101, 140, 101)) == "completed"


async def test_without_a_word_in_the_settings_it_is_told(federation: Federation) -> None:
    transaction = await federation.propose(GHA, first_transfer(101, 140, 101))
    assert await federation.ended(transaction) == "completed"
    told = federation.logged(
        events.INITIAL_REPORT_MISSING, transaction=transaction, approach="CA0007"
    )
    assert len(told) == 1
