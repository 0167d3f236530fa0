# SPDX-License-Identifier: Apache-2.0
"""Initial reports: a Party reports on a cooperative approach before it first-transfers under it.

The report itself goes to the secretariat (2/CMA.3 annex para 18); which approaches have one stands
in the registry's settings. A first transfer under another approach is let pass, told as an event,
or refused at the desk, as the settings say. It is the Party's own duty, and so no check of the
hub's.
"""

from dataclasses import dataclass
from typing import Literal

from runtime import events
from runtime.program import Batch
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import ApproachId, TransactionId
from schemas.messages import Proposal

__all__ = ["InitialReports", "WithoutReport", "look_for_report"]

WithoutReport = Literal["allow", "tell", "refuse"]


@dataclass(frozen=True, slots=True)
class InitialReports:
    """The approaches that have an initial report, and what is done where there is none."""

    approaches: frozenset[ApproachId] = frozenset()
    without: WithoutReport = "tell"


def look_for_report(
    reports: InitialReports, proposal: Proposal, transaction: TransactionId, batch: Batch
) -> list[Finding]:
    """Findings, where a first transfer is refused for want of an initial report."""
    if proposal.action != "first-transfer" or reports.without == "allow":
        return []
    missing = sorted({line.key.approach for line in proposal.lines} - reports.approaches)
    if reports.without == "refuse":
        return [
            finding(
                Reason.COMMAND_INVALID,
                f"{one} has no initial report; once there is one, add it to initial_reports in the "
                "settings",
                field="lines",
            )
            for one in missing
        ]
    for one in missing:
        batch.log(events.INITIAL_REPORT_MISSING, transaction=transaction, approach=one)
    return []
