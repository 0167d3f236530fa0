# SPDX-License-Identifier: Apache-2.0
"""A workbook into rows, with what was tolerated and what is wrong, each at its sheet and cell.

Sheets and columns are found by their labels, not by place, so that a spreadsheet whose columns were
moved is still read, and said to be in disorder. A table's header is looked for below titles and
bands; columns without label are spacers; other sheets are not looked at. What cannot be read is
left out and said; reading goes on as far as it can.

Elsewhere: cells (`cells`), values (`values`), what the rows must be (`checking`, `consistency`).
"""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from aef.cells import Cell, Cells, Spoiled, cell_name
from aef.columns import Column, Need, columns_of
from aef.findings import AefFinding, Code
from aef.nomenclature import Nomenclature, folded
from aef.places import Place, Reading
from aef.tables import (
    PUBLIC,
    SHEETS,
    SUMMARY,
    ActionRow,
    Aef,
    AuthorizationRow,
    EntityRow,
    HoldingRow,
    SubmissionRow,
)
from aef.values import read_cell

__all__ = ["read_workbook"]

KEPT_BYTES_MAX = 128 << 20
"""Texts of all tables together, each counted once however often it stands there."""

HEADER_ROWS = 40
"""A header is looked for so far down; the published template has it in row 10 at most."""


def read_workbook(file: BinaryIO, name: str, nomenclature: Nomenclature) -> Reading:
    """Read a workbook from an open file; never raises for what stands in it."""
    reading = Reading(name, Aef())
    try:
        cells = Cells(file)
        _Reader(cells, reading, nomenclature).read()
    except Spoiled as error:
        reading.whole = False
        reading.findings.add(AefFinding(error.code, name, error.sheet, error.cell, error.detail))
    return reading


class _Reader:
    """Reads the sheets of one workbook, one after the other."""

    def __init__(self, cells: Cells, reading: Reading, nomenclature: Nomenclature) -> None:
        self.cells, self.reading, self.nomenclature = cells, reading, nomenclature
        self._texts: dict[str, str] = {}
        self._bytes = 0

    def read(self) -> None:
        """Summary and tables; a sheet that is missing does not keep the others from being read."""
        public = self._summary()
        rows: dict[type[Any], tuple[Any, ...]] = {}
        for table, wanted in SHEETS.items():
            sheet = self._sheet(wanted)
            if sheet is None:
                rows[table] = ()
                continue
            self.reading.places[table] = Place(sheet)
            if table is SubmissionRow:
                rows[table] = (self._submission(sheet),)
            else:
                rows[table] = tuple(self._table(table, sheet))
            self._merged(table, sheet)
        self.reading.aef = Aef(
            submission=next(iter(rows[SubmissionRow]), SubmissionRow()),
            authorizations=rows[AuthorizationRow],
            actions=rows[ActionRow],
            holdings=rows[HoldingRow],
            entities=rows[EntityRow],
            public=public,
        )

    def _say(self, code: Code, sheet: str, cell: str = "", detail: str = "") -> None:
        self.reading.findings.add(AefFinding(code, self.reading.file, sheet, cell, detail))

    def _sheet(self, wanted: str) -> str | None:
        """The sheet that is meant by a name."""
        alike = [name for name in self.cells.sheets if folded(name) == folded(wanted)]
        if alike:
            read = wanted if wanted in alike else alike[0]
            if read != wanted:
                self._say(Code.SHEET_SPELLING, read, "", f"{read!r:.40} read as {wanted!r}")
            for other in alike:
                if other != read:
                    self._say(Code.SHEET_TWICE, other, "", f"{read!r:.40} was read")
            return read
        there = ", ".join(repr(name)[:40] for name in list(self.cells.sheets)[:12])
        self._say(Code.SHEET_MISSING, wanted, "", f"there are: {there}" if there else "")
        return None

    def _summary(self) -> bool:
        """Whether the workbook is for the public; the rest of the summary repeats the tables."""
        sheet = self._sheet(SUMMARY)
        if sheet is None:
            return False
        for number, row in enumerate(self.cells.rows(sheet)):
            texts = [cell.text.strip().casefold() for cell in row]
            if texts[:2] == ["edition", PUBLIC]:
                return True
            if number > HEADER_ROWS:
                break
        return False

    # --- table 1 ----------------------------------------------------------------------------------

    def _submission(self, sheet: str) -> SubmissionRow:
        rows: list[list[Cell]] = []
        for row in self.cells.rows(sheet):
            if len(rows) < HEADER_ROWS + 20:
                rows.append(row)
        columns = columns_of(SubmissionRow)
        labels = _labels(columns)
        by_column: dict[int, list[tuple[Cell, Column]]] = {}
        for row in rows:
            for cell in row:
                if (found := labels.get(folded(cell.text))) is not None:
                    by_column.setdefault(cell.column, []).append((cell, found))
        upright = max(by_column.items(), key=lambda one: len(one[1]), default=(0, []))
        if len(upright[1]) < 2:
            return self._submission_lying(sheet, rows)
        return self._submission_upright(sheet, rows, upright[0], upright[1])

    def _submission_lying(self, sheet: str, rows: list[list[Cell]]) -> SubmissionRow:
        """Table 1 in the form of the other tables."""
        found = list(self._rows_of(SubmissionRow, sheet, iter(rows)))
        return found[0] if found else SubmissionRow()

    def _submission_upright(
        self, sheet: str, rows: list[list[Cell]], column: int, labelled: list[tuple[Cell, Column]]
    ) -> SubmissionRow:
        place = self.reading.places[SubmissionRow]
        place.upright, place.value_column, place.rows = True, column + 1, [1]
        place.lines = {found.name: cell.row for cell, found in labelled}
        self._lines(sheet, rows, column, {found.name: cell for cell, found in labelled})
        values = {cell.row: cell for row in rows for cell in row if cell.column == column + 1}
        read: dict[str, Any] = {}
        for wanted in columns_of(SubmissionRow):
            cell = values.get(place.lines.get(wanted.name, 0))
            if cell is not None:
                read[wanted.name] = self._value(SubmissionRow, 0, sheet, cell, wanted)
        return SubmissionRow(**read)

    def _lines(
        self, sheet: str, rows: list[list[Cell]], column: int, known: dict[str, Cell]
    ) -> None:
        """The labels of an upright table are those of the format, each there and in its place. A
        title above them may repeat one; the last that is found is the label.
        """
        right: list[int] = []
        for wanted in columns_of(SubmissionRow):
            cell = known.get(wanted.name)
            if cell is None:
                top = cell_name(min(one.row for one in known.values()), column)
                self._say(Code.COLUMN_MISSING, sheet, top, f"{wanted.label!r}")
                continue
            right.append(cell.row)
            if cell.text != wanted.label:
                self._say(Code.LABEL_SPELLING, sheet, cell.name, f"{cell.text!r:.60}")
        if right != sorted(right):
            self._say(Code.COLUMN_ORDER, sheet, cell_name(min(right), column), "")
        for row in rows:
            for cell in row:
                below = cell.row > min(right) and cell.row not in right
                if cell.column == column and below:
                    self._say(Code.COLUMN_UNKNOWN, sheet, cell.name, f"{cell.text!r:.60}")

    # --- tables 2 to 5 ----------------------------------------------------------------------------

    def _table(self, table: type[Any], sheet: str) -> Iterator[Any]:
        return self._rows_of(table, sheet, self.cells.rows(sheet))

    def _rows_of(self, table: type[Any], sheet: str, rows: Iterator[list[Cell]]) -> Iterator[Any]:
        """The rows under the header; those before it are titles."""
        before: list[list[Cell]] = []
        labels = _labels(columns_of(table))
        best, most = -1, 0
        for row in rows:
            before.append(row)
            known = len({found.name for c in row if (found := labels.get(folded(c.text)))})
            if known > most:
                best, most = len(before) - 1, known
            if row and row[0].row >= HEADER_ROWS:
                break
        if most * 3 < len(columns_of(table)):
            self._say(Code.HEADER_MISSING, sheet, "A1", f"{most} labels were found in a row")
            return
        fields = self._header(table, sheet, before[best], labels)
        last = max(fields)
        for row in _chained(before[best + 1 :], rows):
            read = self._row(table, sheet, row, fields, last)
            if read is not None:
                yield read

    def _header(
        self, table: type[Any], sheet: str, row: list[Cell], labels: dict[str, Column]
    ) -> dict[int, Column]:
        """Which column of the sheet is which column of the table."""
        fields: dict[int, Column] = {}
        first: dict[str, Cell] = {}
        for cell in row:
            found = labels.get(folded(cell.text))
            if found is None:
                self._say(Code.COLUMN_UNKNOWN, sheet, cell.name, f"{cell.text!r:.60}")
            elif found.name in first:
                twice = f"{found.label!r} stands in {first[found.name].name} as well"
                self._say(Code.COLUMN_TWICE, sheet, cell.name, twice)
            else:
                fields[cell.column], first[found.name] = found, cell
                if cell.text != found.label:
                    self._say(Code.LABEL_SPELLING, sheet, cell.name, f"{cell.text!r:.60}")
        columns = columns_of(table)
        for wanted in columns:
            if wanted.name not in first:
                header = cell_name(row[0].row, row[0].column)
                self._say(Code.COLUMN_MISSING, sheet, header, f"{wanted.label!r}")
        order = [column.name for column in fields.values()]
        right = [column.name for column in columns if column.name in first]
        if order != right:
            wrong = next(n for n, (a, b) in enumerate(zip(order, right, strict=True)) if a != b)
            label = next(c.label for c in columns if c.name == right[wrong])
            self._say(Code.COLUMN_ORDER, sheet, first[order[wrong]].name, f"here belongs {label!r}")
        place = self.reading.places[table]
        place.columns = {column.name: number for number, column in fields.items()}
        place.header = row[0].row
        return fields

    def _row(
        self,
        table: type[Any],
        sheet: str,
        row: list[Cell],
        fields: dict[int, Column],
        last: int,
    ) -> Any | None:
        """A row, if it says anything at all."""
        place = self.reading.places[table]
        index = len(place.rows)
        values: dict[str, Any] = {}
        unread: list[str] = []
        for cell in row:
            column = fields.get(cell.column)
            if column is None:
                if cell.text.strip():
                    self._say(Code.OUTSIDE_THE_TABLE, sheet, cell.name, f"{cell.text!r:.40}")
                continue
            value = self._value(table, index, sheet, cell, column)
            if value is not None:
                values[column.name] = value
            elif self.reading.is_unread(table, index, column.name):
                unread.append(column.name)
        if not values and not unread:
            return None
        place.rows.append(row[0].row)
        return table(**values)

    def _value(self, table: type[Any], index: int, sheet: str, cell: Cell, column: Column) -> Any:
        value, notes = read_cell(cell, column, self.nomenclature)
        if column.need is Need.CARP:
            if value is not None or notes:
                self._say(Code.CARP_COLUMN, sheet, cell.name, f"found {cell.text!r:.40}")
                self.reading.leave_unread(table, index, column.name)
            return None
        for code, detail in notes:
            self._say(code, sheet, cell.name, detail)
        if value is None and notes:
            self.reading.leave_unread(table, index, column.name)
        if cell.kind == "date" and self.cells.since_1904:
            self._say(Code.DATE_1904, sheet, cell.name, f"read as {value}")
        return self._kept(value, sheet, cell) if isinstance(value, str) else value

    def _kept(self, text: str, sheet: str, cell: Cell) -> str:
        """A text that is kept with its row, once for all rows that have it."""
        known = self._texts.setdefault(text, text)
        if known is text:
            self._bytes += text.__sizeof__()
            if self._bytes > KEPT_BYTES_MAX:
                said = "the texts of the tables are over the limit"
                raise Spoiled(Code.UNPACKS_TOO_LARGE, said, sheet, cell.name)
        return known

    def _merged(self, table: type[Any], sheet: str) -> None:
        """Merged cells are titles and bands above a table, and losses in it."""
        place = self.reading.places[table]
        for top, left, bottom, right in self.cells.merged.get(sheet, []):
            if place.upright:
                across = left < place.value_column <= right
                along = bottom >= min(place.lines.values()) and top <= max(place.lines.values())
                wrong = along and (bottom > top or across)
            else:
                within = left <= max(place.columns.values(), default=0)
                wrong = within and bottom > place.header and top <= max(place.rows, default=0)
            if wrong:
                area = f"{cell_name(top, left)}:{cell_name(bottom, right)}"
                self._say(Code.MERGED_CELLS, sheet, cell_name(top, left), area)


def _labels(columns: Iterable[Column]) -> dict[str, Column]:
    """Columns by what may stand over them: label, technical name, and other labels in use."""
    found: dict[str, Column] = {}
    for column in columns:
        found.setdefault(folded(column.label), column)
        for other in _OTHER_LABELS.get(column.technical, ()):
            found.setdefault(folded(other), column)
    for column in columns:
        found.setdefault(folded(column.technical), column)
    return found


_OTHER_LABELS = {
    "AuthorizedEntityID": ("Identification number in country of incorporation",),
    "DateOfAuthorization": ("Date of authorization", "Date of the authorization"),
    "ActionDateTime": ("Action date-time",),
}


def _chained(first: list[list[Cell]], then: Iterator[list[Cell]]) -> Iterator[list[Cell]]:
    yield from first
    yield from then
