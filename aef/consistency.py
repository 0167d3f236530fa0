# SPDX-License-Identifier: Apache-2.0
"""Rows about the same units held against one another, within a workbook and across several: the
checks II01 to II07 of the Article 6 database (2/CMA.3 annex para 33(a)).

Rows are compared by the units that they are about, not by how they print them: a block may have
been split, and identifiers may be whole or serials alone. Where a check needs an authorization that
none of the workbooks has, it says that it could not be made; a check that was not made is no pass.

II07, and that a row agrees with its own identifiers, is `checking`'s matter.

Elsewhere: rows with their blocks (`lines`), blocks and underlying units (`blocks`), which
submissions count (`versions`), transfers against acquisitions (`matching`).
"""

import operator
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

from aef.authorized import Authorized
from aef.blocks import Alignment, alignments_of
from aef.findings import AefFinding, Code, Unchecked
from aef.lines import Line, by_series, lines_of
from aef.matching import matched
from aef.nomenclature import Nomenclature
from aef.places import Reading
from aef.tables import ActionRow, HoldingRow

__all__ = ["check_together"]

VALUES_MAX = 50
"""Different values of one unit that are kept to compare with; by then every further row differs."""

LINES_MAX = 100
"""Lines that one is compared with, of those that may be alike: a workbook in which all rows are
about the same units would be compared with itself row by row. No honest report has as many.
"""

ENDED = frozenset({"Use", "Cancellation", "Voluntary Cancellation"})
"""Types of action after which nobody holds the units."""


def check_together(
    readings: Sequence[Reading], nomenclature: Nomenclature
) -> Iterator[AefFinding | Unchecked]:
    """What is wrong with these submissions as one body of reports, one thing after the other: who
    asks says how much of it is kept.
    """
    lines = list(lines_of(readings))
    authorized = Authorized(readings)
    yield from authorized.not_taking_part(readings)
    yield from _actions_twice(lines)
    yield from _ended_twice(lines)
    yield from _same(lines, Code.METRIC_DIFFERS, "metric", lambda line: line.row.metric)
    yield from _same(lines, Code.MITIGATION_DIFFERS, "mitigation", lambda line: line.row.mitigation)
    yield from _same(lines, Code.SECTORS_DIFFER, "authorization", authorized.sectors)
    yield from _underlying(lines, nomenclature)
    yield from _held_twice(lines)
    yield from _ended_and_held(lines)
    yield from authorized.references(readings)
    yield from matched(lines, readings)


def _same(
    lines: Sequence[Line],
    code: Code,
    name: str,
    of: Callable[[Line], Hashable | None],
    differ: Callable[[Any, Any], bool] = operator.ne,
    words: Callable[[Line], str] | None = None,
) -> Iterator[AefFinding]:
    """What must be the same for all rows about one unit: each row that differs is told once."""
    shown = words or (lambda line: _words(of(line)))
    for group in by_series(lines):
        open_: dict[tuple[Hashable, str], Line] = {}  # of each, the row that reaches furthest
        for line in group:
            value = of(line)
            if value is None:
                continue
            open_ = {k: one for k, one in open_.items() if one.span.last >= line.span.first}
            for (other, _), one in open_.items():
                if differ(other, value) and one.span.meets(line.span):
                    said = f"{shown(line)}, and {shown(one)} in {one.named()}"
                    yield line.found(code, name, said)
                    break
            key = (value, line.span.registry)
            if key in open_:
                if open_[key].span.last < line.span.last:
                    open_[key] = line
            elif len(open_) < VALUES_MAX:
                open_[key] = line


def _words(value: Hashable) -> str:
    if isinstance(value, tuple):
        return " / ".join(str(part) for part in value if part) or "nothing"
    return str(value)


def _units(line: Line) -> str:
    row = line.row
    if row.unit_first is None:
        return f"nothing underlying for {row.first}"
    return f"{row.unit_registry} {row.unit_first} for {row.first}"


def _underlying(lines: Sequence[Line], nomenclature: Nomenclature) -> Iterator[AefFinding]:
    """II05: both units or neither, as many as ITMOs, and the same ones for the same ITMOs."""

    def aligned(line: Line) -> frozenset[Alignment] | None:  # found twice: kept, they are large
        found = alignments_of(line.row, line.span, nomenclature)
        return None if isinstance(found, str) else found

    for line in lines:
        found = alignments_of(line.row, line.span, nomenclature)
        if isinstance(found, str):
            yield line.found(Code.UNDERLYING_DIFFERS, "unit_first", found)
    yield from _same(
        lines,
        Code.UNDERLYING_DIFFERS,
        "unit_first",
        aligned,
        differ=frozenset.isdisjoint,
        words=_units,
    )


def _actions_twice(lines: Sequence[Line]) -> Iterator[AefFinding]:
    """II02: the same action is reported once. Times tell two actions of one day apart; where one is
    not known, a person has to.
    """
    seen: dict[Hashable, list[Line]] = defaultdict(list)
    for line in lines:
        if line.table is not ActionRow or line.row.at is None:
            continue
        known = seen[_action(line)]
        for other in known:
            if (code := _repeats(line, other)) is not None:
                yield line.found(code, "at", f"as in {other.named()}")
                break
        if len(known) < LINES_MAX:
            known.append(line)


def _action(line: Line) -> Hashable:
    """What an action is known by, but for the time of the day."""
    row = line.row
    return row.at[:10], row.type, row.subtype, row.registry, line.span


def _repeats(line: Line, other: Line) -> Code | None:
    """Whether two rows with all that in common are one action twice, or may be."""
    one, two = line.row.at, other.row.at
    if len(one) == 10 or len(two) == 10:
        return Code.LIKELY_TWICE
    return Code.ACTION_TWICE if one == two else None


def _ended(lines: Sequence[Line]) -> list[Line]:
    """The uses and cancellations, of which the day is known."""
    return [
        line
        for line in lines
        if line.table is ActionRow and line.row.type in ENDED and line.row.at is not None
    ]


def _ended_twice(lines: Sequence[Line]) -> Iterator[AefFinding]:
    """A unit is used or cancelled once, whoever reports it and however rows are cut. What may be
    the same action twice is told as that.
    """
    for group in by_series(_ended(lines)):
        earlier: list[Line] = []
        for line in group:
            earlier = [one for one in earlier if one.span.last >= line.span.first][-LINES_MAX:]
            for one in earlier:
                told = _action(one) == _action(line) and _repeats(line, one) is not None
                if one.span.meets(line.span) and not told:
                    yield line.found(Code.ENDED_TWICE, "first", f"as in {one.named()}")
                    break
            earlier.append(line)


def _held_twice(lines: Sequence[Line]) -> Iterator[AefFinding]:
    """At the end of a year a unit is held once, whoever holds it."""
    held: dict[tuple[int, str], list[Line]] = defaultdict(list)
    for line in lines:
        if line.table is HoldingRow:
            held[_end_of(line)].append(line)
    for when in sorted(held):
        for group in by_series(held[when]):
            furthest: dict[str, Line] = {}
            for line in group:
                for one in furthest.values():
                    if one.span.meets(line.span):
                        yield line.found(Code.HELD_TWICE, "first", f"as in {one.named()}")
                        break
                known = furthest.get(line.span.registry)
                if known is None or known.span.last < line.span.last:
                    furthest[line.span.registry] = line


def _ended_and_held(lines: Sequence[Line]) -> Iterator[AefFinding]:
    """What was used or cancelled up to the end of a year is not held then, nor after: each holding
    of which that is so is told once.
    """
    told: set[int] = set()
    held = [line for line in lines if line.table is HoldingRow]
    for group in by_series([*_ended(lines), *held]):
        gone: list[Line] = []
        kept: list[Line] = []
        for line in group:
            gone = [one for one in gone if one.span.last >= line.span.first][-LINES_MAX:]
            kept = [one for one in kept if one.span.last >= line.span.first][-LINES_MAX:]
            others = gone if line.table is HoldingRow else kept
            for one in others:
                holding, end = (line, one) if line.table is HoldingRow else (one, line)
                year = _year(holding)
                if id(holding) in told or not holding.span.meets(end.span):
                    continue
                if year and int(end.row.at[:4]) <= year:
                    told.add(id(holding))
                    yield holding.found(Code.ENDED_AND_HELD, "first", f"ended in {end.named()}")
                    break
            (kept if line.table is HoldingRow else gone).append(line)


def _year(line: Line) -> int:
    return line.reading.aef.submission.year or 0


def _end_of(line: Line) -> tuple[int, str]:
    """The year whose end a holding is of; of a workbook that does not say it, that workbook."""
    year = _year(line)
    return year, "" if year else line.reading.file
