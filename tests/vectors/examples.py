# SPDX-License-Identifier: Apache-2.0
"""A good message of every type, in plain JSON: what other vectors and tests start from."""

import copy
import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

from schemas.findings import Reason
from schemas.identifiers import Actor, account_number, message_id
from schemas.limits import INTEGER_MAX, SERIAL_MAX

Json = dict[str, Any]

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


def digests(at: str) -> str:
    """Digests of the children at these places, as an answer has them."""
    joined = b"".join(sha256(digit.encode()).digest() for digit in at)
    return urlsafe_b64encode(joined).decode().rstrip("=")


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
            "attributes": {"designation": "NIO", "first_transferred": code != "PEN"},
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
COUNTER_ENTRY: Json = {
    "action": "counter-entry",
    "acquirer": GHANA,
    "lines": [{**USE["lines"][0], "target": account(GHANA, "HLD")}],
    "quantity": 40,
    "authorization": {"id": "GHA-2024-001", "version": 2},
    "expires_at": LATER,
}
CANCELLATION: Json = {
    **USE,
    "action": "cancellation",
    "lines": [{**USE["lines"][0], "target": account(SWITZERLAND, "CAN")}],
    "use": {
        "purpose": "IMP",
        "user": "Airline of the Alps",
        "cancellation": "voluntary",
        "oimp": "CORSIA",
    },
}
ENTITY: Json = {
    "id": "Airline of the Alps",
    "name": "Airline of the Alps AG",
    "country": "CHE",
    "number": "CHE-123.456.789",
    "date": "2024-02-29",
    "conditions": "flights from Ghana alone",
    "change_conditions": None,
    "explanation": None,
}
FULL_TERMS: Json = {
    **TERMS,
    "version": 2,
    "vintage_from": 2021,
    "vintage_to": 2030,
    "use_from": 2021,
    "use_to": 2035,
    "terms": "as in the letter",
    "date": "2024-02-29",
    "metric": "non-GHG",
    "unit": "MWh",
    "gwp": "AR5",
    "sectors": ["Energy generation"],
    "activity_types": ["Solar", "Wind"],
    "documentation": "https://authority.example/GHA-2024-001",
    "explanation": "Table 2 says it all.",
    "binds_first_transferred": True,
    "entity_records": [ENTITY],
}
APPROVAL: Json = {
    "id": "SB-2027-3",
    "request": "R-7",
    "requested_by": "Designated operational entity E-0012",
    "verification": "verification report 2027/88",
    "certification": "certification report 2027/88",
    "decided_on": "2027-02-26",
    "party": "MMR",
    "activity": "PA10471",
    "vintage_from": 2024,
    "vintage_to": 2025,
    "quantity": 100,
    "participants": ["Developer of Yangon", "Fund of Seoul"],
}
INSTRUCTION: Json = {
    "approval": "SB-2027-3",
    "participant": "Fund of Seoul",
    "reference": "letter of 8 March 2027",
}
FORWARDING: Json = {
    "action": "forwarding",
    "acquirer": "UN01/MMR",
    "lines": [
        {
            "key": A64,
            "first": 1,
            "last": 40,
            "source": account(ADMIN, "PEN"),
            "target": account(Actor("UN01/MMR"), "HLD"),
        }
    ],
    "quantity": 40,
    "instruction": INSTRUCTION,
    "expires_at": LATER,
}
DESIGNATION: Json = {
    "action": "designation",
    "lines": [{"key": A64, "first": 41, "last": 60, "source": account(ADMIN, "PEN")}],
    "quantity": 20,
    "authorization": {"id": "MMR-2027-1", "version": 1},
    "designation": "NI",
    "expires_at": LATER,
}
REVERSAL: Json = {
    "action": "administrative-cancellation",
    "lines": [
        {
            "key": A64,
            "first": 61,
            "last": 80,
            "source": account(ADMIN, "BUF"),
            "target": account(ADMIN, "ADC"),
        }
    ],
    "quantity": 20,
    "use": {"user": "Developer of Yangon", "cancellation": "other"},
    "reversal": "reversal 2027/1",
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
        "effect": "approval",
        "actor": "UN01/ADM",
        "approval": "SB-2027-3",
        "approved_quantity": 100,
        "quantity": 40,
    },
    {
        "effect": "case",
        **UNITS,
        "case": "REC-3",
        "actor": GHANA,
        "concerned": [SWITZERLAND],
        "cause": "held-twice",
        "state": "explained",
        "explanation": "a backup was restored, and a transfer has not been applied since",
    },
    {"effect": "approval-record", "actor": "UN01/ADM", "record": APPROVAL},
]
ENTRY: Json = {
    "log": "hub.example",
    "position": 41,
    "acts": 9,
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
    "concerned": [SWITZERLAND],
    "state": "open",
    "freeze": True,
    "detail": "100 units are held that the log places elsewhere",
}
ANSWERED: Json = {
    "question": "points",
    "actor": SWITZERLAND,
    "delivered": {"size": 8, "root": ROOT},
    "holdings": ROOT,
    "level": 12,
}
LABEL: Json = {
    "key": "itmo:CA0007-GHA01-GHA-2023",
    "attributes": "{}",
    "account": account(SWITZERLAND, "HLD"),
}
POINTS: Json = {
    **ANSWERED,
    "labels": [LABEL, {**LABEL, "account": account(SWITZERLAND, "USE")}],
    "buckets": [
        {"node": 17, "points": [[0, 1, 0], [255, -1, 0], [255, 1, 1]]},
        {"node": 18, "points": [[100, -1, 1]]},
    ],
}
CHILDREN: Json = {
    **ANSWERED,
    "question": "children",
    "level": 10,
    "children": [
        {"level": 11, "node": 275, "at": "3", "digests": digests("3")},
        {"level": 11, "node": 497, "at": "06f", "digests": digests("06f")},
        {
            "level": 11,
            "node": 768,
            "at": "0123456789abcdef",
            "digests": digests("0123456789abcdef"),
        },
    ],
}

# name, type, conversation, answers, body
GOOD: list[tuple[str, str, str, str | None, object]] = [
    ("a first transfer of underlying units", "proposal", "GHA01-GHA-17", None, FIRST_TRANSFER),
    (
        "an approval of a request for issuance",
        "proposal",
        "UN01-ADM-2",
        None,
        {"action": "approval", "quantity": 0, "approval": APPROVAL, "expires_at": LATER},
    ),
    ("a forwarding, as a participant says", "proposal", "UN01-ADM-3", None, FORWARDING),
    ("a reversal made good from the buffer", "proposal", "UN01-ADM-5", None, REVERSAL),
    ("a later authorization of contributions", "proposal", "UN01-ADM-4", None, DESIGNATION),
    ("an issuance of A6.4ERs with both levies", "proposal", "UN01-ADM-1", None, ISSUANCE),
    ("a use towards an NDC", "proposal", "CHE01-CHE-5", None, USE),
    ("a voluntary cancellation", "proposal", "CHE01-CHE-8", None, CANCELLATION),
    (
        "an authorization with all that can be said",
        "proposal",
        "GHA01-GHA-3",
        None,
        {"action": "authorization", "quantity": 0, "terms": FULL_TERMS, "expires_at": LATER},
    ),
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
    (
        "an inquiry into the tree",
        "inquiry",
        "REC-3",
        None,
        {"question": "children", "actor": GHANA, "level": 3, "nodes": [17, 31]},
    ),
    ("an answer with points", "answer", "REC-3", DIGEST, POINTS),
    ("an answer with children", "answer", "REC-3", DIGEST, CHILDREN),
    (
        "a greeting",
        "hello",
        "hello",
        None,
        {"actor": GHANA, "sent": 0, "received": 0, "answer": False},
    ),
    ("a request to resend", "resend", "resend", None, {"sender": GHANA, "first": 3, "last": 7}),
    ("an envelope given back", "returned", "returned", None, {"envelope": "a.b.c\n{}"}),
    (
        "a request for evidence",
        "evidence-request",
        "GHA01-GHA-17",
        None,
        {"transaction": "GHA01-GHA-17"},
    ),
    (
        "the first part of evidence",
        "evidence-part",
        "GHA01-GHA-17",
        DIGEST,
        {
            "transaction": "GHA01-GHA-17",
            "number": 0,
            "last": False,
            "size": 42,
            "messages": [{"manifest": "a.b.c", "line": '{"id":"…"}'}],
            "receipts": [
                {"statement": {"manifest": "a.b.c", "line": '{"id":"…"}'}, "proofs": [[ROOT], []]}
            ],
            "heads": [{"note": "hub.example\n42\nAAAA\n\n— hub.example AAAA\n", "proof": []}],
            "entries": [DIGEST],
            "nodes": [ROOT, DIGEST],
        },
    ),
    (
        "the last part of evidence",
        "evidence-part",
        "GHA01-GHA-17",
        DIGEST,
        {
            "transaction": "GHA01-GHA-17",
            "number": 1,
            "last": True,
            "size": 42,
            "acts": [DIGEST],
            "nodes": [ROOT],
        },
    ),
    ("a first transfer taken back", "proposal", "CHE01-CHE-9", None, COUNTER_ENTRY),
]


def line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def good_messages() -> dict[str, Json]:
    return {
        name: message(number, type_, conversation, copy.deepcopy(body), answers)
        for number, (name, type_, conversation, answers, body) in enumerate(GOOD)
    }
