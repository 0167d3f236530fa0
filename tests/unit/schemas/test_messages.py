# SPDX-License-Identifier: Apache-2.0
"""Strict JSON, and reading message lines: what is no message is `Malformed`, whatever it is.

What a good and a bad line is, case by case, stand in the vectors; here are rules that hold for all.
"""

import json
from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import transactions
from schemas import limits
from schemas.effects import Effect
from schemas.findings import Reason
from schemas.messages import (
    CONTROL_TYPES,
    MESSAGE_TYPES,
    SAID_BY,
    Malformed,
    Message,
    State,
    parse_message,
    role,
)
from schemas.strict import strict_json
from tests.plain import traces_of_pydantic
from tests.vectors.examples import EFFECTS, Json, good_messages, line

LINES = {name: line(value).encode() for name, value in good_messages().items()}
NUMBERS = st.integers() | st.floats() | st.booleans() | st.none()
JSON = st.recursive(
    NUMBERS | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
whole = st.integers(-limits.INTEGER_MAX, limits.INTEGER_MAX)
STORABLE = st.characters(codec="utf-8", exclude_characters="\0")
strict_values = st.recursive(
    whole | st.text(STORABLE, max_size=12) | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(STORABLE, max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def outcome(data: bytes) -> Message | Malformed:
    try:
        return parse_message(data)
    except Malformed as error:
        return error


def nested(depth: int, innermost: str = "") -> str:
    return "[" * depth + innermost + "]" * depth


# --- strict JSON --------------------------------------------------------------------------------


@given(strict_values)
def test_strict_json_reads_what_everybody_reads_alike(value: Any) -> None:
    text = json.dumps(value)
    assert strict_json(text) == value
    assert strict_json(text.encode()) == value
    assert strict_json(json.dumps(value, ensure_ascii=False, indent=1).encode()) == value


@given(st.text() | st.binary() | JSON.map(json.dumps))
def test_strict_json_gives_a_value_or_a_value_error(text: str | bytes) -> None:
    try:
        value = strict_json(text)
    except ValueError:
        return
    assert value == json.loads(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a":1,"a":1}', "'a' is repeated"),
        ('{"a":1,"\\u0061":2}', "'a' is repeated"),
        ('[{"b":{"a":1,"a":2}}]', "'a' is repeated"),
        ('{"' + "n" * 500 + '":1,"' + "n" * 500 + '":1}', "is repeated"),
        ('{"\\ud800":1,"\\ud800":1}', "is repeated"),
        ("1.0", "not an integer"),
        ("1e0", "not an integer"),
        ("-0.0", "not an integer"),
        ("NaN", "not an integer"),
        ("-Infinity", "not an integer"),
        (str(2**53), "beyond 2\\^53"),
        (str(-(2**53)), "beyond 2\\^53"),
        ("9" * 5000, "beyond 2\\^53"),
        ("\ufeff{}", "BOM"),
        (b"\xef\xbb\xbf{}", "BOM"),
        ("{}".encode("utf-16"), "utf-8"),
        ("[1]".encode("utf-32-le"), "Expecting value|Extra data"),
        (b"\xff", "utf-8"),
        (b'"\xc3"', "utf-8"),
        (b'"\xed\xa0\x80"', "utf-8"),
        ("", "Expecting value"),
        ("{} {}", "Extra data"),
        ("[1,]", "Expecting value|trailing comma"),
        ("'a'", "Expecting value"),
        ('"\t"', "control character"),
        (nested(limits.NESTING_MAX + 1), "nested deeper"),
        (nested(limits.NESTING_MAX, nested(1)), "nested deeper"),
        ('{"a":' * 13 + "1" + "}" * 13, "nested deeper"),
        ('"\\u0000"', r"U\+0000"),
        ('{"\\u0000":1}', r"U\+0000"),
        (b'[{"a":["b\\u0000c"]}]', r"U\+0000"),
        ("[" * 200_000, "nested deeper"),
        ('{"a":' * 200_000, "nested deeper"),
    ],
)
def test_strict_json_refuses(text: str | bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        strict_json(text)
    assert len(str(caught.value)) < 200


def test_strict_json_takes_integers_and_depth_up_to_their_limits() -> None:
    assert strict_json(str(limits.INTEGER_MAX)) == 2**53 - 1
    assert strict_json(str(-limits.INTEGER_MAX)) == 1 - 2**53
    assert strict_json(nested(limits.NESTING_MAX, "1"))
    assert strict_json(nested(limits.NESTING_MAX))


def test_a_repeated_name_among_very_many_is_found_in_linear_time() -> None:
    # Comparing each name with each takes minutes for these; the suite would not end.
    members = ",".join(f'"{number:x}":0' for number in range(80_000))
    with pytest.raises(ValueError, match="'zz' is repeated"):
        strict_json('{"zz":0,' + members + ',"zz":0}')


# --- messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LINES)
def test_a_good_line_is_read_and_says_the_same_when_written_again(name: str) -> None:
    message = parse_message(LINES[name])
    assert parse_message(message.model_dump_json().encode()) == message
    assert json.loads(message.model_dump_json(exclude_unset=True)) == json.loads(LINES[name])


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_message_or_malformed(data: bytes) -> None:
    assert isinstance(outcome(data), Message | Malformed)


@given(JSON)
def test_arbitrary_json_is_a_message_or_malformed(value: Any) -> None:
    assert isinstance(outcome(json.dumps(value).encode()), Malformed)


@given(st.sampled_from(sorted(LINES)), st.data())
def test_a_line_with_bytes_changed_is_a_message_or_malformed(
    name: str, data: st.DataObject
) -> None:
    good = LINES[name]
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 8)))
    changed = good[:start] + data.draw(st.binary(max_size=8)) + good[end:]
    if isinstance(outcome(changed), Message):
        strict_json(changed)


@pytest.mark.parametrize("name", LINES)
def test_a_line_must_be_strict_whether_we_would_write_it_so_or_not(name: str) -> None:
    ours = parse_message(LINES[name]).model_dump_json().encode()
    for good in (LINES[name], ours):
        assert isinstance(outcome(good.replace(b":", b" : ", 1)), Message)
        for bad in (
            good.replace(b"{", b'{"type":"hello",', 1),
            good.replace(b'"body":{', b'"body":{"comment":null,"comment":null,', 1),
            b"\xef\xbb\xbf" + good,
        ):
            refused = outcome(bad)
            assert isinstance(refused, Malformed)
            assert "not strict JSON" in str(refused)


def test_a_text_with_nul_in_it_is_refused_however_it_is_written() -> None:
    said = parse_message(LINES["an acceptance"])
    ours = said.model_copy(update={"body": said.body.model_copy(update={"comment": "a\0b"})})
    refused = outcome(ours.model_dump_json().encode())
    assert isinstance(refused, Malformed)
    assert "U+0000" in str(refused)


def members(value: Any) -> list[tuple[Any, Any]]:
    """Every container in a value with every name or index in it."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        names = list(value) if isinstance(value, dict) else list(range(len(value)))
        for name in names:
            found += [(value, name), *members(value[name])]
    return found


@given(st.sampled_from(sorted(LINES)), JSON | st.just(...), st.data())
def test_a_line_with_a_member_changed_is_a_message_or_malformed_there(
    name: str, new: Any, data: st.DataObject
) -> None:
    value = json.loads(LINES[name])
    container, member = data.draw(st.sampled_from(members(value)))
    if new is ...:
        del container[member]
    else:
        container[member] = new
    text = json.dumps(value)
    found = outcome(text.encode())
    if isinstance(found, Malformed):
        assert traces_of_pydantic(found.finding.detail) == []
    if isinstance(found, Malformed) and found.finding.field is not None:
        assert_names_a_member(found.finding.field, json.loads(text))


def assert_names_a_member(field: str, value: Any) -> None:
    """A finding's path leads through what is there; its last step may be what is missing."""
    *way, last = field.split("/")
    for part in way:
        value = value[int(part) if isinstance(value, list) else part]
    assert isinstance(value, dict) or int(last) <= len(value)


@given(st.sampled_from(sorted(LINES)), st.sampled_from(sorted({*MESSAGE_TYPES, "x"})))
def test_a_body_under_another_type_is_refused(name: str, type_: str) -> None:
    value = json.loads(LINES[name])
    own, value["type"] = value["type"], type_
    found = outcome(json.dumps(value).encode())
    if type_ != own and isinstance(found, Message):
        # Two bodies may hold nothing but a comment, and two questions name a transaction.
        alike = ({"acceptance", "withdrawal"}, {"status-request", "evidence-request"})
        assert {own, type_} in alike


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: str(effect["effect"]))
def test_a_finding_in_an_effect_names_its_path_without_pydantics_tag(effect: Json) -> None:
    value = good_messages()["an entry with an effect of each kind"]
    for name in effect.keys() - {"effect"}:
        value["body"]["effects"] = [{**effect, name: [7]}]
        found = outcome(line(value).encode())
        assert isinstance(found, Malformed)
        assert found.finding.field in {f"body/effects/0/{name}", f"body/effects/0/{name}/0"}


def test_every_effect_has_an_example() -> None:
    tags = {cls.model_fields["effect"].default for cls in get_args(get_args(Effect)[0])}
    assert tags == {effect["effect"] for effect in EFFECTS}


def test_a_line_that_is_too_large_is_not_even_read() -> None:
    found = outcome(b"{" * (limits.MESSAGE_BYTES_MAX + 1))
    assert isinstance(found, Malformed)
    assert found.finding.reason is Reason.MESSAGE_TOO_LARGE


def test_a_message_has_no_line_feed() -> None:
    found = outcome(LINES["an acceptance"] + b"\n")
    assert isinstance(found, Malformed)
    assert found.finding.detail == "a message is one line"


# --- who may say what ---------------------------------------------------------------------------


def test_every_type_may_be_said_by_somebody_and_nothing_else_may() -> None:
    assert set(SAID_BY) == set(MESSAGE_TYPES)
    roles = set(product(("node", "hub", "rec"), repeat=2))
    assert all(ways and ways <= roles for ways in SAID_BY.values())
    assert set(MESSAGE_TYPES) > CONTROL_TYPES


@pytest.mark.parametrize("type_", sorted(MESSAGE_TYPES))
def test_nodes_tell_one_another_nothing_that_changes_a_ledger(type_: str) -> None:
    if ("node", "node") in SAID_BY[type_]:
        assert type_ in CONTROL_TYPES | {"notice"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HUB", "hub"),
        ("REC", "rec"),
        ("GHA01/GHA", "node"),
        ("GHA01", "node"),
        ("UN02/REC", "node"),
    ],
)
def test_a_role_is_the_participants(name: str, expected: str) -> None:
    assert role(name) == expected


def test_the_states_of_the_wire_are_those_of_the_life_of_a_transaction() -> None:
    assert set(get_args(State)) == set(transactions.State)
