# SPDX-License-Identifier: Apache-2.0
"""Transfers and acquisitions as two Parties report them: the same units and days, or told."""

from dataclasses import replace
from typing import Any

import pytest

from aef.report import Report
from aef.tables import Aef
from tests.unit.aef.books import GHANA, SWITZERLAND, checked, codes

SENT = replace(
    GHANA.actions[0], unit_registry=None, unit_first=None, unit_last=None, at="2025-07-08"
)
RECEIVED = replace(
    SENT, type="Acquisition", subtype=None, registry="CHE01", acquiring=None, transferring="GHA"
)


def rows(template: Any, *parts: tuple[int, int, str]) -> tuple[Any, ...]:
    """Rows about these serials on these days."""
    return tuple(
        replace(
            template,
            first=f"CA0007-GHA01-GHA-{first}-2023",
            last=f"CA0007-GHA01-GHA-{last}-2023",
            quantity=last - first + 1,
            at=at,
        )
        for first, last, at in parts
    )


def sender(*parts: tuple[int, int, str], **changes: Any) -> Aef:
    submission = replace(GHANA.submission, **changes)
    return replace(GHANA, submission=submission, actions=rows(SENT, *parts), holdings=())


def receiver(*parts: tuple[int, int, str], **changes: Any) -> Aef:
    submission = replace(SWITZERLAND.submission, **changes)
    return replace(SWITZERLAND, submission=submission, actions=rows(RECEIVED, *parts), holdings=())


def details(report: Report) -> list[str]:
    return [one.detail for one in report.findings]


AGREEING = {
    "one row and one row": ([(1, 100, "2025-07-08")], [(1, 100, "2025-07-08")]),
    "one row and several": (
        [(1, 100, "2025-07-08")],
        [(71, 100, "2025-07-08"), (1, 30, "2025-07-08"), (31, 70, "2025-07-08")],
    ),
    "several rows and one": (
        [(1, 30, "2025-07-08"), (31, 100, "2025-07-08")],
        [(1, 100, "2025-07-08")],
    ),
    "the day after, where it is later": ([(1, 100, "2025-07-08")], [(1, 100, "2025-07-09")]),
    "a time on one side": ([(1, 100, "2025-07-08T23:59:59.000Z")], [(1, 100, "2025-07-08")]),
    "twice, each at its time": (
        [(1, 100, "2025-07-08"), (51, 60, "2025-10-01")],
        [(51, 60, "2025-10-02"), (1, 100, "2025-07-08")],
    ),
}


@pytest.mark.parametrize("name", AGREEING)
def test_what_was_transferred_is_what_was_acquired_however_rows_are_cut(name: str) -> None:
    sent, received = AGREEING[name]
    report = checked(sender(*sent), receiver(*received))
    assert codes(report) == [], [str(one) for one in report.findings]
    assert report.unchecked == []


@pytest.mark.requirement(109)
def test_thailand_and_switzerland_differ_in_a_day_and_forty_four_units() -> None:
    """A1, as three sources have it: 1,916 or 1,960 units, on 15 or 20 December."""
    report = checked(sender((1, 1916, "2025-12-15")), receiver((1, 1960, "2025-12-20")))
    assert codes(report) == ["X11", "X12"]
    told = {str(one.code): one for one in report.findings}
    assert told["X11"].detail == "serials 1917-1960 (44) in no report of GHA"
    assert told["X12"].detail.startswith("serials 1-1916 (1916) on 2025-12-15 in ")
    assert {one.file for one in report.findings} == {"B"}


DIFFERING = {
    "nothing acquired": ([(1, 100, "2025-07-08")], [], ["serials 1-100 (100) in no report of CHE"]),
    "a hole in what was acquired": (
        [(1, 100, "2025-07-08")],
        [(1, 40, "2025-07-08"), (61, 100, "2025-07-08")],
        ["serials 41-60 (20) in no report of CHE"],
    ),
    "transferred once and acquired twice": (
        [(1, 100, "2025-07-08")],
        [(1, 100, "2025-07-08"), (91, 100, "2025-08-01")],
        ["serials 91-100 (10) in no report of GHA"],
    ),
}


@pytest.mark.requirement(109)
@pytest.mark.parametrize("name", DIFFERING)
def test_units_that_only_one_of_two_reports_are_named(name: str) -> None:
    sent, received, told = DIFFERING[name]
    report = checked(sender(*sent), receiver(*received))
    assert details(report) == told


@pytest.mark.requirement(109)
def test_units_of_another_vintage_are_other_units() -> None:
    other = replace(
        SWITZERLAND,
        holdings=(),
        actions=(
            replace(
                RECEIVED,
                first="CA0007-GHA01-GHA-1-2024",
                last="CA0007-GHA01-GHA-100-2024",
                vintage=2024,
                quantity=100,
            ),
        ),
    )
    assert codes(checked(sender((1, 100, "2025-07-08")), other)) == ["X10", "X11"]


def test_what_another_party_reports_in_the_next_year_needs_that_workbook() -> None:
    sent = sender((1, 100, "2025-12-31"))
    late = {"year": 2026, "submitted": "2027-04-01"}
    received = receiver((1, 100, "2026-01-01"), **late)
    this_year = receiver((201, 300, "2025-07-08"))
    report = checked(sent, this_year)
    (unchecked,) = [one for one in report.unchecked if str(one.code) == "X10"]
    assert unchecked.reason == "CHE's workbook of 2026 is not here"
    assert codes(checked(sent, received)) == []


def test_without_the_other_workbook_nothing_is_wrong_and_nothing_is_passed() -> None:
    report = checked(sender((1, 100, "2025-07-08")))
    assert codes(report) == []
    assert [str(one.code) for one in report.unchecked] == ["X10"]
    assert "CHE's workbook of 2025" in report.unchecked[0].reason
