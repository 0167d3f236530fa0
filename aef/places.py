# SPDX-License-Identifier: Apache-2.0
"""What came of reading a workbook, and where in it each thing stands.

Elsewhere: reading (`reading`), what is asked of the rows (`checking`, `consistency`).
"""

from dataclasses import dataclass, field
from typing import Any

from aef.cells import cell_name
from aef.columns import columns_of
from aef.findings import AefFinding, Code, Findings
from aef.tables import SHEETS, Aef

__all__ = ["Place", "Reading"]


@dataclass(slots=True)
class Place:
    """Where the rows of a table stand: their numbers, and the column of each field. `unread` has of
    each row with such cells one bit for each field.
    """

    sheet: str
    rows: list[int] = field(default_factory=list)
    columns: dict[str, int] = field(default_factory=dict)
    header: int = 0
    upright: bool = False
    lines: dict[str, int] = field(default_factory=dict)
    value_column: int = 2
    unread: dict[int, int] = field(default_factory=dict)

    def cell(self, index: int, name: str) -> str:
        """The name of the cell of a row and a field."""
        if self.upright:
            return cell_name(self.lines.get(name, 1), self.value_column)
        return cell_name(
            self.rows[index] if index < len(self.rows) else 1, self.columns.get(name, 1)
        )


@dataclass(slots=True)
class Reading:
    """What came of reading a file; `whole` says that nothing ended the reading early."""

    file: str
    aef: Aef
    findings: Findings = field(default_factory=Findings)
    places: dict[type[Any], Place] = field(default_factory=dict)
    whole: bool = True

    def at(
        self, code: Code, table: type[Any], index: int, name: str, detail: str = ""
    ) -> AefFinding:
        """A finding at a field of a row that was read."""
        place = self.places.get(table)
        sheet, cell = (place.sheet, place.cell(index, name)) if place else (SHEETS[table], "")
        return AefFinding(code, self.file, sheet, cell, detail)

    def leave_unread(self, table: type[Any], index: int, name: str) -> None:
        """A cell has an error of its own, so that nothing more is asked of it."""
        unread = self.places[table].unread
        unread[index] = unread.get(index, 0) | _BITS[table][name]

    def is_unread(self, table: type[Any], index: int, name: str) -> bool:
        """Whether a cell has an error of its own."""
        return bool(self.places[table].unread.get(index, 0) & _BITS[table][name])


_BITS = {
    table: {column.name: 1 << n for n, column in enumerate(columns_of(table))} for table in SHEETS
}
