# SPDX-License-Identifier: Apache-2.0
"""The verb for an alarm: write the proof that the hub broke the protocol.

Elsewhere: what a proof is made of, and which alarms have none (`accusing`).
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from reconciliation.accusing import Proof, alarms_named, prove
from runtime.errors import LocalProtocolError
from runtime.exporting import PROOF_FILE, export_file
from runtime.schema import open_database
from runtime.settings import DaemonSettings, load_settings
from runtime.verbs import Settings, guarded
from schemas.evidence import write_members
from schemas.limits import EVIDENCE_BYTES_MAX

__all__ = ["add_proof_verb"]

Alarm = Annotated[
    str | None,
    typer.Argument(
        metavar="ALARM",
        help="Kind and subject: log-hole:412. The oldest that convicts, if left out.",
    ),
]


def add_proof_verb(app: typer.Typer, model: type[DaemonSettings]) -> None:
    """Add `proof` to the service's command."""

    @app.command("proof")
    def proof(
        settings: Settings,
        output: Annotated[Path, typer.Option("--output", help="The file to write.")],
        alarm: Alarm = None,
    ) -> None:
        """Write the proof that the hub broke the protocol, from an alarm that convicts it."""

        async def work() -> bytes:
            async with (
                open_database(load_settings(model, settings)) as store,
                store.snapshot() as session,
            ):
                why = []
                for one in await alarms_named(session, alarm):
                    found = await prove(session, one)
                    data = write_members(found.file) if isinstance(found, Proof) else b""
                    if isinstance(found, str):
                        why.append(f"{one.name} convicts nobody: {found}")
                    elif len(data) > EVIDENCE_BYTES_MAX:
                        why.append(f"{one.name} takes a file of {len(data)} bytes, too many")
                    else:
                        return data
            raise LocalProtocolError("; ".join(why))

        guarded(lambda: export_file(output, PROOF_FILE, lambda: asyncio.run(work())))
