# SPDX-License-Identifier: Apache-2.0
"""Draws the pictures of the README: those of a report, from a real run of the demonstration.

    python -m harness.gallery docs/pictures

Each is an SVG file by itself, with the colours of the report's page. Times and digests are those of
the run, so every run gives other files; the figures are the scenario's.

Elsewhere: the pictures (`pictures`), their colours (`report.html.jinja`), the run (`demo`).
"""

import argparse
import asyncio
import logging
import re
import tempfile
from pathlib import Path

from harness.console import logging_from
from harness.demo import SCENARIOS, run_demo
from harness.fleet import embedded_fleet
from harness.loading import load_scenario
from harness.outcome import Outcome
from harness.pictures import draw_flows, draw_holdings, draw_timeline

__all__ = ["draw", "standalone"]

TEMPLATE = Path(__file__).resolve().parent / "report.html.jinja"
SHOWN_HOLDER = "CHE01/CHE"
MARGIN = 14
FONT = 'system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif'


def main() -> None:
    """Run the demonstration and write its pictures."""
    parser = argparse.ArgumentParser(prog="python -m harness.gallery")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    folder: Path = parser.parse_args().folder
    quiet = logging_from(logging.CRITICAL)
    with quiet, tempfile.TemporaryDirectory(prefix="a6hub-") as output:
        scenario = load_scenario(SCENARIOS / "article6.toml")
        outcome = asyncio.run(run_demo(scenario, Path(output) / "output", embedded_fleet))
    if outcome.summary.expectations_failed:
        raise SystemExit("\n".join(outcome.summary.expectations_failed))
    folder.mkdir(parents=True, exist_ok=True)
    for name, svg in draw(outcome).items():
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")


def draw(outcome: Outcome) -> dict[str, str]:
    """The pictures by name."""
    names = outcome.registries
    held = [h for h in outcome.holdings if h.actor == SHOWN_HOLDER]
    most = max(max(h.before, h.after, h.rows) for h in held)
    holder = names[SHOWN_HOLDER.partition("/")[0]]
    subject = next(t for t in outcome.transactions if t.id == outcome.timeline_of)
    ends = [a.partition("/")[0] for a in (subject.proposer, subject.acquirer) if a]
    made = {
        "flows": draw_flows(outcome.flows, names),
        "holdings": draw_holdings(SHOWN_HOLDER, holder, held, most),
        "timeline": draw_timeline(outcome.timeline, ends, names),
    }
    style = _style(TEMPLATE.read_text(encoding="utf-8"))
    return {name: standalone(svg, style) for name, svg in made.items()}


def standalone(svg: str, style: str) -> str:
    """A picture as a file of its own: with its namespace, its colours, a ground and a margin."""
    width, height = (float(x) for x in re.findall(r'viewBox="0 0 (\S+) (\S+)"', svg)[0])
    wide, high = width + 2 * MARGIN, height + 2 * MARGIN
    box = f'viewBox="{-MARGIN} {-MARGIN} {wide:g} {high:g}" width="{wide:g}" height="{high:g}"'
    ground = (
        f'<rect class="ground" x="{-MARGIN}" y="{-MARGIN}" width="{wide:g}" height="{high:g}"/>'
    )
    head, end, body = re.split(r"(</desc>|<desc/>)", svg, maxsplit=1)
    head = re.sub(r'viewBox="[^"]*"', box, head, count=1)
    head = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return f"{head}{end}<style>{style}</style>{ground}{body}\n"


def _style(page: str) -> str:
    """What the page says of colours and of pictures."""
    sheet = page.partition("<style>")[2].partition("</style>")[0]
    colours = sheet.partition("* {")[0]
    rules = [line for line in sheet.splitlines() if line.startswith("svg")]
    own = [f"svg.pic {{ font-family: {FONT}; }}", "svg .ground { fill: var(--page); }"]
    return "\n".join([colours.strip(), *rules, *own])


if __name__ == "__main__":
    main()
