# SPDX-License-Identifier: Apache-2.0
"""The figures of docs/performance.md and their picture, from the JSON of one run.

    python -m harness.bench.page docs

reads `performance.json` in that folder, writes what stands between the marks of `performance.md`,
and draws `pictures/performance.svg`. The same JSON gives the same bytes.

Elsewhere: the run (`a6hub bench --json FILE`).
"""

import argparse
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final
from xml.sax.saxutils import escape

__all__ = ["BEGIN", "END", "draw", "tables", "with_tables"]

BEGIN: Final = "<!-- figures of performance.json -->"
END: Final = "<!-- end -->"

TARGETS: Final[Mapping[str, str]] = {
    "saturation_vs_floor": "at least 0.45",
    "saturation_vs_unbundled_floor": "at least 1.3",
    "saturation_vs_naive": "",
    "one_in_flight_p50_vs_floor": "at most 2.0",
    "one_in_flight_p99_vs_floor": "at most 3",
    "cpu_vs_floor": "at most 2.2",
    "cpu_512_vs_1": "",
}
"""What was aimed at."""

PHASES: Final = ("single", "window 8", "window 32", "window 128", "saturation")
"""In the order of their load."""

Document = Mapping[str, Any]


def main() -> None:
    """Bring a folder of documents up to date with the run whose JSON lies in it."""
    parser = argparse.ArgumentParser(prog="python -m harness.bench.page")
    parser.add_argument("folder", type=Path, help="the folder of the documents")
    folder: Path = parser.parse_args().folder
    found: Document = json.loads((folder / "performance.json").read_text(encoding="utf-8"))
    page = folder / "performance.md"
    page.write_text(with_tables(page.read_text(encoding="utf-8"), found), encoding="utf-8")
    (folder / "pictures" / "performance.svg").write_text(draw(found), encoding="utf-8")


def with_tables(page: str, found: Document) -> str:
    """The page with the tables of a run between its marks."""
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    return re.sub(pattern, lambda _: f"{BEGIN}\n{tables(found)}\n{END}", page, flags=re.DOTALL)


def tables(found: Document) -> str:
    """Ratios, figures by load, and layers, in Markdown."""
    parts = [_ratios(found), _variants(found), _layers(found)]
    killed = found["killed"]
    if killed:
        parts.append(
            f"{', '.join(killed['killed'])} were each killed once among {killed['transfers']} "
            "transfers in flight, and all of these were finished."
        )
    return "\n\n".join(parts)


def _ratios(found: Document) -> str:
    rows = ["| Ratio | Median | Least to most | Aimed at |", "| --- | ---: | ---: | --- |"]
    for name, aim in TARGETS.items():
        spread = found["spreads"][name]
        rows.append(
            f"| `{name}` | {spread['median']:.2f} | {spread['least']:.2f} to {spread['most']:.2f} "
            f"| {aim} |"
        )
    return "\n".join(rows)


def _variants(found: Document) -> str:
    rows = [
        "| Variant | In flight | Transfers/s | CPU µs | p50 ms | p99 ms | WAL bytes |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for variant in found["rounds"][0]:
        for phase in PHASES:
            taken = [r[variant][phase] for r in found["rounds"] if phase in r[variant]]
            if taken:
                per, cpu, p50, p99, wal = (
                    median(one[name] for one in taken)
                    for name in ("per_second", "cpu_us", "p50_ms", "p99_ms", "durable_bytes")
                )
                rows.append(
                    f"| `{variant}` | {taken[0]['window']} | {per:,.0f} | {cpu:,.0f} "
                    f"| {p50:,.1f} | {p99:,.1f} | {wal:,.0f} |"
                )
    return "\n".join(rows)


def _layers(found: Document) -> str:
    layers = found["layers_us"]
    total = sum(layers.values())
    rows = ["| Layer | CPU µs | Share |", "| --- | ---: | ---: |"]
    rows += [f"| {name} | {used:,.0f} | {used / total:.1%} |" for name, used in layers.items()]
    return "\n".join(rows)


# --- the picture --------------------------------------------------------------------------------

WIDTH, HEIGHT, MARGIN = 960, 470, 24
PANEL_WIDTH, PANEL_HEIGHT, PANEL_TOP = 400, 190, 64
BARS_TOP = 330
COLOURS = {"ours": "#0072b2", "floor": "#8a6500"}  # of Okabe and Ito, the second one darkened
DASHES = {"ours": "none", "floor": "7 4"}
SHADES = ("#0072b2", "#56b4e9", "#009e73", "#8a6500", "#e69f00", "#cc79a7", "#d55e00")


def draw(found: Document) -> str:
    """Throughput and latency against load, and the layers as one bar, as an SVG of its own."""
    parts = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        *_panel(found, MARGIN + 40, "per_second", "transfers a second"),
        *_panel(found, WIDTH - MARGIN - PANEL_WIDTH, "p50_ms", "milliseconds, half of them"),
        *_bar(found["layers_us"]),
    ]
    about = "Ours and the floor by transfers in flight, and where the time of a transfer goes"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, Arial, sans-serif" font-size="12.5">'
        f"<title>Performance</title><desc>{about}</desc>{''.join(parts)}</svg>\n"
    )


def _panel(found: Document, left: float, figure: str, words: str) -> Iterator[str]:
    curves = {name: _curve(found["rounds"], name, figure) for name in COLOURS}
    values = [value for points in curves.values() for _, value in points]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    windows = [window for window, _ in curves["ours"]]

    def x(window: int) -> float:
        return left + PANEL_WIDTH * windows.index(window) / (len(windows) - 1)

    def y(value: float) -> float:
        return PANEL_TOP + PANEL_HEIGHT * (high - math.log10(value)) / (high - low)

    yield _words(left, PANEL_TOP - 34, f"{words}, by transfers in flight", weight=650)
    for decade in range(low, high + 1):
        at = y(10.0**decade)
        yield (
            f'<line x1="{left:.1f}" x2="{left + PANEL_WIDTH:.1f}" y1="{at:.1f}" y2="{at:.1f}" '
            'stroke="#d5dae0"/>'
        )
        yield _words(left - 6, at + 4, f"{10**decade:,g}", anchor="end", fill="#59636e")
    for window in windows:
        place = PANEL_TOP + PANEL_HEIGHT + 18
        yield _words(x(window), place, str(window), anchor="middle", fill="#59636e")
    for name, points in curves.items():
        line = " ".join(f"{x(window):.1f},{y(value):.1f}" for window, value in points)
        yield (
            f'<polyline points="{line}" fill="none" stroke="{COLOURS[name]}" stroke-width="2.4" '
            f'stroke-dasharray="{DASHES[name]}"/>'
        )
        window, value = points[0]
        yield _words(x(window) + 6, y(value) - 9, name, fill=COLOURS[name], weight=650)


def _curve(rounds: Sequence[Any], variant: str, figure: str) -> list[tuple[int, float]]:
    """Window and median of a figure, by load."""
    curve = []
    for phase in PHASES:
        taken = [one[variant][phase] for one in rounds if phase in one[variant]]
        if taken:
            curve.append((taken[0]["window"], median(one[figure] for one in taken)))
    return curve


def _bar(layers: Mapping[str, float]) -> Iterator[str]:
    total, left, wide = sum(layers.values()), float(MARGIN), WIDTH - 2.0 * MARGIN
    yield _words(
        left, BARS_TOP - 12, "where the time of a transfer goes, in one process", weight=650
    )
    column, row = 0, 0
    for number, (name, used) in enumerate(layers.items()):
        part, shade = wide * used / total, SHADES[number % len(SHADES)]
        yield (
            f'<rect x="{left:.1f}" y="{BARS_TOP}" width="{part:.1f}" height="26" fill="{shade}" '
            'stroke="#ffffff"/>'
        )
        left += part
        at_x, at_y = MARGIN + column * 308.0, BARS_TOP + 52.0 + row * 20
        yield f'<rect x="{at_x:.1f}" y="{at_y - 10:.1f}" width="12" height="12" fill="{shade}"/>'
        yield _words(at_x + 18, at_y, f"{name}: {used / total:.0%}")
        column, row = (column + 1, row) if column < 2 else (0, row + 1)


def _words(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    fill: str = "#1b1f24",
    weight: int = 400,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" '
        f'font-weight="{weight}">{escape(words)}</text>'
    )


if __name__ == "__main__":
    main()
