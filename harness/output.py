# SPDX-License-Identifier: Apache-2.0
"""The output folder of a demonstration: which folder may be one, and what is deleted in it.

A run replaces what an earlier run wrote, and nothing else. So a folder is taken only if it is
absent, empty, or holds a `summary.json` of ours, and of what is in it only what we write is
deleted. All of this is asked before the run: afterwards a refusal would cost a minute.

Elsewhere: what is written there (`demo`, `report`, `gather`).
"""

import json
import shutil
import tempfile
from pathlib import Path

from runtime.errors import LocalProtocolError

__all__ = ["check_output", "clear_output"]

WRITTEN = ("report.html", "messages", "evidence", "trust.json", "aef", "summary.json")
"""What a run writes; the summary is deleted last, for by it we know the folder as ours."""

OF_OURS = {"expectations_failed", "log_root", "log_size"}
"""Members by which a `summary.json` is one of ours, of this version or an earlier one."""


def check_output(folder: Path) -> None:
    """`LocalProtocolError` unless the folder may be written, and nothing of others' is in it."""
    remedy = "name another folder with --output"
    if folder.exists() and not folder.is_dir():
        raise LocalProtocolError(f"{folder}: not a folder; {remedy}")
    if folder.is_dir() and any(folder.iterdir()) and not _is_ours(folder / "summary.json"):
        raise LocalProtocolError(
            f"{folder}: neither empty nor the output of an earlier run; {remedy}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LocalProtocolError(f"{folder}: cannot be written, {reason}; {remedy}") from None


def clear_output(folder: Path) -> None:
    """Delete what an earlier run wrote, and leave the rest."""
    for name in WRITTEN:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _is_ours(summary: Path) -> bool:
    try:
        members = json.loads(summary.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(members, dict) and members.keys() >= OF_OURS
