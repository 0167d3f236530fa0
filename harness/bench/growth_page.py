# SPDX-License-Identifier: Apache-2.0
"""The figures on growth in docs/performance.md, from the JSON of one run; see `page`."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["growth_blocks"]

Document = Mapping[str, Any]
Row = tuple[str, str, str]


def growth_blocks(found: Document) -> dict[str, str]:
    """The generated block of the page, in Markdown."""
    rows = [*_ratios(found), *_programs(found), *_descents(found)]
    head = ["| What | Found | Aimed at |", "| --- | ---: | --- |"]
    return {"growth": "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])}


def _ratios(found: Document) -> Iterator[Row]:
    plan = found["plan"]
    for name, words, aim in (
        (
            "ledger",
            f"with {plan['large_blocks']:,} blocks to with {plan['small_blocks']:,}",
            "0.90 or more",
        ),
        (
            "log",
            f"with {plan['long_log']:,} leaves to with {plan['short_log']:,}",
            "0.90 or more",
        ),
        (
            "participant",
            f"with {plan['participants']} participants to with 3",
            "0.85 or more",
        ),
    ):
        ratio = found["ratios"][name]
        shown = f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f})"
        yield f"Transfers a second {words}", shown, aim


def _programs(found: Document) -> Iterator[Row]:
    blocks, transfers = found["plan"]["large_blocks"], found["plan"]["memory_transfers"]
    start = f"{found['start_median_seconds']:.2f} s"
    yield f"Start of a registry with {blocks:,} blocks, until ready", start, "less than 3 s"
    for name, looks in sorted(found["memory_bytes"].items()):
        shown = f"{min(looks) / 1e6:.0f} to {max(looks) / 1e6:.0f} MB; last {looks[-1] / 1e6:.0f}"
        yield f"Memory of {name} over {transfers:,} transfers", shown, "flat, less than 150 MB"
    shown = f"{found['help_median_seconds']:.2f} s"
    yield "`a6hub --help`", shown, "less than 0.3 s"


def _descents(found: Document) -> Iterator[Row]:
    by = {(one["blocks"], one["differences"]): one for one in found["descents"]}
    small, large = sorted({blocks for blocks, _ in by})
    for number in sorted({number for _, number in by}):
        one = by[large, number]
        what = f"Bytes of bodies for {number or 'no'} differences in {large:,} blocks"
        aim = "1,024 or less" if not number else f"{4096 * (number + 1):,} or less"
        yield what, f"{one['bytes']:,}", aim
    most = max(number for _, number in by)
    times = {blocks: by[blocks, most]["seconds"]["median"] for blocks in (small, large)}
    what = f"Time for {most} differences in {large:,} blocks to that in {small:,}"
    yield what, f"{times[large] / times[small]:.2f}", "1.3 or less"
    everything = by[large, most]["everything"]
    faster = everything["seconds"]["median"] / times[large]
    fewer = everything["bytes"] / by[large, most]["bytes"]
    yield f"Faster than sending all {large:,} blocks", f"{faster:.0f} times", "100 times or more"
    yield "Fewer bytes than that", f"{fewer:,.0f} times", "1,000 times or more"
