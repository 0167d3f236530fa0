# SPDX-License-Identifier: Apache-2.0
"""Makes `schemas/vectors/*.json`: examples of the wire, good and bad, for readers in any language.

`python tests/make_vectors.py` writes them, `--check` writes nothing and names what differs. Every
expectation is stated by hand here, from the rules and not from what our programs happen to answer;
`tests/unit/schemas/test_vectors.py` holds our programs to them. Nothing depends on clock or chance:
keys come from published seeds and both algorithms sign deterministically.
"""

import argparse
import copy
import json
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas import jws
from schemas.findings import Reason
from schemas.identifiers import Actor, account_number, message_id
from schemas.jws import SoftwareSigner
from schemas.limits import (
    ENVELOPE_BYTES_MAX,
    INTEGER_MAX,
    LINES_MAX,
    MESSAGE_BYTES_MAX,
    MESSAGES_MAX,
    NESTING_MAX,
    SERIAL_MAX,
)

FOLDER = Path(__file__).parents[1] / "schemas" / "vectors"

Json = dict[str, Any]
Change = Callable[[Any], object]


# --- identifiers --------------------------------------------------------------------------------

FORM = "the form is wrong"

# Per kind: what is valid (as canonical text, or text and its canonical form), what is not and why.
IDENTIFIERS: dict[str, tuple[list[str | tuple[str, str]], list[tuple[str, str]]]] = {
    "registry": (
        ["GHA01", "CHE02", "UN01", "UN02", "EUE01"],
        [
            ("", "empty"),
            ("gha01", "lower case"),
            ("GHA1", "one digit"),
            ("GHA001", "three digits"),
            ("GH01", "two letters, and not UN"),
            ("UNO1", "a letter for a digit"),
            ("UN1", "one digit"),
            ("GHA01 ", "a space after it"),
            (" GHA01", "a space before it"),
            ("GHA01\n", "a line feed after it"),
            ("GHA٠١", "digits that are not ASCII"),
            ("GНA01", "a Cyrillic letter that looks Latin"),
            ("HUB", "the hub is a participant, not a registry"),
        ],
    ),
    "participant": (
        ["GHA01", "UN01", "HUB", "REC"],
        [("hub", "lower case"), ("HUB01/HUB", "an actor"), ("RECO", FORM), ("", "empty")],
    ),
    "party": (
        ["GHA", "CHE", "EUE"],
        [("GH", "two letters"), ("GHAN", "four letters"), ("gha", "lower case"), ("GH1", FORM)],
    ),
    "actor": (
        ["GHA01/GHA", "UN02/VUT", "UN01/ADM", "GHA01/ADM", "HUB", "REC"],
        [
            ("GHA01", "a registry without a section"),
            ("GHA01/", "no section"),
            ("GHA01/GH", "a section of two letters"),
            ("HUB/HUB", "the hub has no sections"),
            ("GHA01/GHA/GHA", "two sections"),
            ("GHA01-GHA", "a hyphen for the slash"),
            ("UN02/vut", "lower case"),
        ],
    ),
    "approach": (
        ["CA0001", "CA0007", "CA9999"],
        [
            ("CA7", "one digit"),
            ("CA00007", "five digits"),
            ("ca0007", "lower case"),
            ("0007", FORM),
        ],
    ),
    "authorization": (
        ["A", "GHA-2024-001", "Bilateral 7/2", "v1.0"],
        [
            ("", "empty"),
            (" A", "a space before it"),
            ("A ", "a space after it"),
            ("-A", "opens with a hyphen"),
            ("A_1", "an underscore"),
            ("Ä", "a letter that is not ASCII"),
            ("A" * 65, "65 characters; 64 are the most"),
        ],
    ),
    "transaction": (
        ["GHA01-GHA-1", "UN01-ADM-17", "CHE01-CHE-999999999999999"],
        [
            ("GHA01-GHA-0", "numbers start at 1"),
            ("GHA01-GHA-01", "a leading zero"),
            ("GHA01-GHA-1000000000000000", "sixteen digits"),
            ("GHA01/GHA-1", "a slash"),
            ("HUB-1", "the hub proposes nothing"),
            ("GHA01-1", "no section"),
        ],
    ),
    "case": (
        ["REC-1", "REC-20"],
        [("REC-0", "numbers start at 1"), ("rec-1", "lower case"), ("HUB-1", "not the service's")],
    ),
    "digest": (
        ["0" * 64, sha256(b"a6hub").hexdigest()],
        [
            ("0" * 63, "63 digits"),
            ("0" * 65, "65 digits"),
            ("A" * 64, "upper case"),
            ("g" * 64, "not hexadecimal"),
            ("", "empty"),
        ],
    ),
    "message": (
        ["01890a5d-ac96-774b-bcce-b302099a8057", "00000000-0000-7000-8000-000000000000"],
        [
            ("01890A5D-AC96-774B-BCCE-B302099A8057", "upper case"),
            ("01890a5d-ac96-474b-bcce-b302099a8057", "version 4"),
            ("01890a5d-ac96-774b-ccce-b302099a8057", "another variant"),
            ("01890a5dac96774bbcceb302099a8057", "no hyphens"),
            ("{01890a5d-ac96-774b-bcce-b302099a8057}", "braces"),
            ("urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057", "a URN"),
        ],
    ),
    "instant": (
        [
            "2026-01-31T23:59:59.000000Z",
            "2024-02-29T00:00:00.999999Z",
            "0001-01-01T00:00:00.000000Z",
        ],
        [
            ("2026-01-31T23:59:59Z", "no microseconds"),
            ("2026-01-31T23:59:59.000Z", "milliseconds"),
            ("2026-01-31T23:59:59.000000+00:00", "an offset for the Z"),
            ("2026-01-31t23:59:59.000000z", "lower case"),
            ("2026-01-31 23:59:59.000000Z", "a space for the T"),
            ("2026-02-29T00:00:00.000000Z", "2026 is no leap year"),
            ("2026-13-01T00:00:00.000000Z", "a thirteenth month"),
            ("2026-01-31T24:00:00.000000Z", "a second way to write the next midnight"),
            ("2026-06-30T23:59:60.000000Z", "a leap second"),
            ("0000-01-01T00:00:00.000000Z", "a year 0"),
        ],
    ),
    "account": (
        [
            "GHA01-GHA-HLD-1-51",
            "UN01-MMR-HLD-7-03",
            "UN02-KOR-USE-2147483647-94",
            "GHA01-GHA-HLD-15-98",
            "GHA01-GHA-HLD-47-02",
            "GHA01-GHA-HLD-80-97",
        ],
        [
            ("GHA01-GHA-HLD-1-15", "check digits transposed"),
            ("GHA01-GHA-HLD-2-51", "the check digits are of another account"),
            ("CHE01-GHA-HLD-1-51", "the check digits are of another registry"),
            ("GHA01-GHA-HLD-15-01", "a second spelling of the check digits 98"),
            ("GHA01-GHA-HLD-47-99", "a second spelling of the check digits 02"),
            ("GHA01-GHA-HLD-80-00", "a second spelling of the check digits 97"),
            ("GHA01-GHA-HLD-01-51", "a leading zero"),
            ("GHA01-GHA-HLD-0-01", "numbers start at 1"),
            ("GHA01-GHA-hld-1-51", "lower case"),
            ("GHA01-GHA-HLD-1", "no check digits"),
            ("GHA01-GHA-HLD-1-5", "one check digit"),
            ("GHA01/GHA-HLD-1-51", "a slash"),
        ],
    ),
    "key": (
        [
            "underlying:CA0007-GHA01-GHA-2023",
            "itmo:CA0007-GHA01-GHA-2023",
            "itmo:CA0001-UN01-MMR-2024:A0042",
        ],
        [
            ("CA0007-GHA01-GHA-2023", "no layer"),
            ("ITMO:CA0007-GHA01-GHA-2023", "upper case"),
            ("units:CA0007-GHA01-GHA-2023", "an unknown layer"),
            ("itmo:CA0007-GHA01-GHA-2023:", "an empty activity"),
            ("itmo:CA0007-GHA01-GHA-2023:a0042", "an activity in lower case"),
            ("itmo:CA0007-GHA01-GHA-2023:A:B", "two activities"),
            ("itmo:CA0007-GHA01-GHA-1-2023", "a serial"),
            ("itmo:CA0007-GHA01-GHA-1989", "a vintage before 1990"),
            ("itmo:CA0007-GHA01-GHA-02023", "a vintage of five digits"),
            ("itmo:CA0007-GHA01-GHA-2023 ", "a space after it"),
        ],
    ),
    "itmo": (
        [
            "CA0007-GHA01-GHA-1-2023",
            ("CA0007-GHA01-GHA-11,733-2023", "CA0007-GHA01-GHA-11733-2023"),
            ("CA0007-GHA01-GHA-1,000,000-2023", "CA0007-GHA01-GHA-1000000-2023"),
            "CA0001-UN01-MMR-100-2022",
            f"CA0007-GHA01-GHA-{SERIAL_MAX}-2023",
        ],
        [
            ("CA0007-GHA01-GHA-0-2023", "serials start at 1"),
            ("CA0007-GHA01-GHA-01-2023", "a leading zero"),
            ("CA0007-GHA01-GHA-1,1733-2023", "a comma in the wrong place"),
            ("CA0007-GHA01-GHA-11,733,-2023", "a comma at the end"),
            ("CA0007-GHA01-GHA-0,001-2023", "a leading zero before a comma"),
            (f"CA0007-GHA01-GHA-{SERIAL_MAX + 1}-2023", "beyond the largest serial"),
            ("CA0004-VU-CH-356-2023", "Parties of two letters"),
            ("GHA01-GHA-1-2023", "no cooperative approach"),
            ("CA0007-GHA-1-2023", "no originating registry"),
            ("CA0007-GHA01-1-2023", "no first transferring Party"),
            ("CA0007-GHA01-GHA-2023", "no serial"),
            ("CA0007-GHA01-GHA-1", "no vintage"),
            ("CA0007-GHA01-GHA-1-23", "a vintage of two digits"),
        ],
    ),
}


def identifiers() -> Json:
    cases = []
    for kind, (valid, invalid) in IDENTIFIERS.items():
        for item in valid:
            text, canonical = (item, item) if isinstance(item, str) else item
            cases.append(
                {"kind": kind, "text": text, "valid": True, "canonical": canonical, "reason": None}
            )
        for text, reason in invalid:
            cases.append(
                {"kind": kind, "text": text, "valid": False, "canonical": None, "reason": reason}
            )
    return {"about": "Texts that are, or are not, an identifier of a kind.", "cases": cases}


# --- messages -----------------------------------------------------------------------------------

GHANA, SWITZERLAND, ADMIN, KOREA = (
    Actor(text) for text in ("GHA01/GHA", "CHE01/CHE", "UN01/ADM", "UN02/KOR")
)
NOON, LATER = "2027-03-01T12:00:00.000000Z", "2027-03-08T12:00:00.000000Z"
DIGEST, ROOT = sha256(b"a message").hexdigest(), sha256(b"a root").hexdigest()
UNDERLYING = {
    "layer": "underlying",
    "approach": "CA0007",
    "registry": "GHA01",
    "party": "GHA",
    "vintage": 2023,
}
ITMO = {**UNDERLYING, "layer": "itmo"}
A64 = {
    "layer": "itmo",
    "approach": "CA0001",
    "registry": "UN01",
    "party": "MMR",
    "vintage": 2024,
    "activity": "A0042",
}
AUTHORIZATION = {"id": "GHA-2024-001", "version": 1}


def account(actor: Actor, kind: str) -> str:
    return str(account_number(actor, kind, 1))


def position(actor: Actor, code: str, kind: str) -> Json:
    return {"actor": actor, "kind": kind, "account": account(actor, code)}


def message(number: int, type_: str, conversation: str, body: object, answers: str | None) -> Json:
    random = sha256(f"message {number}".encode()).digest()
    return {
        "id": message_id(1_800_000_000_000 + number, random),
        "type": type_,
        "conversation": conversation,
        "answers": answers,
        "body": body,
    }


def finding(reason: Reason, detail: str) -> Json:
    return {"code": reason.rule.code, "reason": reason, "detail": detail}


FIRST_TRANSFER: Json = {
    "action": "first-transfer",
    "acquirer": SWITZERLAND,
    "lines": [
        {
            "key": UNDERLYING,
            "first": 1001,
            "last": 1100,
            "source": account(GHANA, "HLD"),
            "target": account(SWITZERLAND, "HLD"),
            "itmo_first": 1,
        }
    ],
    "quantity": 100,
    "authorization": AUTHORIZATION,
    "comment": "Brickkilns, first delivery: 100 t CO₂ eq",
    "expires_at": LATER,
}
ISSUANCE: Json = {
    "action": "issuance",
    "lines": [
        {
            "key": A64,
            "first": first,
            "last": last,
            "target": account(ADMIN, code),
            "attributes": {"designation": "NIO"},
        }
        for first, last, code in ((1, 93, "PEN"), (94, 98, "SOP"), (99, 100, "OMG"))
    ],
    "quantity": 100,
    "references": {"request": "R-7", "approval": "SB-2027-3", "approved_quantity": 100},
    "expires_at": LATER,
}
TERMS: Json = {
    "id": "GHA-2024-001",
    "version": 1,
    "approach": "CA0007",
    "party": "GHA",
    "purposes": ["NDC", "IMP"],
    "parties": ["CHE"],
    "entities": ["Airline of the Alps"],
    "quantity": 50000,
    "first_transfer": "use-or-cancellation",
    "oimp": "CORSIA",
}
USE: Json = {
    "action": "use",
    "lines": [
        {
            "key": ITMO,
            "first": 1,
            "last": 40,
            "source": account(SWITZERLAND, "HLD"),
            "target": account(SWITZERLAND, "USE"),
        }
    ],
    "quantity": 40,
    "use": {"purpose": "NDC", "user": "CHE", "year": 2026},
    "expires_at": LATER,
}
UNITS: Json = {"key": UNDERLYING, "first": 1001, "last": 1100}
EFFECTS: list[Json] = [
    {
        "effect": "restate",
        **UNITS,
        "position": position(GHANA, "HLD", "holding"),
        "before": {},
        "after": {"first_transferred": True, "authorization": AUTHORIZATION},
    },
    {
        "effect": "move",
        **UNITS,
        "attributes": {"first_transferred": True, "authorization": AUTHORIZATION},
        "source": position(GHANA, "HLD", "holding"),
        "target": position(GHANA, "LCK", "locked"),
    },
    {"effect": "pledge", **UNITS, "actor": GHANA, "consent": DIGEST},
    {
        "effect": "move",
        "key": ITMO,
        "first": 1,
        "last": 100,
        "attributes": {
            "first_transferred": True,
            "authorization": AUTHORIZATION,
            "underlying_registry": "GHA01",
            "underlying_offset": 1000,
        },
        "source": None,
        "target": position(SWITZERLAND, "HLD", "holding"),
    },
    {"effect": "reserve", **UNITS, "actor": GHANA, "transaction": "GHA01-GHA-18"},
    {"effect": "release", **UNITS, "actor": GHANA, "transaction": "GHA01-GHA-17"},
    {"effect": "freeze", **UNITS, "actor": GHANA, "case": "REC-3"},
    {"effect": "unfreeze", **UNITS, "actor": GHANA, "case": "REC-3"},
    {"effect": "directory", "act": "{}", "signatures": ["a.b.c"]},
    {"effect": "authorization", "actor": GHANA, "terms": TERMS},
    {
        "effect": "case",
        **UNITS,
        "case": "REC-3",
        "actor": GHANA,
        "cause": "held-twice",
        "open": True,
    },
]
ENTRY: Json = {
    "log": "hub.example",
    "position": 41,
    "at": NOON,
    "manifest": ROOT,
    "state": "completed",
    "action": "first-transfer",
    "rules": "2026-11",
    "consents": [{"actor": GHANA, "message": DIGEST}, {"actor": SWITZERLAND, "message": ROOT}],
    "addressed": [{"actor": GHANA, "index": 7}, {"actor": SWITZERLAND, "index": 9}],
    "effects": EFFECTS,
}
STATEMENT: Json = {
    "size": 42,
    "root": ROOT,
    "delivered": {"size": 8, "root": ROOT},
    "holdings": ROOT,
    "sent": [{"to": "HUB", "last": 12}, {"to": "REC", "last": 0}],
    "expiries": [{"transaction": "CHE01-CHE-4", "sequence": None}],
    "cosignature": "— GHA01 AAAA",
}
CASE: Json = {
    **UNITS,
    "case": "REC-3",
    "actor": GHANA,
    "cause": "surplus",
    "open": True,
    "freeze": True,
    "detail": "100 units are held that the log places elsewhere",
}
POINT: Json = {
    "key": "itmo:CA0007-GHA01-GHA-2023",
    "serial": 1,
    "sign": 1,
    "attributes": "{}",
    "account": account(SWITZERLAND, "HLD"),
}
ANSWER: Json = {
    "question": "points",
    "actor": SWITZERLAND,
    "delivered": {"size": 8, "root": ROOT},
    "holdings": ROOT,
    "level": 9,
    "buckets": [{"node": 17, "points": [POINT, {**POINT, "serial": 101, "sign": -1}]}],
}

# name, type, conversation, answers, body
GOOD: list[tuple[str, str, str, str | None, object]] = [
    ("a first transfer of underlying units", "proposal", "GHA01-GHA-17", None, FIRST_TRANSFER),
    ("an issuance of A6.4ERs with both levies", "proposal", "UN01-ADM-1", None, ISSUANCE),
    ("a use towards an NDC", "proposal", "CHE01-CHE-5", None, USE),
    (
        "an authorization",
        "proposal",
        "GHA01-GHA-2",
        None,
        {"action": "authorization", "quantity": 0, "terms": TERMS, "expires_at": LATER},
    ),
    (
        "a range whose ends are one serial, the largest",
        "proposal",
        "CHE01-CHE-6",
        None,
        {
            **USE,
            "lines": [{**USE["lines"][0], "first": SERIAL_MAX, "last": SERIAL_MAX}],
            "quantity": 1,
        },
    ),
    (
        "the largest integer, 2^53 - 1, wherever an integer may be so large",
        "proposal",
        "CHE01-CHE-7",
        None,
        {**USE, "quantity": INTEGER_MAX},
    ),
    ("an acceptance", "acceptance", "GHA01-GHA-17", DIGEST, {"comment": "Received."}),
    ("an acceptance that says nothing more", "acceptance", "GHA01-GHA-17", DIGEST, {}),
    (
        "a rejection",
        "rejection",
        "GHA01-GHA-17",
        DIGEST,
        {"findings": [finding(Reason.ACCOUNT_UNKNOWN, "No such account is open.")]},
    ),
    ("a withdrawal", "withdrawal", "GHA01-GHA-17", DIGEST, {"comment": None}),
    ("a question for the state", "status-request", "q-1", None, {"transaction": "GHA01-GHA-17"}),
    (
        "a state",
        "status",
        "GHA01-GHA-17",
        DIGEST,
        {"transaction": "GHA01-GHA-17", "state": "cleared", "position": 40, "closed_to": 12},
    ),
    (
        "a transaction that nobody knows",
        "status",
        "GHA01-GHA-19",
        DIGEST,
        {"transaction": "GHA01-GHA-19", "state": None, "position": None, "closed_to": 12},
    ),
    ("an entry with an effect of each kind", "entry", "GHA01-GHA-17", DIGEST, ENTRY),
    (
        "an entry that a deadline caused",
        "entry",
        "GHA01-GHA-20",
        None,
        {**ENTRY, "manifest": None, "state": "expired", "effects": [EFFECTS[5]]},
    ),
    (
        "a checkpoint",
        "checkpoint",
        "checkpoint",
        None,
        {
            "note": "hub.example\n42\nAAAA\n\n— hub.example AAAA\n",
            "proof_from": 40,
            "proof": [ROOT, DIGEST],
            "deliveries": [{"actor": GHANA, "size": 8, "root": ROOT}],
            "previous": None,
            "cosignatures": ["— CHE01 AAAA"],
        },
    ),
    ("a statement", "statement", "statement", None, STATEMENT),
    (
        "an enclosure",
        "enclosure",
        "GHA01-GHA-17",
        DIGEST,
        {"manifest": "a.b.c", "line": '{"id":"…"}'},
    ),
    (
        "a notice",
        "notice",
        "notice",
        DIGEST,
        {
            "about": DIGEST,
            "sequence": 12,
            "findings": [finding(Reason.TYPE_UNKNOWN, "Messages of this type are not known.")],
        },
    ),
    (
        "a rotation",
        "rotation",
        "rotation",
        None,
        {"act": {"act": "{}", "signatures": ["a.b.c", "d.e.f"]}},
    ),
    ("a case", "case", "REC-3", None, CASE),
    (
        "an inquiry",
        "inquiry",
        "REC-3",
        None,
        {"question": "trail", "actor": GHANA, "ranges": [UNITS]},
    ),
    ("an answer", "answer", "REC-3", DIGEST, ANSWER),
    (
        "a greeting",
        "hello",
        "hello",
        None,
        {"actor": GHANA, "sent": 0, "received": 0, "answer": False},
    ),
    ("a request to resend", "resend", "resend", None, {"sender": GHANA, "first": 3, "last": 7}),
    ("an envelope given back", "returned", "returned", None, {"envelope": "a.b.c\n{}"}),
]


def line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def good_messages() -> dict[str, Json]:
    return {
        name: message(number, type_, conversation, body, answers)
        for number, (name, type_, conversation, answers, body) in enumerate(GOOD)
    }


UNSEEN_STRICT = "strict JSON: the text is refused before there is a value to look at"
UNSEEN_RULE = "a rule between members"
UNSEEN_CHECK = "check digits and calendars are no patterns"


class BadMessages:
    """Cases that each have one fault: a good message, changed."""

    def __init__(self) -> None:
        self.good = good_messages()
        self.cases: list[Json] = []

    def case(
        self, name: str, reason: Reason, field: str | None, unseen: str | None, **content: object
    ) -> None:
        """`unseen` says why a JSON Schema validator lets it pass; None: it refuses it, too."""
        expect = {"code": reason.rule.code, "reason": reason, "field": field}
        self.cases.append({"name": name, **content, "expect": expect, "unseen_by_schema": unseen})

    def changed(
        self, name: str, of: str, change: Change, field: str | None, unseen: str | None = None
    ) -> None:
        value = copy.deepcopy(self.good[of])
        change(value)
        self.case(name, Reason.MESSAGE_MALFORMED, field, unseen, line=line(value))

    def text(
        self, name: str, of: str, old: str, new: str, unseen: str | None = UNSEEN_STRICT
    ) -> None:
        before = line(self.good[of])
        assert before.count(old) >= 1, (name, old)
        text = before.replace(old, new, 1)
        self.case(name, Reason.MESSAGE_MALFORMED, None, unseen, line=text)

    def built(self, name: str, reason: Reason, *parts: object) -> None:
        self.case(name, reason, None, UNSEEN_STRICT, build=list(parts))


PROPOSAL, ENTRY_NAME = GOOD[0][0], "an entry with an effect of each kind"


def put(*path: str | int, value: object) -> Change:
    """Set, or with `...` remove, the member at a path."""

    def change(target: Any) -> None:
        for part in path[:-1]:
            target = target[part]
        if value is ...:
            del target[path[-1]]
        else:
            target[path[-1]] = value

    return change


def bad_json(bad: BadMessages) -> None:
    bad.text("a name stands twice", PROPOSAL, '"quantity":100', '"quantity":100,"quantity":100')
    bad.text("a name stands twice, deep inside", PROPOSAL, '"last":1100', '"last":1100,"last":1200')
    bad.text("a name stands twice, once escaped", PROPOSAL, '"id":', r'"\u0069d":"","id":')
    bad.text("an integer is written as a float", PROPOSAL, '"quantity":100', '"quantity":100.0')
    bad.text("an integer is written with an exponent", PROPOSAL, '"quantity":100', '"quantity":1e2')
    bad.text("a float", PROPOSAL, '"quantity":100', '"quantity":100.5')
    bad.text("not a number", PROPOSAL, '"quantity":100', '"quantity":NaN')
    bad.text("infinity", PROPOSAL, '"quantity":100', '"quantity":Infinity')
    bad.text("2^53", PROPOSAL, '"quantity":100', f'"quantity":{2**53}')
    bad.text("minus 2^53", PROPOSAL, '"quantity":100', f'"quantity":-{2**53}')
    bad.text("a leading zero", PROPOSAL, '"quantity":100', '"quantity":0100')
    bad.text("a trailing comma", PROPOSAL, '"answers":null,', '"answers":null,,')
    bad.text("single quotes", PROPOSAL, '"type"', "'type'")
    bad.text("a comment", PROPOSAL, '"answers":null', '"answers":null/* none */')
    bad.text("a control character in a text", PROPOSAL, "Brickkilns, ", "Brickkilns,\t")
    bad.text("half a surrogate pair in a text", PROPOSAL, "Brickkilns", r"\ud800")
    bad.text("a line feed between members", PROPOSAL, '"answers":null,', '"answers":null,\n')
    text = line(bad.good[PROPOSAL])
    malformed, broken = Reason.MESSAGE_MALFORMED, "not strict JSON"
    bad.case(f"{broken}: nothing at all", malformed, None, UNSEEN_STRICT, line="")
    bad.case(f"{broken}: two values", malformed, None, UNSEEN_STRICT, line=f"{text} {text}")
    bad.case(f"{broken}: the end is missing", malformed, None, UNSEEN_STRICT, line=text[:-1])
    for name, other in (("an array", f"[{text}]"), ("a text", '"proposal"'), ("null", "null")):
        bad.case(f"{name} and no object", malformed, None, None, line=other)
    bad.built("a byte order mark", malformed, {"hex": "efbbbf"}, text)
    bad.built("UTF-16", malformed, {"hex": text.encode("utf-16-le").hex()})
    bad.built("a byte that is not UTF-8", malformed, text.replace("₂", "<>").partition("<>")[0],
              {"hex": "ff"}, text.partition("₂")[2])  # fmt: skip
    deep = NESTING_MAX - 2  # the message and its body are levels, too
    before, _, after = text.partition(f'"comment":{line(FIRST_TRANSFER["comment"])}')
    bad.case(
        "nested deeper than the limit", malformed, None, UNSEEN_STRICT,
        build=[before, '"comment":', {"repeat": "[", "times": deep + 1},
               {"repeat": "]", "times": deep + 1}, after],
    )  # fmt: skip
    bad.case(
        "nested as deep as the limit, and of a wrong type", malformed, "body/comment", None,
        build=[before, '"comment":', {"repeat": "[", "times": deep},
               {"repeat": "]", "times": deep}, after],
    )  # fmt: skip
    bad.built("nested a hundred thousand deep", malformed, {"repeat": "[", "times": 100_000})
    bad.built("an integer of a hundred thousand digits", malformed,
              '{"id":', {"repeat": "9", "times": 100_000}, "}")  # fmt: skip
    bad.built("a byte more than a message may have", Reason.MESSAGE_TOO_LARGE,
              text, {"repeat": " ", "times": MESSAGE_BYTES_MAX + 1 - len(text.encode())})  # fmt: skip


def bad_heads(bad: BadMessages) -> None:
    p = PROPOSAL
    for name in ("id", "conversation", "answers", "body"):
        bad.changed(f"{name} is missing", p, put(name, value=...), name)
    unknown = Reason.TYPE_UNKNOWN
    for name, type_ in (
        ("an unknown type", "settlement"), ("a type in another case", "Proposal"),
        ("a type that is null", None), ("a type that is a number", 7), ("no type", ...),
    ):  # fmt: skip
        value = copy.deepcopy(bad.good[p])
        put("type", value=type_)(value)
        bad.case(name, unknown, "type", None, line=line(value))
    bad.changed("an unknown member", p, put("priority", value=1), "priority")
    bad.changed("a member named like a type", p, put("proposal", value={}), "proposal")
    bad.changed("an unknown member in the body", p, put("body", "price", value=1), "body/price")
    bad.changed(
        "an unknown member deep inside", p,
        put("body", "lines", 0, "key", "colour", value="blue"), "body/lines/0/key/colour",
    )  # fmt: skip
    bad.changed("an id of version 4", p,
                put("id", value="01890a5d-ac96-474b-bcce-b302099a8057"), "id")  # fmt: skip
    bad.changed("an id in upper case", p,
                put("id", value="01890A5D-AC96-774B-BCCE-B302099A8057"), "id")  # fmt: skip
    bad.changed("a conversation of two letters", p, put("conversation", value="ab"), "conversation")
    bad.changed("an underscore in a conversation", p,
                put("conversation", value="a_b_c"), "conversation")  # fmt: skip
    bad.changed("answers is empty", p, put("answers", value=""), "answers")
    bad.changed("answers in upper case", p, put("answers", value="A" * 64), "answers")
    bad.changed("the body is null", p, put("body", value=None), "body")
    bad.changed("the body is JSON in a text", p, put("body", value=line(FIRST_TRANSFER)), "body")
    bad.changed("the body of another type", p, put("type", value="withdrawal"), "body/action")


def bad_types(bad: BadMessages) -> None:
    p = PROPOSAL
    quantity, first = ("body", "quantity"), ("body", "lines", 0, "first")
    bad.changed("a number in a text", p, put(*quantity, value="100"), "body/quantity")
    bad.changed("true for one", p, put(*quantity, value=True), "body/quantity")
    bad.changed("a quantity below zero", p, put(*quantity, value=-1), "body/quantity")
    bad.changed("a serial of zero", p, put(*first, value=0), "body/lines/0/first")
    bad.changed("a serial beyond the largest", p,
                put(*first, value=SERIAL_MAX + 1), "body/lines/0/first")  # fmt: skip
    bad.changed("a serial is missing", p, put(*first, value=...), "body/lines/0/first")
    bad.changed("a vintage in a text", p,
                put("body", "lines", 0, "key", "vintage", value="2023"),
                "body/lines/0/key/vintage")  # fmt: skip
    bad.changed("a vintage before 1990", p,
                put("body", "lines", 0, "key", "vintage", value=1989),
                "body/lines/0/key/vintage")  # fmt: skip
    bad.changed("an unknown layer", p,
                put("body", "lines", 0, "key", "layer", value="ITMO"),
                "body/lines/0/key/layer")  # fmt: skip
    bad.changed("an unknown action", p, put("body", "action", value="acquisition"), "body/action")
    bad.changed("an acquirer that is a registry", p,
                put("body", "acquirer", value="CHE01"), "body/acquirer")  # fmt: skip
    bad.changed("wrong check digits", p,
                put("body", "lines", 0, "source", value="GHA01-GHA-HLD-1-15"),
                "body/lines/0/source", UNSEEN_CHECK)  # fmt: skip
    bad.changed("check digits that nobody computes", p,
                put("body", "lines", 0, "source", value="GHA01-GHA-HLD-15-01"),
                "body/lines/0/source")  # fmt: skip
    bad.changed("a day that does not exist", p,
                put("body", "expires_at", value="2027-02-29T00:00:00.000000Z"),
                "body/expires_at", UNSEEN_CHECK)  # fmt: skip
    bad.changed("a time in seconds", p,
                put("body", "expires_at", value="2027-03-08T12:00:00Z"),
                "body/expires_at")  # fmt: skip
    bad.changed("a time that is a number", p,
                put("body", "expires_at", value=1804507200), "body/expires_at")  # fmt: skip
    bad.changed("lines that are an object", p,
                put("body", "lines", value={"0": FIRST_TRANSFER["lines"][0]}),
                "body/lines")  # fmt: skip
    bad.changed("one line too many", p,
                put("body", "lines", value=FIRST_TRANSFER["lines"] * (LINES_MAX + 1)),
                "body/lines")  # fmt: skip
    bad.changed("a comment that is too long", p,
                put("body", "comment", value="ä" * 401), "body/comment")  # fmt: skip
    bad.changed("an authorization's version is zero", p,
                put("body", "authorization", "version", value=0),
                "body/authorization/version")  # fmt: skip
    attributes, where = ("body", "lines", 0, "attributes"), "body/lines/0/attributes"
    levies = "an issuance of A6.4ERs with both levies"
    bad.changed("letters of a designation out of order", levies,
                put(*attributes, value={"designation": "ON"}), f"{where}/designation")  # fmt: skip
    bad.changed("an empty designation", levies,
                put(*attributes, value={"designation": ""}), f"{where}/designation")  # fmt: skip
    bad.changed("one for true", levies,
                put(*attributes, value={"first_transferred": 1}),
                f"{where}/first_transferred")  # fmt: skip
    bad.changed("a metric without its unit", levies,
                put(*attributes, value={"metric": "non-GHG"}), where, UNSEEN_RULE)  # fmt: skip
    bad.changed("an offset without its registry", levies,
                put(*attributes, value={"underlying_offset": 5}), where, UNSEEN_RULE)  # fmt: skip
    bad.changed("use towards an NDC without a year", "a use towards an NDC",
                put("body", "use", "year", value=...), "body/use", UNSEEN_RULE)  # fmt: skip
    bad.changed("a year with another purpose", "a use towards an NDC",
                put("body", "use", "purpose", value="OP"), "body/use", UNSEEN_RULE)  # fmt: skip
    bad.changed("other purposes without a first transfer definition", "an authorization",
                put("body", "terms", "first_transfer", value=None),
                "body/terms", UNSEEN_RULE)  # fmt: skip
    bad.changed("an authorization for no purpose", "an authorization",
                put("body", "terms", "purposes", value=[]), "body/terms/purposes")  # fmt: skip


def bad_bodies(bad: BadMessages) -> None:
    e, effects = ENTRY_NAME, ("body", "effects")
    bad.changed("an unknown effect", e,
                put(*effects, 0, "effect", value="destroy"), "body/effects/0")  # fmt: skip
    bad.changed("an effect that does not say which", e,
                put(*effects, 0, "effect", value=...), "body/effects/0")  # fmt: skip
    bad.changed("a member of an effect is missing", e,
                put(*effects, 1, "target", value=...), "body/effects/1/target")  # fmt: skip
    bad.changed("an effect on a reversed range", e,
                put(*effects, 1, "first", value=2000), "body/effects/1", UNSEEN_RULE)  # fmt: skip
    bad.changed("a position whose account says another actor", e,
                put(*effects, 1, "source", "actor", value=SWITZERLAND),
                "body/effects/1/source", UNSEEN_RULE)  # fmt: skip
    bad.changed("a position whose account says another kind", e,
                put(*effects, 1, "source", "kind", value="use"),
                "body/effects/1/source", UNSEEN_RULE)  # fmt: skip
    bad.changed("a case in an effect that is no case id", e,
                put(*effects, 10, "case", value="HUB-3"), "body/effects/10/case")  # fmt: skip
    bad.changed("an unknown state", e, put("body", "state", value="settled"), "body/state")
    bad.changed("a rejection without findings", "a rejection",
                put("body", "findings", value=[]), "body/findings")  # fmt: skip
    bad.changed("a finding whose code is another reason's", "a rejection",
                put("body", "findings", 0, "code", value=1001),
                "body/findings/0", UNSEEN_RULE)  # fmt: skip
    bad.changed("a finding whose reason nobody knows", "a rejection",
                put("body", "findings", 0, "reason", value="bad-luck"),
                "body/findings/0/reason")  # fmt: skip
    bad.changed("a text for true", "a case", put("body", "open", value="true"), "body/open")
    bad.changed("a case that is no case id", "a case", put("body", "case", value="3"), "body/case")
    bad.changed("a case about a reversed range", "a case",
                put("body", "first", value=1101), "body", UNSEEN_RULE)  # fmt: skip
    bad.changed("an enclosed line that is an object", "an enclosure",
                put("body", "line", value={"id": "…"}), "body/line")  # fmt: skip
    bad.changed("true for the sign of a point", "an answer",
                put("body", "buckets", 0, "points", 0, "sign", value=True),
                "body/buckets/0/points/0/sign")  # fmt: skip
    bad.changed("no sign of a point", "an answer",
                put("body", "buckets", 0, "points", 0, "sign", value=0),
                "body/buckets/0/points/0/sign")  # fmt: skip
    bad.changed("the member named answer is missing", "a greeting",
                put("body", "answer", value=...), "body/answer")  # fmt: skip
    bad.changed("a resend from sequence zero", "a request to resend",
                put("body", "first", value=0), "body/first")  # fmt: skip
    bad.changed("an inquiry that nobody understands", "an inquiry",
                put("body", "question", value="why"), "body/question")  # fmt: skip


def messages() -> Json:
    bad = BadMessages()
    for make in (bad_json, bad_heads, bad_types, bad_bodies):
        make(bad)
    text = line(bad.good[PROPOSAL])
    room = MESSAGE_BYTES_MAX - len(text.encode())
    good: list[Json] = [
        {"name": name, "line": line(value), "expect": "ok", "type": value["type"]}
        for name, value in bad.good.items()
    ]
    good += [
        {"name": "spaces between members are no fault", "line": json.dumps(bad.good[PROPOSAL]),
         "expect": "ok", "type": "proposal"},
        {"name": "escapes in place of characters are no fault",
         "line": text.replace('"type"', r'"\u0074ype"'), "expect": "ok", "type": "proposal"},
        {"name": "as many bytes as a message may have", "build": [text, {"repeat": " ", "times": room}],
         "expect": "ok", "type": "proposal"},
    ]  # fmt: skip
    return {"about": "Message lines, each with what a reader finds.", "cases": good + bad.cases}


# --- envelopes ----------------------------------------------------------------------------------

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def seed(name: str) -> bytes:
    return sha256(f"a6hub demonstration key: {name}".encode()).digest()


def ed25519(name: str) -> SoftwareSigner:
    return SoftwareSigner(Ed25519PrivateKey.from_private_bytes(seed(name)))


def es256(name: str) -> SoftwareSigner:
    number = int.from_bytes(seed(name)) % (P256_ORDER - 1) + 1
    return SoftwareSigner(ec.derive_private_key(number, ec.SECP256R1()))


KEYS = {
    "ghana": ed25519("ghana"),
    "ghana-before": ed25519("ghana-before"),
    "switzerland": es256("switzerland"),
    "hub": ed25519("hub"),
    "stranger": ed25519("stranger"),
}
DIRECTORY = {"GHA01/GHA": ["ghana"], "CHE01/CHE": ["switzerland"], "HUB": ["hub"]}
HELLO = good_messages()["a greeting"]
NONCE = "00112233445566778899aabbccddeeff"


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def manifest(*lines: str, **changes: object) -> Json:
    """A manifest from GHA01/GHA to the hub; `...` takes a member away, `sender` is `from`."""
    members: Json = {
        "version": 1,
        "from": "GHA01/GHA",
        "to": "HUB",
        "sequence": 12,
        "sent_at": NOON,
        "seen": 41,
        "messages": [digest(text) for text in lines],
    }
    if "sender" in changes:
        changes["from"] = changes.pop("sender")
    members.update(changes)
    return {name: value for name, value in members.items() if value is not ...}


def token(payload: str, key: str = "ghana", header: str | None = None) -> str:
    """A JWS as it should be, or over a header of somebody's own making."""
    if header is None:
        return jws.sign(payload.encode(), KEYS[key])
    head = f"{jws.b64url_encode(header.encode())}.{jws.b64url_encode(payload.encode())}"
    return f"{head}.{jws.b64url_encode(KEYS[key].sign(head.encode()))}"


class Envelopes:
    """Cases of envelopes; each good one is the start of several bad ones."""

    def __init__(self) -> None:
        good = good_messages()
        self.proposal = line(good[PROPOSAL])
        self.acceptance = line(good["an acceptance"])
        self.hello = line(HELLO)
        self.cases: list[Json] = []

    def ok(self, name: str, envelope: str, *outcomes: Reason | tuple[Reason, str | None] | str,
           recipient: str = "HUB", directory: Json | None = None) -> None:  # fmt: skip
        """An authentic envelope; per message its type, or why it alone is refused, and where."""
        found: list[Json] = []
        for outcome in outcomes:
            if isinstance(outcome, tuple):
                reason, field = outcome
                found.append({"code": reason.rule.code, "reason": reason, "field": field})
            else:
                found.append({"type": outcome})
        self.cases.append(
            {"name": name, "recipient": recipient, "directory": directory or DIRECTORY,
             "envelope": envelope, "expect": "ok", "messages": found}
        )  # fmt: skip

    def bad(self, name: str, reason: Reason, envelope: str | list[object], *,
            recipient: str = "HUB", directory: Json | None = None) -> None:  # fmt: skip
        content = "envelope" if isinstance(envelope, str) else "build"
        self.cases.append(
            {"name": name, "recipient": recipient, "directory": directory or DIRECTORY,
             content: envelope, "expect": {"code": reason.rule.code, "reason": reason}}
        )  # fmt: skip

    def sealed(self, *lines: str, key: str = "ghana", **changes: object) -> str:
        return "\n".join((token(line(manifest(*lines, **changes)), key), *lines))

    def over(self, payload: str) -> str:
        """The proposal under a manifest of this text, well signed."""
        return f"{token(payload)}\n{self.proposal}"

    def under(self, header: str, key: str = "ghana") -> str:
        """The proposal under a header of this text, well signed."""
        return f"{token(line(manifest(self.proposal)), key, header)}\n{self.proposal}"


def good_envelopes(e: Envelopes) -> None:
    many = [line({**HELLO, "type": "status-request", "body": {"transaction": f"GHA01-GHA-{n}"},
                  "id": message_id(n, seed(str(n)))}) for n in range(1, MESSAGES_MAX + 1)]  # fmt: skip
    e.ok("one message", e.sealed(e.proposal), "proposal")
    e.ok("two messages", e.sealed(e.proposal, e.acceptance), "proposal", "acceptance")
    e.ok("as many messages as there may be", e.sealed(*many), *["status-request"] * MESSAGES_MAX)
    e.ok("signed with ES256",
         e.sealed(e.acceptance, key="switzerland", sender="CHE01/CHE"), "acceptance")  # fmt: skip
    e.ok("from the hub to a registry",
         e.sealed(line(good_messages()[ENTRY_NAME]), key="hub", sender="HUB", to="GHA01"),
         "entry", recipient="GHA01")  # fmt: skip
    control = {"sequence": ..., "control": True, "nonce": NONCE}
    e.ok("a control envelope", e.sealed(e.hello, **control), "hello")
    e.ok("a control envelope that answers another",
         e.sealed(e.hello, **control, answers_nonce=NONCE[::-1]), "hello")  # fmt: skip
    e.ok("members that are null are absent",
         e.sealed(e.proposal, control=None, nonce=None, answers_nonce=None), "proposal")  # fmt: skip
    e.ok("the largest integers",
         e.sealed(e.proposal, sequence=INTEGER_MAX, seen=INTEGER_MAX), "proposal")  # fmt: skip
    kid = KEYS["ghana"].public.key_id
    e.ok("header members in another order, with spaces",
         e.under(f'{{ "typ": "a6hub", "kid": "{kid}", "alg": "Ed25519" }}'), "proposal")  # fmt: skip
    e.ok("the key before, for one who knows it",
         e.sealed(e.proposal, key="ghana-before"), "proposal",
         directory={"GHA01/GHA": ["ghana-before", "ghana"]})  # fmt: skip
    e.ok("the other half of an ES256 signature's two forms", _other_form(
        e.sealed(e.acceptance, key="switzerland", sender="CHE01/CHE")), "acceptance")  # fmt: skip


def _other_form(envelope: str) -> str:
    """(r, n - s) for (r, s): anybody can make it, so a signature is no name of what was signed."""
    first, _, rest = envelope.partition("\n")
    head, _, signature = first.rpartition(".")
    raw = jws.b64url_decode_strict(signature)
    s = P256_ORDER - int.from_bytes(raw[32:])
    return f"{head}.{jws.b64url_encode(raw[:32] + s.to_bytes(32))}\n{rest}"


def refused_messages(e: Envelopes) -> None:
    malformed, good = Reason.MESSAGE_MALFORMED, e.acceptance

    def beside(name: str, old: str, new: str, reason: Reason, field: str | None) -> None:
        text = e.proposal.replace(old, new, 1)
        assert text != e.proposal, name
        e.ok(name, e.sealed(text, good), (reason, field), "acceptance")

    beside("a message of an unknown type, beside a good one",
           '"type":"proposal"', '"type":"settlement"', Reason.TYPE_UNKNOWN, "type")  # fmt: skip
    beside("a message with an unknown member, beside a good one",
           '"quantity":', '"price":1,"quantity":', malformed, "body/price")  # fmt: skip
    beside("a message with a repeated name, beside a good one",
           '"quantity":', '"quantity":1,"quantity":', malformed, None)  # fmt: skip
    beside("a message with a coercible type, beside a good one",
           '"quantity":100', '"quantity":"100"', malformed, "body/quantity")  # fmt: skip
    beside("a message with a float, beside a good one",
           '"quantity":100', '"quantity":100.0', malformed, None)  # fmt: skip
    beside("a message with 2^53, beside a good one",
           '"quantity":100', f'"quantity":{2**53}', malformed, None)  # fmt: skip
    beside("a message that is nested too deep, beside a good one",
           '"quantity":100', '"quantity":' + "[" * NESTING_MAX + "]" * NESTING_MAX,
           malformed, None)  # fmt: skip
    e.ok("a message that is empty, beside a good one",
         e.sealed("", good), (malformed, None), "acceptance")  # fmt: skip
    e.ok("a message that ends in a carriage return is JSON with a space after it",
         e.sealed(f"{good}\r"), "acceptance")  # fmt: skip
    e.ok("a control message in a sequenced envelope, beside a good one",
         e.sealed(e.hello, good), (Reason.TYPE_NOT_ALLOWED, None), "acceptance")  # fmt: skip
    e.ok("an entry that the hub did not say, beside a good message",
         e.sealed(line(good_messages()[ENTRY_NAME]), good),
         (Reason.TYPE_NOT_ALLOWED, None), "acceptance")  # fmt: skip


def bad_tokens(e: Envelopes) -> None:
    malformed, invalid = Reason.ENVELOPE_MALFORMED, Reason.SIGNATURE_INVALID
    one = e.sealed(e.proposal)
    first, _, rest = one.partition("\n")
    header, payload, signature = first.split(".")
    kid = KEYS["ghana"].public.key_id
    head = f'"alg":"Ed25519","kid":"{kid}","typ":"a6hub"'
    for name, text in (
        ("nothing at all", ""),
        ("two parts", f"{header}.{payload}\n{rest}"),
        ("four parts", f"{first}.{signature}\n{rest}"),
        ("JSON serialization", line({"payload": payload, "signature": signature})),
        ("base64 with padding", f"{header}.{payload}.{signature}==\n{rest}"),
        ("base64 of the other alphabet", f"{header}.{payload}.+/{signature[2:]}\n{rest}"),
        ("base64 with spare bits", f"{header}.{payload}.{signature[:-1]}B\n{rest}"),
        ("a space in the token", f"{header}. {payload}.{signature}\n{rest}"),
        ("a letter that is not ASCII", f"{header}.é{payload}.{signature}\n{rest}"),
        ("a carriage return after the token", f"{first}\r\n{rest}"),
        ("an empty line before it", f"\n{one}"),
    ):
        e.bad(f"malformed JWS: {name}", malformed, text)
    e.bad("malformed JWS: longer than a manifest can be", malformed,
          [f"{header}.", {"repeat": "A", "times": 65536}, f".{signature}\n{rest}"])  # fmt: skip
    for name, text in (
        ("crit", f'{{{head},"crit":["exp"],"exp":1}}'),
        ("an unknown header member", f'{{{head},"x5u":"https://keys.example"}}'),
        ("b64", f'{{{head},"b64":false}}'),
        ("a key in the header", f'{{{head},"jwk":{{"kty":"OKP"}}}}'),
        ("no key id", '{"alg":"Ed25519","typ":"a6hub"}'),
        ("no type", f'{{"alg":"Ed25519","kid":"{kid}"}}'),
        ("another type", f'{{"alg":"Ed25519","kid":"{kid}","typ":"JWT"}}'),
        ("a header member twice", f'{{{head},"alg":"Ed25519"}}'),
        ("a header that is an array", '["Ed25519"]'),
        ("a header that is no JSON", "Ed25519"),
    ):
        e.bad(f"header: {name}", malformed, e.under(text))
    swiss = KEYS["switzerland"].public.key_id
    for name, text in (
        ("none", f'{{"alg":"none","kid":"{kid}","typ":"a6hub"}}'),
        ("EdDSA, which names two curves", f'{{"alg":"EdDSA","kid":"{kid}","typ":"a6hub"}}'),
        ("HS256", f'{{"alg":"HS256","kid":"{kid}","typ":"a6hub"}}'),
        ("in lower case", f'{{"alg":"ed25519","kid":"{kid}","typ":"a6hub"}}'),
        ("ES256 with a key of Ed25519", f'{{"alg":"ES256","kid":"{kid}","typ":"a6hub"}}'),
    ):
        e.bad(f"algorithm: {name}", invalid, e.under(text))
    unsigned = f"{jws.b64url_encode(b'{"alg":"none"}')}.{payload}."
    e.bad("algorithm: none, and no signature", malformed, f"{unsigned}\n{rest}")
    named = f'{{"alg":"none","kid":"{kid}","typ":"a6hub"}}'
    unsigned = f"{jws.b64url_encode(named.encode())}.{payload}."
    e.bad("algorithm: none, a key id, and no signature", invalid, f"{unsigned}\n{rest}")
    ed_for_p256 = f'{{"alg":"Ed25519","kid":"{swiss}","typ":"a6hub"}}'
    text = token(line(manifest(e.proposal, sender="CHE01/CHE")), "switzerland", ed_for_p256)
    e.bad("algorithm: Ed25519 with a key of P-256", invalid, f"{text}\n{e.proposal}")
    e.bad("signature: empty", invalid, f"{header}.{payload}.\n{rest}")
    e.bad("signature: of another payload", invalid,
          f"{header}.{payload}.{e.sealed(e.acceptance).split('.')[2].split(chr(10))[0]}\n{rest}")  # fmt: skip
    later = jws.b64url_encode(line(manifest(e.proposal, sequence=13)).encode())
    e.bad("signature: the payload was changed", invalid, f"{header}.{later}.{signature}\n{rest}")
    e.bad("signature: by another key under this key's id", invalid,
          e.under(f"{{{head}}}", key="stranger"))  # fmt: skip


def wrong_parties(e: Envelopes) -> None:
    one = e.sealed(e.proposal)
    e.bad("a key that the directory does not list", Reason.KEY_UNKNOWN,
          e.sealed(e.proposal, key="stranger"))  # fmt: skip
    e.bad("a key of another actor", Reason.KEY_UNKNOWN, e.sealed(e.proposal, key="hub"))
    e.bad("a key that is not valid any more", Reason.KEY_UNKNOWN,
          e.sealed(e.proposal, key="ghana-before"))  # fmt: skip
    e.bad("a sender that the directory does not list", Reason.SENDER_UNKNOWN, one,
          directory={"HUB": ["hub"]})  # fmt: skip
    e.bad("another section of a listed registry", Reason.SENDER_UNKNOWN,
          e.sealed(e.proposal, sender="GHA01/ADM"))  # fmt: skip
    e.bad("it is for somebody else", Reason.RECIPIENT_WRONG, one, recipient="CHE01")
    e.bad("it is for somebody else, and so unreadable whoever signed", Reason.RECIPIENT_WRONG,
          e.sealed(e.proposal, key="stranger", to="REC"))  # fmt: skip


def bad_manifests(e: Envelopes) -> None:
    malformed, mismatch = Reason.ENVELOPE_MALFORMED, Reason.MANIFEST_MISMATCH
    both = e.sealed(e.proposal, e.acceptance)
    first = both.partition("\n")[0]
    for name, text in (
        ("a message that is named is missing", f"{first}\n{e.proposal}"),
        ("all messages are missing", first),
        ("a message is not named", f"{e.sealed(e.proposal)}\n{e.acceptance}"),
        ("another message in place of one named", f"{first}\n{e.proposal}\n{e.hello}"),
        ("the messages are reordered", f"{first}\n{e.acceptance}\n{e.proposal}"),
        ("a message stands twice and is named once", f"{e.sealed(e.proposal)}\n{e.proposal}"),
        ("a byte of a message was changed", both.replace("Received.", "Received!")),
        ("a line feed at the end", f"{both}\n"),
        ("carriage returns at the ends of lines", both.replace("\n", "\r\n").replace("\r", "", 1)),
    ):
        e.bad(f"manifest and messages: {name}", mismatch, text)
    e.bad("manifest and messages: a million empty lines", mismatch,
          [first, {"repeat": "\n", "times": 1_000_000}])  # fmt: skip
    plain = line(manifest(e.proposal))
    for name, old, new in (
        ("a repeated name", '"seen":41', '"seen":40,"seen":41'),
        ("a float", '"seen":41', '"seen":41.0'),
        ("2^53", '"seen":41', f'"seen":{2**53}'),
        ("a number in a text", '"sequence":12', '"sequence":"12"'),
        ("true for a number", '"sequence":12', '"sequence":true'),
        ("true for the version", '"version":1', '"version":true'),
        ("an unknown member", '"seen":41', '"seen":41,"priority":1'),
        ("a member under another name", '"from":', '"sender":'),
        ("nested too deep", '"seen":41', '"seen":' + "[" * NESTING_MAX + "]" * NESTING_MAX),
        ("an end that is missing", '"]}', '"]'),
    ):
        assert plain.count(old) == 1, name
        e.bad(f"manifest: {name}", malformed, e.over(plain.replace(old, new)))
    e.bad("manifest: no object", malformed, e.over("[1]"))
    for version in (0, 2, "1", None, ...):
        text = e.sealed(e.proposal, version=version)
        shown = "missing" if version is ... else line(version)
        e.bad(f"manifest: the version is {shown}", Reason.VERSION_UNSUPPORTED, text)
    for name, changes in _wrong_members():
        e.bad(f"manifest: {name}", malformed, e.sealed(e.proposal, **changes))
    e.bad("manifest: no messages", malformed, token(line(manifest())))
    lines = [e.proposal] * (MESSAGES_MAX + 1)
    e.bad("manifest: one message too many", malformed, e.sealed(*lines))
    room = ENVELOPE_BYTES_MAX + 1 - len(both.encode())
    e.bad("a byte more than an envelope may have", Reason.ENVELOPE_TOO_LARGE,
          [both, {"repeat": " ", "times": room}])  # fmt: skip
    e.bad("as many bytes as an envelope may have, but not those signed", mismatch,
          [both, {"repeat": " ", "times": room - 1}])  # fmt: skip


def _wrong_members() -> list[tuple[str, Json]]:
    control: Json = {"sequence": ..., "control": True, "nonce": NONCE}
    return [
        ("neither a sequence nor control", {"sequence": ...}),
        ("both a sequence and control", {**control, "sequence": 12}),
        ("a sequence and a nonce", {"nonce": NONCE}),
        ("a sequence and an answered nonce", {"answers_nonce": NONCE}),
        ("control without a nonce", {**control, "nonce": ...}),
        ("control that is false", {**control, "control": False}),
        ("control that is one", {**control, "control": 1}),
        ("a nonce in upper case", {**control, "nonce": NONCE.upper()}),
        ("a short nonce", {**control, "nonce": NONCE[1:]}),
        ("sequence zero", {"sequence": 0}),
        ("a sequence below zero", {"sequence": -1}),
        ("from a participant", {"sender": "GHA01"}),
        ("to an actor", {"to": "GHA01/GHA"}),
        ("no sender", {"sender": ...}),
        ("no recipient", {"to": ...}),
        ("no time", {"sent_at": ...}),
        ("a time without microseconds", {"sent_at": "2027-03-01T12:00:00Z"}),
        ("a day that does not exist", {"sent_at": "2027-02-30T12:00:00.000000Z"}),
        ("no log size", {"seen": ...}),
        ("a log size below zero", {"seen": -1}),
        ("digests in upper case", {"messages": ["A" * 64]}),
        ("one digest in place of a list", {"messages": "0" * 64}),
    ]


def envelopes() -> Json:
    made = Envelopes()
    for make in (good_envelopes, refused_messages, bad_tokens, wrong_parties, bad_manifests):
        make(made)
    keys = {
        name: {
            "algorithm": signer.public.algorithm,
            "demonstration_seed": seed(name).hex(),
            "public": signer.public.to_text(),
            "key_id": signer.public.key_id,
        }
        for name, signer in KEYS.items()
    }
    about = (
        "Envelopes, each with what its recipient finds. The keys are for demonstration: everybody "
        "knows their seeds. Ed25519 takes the seed as it is (RFC 8032); the private number of P-256 "
        "is the seed modulo (order - 1), plus 1."
    )
    return {"about": about, "keys": keys, "cases": made.cases}


# --- files --------------------------------------------------------------------------------------


def files() -> dict[str, str]:
    made = {
        "identifiers.json": identifiers(),
        "messages.json": messages(),
        "envelopes.json": envelopes(),
    }
    return {
        name: json.dumps(value, ensure_ascii=False, indent=1) + "\n" for name, value in made.items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Makes schemas/vectors/*.json")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if files differ")
    check = parser.parse_args(arguments).check
    wanted = files()
    kept = {path.name for path in FOLDER.glob("*.json")}
    differing = [
        name
        for name in sorted(wanted.keys() | kept)
        if name not in kept or (FOLDER / name).read_text(encoding="utf-8") != wanted.get(name)
    ]
    print(*differing, sep="\n", end="\n" if differing else "")
    if check:
        return 1 if differing else 0
    for name in differing:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
