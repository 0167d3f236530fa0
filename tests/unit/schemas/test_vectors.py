# SPDX-License-Identifier: Apache-2.0
"""Our readers against the published vectors, whose expectations were stated by hand."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from schemas import jws
from schemas.envelope import EnvelopeError, Opened, open_envelope, verify
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import (
    AccountNumber,
    Actor,
    ApproachId,
    AuthorizationId,
    CaseId,
    Digest,
    Instant,
    MessageId,
    Participant,
    PartyCode,
    RegistryId,
    TransactionId,
)
from schemas.messages import CONTROL_TYPES, SAID_BY, Malformed, Message, parse_message, role
from schemas.units import ItmoIdentifier, Key
from tests.make_vectors import FOLDER, files, main

Json = dict[str, Any]

READERS: dict[str, Callable[[str], str]] = {
    "registry": RegistryId,
    "participant": Participant,
    "party": PartyCode,
    "actor": Actor,
    "approach": ApproachId,
    "authorization": AuthorizationId,
    "transaction": TransactionId,
    "case": CaseId,
    "digest": Digest,
    "message": MessageId,
    "instant": Instant,
    "account": AccountNumber,
    "key": lambda text: Key.parse(text).text,
    "itmo": lambda text: str(ItmoIdentifier.parse(text)),
}


def load(name: str) -> Json:
    loaded: Json = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return loaded


def cases(name: str) -> list[Any]:
    found = load(name)["cases"]
    return [pytest.param(case, id=case.get("name") or ascii(case["text"])) for case in found]


def content(case: Json) -> bytes:
    whole = case.get("line", case.get("envelope"))
    parts = [whole] if whole is not None else case["build"]
    return b"".join(map(part_of, parts))


def part_of(part: str | Json) -> bytes:
    if isinstance(part, str):
        return part.encode()
    if "hex" in part:
        return bytes.fromhex(part["hex"])
    text: str = part["repeat"]
    return text.encode() * int(part["times"])


def told(found: Finding) -> Json:
    return {"code": found.code, "reason": str(found.reason), "field": found.field}


def test_the_vectors_are_as_their_script_makes_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().out


def test_the_script_names_no_file_twice_and_leaves_none_behind() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*files(), "README.md"}


@pytest.mark.parametrize("name", sorted(files()))
def test_case_names_are_unique(name: str) -> None:
    names = [case.get("name") or (case["kind"], case["text"]) for case in load(name)["cases"]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", cases("identifiers.json"))
def test_an_identifier(case: Json) -> None:
    read = READERS[case["kind"]]
    if case["valid"]:
        assert str(read(case["text"])) == case["canonical"]
        assert str(read(case["canonical"])) == case["canonical"]
    else:
        with pytest.raises(ValueError):  # noqa: PT011 - many texts, one refusal
            read(case["text"])


def test_every_kind_of_identifier_has_vectors() -> None:
    assert {case["kind"] for case in load("identifiers.json")["cases"]} == set(READERS)


@pytest.mark.requirement(14, case="an approval without a verification report")
@pytest.mark.requirement(8, case="other purposes without a first transfer definition")
@pytest.mark.parametrize("case", cases("messages.json"))
def test_a_message(case: Json) -> None:
    if case["expect"] == "ok":
        assert parse_message(content(case)).type == case["type"]
    else:
        with pytest.raises(Malformed) as caught:
            parse_message(content(case))
        assert told(caught.value.finding) == case["expect"]


def test_every_type_has_a_good_message() -> None:
    good = {case["type"] for case in load("messages.json")["cases"] if case["expect"] == "ok"}
    assert good == set(SAID_BY)


def receive(body: bytes, recipient: str, keys: dict[str, list[jws.PublicKey]]) -> Opened:
    """What a recipient does with bytes before it looks at messages, in the order it does it."""
    opened = open_envelope(body)
    manifest = opened.manifest
    if manifest.to != recipient:
        raise EnvelopeError(finding(Reason.RECIPIENT_WRONG))
    if manifest.sender not in keys:
        raise EnvelopeError(finding(Reason.SENDER_UNKNOWN))
    known = {key.key_id: key for key in keys[manifest.sender]}
    if opened.token.kid not in known:
        raise EnvelopeError(finding(Reason.KEY_UNKNOWN))
    verify(opened.token, known[opened.token.kid])
    return opened


def heard(opened: Opened, line: bytes) -> Json:
    """One line's own outcome."""
    try:
        message: Message = parse_message(line)
    except Malformed as error:
        return told(error.finding)
    control = opened.manifest.control is not None
    way = role(opened.manifest.sender), role(opened.manifest.to)
    if control != (message.type in CONTROL_TYPES) or way not in SAID_BY[message.type]:
        return told(finding(Reason.TYPE_NOT_ALLOWED))
    return {"type": message.type}


ENVELOPES = load("envelopes.json")
KEYS = {name: jws.PublicKey.from_text(key["public"]) for name, key in ENVELOPES["keys"].items()}


@pytest.mark.parametrize("case", cases("envelopes.json"))
def test_an_envelope(case: Json) -> None:
    keys = {actor: [KEYS[name] for name in names] for actor, names in case["directory"].items()}
    if case["expect"] == "ok":
        opened = receive(content(case), case["recipient"], keys)
        assert [heard(opened, line) for line in opened.lines] == case["messages"]
    else:
        with pytest.raises(EnvelopeError) as caught:
            receive(content(case), case["recipient"], keys)
        found = caught.value.finding
        assert {"code": found.code, "reason": str(found.reason)} == case["expect"]


def test_keys_of_the_vectors_are_what_their_seeds_give() -> None:
    for name, key in ENVELOPES["keys"].items():
        assert KEYS[name].key_id == key["key_id"]
        assert KEYS[name].algorithm == key["algorithm"]
