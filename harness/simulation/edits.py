# SPDX-License-Identifier: Apache-2.0
"""Rows edited behind a running program's back, and set right again.

An edit is one statement, as somebody with the database's password would write it. Setting right is
what an operator does once a case has named the range: the actor's rows become what the log says.

Elsewhere: what the reconciliation must say of it (`invariants`).
"""

import random
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from harness.simulation.world import World
from ledger.tree import slot
from schemas.identifiers import AccountNumber, Actor, account_number
from schemas.units import Key, Position

__all__ = ["edit", "set_right"]

_WHERE = "where actor = :actor and series = :series and first = :first"
_EDITS = {
    "delete": f"delete from blocks {_WHERE}",
    "shrink": f"update blocks set last = last - 1 {_WHERE}",
    "restate": "update blocks set attributes = replace(attributes, "
    f"'Emission reductions', 'Removals') {_WHERE}",
    "move": f"update blocks set account = :account {_WHERE}",
}
_INSERT = text(
    "insert into blocks (book, series, first, last, key, slot, attributes, actor, kind, account) "
    "values (:book, :series, :first, :last, :key, :slot, :attributes, :actor, :kind, :account)"
)
INVENTED = 900_001
"""Where serials begin that nobody issues."""


async def edit(world: World, actor: Actor, dice: random.Random) -> bool:
    """Edit one row of an actor's; False when it has none that would do."""
    async with world.view(actor.participant).transaction() as session:
        found = await session.execute(
            text("select * from blocks where actor = :actor order by series, first"),
            {"actor": str(actor)},
        )
        rows = [dict(row) for row in found.mappings() if row["first"] < INVENTED]
        how = dice.choice((*_EDITS, "invent"))
        rows = [row for row in rows if how != "shrink" or row["last"] > row["first"]]
        if not rows:
            return False
        row = dice.choice(rows)
        if how == "invent":
            taken = await session.execute(
                text("select 1 from blocks where series = :series and last >= :invented"),
                {"series": row["series"], "invented": INVENTED},
            )
            if taken.first() is not None:
                return False
            await session.execute(_INSERT, row | {"first": INVENTED, "last": INVENTED + 4})
            return True
        values: dict[str, Any] = {
            "actor": str(actor),
            "series": row["series"],
            "first": row["first"],
        }
        if how == "move":
            values["account"] = str(account_number(actor, row["account"].split("-")[2], 7))
        await session.execute(text(_EDITS[how]), values)
        return True


async def set_right(
    world: World, actor: Actor, units: Mapping[str, list[tuple[int, int, str, str]]]
) -> None:
    """Make an actor's rows what they should be."""
    async with world.view(actor.participant).transaction() as session:
        await session.execute(
            text("delete from blocks where actor = :actor"), {"actor": str(actor)}
        )
        for key_text, ranges in units.items():
            key = Key.parse(key_text)
            for first, last, account, attributes in ranges:
                await session.execute(
                    _INSERT,
                    {
                        "book": str(actor.participant),
                        "series": key.series,
                        "first": first,
                        "last": last,
                        "key": key.text,
                        "slot": slot(key.text),
                        "attributes": attributes,
                        "actor": str(actor),
                        "kind": str(Position.of(AccountNumber(account)).kind),
                        "account": account,
                    },
                )
