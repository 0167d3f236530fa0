# SPDX-License-Identifier: Apache-2.0
"""What is found in a workbook: coded, at a sheet and a cell, with what to do about it.

*Errors* have to be mended before a submission. *Warnings* are for a person to look at. *Tolerated*
is what was read although it is not written as it should be; a later reader may be stricter. The
codes `II01` to `II07` are those of the consistency checks of the Article 6 database; the others are
ours. A code is never given another meaning.

Elsewhere: findings of the wire (`schemas.findings`). Those refuse messages, these judge files.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

__all__ = ["RULES", "TOLD_MAX", "AefFinding", "Code", "Findings", "Level", "Rule", "Unchecked"]

TOLD_MAX = 20
"""Findings of one code in one column that are told cell by cell; of more only the number is."""


class Level(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    WARNING = "warning"
    TOLERATED = "tolerated"


class Code(StrEnum):
    """Every code, by family: the file, its sheets, single cells, rows, tables, consistency."""

    FILE_UNREADABLE = "F01"
    NOT_A_SPREADSHEET = "F02"
    LOCKED_OR_OLD = "F03"
    FILE_TOO_LARGE = "F04"
    UNPACKS_TOO_LARGE = "F05"
    FILE_MALFORMED = "F06"

    SHEET_MISSING = "S01"
    HEADER_MISSING = "S02"
    COLUMN_MISSING = "S03"
    COLUMN_UNKNOWN = "S04"
    COLUMN_ORDER = "S05"
    COLUMN_TWICE = "S06"
    MERGED_CELLS = "S07"
    TOO_MANY_ROWS = "S08"
    OUTSIDE_THE_TABLE = "S09"
    SHEET_TWICE = "S10"

    FORMULA = "C01"
    ERROR_VALUE = "C02"
    TEXT_TOO_LONG = "C03"
    NOT_A_DATE = "C04"
    NOT_A_WHOLE_NUMBER = "C05"
    NOT_IN_LIST = "C06"
    WRONG_FORM = "C07"

    REQUIRED = "R01"
    NOT_APPLICABLE = "R02"
    CARP_COLUMN = "R03"
    SUBTYPE_OF_OTHER_TYPE = "R04"
    NOT_A_BLOCK = "R05"
    QUANTITY_DIFFERS = "R06"
    IDENTIFIER_DIFFERS = "R07"
    YEAR_DIFFERS = "R08"
    YEAR_NOT_OVER = "R09"

    AUTHORIZATION_UNKNOWN = "X01"
    ENTITY_UNKNOWN = "X02"
    ENDED_AND_HELD = "X03"
    HELD_TWICE = "X04"
    ROW_TWICE = "X05"
    MITIGATION_DIFFERS = "X06"
    STYLES_MIXED = "X07"
    SUPERSEDED = "X08"
    SUBMITTED_TWICE = "X09"
    TRANSFER_UNMATCHED = "X10"
    ACQUISITION_UNMATCHED = "X11"
    DAYS_DIFFER = "X12"
    ENDED_TWICE = "X13"

    NOT_TAKING_PART = "II01"
    ACTION_TWICE = "II02"
    SECTORS_DIFFER = "II03"
    METRIC_DIFFERS = "II04"
    UNDERLYING_DIFFERS = "II05"
    USE_NOT_AUTHORIZED = "II06"
    APPROACH_DIFFERS = "II07"

    SPACES = "T01"
    SPELLING = "T02"
    COMMAS = "T03"
    DATE_FORM = "T04"
    DATE_1904 = "T05"
    NUMBER_AS_TEXT = "T06"
    LABEL_SPELLING = "T07"
    SHEET_SPELLING = "T08"
    VERSION_AS_NUMBER = "T09"
    LIKELY_TWICE = "T10"


class Rule(NamedTuple):
    """What a code means: its level and a text that says what to do."""

    level: Level
    text: str


_E, _W, _T = Level.ERROR, Level.WARNING, Level.TOLERATED
_C = Code
# fmt: off
RULES: dict[Code, Rule] = {
    _C.FILE_UNREADABLE: Rule(_E, "The file cannot be opened; look at its name and permissions."),
    _C.NOT_A_SPREADSHEET: Rule(_E, "This is no workbook of the form XLSX; save it as one."),
    _C.LOCKED_OR_OLD: Rule(_E, "The file is protected by a password, or of the form XLS or XLSB; save it as XLSX without a password."),
    _C.FILE_TOO_LARGE: Rule(_E, "The file is larger than the limit; remove pictures and other sheets."),
    _C.UNPACKS_TOO_LARGE: Rule(_E, "The file unpacks to more than the limit; write the tables into a new workbook."),
    _C.FILE_MALFORMED: Rule(_E, "The workbook is damaged; open it in a spreadsheet program and save it again."),
    _C.SHEET_MISSING: Rule(_E, "The sheet is missing; add it, with its header even if it has no rows."),
    _C.HEADER_MISSING: Rule(_E, "The table's header was not found; restore the labels of the columns."),
    _C.COLUMN_MISSING: Rule(_E, "The column is missing or was renamed; restore its label."),
    _C.COLUMN_UNKNOWN: Rule(_E, "The format has no such column; remove it, or restore the label that it had."),
    _C.COLUMN_ORDER: Rule(_E, "The columns are in another order; move them back."),
    _C.COLUMN_TWICE: Rule(_E, "The column is there twice; remove one."),
    _C.MERGED_CELLS: Rule(_E, "Cells of the table are merged, so that all but the first are lost; unmerge them and fill each."),
    _C.TOO_MANY_ROWS: Rule(_E, "The table has more rows than are read; report contiguous blocks as one row each."),
    _C.OUTSIDE_THE_TABLE: Rule(_W, "There is text beside the table, which is not read; remove it, or move it into a column."),
    _C.SHEET_TWICE: Rule(_E, "Another sheet has the same name but for spelling, and was read in place of this one; remove one, or give it another name."),
    _C.FORMULA: Rule(_E, "The cell holds a formula; put the value in its place."),
    _C.ERROR_VALUE: Rule(_E, "The cell holds an error; put the value in its place."),
    _C.TEXT_TOO_LONG: Rule(_E, "The text is longer than a cell may be; shorten it."),
    _C.NOT_A_DATE: Rule(_E, "This is no date; write it as dd/mm/yyyy, an action's as yyyy-mm-ddThh:mm:ss.sssZ."),
    _C.NOT_A_WHOLE_NUMBER: Rule(_E, "This is no whole number; write digits alone."),
    _C.NOT_IN_LIST: Rule(_E, "The nomenclatures have no such value; take one of the list."),
    _C.WRONG_FORM: Rule(_E, "The value has not the form that the column asks for; see the detail."),
    _C.REQUIRED: Rule(_E, "The value is required; fill it in."),
    _C.NOT_APPLICABLE: Rule(_E, "The column does not apply to this row; write NA."),
    _C.CARP_COLUMN: Rule(_E, "The CARP fills this column; leave it empty."),
    _C.SUBTYPE_OF_OTHER_TYPE: Rule(_E, "The subtype does not go with the action type; correct one of them."),
    _C.NOT_A_BLOCK: Rule(_E, "First and last identifier do not make a block; they may differ in the serial alone, and the first comes first."),
    _C.QUANTITY_DIFFERS: Rule(_E, "The quantity is not that of the block; correct one of them."),
    _C.IDENTIFIER_DIFFERS: Rule(_E, "The identifiers say another Party or vintage than the row; correct one of them."),
    _C.YEAR_DIFFERS: Rule(_E, "The action is not of the reported year; report it with its own year."),
    _C.YEAR_NOT_OVER: Rule(_E, "The reported year was not over on the date of submission; correct one of them, or report once it is."),
    _C.AUTHORIZATION_UNKNOWN: Rule(_E, "Table 2 does not have this authorization; add it, or correct the id."),
    _C.ENTITY_UNKNOWN: Rule(_E, "Table 5 does not have this entity; add it, or correct the id."),
    _C.ENDED_AND_HELD: Rule(_E, "Units that were used or cancelled are reported as held; remove the holding."),
    _C.HELD_TWICE: Rule(_E, "The units are reported as held twice; correct one of the rows."),
    _C.ROW_TWICE: Rule(_E, "The row is there twice; remove one."),
    _C.MITIGATION_DIFFERS: Rule(_E, "Rows about the same units differ in the mitigation type; correct one of them."),
    _C.STYLES_MIXED: Rule(_E, "Some identifiers are whole and some are serials alone; use one style throughout."),
    _C.SUPERSEDED: Rule(_W, "A later version of this submission is at hand; this one is kept and not held against others."),
    _C.SUBMITTED_TWICE: Rule(_E, "The same version of the submission is at hand with other content; give the newer one a higher version."),
    _C.TRANSFER_UNMATCHED: Rule(_E, "The Party that acquired the units does not report it; one of the two has to correct its report."),
    _C.ACQUISITION_UNMATCHED: Rule(_E, "The Party that transferred the units does not report it; one of the two has to correct its report."),
    _C.DAYS_DIFFER: Rule(_W, "The two Parties report the transfer of these units on other days; compare what each has executed."),
    _C.ENDED_TWICE: Rule(_E, "The units are reported as used or cancelled twice; correct one of the rows."),
    _C.NOT_TAKING_PART: Rule(_E, "The Party does not take part in the cooperative approach; correct the id, or report the authorization."),
    _C.ACTION_TWICE: Rule(_E, "The same action on the same units is reported twice; remove one."),
    _C.SECTORS_DIFFER: Rule(_E, "Rows about the same units differ in sectors or activity types; correct the authorization."),
    _C.METRIC_DIFFERS: Rule(_E, "Rows about the same units differ in the metric; correct one of them."),
    _C.UNDERLYING_DIFFERS: Rule(_E, "Rows about the same units name other underlying units; correct one of them."),
    _C.USE_NOT_AUTHORIZED: Rule(_E, "The authorization does not cover who used the units; correct the user, or report the authorization that does."),
    _C.APPROACH_DIFFERS: Rule(_E, "The identifiers say another cooperative approach than the row; correct one of them."),
    _C.SPACES: Rule(_T, "Spaces around the value were taken off; remove them."),
    _C.SPELLING: Rule(_T, "The value was recognised in another spelling; write it as the list does."),
    _C.COMMAS: Rule(_T, "Separators in a number were taken off; write digits alone."),
    _C.DATE_FORM: Rule(_T, "The date was recognised in another form; write it as text, in the form of the column."),
    _C.DATE_1904: Rule(_T, "The workbook counts days from 1904, and its dates were read so; switch that off and look at the dates."),
    _C.NUMBER_AS_TEXT: Rule(_T, "A number written as text was read; write it as a number."),
    _C.LABEL_SPELLING: Rule(_T, "A column was recognised by another label; write the label of the format."),
    _C.SHEET_SPELLING: Rule(_T, "A sheet was recognised by another name; write the name of the format."),
    _C.VERSION_AS_NUMBER: Rule(_W, "The version is a number, so that 1.1 and 1.10 look alike; write it as text."),
    _C.LIKELY_TWICE: Rule(_W, "The same action on the same units on one day, and no times: it may be one action or two; give the times."),
}
# fmt: on


class AefFinding(NamedTuple):
    """One thing found. `cell` names the first place, `cells` how many cells it is said of."""

    code: Code
    file: str
    sheet: str = ""
    cell: str = ""
    detail: str = ""
    cells: int = 1

    @property
    def level(self) -> Level:
        """How much it weighs."""
        return RULES[self.code].level

    @property
    def rule(self) -> Rule:
        """What the catalogue says of it, with what to do."""
        return RULES[self.code]

    def __str__(self) -> str:
        place = f"{self.sheet}!{self.cell}" if self.cell else self.sheet
        more = f" (and {self.cells - 1} more)" if self.cells > 1 else ""
        said = f": {self.detail}" if self.detail else ""
        named = self.code.name.lower().replace("_", "-")
        where = f"{self.file}: {place}" if place else self.file
        return f"{where}{more}: {self.level} {self.code} {named}{said}. {self.rule.text}"

    def members(self) -> dict[str, Any]:
        """The finding as JSON has it."""
        return {
            "code": str(self.code),
            "name": self.code.name.lower().replace("_", "-"),
            "level": str(self.level),
            "file": self.file,
            "sheet": self.sheet or None,
            "cell": self.cell or None,
            "detail": self.detail or None,
            "count": self.cells,
            "remedy": self.rule.text,
        }


class Unchecked(NamedTuple):
    """A check that could not be made, and what it would have needed: no check is not a pass."""

    code: Code
    file: str
    reason: str


class Findings:
    """Findings as they come, with a bound: of a code in a column of a sheet so many are told cell
    by cell, and then counted; what is tolerated is told once. `unchecked` has as many of a code and
    file.
    """

    def __init__(self, findings: Iterable[AefFinding] = ()) -> None:
        self._told: list[AefFinding] = []
        self._of: dict[tuple[Code, str, str, str], list[int]] = {}
        self._left: dict[tuple[Code, str], dict[Unchecked, None]] = {}
        self._more: dict[tuple[Code, str], int] = {}
        for one in findings:
            self.add(one)

    def add(self, one: AefFinding) -> None:
        """Tell it, or count it with the last one of its kind."""
        about = (one.code, one.file, one.sheet, one.cell.rstrip("0123456789"))
        indexes = self._of.setdefault(about, [])
        if len(indexes) < (1 if one.level is Level.TOLERATED else TOLD_MAX):
            indexes.append(len(self._told))
            self._told.append(one)
        else:
            last = self._told[indexes[-1]]
            self._told[indexes[-1]] = last._replace(cells=last.cells + one.cells)

    def leave(self, one: Unchecked) -> None:
        """A check that could not be made."""
        about = (one.code, one.file)
        told = self._left.setdefault(about, {})
        if one in told or len(told) < TOLD_MAX:
            told[one] = None
        else:
            self._more[about] = self._more.get(about, 0) + 1

    @property
    def unchecked(self) -> list[Unchecked]:
        """The checks that could not be made."""
        found: list[Unchecked] = []
        for (code, file), told in self._left.items():
            found += told
            if more := self._more.get((code, file)):
                found.append(Unchecked(code, file, f"{more:,} more of this kind"))
        return found

    def __iter__(self) -> Iterator[AefFinding]:
        return iter(self._told)

    def __len__(self) -> int:
        return len(self._told)
