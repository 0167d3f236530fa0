# SPDX-License-Identifier: Apache-2.0
"""Findings: why something was refused, in a form that programs and people both can act on.

`Reason` is wire-stable and stands in order of precedence: the classes in the order in which they
are checked, the reasons of a class as a reader would ask them. `RULES` says of each reason its
code, whether it is technical or policy, the decision paragraph it enforces, and whether the same
message may pass later (`transient`). The catalogue in the docs is generated from this table.

Elsewhere: the checks that find (`ledger.checks`), and what is done about a finding.
"""

from enum import StrEnum
from typing import Annotated, NamedTuple, Self

from pydantic import Field, model_validator

from schemas.identifiers import CaseId
from schemas.limits import SERIAL_MAX
from schemas.plain import printable
from schemas.units import Frozen, Key

__all__ = ["RULES", "CheckClass", "Finding", "Reason", "Rule", "finding"]


class CheckClass(StrEnum):
    """The classes of checks; the first class that fails stops, within it all findings return."""

    AUTHENTICITY = "version and authenticity"
    VIABILITY = "viability"
    PARTICIPANT = "participant"
    INTEGRITY = "data integrity"
    SEQUENCE = "sequence"
    GENERAL = "general"
    SPECIFIC = "type-specific"
    INTERNAL = "internal"


class Reason(StrEnum):
    """Every reason for refusing, in order of precedence."""

    ENVELOPE_TOO_LARGE = "envelope-too-large"
    ENVELOPE_MALFORMED = "envelope-malformed"
    VERSION_UNSUPPORTED = "version-unsupported"
    RECIPIENT_WRONG = "recipient-wrong"
    SENDER_UNKNOWN = "sender-unknown"
    SENDER_NOT_AT_LINK = "sender-not-at-link"
    KEY_UNKNOWN = "key-unknown"
    SIGNATURE_INVALID = "signature-invalid"
    MANIFEST_MISMATCH = "manifest-mismatch"
    CLOCK_AHEAD = "clock-ahead"
    SEQUENCE_EQUIVOCATION = "sequence-equivocation"
    TOO_MANY_EARLY = "too-many-early"
    SEEN_AHEAD = "seen-ahead"

    MESSAGE_TOO_LARGE = "message-too-large"
    MESSAGE_MALFORMED = "message-malformed"
    TYPE_UNKNOWN = "type-unknown"
    TYPE_NOT_ALLOWED = "type-not-allowed"
    MESSAGE_EQUIVOCATION = "message-equivocation"
    COMMAND_NOT_ALLOWED = "command-not-allowed"
    COMMAND_INVALID = "command-invalid"
    SECOND_PERSON_WRONG = "second-person-wrong"
    COMMAND_NOT_AWAITED = "command-not-awaited"
    COMMAND_DIFFERS = "command-differs"
    COMMAND_DECLINED = "command-declined"
    COMMAND_LAPSED = "command-lapsed"

    AUTHOR_NOT_ACTING = "author-not-acting"
    PARTICIPANT_UNKNOWN = "participant-unknown"
    PARTICIPANT_TESTING = "participant-testing"
    PARTICIPANT_SUSPENDED = "participant-suspended"
    PROFILE_FORBIDS = "profile-forbids"
    ACTOR_SUSPENDED = "actor-suspended"
    NOT_BOUND = "not-bound"

    RANGE_REVERSED = "range-reversed"
    RANGES_OVERLAP = "ranges-overlap"
    QUANTITY_DIFFERS = "quantity-differs"
    ACCOUNT_WRONG = "account-wrong"
    ACQUIRER_WRONG = "acquirer-wrong"
    MEMBER_MISSING = "member-missing"
    MEMBER_SUPERFLUOUS = "member-superfluous"
    KEY_WRONG = "key-wrong"

    TRANSACTION_EXISTS = "transaction-exists"
    TRANSACTION_UNKNOWN = "transaction-unknown"
    TRANSACTION_STATE = "transaction-state"
    ANSWERS_OTHER_PROPOSAL = "answers-other-proposal"
    NOT_CONCERNED = "not-concerned"
    PROPOSAL_LATE = "proposal-late"
    LIFETIME_TOO_LONG = "lifetime-too-long"
    LOG_DIFFERS = "log-differs"
    CONSENT_MISSING = "consent-missing"
    CASE_DIFFERS = "case-differs"
    TRANSACTION_UNDER_WAY = "transaction-under-way"
    EVIDENCE_BUSY = "evidence-busy"

    SERIALS_TAKEN = "serials-taken"
    UNITS_FINAL = "units-final"
    UNITS_FROZEN = "units-frozen"
    UNITS_RESERVED = "units-reserved"
    UNITS_NOT_HELD = "units-not-held"
    UNITS_DIFFER = "units-differ"

    ISSUANCE_NOT_HERE = "issuance-not-here"
    ADMINISTRATOR_ONLY = "administrator-only"
    VINTAGE_TOO_EARLY = "vintage-too-early"
    SHARE_OF_PROCEEDS_WRONG = "share-of-proceeds-wrong"
    OMGE_TOO_SMALL = "omge-too-small"
    APPROVAL_EXCEEDED = "approval-exceeded"
    AUTHORIZATION_EXISTS = "authorization-exists"
    AUTHORIZATION_MISSING = "authorization-missing"
    AUTHORIZATION_REVOKED = "authorization-revoked"
    AUTHORIZATION_OUT_OF_TIME = "authorization-out-of-time"
    AUTHORIZATION_EXCEEDED = "authorization-exceeded"
    AUTHORIZATION_PURPOSE = "authorization-purpose"
    AUTHORIZATION_PARTY = "authorization-party"
    CONTRIBUTION_STAYS = "contribution-stays"
    NOT_AUTHORIZED_UNITS = "not-authorized-units"
    ALREADY_FIRST_TRANSFERRED = "already-first-transferred"
    NOT_FIRST_TRANSFERRED = "not-first-transferred"
    ACCOUNT_UNKNOWN = "account-unknown"
    DECLINED = "declined"
    APPROVAL_DIFFERS = "approval-differs"
    FIRST_TRANSFER_WRONG = "first-transfer-wrong"
    METRIC_DIFFERS = "metric-differs"
    APPROVAL_MISSING = "approval-missing"
    APPROVAL_EXISTS = "approval-exists"
    DESIGNATION_WRONG = "designation-wrong"
    INSTRUCTION_WRONG = "instruction-wrong"
    BUFFER_WRONG = "buffer-wrong"
    FIRST_NDC_ONLY = "first-ndc-only"
    ENTITY_NOT_IDENTIFIED = "entity-not-identified"
    FIRST_TRANSFER_STANDS = "first-transfer-stands"
    YEAR_CLOSED = "year-closed"

    INTERNAL = "internal"

    @property
    def rule(self) -> "Rule":
        """What the catalogue says of this reason."""
        return RULES[self]


class Rule(NamedTuple):
    """A line of the catalogue: text says what is wrong and what to do."""

    code: int
    check_class: CheckClass
    policy: bool
    transient: bool
    source: str
    text: str


_A, _V, _P = CheckClass.AUTHENTICITY, CheckClass.VIABILITY, CheckClass.PARTICIPANT
_D, _S, _G, _T = CheckClass.INTEGRITY, CheckClass.SEQUENCE, CheckClass.GENERAL, CheckClass.SPECIFIC
_ANNEX = "6/CMA.4 annex I"

_R = Reason
# fmt: off
RULES: dict[Reason, Rule] = {
    _R.ENVELOPE_TOO_LARGE: Rule(1001, _A, False, False, "protocol 2", "The envelope is larger than the limit; send fewer messages in each."),
    _R.ENVELOPE_MALFORMED: Rule(1002, _A, False, False, "protocol 2", "The envelope is not a manifest line followed by its messages; check the encoding."),
    _R.VERSION_UNSUPPORTED: Rule(1003, _A, False, False, "protocol 2", "This version of the protocol is not spoken here; use one that is listed."),
    _R.RECIPIENT_WRONG: Rule(1004, _A, False, False, f"{_ANNEX} para 10", "The manifest names another recipient; send it there."),
    _R.SENDER_UNKNOWN: Rule(1005, _A, False, True, f"{_ANNEX} para 24", "The sending actor is not in the directory; have it admitted first."),
    _R.SENDER_NOT_AT_LINK: Rule(1006, _A, False, False, f"{_ANNEX} para 10", "The broker knows the sender as another participant; send through the actor's own node."),
    _R.KEY_UNKNOWN: Rule(1007, _A, False, True, f"{_ANNEX} para 10", "The key is not valid for this actor and sequence; use the key that the directory lists."),
    _R.SIGNATURE_INVALID: Rule(1008, _A, False, False, f"{_ANNEX} para 10", "The signature does not verify; sign the exact bytes with the listed key and algorithm."),
    _R.MANIFEST_MISMATCH: Rule(1009, _A, False, False, f"{_ANNEX} para 10", "Messages and manifest do not match one to one; send exactly the messages that are named."),
    _R.CLOCK_AHEAD: Rule(1010, _A, False, False, f"{_ANNEX} para 10", "The sending time lies in the future; set the clock."),
    _R.SEQUENCE_EQUIVOCATION: Rule(1011, _A, True, False, f"{_ANNEX} para 10", "Two authentic envelopes carry the same sequence; the second is kept as proof and has no effect."),
    _R.TOO_MANY_EARLY: Rule(1012, _A, False, True, "protocol 3", "Too many envelopes wait for a missing one; send what was asked for again."),
    _R.SEEN_AHEAD: Rule(1013, _A, True, False, f"{_ANNEX} para 10", "The sender says that it knows a larger log than there is; look whether the hub was set back, and which log the sender follows."),
    _R.MESSAGE_TOO_LARGE: Rule(2001, _V, False, False, "protocol 2", "The message is larger than the limit; split the transaction."),
    _R.MESSAGE_MALFORMED: Rule(2002, _V, False, False, f"{_ANNEX} para 9", "The message does not follow its schema; mend the named member."),
    _R.TYPE_UNKNOWN: Rule(2003, _V, False, False, f"{_ANNEX} para 9", "Messages of this type are not known here; use a type of the protocol."),
    _R.TYPE_NOT_ALLOWED: Rule(2004, _V, False, False, f"{_ANNEX} para 9", "This actor may not say this to this recipient."),
    _R.MESSAGE_EQUIVOCATION: Rule(2005, _V, True, False, f"{_ANNEX} para 10", "Another message of this author has the same id; the second is kept as proof and has no effect."),
    _R.COMMAND_NOT_ALLOWED: Rule(2006, _V, True, False, f"{_ANNEX} para 1(d)", "The operator's role does not allow this command; ask somebody whose role does."),
    _R.COMMAND_INVALID: Rule(2007, _V, False, False, f"{_ANNEX} para 2", "The command cannot be carried out as it stands; see the detail."),
    _R.SECOND_PERSON_WRONG: Rule(2008, _V, True, False, "3/CMA.3 annex para 64", "Whoever confirms a command is another person than who gave it, with another key and no lower role; ask somebody who is."),
    _R.COMMAND_NOT_AWAITED: Rule(2009, _V, False, False, "3/CMA.3 annex para 64", "No such command waits for a second person; look at `commands`, and have it given anew if it is still wanted."),
    _R.COMMAND_DIFFERS: Rule(2010, _V, True, False, "3/CMA.3 annex para 64", "The digest is not that of the command; read the command, and confirm what it says."),
    _R.COMMAND_DECLINED: Rule(2011, _V, True, False, "3/CMA.3 annex para 64", "Somebody declined the command before it was carried out; agree, then give it anew."),
    _R.COMMAND_LAPSED: Rule(2012, _V, True, False, "3/CMA.3 annex para 64", "Nobody confirmed the command in time; give it anew."),
    _R.AUTHOR_NOT_ACTING: Rule(3001, _P, True, False, f"{_ANNEX} para 10", "Only the actor whose units or rights are concerned may say this."),
    _R.PARTICIPANT_UNKNOWN: Rule(3002, _P, True, True, f"{_ANNEX} para 24", "The other actor is not admitted; have it admitted first."),
    _R.PARTICIPANT_TESTING: Rule(3003, _P, True, True, f"{_ANNEX} para 24", "A participant in testing cannot move units; finish its admission."),
    _R.PARTICIPANT_SUSPENDED: Rule(3004, _P, True, True, f"{_ANNEX} para 2", "The participant is suspended for outgoing actions; settle the cause first."),
    _R.PROFILE_FORBIDS: Rule(3005, _P, True, True, f"{_ANNEX} paras 23-24", "The connection profile of the two actors does not allow this; both must agree on another."),
    _R.ACTOR_SUSPENDED: Rule(3006, _P, True, True, f"{_ANNEX} para 9", "The actor differs from the log and has not answered; no units leave its accounts until it does and the case is closed."),
    _R.NOT_BOUND: Rule(3007, _P, True, True, "2/CMA.3 annex para 29", "The Party's ITMOs are tracked in another section, or in none; act from the section that it is bound to and name that one, or have the administrators record the change."),
    _R.RANGE_REVERSED: Rule(4001, _D, False, False, f"{_ANNEX} para 6", "The first serial comes after the last; give the range in order."),
    _R.RANGES_OVERLAP: Rule(4002, _D, False, False, f"{_ANNEX} para 6", "Two lines name the same units; name each once."),
    _R.QUANTITY_DIFFERS: Rule(4003, _D, False, False, f"{_ANNEX} para 8", "The stated quantity is not the sum of the lines."),
    _R.ACCOUNT_WRONG: Rule(4004, _D, True, False, "3/CMA.3 annex para 63", "The account is of the wrong owner or kind for this action."),
    _R.ACQUIRER_WRONG: Rule(4005, _D, False, False, "2/CMA.3 annex para 29", "This action needs another actor as acquirer, or none."),
    _R.MEMBER_MISSING: Rule(4006, _D, False, False, f"{_ANNEX} para 7", "A member that this action needs is absent."),
    _R.MEMBER_SUPERFLUOUS: Rule(4007, _D, False, False, f"{_ANNEX} para 7", "A member is present that this action does not have."),
    _R.KEY_WRONG: Rule(4008, _D, False, False, f"{_ANNEX} para 5", "The units' key does not fit the action, layer or registry."),
    _R.TRANSACTION_EXISTS: Rule(5001, _S, False, False, f"{_ANNEX} para 10", "The transaction id is already used; take a new one."),
    _R.TRANSACTION_UNKNOWN: Rule(5002, _S, False, True, f"{_ANNEX} para 10", "No such transaction is known here."),
    _R.TRANSACTION_STATE: Rule(5003, _S, False, False, f"{_ANNEX} para 10", "The transaction's state does not allow this any more."),
    _R.ANSWERS_OTHER_PROPOSAL: Rule(5004, _S, True, False, f"{_ANNEX} para 10", "The answer is bound to another proposal; answer the bytes that were received."),
    _R.NOT_CONCERNED: Rule(5005, _S, True, False, f"{_ANNEX} para 10", "The author has no such part in this transaction."),
    _R.PROPOSAL_LATE: Rule(5006, _S, False, False, f"{_ANNEX} para 10", "The proposal's lifetime is over; propose anew."),
    _R.LIFETIME_TOO_LONG: Rule(5007, _S, False, False, f"{_ANNEX} para 10", "The proposal's lifetime is longer than allowed."),
    _R.LOG_DIFFERS: Rule(5008, _S, True, False, f"{_ANNEX} para 10", "What is said of the log, its checkpoints or deliveries is not what came before; compare both sides' envelopes."),
    _R.CONSENT_MISSING: Rule(5009, _S, True, False, f"{_ANNEX} para 10", "The entry does what the actor concerned has not agreed to; it is kept as proof and not applied."),
    _R.CASE_DIFFERS: Rule(5010, _S, False, False, f"{_ANNEX} para 9", "The notice does not fit the case: an id is opened once, and explained and closed while it is open, about the same units of the same actor, of the same cause, to the same others."),
    _R.TRANSACTION_UNDER_WAY: Rule(5011, _S, False, True, f"{_ANNEX} para 10", "The transaction has not ended; ask for its evidence once it has."),
    _R.EVIDENCE_BUSY: Rule(5012, _S, False, True, f"{_ANNEX} para 10", "As many requests for evidence of this participant wait as may; ask again once some of them are answered."),
    _R.SERIALS_TAKEN: Rule(6001, _G, True, False, f"{_ANNEX} para 5", "Units with these serials exist already; use the next free ones."),
    _R.UNITS_FINAL: Rule(6002, _G, True, False, "2/CMA.3 annex para 29", "The units are already used, cancelled or retired; the use mark is shown."),
    _R.UNITS_FROZEN: Rule(6003, _G, True, True, f"{_ANNEX} para 9", "The units are under an open discrepancy; resolve the case first."),
    _R.UNITS_RESERVED: Rule(6004, _G, True, True, f"{_ANNEX} para 9", "The units are reserved by another transaction; wait for its end."),
    _R.UNITS_NOT_HELD: Rule(6005, _G, True, True, f"{_ANNEX} para 9", "The units are not held in the named account, as the log has it."),
    _R.UNITS_DIFFER: Rule(6006, _G, False, False, f"{_ANNEX} para 8", "The units of one line differ in their attributes; name each kind in a line of its own."),
    _R.ISSUANCE_NOT_HERE: Rule(7001, _T, True, False, "2/CMA.3 annex para 30", "This registry does not issue; issuance belongs to the originating registry."),
    _R.ADMINISTRATOR_ONLY: Rule(7002, _T, True, False, "3/CMA.3 annex para 54", "Only the administrator of the mechanism registry may do this."),
    _R.VINTAGE_TOO_EARLY: Rule(7003, _T, True, False, "2/CMA.3 annex para 1(e)", "Outcomes before 2021 cannot be ITMOs."),
    _R.SHARE_OF_PROCEEDS_WRONG: Rule(7004, _T, True, False, "3/CMA.3 annex para 58", "Five per cent of an issuance go to the Adaptation Fund account, rounded up."),
    _R.OMGE_TOO_SMALL: Rule(7005, _T, True, False, "3/CMA.3 annex para 59", "At least two per cent of an issuance are cancelled for overall mitigation, rounded up."),
    _R.APPROVAL_EXCEEDED: Rule(7006, _T, True, False, "3/CMA.3 annex para 53", "With what was issued under this approval before, the issuance exceeds the approved quantity; issue what is left of it, or rest on another approval."),
    _R.AUTHORIZATION_EXISTS: Rule(7007, _T, True, False, f"{_ANNEX} para 7", "This version of the authorization is recorded already; raise the version by one."),
    _R.AUTHORIZATION_MISSING: Rule(7008, _T, True, False, "2/CMA.3 annex para 29", "No such authorization is recorded; record it first."),
    _R.AUTHORIZATION_REVOKED: Rule(7009, _T, True, False, "4/CMA.6", "The authorization is revoked or superseded; use its current version."),
    _R.AUTHORIZATION_OUT_OF_TIME: Rule(7010, _T, True, False, "4/CMA.6", "The vintage or the use lies outside the authorized timeframe."),
    _R.AUTHORIZATION_EXCEEDED: Rule(7011, _T, True, False, "4/CMA.6", "The authorized quantity would be exceeded."),
    _R.AUTHORIZATION_PURPOSE: Rule(7012, _T, True, False, "2/CMA.3 annex para 1", "The purpose is not authorized or designated; a cancellation is never for an NDC."),
    _R.AUTHORIZATION_PARTY: Rule(7013, _T, True, False, "4/CMA.6", "The Party or entity is not among those authorized."),
    _R.CONTRIBUTION_STAYS: Rule(7014, _T, True, False, "7/CMA.4 annex I para 29(b)", "Mitigation contribution units do not leave the mechanism registry."),
    _R.NOT_AUTHORIZED_UNITS: Rule(7015, _T, True, False, "3/CMA.3 annex para 55", "The units are not authorized for this."),
    _R.ALREADY_FIRST_TRANSFERRED: Rule(7016, _T, True, False, "2/CMA.3 annex para 2", "The units were first-transferred before; a later move is a transfer."),
    _R.NOT_FIRST_TRANSFERRED: Rule(7017, _T, True, False, "2/CMA.3 annex para 2", "The units were not first-transferred yet; they are no ITMOs."),
    _R.ACCOUNT_UNKNOWN: Rule(7018, _T, True, True, "2/CMA.3 annex para 29", "The registry has no such open account."),
    _R.DECLINED: Rule(7019, _T, True, False, f"{_ANNEX} para 10", "An operator of the acquiring actor declined; see the comment."),
    _R.APPROVAL_DIFFERS: Rule(7020, _T, True, False, "3/CMA.3 annex para 53", "The approval says something else of quantity, request, Party, activity or vintage; state what it says, or name the other approval."),
    _R.FIRST_TRANSFER_WRONG: Rule(7021, _T, True, False, "2/CMA.3 annex para 2", "By the definition of the authorization this is not the first transfer of the units, or it is and is not proposed as one; see the detail."),
    _R.METRIC_DIFFERS: Rule(7022, _T, True, False, "2/CMA.3 annex para 1(c)", "The units are of another metric than the proposal, the account or the authorization says; name the unit of the metric, and accounts of that metric."),
    _R.APPROVAL_MISSING: Rule(7023, _T, True, False, "3/CMA.3 annex para 53", "No such approval is recorded; nothing is issued before the administrator has recorded it."),
    _R.APPROVAL_EXISTS: Rule(7024, _T, True, False, "3/CMA.3 annex para 53", "The approval is recorded already; it is recorded once."),
    _R.DESIGNATION_WRONG: Rule(7025, _T, True, False, "3/CMA.3 annex para 55", "A6.4ERs are issued as MCU or with letters, and MCU alone are authorized later, for what the authorization is for; see the detail."),
    _R.INSTRUCTION_WRONG: Rule(7026, _T, True, False, "3/CMA.3 annex para 60", "The instruction is not one of a participant of the activity; name a participant, and the approval that lists it."),
    _R.BUFFER_WRONG: Rule(7027, _T, True, False, "procedure of the Article 6.4 mechanism registry", "The approval says which share of an issuance goes to the buffer against reversals, rounded up; deposit exactly that."),
    _R.FIRST_NDC_ONLY: Rule(7028, _T, True, False, "3/CMA.3 annex para 75", "CERs are used towards the first NDC of the Party that holds them, and for nothing else; name that, and a year of it."),
    _R.ENTITY_NOT_IDENTIFIED: Rule(7029, _T, True, True, "3/CMA.3 annex para 63", "The registry has not identified the entity, or its identification has ended; have it identified first."),
    _R.FIRST_TRANSFER_STANDS: Rule(7030, _T, True, False, "4/CMA.6", "The first transfer is not taken back: no revocation is named that is in force, or by the terms that the units are under it does not bind them; see the detail."),
    _R.YEAR_CLOSED: Rule(7031, _T, True, False, "2/CMA.3 annex para 12", "The first transferring Party has closed the year of the vintage; its figures are final, and so is the first transfer."),
    _R.INTERNAL: Rule(9001, CheckClass.INTERNAL, False, True, "", "A fault in the program that received this; its operators were alarmed and nothing changed."),
}
# fmt: on


class Finding(Frozen):
    """One reason for refusing: what, where in the message, and which units."""

    code: Annotated[int, Field(ge=1000, le=9999)]
    reason: Reason
    field: Annotated[str, Field(max_length=120)] | None = None
    key: Key | None = None
    first: Annotated[int, Field(ge=0, le=SERIAL_MAX)] | None = None
    last: Annotated[int, Field(ge=0, le=SERIAL_MAX)] | None = None
    case: CaseId | None = None
    detail: Annotated[str, Field(max_length=400)]

    @model_validator(mode="after")
    def _code_and_reason_agree(self) -> Self:
        if RULES[self.reason].code != self.code:
            raise ValueError(f"{self.reason} has code {RULES[self.reason].code}")
        return self

    def __str__(self) -> str:
        where = f" in {self.field}" if self.field else ""
        units = f" ({self.key.text} {self.first}-{self.last})" if self.key else ""
        return f"{self.code} {self.reason}{where}{units}: {self.detail}"


def finding(
    reason: Reason,
    detail: str = "",
    *,
    field: str | None = None,
    units: tuple[Key, int, int] | None = None,
    case: CaseId | None = None,
) -> Finding:
    """Make a finding; without a `detail` the catalogue's text stands in for it."""
    key, first, last = units or (None, None, None)
    rule = RULES[reason]
    return Finding(
        code=rule.code,
        reason=reason,
        field=field and printable(field)[:120],
        key=key,
        first=first,
        last=last,
        case=case,
        detail=printable(detail or rule.text)[:400],
    )
