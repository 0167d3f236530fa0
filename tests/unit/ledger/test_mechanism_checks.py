# SPDX-License-Identifier: Apache-2.0
"""Issuances and their levies, approvals, pending units, the buffer and CERs: what may be done.

Elsewhere: each fault by itself (`test_checks`).
"""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from ledger.asking import Policy, Rounding, levies, levy
from schemas.approvals import ApprovalRecord
from schemas.directory import Profile
from schemas.findings import Reason
from schemas.messages import IssuanceReferences, Line
from schemas.units import Attributes, Kind, Purpose
from tests.unit.ledger.spoiling import (
    HLD,
    PENDING_CANCELLED,
    TO_MECHANISM,
    TO_SWITZERLAND,
    R,
    amended,
    at,
    buffered,
    changed,
    connected,
    good,
    levied,
    lines_of,
    needs_buffer,
    rests_on,
    told,
)
from tests.unit.ledger.world import (
    ADM,
    AUTHORIZED64,
    BUYER,
    CHE,
    FLIGHT,
    GHA,
    GOOD,
    KOR,
    KOREA64,
    MMR,
    NDC_MYANMAR,
    A,
    B,
    account,
    approval,
    designation,
    directory,
    instruction,
    move,
    reversed_by,
    settled,
)


def test_issuances_under_one_approval_are_summed_and_another_s_is_another() -> None:
    world = settled()
    under = IssuanceReferences(request="R", approval="S", approved_quantity=150)
    author, wanted = good("issuance", references=under)
    world.act(author, wanted)
    (one,) = wanted.lines
    rest = one.model_copy(update={"first": 3001, "last": 3050})
    more = wanted.model_copy(update={"lines": (rest,), "quantity": 50})
    world.act(author, more)
    last = rest.model_copy(update={"first": 4001, "last": 4001})
    late = wanted.model_copy(update={"lines": (last,), "quantity": 1})
    assert told(world.examine(author, late)) == [at(R.APPROVAL_EXCEEDED, "body/quantity")]
    world.approvals[CHE, "S"] = world.approvals.pop((GHA, "S"))
    assert world.examine(author, late) == []


@pytest.mark.requirement(19, case="7125-357-143")
@pytest.mark.parametrize(
    ("quantity", "share", "omge"),
    [(1, 1, 1), (20, 1, 1), (21, 2, 1), (50, 3, 1), (51, 3, 2), (100, 5, 2), (7125, 357, 143)],
)
def test_levies_are_rounded_up(quantity: int, share: int, omge: int) -> None:
    assert (levy(quantity, 50), levy(quantity, 20)) == (share, omge)


@pytest.mark.requirement(18, 19)
@pytest.mark.parametrize(
    ("rounding", "share", "omge"), [("up", 357, 143), ("nearest", 356, 143), ("down", 356, 142)]
)
def test_how_levies_are_rounded_the_settings_say(rounding: Rounding, share: int, omge: int) -> None:
    chosen = Policy(share_of_proceeds_rounding=rounding, omge_rounding=rounding)
    assert levies(7125, chosen) == (share, omge)


@pytest.mark.requirement(18, 19)
@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, [R.SHARE_OF_PROCEEDS_WRONG, R.OMGE_TOO_SMALL]),
        ({"share_of_proceeds_rounding": "down"}, [R.OMGE_TOO_SMALL]),
        ({"omge_rounding": "nearest"}, [R.SHARE_OF_PROCEEDS_WRONG]),
        ({"share_of_proceeds_rounding": "nearest", "omge_rounding": "down"}, []),
    ],
)
def test_the_hub_asks_levies_as_the_settings_round_them(
    settings: dict[str, Any], found: list[Reason]
) -> None:
    world = settled()
    world.policy = replace(world.policy, **settings)
    assert [f.reason for f in world.examine(*levied(94, 5, 2))] == found


@pytest.mark.requirement(67)
def test_other_itmos_pass_to_the_mechanism_registry_where_that_is_chosen() -> None:
    world = settled()
    connected(CHE, MMR, Profile.UNIT)(world)
    wanted = good("transfer", acquirer=MMR, lines=(TO_MECHANISM,))
    assert [f.reason for f in world.examine(*wanted)] == [R.PROFILE_FORBIDS]
    world.policy = replace(world.policy, mechanism_passes_all=True)
    assert world.examine(*wanted) == []


@pytest.mark.requirement(68)
def test_a6_4ers_go_straight_to_a_party_s_registry_where_that_is_chosen() -> None:
    world = settled()
    connected(CHE, MMR, Profile.UNIT)(world)
    amended(MMR, parties=("CHE",))(world)
    wanted = good("first transfer of A6.4ERs", acquirer=CHE, lines=(TO_SWITZERLAND,))
    assert [f.reason for f in world.examine(*wanted)] == [R.PROFILE_FORBIDS]
    world.policy = replace(world.policy, mechanism_to_parties=True)
    assert world.examine(*wanted) == []


def test_a_deposit_in_the_buffer_is_rounded_up() -> None:
    world = settled()
    needs_buffer(11)(world)
    assert world.examine(*buffered(91, 2)) == []


@pytest.mark.requirement(96)
def test_a_reversal_of_500_is_made_good_from_the_buffer_and_made_up_for() -> None:
    """A synthetic reversal: 700 deposited, 500 cancelled, and as many deposited again."""
    world = settled()
    world.act(ADM, approval("SB-R", 10_000, B, buffer_permille=70))
    lines = []
    for first, last, code in (
        (1001, 9600, "PEN"),
        (9601, 10_300, "BUF"),
        (10_301, 10_800, "SOP"),
        (10_801, 11_000, "OMG"),
    ):
        said = Attributes(designation="MCU", first_transferred=code in {"SOP", "OMG"})
        target = account(ADM, code)
        lines.append(Line(key=B, first=first, last=last, target=target, attributes=said))
    author, wanted = lines_of("issuance of A6.4ERs", *lines)
    world.act(author, wanted.model_copy(update={"references": rests_on("SB-R", 10_000)}))
    world.act(ADM, reversed_by(9601, 10_100))
    back = move(
        "replenishment",
        B,
        1001,
        1500,
        account(ADM, "PEN"),
        account(ADM, "BUF"),
        reversal="RV-1",
        instruction=instruction(B, approval="SB-R"),
    )
    world.act(ADM, back)
    sums: dict[Kind, int] = {}
    for row in world.holdings.find(B.series, 1001, 11_000):
        sums[row.position.kind] = sums.get(row.position.kind, 0) + row.last - row.first + 1
    assert (sums[Kind.BUFFER], sums[Kind.ADMINISTRATIVE], sums[Kind.PENDING]) == (700, 500, 8100)
    again = reversed_by(9601, 9700)
    assert [f.reason for f in world.examine(ADM, again)] == [R.UNITS_FINAL]


def test_more_than_the_least_may_be_cancelled_for_overall_mitigation() -> None:
    assert settled().examine(*levied(85, 5, 10)) == []


@pytest.mark.requirement(20)
@pytest.mark.parametrize(
    ("action", "target", "members"),
    [
        ("forwarding", "HLD", {}),
        ("transfer", "HLD", {}),
        ("first-transfer", "HLD", {"authorization": AUTHORIZED64}),
        ("use", "USE", {"use": FLIGHT}),
        ("cancellation", "CAN", {"use": FLIGHT}),
    ],
)
def test_nothing_is_done_with_what_was_cancelled_for_overall_mitigation(
    action: str, target: str, members: dict[str, Any]
) -> None:
    into = account(MMR if target == "HLD" else ADM, target)
    for source in (account(ADM, "OMG"), account(ADM, "PEN"), account(ADM, "HLD")):
        wanted = move(action, A, 99, 100, source, into, **members)
        found = {finding.reason for finding in settled().examine(ADM, wanted)}
        assert found & {R.ACCOUNT_WRONG, R.UNITS_FINAL}, source


@pytest.mark.requirement(22)
def test_a_part_of_pending_units_is_cancelled_on_an_instruction_and_the_rest_stays() -> None:
    world = settled()
    world.act(ADM, PENDING_CANCELLED)
    rows = {(b.first, b.last, b.position.kind) for b in world.holdings.find(B.series, 161, 175)}
    assert rows == {(161, 170, Kind.CANCELLATION), (171, 175, Kind.PENDING)}


@pytest.mark.requirement(89)
def test_contributions_that_were_authorized_later_leave_as_others_do() -> None:
    world = settled()
    world.act(*GOOD["designation"])
    (row,) = world.holdings.find(B.series, 111, 120)
    assert (row.attributes.designation, row.attributes.authorization) == ("I", AUTHORIZED64)
    assert not row.attributes.first_transferred
    world.act(MMR, designation(121, 130, "N"))
    there = account(KOR, "HLD")
    bring = move("first-transfer", B, 121, 130, HLD[MMR], there, authorization=AUTHORIZED64)
    world.act(MMR, bring)
    (gone,) = world.holdings.find(B.series, 121, 130)
    assert (gone.position.actor, gone.attributes.first_transferred) == (KOR, True)


def test_pending_units_may_be_cancelled_as_they_are() -> None:
    pending, gone = account(ADM, "PEN"), account(ADM, "CAN")
    cancelled = move("cancellation", A, 71, 80, pending, gone, use=FLIGHT)
    named = cancelled.model_copy(update={"authorization": AUTHORIZED64})
    assert settled().examine(ADM, named) == []
    contribution = move("cancellation", B, 161, 170, pending, gone, use=BUYER)
    assert settled().examine(ADM, contribution) == []


def test_a_share_of_proceeds_may_be_sold_inside_the_mechanism_registry() -> None:
    world = settled()
    changed(B, 194, 198, first_transferred=True)(world)
    sold = move("transfer", B, 194, 198, account(ADM, "SOP"), account(MMR, "HLD"))
    assert world.examine(ADM, sold) == []


@pytest.mark.requirement(95)
@pytest.mark.parametrize(("last", "year"), [(2025, 2025), (2025, 2026), (2035, 2031), (2035, 2036)])
def test_cers_are_used_as_long_as_first_ndcs_last_by_the_settings(last: int, year: int) -> None:
    world = settled()
    world.policy = replace(world.policy, first_ndc_last_year=last)
    author, wanted = good("use of CERs", use=NDC_MYANMAR.model_copy(update={"year": year}))
    late = [at(R.FIRST_NDC_ONLY, "body/use/year")] if year > last else []
    assert told(world.examine(author, wanted)) == late


@pytest.mark.requirement(14)
@pytest.mark.parametrize(
    "member",
    [
        *("id", "request", "requested_by", "verification", "certification", "decided_on"),
        *("party", "activity", "vintage_from", "vintage_to", "quantity", "participants"),
    ],
)
def test_an_approval_says_everything_that_it_rests_on(member: str) -> None:
    record = GOOD["approval"][1].approval
    assert record is not None
    said = json.loads(record.model_dump_json())
    del said[member]
    with pytest.raises(ValidationError, match=member):
        ApprovalRecord.model_validate_json(json.dumps(said))


@pytest.mark.requirement(21)
def test_what_stays_with_the_host_is_forwarded_and_what_goes_to_korea_first_transferred() -> None:
    """From the pending account, by the same instruction: one or the other, and never both."""
    world = settled()
    world.directory = directory((ADM, MMR, KOREA64))
    for to, right, wrong in (
        (MMR, "forwarding", R.ACQUIRER_WRONG),
        (KOREA64, "first-transfer", R.FIRST_TRANSFER_WRONG),
    ):
        amended(MMR, purposes=(Purpose.NDC,), first_transfer=None, oimp=None)(world)
        ends = account(ADM, "PEN"), account(to, "HLD")
        forwarded = move("forwarding", A, 61, 70, *ends)
        gone = move("first-transfer", A, 61, 70, *ends, authorization=AUTHORIZED64)
        asked = {"forwarding": forwarded, "first-transfer": gone}
        assert world.examine(ADM, asked.pop(right)) == []
        ((_, other),) = asked.items()
        assert [f.reason for f in world.examine(ADM, other)] == [wrong]
