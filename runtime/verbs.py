# SPDX-License-Identifier: Apache-2.0
"""The operator's verbs that every program's command has: run, migrate, order, dead letters.

Each program adds its own. Nothing here writes ledger tables: what changes something is a signed
command for the desk, and the program's one writer carries it out.
"""

import asyncio
import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from sqlalchemy import Select, Table, select

from runtime.awaiting import with_awaited
from runtime.daemon import run_daemon
from runtime.errors import A6HubError, LocalProtocolError, in_one_line
from runtime.giving import Ending, Given, give_order
from runtime.keys import Keyring
from runtime.listing import Form, FormOption, write_lines, write_list
from runtime.program import Program
from runtime.schema import migrate, open_database
from runtime.settings import DaemonSettings, load_settings, secret
from runtime.tables import NUMBER_MAX, dead_letters, desk, sequences
from schemas.envelope import digest
from schemas.plain import printable

__all__ = [
    "TRANSACTION_COLUMNS",
    "Letter",
    "Most",
    "OperatorKey",
    "OperatorName",
    "Settings",
    "add_verbs",
    "carry_out",
    "guarded",
    "read_rows",
    "transactions_listed",
]

Settings = Annotated[Path, typer.Option("--settings", help="The program's settings file.")]
OperatorName = Annotated[str, typer.Option("--operator", help="Your name in the settings.")]
OperatorKey = Annotated[Path, typer.Option("--key", help="Your private key, a PEM file.")]
Letter = Annotated[
    int,
    typer.Argument(min=1, max=NUMBER_MAX, help="The letter's number, as `letters list` shows it."),
]
Number = Annotated[
    int, typer.Argument(min=1, max=NUMBER_MAX, help="The command's number, as `commands` shows it.")
]
Most = Annotated[int, typer.Option("--most", min=1, max=10**6, help="How many at most.")]

WAIT_SECONDS = 30.0
TRANSACTION_COLUMNS = ("changed_at", "transaction", "state", "action", "proposer", "acquirer")
EXITS = {Ending.REFUSED: 1, Ending.WAITING: 4, Ending.AWAITING: 5}
"""2 and 3 are taken: a wrong command line, a halted daemon. The table is in docs/operating.md."""


class LetterState(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


def guarded(action: Callable[[], Any]) -> Any:
    """Run an action; what an operator can mend is one line on standard error and exit status 2."""
    try:
        return action()
    except (A6HubError, ValueError, OSError) as error:
        typer.echo(printable(f"a6hub: {in_one_line(error)}"), err=True)
        raise typer.Exit(2) from None


def add_verbs(
    app: typer.Typer,
    model: type[DaemonSettings],
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
            asyncio.run(migrate(secret(loaded.database_file), model.program.packages))
            typer.echo("the database is up to date")

        guarded(work)

    @app.command("order")
    def order(
        settings: Settings,
        operator: OperatorName,
        key: OperatorKey,
        command: Annotated[str, typer.Argument(help="The command's name.")],
        arguments: Annotated[str, typer.Argument(help="Its arguments as JSON, or @file.")] = "{}",
        wait: Annotated[
            float, typer.Option(min=0, help="Seconds to wait for the result.")
        ] = WAIT_SECONDS,
    ) -> None:
        """Give the running program a signed command and show its result."""
        members = guarded(lambda: _read_arguments(arguments))
        carry_out(model, settings, command, members, operator, key, wait)

    _add_looks(app, model)

    @app.command("sequences")
    def list_sequences(settings: Settings, form: FormOption = Form.TEXT) -> None:
        """List the last sequence of each sender to each recipient, as this program knows it."""
        table = sequences.c
        statement = select(table.sender, table.recipient, table.last)
        rows = read_rows(model, settings, statement.order_by(table.sender, table.recipient))
        write_list("sequences", ("sender", "recipient", "last"), rows, form)

    letters = typer.Typer(help="Dead letters: what was not taken, and why.", no_args_is_help=True)
    app.add_typer(letters, name="letters")
    _add_letters(letters, model)


def _add_looks(app: typer.Typer, model: type[DaemonSettings]) -> None:
    """What shows the commands at the desk."""

    @app.command("commands")
    def list_commands(
        settings: Settings,
        state: Annotated[Ending | None, typer.Option(help="Only those in this state.")] = None,
        most: Most = 50,
        form: FormOption = Form.TEXT,
    ) -> None:
        """List operators' commands, newest first: time, state, who, what, confirmed by, result."""
        statement = with_awaited().order_by(desk.c.id.desc()).limit(most)
        if state is not None:
            statement = statement.where(desk.c.state == state)
        rows = [_Ordered.of(row) for row in read_rows(model, settings, statement)]
        short = [name for name in _Ordered._fields if name != "confirmed_with"]
        write_list("commands", _Ordered._fields, rows, form, short)

    @app.command("command")
    def show_command(settings: Settings, number: Number) -> None:
        """Show one command whole: line, digest and signature, and who confirmed or declined it."""
        statement = with_awaited().where(desk.c.id == number)
        (row,) = read_rows(model, settings, statement, none=f"no command {number}")
        _show_signed(row)
        if row.since is not None:
            typer.echo(f"given by {row.author}, waits for a second person until {row.until}")
        if row.ending is not None:
            by = f" by {row.person} with command {row.answer}" if row.person else ""
            typer.echo(f"{row.ending}{by} at {row.ended_at}")
        if row.answer is not None:
            for answer in read_rows(model, settings, select(desk).where(desk.c.id == row.answer)):
                _show_signed(answer)


def carry_out(
    model: type[DaemonSettings],
    settings: Path,
    command: str,
    arguments: dict[str, Any],
    operator: str,
    key: Path,
    wait: float = WAIT_SECONDS,
) -> None:
    """Give the running program a command, show what came of it, and end with its exit status."""
    given: Given = guarded(
        lambda: asyncio.run(give_order(model, settings, command, arguments, operator, key, wait))
    )
    write_lines(given.text, err=given.ending is Ending.WAITING)
    if given.ending is not Ending.DONE:
        raise typer.Exit(EXITS[given.ending])


def _add_letters(app: typer.Typer, model: type[DaemonSettings]) -> None:
    @app.command("list")
    def list_letters(
        settings: Settings,
        state: Annotated[
            LetterState, typer.Option(help="Those that wait, were replayed, or put aside.")
        ] = LetterState.OPEN,
        form: FormOption = Form.TEXT,
    ) -> None:
        """List dead letters: number, time, claimed sender, code, reason."""
        table = dead_letters.c
        columns = (table.id, table.received_at, table.claimed_sender, table.code, table.reason)
        statement = select(*columns).where(table.state == state).order_by(table.id)
        heads = ("letter", *(column.name for column in columns[1:]))
        write_list("letters", heads, read_rows(model, settings, statement), form)

    @app.command("show")
    def show_letter(settings: Settings, number: Letter) -> None:
        """Show one dead letter whole."""
        statement = select(dead_letters).where(dead_letters.c.id == number)
        for row in read_rows(model, settings, statement, none=f"no letter {number}"):
            typer.echo(printable(f"{row.code} {row.reason}: {row.detail}"))
            typer.echo(f"state: {row.state}\n")
            write_lines(bytes(row.body).decode("utf-8", "backslashreplace"))

    for name, text in (
        ("replay", "Hand a dead letter to the program once more."),
        ("discard", "Put a dead letter aside for good; it stays readable."),
    ):
        _add_letter_order(app, model, name, text)


def _add_letter_order(app: typer.Typer, model: type[DaemonSettings], name: str, text: str) -> None:
    @app.command(name, help=text)
    def letter_order(
        settings: Settings, operator: OperatorName, key: OperatorKey, number: Letter
    ) -> None:
        carry_out(model, settings, name, {"letter": number}, operator, key)


def read_rows(
    model: type[DaemonSettings], settings: Path, statement: Any, none: str | None = None
) -> list[Any]:
    """Rows of a program's database, read in one snapshot. With `none`, it is an error that there
    are none, and these words say so.
    """

    async def work() -> list[Any]:
        async with (
            open_database(load_settings(model, settings)) as store,
            store.snapshot() as session,
        ):
            return list(await session.execute(statement))

    def read() -> list[Any]:
        rows = asyncio.run(work())
        if not rows and none is not None:
            raise LocalProtocolError(none)
        return rows

    rows: list[Any] = guarded(read)
    return rows


def transactions_listed(table: Table) -> Select[Any]:
    """The `TRANSACTION_COLUMNS` of a hub's or a registry's table, newest change first."""
    c = table.c
    columns = (c.changed_at, c.id, c.state, c.action, c.proposer, c.acquirer)
    return select(*columns).order_by(c.changed_at.desc())


class _Ordered(NamedTuple):
    """A command at the desk as it is listed; `confirmed_with` is the number of the one by which
    `confirmed_by` did so.
    """

    number: int
    submitted_at: str
    state: str
    operator: str
    command: str
    confirmed_by: str | None
    confirmed_with: int | None
    result: str | None

    @classmethod
    def of(cls, row: Any) -> "_Ordered":
        operator, command = _given_by(row.command)
        confirmed = row.ending == "confirmed"
        person, answer = (row.person, row.answer) if confirmed else (None, None)
        return cls(
            row.id, row.submitted_at, row.state, operator, command, person, answer, row.result
        )


def _given_by(line: str) -> tuple[str, str]:
    """Operator and command of a line at the desk; it may be nonsense, whoever wrote it there."""
    try:
        members = json.loads(line)
        return f"{members['operator']}", f"{members['command']}"
    except (ValueError, TypeError, KeyError):
        return "?", "?"


def _show_signed(row: Any) -> None:
    """A command at the desk with its signature, as both were put there."""
    result = f": {row.result}" if row.result else ""
    typer.echo(printable(f"command {row.id}  {row.state}{result}"))
    write_lines(row.command)
    typer.echo(f"digest {digest(row.command.encode())}")
    typer.echo(printable(f"signature {row.signature}"))


def _read_arguments(text: str) -> dict[str, Any]:
    """A command's arguments: JSON, or `@` and a file with it."""
    where = text if text.startswith("@") else "the arguments"
    if text.startswith("@"):
        text = Path(text[1:]).read_text(encoding="utf-8")
    try:
        members = json.loads(text)
    except ValueError as error:
        hint = "" if where.startswith("@") else "; a file is named as @file"
        raise LocalProtocolError(f"{where}: not JSON: {error}{hint}") from None
    if not isinstance(members, dict):
        raise LocalProtocolError(f"{where}: not a JSON object, such as {{}}")
    return members
