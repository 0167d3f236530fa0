# SPDX-License-Identifier: Apache-2.0
"""`a6hub reconcile assign`, `comment`, `resolve` and `notes`: people's work on cases.

The first three sign a command with the operator's key and put it on the desk, like `order`, which
would do as well. `notes` reads.

Elsewhere: what the commands do (`work`), the other reports (`cli`, `report`).
"""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from reconciliation import past
from reconciliation.notes import progress_of
from runtime.errors import LocalProtocolError
from runtime.settings import DaemonSettings, load_settings, secret
from runtime.store import open_store
from runtime.verbs import OperatorKey, OperatorName, Settings, give_order, guarded
from schemas.identifiers import CaseId

__all__ = ["add_case_verbs"]

CaseArgument = Annotated[str, typer.Argument(help="The case, such as REC-7.")]


def add_case_verbs(app: typer.Typer, model: type[DaemonSettings]) -> None:
    """Add the verbs to the service's command."""

    @app.command("assign")
    def assign(
        settings: Settings,
        operator: OperatorName,
        key: OperatorKey,
        case: CaseArgument,
        owner: Annotated[str | None, typer.Option(help="Who answers for it.")] = None,
        due: Annotated[str | None, typer.Option(help="By when, such as 2026-12-31.")] = None,
    ) -> None:
        """Give a case an owner and a due date, or take them off it."""
        arguments = {"case": case, "owner": owner, "due": due}
        _order(model, settings, "assign", arguments, operator, key)

    @app.command("comment")
    def comment(
        settings: Settings,
        operator: OperatorName,
        key: OperatorKey,
        case: CaseArgument,
        text: Annotated[str, typer.Argument(help="What there is to say.")],
    ) -> None:
        """Write a comment to a case."""
        _order(model, settings, "comment", {"case": case, "text": text}, operator, key)

    @app.command("resolve")
    def resolve(
        settings: Settings,
        operator: OperatorName,
        key: OperatorKey,
        case: CaseArgument,
        text: Annotated[
            str | None,
            typer.Argument(help="The resolution; without it the one that waits for a signature."),
        ] = None,
    ) -> None:
        """Sign the resolution of a case; two operators must sign the same words."""
        words = text if text is not None else guarded(lambda: _waiting(model, settings, case))
        if text is None:
            typer.echo(f"signing: {words}")
        _order(model, settings, "resolve", {"case": case, "text": words}, operator, key)

    @app.command("notes")
    def notes(settings: Settings, case: CaseArgument) -> None:
        """Show all that people have written to a case, oldest first."""
        for note in guarded(lambda: _notes(model, settings, case)):
            what = note.text or f"{note.owner or 'nobody'}'s, due {note.due or 'at no time'}"
            typer.echo(f"{note.at}  {note.operator}  {note.kind}  command {note.command}  {what}")


def _notes(model: type[DaemonSettings], settings: Path, case: str) -> Any:
    async def work() -> Any:
        store = open_store(secret(load_settings(model, settings).database_file))
        try:
            async with store.snapshot() as session:
                return (await past.load_notes(session, [case])).get(CaseId(case))
        finally:
            await store.close()

    found = asyncio.run(work())
    if found is None:
        raise LocalProtocolError(f"there is no case {case}")
    return found


def _waiting(model: type[DaemonSettings], settings: Path, case: str) -> str:
    """The resolution that one operator has signed."""
    resolution = progress_of(_notes(model, settings, case)).resolution
    if resolution is None or resolution.holds:
        raise LocalProtocolError(f"no resolution of {case} waits for a signature; give its text")
    return str(resolution.text)


def _order(
    model: type[DaemonSettings],
    settings: Path,
    command: str,
    arguments: dict[str, Any],
    operator: str,
    key: Path,
) -> None:
    async def work() -> tuple[bool, str]:
        loaded = load_settings(model, settings)
        store = open_store(secret(loaded.database_file))
        try:
            return await give_order(
                store, loaded.participant, command, arguments, operator, key, 30.0
            )
        finally:
            await store.close()

    done, result = guarded(lambda: asyncio.run(work()))
    typer.echo(result)
    if not done:
        raise typer.Exit(1)
