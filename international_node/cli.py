# SPDX-License-Identifier: Apache-2.0
"""`a6hub international`: the international registry, one isolated section per Party."""

from registry.cli import RegistryDaemonSettings, registry_app

__all__ = ["app"]


def _sections(settings: RegistryDaemonSettings) -> str | None:
    """Every actor is a section of this participant, each once."""
    if settings.participant not in settings.international:
        return f"settings: {settings.participant} is not among the international registries"
    if any(actor.participant != settings.participant for actor in settings.actors):
        return f"settings: every actor is a section of {settings.participant}"
    if len(set(settings.actors)) != len(settings.actors):
        return "settings: an actor stands twice"
    return None


app = registry_app(
    "The international registry: sections for Parties without a registry.", check=_sections
)
