# SPDX-License-Identifier: Apache-2.0
"""Approvals: that there is one for what is issued, and how much of it is left.

In the mechanism registry an approval is an entry of the log of its own, with the request and its
references, before anything is issued under it (3/CMA.3 annex paras 52 and 53). A Party registry's
issuances name what they rest on as text. Either way all that one actor issues under one approval is
summed, by the effects of entries.

Elsewhere: the levies of an issuance and what else is asked of it (`action_checks`).
"""

from collections.abc import Iterator, MutableMapping

from ledger.asking import Approval, Ask, Found
from schemas.approvals import ApprovalRecord
from schemas.effects import ApprovalEffect, ApprovalRecordEffect
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor
from schemas.messages import Proposal

__all__ = ["approval_covers", "approval_is_new", "approvals_of_proposal", "count_approval"]


def count_approval(
    approvals: MutableMapping[tuple[Actor, str], Approval],
    effect: ApprovalEffect | ApprovalRecordEffect,
) -> tuple[Actor, str]:
    """Take an effect into account; gives the actor and reference of the approval that changed."""
    if isinstance(effect, ApprovalRecordEffect):
        name = (effect.actor, effect.record.id)
        known = approvals.setdefault(name, Approval(effect.record.quantity))
        known.record = effect.record
    else:
        name = (effect.actor, effect.approval)
        known = approvals.setdefault(name, Approval(effect.approved_quantity))
        known.issued += effect.quantity
    return name


def approvals_of_proposal(proposal: Proposal) -> Iterator[str]:
    """The references of the approvals that a proposal records, rests on or names."""
    if proposal.approval is not None:
        yield proposal.approval.id
    if proposal.references is not None:
        yield proposal.references.approval
    if proposal.instruction is not None:
        yield proposal.instruction.approval


def approval_is_new(ask: Ask) -> Found:
    """An approval is recorded once, and says what was taken of it before, if anything was."""
    record = ask.proposal.approval
    known = record and ask.facts.approvals.get((ask.author, record.id))
    if not record or not known:
        return
    where = "body/approval/id"
    if known.record is not None:
        yield finding(Reason.APPROVAL_EXISTS, f"{record.id:.200} is recorded", field=where)
    elif known.approved_quantity != record.quantity:
        yield _differs(
            record.id, known.approved_quantity, record.quantity, "body/approval/quantity"
        )


def approval_covers(ask: Ask) -> Found:
    """What an issuance rests on allows it, and leaves so many units."""
    references = ask.proposal.references
    if references is None:
        return
    name, approved = references.approval, references.approved_quantity
    known = ask.facts.approvals.get((ask.author, name)) or Approval(approved)
    total = ask.proposal.quantity
    if known.issued + total > approved:
        detail = f"{known.issued} of {approved} issued under {name:.200}, {total} asked for"
        yield finding(Reason.APPROVAL_EXCEEDED, detail, field="body/quantity")
    if known.approved_quantity != approved:
        where = "body/references/approved_quantity"
        yield _differs(name, known.approved_quantity, approved, where)
    if ask.author.participant == ask.facts.policy.mechanism:
        yield from _record_covers(ask, name, known.record)


def _record_covers(ask: Ask, name: str, record: ApprovalRecord | None) -> Found:
    references = ask.proposal.references
    assert references is not None
    if record is None:
        where = "body/references/approval"
        yield finding(Reason.APPROVAL_MISSING, f"{name:.200} is not recorded", field=where)
        return
    if references.request != record.request:
        detail = f"{name:.200} is about the request {record.request:.200}"
        yield finding(Reason.APPROVAL_DIFFERS, detail, field="body/references/request")
    for i, line in enumerate(ask.proposal.lines):
        key = line.key
        vintages = f"{record.vintage_from}-{record.vintage_to}"
        if (key.party, key.activity) != (record.party, record.activity) or not (
            record.vintage_from <= key.vintage <= record.vintage_to
        ):
            detail = f"{name:.200} is for {record.party}, {record.activity}, {vintages}"
            yield finding(Reason.APPROVAL_DIFFERS, detail, field=f"body/lines/{i}/key")


def _differs(name: str, before: int, now: int, where: str) -> Finding:
    detail = f"{name:.200} was for {before} units before, here it is {now}"
    return finding(Reason.APPROVAL_DIFFERS, detail, field=where)
