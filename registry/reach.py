# SPDX-License-Identifier: Apache-2.0
"""What a batch can reach: the units, accounts, approvals and authorizations that entries,
enclosures and commands touch.

Everything that an item may look at is loaded before the first one is carried out, so this must
never name too little. What cannot be read names nothing: whoever carries it out says what is wrong.

Elsewhere: the authorizations that the checks look at (`ledger.asking`).
"""

import json
from collections.abc import Container, Iterable
from contextlib import suppress

from ledger.approvals import approvals_of_proposal
from runtime.program import Order
from schemas.effects import ApprovalEffect, ApprovalRecordEffect, Move, Restate
from schemas.envelope import digest
from schemas.identifiers import AccountNumber, Actor, Digest
from schemas.messages import Enclosure, Entry, Malformed, Proposal, parse_message

__all__ = [
    "accounts_of",
    "approvals_of",
    "authorizations_given",
    "enclosed_proposals",
    "proposals_of",
    "spans_of_proposals",
]

Span = tuple[str, int, int]


def spans_of_proposals(proposals: Iterable[Proposal | None]) -> set[Span]:
    """The ranges that proposals name."""
    return {
        (line.key.series, line.first, line.last)
        for proposal in proposals
        if proposal is not None
        for line in proposal.lines
    }


def proposals_of(orders: Iterable[Order]) -> list[Proposal]:
    """What commands would propose."""
    found = []
    own = {"actor", "lifetime_seconds", "instructed_by"}
    whatever = {"quantity": 0, "expires_at": "2026-01-01T00:00:00.000000Z"}
    for order in orders:
        if order.command == "propose":
            arguments = {k: v for k, v in order.arguments.items() if k not in own} | whatever
            with suppress(ValueError):
                found.append(Proposal.model_validate_json(json.dumps(arguments)))
    return found


def enclosed_proposals(bodies: Iterable[object], mine: Container[Actor]) -> dict[Digest, Proposal]:
    """The proposals to our actors that enclosures hold, by the digests of their lines."""
    found = {}
    for body in bodies:
        if isinstance(body, Enclosure):
            line = body.line.encode()
            with suppress(Malformed):
                proposal = parse_message(line).body
                if isinstance(proposal, Proposal) and proposal.acquirer in mine:
                    found[digest(line)] = proposal
    return found


def accounts_of(proposals: Iterable[Proposal | None], mine: Container[Actor]) -> set[AccountNumber]:
    """The accounts of our actors that proposals name."""
    return {
        number
        for proposal in proposals
        if proposal is not None
        for line in proposal.lines
        for number in (line.source, line.target)
        if number is not None and number.actor in mine
    }


def approvals_of(entries: Iterable[Entry], proposals: Iterable[Proposal]) -> set[str]:
    """The approvals that entries record or count against, and that commands to propose name."""
    named = {one for proposal in proposals for one in approvals_of_proposal(proposal)}
    for entry in entries:
        for effect in entry.effects:
            if isinstance(effect, ApprovalEffect):
                named.add(effect.approval)
            elif isinstance(effect, ApprovalRecordEffect):
                named.add(effect.record.id)
    return named


def authorizations_given(entries: Iterable[Entry]) -> set[tuple[str, str]]:
    """Party and id of the authorizations that units get by the effects of entries."""
    effects = [e for entry in entries for e in entry.effects if isinstance(e, Move | Restate)]
    given = ((e.key, e.attributes if isinstance(e, Move) else e.after) for e in effects)
    return {(key.party, a.authorization.id) for key, a in given if a.authorization is not None}
