# SPDX-License-Identifier: Apache-2.0
"""What `schemas` and `ledger` promise: their public names, module by module.

A name that is added, renamed or withdrawn is a change for every program; this list makes it one
that somebody decided on. Write it anew with the names that the failing test shows.
"""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("schemas", "ledger")

PUBLIC: dict[str, str] = {
    "ledger.action_checks": "issuance_fits issuer_may_issue units_fit_the_action",
    "schemas.plain": "Mistake in_words mistake_in printable",
    "ledger.adjustments": """
        AccountFigures Average ClosedYear Figures Late NdcPeriod adjustment annual_figures
        check_periods late_entries levies_left_out may_close period_of report_due
    """,
    "ledger.cer_checks": "CER_ACTIONS cer_key_problem cers_fit",
    "ledger.counter_entry_checks": "counter_entry_fits",
    "ledger.buffer_checks": "administrative_fits buffer_is_filled replenishment_fits",
    "ledger.actions": """
        companion completion consents makes_itmos needs_acceptance pledged release reserve
    """,
    "ledger.authorization_checks": """
        authorization_covers authorization_is_next designated first_transfer_is_due is_all_known
        is_stopped may_have_more metric_words metrics_agree transfer_is_not_withdrawn
        use_is_authorized
    """,
    "ledger.first_transfer": """
        FirstTransfer OIMP Recorded Subtype Version counted first_transfers is_due_at_once
        is_international served stated
    """,
    "ledger.approvals": """
        approval_covers approval_is_new approvals_of_proposal count_approval
    """,
    "ledger.binding_checks": "sections_are_bound",
    "ledger.bindings": "Bindings Bound may_be_bound unfit_binding with_admitted",
    "ledger.blocks": "Block Range cut join normalize overlaps quantity subtract",
    "ledger.asking": """
        Approval Ask Authorization Check Facts Found MECHANISM_APPROACH Policy Rounding
        authorizations_named levies levy
    """,
    "ledger.checks": "CLASSES RULES_VERSION SHAPES Shape examine",
    "ledger.consent": "Facts Known Said bound_by moved_by not_agreed",
    "ledger.convicting": "Conviction convict",
    "ledger.directory": "Directory DirectoryError KeyRecord Member act_signature sign_act",
    "ledger.effects": "Dispute Everybody apply spans_of_effects",
    "ledger.enclosed": "unproven",
    "ledger.flaws": "Flaw must",
    "ledger.proven_log": "ProvenEntry ProvenLog hashes",
    "ledger.proven_transaction": "ProvenTransaction",
    "ledger.proven_words": "ProvenWord prove_word",
    "ledger.shown": """
        Head Learned Previous Shown false_entry false_step learned majority_size misaddressed
        open_head open_previous origin_of read_head
    """,
    "ledger.shown_whole": "WholeLog unaddressed",
    "ledger.verifying": "STEPS Step Verdict verify",
    "schemas.evidence": """
        BUNDLE Bundle EvidencePart EvidenceRequest Head Logged Receipt Said TRUST Trust Unreadable
        format_of read_bundle read_members read_trust write_bundle write_members write_trust
    """,
    "schemas.misbehaviour": "EARLIER_MAX ENVELOPES_MAX Frontier MISBEHAVIOUR Misbehaviour",
    "ledger.growth": "Growth",
    "ledger.mechanism_checks": """
        designation_fits forwarding_is_no_first_transfer instruction_stands
    """,
    "ledger.moves": "FOLLOWING MOVES Realm Row realm_of sources targets",
    "ledger.holdings": "Changes Holdings OverlapError Overlay OverlayKind",
    "ledger.log": """
        Address EMPTY_ROOT HASH_BYTES Nodes Tree append consistency_path consistency_proof
        frontier inclusion_path inclusion_proof leaf_hash node_hash root verify_consistency
        verify_inclusion
    """,
    "ledger.note": """
        Checkpoint NAME_BYTES_MAX NOTE_BYTES_MAX NoteError SIGNATURES_MAX SignatureLine
        SignatureType TIMESTAMP_MAX VerifierKey cosign format_note open_note parse_note
        sign_note verify_cosignature verify_signature
    """,
    "ledger.ranges": "Ranges",
    "ledger.tally": "Account Counted FIRST_VINTAGE Sum Tally changes difference",
    "ledger.transactions": "EVENT_OF Event FINAL IllegalStep State TRANSITIONS mermaid step",
    "ledger.tree": """
        Difference EMPTY_ROOT Explained LABELS_MAX LEVELS Label Point SLOT_LEVEL Tree bucket
        bucket_digest bucket_points by_bucket children climb differences differing dirty_buckets
        explain goes_on node_digest parents points slot verify_children verify_points
    """,
    "schemas.directory": """
        Act ActorKey Administrator Admission BindingChange Genesis KeyId KeyText LastSequence
        NoteKeyText Profile ProfileChange Revocation Rotation SectionAdmission SignedAct Status
        StatusChange parse_act
    """,
    "schemas.approvals": "ApprovalRecord Instruction Reference",
    "schemas.effects": """
        ApprovalEffect ApprovalRecordEffect AuthorizationEffect AuthorizationTerms AuthorizedEntity
        CaseEffect CaseState CaseWord Cause DirectoryEffect Effect Freeze Move Pledge Release
        Reserve Restate Unfreeze Units
    """,
    "schemas.envelope": """
        EnvelopeError Manifest Opened VERSION digest open_envelope open_manifest seal verify
    """,
    "schemas.export": "FOLDER documents main",
    "schemas.findings": "CheckClass Finding RULES Reason Rule finding",
    "schemas.identifiers": """
        ADMINISTRATOR AccountNumber Actor ApproachId AuthorizationId CaseId Day Digest HUB HUB_ACTOR
        Identifier Instant MECHANISM MessageId Participant PartyCode REC REC_ACTOR RegistryId
        TransactionId account_number message_id
    """,
    "schemas.jws": """
        Algorithm JWSError JWSReason PublicKey SIGNATURE_BYTES Signer SoftwareSigner
        TOKEN_BYTES_MAX TYPE Token b64url_decode_strict b64url_encode parse sign verify
    """,
    "schemas.limits": """
        ACTORS_MAX ANSWER_LINES_MAX BUCKET_POINTS_MAX
        BUNDLE_BYTES_MAX CLOCK_AHEAD_SECONDS_MAX CLOCK_AHEAD_SECONDS_TOLERATED
        CONCERNED_MAX
        EARLY_ENVELOPES_MAX EFFECTS_MAX ENVELOPE_BYTES_MAX EVIDENCE_ACTS_MAX EVIDENCE_BYTES_MAX
        EVIDENCE_REQUESTS_MAX FINDINGS_MAX
        GAP_SECONDS_MAX INTEGER_MAX LACKING_MAX LINES_MAX MESSAGES_MAX MESSAGE_BYTES_MAX NESTING_MAX
        PROPOSAL_LIFETIME_SECONDS_MAX
        RESEND_BYTES_MAX RESEND_ENVELOPES_MAX SERIAL_MAX TREE_NODES_MAX
    """,
    "schemas.messages": """
        Acceptance AcceptanceMessage Action Addressed Answer AnswerMessage AnyMessage AuditLine
        CONTROL_TYPES CaseMessage CaseNotice Checkpoint CheckpointMessage Consent
        Conversation Delivered DeliveryTree Enclosure EnclosureMessage Entry EntryMessage
        EvidencePartMessage EvidenceRequestMessage
        ExpiryAnswer Hello HelloMessage Inquiry InquiryMessage IssuanceReferences Lacking LastSent
        Line MESSAGE_TYPES Malformed Message Notice NoticeMessage Proposal
        ProposalMessage Rejection RejectionMessage ResendMessage ResendRequest Returned
        ReturnedMessage RotationMessage RotationRequest SAID_BY State Statement StatementMessage
        StatusAnswer StatusMessage StatusRequest StatusRequestMessage Total Withdrawal
        WithdrawalMessage new_message parse_message role strict_json
    """,
    "schemas.nodes": "Bucket BucketPoint Children Node PointLabel check_labels",
    "schemas.strict": "no_boolean only_boolean strict_json",
    "schemas.units": """
        Attributes AuthorizationRef Cancellation Designation FINAL_KINDS FirstTransferDefinition
        Frozen ItmoIdentifier KIND_CODES Key Kind Layer MetricUnit Oimp Position Purpose Serial
        UseMark User Vintage Whole parse_itmo_block
    """,
}


def modules() -> list[str]:
    found = (path for package in PACKAGES for path in (ROOT / package).glob("*.py"))
    return sorted(f"{path.parent.name}.{path.stem}" for path in found if path.stem != "__init__")


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """The names that a file takes from the modules of `schemas` and `ledger`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in PUBLIC:
            yield from ((node.module, alias.name) for alias in node.names)


def test_every_module_is_pinned() -> None:
    assert modules() == sorted(PUBLIC)


@pytest.mark.parametrize("name", modules())
def test_a_modules_public_names_are_those_pinned(name: str) -> None:
    listed = list(importlib.import_module(name).__all__)
    assert sorted(listed) == sorted(PUBLIC.get(name, "").split()), " ".join(sorted(listed))
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("name", modules())
def test_every_public_name_exists(name: str) -> None:
    module = importlib.import_module(name)
    assert [public for public in module.__all__ if not hasattr(module, public)] == []


def test_other_packages_take_public_names_alone() -> None:
    taken = {
        (str(path.relative_to(ROOT)), module, name)
        for path in ROOT.glob("[a-z]*/**/*.py")
        if path.relative_to(ROOT).parts[0] not in {"tests", *PACKAGES}
        for module, name in imports(path)
        if name not in importlib.import_module(module).__all__
    }
    assert sorted(taken) == []
