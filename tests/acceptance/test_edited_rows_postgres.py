# SPDX-License-Identifier: Apache-2.0
"""Rows edited behind a running node's back on PostgreSQL, all at once, are named to the serial.

The same federation as on SQLite, in real time. What each edit by itself must give is tried in
`test_federation_edited_rows.py`; here the triggers are PostgreSQL's.
"""

from sqlalchemy import text

from runtime import events
from schemas.identifiers import Participant
from tests.cast import CHE, GHA, I, account, first_transfer
from tests.edits import MARKS, named
from tests.federation import Federation

SWISS = "actor = 'CHE01/CHE' and series = :series and first = :at"
COPY = (
    "insert into blocks select book, series, 801, 840, key, slot, attributes, actor, kind, account "
    f"from blocks where {SWISS}"
)
EDITS: dict[int, tuple[str, tuple[int, int, str]]] = {
    201: (f"update blocks set last = 244 where {SWISS}", (241, 244, "held-without-issuance")),
    301: (f"update blocks set last = 330 where {SWISS}", (331, 340, "missing")),
    401: (f"delete from blocks where {SWISS}", (401, 440, "missing")),
    501: (
        f"update blocks set attributes = :marks where {SWISS}",
        (501, 540, "attributes-differ"),
    ),
    601: (
        f"update blocks set account = '{account(CHE, number=2)}' where {SWISS}",
        (601, 640, "position-differs"),
    ),
    701: (COPY, (801, 840, "held-without-issuance")),
}


async def test_edits_on_postgresql_are_named_within_two_statements(
    on_postgres: Federation,
) -> None:
    federation = on_postgres
    for first in EDITS:
        moved = first_transfer(first, first + 39, first)
        assert await federation.transact(GHA, moved) == "completed"
    await federation.settled()
    federation.diverged.add(CHE)
    federation.logs.clear()
    for first, (sql, _) in EDITS.items():
        values = {"series": I.series, "at": first, "marks": MARKS}
        used = {name: value for name, value in values.items() if f":{name}" in sql}
        await federation.edit("CHE01", sql, **used)
    wanted = {("CHE01/CHE", I.text, *case) for _, case in EDITS.values()}

    async def all_named() -> bool | None:
        return True if await named(federation) >= wanted else None

    await federation.wait(all_named, "the cases")
    assert await named(federation) == wanted
    found = federation.logs.index(federation.logged(events.DISCREPANCY_FOUND)[-1])
    said = federation.logged(events.STATEMENT_MADE, participant="CHE01")
    assert len([one for one in said if federation.logs.index(one) < found]) <= 2
    assert await federation.transact(GHA, first_transfer(901, 940, 901)) == "completed"
    await past_the_triggers(federation)


async def past_the_triggers(federation: Federation) -> None:
    """A row is deleted with the triggers turned off: the scrub finds it within its period."""
    await federation.settled()
    async with federation.store(Participant("CHE01")).transaction() as session:
        for sql in (
            "alter table blocks disable trigger user",
            f"delete from blocks where {SWISS}",
            "alter table blocks enable trigger user",
        ):
            values = {"series": I.series, "at": 901} if ":at" in sql else {}
            await session.execute(text(sql), values)

    async def found() -> bool | None:
        case = ("CHE01/CHE", I.text, 901, 940, "missing")
        return True if case in await named(federation) else None

    await federation.wait(found, "the case", 20)
    assert federation.logged(events.SCRUB_DIFFERED, participant="CHE01", actor=CHE)
