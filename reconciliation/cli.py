# SPDX-License-Identifier: Apache-2.0
"""`a6hub reconcile`: the reconciliation service's daemon and its operator's reports."""

import asyncio
import csv
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from html import escape
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import typer
from pydantic import Field, field_validator

from reconciliation import report
from reconciliation.case_verbs import add_case_verbs
from reconciliation.examine import ReconcilerSettings
from reconciliation.program import Reconciler
from reconciliation.proof_verbs import add_proof_verb
from runtime.errors import LocalProtocolError
from runtime.keys import Keyring
from runtime.schema import open_database
from runtime.settings import DaemonSettings, load_settings
from runtime.store import Session
from runtime.verbs import Settings, add_verbs, guarded, say_none
from schemas.directory import SignedAct
from schemas.identifiers import REC, Digest, Participant

__all__ = ["ReconcileDaemonSettings", "app"]


class ReconcileDaemonSettings(DaemonSettings):
    """The reconciliation service's settings."""

    program: ClassVar[type[Reconciler]] = Reconciler

    trust_root: Digest | None = None
    """The digest of the log's first entry, told by other means than the hub. A log that begins with
    another one is not followed. Without it, the genesis act alone says which log this is."""
    inquiry_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """How long an answer is waited for before the question is asked again."""
    overdue_seconds: Annotated[float, Field(gt=0, le=30 * 24 * 3600)] = 300.0
    """How long an actor that differs may leave a question open before that is a case."""
    silent_seconds: Annotated[float, Field(ge=600, le=30 * 24 * 3600)] = 86400.0
    """How long an actor may state nothing before that is a case; ten hub heartbeats at least."""
    freeze: bool = True
    """Whether the units of an open case are frozen on the stating actor's own side."""

    @field_validator("participant")
    @classmethod
    def _the_service(cls, participant: Participant) -> Participant:
        if participant != REC:
            raise ValueError(
                f"the reconciliation service's is REC; these settings are {participant}'s"
            )
        return participant


app = typer.Typer(help="The reconciliation service.", no_args_is_help=True)


def _build(settings: ReconcileDaemonSettings, keyring: Keyring) -> Reconciler:
    if settings.genesis is None:
        raise LocalProtocolError("settings: genesis is missing; it says which log this is")
    return Reconciler(
        SignedAct.model_validate_json(settings.genesis.read_text(encoding="utf-8")),
        keyring,
        ReconcilerSettings(
            inquiry_seconds=settings.inquiry_seconds,
            overdue_seconds=settings.overdue_seconds,
            silent_seconds=settings.silent_seconds,
            freeze=settings.freeze,
            trust_root=settings.trust_root,
        ),
    )


add_verbs(app, ReconcileDaemonSettings, _build)

add_case_verbs(app, ReconcileDaemonSettings)

add_proof_verb(app, ReconcileDaemonSettings)


class Format(StrEnum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


Form = Annotated[Format, typer.Option("--format", help="For people, for programs, for a browser.")]


@app.command("discrepancies")
def discrepancies(settings: Settings, form: Form = Format.TEXT) -> None:
    """List the cases: which units of whom differ from the log, and why."""
    _show(settings, report.discrepancies, report.Discrepancy, form)


@app.command("told")
def told(settings: Settings, form: Form = Format.TEXT) -> None:
    """List who was told of which case, and the signed statement that acknowledges it."""
    _show(settings, report.told, report.Told, form)


@app.command("positions")
def positions(settings: Settings, form: Form = Format.TEXT) -> None:
    """List how far each actor has applied the log, and whether its rows agree."""
    _show(settings, report.positions, report.ActorPosition, form)


@app.command("totals")
def totals(settings: Settings, form: Form = Format.TEXT) -> None:
    """List the sums by key and kind that differ."""
    _show(settings, report.totals, report.DifferingTotal, form)


@app.command("alarms")
def alarms(settings: Settings, form: Form = Format.TEXT) -> None:
    """List what the hub said and cannot be true of one log."""
    _show(settings, report.alarms, report.AlarmRow, form)


@app.command("head")
def head(settings: Settings, form: Form = Format.TEXT) -> None:
    """Show the log's size and root, by the entries that came here."""
    _show(settings, report.head, report.LogHead, form)


def _show(
    settings: Path,
    query: Callable[[Session], Awaitable[Sequence[NamedTuple]]],
    kind: type[NamedTuple],
    form: Format,
) -> None:
    """Write a report; `kind` has its columns, which are there even where there are no rows."""

    async def read() -> Sequence[NamedTuple]:
        async with (
            open_database(load_settings(ReconcileDaemonSettings, settings)) as store,
            store.snapshot() as session,
        ):
            return await query(session)

    rows = [_plain(row) for row in guarded(lambda: asyncio.run(read()))]
    match form:
        case Format.JSON:
            typer.echo(json.dumps(rows, indent=2))
        case Format.CSV:
            writer = csv.DictWriter(sys.stdout, fieldnames=kind._fields)
            writer.writeheader()
            writer.writerows(rows)
        case Format.HTML:
            typer.echo(_page(query.__name__, kind._fields, rows))
        case Format.TEXT:
            for row in rows:
                typer.echo("  ".join(f"{value}" for value in row.values() if value is not None))
            if not rows:
                say_none()


def _page(title: str, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """One self-contained page with a table."""
    heads = "".join(f"<th>{escape(name)}</th>" for name in columns)
    lines = "".join(
        "<tr>"
        + "".join(f"<td>{'' if v is None else escape(str(v))}</td>" for v in row.values())
        + "</tr>\n"
        for row in rows
    )
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>\n'
        "<style>body{font-family:sans-serif}table{border-collapse:collapse}"
        "td,th{border:1px solid #999;padding:.2em .5em;text-align:left;vertical-align:top}"
        "</style>\n"
        f"<h1>{escape(title)}</h1>\n<table>\n<tr>{heads}</tr>\n{lines}</table>\n</html>"
    )


def _plain(row: NamedTuple) -> dict[str, Any]:
    values = row._asdict()
    return {
        name: value if isinstance(value, int | bool) or value is None else str(value)
        for name, value in values.items()
    }
