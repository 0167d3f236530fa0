# SPDX-License-Identifier: Apache-2.0
"""Entries reach a registry whose rows have diverged: applied as far as they go, never refused.

The rows are edited while a transfer waits for its answer, so that the entry that completes it meets
rows that cannot carry it. The node goes on, marks what it could not carry as disputed, states its
true rows, and the reconciliation names exactly what differs.
"""

from typing import Any, NamedTuple

import pytest

from runtime import events
from schemas.identifiers import Actor, Participant
from tests.cast import CHE, GHA, HUB, REC, I, U, account, first_transfer, transfer, use
from tests.edits import MARKS
from tests.federation import Federation, Settings

GHANA, SWISS = Participant("GHA01"), Participant("CHE01")
BY_HAND = pytest.mark.parametrize(
    "settings", [Settings(manual=frozenset({SWISS, GHANA}), heartbeat_seconds=5.0)]
)
Case = tuple[str, str, int, int, str]


class Meeting(NamedTuple):
    """An edit of one side's rows, what of the entry it could not carry, and the cases of it."""

    actor: Actor
    edits: list[tuple[str, dict[str, Any]]]
    disputed: set[tuple[str, int, int]]
    cases: set[Case]


def ghana(sql: str, **values: Any) -> list[tuple[str, dict[str, Any]]]:
    where = "where actor = 'GHA01/GHA' and series = :series and first = 101"
    return [(f"{sql} {where}", {"series": U.series, **values})]


def swiss_row(first: int, last: int) -> list[tuple[str, dict[str, Any]]]:
    """A row of units that are on their way is there already."""
    copy = (
        "insert into blocks select book, series, :f, :l, key, slot, :marks, actor, kind, "
        "account from blocks where actor = 'CHE01/CHE' and series = :series and first = 1"
    )
    return [(copy, {"f": first, "l": last, "series": I.series, "marks": MARKS})]


# On the way are 201 to 300 of Ghana's 101 to 1000.
MEETINGS: dict[str, Meeting] = {
    "some of the units are gone": Meeting(
        GHA,
        ghana("update blocks set last = 250"),
        {(U.text, 251, 300)},
        {
            (GHA, U.text, 251, 300, "missing"),
            (GHA, U.text, 301, 1000, "missing"),
        },
    ),
    "all of the units are gone": Meeting(
        GHA,
        ghana("delete from blocks"),
        {(U.text, 201, 300)},
        {
            (GHA, U.text, 101, 200, "missing"),
            (GHA, U.text, 201, 300, "missing"),
            (GHA, U.text, 301, 1000, "missing"),
        },
    ),
    "they are in another account": Meeting(
        GHA,
        ghana("update blocks set account = :other", other=str(account(GHA, number=2))),
        {(U.text, 201, 300)},
        {
            (GHA, U.text, 101, 200, "position-differs"),
            (GHA, U.text, 201, 300, "position-differs"),
            (GHA, U.text, 301, 1000, "position-differs"),
        },
    ),
    "they have other attributes": Meeting(
        GHA,
        ghana("update blocks set attributes = :marks", marks=MARKS),
        {(U.text, 201, 300)},
        {
            (GHA, U.text, 101, 200, "attributes-differ"),
            (GHA, U.text, 301, 1000, "attributes-differ"),
        },
    ),
    "their attributes are nonsense": Meeting(
        GHA,
        ghana("update blocks set attributes = 'nonsense'"),
        {(U.text, 201, 300)},
        {
            (GHA, U.text, 101, 200, "attributes-differ"),
            (GHA, U.text, 301, 1000, "attributes-differ"),
        },
    ),
    "their account is nonsense": Meeting(
        GHA,
        ghana("update blocks set account = 'GHA01-GHA-HLD-1-99'"),
        {(U.text, 201, 300)},
        {
            (GHA, U.text, 101, 200, "position-differs"),
            (GHA, U.text, 201, 300, "position-differs"),
            (GHA, U.text, 301, 1000, "position-differs"),
        },
    ),
    "some of what arrives is there already": Meeting(
        CHE,
        swiss_row(231, 260),
        {(I.text, 231, 260)},
        {(CHE, I.text, 231, 260, "attributes-differ")},
    ),
    "all of what arrives is there already, and more": Meeting(
        CHE,
        swiss_row(191, 310),
        {(I.text, 201, 300)},
        {
            (CHE, I.text, 191, 200, "held-without-issuance"),
            (CHE, I.text, 201, 300, "attributes-differ"),
            (CHE, I.text, 301, 310, "held-without-issuance"),
        },
    ),
}


@BY_HAND
@pytest.mark.parametrize("name", MEETINGS)
async def test_an_entry_is_applied_as_far_as_the_rows_go(federation: Federation, name: str) -> None:
    meeting = MEETINGS[name]
    place = meeting.actor.participant
    await federation.stop(REC)  # nobody notices before the entry comes
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201))
    await federation.reached(transaction, "cleared", SWISS)
    federation.diverged.add(meeting.actor)
    for sql, values in meeting.edits:
        await federation.edit(place, sql, **values)
    await federation.order(SWISS, "accept", transaction=transaction)
    assert await federation.ended(transaction) == "completed"
    for other in (GHANA, SWISS):
        assert await federation.state(transaction, other) == "completed"
    sql = "select key, first, last from overlays where kind = 'disputed'"
    assert {tuple(r) for r in await federation.rows(place, sql)} == meeting.disputed
    assert federation.logged(events.ENTRY_DISPUTED, participant=place)
    await federation.start(REC)
    assert await cases(federation, meeting.cases) == meeting.cases
    assert await federation.state(transaction, place) == "completed"


async def cases(federation: Federation, expected: set[Case]) -> set[Case]:
    """The open cases, once the expected ones are there or nothing more comes."""
    sql = "select actor, key, first, last, cause from cases where state = 'open'"

    async def named() -> set[Case] | None:
        found = {tuple(row) for row in await federation.rows(REC, sql)}
        return found if found >= expected else None

    return await federation.wait(named, f"the cases {expected}")


@BY_HAND
async def test_what_diverged_does_not_stop_what_has_not(federation: Federation) -> None:
    """The frozen range is refused with its case; its neighbours move, in and out."""
    federation.diverged.add(CHE)
    sql = "update blocks set last = 90 where actor = 'CHE01/CHE' and series = :series and first = 1"
    await federation.edit(SWISS, sql, series=I.series)
    found = await cases(federation, {(CHE, I.text, 91, 100, "missing")})
    assert len(found) == 1
    await federation.applied()

    async def frozen() -> bool | None:
        rows = await federation.rows(SWISS, "select 1 from overlays where kind = 'frozen'")
        return True if rows else None

    await federation.wait(frozen, "the freeze")
    assert await federation.transact(CHE, use(I, 1, 40, CHE)) == "completed"
    transaction = await federation.propose(CHE, transfer(I, 41, 50, CHE, GHA))
    await federation.reached(transaction, "cleared", GHANA)
    await federation.order(GHANA, "accept", transaction=transaction)
    assert await federation.ended(transaction) == "completed"
    await federation.settled()
    await federation.stop(SWISS)
    voice = await federation.voice(CHE)
    said = await voice.propose("CHE01-CHE-9", use(I, 81, 95, CHE))
    assert [r.value for r in await voice.reasons(said)] == ["units-frozen"]
    assert await federation.state("CHE01-CHE-9") == "refused"
    await voice.close()
    assert HUB in federation.tasks
