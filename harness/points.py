# SPDX-License-Identifier: Apache-2.0
"""What came of an example beside what was expected of it, point by point. Pure.

A point is what it is about, what was expected, what came, and whether the two agree. Where units
are, and what was named of them, is compared to the serial, and told by account.

Elsewhere: the expectations (`expected`), where figures come from (`examples`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.adjusted import adjusted
from harness.bookings import Booking
from harness.expected import Held
from harness.outcome import TONNES, ExamplePoint
from harness.runner import Named, Record, expected_case
from harness.scenario import Example
from ledger.first_transfer import Subtype
from schemas.identifiers import AccountNumber
from schemas.messages import Entry, Proposal
from schemas.units import KIND_CODES, Key

__all__ = ["Came", "Event", "points_of"]

NONE = "none"
NAMED_MAX = 4
"""First transfers of as many units that are told by name; more of them are counted."""


class Event(NamedTuple):
    """A first transfer: the transaction that marked the units, and that of the event."""

    transaction: str
    of: str
    subtype: Subtype
    units: int


@dataclass(frozen=True)
class Came:
    """What came of a run, as far as examples ask."""

    entries: dict[str, list[Entry]]
    """By transaction."""
    proposals: dict[str, Proposal]
    events: list[Event]
    held: dict[str, list[Held]]
    """By series, in order, as the log has it."""
    cases: set[Named]
    bookings: list[Booking]


def points_of(
    example: Example, records: Sequence[Record], came: Came, foreseen: set[Named]
) -> list[ExamplePoint]:
    """Everything that is expected of an example. `foreseen` is what any example has named."""
    return [
        *_ends(records),
        _first_transfers(example, records, came),
        *_adjustments(example, records, came),
        _holdings(example, came),
        *_discrepancies(example, came, foreseen),
        *_dates(example, records, came),
        *_alike(example, records, came),
    ]


def _ends(records: Sequence[Record]) -> list[ExamplePoint]:
    """How steps ended, and for which reasons."""
    points = [
        ExamplePoint(
            about="How steps end",
            expected=_counted(_said(record.step.expect) for record in records),
            got=_counted(_said(record.state) for record in records),
            agrees=all(record.state == record.step.expect for record in records),
        )
    ]
    refused = [(r, r.step.reason) for r in records if r.step.reason is not None]
    if refused:
        points.append(
            ExamplePoint(
                about="Findings",
                expected="; ".join(f"{reason.rule.code} {reason}" for _, reason in refused),
                got="; ".join(_finding(record.detail, reason) for record, reason in refused),
                agrees=all(record.as_expected for record, _ in refused),
            )
        )
    return points


def _said(end: str) -> str:
    """An end in the words of the report's other tables, where it is `refused at home`."""
    return end.replace("-", " ")


def _finding(detail: str, wanted: str) -> str:
    """The finding that was wanted, if it is there; else all that are."""
    found = [f"{code} {reason}" for code, reason in re.findall(r"\b(\d{4}) ([a-z-]+)", detail)]
    return next((one for one in found if one.endswith(f" {wanted}")), ", ".join(found) or NONE)


def _first_transfers(example: Example, records: Sequence[Record], came: Came) -> ExamplePoint:
    """Which steps were first transfers, by which kind of event, of how many units."""
    steps = {record.transaction: record.step.name for record in records}
    wanted, found = example.expect.first_transferred(), Counter[tuple[Subtype, str]]()
    for event in came.events:
        if event.transaction in steps:
            name = steps.get(event.of, event.of)
            found[event.subtype, name] += event.units
    return ExamplePoint(
        about="First transfers",
        expected=_events(wanted),
        got=_events(found),
        agrees=wanted == found,
    )


def _adjustments(example: Example, records: Sequence[Record], came: Came) -> list[ExamplePoint]:
    """What these units do to each Party's emissions of a year."""
    wanted = example.expect.adjusted()
    entries = [e for record in records for e in came.entries.get(record.transaction or "", [])]
    entries.sort(key=lambda entry: entry.position)
    effects = (effect for entry in entries for effect in entry.effects)
    found = {
        f"{line.party} {line.year}"
        + (f" {line.unit}" if line.unit != TONNES else ""): line.adjustment
        for line in adjusted(effects)
    }
    if not wanted and not found:
        return []
    return [
        ExamplePoint(
            about="Corresponding adjustments",
            expected=_adjusted(wanted),
            got=_adjusted(found),
            agrees=wanted == found,
        )
    ]


def _holdings(example: Example, came: Came) -> ExamplePoint:
    """Where each unit is at the end: compared to the serial, told by account."""
    wanted = example.expect.held()
    found = [
        one._replace(first=max(one.first, first), last=min(one.last, last))
        for series, first, last in _spans(wanted)
        for one in came.held.get(series, [])
        if one.first <= last and one.last >= first
    ]
    wanted_ranges, found_ranges = _merged(wanted), _merged(found)
    odd = [one for one in found_ranges if one not in wanted_ranges]
    return ExamplePoint(
        about="Units at the end",
        expected=_places(wanted),
        got=_places(found)
        + "".join(f"; {o.series} {o.first}-{o.last} in {o.account}" for o in odd),
        agrees=wanted_ranges == found_ranges,
    )


def _discrepancies(example: Example, came: Came, foreseen: set[Named]) -> list[ExamplePoint]:
    """What the reconciliation named of these units, to the serial."""
    wanted = {expected_case(one) for one in example.expect.discrepancies}
    series = {one.series for one in example.expect.held()}
    others = {c for c in came.cases - foreseen if Key.parse(c.key).series in series}
    found = (came.cases & wanted) | others
    if not wanted and not found:
        return []
    return [
        ExamplePoint(
            about="Discrepancies named",
            expected=_cases(wanted),
            got=_cases(found),
            agrees=wanted == found,
        )
    ]


def _dates(example: Example, records: Sequence[Record], came: Came) -> list[ExamplePoint]:
    """Which movements an account statement dates otherwise than the log."""
    steps = {record.transaction: record.step.name for record in records}
    wanted = {(one.actor, one.step, one.days) for one in example.expect.misdated}
    of_these = [one for one in came.bookings if one.transaction in steps]
    found = {(one.actor, steps[one.transaction], one.days) for one in of_these}
    if not wanted and not found:
        return []
    told = [
        f"{one.actor}: {one.stated_at[:10]} in the account statement, {one.logged_at[:10]} in the "
        f"log ({steps[one.transaction]})"
        for one in of_these
    ]
    return [
        ExamplePoint(
            about="Dates that differ",
            expected="; ".join(f"{a}: {n} days later ({s})" for a, s, n in sorted(wanted)) or NONE,
            got="; ".join(told) or NONE,
            agrees=wanted == found,
        )
    ]


def _alike(example: Example, records: Sequence[Record], came: Came) -> list[ExamplePoint]:
    """Steps that propose the very same: both count, told apart by transaction and time."""
    if not example.expect.alike:
        return []
    twins = [r for r in records if r.step.name in example.expect.alike and r.transaction]
    told, ends, proposed = [], set(), set()
    for record in twins:
        done = [e for e in came.entries.get(record.transaction or "", []) if e.state == "completed"]
        proposal = came.proposals[record.transaction or ""]
        proposed.add(proposal.model_dump_json(exclude={"expires_at"}))
        ends |= {entry.at for entry in done}
        told += [f"{record.transaction} at {entry.at}" for entry in done]
    return [
        ExamplePoint(
            about="Alike, and both count",
            expected=f"{len(example.expect.alike)} transactions at different times",
            got="; ".join(told) or NONE,
            agrees=len(told) == len(ends) == len(example.expect.alike) and len(proposed) == 1,
        )
    ]


# --- words --------------------------------------------------------------------------------------


def _counted(states: Iterable[str]) -> str:
    return ", ".join(f"{n} {state}" for state, n in Counter(states).items())


def _events(units: Mapping[tuple[Subtype, str], int]) -> str:
    if not units:
        return NONE
    alike: dict[tuple[Subtype, int], list[str]] = {}
    for (subtype, name), n in units.items():
        alike.setdefault((subtype, n), []).append(name)
    told = [
        f"{len(names)} times {n:,} ({subtype})"
        if len(names) > NAMED_MAX
        else f"{n:,} by {' and by '.join(sorted(names))} ({subtype})"
        for (subtype, n), names in alike.items()
    ]
    return f"{sum(units.values()):,} units: {', '.join(told)}"


def _adjusted(units: dict[str, int]) -> str:
    return "; ".join(f"{name} {n:+,}" for name, n in sorted(units.items())) or NONE


def _places(held: Sequence[Held]) -> str:
    sums: Counter[tuple[str, AccountNumber]] = Counter()
    for one in held:
        sums[one.series.partition(":")[0], one.account] += one.last - one.first + 1
    words = [
        f"{units:,} {KIND_CODES[account.kind_code]} of {account.actor}"
        + (" (underlying)" if layer == "underlying" else "")
        for (layer, account), units in sums.items()
    ]
    return "; ".join(words) or NONE


def _cases(cases: Iterable[Named]) -> str:
    return (
        "; ".join(f"{c.actor} {c.first:,} to {c.last:,}, {c.cause}" for c in sorted(cases)) or NONE
    )


# --- ranges -------------------------------------------------------------------------------------


def _merged(held: Iterable[Held]) -> list[Held]:
    """The same places in as few ranges as can be."""
    merged: list[Held] = []
    for one in sorted(held):
        before = merged[-1] if merged else None
        if (
            before is not None
            and (before.series, before.account) == (one.series, one.account)
            and before.last + 1 == one.first
        ):
            merged[-1] = before._replace(last=one.last)
        else:
            merged.append(one)
    return merged


def _spans(held: Iterable[Held]) -> list[tuple[str, int, int]]:
    """The ranges of serials that are spoken of."""
    spans: list[tuple[str, int, int]] = []
    for one in sorted(held):
        if spans and spans[-1][0] == one.series and spans[-1][2] + 1 == one.first:
            spans[-1] = (one.series, spans[-1][1], one.last)
        else:
            spans.append((one.series, one.first, one.last))
    return spans
