# SPDX-License-Identifier: Apache-2.0
"""The checks on what is particular to the mechanism registry: designations, instructions, and what
may be forwarded.

* Each A6.4ER is issued as authorized, with letters, or as a mitigation contribution (3/CMA.3 annex
  para 55). A contribution may be authorized later, until its first transfer or its end.
* What leaves the pending account does so on the instruction of a participant of the activity
  (paras 60 and 61), whom the approval names under which the units were issued.
* What goes to another Party as authorized is first-transferred, not forwarded (para 60).

Elsewhere: approvals (`approvals`), levies (`action_checks`), what authorizations say
(`authorization_checks`).
"""

from ledger.asking import Ask, Found
from ledger.blocks import Block
from ledger.first_transfer import is_international
from schemas.approvals import Instruction
from schemas.findings import Reason, finding
from schemas.units import KIND_CODES, Kind

__all__ = ["designation_fits", "forwarding_is_no_first_transfer", "instruction_stands"]

CONTRIBUTION = "MCU"


# --- designation --------------------------------------------------------------------------------


def designation_fits(ask: Ask) -> Found:
    """What is issued is designated; what is designated later was a contribution until then."""
    if ask.author.participant != ask.facts.policy.mechanism:
        return
    if ask.proposal.action == "issuance":
        yield from _all_are_designated(ask)
    if ask.proposal.action == "designation":
        yield from _letters_are_authorized(ask)
        for i, line in enumerate(ask.proposal.lines):
            for row in ask.facts.holdings.find(line.key.series, line.first, line.last):
                yield from _may_be_designated(row, f"body/lines/{i}")


def _all_are_designated(ask: Ask) -> Found:
    for i, line in enumerate(ask.proposal.lines):
        assert line.attributes is not None
        if line.attributes.designation is None:
            detail = "A6.4ERs are issued with the letters of an authorization, or as MCU"
            where = f"body/lines/{i}/attributes/designation"
            yield finding(Reason.DESIGNATION_WRONG, detail, field=where)


def _letters_are_authorized(ask: Ask) -> Found:
    ref, letters = ask.proposal.authorization, ask.proposal.designation
    assert ref is not None
    assert letters is not None
    for party in sorted({line.key.party for line in ask.proposal.lines}):
        known = ask.facts.authorizations.get((party, ref.id))
        if known is None or ref.version not in known.versions:
            continue
        purposes = known.current.purposes
        if not set(letters) <= {purpose.value[0] for purpose in purposes}:
            detail = f"{letters}; {ref.id} is for {', '.join(purposes)}"
            yield finding(Reason.DESIGNATION_WRONG, detail, field="body/designation")


def _may_be_designated(row: Block, where: str) -> Found:
    units = (row.key, row.first, row.last)
    if row.attributes.first_transferred:
        yield finding(Reason.ALREADY_FIRST_TRANSFERRED, field=where, units=units)
    if row.attributes.designation != CONTRIBUTION:
        detail = f"these are {row.attributes.designation or 'designated for nothing'}, and no MCU"
        yield finding(Reason.DESIGNATION_WRONG, detail, field=where, units=units)


# --- leaving the pending account ----------------------------------------------------------------


def instruction_stands(ask: Ask) -> Found:
    """A participant of the activity has said what becomes of pending units, and nobody need say
    what becomes of others.
    """
    if ask.proposal.action in {"designation", "administrative-cancellation"}:
        return
    given = ask.proposal.instruction
    pending = any(
        line.source is not None and KIND_CODES.get(line.source.kind_code) is Kind.PENDING
        for line in ask.proposal.lines
    )
    if pending and given is None:
        detail = "what leaves the pending account does so on a participant's instruction"
        yield finding(Reason.MEMBER_MISSING, detail, field="body/instruction")
    if given is not None and not pending:
        detail = "these units do not leave a pending account"
        yield finding(Reason.MEMBER_SUPERFLUOUS, detail, field="body/instruction")
    elif given is not None:
        yield from _participant_says_so(ask, given)


def _participant_says_so(ask: Ask, given: Instruction) -> Found:
    known = ask.facts.approvals.get((ask.author, given.approval))
    if known is None or known.record is None:
        detail = f"{given.approval:.200} is not recorded"
        yield finding(Reason.APPROVAL_MISSING, detail, field="body/instruction/approval")
        return
    record = known.record
    if given.participant not in record.participants:
        detail = f"{given.participant} is no participant of {record.activity}: "
        detail += f"{', '.join(record.participants):.200}"
        yield finding(Reason.INSTRUCTION_WRONG, detail, field="body/instruction/participant")
    for i, line in enumerate(ask.proposal.lines):
        if (line.key.party, line.key.activity) != (record.party, record.activity):
            detail = f"{given.approval:.200} is for {record.party}, {record.activity}"
            yield finding(Reason.INSTRUCTION_WRONG, detail, field=f"body/lines/{i}/key")


def forwarding_is_no_first_transfer(ask: Ask) -> Found:
    """Authorized units that go to another Party are first-transferred: forwarding is what stays
    with the host, and contributions.
    """
    if ask.proposal.action != "forwarding":
        return
    for i, line in enumerate(ask.proposal.lines):
        if not is_international(line.key.party, ask.proposal.acquirer):
            continue
        for row in ask.facts.holdings.find(line.key.series, line.first, line.last):
            if row.attributes.designation != CONTRIBUTION:
                detail = f"authorized units of {line.key.party} go to another Party; propose that"
                units = (row.key, row.first, row.last)
                where = f"body/lines/{i}"
                yield finding(Reason.FIRST_TRANSFER_WRONG, detail, field=where, units=units)
