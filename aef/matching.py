# SPDX-License-Identifier: Apache-2.0
"""Transfers that one Party reports, held against the acquisitions that another reports of them
(2/CMA.3 annex para 33(a), 6/CMA.4 annex I para 9).

Every unit that a Party reports as transferred to another is reported by that one as acquired from
it, and the other way round. Units are compared and not rows, since blocks may have been split. Of
units that went the same way more than once, rows that are nearest in time go together. Days may
differ by `DAYS_TOLERATED`.

What the other Party has not reported, because the workbook of that year is not here, could not be
checked, and is said so.

Elsewhere: what rows about the same units must have in common (`consistency`).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from typing import NamedTuple

from aef.findings import AefFinding, Code, Unchecked
from aef.lines import Line
from aef.places import Reading
from aef.tables import ActionRow
from ledger.blocks import Range, overlaps, quantity, subtract

__all__ = ["DAYS_TOLERATED", "matched"]

DAYS_TOLERATED = 1
"""The same moment has two dates on the two sides of the date line."""

COMPARED_MAX = 200
"""How often each row of two Parties may be compared with one of the other's. Rows of an honest
report share units with few others, however often blocks were split.
"""

SENT = frozenset({"First transfer", "Transfer"})
RECEIVED = "Acquisition"


class Pair(NamedTuple):
    """Two Parties, and a series of units that went from one to the other."""

    sender: str
    receiver: str
    approach: str
    party: str
    vintage: int


@dataclass(slots=True)
class Side:
    """A row of one of the two, and the units of it that the other's rows do not account for yet."""

    line: Line
    day: date
    left: list[Range]


def matched(lines: Sequence[Line], readings: Sequence[Reading]) -> Iterator[AefFinding | Unchecked]:
    """What does not agree between the reports of two Parties, and what could not be looked at."""
    sent: dict[Pair, list[Side]] = defaultdict(list)
    received: dict[Pair, list[Side]] = defaultdict(list)
    for line in lines:
        party, row = line.reading.aef.submission.party, line.row
        if line.table is not ActionRow or party is None or row.at is None:
            continue
        side = Side(line, date.fromisoformat(row.at[:10]), [(line.span.first, line.span.last)])
        if row.type in SENT and row.acquiring not in {None, party}:
            sent[Pair(party, row.acquiring, *line.span[:3])].append(side)
        if row.type == RECEIVED and row.transferring not in {None, party}:
            received[Pair(row.transferring, party, *line.span[:3])].append(side)
    tangled: dict[Pair, None] = {}
    for pair in sorted(sent.keys() & received.keys()):
        try:
            yield from _together(sent[pair], received[pair])
        except _TangledError:
            tangled[pair] = None
    reported = {(one.aef.submission.party, one.aef.submission.year) for one in readings}
    for code, field, sides in (
        (Code.TRANSFER_UNMATCHED, "acquiring", sent),
        (Code.ACQUISITION_UNMATCHED, "transferring", received),
    ):
        for pair, of_pair in sides.items():
            other = pair.receiver if sides is sent else pair.sender
            for side in of_pair:
                missing = _not_here(other, side.day, reported)
                if pair in tangled:
                    missing = f"too many rows of {pair.sender} and {pair.receiver} share units"
                if side.left and missing:
                    yield Unchecked(code, side.line.reading.file, missing)
                elif side.left:
                    said = f"{_serials(side.left)} in no report of {other}"
                    yield side.line.found(code, field, said)


def _not_here(party: str, day: date, reported: set[tuple[str | None, int | None]]) -> str:
    """Which workbook one would have to have to know what the other Party says; empty if none."""
    around = timedelta(days=DAYS_TOLERATED)
    years = sorted({(day - around).year, (day + around).year})
    missing = [str(year) for year in years if (party, year) not in reported]
    return f"{party}'s workbook of {' and '.join(missing)} is not here" if missing else ""


class _TangledError(Exception):
    """Rows of two Parties share units in more ways than are compared; internal to this module."""


class _Effort:
    """How much two Parties' rows are compared: `COMPARED_MAX` times for each of them."""

    def __init__(self, rows: int) -> None:
        self._left = COMPARED_MAX * rows

    def spend(self, comparisons: int) -> None:
        """So many more."""
        self._left -= comparisons
        if self._left < 0:
            raise _TangledError


def _together(sent: list[Side], received: list[Side]) -> Iterator[AefFinding]:
    """Have each side account for the other: first what is near in time, then whatever is left,
    of which the days are told.
    """
    effort = _Effort(len(sent) + len(received))
    ordered = sorted(received, key=lambda side: side.line.span.first)
    reach = list(accumulate((side.line.span.last for side in ordered), max))
    for limit in (DAYS_TOLERATED, None):
        for one in sorted(sent, key=lambda side: side.day):
            for other in _near(one, ordered, reach, limit, effort):
                effort.spend(len(one.left) * len(other.left))
                common = list(_common(one.left, other.left))
                if not common:
                    continue
                one.left, other.left = _without(one.left, common), _without(other.left, common)
                if limit is None:
                    said = f"{_serials(common)} on {one.day} in {one.line.named()}"
                    yield other.line.found(Code.DAYS_DIFFER, "at", said)


def _near(
    one: Side, ordered: list[Side], reach: list[int], limit: int | None, effort: _Effort
) -> list[Side]:
    """Rows of the other that share a unit with a row, those nearest in time first."""
    span, found = one.line.span, []
    begin = bisect_left(reach, span.first) if one.left else len(ordered)
    for n in range(begin, len(ordered)):
        other = ordered[n]
        if other.line.span.first > span.last:
            break
        effort.spend(1)
        near = limit is None or abs(other.day - one.day).days <= limit
        if other.left and near and other.line.span.meets(span):
            found.append(other)
    return sorted(found, key=lambda other: abs(other.day - one.day))


def _common(some: list[Range], others: list[Range]) -> Iterator[Range]:
    for one in some:
        for other in others:
            if overlaps(one, other):
                yield max(one[0], other[0]), min(one[1], other[1])


def _without(some: list[Range], parts: list[Range]) -> list[Range]:
    return [left for one in some for left in subtract(one, parts)]


def _serials(ranges: Sequence[Range]) -> str:
    """Serials in words; of many ranges the first few."""
    shown = ", ".join(f"{first}-{last}" for first, last in ranges[:3])
    more = f" and {len(ranges) - 3} more" if len(ranges) > 3 else ""
    return f"serials {shown}{more} ({quantity(ranges)})"
