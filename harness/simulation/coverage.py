# SPDX-License-Identifier: Apache-2.0
"""What a campaign has reached: transitions, findings, faults and events, and what it never reached.

Elsewhere: where it is collected (`run`), how a campaign shows it (`campaign`).
"""

from collections import Counter
from dataclasses import dataclass, field

from harness.simulation.chances import KINDS
from ledger.transactions import TRANSITIONS
from schemas.findings import Reason

__all__ = ["Coverage"]


@dataclass
class Coverage:
    """Counts by name."""

    transitions: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)
    """Acts that stand in a log, those of its beginning included: a change of a key that was ordered
    may not come about.
    """
    operations: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Coverage") -> None:
        """Take in what another run has reached."""
        self.transitions += other.transitions
        self.findings += other.findings
        self.faults += other.faults
        self.acts += other.acts
        self.operations += other.operations
        self.events += other.events

    def missing(self) -> dict[str, list[str]]:
        """What there is and was never reached: transitions, findings, kinds of fault."""
        transitions = [f"{before} {event}" for before, event in TRANSITIONS if before is not None]
        return {
            "transitions": [t for t in transitions if not self.transitions[t]],
            "findings": [str(r) for r in Reason if not self.findings[str(r)]],
            "faults": [kind for kind in KINDS if not self.faults[kind]],
        }
