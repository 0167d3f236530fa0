# SPDX-License-Identifier: Apache-2.0
"""Tracing an ITMO back to the outcome that it stands for (6/CMA.4 annex I para 4).

From a printed identifier: where the unit is here, which unit it represents, the issuance that
brought that one into being, with request, approval and monitoring period, and every entry about
either. A registry knows what its own actors had a part in. The originating registry, which the
identifier names, knows the issuance; others say so.

Elsewhere: what happens to many units in an account (the table `movements` itself).
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from sqlalchemy import select

from ledger.blocks import Block
from registry import tables
from registry.storage import load_transactions
from runtime.books import load_holdings
from runtime.errors import LocalProtocolError
from runtime.schema import open_database
from runtime.settings import load_settings
from runtime.store import Session
from runtime.verbs import Settings, guarded
from schemas.identifiers import TransactionId
from schemas.messages import IssuanceReferences, Line, Proposal
from schemas.plain import printable
from schemas.units import ItmoIdentifier, Layer

if TYPE_CHECKING:
    from registry.cli import RegistryDaemonSettings

__all__ = ["Step", "Trace", "add_trace_verb", "trace_unit"]


class Step(NamedTuple):
    """An entry about the unit, or about the one that it represents, in this registry's rows."""

    at: str
    position: int
    action: str
    transaction: str
    series: str
    source: str | None
    target: str | None


class Trace(NamedTuple):
    """What a registry knows of one ITMO. `issued` is the transaction of the issuance, if known."""

    identifier: ItmoIdentifier
    held: list[Block]
    represents: str | None
    issued: TransactionId | None
    references: IssuanceReferences | None
    steps: list[Step]


async def trace_unit(session: Session, participant: str, identifier: ItmoIdentifier) -> Trace:
    """Everything about one unit, from one snapshot."""
    series, serial = identifier.key().series, identifier.serial
    below = identifier.key(Layer.UNDERLYING).series
    held = (await load_holdings(session, participant, {(series, serial, serial)})).blocks()
    made = await _made_of(session, below, serial)
    steps = await _steps(session, series, serial)
    if made is not None:
        held += (await load_holdings(session, participant, {(below, made, made)})).blocks()
        steps += await _steps(session, below, made)
    steps.sort(key=lambda step: (step.position, step.series))
    issued = next((step for step in steps if step.action == "issuance"), None)
    proposals = await _proposals(session, [issued.transaction] if issued else [])
    return Trace(
        identifier,
        held,
        _represents(identifier, held, made),
        TransactionId(issued.transaction) if issued else None,
        proposals[0].references if proposals else None,
        steps,
    )


def _represents(identifier: ItmoIdentifier, held: Iterable[Block], made: int | None) -> str | None:
    """The unit below: one of this registry's, or of a programme's, by its serial there."""
    if made is not None:
        return f"{identifier.key(Layer.UNDERLYING).text} {made}"
    for block in held:
        said = block.attributes
        if block.key.layer is Layer.ITMO and said.underlying_offset is not None:
            return f"{said.underlying_registry} {identifier.serial + said.underlying_offset}"
    return None


async def _made_of(session: Session, below: str, serial: int) -> int | None:
    """The serial of the underlying unit that became the ITMO, if that was here."""
    table = tables.movements
    actions = ("first-transfer", "use", "cancellation")
    asked = select(table.c.conversation).where(table.c.series == below, table.c.action.in_(actions))
    names = {row.conversation for row in await session.execute(asked.distinct())}
    for line in _lines(await _proposals(session, sorted(names))):
        first = line.itmo_first
        if first is None or line.key.series != below:
            continue
        if first <= serial <= first + line.last - line.first:
            return line.first + serial - first
    return None


def _lines(proposals: Iterable[Proposal]) -> Iterator[Line]:
    return (line for proposal in proposals for line in proposal.lines)


async def _proposals(session: Session, names: list[str]) -> list[Proposal]:
    known = (await load_transactions(session, names)).values()
    return [one.proposal for one in known if one.state == "completed" and one.proposal is not None]


async def _steps(session: Session, series: str, serial: int) -> list[Step]:
    """The movements of one unit, in the order of the log."""
    table = tables.movements
    asked = (
        select(table)
        .where(table.c.series == series, table.c.first <= serial, table.c.last >= serial)
        .order_by(table.c.position, table.c.effect)
    )
    return [
        Step(
            row.at,
            row.position,
            row.action or "",
            row.conversation,
            row.series,
            row.source,
            row.target,
        )
        for row in await session.execute(asked)
    ]


# --- the verb -----------------------------------------------------------------------------------


def add_trace_verb(app: typer.Typer, model: "type[RegistryDaemonSettings]") -> None:
    """Add `trace` to a registry's command."""

    @app.command("trace")
    def trace(
        settings: Settings,
        identifier: Annotated[str, typer.Argument(help="As CA0007-GHA01-GHA-17-2023.")],
    ) -> None:
        """Trace an ITMO to the unit that it represents, its issuance and its monitoring period."""

        async def work() -> Trace:
            loaded = load_settings(model, settings)
            try:
                one = ItmoIdentifier.parse(identifier)
            except ValueError as error:
                raise LocalProtocolError(str(error)) from None
            async with open_database(loaded) as store, store.snapshot() as session:
                return await trace_unit(session, loaded.participant, one)

        found: Trace = guarded(lambda: asyncio.run(work()))
        for line in _words(found):
            typer.echo(printable(line))


def _words(found: Trace) -> Iterator[str]:
    one, references = found.identifier, found.references
    yield str(one)
    yield (
        f"  cooperative approach {one.approach}, originating registry {one.registry}, "
        f"first transferring Party {one.party}, vintage {one.vintage}"
    )
    for block in found.held:
        activity = f", activity {block.key.activity}" if block.key.activity else ""
        mark = f", {block.attributes.use.words}" if block.attributes.use else ""
        yield f"  {block.key.layer} in {block.position.account}{activity}{mark}"
    if not found.held:
        yield "  not in this registry"
    if found.represents:
        yield f"  represents {found.represents}"
    back = next((step for step in found.steps if step.action == "counter-entry"), None)
    if back is not None:
        yield f"  first-transferred no longer, by the counter-entry {back.transaction}"
    if references is None:
        yield f"  its issuance is not known here; ask {one.registry}"
    else:
        yield (
            f"  issued by {found.issued}: request {references.request}, "
            f"approval {references.approval} of {references.approved_quantity}"
        )
        period = (references.monitoring_from, references.monitoring_to)
        if any(period):
            yield f"  monitored from {period[0] or '…'} to {period[1] or '…'}"
    for step in found.steps:
        way = f"from {step.source} to {step.target}" if step.source else f"into {step.target}"
        if step.source == step.target:
            way = f"marked in {step.target}"
        yield f"  {step.at} {step.position} {step.action} {step.transaction} {way}"
