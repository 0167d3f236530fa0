# SPDX-License-Identifier: Apache-2.0
"""`a6hub reconcile assign`, `comment`, `explain`, `resolve` and `notes`: people's work on cases.

The first four sign a command with the operator's key and put it on the desk, like `order`, which
would do as well. `notes` reads.

Elsewhere: what the commands do (`work`), the other reports (`cli`, `report`).
"""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from reconciliation import past, work
from reconciliation.notes import progress_of
from runtime.errors import LocalProtocolError
from runtime.schema import open_database
from runtime.settings import DaemonSettings, load_settings
from runtime.verbs import OperatorKey, OperatorName, Settings, carry_out, guarded, say_none
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

    @app.command("explain")
    def explain(
        settings: Settings,
        operator: OperatorName,
        key: OperatorKey,
        case: CaseArgument,
        text: Annotated[str, typer.Argument(help="Why the ledgers differ; all of them read it.")],
    ) -> None:
        """Say to all whom an open case concerns why the ledgers differ."""
        _order(model, settings, "explain", {"case": case, "text": text}, operator, key)

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
        found = guarded(lambda: _notes(model, settings, case))
        if not found:
            say_none()
        for note in found:
            what = note.text or f"{note.owner or 'nobody'}'s, due {note.due or 'at no time'}"
            typer.echo(f"{note.at}  {note.operator}  {note.kind}  command {note.command}  {what}")


def _notes(model: type[DaemonSettings], settings: Path, case: str) -> Any:
    async def read() -> Any:
        async with (
            open_database(load_settings(model, settings)) as store,
            store.snapshot() as session,
        ):
            return (await past.load_notes(session, [case])).get(CaseId(case))

    found = asyncio.run(read())
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
    guarded(lambda: work.check_arguments(command, arguments))
    carry_out(model, settings, command, arguments, operator, key)
