# SPDX-License-Identifier: Apache-2.0
"""A first transfer under an approach without an initial report: let pass, told, or refused."""

import pytest

from harness.simulation.virtual_time import START
from registry.initial_reports import InitialReports, WithoutReport, look_for_report
from runtime import events
from runtime.clock import Ids
from runtime.program import Batch
from schemas.identifiers import ApproachId, Instant, TransactionId
from schemas.messages import Proposal
from tests.cast import CHE, GHA, I, first_transfer, transfer

NOON = Instant.of(START)
TRANSACTION = TransactionId("GHA01-GHA-7")
GOES = Proposal(**first_transfer(1, 10, 1), quantity=10, expires_at=NOON)
GOES_ON = Proposal(**transfer(I, 1, 10, CHE, GHA), quantity=10, expires_at=NOON)
NONE, OTHERS, OURS = (frozenset(map(ApproachId, ids)) for ids in ([], ["CA0008"], ["CA0007"]))


@pytest.mark.requirement(94)
@pytest.mark.parametrize(
    ("without", "approaches", "proposal", "refused", "told"),
    [
        ("refuse", NONE, GOES, True, False),
        ("refuse", OTHERS, GOES, True, False),
        ("refuse", OURS, GOES, False, False),
        ("refuse", NONE, GOES_ON, False, False),
        ("tell", NONE, GOES, False, True),
        ("tell", OURS, GOES, False, False),
        ("tell", NONE, GOES_ON, False, False),
        ("allow", NONE, GOES, False, False),
    ],
)
def test_without_an_initial_report_it_is_as_the_settings_say(
    without: WithoutReport,
    approaches: frozenset[ApproachId],
    proposal: Proposal,
    *,
    refused: bool,
    told: bool,
) -> None:
    batch = Batch(NOON, Ids())
    found = look_for_report(InitialReports(approaches, without), proposal, TRANSACTION, batch)
    assert [f.detail.partition(";")[0] for f in found] == ["CA0007 has no initial report"] * refused
    event = (
        events.INITIAL_REPORT_MISSING,
        {"transaction": TRANSACTION, "approach": ApproachId("CA0007")},
    )
    assert batch.events == [event] * told


def test_unless_told_otherwise_it_is_told() -> None:
    batch = Batch(NOON, Ids())
    assert look_for_report(InitialReports(), GOES, TRANSACTION, batch) == []
    assert [name for name, _ in batch.events] == [events.INITIAL_REPORT_MISSING]
