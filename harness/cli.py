# SPDX-License-Identifier: Apache-2.0
"""The one command, `a6hub`: programs and demonstrations, each loaded only when it is asked for."""

import importlib
import shlex
import shutil
import sys

__all__ = ["command_line", "main"]

COMMANDS = {
    "hub": ("hub.cli", "The hub: checks, orders and logs."),
    "party": ("party_node.cli", "A Party registry: accounts, actions, transfers."),
    "international": ("international_node.cli", "The international registry: sections."),
    "mechanism": ("mechanism_node.cli", "The mechanism registry: issuance, levies, forwarding."),
    "reconcile": ("reconciliation.cli", "The reconciliation service: statements, discrepancies."),
    "evidence": ("harness.evidence", "Write the evidence of a transaction into one file."),
    "verify": ("harness.verify", "Verify evidence offline, against a trust root."),
    "aef": ("harness.aef", "Write and check workbooks of the agreed electronic format."),
    "demo": ("harness.demo", "Run a fleet of registries and show what it does."),
    "simulate": ("harness.simulation.cli", "Run the federation from one seed, under faults."),
    "bench": ("harness.bench.cli", "Measure speed against a floor taken in the same run."),
    "bench-growth": (
        "harness.bench.growth_cli",
        "Measure what growth costs: of ledgers, the log, participants, running time.",
    ),
    "bench-proofs": (
        "harness.bench.proofs_cli",
        "Measure what proofs about the log cost, as it grows.",
    ),
    "deploy": ("harness.deploy", "Write keys, settings and credentials for compose.yaml."),
    "act": ("harness.acts", "Write, sign and join acts on the directory."),
    "keygen": ("harness.keygen", "Make private keys for actors, witnesses and operators."),
}


def main() -> None:
    """Entry point of `a6hub`."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(_help())
        return
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(f"a6hub {version('a6hub')}")
        return
    found = COMMANDS.get(arguments[0])
    if found is None:
        print(f"a6hub: no command {arguments[0]!r}\n\n{_help()}", file=sys.stderr)
        raise SystemExit(2)
    app = importlib.import_module(found[0]).app
    app(args=arguments[1:], prog_name=f"a6hub {arguments[0]}")


def command_line(*words: str, called_as: str | None = None) -> str:
    """A command line of ours that can be typed as it stands by whoever called this program."""
    program = sys.argv[0] if called_as is None else called_as
    on_path = shutil.which("a6hub")
    typed = program.endswith("/a6hub") and program != on_path
    return shlex.join([program if typed else "a6hub", *words])


def _help() -> str:
    lines = ["Usage: a6hub COMMAND [ARGUMENTS]", "", "Commands:"]
    lines += [f"  {name:<14} {text}" for name, (_, text) in COMMANDS.items()]
    lines += ["", "`a6hub COMMAND --help` says more. Documentation: README.md, docs/."]
    return "\n".join(lines)
