# SPDX-License-Identifier: Apache-2.0
"""What each action does, spelled out for one good proposal each, and who consents to it."""

from itertools import pairwise

import pytest

from ledger.actions import companion, completion, consents, needs_acceptance, release, reserve
from ledger.blocks import Block
from ledger.effects import Everybody, apply
from ledger.holdings import Overlay, OverlayKind
from schemas.effects import (
    ApprovalEffect,
    ApprovalRecordEffect,
    AuthorizationEffect,
    Effect,
    Move,
    Pledge,
    Release,
    Reserve,
    Restate,
)
from schemas.envelope import digest
from schemas.identifiers import Actor, Digest, TransactionId
from schemas.messages import Consent, Proposal
from schemas.units import Attributes, Kind, Position
from tests.unit.ledger.world import (
    ADM,
    AT_ISSUANCE,
    AUTHORIZED,
    AUTHORIZED64,
    BUYER,
    CHE,
    FLIGHT,
    GHA,
    GOOD,
    KOR,
    MMR,
    NDC,
    NDC_KOREA,
    OMGE,
    VOLUNTARY,
    A,
    B,
    C,
    I,
    U,
    World,
    account,
    authorization,
    bound_first_transfer,
    first_transfer,
    issuance,
    move,
    settled,
    terms,
)

MESSAGE = digest(b"the proposal")
ACCEPTANCE = digest(b"the acceptance")
LETTERS = {U: "U", I: "I", A: "A", B: "B", C: "C"}


def told(effect: Effect) -> str:
    """An effect in a few words: what, which units, from where to where."""
    if isinstance(effect, ApprovalEffect):
        return f"approval {effect.approval} of {effect.approved_quantity}: {effect.quantity}"
    if isinstance(effect, ApprovalRecordEffect):
        record = effect.record
        return f"approval-record {record.id} {record.quantity} by {effect.actor}"
    if isinstance(effect, AuthorizationEffect):
        return f"authorization {effect.terms.id} {effect.terms.version} by {effect.actor}"
    assert isinstance(effect, Move | Restate | Pledge)
    units = f"{LETTERS[effect.key]} {effect.first}-{effect.last}"
    if isinstance(effect, Move):
        source = place(effect.source) if effect.source else "nothing"
        return f"move {units} from {source} to {place(effect.target)}"
    if isinstance(effect, Restate):
        return f"restate {units} in {place(effect.position)}"
    return f"pledge {units} of {effect.actor}"


def place(position: Position) -> str:
    registry, section, code, number, _ = position.account.split("-")
    assert position == Position.of(position.account)
    return f"{registry}/{section} {code} {number}"


def effects_of(world: World, name: str) -> list[Effect]:
    author, proposal = GOOD[name]
    return completion(proposal, author, world.holdings, MESSAGE)


EFFECTS = {
    "issuance": [
        "move U 2001-2100 from nothing to GHA01/GHA HLD 1",
        "approval SB-2001 of 100: 100",
    ],
    "issuance of A6.4ERs": [
        "move A 301-393 from nothing to UN01/ADM PEN 1",
        "move A 394-398 from nothing to UN01/ADM SOP 1",
        "move A 399-400 from nothing to UN01/ADM OMG 1",
        "approval SB-301 of 100: 100",
    ],
    "approval": ["approval-record SB-401 100 by UN01/ADM"],
    "authorization": ["authorization GHA-1 2 by GHA01/GHA"],
    "designation": ["restate B 111-120 in UN01/MMR HLD 1"],
    "entry of CERs": [
        "move C 101-200 from nothing to UN01/ADM CER 1",
        "approval CDM-1 of 200: 100",
    ],
    "transfer of CERs": ["move C 51-60 from UN01/ADM CER 1 to UN01/MMR CER 1"],
    "use of CERs": [
        "restate C 1-10 in UN01/MMR CER 1",
        "move C 1-10 from UN01/MMR CER 1 to UN01/MMR RET 1",
    ],
    "replenishment": ["move B 141-150 from UN01/MMR HLD 1 to UN01/ADM BUF 1"],
    "administrative cancellation": [
        "restate B 151-155 in UN01/ADM BUF 1",
        "move B 151-155 from UN01/ADM BUF 1 to UN01/ADM ADC 1",
    ],
    "forwarding": ["move A 61-70 from UN01/ADM PEN 1 to UN01/MMR HLD 1"],
    "first transfer": [
        "restate U 1101-1150 in GHA01/GHA HLD 1",
        "move U 1101-1150 from GHA01/GHA HLD 1 to GHA01/GHA LCK 1",
        "pledge U 1101-1150 of GHA01/GHA",
        "move I 101-150 from nothing to CHE01/CHE HLD 1",
    ],
    "first transfer of A6.4ERs": [
        "restate A 21-30 in UN01/MMR HLD 1",
        "move A 21-30 from UN01/MMR HLD 1 to UN02/KOR HLD 1",
    ],
    "first transfer at home": [
        "restate U 1201-1210 in GHA01/GHA HLD 1",
        "move U 1201-1210 from GHA01/GHA HLD 1 to GHA01/GHA LCK 1",
        "pledge U 1201-1210 of GHA01/GHA",
        "move I 501-510 from nothing to GHA01/GHA HLD 2",
    ],
    "issuance of ITMOs": [
        "move I 5001-5100 from nothing to GHA01/GHA HLD 1",
        "approval SB-5001 of 100: 100",
    ],
    "first transfer of a Party's ITMOs": [
        "restate I 4001-4010 in GHA01/GHA HLD 1",
        "move I 4001-4010 from GHA01/GHA HLD 1 to CHE01/CHE HLD 1",
    ],
    "first transfer by use": [
        "restate U 1401-1410 in GHA01/GHA HLD 1",
        "move U 1401-1410 from GHA01/GHA HLD 1 to GHA01/GHA RET 1",
        "move I 601-610 from nothing to GHA01/GHA USE 1",
    ],
    "first transfer by cancellation": [
        "restate I 4011-4020 in GHA01/GHA HLD 1",
        "move I 4011-4020 from GHA01/GHA HLD 1 to GHA01/GHA CAN 1",
    ],
    "first transfer for overall mitigation": [
        "restate U 1411-1412 in GHA01/GHA HLD 1",
        "move U 1411-1412 from GHA01/GHA HLD 1 to GHA01/GHA CAN 1",
        "move I 611-612 from nothing to GHA01/GHA OMG 1",
    ],
    "cancellation for overall mitigation": [
        "restate I 41-42 in CHE01/CHE HLD 1",
        "move I 41-42 from CHE01/CHE HLD 1 to CHE01/CHE OMG 1",
        "restate U 1041-1042 in GHA01/GHA LCK 1",
        "move U 1041-1042 from GHA01/GHA LCK 1 to GHA01/GHA CAN 1",
    ],
    "counter-entry": [
        "move I 901-930 from CHE01/CHE HLD 1 to GHA01/GHA HLD 3",
        "restate I 901-930 in GHA01/GHA HLD 3",
        "restate U 1901-1930 in GHA01/GHA LCK 1",
    ],
    "transfer": ["move I 1-10 from CHE01/CHE HLD 1 to GHA01/GHA HLD 1"],
    "use": [
        "restate I 11-20 in CHE01/CHE HLD 1",
        "move I 11-20 from CHE01/CHE HLD 1 to CHE01/CHE USE 1",
        "restate U 1011-1020 in GHA01/GHA LCK 1",
        "move U 1011-1020 from GHA01/GHA LCK 1 to GHA01/GHA RET 1",
    ],
    "use by an entity": [
        "restate I 21-30 in CHE01/CHE HLD 1",
        "move I 21-30 from CHE01/CHE HLD 1 to CHE01/CHE USE 1",
        "restate U 1021-1030 in GHA01/GHA LCK 1",
        "move U 1021-1030 from GHA01/GHA LCK 1 to GHA01/GHA RET 1",
    ],
    "use of A6.4ERs": [
        "restate A 1-5 in UN02/KOR HLD 1",
        "move A 1-5 from UN02/KOR HLD 1 to UN02/KOR USE 1",
    ],
    "cancellation": [
        "restate I 31-40 in CHE01/CHE HLD 1",
        "move I 31-40 from CHE01/CHE HLD 1 to CHE01/CHE CAN 1",
        "restate U 1031-1040 in GHA01/GHA LCK 1",
        "move U 1031-1040 from GHA01/GHA LCK 1 to GHA01/GHA CAN 1",
    ],
    "cancellation of underlying units": [
        "restate U 1301-1310 in GHA01/GHA HLD 1",
        "move U 1301-1310 from GHA01/GHA HLD 1 to GHA01/GHA CAN 1",
    ],
    "cancellation of a contribution": [
        "restate B 101-110 in UN01/MMR HLD 1",
        "move B 101-110 from UN01/MMR HLD 1 to UN01/MMR CAN 1",
    ],
}


@pytest.mark.requirement(21, case="forwarding")
@pytest.mark.requirement(21, case="first transfer of A6.4ERs")
@pytest.mark.requirement(89, case="designation")
@pytest.mark.requirement(10, case="cancellation for overall mitigation")
@pytest.mark.requirement(29)
@pytest.mark.requirement(5, case="transfer")
@pytest.mark.requirement(7, case="use")
@pytest.mark.requirement(9, case="cancellation")
@pytest.mark.requirement(88, case="counter-entry")
@pytest.mark.parametrize("name", GOOD)
def test_an_action_does_exactly_this(name: str) -> None:
    assert [told(effect) for effect in effects_of(settled(), name)] == EFFECTS[name]


@pytest.mark.parametrize("name", GOOD)
def test_effects_follow_one_another_without_a_dispute(name: str) -> None:
    world = settled()
    for effect in effects_of(world, name):
        assert apply(world.holdings, effect, Everybody()) == []


@pytest.mark.parametrize("name", [name for name in GOOD if name != "counter-entry"])
def test_a_restatement_changes_something_and_the_move_after_it_carries_it_on(name: str) -> None:
    effects = effects_of(settled(), name)
    for before, after in pairwise(effects):
        if isinstance(before, Restate):
            assert before.before != before.after
            assert isinstance(after, Move)
            assert (after.source, after.attributes) == (before.position, before.after)
            assert (after.key, after.first, after.last) == (before.key, before.first, before.last)


ITMO_ATTRIBUTES = Attributes(
    first_transferred=True,
    authorization=AUTHORIZED,
    underlying_registry="GHA01",
    underlying_offset=1000,
)
LOCKED_ATTRIBUTES = Attributes(first_transferred=True, authorization=AUTHORIZED)


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("issuance", [Attributes()]),
        (
            "issuance of A6.4ERs",
            [Attributes(designation="N", first_transferred=gone) for gone in (False, True, True)],
        ),
        ("forwarding", [Attributes(designation="NI")]),
        ("first transfer", [LOCKED_ATTRIBUTES, ITMO_ATTRIBUTES]),
        (
            "first transfer of A6.4ERs",
            [Attributes(designation="NI", first_transferred=True, authorization=AUTHORIZED64)],
        ),
        (
            "first transfer at home",
            [
                LOCKED_ATTRIBUTES.but(authorization=AT_ISSUANCE),
                ITMO_ATTRIBUTES.but(authorization=AT_ISSUANCE, underlying_offset=700),
            ],
        ),
        (
            "first transfer by use",
            [
                LOCKED_ATTRIBUTES.but(use=FLIGHT),
                ITMO_ATTRIBUTES.but(use=FLIGHT, underlying_offset=800),
            ],
        ),
        ("first transfer by cancellation", [LOCKED_ATTRIBUTES.but(use=VOLUNTARY)]),
        (
            "first transfer for overall mitigation",
            [LOCKED_ATTRIBUTES.but(use=OMGE), ITMO_ATTRIBUTES.but(use=OMGE, underlying_offset=800)],
        ),
        ("transfer", [ITMO_ATTRIBUTES]),
        ("use", [ITMO_ATTRIBUTES.but(use=NDC), LOCKED_ATTRIBUTES.but(use=NDC)]),
        ("cancellation", [ITMO_ATTRIBUTES.but(use=FLIGHT), LOCKED_ATTRIBUTES.but(use=FLIGHT)]),
        (
            "use of A6.4ERs",
            [
                Attributes(
                    designation="NI",
                    first_transferred=True,
                    authorization=AUTHORIZED64,
                    use=NDC_KOREA,
                )
            ],
        ),
        ("cancellation of underlying units", [Attributes(use=BUYER)]),
        ("cancellation of a contribution", [Attributes(designation="MCU", use=BUYER)]),
    ],
)
def test_units_arrive_with_these_attributes(name: str, attributes: list[Attributes]) -> None:
    arrived = [e.attributes for e in effects_of(settled(), name) if isinstance(e, Move)]
    assert arrived == attributes


def test_a_pledge_names_the_proposal_that_made_it() -> None:
    pledges = [e for e in effects_of(settled(), "first transfer") if isinstance(e, Pledge)]
    assert [pledge.consent for pledge in pledges] == [MESSAGE]


def test_an_authorization_is_recorded_as_it_was_proposed() -> None:
    (effect,) = effects_of(settled(), "authorization")
    assert effect == AuthorizationEffect(actor=GHA, terms=terms(GHA, version=2))


# --- consents -----------------------------------------------------------------------------------


def pledged_by(proposal: Proposal) -> Digest:
    return digest(proposal.model_dump_json().encode())


PLEDGED = pledged_by(first_transfer(1001, 1100, 1))
BOUND = pledged_by(bound_first_transfer(1901, 1950, 901))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("issuance", {(GHA, MESSAGE)}),
        ("approval", {(ADM, MESSAGE)}),
        ("authorization", {(GHA, MESSAGE)}),
        ("designation", {(MMR, MESSAGE)}),
        ("entry of CERs", {(ADM, MESSAGE)}),
        ("transfer of CERs", {(ADM, MESSAGE), (MMR, ACCEPTANCE)}),
        ("use of CERs", {(MMR, MESSAGE)}),
        ("replenishment", {(MMR, MESSAGE), (ADM, ACCEPTANCE)}),
        ("administrative cancellation", {(ADM, MESSAGE)}),
        ("forwarding", {(ADM, MESSAGE), (MMR, ACCEPTANCE)}),
        ("first transfer", {(GHA, MESSAGE), (CHE, ACCEPTANCE)}),
        ("first transfer of A6.4ERs", {(MMR, MESSAGE), (KOR, ACCEPTANCE)}),
        ("first transfer at home", {(GHA, MESSAGE)}),
        ("first transfer by use", {(GHA, MESSAGE)}),
        ("first transfer by cancellation", {(GHA, MESSAGE)}),
        ("cancellation for overall mitigation", {(CHE, MESSAGE), (GHA, PLEDGED)}),
        ("transfer", {(CHE, MESSAGE), (GHA, ACCEPTANCE)}),
        ("use", {(CHE, MESSAGE), (GHA, PLEDGED)}),
        ("cancellation", {(CHE, MESSAGE), (GHA, PLEDGED)}),
        ("use of A6.4ERs", {(KOR, MESSAGE)}),
        ("cancellation of underlying units", {(GHA, MESSAGE)}),
        ("counter-entry", {(CHE, MESSAGE), (GHA, ACCEPTANCE), (GHA, BOUND)}),
    ],
)
def test_everybody_whose_rows_move_consents(name: str, expected: set[tuple[Actor, str]]) -> None:
    world = settled()
    author, proposal = GOOD[name]
    acceptance = ACCEPTANCE if needs_acceptance(proposal, author) else None
    given = consents(proposal, author, world.holdings, MESSAGE, acceptance)
    assert {(consent.actor, consent.message) for consent in given} == expected
    assert given == sorted(given, key=lambda consent: consent.actor)
    moved = set()
    for effect in effects_of(world, name):
        if isinstance(effect, Move):
            moved |= {effect.target.actor} | ({effect.source.actor} if effect.source else set())
    assert moved <= {consent.actor for consent in given}


@pytest.mark.parametrize(
    ("name", "expected"),
    [(name, proposal.acquirer is not None) for name, (_, proposal) in GOOD.items()],
)
def test_another_actor_must_agree_when_there_is_one(name: str, expected: bool) -> None:  # noqa: FBT001
    author, proposal = GOOD[name]
    assert needs_acceptance(proposal, author) is expected


def test_units_of_two_pledges_need_both_consents() -> None:
    world = settled()
    second = first_transfer(1101, 1150, 101)
    world.act(GHA, second)
    use = move("use", I, 86, 90, account(CHE, "HLD"), account(CHE, "USE"), use=NDC)
    both = use.model_copy(
        update={
            "lines": (
                *use.lines,
                *move("use", I, 101, 105, account(CHE, "HLD"), account(CHE, "USE"), use=NDC).lines,
            ),
            "quantity": 10,
        }
    )
    assert world.examine(CHE, both) == []
    assert world.consents(CHE, both) == [
        Consent(actor=CHE, message=world.message(both)),
        *sorted(
            (Consent(actor=GHA, message=d) for d in (PLEDGED, pledged_by(second))),
            key=lambda consent: consent.message,
        ),
    ]


def test_a_line_across_two_pledges_moves_the_units_of_both() -> None:
    world = settled()
    second = first_transfer(1101, 1150, 101)
    world.act(GHA, second)
    use = move("use", I, 85, 90, account(CHE, "HLD"), account(CHE, "USE"), use=NDC)
    world.act(CHE, use)
    across = move("use", I, 81, 84, account(CHE, "HLD"), account(CHE, "USE"), use=NDC)
    world.act(CHE, across)
    tail = move("use", I, 101, 110, account(CHE, "HLD"), account(CHE, "USE"), use=NDC)
    assert {c.message for c in world.consents(CHE, tail) if c.actor == GHA} == {pledged_by(second)}


def test_units_moved_on_keep_their_pledge() -> None:
    world = settled()
    world.act(CHE, move("transfer", I, 1, 10, account(CHE, "HLD"), account(GHA, "HLD")))
    use = move(
        "use",
        I,
        3,
        4,
        account(GHA, "HLD"),
        account(GHA, "USE"),
        use=FLIGHT,
    )
    effects = world.act(GHA, use)
    assert "move U 1003-1004 from GHA01/GHA LCK 1 to GHA01/GHA RET 1" in map(told, effects)


def test_itmos_over_an_offset_of_zero_or_below_have_their_units_too() -> None:
    world = World()
    world.act(GHA, issuance(GHA, U, 1, 20))
    world.act(GHA, authorization(GHA))
    world.act(GHA, first_transfer(1, 10, 1))
    world.act(GHA, first_transfer(11, 20, 1011))
    for first, underlying in ((3, 3), (1013, 13)):
        use = move("use", I, first, first, account(CHE, "HLD"), account(CHE, "USE"), use=NDC)
        effects = world.act(CHE, use)
        assert told(effects[-1]) == (
            f"move U {underlying}-{underlying} from GHA01/GHA LCK 1 to GHA01/GHA RET 1"
        )


# --- small things -------------------------------------------------------------------------------


def test_a_reservation_is_of_the_units_that_leave_an_account() -> None:
    transaction = TransactionId("GHA01-GHA-9")
    author, proposal = GOOD["first transfer"]
    assert reserve(proposal, author, transaction) == [
        Reserve(key=U, first=1101, last=1150, actor=GHA, transaction=transaction)
    ]
    assert release(proposal, author, transaction) == [
        Release(key=U, first=1101, last=1150, actor=GHA, transaction=transaction)
    ]
    for name in ("issuance", "authorization"):
        assert reserve(GOOD[name][1], GHA, transaction) == []
        assert release(GOOD[name][1], GHA, transaction) == []


@pytest.mark.parametrize(
    ("number", "code", "kind"), [(1, "RET", Kind.RETIREMENT), (7, "CAN", Kind.CANCELLATION)]
)
def test_a_companion_account_has_the_same_owner_and_number(
    number: int, code: str, kind: Kind
) -> None:
    beside = companion(Position.of(account(GHA, "LCK", number)), code, kind)
    assert beside == Position(actor=GHA, kind=kind, account=account(GHA, code, number))


def test_units_of_one_line_in_many_rows_are_one_movement() -> None:
    world = settled()
    for first in range(1, 10, 2):
        world.act(CHE, move("transfer", I, first, first, account(CHE, "HLD"), account(GHA, "HLD")))
        world.act(GHA, move("transfer", I, first, first, account(GHA, "HLD"), account(CHE, "HLD")))
    effects = effects_of(world, "transfer")
    assert [told(effect) for effect in effects] == EFFECTS["transfer"]
    for effect in effects:
        apply(world.holdings, effect, Everybody())
    assert [(b.first, b.last) for b in world.holdings.find(I.series, 1, 10)] == [(1, 10)]


def test_a_freeze_is_no_pledge() -> None:
    world = settled()
    world.holdings.lay(Overlay(OverlayKind.FROZEN, GHA, U, 1001, 1100, "REC-3"))
    effects = effects_of(world, "use")
    assert [told(effect) for effect in effects] == EFFECTS["use"]
    author, proposal = GOOD["use"]
    assert len(consents(proposal, author, world.holdings, MESSAGE, None)) == 2


def test_only_itmos_over_units_of_their_own_series_take_units_along() -> None:
    """A registry's units may themselves stand for a programme's, which are none of this log's."""
    world = settled()
    programme = Attributes(underlying_registry="VCS", underlying_offset=-1000)
    world.act(GHA, issuance(GHA, U, 2001, 2100, programme))
    cancelled = (GHA, 2001, 2010, U, "move U 2001-2010 from GHA01/GHA HLD 1 to GHA01/GHA CAN 1")
    imported = (CHE, 51, 60, I, "move I 51-60 from CHE01/CHE HLD 1 to CHE01/CHE CAN 1")
    for block in world.holdings.take(I, 51, 60, Position.of(account(CHE, "HLD"))):
        world.holdings.put(block._replace(attributes=block.attributes.but(**programme_of(block))))
    for actor, first, last, key, moved in (cancelled, imported):
        source, target = account(actor, "HLD"), account(actor, "CAN")
        wanted = move("cancellation", key, first, last, source, target, use=FLIGHT)
        effects = completion(wanted, actor, world.holdings, MESSAGE)
        assert [told(e) for e in effects if isinstance(e, Move)] == [moved]
        assert [c.actor for c in world.consents(actor, wanted)] == [actor]


def programme_of(block: Block) -> dict[str, object]:
    """As if it stood for the same serials of another registry."""
    return {"underlying_registry": "VCS", "underlying_offset": block.attributes.underlying_offset}
