# SPDX-License-Identifier: Apache-2.0
"""`a6hub international`: the international registry, one isolated section per Party."""

from typing import Self

from pydantic import model_validator

from registry.cli import RegistryDaemonSettings, registry_app

__all__ = ["InternationalDaemonSettings", "app"]


class InternationalDaemonSettings(RegistryDaemonSettings):
    """An international registry's settings: it is among those that all programs know as such."""

    @model_validator(mode="after")
    def _known_to_all(self) -> Self:
        if self.participant not in self.international:
            raise ValueError(
                f"participant: {self.participant} is not among the international registries"
            )
        return self


app = registry_app(
    "The international registry: sections for Parties without a registry.",
    InternationalDaemonSettings,
)
