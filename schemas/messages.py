# SPDX-License-Identifier: Apache-2.0
"""Messages: what participants say to one another.

A message is one line of UTF-8 JSON. Its bytes are sent, hashed and kept for ever; nothing is
written again to verify it. Every message has `id` (UUIDv7), `type`, `conversation` (transaction,
case or request), `answers` (SHA-256 of the line it answers, or null) and `body`. Unknown and
repeated names, coerced types, floats and integers beyond 2^53 are refused.

Who may say what to whom is `SAID_BY`. How messages travel is `envelope`'s business: nothing here
knows it, because an official communication standard may replace the encoding one day.

Some 750 lines, nearly all of them members of messages: what travels is read best in one place.
"""

from functools import lru_cache
from operator import not_
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from schemas import limits
from schemas.approvals import ApprovalRecord, Instruction, Reference
from schemas.directory import SignedAct
from schemas.effects import AuthorizationTerms, CaseWord, DirectoryEffect, Effect, Units
from schemas.evidence import EvidencePart, EvidenceRequest
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import (
    AccountNumber,
    Actor,
    Day,
    Digest,
    Instant,
    MessageId,
    Participant,
    TransactionId,
)
from schemas.nodes import Bucket, Children, Node, PointLabel, check_labels
from schemas.plain import mistake_in
from schemas.strict import strict_json
from schemas.units import (
    Attributes,
    AuthorizationRef,
    Designation,
    Frozen,
    Key,
    MetricUnit,
    Serial,
    UseMark,
    User,
    Whole,
)

__all__ = [
    "CONTROL_TYPES",
    "MESSAGE_TYPES",
    "SAID_BY",
    "Acceptance",
    "AcceptanceMessage",
    "Action",
    "Addressed",
    "Answer",
    "AnswerMessage",
    "AnyMessage",
    "AuditLine",
    "CaseMessage",
    "CaseNotice",
    "Checkpoint",
    "CheckpointMessage",
    "Consent",
    "Conversation",
    "Delivered",
    "DeliveryTree",
    "Enclosure",
    "EnclosureMessage",
    "Entry",
    "EntryMessage",
    "EvidencePartMessage",
    "EvidenceRequestMessage",
    "ExpiryAnswer",
    "Hello",
    "HelloMessage",
    "Inquiry",
    "InquiryMessage",
    "IssuanceReferences",
    "Lacking",
    "LastSent",
    "Line",
    "Malformed",
    "Message",
    "Notice",
    "NoticeMessage",
    "Proposal",
    "ProposalMessage",
    "Rejection",
    "RejectionMessage",
    "ResendMessage",
    "ResendRequest",
    "Returned",
    "ReturnedMessage",
    "RotationMessage",
    "RotationRequest",
    "State",
    "Statement",
    "StatementMessage",
    "StatusAnswer",
    "StatusMessage",
    "StatusRequest",
    "StatusRequestMessage",
    "Total",
    "Withdrawal",
    "WithdrawalMessage",
    "new_message",
    "parse_message",
    "role",
    "strict_json",
]

Conversation = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{3,60}$")]
Comment = Annotated[str, Field(max_length=400)]

Action = Literal[
    "issuance",
    "approval",
    "authorization",
    "forwarding",
    "first-transfer",
    "transfer",
    "use",
    "cancellation",
    "designation",
    "replenishment",
    "administrative-cancellation",
    "cer-entry",
    "cer-transfer",
    "cer-use",
    "counter-entry",
]
"""What a proposal asks to be recorded."""

State = Literal["proposed", "cleared", "completed", "refused", "rejected", "withdrawn", "expired"]


class Line(Frozen):
    """One range of units in a proposal, and the accounts it leaves and enters.

    `attributes` are given where units come into being; `itmo_first` where a first transfer under
    the `information` profile creates ITMOs: the serial that the first unit of the range gets.
    """

    key: Key
    first: Serial
    last: Serial
    source: AccountNumber | None = None
    target: AccountNumber | None = None
    attributes: Attributes | None = None
    itmo_first: Serial | None = None


class IssuanceReferences(Frozen):
    """What an issuance rests on (3/CMA.3 annex paras 52-54)."""

    request: Annotated[str, Field(min_length=1, max_length=120)]
    approval: Annotated[str, Field(min_length=1, max_length=120)]
    approved_quantity: Annotated[int, Field(ge=1, le=limits.SERIAL_MAX)]
    monitoring_from: Day | None = None
    monitoring_to: Day | None = None


class Proposal(Frozen):
    """An actor asks for an action on exact units; its author is the acting actor.

    `quantity` is the sum of the lines, in tonnes of CO2 equivalent or, where `unit` is given, in
    that unit of a non-GHG metric. `authorization` names the authorization relied on: in a use or
    cancellation if it is the first transfer by the definition of this authorization, and in a
    counter-entry the version by which it was revoked. What goes to
    another Party may name the acquiring `entity` and the method of corresponding `adjustment`, as
    some agreements of Parties ask. `terms` stands in a proposal to record one, `approval` in one to
    record that, `use` in a use or cancellation, `references` in an issuance, `instruction` where
    units leave a pending account, `designation` where contributions are authorized later,
    `reversal` what units of the buffer are cancelled for or deposited after.
    """

    action: Action
    acquirer: Actor | None = None
    lines: Annotated[tuple[Line, ...], Field(max_length=limits.LINES_MAX)] = ()
    quantity: Whole
    unit: MetricUnit | None = None
    entity: User | None = None
    adjustment: Literal["trajectory", "averaging"] | None = None
    authorization: AuthorizationRef | None = None
    terms: AuthorizationTerms | None = None
    use: UseMark | None = None
    references: IssuanceReferences | None = None
    approval: ApprovalRecord | None = None
    instruction: Instruction | None = None
    designation: Designation | None = None
    reversal: Reference | None = None
    comment: Comment | None = None
    expires_at: Instant


class Acceptance(Frozen):
    """The acquiring actor consents to the proposal that this message answers."""

    comment: Comment | None = None


class Rejection(Frozen):
    """The acquiring actor refuses the proposal that this message answers."""

    findings: Annotated[tuple[Finding, ...], Field(min_length=1, max_length=limits.FINDINGS_MAX)]
    comment: Comment | None = None


class Withdrawal(Frozen):
    """The proposer takes back the proposal that this message answers."""

    comment: Comment | None = None


class StatusRequest(Frozen):
    """A question: what does the hub know of this conversation."""

    transaction: TransactionId


class StatusAnswer(Frozen):
    """What the hub knows: a state and the entry that made it, or nothing at all.

    `closed_to` is the last sequence of the asking actor that the hub has taken; a proposal that it
    sent up to there and that is unknown will never be known.
    """

    transaction: TransactionId
    state: State | None
    position: Whole | None
    closed_to: Whole


class Consent(Frozen):
    """An actor whose rows an entry moves, and the message by which it consented."""

    actor: Actor
    message: Digest


class Addressed(Frozen):
    """An actor that an entry is delivered to, and its number in that actor's deliveries."""

    actor: Actor
    index: Whole


class Entry(Frozen):
    """One line of the log. The message line that carries it *is* the leaf: bytes kept for ever.

    `answers` of the message is the digest of the message that caused the entry, `manifest` the
    digest of its envelope's manifest; both are absent when a deadline caused it. `acts` is how many
    acts on the directory the log had before it, so that none can be left out unnoticed.
    """

    log: Annotated[str, Field(max_length=61)]
    position: Whole
    acts: Whole
    at: Instant
    manifest: Digest | None
    state: State | None
    action: Action | None
    findings: Annotated[tuple[Finding, ...], Field(max_length=limits.FINDINGS_MAX)] = ()
    rules: Annotated[str, Field(max_length=20)]
    consents: Annotated[tuple[Consent, ...], Field(max_length=300)] = ()
    addressed: Annotated[tuple[Addressed, ...], Field(max_length=1000)] = ()
    effects: Annotated[tuple[Effect, ...], Field(max_length=limits.EFFECTS_MAX)] = ()

    @property
    def acts_after(self) -> int:
        """How many acts the log has after this entry: the next one says as many."""
        return self.acts + sum(isinstance(effect, DirectoryEffect) for effect in self.effects)


class DeliveryTree(Frozen):
    """Size and RFC 6962 root of the entries addressed to an actor."""

    actor: Actor
    size: Whole
    root: Digest


class Checkpoint(Frozen):
    """The log's signed head, the way to it from the last one sent here, and this participant's
    delivery trees. `previous` is the head before, with the way from it (empty when it is the same),
    and `cosignatures` are those that it has gathered: so witnesses see one another.
    """

    note: Annotated[str, Field(max_length=8192)]
    proof_from: Whole
    proof: Annotated[tuple[Digest, ...], Field(max_length=64)]
    deliveries: Annotated[tuple[DeliveryTree, ...], Field(max_length=limits.ACTORS_MAX)]
    previous: Annotated[str, Field(max_length=8192)] | None = None
    previous_proof: Annotated[tuple[Digest, ...], Field(max_length=64)] = ()
    cosignatures: Annotated[
        tuple[Annotated[str, Field(max_length=400)], ...], Field(max_length=300)
    ] = ()


class Delivered(Frozen):
    """How far an actor has applied its deliveries."""

    size: Whole
    root: Digest


class LastSent(Frozen):
    """The last sequence sent to a recipient."""

    to: Participant
    last: Whole


class ExpiryAnswer(Frozen):
    """For an expired transaction: the sequence of this actor's answer to its clearance, if any."""

    transaction: TransactionId
    sequence: Whole | None


class Statement(Frozen):
    """An actor's signed word on the log and on its own rows, from one database snapshot.

    It saw the checkpoint of `size` and `root`; it had applied its deliveries up to `delivered`; its
    rows hold what `holdings` digests. `cosignature` is its participant's, over the checkpoint.
    """

    size: Whole
    root: Digest
    delivered: Delivered
    holdings: Digest
    sent: Annotated[tuple[LastSent, ...], Field(max_length=300)]
    expiries: Annotated[tuple[ExpiryAnswer, ...], Field(max_length=500)] = ()
    cosignature: Annotated[str, Field(max_length=400)]


class Enclosure(Frozen):
    """What somebody else said, as said: its envelope's manifest and its own line. Evidence, never
    carried out as if the sender had said it.
    """

    manifest: Annotated[str, Field(max_length=16384)]
    line: Annotated[str, Field(max_length=limits.MESSAGE_BYTES_MAX)]


class Notice(Frozen):
    """Findings about a message or envelope that had no effect; `about` is the digest of its line
    (or of the manifest, when no single message is meant).
    """

    about: Digest
    sequence: Whole | None
    findings: Annotated[tuple[Finding, ...], Field(min_length=1, max_length=limits.FINDINGS_MAX)]


class RotationRequest(Frozen):
    """An actor's signed act to change its key; see `directory.Rotation`."""

    act: SignedAct


class CaseNotice(CaseWord):
    """The reconciliation service opens, explains or closes a case about units of an actor; `detail`
    is for the hub's operators, and of an explained case the explanation.
    """

    freeze: bool
    detail: Comment

    @model_validator(mode="after")
    def _explains(self) -> Self:
        if self.state == "explained" and not self.detail:
            raise ValueError("an explained case says why in detail")
        return self


class Inquiry(Frozen):
    """The reconciliation service asks an actor about its rows, as of one snapshot.

    `children`: digests of the children of tree nodes at `level`; where no node has two, of these in
    their place, and so on, unless `one_level` says not to. `points`: the signed points of the
    buckets. `totals`: sums by key and kind, of the keys in the slots asked for, or of all.
    `trail`: what the actor's own books say of ranges.
    """

    question: Literal["children", "points", "totals", "trail"]
    actor: Actor
    level: Annotated[int, Field(ge=0, le=12, exclude_if=not_)] = 0
    nodes: Annotated[
        tuple[Node, ...], Field(max_length=limits.TREE_NODES_MAX, exclude_if=not_)
    ] = ()
    one_level: Annotated[bool, Field(exclude_if=not_)] = False
    ranges: Annotated[
        tuple[Units, ...], Field(max_length=limits.TREE_NODES_MAX, exclude_if=not_)
    ] = ()


class Total(Frozen):
    """Units of one key and kind."""

    key: Annotated[str, Field(max_length=80)]
    kind: Annotated[str, Field(max_length=20)]
    quantity: Whole


class AuditLine(Units):
    """A movement in an actor's books: the delivery and entry that made it."""

    delivery: Whole
    position: Whole
    entry: Digest


class Answer(Frozen):
    """The answer to an inquiry, true of one snapshot in which deliveries were applied up to
    `delivered` and the rows digested to `holdings`. `labels` are those of the points of `buckets`.
    """

    question: Literal["children", "points", "totals", "trail"]
    actor: Actor
    delivered: Delivered
    holdings: Digest
    level: Annotated[int, Field(ge=0, le=12, exclude_if=not_)] = 0
    children: Annotated[
        tuple[Children, ...], Field(max_length=limits.TREE_NODES_MAX, exclude_if=not_)
    ] = ()
    labels: Annotated[
        tuple[PointLabel, ...],
        Field(max_length=limits.BUCKET_POINTS_MAX * limits.TREE_NODES_MAX, exclude_if=not_),
    ] = ()
    buckets: Annotated[
        tuple[Bucket, ...], Field(max_length=limits.TREE_NODES_MAX, exclude_if=not_)
    ] = ()
    totals: Annotated[
        tuple[Total, ...], Field(max_length=limits.ANSWER_LINES_MAX, exclude_if=not_)
    ] = ()
    trail: Annotated[
        tuple[AuditLine, ...], Field(max_length=limits.ANSWER_LINES_MAX, exclude_if=not_)
    ] = ()

    @model_validator(mode="after")
    def _labels_are_those_of_the_points(self) -> "Answer":
        check_labels(self.labels, self.buckets)
        return self


class Lacking(Frozen):
    """A range of sequences, both ends included."""

    first: Annotated[int, Field(ge=1, le=limits.INTEGER_MAX)]
    last: Annotated[int, Field(ge=1, le=limits.INTEGER_MAX)]


class Hello(Frozen):
    """Control: the last sequences between an actor and a participant, as the speaker knows them.

    `actor` is the actor that greeted; the other end is the participant it greeted. `sent` counts
    the actor's envelopes to that end, `received` the other way round, in greeting and answer alike.
    In an answer `sent` is the largest sequence of the actor that is there, applied or stored, and
    `lacking` are those below it that are not. Whoever is behind fetches its own and the other's
    envelopes back before it writes.
    """

    actor: Actor
    sent: Whole
    received: Whole
    answer: bool
    lacking: Annotated[tuple[Lacking, ...], Field(max_length=limits.LACKING_MAX)] = ()


class ResendRequest(Frozen):
    """Control: send the envelopes of `sender` from `first` to `last` again, as they were.

    If the sender is an actor of the recipient they are sent again; if it is one of the asking
    participant, which lost its own (restored from an older backup), they are given back as
    `returned`.
    """

    sender: Actor
    first: Annotated[int, Field(ge=1, le=limits.INTEGER_MAX)]
    last: Annotated[int, Field(ge=1, le=limits.INTEGER_MAX)]


class Returned(Frozen):
    """Control: an envelope of the recipient's own that the sender keeps, given back as it was."""

    envelope: Annotated[str, Field(max_length=limits.ENVELOPE_BYTES_MAX)]


class Message(Frozen):
    """What every message has; see the module's head."""

    id: MessageId
    type: str
    conversation: Conversation
    answers: Digest | None
    body: Any


class ProposalMessage(Message):
    type: Literal["proposal"] = "proposal"
    body: Proposal


class AcceptanceMessage(Message):
    type: Literal["acceptance"] = "acceptance"
    body: Acceptance


class RejectionMessage(Message):
    type: Literal["rejection"] = "rejection"
    body: Rejection


class WithdrawalMessage(Message):
    type: Literal["withdrawal"] = "withdrawal"
    body: Withdrawal


class StatusRequestMessage(Message):
    type: Literal["status-request"] = "status-request"
    body: StatusRequest


class StatusMessage(Message):
    type: Literal["status"] = "status"
    body: StatusAnswer


class EntryMessage(Message):
    type: Literal["entry"] = "entry"
    body: Entry


class CheckpointMessage(Message):
    type: Literal["checkpoint"] = "checkpoint"
    body: Checkpoint


class StatementMessage(Message):
    type: Literal["statement"] = "statement"
    body: Statement


class EnclosureMessage(Message):
    type: Literal["enclosure"] = "enclosure"
    body: Enclosure


class NoticeMessage(Message):
    type: Literal["notice"] = "notice"
    body: Notice


class EvidenceRequestMessage(Message):
    type: Literal["evidence-request"] = "evidence-request"
    body: EvidenceRequest


class EvidencePartMessage(Message):
    type: Literal["evidence-part"] = "evidence-part"
    body: EvidencePart


class RotationMessage(Message):
    type: Literal["rotation"] = "rotation"
    body: RotationRequest


class CaseMessage(Message):
    type: Literal["case"] = "case"
    body: CaseNotice


class InquiryMessage(Message):
    type: Literal["inquiry"] = "inquiry"
    body: Inquiry


class AnswerMessage(Message):
    type: Literal["answer"] = "answer"
    body: Answer


class HelloMessage(Message):
    type: Literal["hello"] = "hello"
    body: Hello


class ResendMessage(Message):
    type: Literal["resend"] = "resend"
    body: ResendRequest


class ReturnedMessage(Message):
    type: Literal["returned"] = "returned"
    body: Returned


AnyMessage = Annotated[
    ProposalMessage
    | AcceptanceMessage
    | RejectionMessage
    | WithdrawalMessage
    | StatusRequestMessage
    | StatusMessage
    | EntryMessage
    | CheckpointMessage
    | StatementMessage
    | EnclosureMessage
    | NoticeMessage
    | EvidenceRequestMessage
    | EvidencePartMessage
    | RotationMessage
    | CaseMessage
    | InquiryMessage
    | AnswerMessage
    | HelloMessage
    | ResendMessage
    | ReturnedMessage,
    Field(discriminator="type"),
]

CONTROL_TYPES = frozenset({"hello", "resend", "returned"})
"""What stands outside the sequence: handled at once, changes no ledger, is never evidence."""

_NODE, _HUB, _REC = "node", "hub", "rec"
SAID_BY: dict[str, frozenset[tuple[str, str]]] = {
    "proposal": frozenset({(_NODE, _HUB)}),
    "acceptance": frozenset({(_NODE, _HUB)}),
    "rejection": frozenset({(_NODE, _HUB)}),
    "withdrawal": frozenset({(_NODE, _HUB)}),
    "status-request": frozenset({(_NODE, _HUB)}),
    "status": frozenset({(_HUB, _NODE)}),
    "entry": frozenset({(_HUB, _NODE), (_HUB, _REC)}),
    "checkpoint": frozenset({(_HUB, _NODE), (_HUB, _REC)}),
    "statement": frozenset({(_NODE, _HUB), (_REC, _HUB)}),
    "enclosure": frozenset({(_HUB, _NODE), (_HUB, _REC)}),
    "notice": frozenset({(a, b) for a in (_NODE, _HUB, _REC) for b in (_NODE, _HUB, _REC)}),
    "evidence-request": frozenset({(_NODE, _HUB)}),
    "evidence-part": frozenset({(_HUB, _NODE)}),
    "rotation": frozenset({(_NODE, _HUB), (_REC, _HUB)}),
    "case": frozenset({(_REC, _HUB)}),
    "inquiry": frozenset({(_REC, _NODE)}),
    "answer": frozenset({(_NODE, _REC)}),
    "hello": frozenset({(a, b) for a in (_NODE, _HUB, _REC) for b in (_NODE, _HUB, _REC)}),
    "resend": frozenset({(a, b) for a in (_NODE, _HUB, _REC) for b in (_NODE, _HUB, _REC)}),
    "returned": frozenset({(a, b) for a in (_NODE, _HUB, _REC) for b in (_NODE, _HUB, _REC)}),
}
"""By message type, which role may say it to which: registry nodes, the hub, the reconciler."""


def role(participant: str) -> str:
    """`hub`, `rec` or `node`: the role of a participant or actor in `SAID_BY`."""
    name = participant.partition("/")[0]
    return {"HUB": _HUB, "REC": _REC}.get(name, _NODE)


class Malformed(ValueError):
    """A line that is no message of this protocol; `finding` says why, naming the member."""

    def __init__(self, found: Finding) -> None:
        super().__init__(str(found))
        self.finding = found


_ANY: TypeAdapter[AnyMessage] = TypeAdapter(AnyMessage)
MESSAGE_TYPES: dict[str, type[Message]] = {
    cls.model_fields["type"].default: cls for cls in get_args(get_args(AnyMessage)[0])
}


def new_message(
    type_: str,
    id_: MessageId,
    conversation: str,
    body: Frozen,
    *,
    answers: Digest | None = None,
) -> Message:
    """A message of a type; its line is `model_dump_json().encode()`, made once."""
    return MESSAGE_TYPES[type_].model_validate(
        {
            "id": id_,
            "type": type_,
            "conversation": conversation,
            "answers": answers,
            "body": body,
        }
    )


def parse_message(line: bytes) -> Message:
    """Read one line; `Malformed` carries the finding for anything that is not a message.

    The line is at most `MESSAGE_BYTES_MAX` bytes of UTF-8 JSON, without a line feed. Messages never
    change, and a node meets most lines more than once while their transaction is under way; so
    short ones that were read lately are remembered.
    """
    return _recent(line) if len(line) <= REMEMBERED_BYTES_MAX else _parse(line)


def _parse(line: bytes) -> Message:
    if len(line) > limits.MESSAGE_BYTES_MAX:
        raise Malformed(finding(Reason.MESSAGE_TOO_LARGE, f"{len(line)} bytes"))
    if b"\n" in line:
        raise Malformed(finding(Reason.MESSAGE_MALFORMED, "a message is one line"))
    try:
        message = _ANY.validate_json(line)
    except ValidationError as error:
        raise Malformed(_explain(error, _strict(line))) from None
    if message.model_dump_json().encode() != line or rb"\u0000" in line:
        # What reads exactly as we would write it is strict, but for U+0000, which pydantic writes
        # as well.
        _strict(line)
    return message


def _strict(line: bytes) -> Any:
    try:
        return strict_json(line)
    except ValueError as error:
        raise Malformed(finding(Reason.MESSAGE_MALFORMED, f"not strict JSON: {error}")) from None


REMEMBERED_BYTES_MAX = 4096
_recent = lru_cache(maxsize=2048)(_parse)


def _explain(error: ValidationError, value: Any) -> Finding:
    mistake = mistake_in(error)
    if mistake.kind in {"union_tag_invalid", "union_tag_not_found"} and not mistake.place:
        return finding(Reason.TYPE_UNKNOWN, mistake.words, field="type")
    where = _member(mistake.place[1:], value)
    return finding(Reason.MESSAGE_MALFORMED, mistake.words, field=where or None)


def _member(path: tuple[int | str, ...], value: Any) -> str:
    """The path in the names of the line alone: pydantic's has the tag of each effect, too."""
    parts: list[str] = []
    tag = None
    for part in path:
        if part == tag:
            tag = None
            continue
        parts.append(str(part))
        if isinstance(value, list):
            place = int(part)
            value = value[place] if place < len(value) else None  # an element that is missing
        else:
            value = value.get(part) if isinstance(value, dict) else None
        tag = value.get("effect") if isinstance(value, dict) else None
    return "/".join(parts)
