# SPDX-License-Identifier: Apache-2.0
"""Lines: rows of tables 3 and 4 with the block that each is about, so that rows of any workbook can
be held against one another by their units.

A row whose block cannot be read is no line; that it cannot be read is told by `checking`.

Elsewhere: blocks (`blocks`), what lines must have in common (`consistency`, `matching`), lines of
proposals, which are something else (`schemas.messages`).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from aef.blocks import Span, span_of
from aef.findings import AefFinding, Code
from aef.places import Reading
from aef.tables import ActionRow, HoldingRow

__all__ = ["Line", "by_series", "lines_of"]


class Line(NamedTuple):
    """A row with its block, and where it stands."""

    span: Span
    row: Any
    table: type[Any]
    number: int
    reading: Reading

    def found(self, code: Code, name: str, detail: str) -> AefFinding:
        """A finding at a field of it."""
        return self.reading.at(code, self.table, self.number, name, detail)

    def named(self) -> str:
        """The row, for people."""
        place = self.reading.places[self.table]
        return f"{self.reading.file} {place.sheet} row {place.rows[self.number]}"


def lines_of(readings: Sequence[Reading]) -> Iterator[Line]:
    """The actions and holdings of these workbooks that have a block."""
    for reading in readings:
        for table in (ActionRow, HoldingRow):
            for index, row in enumerate(reading.aef.rows(table)):
                span = span_of(row)
                if span is not None:
                    yield Line(span, row, table, index, reading)


def by_series(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines that may share units, by their first serial."""
    groups: dict[tuple[str, str, int], list[Line]] = defaultdict(list)
    for line in lines:
        groups[line.span[:3]].append(line)
    for group in groups.values():
        yield sorted(group, key=lambda line: line.span.first)
