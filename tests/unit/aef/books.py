# SPDX-License-Identifier: Apache-2.0
"""Workbooks for tests: a small one that is right in everything, and what becomes of it."""

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from openpyxl import Workbook as OpenWorkbook
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from aef.cells import Cells, cell_name
from aef.nomenclature import load
from aef.report import Report, check
from aef.tables import ActionRow, Aef, AuthorizationRow, EntityRow, HoldingRow, SubmissionRow
from aef.writing import write_workbook

LISTS = load()

GHANA = Aef(
    submission=SubmissionRow(
        party="GHA",
        version="1.0",
        year=2025,
        submitted="2026-04-10",
        ndc_first_year=2021,
        ndc_last_year=2030,
    ),
    authorizations=(
        AuthorizationRow(
            id="GH-2024-1",
            date="2024-02-29",
            approach="CA0007",
            version=1,
            quantity=71733,
            metric="GHG",
            gwp="AR5: CH4 28",
            sectors="Energy generation, Agriculture",
            activity_types="Energy Efficiency households",
            purposes="NDC and OIMP",
            parties="CHE, SGP",
            entities="GH-COOK-1",
            oimp="CORSIA",
            timeframe="2021 - 2030",
            terms="May be changed before first transfer.",
            first_transfer="Issuance",
            more="Improved cookstoves",
        ),
    ),
    actions=(
        ActionRow(
            at="2025-07-08T10:30:00.250Z",
            type="First transfer",
            subtype="First transfer to another Party",
            approach="CA0007",
            authorization="GH-2024-1",
            first_party="GHA",
            registry="GHA01",
            first="CA0007-GHA01-GHA-1-2023",
            last="CA0007-GHA01-GHA-11733-2023",
            unit_registry="GS",
            unit_first="GS1-1-GH-GS2456-21-2023-100-0",
            unit_last="GS1-1-GH-GS2456-21-2023-11832-0",
            metric="GHG",
            quantity=11733,
            mitigation="Emission reductions",
            vintage=2023,
            acquiring="CHE",
        ),
        ActionRow(
            at="2025-09-01T00:00:00.000Z",
            type="Use",
            approach="CA0007",
            authorization="GH-2024-1",
            first_party="GHA",
            registry="GHA01",
            first="CA0007-GHA01-GHA-20001-2023",
            last="CA0007-GHA01-GHA-20100-2023",
            metric="GHG",
            quantity=100,
            mitigation="Emission reductions",
            vintage=2023,
            purpose="CORSIA",
            user_party="GHA",
            user_entity="GH-COOK-1",
        ),
    ),
    holdings=(
        HoldingRow(
            approach="CA0007",
            authorization="GH-2024-1",
            first_party="GHA",
            registry="GHA01",
            first="CA0007-GHA01-GHA-20101-2023",
            last="CA0007-GHA01-GHA-30000-2023",
            metric="GHG",
            quantity=9900,
            mitigation="Emission reductions",
            vintage=2023,
        ),
    ),
    entities=(
        EntityRow(
            date="2024-02-29",
            name="Cookstoves Limited",
            country="GHA",
            id="GH-COOK-1",
            approach="CA0007",
            conditions="None",
        ),
    ),
)
"""A year of a Party that is right in everything."""

SWITZERLAND = Aef(
    submission=replace(GHANA.submission, party="CHE"),
    actions=(
        replace(
            GHANA.actions[0],
            type="Acquisition",
            subtype=None,
            registry="CHE01",
            acquiring=None,
            transferring="GHA",
        ),
    ),
    holdings=(
        HoldingRow(
            approach="CA0007",
            authorization="GH-2024-1",
            first_party="GHA",
            registry="CHE01",
            first="CA0007-GHA01-GHA-1-2023",
            last="CA0007-GHA01-GHA-11733-2023",
            unit_registry="GS",
            unit_first="GS1-1-GH-GS2456-21-2023-100-0",
            unit_last="GS1-1-GH-GS2456-21-2023-11832-0",
            metric="GHG",
            quantity=11733,
            mitigation="Emission reductions",
            vintage=2023,
        ),
    ),
)
"""The same transfer as its receiver reports it."""


def packed(aef: Aef) -> bytes:
    file = io.BytesIO()
    write_workbook(aef, file, LISTS)
    return file.getvalue()


def checked(*books: Aef | bytes) -> Report:
    """Check workbooks, named A, B and so on."""
    files = [book if isinstance(book, bytes) else packed(book) for book in books]
    named = zip("ABCDEFGH", files, strict=False)
    return check([(name, io.BytesIO(file)) for name, file in named], LISTS)


def codes(report: Report) -> list[str]:
    return sorted(str(found.code) for found in report.findings)


def acting(**changes: Any) -> Aef:
    """The right workbook with another first action."""
    return replace(GHANA, actions=(replace(GHANA.actions[0], **changes), *GHANA.actions[1:]))


def held(**changes: Any) -> Aef:
    """The right workbook with another holding."""
    return replace(GHANA, holdings=(replace(GHANA.holdings[0], **changes),))


def authorizing(**changes: Any) -> Aef:
    """The right workbook with another authorization."""
    return replace(GHANA, authorizations=(replace(GHANA.authorizations[0], **changes),))


def submitted(**changes: Any) -> Aef:
    """The right workbook with another submission."""
    return replace(GHANA, submission=replace(GHANA.submission, **changes))


def edited(edit: Callable[[OpenWorkbook], None], aef: Aef = GHANA) -> bytes:
    """A workbook as somebody changed it in a spreadsheet program, saved by another library."""
    workbook = load_workbook(io.BytesIO(packed(aef)))
    edit(workbook)
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


def parts(data: bytes) -> dict[str, bytes]:
    """The parts of a workbook."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def joined(found: dict[str, bytes]) -> bytes:
    """A workbook of parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in found.items():
            archive.writestr(name, content)
    return file.getvalue()


def in_shared_texts(data: bytes) -> bytes:
    """The same workbook with its texts in the part that cells share, as most programs write it."""
    found = parts(data)
    texts: list[str] = []

    def shared(match: re.Match[str]) -> str:
        texts.append(match[2])
        return f'<c{match[1]} t="s"><v>{len(texts) - 1}</v></c>'

    cell = re.compile(r'<c([^>]*) t="inlineStr"><is>(.*?)</is></c>', re.DOTALL)
    for name in [name for name in found if name.startswith("xl/worksheets/")]:
        found[name] = cell.sub(shared, found[name].decode()).encode()
    items = "".join(f"<si>{text}</si>" for text in texts)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    found["xl/sharedStrings.xml"] = f'<sst xmlns="{main}">{items}</sst>'.encode()
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
    relations = found["xl/_rels/workbook.xml.rels"].decode()
    added = f'<Relationship Id="rIdS" Type="{kind}" Target="sharedStrings.xml"/></Relationships>'
    found["xl/_rels/workbook.xml.rels"] = relations.replace("</Relationships>", added).encode()
    return joined(found)


def cells_of(data: bytes) -> dict[str, dict[str, Any]]:
    """All cells by name, as our own reader has them."""
    cells = Cells(io.BytesIO(data))
    return {
        sheet: {
            cell.name: int(cell.text) if cell.kind == "number" else cell.text
            for row in cells.rows(sheet)
            for cell in row
        }
        for sheet in cells.sheets
    }


def cells_elsewhere(data: bytes) -> dict[str, dict[str, Any]]:
    """All cells by name, as another library reads them."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return {
        sheet: {
            cell_name(row, column): int(value) if isinstance(value, float) else value
            for row, values in enumerate(
                book.get_sheet_by_name(sheet).to_python(skip_empty_area=False), start=1
            )
            for column, value in enumerate(values, start=1)
            if value != ""
        }
        for sheet in book.sheet_names
    }
