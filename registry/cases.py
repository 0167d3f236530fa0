# SPDX-License-Identifier: Apache-2.0
"""Cases that concern this registry's actors, theirs and others', as the log has told of them.

The hub's entry about a case comes to the actor that differs and to those whom that concerns (rule
7.13). Applying it freezes units of the first, and nothing of the others. What is to be seen of a
case follows from the entries that were applied, byte for byte as the hub signed them, and no table
is kept of it. That they were applied, and so the case known, is said by the next statement.

Elsewhere: the reconciliation service, which finds and explains differences, and knows who has
acknowledged what.
"""

import asyncio
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from sqlalchemy import select

from registry import tables
from registry.sections import check_section
from registry.state import Delivery
from runtime.journal import kept_lines, said_lines
from runtime.listing import Form, FormOption, write_list
from runtime.schema import open_database
from runtime.settings import load_settings
from runtime.store import Session
from runtime.verbs import Settings, guarded
from schemas.effects import CaseEffect
from schemas.identifiers import ADMINISTRATOR, HUB_ACTOR, Actor, CaseId, Digest, Instant
from schemas.messages import Entry, parse_message

if TYPE_CHECKING:
    from registry.cli import RegistryDaemonSettings

__all__ = ["KnownCase", "add_cases_verb", "load_cases"]


class KnownCase(NamedTuple):
    """A case as the entries about it have it; `told` are our actors that they are addressed to, and
    `position` is that of the newest. An explanation stays when the case is closed.
    """

    newest: CaseEffect
    told: tuple[Actor, ...]
    position: int
    opened_at: Instant
    explained_at: Instant | None = None
    closed_at: Instant | None = None
    explanation: str | None = None


async def load_cases(session: Session, actors: tuple[Actor, ...]) -> list[KnownCase]:
    """The cases that these actors were told of, in the order in which they were opened."""
    found: dict[CaseId, KnownCase] = {}
    delivered = await _deliveries(session, actors)
    lines = await _entries(session, [one.digest for one in delivered])
    for one in delivered:
        entry: Entry = parse_message(lines[one.digest]).body
        for effect in entry.effects:
            if isinstance(effect, CaseEffect):
                found[effect.case] = _after(found.get(effect.case), entry, effect, one.actor)
    return list(found.values())


async def _deliveries(session: Session, actors: tuple[Actor, ...]) -> list[Delivery]:
    """What was delivered of cases, in the order of the log; an entry is filed under its case."""
    table = tables.deliveries
    asked = (
        select(table)
        .where(table.c.conversation.like("REC-%"), table.c.actor.in_(actors))
        .order_by(table.c.position, table.c.actor)
    )
    return [
        Delivery(Actor(row.actor), row.number, row.position, Digest(row.digest), row.conversation)
        for row in await session.execute(asked)
    ]


async def _entries(session: Session, digests: list[Digest]) -> dict[Digest, bytes]:
    """The lines of entries, as the hub said them."""
    said = [k for k in await said_lines(session, dict.fromkeys(digests)) if k.author == HUB_ACTOR]
    return {one: line for one, (_, line) in (await kept_lines(session, said)).items()}


def _after(known: KnownCase | None, entry: Entry, effect: CaseEffect, actor: Actor) -> KnownCase:
    """A case after one more delivery of an entry about it."""
    known = known or KnownCase(effect, (), entry.position, entry.at)
    known = known._replace(
        newest=effect,
        told=tuple(dict.fromkeys((*known.told, actor))),
        position=entry.position,
    )
    if effect.state == "explained":
        return known._replace(explained_at=entry.at, explanation=effect.explanation)
    return known._replace(closed_at=entry.at) if effect.state == "closed" else known


# --- the verb -----------------------------------------------------------------------------------


def add_cases_verb(app: typer.Typer, model: "type[RegistryDaemonSettings]") -> None:
    """Add `cases` to a registry's command."""

    @app.command("cases")
    def cases(
        settings: Settings,
        section: Annotated[
            str | None, typer.Option(help="Only what concerns this section, such as GHA.")
        ] = None,
        *,
        only_open: Annotated[
            bool, typer.Option("--open", help="Only those that are not closed.")
        ] = False,
        form: FormOption = Form.TEXT,
    ) -> None:
        """List the cases that concern this registry: who differs where, why, and how it stands."""

        async def work() -> list[KnownCase]:
            loaded = load_settings(model, settings)
            if section not in {None, ADMINISTRATOR}:
                check_section(loaded.participant, loaded.actors, section)
            actors = tuple(a for a in loaded.actors if section in {None, a.section})
            async with open_database(loaded) as store, store.snapshot() as session:
                return await load_cases(session, actors)

        found = [c for c in guarded(lambda: asyncio.run(work())) if c.newest.open or not only_open]
        write_list("cases", _Listed._fields, [_Listed.of(one) for one in found], form, SHORT)


class _Listed(NamedTuple):
    """A case as it is listed: `told` are our actors, `told_elsewhere` all others that were."""

    case: str
    state: str
    cause: str
    actor: str
    key: str
    first: int
    last: int
    quantity: int
    told: tuple[str, ...]
    told_elsewhere: tuple[str, ...]
    opened_at: str
    explained_at: str | None
    closed_at: str | None
    explanation: str | None

    @classmethod
    def of(cls, one: KnownCase) -> "_Listed":
        case = one.newest
        return cls(
            case.case,
            case.state,
            case.cause,
            case.actor,
            case.key.text,
            case.first,
            case.last,
            case.quantity,
            one.told,
            tuple(actor for actor in (case.actor, *case.concerned) if actor not in one.told),
            one.opened_at,
            one.explained_at,
            one.closed_at,
            one.explanation,
        )


SHORT = ("case", "state", "cause", "actor", "key", "first", "last", "opened_at", "explanation")
