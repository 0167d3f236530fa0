# SPDX-License-Identifier: Apache-2.0
"""What a batch can reach: the ranges of units, the cases and the approvals that its items touch.

Everything that a rule may look at is loaded before the first one is asked, so this must never name
too little. Too much costs a query some rows.

Elsewhere: the authorizations that are looked at (`ledger.asking`).
"""

from collections.abc import Iterable, Sequence

from ledger.approvals import approvals_of_proposal
from ledger.blocks import Block
from runtime.program import Heard
from schemas.effects import ApprovalEffect, ApprovalRecordEffect
from schemas.evidence import EvidenceRequest
from schemas.identifiers import Actor, CaseId, Participant, TransactionId
from schemas.limits import EVIDENCE_REQUESTS_MAX
from schemas.messages import CaseNotice, Entry, Proposal
from schemas.units import Layer

__all__ = [
    "approvals_counted",
    "approvals_named",
    "cases_named",
    "evidence_named",
    "spans_named",
    "spans_represented",
]

Span = tuple[str, int, int]


def spans_named(proposals: Iterable[Proposal], bodies: Iterable[object]) -> set[Span]:
    """The ranges that proposals and cases name, and the serials of ITMOs that would come to be."""
    spans: set[Span] = set()
    for proposal in proposals:
        for line in proposal.lines:
            spans.add((line.key.series, line.first, line.last))
            if line.itmo_first is not None:
                last = line.itmo_first + line.last - line.first
                spans.add((line.key.on(Layer.ITMO).series, line.itmo_first, last))
    for body in bodies:
        if isinstance(body, CaseNotice):
            spans.add((body.key.series, body.first, body.last))
    return spans


def spans_represented(blocks: Iterable[Block], proposals: Sequence[Proposal]) -> set[Span]:
    """The ranges of the units that ITMOs represent, where something becomes of them, too."""
    if not any(p.action in {"use", "cancellation", "counter-entry"} for p in proposals):
        return set()
    return {
        (
            block.key.on(Layer.UNDERLYING).series,
            block.first + block.attributes.underlying_offset,
            block.last + block.attributes.underlying_offset,
        )
        for block in blocks
        if block.key.layer is Layer.ITMO and block.attributes.underlying_offset is not None
    }


def approvals_counted(entries: Iterable[Entry]) -> set[tuple[str, str]]:
    """Actor and reference of every approval that the effects of entries record or count against."""
    effects = [effect for entry in entries for effect in entry.effects]
    return {(str(e.actor), e.approval) for e in effects if isinstance(e, ApprovalEffect)} | {
        (str(e.actor), e.record.id) for e in effects if isinstance(e, ApprovalRecordEffect)
    }


def cases_named(bodies: Iterable[object]) -> set[CaseId]:
    """The cases that notices open or close."""
    return {body.case for body in bodies if isinstance(body, CaseNotice)}


def approvals_named(proposals: Iterable[tuple[Actor, Proposal]]) -> set[tuple[str, str]]:
    """Author and reference of every approval that proposals record or rest on."""
    return {
        (str(author), reference)
        for author, proposal in proposals
        for reference in approvals_of_proposal(proposal)
    }


def evidence_named(heard: Iterable[Heard]) -> set[TransactionId]:
    """The transactions whose evidence is asked for; of each participant no more than may wait, and
    what is asked beyond that is refused without a look.
    """
    named: dict[Participant, set[TransactionId]] = {}
    for one in heard:
        if isinstance(one.message.body, EvidenceRequest):
            asked = named.setdefault(one.author.participant, set())
            if len(asked) < EVIDENCE_REQUESTS_MAX:
                asked.add(one.message.body.transaction)
    return {transaction for asked in named.values() for transaction in asked}
