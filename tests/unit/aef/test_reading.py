# SPDX-License-Identifier: Apache-2.0
"""What Parties do to spreadsheets: what can mean one thing only is read, and said to be."""

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from aef.cells import cell_name
from aef.columns import columns_of
from aef.findings import Level
from aef.nomenclature import NomenclatureError, load, parse
from aef.reading import read_workbook
from aef.tables import (
    SHEETS,
    TITLES,
    ActionRow,
    Aef,
    AuthorizationRow,
    EntityRow,
    HoldingRow,
    SubmissionRow,
)
from aef.values import written
from tests.unit.aef.books import (
    GHANA,
    LISTS,
    SWITZERLAND,
    checked,
    codes,
    edited,
    in_shared_texts,
    packed,
)

ROW = 6


def cell(workbook: Workbook, table: type[Any], name: str) -> Any:
    """The cell of the first row of a table."""
    sheet = workbook[SHEETS[table]]
    number = [column.name for column in columns_of(table)].index(name)
    if table is SubmissionRow:
        return sheet.cell(3 + number, 2)
    return sheet.cell(ROW, 1 + number)


def put(table: type[Any], name: str, value: Any) -> Callable[[Workbook], None]:
    def edit(workbook: Workbook) -> None:
        cell(workbook, table, name).value = value

    return edit


TOLERATED = [
    (AuthorizationRow, "date", "29.2.2024", "T04"),
    (AuthorizationRow, "date", "2024-02-29", "T04"),
    (AuthorizationRow, "date", datetime(2024, 2, 29), "T04"),  # noqa: DTZ001
    (AuthorizationRow, "date", " 29/02/2024 ", "T01"),
    (AuthorizationRow, "sectors", "energy generation,AGRICULTURE", "T02"),
    (AuthorizationRow, "first_transfer", "issuance", "T02"),
    (AuthorizationRow, "timeframe", "2021-2030", "T02"),
    (AuthorizationRow, "parties", "che, SGP", "T02"),
    (AuthorizationRow, "quantity", "71,733", "T03"),
    (AuthorizationRow, "quantity", "71 733", "T03"),
    (AuthorizationRow, "quantity", "71733", "T06"),
    (ActionRow, "at", "2025-07-08T12:30:00.250+02:00", "T04"),
    (ActionRow, "at", "2025-07-08 10:30:00.25", "T04"),
    (ActionRow, "at", datetime(2025, 7, 8, 10, 30, 0, 250000), "T04"),  # noqa: DTZ001
    (ActionRow, "type", "First Transfer", "T02"),
    (ActionRow, "last", "CA0007-GHA01-GHA-11,733-2023", "T03"),
    (ActionRow, "last", "CA0007-GHA01-GHA-11733-2023\u00a0", "T01"),
    (ActionRow, "unit_registry", "Gold Standard", "T02"),
    (ActionRow, "mitigation", "Emission Reduction", "T02"),
    (HoldingRow, "mitigation", "emission  reductions", "T02"),
    (HoldingRow, "metric", "ghg", "T02"),
    (EntityRow, "name", "Cookstoves Limited\u00a0", "T01"),
    (EntityRow, "name", "\ufeff Cookstoves Limited\u200b \u200b\u3000", "T01"),
    (ActionRow, "quantity", "11\u00a0733", "T03"),
]


@pytest.mark.parametrize(("table", "name", "value", "code"), TOLERATED)
def test_what_can_only_mean_one_thing_is_read_and_said(
    table: type[Any], name: str, value: Any, code: str
) -> None:
    report = checked(edited(put(table, name, value)))
    assert code in codes(report), [str(one) for one in report.findings]
    assert {one.level for one in report.findings} == {Level.TOLERATED}
    assert report.readings[0].aef == GHANA
    assert report.status == 0


@pytest.mark.parametrize("number", [11733.0, "11733.0", "1.1733E4"])
def test_a_whole_number_may_be_stored_with_a_point(number: float | str) -> None:
    def edit(workbook: Workbook) -> None:
        target = cell(workbook, ActionRow, "quantity")
        target._value, target.data_type = number, "n"

    report = checked(edited(edit))
    assert codes(report) == []
    assert report.readings[0].aef == GHANA


NOT_READ = [
    (AuthorizationRow, "date", "02/29/2024", "C04"),
    (AuthorizationRow, "date", "spring", "C04"),
    (AuthorizationRow, "date", 45351, "C04"),
    (AuthorizationRow, "sectors", "Space flight", "C06"),
    (AuthorizationRow, "version", "one", "C05"),
    (AuthorizationRow, "version", 1.5, "C05"),
    (AuthorizationRow, "id", "GH#1", "C07"),
    (AuthorizationRow, "parties", "Switzerland", "C07"),
    (AuthorizationRow, "timeframe", "soon", "C07"),
    (AuthorizationRow, "approach", "CA7", "C07"),
    (ActionRow, "at", "2025-13-08T00:00:00.000Z", "C04"),
    (ActionRow, "type", "Sale", "C06"),
    (ActionRow, "first", "CA0007-GHA01-GHA-01-2023", "C07"),
    (ActionRow, "first", "9" * 5000, "C07"),
    (ActionRow, "unit_first", "9" * 5000, "C07"),
    (ActionRow, "registry", "GHANA", "C07"),
    (ActionRow, "quantity", "9" * 5000, "C05"),
    (ActionRow, "vintage", 23, "C07"),
    (ActionRow, "quantity", "=1+1", "C01"),
    (ActionRow, "quantity", "#REF!", "C02"),
    (SubmissionRow, "version", "0.1", "C07"),
    (SubmissionRow, "version", "1.01", "C07"),
    (SubmissionRow, "party", "Ghana", "C07"),
    (SubmissionRow, "year", "=2025", "C01"),
    (ActionRow, "quantity", True, "C07"),
    (EntityRow, "name", True, "C07"),
    (EntityRow, "name", "{Name of the entity}", "C07"),
    (EntityRow, "id", 1234567890123456789, "C07"),
    (ActionRow, "first", "007", "C07"),
    (AuthorizationRow, "sectors", ", ,", "C07"),
    (AuthorizationRow, "parties", ";", "C07"),
    (ActionRow, "quantity", 1916.5, "C05"),
    (AuthorizationRow, "timeframe", "2030 - 2021", "C07"),
    (AuthorizationRow, "sectors", "Agriculture, " * 200, "C07"),
    (AuthorizationRow, "first_transfer", "Issuance" * 2000, "C06"),
]


@pytest.mark.parametrize(("table", "name", "value", "code"), NOT_READ)
def test_what_cannot_be_read_is_an_error_at_its_cell(
    table: type[Any], name: str, value: Any, code: str
) -> None:
    def edit(workbook: Workbook) -> None:
        target = cell(workbook, table, name)
        target._value, target.data_type = value, _type_of(value)

    report = checked(edited(edit))
    at = [one for one in report.findings if one.code == code]
    assert at, [str(one) for one in report.findings]
    number = [column.name for column in columns_of(table)].index(name)
    wanted = f"B{3 + number}" if table is SubmissionRow else cell_name(ROW, 1 + number)
    assert (at[0].sheet, at[0].cell) == (SHEETS[table], wanted)
    assert report.status == 1
    assert "R01" not in {str(one.code) for one in report.findings if one.cell == wanted}


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "b"
    if not isinstance(value, str):
        return "n"
    return {"=": "f", "#": "e"}.get(value[:1], "s")


@pytest.mark.parametrize("shared", ["", "shared"])
def test_a_text_longer_than_a_cell_may_be_is_an_error(shared: str) -> None:
    book = replace(GHANA, actions=(replace(GHANA.actions[0], more="x" * 40_000),))
    data = in_shared_texts(packed(book)) if shared else packed(book)
    (found,) = (one for one in checked(data).findings if one.code == "C03")
    assert (found.sheet, found.cell) == ("Table 3 Actions", "AA6")


def test_a_workbook_that_counts_days_from_1904_is_read_and_said_to() -> None:
    def edit(workbook: Workbook) -> None:
        workbook.epoch = CALENDAR_MAC_1904
        cell(workbook, AuthorizationRow, "date").value = datetime(2024, 2, 29)  # noqa: DTZ001

    report = checked(edited(edit))
    assert codes(report) == ["T04", "T05"]
    assert report.readings[0].aef == GHANA


@pytest.mark.requirement(99)
def test_a_spelling_mistake_of_the_nomenclature_survives() -> None:
    # C02 with a digit is how the list has it; CO2 with a letter is read as it.
    for spelled, found in (("C02 usage", []), ("CO2 usage", ["T02"])):
        report = checked(edited(put(AuthorizationRow, "activity_types", spelled)))
        assert codes(report) == found
        assert report.readings[0].aef.authorizations[0].activity_types == "C02 usage"


def test_a_version_that_is_a_number_is_warned_of() -> None:
    report = checked(edited(put(SubmissionRow, "version", 1.1)))
    assert codes(report) == ["T09"]
    assert report.readings[0].aef.submission.version == "1.1"


def test_what_is_tolerated_is_told_once_for_a_column() -> None:
    many = replace(GHANA, actions=GHANA.actions * 40)

    def edit(workbook: Workbook) -> None:
        sheet = workbook[SHEETS[ActionRow]]
        for row in range(ROW, ROW + 80):
            sheet.cell(row, 2).value = str(sheet.cell(row, 2).value).upper()

    report = checked(edited(edit, many))
    (spelling,) = [one for one in report.findings if one.code == "T02"]
    assert (spelling.cell, spelling.cells) == ("B6", 80)


def published_form(aef: Aef) -> bytes:
    """A workbook as the published template has it: titles and bands above, unlabelled columns in
    between, an index sheet, technical blanks below.
    """
    workbook = Workbook()
    workbook.worksheets[0].title = "Index"
    workbook.create_sheet("Summary information")
    for table, name in SHEETS.items():
        sheet = workbook.create_sheet(name)
        sheet["A1"] = TITLES[table]
        sheet["A2"], sheet["B2"] = "Party", aef.submission.party
        sheet["A3"], sheet["B3"] = "Reported year", aef.submission.year
        columns = columns_of(table)
        if table is SubmissionRow:
            for number, column in enumerate(columns):
                sheet.cell(6 + number, 1).value = column.label
                value = written(getattr(aef.submission, column.name), column)
                sheet.cell(6 + number, 2).value = value or "{filled by the CARP}"
            continue
        sheet.merge_cells("A7:D7")
        sheet["A7"] = "A band over some columns"
        places = [n + 1 + n // 5 for n in range(len(columns))]  # every sixth column is a spacer
        for place, column in zip(places, columns, strict=True):
            sheet.cell(9, place).value = column.label.replace(" ", "\u00a0", 1)
            for number, row in enumerate(aef.rows(table)):
                sheet.cell(10 + number, place).value = written(getattr(row, column.name), column)
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


@pytest.mark.parametrize("aef", [GHANA, SWITZERLAND], ids=["GHA", "CHE"])
def test_the_form_of_the_published_template_is_read(aef: Aef) -> None:
    reading = read_workbook(io.BytesIO(published_form(aef)), "A", LISTS)
    assert {str(one.code) for one in reading.findings} <= {"T07"}
    assert reading.aef == aef


def test_a_submission_that_lies_like_the_other_tables_is_read() -> None:
    def edit(workbook: Workbook) -> None:
        sheet = workbook[SHEETS[SubmissionRow]]
        values = [(sheet.cell(r, 1).value, sheet.cell(r, 2).value) for r in range(3, 12)]
        sheet.delete_rows(1, 20)
        sheet.append([label for label, _ in values])
        sheet.append([value for _, value in values])

    report = checked(edited(edit))
    assert codes(report) == []
    assert report.readings[0].aef == GHANA


@pytest.mark.requirement(99)
def test_other_nomenclatures_are_loaded_in_place_of_ours() -> None:
    text = (
        'date = "2027-01-01"\n[lists]\n'
        + "\n".join(f"{name} = {[*values]}" for name, values in LISTS.lists.items())
    ).replace("'Waste management'", "'Waste management', 'Space flight'")
    newer = parse(text)
    data = edited(put(AuthorizationRow, "sectors", "Space flight"))
    assert [str(f.code) for f in read_workbook(io.BytesIO(data), "A", newer).findings] == []
    assert [str(f.code) for f in read_workbook(io.BytesIO(data), "A", LISTS).findings] == ["C06"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lists"),
        ("[lists]", "date"),
        ('date = "2027-01-01"\n[lists]', "lists are missing"),
        ("date = ", "not a file"),
        ('date = "x"\n[lists]\nmetrics = "GHG"', "not a list"),
        ('date = "x"\n[lists]\n[unit_ids]\nGS = "("', "unit_ids"),
        ('date = "x"\n[lists]\n[unit_ids]\nGS = "x"', "serial"),
        ('date = "x"\n[lists]\n[unit_ids]\nGS = "(?P<serial>.*)"', "write the serial as"),
    ],
)
def test_nomenclatures_of_another_form_are_refused(text: str, said: str) -> None:
    with pytest.raises(NomenclatureError, match=said):
        parse(text)


def test_an_unknown_date_names_those_that_are_here() -> None:
    with pytest.raises(NomenclatureError, match="2026-02-17"):
        load("1999-01-01")


def test_a_list_of_approaches_is_held_to_when_there_is_one() -> None:
    text = (
        'date = "2027-01-01"\n[lists]\n'
        + "\n".join(f"{name} = {[*values]}" for name, values in LISTS.lists.items())
    ).replace("approaches = []", 'approaches = ["CA0001"]')
    data = edited(put(EntityRow, "approach", "CA0007"))
    found = read_workbook(io.BytesIO(data), "A", parse(text)).findings
    assert "C06" in {str(one.code) for one in found}
