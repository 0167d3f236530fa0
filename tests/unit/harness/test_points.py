# SPDX-License-Identifier: Apache-2.0
"""Points of an example: what differs from what was expected is told, whichever way it differs."""

from dataclasses import replace
from typing import Any

import pytest

from harness.bookings import Booking
from harness.expected import Held, read_account
from harness.outcome import ExamplePoint
from harness.points import Came, Event, points_of
from harness.runner import Named, Record, expected_case
from harness.scenario import Example
from ledger.first_transfer import Subtype
from schemas.effects import Restate
from schemas.identifiers import Actor, Instant
from schemas.messages import Entry, Proposal
from schemas.units import Attributes, Key, Position

SERIES = "itmo:CA0005-THA01-THA-2022"
SWISS = Actor("CHE01/CHE")
HOLDING, USE = read_account("CHE01/CHE:holding:1"), read_account("CHE01/CHE:use:1")
LINE = {"first": "CA0005-THA01-THA-1-2022", "last": "CA0005-THA01-THA-9-2022"}

EXAMPLE = Example.model_validate(
    {
        "id": "A1",
        "title": "Thailand to Switzerland",
        "shows": "Everything that can be expected.",
        "source": "Synthetic.",
        "steps": [
            {"name": "moved", "by": "THA01/THA", "action": "first-transfer"},
            {"name": "once", "by": "CHE01/CHE", "action": "transfer", "units": [LINE]},
            {"name": "twice", "by": "CHE01/CHE", "action": "transfer", "units": [LINE]},
            {
                "name": "too-much",
                "by": "CHE01/CHE",
                "action": "use",
                "expect": "refused-at-home",
                "reason": "units-frozen",
            },
        ],
        "expect": {
            "first_transfers": {"first-international-transfer": {"moved": 9}},
            "adjustments": {"THA 2022": 9},
            "holdings": {SERIES: {"1-4": "CHE01/CHE:use:1", "5-9": "CHE01/CHE:holding:1"}},
            "alike": ["once", "twice"],
            "discrepancies": [
                {
                    **LINE,
                    "participant": "CHE01",
                    "actor": "CHE01/CHE",
                    "cause": "missing",
                }
            ],
            "misdated": [{"actor": "CHE01/CHE", "step": "moved", "days": 5}],
        },
    }
)
CASE = expected_case(EXAMPLE.expect.discrepancies[0])


def at(day: int) -> Instant:
    return Instant(f"2026-01-{day:02}T12:00:00.000000Z")


def entry(position: int, day: int, *effects: Restate) -> Entry:
    members: dict[str, Any] = {"log": "a.b", "acts": 1, "manifest": None, "rules": "1"}
    return Entry(
        **members,
        position=position,
        at=at(day),
        state="completed",
        action="transfer",
        effects=effects,
    )


def proposal(quantity: int, day: int) -> Proposal:
    members = {"action": "transfer", "quantity": quantity, "expires_at": at(day)}
    return Proposal.model_validate({**members, "acquirer": Actor("UN02/KOR"), "lines": ()})


MADE_ITMOS = Restate(
    key=Key.parse(SERIES),
    first=1,
    last=9,
    position=Position.of(HOLDING),
    before=Attributes(),
    after=Attributes(first_transferred=True),
)

RECORDS = [
    Record(step, transaction, state, detail)
    for step, transaction, state, detail in zip(
        EXAMPLE.steps,
        ["THA01-THA-1", "CHE01-CHE-1", "CHE01-CHE-2", None],
        ["completed", "completed", "completed", "refused-at-home"],
        ["", "", "", "6003 units-frozen in body/lines/0: REC-1"],
        strict=True,
    )
]

CAME = Came(
    entries={
        "THA01-THA-1": [entry(1, 1, MADE_ITMOS)],
        "CHE01-CHE-1": [entry(2, 2)],
        "CHE01-CHE-2": [entry(3, 3)],
    },
    proposals={"CHE01-CHE-1": proposal(9, 2), "CHE01-CHE-2": proposal(9, 3)},
    events=[Event("THA01-THA-1", "THA01-THA-1", Subtype.INTERNATIONAL, 9)],
    held={
        SERIES: [Held(SERIES, 1, 4, USE), Held(SERIES, 5, 8, HOLDING), Held(SERIES, 9, 9, HOLDING)]
    },
    cases={CASE},
    bookings=[Booking(SWISS, "THA01-THA-1", 1, 9, at(1), at(6))],
)


def points(came: Came, records: list[Record] = RECORDS) -> dict[str, ExamplePoint]:
    return {one.about: one for one in points_of(EXAMPLE, records, came, {CASE})}


def test_what_came_as_expected_agrees() -> None:
    found = points(CAME)
    assert [about for about, point in found.items() if not point.agrees] == []
    told = {about: point.got for about, point in found.items()}
    assert told == {
        "How steps end": "3 completed, 1 refused at home",
        "Findings": "6003 units-frozen",
        "First transfers": "9 units: 9 by moved (first-international-transfer)",
        "Corresponding adjustments": "THA 2022 +9",
        "Units at the end": "4 use of CHE01/CHE; 5 holding of CHE01/CHE",
        "Discrepancies named": "CHE01/CHE 1 to 9, missing",
        "Dates that differ": "CHE01/CHE: 2026-01-06 in the account statement, "
        "2026-01-01 in the log (moved)",
        "Alike, and both count": f"CHE01-CHE-1 at {at(2)}; CHE01-CHE-2 at {at(3)}",
    }


OTHER_CASE = CASE._replace(last=8)

DIFFERENT: dict[str, tuple[str, dict[str, Any]]] = {
    "a first transfer is lost": ("First transfers", {"events": []}),
    "it was another event": (
        "First transfers",
        {"events": [Event("THA01-THA-1", "THA01-THA-1", Subtype.ISSUANCE, 9)]},
    ),
    "it was another step": (
        "First transfers",
        {"events": [Event("THA01-THA-1", "CHE01-CHE-1", Subtype.INTERNATIONAL, 9)]},
    ),
    "nothing is adjusted": (
        "Corresponding adjustments",
        {"entries": CAME.entries | {"THA01-THA-1": []}},
    ),
    "one unit is elsewhere": (
        "Units at the end",
        {"held": {SERIES: [Held(SERIES, 1, 5, USE), Held(SERIES, 6, 9, HOLDING)]}},
    ),
    "a unit is missing": (
        "Units at the end",
        {"held": {SERIES: [Held(SERIES, 1, 4, USE), Held(SERIES, 5, 8, HOLDING)]}},
    ),
    "nothing was named": ("Discrepancies named", {"cases": set[Named]()}),
    "other serials were named": ("Discrepancies named", {"cases": {OTHER_CASE}}),
    "more was named": ("Discrepancies named", {"cases": {CASE, OTHER_CASE}}),
    "the date was not found": ("Dates that differ", {"bookings": []}),
    "another date was found": (
        "Dates that differ",
        {"bookings": [Booking(SWISS, "THA01-THA-1", 1, 9, at(1), at(5))]},
    ),
    "another actor's date was found as well": (
        "Dates that differ",
        {"bookings": [*CAME.bookings, CAME.bookings[0]._replace(actor=Actor("THA01/THA"))]},
    ),
    "one of two that are alike is dropped": (
        "Alike, and both count",
        {"entries": CAME.entries | {"CHE01-CHE-2": []}},
    ),
    "the two have one time": (
        "Alike, and both count",
        {"entries": CAME.entries | {"CHE01-CHE-2": [entry(3, 2)]}},
    ),
    "the two are not alike": (
        "Alike, and both count",
        {"proposals": CAME.proposals | {"CHE01-CHE-2": proposal(8, 3)}},
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_point_differs_when(name: str) -> None:
    about, changed = DIFFERENT[name]
    found = points(replace(CAME, **changed))
    assert [one for one, point in found.items() if not point.agrees] == [about]
    assert found[about].got != found[about].expected


def test_first_transfers_that_are_many_and_alike_are_counted() -> None:
    events = [Event(f"THA01-THA-{n}", f"THA01-THA-{n}", Subtype.INTERNATIONAL, 9) for n in range(9)]
    records = [replace(RECORDS[0], transaction=one.transaction) for one in events]
    steps = [record.step.model_copy(update={"name": f"s{n}"}) for n, record in enumerate(records)]
    records = [replace(record, step=step) for record, step in zip(records, steps, strict=True)]
    got = points(replace(CAME, events=events), records)["First transfers"].got
    assert got == "81 units: 9 times 9 (first-international-transfer)"
    got = points(replace(CAME, events=events[:2]), records)["First transfers"].got
    assert got == "18 units: 9 by s0 and by s1 (first-international-transfer)"


def test_where_units_are_is_told_to_the_serial_if_it_differs() -> None:
    _, changed = DIFFERENT["one unit is elsewhere"]
    got = points(replace(CAME, **changed))["Units at the end"].got
    assert got.endswith(f"; {SERIES} 1-5 in {USE}; {SERIES} 6-9 in {HOLDING}")


ENDS = {
    "a step ends otherwise": (0, "expired", "", ["How steps end"]),
    "it is refused for another reason": (3, "refused-at-home", "6002 units-final", ["Findings"]),
    "it is not refused": (3, "completed", "", ["How steps end", "Findings"]),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_point_about_steps_differs_when(name: str) -> None:
    number, state, detail, expected = ENDS[name]
    records = list(RECORDS)
    records[number] = replace(records[number], state=state, detail=detail)
    found = points(CAME, records)
    assert [about for about, point in found.items() if not point.agrees] == expected
