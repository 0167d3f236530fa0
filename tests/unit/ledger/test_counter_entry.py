# SPDX-License-Identifier: Apache-2.0
"""A first transfer that is taken back: what stops after a revocation, what goes back and to whom,
what becomes of it there, and what it does to the figures.

In the settled world Ghana has first-transferred 50 units to Switzerland, ITMOs 901 to 950, under
GHA-3, whose terms let a revocation bind them, and has revoked it by version 2.
"""

from typing import Any

import pytest

from ledger.tally import Account, Sum, Tally, changes
from schemas.directory import Profile
from schemas.effects import Effect
from schemas.findings import Finding, Reason
from schemas.identifiers import Actor, Participant, PartyCode
from schemas.messages import Proposal
from schemas.units import Attributes, Cancellation, FirstTransferDefinition, Kind, UseMark
from tests.unit.ledger.world import (
    AT_ISSUANCE,
    CHE,
    FLIGHT,
    GHA,
    GOOD,
    KOR,
    NDC,
    OMGE,
    REVOKED,
    I,
    U,
    World,
    account,
    authorization,
    bound_first_transfer,
    counter_entry,
    issuance,
    move,
    profile,
    settled,
    signed,
)

pytestmark = pytest.mark.requirement(88)

GHANA, HOME = PartyCode("GHA"), Participant("GHA01")
BINDING: dict[str, Any] = {"id": REVOKED.id, "binds_first_transferred": True}
MOVES = ("transfer", "use", "cancellation", "first-transfer")
FREELY = UseMark(user="GHA", cancellation=Cancellation.OTHER)


def reasons(found: list[Finding]) -> list[Reason]:
    return [one.reason for one in found]


def spread() -> World:
    """Of the 50, ten were used before the revocation, and fifteen have gone on to Korea."""
    world = settled()
    known = world.authorizations[GHANA, REVOKED.id]
    revocation = known.versions.pop(2)
    world.directory = world.directory.apply(
        signed(profile(CHE, KOR, Profile.INFORMATION), CHE, KOR)
    )
    world.act(CHE, moved("use", 901, 910, CHE, account(CHE, "USE"), use=NDC))
    world.act(CHE, moved("transfer", 936, 950, CHE, account(KOR, "HLD")))
    known.versions[2] = revocation
    return world


def moved(action: str, first: int, last: int, by: Actor, to: Any, **members: Any) -> Proposal:
    return move(action, I, first, last, account(by, "HLD"), to, **members)


def held(world: World) -> dict[str, tuple[str, bool, bool]]:
    """The units that were under GHA-3, both layers: account, first-transferred, authorized."""
    return {
        f"{block.key.layer} {block.first}-{block.last}": (
            str(block.position.account),
            block.attributes.first_transferred,
            block.attributes.authorization is not None,
        )
        for key, first, last in ((I, 901, 950), (U, 1901, 1950))
        for block in world.holdings.find(key.series, first, last)
    }


# --- what stops ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "first", "last"), [(CHE, 911, 935), (KOR, 936, 950), (CHE, 915, 915)]
)
def test_units_stop_at_each_holder_and_each_part_of_a_block(
    by: Actor, first: int, last: int
) -> None:
    world = spread()
    other = KOR if by == CHE else CHE
    ndc = NDC.model_copy(update={"user": by.section})
    asked = (
        moved("transfer", first, last, by, account(other, "HLD")),
        moved("use", first, last, by, account(by, "USE"), use=ndc),
        moved("cancellation", first, last, by, account(by, "CAN"), use=FLIGHT),
        moved("cancellation", first, last, by, account(by, "CAN"), use=FREELY),
        moved("cancellation", first, last, by, account(by, "OMG"), use=OMGE),
    )
    for proposal in asked:
        found = world.examine(by, proposal)
        assert Reason.AUTHORIZATION_REVOKED in reasons(found), proposal
        assert "a counter-entry takes their first transfer back" in str(found[0])


def test_what_was_used_before_stays_used_and_its_first_transfer_stands() -> None:
    world = spread()
    found = world.examine(CHE, counter_entry(901, 920))
    assert [(one.reason, one.first, one.last) for one in found] == [(Reason.UNITS_FINAL, 901, 910)]


def test_a_later_version_that_revokes_nothing_lets_units_go_on() -> None:
    world = spread()
    world.act(GHA, authorization(GHA, version=3, **BINDING))
    assert world.examine(CHE, moved("use", 911, 920, CHE, account(CHE, "USE"), use=NDC)) == []


# --- what goes back -----------------------------------------------------------------------------


def test_a_half_goes_back_and_the_other_half_stays_where_it_is() -> None:
    world = spread()
    world.act(CHE, counter_entry(911, 920))
    used, there, back = (str(account(CHE, code)) for code in ("USE", "HLD", "HLD"))
    back = str(account(GHA, "HLD", 3))
    locked, retired = str(account(GHA, "LCK")), str(account(GHA, "RET"))
    assert held(world) == {
        "itmo 901-910": (used, True, True),
        "itmo 911-920": (back, False, False),
        "itmo 921-935": (there, True, True),
        "itmo 936-950": (str(account(KOR, "HLD")), True, True),
        "underlying 1901-1910": (retired, True, True),
        "underlying 1911-1920": (locked, False, False),
        "underlying 1921-1950": (locked, True, True),
    }


def test_a_third_holder_and_the_first_transferring_party_agree_and_nobody_else() -> None:
    world = spread()
    proposal = moved("counter-entry", 936, 950, KOR, account(GHA, "HLD", 3), authorization=REVOKED)
    assert reasons(world.examine(KOR, proposal)) == [Reason.PROFILE_FORBIDS], "nothing moves"
    world.directory = world.directory.apply(
        signed(profile(GHA, KOR, Profile.INFORMATION), GHA, KOR)
    )
    assert {one.actor for one in world.consents(KOR, proposal)} == {KOR, GHA}
    world.act(KOR, proposal)
    assert held(world)["itmo 936-950"] == (str(account(GHA, "HLD", 3)), False, False)


def test_whoever_proposes_it_must_hold_all_of_it() -> None:
    found = spread().examine(CHE, counter_entry(931, 940))
    assert [(one.reason, one.first, one.last) for one in found] == [
        (Reason.UNITS_NOT_HELD, 936, 940)
    ]


def test_the_same_units_do_not_go_back_twice() -> None:
    world = spread()
    world.act(CHE, counter_entry(911, 920))
    again = moved("counter-entry", 911, 920, GHA, account(GHA, "HLD"), authorization=REVOKED)
    line = again.lines[0].model_copy(update={"source": account(GHA, "HLD", 3)})
    again = again.model_copy(update={"lines": (line,)})
    assert reasons(world.examine(GHA, again)) == [Reason.NOT_FIRST_TRANSFERRED]


def test_where_the_party_itself_holds_them_its_own_signature_is_both() -> None:
    world = settled()
    known = world.authorizations[GHANA, REVOKED.id]
    revocation = known.versions.pop(2)
    world.act(CHE, moved("transfer", 901, 910, CHE, account(GHA, "HLD")))
    known.versions[2] = revocation
    own = moved("counter-entry", 901, 910, GHA, account(GHA, "HLD"), authorization=REVOKED)
    assert {one.actor for one in world.consents(GHA, own)} == {GHA}
    world.act(GHA, own)
    assert held(world)["itmo 901-910"] == (str(account(GHA, "HLD")), False, False)


def test_a_node_asks_what_it_knows_and_leaves_the_rest_to_the_hub() -> None:
    world = settled()
    world.whole = False
    for block in world.holdings.find(U.series, 1, 9999):
        world.holdings.take(U, block.first, block.last, block.position)
    world.authorizations.clear()
    assert world.examine(CHE, counter_entry(901, 930)) == []
    astray = moved("counter-entry", 901, 930, CHE, account(CHE, "HLD", 2), authorization=REVOKED)
    assert reasons(world.examine(CHE, astray)) == [Reason.ACQUIRER_WRONG]


# --- what becomes of it -------------------------------------------------------------------------


def back_home() -> World:
    world = spread()
    world.act(CHE, counter_entry(911, 920))
    return world


def test_what_went_back_is_not_first_transferred_again() -> None:
    """Neither under another authorization, nor under a later version of the same one."""
    world = back_home()
    world.act(GHA, authorization(GHA, version=3, **BINDING))
    third = REVOKED.model_copy(update={"version": 3})
    for ref in (GOOD["first transfer"][1].authorization, third):
        found = world.examine(
            GHA, from_third("first-transfer", account(CHE, "HLD"), authorization=ref)
        )
        assert reasons(found) == [Reason.NOT_AUTHORIZED_UNITS]


def from_third(action: str, to: Any, **members: Any) -> Proposal:
    return move(action, I, 911, 920, account(GHA, "HLD", 3), to, **members)


def test_what_went_back_is_no_itmo_and_is_neither_transferred_nor_used() -> None:
    world = back_home()
    ndc = NDC.model_copy(update={"user": "GHA"})
    assert reasons(world.examine(GHA, from_third("transfer", account(CHE, "HLD")))) == [
        Reason.NOT_FIRST_TRANSFERRED
    ]
    used = world.examine(GHA, from_third("use", account(GHA, "USE"), use=ndc))
    assert Reason.NOT_FIRST_TRANSFERRED in reasons(used)


def test_what_went_back_can_be_cancelled_and_what_it_represents_is_cancelled_with_it() -> None:
    world = back_home()
    world.act(GHA, from_third("cancellation", account(GHA, "CAN", 3), use=FREELY))
    assert held(world)["itmo 911-920"] == (str(account(GHA, "CAN", 3)), False, False)
    (below,) = world.holdings.find(U.series, 1911, 1920)
    assert (below.position.kind, below.attributes.use) == (Kind.CANCELLATION, FREELY)


def test_the_authorized_quantity_is_given_back() -> None:
    world = spread()
    known = world.authorizations[GHANA, REVOKED.id]
    assert known.used == 50
    world.act(CHE, counter_entry(911, 935))
    assert known.used == 25
    # Valid again, for 60: what was taken back counts no more, and 36 are one too many.
    world.act(GHA, authorization(GHA, version=3, quantity=60, **BINDING))
    third = REVOKED.model_copy(update={"version": 3})

    def of(units: int) -> Proposal:
        one = bound_first_transfer(1801, 1800 + units, 801)
        return one.model_copy(update={"authorization": third})

    assert world.examine(GHA, of(35)) == []
    assert reasons(world.examine(GHA, of(36))) == [Reason.AUTHORIZATION_EXCEEDED]


def test_a_revocation_that_lowers_the_quantity_hinders_no_counter_entry() -> None:
    world = settled()
    world.act(GHA, authorization(GHA, version=3, revoked=True, quantity=0, **BINDING))
    third = REVOKED.model_copy(update={"version": 3})
    assert world.examine(CHE, counter_entry(901, 950, authorization=third)) == []


# --- figures ------------------------------------------------------------------------------------


def tally(effects: list[Effect], party: str, registry: str | None) -> dict[Account, Sum]:
    one = Tally(PartyCode(party), Participant(registry) if registry else None)
    one.take(effects)
    return one.sums()


def test_the_addition_by_vintage_is_countered_once_and_nobody_else_s_figures_move() -> None:
    """100 first-transferred, 40 taken back in two parts, 10 used: 60 and -10."""
    world, effects = World(), list[Effect]()
    for author, wanted in (
        (GHA, issuance(GHA, U, 1001, 1100)),
        (GHA, authorization(GHA, **BINDING)),
        (GHA, bound_first_transfer(1001, 1100, 1)),
        (CHE, move("use", I, 91, 100, account(CHE, "HLD"), account(CHE, "USE"), use=NDC)),
        (GHA, authorization(GHA, version=2, revoked=True, **BINDING)),
        (CHE, counter_entry(1, 15)),
        (CHE, counter_entry(16, 40)),
    ):
        effects += world.act(author, wanted)
    vintage, year = Account(None, 2023), Account(None, 2026)
    for registry in ("GHA01", None):
        assert tally(effects, "GHA", registry) == {vintage: Sum(first_transferred=60)}
    assert tally(effects, "GHA", "CHE01") == {}
    for registry in ("CHE01", None):
        assert tally(effects, "CHE", registry) == {year: Sum(used=10)}
    assert changes(effects[-3:], GHANA, HOME) == {vintage: Sum(first_transferred=-25)}


def test_itmos_that_a_party_issued_as_such_are_counted_where_they_were_first_transferred() -> None:
    world, effects = World(), list[Effect]()
    by_issuance = {"first_transfer": FirstTransferDefinition.ISSUANCE, "quantity": None}
    said = Attributes(authorization=AT_ISSUANCE, first_transferred=True)
    for author, wanted in (
        (GHA, authorization(GHA, **{**BINDING, **by_issuance, "id": AT_ISSUANCE.id})),
        (GHA, issuance(GHA, I, 1, 100, said)),
        (GHA, move("transfer", I, 1, 60, account(GHA, "HLD"), account(CHE, "HLD"))),
        (
            GHA,
            authorization(
                GHA, version=2, revoked=True, **{**BINDING, **by_issuance, "id": AT_ISSUANCE.id}
            ),
        ),
        (CHE, counter_entry(1, 30, authorization=AT_ISSUANCE.model_copy(update={"version": 2}))),
    ):
        effects += world.act(author, wanted)
    assert tally(effects, "GHA", "GHA01") == {Account(None, 2023): Sum(first_transferred=70)}
    assert tally(effects, "GHA", "CHE01") == {}
    assert {b.attributes.first_transferred for b in world.holdings.find(I.series, 1, 30)} == {False}
