# SPDX-License-Identifier: Apache-2.0
"""The operator's verbs that every program's command has: run, migrate, order, dead letters.

Each program adds its own. Nothing here writes ledger tables: what changes something is a signed
command for the desk, and the program's one writer carries it out.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import select

from runtime.clock import Ids, SystemClock
from runtime.daemon import run_daemon
from runtime.errors import A6HubError, LocalProtocolError
from runtime.keys import Keyring, load_private
from runtime.orders import submit, write_order
from runtime.program import Program
from runtime.schema import migrate
from runtime.settings import DaemonSettings, load_settings, secret
from runtime.store import Store, open_store
from runtime.tables import dead_letters, desk, sequences
from schemas import jws
from schemas.identifiers import Participant

__all__ = [
    "OperatorKey",
    "OperatorName",
    "Settings",
    "add_verbs",
    "give_order",
    "guarded",
    "show_rows",
]

Settings = Annotated[Path, typer.Option("--settings", help="The program's settings file.")]
OperatorName = Annotated[str, typer.Option("--operator", help="Your name in the settings.")]
OperatorKey = Annotated[Path, typer.Option("--key", help="Your private key, a PEM file.")]


def guarded(action: Callable[[], Any]) -> Any:
    """Run an action; what an operator can mend is one line on standard error and exit status 2."""
    try:
        return action()
    except (A6HubError, ValueError, OSError) as error:
        typer.echo(f"a6hub: {error}", err=True)
        raise typer.Exit(2) from None


def add_verbs(
    app: typer.Typer,
    model: type[DaemonSettings],
    packages: Sequence[str],
    build: Callable[[Any, Keyring], Program],
) -> None:
    """Add the common verbs to a program's command."""

    @app.command("run")
    def run(settings: Settings) -> None:
        """Run the daemon until SIGTERM or SIGINT."""
        loaded = guarded(lambda: load_settings(model, settings))
        raise typer.Exit(run_daemon(loaded, lambda keyring: build(loaded, keyring)))

    @app.command("migrate")
    def migrate_database(settings: Settings) -> None:
        """Bring the database to the schema of this version."""

        def work() -> None:
            loaded = load_settings(model, settings)
            asyncio.run(migrate(secret(loaded.database_file), packages))
            typer.echo("the database is up to date")

        guarded(work)

    @app.command("order")
    def order(
        settings: Settings,
        operator: OperatorName,
        key: OperatorKey,
        command: Annotated[str, typer.Argument(help="The command's name.")],
        arguments: Annotated[str, typer.Argument(help="Its arguments as JSON, or @file.")] = "{}",
        wait: Annotated[float, typer.Option(help="Seconds to wait for the result.")] = 30.0,
    ) -> None:
        """Give the running program a signed command and show its result."""
        text = arguments
        if arguments.startswith("@"):
            text = guarded(lambda: Path(arguments[1:]).read_text(encoding="utf-8"))

        async def work() -> tuple[bool, str]:
            loaded = load_settings(model, settings)
            store = open_store(secret(loaded.database_file))
            try:
                return await give_order(
                    store, loaded.participant, command, json.loads(text), operator, key, wait
                )
            finally:
                await store.close()

        done, result = guarded(lambda: asyncio.run(work()))
        typer.echo(result)
        if not done:
            raise typer.Exit(1)

    @app.command("sequences")
    def list_sequences(settings: Settings) -> None:
        """List the last sequence of each sender to each recipient, as this program knows it."""
        statement = select(sequences).order_by(sequences.c.sender, sequences.c.recipient)
        for row in show_rows(model, settings, statement):
            typer.echo(f"{row.sender}  {row.recipient}  {row.last}")

    letters = typer.Typer(help="Dead letters: what was not taken, and why.", no_args_is_help=True)
    app.add_typer(letters, name="letters")
    _add_letters(letters, model)


async def give_order(
    store: Store,
    participant: Participant,
    command: str,
    arguments: Any,
    operator: str,
    key: Path,
    wait: float,
) -> tuple[bool, str]:
    """Sign a command, put it into the desk inbox and wait for what becomes of it."""
    if not isinstance(arguments, dict):
        raise LocalProtocolError("the arguments are a JSON object")
    signer = jws.SoftwareSigner(load_private(key))
    now = SystemClock().now()
    line, signature = write_order(participant, command, arguments, operator, signer, now, Ids())
    async with store.transaction() as session:
        number = await submit(session, line, signature, now)
    end = asyncio.get_running_loop().time() + wait
    while True:
        async with store.snapshot() as session:
            row = (await session.execute(select(desk).where(desk.c.id == number))).one()
        if row.state != "open":
            return row.state == "done", row.result or ""
        if asyncio.get_running_loop().time() > end:
            return False, f"command {number} waits at the desk; is the program running?"
        await asyncio.sleep(0.1)


def _add_letters(app: typer.Typer, model: type[DaemonSettings]) -> None:
    @app.command("list")
    def list_letters(settings: Settings, state: str = "open") -> None:
        """List dead letters: number, time, claimed sender, code, reason."""
        statement = select(dead_letters).where(dead_letters.c.state == state)
        for row in show_rows(model, settings, statement.order_by(dead_letters.c.id)):
            sender = row.claimed_sender or "unknown"
            typer.echo(f"{row.id}  {row.received_at}  {sender}  {row.code} {row.reason}")

    @app.command("show")
    def show_letter(settings: Settings, number: int) -> None:
        """Show one dead letter whole."""
        statement = select(dead_letters).where(dead_letters.c.id == number)
        for row in show_rows(model, settings, statement):
            typer.echo(f"{row.code} {row.reason}: {row.detail}\nstate: {row.state}\n")
            typer.echo(bytes(row.body).decode("utf-8", "backslashreplace"))

    for name, text in (
        ("replay", "Hand a dead letter to the program once more."),
        ("discard", "Put a dead letter aside for good; it stays readable."),
    ):
        _add_letter_order(app, model, name, text)


def _add_letter_order(app: typer.Typer, model: type[DaemonSettings], name: str, text: str) -> None:
    @app.command(name, help=text)
    def letter_order(
        settings: Settings, operator: OperatorName, key: OperatorKey, number: int
    ) -> None:
        async def work() -> tuple[bool, str]:
            loaded = load_settings(model, settings)
            store = open_store(secret(loaded.database_file))
            arguments = {"letter": number}
            try:
                return await give_order(
                    store, loaded.participant, name, arguments, operator, key, 30.0
                )
            finally:
                await store.close()

        done, result = guarded(lambda: asyncio.run(work()))
        typer.echo(result)
        if not done:
            raise typer.Exit(1)


def show_rows(model: type[DaemonSettings], settings: Path, statement: Any) -> list[Any]:
    """Rows of a program's database, read in one snapshot."""

    async def work() -> list[Any]:
        store = open_store(secret(load_settings(model, settings).database_file))
        try:
            async with store.snapshot() as session:
                return list(await session.execute(statement))
        finally:
            await store.close()

    rows: list[Any] = guarded(lambda: asyncio.run(work()))
    return rows
