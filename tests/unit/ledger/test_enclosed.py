# SPDX-License-Identifier: Apache-2.0
"""What proves that an actor said something to the hub, and what does not."""

from typing import Any

import pytest

from ledger.directory import Directory
from ledger.enclosed import unproven
from schemas.directory import LastSequence, Revocation, Rotation
from schemas.envelope import Manifest, digest, open_manifest, seal
from schemas.findings import Reason
from schemas.identifiers import Participant
from tests.unit.ledger.world import CHE, GHA, NOON, directory, key_text, signed, signer

LINE = b'{"said":"this"}'
OLD, NEW = str(GHA), "ghana new"
CLOSES = (
    LastSequence(to=Participant("HUB"), last=10),
    LastSequence(to=Participant("REC"), last=20),
)
CONTROL: dict[str, Any] = {"sequence": None, "control": True, "nonce": "0" * 32}


def rotated() -> Directory:
    """Ghana has changed its key behind its tenth envelope to the hub."""
    act = Rotation(
        actor=GHA, old=signer(OLD).public.key_id, new=key_text(NEW), closes=CLOSES, at=NOON
    )
    return directory().apply(signed(act, OLD, NEW))


def withdrawn() -> Directory:
    """Ghana's key is revoked from its eleventh envelope on, and it has no other."""
    old = signer(OLD).public.key_id
    act = Revocation(actor=GHA, old=old, new=None, closes=CLOSES, reason="stolen", at=NOON)
    return directory().apply(signed(act, "ada", "ben"))


def found(there: Directory, key: str, said: bytes = LINE, **members: Any) -> Reason | None:
    """What is found about a line that Ghana said in an envelope with these members."""
    values = {
        "from": GHA,
        "to": "HUB",
        "sequence": 10,
        "sent_at": NOON,
        "seen": 0,
        "messages": (digest(LINE),),
    }
    envelope = seal(Manifest.model_validate(values | members), (LINE,), signer(key))
    token, manifest = open_manifest(envelope.partition(b"\n")[0])
    problem = unproven(there, token, manifest, digest(said))
    return problem.reason if problem else None


CASES: dict[str, tuple[Directory, str, dict[str, Any], Reason | None]] = {
    "with the key that it has": (directory(), OLD, {}, None),
    "with the old key, up to its last sequence": (rotated(), OLD, {}, None),
    "with the old key, beyond it": (rotated(), OLD, {"sequence": 11}, Reason.KEY_UNKNOWN),
    "with the new key, from there on": (rotated(), NEW, {"sequence": 11}, None),
    "with the new key, before": (rotated(), NEW, {}, Reason.KEY_UNKNOWN),
    "with a withdrawn key, up to what was accepted": (withdrawn(), OLD, {}, None),
    "with a withdrawn key, beyond it": (withdrawn(), OLD, {"sequence": 11}, Reason.KEY_UNKNOWN),
    "with somebody else's key": (directory(), str(CHE), {}, Reason.KEY_UNKNOWN),
    "with a key to come": (directory(), NEW, {"sequence": 11}, Reason.KEY_UNKNOWN),
    "to somebody else": (directory(), OLD, {"to": "REC"}, Reason.RECIPIENT_WRONG),
    "to itself": (directory(), OLD, {"to": "GHA01"}, Reason.RECIPIENT_WRONG),
    "in a control envelope": (directory(), OLD, CONTROL, Reason.TYPE_NOT_ALLOWED),
    "another line": (directory(), OLD, {"said": b"{}"}, Reason.MANIFEST_MISMATCH),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_passed_on_was_said_to_the_hub_in_sequence(name: str) -> None:
    there, key, members, expected = CASES[name]
    assert found(there, key, **members) is expected


def test_what_is_passed_on_was_signed() -> None:
    values = {"from": GHA, "to": "HUB", "sequence": 1, "sent_at": NOON, "seen": 0}
    manifest = Manifest.model_validate({**values, "messages": (digest(LINE),)})
    line = seal(manifest, (LINE,), signer(OLD)).partition(b"\n")[0]
    head, payload, signature = line.split(b".")
    token, read = open_manifest(b".".join((head, payload, b"A" * len(signature))))
    problem = unproven(directory(), token, read, digest(LINE))
    assert problem is not None
    assert problem.reason is Reason.SIGNATURE_INVALID
