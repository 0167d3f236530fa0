# SPDX-License-Identifier: Apache-2.0
"""`a6hub reconcile assign`, `comment`, `explain`, `resolve`, `notes`, `case`: work on cases.

The first four sign a command with the operator's key and put it on the desk, like `order`, which
would do as well. The others read.

Elsewhere: what the commands do (`work`), the other reports (`cli`, `report`).
"""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from reconciliation import past, report, work
from reconciliation.notes import Note, progress_of
from runtime.errors import LocalProtocolError
from runtime.listing import Form, FormOption, write_list
from runtime.schema import open_database
from runtime.settings import DaemonSettings, load_settings
from runtime.verbs import OperatorKey, OperatorName, Settings, carry_out, guarded
from schemas.identifiers import CaseId
from schemas.plain import printable

__all__ = ["add_case_verbs"]

NOTE_COLUMNS = ("at", "operator", "kind", "command", "owner", "due", "text")

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
            typer.echo(printable(f"signing: {words}"))
        _order(model, settings, "resolve", {"case": case, "text": words}, operator, key)

    @app.command("notes")
    def notes(settings: Settings, case: CaseArgument, form: FormOption = Form.TEXT) -> None:
        """Show all that people have written to a case, oldest first."""
        found: list[Note] = guarded(lambda: _notes(model, settings, case))
        rows = [tuple(getattr(note, name) for name in NOTE_COLUMNS) for note in found]
        write_list("notes", NOTE_COLUMNS, rows, form)

    @app.command("case")
    def show_case(settings: Settings, case: CaseArgument, form: FormOption = Form.RECORD) -> None:
        """Show all that is known of one case, each column on a line of its own."""
        found: list[report.Discrepancy] = guarded(lambda: _case(model, settings, case))
        write_list("case", report.Discrepancy._fields, found, form)


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


def _case(model: type[DaemonSettings], settings: Path, case: str) -> list[report.Discrepancy]:
    async def read() -> list[report.Discrepancy]:
        async with (
            open_database(load_settings(model, settings)) as store,
            store.snapshot() as session,
        ):
            return await report.discrepancies(session)

    found = [one for one in asyncio.run(read()) if one.case == case]
    if not found:
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
