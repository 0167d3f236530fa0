# SPDX-License-Identifier: Apache-2.0
"""Signed bytes: JWS compact serialization (RFC 7515), with one header and two algorithms.

A token is `header.payload.signature`, each part base64url. The rules of this file:

* The algorithm belongs to the key, not to the token (RFC 8725 §3.1): "Ed25519", the fully
  specified name of RFC 9864, or "ES256" (RFC 7518 §3.4) for hardware modules that know no better.
* The header has the members `alg`, `kid` and `typ`, all text, and no others; so `crit` is refused
  (RFC 7515 §4.1.11), and `none` and "EdDSA" are algorithms like any other unknown one. `kid` is
  the key's thumbprint (RFC 7638); `typ` keeps other uses of a key apart (RFC 8725 §3.11).
* Base64url has exactly one spelling per value: no padding, no spare bits, nothing skipped.
  Duplicate names in a header are refused.
* Ed25519 keys of small order are refused, for under such a key a signature can be made without
  the private one, and it fits any message; and so are keys spelled in a second way (y >= p).
* Signing is deterministic (RFC 8032, RFC 6979): the same token comes out every time.

An ES256 signature (r, s) can be turned into (r, n - s) by anybody. What somebody signed twice is
therefore told from `Token.signing_input`, never from the token as a whole.

Deliberately elsewhere: what a payload says (`schemas.envelope`), who may use which key and for
how long (the directory), where private keys are kept (`runtime.keys`).
"""

import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Final, Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = [
    "SIGNATURE_BYTES",
    "TOKEN_BYTES_MAX",
    "TYPE",
    "Algorithm",
    "JWSError",
    "JWSReason",
    "PublicKey",
    "Signer",
    "SoftwareSigner",
    "Token",
    "b64url_decode_strict",
    "b64url_encode",
    "parse",
    "sign",
    "verify",
]

TYPE: Final = "a6hub"
"""The `typ` of every token of ours."""

SIGNATURE_BYTES: Final = 64
"""Both algorithms sign in 64 bytes: R and S of RFC 8032, r and s of RFC 7518 §3.4."""

TOKEN_BYTES_MAX: Final = 64 * 1024
"""A manifest of 32 messages takes under 8 KiB; past this something else is being sent."""

_HEADER_BYTES_MAX = 256  # Ours has about 107; it also bounds what _read_header() remembers.
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ED25519_FIELD = 2**255 - 19
_ORDER_8_Y = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y = {0, 1, _ED25519_FIELD - 1, _ORDER_8_Y, _ED25519_FIELD - _ORDER_8_Y}


class Algorithm(StrEnum):
    ED25519 = "Ed25519"
    ES256 = "ES256"


class JWSReason(StrEnum):
    """What is wrong: the form, the header, the algorithm, the key, or the signature."""

    MALFORMED = "malformed"
    HEADER = "header"
    ALGORITHM = "algorithm"
    KEY = "key"
    SIGNATURE = "signature"


class JWSError(ValueError):
    """A token or key that must not be believed; the message names the part and the remedy."""

    def __init__(self, reason: JWSReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart. Nothing in it is to be believed before `verify`."""

    alg: Algorithm
    kid: str
    payload: bytes
    signing_input: bytes
    signature: bytes


@dataclass(frozen=True)
class PublicKey:
    """A public key as a value: 32 bytes of Ed25519 (RFC 8032), or a point of P-256 in 65 bytes.

    The point is uncompressed (0x04, x, y; SEC 1 §2.3.3). Bytes that are no safe key raise
    `JWSError`, so a key that exists can be used. Equal and hashed by algorithm and bytes.
    """

    algorithm: Algorithm
    raw: bytes
    loaded: Ed25519PublicKey | EllipticCurvePublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "loaded", _LOADERS[self.algorithm](self.raw))

    @classmethod
    def of(cls, key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> Self:
        """Return the public half of a private key; `JWSError` for a curve other than P-256."""
        public = key.public_key()
        if isinstance(public, Ed25519PublicKey):
            return cls(Algorithm.ED25519, public.public_bytes_raw())
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return cls(Algorithm.ES256, point)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read `Ed25519:<base64url>` or `ES256:<base64url>`; the opposite of `to_text`."""
        name, _, encoded = text.partition(":")
        if name not in _LOADERS:
            raise JWSError(
                JWSReason.ALGORITHM,
                f"key: unknown algorithm {name!r:.40}; write Ed25519:... or ES256:...",
            )
        return cls(Algorithm(name), b64url_decode_strict(encoded))

    def to_text(self) -> str:
        return f"{self.algorithm}:{b64url_encode(self.raw)}"

    def jwk(self) -> dict[str, str]:
        """Return the members that a JWK must have (RFC 7518 §6.2, RFC 8037 §2), sorted by name."""
        if self.algorithm is Algorithm.ED25519:
            return {"crv": "Ed25519", "kty": "OKP", "x": b64url_encode(self.raw)}
        x, y = b64url_encode(self.raw[1:33]), b64url_encode(self.raw[33:])
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}

    @cached_property
    def key_id(self) -> str:
        """The JWK thumbprint, RFC 7638 §3: base64url of a SHA-256, 43 characters."""
        return b64url_encode(sha256(_compact(self.jwk())).digest())

    @cached_property
    def header(self) -> str:
        """The encoded header of every token under this key: the first part, without its dot."""
        members = {"alg": str(self.algorithm), "kid": self.key_id, "typ": TYPE}
        return b64url_encode(_compact(members))

    def accepts(self, data: bytes, signature: bytes) -> bool:
        """Say whether `signature` is one of this key over `data`, in the raw form of JWS."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            if isinstance(self.loaded, Ed25519PublicKey):
                self.loaded.verify(signature, data)
            else:
                r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
                if not (0 < r < _P256_ORDER and 0 < s < _P256_ORDER):
                    return False
                self.loaded.verify(encode_dss_signature(r, s), data, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


class Signer(Protocol):
    """Whatever holds a private key: software here, a hardware module elsewhere.

    `sign` returns the raw signature of 64 bytes over `data`, which it hashes itself where the
    algorithm asks for it, and must verify under `public`. What it raises is its own.
    """

    @property
    def public(self) -> PublicKey: ...

    def sign(self, data: bytes) -> bytes: ...


class SoftwareSigner:
    """Signs with a private key in memory; where it came from is the caller's business."""

    def __init__(self, key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> None:
        self._key = key
        self._public = PublicKey.of(key)

    @property
    def public(self) -> PublicKey:
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Return R || S of RFC 8032 §5.1.6, or r || s of RFC 7518 §3.4 with RFC 6979's nonce."""
        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.sign(data)
        der = self._key.sign(data, ECDSA(SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def sign(payload: bytes, signer: Signer) -> str:
    """Return the compact token of RFC 7515 §5.1 over `payload`, under the signer's key."""
    signing_input = f"{signer.public.header}.{b64url_encode(payload)}"
    signature = signer.sign(signing_input.encode("ascii"))
    assert len(signature) == SIGNATURE_BYTES, "a signer returns 64 raw bytes, not DER"
    return f"{signing_input}.{b64url_encode(signature)}"


def parse(token: str, *, bytes_max: int = TOKEN_BYTES_MAX) -> Token:
    """Take a compact token apart, RFC 7515 §5.2 steps 1 to 7, without checking the signature.

    Raises `JWSError`: malformed (size, parts, base64url), header (JSON, members, type) or
    algorithm (none that we know).
    """
    if len(token) > bytes_max:
        raise _malformed(f"token: longer than {bytes_max} bytes; send less in one")
    octets = _ascii(token, "token")
    parts = octets.split(b".")
    if len(parts) != 3:
        raise _malformed(f"token: {len(parts)} parts instead of 3; send header.payload.signature")
    header, payload, signature = parts
    if len(header) > _HEADER_BYTES_MAX:
        raise _malformed(f"header: over {_HEADER_BYTES_MAX} bytes; send alg, kid and typ only")
    alg, kid = _read_header(header)
    signing_input = octets[: len(header) + 1 + len(payload)]
    return Token(
        alg, kid, _decode(payload, "payload"), signing_input, _decode(signature, "signature")
    )


def verify(token: Token, key: PublicKey) -> None:
    """Return if `key` signed the token, RFC 7515 §5.2 step 8; else raise `JWSError`.

    The algorithm must be the key's own (reason algorithm, RFC 8725 §3.1), the key id its
    thumbprint (reason key), and the signature right (reason signature).
    """
    if token.alg is not key.algorithm:
        raise JWSError(
            JWSReason.ALGORITHM,
            f"header: alg is {token.alg}, but this key signs with {key.algorithm}; use that",
        )
    if token.kid != key.key_id:
        raise JWSError(
            JWSReason.KEY,
            f"header: kid is {token.kid!r:.60}, not {key.key_id}; name the key that signed",
        )
    if not key.accepts(token.signing_input, token.signature):
        raise JWSError(
            JWSReason.SIGNATURE,
            f"signature: not one of key {key.key_id} over these bytes; send the token as signed",
        )


def b64url_encode(data: bytes) -> str:
    """Encode without padding, RFC 7515 §2 and appendix C."""
    return _encode(data).decode("ascii")


def b64url_decode_strict(text: str) -> bytes:
    """Decode what `b64url_encode` wrote, and only that; anything else is `JWSError` malformed.

    RFC 4648 §3.5 lets a decoder overlook spare bits, padding and foreign characters; then two
    texts would mean the same bytes, and a signed text could be changed unnoticed.
    """
    return _decode(_ascii(text, "base64url"), "base64url")


# With binascii rather than base64: half the time, on the path of every envelope.
_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")


def _encode(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")


def _decode(octets: bytes, part: str) -> bytes:
    try:
        data = binascii.a2b_base64(octets.translate(_FROM_URL) + b"==")
    except binascii.Error:
        data = None
    # The decoder skips what it does not know; writing the bytes again shows all of it.
    if data is None or _encode(data) != octets:
        raise _malformed(f"{part}: not canonical base64url; encode without padding or spare bits")
    return data


def _ascii(text: str, part: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError as error:
        raise _malformed(f"{part}: not ASCII; send the compact serialization") from error


_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@lru_cache(maxsize=1024)
def _read_header(encoded: bytes) -> tuple[Algorithm, str]:
    """Return algorithm and key id. Remembered, for a key's header is the same in every token."""
    try:
        members = json.loads(
            _decode(encoded, "header").decode("utf-8"), object_pairs_hook=_without_duplicates
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _header("not JSON; send an object with alg, kid and typ") from error
    if not isinstance(members, dict):
        raise _header("not a JSON object; send one with alg, kid and typ")
    for name in sorted(members.keys() - {"alg", "kid", "typ"}):
        raise _header(f"member {name!r:.60} is not understood; send alg, kid and typ only")
    for name in ("alg", "kid", "typ"):
        if not isinstance(members.get(name), str):
            raise _header(f"member '{name}' is missing or not text; send all of alg, kid and typ")
    if members["typ"] != TYPE:
        raise _header(f"typ is {members['typ']!r:.60}; tokens of this protocol say '{TYPE}'")
    if members["alg"] not in _LOADERS:
        raise JWSError(
            JWSReason.ALGORITHM,
            f"header: alg {members['alg']!r:.40} is not accepted; sign with Ed25519 or ES256",
        )
    if _THUMBPRINT.fullmatch(members["kid"]) is None:
        raise _header(
            f"kid {members['kid']!a:.60} is no RFC 7638 thumbprint; name the key that signed"
        )
    return Algorithm(members["alg"]), members["kid"]


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _header("a member is given twice; send each of alg, kid and typ once")
    return members


def _load_ed25519(raw: bytes) -> Ed25519PublicKey:
    if len(raw) != 32:
        raise JWSError(JWSReason.KEY, f"key: Ed25519 has 32 bytes, not {len(raw)}; RFC 8032 §5.1.5")
    y = int.from_bytes(raw, "little") & ((1 << 255) - 1)  # the top bit is the sign of x
    if y in _SMALL_ORDER_Y or y >= _ED25519_FIELD:
        raise JWSError(JWSReason.KEY, "key: unsafe Ed25519 point; generate an ordinary key pair")
    return Ed25519PublicKey.from_public_bytes(raw)


def _load_p256(raw: bytes) -> EllipticCurvePublicKey:
    if len(raw) != 65 or raw[0] != 4:
        raise JWSError(JWSReason.KEY, "key: P-256 has 65 bytes: 0x04, x and y; SEC 1 §2.3.3")
    try:
        return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)
    except ValueError as error:
        raise JWSError(JWSReason.KEY, "key: not a point of P-256; copy the key again") from error


def _compact(members: dict[str, str]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode("ascii")


def _malformed(message: str) -> JWSError:
    return JWSError(JWSReason.MALFORMED, message)


def _header(message: str) -> JWSError:
    return JWSError(JWSReason.HEADER, f"header: {message}")


_LOADERS: dict[str, Callable[[bytes], Ed25519PublicKey | EllipticCurvePublicKey]] = {
    Algorithm.ED25519: _load_ed25519,
    Algorithm.ES256: _load_p256,
}
