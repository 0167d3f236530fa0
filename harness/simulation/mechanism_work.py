# SPDX-License-Identifier: Apache-2.0
"""What the mechanism registry's administrator is asked for in a simulation: approvals, issuances
under them, all at once or in parts, and what participants have said becomes of the units.

What was asked for need not have come to anything. Whoever draws from here asks as a person would
who has kept a list: mostly what is left of an approval, and of serials the next.

Elsewhere: all other operations (`workload`).
"""

import json
import random
from dataclasses import dataclass, field
from typing import Any

from harness.simulation.cast import ADM
from ledger.asking import Policy
from mechanism_node.issuance import Issuance, issuance_proposal
from schemas.identifiers import account_number

__all__ = ["Approvals", "approval_record"]

ACTIVITIES = ("A0042", "A0043")
QUANTITY_LEAST, QUANTITY_MOST = 20, 150


@dataclass
class Approval:
    """A record that was asked for, and what is left of it."""

    record: dict[str, Any]
    left: int


@dataclass
class Approvals:
    """The list that the administrator keeps."""

    randomness: random.Random
    known: list[Approval] = field(default_factory=list)

    def approve(self) -> dict[str, Any]:
        """A record of another approval."""
        record: dict[str, Any] = approval_record(
            f"SB{len(self.known) + 1}",
            self.randomness.choice(ACTIVITIES),
            self.randomness.randint(2021, 2023),
            self.randomness.randint(QUANTITY_LEAST, QUANTITY_MOST),
        )
        record["buffer_permille"] = self.randomness.choice((0, 0, 50))
        self.known.append(Approval(record, record["quantity"]))
        return record

    def instructed(self, action: str, key: dict[str, Any]) -> dict[str, Any]:
        """What an action on pending units has besides: an instruction, where one is due."""
        alone = action in {"designation", "administrative-cancellation"}
        if alone or self.randomness.random() < 0.05:
            return {}
        return {"instruction": self._instruction(key["activity"])}

    def _instruction(self, activity: str | None) -> dict[str, Any]:
        """What a participant of an activity says, whom some approval names; now and then not."""
        names = [one.record["id"] for one in self.known if one.record["activity"] == activity]
        return {
            "approval": self.randomness.choice(["first", *names]),
            "participant": self.randomness.choice(("Developer", "Developer", "Ministry", "Nobody")),
            "reference": "letter",
        }

    def cancel(self, line: dict[str, Any]) -> dict[str, Any]:
        """An administrative cancellation, mostly for a reversal and for nobody."""
        mark = {"user": "Developer", "cancellation": "other"}
        if self.randomness.random() < 0.2:
            mark = {"user": "Developer", "cancellation": "voluntary", "purpose": "OP"}
        arguments = {"action": "administrative-cancellation", "lines": [line], "use": mark}
        return arguments | ({"reversal": "RV"} if self.randomness.random() < 0.8 else {})

    def issue(self, next_serial: dict[str, int]) -> dict[str, Any] | None:
        """The arguments of an issuance under an approval, or none where nothing is left of any."""
        ready = [one for one in self.known if one.left >= QUANTITY_LEAST]
        if not ready:
            return None
        one = self.randomness.choice(ready)
        part = self.randomness.randint(QUANTITY_LEAST, one.left)
        quantity = self.randomness.choice((one.left, part))
        one.left -= quantity
        series = f"itmo:CA0001-UN01-MMR-{one.record['vintage_from']}"
        first = next_serial.get(series, 1)
        next_serial[series] = first + quantity
        return {
            "party": "MMR",
            "activity": one.record["activity"],
            "vintage": one.record["vintage_from"],
            "quantity": quantity,
            "first": first,
            "buffer": -(-quantity * one.record["buffer_permille"] // 1000),
            "references": {
                "request": one.record["request"],
                "approval": one.record["id"],
                "approved_quantity": one.record["quantity"],
            },
        }

    def by_hand(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The proposal of an issuance, with one of its lines in another's account or without its
        designation, as somebody gets it wrong who writes it line by line.
        """
        issuance = Issuance.model_validate_json(json.dumps(arguments))
        proposal = issuance_proposal(issuance, ADM, Policy())
        line = self.randomness.choice(proposal["lines"])
        if self.randomness.random() < 0.2:
            line["attributes"] |= {"designation": None}
        else:
            code = self.randomness.choice(("PEN", "SOP", "OMG", "BUF"))
            line["target"] = account_number(ADM, code, 1)
        return proposal


def approval_record(name: str, activity: str, vintage: int, quantity: int) -> dict[str, Any]:
    """What the Supervisory Body approved, about an activity in Myanmar."""
    return {
        "id": name,
        "request": f"R {name}",
        "requested_by": "Entity",
        "verification": f"V {name}",
        "certification": f"C {name}",
        "decided_on": "2026-02-01",
        "party": "MMR",
        "activity": activity,
        "vintage_from": vintage,
        "vintage_to": vintage,
        "quantity": quantity,
        "participants": ["Developer", "Ministry"],
    }
