# SPDX-License-Identifier: Apache-2.0
"""What the benchmark commands have in common: refusals, figures as text and as a file."""

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import typer

from harness.bench.figures import Spread

__all__ = ["in_words", "machine", "must_be_writable", "refuse", "write_figures"]


def refuse(problem: str) -> NoReturn:
    """Say why a command cannot be run, and end it with status 2."""
    typer.echo(f"a6hub: {problem}", err=True)
    raise typer.Exit(2)


def must_be_writable(json_file: Path | None) -> None:
    """Refuse a file that cannot be written: before the work, not after it."""
    if json_file is None:
        return
    try:
        json_file.open("a", encoding="utf-8").close()
    except OSError as error:
        refuse(f"--json: {json_file} cannot be written: {error.strerror}")


def write_figures(json_file: Path | None, document: Mapping[str, Any]) -> None:
    """Write every figure, if a file was asked for."""
    if json_file is not None:
        json_file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def in_words(found: Spread, digits: int) -> str:
    """The median, and the least and the most in brackets."""
    median, least, most = (f"{x:,.{digits}f}" for x in (found.median, found.least, found.most))
    return f"{median} [{least} to {most}]"


def machine() -> dict[str, Any]:
    """The machine in words."""
    return {
        "cores": os.cpu_count(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }
