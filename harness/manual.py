# SPDX-License-Identifier: Apache-2.0
"""The generated blocks of `docs/operating.md`: settings, verbs, and commands at the desk.

Settings are told by the docstrings of their members, verbs by their help, commands by the tables of
the programs that take them.

Elsewhere: who writes them into the page (`catalogue`).
"""

import importlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic.fields import FieldInfo
from typer.main import get_command

from harness.cli import COMMANDS
from hub.cli import HubDaemonSettings
from hub.program import Hub
from mechanism_node.program import MechanismRegistry
from reconciliation.cli import ReconcileDaemonSettings
from reconciliation.program import Reconciler
from registry.cli import RegistryDaemonSettings
from registry.program import Registry
from runtime.desk import OWN_COMMANDS
from runtime.rules_settings import RulesSettings
from runtime.settings import DaemonSettings

__all__ = ["operating_blocks", "table"]

PROGRAMS = ("hub", "reconcile", "party", "international", "mechanism")


def operating_blocks() -> dict[str, str]:
    """The generated blocks of the operators' page, by name."""
    return {
        "verbs": _verbs(),
        "orders": _orders(),
        "settings": _settings(DaemonSettings),
        "settings-rules": _settings(RulesSettings),
        "settings-hub": _settings(HubDaemonSettings),
        "settings-registry": _settings(RegistryDaemonSettings),
        "settings-reconcile": _settings(ReconcileDaemonSettings),
    }


def _settings(model: type[DaemonSettings]) -> str:
    """A model's own members; those that it has from another one stand in the table of that."""
    parent = model.__bases__[0]
    shared = parent.model_fields if issubclass(parent, DaemonSettings) else {}
    rows = [
        (f"`{name}`", _default(field), _bounds(field), field.description or "")
        for name, field in model.model_fields.items()
        if name not in shared
    ]
    return table(("Member", "Default", "Bounds", "What it is"), rows)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.default
    if value is None or value in ([], ()):
        return "none"
    return f"`{json.dumps(value)}`"


def _bounds(field: FieldInfo) -> str:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    words = []
    for rule in field.metadata:
        words += [f"{signs[n]} {getattr(rule, n)}" for n in signs if hasattr(rule, n)]
        pattern = getattr(rule, "pattern", None)
        if pattern:
            words.append(", ".join(pattern.strip("^$").removeprefix("(?:")[:-1].split("|")))
    return ", ".join(words)


def _verbs() -> str:
    """Each verb with the programs that have it; what all five have first."""
    having: dict[tuple[str, str], list[str]] = {}
    for program in PROGRAMS:
        group = get_command(importlib.import_module(COMMANDS[program][0]).app)
        for name, help_text in _leaves(group, ""):
            having.setdefault((name, help_text), []).append(program)
    ordered = sorted(having.items(), key=lambda pair: -len(pair[1]))
    rows = [
        (f"`{name}`", "all" if len(programs) == len(PROGRAMS) else ", ".join(programs), text)
        for (name, text), programs in ordered
    ]
    return table(("Verb", "Programs", "What it does"), rows)


def _leaves(command: Any, prefix: str) -> Iterator[tuple[str, str]]:
    for name, inner in command.commands.items():
        if hasattr(inner, "commands"):
            yield from _leaves(inner, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", " ".join((inner.help or "").split())


def _orders() -> str:
    """The commands that a program takes at its desk."""
    rows = [(f"`{name}`", "all", role) for name, role in OWN_COMMANDS.items()]
    rows += [(f"`{name}`", "hub", role) for name, role in Hub.roles.items()]
    rows += [(f"`{name}`", "reconcile", role) for name, role in Reconciler.roles.items()]
    rows += [
        (f"`{name}`", "party, international, mechanism", role)
        for name, role in Registry.roles.items()
    ]
    more = {n: r for n, r in MechanismRegistry.roles.items() if n not in Registry.roles}
    rows += [(f"`{name}`", "mechanism", role) for name, role in more.items()]
    return table(("Command", "Programs", "Role at least"), rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
