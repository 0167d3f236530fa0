# SPDX-License-Identifier: Apache-2.0
"""What authorizations allow, over versions, quantities, purposes, entities and time, and what terms
say.

Elsewhere: each fault against an authorization by itself (`test_checks`).
"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.effects import AuthorizationTerms
from schemas.identifiers import Instant
from schemas.messages import Proposal
from schemas.units import AuthorizationRef, Cancellation, Purpose, UseMark
from tests.unit.ledger.spoiling import (
    HLD,
    NEXT_YEAR,
    R,
    amended,
    asking_for_transfer_data,
    at,
    authorized,
    good,
    line,
    told,
)
from tests.unit.ledger.world import (
    AUTHORIZED,
    CHE,
    FLIGHT,
    GHA,
    GOOD,
    NDC,
    OMGE,
    VOLUNTARY,
    I,
    U,
    account,
    authorization,
    first_transfer,
    move,
    settled,
    terms,
)


@pytest.mark.requirement(114)
def test_what_goes_to_another_party_says_to_whom_and_how_it_is_adjusted_for() -> None:
    world = settled()
    asking_for_transfer_data(world)
    said = {"entity": FLIGHT.user, "adjustment": "averaging"}
    for name in ("first transfer", "first transfer of A6.4ERs"):
        assert world.examine(*good(name, **said)) == []
        for member in said:
            (found,) = world.examine(*good(name, **said | {member: None}))
            assert (found.reason, found.field) == (R.MEMBER_MISSING, f"body/{member}")
    for name in ("first transfer at home", "transfer", "use", "forwarding"):
        assert world.examine(*GOOD[name]) == [], "it does not leave the Party in its key"


def test_new_terms_do_not_touch_units_first_transferred_under_the_old_ones() -> None:
    world = settled()
    authorized(GHA, revoked=True, purposes=(Purpose.NDC,), first_transfer=None, oimp=None)(world)
    assert world.examine(*GOOD["use"]) == []
    assert world.examine(*GOOD["use by an entity"]) == []


@pytest.mark.requirement(34)
def test_rules_that_change_leave_what_was_recorded_under_the_old_ones() -> None:
    world = settled()
    world.policy = replace(
        world.policy, vintage_from=2030, share_of_proceeds_permille=200, omge_permille=500
    )
    assert [f.reason for f in world.examine(*GOOD["issuance"])] == [R.VINTAGE_TOO_EARLY]
    for name in sorted(name for name in GOOD if not name.startswith("issuance")):
        assert world.examine(*GOOD[name]) == [], name


@pytest.mark.requirement(87)
@pytest.mark.parametrize("name", ["use", "use by an entity", "transfer", "cancellation"])
def test_a_revocation_is_nothing_to_units_that_were_first_transferred(name: str) -> None:
    world = settled()
    world.act(GHA, authorization(GHA, version=2, revoked=True))
    assert world.examine(*GOOD[name]) == []
    revoked = AuthorizationRef(id=AUTHORIZED.id, version=2)
    for fresh in ("first transfer", "first transfer by use", "first transfer by cancellation"):
        (found,) = world.examine(*good(fresh, authorization=revoked))
        assert found.reason is R.AUTHORIZATION_REVOKED


@pytest.mark.requirement(86)
def test_a_quantity_is_counted_over_all_versions_and_ways_of_first_transfer() -> None:
    world = settled()  # 100 of Ghana's are first-transferred
    for name, used in (
        ("first transfer", 150),
        ("first transfer by use", 160),
        ("first transfer by cancellation", 170),
        ("first transfer for overall mitigation", 172),
    ):
        world.act(*GOOD[name])
        assert world.authorizations[U.party, AUTHORIZED.id].used == used
    world.act(GHA, authorization(GHA, version=2, quantity=181))
    second = AuthorizationRef(id=AUTHORIZED.id, version=2)
    (found,) = world.examine(*good("first transfer of a Party's ITMOs", authorization=second))
    assert (found.reason, found.detail) == (
        R.AUTHORIZATION_EXCEEDED,
        "172 of 181 used, 10 asked for",
    )


@pytest.mark.requirement(7)
@pytest.mark.requirement(9)
@pytest.mark.parametrize("second", [NDC, FLIGHT, VOLUNTARY, OMGE])
@pytest.mark.parametrize("first", [NDC, FLIGHT, VOLUNTARY, OMGE])
def test_a_second_use_under_any_scheme_is_refused_and_shows_the_first(
    first: UseMark, second: UseMark
) -> None:
    """Units that one scheme had retired were once sold again into another."""

    def ended(mark: UseMark, source: str) -> Proposal:
        code = "USE" if mark.cancellation is None else "CAN"
        code = "OMG" if mark is OMGE else code
        action = "use" if code == "USE" else "cancellation"
        return move(action, I, 51, 60, account(CHE, source), account(CHE, code), use=mark)

    world = settled()
    world.act(CHE, ended(first, "HLD"))
    (found,) = world.examine(CHE, ended(second, "HLD"))
    assert found.reason is R.UNITS_FINAL
    assert found.detail.endswith(first.words)
    moved = move("transfer", I, 51, 60, HLD[CHE], HLD[GHA])
    assert [f.reason for f in world.examine(CHE, moved)] == [R.UNITS_FINAL]


def test_what_is_authorized_to_the_last_unit_passes() -> None:
    world = settled()
    amended(GHA, quantity=150)(world)
    world.act(*GOOD["first transfer"])
    assert told(world.examine(GHA, first_transfer(1151, 1151, 151))) == [
        at(R.AUTHORIZATION_EXCEEDED, "body/quantity")
    ]


def test_an_authorization_for_any_party_and_entity_covers_all() -> None:
    world = settled()
    amended(GHA, parties=(), entities=(), quantity=None)(world)
    assert world.examine(*GOOD["first transfer"]) == []
    other = UseMark(purpose=Purpose.IMP, user="Other Airline")
    assert world.examine(*good("use by an entity", use=other)) == []


def test_years_at_the_edge_of_a_timeframe_are_inside_it() -> None:
    world = settled()
    amended(GHA, vintage_from=2023, vintage_to=2023)(world)
    assert world.examine(*GOOD["first transfer"]) == []
    for year in (2024, 2030):
        assert world.examine(*good("use", use=NDC.model_copy(update={"year": year}))) == []
    assert world.examine(*line("issuance", key=U.model_copy(update={"vintage": 2021}))) == []


@pytest.mark.requirement(85)
def test_the_party_that_authorizes_uses_what_came_back_to_it() -> None:
    """Check II06: whoever uses is the authorizer or one that it lists."""
    world = settled()
    world.act(*GOOD["transfer"])
    mark = NDC.model_copy(update={"user": "GHA"})
    back = move("use", I, 1, 2, HLD[GHA], account(GHA, "USE"), use=mark)
    assert world.examine(GHA, back) == []
    world.act(CHE, move("use", I, 21, 30, HLD[CHE], account(CHE, "USE"), use=flight_of("CHE")))


def flight_of(user: str) -> UseMark:
    return UseMark(purpose=Purpose.IMP, user=user)


@pytest.mark.requirement(85)
def test_an_entity_of_three_letters_is_one_where_the_terms_name_it() -> None:
    world = settled()
    amended(GHA, entities=("ANA", FLIGHT.user))(world)
    assert world.examine(*good("use by an entity", use=flight_of("ANA"))) == []
    (found,) = world.examine(*good("use by an entity", use=flight_of("JAL")))
    assert found.reason is R.AUTHORIZATION_PARTY


@pytest.mark.requirement(86)
@pytest.mark.parametrize(
    ("now", "passes"),
    [
        ("2025-12-31T23:59:59.999999Z", False),
        ("2026-01-01T00:00:00.000000Z", True),
        ("2026-12-31T23:59:59.999999Z", True),
        ("2027-01-01T00:00:00.000000Z", False),
    ],
)
def test_a_timeframe_ends_with_the_last_moment_of_its_last_year(now: str, *, passes: bool) -> None:
    world = settled()
    amended(GHA, use_from=2026, use_to=2026)(world)
    world.now = Instant(now)
    later = Instant.of(world.now.moment() + timedelta(days=1))
    out = [at(R.AUTHORIZATION_OUT_OF_TIME, "body/use", I, 21, 30)]
    wanted = good("use by an entity", expires_at=later)
    assert told(world.examine(*wanted)) == ([] if passes else out)


@pytest.mark.requirement(83)
@pytest.mark.parametrize("moment", ["2027-12-31T23:59:59.999999Z", "2028-01-01T00:00:00.000000Z"])
def test_a_vintage_is_there_from_the_first_moment_of_its_year_on(moment: str) -> None:
    world = settled()
    world.now = Instant(moment)
    later = Instant.of(world.now.moment() + timedelta(days=1))
    author, wanted = line("issuance", key=NEXT_YEAR)
    found = world.examine(author, wanted.model_copy(update={"expires_at": later}))
    assert [f.reason for f in found] == [R.KEY_WRONG] * moment.startswith("2027")


@pytest.mark.requirement(3, 8)
@pytest.mark.parametrize(
    "changes",
    [
        {"vintage_from": 2026, "vintage_to": 2025},
        {"use_from": 2031, "use_to": 2030},
        {"party": "ADM"},
        {"version": 0},
        {"version": 10_000},
        {"quantity": -1},
        {"quantity": 2**53},
        {"purposes": ()},
        {"purposes": ("NDC", "NDC")},
        {"purposes": ("OIMP",)},
        {"first_transfer": None},
        {"purposes": ("NDC",)},
        {"parties": ("ADM",)},
        {"parties": ("Switzerland",)},
        {"entities": ("",)},
        {"id": "-"},
        {"oimp": ""},
        {"purposes": ("NDC",), "first_transfer": None},
    ],
)
def test_terms_that_say_nothing_that_can_be_kept_to_are_none(changes: dict[str, Any]) -> None:
    given = json.loads(terms(GHA).model_dump_json())
    assert AuthorizationTerms.model_validate_json(json.dumps(given)) == terms(GHA)
    with pytest.raises(ValidationError):
        AuthorizationTerms.model_validate_json(json.dumps(given | changes))


@pytest.mark.requirement(9)
@pytest.mark.parametrize("kind", [None, *Cancellation])
@pytest.mark.parametrize("purpose", [None, *Purpose])
def test_a_mark_says_for_what_units_end_unless_its_kind_says_that_it_is_for_nothing(
    purpose: Purpose | None, kind: Cancellation | None
) -> None:
    year = 2026 if purpose is Purpose.NDC else None
    members = {"user": "Buyer", "purpose": purpose, "cancellation": kind, "year": year}
    of_nothing = kind is Cancellation.OTHER or (kind is not None and kind.delivers_omge)
    right = of_nothing if purpose is None else not (kind is not None and kind.delivers_omge)
    if right:
        UseMark.model_validate(members)
    else:
        with pytest.raises(ValidationError):
            UseMark.model_validate(members)
