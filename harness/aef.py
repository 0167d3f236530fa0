# SPDX-License-Identifier: Apache-2.0
"""`a6hub aef`: check workbooks of the agreed electronic format.

Checking needs the files and nothing else. The exit status is 0 when nothing has to be mended, 1
when something has, 2 when a file cannot be read.

Elsewhere: what is found (`aef.report`).
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from aef.findings import AefFinding, Code, Level
from aef.nomenclature import NEWEST, Nomenclature, load, parse
from aef.report import Report, check
from runtime.verbs import guarded

__all__ = ["app"]

app = typer.Typer(
    help="Workbooks of the agreed electronic format: what Parties report every year.",
    no_args_is_help=True,
)

Lists = Annotated[
    str,
    typer.Option(
        "--nomenclature", help="The date of the common nomenclatures, or a file with others."
    ),
]


@app.callback()
def main() -> None:
    """Verbs follow."""


@app.command("check")
def check_files(
    files: Annotated[list[Path], typer.Argument(help="Workbooks, or folders of them.")],
    nomenclature: Lists = NEWEST,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check workbooks, each alone and all against one another."""
    lists = guarded(lambda: read_nomenclature(nomenclature))
    paths = list(_each(files))
    opened, missing = _opened(paths)
    try:
        report = check(opened, lists)
    finally:
        for _, file in opened:
            file.close()
    for found in missing:
        report.findings.add(found)
    status = max(report.status, 2 if missing else 0)
    if as_json:
        typer.echo(json.dumps(report.members() | {"status": status}, ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join(_words(report)))
    raise typer.Exit(status)


def read_nomenclature(named: str) -> Nomenclature:
    """Nomenclatures of a date, or out of a file."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", named):
        return load(named)
    return parse(Path(named).read_text(encoding="utf-8"))


def _each(named: Sequence[Path]) -> Iterator[Path]:
    """Files, and of folders the workbooks in them, by name."""
    for path in named:
        yield from sorted(path.glob("*.xlsx")) or [path] if path.is_dir() else [path]


def _opened(paths: Sequence[Path]) -> tuple[list[tuple[str, BinaryIO]], list[AefFinding]]:
    opened: list[tuple[str, BinaryIO]] = []
    missing: list[AefFinding] = []
    for path in paths:
        try:
            opened.append((str(path), path.open("rb")))
        except OSError as error:
            said = error.strerror or ""
            missing.append(AefFinding(Code.FILE_UNREADABLE, str(path), detail=said))
    return opened, missing


def _words(report: Report) -> Iterator[str]:
    """A report for people, line by line."""
    for reading in report.readings:
        said, aef = reading.aef.submission, reading.aef
        if reading.whole:
            yield _printable(
                f"{reading.file}: {said.party or '?'} {said.year or '?'}, version "
                f"{said.version or '?'}: {len(aef.authorizations)} authorizations, "
                f"{len(aef.actions)} actions, {len(aef.holdings)} holdings, "
                f"{len(aef.entities)} entities"
            )
    for found in report.findings:
        yield _printable(str(found))
    for unchecked in report.unchecked:
        yield _printable(f"{unchecked.file}: not checked: {unchecked.code}: {unchecked.reason}")
    counts = ", ".join(f"{report.count(level)} {level}" for level in Level)
    yield f"{counts}, {len(report.unchecked)} not checked"


def _printable(text: str) -> str:
    """A line of others' words, in which nothing can end the line or steer a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
