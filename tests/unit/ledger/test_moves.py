# SPDX-License-Identifier: Apache-2.0
"""The matrix of moves: every pair of kinds, by every action, in every kind of registry.

`LEGAL` is written here by hand, once more, from the texts; nothing is taken from the table.
"""

from itertools import product
from typing import get_args

import pytest

from ledger.asking import Policy
from ledger.moves import MOVES, Realm, realm_of, targets
from schemas.findings import Reason
from schemas.identifiers import AccountNumber, Actor
from schemas.messages import Action, Line
from schemas.units import FINAL_KINDS, KIND_CODES, Attributes, Kind
from tests.unit.ledger.world import (
    ADM,
    AUTHORIZED,
    CHE,
    FLIGHT,
    GHA,
    KOR,
    MMR,
    OMGE,
    A,
    I,
    U,
    World,
    account,
    issuance,
    proposal,
)

LEGAL = {
    ("issuance", "mechanism"): ">PEN >SOP >OMG >BUF",
    ("issuance", "Party"): ">HLD",
    ("designation", "mechanism"): "PEN> HLD>",
    ("forwarding", "mechanism"): "PEN>HLD",
    ("cer-entry", "mechanism"): ">CER",
    ("cer-transfer", "mechanism"): "CER>CER",
    ("cer-use", "mechanism"): "CER>RET",
    ("replenishment", "mechanism"): "PEN>BUF HLD>BUF",
    ("administrative-cancellation", "mechanism"): "PEN>ADC BUF>ADC",
    ("first-transfer", "mechanism"): "PEN>HLD HLD>HLD",
    ("first-transfer", "Party"): "HLD>HLD",
    ("first-transfer", "international"): "HLD>HLD",
    ("counter-entry", "mechanism"): "HLD>HLD",
    ("counter-entry", "Party"): "HLD>HLD",
    ("counter-entry", "international"): "HLD>HLD",
    ("transfer", "mechanism"): "HLD>HLD SOP>HLD",
    ("transfer", "Party"): "HLD>HLD",
    ("transfer", "international"): "HLD>HLD",
    ("use", "mechanism"): "HLD>RET",
    ("use", "Party"): "HLD>USE",
    ("use", "international"): "HLD>USE",
    ("cancellation", "mechanism"): "PEN>CAN HLD>CAN PEN>OMG HLD>OMG",
    ("cancellation", "Party"): "HLD>CAN HLD>OMG",
    ("cancellation", "international"): "HLD>CAN HLD>OMG",
}
"""By action and realm, every move that may be."""

ELSEWHERE = {
    ("issuance", "international"): Reason.KEY_WRONG,
    ("designation", "international"): Reason.KEY_WRONG,
    ("forwarding", "Party"): Reason.ADMINISTRATOR_ONLY,
    ("forwarding", "international"): Reason.ADMINISTRATOR_ONLY,
    ("designation", "Party"): Reason.ADMINISTRATOR_ONLY,
    ("replenishment", "Party"): Reason.ADMINISTRATOR_ONLY,
    ("replenishment", "international"): Reason.ADMINISTRATOR_ONLY,
    ("administrative-cancellation", "Party"): Reason.ADMINISTRATOR_ONLY,
    ("administrative-cancellation", "international"): Reason.ADMINISTRATOR_ONLY,
    ("cer-entry", "Party"): Reason.KEY_WRONG,
    ("cer-entry", "international"): Reason.KEY_WRONG,
    ("cer-transfer", "Party"): Reason.KEY_WRONG,
    ("cer-transfer", "international"): Reason.KEY_WRONG,
    ("cer-use", "Party"): Reason.KEY_WRONG,
    ("cer-use", "international"): Reason.KEY_WRONG,
}
"""What is found when an action is asked for in a realm that does not have it."""

WHO: dict[Realm, tuple[Actor, Actor]] = {
    Realm.MECHANISM: (ADM, MMR),
    Realm.PARTY: (GHA, CHE),
    Realm.INTERNATIONAL: (KOR, MMR),
}
"""Somebody in each realm, and somebody to give units to."""

TO_OTHERS = {"forwarding", "first-transfer", "transfer", "cer-transfer", "counter-entry"}
MAKING = {"issuance", "cer-entry"}
CODES = (*KIND_CODES, "ZZZ")
MOVING = [a for a in get_args(Action) if a not in {"authorization", "approval"}]


def asked(
    action: str, realm: Realm, source: str | None, target: str | None
) -> tuple[AccountNumber | None, AccountNumber | None, list[tuple[Reason, str | None]]]:
    """A proposal of ten units between accounts of these kinds, and what is found."""
    author, other = WHO[realm]
    left = account(author, source) if source else None
    entered = account(other if action in TO_OTHERS else author, target) if target else None
    key = {Realm.MECHANISM: A, Realm.PARTY: U, Realm.INTERNATIONAL: I}[realm]
    if realm is Realm.PARTY and action in {"transfer", "use", "counter-entry"}:
        key = I
    members: dict[str, object] = {"acquirer": other} if action in TO_OTHERS else {}
    if action in {"first-transfer", "designation", "counter-entry"}:
        members["authorization"] = AUTHORIZED
    if action == "designation":
        members["designation"] = "N"
    if action == "replenishment":
        members["reversal"] = "RV-1"
    if action in {"use", "cancellation", "administrative-cancellation", "cer-use"}:
        members["use"] = OMGE if target == "OMG" else FLIGHT
    if action in MAKING:
        members["references"] = issuance(GHA, U, 1, 10).references
    one = Line(
        key=key,
        first=1,
        last=10,
        source=left,
        target=entered,
        attributes=Attributes() if action in MAKING else None,
        itmo_first=1 if action == "first-transfer" and key == U else None,
    )
    world = World(policy=Policy(mechanism_passes_all=True))  # a section gives to the mechanism's
    found = world.examine(author, proposal(action, one, **members))
    return left, entered, [(f.reason, f.field) for f in found]


@pytest.mark.requirement(16, 20, 23)
@pytest.mark.parametrize("realm", Realm)
@pytest.mark.parametrize("action", MOVING)
def test_each_move_is_refused_unless_it_is_a_legal_one(action: str, realm: Realm) -> None:
    legal = LEGAL.get((action, str(realm)), "").split()
    lefts = [None] if action in MAKING else CODES
    rights = [None] if action == "designation" else CODES
    for source, target in product(lefts, rights):
        _, _, found = asked(action, realm, source, target)
        wrong = [f for f in found if f[0] is Reason.ACCOUNT_WRONG]
        if not legal:
            said = f"{action} {source}>{target} in a {realm} registry"
            assert ELSEWHERE[action, str(realm)] in {reason for reason, _ in found}, said
        elif f"{source or ''}>{target or ''}" in legal:
            assert wrong == []
        else:
            assert wrong, f"{action} {source}>{target} in a {realm} registry"
            ends = {f"body/lines/0/{end}" for end in ("source", "target")}
            assert {field for _, field in wrong} <= ends


@pytest.mark.parametrize("kind", sorted(FINAL_KINDS))
def test_nothing_leaves_a_final_kind(kind: Kind) -> None:
    code = next(code for code, known in KIND_CODES.items() if known is kind)
    for action, realm, target in product(MOVING, Realm, CODES):
        if action not in MAKING:
            entered = None if action == "designation" else target
            _, _, found = asked(action, realm, code, entered)
            wanted = ELSEWHERE.get((action, str(realm)), Reason.ACCOUNT_WRONG)
            said = f"{action} {code}>{target} in a {realm} registry"
            assert wanted in {reason for reason, _ in found}, said


def test_every_kind_that_the_mechanism_registry_must_have_is_one_that_units_reach() -> None:
    reached = {kind for row in MOVES if row.realm is Realm.MECHANISM for kind in row.targets}
    needed = {"pending", "holding", "retirement", "cancellation", "omge", "share-of-proceeds"}
    needed |= {"buffer", "administrative", "cer"}
    assert needed <= reached  # 3/CMA.3 annex para 63


def test_a_wrong_source_does_not_make_the_target_wrong_as_well() -> None:
    left, _, found = asked("use", Realm.MECHANISM, "LCK", "RET")
    assert left is not None
    assert found == [(Reason.ACCOUNT_WRONG, "body/lines/0/source")]
    assert targets("use", Realm.MECHANISM, Kind.LOCKED) == {Kind.RETIREMENT}


@pytest.mark.parametrize(
    ("actor", "realm"),
    [(ADM, Realm.MECHANISM), (MMR, Realm.MECHANISM), (KOR, Realm.INTERNATIONAL), (GHA, "Party")],
)
def test_a_realm_is_that_of_the_actors_registry(actor: Actor, realm: str) -> None:
    assert realm_of(actor, "UN01", frozenset({"UN02"})) == realm
