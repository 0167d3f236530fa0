# SPDX-License-Identifier: Apache-2.0
"""Each check: it fires with its code, member and units on a proposal with one fault, and only then.

Every case takes one of the good proposals of `world.GOOD`, spoils one thing in it or in the facts,
and says all the findings that come of it. A test at the end holds the table to the source: no
reason that `ledger.checks` can give is without a case.

Elsewhere: the cases (`cases_of_*`), what authorizations allow (`test_authorization_checks`), what
the mechanism registry alone does (`test_mechanism_checks`), whatever is proposed
(`test_whatever_is_proposed`).
"""

import ast
import inspect
from dataclasses import replace

import pytest

from ledger import (
    action_checks,
    approvals,
    authorization_checks,
    binding_checks,
    buffer_checks,
    cer_checks,
    checks,
    counter_entry_checks,
    mechanism_checks,
)
from ledger.checks import CLASSES
from ledger.holdings import Overlay, OverlayKind
from schemas.directory import Profile, Status
from schemas.findings import CheckClass, Reason
from schemas.identifiers import CaseId, Instant
from schemas.limits import FINDINGS_MAX, LINES_MAX, PROPOSAL_LIFETIME_SECONDS_MAX, SERIAL_MAX
from schemas.units import Kind
from tests.unit.ledger.cases_of_authorizations import OF_AUTHORIZATIONS
from tests.unit.ledger.cases_of_every_action import OF_EVERY_ACTION
from tests.unit.ledger.cases_of_first_transfers import OF_FIRST_TRANSFERS
from tests.unit.ledger.cases_of_the_mechanism import OF_THE_MECHANISM
from tests.unit.ledger.spoiling import HLD, R, at, forget, good, line, owes_an_answer, status, told
from tests.unit.ledger.world import ADM, CHE, GHA, GOOD, MMR, NOON, I, U, account, settled

CASES = {**OF_EVERY_ACTION, **OF_THE_MECHANISM, **OF_AUTHORIZATIONS, **OF_FIRST_TRANSFERS}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_proposal_passes(name: str) -> None:
    world = settled()
    assert world.examine(*GOOD[name]) == []
    assert world.examine(*GOOD[name], first=False) == []


@pytest.mark.requirement(95, case="CERs are used for a flight")
@pytest.mark.requirement(95, case="CERs are used towards a later NDC")
@pytest.mark.requirement(95, case="CERs are cancelled for a flight")
@pytest.mark.requirement(14, case="an issuance on another request than was approved")
@pytest.mark.requirement(15, case="an issuance of A6.4ERs that nobody has approved")
@pytest.mark.requirement(15, case="one A6.4ER more than was approved")
@pytest.mark.requirement(16, case="a Party records an approval in the mechanism registry")
@pytest.mark.requirement(17, case="A6.4ERs are issued and not designated")
@pytest.mark.requirement(21, case="pending units leave uninstructed")
@pytest.mark.requirement(21, case="an instruction by nobody of the activity")
@pytest.mark.requirement(21, case="authorized units are forwarded to another Party")
@pytest.mark.requirement(22, case="pending units are cancelled uninstructed")
@pytest.mark.requirement(89, case="contributions are authorized after their first transfer")
@pytest.mark.requirement(89, case="contributions are authorized after their cancellation")
@pytest.mark.requirement(89, case="units are designated that are no contributions")
@pytest.mark.requirement(89, case="contributions are designated for what is not authorized")
@pytest.mark.requirement(89, case="another Party authorizes contributions")
@pytest.mark.requirement(17, case="A6.4ERs leave that nobody authorized")
@pytest.mark.requirement(17, case="a mitigation contribution leaves from the share of proceeds")
@pytest.mark.requirement(18, case="the share of proceeds is one unit short")
@pytest.mark.requirement(18, case="the share of proceeds is one unit over")
@pytest.mark.requirement(18, case="the share of proceeds is rounded down")
@pytest.mark.requirement(18, case="a levy is issued and not first-transferred")
@pytest.mark.requirement(19, case="the cancellation for overall mitigation is one unit short")
@pytest.mark.requirement(21, case="an instruction by a participant of another activity")
@pytest.mark.requirement(27, case="a Party cancels administratively")
@pytest.mark.requirement(27, case="a Party records an approval in the mechanism registry")
@pytest.mark.requirement(27, case="a Party takes CERs in")
@pytest.mark.requirement(28, case="the quantity is in another metric than the units")
@pytest.mark.requirement(28, case="units of another metric are issued in tonnes")
@pytest.mark.requirement(28, case="another metric is authorized")
@pytest.mark.requirement(3, case="the authorization is superseded")
@pytest.mark.requirement(9, case="a cancellation for an NDC")
@pytest.mark.requirement(114, case="an entity acquires that is not authorized")
@pytest.mark.requirement(15, case="an issuance of A6.4ERs says that more was approved")
@pytest.mark.requirement(14, case="an issuance that rests on nothing")
@pytest.mark.requirement(96, case="an issuance deposits too little in the buffer")
@pytest.mark.requirement(96, case="the buffer is cancelled for nothing")
@pytest.mark.requirement(96, case="the buffer of another actor is replenished")
@pytest.mark.requirement(95, case="CERs are ITMOs")
@pytest.mark.requirement(14, case="an issuance of A6.4ERs that nobody has approved")
@pytest.mark.requirement(40, case="issued units with no attributes")
@pytest.mark.requirement(2, case="a transfer of nothing")
@pytest.mark.requirement(3, case="no such authorization")
@pytest.mark.requirement(3, case="the authorization is revoked")
@pytest.mark.requirement(3, case="the vintage is too late for the authorization")
@pytest.mark.requirement(4, case="A6.4ERs are first-transferred again")
@pytest.mark.requirement(5, case="a transfer to nobody")
@pytest.mark.requirement(7, case="units are used already")
@pytest.mark.requirement(12, 77, case="the international registry issues")
@pytest.mark.requirement(16, case="a Party issues in the mechanism registry")
@pytest.mark.requirement(16, case="A6.4ERs are issued into a holding account")
@pytest.mark.requirement(17, case="a mitigation contribution leaves")
@pytest.mark.requirement(19, case="the cancellation for overall mitigation is rounded down")
@pytest.mark.requirement(27, case="a Party forwards in the mechanism registry")
@pytest.mark.requirement(56, 73, case="units were first-transferred, and so are locked")
@pytest.mark.requirement(60, 75, case="the author is in testing")
@pytest.mark.requirement(73, case="locked units are cancelled")
@pytest.mark.requirement(74, case="the profile is view, which lets nothing move")
@pytest.mark.requirement(80, case="a first transfer for NDCs stays at home")
@pytest.mark.requirement(10, case="what delivers overall mitigation goes elsewhere")
@pytest.mark.requirement(80, case="a first transfer for NDCs goes to the same Party")
@pytest.mark.requirement(81, case="an issuance that is a first transfer and does not say so")
@pytest.mark.requirement(81, case="abroad, of what is first-transferred by its use")
@pytest.mark.requirement(84, case="an airline uses what is authorized for NDCs alone")
@pytest.mark.requirement(86, case="one unit more is issued as first-transferred than is authorized")
@pytest.mark.requirement(87, case="a use under an authorization whose revocation binds")
@pytest.mark.requirement(87, case="a transfer under an authorization whose revocation binds")
@pytest.mark.requirement(88, case="a counter-entry by the version that was revoked")
@pytest.mark.requirement(88, case="a counter-entry of units that are used")
@pytest.mark.requirement(
    88, case="a counter-entry of units whose terms let no revocation bind them"
)
@pytest.mark.requirement(88, case="a counter-entry by somebody else than the holder")
@pytest.mark.requirement(83, case="the vintage is before 2021")
@pytest.mark.requirement(84, case="the purpose is not authorized")
@pytest.mark.requirement(84, case="the purpose of a cancellation is not authorized")
@pytest.mark.requirement(85, case="the using entity is not authorized")
@pytest.mark.requirement(85, case="the using Party is not authorized")
@pytest.mark.requirement(85, case="an entity acquires that is not authorized")
@pytest.mark.requirement(85, case="an entity uses in the section of a Party that is not authorized")
@pytest.mark.requirement(84, case="units that nobody authorized are cancelled for a flight")
@pytest.mark.requirement(84, case="contributions are cancelled for a flight")
@pytest.mark.requirement(84, case="A6.4ERs are used for what they are not designated for")
@pytest.mark.requirement(84, case="a contribution is used")
@pytest.mark.requirement(84, case="a cancellation for an NDC")
@pytest.mark.requirement(85, case="the use is for another Party")
@pytest.mark.requirement(
    85, case="a Party uses for a flight in the name of another, though any entity may"
)
@pytest.mark.requirement(84, case="another international mitigation purpose than is authorized")
@pytest.mark.requirement(7, case="an administrator uses units towards an NDC")
@pytest.mark.requirement(86, case="MWh under an authorization of a quantity in no metric")
@pytest.mark.requirement(83, case="units are issued of a year that has not begun")
@pytest.mark.requirement(86, case="one unit more than is authorized")
@pytest.mark.requirement(86, case="the vintage is too early for the authorization")
@pytest.mark.requirement(86, case="the use is too late for the authorization")
@pytest.mark.requirement(112, case="units are under a case")
@pytest.mark.requirement(122, case="issued serials exist")
@pytest.mark.requirement(43)
@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_found_and_nothing_else(name: str) -> None:
    case = CASES[name]
    world = settled()
    case.spoil(world)
    found = world.examine(case.author, case.wanted, **case.ask)
    assert told(found) == case.found, [str(f) for f in found]
    assert all(f.code == f.reason.rule.code for f in found)


def test_every_reason_that_a_check_can_give_has_a_case() -> None:
    given = {
        Reason[node.attr]
        for module in (
            checks,
            binding_checks,
            action_checks,
            approvals,
            authorization_checks,
            mechanism_checks,
            buffer_checks,
            cer_checks,
            counter_entry_checks,
        )
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Reason"
    }
    assert given == {reason for case in CASES.values() for reason, _, _ in case.found}


# --- who owes an answer ---------------------------------------------------------------------------


def test_who_owes_an_answer_is_told_the_oldest_case_and_may_do_what_moves_nothing() -> None:
    world = settled()
    owes_an_answer("REC-9", "REC-10")(world)
    (found,) = world.examine(*GOOD["use"])
    assert (found.case, found.detail) == (
        "REC-9",
        "CHE01/CHE has not answered under case REC-9 and 1 more",
    )
    assert world.examine(*GOOD["first transfer"]) == [], "to it, units go on coming"
    world.overdue[GHA] = (CaseId("REC-11"),)
    assert world.examine(*GOOD["issuance"]) == []
    assert world.examine(*GOOD["authorization"]) == []
    world.policy = replace(world.policy, suspend_overdue=False)
    assert world.examine(*GOOD["use"]) == []


# --- which class stops --------------------------------------------------------------------------


def test_the_first_class_that_fails_stops_and_finds_all_that_it_can() -> None:
    world = settled()
    author, wanted = line("use", source=account(CHE, "USE"), first=91, last=92, itmo_first=1)
    late = wanted.model_copy(update={"expires_at": NOON, "quantity": 7})
    assert told(world.examine(author, late)) == [
        at(R.MEMBER_SUPERFLUOUS, "body/lines/0/itmo_first"),
        at(R.QUANTITY_DIFFERS, "body/quantity"),
    ]
    fixed = late.model_copy(
        update={"quantity": 2, "lines": (wanted.lines[0].model_copy(update={"itmo_first": None}),)}
    )
    assert told(world.examine(author, fixed)) == [at(R.ACCOUNT_WRONG, "body/lines/0/source")]
    author, wanted = line("use", first=91, last=92)
    late = wanted.model_copy(update={"expires_at": NOON})
    assert told(world.examine(author, late)) == [at(R.PROPOSAL_LATE, "body/expires_at")]
    assert told(world.examine(author, wanted)) == [at(R.UNITS_FINAL, "body/lines/0", I, 91, 92)]


def test_classes_stand_in_the_order_of_the_catalogue_but_for_who_may_issue_at_all() -> None:
    order = [check_class for check_class, _ in CLASSES]
    assert order.count(CheckClass.SPECIFIC) == 2
    order.remove(CheckClass.SPECIFIC)
    assert order == sorted(order, key=list(CheckClass).index)


def test_findings_are_no_more_than_fit_an_answer() -> None:
    world = settled()
    author, wanted = GOOD["use"]
    lines = tuple(
        wanted.lines[0].model_copy(update={"first": n, "last": n, "target": HLD[CHE]})
        for n in range(1, LINES_MAX + 1)
    )
    many = wanted.model_copy(update={"lines": lines, "quantity": LINES_MAX})
    assert len(world.examine(author, many)) == FINDINGS_MAX


# --- when and where a proposal is checked -------------------------------------------------------


def test_a_lifetime_is_no_matter_when_a_proposal_is_checked_again() -> None:
    world = settled()
    author, wanted = good("first transfer", expires_at=NOON)
    assert world.examine(author, wanted, first=False) == []


def test_thirty_days_are_not_too_long() -> None:
    assert PROPOSAL_LIFETIME_SECONDS_MAX == 30 * 24 * 3600
    assert settled().examine(*good("use", expires_at=Instant("2027-03-31T12:00:00.000000Z"))) == []


def test_a_transactions_own_reservation_does_not_hinder_it() -> None:
    world = settled()
    author, wanted = GOOD["first transfer"]
    own = str(world.ask(author, wanted).transaction)
    world.holdings.lay(Overlay(OverlayKind.RESERVED, GHA, U, 1101, 1150, own))
    assert world.examine(author, wanted, first=False) == []


@pytest.mark.parametrize("kind", [OverlayKind.PLEDGED, OverlayKind.DISPUTED])
def test_other_overlays_do_not_hinder(kind: OverlayKind) -> None:
    world = settled()
    world.holdings.lay(Overlay(kind, CHE, I, 11, 20, "REC-3"))
    assert world.examine(*GOOD["use"]) == []


def test_a_freeze_of_another_actors_claim_does_not_hinder_the_holder() -> None:
    world = settled()
    world.holdings.lay(Overlay(OverlayKind.FROZEN, GHA, I, 11, 20, "REC-3"))
    assert world.examine(*GOOD["use"]) == []


@pytest.mark.requirement(7)
def test_a_frozen_units_finding_names_its_case_and_what_is_final_shows_its_use() -> None:
    world = settled()
    world.holdings.lay(Overlay(OverlayKind.FROZEN, CHE, I, 11, 20, "REC-3"))
    (found,) = world.examine(*GOOD["use"])
    assert (found.case, found.detail) == ("REC-3", "under case REC-3")
    (found,) = world.examine(*line("use", first=91, last=92))
    assert found.detail == f"use in {account(CHE, 'USE')}: NDC by CHE for 2026"


def test_the_acquirer_may_be_suspended_which_is_for_outgoing_actions() -> None:
    world = settled()
    status("CHE01", Status.SUSPENDED)(world)
    assert world.examine(*GOOD["first transfer"]) == []


def test_a_registry_in_testing_may_record_an_authorization() -> None:
    world = settled()
    status("GHA01", Status.TESTING)(world)
    assert world.examine(*GOOD["authorization"]) == []
    assert world.examine(*GOOD["issuance"])[0].reason is R.PARTICIPANT_TESTING


def test_inside_a_registry_no_profile_is_needed() -> None:
    assert settled().directory.profile(ADM, MMR) is Profile.VIEW
    assert settled().examine(*GOOD["forwarding"]) == []


def test_a_node_does_not_miss_facts_that_only_the_hub_has() -> None:
    world = settled()
    world.whole = False
    forget(world)
    assert world.examine(*GOOD["use"]) == []
    assert told(world.examine(*GOOD["first transfer"])) == [
        at(R.AUTHORIZATION_MISSING, "body/authorization")
    ], "its own authorizations a registry does know"
    author, wanted = line("issuance", first=1999, last=2010)
    (found,) = world.examine(author, wanted)
    assert "GHA01/GHA" not in found.detail, "a node's rows are not everybody's"


@pytest.mark.requirement(22)
def test_a_partial_cancellation_splits_the_block() -> None:
    world = settled()
    world.act(*GOOD["cancellation"])
    rows = {(b.first, b.last, b.position.kind) for b in world.holdings.find(I.series, 31, 45)}
    assert rows == {(31, 40, Kind.CANCELLATION), (41, 45, Kind.HOLDING)}


def test_the_largest_serial_is_one_that_can_be() -> None:
    last = SERIAL_MAX
    assert settled().examine(*line("first transfer", itmo_first=last - 49)) == []
    assert told(settled().examine(*line("first transfer", itmo_first=last - 48))) == [
        at(R.SERIALS_TAKEN, "body/lines/0/itmo_first")
    ]


def test_a_wrong_account_says_which_would_be_right() -> None:
    (found,) = settled().examine(*line("use", target=account(CHE, "HLD", 2)))
    assert found.detail.endswith("this needs an account of CHE01/CHE of kind use")
    (found,) = settled().examine(*line("first transfer", source=account(GHA, "LCK")))
    assert found.detail.endswith("this needs an account of GHA01/GHA of kind holding")
