# SPDX-License-Identifier: Apache-2.0
"""`a6hub hub`: the hub's daemon and its operator's verbs."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from pydantic import Field
from sqlalchemy import select

from hub import tables
from hub.genesis import begin_log
from hub.program import Hub, HubSettings
from ledger.checks import Policy
from runtime.clock import Ids, SystemClock
from runtime.settings import DaemonSettings, load_settings, secret
from runtime.store import open_store
from runtime.verbs import Settings, add_verbs, guarded, show_rows
from schemas.directory import SignedAct

__all__ = ["HubDaemonSettings", "app"]


class HubDaemonSettings(DaemonSettings):
    """The hub's settings."""

    checkpoint_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Checkpoints are made at most this often while there are new entries."""
    heartbeat_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Everybody is shown a checkpoint at least this often."""
    mechanism: str = "UN01"
    """The mechanism registry's participant."""
    international: list[str] = ["UN02"]
    """Participants that are international registries: their sections do not issue."""
    share_of_proceeds_permille: Annotated[int, Field(ge=0, le=1000)] = 50
    """Share of proceeds of an issuance, in permille, rounded up."""
    omge_permille: Annotated[int, Field(ge=0, le=1000)] = 20
    """Cancellation for overall mitigation, in permille, rounded up."""

    def policy(self) -> Policy:
        """The settings of the rules."""
        return Policy(
            mechanism=self.mechanism,
            international=frozenset(self.international),
            share_of_proceeds_permille=self.share_of_proceeds_permille,
            omge_permille=self.omge_permille,
        )


app = typer.Typer(help="The hub: checks, orders and logs.", no_args_is_help=True)
add_verbs(
    app,
    HubDaemonSettings,
    Hub.packages,
    lambda settings, keyring: Hub(
        keyring,
        HubSettings(
            checkpoint_seconds=settings.checkpoint_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            policy=settings.policy(),
        ),
    ),
)


@app.command("begin")
def begin(
    settings: Settings,
    genesis: Annotated[Path, typer.Argument(help="The genesis act, signed by everybody.")],
) -> None:
    """Begin the log: write entry 0 from a signed genesis act. Done once in a log's life."""

    async def work() -> str:
        loaded = load_settings(HubDaemonSettings, settings)
        signed = SignedAct.model_validate_json(genesis.read_text(encoding="utf-8"))
        store = open_store(secret(loaded.database_file))
        try:
            return await begin_log(store, signed, SystemClock().now(), Ids())
        finally:
            await store.close()

    typer.echo(f"the log begins; trust root {guarded(lambda: asyncio.run(work()))}")


@app.command("transactions")
def transactions(settings: Settings, state: str | None = None, most: int = 50) -> None:
    """List transactions, newest first."""
    table = tables.transactions
    statement = select(table).order_by(table.c.changed_at.desc()).limit(most)
    if state is not None:
        statement = statement.where(table.c.state == state)
    for row in show_rows(HubDaemonSettings, settings, statement):
        to = f" → {row.acquirer}" if row.acquirer else ""
        typer.echo(f"{row.changed_at}  {row.id}  {row.state}  {row.action}  {row.proposer}{to}")
