# SPDX-License-Identifier: Apache-2.0
"""Identifiers beyond what the vectors say: construction, parts, order, and how models take them."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from schemas.identifiers import (
    AccountNumber,
    Actor,
    ApproachId,
    AuthorizationId,
    CaseId,
    Digest,
    Identifier,
    Instant,
    MessageId,
    Participant,
    PartyCode,
    RegistryId,
    TransactionId,
    account_number,
    message_id,
)
from schemas.units import KIND_CODES

CLASSES: list[type[Identifier]] = [
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
]
ACTORS = ["GHA01/GHA", "CHE01/CHE", "UN01/ADM", "UN02/KOR"]

accounts = st.builds(
    account_number,
    st.sampled_from(ACTORS).map(Actor),
    st.sampled_from(sorted(KIND_CODES)),
    st.integers(1, 10**10 - 1),
)


class Holder(BaseModel):
    account: AccountNumber


@given(st.sampled_from(CLASSES), st.text(max_size=70))
def test_text_is_an_identifier_or_a_value_error(kind: type[Identifier], text: str) -> None:
    try:
        value = kind(text)
    except ValueError:
        return
    assert value == text
    assert type(value) is kind
    assert kind(value) is value


@given(st.sampled_from(CLASSES), st.text(max_size=300))
def test_a_refusal_is_short_and_names_the_form(kind: type[Identifier], text: str) -> None:
    refusal = ""
    try:
        kind(text)
    except ValueError as error:
        refusal = str(error)
    assert len(refusal) < 250


def test_an_identifier_of_one_class_is_no_proof_for_another() -> None:
    with pytest.raises(ValueError, match="not a registry id"):
        RegistryId(Participant("HUB"))
    assert RegistryId(Participant("GHA01")) == "GHA01"


@pytest.mark.parametrize(
    ("actor", "participant", "section"),
    [
        ("GHA01/GHA", "GHA01", "GHA"),
        ("UN01/ADM", "UN01", "ADM"),
        ("HUB", "HUB", ""),
        ("REC", "REC", ""),
    ],
)
def test_an_actor_has_a_participant_and_a_section(
    actor: str, participant: str, section: str
) -> None:
    assert Actor(actor).participant == Participant(participant)
    assert Actor(actor).section == section


@pytest.mark.requirement(2)
def test_a_transaction_names_its_proposer() -> None:
    assert TransactionId("UN02-VUT-17").proposer == Actor("UN02/VUT")


@given(accounts)
def test_an_account_number_says_its_actor_and_kind(account: AccountNumber) -> None:
    assert account_number(account.actor, account.kind_code, int(account.split("-")[3])) == account
    assert account.kind_code in KIND_CODES
    assert account.actor in ACTORS


@given(accounts, st.integers(0, 99))
def test_an_account_number_has_one_spelling(account: AccountNumber, check: int) -> None:
    other = f"{account[:-2]}{check:02d}"
    if other == account:
        return
    with pytest.raises(ValueError, match=r"account number|check digits"):
        AccountNumber(other)


@given(accounts, st.integers(0, 40), st.characters(codec="ascii"))
def test_a_mistyped_character_is_noticed(account: AccountNumber, place: int, typed: str) -> None:
    place %= len(account)
    mistyped = account[:place] + typed + account[place + 1 :]
    if mistyped == account:
        return
    with pytest.raises(ValueError, match=r"account number|check digits"):
        AccountNumber(mistyped)


@given(accounts, st.integers(0, 40))
def test_neighbours_that_change_places_are_noticed(account: AccountNumber, place: int) -> None:
    place %= len(account) - 1
    a, b = account[place], account[place + 1]
    if a == b:
        return
    with pytest.raises(ValueError, match=r"account number|check digits"):
        AccountNumber(account[:place] + b + a + account[place + 2 :])


moments = st.datetimes(timezones=st.just(UTC))


@given(moments, moments)
def test_instants_sort_like_the_moments_that_they_are(a: datetime, b: datetime) -> None:
    assert (Instant.of(a) < Instant.of(b)) == (a < b)
    assert Instant.of(a).moment() == a
    assert Instant(str(Instant.of(a))) == Instant.of(a)


def test_an_instant_of_another_time_zone_is_written_in_utc() -> None:
    accra = datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert Instant.of(accra) == "2026-12-31T23:00:00.000000Z"


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=20))
def test_a_message_id_is_a_uuid_of_version_7_with_its_time_first(
    milliseconds: int, random: bytes
) -> None:
    made = message_id(milliseconds, random)
    assert int(made.replace("-", "")[:12], 16) == milliseconds
    assert made[14] == "7"
    assert made[19] in "89ab"


@given(st.integers(0, 2**48 - 2), st.binary(min_size=10, max_size=10), st.binary(min_size=10))
def test_later_message_ids_sort_later(milliseconds: int, a: bytes, b: bytes) -> None:
    assert message_id(milliseconds, a) < message_id(milliseconds + 1, b)


def test_a_model_refuses_a_wrong_identifier_and_gives_a_right_one_its_class() -> None:
    read = Holder.model_validate_json('{"account":"GHA01-GHA-HLD-1-51"}')
    assert type(read.account) is AccountNumber
    assert json.loads(read.model_dump_json()) == {"account": "GHA01-GHA-HLD-1-51"}
    for wrong in ('"GHA01-GHA-HLD-1-15"', '"GHA01-GHA-HLD-1-51\\n"', "151", "null"):
        with pytest.raises(ValidationError):
            Holder.model_validate_json(f'{{"account":{wrong}}}')
