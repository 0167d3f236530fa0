# SPDX-License-Identifier: Apache-2.0
"""One workbook held to the format: what must be filled, what must not, and whether rows agree with
themselves and with the other tables.

Asked of what was read; a cell that already has an error is not asked again.

Elsewhere: reading and the form of values (`reading`, `values`), rows about the same units and the
checks of several workbooks (`consistency`), versions (`versions`).
"""

from collections.abc import Container, Iterator
from typing import Any

from aef.blocks import is_integer, quantity_of, span_of
from aef.columns import Need, columns_of
from aef.findings import AefFinding, Code
from aef.needs import Applies, applies
from aef.nomenclature import Nomenclature
from aef.places import Reading
from aef.tables import SHEETS, ActionRow, AuthorizationRow, EntityRow, HoldingRow, SubmissionRow
from schemas.units import ItmoIdentifier

__all__ = ["check_workbook"]


def check_workbook(reading: Reading, nomenclature: Nomenclature) -> Iterator[AefFinding]:
    """What is wrong in one workbook, without others."""
    for table in SHEETS:
        if table in reading.places:
            withheld = _withheld(reading, table)
            for index, row in enumerate(reading.aef.rows(table)):
                yield from _filled(reading, table, index, row, withheld)
    yield from _submission(reading)
    for table in (ActionRow, HoldingRow):
        for index, row in enumerate(reading.aef.rows(table)):
            yield from _block(reading, table, index, row)
    yield from _actions(reading, nomenclature)
    yield from _styles(reading)
    yield from _twice(reading)


def _withheld(reading: Reading, table: type[Any]) -> frozenset[str]:
    """The columns that a workbook for the public holds back: those that are empty throughout."""
    if not reading.aef.public:
        return frozenset()
    rows = reading.aef.rows(table)
    names = (column.name for column in columns_of(table))
    return frozenset(n for n in names if all(getattr(row, n) is None for row in rows))


def _filled(
    reading: Reading, table: type[Any], index: int, row: Any, withheld: Container[str]
) -> Iterator[AefFinding]:
    """Required cells have a value, and cells that do not apply have none."""
    place = reading.places[table]
    for column in columns_of(table):
        if column.need is Need.CARP or reading.is_unread(table, index, column.name):
            continue
        if not place.upright and column.name not in place.columns:
            continue  # the whole column is missing, which is said
        if place.upright and column.name not in place.lines:
            continue
        value, asked = getattr(row, column.name), applies(row, column)
        if value is None and asked is Applies.MUST:
            if column.name not in withheld:
                yield reading.at(Code.REQUIRED, table, index, column.name, f"{column.label!r}")
        elif value is not None and asked is Applies.NOT:
            said = f"{column.label!r} has {value!r:.40}"
            yield reading.at(Code.NOT_APPLICABLE, table, index, column.name, said)


def _submission(reading: Reading) -> Iterator[AefFinding]:
    row = reading.aef.submission
    first, last = row.ndc_first_year, row.ndc_last_year
    if first is not None and last is not None and first > last:
        said = f"the period begins in {first} and ends in {last}"
        yield reading.at(Code.WRONG_FORM, SubmissionRow, 0, "ndc_last_year", said)
    if row.year is not None and row.submitted is not None and int(row.submitted[:4]) <= row.year:
        said = f"{row.year} was not over on {row.submitted}"
        yield reading.at(Code.YEAR_NOT_OVER, SubmissionRow, 0, "submitted", said)


def _block(
    reading: Reading, table: type[Any], index: int, row: ActionRow | HoldingRow
) -> Iterator[AefFinding]:
    """Identifiers make a block, whose quantity, Party and vintage are those of the row."""
    if row.first is None or row.last is None:
        return
    span = span_of(row)
    if span is None:
        if is_integer(row.first) and is_integer(row.last) and int(row.first) <= int(row.last):
            return  # what says the series is missing, and that is said
        yield reading.at(Code.NOT_A_BLOCK, table, index, "last", f"{row.first} to {row.last}")
        return
    counted = "non_ghg_quantity" if row.metric == "non-GHG" else "quantity"
    quantity = getattr(row, counted)
    if quantity is not None and quantity != quantity_of(span):
        said = f"{quantity} for a block of {quantity_of(span)}"
        yield reading.at(Code.QUANTITY_DIFFERS, table, index, counted, said)
    if is_integer(row.first):
        return
    printed = ItmoIdentifier.parse(row.first)
    for name, here, there in (
        ("first_party", row.first_party, str(printed.party)),
        ("vintage", row.vintage, printed.vintage),
    ):
        if here is not None and here != there:
            said = f"{here}, and the identifiers say {there}"
            yield reading.at(Code.IDENTIFIER_DIFFERS, table, index, name, said)
    if row.approach is not None and row.approach != printed.approach:
        said = f"{row.approach}, and the identifiers say {printed.approach}"
        yield reading.at(Code.APPROACH_DIFFERS, table, index, "approach", said)


def _actions(reading: Reading, nomenclature: Nomenclature) -> Iterator[AefFinding]:
    year = reading.aef.submission.year
    for index, row in enumerate(reading.aef.actions):
        if row.at is not None and year is not None and row.at[:4] != str(year):
            said = f"{row.at}, reported for {year}"
            yield reading.at(Code.YEAR_DIFFERS, ActionRow, index, "at", said)
        known = nomenclature.subtypes.get(row.type or "")
        if row.subtype is not None and known is not None and row.subtype not in known:
            said = f"{row.subtype!r} with {row.type!r}"
            yield reading.at(Code.SUBTYPE_OF_OTHER_TYPE, ActionRow, index, "subtype", said)


def _styles(reading: Reading) -> Iterator[AefFinding]:
    """Identifiers are of one style throughout a workbook."""
    first: bool | None = None
    for table in (ActionRow, HoldingRow):
        for index, row in enumerate(reading.aef.rows(table)):
            for name in ("first", "last"):
                text = getattr(row, name)
                if text is None:
                    continue
                if first is None:
                    first = is_integer(text)
                elif is_integer(text) != first:
                    yield reading.at(Code.STYLES_MIXED, table, index, name, text)


_KEYS: dict[type[Any], tuple[str, ...]] = {
    AuthorizationRow: ("id", "date", "version"),
    EntityRow: ("id", "name", "approach", "date"),
}


def _twice(reading: Reading) -> Iterator[AefFinding]:
    """A version of an authorization, and an entity of an approach, stand there once."""
    for table, names in _KEYS.items():
        seen: dict[tuple[Any, ...], int] = {}
        for index, row in enumerate(reading.aef.rows(table)):
            key = tuple(getattr(row, name) for name in names)
            if None in key[:1]:
                continue
            if key in seen:
                at = reading.places[table].rows[seen[key]]
                yield reading.at(Code.ROW_TWICE, table, index, names[0], f"as in row {at}")
            else:
                seen[key] = index
