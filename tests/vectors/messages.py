# SPDX-License-Identifier: Apache-2.0
"""Message lines with one fault each, and some that look faulty: the source of `messages.json`."""

import copy
import json
from typing import Any

from schemas.findings import Reason
from schemas.limits import LINES_MAX, MESSAGE_BYTES_MAX, NESTING_MAX, SERIAL_MAX
from tests.vectors.examples import (
    FIRST_TRANSFER,
    GOOD,
    LABEL,
    SWITZERLAND,
    Json,
    digests,
    good_messages,
    line,
)

UNSEEN_STRICT = "strict JSON: the text is refused before there is a value to look at"
UNSEEN_RULE = "a rule between members"
UNSEEN_BITS = "base64url is no pattern"
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
    bad.text("a null character in a text", PROPOSAL, "Brickkilns", r"Brick\u0000kilns")
    bad.text("a null character in a name", PROPOSAL, '"answers":null', r'"answers\u0000":null')
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
    bad.built(
        "a byte that is not UTF-8",
        malformed,
        text.replace("₂", "<>").partition("<>")[0],
        {"hex": "ff"},
        text.partition("₂")[2],
    )
    deep = NESTING_MAX - 2  # the message and its body are levels, too
    before, _, after = text.partition(f'"comment":{line(FIRST_TRANSFER["comment"])}')
    bad.case(
        "nested deeper than the limit",
        malformed,
        None,
        UNSEEN_STRICT,
        build=[
            before,
            '"comment":',
            {"repeat": "[", "times": deep + 1},
            {"repeat": "]", "times": deep + 1},
            after,
        ],
    )
    bad.case(
        "nested as deep as the limit, and of a wrong type",
        malformed,
        "body/comment",
        None,
        build=[
            before,
            '"comment":',
            {"repeat": "[", "times": deep},
            {"repeat": "]", "times": deep},
            after,
        ],
    )
    bad.built("nested a hundred thousand deep", malformed, {"repeat": "[", "times": 100_000})
    bad.built(
        "an integer of a hundred thousand digits",
        malformed,
        '{"id":',
        {"repeat": "9", "times": 100_000},
        "}",
    )
    bad.built(
        "a byte more than a message may have",
        Reason.MESSAGE_TOO_LARGE,
        text,
        {"repeat": " ", "times": MESSAGE_BYTES_MAX + 1 - len(text.encode())},
    )


LEVIES = "an issuance of A6.4ERs with both levies"
NDC_USE, TERMS_NAME, REFUSED = "a use towards an NDC", "an authorization", "a rejection"
FULL, CANCELLED = "an authorization with all that can be said", "a voluntary cancellation"
LATER_ON = "a later authorization of contributions"
SAID = "a forwarding, as a participant says"
APPROVED = "an approval of a request for issuance"
P, E = PROPOSAL, ENTRY_NAME
A, C = "an answer with points", "an answer with children"

# name, of which good message, path of the member, its value (`...`: none at all)
MEMBERS: list[tuple[str, str, str, object]] = [
    ("id is missing", P, "id", ...),
    ("conversation is missing", P, "conversation", ...),
    ("answers is missing", P, "answers", ...),
    ("body is missing", P, "body", ...),
    ("an unknown member", P, "priority", 1),
    ("a member named like a type", P, "proposal", {}),
    ("an unknown member in the body", P, "body/price", 1),
    ("an unknown member deep inside", P, "body/lines/0/key/colour", "blue"),
    ("an id of version 4", P, "id", "01890a5d-ac96-474b-bcce-b302099a8057"),
    ("an id in upper case", P, "id", "01890A5D-AC96-774B-BCCE-B302099A8057"),
    ("a conversation of two letters", P, "conversation", "ab"),
    ("an underscore in a conversation", P, "conversation", "a_b_c"),
    ("answers is empty", P, "answers", ""),
    ("answers in upper case", P, "answers", "A" * 64),
    ("the body is null", P, "body", None),
    ("the body is JSON in a text", P, "body", line(FIRST_TRANSFER)),
    ("a number in a text", P, "body/quantity", "100"),
    ("true for one", P, "body/quantity", True),
    ("a quantity below zero", P, "body/quantity", -1),
    ("a serial of zero", P, "body/lines/0/first", 0),
    ("a serial beyond the largest", P, "body/lines/0/first", SERIAL_MAX + 1),
    ("a serial is missing", P, "body/lines/0/first", ...),
    ("a vintage in a text", P, "body/lines/0/key/vintage", "2023"),
    ("a vintage before 1990", P, "body/lines/0/key/vintage", 1989),
    ("an unknown layer", P, "body/lines/0/key/layer", "ITMO"),
    ("an unknown action", P, "body/action", "acquisition"),
    ("an acquirer that is a registry", P, "body/acquirer", "CHE01"),
    ("check digits that nobody computes", P, "body/lines/0/source", "GHA01-GHA-HLD-15-01"),
    ("a time in seconds", P, "body/expires_at", "2027-03-08T12:00:00Z"),
    ("a time that is a number", P, "body/expires_at", 1804507200),
    ("lines that are an object", P, "body/lines", {"0": FIRST_TRANSFER["lines"][0]}),
    ("one line too many", P, "body/lines", FIRST_TRANSFER["lines"] * (LINES_MAX + 1)),
    ("a comment that is too long", P, "body/comment", "ä" * 401),
    ("an authorization's version is zero", P, "body/authorization/version", 0),
    ("letters out of order", LEVIES, "body/lines/0/attributes/designation", "ON"),
    ("an empty designation", LEVIES, "body/lines/0/attributes/designation", ""),
    ("one for true", LEVIES, "body/lines/0/attributes/first_transferred", 1),
    ("an authorization for no purpose", TERMS_NAME, "body/terms/purposes", []),
    ("a day with a time", FULL, "body/terms/date", "2024-02-29T00:00:00.000000Z"),
    ("an entity without a name", FULL, "body/terms/entity_records/0/name", ...),
    ("a cancellation of no kind that is known", CANCELLED, "body/use/cancellation", "forced"),
    ("contributions are designated as contributions", LATER_ON, "body/designation", "MCU"),
    ("an instruction by nobody", SAID, "body/instruction/participant", ""),
    ("an approval that names no participant", APPROVED, "body/approval/participants", []),
    ("an approval without a verification report", APPROVED, "body/approval/verification", ...),
    ("a member of an effect is missing", E, "body/effects/1/target", ...),
    ("a case in an effect that is no case id", E, "body/effects/10/case", "HUB-3"),
    ("an unknown state", E, "body/state", "settled"),
    ("a rejection without findings", REFUSED, "body/findings", []),
    ("a finding whose reason nobody knows", REFUSED, "body/findings/0/reason", "bad-luck"),
    ("a text for true", "a case", "body/open", "true"),
    ("a case that is no case id", "a case", "body/case", "3"),
    ("an enclosed line that is an object", "an enclosure", "body/line", {"id": "…"}),
    ("true for the sign of a point", A, "body/buckets/0/points/0/1", True),
    ("no sign of a point", A, "body/buckets/0/points/0/1", 0),
    ("a point before its bucket", A, "body/buckets/0/points/0/0", -1),
    ("a point behind its bucket", A, "body/buckets/0/points/0/0", 256),
    ("a label before the first", A, "body/buckets/0/points/0/2", -1),
    ("places of children in upper case", C, "body/children/1/at", "06F"),
    ("places of children out of order", C, "body/children/1/at", "60f"),
    ("a place of a child twice", C, "body/children/1/at", "066"),
    ("no place of any child", C, "body/children/1/at", ""),
    ("digests with padding", C, "body/children/0/digests", f"{digests('3')}="),
    ("digests in base64", C, "body/children/0/digests", "+" * 43),
    ("digests in hexadecimal", C, "body/children/0/digests", "0" * 42),
    ("children of a bucket", C, "body/children/0/level", 12),
    ("children of a node that cannot be", C, "body/children/0/node", 2**48),
    ("the member named answer is missing", "a greeting", "body/answer", ...),
    ("a resend from sequence zero", "a request to resend", "body/first", 0),
    ("an inquiry that nobody understands", "an inquiry", "body/question", "why"),
]

# The same, and the path of the object that a reader names.
OBJECTS: list[tuple[str, str, str, object, str, str | None]] = [
    ("the body of another type", P, "type", "withdrawal", "body/action", None),
    ("an unknown effect", E, "body/effects/0/effect", "destroy", "body/effects/0", None),
    ("an effect that does not say which", E, "body/effects/0/effect", ..., "body/effects/0", None),
    (
        "wrong check digits",
        P,
        "body/lines/0/source",
        "GHA01-GHA-HLD-1-15",
        "body/lines/0/source",
        UNSEEN_CHECK,
    ),
    (
        "a day that does not exist",
        P,
        "body/expires_at",
        "2027-02-29T00:00:00.000000Z",
        "body/expires_at",
        UNSEEN_CHECK,
    ),
    (
        "a metric without its unit",
        LEVIES,
        "body/lines/0/attributes/metric",
        "non-GHG",
        "body/lines/0/attributes",
        UNSEEN_RULE,
    ),
    (
        "an offset without its registry",
        LEVIES,
        "body/lines/0/attributes/underlying_offset",
        5,
        "body/lines/0/attributes",
        UNSEEN_RULE,
    ),
    ("use towards an NDC in no year", NDC_USE, "body/use/year", ..., "body/use", UNSEEN_RULE),
    ("a year with another purpose", NDC_USE, "body/use/purpose", "OP", "body/use", UNSEEN_RULE),
    (
        "a cancellation for overall mitigation with a purpose",
        CANCELLED,
        "body/use/cancellation",
        "omge-mandatory",
        "body/use",
        UNSEEN_RULE,
    ),
    ("no purpose", CANCELLED, "body/use/purpose", None, "body/use", UNSEEN_RULE),
    (
        "a day of February that does not exist",
        FULL,
        "body/terms/date",
        "2023-02-29",
        "body/terms/date",
        UNSEEN_CHECK,
    ),
    (
        "participants out of order",
        APPROVED,
        "body/approval/participants",
        ["Fund of Seoul", "Developer of Yangon"],
        "body/approval",
        UNSEEN_RULE,
    ),
    (
        "sectors out of order",
        FULL,
        "body/terms/sectors",
        ["Transportation", "Agriculture"],
        "body/terms",
        UNSEEN_RULE,
    ),
    (
        "a record of an entity that is not authorized",
        FULL,
        "body/terms/entity_records/0/id",
        "Airline of the Sea",
        "body/terms",
        UNSEEN_RULE,
    ),
    (
        "a non-GHG metric without its unit in an authorization",
        FULL,
        "body/terms/unit",
        None,
        "body/terms",
        UNSEEN_RULE,
    ),
    (
        "other purposes without a first transfer definition",
        TERMS_NAME,
        "body/terms/first_transfer",
        None,
        "body/terms",
        UNSEEN_RULE,
    ),
    (
        "an effect on a reversed range",
        E,
        "body/effects/1/first",
        2000,
        "body/effects/1",
        UNSEEN_RULE,
    ),
    (
        "a position whose account says another actor",
        E,
        "body/effects/1/source/actor",
        SWITZERLAND,
        "body/effects/1/source",
        UNSEEN_RULE,
    ),
    (
        "a position whose account says another kind",
        E,
        "body/effects/1/source/kind",
        "use",
        "body/effects/1/source",
        UNSEEN_RULE,
    ),
    (
        "a finding whose code is another reason's",
        REFUSED,
        "body/findings/0/code",
        1001,
        "body/findings/0",
        UNSEEN_RULE,
    ),
    ("a case about a reversed range", "a case", "body/first", 1101, "body", UNSEEN_RULE),
    (
        "a point that is an object",
        A,
        "body/buckets/0/points/0",
        {"serial": 1, "sign": 1, "label": 0},
        "body/buckets/0/points/0",
        None,
    ),
    (
        "a point without its label",
        A,
        "body/buckets/0/points/0",
        [1, 1],
        "body/buckets/0/points/0/2",
        None,
    ),
    (
        "a point with too much",
        A,
        "body/buckets/0/points/0",
        [1, 1, 0, 0],
        "body/buckets/0/points/0",
        None,
    ),
    ("a label that is not there", A, "body/buckets/0/points/0/2", 2, "body", UNSEEN_RULE),
    ("a label that no point uses", A, "body/buckets", [], "body", UNSEEN_RULE),
    ("a label twice", A, "body/labels/1", LABEL, "body", UNSEEN_RULE),
    ("labels out of order", A, "body/labels/0/key", "itmo:Z", "body", UNSEEN_RULE),
    ("points without labels", A, "body/labels", ..., "body", UNSEEN_RULE),
    (
        "a digest too few",
        C,
        "body/children/1/digests",
        digests("06"),
        "body/children/1",
        UNSEEN_RULE,
    ),
    (
        "a digest too many",
        C,
        "body/children/1/digests",
        digests("06ff"),
        "body/children/1",
        UNSEEN_RULE,
    ),
    (
        "spare bits at the end of digests",
        C,
        "body/children/0/digests",
        "A" * 42 + "B",
        "body/children/0",
        UNSEEN_BITS,
    ),
    (
        "a length that no base64url has",
        C,
        "body/children/0/digests",
        "A" * 45,
        "body/children/0",
        UNSEEN_BITS,
    ),
]

TYPES: list[tuple[str, object]] = [
    ("an unknown type", "settlement"),
    ("a type in another case", "Proposal"),
    ("a type that is null", None),
    ("a type that is a number", 7),
    ("no type", ...),
]


def bad_values(bad: BadMessages) -> None:
    for name, type_ in TYPES:
        value = changed(bad.good[P], "type", type_)
        bad.case(name, Reason.TYPE_UNKNOWN, "type", None, line=line(value))
    rows = [(*row, row[2], None) for row in MEMBERS]
    for name, of, path, new, field, unseen in rows + OBJECTS:
        value = changed(bad.good[of], path, new)
        bad.case(name, Reason.MESSAGE_MALFORMED, field, unseen, line=line(value))


def changed(value: Json, path: str, new: object) -> Json:
    """A copy in which the member at a path is set, or for `...` absent."""
    result = copy.deepcopy(value)
    *way, last = path.split("/")
    target: Any = result
    for part in way:
        target = target[_step(target, part)]
    if new is ...:
        del target[_step(target, last)]
    else:
        target[_step(target, last)] = new
    return result


def _step(target: object, part: str) -> int | str:
    return int(part) if isinstance(target, list) else part


def messages() -> Json:
    bad = BadMessages()
    for make in (bad_json, bad_values):
        make(bad)
    text = line(bad.good[PROPOSAL])
    room = MESSAGE_BYTES_MAX - len(text.encode())
    good: list[Json] = [
        {"name": name, "line": line(value), "expect": "ok", "type": value["type"]}
        for name, value in bad.good.items()
    ]
    good += [
        {
            "name": "spaces between members are no fault",
            "line": json.dumps(bad.good[PROPOSAL]),
            "expect": "ok",
            "type": "proposal",
        },
        {
            "name": "escapes in place of characters are no fault",
            "line": text.replace('"type"', r'"\u0074ype"'),
            "expect": "ok",
            "type": "proposal",
        },
        {
            "name": "a backslash before u0000 is no null character",
            "line": text.replace("Brickkilns", r"Brick\\u0000kilns"),
            "expect": "ok",
            "type": "proposal",
        },
        {
            "name": "empty members that may be left out are no fault",
            "line": line(changed(bad.good[C], "body/labels", [])),
            "expect": "ok",
            "type": "answer",
        },
        {
            "name": "as many bytes as a message may have",
            "build": [text, {"repeat": " ", "times": room}],
            "expect": "ok",
            "type": "proposal",
        },
    ]
    return {"about": "Message lines, each with what a reader finds.", "cases": good + bad.cases}
