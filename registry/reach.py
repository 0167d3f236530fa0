# SPDX-License-Identifier: Apache-2.0
"""What a batch can reach: the ranges of units that entries, transactions and commands touch.

Everything that an item may look at is loaded before the first one is carried out, so this must
never name too little.
"""

import json
from collections.abc import Iterable

from runtime.program import Order
from schemas.effects import ApprovalEffect, Units
from schemas.messages import Entry, Proposal

__all__ = ["approvals_of", "spans_of_effects", "spans_of_order", "spans_of_proposals"]

Span = tuple[str, int, int]


def spans_of_effects(entries: Iterable[Entry]) -> set[Span]:
    """The ranges that the effects of entries name."""
    return {
        (effect.key.series, effect.first, effect.last)
        for entry in entries
        for effect in entry.effects
        if isinstance(effect, Units)
    }


def spans_of_proposals(proposals: Iterable[Proposal | None]) -> set[Span]:
    """The ranges that proposals name."""
    return {
        (line.key.series, line.first, line.last)
        for proposal in proposals
        if proposal is not None
        for line in proposal.lines
    }


def approvals_of(entries: Iterable[Entry], orders: Iterable[Order]) -> set[str]:
    """The approvals that entries count against and that commands to propose name."""
    names = {
        effect.approval
        for entry in entries
        for effect in entry.effects
        if isinstance(effect, ApprovalEffect)
    }
    for order in orders:
        references = order.arguments.get("references")
        if isinstance(references, dict) and isinstance(references.get("approval"), str):
            names.add(references["approval"])
    return names


def spans_of_order(order: Order) -> set[Span]:
    """The ranges that a proposal's arguments name, as far as they make sense."""
    if order.command != "propose":
        return set()
    own = {"actor", "lifetime_seconds", "quantity", "expires_at"}
    arguments = {k: v for k, v in order.arguments.items() if k not in own}
    arguments |= {"quantity": 0, "expires_at": "2026-01-01T00:00:00.000000Z"}
    try:
        return spans_of_proposals([Proposal.model_validate_json(json.dumps(arguments))])
    except ValueError:  # the desk will say what is wrong
        return set()
