# SPDX-License-Identifier: Apache-2.0
"""What is asked when a proposal is checked: the proposal, the facts and the settings to judge by.

Elsewhere: the checks (`checks`, `action_checks`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ledger.blocks import Block
from ledger.directory import Directory
from ledger.holdings import Holdings
from schemas.approvals import ApprovalRecord
from schemas.effects import AuthorizationTerms
from schemas.findings import Finding
from schemas.identifiers import (
    MECHANISM,
    Actor,
    ApproachId,
    AuthorizationId,
    CaseId,
    Instant,
    PartyCode,
    TransactionId,
)
from schemas.messages import Proposal

__all__ = [
    "MECHANISM_APPROACH",
    "Approval",
    "Ask",
    "Authorization",
    "Check",
    "Facts",
    "Found",
    "Policy",
    "Rounding",
    "authorizations_named",
    "levies",
    "levy",
]

MECHANISM_APPROACH = ApproachId("CA0001")


Rounding = Literal["up", "down", "nearest"]
"""How a share becomes whole units; `nearest` gives half a unit to the levy. The decisions do not
say."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings of the rules; shares are in permille."""

    mechanism: str = MECHANISM
    international: frozenset[str] = frozenset({"UN02"})
    share_of_proceeds_permille: int = 50
    share_of_proceeds_rounding: Rounding = "up"
    omge_permille: int = 20
    omge_rounding: Rounding = "up"
    """The share is a minimum, which nothing but `up` keeps to with every quantity."""
    vintage_from: int = 2021
    mechanism_passes_all: bool = False
    """Whether ITMOs that are no A6.4ERs may pass between the mechanism registry and others."""
    mechanism_to_parties: bool = False
    """Whether A6.4ERs may go from the mechanism registry straight to a Party's own registry."""
    first_ndc_last_year: int = 2030
    """The last calendar year towards which CERs are used: when first NDCs end."""
    transfer_data: bool = False
    """Whether what goes to another Party must name its entity and the method of adjustment."""
    suspend_overdue: bool = True
    """Whether units leave no account of an actor that differs and has not answered in time."""


@dataclass(slots=True)
class Authorization:
    """All versions of one authorization, and the units first-transferred under it so far."""

    versions: dict[int, AuthorizationTerms] = field(default_factory=dict)
    used: int = 0

    @property
    def current(self) -> AuthorizationTerms:
        """The newest version."""
        return self.versions[max(self.versions)]


@dataclass(slots=True)
class Approval:
    """What was approved under one reference, and the units issued under it so far; with the record,
    where there is one.
    """

    approved_quantity: int
    issued: int = 0
    record: ApprovalRecord | None = None


@dataclass(slots=True)
class Facts:
    """What the checks look at. `whole` is true at the hub, whose facts are everybody's."""

    directory: Directory
    holdings: Holdings
    authorizations: Mapping[tuple[PartyCode, AuthorizationId], Authorization]
    now: Instant
    policy: Policy
    whole: bool = True
    approvals: Mapping[tuple[Actor, str], Approval] = field(default_factory=dict)
    """By the actor that issues and the reference of the approval."""
    overdue: Mapping[Actor, tuple[CaseId, ...]] = field(default_factory=dict)
    """Open cases by actors that owe an answer or a statement, oldest first."""


class Ask(NamedTuple):
    """A proposal to be checked. `first` is false when it is checked again before completion."""

    transaction: TransactionId
    author: Actor
    proposal: Proposal
    facts: Facts
    known: bool = False
    first: bool = True


Found = Iterator[Finding]
Check = Callable[[Ask], Found]


def levy(quantity: int, permille: int, rounding: Rounding = "up") -> int:
    """A share of a quantity, in whole units."""
    return (quantity * permille + _CARRY[rounding]) // 1000


def levies(quantity: int, policy: Policy) -> tuple[int, int]:
    """Of an issued quantity: the share of proceeds (3/CMA.3 annex para 58), and the least that
    delivers overall mitigation in global emissions (para 59).
    """
    share = levy(quantity, policy.share_of_proceeds_permille, policy.share_of_proceeds_rounding)
    return share, levy(quantity, policy.omge_permille, policy.omge_rounding)


_CARRY: Mapping[Rounding, int] = {"up": 999, "nearest": 500, "down": 0}
"""Permille that are added before what is no whole unit is cut off."""


def authorizations_named(
    proposals: Iterable[Proposal], blocks: Iterable[Block]
) -> set[tuple[str, str]]:
    """Party and id of every authorization that is recorded, relied on, or stands on units."""
    names: set[tuple[str, str]] = set()
    for proposal in proposals:
        if proposal.terms is not None:
            names.add((str(proposal.terms.party), str(proposal.terms.id)))
        for line in proposal.lines:
            attributes = line.attributes.authorization if line.attributes else None
            for ref in (proposal.authorization, attributes):
                if ref is not None:
                    names.add((str(line.key.party), str(ref.id)))
    for block in blocks:
        if block.attributes.authorization is not None:
            names.add((str(block.key.party), str(block.attributes.authorization.id)))
    return names
