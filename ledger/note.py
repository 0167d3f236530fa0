# SPDX-License-Identifier: Apache-2.0
"""Signed notes and checkpoints: what the hub says of its log, and who has seen it say so.

Formats of C2SP: signed-note, tlog-checkpoint and tlog-cosignature, with Ed25519 (RFC 8032) and
standard base64 (RFC 4648 §4). The rules of this file:

* A note is text, an empty line and signature lines; text that ends with a newline, holds no
  other control character and is UTF-8. Base64 has one spelling per value, sizes have no leading
  zeros, everything has a limit.
* A checkpoint is three lines: origin, size, root. Extension lines are refused: nobody audits
  them. The empty tree has one root, RFC 9162 §2.1.1.
* A key signs under a name and is known by that and four bytes of a hash over name, type and key.
  Type 0x01 signs the note's text. Type 0x04, a cosignature, signs a header, the time in seconds
  since 1970 and the text. Text that looks like the latter is not signed as the former.
* Lines by unknown keys, of any type, are passed over (signed-note, "Signatures"): that is how
  keys rotate and witnesses join. A line by a known key that does not verify refuses the whole
  note, and so does a second line by the same key.

Signature lines are held without their newline; `format_note` puts it there.

Deliberately elsewhere: proofs (`ledger.log`), which keys count and how many of them must have
signed (the witness policy), the clock that gives the seconds.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from hashlib import sha256
from typing import Final, Self

from ledger.log import EMPTY_ROOT, HASH_BYTES
from schemas.jws import Algorithm, JWSError, PublicKey, Signer
from schemas.limits import INTEGER_MAX

__all__ = [
    "NAME_BYTES_MAX",
    "NOTE_BYTES_MAX",
    "SIGNATURES_MAX",
    "TIMESTAMP_MAX",
    "Checkpoint",
    "NoteError",
    "SignatureLine",
    "SignatureType",
    "VerifierKey",
    "cosign",
    "format_note",
    "open_note",
    "parse_note",
    "sign_note",
    "verify_cosignature",
    "verify_signature",
]

NOTE_BYTES_MAX: Final = 256 * 1024
"""A thousand of our lines take 200 KiB; of post-quantum signatures, some 5 kB each, fifty fit."""

SIGNATURES_MAX: Final = 1001
"""Signature lines in one note: the log's own and those of every witness of a large federation."""

NAME_BYTES_MAX: Final = 255
"""A key name or origin: one line of a screen, and the bound that C2SP sets where it sets one."""

TIMESTAMP_MAX: Final = 253_402_300_799
"""The latest second that a cosignature can name here: the last of the year 9999. The format has
room for more (tlog-cosignature, "Format"), but no calendar does.
"""

_DASH = "\u2014 "
_COSIGNATURE_HEADER = "cosignature/v1\n"
_FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # UTF-8 has no surrogates.
_SIZE = re.compile("0|[1-9][0-9]{0,15}")


class NoteError(ValueError):
    """A note that must not be believed. `line` counts from one in what was given, if it can."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message if line is None else f"line {line}: {message}")
        self.line = line


class SignatureType(IntEnum):
    """The type byte in key ids and keys; signed-note, "Signature types"."""

    ED25519 = 0x01
    COSIGNATURE = 0x04


@dataclass(frozen=True)
class Checkpoint:
    """A tree head: the log's name, its number of leaves, and its root of 32 bytes.

    Anything that could not be read back is refused with `NoteError`.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        _check_words(self.origin, "origin", 1)
        if not 0 <= self.size <= INTEGER_MAX:
            raise NoteError(f"a log has 0 to {INTEGER_MAX} entries, not {self.size}", 2)
        if len(self.root) != HASH_BYTES:
            raise NoteError(f"a root has {HASH_BYTES} bytes, not {len(self.root)}", 3)
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise NoteError("this is not the root of a log without entries", 3)

    def to_text(self) -> str:
        """Return the note text: three lines, each with its newline; tlog-checkpoint."""
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read the text of a note, as `parse_note` returns it; `NoteError` names the bad line."""
        _check_text(text)
        origin, *rest = text[:-1].split("\n")
        if len(rest) > 2:
            raise NoteError("extension lines are not accepted; a checkpoint has three lines", 4)
        if len(rest) < 2:
            raise NoteError("a checkpoint has three lines: origin, size and root", len(rest) + 2)
        size, root = rest
        if _SIZE.fullmatch(size) is None:
            raise NoteError("the size is a decimal number without leading zeros", 2)
        return cls(origin, int(size), _unb64(root, "the root", 3))


@dataclass(frozen=True)
class VerifierKey:
    """An Ed25519 public key with the name and the purpose that it signs under."""

    name: str
    type: SignatureType
    key: PublicKey

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.key.algorithm is not Algorithm.ED25519:
            raise NoteError(f"notes are signed with Ed25519, not {self.key.algorithm}")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read `name+key id in hex+base64 of type and key`; signed-note, "Verifier keys"."""
        parts = text.split("+", 2)  # base64 may hold more of them
        if len(parts) != 3:
            raise NoteError("a verifier key is written name+key id+base64")
        name, key_id, encoded = parts
        material = _unb64(encoded, "the key")
        if not material or material[0] not in tuple(SignatureType):
            raise NoteError("a verifier key has type 0x01 or 0x04")
        try:
            public = PublicKey(Algorithm.ED25519, material[1:])
        except JWSError as error:
            raise NoteError(str(error)) from error
        key = cls(name, SignatureType(material[0]), public)
        if key.key_id.hex() != key_id:
            raise NoteError(f"the key id is {key.key_id.hex()}, not {key_id!r:.20}")
        return key

    def to_text(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_b64(bytes([self.type]) + self.key.raw)}"

    @cached_property
    def key_id(self) -> bytes:
        """Four bytes: SHA-256(name || 0x0A || type || key)[:4]; signed-note, "Signatures"."""
        return sha256(b"%b\n%c%b" % (self.name.encode(), self.type, self.key.raw)).digest()[:4]


@dataclass(frozen=True)
class SignatureLine:
    """One signature line, verified or not: name, key id of four bytes, and what follows it."""

    name: str
    key_id: bytes
    signature: bytes

    def to_text(self) -> str:
        return f"{_DASH}{self.name} {_b64(self.key_id + self.signature)}"

    @classmethod
    def from_text(cls, text: str, line: int | None = None) -> Self:
        """Read a line without its newline; `line` is its number, for the error message."""
        words = text.removeprefix(_DASH).split(" ")
        if not text.startswith(_DASH) or len(words) != 2:
            raise NoteError("a signature line is an em dash, a name and base64", line)
        _check_name(words[0], line)
        material = _unb64(words[1], "the signature", line)
        if len(material) < 5:
            raise NoteError("a signature is longer than the four bytes of its key id", line)
        return cls(words[0], material[:4], material[4:])


def sign_note(text: str, name: str, signer: Signer) -> str:
    """Return the signature line of a signer, as type 0x01, over a note's text; RFC 8032 §5.1.6.

    `NoteError` if the text could not stand in a note, or the name in a line.
    """
    octets = _check_text(text)
    if text.startswith(_COSIGNATURE_HEADER):
        # Whoever gets this signed as text could show it as a cosignature of what follows.
        raise NoteError("a text that begins like a cosignature is not signed as a note", 1)
    key_id = VerifierKey(name, SignatureType.ED25519, signer.public).key_id
    return SignatureLine(name, key_id, signer.sign(octets)).to_text()


def cosign(text: str, name: str, signer: Signer, timestamp: int) -> str:
    """Return the cosignature/v1 line of a signer over a checkpoint's text; tlog-cosignature.

    `timestamp` is the time of cosigning in whole seconds since 1970. Whether the checkpoint
    extends what the witness saw before is for the caller to know (`log.verify_consistency`).
    """
    Checkpoint.from_text(text)
    if not 0 <= timestamp <= TIMESTAMP_MAX:
        raise NoteError(f"a cosignature cannot be made at second {timestamp}")
    key_id = VerifierKey(name, SignatureType.COSIGNATURE, signer.public).key_id
    signature = signer.sign(_cosigned(text, timestamp))
    return SignatureLine(name, key_id, timestamp.to_bytes(8, "big") + signature).to_text()


def verify_signature(text: str, line: SignatureLine, key: VerifierKey) -> None:
    """Return if `line` is the signature of `key`, of type 0x01, over a note's text.

    `NoteError` if it is by another key, or of another text.
    """
    _check_belongs(line, key, SignatureType.ED25519)
    if not key.key.accepts(_check_text(text), line.signature):
        raise NoteError(f"the signature by {key.name} does not fit the text")


def verify_cosignature(text: str, line: SignatureLine, key: VerifierKey) -> int:
    """Return the second at which `key`, of type 0x04, cosigned a checkpoint's text.

    `NoteError` if it is by another key, or of another text. That the text is a checkpoint shows
    in `Checkpoint.from_text`, and whether the time is plausible is for the caller to say.
    """
    _check_belongs(line, key, SignatureType.COSIGNATURE)
    _check_text(text)
    timestamp = int.from_bytes(line.signature[:8], "big")
    if timestamp > TIMESTAMP_MAX:
        raise NoteError(f"the cosignature by {key.name} names no time")
    if not key.key.accepts(_cosigned(text, timestamp), line.signature[8:]):
        raise NoteError(f"the cosignature by {key.name} does not fit the text")
    return timestamp


def open_note(note: str, keys: Iterable[VerifierKey]) -> tuple[str, dict[VerifierKey, int | None]]:
    """Return the text and which of `keys` signed it, cosigners with their second.

    `NoteError` if a line by one of them does not verify, if one has two lines, or none has any.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise NoteError(f"two keys are known as {key.name}+{key.key_id.hex()}")
    text, lines = parse_note(note)
    signed: dict[VerifierKey, int | None] = {}
    for number, line in enumerate(lines, text.count("\n") + 2):
        signer = known.get((line.name, line.key_id))
        if signer is None:
            continue
        if signer in signed:
            raise NoteError(f"a second signature by {signer.name}", number)
        try:
            signed[signer] = _verify(text, line, signer)
        except NoteError as error:
            raise NoteError(str(error), number) from error
    if not signed:
        raise NoteError("no signature by a known key")
    return text, signed


def parse_note(note: str) -> tuple[str, tuple[SignatureLine, ...]]:
    """Take a note apart into its text, newline included, and its lines, none of them verified.

    `NoteError` names the line, from one, that breaks the format.
    """
    _check_text(note)
    cut = note.rfind("\n\n") + 1
    if not cut:
        raise NoteError("a note has an empty line between text and signatures")
    text, lines = note[:cut], note[cut + 1 : -1].split("\n")
    first = text.count("\n") + 2
    if len(lines) > SIGNATURES_MAX:
        raise NoteError(f"more than {SIGNATURES_MAX} signatures", first + SIGNATURES_MAX)
    return text, tuple(
        SignatureLine.from_text(line, number) for number, line in enumerate(lines, first)
    )


def format_note(text: str, lines: Sequence[str]) -> str:
    """Put a text and the lines that `sign_note` and `cosign` returned together; the whole note."""
    note = f"{text}\n" + "".join(f"{line}\n" for line in lines)
    if parse_note(note)[0] != text:
        raise NoteError("the lines are not signature lines")
    return note


def _verify(text: str, line: SignatureLine, key: VerifierKey) -> int | None:
    if key.type is SignatureType.COSIGNATURE:
        return verify_cosignature(text, line, key)
    verify_signature(text, line, key)
    return None


def _cosigned(text: str, timestamp: int) -> bytes:
    """Return what a cosignature signs; tlog-cosignature, "Ed25519 signed message"."""
    return f"{_COSIGNATURE_HEADER}time {timestamp}\n{text}".encode()


def _check_belongs(line: SignatureLine, key: VerifierKey, type: SignatureType) -> None:
    if key.type is not type:
        raise NoteError(f"the key {key.to_text()} is not for signatures of type {type:#04x}")
    if (line.name, line.key_id) != (key.name, key.key_id):
        raise NoteError(f"the line is by {line.name}+{line.key_id.hex()}, not by {key.to_text()}")


def _check_text(text: str) -> bytes:
    """Return the text as UTF-8 if it may stand in a note; signed-note, "Format"."""
    if len(text) > NOTE_BYTES_MAX:
        raise NoteError(f"longer than {NOTE_BYTES_MAX} bytes")
    found = _FORBIDDEN.search(text)
    if found is not None:
        number = text.count("\n", 0, found.start()) + 1
        raise NoteError(f"character {found.group()!a} cannot stand in a note", number)
    if not text.endswith("\n"):
        raise NoteError("no newline at the end", text.count("\n") + 1)
    octets = text.encode()
    if len(octets) > NOTE_BYTES_MAX:
        raise NoteError(f"longer than {NOTE_BYTES_MAX} bytes")
    return octets


def _check_words(text: str, what: str, line: int | None) -> None:
    if not text or "\n" in text or _FORBIDDEN.search(text) is not None:
        raise NoteError(f"the {what} is one line of plain text, not empty", line)
    if len(text.encode()) > NAME_BYTES_MAX:
        raise NoteError(f"the {what} is longer than {NAME_BYTES_MAX} bytes", line)


def _check_name(name: str, line: int | None = None) -> None:
    """Refuse a key name that a signature line or a verifier key could not carry."""
    _check_words(name, "key name", line)
    if "+" in name or any(character.isspace() for character in name):
        raise NoteError("a key name holds no space and no plus sign", line)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unb64(text: str, what: str, line: int | None = None) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = None
    # Spare bits are skipped by the decoder; writing the bytes again shows them.
    if data is None or _b64(data) != text:
        raise NoteError(f"{what} is not canonical base64", line)
    return data
