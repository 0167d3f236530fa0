# SPDX-License-Identifier: Apache-2.0
"""Files that are not what they should be: each a finding with its code, at sheet and cell, and in
bounded memory. Nothing that stands in a file raises.
"""

import io
import re
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from aef.cells import FILE_BYTES_MAX, ROWS_MAX, UNPACKED_BYTES_MAX, Cells
from aef.columns import columns_of
from aef.findings import RULES, AefFinding, Code, Level
from aef.packing import Row, Sheet, pack
from aef.reading import read_workbook
from aef.tables import SHEETS, SUMMARY, ActionRow, AuthorizationRow, HoldingRow, SubmissionRow
from tests.unit.aef.books import (
    GHANA,
    LISTS,
    checked,
    codes,
    edited,
    in_shared_texts,
    joined,
    packed,
    parts,
)

ACTIONS = SHEETS[ActionRow]
HOLDINGS = SHEETS[HoldingRow]
SUBMISSION = SHEETS[SubmissionRow]


def delete_sheet(workbook: Workbook) -> None:
    del workbook[ACTIONS]


def rename_sheet(workbook: Workbook) -> None:
    workbook[ACTIONS].title = "Actions of ours"


def respell_sheet(workbook: Workbook) -> None:
    workbook[ACTIONS].title = "table 3  actions"


def delete_column(workbook: Workbook) -> None:
    workbook[ACTIONS].delete_cols(13)


def rename_column(workbook: Workbook) -> None:
    workbook[ACTIONS]["P5"] = "Tonnes"


def swap_columns(workbook: Workbook) -> None:
    sheet = workbook[ACTIONS]
    for row in range(5, 8):
        sheet.cell(row, 2).value, sheet.cell(row, 3).value = (
            sheet.cell(row, 3).value,
            sheet.cell(row, 2).value,
        )


def add_column(workbook: Workbook) -> None:
    workbook[ACTIONS].insert_cols(5)
    workbook[ACTIONS]["E5"] = "Our own remarks"


def double_column(workbook: Workbook) -> None:
    workbook[ACTIONS]["AB5"] = "Vintage"


def delete_header(workbook: Workbook) -> None:
    workbook[ACTIONS].delete_rows(5)


def write_formula(workbook: Workbook) -> None:
    workbook[HOLDINGS]["M6"] = "=9000+900"


def merge_cells(workbook: Workbook) -> None:
    workbook[ACTIONS].merge_cells("A6:A7")


def merge_labels(workbook: Workbook) -> None:
    workbook[SUBMISSION].merge_cells("B4:B5")


def write_beside(workbook: Workbook) -> None:
    workbook[ACTIONS]["AD6"] = "to be discussed"


def fill_carp(workbook: Workbook) -> None:
    workbook[ACTIONS]["Z6"] = "consistent"


def swap_lines(workbook: Workbook) -> None:
    sheet = workbook[SUBMISSION]
    for column in (1, 2):
        sheet.cell(3, column).value, sheet.cell(4, column).value = (
            sheet.cell(4, column).value,
            sheet.cell(3, column).value,
        )


def rename_line(workbook: Workbook) -> None:
    workbook[SUBMISSION]["A5"] = "Year of the report"


WRONG: list[tuple[Callable[[Workbook], None], list[tuple[str, str, str]]]] = [
    (delete_sheet, [("S01", ACTIONS, "")]),
    (rename_sheet, [("S01", ACTIONS, "")]),
    (respell_sheet, [("T08", "table 3  actions", "")]),
    (delete_column, [("S03", ACTIONS, "A5")]),
    (rename_column, [("S04", ACTIONS, "P5"), ("S03", ACTIONS, "A5"), ("S09", ACTIONS, "P6")]),
    (swap_columns, [("S05", ACTIONS, "B5")]),
    (add_column, [("S04", ACTIONS, "E5")]),
    (double_column, [("S06", ACTIONS, "AB5")]),
    (delete_header, [("S02", ACTIONS, "A1")]),
    (write_formula, [("C01", HOLDINGS, "M6")]),
    (merge_cells, [("S07", ACTIONS, "A6")]),
    (merge_labels, [("S07", SUBMISSION, "B4")]),
    (write_beside, [("S09", ACTIONS, "AD6")]),
    (fill_carp, [("R03", ACTIONS, "Z6")]),
    (swap_lines, [("S05", SUBMISSION, "A3")]),
    (rename_line, [("S03", SUBMISSION, "A3"), ("S04", SUBMISSION, "A5")]),
]


@pytest.mark.requirement(103, case="fill_carp")
@pytest.mark.parametrize(("edit", "wanted"), WRONG, ids=[one[0].__name__ for one in WRONG])
def test_a_workbook_that_was_changed_says_where_and_what_to_do(
    edit: Callable[[Workbook], None], wanted: list[tuple[str, str, str]]
) -> None:
    report = checked(edited(edit))
    found = [(str(one.code), one.sheet, one.cell) for one in report.findings]
    for one in wanted:
        assert one in found, [str(one) for one in report.findings]
    assert all(one.rule.text for one in report.findings)
    errors = any(RULES[Code(code)].level is Level.ERROR for code, _, _ in wanted)
    assert report.status == int(errors)


def test_a_table_whose_columns_were_moved_is_read_all_the_same() -> None:
    report = checked(edited(swap_columns))
    assert report.readings[0].aef == GHANA
    assert codes(report) == ["S05"]


# --- files ----------------------------------------------------------------------------------------


def unreadable(data: bytes) -> AefFinding:
    """The one finding of a file that is not read at all."""
    reading = read_workbook(io.BytesIO(data), "A", LISTS)
    (found,) = reading.findings
    assert not reading.whole
    assert found.level is Level.ERROR
    assert found.rule.text
    return found


def encrypted() -> bytes:
    data = bytearray(packed(GHANA))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    return bytes(data)


def packed_otherwise() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        for name, content in parts(packed(GHANA)).items():
            archive.writestr(name, content)
    return file.getvalue()


def without(name: str) -> bytes:
    found = parts(packed(GHANA))
    del found[name]
    return joined(found)


def with_part(name: str, old: bytes, new: bytes) -> bytes:
    found = parts(packed(GHANA))
    assert old in found[name]
    found[name] = found[name].replace(old, new)
    return joined(found)


def binary() -> bytes:
    """The form XLSB: the same archive with parts that are no markup."""
    found = parts(packed(GHANA))
    old, new = b"xl/workbook.xml", b"xl/workbook.bin"
    found["xl/workbook.bin"] = b"\x83\x01\x00"
    return joined({**found, "_rels/.rels": found["_rels/.rels"].replace(old, new)})


SHEET = "xl/worksheets/sheet4.xml"
ENTITIES = b"<!DOCTYPE w [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><worksheet"
LONG = b"A" * (2 << 20)
FILES = {
    "empty": (b"", "F02"),
    "text": (b"Party,Version\nGHA,1.0\n", "F02"),
    "page": (b"<html><table><tr><td>GHA</td></tr></table></html>", "F02"),
    "pdf": (b"%PDF-1.7\n", "F02"),
    "old form, or with a password": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "F03"),
    "archive of something else": (joined({"README": b"hello"}), "F02"),
    "open document": (joined({"mimetype": b"application/x", "content.xml": b"<a/>"}), "F02"),
    "text document": (with_part("xl/workbook.xml", b"<sheet ", b"<paragraph "), "F02"),
    "binary workbook": (binary(), "F03"),
    "empty archive": (joined({}), "F02"),
    "cut off": (packed(GHANA)[:-400], "F02"),
    "only the beginning of an archive": (b"PK\x03\x04" + bytes(100), "F02"),
    "encrypted": (encrypted(), "F03"),
    "packed otherwise": (packed_otherwise(), "F06"),
    "without workbook": (without("xl/workbook.xml"), "F06"),
    "without relations": (without("xl/_rels/workbook.xml.rels"), "F02"),
    "without a sheet's part": (without(SHEET), "F06"),
    "with entities": (with_part(SHEET, b"<worksheet", ENTITIES), "F06"),
    "with other markup": (with_part(SHEET, b"<sheetData>", b"<sheetData"), "F06"),
    "in no encoding": (with_part(SHEET, b"UTF-8", b"no-such"), "F06"),
    "in another encoding": (with_part(SHEET, b"UTF-8", b"UTF-7"), "F06"),
    "with a shared text that is not there": (
        with_part(SHEET, b'<c r="A6" t="inlineStr">', b'<c r="A6" t="s"><v>7</v></c><c r="A6">'),
        "F06",
    ),
    "a tag without end": (with_part(SHEET, b"<sheetData>", b"<sheetData x='" + LONG), "F06"),
    "many parts": (joined({f"p{n}": b"" for n in range(1100)}), "F06"),
}


@pytest.mark.parametrize(("data", "code"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_workbook_says_what_it_is(data: bytes, code: str) -> None:
    assert unreadable(data).code == code
    assert checked(data).status == 2


def test_one_file_that_is_not_read_leaves_the_others_checked() -> None:
    report = checked(b"nothing", GHANA)
    assert codes(report) == ["F02"]
    assert [one.whole for one in report.readings] == [False, True]


def test_a_file_over_the_limit_is_not_read() -> None:
    data = b"PK\x03\x04" + bytes(FILE_BYTES_MAX)
    assert unreadable(data).code == "F04"


def measured(work: Callable[[], Any]) -> tuple[Any, int]:
    """What comes of it, and how much memory it took at most."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", [SHEET, "xl/sharedStrings.xml", "xl/styles.xml"])
def test_a_zip_bomb_is_found_by_what_comes_out_of_it(name: str) -> None:
    found = parts(in_shared_texts(packed(GHANA)))
    head, _, tail = found[name].rpartition(b"</")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, content in found.items():
            if other != name:
                archive.writestr(other, content)
        with archive.open(name, "w") as part:
            part.write(head)
            for _ in range(UNPACKED_BYTES_MAX >> 20):
                part.write(b" " * (1 << 20))
            part.write(b"</" + tail)
    assert len(file.getvalue()) < 2 << 20
    bomb, memory = measured(lambda: unreadable(file.getvalue()))
    assert bomb.code == "F05"
    assert memory < 8 << 20


def rows_of(many: int) -> Iterator[Row]:
    yield [column.label for column in columns_of(HoldingRow)], True
    for _ in range(many):
        yield ("CA0007",), False


def test_two_hundred_thousand_rows_are_refused_at_the_cell() -> None:
    others = [Sheet(name, (), iter([])) for name in (SUMMARY, *SHEETS.values()) if name != HOLDINGS]
    file = io.BytesIO()
    pack([*others, Sheet(HOLDINGS, (), rows_of(200_000))], file)
    reading = read_workbook(file, "A", LISTS)
    (found,) = (one for one in reading.findings if one.code == "S08")
    assert (found.sheet, found.cell) == (HOLDINGS, f"A{ROWS_MAX + 1}")
    assert not reading.whole


def test_rows_are_given_away_before_the_next_are_kept() -> None:
    file = io.BytesIO()
    pack([Sheet(HOLDINGS, (), rows_of(20_000))], file)
    cells = Cells(file)
    count, memory = measured(lambda: sum(1 for _ in cells.rows(HOLDINGS)))
    assert count == 20_001
    assert memory < 2 << 20


def test_empty_rows_up_to_the_last_of_the_sheet_are_nothing() -> None:
    far = with_part(
        SHEET, b"</sheetData>", b'<row r="1048576"><c r="A1048576" s="1"/></row></sheetData>'
    )
    assert codes(checked(far)) == []


def test_texts_that_cells_share_are_the_same_workbook() -> None:
    report = checked(in_shared_texts(packed(GHANA)))
    assert codes(report) == []
    assert report.readings[0].aef == GHANA


def test_markup_with_prefixes_and_other_namespaces_is_the_same_workbook() -> None:
    found = parts(packed(GHANA))
    for name, content in found.items():
        prefixed = re.sub(rb"<(/?)(?=[A-Za-z])", rb"<\1x:", content)
        prefixed = prefixed.replace(b"xmlns=", b"xmlns:x=")
        strict = prefixed.replace(b"schemas.openxmlformats.org", b"purl.oclc.org/ooxml")
        found[name] = prefixed if name == "[Content_Types].xml" else strict
    report = checked(joined(found))
    assert codes(report) == []
    assert report.readings[0].aef == GHANA


@pytest.mark.parametrize(
    "name",
    [str.upper, lambda name: name.replace("/", "\\"), lambda name: name.replace("sheet", "Sheet")],
    ids=["capitals", "backslashes", "one capital"],
)
def test_names_of_parts_are_spelled_in_several_ways(name: Callable[[str], str]) -> None:
    found = parts(packed(GHANA))
    report = checked(joined({name(one): content for one, content in found.items()}))
    assert codes(report) == []
    assert report.readings[0].aef == GHANA


def test_an_authorization_that_is_written_as_a_number_is_read_as_its_digits() -> None:
    def edit(workbook: Workbook) -> None:
        workbook[SHEETS[AuthorizationRow]]["A6"] = 8

    assert checked(edited(edit)).readings[0].aef.authorizations[0].id == "8"


RIGHT = packed(GHANA)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damage_anywhere_is_found_or_harmless_and_never_raises(data: st.DataObject) -> None:
    """Bytes of the file, or of one of its parts, become others."""
    inside = data.draw(st.booleans())
    found = parts(RIGHT)
    name = data.draw(st.sampled_from(sorted(found)))
    target = bytearray(found[name] if inside else RIGHT)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(target) - 1))
        target[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    damaged = joined({**found, name: bytes(target)}) if inside else bytes(target)
    assert checked(damaged, GHANA).status in {0, 1, 2}
