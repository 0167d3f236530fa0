# SPDX-License-Identifier: Apache-2.0
"""Records of who entities are, out of a registry's database and into it.

Loaded are the newest records of the entities that commands and accounts name, with what they rest
on: whether an entity stands is decided on these.

Elsewhere: what they mean (`identification`), tables and what they refuse (`tables`, migrations).
"""

import json
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import and_, select

from registry import tables
from registry.identification import COMMANDS
from registry.identities import Ending, Grounds, Identification, Identity
from registry.state import Account
from registry.storage import load_approvals, load_authorizations
from runtime.program import Order
from runtime.store import ASKED, Session, asked_text
from schemas.identifiers import Actor, Instant

__all__ = [
    "entities_named",
    "load_entities",
    "load_identifications",
    "read_identification",
    "save_identifications",
]

Names = set[tuple[str, str]]

_table = tables.identifications
_NAMED = (
    select(_table)
    .select_from(ASKED)
    .join(
        _table,
        and_(
            _table.c.actor == asked_text("a"),
            _table.c.entity == asked_text("e"),
        ),
    )
    .order_by(_table.c.number)
)


def entities_named(orders: Iterable[Order], accounts: Iterable[Account]) -> Names:
    """Section and name of the entities that commands name, and whose accounts are looked at."""
    commands = {*COMMANDS, "open-account"}
    named = {
        (str(order.arguments.get("actor")), str(order.arguments.get("entity")))
        for order in orders
        if order.command in commands and order.arguments.get("entity") is not None
    }
    return named | {(str(one.actor), one.entity) for one in accounts if one.entity is not None}


async def load_entities(
    session: Session, names: Names, orders: Iterable[Order], grounds: Grounds
) -> None:
    """The newest records of these entities, with the authorizations and approvals that they, and
    commands to identify, rest on.
    """
    if not names:
        return
    grounds.identified = await load_identifications(session, names)
    resting = [one.identity for one in grounds.identified.values()]
    for order in orders:
        if order.command == "identify":
            with suppress(ValueError):
                resting.append(Identity.model_validate_json(json.dumps(order.arguments)))
    there = [(one.actor.section, one.authorized_by) for one in resting if one is not None]
    authorizations = {(party, g.authorization) for party, g in there if g.authorization is not None}
    grounds.authorizations |= await load_authorizations(session, authorizations)
    approvals = {ground.approval for _, ground in there if ground.approval is not None}
    if approvals:
        grounds.approvals |= await load_approvals(session, approvals)


async def load_identifications(
    session: Session, names: Collection[tuple[str, str]]
) -> dict[tuple[Actor, str], Identification]:
    """The newest record of each of these entities, by section and name."""
    asked = json.dumps([{"a": actor, "e": entity} for actor, entity in sorted(names)])
    rows = await session.execute(_NAMED, {"asked": asked})
    return {(Actor(row.actor), row.entity): read_identification(row) for row in rows}


def read_identification(row: Any) -> Identification:
    """A row as a record."""
    record: Identity | Ending
    if row.identity is not None:
        record = Identity.model_validate_json(row.identity)
    else:
        record = Ending.model_validate_json(row.ending)
    return Identification(record, row.number, row.operator, row.command, Instant(row.recorded_at))


async def save_identifications(session: Session, made: Sequence[Identification]) -> None:
    """Write records, and at once: the database looks for them when an account is written."""
    if made:
        await session.execute(tables.identifications.insert(), [_row(one) for one in made])


def _row(one: Identification) -> dict[str, Any]:
    text = one.record.model_dump_json(exclude_none=True)
    ends = one.identity is None
    return {
        "actor": one.record.actor,
        "entity": one.record.entity,
        "number": one.number,
        "identity": None if ends else text,
        "ending": text if ends else None,
        "operator": one.operator,
        "command": one.command,
        "recorded_at": one.at,
    }
