# SPDX-License-Identifier: Apache-2.0
"""What is written is the agreed electronic format, and is read back as the same rows."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from aef.cells import ROWS_MAX, Cells, cell_name
from aef.columns import Need, columns_of
from aef.reading import read_workbook
from aef.tables import SHEETS, SUMMARY, ActionRow, Aef, EntityRow, HoldingRow, SubmissionRow
from aef.writing import CONFIDENTIAL, NA, Style, in_style, public, too_long
from tests.unit.aef.books import (
    GHANA,
    LISTS,
    SWITZERLAND,
    acting,
    authorizing,
    cells_elsewhere,
    cells_of,
    checked,
    codes,
    held,
    packed,
)

GOLDEN = Path(__file__).with_name("headers.json")
COUNTS = [9, 19, 27, 16, 8]


def labels() -> dict[str, list[list[str]]]:
    return {
        sheet: [[column.label, column.technical] for column in columns_of(table)]
        for table, sheet in SHEETS.items()
    }


@pytest.mark.requirement(98)
def test_the_five_tables_have_the_columns_of_the_format() -> None:
    assert [len(columns_of(table)) for table in SHEETS] == COUNTS
    assert labels() == json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.requirement(98)
def test_a_workbook_has_the_six_sheets_and_their_headers() -> None:
    book = CalamineWorkbook.from_filelike(io.BytesIO(packed(GHANA)))
    assert book.sheet_names == [SUMMARY, *SHEETS.values()]
    for table, sheet in SHEETS.items():
        rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
        wanted = [column.label for column in columns_of(table)]
        if table is SubmissionRow:
            assert [row[0] for row in rows[2:]] == wanted
        else:
            assert wanted in rows


@pytest.mark.parametrize("aef", [GHANA, SWITZERLAND, Aef()], ids=["GHA", "CHE", "empty"])
def test_a_workbook_is_read_back_as_the_same_rows(aef: Aef) -> None:
    reading = read_workbook(io.BytesIO(packed(aef)), "A", LISTS)
    assert list(reading.findings) == []
    assert reading.aef == aef


def test_a_right_workbook_has_no_finding() -> None:
    report = checked(GHANA, SWITZERLAND)
    assert [str(one) for one in report.findings] == []
    assert report.unchecked == []
    assert report.status == 0


def test_the_same_rows_are_the_same_bytes() -> None:
    assert packed(GHANA) == packed(GHANA)


@pytest.mark.parametrize("aef", [GHANA, SWITZERLAND, in_style(GHANA, Style.SERIAL)])
def test_another_library_reads_the_same_cells(aef: Aef) -> None:
    data = packed(aef)
    assert cells_of(data) == cells_elsewhere(data)


printed = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Cf", "Cn")), min_size=3
).filter(lambda text: text.casefold() != "n/a" and not text.startswith("{"))


@given(printed, printed)
def test_any_text_comes_back_as_it_was(name: str, conditions: str) -> None:
    row = replace(GHANA.entities[0], name=name, conditions=conditions)
    reading = read_workbook(io.BytesIO(packed(replace(GHANA, entities=(row,)))), "A", LISTS)
    assert reading.aef.entities == (row,)


@pytest.mark.parametrize("text", ["a\x0bb", "a_x0041_b", "=1+1", "a\nb", "<&>\"'", "a\rb"])
def test_text_that_markup_cannot_have_comes_back_as_it_was(text: str) -> None:
    row = replace(GHANA.entities[0], conditions=text)
    reading = read_workbook(io.BytesIO(packed(replace(GHANA, entities=(row,)))), "A", LISTS)
    assert reading.aef.entities == (row,)
    assert list(reading.findings) == []


@pytest.mark.requirement(103)
def test_cells_that_do_not_apply_say_so_and_columns_of_the_carp_are_empty() -> None:
    cells = cells_elsewhere(packed(GHANA))["Table 3 Actions"]
    at = {column.name: number for number, column in enumerate(columns_of(ActionRow), start=1)}
    first = 6
    assert cells[cell_name(first, at["transferring"])] == NA
    assert cells[cell_name(first, at["ndc_year"])] == NA
    assert cells[cell_name(first, at["non_ghg_metric"])] == NA
    assert cell_name(first, at["consistency"]) not in cells
    assert cell_name(first, at["more"]) not in cells


@pytest.mark.requirement(100)
def test_both_styles_of_identifiers_validate() -> None:
    serials = in_style(GHANA, Style.SERIAL)
    assert serials.actions[0].first == "1"
    assert codes(checked(GHANA)) == codes(checked(serials)) == []


def test_two_styles_in_one_workbook_are_found() -> None:
    mixed = held(first="20101", last="30000")
    assert set(codes(checked(mixed))) == {"X07"}


@pytest.mark.requirement(113)
def test_a_public_workbook_has_no_confidential_field() -> None:
    published = public(GHANA)
    data = packed(published)
    everything = {
        str(value) for cells in cells_elsewhere(data).values() for value in cells.values()
    }
    for table in (*SHEETS,):
        for row in GHANA.rows(table):
            for column in columns_of(table):
                if column.technical in CONFIDENTIAL and (value := getattr(row, column.name)):
                    assert str(value) not in everything
    assert published.authorizations[0].sectors is not None
    report = checked(data)
    assert codes(report) == []
    assert report.readings[0].aef == published


def test_a_party_says_itself_what_is_confidential() -> None:
    published = public(GHANA, {"QuantityCO2"})
    assert published.actions[0].quantity is None
    assert published.entities == GHANA.entities
    assert codes(checked(published)) == []


def test_a_non_ghg_block_has_its_metric_and_no_tonnes() -> None:
    megawatts: dict[str, Any] = {
        "metric": "non-GHG",
        "non_ghg_metric": "MWh of renewable electricity",
    }
    book = replace(
        GHANA,
        authorizations=(replace(GHANA.authorizations[0], **megawatts),),
        actions=tuple(
            replace(row, **megawatts, quantity=None, non_ghg_quantity=row.quantity)
            for row in GHANA.actions
        ),
        holdings=tuple(
            replace(row, **megawatts, quantity=None, non_ghg_quantity=row.quantity)
            for row in GHANA.holdings
        ),
    )
    report = checked(book)
    assert [str(one) for one in report.findings] == []
    assert report.readings[0].aef == book


def test_numbers_that_spreadsheets_cannot_show_whole_are_text() -> None:
    book = authorizing(quantity=10**15)
    cells = cells_elsewhere(packed(book))["Table 2 Authorizations"]
    assert cells["E6"] == str(10**15)
    report = checked(book)
    assert codes(report) == []
    assert report.readings[0].aef == book


def test_every_carp_column_is_known() -> None:
    found = [
        (table.__name__, column.technical)
        for table in SHEETS
        for column in columns_of(table)
        if column.need is Need.CARP
    ]
    assert found == [
        ("SubmissionRow", "ReviewStatusOfInitialReport"),
        ("SubmissionRow", "ResultOfConsistencyCheck"),
        ("SubmissionRow", "ReferenceToTerReport"),
        ("AuthorizationRow", "AuthorizationDocumentation"),
        ("ActionRow", "ResultOfConsistencyChecks"),
    ]
    assert EntityRow in SHEETS
    assert codes(checked(acting())) == []


def test_a_table_that_is_longer_than_what_is_read_is_told() -> None:
    data = packed(replace(GHANA, holdings=GHANA.holdings * 9))
    cells = Cells(io.BytesIO(data))
    above = sum(1 for _ in cells.rows(SHEETS[HoldingRow])) - 9
    most = replace(GHANA, holdings=GHANA.holdings * (ROWS_MAX - above))
    assert list(too_long(most)) == []
    over = replace(most, holdings=(*most.holdings, *GHANA.holdings))
    assert list(too_long(over)) == [(SHEETS[HoldingRow], ROWS_MAX - above + 1)]
