# SPDX-License-Identifier: Apache-2.0
"""What rows must be, alone and beside one another: the checks, by their codes."""

import io
from dataclasses import replace
from typing import Any

import pytest

from aef.nomenclature import parse
from aef.report import check
from aef.tables import Aef
from aef.versions import Version
from tests.unit.aef.books import (
    GHANA,
    LISTS,
    SWITZERLAND,
    acting,
    authorizing,
    checked,
    codes,
    held,
    packed,
    submitted,
)

FIRST, USE = GHANA.actions
HOLDING = GHANA.holdings[0]
AUTHORIZATION = GHANA.authorizations[0]
THAILAND = replace(
    GHANA,
    submission=replace(GHANA.submission, party="THA"),
    authorizations=(),
    entities=(),
    holdings=(),
    actions=(replace(FIRST, type="Acquisition", subtype=None, acquiring=None, transferring="CHE"),),
)


def switzerland(**changes: Any) -> Aef:
    """The receiver's workbook with another acquisition."""
    return replace(SWITZERLAND, actions=(replace(SWITZERLAND.actions[0], **changes),))


def without_units(aef: Aef) -> Aef:
    bare = {"unit_registry": None, "unit_first": None, "unit_last": None}
    return replace(
        aef,
        actions=tuple(replace(row, **bare) for row in aef.actions),
        holdings=tuple(replace(row, **bare) for row in aef.holdings),
    )


def renamed(number: int) -> dict[str, str]:
    return {
        "unit_first": f"GS1-1-GH-GS2456-21-2023-{number}-0",
        "unit_last": f"GS1-1-GH-GS2456-21-2023-{number + 11732}-0",
    }


WRONG: list[tuple[str, list[Aef], list[str]]] = [
    # --- what is filled
    ("required", [acting(vintage=None, approach=None)], ["R01", "R01"]),
    ("sectors are required", [authorizing(sectors=None)], ["R01"]),
    ("an acquirer of a first transfer to another Party", [acting(acquiring=None)], ["R01"]),
    ("no acquirer where the definition makes it one",
     [acting(acquiring=None, subtype="Issuance")], []),
    ("transferring only with acquisition", [acting(transferring="CHE")], ["R02"]),
    ("acquiring not with acquisition", [GHANA, switzerland(acquiring="CHE")], ["R02"]),
    ("a calendar year only with use", [acting(ndc_year=2025)], ["R02"]),
    ("a use for nothing", [replace(GHANA, actions=(replace(USE, purpose=None),))], ["R01", "R01"]),
    ("non-GHG members of tonnes", [acting(non_ghg_quantity=1)], ["R02"]),
    ("a definition without OIMP", [authorizing(purposes="NDC")], ["R02", "R02"]),
    ("OIMP without a definition", [authorizing(first_transfer=None)], ["R01"]),
    ("a subtype of another type", [acting(type="Transfer")], ["R04"]),
    # --- rows that agree with themselves
    ("the last comes before the first", [acting(first="CA0007-GHA01-GHA-11734-2023")], ["R05"]),
    ("two series in one block", [acting(last="CA0007-GHA01-GHA-11733-2024")], ["R05"]),
    ("a quantity that is not the block's", [acting(quantity=11732)], ["R06"]),
    ("another vintage than the identifiers", [acting(vintage=2022)], ["R07"]),
    ("another Party than the identifiers", [acting(first_party="CHE")], ["R07"]),
    ("an action of another year", [acting(at="2026-01-01T00:00:00.000Z")], ["R08"]),
    ("an action at the last moment", [acting(at="2025-12-31T23:59:59.999Z")], []),
    ("submitted before the year is over", [submitted(submitted="2025-12-31")], ["R09"]),
    ("a period that ends before it begins", [submitted(ndc_last_year=2020)], ["C07"]),
    ("II07: the approach of the identifiers", [acting(approach="CA0008")], ["II01", "II07"]),
    # --- tables that agree with one another
    ("an authorization that is not there", [acting(authorization="GH-9")], ["X01"]),
    ("an entity that is not there", [replace(GHANA, entities=())], ["X02"]),
    ("used and held", [held(first="CA0007-GHA01-GHA-20100-2023", quantity=9901)], ["X03"]),
    ("held in two workbooks that do not say the year",
     [replace(book, submission=replace(book.submission, year=None), actions=())
      for book in (SWITZERLAND, replace(SWITZERLAND, submission=GHANA.submission))],
     ["II01", "II01", "R01", "R01", "X01", "X01"]),
    ("held twice", [replace(GHANA, holdings=(HOLDING, HOLDING))], ["X04"]),
    ("an authorization twice", [replace(GHANA, authorizations=(AUTHORIZATION,) * 2)], ["X05"]),
    ("two versions of an authorization",
     [replace(GHANA, authorizations=(AUTHORIZATION, replace(AUTHORIZATION, version=2)))], []),
    ("mitigation type of the same units", [GHANA, switzerland(mitigation="Removals")], ["X06"] * 2),
    ("an entity that the first transferring Party reports", [GHANA, replace(SWITZERLAND, actions=(
        *SWITZERLAND.actions, replace(USE, registry="CHE01", user_party="CHE", quantity=1,
        first="CA0007-GHA01-GHA-1-2023", last="CA0007-GHA01-GHA-1-2023", unit_registry="GS",
        unit_first="GS1-1-GH-GS2456-21-2023-100-0", unit_last="GS1-1-GH-GS2456-21-2023-100-0",
        at="2025-10-01")), holdings=())], []),
    ("an entity that nobody reports", [replace(GHANA, entities=(), actions=(USE,)),
        replace(SWITZERLAND, actions=(replace(USE, registry="CHE01",
        user_party="CHE", quantity=1, at="2025-10-01",
        first="CA0007-GHA01-GHA-50001-2023", last="CA0007-GHA01-GHA-50001-2023"),),
        holdings=())], ["X02", "X02"]),
    ("used twice, in part", [replace(GHANA, actions=(FIRST, USE, replace(USE, quantity=51,
        at="2025-10-01T00:00:00.000Z", first="CA0007-GHA01-GHA-20050-2023")))], ["X13"]),
    ("used by one Party and cancelled by another", [replace(GHANA, actions=(FIRST, USE)),
        replace(SWITZERLAND, actions=(*SWITZERLAND.actions, replace(USE, type="Cancellation",
        registry="CHE01", user_party="CHE", user_entity=None, at="2025-10-01")))], ["X13"]),
    ("used twice on a day, so that it may be one use",
     [replace(GHANA, actions=(FIRST, replace(USE, at="2025-09-01"), USE))], ["T10"]),
    # --- II01
    ("a Party that takes part in nothing", [GHANA, THAILAND], ["II01"]),
    ("a Party that is named", [GHANA, SWITZERLAND], []),
    # --- II02
    ("the same action twice", [replace(GHANA, actions=(FIRST, FIRST))], ["II02"]),
    ("the same action in two workbooks",
     [GHANA, replace(SWITZERLAND, actions=(*SWITZERLAND.actions, FIRST))], ["II02"]),
    ("two actions of a day, told apart by their times",
     [replace(GHANA, actions=(FIRST, replace(FIRST, at="2025-07-08T10:30:00.251Z")))], []),
    ("two actions of a day without times",
     [replace(GHANA, actions=(replace(FIRST, at="2025-07-08"),) * 2)], ["T10"]),
    ("two actions of a day, one without a time",
     [replace(GHANA, actions=(FIRST, replace(FIRST, at="2025-07-08")))], ["T10"]),
    ("two actions of a day on other units",
     [replace(GHANA, actions=(FIRST, USE, replace(USE, first="CA0007-GHA01-GHA-40001-2023",
      last="CA0007-GHA01-GHA-40100-2023")))], []),
    # --- II03
    ("sectors of the same units",
     [GHANA, replace(SWITZERLAND, authorizations=(
         replace(AUTHORIZATION, sectors="Agriculture"),))], ["II03"] * 2),
    ("sectors in another order",
     [GHANA, replace(SWITZERLAND, authorizations=(
         replace(AUTHORIZATION, sectors="Agriculture, Energy generation"),))], []),
    # --- II04
    ("metric of the same units",
     [GHANA, switzerland(metric="non-GHG", non_ghg_metric="MWh", quantity=None,
      non_ghg_quantity=11733)], ["II04"] * 2),
    # --- II05
    ("underlying units offset by one", [GHANA, switzerland(**renamed(101))], ["II05"] * 2),
    ("one underlying unit missing", [acting(unit_last=None)], ["II05"]),
    ("more underlying units than ITMOs",
     [acting(unit_last="GS1-1-GH-GS2456-21-2023-11833-0")], ["II05"]),
    ("underlying units of another text",
     [acting(unit_last="GS1-1-GH-GS2457-21-2023-11832-0")], ["II05"]),
    ("nothing underlying in one of two workbooks",
     [GHANA, without_units(SWITZERLAND)], ["II05"] * 2),
    ("a part of a block with the aligned part of its underlying units",
     [GHANA, replace(SWITZERLAND, actions=(), holdings=(replace(
         SWITZERLAND.holdings[0],
         first="CA0007-GHA01-GHA-1001-2023",
         unit_first="GS1-1-GH-GS2456-21-2023-1100-0",
         quantity=10733),))], ["X10"]),
    # --- II06
    ("a user who is not named", [replace(GHANA, actions=(replace(USE, user_party="JPN"),))],
     ["II06"]),
    ("an entity that is not named", [authorizing(entities="SOMEBODY")], ["II06"]),
    ("an entity that is named by its name", [authorizing(entities="Cookstoves Limited")], []),
]  # fmt: skip


@pytest.mark.requirement(108, case="II07: the approach of the identifiers")
@pytest.mark.requirement(107, case="underlying units offset by one")
@pytest.mark.requirement(106, case="metric of the same units")
@pytest.mark.requirement(106, case="sectors of the same units")
@pytest.mark.requirement(105, case="two actions of a day without times")
@pytest.mark.requirement(105, case="two actions of a day, told apart by their times")
@pytest.mark.requirement(105, case="the same action twice")
@pytest.mark.requirement(104, case="a Party that takes part in nothing")
@pytest.mark.parametrize(
    ("books", "wanted"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG]
)
def test_each_rule_is_told_by_its_code(books: list[Aef], wanted: list[str]) -> None:
    report = checked(*books)
    assert codes(report) == sorted(wanted), [str(one) for one in report.findings]


@pytest.mark.requirement(107)
@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("GS1-1-GH-GS2456-21-2023-100-0", "GS1-1-GH-GS2456-21-2023-199-0"),
        ("100", "199"),
        ("CA0007-GHA01-GHA-100-2023", "CA0007-GHA01-GHA-199-2023"),
        ("0100-A", "0199-A"),
        ("9999-1", "10098-1"),
    ],
)
def test_serials_that_share_digits_are_compared_whole(first: str, last: str) -> None:
    row = replace(USE, unit_registry="GS", unit_first=first, unit_last=last)
    assert codes(checked(replace(GHANA, actions=(row,)))) == []
    other = replace(row, unit_first=None)
    assert codes(checked(replace(GHANA, actions=(other,)))) == ["II05"]


def test_a_registry_may_have_a_form_of_its_own() -> None:
    text = 'date = "2027-01-01"\n[lists]\n' + "".join(
        f"{name} = {list(values)}\n" for name, values in LISTS.lists.items()
    )
    text += "[unit_ids]\nGS = '(?P<serial>[0-9]+)-of-[0-9]+'\n"
    right = replace(USE, unit_registry="GS", unit_first="100-of-1", unit_last="199-of-1")
    for row, wanted in (
        (right, []),
        (replace(right, unit_last="199 of 1"), ["II05"]),
    ):
        book = packed(replace(GHANA, actions=(row,)))
        report = check([("A", io.BytesIO(book))], parse(text))
        assert codes(report) == wanted


def test_identifiers_as_serials_alone_are_held_against_whole_ones() -> None:
    serials = switzerland(first="1", last="11733", mitigation="Removals")
    serials = replace(serials, holdings=())
    assert codes(checked(GHANA, serials)) == ["X06"]


def test_what_needs_a_workbook_that_is_not_here_is_told_as_not_checked() -> None:
    report = checked(SWITZERLAND)
    assert codes(report) == []
    needing = {"X01", "X02", "X11", "II01", "II06"}
    assert {str(one.code) for one in report.unchecked} == needing
    assert all("GHA" in one.reason for one in report.unchecked)
    assert checked(GHANA, SWITZERLAND).unchecked == []


def test_the_order_of_the_workbooks_says_nothing() -> None:
    wrong = switzerland(**renamed(101))
    assert codes(checked(GHANA, wrong)) == codes(checked(wrong, GHANA))


# --- versions -------------------------------------------------------------------------------------


@pytest.mark.requirement(101)
def test_one_ten_comes_after_one_nine() -> None:
    assert Version.parse("1.9") < Version.parse("1.10") < Version.parse("2.0")
    assert str(Version.parse("1.9").next_minor()) == "1.10"
    assert str(Version.parse("1.10").next_major()) == "2.0"


@pytest.mark.requirement(101)
def test_a_later_version_supersedes_and_the_earlier_is_kept() -> None:
    wrong = replace(acting(mitigation="Removals"), submission=submitted(version="1.9").submission)
    right = submitted(version="1.10")
    report = checked(wrong, right, SWITZERLAND)
    assert codes(report) == ["X08"]  # what 1.9 says of the same units is held against nobody
    (told,) = report.findings
    assert (told.file, told.cell) == ("A", "B4")
    assert report.status == 0
    assert len(report.readings) == 3


def test_the_same_version_with_other_content_is_an_error() -> None:
    other = replace(GHANA, holdings=())
    assert "X09" in codes(checked(GHANA, other))


def test_the_same_workbook_twice_is_one_submission() -> None:
    assert codes(checked(packed(GHANA), packed(GHANA))) == []


def test_years_of_a_party_are_compared_too() -> None:
    before = replace(
        GHANA,
        submission=submitted(year=2024, submitted="2025-04-01").submission,
        actions=(),
        holdings=(
            replace(
                HOLDING,
                first="CA0007-GHA01-GHA-1-2023",
                last="CA0007-GHA01-GHA-30000-2023",
                quantity=30000,
                mitigation="Removals",
            ),
        ),
    )
    assert set(codes(checked(before, without_units(GHANA)))) == {"X06"}


def test_what_was_used_is_held_in_no_later_year() -> None:
    later = replace(
        GHANA,
        submission=submitted(year=2026, submitted="2027-04-01").submission,
        actions=(),
        holdings=(
            replace(
                HOLDING,
                first="CA0007-GHA01-GHA-20001-2023",
                quantity=10000,
            ),
        ),
    )
    assert codes(checked(GHANA, later)) == ["X03"]
    earlier = replace(later, submission=submitted(year=2024, submitted="2025-04-01").submission)
    assert codes(checked(earlier, GHANA)) == []
