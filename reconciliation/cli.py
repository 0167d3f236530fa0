# SPDX-License-Identifier: Apache-2.0
"""`a6hub reconcile`: the reconciliation service's daemon and its operator's reports."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

import typer
from pydantic import Field, field_validator

from reconciliation import report
from reconciliation.case_verbs import add_case_verbs
from reconciliation.examine import ReconcilerSettings
from reconciliation.program import Reconciler
from reconciliation.proof_verbs import add_proof_verb
from runtime.errors import LocalProtocolError
from runtime.keys import Keyring
from runtime.listing import Form, FormOption, write_list
from runtime.schema import open_database
from runtime.settings import DaemonSettings, load_settings
from runtime.store import Session
from runtime.verbs import Settings, add_verbs, guarded
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


SHORT = {
    "discrepancies": (
        "case",
        "state",
        "cause",
        "actor",
        "key",
        "first",
        "last",
        "opened_at",
        "owner",
        "due",
        "awaited",
    ),
    "told": ("case", "state", "actor", "position", "told_at", "acknowledged_at"),
    "positions": (
        "actor",
        "deliveries",
        "stated",
        "lag",
        "equal",
        "said_at",
        "drilling",
        "open_cases",
    ),
    "totals": ("actor", "key", "kind", "expected", "stated"),
    "alarms": ("at", "kind", "subject", "sequence", "line", "detail"),
}
"""The columns of a report that stand on one line of text. `case` shows all of one."""

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


@app.command("discrepancies")
def discrepancies(settings: Settings, form: FormOption = Form.TEXT) -> None:
    """List the cases: which units of whom differ from the log, and why."""
    _show(settings, report.discrepancies, report.Discrepancy, form)


@app.command("told")
def told(settings: Settings, form: FormOption = Form.TEXT) -> None:
    """List who was told of which case, and the signed statement that acknowledges it."""
    _show(settings, report.told, report.Told, form)


@app.command("positions")
def positions(settings: Settings, form: FormOption = Form.TEXT) -> None:
    """List how far each actor has applied the log, and whether its rows agree."""
    _show(settings, report.positions, report.ActorPosition, form)


@app.command("totals")
def totals(settings: Settings, form: FormOption = Form.TEXT) -> None:
    """List the sums by key and kind that differ."""
    _show(settings, report.totals, report.DifferingTotal, form)


@app.command("alarms")
def alarms(settings: Settings, form: FormOption = Form.TEXT) -> None:
    """List what the hub said and cannot be true of one log."""
    _show(settings, report.alarms, report.AlarmRow, form)


@app.command("head")
def head(settings: Settings, form: FormOption = Form.TEXT) -> None:
    """Show the log's size and root, by the entries that came here."""
    _show(settings, report.head, report.LogHead, form)


def _show(
    settings: Path,
    query: Callable[[Session], Awaitable[Sequence[NamedTuple]]],
    kind: type[NamedTuple],
    form: Form,
) -> None:
    """Write a report; `kind` has its columns."""

    async def read() -> Sequence[NamedTuple]:
        async with (
            open_database(load_settings(ReconcileDaemonSettings, settings)) as store,
            store.snapshot() as session,
        ):
            return await query(session)

    rows = guarded(lambda: asyncio.run(read()))
    write_list(query.__name__, kind._fields, rows, form, SHORT.get(query.__name__, ()))
