# SPDX-License-Identifier: Apache-2.0
"""Texts that are, or are not, an identifier of a kind: the source of `identifiers.json`."""

from hashlib import sha256
from typing import Any

from schemas.limits import SERIAL_MAX

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
            ("GHA\u0660\u0661", "digits that are not ASCII"),
            ("G\u041dA01", "a Cyrillic letter that looks Latin"),
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
            "UN01-MMR-HLD-7-23",
            "UN02-KOR-USE-2147483647-64",
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


def identifiers() -> dict[str, Any]:
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
