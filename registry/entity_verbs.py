# SPDX-License-Identifier: Apache-2.0
"""The verb `entities`: who was identified, whether they stand, and which accounts they have.

Elsewhere: identifying, which is a command at the desk (`identification`).
"""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from sqlalchemy import select

from ledger.asking import Approval, Authorization
from registry import tables
from registry.identification import not_standing
from registry.identified import load_entities, read_identification
from registry.identities import Ending, Identification
from registry.state import Account
from registry.storage import load_all_accounts
from runtime.listing import Form, FormOption, write_list
from runtime.schema import open_database
from runtime.settings import load_settings
from runtime.store import Session
from runtime.verbs import Settings, guarded
from schemas.findings import Finding
from schemas.identifiers import Actor, AuthorizationId, PartyCode

if TYPE_CHECKING:
    from registry.cli import RegistryDaemonSettings

__all__ = ["Listed", "add_entity_verbs", "list_entities"]

COLUMNS = ("actor", "entity", "accounts", "standing", "records")


@dataclass
class _Grounds:
    """What is known of the entities that are listed (`identities.Grounds`)."""

    identified: dict[tuple[Actor, str], Identification] = field(default_factory=dict)
    authorizations: dict[tuple[PartyCode, AuthorizationId], Authorization] = field(
        default_factory=dict
    )
    approvals: dict[tuple[Actor, str], Approval] = field(default_factory=dict)


class Listed(NamedTuple):
    """An entity's records, oldest first, its accounts, and why it does not stand, if so."""

    records: list[Identification]
    accounts: list[Account]
    found: list[Finding]


async def list_entities(session: Session) -> list[Listed]:
    """Everybody who was ever identified, by section and name, from one snapshot."""
    table = tables.identifications
    ordered = select(table).order_by(table.c.actor, table.c.entity, table.c.number)
    records: dict[tuple[Actor, str], list[Identification]] = {}
    for row in await session.execute(ordered):
        name = (Actor(row.actor), row.entity)
        records.setdefault(name, []).append(read_identification(row))
    grounds = _Grounds()
    await load_entities(session, {(str(actor), entity) for actor, entity in records}, (), grounds)
    accounts = sorted((await load_all_accounts(session)).values(), key=lambda one: one.number)
    return [
        Listed(
            found,
            [one for one in accounts if (one.actor, one.entity) == (actor, entity)],
            not_standing(grounds, actor, entity, entity, "entity"),
        )
        for (actor, entity), found in records.items()
    ]


def add_entity_verbs(app: typer.Typer, model: "type[RegistryDaemonSettings]") -> None:
    """Add `entities` to a registry's command."""

    @app.command("entities")
    def entities(settings: Settings, form: FormOption = Form.TEXT) -> None:
        """List the entities that were identified: whether they stand, accounts, all records."""

        async def work() -> list[Listed]:
            async with (
                open_database(load_settings(model, settings)) as store,
                store.snapshot() as session,
            ):
                return await list_entities(session)

        listed: list[Listed] = guarded(lambda: asyncio.run(work()))
        write_list("entities", COLUMNS, [_row(one) for one in listed], form, COLUMNS[:-1])


def _row(one: Listed) -> tuple[Any, ...]:
    """The `COLUMNS` of an entity: whether it stands, or why not, and all records of it."""
    newest = one.records[-1]
    return (
        newest.record.actor,
        newest.record.entity,
        tuple(f"{a.number} {'open' if a.open else 'closed'}" for a in one.accounts),
        tuple(found.detail for found in one.found) or "stands",
        tuple(f"{r.number}: {r.at} by {r.operator}: {_record_words(r)}" for r in one.records),
    )


def _record_words(record: Identification) -> str:
    if isinstance(record.record, Ending):
        return f"ended: {record.record.reason}"
    identity = record.record
    shown = identity.document
    contact = f"; contact {identity.contact}" if identity.contact else ""
    return (
        f"{identity.name}, by {shown.type} {shown.reference} of {shown.authority} "
        f"({shown.country}), {shown.date}; {identity.authorized_by.words}{contact}"
    )
