# SPDX-License-Identifier: Apache-2.0
"""`a6hub mechanism`: the Article 6.4 mechanism registry."""

import asyncio
from typing import ClassVar, Self

import typer
from pydantic import model_validator

from mechanism_node.buffer import Buffer, read_buffer
from mechanism_node.program import MechanismRegistry
from registry.cli import RegistryDaemonSettings, registry_app
from runtime.schema import open_database
from runtime.settings import load_settings
from runtime.verbs import Settings, guarded
from schemas.identifiers import Actor
from schemas.plain import printable

__all__ = ["MechanismDaemonSettings", "app"]


class MechanismDaemonSettings(RegistryDaemonSettings):
    """The mechanism registry's settings: it has an administrator's section."""

    program: ClassVar[type[MechanismRegistry]] = MechanismRegistry

    @model_validator(mode="after")
    def _administrator(self) -> Self:
        if self.participant != self.mechanism:
            raise ValueError(f"participant: {self.participant} is not the mechanism registry")
        if Actor(f"{self.participant}/ADM") not in self.actors:
            raise ValueError(f"actors: the administrator {self.participant}/ADM is missing")
        return self


app = registry_app("The mechanism registry: issuance, levies, forwarding.", MechanismDaemonSettings)


@app.command("buffer")
def buffer(settings: Settings) -> None:
    """Show what the buffer against reversals holds, and what each reversal took of it."""

    async def work() -> Buffer:
        loaded = load_settings(MechanismDaemonSettings, settings)
        async with open_database(loaded) as store, store.snapshot() as session:
            return await read_buffer(session, loaded.participant)

    found: Buffer = guarded(lambda: asyncio.run(work()))
    typer.echo(f"the buffer holds {found.held}")
    for one in found.reversals:
        typer.echo(printable(str(one)))
