# SPDX-License-Identifier: Apache-2.0
"""Keys, attributes, positions and printed identifiers, and that they are values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.effects import Units
from schemas.identifiers import (
    Actor,
    ApproachId,
    AuthorizationId,
    PartyCode,
    RegistryId,
    account_number,
)
from schemas.limits import SERIAL_MAX
from schemas.units import (
    FINAL_KINDS,
    KIND_CODES,
    Attributes,
    AuthorizationRef,
    Cancellation,
    ItmoIdentifier,
    Key,
    Kind,
    Layer,
    Position,
    Purpose,
    UseMark,
    parse_itmo_block,
)

KEY = Key(
    layer=Layer.UNDERLYING,
    approach=ApproachId("CA0007"),
    registry=RegistryId("GHA01"),
    party=PartyCode("GHA"),
    vintage=2023,
)
GHANA = Actor("GHA01/GHA")

keys = st.builds(
    Key,
    layer=st.sampled_from(Layer),
    approach=st.sampled_from(["CA0001", "CA0007"]).map(ApproachId),
    registry=st.sampled_from(["GHA01", "UN01"]).map(RegistryId),
    party=st.sampled_from(["GHA", "MMR"]).map(PartyCode),
    vintage=st.integers(1990, 2200),
    activity=st.none() | st.from_regex(r"[A-Z0-9]{1,24}", fullmatch=True),
)
references = st.builds(
    AuthorizationRef, id=st.just(AuthorizationId("A-1")), version=st.integers(1, 9999)
)
attributes = st.builds(
    Attributes,
    designation=st.sampled_from([None, "N", "NI", "NIO", "IO", "O", "MCU"]),
    authorization=st.none() | references,
    first_transferred=st.booleans(),
    use=st.none() | st.just(UseMark(purpose=Purpose.NDC, user="CHE", year=2026)),
)


@given(keys)
def test_a_key_is_read_back_from_its_text(key: Key) -> None:
    assert Key.parse(key.text) == key
    assert Key.parse(key.text).text == key.text


@given(keys, keys)
def test_keys_are_equal_when_their_texts_are(a: Key, b: Key) -> None:
    assert (a == b) == (a.text == b.text) == (a.model_dump() == b.model_dump())
    if a == b:
        assert hash(a) == hash(b)


@given(st.text(max_size=60))
def test_any_other_text_of_a_key_is_a_value_error(text: str) -> None:
    try:
        key = Key.parse(text)
    except ValueError:
        return
    assert key.text == text


@given(keys, st.sampled_from(Layer))
def test_the_same_series_on_another_layer_differs_in_its_layer_alone(
    key: Key, layer: Layer
) -> None:
    assert key.text  # cached: a copy must not take it along
    other = key.on(layer)
    assert other.layer is layer
    assert other.on(key.layer) == key
    assert other.text == f"{layer}:{key.text.partition(':')[2]}"


def test_serials_are_unique_across_activities() -> None:
    a, b = (KEY.model_copy(update={"activity": name}) for name in ("A1", "A2"))
    assert a != b
    assert a.series == b.series


def test_a_copy_is_checked_like_any_other_value() -> None:
    with pytest.raises(ValidationError):
        KEY.model_copy(update={"vintage": 1900})
    with pytest.raises(ValidationError):
        KEY.model_copy(update={"colour": "blue"})


@given(attributes)
def test_changed_attributes_are_not_those_before(before: Attributes) -> None:
    assert before.text
    after = before.but(first_transferred=not before.first_transferred)
    assert after != before
    assert after.text != before.text
    assert after.but(first_transferred=before.first_transferred) == before
    assert before.model_copy(update={"designation": "MCU"}).designation == "MCU"
    assert '"MCU"' in before.model_copy(update={"designation": "MCU"}).text


@given(attributes)
def test_attributes_are_read_back_from_their_text(value: Attributes) -> None:
    assert Attributes.model_validate_json(value.text) == value


def test_the_text_of_attributes_names_every_member_in_one_order() -> None:
    assert Attributes().text == (
        '{"metric":"GHG","unit":null,"mitigation":"Emission reductions","designation":null,'
        '"authorization":null,"first_transferred":false,"underlying_registry":null,'
        '"underlying_offset":null,"use":null}'
    )


def test_the_text_of_a_use_mark_names_every_member_in_one_order() -> None:
    used = Attributes(use=UseMark(purpose=Purpose.NDC, user="CHE", year=2026))
    assert used.text.endswith(
        '"use":{"purpose":"NDC","user":"CHE","year":2026,"cancellation":null,"oimp":null}}'
    )


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ({"purpose": Purpose.NDC, "user": "CHE", "year": 2026}, "NDC by CHE for 2026"),
        ({"purpose": Purpose.IMP, "user": "Airline", "oimp": "CORSIA"}, "IMP (CORSIA) by Airline"),
        (
            {"purpose": Purpose.OP, "user": "Shop", "cancellation": Cancellation.VOLUNTARY},
            "voluntary cancellation OP by Shop",
        ),
        (
            {"user": "GHA", "cancellation": Cancellation.OMGE_VOLUNTARY},
            "omge-voluntary cancellation by GHA",
        ),
        ({"user": "GHA", "cancellation": Cancellation.OTHER}, "other cancellation by GHA"),
    ],
)
def test_a_use_mark_is_said_in_words(mark: dict[str, Any], words: str) -> None:
    assert UseMark(**mark).words == words


@pytest.mark.parametrize(
    ("mark", "why"),
    [
        ({"user": "CHE"}, "has a purpose"),
        ({"purpose": Purpose.NDC, "user": "CHE"}, "calendar year"),
        ({"purpose": Purpose.OP, "user": "CHE", "year": 2026}, "calendar year"),
        ({"user": "CHE", "cancellation": Cancellation.VOLUNTARY}, "has a purpose"),
        (
            {"purpose": Purpose.OP, "user": "CHE", "cancellation": Cancellation.OMGE_MANDATORY},
            "has no purpose",
        ),
        ({"user": "CHE", "cancellation": Cancellation.OTHER, "oimp": "CORSIA"}, "oimp"),
        ({"purpose": Purpose.NDC, "user": "CHE", "year": 2026, "oimp": "CORSIA"}, "oimp"),
    ],
)
def test_a_use_mark_that_contradicts_itself_is_none(mark: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        UseMark(**mark)


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        KEY.vintage = 2024  # type: ignore[misc]


@pytest.mark.parametrize("code", sorted(KIND_CODES))
def test_an_account_number_says_its_position(code: str) -> None:
    account = account_number(GHANA, code, 1)
    assert Position.of(account) == Position(actor=GHANA, kind=KIND_CODES[code], account=account)


def test_a_position_agrees_with_its_account() -> None:
    account = account_number(GHANA, "HLD", 1)
    for wrong in ({"kind": Kind.USE}, {"actor": Actor("CHE01/CHE")}):
        with pytest.raises(ValidationError, match="another actor or kind"):
            Position.model_validate(
                {"actor": GHANA, "kind": Kind.HOLDING, "account": account} | wrong
            )
    with pytest.raises(ValueError, match="no kind of account"):
        Position.of(account_number(GHANA, "ZZZ", 1))


@pytest.mark.requirement(23)
def test_every_kind_has_a_code_and_final_kinds_are_kinds() -> None:
    assert sorted(KIND_CODES.values()) == sorted(Kind)
    assert frozenset(Kind) > FINAL_KINDS


@pytest.mark.parametrize(
    ("first", "last", "quantity"),
    [
        ("CA0007-GHA01-GHA-1-2023", "CA0007-GHA01-GHA-1-2023", 1),
        ("CA0007-GHA01-GHA-1-2023", "CA0007-GHA01-GHA-11,733-2023", 11733),
        ("CA0007-GHA01-GHA-100-2023", "CA0007-GHA01-GHA-199-2023", 100),
    ],
)
def test_two_printed_identifiers_are_a_block(first: str, last: str, quantity: int) -> None:
    key, low, high = parse_itmo_block(first, last)
    assert key == KEY.on(Layer.ITMO)
    assert high - low + 1 == quantity


@pytest.mark.parametrize(
    ("last", "why"),
    [
        ("CA0007-GHA01-GHA-9-2023", "comes after"),
        ("CA0007-GHA01-GHA-20-2024", "more than the serial"),
        ("CA0008-GHA01-GHA-20-2023", "more than the serial"),
        ("CA0007-GHA02-GHA-20-2023", "more than the serial"),
        ("CA0007-GHA01-CHE-20-2023", "more than the serial"),
        ("20", "not an identifier"),
    ],
)
def test_two_printed_identifiers_that_are_no_block(last: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_itmo_block("CA0007-GHA01-GHA-10-2023", last)


@given(st.integers(1, SERIAL_MAX))
def test_a_printed_identifier_is_read_with_and_without_commas(serial: int) -> None:
    plain = ItmoIdentifier.parse(f"CA0007-GHA01-GHA-{serial}-2023")
    assert ItmoIdentifier.parse(f"CA0007-GHA01-GHA-{serial:,}-2023") == plain
    assert str(plain) == f"CA0007-GHA01-GHA-{serial}-2023"
    assert plain.key() == KEY.on(Layer.ITMO)
    assert ItmoIdentifier.of(plain.key(), serial) == plain


@pytest.mark.requirement(36)
@pytest.mark.parametrize("part", range(5))
def test_an_identifier_without_one_of_its_five_parts_is_none(part: int) -> None:
    parts = ["CA0007", "GHA01", "GHA", "1", "2023"]
    for less in ([], [""], ["?"]):
        with pytest.raises(ValueError, match="is not an identifier"):
            ItmoIdentifier.parse("-".join([*parts[:part], *less, *parts[part + 1 :]]))


@pytest.mark.requirement(37)
def test_the_mechanism_registry_is_the_origin_of_a_unit_and_stays_it() -> None:
    found = ItmoIdentifier.parse("CA0001-UN01-MMR-1-2022")
    assert str(found) == "CA0001-UN01-MMR-1-2022"
    key = found.key(activity="PA10471")
    with pytest.raises(ValidationError):
        key.registry = RegistryId("UN02")  # type: ignore[misc]
    assert key.registry == "UN01"


def test_a_range_of_one_unit_is_in_order_and_a_reversed_one_is_none() -> None:
    assert Units(key=KEY, first=5, last=5).quantity == 1
    assert Units(key=KEY, first=5, last=9).quantity == 5
    with pytest.raises(ValidationError, match="range reversed: 6 comes after 5"):
        Units(key=KEY, first=6, last=5)


def test_positions_are_equal_when_their_accounts_are() -> None:
    one, again, other = (Position.of(account_number(GHANA, "HLD", n)) for n in (1, 1, 2))
    assert one == again
    assert hash(one) == hash(again)
    assert one != other
    assert one != one.account
