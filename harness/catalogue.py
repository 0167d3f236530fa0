# SPDX-License-Identifier: Apache-2.0
"""Writes the parts of the documentation that tables in the code already say.

    python -m harness.catalogue            write them
    python -m harness.catalogue --check    say which files differ, and fail if one does

`docs/findings.md` is made whole, from `schemas.findings.RULES`; so are the picture of performance,
from `docs/performance.json`, and `docs/requirements.md`, see `requirements`. In six pages the text
between `<!-- generated: name -->` and `<!-- end -->` is replaced. `docs/protocol.md`: limits, who
says what, the states of a transaction, what each action has, between which accounts it moves units.
`docs/operating.md`: see `manual`. `docs/aef.md`: see `aef_page`. `docs/reliability.md`: faults.
`docs/performance.md` and `docs/scaling.md`: figures of the runs in `docs/performance.json`,
`docs/growth.json` and `docs/proofs.json`. The tables stay where the program reads them, and the
pages cannot drift from them: a test runs the check.

Elsewhere: the blocks of the operators' page (`manual`). All else there is written by hand.
"""

import argparse
import ast
import inspect
import json
import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import get_args

from harness.aef_page import aef_blocks
from harness.bench.growth_page import growth_blocks
from harness.bench.page import draw, performance_blocks, scaling_blocks
from harness.bench.proofs_page import proofs_blocks
from harness.manual import operating_blocks, table
from harness.requirements import load_rows, read_claims, requirements_page
from harness.simulation.chances import BROKER, KINDS, STORE
from ledger.checks import SHAPES
from ledger.moves import FOLLOWING, MOVES
from ledger.transactions import TRANSITIONS, mermaid
from schemas import limits
from schemas.findings import RULES, CheckClass, Reason
from schemas.messages import CONTROL_TYPES, MESSAGE_TYPES, SAID_BY, Proposal
from schemas.units import Kind

__all__ = ["blocks", "findings_page", "outdated", "with_blocks", "write"]

ROOT = Path(__file__).resolve().parents[1]
FINDINGS = Path("docs/findings.md")
REQUIREMENTS = Path("docs/requirements.md")
REQUIRED = Path("docs/requirements.toml")
PROTOCOL = Path("docs/protocol.md")
OPERATING = Path("docs/operating.md")
RELIABILITY = Path("docs/reliability.md")
REPORTING = Path("docs/aef.md")
PERFORMANCE = Path("docs/performance.md")
SCALING = Path("docs/scaling.md")
MEASURED = Path("docs/performance.json")
GROWN = Path("docs/growth.json")
PROVED = Path("docs/proofs.json")
PICTURE = Path("docs/pictures/performance.svg")
BLOCK = re.compile(
    r"(?P<begin><!-- generated: (?P<name>[a-z-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)
FINDINGS_HEAD = """\
# Findings

Every reason for refusing something, with its code. This page is written by
`python -m harness.catalogue` from `schemas/findings.py`; change it there.

A finding carries the code, the reason, the member that it is about (`field`), the units that it is
about (`key`, `first`, `last`), the case if there is one, and a detail for people. Codes and reasons
are stable on the wire: none is ever given another meaning or used again.

*Policy*: the Parties' rules, or proof of misconduct; *technical*: form, transport, arithmetic.
*Retry*: the same message may pass later without being changed. The order in which the classes are
asked of a proposal stands in [the protocol](protocol.md#5-transactions).
"""
ROLES = {"hub": "`HUB`", "rec": "`REC`", "node": "registry"}
SECTIONS = {
    "protocol 2": "2-messages-and-envelopes",
    "protocol 3": "3-sequences-gaps-and-control-envelopes",
}
CLASS_TEXTS = {
    CheckClass.AUTHENTICITY: "Asked of every envelope, before anything in it is read.",
    CheckClass.VIABILITY: "Asked of every message of an authentic envelope, and of commands.",
    CheckClass.PARTICIPANT: "Asked of a proposal: who speaks, to whom, connected how.",
    CheckClass.INTEGRITY: "Asked of a proposal: whether it is whole and agrees with itself.",
    CheckClass.SEQUENCE: "Asked of whatever belongs to a transaction: whether it is its turn.",
    CheckClass.GENERAL: "Asked of the units: whether they are there and free.",
    CheckClass.SPECIFIC: "Asked of each action by its own rules.",
    CheckClass.INTERNAL: "Nobody's fault but the program's.",
}


def main(words: Sequence[str] | None = None) -> int:
    """Write or check; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m harness.catalogue")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on differences")
    if not parser.parse_args(words).check:
        write()
        return 0
    differing = outdated()
    for path in differing:
        print(f"{path} differs from the code; run python -m harness.catalogue")
    return 1 if differing else 0


def write() -> None:
    """Bring the pages up to date."""
    for path, text in _pages().items():
        (ROOT / path).write_text(text, encoding="utf-8")


def outdated() -> list[Path]:
    """Pages that say something else than the code."""
    return [
        path
        for path, text in _pages().items()
        if not (ROOT / path).is_file() or (ROOT / path).read_text(encoding="utf-8") != text
    ]


def _pages() -> dict[Path, str]:
    measured, grown, proved = (
        json.loads((ROOT / run).read_text(encoding="utf-8")) for run in (MEASURED, GROWN, PROVED)
    )
    made = {
        PROTOCOL: blocks(),
        OPERATING: operating_blocks(),
        RELIABILITY: {"faults": _faults()},
        REPORTING: aef_blocks(),
        PERFORMANCE: {
            **performance_blocks(measured),
            **growth_blocks(grown),
            **proofs_blocks(proved),
        },
        SCALING: scaling_blocks(measured),
    }
    pages = {p: with_blocks((ROOT / p).read_text(encoding="utf-8"), b) for p, b in made.items()}
    return {
        FINDINGS: findings_page(),
        REQUIREMENTS: requirements_page(load_rows(ROOT / REQUIRED), read_claims(ROOT)),
        PICTURE: draw(measured),
        **pages,
    }


def with_blocks(page: str, made: dict[str, str]) -> str:
    """A page with its marked blocks replaced; `ValueError` unless each is there exactly once."""
    there = [found["name"] for found in BLOCK.finditer(page)]
    if sorted(there) != sorted(made):
        raise ValueError(f"the page has the blocks {sorted(there)}, it should have {sorted(made)}")
    return BLOCK.sub(lambda found: f"{found['begin']}{made[found['name']]}\n{found['end']}", page)


def blocks() -> dict[str, str]:
    """The generated blocks of the protocol, by name."""
    return {
        "limits": _limits(),
        "said-by": _said_by(),
        "states": f"```mermaid\n{mermaid()}\n```",
        "transitions": _transitions(),
        "actions": _actions(),
        "moves": _moves(),
    }


# --- docs/findings.md ---------------------------------------------------------------------------


def findings_page() -> str:
    """The catalogue of findings as a page."""
    parts = [FINDINGS_HEAD]
    for check_class in CheckClass:
        reasons = [reason for reason in Reason if reason.rule.check_class is check_class]
        head = check_class[0].upper() + check_class[1:]
        rows = (
            (
                str(reason.rule.code),
                f"`{reason}`",
                "policy" if reason.rule.policy else "technical",
                "yes" if reason.rule.transient else "no",
                _source(reason.rule.source),
                reason.rule.text,
            )
            for reason in reasons
        )
        rules = table(("Code", "Reason", "Kind", "Retry", "Source", "What it means"), rows)
        parts.append(f"## {head}\n\n{CLASS_TEXTS[check_class]}\n\n{rules}\n")
    parts.append(f"{len(RULES)} reasons.\n")
    return "\n".join(parts)


def _source(source: str) -> str:
    section = SECTIONS.get(source)
    return f"[{source}]({PROTOCOL.name}#{section})" if section else source


# --- blocks of docs/protocol.md -----------------------------------------------------------------


def _limits() -> str:
    """Each limit with the reason that stands under it in its module."""
    statements = ast.parse(inspect.getsource(limits)).body
    rows = []
    for statement, after in pairwise(statements):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        assert isinstance(after, ast.Expr)
        assert isinstance(after.value, ast.Constant)
        name = statement.target.id
        reason = " ".join(str(after.value.value).split())
        rows.append((f"`{name}`", f"{getattr(limits, name):,}".replace(",", " "), reason))
    return table(("Limit", "Value", "Reason"), rows)


def _said_by() -> str:
    rows = []
    for name, ways in SAID_BY.items():
        everybody = len(ways) == len(ROLES) ** 2
        said = ["anybody to anybody"] if everybody else [_way(*way) for way in sorted(ways)]
        body = MESSAGE_TYPES[name].model_fields["body"].annotation
        assert body is not None
        text = inspect.getdoc(body) or ""
        first = text.partition("\n\n")[0].replace("\n", " ").removeprefix("Control: ")
        envelope = "control" if name in CONTROL_TYPES else "sequenced"
        rows.append((f"`{name}`", "; ".join(said), envelope, first[:1].upper() + first[1:]))
    return table(("Type", "Said by and to", "Envelope", "What it says"), rows)


def _way(by: str, to: str) -> str:
    return f"{ROLES[by]} to {ROLES[to]}"


def _transitions() -> str:
    rows = (
        (f"`{before}`" if before else "none", event, f"`{after}`")
        for (before, event), after in TRANSITIONS.items()
    )
    return table(("State", "Event", "Next state"), rows)


def _actions() -> str:
    rows = []
    for action in get_args(Proposal.model_fields["action"].annotation):
        shape = SHAPES[action]
        members = [f"`{name}`" for name in sorted(shape.must)]
        members += [f"`{name}` (may)" for name in sorted(shape.may)]
        line = ", ".join(f"`{name}`" for name in sorted(shape.line))
        rows.append((action, ", ".join(members), line))
    return table(("Action", "Members", "Of each line"), rows)


def _moves() -> str:
    """The matrix of moves; registries with the same row share it."""
    realms: dict[tuple[str, Kind | None, frozenset[Kind]], list[str]] = {}
    for row in MOVES:
        realms.setdefault((row.action, row.source, row.targets), []).append(row.realm)
    rows = [
        (action, ", ".join(where), source or "nowhere", _kinds(targets) or "where they are")
        for (action, source, targets), where in realms.items()
    ]
    rows += [
        (f"{action} of ITMOs that represent units", "their holder's", source, target)
        for action, (source, target) in FOLLOWING.items()
    ]
    return table(("Action", "In a registry", "From", "To"), rows)


def _kinds(kinds: frozenset[Kind]) -> str:
    return ", ".join(kind for kind in Kind if kind in kinds)


# --- blocks of docs/reliability.md --------------------------------------------------------------


def _faults() -> str:
    """Each kind of fault that a simulation brings, and when it may come."""
    when = dict.fromkeys(KINDS, "at a step")
    when |= dict.fromkeys(BROKER, "at a parcel")
    when |= dict.fromkeys(STORE, "at a transaction") | {"crash-in-relay": "at a call to publish"}
    rows = ((f"`{kind}`", text, when[kind]) for kind, text in KINDS.items())
    return table(("Fault", "What goes wrong", "When it may come"), rows)


if __name__ == "__main__":
    sys.exit(main())
