# SPDX-License-Identifier: Apache-2.0
"""Command lines as documents and deployments write them, parsed by the real commands, not run."""

import importlib
import json
from collections.abc import Sequence
from typing import Any

from typer.main import get_command

from harness.cli import COMMANDS
from hub.program import Hub
from mechanism_node.program import MechanismRegistry
from reconciliation.program import Reconciler
from registry.program import Registry
from runtime.desk import OWN_COMMANDS

__all__ = ["ORDERS", "Parsed", "parse"]

ORDERS: dict[str, set[str]] = {
    "hub": {*Hub.roles, *OWN_COMMANDS},
    "reconcile": {*Reconciler.roles, *OWN_COMMANDS},
    "party": {*Registry.roles, *OWN_COMMANDS},
    "international": {*Registry.roles, *OWN_COMMANDS},
    "mechanism": {*MechanismRegistry.roles, *OWN_COMMANDS},
}
"""The commands that each program takes at its desk."""


class Parsed:
    """A command line that is right: the program, its verbs and what they were given."""

    def __init__(self, program: str, verbs: list[str], values: dict[str, Any]) -> None:
        self.program, self.verbs, self.values = program, verbs, values


def parse(words: Sequence[str]) -> Parsed:
    """Parse the words after `a6hub`; an exception says what the real command does not take."""
    if not words or list(words) in (["--help"], ["--version"]):
        return Parsed("", [], {})
    program, *rest = words
    if program not in COMMANDS:
        raise ValueError(f"a6hub has no command {program}")
    command = get_command(importlib.import_module(COMMANDS[program][0]).app)
    verbs: list[str] = []
    while hasattr(command, "commands") and rest and rest[0] != "--help":
        verb, *rest = rest
        if verb not in command.commands:
            raise ValueError(f"a6hub {program} has no verb {' '.join([*verbs, verb])}")
        verbs.append(verb)
        command = command.commands[verb]
    if rest == ["--help"]:
        return Parsed(program, verbs, {})
    if hasattr(command, "commands"):
        raise ValueError(f"a6hub {' '.join(words)} wants a verb")
    values = dict(command.make_context(program, list(rest)).params)
    if verbs == ["order"] and program in ORDERS:
        if values["command"] not in ORDERS[program]:
            raise ValueError(f"{program} takes no command {values['command']}")
        if not values["arguments"].startswith("@"):
            json.loads(values["arguments"])
    return Parsed(program, verbs, values)
