# SPDX-License-Identifier: Apache-2.0
"""Workbooks that are made to cost much, or to be read as what they are not. Each ends in a finding
or does no harm; none raises, and none takes much memory or more steps than it has rows.
"""

import io
import re
import struct
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from openpyxl import Workbook

from aef.blocks import NUMBERS_MAX
from aef.cells import cell_name
from aef.columns import columns_of
from aef.consistency import LINES_MAX, VALUES_MAX, check_together
from aef.findings import TOLD_MAX, AefFinding
from aef.markup import DEPTH_MAX, MERGED_MAX, NAMES_MAX
from aef.matching import COMPARED_MAX
from aef.nomenclature import FOLDED_MAX
from aef.places import Reading
from aef.reading import KEPT_BYTES_MAX, read_workbook
from aef.tables import SHEETS, ActionRow, Aef, HoldingRow, SubmissionRow
from tests.unit.aef.books import (
    GHANA,
    LISTS,
    SWITZERLAND,
    checked,
    codes,
    edited,
    held,
    in_shared_texts,
    joined,
    packed,
    parts,
)

ACTIONS = SHEETS[ActionRow]
PART = "xl/worksheets/sheet4.xml"
STYLES = "xl/styles.xml"
FIRST, USE = GHANA.actions


def with_rows(more: bytes, name: str = PART) -> bytes:
    """The right workbook with more markup among the rows of a sheet."""
    return with_markup(name, b"<sheetData>", b"<sheetData>" + more)


def with_markup(name: str, old: bytes, new: bytes) -> bytes:
    found = parts(packed(GHANA))
    assert old in found[name]
    return joined({**found, name: found[name].replace(old, new, 1)})


def last_row(cells: str, number: int) -> bytes:
    row = f'<row r="{number}">{cells}</row></sheetData>'
    return with_markup(PART, b"</sheetData>", row.encode())


def text_cell(name: str, text: str = "found") -> str:
    return f'<c r="{name}" t="inlineStr"><is><t>{text}</t></is></c>'


def merging(*ranges: str) -> bytes:
    listed = "".join(f'<mergeCell ref="{one}"/>' for one in ranges)
    new = f"</sheetData><mergeCells>{listed}</mergeCells>"
    return with_markup(PART, b"</sheetData>", new.encode())


def dated(number: str, *, since_1904: bool) -> bytes:
    """The right workbook with a day number in place of the first action's date."""
    found = parts(packed(GHANA))
    found[STYLES] = found[STYLES].replace(b'<xf numFmtId="0" fontId="1"', b'<xf numFmtId="14"')
    if since_1904:
        book = found["xl/workbook.xml"]
        found["xl/workbook.xml"] = book.replace(
            b"<sheets>", b'<workbookPr date1904="1"/><sheets>', 1
        )
    cell = f'<c r="A6" s="1"><v>{number}</v></c>'.encode()
    found[PART] = re.sub(rb'<c r="A6" t="inlineStr">.*?</c>', cell, found[PART], count=1)
    return joined(found)


def doubled() -> bytes:
    """A workbook with two parts of one name, of which programs read one or the other."""
    file = io.BytesIO(packed(GHANA))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(PART.upper(), parts(packed(GHANA))[PART])
    return file.getvalue()


def far_away() -> bytes:
    """A workbook of which a part is said to begin beyond the end of any file."""
    data = packed(GHANA)
    entry, end = data.rindex(b"PK\x01\x02"), data.rindex(b"PK\x05\x06")
    name, extra = struct.unpack("<HH", data[entry + 28 : entry + 32])
    field = struct.pack("<HHQ", 1, 8, 2**64 - 1)
    head = bytearray(data[entry : entry + 46 + name])
    head[30:32], head[42:46] = struct.pack("<H", extra + len(field)), b"\xff" * 4
    size = struct.unpack("<I", data[end + 12 : end + 16])[0] + len(field)
    tail = data[end : end + 12] + struct.pack("<I", size) + data[end + 16 :]
    return data[:entry] + head + field + tail


FOUND: dict[str, tuple[bytes, list[tuple[str, str, str]]]] = {
    "tags within tags": (
        with_rows(b"<a>" * DEPTH_MAX + b"</a>" * DEPTH_MAX),
        [("F06", ACTIONS, "")],
    ),
    "tags of many names": (
        with_rows(b"".join(b"<a%d/>" % n for n in range(NAMES_MAX))),
        [("F06", ACTIONS, "")],
    ),
    "attributes of many names": (
        with_rows(b"<a %s/>" % b" ".join(b'a%d=""' % n for n in range(NAMES_MAX))),
        [("F06", ACTIONS, "")],
    ),
    "a row in a cell": (with_rows(b"<row><c><row/></c></row>"), []),
    "a cell in a cell": (with_rows(b"<row><c><c/></c></row>"), []),
    "a part twice": (doubled(), [("F06", "", "")]),
    "a part beyond the file": (far_away(), [("F06", SHEETS[type(GHANA.entities[0])], "")]),
    "text in the last column": (last_row(text_cell("XFD8"), 8), [("S09", ACTIONS, "XFD8")]),
    "text in the last cell": (
        last_row(text_cell("XFD1048576"), 1_048_576),
        [("S09", ACTIONS, "XFD1048576")],
    ),
    "a row at the end of the sheet": (
        last_row(text_cell("A1048576", "2025-07-08T10:30:00.250Z"), 1_048_576),
        [("R01", ACTIONS, "B1048576")],
    ),
    "merged titles without end": (
        merging(*["A1:B1"] * MERGED_MAX, "A6:A7"),
        [("S07", ACTIONS, "")],
    ),
    "a merged table behind many titles": (
        merging(*["A1:B1"] * (MERGED_MAX - 1), "A6:A7"),
        [("S07", ACTIONS, "A6")],
    ),
    "a day after the last, counted from 1904": (
        dated("2958000", since_1904=True),
        [("C04", ACTIONS, "A6")],
    ),
    "the end of the last day": (
        dated("2958465.99999999999", since_1904=False),
        [("C04", ACTIONS, "A6")],
    ),
    "a number format of brackets": (
        with_markup(
            STYLES,
            b"<fonts",
            b'<numFmts><numFmt numFmtId="0" formatCode="' + b"[" * 900_000 + b'"/></numFmts><fonts',
        ),
        [],
    ),
}


@pytest.mark.parametrize(("data", "wanted"), FOUND.values(), ids=FOUND)
def test_markup_that_nobody_writes_is_told_or_harmless(
    data: bytes, wanted: list[tuple[str, str, str]]
) -> None:
    report = checked(data)
    told = [(str(one.code), one.sheet, one.cell) for one in report.findings]
    assert [one for one in wanted if one not in told] == [], told
    assert told == [] or wanted


def test_a_day_that_is_stored_as_text_at_midnight_is_a_day() -> None:
    day = "2025-07-08T00:00:00"
    cell = f'<c r="A6" t="d"><v>{day}</v></c>'.encode()
    found = parts(packed(GHANA))
    found[PART] = re.sub(rb'<c r="A6" t="inlineStr">.*?</c>', cell, found[PART], count=1)
    report = checked(joined(found))
    assert report.readings[0].aef.actions[0].at == "2025-07-08"
    assert codes(report) == ["T04"]


def test_phonetic_and_formatted_runs_are_one_text_without_the_phonetic_one() -> None:
    runs = "<is><r><t>Cook</t></r><r><rPr><b/></rPr><t>stoves</t></r><rPh><t>kuku</t></rPh></is>"
    old = b'<is><t xml:space="preserve">Cookstoves Limited</t></is>'
    found = parts(packed(GHANA))
    name = "xl/worksheets/sheet6.xml"
    assert old in found[name]
    shared = in_shared_texts(joined({**found, name: found[name].replace(old, runs.encode())}))
    for data in (joined({**found, name: found[name].replace(old, runs.encode())}), shared):
        assert checked(data).readings[0].aef.entities[0].name == "Cookstoves"


def test_a_second_sheet_of_the_same_name_is_told() -> None:
    def copy(workbook: Workbook) -> None:
        workbook.copy_worksheet(workbook[ACTIONS]).title = f"{ACTIONS} "

    (found,) = checked(edited(copy)).findings
    assert (str(found.code), found.sheet) == ("S10", f"{ACTIONS} ")


def test_other_sheets_hidden_ones_and_their_order_say_nothing() -> None:
    def move(workbook: Workbook) -> None:
        workbook.create_sheet("Notes", 0)["A1"] = "=1+1"
        workbook[ACTIONS].sheet_state = "veryHidden"
        workbook[ACTIONS].row_dimensions[6].hidden = True
        workbook.move_sheet(ACTIONS, 3)

    report = checked(edited(move))
    assert codes(report) == []
    assert report.readings[0].aef == GHANA


def test_a_label_that_is_merged_with_its_value_is_told() -> None:
    def merge(workbook: Workbook) -> None:
        workbook[SHEETS[SubmissionRow]].merge_cells("A5:B5")

    told = [(str(one.code), one.cell) for one in checked(edited(merge)).findings]
    assert ("S07", "A5") in told


# --- memory ---------------------------------------------------------------------------------------


def measured(work: Callable[[], Any]) -> int:
    """How much memory something took at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def sharing(text: str, columns: list[int], rows: int) -> bytes:
    """The right workbook with one text in many cells, which share it."""
    found = parts(in_shared_texts(packed(GHANA)))
    strings = found["xl/sharedStrings.xml"].decode()
    number = strings.count("<si>")
    item = f'<si><t xml:space="preserve">{text}</t></si></sst>'
    found["xl/sharedStrings.xml"] = strings.replace("</sst>", item).encode()
    more = "".join(
        f'<row r="{row}">'
        + "".join(f'<c r="{cell_name(row, one)}" t="s"><v>{number}</v></c>' for one in columns)
        + "</row>"
        for row in range(8, 8 + rows)
    )
    found[PART] = found[PART].replace(b"</sheetData>", more.encode() + b"</sheetData>")
    return joined(found)


def test_a_long_text_with_a_space_in_many_cells_is_kept_once() -> None:
    at = [column.name for column in columns_of(ActionRow)].index("more") + 1
    data = sharing(" " + "x" * 32_000, [at], 1000)
    assert measured(lambda: read_workbook(io.BytesIO(data), "A", LISTS)) < 12 << 20


def test_texts_of_tables_are_kept_up_to_a_limit() -> None:
    """One character that is kept in four bytes makes all of its text be kept so."""
    texts = (f"{n}\U0001f30d{'x' * 32_000}" for n in range((KEPT_BYTES_MAX >> 17) + 50))
    many = tuple(replace(GHANA.entities[0], conditions=text) for text in texts)
    (found,) = read_workbook(io.BytesIO(packed(replace(GHANA, entities=many))), "A", LISTS).findings
    assert (str(found.code), found.sheet) == ("F05", "Table 5 Auth. entities")
    assert found.cell.startswith("F")


def test_cells_with_errors_take_no_memory_each() -> None:
    data = with_rows((b"<row>" + b"<c><f/></c>" * 27 + b"</row>") * 2000)
    found = parts(data)
    head = found[PART].index(b'<row r="5">')
    body = found[PART][head:].replace(b"</sheetData>", b"")
    found[PART] = (
        found[PART][: found[PART].index(b"<row>")] + body.replace(b"</worksheet>", b"")
        + (b"<row>" + b"<c><f/></c>" * 27 + b"</row>") * 2000 + b"</sheetData></worksheet>"
    )  # fmt: skip
    assert measured(lambda: read_workbook(io.BytesIO(joined(found)), "A", LISTS)) < 4 << 20


# --- steps ----------------------------------------------------------------------------------------


def steps(work: Callable[[], Any]) -> int:
    """How many calls something takes, of whatever there is: the same on every machine."""
    count = 0

    def called(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def read(*books: Aef) -> list[Reading]:
    return [
        read_workbook(io.BytesIO(packed(book)), name, LISTS)
        for name, book in zip("AB", books, strict=False)
    ]


def single(serial: int, **changes: Any) -> dict[str, Any]:
    identifier = f"CA0007-GHA01-GHA-{serial}-2023"
    return {"first": identifier, "last": identifier, "quantity": 1, **changes}


def with_authorizations(rows: int) -> list[Aef]:
    given = GHANA.authorizations[0]
    many = tuple(replace(given, id=f"GH-{n}") for n in range(rows))
    uses = tuple(replace(USE, **single(n + 1, authorization=f"GH-{n}")) for n in range(rows))
    return [replace(GHANA, authorizations=many, actions=uses)]


def with_versions(rows: int) -> list[Aef]:
    given = GHANA.authorizations[0]
    many = tuple(replace(given, version=n + 1) for n in range(rows))
    uses = tuple(replace(USE, **single(n + 1)) for n in range(rows))
    return [replace(GHANA, authorizations=many, actions=uses)]


def with_entities(rows: int) -> list[Aef]:
    many = tuple(replace(GHANA.entities[0], id=f"E-{n}") for n in range(rows))
    uses = tuple(
        replace(USE, **single(n + 1, user_entity="Cookstoves Limited")) for n in range(rows)
    )
    return [replace(GHANA, entities=(*GHANA.entities, *many), actions=uses)]


@pytest.mark.parametrize("books", [with_authorizations, with_versions, with_entities])
def test_twice_the_rows_are_twice_the_work(books: Callable[[int], list[Aef]]) -> None:
    few, many = (read(*books(rows)) for rows in (300, 600))
    once = steps(lambda: list(check_together(few, LISTS)))
    assert steps(lambda: list(check_together(many, LISTS))) < 2.5 * once


def tangled(rows: int) -> list[Aef]:
    """Every row of one Party is about all units of every row of the other, on other days."""
    bare = {"unit_registry": None, "unit_first": None, "unit_last": None}
    sent = tuple(
        replace(FIRST, at=f"2025-07-08T10:{n // 60:02}:{n % 60:02}.000Z", **bare)
        for n in range(rows)
    )
    acquired = tuple(
        replace(SWITZERLAND.actions[0], **single(2 * n + 1, at="2025-12-30", **bare))
        for n in range(rows)
    )
    return [
        replace(GHANA, actions=sent, holdings=()),
        replace(SWITZERLAND, actions=acquired, holdings=()),
    ]


def test_rows_that_all_share_units_are_told_as_not_compared() -> None:
    report = checked(*tangled(3 * COMPARED_MAX))
    left = {(str(one.code), one.reason) for one in report.unchecked}
    said = "too many rows of GHA and CHE share units"
    assert {("X10", said), ("X11", said)} <= left
    assert not {"X10", "X11"} & set(codes(report))


def test_identifiers_of_nothing_but_numbers_are_refused() -> None:
    long = "-".join(["1"] * (NUMBERS_MAX + 1))
    row = replace(USE, **single(20_001), unit_registry="GS", unit_first=long, unit_last=long)
    assert codes(checked(replace(GHANA, actions=(row,)))) == ["II05"]
    short = long.removesuffix("-1")
    right = replace(row, unit_first=short, unit_last=short)
    assert codes(checked(replace(GHANA, actions=(right,)))) == []


def test_a_text_longer_than_any_label_means_none() -> None:
    text = f"{ACTIONS}{' ' * FOLDED_MAX}"
    assert LISTS.read("sectors", "Agriculture" + " " * (FOLDED_MAX - 11)) == "Agriculture"
    assert LISTS.read("sectors", "Agriculture" + " " * FOLDED_MAX) is None
    assert len(text) > FOLDED_MAX
    assert LISTS.read("sectors", "---") is None


# --- what is told of very much --------------------------------------------------------------------


def test_checks_that_could_not_be_made_are_told_up_to_a_number() -> None:
    many = tuple(
        replace(SWITZERLAND.actions[0], **single(n + 1, authorization=f"X{n}"), unit_first=None,
                unit_last=None, unit_registry=None)
        for n in range(TOLD_MAX + 30)
    )  # fmt: skip
    report = checked(replace(SWITZERLAND, actions=many, holdings=()))
    unknown = [one.reason for one in report.unchecked if str(one.code) == "X01"]
    assert (len(unknown), unknown[-1]) == (TOLD_MAX + 1, "30 more of this kind")


def test_more_values_of_one_unit_than_are_kept_still_differ() -> None:
    vintages = tuple(
        replace(FIRST, at=f"2025-07-08T10:00:00.{n:03}Z", unit_first=f"GS1-{n}-0",
                unit_last=f"GS1-{n + 11732}-0")
        for n in range(VALUES_MAX + 10)
    )  # fmt: skip
    report = checked(replace(GHANA, actions=vintages, holdings=()))
    (last,) = [one for one in report.findings if str(one.code) == "II05"][-1:]
    told = sum(one.cells for one in report.findings if str(one.code) == "II05")
    assert told == VALUES_MAX + 9, last
    assert last.cells == VALUES_MAX + 9 - (TOLD_MAX - 1)


@pytest.mark.parametrize("rows", [LINES_MAX, LINES_MAX + 20])
def test_of_actions_that_are_alike_every_further_one_is_told(rows: int) -> None:
    report = checked(replace(GHANA, actions=(replace(FIRST, at="2025-07-08"),) * rows))
    assert sum(one.cells for one in report.findings if str(one.code) == "T10") == rows - 1


def test_units_that_were_used_more_often_than_is_kept_are_not_held() -> None:
    serials = range(20_001, 20_001 + LINES_MAX + 20)
    uses = tuple(replace(USE, **single(serial)) for serial in serials)
    book = replace(
        held(first="CA0007-GHA01-GHA-20001-2023", quantity=10_000), actions=(FIRST, *uses)
    )
    (found,) = (one for one in checked(book).findings if str(one.code) == "X03")
    assert (found.sheet, found.cell, found.cells) == (SHEETS[HoldingRow], "E6", 1)


def test_a_finding_says_in_one_line_where_and_what_to_do() -> None:
    for found in checked(last_row(text_cell("XFD8", "a&#10;b"), 8)).findings:
        assert isinstance(found, AefFinding)
        assert "\n" not in str(found)
        assert str(found).endswith(f"{found.rule.text}")
