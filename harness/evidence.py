# SPDX-License-Identifier: Apache-2.0
"""`a6hub evidence`: write the evidence of a transaction, and the trust root that it is held to.

Elsewhere: what goes into a file (`hub.evidence`), holding it to a trust root (`verify`).
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hub.cli import HubDaemonSettings
from hub.evidence import collect, trust_root
from ledger.verifying import verify
from runtime.errors import LocalProtocolError
from runtime.schema import open_database
from runtime.settings import load_settings
from runtime.verbs import Settings, guarded
from schemas.evidence import write_bundle, write_trust
from schemas.identifiers import TransactionId

__all__ = ["app"]

app = typer.Typer(help="Evidence of transactions, for a6hub verify.", no_args_is_help=True)

Output = Annotated[Path, typer.Option("--output", help="The file to write.")]


@app.command("export")
def export(
    settings: Settings,
    transaction: Annotated[str, typer.Argument(help="Its id, such as GHA01-GHA-17.")],
    output: Output,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Write it even if it does not verify yet.")
    ] = False,
) -> None:
    """Write the evidence of a transaction that has ended."""

    async def work() -> bytes:
        loaded = load_settings(HubDaemonSettings, settings)
        async with open_database(loaded) as store, store.snapshot() as session:
            bundle = await collect(session, _transaction(transaction))
            verdict = verify(bundle, await trust_root(session))
        if not verdict.valid and not incomplete:
            raise LocalProtocolError(
                f"{transaction}: step {verdict.failed} fails yet: {verdict.reason}; wait, or write "
                "it none the less with --incomplete"
            )
        return write_bundle(bundle)

    output.write_bytes(guarded(lambda: asyncio.run(work())))


@app.command("trust")
def trust(settings: Settings, output: Output) -> None:
    """Write the trust root of the hub's log."""

    async def work() -> bytes:
        loaded = load_settings(HubDaemonSettings, settings)
        async with open_database(loaded) as store, store.snapshot() as session:
            return write_trust(await trust_root(session))

    output.write_bytes(guarded(lambda: asyncio.run(work())))


def _transaction(text: str) -> TransactionId:
    try:
        return TransactionId(text)
    except ValueError as error:
        raise LocalProtocolError(str(error)) from None
