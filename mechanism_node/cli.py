# SPDX-License-Identifier: Apache-2.0
"""`a6hub mechanism`: the Article 6.4 mechanism registry."""

from mechanism_node.program import MechanismRegistry
from registry.cli import RegistryDaemonSettings, registry_app
from schemas.identifiers import Actor

__all__ = ["app"]


def _administrator(settings: RegistryDaemonSettings) -> str | None:
    """The mechanism registry has an administrator's section."""
    if settings.participant != settings.mechanism:
        return f"settings: {settings.participant} is not the mechanism registry"
    if Actor(f"{settings.participant}/ADM") not in settings.actors:
        return f"settings: the administrator {settings.participant}/ADM is missing"
    return None


app = registry_app(
    "The mechanism registry: issuance, levies, forwarding.", MechanismRegistry, _administrator
)
