# SPDX-License-Identifier: Apache-2.0
"""What the commands `party`, `international` and `mechanism` have in common.

Each has a settings model of its own, which refuses the settings of another kind of registry.
"""

from typing import Annotated, ClassVar

import typer
from pydantic import Field, field_validator
from sqlalchemy import select

from ledger.adjustments import NdcPeriod, check_periods
from registry import tables
from registry.adjustment_verbs import add_adjustment_verbs
from registry.cases import add_cases_verb
from registry.entity_verbs import add_entity_verbs
from registry.halt_verbs import add_halt_verbs
from registry.initial_reports import InitialReports, WithoutReport
from registry.program import Registry, RegistrySettings
from registry.tracing import add_trace_verb
from runtime.errors import LocalProtocolError
from runtime.keys import Keyring
from runtime.listing import Form, FormOption, write_list
from runtime.rules_settings import RulesSettings
from runtime.stopped import add_stopped_verb
from runtime.tables import blocks
from runtime.verbs import (
    TRANSACTION_COLUMNS,
    Most,
    Settings,
    add_verbs,
    read_rows,
    transactions_listed,
)
from schemas.directory import SignedAct
from schemas.identifiers import HUB, REC, ApproachId, Digest, Participant

__all__ = ["RegistryDaemonSettings", "build_registry", "genesis_of", "registry_app"]

HOLDING_COLUMNS = ("account", "key", "first", "last", "quantity", "entity")


class RegistryDaemonSettings(RulesSettings):
    """A registry's settings."""

    program: ClassVar[type[Registry]] = Registry

    trust_root: Digest | None = None
    """The digest of the log's first entry, told by other means than the hub. A log that begins with
    another one is not followed. Without it, the genesis act alone says which log this is."""
    accept: bool = True
    """Whether clearances are accepted at once, or wait for an operator's `accept` or `reject`."""
    scrub_seconds: Annotated[float, Field(ge=60, le=30 * 24 * 3600)] = 86400.0
    """Within so many seconds all holdings trees are hashed again from the rows, share by share."""
    majority_seconds: Annotated[float, Field(ge=60, le=30 * 24 * 3600)] = 3600.0
    """Heads of the log that a majority of the participants has not cosigned for so many seconds are
    told as `majority_missing`."""
    ndc_periods: tuple[NdcPeriod, ...] = ()
    """NDC periods of Parties: party, first_year, last_year, method (trajectory, averaging), target
    (single-year, multi-year), levies (true, false); see corresponding adjustments."""
    initial_reports: tuple[ApproachId, ...] = ()
    """Cooperative approaches, such as CA0007, that a Party here has an initial report on."""
    without_initial_report: WithoutReport = "tell"
    """What comes of a first transfer under another approach: allow, tell (an event) or refuse."""

    @field_validator("ndc_periods")
    @classmethod
    def _periods_apart(cls, periods: tuple[NdcPeriod, ...]) -> tuple[NdcPeriod, ...]:
        check_periods(periods)
        return periods

    @field_validator("participant")
    @classmethod
    def _a_registry(cls, participant: Participant) -> Participant:
        if participant in {HUB, REC}:
            raise ValueError(f"{participant} is no registry; these settings are another program's")
        return participant


def build_registry(settings: RegistryDaemonSettings, keyring: Keyring) -> Registry:
    """The program that these settings are of; `LocalProtocolError` without a genesis."""
    return settings.program(
        settings.participant,
        settings.actors,
        genesis_of(settings),
        keyring,
        RegistrySettings(
            accept=settings.accept,
            scrub_seconds=settings.scrub_seconds,
            majority_seconds=settings.majority_seconds,
            trust_root=settings.trust_root,
            policy=settings.policy(),
            ndc_periods=settings.ndc_periods,
            initial_reports=InitialReports(
                frozenset(settings.initial_reports), settings.without_initial_report
            ),
        ),
    )


def genesis_of(settings: RegistryDaemonSettings) -> SignedAct:
    """The act that the log must begin with; `LocalProtocolError` where the settings name none."""
    if settings.genesis is None:
        raise LocalProtocolError("settings: genesis is missing; it says which log this is")
    return SignedAct.model_validate_json(settings.genesis.read_text(encoding="utf-8"))


def registry_app(help_text: str, model: type[RegistryDaemonSettings]) -> typer.Typer:
    """The command of one kind of registry."""
    app = typer.Typer(help=help_text, no_args_is_help=True)

    add_verbs(app, model, build_registry)

    add_halt_verbs(app, model)

    add_adjustment_verbs(app, model)

    add_trace_verb(app, model)

    add_entity_verbs(app, model)

    add_stopped_verb(app, model, tables.authorizations)

    add_cases_verb(app, model)

    @app.command("accounts")
    def accounts(settings: Settings, form: FormOption = Form.TEXT) -> None:
        """List the registry's accounts, with the entity of those that are not the Party's own."""
        table = tables.accounts.c
        statement = select(table.number, table.state, table.entity, table.name)
        rows = read_rows(model, settings, statement.order_by(table.number))
        write_list("accounts", ("account", "state", "entity", "name"), rows, form)

    @app.command("holdings")
    def holdings(settings: Settings, form: FormOption = Form.TEXT) -> None:
        """List the blocks held: account, key, first and last serial, quantity, entity."""
        table = blocks.c
        statement = (
            select(table.account, table.key, table.first, table.last, tables.accounts.c.entity)
            .outerjoin(tables.accounts, tables.accounts.c.number == table.account)
            .order_by(table.account, table.series, table.first)
        )
        rows = [
            (account, key, first, last, last - first + 1, entity)
            for account, key, first, last, entity in read_rows(model, settings, statement)
        ]
        write_list("holdings", HOLDING_COLUMNS, rows, form)

    @app.command("transactions")
    def transactions(
        settings: Settings,
        waiting: Annotated[
            bool, typer.Option("--waiting", help="Only those that want an answer of yours.")
        ] = False,
        most: Most = 50,
        form: FormOption = Form.TEXT,
    ) -> None:
        """List transactions, newest first; with --waiting those that want an answer."""
        statement = transactions_listed(tables.transactions).limit(most)
        if waiting:
            statement = statement.where(tables.transactions.c.waiting == 1)
        rows = read_rows(model, settings, statement)
        write_list("transactions", TRANSACTION_COLUMNS, rows, form)

    return app
