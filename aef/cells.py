# SPDX-License-Identifier: Apache-2.0
"""Cells out of an XLSX file, row by row: from whoever sends one, in bounded memory.

An XLSX file is a ZIP archive of XML parts (ISO/IEC 29500). Of them are read the workbook, its
relations, number formats, shared texts and the sheets asked for; nothing else is unpacked. Every
part is unpacked in pieces and counted, whatever the archive says of its size; a document type, and
with it every entity, is refused; a row is given away before the next one is kept. A file that is
not what it should be raises `Spoiled`, with code and place, and never anything else.

What a cell holds is told as it stands there: text, the digits of a number, a date where the number
format says so, a formula, an error. ADR 0022 says why this is not a library's work.

Elsewhere: what the cells mean (`values`), which sheets and columns there are (`reading`).
"""

import posixpath
import re
import struct
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import BinaryIO, NamedTuple
from xml.parsers import expat

from aef.findings import Code
from aef.markup import Part, SheetPart, StringsPart, StylesPart, WorkbookPart

__all__ = [
    "FILE_BYTES_MAX",
    "ROWS_MAX",
    "UNPACKED_BYTES_MAX",
    "Cell",
    "Cells",
    "Spoiled",
    "cell_name",
]

FILE_BYTES_MAX = 32 << 20
"""A workbook of fifty thousand rows has some six million bytes."""

UNPACKED_BYTES_MAX = 128 << 20
"""Of all parts together, as they are unpacked."""

EVENTS_MAX = 20_000_000
"""Tags and texts of all parts together: what reading may cost."""

PARTS_MAX = 1000
ROWS_MAX = 50_000
"""Rows of one sheet in which something stands. Blocks are ranges, so a Party with more of them has
a row for each unit.
"""

_PIECE = 64 << 10
_SILENT_PIECES = 16
"""So many pieces without the end of a tag or a text are no markup that anybody writes."""

_KINDS = {
    "n": "number",
    "b": "boolean",
    "e": "error",
    "f": "formula",
    "d": "date",
    "long": "long",
}
"""Kinds of cells by their type in the standard; all others are text."""

_OLD = b"\xd0\xcf\x11\xe0"
_ENTRY = b"PK\x01\x02"
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    LookupError,
)
"""What the standard library raises at archives that are none."""


class Spoiled(Exception):
    """A file cannot be read on; internal to this package, which makes a finding of it."""

    def __init__(self, code: Code, detail: str, sheet: str = "", cell: str = "") -> None:
        super().__init__(detail)
        self.code, self.detail, self.sheet, self.cell = code, detail, sheet, cell


class Cell(NamedTuple):
    """What a cell holds. Kinds: text, number, date, boolean, error, formula, and long for a text
    that is longer than a cell may be, of which only the beginning is here.
    """

    row: int
    column: int
    kind: str
    text: str

    @property
    def name(self) -> str:
        """Its name, such as B7."""
        return cell_name(self.row, self.column)


def cell_name(row: int, column: int) -> str:
    """The name of a cell, both counted from 1."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row}"


class Cells:
    """An open workbook: its sheets' names, and the cells of each."""

    def __init__(self, file: BinaryIO) -> None:
        self._archive = _open(file)
        self._parts = {_part_name(name): name for name in self._archive.namelist()}
        self._left, self._events = UNPACKED_BYTES_MAX, 0
        self._strings: list[str] | None = None
        workbook = WorkbookPart()
        self._parse(self._workbook_name(), workbook)
        self.since_1904 = workbook.since_1904
        self.sheets: dict[str, str] = {}
        for name, relation in workbook.sheets:
            target = self._relations.get(relation)
            if target is not None:
                self.sheets.setdefault(name, target)
        if not self.sheets:
            raise Spoiled(Code.NOT_A_SPREADSHEET, "there are no sheets in it")
        self._dates = self._date_styles()
        self.merged: dict[str, list[tuple[int, int, int, int]]] = {}

    def rows(self, sheet: str) -> Iterator[list[Cell]]:
        """The cells of a sheet that are not empty, row by row; then `merged` has its merged ranges
        as first row, first column, last row, last column.
        """
        part = SheetPart()
        count = 0
        for _ in self._pieces(self.sheets[sheet], part, sheet):
            while part.rows:
                number, raw = part.rows.popleft()
                count += 1
                if count > ROWS_MAX:
                    place = cell_name(number, raw[0][0])
                    raise Spoiled(Code.TOO_MANY_ROWS, f"over {ROWS_MAX:,} rows", sheet, place)
                cells = [self._cell(sheet, number, *one) for one in raw]
                if there := [cell for cell in cells if cell.text or cell.kind == "formula"]:
                    yield there
        self.merged[sheet] = [_range(text) for text in part.merged if _RANGE.fullmatch(text)]

    def _cell(self, sheet: str, row: int, column: int, kind: str, style: int, text: str) -> Cell:
        if kind == "s":
            texts = self._shared()
            if not text.strip().isascii() or not text.strip().isdigit() or len(text) > 12:
                raise Spoiled(
                    Code.FILE_MALFORMED, "a shared text is not named by a number", sheet,
                    cell_name(row, column),
                )  # fmt: skip
            number = int(text)
            if number >= len(texts):
                raise Spoiled(
                    Code.FILE_MALFORMED, "a shared text is missing", sheet, cell_name(row, column)
                )
            return Cell(row, column, "text", texts[number])
        if kind == "n" and text and style in self._dates:
            return Cell(row, column, "date", self._moment(text))
        return Cell(row, column, _KINDS.get(kind, "text"), text)

    def _moment(self, text: str) -> str:
        """A day number as ISO text, with the time if there is one; or the number, if it is none."""
        try:
            days = float(text)
        except ValueError:
            return text
        if not 61 <= days < 2_958_466:
            return text
        begin = datetime(1904, 1, 1) if self.since_1904 else datetime(1899, 12, 30)  # noqa: DTZ001
        milliseconds = round(days % 1 * 86_400_000)
        try:
            moment = begin + timedelta(days=int(days), milliseconds=milliseconds)
        except OverflowError:
            return text
        return moment.isoformat(timespec="milliseconds") if milliseconds else f"{moment:%Y-%m-%d}"

    # --- parts ----------------------------------------------------------------------------------

    def _workbook_name(self) -> str:
        """The name of the workbook's part; and its relations are read."""
        roots = self._relations_of("_rels/.rels", "")
        names = [t for kind, _, t in roots if kind.endswith("/officeDocument")]
        if not names:
            raise Spoiled(Code.NOT_A_SPREADSHEET, "the archive has no workbook")
        if names[0].endswith(".bin"):
            raise Spoiled(Code.LOCKED_OR_OLD, "the parts of it are binary")
        folder, name = posixpath.split(names[0])
        found = self._relations_of(posixpath.join(folder, "_rels", f"{name}.rels"), folder)
        self._relations = {id_: target for _, id_, target in found}
        self._by_kind = {kind.rpartition("/")[2]: target for kind, _, target in found}
        return names[0]

    def _relations_of(self, name: str, folder: str) -> list[tuple[str, str, str]]:
        part = Part()
        if not self._has(name):
            raise Spoiled(Code.NOT_A_SPREADSHEET, f"the archive has no {name}")
        self._parse(name, part)
        found = []
        for attributes in part.relations:
            target = attributes.get("Target", "")
            path = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
            found.append(
                (attributes.get("Type", ""), attributes.get("Id", ""), posixpath.normpath(path))
            )
        return found

    def _shared(self) -> list[str]:
        if self._strings is None:
            part = StringsPart()
            name = self._by_kind.get("sharedStrings")
            if name is not None and self._has(name):
                self._parse(name, part)
            self._strings = part.texts
        return self._strings

    def _date_styles(self) -> frozenset[int]:
        part = StylesPart()
        name = self._by_kind.get("styles")
        if name is not None and self._has(name):
            self._parse(name, part)
        return part.dates()

    def _has(self, name: str) -> bool:
        return _part_name(name) in self._parts

    def _parse(self, name: str, part: Part) -> None:
        deque(self._pieces(name, part), maxlen=0)

    def _pieces(self, name: str, part: Part, sheet: str = "") -> Iterator[None]:
        """Feed a part to its handlers piece by piece."""
        if not self._has(name):
            raise Spoiled(Code.FILE_MALFORMED, f"the part {name} is missing", sheet)
        try:
            yield from self._fed(name, part)
        except Spoiled as error:
            error.sheet = error.sheet or sheet
            raise
        except expat.ExpatError as error:
            raise Spoiled(Code.FILE_MALFORMED, f"{name}: {error}", sheet) from None
        except _DAMAGED as error:
            raise Spoiled(Code.FILE_MALFORMED, f"{name}: {error}", sheet) from None

    def _fed(self, name: str, part: Part) -> Iterator[None]:
        parser = part.parser()
        with self._archive.open(self._parts[_part_name(name)]) as packed:
            silent = 0
            while piece := packed.read(_PIECE):
                self._left -= len(piece)
                if self._left < 0:
                    said = f"over {UNPACKED_BYTES_MAX:,} bytes, in {name}"
                    raise Spoiled(Code.UNPACKS_TOO_LARGE, said)
                before = part.events
                parser.Parse(piece, False)
                self._events += part.events - before
                if self._events > EVENTS_MAX:
                    raise Spoiled(Code.UNPACKS_TOO_LARGE, f"over {EVENTS_MAX:,} tags, in {name}")
                part.look()
                silent = silent + 1 if part.events == before else 0
                if silent > _SILENT_PIECES:
                    raise Spoiled(Code.FILE_MALFORMED, f"{name}: a tag or text without end")
                if part.flaw:
                    code, detail, cell = part.flaw
                    raise Spoiled(code, detail, cell=cell)
                yield
            parser.Parse(b"", True)
        yield


def _open(file: BinaryIO) -> zipfile.ZipFile:
    """The archive, if it is one that can be read within the limits."""
    try:
        _look_at_size(file)
        archive = zipfile.ZipFile(file)
    except _DAMAGED as error:
        raise Spoiled(Code.NOT_A_SPREADSHEET, str(error)) from None
    names: set[str] = set()
    for info in archive.infolist():
        name = _part_name(info.filename)
        if name in names:
            raise Spoiled(Code.FILE_MALFORMED, f"the part {info.filename!r:.80} is there twice")
        names.add(name)
        if info.flag_bits & 1:
            raise Spoiled(Code.LOCKED_OR_OLD, f"the part {info.filename!r:.80} is encrypted")
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise Spoiled(
                Code.FILE_MALFORMED, f"the part {info.filename!r:.80} is packed in another way"
            )
    return archive


def _part_name(name: str) -> str:
    """Programs spell the name of a part in two ways, and split it with either slash."""
    return name.replace("\\", "/").casefold()


def _look_at_size(file: BinaryIO) -> None:
    """Before the directory of the archive is read, which is read whole."""
    file.seek(0)
    beginning = file.read(4)
    if beginning == _OLD:
        raise Spoiled(Code.LOCKED_OR_OLD, "")
    if beginning[:2] != b"PK":
        raise Spoiled(Code.NOT_A_SPREADSHEET, "it is no ZIP archive")
    size, entries, tail = 4, 0, beginning
    while piece := file.read(_PIECE):
        size += len(piece)
        if size > FILE_BYTES_MAX:
            raise Spoiled(Code.FILE_TOO_LARGE, f"over {FILE_BYTES_MAX:,} bytes")
        piece, tail = tail + piece, piece[-3:]
        entries += piece.count(_ENTRY)
        if entries > PARTS_MAX:
            raise Spoiled(Code.FILE_MALFORMED, f"over {PARTS_MAX} parts")
    file.seek(0)


_RANGE = re.compile(r"([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})")


def _range(text: str) -> tuple[int, int, int, int]:
    found = _RANGE.fullmatch(text)
    assert found is not None
    return (int(found[2]), column_number(found[1]), int(found[4]), column_number(found[3]))


def column_number(letters: str) -> int:
    """The number of a column, counted from 1."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
