# SPDX-License-Identifier: Apache-2.0
"""Cells into an XLSX file: the same cells give the same bytes.

A workbook of this package has text and whole numbers, and two styles: plain, and bold for labels.
It names no time and no author, so that two exports of one ledger can be compared by their digests.
Rows are written as they come.

Elsewhere: what stands in the cells (`writing`), reading (`cells`).
"""

import re
import zipfile
from collections.abc import Iterable, Sequence
from typing import BinaryIO, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from aef.cells import cell_name

__all__ = ["Sheet", "pack"]

_BEGINNING = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_LONE = re.compile("[\ud800-\udfff]")
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)

Row = tuple[Sequence[str | int], bool]
"""The cells of a row, and whether they are labels; empty text is an empty cell."""


class Sheet(NamedTuple):
    """A sheet: its name, how wide its columns are, and its rows."""

    name: str
    widths: Sequence[int]
    rows: Iterable[Row]


def pack(sheets: Sequence[Sheet], file: BinaryIO) -> None:
    """Write a workbook."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "[Content_Types].xml", _content_types(len(sheets)))
        _add(archive, "_rels/.rels", _relations([("officeDocument", "xl/workbook.xml")]))
        _add(archive, "xl/workbook.xml", _workbook(sheets))
        targets = [("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(sheets) + 1)]
        targets.append(("styles", "styles.xml"))
        _add(archive, "xl/_rels/workbook.xml.rels", _relations(targets))
        _add(archive, "xl/styles.xml", _STYLES)
        for number, sheet in enumerate(sheets, start=1):
            _add_sheet(archive, f"xl/worksheets/sheet{number}.xml", sheet)


def _part(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)  # of 1980: a part has no time of its own
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 0
    return info


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    archive.writestr(_part(name), (_BEGINNING + text).encode())


def _add_sheet(archive: zipfile.ZipFile, name: str, sheet: Sheet) -> None:
    with archive.open(_part(name), "w") as part:
        part.write((_BEGINNING + f'<worksheet xmlns="{_MAIN}"><cols>').encode())
        for number, width in enumerate(sheet.widths, start=1):
            column = f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
            part.write(column.encode())
        part.write(b"</cols><sheetData>")
        for number, (cells, bold) in enumerate(sheet.rows, start=1):
            part.write(_row(number, cells, bold).encode())
        part.write(b"</sheetData></worksheet>")


def _row(number: int, cells: Sequence[str | int], bold: bool) -> str:  # noqa: FBT001
    style = ' s="1"' if bold else ""
    found = []
    for column, value in enumerate(cells, start=1):
        name = cell_name(number, column)
        if isinstance(value, int):
            found.append(f'<c r="{name}"{style}><v>{value}</v></c>')
        elif value:
            text = f'<is><t xml:space="preserve">{_escaped(value)}</t></is>'
            found.append(f'<c r="{name}"{style} t="inlineStr">{text}</c>')
    return f'<row r="{number}">{"".join(found)}</row>' if found else ""


def _escaped(text: str) -> str:
    plain = _LONE.sub("\ufffd", text)
    return escape(_FORBIDDEN.sub(lambda found: f"_x{ord(found[0]):04X}_", plain))


def _content_types(sheets: int) -> str:
    parts = [("/xl/workbook.xml", "sheet.main"), ("/xl/styles.xml", "styles")]
    parts += [(f"/xl/worksheets/sheet{n}.xml", "worksheet") for n in range(1, sheets + 1)]
    listed = "".join(
        f'<Override PartName="{name}" ContentType="{_TYPES}.{kind}+xml"/>' for name, kind in parts
    )
    return (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{listed}</Types>'
    )


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    listed = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{listed}</Relationships>'


def _workbook(sheets: Sequence[Sheet]) -> str:
    listed = "".join(
        f'<sheet name={quoteattr(sheet.name)} sheetId="{n}" r:id="rId{n}"/>'
        for n, sheet in enumerate(sheets, start=1)
    )
    return f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{listed}</sheets></workbook>'
