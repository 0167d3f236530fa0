# SPDX-License-Identifier: Apache-2.0
"""`a6hub party`: the registry of one Party."""

from registry.cli import RegistryDaemonSettings, registry_app

__all__ = ["app"]


def _one_party(settings: RegistryDaemonSettings) -> str | None:
    """A Party registry keeps its own Party's section, named like the registry."""
    party = settings.participant[:3]
    if [actor.section for actor in settings.actors] != [party]:
        return f"settings: {settings.participant} has one actor, {settings.participant}/{party}"
    return None


app = registry_app("A Party registry: accounts, actions, transfers.", check=_one_party)
