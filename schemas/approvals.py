# SPDX-License-Identifier: Apache-2.0
"""What the mechanism registry's administrator acts on: approvals of issuance, and instructions.

A designated operational entity requests the issuance of verified and certified reductions, the
Supervisory Body decides, and only its approval lets the administrator issue (3/CMA.3 annex paras
52-54). What was issued leaves the pending account when a participant of the activity says so (para
60). None of them is an actor here: the administrator records what they decided, under its own
signature, and the log keeps it.

Elsewhere: what rests on an approval (`messages.IssuanceReferences`), the checks
(`ledger.approvals`).
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.identifiers import Day, PartyCode
from schemas.limits import SERIAL_MAX
from schemas.units import Frozen, User, Vintage

__all__ = ["ApprovalRecord", "Instruction", "Reference"]

Reference = Annotated[str, Field(min_length=1, max_length=120)]
"""What a document, a decision or a report is called where it is kept."""


class ApprovalRecord(Frozen):
    """A request for issuance, and that it was approved (3/CMA.3 annex paras 52 and 53).

    `request` was submitted by `requested_by`, with a verification and a certification report.
    `quantity` is what may be issued under it in all. `buffer_permille` of each issuance go to the
    buffer against reversals. `participants` are those who may instruct what becomes of the units.
    """

    id: Reference
    request: Reference
    requested_by: User
    verification: Reference
    certification: Reference
    decided_on: Day
    party: PartyCode
    activity: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,24}$")]
    vintage_from: Vintage
    vintage_to: Vintage
    quantity: Annotated[int, Field(ge=1, le=SERIAL_MAX)]
    buffer_permille: Annotated[int, Field(ge=0, le=1000)] = 0
    participants: Annotated[tuple[User, ...], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.vintage_from > self.vintage_to:
            raise ValueError("the last vintage comes before the first")
        if list(self.participants) != sorted(set(self.participants)):
            raise ValueError("participants: each once, and in order")
        return self


class Instruction(Frozen):
    """A participant of an activity says what becomes of its units (3/CMA.3 annex paras 60 and 61):
    who, and in which document. The approval under which they were issued names the participants.
    """

    approval: Reference
    participant: User
    reference: Reference
