# SPDX-License-Identifier: Apache-2.0
"""`a6hub hub`: the hub's daemon and its operator's verbs."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar

import typer
from pydantic import Field, field_validator
from sqlalchemy import select

from hub import tables
from hub.genesis import begin_log
from hub.guard import NO_LOG, Guard, Head, anchored_and_logged, lay_anew
from hub.listing import KINDS, Of, listed
from hub.program import Hub, HubSettings
from hub.recovering import begin_recovery, undo_recovery
from hub.storage import BOOK
from ledger.asking import Policy
from ledger.directory import Directory
from ledger.transactions import State
from runtime.anchor import FileAnchor
from runtime.clock import Ids, SystemClock, system_entropy
from runtime.daemon import keyring_of
from runtime.definitions import definitions, hash_password
from runtime.errors import LocalProtocolError
from runtime.listing import Form, FormOption, write_list
from runtime.rules_settings import RulesSettings
from runtime.schema import open_database
from runtime.settings import load_settings, secret
from runtime.stopped import add_stopped_verb
from runtime.verbs import (
    TRANSACTION_COLUMNS,
    Most,
    Settings,
    add_verbs,
    guarded,
    read_rows,
    transactions_listed,
)
from schemas.directory import SignedAct
from schemas.identifiers import HUB, Participant

__all__ = ["HubDaemonSettings", "app"]


class HubDaemonSettings(RulesSettings):
    """The hub's settings."""

    program: ClassVar[type[Hub]] = Hub

    anchor_file: Path
    """File with size and root of the log, on another disk than the database; `begin` makes it."""
    checkpoint_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Checkpoints are made at most this often while there are new entries."""
    heartbeat_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Everybody is shown a checkpoint at least this often."""
    suspend_overdue: bool = True
    """Whether units leave no account of an actor while a case `statement-overdue` is open."""

    @field_validator("participant")
    @classmethod
    def _the_hub(cls, participant: Participant) -> Participant:
        if participant != HUB:
            raise ValueError(f"the hub's is HUB; these settings are {participant}'s")
        return participant

    def policy(self) -> Policy:
        """The settings of the rules, with the one that is the hub's alone."""
        return replace(super().policy(), suspend_overdue=self.suspend_overdue)


app = typer.Typer(help="The hub: checks, orders and logs.", no_args_is_help=True)
add_verbs(
    app,
    HubDaemonSettings,
    lambda settings, keyring: Hub(
        keyring,
        FileAnchor(settings.anchor_file),
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
    """Begin the log: write entry 0 from a signed genesis act, and the anchor. Done once in a log's
    life.
    """

    async def work() -> str:
        loaded = load_settings(HubDaemonSettings, settings)
        signed = SignedAct.model_validate_json(genesis.read_text(encoding="utf-8"))
        guard = _guard(loaded)
        async with open_database(loaded) as store:
            return await begin_log(store, signed, SystemClock().now(), Ids(), guard)

    typer.echo(f"the log begins; trust root {guarded(lambda: asyncio.run(work()))}")


@app.command("anchor")
def anchor(
    settings: Settings,
    size: Annotated[
        int | None, typer.Option(min=1, help="How many entries somebody else has seen.")
    ] = None,
    root: Annotated[
        str | None, typer.Option(help="The log's root there, 64 hexadecimal digits.")
    ] = None,
) -> None:
    """Show anchor and log, size and root, if the database holds what the anchor says; or write a
    lost anchor anew, given what somebody else has seen.
    """

    async def look(loaded: HubDaemonSettings) -> None:
        async with open_database(loaded) as store:
            held, grown = await anchored_and_logged(store, _guard(loaded))
        typer.echo(f"anchor  {held.size}  {held.root.hex()}")
        typer.echo(f"log  {grown.size}  {grown.root.hex()}")

    async def lay(loaded: HubDaemonSettings, seen: Head) -> None:
        async with open_database(loaded) as store:
            written = await lay_anew(store, _guard(loaded), seen)
        typer.echo(f"anchor  {written.size}  {written.root.hex()}")

    def work() -> None:
        loaded = load_settings(HubDaemonSettings, settings)
        if size is None and root is None:
            asyncio.run(look(loaded))
            return
        if size is None or root is None:
            raise LocalProtocolError("--size and --root go together")
        if re.fullmatch("[0-9a-f]{64}", root) is None:
            raise LocalProtocolError("--root is 64 hexadecimal digits")
        asyncio.run(lay(loaded, Head(size, bytes.fromhex(root))))

    guarded(work)


@app.command("recover")
def recover(
    settings: Settings,
    undo: Annotated[
        bool, typer.Option("--undo", help="Have it start as ever, while nothing has come back yet.")
    ] = False,
) -> None:
    """Have a hub whose database is older than what it has sent be given back what it lacks, when it
    starts next; show log and anchor, size and root.
    """

    async def work() -> dict[str, Head]:
        loaded = load_settings(HubDaemonSettings, settings)
        async with open_database(loaded) as store:
            if undo:
                return {"log": await undo_recovery(store)}
            grown, held = await begin_recovery(store, _guard(loaded))
            return {"anchor": held, "log": grown}

    for name, head in guarded(lambda: asyncio.run(work())).items():
        typer.echo(f"{name}  {head.size}  {head.root.hex()}")


@app.command("transactions")
def transactions(
    settings: Settings,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    most: Most = 50,
    form: FormOption = Form.TEXT,
) -> None:
    """List transactions, newest first."""
    statement = transactions_listed(tables.transactions).limit(most)
    if state is not None:
        statement = statement.where(tables.transactions.c.state == state)
    rows = read_rows(HubDaemonSettings, settings, statement)
    write_list("transactions", TRANSACTION_COLUMNS, rows, form)


add_stopped_verb(app, HubDaemonSettings, tables.authorizations, BOOK)


@app.command("directory")
def directory(
    settings: Settings,
    of: Annotated[Of, typer.Option(help="What of it is listed.")] = Of.ACTORS,
    form: FormOption = Form.TEXT,
) -> None:
    """List who is admitted: status, actors with the ids of their keys; or the profiles of pairs; or
    to which section each Party is bound since when, and was before.
    """
    write_list(of, KINDS[of]._fields, listed(_directory(settings), of), form)


@app.command("definitions")
def broker_definitions(
    settings: Settings,
    passwords: Annotated[
        Path | None,
        typer.Option(
            help="Folder with a file for each user to make or change, its password in it."
        ),
    ] = None,
    vhost: Annotated[str, typer.Option(help="The broker's virtual host.")] = "/",
) -> None:
    """Print the broker's definitions, made from the directory; other users are left out of them."""

    def work() -> None:
        known = _directory(settings)
        files = sorted(passwords.iterdir()) if passwords else []
        if passwords is not None and not passwords.is_dir():
            raise LocalProtocolError(f"{passwords}: no such folder; make it, with a file per user")
        hashes = {f.name: hash_password(secret(f), system_entropy(4)) for f in files}
        admitted = [HUB, *known.members]
        strangers = sorted(hashes.keys() - set(admitted))
        if strangers:
            raise LocalProtocolError(f"{passwords}: {strangers[0]} is not admitted")
        links = [(a.participant, b.participant) for a, b in map(tuple, known.profiles)]
        links = [pair for pair in links if pair[0] != pair[1]]
        document = definitions(admitted, links, hashes, vhost=vhost)
        # A user with an empty password would overwrite the one that is there.
        document["users"] = [user for user in document["users"] if user["name"] in hashes]
        typer.echo(json.dumps(document, indent=1))

    guarded(work)


def _guard(settings: HubDaemonSettings) -> Guard:
    return Guard(FileAnchor(settings.anchor_file), keyring_of(settings).checkpoint)


def _directory(settings: Path) -> Directory:
    """The directory as the log has it."""
    statement = select(tables.acts).order_by(tables.acts.c.position)
    acts = [
        SignedAct(act=row.act, signatures=tuple(json.loads(row.signatures)))
        for row in read_rows(HubDaemonSettings, settings, statement, none=NO_LOG)
    ]
    known = Directory.begin(acts[0])
    for act in acts[1:]:
        known = known.apply(act)
    return known
