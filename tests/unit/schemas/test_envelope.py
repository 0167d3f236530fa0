# SPDX-License-Identifier: Apache-2.0
"""Sealing and opening: what goes in comes out, and of the rest comes `EnvelopeError` alone."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import jws, limits
from schemas.envelope import (
    EnvelopeError,
    Manifest,
    Opened,
    digest,
    open_envelope,
    open_manifest,
    seal,
    verify,
)
from schemas.findings import Reason
from schemas.identifiers import Actor, Digest, Instant, Participant
from tests.vectors.envelopes import KEYS
from tests.vectors.examples import good_messages, line

NOON = Instant("2027-03-01T12:00:00.000000Z")
LINES = [line(value).encode() for value in good_messages().values()]
SIGNERS = st.sampled_from([KEYS["ghana"], KEYS["switzerland"]])
bundles = st.lists(st.sampled_from(LINES), min_size=1, max_size=limits.MESSAGES_MAX).map(tuple)


def manifest(lines: tuple[bytes, ...], **changes: Any) -> Manifest:
    members = {
        "from": Actor("GHA01/GHA"),
        "to": Participant("HUB"),
        "sequence": 1,
        "sent_at": NOON,
        "seen": 0,
        "messages": tuple(map(digest, lines)),
    }
    return Manifest.model_validate(members | changes)


def opened_or_not(body: bytes) -> Opened | EnvelopeError:
    try:
        return open_envelope(body)
    except EnvelopeError as error:
        return error


@given(bundles, SIGNERS, st.integers(1, limits.INTEGER_MAX), st.integers(0, limits.INTEGER_MAX))
def test_what_is_sealed_is_opened_as_it_was(
    lines: tuple[bytes, ...], signer: jws.SoftwareSigner, sequence: int, seen: int
) -> None:
    said = manifest(lines, sequence=sequence, seen=seen)
    body = seal(said, lines, signer)
    opened = open_envelope(body)
    verify(opened.token, signer.public)
    assert (opened.manifest, opened.lines, opened.body) == (said, lines, body)
    assert b"\n".join((opened.manifest_line, *opened.lines)) == body
    assert opened.manifest_digest == digest(body.split(b"\n")[0])


@given(bundles, SIGNERS)
def test_sealing_again_gives_the_same_bytes(
    lines: tuple[bytes, ...], signer: jws.SoftwareSigner
) -> None:
    assert seal(manifest(lines), lines, signer) == seal(manifest(lines), lines, signer)


def test_a_control_envelope_is_opened_as_it_was() -> None:
    lines = (LINES[0],)
    said = manifest(lines, sequence=None, control=True, nonce="0" * 32, answers_nonce="f" * 32)
    opened = open_envelope(seal(said, lines, KEYS["hub"]))
    assert opened.manifest == said
    payload = json.loads(opened.token.payload)
    assert "sequence" not in payload, "what is absent is left out, not null"


@pytest.mark.parametrize(
    "lines", [(LINES[0],), (LINES[0], LINES[1], LINES[1]), (b"a\nb",)], ids=["other", "more", "lf"]
)
def test_sealing_what_the_manifest_does_not_name_is_a_bug(lines: tuple[bytes, ...]) -> None:
    named = lines if b"\n" in lines[0] else (LINES[1],)
    with pytest.raises(AssertionError):
        seal(manifest(named), lines, KEYS["ghana"])


@given(bundles, SIGNERS, SIGNERS)
def test_a_signature_is_of_one_key(
    lines: tuple[bytes, ...], signer: jws.SoftwareSigner, other: jws.SoftwareSigner
) -> None:
    opened = open_envelope(seal(manifest(lines), lines, signer))
    if other is not signer:
        with pytest.raises(EnvelopeError) as caught:
            verify(opened.token, other.public)
        assert caught.value.finding.reason is Reason.SIGNATURE_INVALID


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_no_envelope(body: bytes) -> None:
    assert isinstance(opened_or_not(body), EnvelopeError)


@given(st.binary(max_size=300), st.binary(max_size=300), SIGNERS)
def test_an_arbitrary_payload_is_no_manifest(
    payload: bytes, rest: bytes, signer: jws.SoftwareSigner
) -> None:
    body = jws.sign(payload, signer).encode() + b"\n" + rest
    assert isinstance(opened_or_not(body), EnvelopeError)


MEMBERS = json.loads(manifest((LINES[0],)).model_dump_json(by_alias=True))
VALUES = st.recursive(
    st.integers() | st.floats() | st.booleans() | st.none() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.sampled_from([*MEMBERS, "priority", "nonce"]), VALUES, SIGNERS)
def test_a_manifest_with_a_member_changed_is_read_or_refused(
    name: str, value: Any, signer: jws.SoftwareSigner
) -> None:
    payload = json.dumps({**MEMBERS, name: value}).encode()
    found = opened_or_not(b"\n".join((jws.sign(payload, signer).encode(), LINES[0])))
    if isinstance(found, Opened):
        kept = json.loads(found.manifest.model_dump_json(by_alias=True))
        assert kept.get(name) == value, "nothing is coerced on the way"


@pytest.mark.requirement(45, 47)
@pytest.mark.parametrize(
    ("said", "changed"),
    [
        (b'"action":"transfer"', b'"action":"use"'),
        (b'"action":"transfer"', b'"action":"first-transfer"'),
        (b'"quantity":10', b'"quantity":11'),
        (b'"last":10', b'"last":19'),
    ],
)
def test_neither_kind_nor_quantity_of_what_was_signed_can_be_changed(
    said: bytes, changed: bytes
) -> None:
    text = b'{"type":"proposal","body":{"action":"transfer","last":10,"quantity":10}}'
    body = seal(manifest((text,)), (text,), KEYS["ghana"])
    open_envelope(body)
    with pytest.raises(EnvelopeError) as caught:
        open_envelope(body.replace(said, changed))
    assert caught.value.finding.reason is Reason.MANIFEST_MISMATCH
    forged = text.replace(said, changed)
    swapped = open_envelope(seal(manifest((forged,)), (forged,), KEYS["switzerland"]))
    with pytest.raises(EnvelopeError) as caught:
        verify(swapped.token, KEYS["ghana"].public)
    assert caught.value.finding.reason is Reason.SIGNATURE_INVALID


@given(bundles, SIGNERS, st.data())
def test_an_envelope_with_a_byte_changed_is_not_authentic(
    lines: tuple[bytes, ...], signer: jws.SoftwareSigner, data: st.DataObject
) -> None:
    body = seal(manifest(lines), lines, signer)
    place = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda octet: octet != body[place]))
    found = opened_or_not(body[:place] + bytes([other]) + body[place + 1 :])
    if isinstance(found, Opened):
        with pytest.raises(EnvelopeError):
            verify(found.token, signer.public)


@given(bundles, SIGNERS, st.randoms(use_true_random=False))
def test_reordered_lines_are_a_mismatch(
    lines: tuple[bytes, ...], signer: jws.SoftwareSigner, random: Any
) -> None:
    first, *rest = seal(manifest(lines), lines, signer).split(b"\n")
    shuffled = list(rest)
    random.shuffle(shuffled)
    found = opened_or_not(b"\n".join((first, *shuffled)))
    if shuffled == rest:
        assert isinstance(found, Opened)
    else:
        assert isinstance(found, EnvelopeError)
        assert found.finding.reason is Reason.MANIFEST_MISMATCH
        assert found.finding.detail == "order"


def test_a_mismatch_says_how_many_messages_are_missing_and_not_named() -> None:
    lines = (LINES[0], LINES[1])
    first = seal(manifest(lines), lines, KEYS["ghana"]).split(b"\n")[0]
    for others, detail in (
        ((LINES[0], LINES[2]), "1 named but absent, 1 present but not named"),
        ((LINES[0],), "2 named, 1 present"),
        ((LINES[0], LINES[0]), "1 named but absent, 0 present but not named"),
    ):
        found = opened_or_not(b"\n".join((first, *others)))
        assert isinstance(found, EnvelopeError)
        assert found.finding.detail == detail


def test_an_envelope_that_is_too_large_is_not_even_split() -> None:
    found = opened_or_not(b"\n" * (limits.ENVELOPE_BYTES_MAX + 1))
    assert isinstance(found, EnvelopeError)
    assert found.finding.reason is Reason.ENVELOPE_TOO_LARGE


def test_the_largest_manifest_is_far_below_what_a_token_may_be() -> None:
    said = manifest(
        tuple(LINES[:1]) * limits.MESSAGES_MAX, sequence=limits.INTEGER_MAX, seen=limits.INTEGER_MAX
    )
    lines = tuple(LINES[:1]) * limits.MESSAGES_MAX
    line_bytes = len(seal(said, lines, KEYS["switzerland"]).split(b"\n")[0])
    assert line_bytes < 8192 < jws.TOKEN_BYTES_MAX
    assert line_bytes < 16384, "an enclosure has room for it"


def test_a_manifest_is_read_alone_as_evidence_is() -> None:
    lines = (LINES[0], LINES[1])
    body = seal(manifest(lines), lines, KEYS["ghana"])
    token, said = open_manifest(body.split(b"\n")[0])
    verify(token, KEYS["ghana"].public)
    assert digest(LINES[1]) in said.messages


def test_the_digest_of_what_is_signed_does_not_depend_on_the_signature() -> None:
    lines = (LINES[0],)
    opened = open_envelope(seal(manifest(lines), lines, KEYS["switzerland"]))
    header, payload, signature = opened.manifest_line.decode().split(".")
    other = jws.b64url_encode(bytes(64))
    forged = open_envelope(f"{header}.{payload}.{other}\n".encode() + LINES[0])
    assert signature != other
    assert forged.signed_digest == opened.signed_digest
    assert forged.manifest_digest != opened.manifest_digest


@pytest.mark.parametrize(
    "changes",
    [
        {"sequence": None},
        {"control": True, "nonce": "0" * 32},
        {"nonce": "0" * 32},
        {"sequence": None, "control": True},
        {"answers_nonce": "0" * 32},
        {"sequence": None, "control": False, "nonce": "0" * 32},
        {"messages": ()},
        {"messages": (Digest("0" * 64),) * (limits.MESSAGES_MAX + 1)},
        {"version": True},
    ],
)
def test_a_manifest_that_cannot_be_is_not_made(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        manifest((LINES[0],), **changes)
