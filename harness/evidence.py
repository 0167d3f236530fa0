# SPDX-License-Identifier: Apache-2.0
"""`a6hub evidence`: write the evidence of a transaction, and the trust root that it is held to.

By the settings of the hub, or of a registry that was concerned: whose they are decides where the
file comes from. The hub has everything. A registry has what the hub has sent on request, and holds
it to its own genesis and records before it is written.

Elsewhere: what goes into a file (`hub.evidence`, `registry.evidence`), holding it to a trust root
(`verify`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic_settings import SettingsConfigDict

from hub import evidence as at_the_hub
from hub.cli import HubDaemonSettings
from ledger.verifying import verify
from registry import evidence as at_a_registry
from registry.cli import RegistryDaemonSettings, genesis_of
from runtime.errors import LocalProtocolError
from runtime.exporting import EVIDENCE_FILE, TRUST_FILE, export_file
from runtime.schema import open_database
from runtime.settings import DaemonSettings, load_settings
from runtime.store import Session
from runtime.verbs import Settings, guarded
from schemas.evidence import Bundle, Trust, write_bundle, write_trust
from schemas.identifiers import HUB, REC, TransactionId

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
        loaded = _load(settings)
        async with _snapshot(loaded) as session:
            bundle = await _collect(session, loaded, _transaction(transaction))
            verdict = verify(bundle, await _trust_root(session, loaded))
        if not verdict.valid and not incomplete:
            wait = "wait" if loaded.participant == HUB else "ask the hub again later"
            raise LocalProtocolError(
                f"{transaction}: step {verdict.failed} fails yet: {verdict.reason}; {wait}, or "
                "write it none the less with --incomplete"
            )
        return write_bundle(bundle)

    guarded(lambda: export_file(output, EVIDENCE_FILE, lambda: asyncio.run(work())))


@app.command("trust")
def trust(settings: Settings, output: Output) -> None:
    """Write the trust root of the log."""

    async def work() -> bytes:
        loaded = _load(settings)
        async with _snapshot(loaded) as session:
            return write_trust(await _trust_root(session, loaded))

    guarded(lambda: export_file(output, TRUST_FILE, lambda: asyncio.run(work())))


class _Whose(DaemonSettings):
    """Anybody's settings, as far as they say whose they are."""

    model_config = SettingsConfigDict(extra="ignore")


def _load(path: Path) -> DaemonSettings:
    whose = load_settings(_Whose, path).participant
    return load_settings(HubDaemonSettings if whose in {HUB, REC} else RegistryDaemonSettings, path)


@asynccontextmanager
async def _snapshot(loaded: DaemonSettings) -> AsyncIterator[Session]:
    async with open_database(loaded) as store, store.snapshot() as session:
        yield session


async def _collect(session: Session, loaded: DaemonSettings, transaction: TransactionId) -> Bundle:
    if not isinstance(loaded, RegistryDaemonSettings):
        return await at_the_hub.collect(session, transaction)
    bundle = await at_a_registry.collect(session, transaction, loaded.actors)
    await at_a_registry.hold_to_records(session, bundle, loaded.actors)
    return bundle


async def _trust_root(session: Session, loaded: DaemonSettings) -> Trust:
    if not isinstance(loaded, RegistryDaemonSettings):
        return await at_the_hub.trust_root(session)
    return await at_a_registry.trust_root(session, genesis_of(loaded))


def _transaction(text: str) -> TransactionId:
    try:
        return TransactionId(text)
    except ValueError as error:
        raise LocalProtocolError(str(error)) from None
