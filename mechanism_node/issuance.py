# SPDX-License-Identifier: Apache-2.0
"""Issuance in the mechanism registry: from an approved quantity to the lines of one proposal.

The administrator issues into the pending account; five per cent go to the share-of-proceeds account
and at least two per cent are cancelled for overall mitigation, in the same entry (3/CMA.3 annex
paras 54, 58, 59). Both are rounded up to whole units (`ledger.checks.Policy`). The levies are taken
from the end of the range, so what remains starts at its first serial; of that, `authorized` units
come first and carry the authorization's designation, the rest are mitigation contributions.
What the approval has deposited against reversals, `buffer`, is asked for and comes last.

Serials are allocated across activities, so that identifiers of one vintage never collide.
"""

from typing import Annotated, Any

from pydantic import Field

from ledger.asking import MECHANISM_APPROACH, Policy, levies
from schemas.identifiers import Actor, PartyCode, RegistryId, account_number
from schemas.messages import IssuanceReferences
from schemas.units import Attributes, AuthorizationRef, Frozen, Key, Layer, Serial, Vintage

__all__ = ["Issuance", "issuance_proposal"]


class Issuance(Frozen):
    """What the administrator is asked to issue."""

    party: PartyCode
    activity: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,24}$")]
    vintage: Vintage
    quantity: Annotated[int, Field(ge=1, le=10**12)]
    first: Serial
    authorized: Annotated[int, Field(ge=0, le=10**12)] = 0
    buffer: Annotated[int, Field(ge=0, le=10**12)] = 0
    designation: Annotated[str, Field(pattern=r"^N?I?O?$", min_length=1)] | None = None
    authorization: AuthorizationRef | None = None
    references: IssuanceReferences


def issuance_proposal(issuance: Issuance, administrator: Actor, policy: Policy) -> dict[str, Any]:
    """The arguments of the command `propose`; `ValueError` when the numbers do not fit together."""
    share, omge = levies(issuance.quantity, policy)
    rest = issuance.quantity - share - omge - issuance.buffer
    if rest < 0:
        raise ValueError(
            f"of {issuance.quantity} units {share} are share of proceeds and {omge} deliver "
            f"overall mitigation, and {issuance.buffer} go to the buffer; issue more at once"
        )
    if rest < issuance.authorized:
        raise ValueError(
            f"of {issuance.quantity} units {rest} remain after the levies; "
            f"{issuance.authorized} cannot be authorized"
        )
    if (issuance.authorized > 0) != (issuance.designation is not None):
        raise ValueError("authorized units have a designation, and only they")
    key = Key(
        layer=Layer.ITMO,
        approach=MECHANISM_APPROACH,
        registry=RegistryId(policy.mechanism),
        party=issuance.party,
        vintage=issuance.vintage,
        activity=issuance.activity,
    )
    contribution = Attributes(designation="MCU")
    levied = contribution.but(first_transferred=True)
    authorized = Attributes(designation=issuance.designation, authorization=issuance.authorization)
    lines, first = [], issuance.first
    for code, quantity, attributes in (
        ("PEN", issuance.authorized, authorized),
        ("PEN", rest - issuance.authorized, contribution),
        ("SOP", share, levied),
        ("OMG", omge, levied),
        ("BUF", issuance.buffer, contribution),
    ):
        if quantity:
            lines.append(
                {
                    "key": key.model_dump(mode="json"),
                    "first": first,
                    "last": first + quantity - 1,
                    "target": account_number(administrator, code, 1),
                    "attributes": attributes.model_dump(mode="json"),
                }
            )
            first += quantity
    return {
        "actor": administrator,
        "action": "issuance",
        "lines": lines,
        "references": issuance.references.model_dump(mode="json"),
    }
