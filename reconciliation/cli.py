# SPDX-License-Identifier: Apache-2.0
"""`a6hub reconcile`: the reconciliation service's daemon and its operator's reports."""

import asyncio
import csv
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from html import escape
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from pydantic import Field

from reconciliation import report
from reconciliation.case_verbs import add_case_verbs
from reconciliation.examine import ReconcilerSettings
from reconciliation.program import Reconciler
from runtime.errors import LocalProtocolError
from runtime.keys import Keyring
from runtime.settings import DaemonSettings, load_settings, secret
from runtime.store import Session, open_store
from runtime.verbs import Settings, add_verbs, guarded
from schemas.directory import SignedAct

__all__ = ["ReconcileDaemonSettings", "app"]


class ReconcileDaemonSettings(DaemonSettings):
    """The reconciliation service's settings."""

    inquiry_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """How long an answer is waited for before the question is asked again."""
    overdue_seconds: Annotated[float, Field(gt=0, le=30 * 24 * 3600)] = 300.0
    """How long an actor that differs may leave a question open before that is a case."""
    silent_seconds: Annotated[float, Field(ge=600, le=30 * 24 * 3600)] = 86400.0
    """How long an actor may state nothing before that is a case; ten hub heartbeats at least."""
    freeze: bool = True
    """Whether the units of an open case are frozen on the stating actor's own side."""


app = typer.Typer(help="The reconciliation service.", no_args_is_help=True)


def _build(settings: ReconcileDaemonSettings, keyring: Keyring) -> Reconciler:
    if settings.genesis is None:
        raise LocalProtocolError("settings: genesis is missing; it is the trust root")
    return Reconciler(
        SignedAct.model_validate_json(settings.genesis.read_text(encoding="utf-8")),
        keyring,
        ReconcilerSettings(
            inquiry_seconds=settings.inquiry_seconds,
            overdue_seconds=settings.overdue_seconds,
            silent_seconds=settings.silent_seconds,
            freeze=settings.freeze,
        ),
    )


add_verbs(app, ReconcileDaemonSettings, Reconciler.packages, _build)

add_case_verbs(app, ReconcileDaemonSettings)

Form = Annotated[str, typer.Option("--format", help="text, json, csv or html.")]


@app.command("discrepancies")
def discrepancies(settings: Settings, form: Form = "text") -> None:
    """List the cases: which units of whom differ from the log, and why."""
    _show(settings, report.discrepancies, form)


@app.command("positions")
def positions(settings: Settings, form: Form = "text") -> None:
    """List how far each actor has applied the log, and whether its rows agree."""
    _show(settings, report.positions, form)


@app.command("totals")
def totals(settings: Settings, form: Form = "text") -> None:
    """List the sums by key and kind that differ."""
    _show(settings, report.totals, form)


@app.command("alarms")
def alarms(settings: Settings, form: Form = "text") -> None:
    """List what the hub said and cannot be true of one log."""
    _show(settings, report.alarms, form)


def _show(
    settings: Path, query: Callable[[Session], Awaitable[Sequence[NamedTuple]]], form: str
) -> None:
    async def read() -> Sequence[NamedTuple]:
        store = open_store(secret(load_settings(ReconcileDaemonSettings, settings).database_file))
        try:
            async with store.snapshot() as session:
                return await query(session)
        finally:
            await store.close()

    def write() -> None:
        rows = [_plain(row) for row in asyncio.run(read())]
        if form == "json":
            typer.echo(json.dumps(rows, indent=2))
        elif form == "csv" and rows:
            writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        elif form == "text":
            for row in rows:
                typer.echo("  ".join(f"{value}" for value in row.values() if value is not None))
        elif form == "html":
            typer.echo(_page(query.__name__, rows))
        elif form not in {"csv", "json", "text"}:
            raise ValueError(f"--format {form}: one of text, json, csv, html")

    guarded(write)


def _page(title: str, rows: Sequence[dict[str, Any]]) -> str:
    """One self-contained page with a table."""
    heads = "".join(f"<th>{escape(name)}</th>" for name in (rows[0] if rows else ()))
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
