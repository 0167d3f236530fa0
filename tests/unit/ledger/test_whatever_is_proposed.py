# SPDX-License-Identifier: Apache-2.0
"""Proposals of any form: what lacks a member is refused, and what passes can be carried out."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ledger.actions import completion
from ledger.asking import Authorization
from ledger.checks import examine
from ledger.effects import Everybody, apply
from ledger.holdings import Holdings
from schemas.identifiers import Actor
from schemas.limits import FINDINGS_MAX, SERIAL_MAX
from schemas.messages import Proposal
from schemas.units import Attributes
from tests.unit.ledger.spoiling import FRANCE, OTHER_KEY, R
from tests.unit.ledger.world import (
    ADM,
    AUTHORIZED,
    CHE,
    FLIGHT,
    GHA,
    GOOD,
    KOR,
    LATER,
    NDC,
    A,
    B,
    I,
    U,
    World,
    account,
    settled,
    terms,
)


@pytest.mark.requirement(114)
@pytest.mark.parametrize("member", ["acquirer", "quantity", "authorization", "lines"])
def test_a_proposal_says_who_how_much_what_and_by_which_authorization(member: str) -> None:
    author, wanted = GOOD["first transfer"]
    said = wanted.model_dump(mode="json")
    without = {name: value for name, value in said.items() if name != member}
    if member == "quantity":
        with pytest.raises(ValidationError, match="quantity"):
            Proposal.model_validate_json(json.dumps(without))
        return
    less = Proposal.model_validate_json(json.dumps(without))
    found = {f.reason for f in settled().examine(author, less)}
    wrong = {"acquirer": R.ACCOUNT_WRONG}
    assert wrong.get(member, R.MEMBER_MISSING) in found


LINE_OF_KEY = "lines/0/key"
LEFT_OUT = [
    *("action", "acquirer", "lines", "quantity", "authorization", "expires_at", LINE_OF_KEY),
    *(f"{LINE_OF_KEY}/{name}" for name in ("layer", "approach", "registry", "party", "vintage")),
    *(f"lines/0/{name}" for name in ("first", "last", "source", "target", "itmo_first")),
]


@pytest.mark.requirement(40)
@pytest.mark.parametrize("path", LEFT_OUT)
def test_no_member_of_a_first_transfer_can_be_left_out(path: str) -> None:
    author, wanted = GOOD["first transfer"]
    said = json.loads(wanted.model_dump_json(exclude_none=True))
    assert not is_refused(author, said)
    *way, name = path.split("/")
    inner = said
    for step in way:
        inner = inner[int(step) if step.isdigit() else step]
    del inner[name]
    assert is_refused(author, said)


def is_refused(author: Actor, said: dict[str, Any]) -> bool:
    """Whether this is no proposal, or one that does not pass."""
    try:
        wanted = Proposal.model_validate_json(json.dumps(said))
    except ValidationError:
        return True
    return settled().examine(author, wanted) != []


CHANGES: list[tuple[str, Any]] = [
    ("action", action) for action in ("issuance", "authorization", "forwarding", "first-transfer")
]
CHANGES += [("action", "transfer"), ("action", "use"), ("action", "cancellation")]
CHANGES += [("acquirer", actor) for actor in (None, GHA, CHE, KOR, FRANCE, Actor("HUB"))]
CHANGES += [("use", None), ("use", NDC), ("use", FLIGHT), ("authorization", AUTHORIZED)]
CHANGES += [("authorization", None), ("terms", terms(GHA)), ("terms", None), ("references", None)]
CHANGES += [("quantity", 0), ("quantity", 10), ("expires_at", LATER)]
LINE_CHANGES: list[tuple[str, Any]] = [("key", key) for key in (U, I, A, B, OTHER_KEY)]
LINE_CHANGES += [("first", n) for n in (1, 11, 1101, SERIAL_MAX)]
LINE_CHANGES += [("last", n) for n in (1, 20, 1150, SERIAL_MAX)]
LINE_CHANGES += [("itmo_first", n) for n in (None, 1, 101, SERIAL_MAX)]
LINE_CHANGES += [("attributes", a) for a in (None, Attributes(), Attributes(designation="MCU"))]
LINE_CHANGES += [
    (end, account(actor, code))
    for end in ("source", "target")
    for actor in (GHA, CHE, ADM)
    for code in ("HLD", "PEN", "LCK", "USE", "SOP", "ZZZ")
]
LINE_CHANGES += [("source", None), ("target", None)]


@given(
    st.sampled_from(sorted(GOOD)),
    st.lists(st.sampled_from(CHANGES), max_size=2),
    st.lists(st.sampled_from(LINE_CHANGES), max_size=4),
    st.sampled_from([GHA, CHE, ADM, None]),
    st.booleans(),
)
def test_whatever_is_proposed_is_refused_or_can_be_carried_out(
    name: str,
    changes: list[tuple[str, Any]],
    line_changes: list[tuple[str, Any]],
    other: Actor | None,
    sum_up: bool,  # noqa: FBT001
) -> None:
    author, wanted = GOOD[name]
    lines = tuple(one.model_copy(update=dict(line_changes)) for one in wanted.lines)
    total = max(sum(x.last - x.first + 1 for x in lines), 0)
    wanted = wanted.model_copy(
        update={"lines": lines} | ({"quantity": total} if sum_up else {}) | dict(changes)
    )
    world = settled_copy()
    author = other or author
    world.whole = False
    examine(world.ask(author, wanted))
    world.whole = True
    found = examine(world.ask(author, wanted))
    assert len(found) <= FINDINGS_MAX
    if not found:
        for effect in completion(wanted, author, world.holdings, world.message(wanted)):
            assert apply(world.holdings, effect, Everybody()) == []


SETTLED = settled()


def settled_copy() -> World:
    """The settled world again, without settling it again."""
    holdings = Holdings(SETTLED.holdings.blocks(), SETTLED.holdings.overlays())
    known = {
        key: Authorization(dict(one.versions), one.used)
        for key, one in SETTLED.authorizations.items()
    }
    return replace(SETTLED, holdings=holdings, authorizations=known)
