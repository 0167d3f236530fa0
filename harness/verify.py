# SPDX-License-Identifier: Apache-2.0
"""`a6hub verify`: hold files of evidence, and proofs of misbehaviour, to a trust root, offline.

Needed are the files and the trust root, and neither a database nor settings nor a network. The exit
status is 0 when all files prove what they are for, 1 when one does not, 2 when one cannot be read.

Elsewhere: what is proven (`ledger.verifying`, `ledger.convicting`), the files' forms
(`schemas.evidence`, `schemas.misbehaviour`).
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.convicting import Conviction, convict
from ledger.verifying import STEPS, Verdict, verify
from schemas.evidence import (
    BUNDLE,
    Trust,
    Unreadable,
    format_of,
    read_bundle,
    read_members,
    read_trust,
)
from schemas.limits import EVIDENCE_BYTES_MAX
from schemas.misbehaviour import MISBEHAVIOUR, Misbehaviour
from schemas.plain import printable

__all__ = ["app"]

app = typer.Typer()

INVALID, UNREADABLE = 1, 2


@app.command()
def verify_files(
    files: Annotated[list[Path], typer.Argument(help="Files of evidence, or folders of them.")],
    trust: Annotated[Path, typer.Option(help="The trust root's file.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per file.")] = False,
) -> None:
    """Verify evidence offline, step by step."""
    root = _read_trust(trust)
    status = 0
    for file in _each(files):
        try:
            if file.is_dir():
                raise Unreadable("no files of evidence (*.json) in it")
            holds, members, lines = _judged(_bytes(file), root)
        except Unreadable as error:
            typer.echo(f"a6hub: {file}: {error}", err=True)
            if as_json:
                typer.echo(json.dumps({"file": str(file), "valid": None, "reason": str(error)}))
            status = max(status, UNREADABLE)
            continue
        status = max(status, 0 if holds else INVALID)
        if as_json:
            typer.echo(json.dumps({"file": str(file), **members}, ensure_ascii=False))
        else:
            typer.echo("\n".join([f"{file}: {lines[0]}", *lines[1:]]))
    raise typer.Exit(status)


def _each(named: Sequence[Path]) -> Iterable[Path]:
    """Files, and of folders the files `*.json` in them, by name; a folder without any is itself."""
    for path in named:
        yield from sorted(path.glob("*.json")) or [path] if path.is_dir() else [path]


def _judged(data: bytes, root: Trust) -> tuple[bool, dict[str, Any], list[str]]:
    """Whether a file proves what it is for, the same as data, and in words."""
    form = format_of(data)
    if form == MISBEHAVIOUR:
        accused = read_members(Misbehaviour, data)
        found = convict(accused, root)
        return found.proven is not None, _conviction(accused, found), _charge(accused, found)
    try:
        bundle = read_bundle(data)
    except Unreadable as error:
        if form == BUNDLE:
            raise
        raise Unreadable(f"no file of evidence or proof of misbehaviour: {error}") from None
    verdict = verify(bundle, root)
    title = f"transaction {bundle.transaction}"
    return verdict.valid, document(verdict), [title, *words(verdict)]


def _read_trust(file: Path) -> Trust:
    try:
        return read_trust(_bytes(file))
    except Unreadable as error:
        typer.echo(f"a6hub: {file}: {error}", err=True)
        raise typer.Exit(UNREADABLE) from None


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(EVIDENCE_BYTES_MAX + 1)
    except OSError as error:
        raise Unreadable(error.strerror or "cannot be read") from None


def document(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON has it."""
    return {
        "transaction": str(verdict.transaction),
        "valid": verdict.valid,
        "state": verdict.state and str(verdict.state),
        "steps": [
            {"number": step.number, "claim": step.claim, "said": list(step.said)}
            for step in verdict.steps
        ],
        "failed": verdict.failed,
        "reason": verdict.reason,
    }


def words(verdict: Verdict) -> list[str]:
    """A verdict for people, line by line."""
    lines = []
    for step in verdict.steps:
        lines.append(f"  {step.number}. holds: {step.claim}")
        lines += [f"       {printable(said)}" for said in step.said]
    if verdict.failed is not None:
        lines.append(f"  {verdict.failed}. FAILS: {STEPS[verdict.failed - 1]}")
        lines.append(f"       {printable(verdict.reason or '')}")
        lines.append("not valid")
    else:
        lines.append(f"valid: the transaction is {verdict.state}")
    return lines


def _conviction(accused: Misbehaviour, found: Conviction) -> dict[str, Any]:
    return {
        "to": str(accused.to),
        "valid": found.proven is not None,
        "held": list(found.held),
        "proven": found.proven,
        "reason": found.flaw,
    }


def _charge(accused: Misbehaviour, found: Conviction) -> list[str]:
    lines = [f"what the hub said to {accused.to}"]
    lines += [f"  holds: {printable(said)}" for said in found.held]
    if found.proven is None:
        return [*lines, f"  FAILS: {printable(found.flaw or '')}", "it proves nothing"]
    return [*lines, f"  {printable(found.proven)}", "proven: the hub has broken the protocol"]
