# SPDX-License-Identifier: Apache-2.0
"""Notes, checkpoints and cosignatures: published examples, round trips, and everything refused."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger import log, note
from ledger.note import Checkpoint, NoteError, SignatureLine, SignatureType, VerifierKey
from schemas.jws import SoftwareSigner

# The example of golang.org/x/mod/sumdb/note: key pair, text and signature.
PETER_PRIVATE = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"  # type byte and seed
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PETER_LINE = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
    "otpRZb6KE6RyyBwJnAM="
)
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
ENOCH_LINE = (
    "\u2014 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWL"
    "ox33WWd1RvMc+QQ="
)

# The example of C2SP signed-note, "Verifier keys".
SPECIFICATION_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPECIFICATION_NOTE = (
    "This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi"
    "2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)

# A checkpoint that a public log made in May 2026, with cosignatures of public witnesses. Its
# first line is of a type that we do not know.
PUBLIC_LOG = (
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
)
PUBLIC_WITNESSES = {
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
    (
        "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdi"
        "VEPM"
    ),
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
}
PUBLIC_NOTE = (
    "arche2025h1.staging.ct.transparency.dev\n"
    "1432088532\n"
    "U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n"
    "\n"
    "\u2014 arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6ho"
    "GREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n"
    "\u2014 arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUk"
    "zbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    "\u2014 transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYT"
    "zwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==\n"
    "\u2014 witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/"
    "iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==\n"
    "\u2014 remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIob"
    "WX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n"
    "\u2014 witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr"
    "+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==\n"
)

KEY = SoftwareSigner(Ed25519PrivateKey.from_private_bytes(base64.b64decode(PETER_PRIVATE)[1:]))
WITNESS = SoftwareSigner(Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
ORIGIN = "a6hub.example/log"
LOG_KEY = VerifierKey(ORIGIN, SignatureType.ED25519, KEY.public)
WITNESS_KEY = VerifierKey("GHA01", SignatureType.COSIGNATURE, WITNESS.public)
CHECKPOINT = Checkpoint(ORIGIN, 20852163, log.leaf_hash(b"root"))
TEXT = CHECKPOINT.to_text()
SECOND = 1679315147
LINE = note.sign_note(TEXT, ORIGIN, KEY)
COSIGNATURE = note.cosign(TEXT, "GHA01", WITNESS, SECOND)
NOTE = note.format_note(TEXT, [LINE, COSIGNATURE])


def test_the_go_example_comes_out() -> None:
    peter = VerifierKey.from_text(PETER)
    assert peter == VerifierKey("PeterNeumann", SignatureType.ED25519, KEY.public)
    assert note.sign_note(PETER_TEXT, "PeterNeumann", KEY) == PETER_LINE
    whole = note.format_note(PETER_TEXT, [PETER_LINE, ENOCH_LINE])
    assert whole == f"{PETER_TEXT}\n{PETER_LINE}\n{ENOCH_LINE}\n"
    enoch = VerifierKey.from_text(ENOCH)
    assert note.open_note(whole, [peter]) == (PETER_TEXT, {peter: None})
    assert note.open_note(whole, [enoch, peter])[1] == {peter: None, enoch: None}


def test_the_example_of_the_specification_verifies() -> None:
    key = VerifierKey.from_text(SPECIFICATION_KEY)
    assert note.open_note(SPECIFICATION_NOTE, [key])[1] == {key: None}


def test_a_checkpoint_of_a_public_log_and_its_witnesses_verifies() -> None:
    keys = [VerifierKey.from_text(text) for text in (PUBLIC_LOG, *PUBLIC_WITNESSES)]
    text, signed = note.open_note(PUBLIC_NOTE, keys)
    assert signed.keys() == set(keys)
    assert signed[keys[0]] is None
    assert {signed[key] for key in keys[1:]} == {1779573024}
    checkpoint = Checkpoint.from_text(text)
    assert checkpoint.origin == keys[0].name
    assert checkpoint.size == 1432088532
    assert checkpoint.to_text() == text


def test_a_witness_signs_a_header_the_time_and_the_text() -> None:
    line = SignatureLine.from_text(COSIGNATURE)
    assert line.signature[:8] == SECOND.to_bytes(8, "big")
    signed = f"cosignature/v1\ntime {SECOND}\n{TEXT}".encode()
    assert WITNESS_KEY.key.accepts(signed, line.signature[8:])
    assert note.verify_cosignature(TEXT, line, WITNESS_KEY) == SECOND


def test_both_kinds_of_line_are_opened_together() -> None:
    text, signed = note.open_note(NOTE, [WITNESS_KEY, LOG_KEY])
    assert Checkpoint.from_text(text) == CHECKPOINT
    assert signed == {LOG_KEY: None, WITNESS_KEY: SECOND}
    note.verify_signature(text, SignatureLine.from_text(LINE), LOG_KEY)


def test_a_key_known_for_one_purpose_does_not_serve_the_other() -> None:
    for other, line in (
        (VerifierKey(ORIGIN, SignatureType.COSIGNATURE, LOG_KEY.key), LINE),
        (VerifierKey("GHA01", SignatureType.ED25519, WITNESS_KEY.key), COSIGNATURE),
    ):
        assert other.key_id not in (LOG_KEY.key_id, WITNESS_KEY.key_id)
        read = SignatureLine.from_text(line)
        for verify in (note.verify_signature, note.verify_cosignature):
            with pytest.raises(NoteError):
                verify(TEXT, read, other)
        with pytest.raises(NoteError, match="no signature by a known key"):
            note.open_note(NOTE, [other])
    with pytest.raises(NoteError, match="not by"):
        note.verify_signature(TEXT, SignatureLine.from_text(PETER_LINE), LOG_KEY)


names = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="+"), min_size=1, max_size=60
).filter(lambda name: not any(map(str.isspace, name)))


@given(
    name=names,
    size=st.integers(min_value=1, max_value=2**53 - 1),
    root=st.binary(min_size=32, max_size=32),
    second=st.integers(min_value=0, max_value=note.TIMESTAMP_MAX),
)
def test_what_is_written_is_read_back(name: str, size: int, root: bytes, second: int) -> None:
    checkpoint = Checkpoint(name, size, root)
    text = checkpoint.to_text()
    assert Checkpoint.from_text(text) == checkpoint
    keys = [VerifierKey(name, kind, KEY.public) for kind in SignatureType]
    assert [VerifierKey.from_text(key.to_text()) for key in keys] == keys
    lines = [note.sign_note(text, name, KEY), note.cosign(text, name, KEY, second)]
    whole = note.format_note(text, lines)
    assert [line.to_text() for line in note.parse_note(whole)[1]] == lines
    assert note.open_note(whole, keys) == (text, dict(zip(keys, (None, second), strict=True)))


def test_the_empty_log_has_one_checkpoint() -> None:
    checkpoint = Checkpoint(ORIGIN, 0, log.EMPTY_ROOT)
    assert Checkpoint.from_text(checkpoint.to_text()) == checkpoint
    with pytest.raises(NoteError, match="line 3"):
        Checkpoint(ORIGIN, 0, CHECKPOINT.root)


@pytest.mark.parametrize(
    ("line", "key"),
    [pytest.param(LINE, LOG_KEY, id="note"), pytest.param(COSIGNATURE, WITNESS_KEY, id="cosigned")],
)
def test_no_note_survives_a_flipped_bit(line: str, key: VerifierKey) -> None:
    octets = note.format_note(TEXT, [line]).encode()
    assert note.open_note(octets.decode(), [key])
    for bit in range(8 * len(octets)):
        bad = (int.from_bytes(octets, "big") ^ 1 << bit).to_bytes(len(octets), "big")
        try:
            text = bad.decode()
        except UnicodeDecodeError:
            continue
        with pytest.raises(NoteError):
            note.open_note(text, [key])


def test_no_verifier_key_survives_a_flipped_bit() -> None:
    octets = PETER.encode()
    for bit in range(8 * len(octets)):
        bad = (int.from_bytes(octets, "big") ^ 1 << bit).to_bytes(len(octets), "big")
        with pytest.raises(NoteError):
            VerifierKey.from_text(bad.decode("latin-1"))


def test_no_part_of_a_verifier_key_is_one() -> None:
    for begin in range(len(PETER)):
        for end in range(begin, len(PETER) + 1):
            if (begin, end) != (0, len(PETER)):
                with pytest.raises(NoteError):
                    VerifierKey.from_text(PETER[begin:end])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (  # a key of 34 bytes with its right id, from the Go tests
            "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
            "base64",
        ),
        (  # type 0x65 with its right id, from the Go tests
            "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "type",
        ),
        (PETER.replace("c74f20a3", "C74F20A3"), "key id"),
        (PETER.replace("c74f20a3", "c74f20a4"), "key id"),
        (PETER.replace("PeterNeumann", "Peter Neumann"), "space"),
        (PETER.replace("PeterNeumann", ""), "name"),
        (f"x+00000000+{base64.b64encode(bytes([1, 1, *[0] * 31])).decode()}", "unsafe"),
        ("x+00000000+", "type"),
    ],
)
def test_a_bad_verifier_key_is_refused(text: str, word: str) -> None:
    with pytest.raises(NoteError, match=word):
        VerifierKey.from_text(text)


def test_notes_are_signed_with_ed25519_only() -> None:
    key = SoftwareSigner(ec.derive_private_key(7, ec.SECP256R1())).public
    with pytest.raises(NoteError, match="ES256"):
        VerifierKey("GHA01", SignatureType.ED25519, key)


DASH, B64 = "\u2014", base64.b64encode(bytes(68)).decode()
SIGNED = f"text\n\n{DASH} name {B64}\n"
BAD_NOTES = {
    "empty": ("", 1),
    "text only": ("text\n", None),
    "no signatures": ("text\n\n", 3),
    "no newline at the end": (SIGNED[:-1], 3),
    "no empty line": (SIGNED.replace("\n\n", "\n"), None),
    "an empty line after": (f"{SIGNED}\n", 5),
    "a line after": (f"{SIGNED}Unexpected line.\n", 4),
    "a control character": (f"\x01{SIGNED}", 1),
    "a tab": (SIGNED.replace("name ", "name\t"), 3),
    "a carriage return": (SIGNED.replace("\n", "\r\n"), 1),
    "a delete": (f"a\nb\x7f{SIGNED}", 2),
    "a next-line character": (SIGNED.replace("text", "te\x85xt"), 1),
    "a lone surrogate": (f"a\n\ud800{SIGNED}", 2),
    "a hyphen for the dash": (SIGNED.replace(DASH, "-"), 3),
    "an en dash": (SIGNED.replace(DASH, "\u2013"), 3),
    "no space after the dash": (SIGNED.replace(f"{DASH} ", DASH), 3),
    "two spaces": (SIGNED.replace("name ", "name  "), 3),
    "a space at the end": (f"{SIGNED[:-1]} \n", 3),
    "no name": (SIGNED.replace("name ", ""), 3),
    "an empty name": (SIGNED.replace("name", ""), 3),
    "a plus in the name": (SIGNED.replace("name", "na+me"), 3),
    "a Unicode space in the name": (SIGNED.replace("name", "na\u2003me"), 3),
    "a long name": (SIGNED.replace("name", "n" * 256), 3),
    "a long name in bytes": (SIGNED.replace("name", "é" * 128), 3),
    "a second line gone bad": (f"{SIGNED}{DASH} name {B64[:-1]}\n", 4),
    "no padding": (SIGNED.replace("=", ""), 3),
    "spare bits": (SIGNED.replace("A=", "B="), 3),
    "a foreign character": (SIGNED.replace(f" {B64}", f" *{B64}"), 3),
    "base64url": (SIGNED.replace("AAAA", "__--", 1), 3),
    "base64 of letters beyond ASCII": (SIGNED.replace("AAAA", "éééé", 1), 3),
    "a key id alone": (SIGNED.replace(B64, "AAAAAA=="), 3),
    "no signature": (SIGNED.replace(B64, ""), 3),
    "1002 signatures": (f"text\n\n{f'{DASH} name {B64}{chr(10)}' * 1002}", 1004),
    "too long": ("a" * note.NOTE_BYTES_MAX + SIGNED, None),
    "too long in bytes": ("é" * (note.NOTE_BYTES_MAX // 2) + SIGNED, None),
}


@pytest.mark.parametrize(("text", "line"), BAD_NOTES.values(), ids=BAD_NOTES.keys())
def test_a_malformed_note_is_refused_at_its_line(text: str, line: int | None) -> None:
    with pytest.raises(NoteError) as caught:
        note.parse_note(text)
    assert caught.value.line == line
    assert line is None or f"line {line}" in str(caught.value)


def test_what_a_note_may_look_like() -> None:
    assert note.parse_note(SIGNED)[0] == "text\n"
    assert note.parse_note(f"a\n\nb\n\n\n{SIGNED}")[0] == "a\n\nb\n\n\ntext\n"
    assert len(note.parse_note(f"text\n\n{f'{DASH} name {B64}{chr(10)}' * 100}")[1]) == 100


ROOT_LINE = TEXT.split("\n")[2]
BAD_CHECKPOINTS = {
    "one line": (f"{ORIGIN}\n", 2),
    "two lines": (f"{ORIGIN}\n1\n", 3),
    "an extension line": (f"{TEXT}extension\n", 4),
    "an empty extension line": (f"{TEXT}\n", 4),
    "no newline at the end": (TEXT[:-1], 3),
    "no origin": (f"\n1\n{ROOT_LINE}\n", 1),
    "a long origin": (f"{'o' * 256}\n1\n{ROOT_LINE}\n", 1),
    "a tab in the origin": (f"o\to\n1\n{ROOT_LINE}\n", 1),
    "no size": (f"o\n\n{ROOT_LINE}\n", 2),
    "a leading zero": (f"o\n01\n{ROOT_LINE}\n", 2),
    "a double zero": (f"o\n00\n{ROOT_LINE}\n", 2),
    "a sign": (f"o\n+1\n{ROOT_LINE}\n", 2),
    "a negative size": (f"o\n-1\n{ROOT_LINE}\n", 2),
    "a space": (f"o\n1 \n{ROOT_LINE}\n", 2),
    "an underscore": (f"o\n1_0\n{ROOT_LINE}\n", 2),
    "a fraction": (f"o\n1.0\n{ROOT_LINE}\n", 2),
    "other digits": (f"o\n\u0661\n{ROOT_LINE}\n", 2),
    "a size past what JSON can say": (f"o\n{2**53}\n{ROOT_LINE}\n", 2),
    "an enormous size": (f"o\n{'9' * 5000}\n{ROOT_LINE}\n", 2),
    "no root": ("o\n1\n\n", 3),
    "a root without padding": (f"o\n1\n{ROOT_LINE[:-1]}\n", 3),
    "a short root": ("o\n1\nAAAA\n", 3),
    "a long root": (f"o\n1\n{B64}\n", 3),
    "entries with the root of none": (f"o\n0\n{ROOT_LINE}\n", 3),
}


@pytest.mark.parametrize(("text", "line"), BAD_CHECKPOINTS.values(), ids=BAD_CHECKPOINTS.keys())
def test_a_bad_checkpoint_is_refused_at_its_line(text: str, line: int) -> None:
    with pytest.raises(NoteError) as caught:
        Checkpoint.from_text(text)
    assert caught.value.line == line


@pytest.mark.parametrize("origin", ["", "two\nlines", "tab\t", "\ud800", "o" * 256])
def test_a_checkpoint_that_could_not_be_read_is_not_made(origin: str) -> None:
    with pytest.raises(NoteError) as caught:
        Checkpoint(origin, 1, CHECKPOINT.root)
    assert caught.value.line == 1


def test_what_is_not_signed() -> None:
    with pytest.raises(NoteError, match="newline"):
        note.sign_note("text", ORIGIN, KEY)
    with pytest.raises(NoteError, match="space"):
        note.sign_note("text\n", "two words", KEY)
    with pytest.raises(NoteError, match="cosignature"):
        note.sign_note(f"cosignature/v1\ntime {SECOND}\n{TEXT}", ORIGIN, KEY)
    with pytest.raises(NoteError, match="line 4"):
        note.cosign(f"{TEXT}extension\n", "GHA01", WITNESS, SECOND)
    for second in (-1, 2**63):
        with pytest.raises(NoteError, match="second"):
            note.cosign(TEXT, "GHA01", WITNESS, second)


def test_a_cosignature_of_no_time_is_refused() -> None:
    line = SignatureLine("GHA01", WITNESS_KEY.key_id, b"\xff" * 72)
    with pytest.raises(NoteError, match="time"):
        note.verify_cosignature(TEXT, line, WITNESS_KEY)
    short = SignatureLine("GHA01", WITNESS_KEY.key_id, b"\x00" * 7)
    with pytest.raises(NoteError, match="does not fit"):
        note.verify_cosignature(TEXT, short, WITNESS_KEY)


def test_a_known_key_that_does_not_verify_refuses_the_whole_note() -> None:
    bad = SignatureLine("GHA01", WITNESS_KEY.key_id, SignatureLine.from_text(LINE).signature)
    whole = note.format_note(TEXT, [LINE, bad.to_text()])
    assert note.open_note(whole, [LOG_KEY])[1] == {LOG_KEY: None}
    with pytest.raises(NoteError, match="GHA01") as caught:
        note.open_note(whole, [LOG_KEY, WITNESS_KEY])
    assert caught.value.line == 6


def test_a_key_signs_a_note_once() -> None:
    later = note.cosign(TEXT, "GHA01", WITNESS, SECOND + 1)
    with pytest.raises(NoteError, match="second signature") as caught:
        note.open_note(note.format_note(TEXT, [COSIGNATURE, later]), [WITNESS_KEY])
    assert caught.value.line == 6


def test_a_note_without_a_known_signature_is_refused() -> None:
    with pytest.raises(NoteError, match="no signature by a known key"):
        note.open_note(NOTE, [])
    with pytest.raises(NoteError, match="no signature by a known key"):
        note.open_note(NOTE, [VerifierKey.from_text(PETER)])


def test_two_keys_of_one_name_and_id_are_refused() -> None:
    double = VerifierKey("GHA01", SignatureType.COSIGNATURE, LOG_KEY.key)
    double.__dict__["key_id"] = WITNESS_KEY.key_id  # four bytes can be made to collide
    with pytest.raises(NoteError, match="two keys"):
        note.open_note(NOTE, [WITNESS_KEY, double])


@pytest.mark.parametrize("line", ["", "line", "\n", f"{LINE}\n", f"{LINE}\n\n{COSIGNATURE}"])
def test_a_note_is_made_of_signature_lines_only(line: str) -> None:
    with pytest.raises(NoteError):
        note.format_note(TEXT, [line])
