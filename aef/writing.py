# SPDX-License-Identifier: Apache-2.0
"""A year's tables into a workbook: the sheets, labels and order of the agreed electronic format.

Table 1 stands upright, one label below the other; the others have a row of labels under their title
and the year that they are about. A cell that does not apply to its row says `NA`; one that could be
filled and is not is empty, and so are the columns of the CARP. Identifiers are written whole, or as
serials alone. A public workbook leaves the confidential columns empty (2/CMA.3 annex para 24).

Elsewhere: rows (`tables`), when a column applies (`needs`), the file's form (`packing`).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any, BinaryIO

from aef.cells import ROWS_MAX
from aef.columns import Column, Need, columns_of
from aef.needs import Applies, applies
from aef.nomenclature import Nomenclature
from aef.packing import Row, Sheet, pack
from aef.tables import PUBLIC, SHEETS, SUMMARY, TITLES, Aef, SubmissionRow
from aef.values import written
from schemas.units import ItmoIdentifier

__all__ = [
    "CONFIDENTIAL",
    "NA",
    "Style",
    "in_style",
    "joined",
    "public",
    "too_long",
    "write_workbook",
]

NA = "NA"

UNREPORTED = "First-transferred without authorization, in no table"

ROWS_ABOVE = 4
"""Above the rows of a table: title, Party, year and labels."""

CONFIDENTIAL = frozenset(
    column.technical for table in SHEETS for column in columns_of(table) if column.confidential
)
"""The columns that a Party is taken to hold back, by technical name: who the entities are, and what
was agreed with them. A Party may name others; what it publishes is its own decision."""


class Style(StrEnum):
    """How ITMO identifiers are printed."""

    WHOLE = "composite"
    SERIAL = "integer"


def write_workbook(aef: Aef, file: BinaryIO, nomenclature: Nomenclature) -> None:
    """Write a workbook; identifiers as the rows have them (`in_style`)."""
    sheets = [Sheet(SUMMARY, (45, 40), _summary(aef, nomenclature))]
    for table, name in SHEETS.items():
        if table is SubmissionRow:
            sheets.append(Sheet(name, (75, 25), _upright(aef.submission)))
        else:
            columns = columns_of(table)
            widths = [max(14, min(40, len(column.label) + 2)) for column in columns]
            sheets.append(Sheet(name, widths, _lying(aef, table)))
    pack(sheets, file)


def too_long(aef: Aef) -> Iterator[tuple[str, int]]:
    """The sheets that are written and are longer than what is read, with their rows."""
    for table, sheet in SHEETS.items():
        rows = len(aef.rows(table))
        if rows + ROWS_ABOVE > ROWS_MAX:
            yield sheet, rows


def _summary(aef: Aef, nomenclature: Nomenclature) -> Iterator[Row]:
    said = aef.submission
    yield ("Agreed electronic format: annual information",), True
    yield ("Party", said.party or ""), False
    yield ("Reported year", said.year or ""), False
    yield ("Version", said.version or ""), False
    yield ("Common nomenclatures of", nomenclature.date), False
    yield ("Edition", PUBLIC if aef.public else "full"), False
    for table in SHEETS:
        if table is not SubmissionRow:
            yield (TITLES[table], len(aef.rows(table))), False
    if aef.unreported:
        yield (UNREPORTED, aef.unreported), False


def _upright(row: SubmissionRow) -> Iterator[Row]:
    yield (TITLES[SubmissionRow],), True
    yield (), False
    for column in columns_of(SubmissionRow):
        yield (column.label, _cell(row, column)), False


def _lying(aef: Aef, table: type[Any]) -> Iterator[Row]:
    columns = columns_of(table)
    yield (TITLES[table],), True
    yield ("Party", aef.submission.party or ""), False
    yield ("Reported year", aef.submission.year or ""), False
    yield (), False
    yield [column.label for column in columns], True
    for row in aef.rows(table):
        yield [_cell(row, column) for column in columns], False


def _cell(row: Any, column: Column) -> str | int:
    value = getattr(row, column.name)
    if column.need is Need.CARP:
        return ""
    if value is None and applies(row, column) is Applies.NOT:
        return NA
    return written(value, column)


# --- of a workbook, other workbooks ---------------------------------------------------------------


def in_style(aef: Aef, style: Style) -> Aef:
    """The same, with identifiers in one style. Serials alone cannot be made whole again."""
    if style is Style.WHOLE:
        return aef
    return replace(
        aef,
        actions=tuple(_serials(row) for row in aef.actions),
        holdings=tuple(_serials(row) for row in aef.holdings),
    )


def _serials(row: Any) -> Any:
    first, last = ItmoIdentifier.parse(row.first), ItmoIdentifier.parse(row.last)
    return replace(row, first=str(first.serial), last=str(last.serial))


def joined(parts: Sequence[Aef]) -> Aef:
    """One report of a Party that has sections in several registries: actions by their time."""
    return replace(
        parts[0],
        authorizations=tuple(dict.fromkeys(r for one in parts for r in one.authorizations)),
        actions=tuple(sorted((r for one in parts for r in one.actions), key=lambda r: r.at or "")),
        holdings=tuple(r for one in parts for r in one.holdings),
        entities=tuple(dict.fromkeys(r for one in parts for r in one.entities)),
        unreported=sum(one.unreported for one in parts),
    )


def public(aef: Aef, confidential: Collection[str] = CONFIDENTIAL) -> Aef:
    """The same, without what stands in the confidential columns."""

    def bare(row: Any) -> Any:
        held = {c.name: None for c in columns_of(type(row)) if c.technical in confidential}
        return replace(row, **held)

    return replace(
        aef,
        authorizations=tuple(bare(row) for row in aef.authorizations),
        actions=tuple(bare(row) for row in aef.actions),
        holdings=tuple(bare(row) for row in aef.holdings),
        entities=tuple(bare(row) for row in aef.entities),
        public=True,
    )
