# SPDX-License-Identifier: Apache-2.0
"""The figures on proofs in docs/performance.md, from the JSON of one run; see `page`."""

from collections.abc import Mapping
from typing import Any

__all__ = ["proofs_blocks"]

COLUMNS = (
    "Leaves",
    "Proof",
    "Rows read, at most",
    "Twice the levels",
    "Hashes, at most",
    "Made, µs",
    "Verified, µs",
)
HEAD = (f"| {' | '.join(COLUMNS)} |", "| ---: | --- | ---: | ---: | ---: | ---: | ---: |")

Document = Mapping[str, Any]


def proofs_blocks(found: Document) -> dict[str, str]:
    """The generated block of the page, in Markdown."""
    rows = [*HEAD, *map(_row, found["proofs"])]
    return {"proofs": "\n".join([*rows, "", _growth(found)])}


def _row(one: Document) -> str:
    cells = (
        f"{one['leaves']:,}",
        one["kind"],
        f"{one['rows']['most']:.0f}",
        str(one["bound"]),
        f"{one['hashes']['most']:.0f}",
        f"{one['made_us']['median']:,.0f}",
        f"{one['verified_us']['median']:,.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _growth(found: Document) -> str:
    """The longest log beside the shortest one, in words."""
    by = {(one["leaves"], one["kind"]): one for one in found["proofs"]}
    leaves = [size for size, _ in by]
    short, long = min(leaves), max(leaves)
    said = []
    for kind in ("inclusion", "consistency"):
        pair = by[short, kind], by[long, kind]
        before, after = (one["made_us"]["median"] for one in pair)
        said.append(f"{after / before:.1f} times as long for {kind}")
    levels = by[long, "inclusion"]["bound"] / by[short, "inclusion"]["bound"]
    return (
        f"{long // short:,} times as many leaves, {levels:.1f} times as many levels: to make a "
        f"proof takes {' and '.join(said)}."
    )
