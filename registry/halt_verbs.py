# SPDX-License-Identifier: Apache-2.0
"""The verbs for a registry whose node has halted: write the proof, and let it start again.

Elsewhere: what a proof is made of (`accusing`), how long a node stays halted (`runtime.halts`).
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ledger.convicting import convict
from registry.accusing import accuse
from runtime import halts
from runtime.errors import LocalProtocolError
from runtime.exporting import PROOF_FILE, export_file
from runtime.schema import open_database
from runtime.settings import DaemonSettings, load_settings
from runtime.verbs import Letter, Settings, guarded
from schemas.evidence import write_members

__all__ = ["add_halt_verbs"]


def add_halt_verbs(app: typer.Typer, model: type[DaemonSettings]) -> None:
    """Add `proof` and `resume` to a registry's command."""

    @app.command("proof")
    def proof(
        settings: Settings,
        number: Letter,
        output: Annotated[Path, typer.Option("--output", help="The file to write.")],
        *,
        incomplete: Annotated[
            bool, typer.Option("--incomplete", help="Write it even if it proves nothing yet.")
        ] = False,
    ) -> None:
        """Write the proof that the hub broke the protocol, from the letter the node halted at."""

        async def work() -> bytes:
            loaded = load_settings(model, settings)
            async with open_database(loaded) as store, store.snapshot() as session:
                found, trust = await accuse(session, loaded.participant, number)
            flaw = convict(found, trust).flaw
            if flaw is not None and not incomplete:
                raise LocalProtocolError(
                    f"letter {number} proves nothing by itself: {flaw}; --incomplete writes it "
                    "none the less"
                )
            return write_members(found)

        guarded(lambda: export_file(output, PROOF_FILE, lambda: asyncio.run(work())))

    @app.command("resume")
    def resume(settings: Settings) -> None:
        """Let a node that has halted start again, once the cause is found."""

        async def work() -> None:
            async with open_database(load_settings(model, settings)) as store:
                await store.lock_writer()
                async with store.transaction() as session:
                    lifted = await halts.lift(session)
            if not lifted:
                raise LocalProtocolError("the node has not halted")

        guarded(lambda: asyncio.run(work()))
        typer.echo("the node may start again")
