# SPDX-License-Identifier: Apache-2.0
"""Edits of rows behind a running program's back, and what the reconciliation must say of each.

Every edit is one statement in SQL, as somebody with the database's password would write it. The
same ones are tried on both databases, against the Swiss ledger as `Federation.establish` leaves it:
ITMOs 1 to 100 of Ghana in one holding account.
"""

import json
from typing import Any, NamedTuple

from ledger import tree
from schemas.identifiers import Actor, Participant
from tests.cast import CHE, A, I, account
from tests.federation import Federation

__all__ = ["EDITS", "Edit", "named", "plant"]

ROW = "actor = 'CHE01/CHE' and series = :series and first = 1"
Named = tuple[str, str, int, int, str]


class Edit(NamedTuple):
    """A statement, its values, and the cases that must come of it: key, serials, cause. `before`
    is another statement that the database wants first.
    """

    sql: str
    values: dict[str, Any]
    cases: set[tuple[str, int, int, str]]
    before: str | None = None


def _insert(key: Any, first: int, last: int, attributes: str) -> Edit:
    sql = (
        "insert into blocks "
        "(book, series, first, last, key, slot, attributes, actor, kind, account) values "
        "('CHE01', :series, :first, :last, :key, :slot, :attributes, 'CHE01/CHE', 'holding', "
        ":account)"
    )
    values = {
        "series": key.series,
        "first": first,
        "last": last,
        "key": key.text,
        "slot": tree.slot(key.text),
        "attributes": attributes,
        "account": str(account(CHE)),
    }
    cause = "held-twice" if key == A else "held-without-issuance"
    known = "insert into keys (key, series, slot) values (:key, :series, :slot)"
    return Edit(sql, values, {(key.text, first, last, cause)}, known if key == A else None)


def _update(what: str, *cases: tuple[int, int, str], **values: Any) -> Edit:
    sql = f"update blocks set {what} where {ROW}"
    return Edit(sql, {"series": I.series, **values}, {(I.text, *case) for case in cases})


MARKS = json.dumps(
    {
        "metric": "GHG",
        "unit": None,
        "mitigation": "Removals",
        "designation": None,
        "authorization": {"id": "GH-1", "version": 1},
        "first_transferred": True,
        "underlying_registry": "GHA01",
        "underlying_offset": 0,
        "use": None,
    },
    separators=(",", ":"),
)
OTHER = account(CHE, number=2)
GHANA = account(Actor("GHA01/GHA"))
EDITS: dict[str, Edit] = {
    "one unit too many": _update("last = 101", (101, 101, "held-without-issuance")),
    "the last serial is raised": _update("last = 144", (101, 144, "held-without-issuance")),
    "the last serial is lowered": _update("last = 90", (91, 100, "missing")),
    "the first serial is raised": _update("first = 41", (1, 40, "missing")),
    "the row is shifted": _update(
        "first = 31, last = 130", (1, 30, "missing"), (101, 130, "held-without-issuance")
    ),
    "the row is deleted": Edit(
        f"delete from blocks where {ROW}", {"series": I.series}, {(I.text, 1, 100, "missing")}
    ),
    "a row of units that nobody issued is added": _insert(I, 501, 600, MARKS),
    "a row of another actor's units is added": _insert(A, 1, 10, MARKS),
    "the attributes are changed": _update(
        "attributes = :marks", (1, 100, "attributes-differ"), marks=MARKS
    ),
    "the attributes are made nonsense": _update(
        "attributes = :marks", (1, 100, "attributes-differ"), marks="nonsense"
    ),
    "the account is changed": _update(
        "account = :other", (1, 100, "position-differs"), other=str(OTHER)
    ),
    "the account is made nonsense": _update(
        "account = :other", (1, 100, "position-differs"), other="CHE01-CHE-HLD-1-99"
    ),
    "the key is made nonsense": Edit(
        f"update blocks set key = 'nonsense' where {ROW}",
        {"series": I.series, "slot": tree.slot(I.text)},
        {(I.text, 1, 100, "missing")},
        "insert into keys (key, series, slot) values ('nonsense', :series, :slot)",
    ),
    "the row is given to another actor": _update(
        "actor = 'GHA01/GHA', account = :other", (1, 100, "missing"), other=str(GHANA)
    ),
    "a used unit is made a held one": _update(
        "kind = 'use', account = :other",
        (1, 100, "position-differs"),
        other=str(account(CHE, "USE")),
    ),
}


async def plant(federation: Federation, edit: Edit) -> None:
    """Carry an edit out on the Swiss database."""
    federation.diverged.add(CHE)
    if edit.before is not None:
        used = {n: v for n, v in edit.values.items() if f":{n}" in edit.before}
        await federation.edit("CHE01", edit.before, **used)
    used = {n: v for n, v in edit.values.items() if f":{n}" in edit.sql}
    await federation.edit("CHE01", edit.sql, **used)


async def named(federation: Federation) -> set[Named]:
    """The cases of the reconciliation service."""
    sql = "select actor, key, first, last, cause from cases"
    return {tuple(row) for row in await federation.rows(Participant("REC"), sql)}
