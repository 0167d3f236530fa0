# SPDX-License-Identifier: Apache-2.0
"""What is asked for with CERs: all that may be done with them, and what may not."""

import json
import random
from functools import cache
from typing import Any

from harness.simulation.cast import ADM, MMR
from harness.simulation.cer_work import CERS_FIRST, NOT_OF_CERS, CerWork, cer_approval, cer_key
from harness.simulation.held import Holdings
from ledger.moves import MOVES
from schemas.approvals import ApprovalRecord
from schemas.identifiers import Actor, account_number
from schemas.messages import Proposal
from schemas.units import Attributes, Key

PLAIN = Attributes(designation="CER").model_dump_json()
ITMO = Key.parse("itmo:CA0001-UN01-MMR-2022:A0042")


def units(actor: str) -> Holdings:
    """Both hold CERs, unused and used, and A6.4ERs."""
    one = Actor(actor)
    held, used = account_number(one, "CER", 1), account_number(one, "RET", 1)
    of_itmos = account_number(one, "HLD", 1)
    return {
        cer_key().text: [(1, 50, str(held), PLAIN), (51, 60, str(used), PLAIN)],
        ITMO.text: [(1, 50, str(of_itmos), Attributes(designation="N").model_dump_json())],
    }


@cache
def drawn() -> list[tuple[Actor, dict[str, Any]]]:
    work = CerWork(random.Random(3), units)
    return [one for _ in range(2000) if (one := work.draw()) is not None]


def of(action: str) -> list[dict[str, Any]]:
    return [asked for _, asked in drawn() if asked["action"] == action]


def test_whatever_is_asked_for_is_a_proposal_that_the_wire_knows() -> None:
    for actor, asked in drawn():
        assert actor in {ADM, MMR}
        total = sum(x["last"] - x["first"] + 1 for x in asked.get("lines", ()))
        rest = {"quantity": total, "expires_at": "2027-03-01T12:00:00.000000Z"}
        Proposal.model_validate_json(json.dumps({**asked, **rest}))


def test_every_move_of_cers_is_asked_for() -> None:
    rows = [row for row in MOVES if row.action.startswith("cer-")]
    assert len(rows) == 3
    for row in rows:
        assert len(of(row.action)) > 100


def test_uses_are_mostly_towards_a_first_ndc_and_some_are_for_nothing_that_is_allowed() -> None:
    marks = [asked["use"] for asked in of("cer-use")]
    right = [mark for mark in marks if mark.get("purpose") == "NDC" and mark["year"] <= 2030]
    assert 0.6 < len(right) / len(marks) < 0.95
    wrong = [mark for mark in marks if mark not in right]
    assert {mark.get("purpose") for mark in wrong} == {"NDC", "IMP", "OP", None}
    assert {mark["year"] for mark in wrong if "year" in mark} == {2031}
    assert any(mark["user"] == "KOR" for mark in right), "somebody else's NDC"


def test_some_uses_are_of_what_is_used_of_what_is_no_cer_and_into_wrong_accounts() -> None:
    lines = [asked["lines"][0] for asked in of("cer-use")]
    old = [line for line in lines if line["key"]["layer"] == "underlying" and line["first"] > 50]
    assert any("-CER-" in line["source"] for line in old)
    assert any("-RET-" in line["source"] for line in old)
    assert any(line["key"]["layer"] == "itmo" for line in lines)
    assert {line["target"].split("-")[2] for line in lines} == {"RET", "USE", "CAN", "CER"}


def test_what_is_taken_in_is_mostly_labelled_and_before_the_mechanism() -> None:
    lines = [asked["lines"][0] for asked in of("cer-entry")]
    plain = [line for line in lines if line["attributes"] == {"designation": "CER"}]
    assert 0.6 < len(plain) / len(lines) < 0.9
    assert any(line["key"]["vintage"] == 2021 for line in lines)
    assert any(line["key"]["layer"] == "itmo" for line in lines)
    assert min(line["first"] for line in lines if line["key"]["vintage"] == 2019) == CERS_FIRST + 1
    assert {actor for actor, asked in drawn() if asked["action"] == "cer-entry"} == {ADM, MMR}


def test_cers_are_tried_in_every_action_that_moves_itmos() -> None:
    assert set(NOT_OF_CERS) == {
        row.action for row in MOVES if row.source and not row.action.startswith("cer-")
    }
    for action in NOT_OF_CERS:
        assert of(action), action


def test_an_approval_of_cers_is_a_record_as_any_other() -> None:
    ApprovalRecord.model_validate_json(json.dumps(cer_approval()))
