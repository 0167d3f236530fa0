# SPDX-License-Identifier: Apache-2.0
"""Processor time and memory of processes and all their descendants, as Linux counts them.

Elsewhere: what the figures are used for (`rounds`).
"""

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

__all__ = ["cpu_seconds", "memory_bytes"]

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(roots: Mapping[str, int]) -> dict[str, float]:
    """User and system seconds so far of each named process with its descendants, whether these
    live or have ended and been waited for. `ProcessLookupError` when one of the roots is gone.
    """
    used: dict[int, float] = {}
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:  # it has ended meanwhile
                continue
            members = text[text.rindex(")") + 2 :].split()  # the name may hold spaces
            children[int(members[1])].append(int(entry.name))
            used[int(entry.name)] = sum(map(int, members[11:15])) / _TICKS
    found: dict[str, float] = {}
    for name, root in roots.items():
        if root not in used:
            raise ProcessLookupError(f"{name} (process {root}) is gone")
        found[name] = sum(used[process] for process in _tree(root, children))
    return found


def _tree(root: int, children: Mapping[int, list[int]]) -> list[int]:
    tree = [root]
    for process in tree:
        tree += children.get(process, [])
    return tree


def memory_bytes(process: int) -> int:
    """The resident memory of one process."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
