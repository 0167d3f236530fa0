# SPDX-License-Identifier: Apache-2.0
"""The checks on the buffer against reversals, and on what an administrator cancels.

An activity with a risk of reversal deposits a share of each issuance in the buffer; its approval
says how much. A reversal is made good by cancelling units of the buffer, and the buffer is
replenished by the participants where they could have avoided it. Both name the reversal. What an
administrator cancels counts for nobody: it is marked as another cancellation, without a purpose.

Elsewhere: which accounts units leave and enter (`moves`), instructions (`mechanism_checks`).
"""

from ledger.asking import Ask, Found, levy
from schemas.findings import Reason, finding
from schemas.identifiers import ADMINISTRATOR
from schemas.units import KIND_CODES, Cancellation, Kind

__all__ = ["administrative_fits", "buffer_is_filled", "replenishment_fits"]


def buffer_is_filled(ask: Ask) -> Found:
    """An issuance deposits in the buffer what its approval says, rounded up to whole units."""
    references = ask.proposal.references
    if references is None or ask.author.participant != ask.facts.policy.mechanism:
        return
    known = ask.facts.approvals.get((ask.author, references.approval))
    if known is None or known.record is None:
        return
    due = levy(ask.proposal.quantity, known.record.buffer_permille)
    deposited = sum(
        line.last - line.first + 1
        for line in ask.proposal.lines
        if line.target is not None and KIND_CODES[line.target.kind_code] is Kind.BUFFER
    )
    if deposited != due:
        detail = f"{deposited} units; {due} of {ask.proposal.quantity} are due"
        yield finding(Reason.BUFFER_WRONG, detail, field="body/lines")


def replenishment_fits(ask: Ask) -> Found:
    """What replenishes the buffer goes to the administrator's, and was not first-transferred."""
    if ask.proposal.action != "replenishment":
        return
    owner = ask.proposal.acquirer or ask.author
    if (owner.participant, owner.section) != (ask.facts.policy.mechanism, ADMINISTRATOR):
        detail = f"the buffer is {ask.facts.policy.mechanism}/ADM's"
        yield finding(Reason.ACQUIRER_WRONG, detail, field="body/acquirer")
    for i, line in enumerate(ask.proposal.lines):
        for row in ask.facts.holdings.find(line.key.series, line.first, line.last):
            if row.attributes.first_transferred:
                units = (row.key, row.first, row.last)
                where = f"body/lines/{i}"
                yield finding(Reason.ALREADY_FIRST_TRANSFERRED, field=where, units=units)


def administrative_fits(ask: Ask) -> Found:
    """Units of the buffer end for a reversal, others for another cause; none for a purpose."""
    if ask.proposal.action != "administrative-cancellation":
        return
    use = ask.proposal.use
    if use is not None and use.cancellation is not Cancellation.OTHER:
        detail = "what an administrator cancels is another cancellation, without a purpose"
        yield finding(Reason.AUTHORIZATION_PURPOSE, detail, field="body/use/cancellation")
    elif use is not None and use.purpose is not None:
        detail = "what an administrator cancels is for no purpose"
        yield finding(Reason.AUTHORIZATION_PURPOSE, detail, field="body/use/purpose")
    buffered = any(
        line.source is not None and KIND_CODES[line.source.kind_code] is Kind.BUFFER
        for line in ask.proposal.lines
    )
    if buffered and ask.proposal.reversal is None:
        detail = "units of the buffer are cancelled for a reversal"
        yield finding(Reason.MEMBER_MISSING, detail, field="body/reversal")
