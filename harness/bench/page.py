# SPDX-License-Identifier: Apache-2.0
"""The figures of docs/performance.md and their picture, from the JSON of one run.

The same JSON gives the same bytes. `harness.catalogue` writes them.

Elsewhere: the run (`a6hub bench --json FILE`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, Final
from xml.sax.saxutils import escape

__all__ = ["draw", "performance_blocks", "scaling_blocks"]

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


def performance_blocks(found: Document) -> dict[str, str]:
    """The generated blocks of the page, by name, in Markdown."""
    return {
        "ratios": _ratios(found),
        "variants": _variants(found),
        "layers": _layers(found),
        "parts": _parts(found),
        "killed": _killed(found["killed"]),
    }


def scaling_blocks(found: Document) -> dict[str, str]:
    """The generated block of docs/scaling.md: what one transfer costs, at saturation."""
    taken = [one["ours"]["saturation"] for one in found["rounds"]]
    rows = ["| Of one transfer | |", "| --- | ---: |"]
    for part in sorted(taken[0]["cpu_us_by_part"]):
        used = median(one["cpu_us_by_part"][part] for one in taken)
        rows.append(f"| processor time of {part}, µs | {used:,.0f} |")
    wal = median(one["durable_bytes"] for one in taken)
    rows.append(f"| write-ahead log of all databases, bytes | {wal:,.0f} |")
    return {"constants": "\n".join(rows)}


def _killed(killed: Mapping[str, Any]) -> str:
    return (
        f"{', '.join(killed['killed'])} were each killed once among {killed['transfers']} "
        "transfers, and all of these were finished."
    )


def _parts(found: Document) -> str:
    """Processor time of a transfer by process, at saturation."""
    rows = ["| Part | Ours, CPU µs | Floor, CPU µs |", "| --- | ---: | ---: |"]
    taken = {
        name: [one[name]["saturation"]["cpu_us_by_part"] for one in found["rounds"]]
        for name in COLOURS
    }
    for part in sorted(taken["ours"][0]):
        ours, floor = (median(one[part] for one in taken[name]) for name in ("ours", "floor"))
        rows.append(f"| {part} | {ours:,.0f} | {floor:,.0f} |")
    return "\n".join(rows)


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
