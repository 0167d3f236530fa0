# SPDX-License-Identifier: Apache-2.0
"""`a6hub party`: the registry of one Party."""

from typing import Self

from pydantic import model_validator

from registry.cli import RegistryDaemonSettings, registry_app

__all__ = ["PartyDaemonSettings", "app"]


class PartyDaemonSettings(RegistryDaemonSettings):
    """A Party registry's settings: it keeps its own Party's section, named like the registry."""

    @model_validator(mode="after")
    def _one_party(self) -> Self:
        party = self.participant[:3]
        if [actor.section for actor in self.actors] != [party]:
            raise ValueError(
                f"actors: the Party registry {self.participant} has one actor, "
                f"{self.participant}/{party}"
            )
        if others := sorted({p.party for p in self.ndc_periods} - {party}):
            raise ValueError(f"ndc_periods: {self.participant} keeps no books of {others[0]}")
        return self


app = registry_app("A Party registry: accounts, actions, transfers.", PartyDaemonSettings)
