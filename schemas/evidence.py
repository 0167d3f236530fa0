# SPDX-License-Identifier: Apache-2.0
"""Evidence: one file about one transaction, the trust root that it is held to, and the messages
by which an actor concerned asks the hub for what it lacks of such a file.

A file holds what was signed, byte for byte, as text, and the hashes that lead from there to heads
of the log. Every member counts: one that is changed, left out, added or moved to another place
makes the file invalid. White space and the order of members within an object are nobody's concern.

Written once, by `write_bundle`: without escapes other than JSON must have, and without tabs, so
that no bit of the file can be another one and still mean the same.

Elsewhere: putting a file together (`hub.evidence`, `registry.evidence`), what it proves
(`ledger.verifying`).
"""

import json
from operator import not_
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field, ValidationError

from schemas.identifiers import Digest, TransactionId
from schemas.limits import EVIDENCE_ACTS_MAX, EVIDENCE_BYTES_MAX, INTEGER_MAX, MESSAGE_BYTES_MAX
from schemas.plain import mistake_in
from schemas.strict import strict_json
from schemas.units import Frozen, Whole

__all__ = [
    "BUNDLE",
    "TRUST",
    "Bundle",
    "EvidencePart",
    "EvidenceRequest",
    "Head",
    "Logged",
    "Receipt",
    "Said",
    "Trust",
    "Unreadable",
    "format_of",
    "read_bundle",
    "read_members",
    "read_trust",
    "write_bundle",
    "write_members",
    "write_trust",
]

BUNDLE: Final = "a6hub-evidence-1"
TRUST: Final = "a6hub-trust-1"

Proof = Annotated[tuple[Digest, ...], Field(max_length=64)]
"""Hashes of a Merkle tree, from the leaf's side to the root's (RFC 9162 §2.1)."""


class Said(Frozen):
    """A message and the manifest of the envelope that it was sealed in."""

    manifest: Annotated[str, Field(max_length=16384)]
    line: Annotated[str, Field(max_length=MESSAGE_BYTES_MAX)]


class Logged(Frozen):
    """An entry of the log, whose line says its position, and its inclusion in the last head."""

    line: Annotated[str, Field(max_length=MESSAGE_BYTES_MAX)]
    proof: Proof


class Head(Frozen):
    """A signed head of the log with its cosignatures, a C2SP note; the proof is that it contains
    the head before it, and empty for the first.
    """

    note: Annotated[str, Field(max_length=256 * 1024)]
    proof: Proof


class Receipt(Frozen):
    """An actor's statement, and for each entry of the transaction that is addressed to it, in
    order, its inclusion in the deliveries that the statement acknowledges.
    """

    statement: Said
    proofs: Annotated[tuple[Proof, ...], Field(min_length=1, max_length=8)]


class Bundle(Frozen):
    """Evidence of one transaction. `messages` stand in the order in which entries name them, first
    the message that caused an entry, then those that consented; `entries` and `directory` (every
    entry that carries an act) by position, `heads` by size, `receipts` by actor.
    """

    format: Literal["a6hub-evidence-1"] = BUNDLE
    transaction: TransactionId
    messages: Annotated[tuple[Said, ...], Field(min_length=1, max_length=400)]
    entries: Annotated[tuple[Logged, ...], Field(min_length=1, max_length=8)]
    directory: Annotated[tuple[Logged, ...], Field(min_length=1, max_length=20_000)]
    heads: Annotated[tuple[Head, ...], Field(min_length=1, max_length=1000)]
    receipts: Annotated[tuple[Receipt, ...], Field(max_length=1000)] = ()


class Trust(Frozen):
    """What a verifier must know beforehand: the log's id, and the SHA-256 of its entry 0."""

    format: Literal["a6hub-trust-1"] = TRUST
    log: Annotated[str, Field(max_length=61)]
    root: Digest


class EvidenceRequest(Frozen):
    """A question: the evidence of a transaction that concerned the asking actor and has ended."""

    transaction: TransactionId


class EvidencePart(Frozen):
    """One part of the answer to it: what a file of evidence has and its asker may lack.

    Parts are numbered from 0; together they give messages, receipts and heads of the file, each in
    its order. Entries the asker has: `entries` (those of the transaction) and `acts` name them by
    the digests of their lines. `nodes` are the hashes by which it proves those that this part
    names, in the log of `size` entries, the last head's.
    """

    transaction: TransactionId
    number: Whole
    last: bool
    size: Annotated[int, Field(ge=1, le=INTEGER_MAX)]
    messages: Annotated[tuple[Said, ...], Field(max_length=400, exclude_if=not_)] = ()
    receipts: Annotated[tuple[Receipt, ...], Field(max_length=1000, exclude_if=not_)] = ()
    heads: Annotated[tuple[Head, ...], Field(max_length=1000, exclude_if=not_)] = ()
    entries: Annotated[tuple[Digest, ...], Field(max_length=8, exclude_if=not_)] = ()
    acts: Annotated[tuple[Digest, ...], Field(max_length=EVIDENCE_ACTS_MAX, exclude_if=not_)] = ()
    nodes: Annotated[tuple[Digest, ...], Field(max_length=8192, exclude_if=not_)] = ()


class Unreadable(ValueError):
    """Bytes that are no such file; the text names the member."""


M = TypeVar("M", bound=Frozen)


def format_of(data: bytes) -> str | None:
    """What a file says that it is; None when it does not, or cannot be read."""
    try:
        members = strict_json(data)
    except ValueError:
        return None
    found = members.get("format") if isinstance(members, dict) else None
    return found if isinstance(found, str) else None


def read_bundle(data: bytes) -> Bundle:
    """Read a file of evidence; `Unreadable` for anything else. Nothing is verified yet."""
    return read_members(Bundle, data)


def read_trust(data: bytes) -> Trust:
    """Read a trust root; `Unreadable` for anything else."""
    return read_members(Trust, data)


def write_bundle(bundle: Bundle) -> bytes:
    """The bytes of a file of evidence."""
    return write_members(bundle)


def write_trust(trust: Trust) -> bytes:
    """The bytes of a trust root's file."""
    return write_members(trust)


def read_members(model: type[M], data: bytes) -> M:
    """Read a file that should be a model's; `Unreadable` for anything else."""
    if len(data) > EVIDENCE_BYTES_MAX:
        raise Unreadable(f"{len(data)} bytes; {EVIDENCE_BYTES_MAX} at most")
    try:
        strict_json(data)
        return model.model_validate_json(data)
    except ValidationError as error:
        mistake = mistake_in(error)
        raise Unreadable(f"{mistake.path or 'the whole'}: {mistake.words}") from None
    except ValueError as error:
        raise Unreadable(f"not strict JSON: {error}") from None


def write_members(model: Frozen) -> bytes:
    """The bytes of a file, in the one way in which it is written."""
    members: dict[str, Any] = model.model_dump(mode="json")
    return json.dumps(members, ensure_ascii=False, indent=1).encode() + b"\n"
