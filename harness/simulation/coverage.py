# SPDX-License-Identifier: Apache-2.0
"""What a campaign has reached: transitions, actions, legal moves, findings, faults and events, and
what it never reached.

Elsewhere: where it is collected (`run`), how a campaign shows it (`campaign`).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from harness.simulation.cast import ADM, KOR
from harness.simulation.chances import KINDS
from ledger.moves import MOVES, realm_of
from ledger.transactions import TRANSITIONS
from schemas.findings import Reason
from schemas.identifiers import Actor
from schemas.messages import Action
from schemas.units import KIND_CODES

__all__ = ["Coverage"]

INTERNATIONAL = frozenset({str(KOR.participant)})


@dataclass
class Coverage:
    """Counts by name."""

    transitions: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    """By action, and whether it was completed or refused by the hub."""
    moves: Counter[str] = field(default_factory=Counter)
    """Of completed proposals, as the table of legal moves has them."""
    findings: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)
    """Acts that stand in a log, those of its beginning included: a change of a key that was ordered
    may not come about.
    """
    operations: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)

    def entry(self, state: str, author: str, proposal: Mapping[str, Any]) -> None:
        """Count what the hub has made of a proposal, and the moves if it is completed."""
        action = proposal["action"]
        if state in {"completed", "refused"}:
            self.actions[f"{action} {state}"] += 1
        if state != "completed":
            return
        realm = realm_of(Actor(author), str(ADM.participant), INTERNATIONAL)
        for line in proposal.get("lines") or ():
            source, target = (_kind(line.get(name)) for name in ("source", "target"))
            self.moves[_move(action, realm, source, target)] += 1

    def add(self, other: "Coverage") -> None:
        """Take in what another run has reached."""
        self.transitions += other.transitions
        self.actions += other.actions
        self.moves += other.moves
        self.findings += other.findings
        self.faults += other.faults
        self.acts += other.acts
        self.operations += other.operations
        self.events += other.events

    def missing(self) -> dict[str, list[str]]:
        """What there is and was never reached: transitions, actions that were completed or refused,
        legal moves, findings, kinds of fault.
        """
        transitions = [f"{before} {event}" for before, event in TRANSITIONS if before is not None]
        actions = [f"{one} {end}" for one in get_args(Action) for end in ("completed", "refused")]
        moves = [
            _move(row.action, row.realm, row.source, target)
            for row in MOVES
            for target in (*sorted(row.targets), *([] if row.targets else [None]))
        ]
        return {
            "transitions": [t for t in transitions if not self.transitions[t]],
            "actions": [one for one in actions if not self.actions[one]],
            "moves": [one for one in moves if not self.moves[one]],
            "findings": [str(r) for r in Reason if not self.findings[str(r)]],
            "faults": [kind for kind in KINDS if not self.faults[kind]],
        }


def _kind(account: str | None) -> str | None:
    return str(KIND_CODES[account.split("-")[2]]) if account else None


def _move(action: str, realm: str, source: str | None, target: str | None) -> str:
    """A move in words, such as `use, Party: holding to use`."""
    if target is None:
        return f"{action}, {realm}: {source}"
    return f"{action}, {realm}: {source + ' to ' if source else ''}{target}"
