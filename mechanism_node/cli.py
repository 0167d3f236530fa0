# SPDX-License-Identifier: Apache-2.0
"""`a6hub mechanism`: the Article 6.4 mechanism registry."""

from typing import ClassVar, Self

from pydantic import model_validator

from mechanism_node.program import MechanismRegistry
from registry.cli import RegistryDaemonSettings, registry_app
from schemas.identifiers import Actor

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
