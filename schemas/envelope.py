# SPDX-License-Identifier: Apache-2.0
"""Envelopes: how messages travel in one AMQP message.

Line 1 is the manifest, a JWS compact serialization (RFC 7515); the following lines are the messages
that it names by SHA-256, byte for byte, in the same order. One signature carries one message when
it is quiet and up to `MESSAGES_MAX` under load. The proof for one message is the manifest and its
own line, and shows nothing of the neighbours but their digests.

The author of every message is the manifest's `from`. An envelope has a `sequence` (per author and
recipient, without gaps), or is a *control* envelope with a nonce and no sequence.

Elsewhere: signatures (`jws`), what the lines say (`messages`), sequences and keys (`runtime`).
"""

import hashlib
from functools import lru_cache
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from schemas import jws, limits
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, Digest, Instant, Participant
from schemas.plain import mistake_in
from schemas.strict import no_boolean, only_boolean, strict_json
from schemas.units import Frozen, Whole

__all__ = [
    "VERSION",
    "EnvelopeError",
    "Manifest",
    "Opened",
    "digest",
    "open_envelope",
    "open_manifest",
    "seal",
    "verify",
]

VERSION: Final = 1
REMEMBERED: Final = 256
"""So many manifests are remembered, and whose they are: each message of an envelope that is passed
on comes with the manifest of them all.
"""


class Manifest(Frozen):
    """What the sender signs about an envelope.

    `seen` is the largest log size known to the sender, so that a message cannot be dated back past
    it. Control envelopes have `control: true`, a `nonce`, and the nonce they answer, if any.
    """

    version: Annotated[Literal[1], BeforeValidator(no_boolean)] = VERSION
    sender: Annotated[Actor, Field(alias="from")]
    to: Participant
    sequence: Annotated[int, Field(ge=1, le=limits.INTEGER_MAX)] | None = None
    control: Annotated[Literal[True], BeforeValidator(only_boolean)] | None = None
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    answers_nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    sent_at: Instant
    seen: Whole
    messages: Annotated[tuple[Digest, ...], Field(min_length=1, max_length=limits.MESSAGES_MAX)]

    @model_validator(mode="after")
    def _sequence_or_nonce(self) -> Self:
        if (self.control is None) != (self.sequence is not None):
            raise ValueError("an envelope has a sequence unless it is a control envelope")
        if (self.control is None) != (self.nonce is None):
            raise ValueError("a control envelope has a nonce, and no other has")
        if self.control is None and self.answers_nonce is not None:
            raise ValueError("only a control envelope answers a nonce")
        return self


class EnvelopeError(ValueError):
    """Bytes that are no authentic envelope; `finding` says why."""

    def __init__(self, found: Finding) -> None:
        super().__init__(str(found))
        self.finding = found


class Opened(NamedTuple):
    """An envelope in its parts; nothing is verified yet but form and digests."""

    body: bytes
    manifest: Manifest
    token: jws.Token
    lines: tuple[bytes, ...]

    @property
    def manifest_line(self) -> bytes:
        """The JWS as it stands in the first line."""
        return self.body.partition(b"\n")[0]

    @property
    def manifest_digest(self) -> Digest:
        """SHA-256 of the manifest line, signature included: what an entry names."""
        return digest(self.manifest_line)

    @property
    def signed_digest(self) -> Digest:
        """SHA-256 of what is signed, header and payload. Two envelopes say the same if these are
        equal: an ES256 signature has a second form that anybody can compute.
        """
        return digest(self.token.signing_input)


def digest(data: bytes) -> Digest:
    """SHA-256 in lower-case hexadecimal."""
    return str.__new__(Digest, hashlib.sha256(data).hexdigest())  # what is made so needs no look


def seal(manifest: Manifest, lines: tuple[bytes, ...], signer: jws.Signer) -> bytes:
    """The bytes of an envelope: the signed manifest and the lines that it names."""
    assert manifest.messages == tuple(digest(line) for line in lines)
    assert not any(b"\n" in line for line in lines), "a message is one line"
    payload = manifest.model_dump_json(by_alias=True, exclude_none=True).encode()
    return b"\n".join((jws.sign(payload, signer).encode(), *lines))


def open_envelope(body: bytes) -> Opened:
    """Take an envelope apart; `EnvelopeError` for what is too large, malformed or mismatched."""
    if len(body) > limits.ENVELOPE_BYTES_MAX:
        raise _refuse(Reason.ENVELOPE_TOO_LARGE, f"{len(body)} bytes")
    first, *lines = body.split(b"\n")
    token, manifest = open_manifest(first)
    if len(lines) != len(manifest.messages):  # before a million empty lines are hashed
        detail = f"{len(manifest.messages)} named, {len(lines)} present"
        raise _refuse(Reason.MANIFEST_MISMATCH, detail)
    found = tuple(digest(line) for line in lines)
    if found != manifest.messages:
        missing = set(manifest.messages) - set(found)
        extra = set(found) - set(manifest.messages)
        what = f"{len(missing)} named but absent, {len(extra)} present but not named"
        raise _refuse(Reason.MANIFEST_MISMATCH, what if missing or extra else "order")
    return Opened(body, manifest, token, tuple(lines))


@lru_cache(maxsize=REMEMBERED)
def open_manifest(line: bytes) -> tuple[jws.Token, Manifest]:
    """Read a manifest line; the signature is verified by `verify`, once a key is known.

    `EnvelopeError` for a line that is none.
    """
    try:
        token = jws.parse(line.decode("ascii"))
        members = strict_json(token.payload)
    except jws.JWSError as error:
        algorithm = error.reason in {"algorithm", "key", "signature"}
        reason = Reason.SIGNATURE_INVALID if algorithm else Reason.ENVELOPE_MALFORMED
        raise _refuse(reason, str(error)) from None
    except ValueError as error:
        raise _refuse(Reason.ENVELOPE_MALFORMED, f"manifest: {error}") from None
    if isinstance(members, dict) and members.get("version") != VERSION:
        raise _refuse(
            Reason.VERSION_UNSUPPORTED, f"version {members.get('version')!r:.20}; this is 1"
        )
    try:
        return token, Manifest.model_validate_json(token.payload)
    except ValidationError as error:
        mistake = mistake_in(error)
        sign = "/" if mistake.place else ": "
        raise _refuse(Reason.ENVELOPE_MALFORMED, f"manifest{sign}{mistake}") from None


def verify(token: jws.Token, key: jws.PublicKey) -> None:
    """Check the manifest's signature; `EnvelopeError` when it is not that key's."""
    try:
        _verify(token, key)
    except jws.JWSError as error:
        raise _refuse(Reason.SIGNATURE_INVALID, str(error)) from None


@lru_cache(maxsize=REMEMBERED)
def _verify(token: jws.Token, key: jws.PublicKey) -> None:
    """What raises is not remembered."""
    jws.verify(token, key)


def _refuse(reason: Reason, detail: str) -> EnvelopeError:
    return EnvelopeError(finding(reason, detail))
