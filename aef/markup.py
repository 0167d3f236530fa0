# SPDX-License-Identifier: Apache-2.0
"""The parts of a workbook as markup: what each tag adds to what is known.

One class for each kind of part, fed by an expat parser. Names are taken without their prefix, and
namespaces are not looked at: two generations of the standard have different ones. Nothing is kept
but what is asked for, and of it no more than the limits allow: a part that has more says so in
`flaw`.

Elsewhere: unpacking and feeding (`cells`).
"""

import re
from collections import deque
from xml.parsers import expat

from aef.findings import Code

__all__ = [
    "COLUMNS_MAX",
    "TEXT_MAX",
    "Part",
    "SheetPart",
    "StringsPart",
    "StylesPart",
    "WorkbookPart",
]

TEXT_MAX = 32_767
"""What spreadsheet programs let a cell hold."""

COLUMNS_MAX = 256
STRINGS_MAX = 1_000_000
STRINGS_BYTES_MAX = 64 << 20
"""Of the shared texts, as they are kept: one character can make each of a text take four bytes."""

MERGED_MAX = 10_000
RANGE_MAX = 30
SHEETS_MAX = 200
SHEET_NAME_MAX = 100
"""Spreadsheet programs allow 31."""

FORMAT_MAX = 255
"""What spreadsheet programs let the code of a number format have."""

DEPTH_MAX = 100
"""Tags within tags. The parser keeps each that is open."""

NAMES_MAX = 2000
"""Different names of tags and attributes. The parser keeps every one; the standard has some hundred
in a part.
"""

_NAME = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
_BUILT_IN_DATES = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})


class Part:
    """A part of which only relations are read, and what all parts have in common."""

    def __init__(self) -> None:
        self.events = 0
        self.flaw: tuple[Code, str, str] | None = None
        self.relations: list[dict[str, str]] = []
        self._names: dict[str, str] = {}
        self._depth = 0

    def parser(self) -> expat.XMLParserType:
        """A parser that feeds this part, and takes no document type."""
        parser = expat.ParserCreate(intern=self._names)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        return parser

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """A tag begins."""
        if name == "Relationship" and len(self.relations) < SHEETS_MAX * 5:
            self.relations.append(attributes)

    def end(self, name: str) -> None:
        """A tag ends."""

    def characters(self, text: str) -> None:
        """Text stands between tags."""

    def spoil(self, code: Code, detail: str, cell: str = "") -> None:
        """Note what is wrong; the first thing counts."""
        if self.flaw is None:
            self.flaw = (code, detail, cell)

    def look(self) -> None:
        """Between two pieces: whether there are more names than the standard has."""
        if len(self._names) > NAMES_MAX:
            self.spoil(Code.FILE_MALFORMED, f"over {NAMES_MAX:,} different names of tags")

    def _doctype(self, *_: object) -> None:
        self.spoil(Code.FILE_MALFORMED, "it has a document type")
        raise ValueError("it has a document type")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.events += 1
        self._depth += 1
        if self._depth > DEPTH_MAX:
            self.spoil(Code.FILE_MALFORMED, f"tags within tags, over {DEPTH_MAX} deep")
            return
        if ":" in name:
            name = name.rpartition(":")[2]
        if attributes and any(":" in key for key in attributes):
            attributes = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        self.start(name, attributes)

    def _end(self, name: str) -> None:
        self.events += 1
        self._depth -= 1
        self.end(name.rpartition(":")[2] if ":" in name else name)

    def _characters(self, text: str) -> None:
        self.events += 1
        self.characters(text)


class WorkbookPart(Part):
    """The names of the sheets, and from which year days are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.sheets: list[tuple[str, str]] = []
        self.since_1904 = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sheet" and len(self.sheets) < SHEETS_MAX:
            name = attributes.get("name", "")[:SHEET_NAME_MAX]
            self.sheets.append((name, attributes.get("id", "")))
        elif name == "workbookPr":
            self.since_1904 = attributes.get("date1904", "0").lower() in {"1", "true", "on"}


class StylesPart(Part):
    """Which styles of cells show a date."""

    def __init__(self) -> None:
        super().__init__()
        self._formats: dict[str, str] = {}
        self._used: list[str] = []
        self._in_cells = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt" and len(self._formats) < 10_000:
            code = attributes.get("formatCode", "")[:FORMAT_MAX]
            self._formats[attributes.get("numFmtId", "")] = code
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells and len(self._used) < 70_000:
            self._used.append(attributes.get("numFmtId", "0"))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._in_cells = False

    def dates(self) -> frozenset[int]:
        """The numbers of the styles that show a date or a time."""
        known = {format_: self._is_date(format_) for format_ in dict.fromkeys(self._used)}
        return frozenset(n for n, format_ in enumerate(self._used) if known[format_])

    def _is_date(self, number: str) -> bool:
        code = self._formats.get(number)
        if code is None:
            return number.isdigit() and len(number) < 6 and int(number) in _BUILT_IN_DATES
        shown = _QUOTED.sub("", code.partition(";")[0].lower()).replace("general", "")
        return any(letter in shown for letter in "dmyhs")


class StringsPart(Part):
    """The texts that cells share."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._bytes = 0
        self._pieces: list[str] = []
        self._piece_length = 0
        self._open = False
        self._aside = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "si":
            self._pieces, self._piece_length = [], 0
        elif name == "rPh":
            self._aside += 1
        elif name == "t":
            self._open = self._aside == 0

    def characters(self, text: str) -> None:
        if self._open and self._piece_length <= TEXT_MAX:
            self._piece_length += len(text)
            self._pieces.append(text)

    def end(self, name: str) -> None:
        if name == "t":
            self._open = False
        elif name == "rPh":
            self._aside -= 1
        elif name == "si":
            text = _unescaped("".join(self._pieces))
            self._bytes += text.__sizeof__()
            if len(self.texts) >= STRINGS_MAX or self._bytes > STRINGS_BYTES_MAX:
                self.spoil(Code.UNPACKS_TOO_LARGE, "the shared texts are over the limit")
                return
            self.texts.append(text)


class SheetPart(Part):
    """The rows of a sheet, as they are complete, and at its end the merged ranges.

    A cell of a row is its column, its type by the standard (`f` for a formula, `long` for a text
    that is too long), style and text. Of cells right of `COLUMNS_MAX` a row has the first alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: deque[tuple[int, list[tuple[int, str, int, str]]]] = deque()
        self.merged: list[str] = []
        self._row = 0
        self._cells: list[tuple[int, str, int, str]] | None = None
        self._column = 0
        self._in_cell = False
        self._kind, self._style = "n", 0
        self._text: list[str] = []
        self._length = 0
        self._open = False
        self._aside = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c" and self._cells is not None:
            self._begin_cell(attributes)
        elif self._in_cell and name == "f":
            self._kind = "f"
        elif self._in_cell and name in {"v", "t"}:
            self._open = self._aside == 0
        elif name == "rPh":
            self._aside += 1
        elif name == "row":
            self._begin_row(attributes)
        elif name == "mergeCell":
            if len(self.merged) >= MERGED_MAX:
                self.spoil(Code.MERGED_CELLS, f"over {MERGED_MAX:,} merged ranges")
                return
            self.merged.append(attributes.get("ref", "")[:RANGE_MAX])

    def _begin_row(self, attributes: dict[str, str]) -> None:
        named = attributes.get("r", "")
        number = int(named) if named.isascii() and named.isdigit() and len(named) < 8 else 0
        self._row = number if number > self._row else self._row + 1
        self._cells, self._column, self._in_cell = [], 0, False

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        found = _NAME.fullmatch(attributes.get("r", ""))
        column = 0
        if found is not None:
            for letter in found[1]:
                column = column * 26 + ord(letter) - 64
        self._column = column if column > self._column else self._column + 1
        style = attributes.get("s", "0")
        self._style = int(style) if style.isascii() and style.isdigit() and len(style) < 8 else 0
        self._kind = attributes.get("t", "n")
        self._text, self._length, self._in_cell = [], 0, True

    def characters(self, text: str) -> None:
        if self._open:
            self._length += len(text)
            if self._length <= TEXT_MAX:
                self._text.append(text)

    def end(self, name: str) -> None:
        if name in {"v", "t"}:
            self._open = False
        elif name == "rPh":
            self._aside -= 1
        elif name == "c" and self._in_cell:
            self._end_cell()
        elif name == "row" and self._cells is not None:
            if self._cells:  # programs write rows of nothing but formats, up to the last there is
                self.rows.append((self._row, self._cells))
            self._cells = None

    def _end_cell(self) -> None:
        self._in_cell = self._open = False
        assert self._cells is not None
        if self._cells and self._cells[-1][0] > COLUMNS_MAX:
            return
        text = "".join(self._text)
        if self._length > TEXT_MAX:
            self._kind, text = "long", f"{text[:80]}…"
        if self._kind in {"inlineStr", "str"}:
            text = _unescaped(text)
        if text or self._kind == "f":
            self._cells.append((self._column, self._kind, self._style, text))


def _unescaped(text: str) -> str:
    """Characters that XML cannot have stand in a text as `_x000B_` and the like."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return found[0] if 0xD800 <= number < 0xE000 else chr(number)
