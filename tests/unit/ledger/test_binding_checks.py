# SPDX-License-Identifier: Apache-2.0
"""A Party acts, and acquires, where it is bound; what it left behind goes there."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.directory import Directory
from schemas.directory import Profile
from schemas.findings import Finding, Reason
from schemas.identifiers import AccountNumber, Actor, ApproachId, PartyCode
from schemas.messages import Proposal
from schemas.units import AuthorizationRef
from tests.unit.ledger.acts import DESK, GHANA, SWISS, binding, shared
from tests.unit.ledger.world import (
    CHE,
    GHA,
    GOOD,
    KOR,
    MMR,
    NDC,
    I,
    World,
    account,
    authorization,
    first_transfer,
    move,
    profile,
    settled,
    signed,
    unit_transfer,
)

BOUND = Reason.NOT_BOUND


def connected() -> Directory:
    """Sections of Ghana and Switzerland in a shared registry, connected with the first ones."""
    after = shared()
    for a, b in ((CHE, SWISS), (GHA, SWISS), (GHA, GHANA), (SWISS, GHANA), (CHE, DESK)):
        after = after.apply(signed(profile(a, b, Profile.INFORMATION), a, b))
    return after


def rebound(world: World, actor: Actor | None, party: str = "CHE", minute: int = 1) -> None:
    """The administrators record that the Party changes its registry."""
    act = binding(actor, minute, party=PartyCode(party))
    names = ("ada", "ben", CHE, SWISS, GHA, GHANA, KOR)
    world.directory = world.directory.apply(signed(act, *names))


def world() -> World:
    made = settled()
    made.directory = connected()
    return made


def hld(actor: Actor) -> AccountNumber:
    return account(actor, "HLD")


def of(found: list[Finding]) -> list[tuple[Reason, str | None]]:
    return [(one.reason, one.field) for one in found]


def over(first: int, last: int, source: Actor = CHE, target: Actor = SWISS) -> Proposal:
    return move("transfer", I, first, last, hld(source), hld(target))


USE = GOOD["use"][1]


@pytest.mark.requirement(1)
@pytest.mark.parametrize(
    "name", [name for name, (author, _) in GOOD.items() if author in {GHA, CHE}]
)
def test_a_party_without_a_binding_proposes_nothing(name: str) -> None:
    there, (author, wanted) = world(), GOOD[name]
    rebound(there, None, author.section)
    assert (BOUND, None) in of(there.examine(author, wanted))
    rebound(there, author, author.section, minute=2)
    assert there.examine(author, wanted) == [], "and again, once it has one"


@pytest.mark.requirement(1)
def test_nothing_goes_to_a_party_without_a_binding() -> None:
    there = world()
    rebound(there, None)
    (found,) = there.examine(GHA, first_transfer(1101, 1150, 101))
    assert of([found]) == [(BOUND, "body/acquirer")]
    assert found.detail == "CHE is bound to no section, not to CHE01/CHE"
    assert found.code == 3007


@pytest.mark.requirement(1)
def test_a_second_section_of_a_party_neither_proposes_nor_acquires() -> None:
    there = world()
    (found,) = there.examine(GHA, move("transfer", I, 1, 2, hld(GHA), hld(SWISS)))
    assert of([found]) == [(BOUND, "body/acquirer")]
    assert found.detail == "CHE is bound to CHE01/CHE, not to UN03/CHE"
    assert of(there.examine(CHE, over(1, 10))) == [(BOUND, "body/acquirer")]
    wanted = move("use", I, 1, 2, hld(SWISS), account(SWISS, "USE"), use=NDC)
    assert of(there.examine(SWISS, wanted)) == [(BOUND, None)]


@pytest.mark.requirement(1)
def test_a_party_that_changes_its_registry_takes_its_units_with_it() -> None:
    there = world()
    rebound(there, SWISS)
    there.act(CHE, over(1, 90))
    wanted = move("use", I, 1, 5, hld(SWISS), account(SWISS, "USE"), use=NDC)
    assert there.examine(SWISS, wanted) == []
    assert of(there.examine(CHE, USE)) == [(BOUND, None)], "the old section does nothing else"
    assert of(there.examine(SWISS, over(1, 5, SWISS, CHE))) == [(BOUND, "body/acquirer")]


@pytest.mark.requirement(1)
def test_units_left_behind_go_to_no_other_party() -> None:
    there = world()
    rebound(there, SWISS)
    found = there.examine(CHE, move("transfer", I, 1, 10, hld(CHE), hld(GHA)))
    assert of(found) == [(BOUND, None)]
    rebound(there, GHANA, "GHA")
    found = there.examine(CHE, move("transfer", I, 1, 10, hld(CHE), hld(GHA)))
    assert of(found) == [(BOUND, None), (BOUND, "body/acquirer")]
    there = world()
    rebound(there, None)
    assert of(there.examine(CHE, over(1, 10))) == [(BOUND, None), (BOUND, "body/acquirer")]


@pytest.mark.requirement(1)
def test_what_was_proposed_before_a_change_does_not_complete_after_it() -> None:
    """The checks are asked again when the acquirer has accepted."""
    there, wanted = world(), first_transfer(1101, 1150, 101)
    assert there.examine(GHA, wanted) == []
    rebound(there, SWISS)
    assert of(there.examine(GHA, wanted, first=False)) == [(BOUND, "body/acquirer")]
    there = world()
    rebound(there, GHANA, "GHA")
    assert of(there.examine(GHA, wanted, first=False)) == [(BOUND, None)]


@pytest.mark.requirement(1)
def test_units_that_were_locked_follow_their_itmos_whatever_became_of_the_first_section() -> None:
    there = world()
    rebound(there, GHANA, "GHA")
    there.act(CHE, USE)
    rows = [row for row in there.holdings.blocks() if row.position.account == account(GHA, "RET")]
    assert (11, 20) in {(row.first - 1000, row.last - 1000) for row in rows}


# --- authorizations and the mechanism registry ----------------------------------------------------


@pytest.mark.requirement(1)
@pytest.mark.parametrize("changes", [{"version": 2}, {"version": 2, "revoked": True}])
def test_authorizations_and_their_revocations_are_recorded_where_a_party_is_bound(
    changes: dict[str, Any],
) -> None:
    there, wanted = world(), authorization(GHA, **changes)
    assert of(there.examine(GHANA, wanted)) == [(BOUND, None)]
    assert there.examine(GHA, wanted) == []
    rebound(there, GHANA, "GHA")
    assert of(there.examine(GHA, wanted)) == [(BOUND, None)]
    assert there.examine(GHANA, wanted) == []


@pytest.mark.requirement(1)
def test_a_registry_that_a_party_changed_to_passes_what_follows_on_versions_of_the_other() -> None:
    """They were recorded before, elsewhere, and it does not know them; the hub does, and asks."""
    there = world()
    rebound(there, GHANA, "GHA")
    there.whole = False
    there.authorizations.clear()
    revocation = authorization(GHA, version=2, revoked=True)
    assert there.examine(GHANA, revocation) == []
    ref = AuthorizationRef(id=revocation.terms.id, version=1) if revocation.terms else None
    back = move("counter-entry", I, 1, 2, hld(GHANA), hld(GHANA), authorization=ref)
    assert Reason.AUTHORIZATION_MISSING not in {one.reason for one in there.examine(GHANA, back)}
    there.act(GHANA, authorization(GHA, version=3))
    again = authorization(GHA, version=2)
    assert of(there.examine(GHANA, again)) == [
        (Reason.AUTHORIZATION_EXISTS, "body/terms/version")
    ], "but not what it knows to be there"


@pytest.mark.requirement(1)
def test_the_one_registry_of_a_party_knows_which_version_is_next() -> None:
    there = settled()
    there.whole = False
    there.authorizations.clear()
    assert of(there.examine(GHA, authorization(GHA, version=2))) == [
        (Reason.AUTHORIZATION_EXISTS, "body/terms/version")
    ]


@pytest.mark.requirement(1)
@pytest.mark.parametrize(
    "name", [name for name, (author, _) in GOOD.items() if author.participant == "UN01"]
)
def test_the_mechanism_registry_needs_no_binding(name: str) -> None:
    there = world()
    assert there.directory.bound("MMR") is None
    author, wanted = GOOD[name]
    assert there.examine(author, wanted) == []


def test_a_section_there_authorizes_a6_4ers_and_nothing_else() -> None:
    there = world()
    assert there.examine(MMR, authorization(MMR, version=2)) == []
    wanted = authorization(MMR, id="MMR-9", approach=ApproachId("CA0007"))
    (found,) = there.examine(MMR, wanted)
    assert found.reason is BOUND
    assert found.detail == "no Party's ITMOs are tracked in UN01/MMR"


@pytest.mark.requirement(1)
def test_a6_4ers_go_to_no_section_that_is_not_bound() -> None:
    there = world()
    rebound(there, None, "KOR")
    assert of(there.examine(MMR, unit_transfer(21, 30))) == [(BOUND, "body/acquirer")]


def test_which_registry_is_the_mechanisms_the_settings_say() -> None:
    there = world()
    there.policy = replace(there.policy, mechanism="UN09")
    assert (BOUND, None) in of(there.examine(MMR, unit_transfer(21, 30)))


# --- administrators' sections ---------------------------------------------------------------------


@pytest.mark.requirement(51)
def test_an_administrators_section_outside_the_mechanism_holds_nothing_of_a_party() -> None:
    there = world()
    (found,) = there.examine(CHE, over(1, 10, CHE, DESK))
    assert of([found]) == [(BOUND, "body/acquirer")]
    assert found.detail == "no Party's ITMOs are tracked in UN03/ADM"
    wanted = move("use", I, 1, 2, hld(DESK), account(DESK, "USE"), use=NDC)
    assert of(there.examine(DESK, wanted)) == [(BOUND, None)]


def test_who_is_not_admitted_is_told_so_and_nothing_about_bindings() -> None:
    there = world()
    stranger = Actor("FRA01/FRA")
    found = there.examine(CHE, move("transfer", I, 1, 2, hld(CHE), hld(stranger)))
    assert Reason.PARTICIPANT_UNKNOWN in {one.reason for one in found}
    assert BOUND not in {one.reason for one in found}
