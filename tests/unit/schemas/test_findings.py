# SPDX-License-Identifier: Apache-2.0
"""The catalogue of findings: complete, unique, in order; and findings as values."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.findings import RULES, CheckClass, Finding, Reason, finding
from schemas.identifiers import CaseId
from schemas.units import Key

KEY = Key.parse("itmo:CA0007-GHA01-GHA-2023")
THOUSANDS = {
    CheckClass.AUTHENTICITY: 1,
    CheckClass.VIABILITY: 2,
    CheckClass.PARTICIPANT: 3,
    CheckClass.INTEGRITY: 4,
    CheckClass.SEQUENCE: 5,
    CheckClass.GENERAL: 6,
    CheckClass.SPECIFIC: 7,
    CheckClass.INTERNAL: 9,
}


def test_every_reason_has_one_rule_and_stands_in_its_place() -> None:
    assert list(RULES) == list(Reason)


def test_codes_ascend_in_the_order_of_precedence_without_gaps_in_a_class() -> None:
    for before, after in pairwise(RULES.values()):
        assert after.code > before.code
        assert (after.code == before.code + 1) == (after.check_class is before.check_class)


def test_a_code_says_its_class_and_classes_come_in_order() -> None:
    assert list(THOUSANDS) == list(CheckClass)
    for reason, rule in RULES.items():
        assert rule.code // 1000 == THOUSANDS[rule.check_class], reason
    firsts = [r.code for r in RULES.values() if r.code % 1000 == 1]
    assert len(firsts) == len(CheckClass)


@pytest.mark.parametrize("reason", Reason)
def test_a_rule_is_for_people(reason: Reason) -> None:
    rule = reason.rule
    assert rule.text.endswith(".")
    assert 10 < len(rule.text) < 200
    assert rule.source or reason is Reason.INTERNAL
    assert reason.value == reason.name.lower().replace("_", "-")


@pytest.mark.parametrize("reason", Reason)
def test_a_finding_without_a_detail_says_what_the_catalogue_says(reason: Reason) -> None:
    made = finding(reason)
    assert (made.code, made.detail) == (reason.rule.code, reason.rule.text)
    assert Finding.model_validate_json(made.model_dump_json()) == made


def test_a_code_of_another_reason_is_refused() -> None:
    with pytest.raises(ValidationError, match="has code 1001"):
        Finding(code=1002, reason=Reason.ENVELOPE_TOO_LARGE, detail="")


@given(st.text(), st.none() | st.text())
def test_a_finding_fits_whatever_it_is_told(detail: str, field: str | None) -> None:
    try:
        detail.encode()
        (field or "").encode()
    except UnicodeEncodeError:
        return
    made = finding(Reason.KEY_WRONG, detail, field=field)
    assert len(made.detail) <= 400
    assert len(made.field or "") <= 120
    assert Finding.model_validate_json(made.model_dump_json()) == made


def test_a_finding_prints_what_where_and_which_units() -> None:
    made = finding(
        Reason.UNITS_FROZEN,
        "under case REC-3",
        field="body/lines/0",
        units=(KEY, 5, 9),
        case=CaseId("REC-3"),
    )
    assert str(made) == (
        "6003 units-frozen in body/lines/0 (itmo:CA0007-GHA01-GHA-2023 5-9): under case REC-3"
    )
    assert str(finding(Reason.DECLINED, "No.")) == "7019 declined: No."
