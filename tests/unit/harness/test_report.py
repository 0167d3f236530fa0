# SPDX-License-Identifier: Apache-2.0
"""The report: complete, escaped, self-contained, and its pictures well-formed and legible."""

import random
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from typing import get_args

import pytest

from harness.outcome import TONNES, FlowLine, HoldingLine, Outcome, TimelineLine
from harness.pictures import draw_flows, draw_holdings, draw_timeline
from harness.report import CAUSES, KINDS, STATES, render_report, write_report
from harness.scenario import Step
from ledger.transactions import State
from schemas.effects import Cause
from schemas.units import Kind

NASTY = """<script>alert("1")</script>&amp;'"]]>--><svg onload=x>\x00\x1b[31m\u202e{{7*7}}"""
VOID = {"meta", "link", "br"}


class Structure(HTMLParser):
    """What a browser would see: elements, attributes, and whether tags are balanced."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def structure(page: str) -> Structure:
    parser = Structure()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def svgs(page: str) -> list[ET.Element]:
    found = [ET.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]  # noqa: S314 - our own
    assert found
    return found


def spoiled(value: object) -> object:
    """The same outcome with every free text replaced by something nasty."""
    fixed = {"state", "expected", "kind", "layer", "cause", "type", "at", "recipient", "author"}
    fixed |= {"actor", "source", "target", "timeline_of", "id", "opened_at", "changed_at", "unit"}
    if isinstance(value, dict):
        return {k: v if k in fixed else spoiled(v) for k, v in value.items()}
    if isinstance(value, list):
        return [spoiled(one) for one in value]
    return NASTY if isinstance(value, str) else value


def test_every_figure_is_there_with_thousands_separators(outcome: Outcome, tmp_path: Path) -> None:
    write_report(outcome, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for words in (
        *("A test of everything", "Thailand", "Switzerland", "The gazette of 8 January 2024"),
        *("7,140,001", "7,140,000", "1,916", "1,917", "1,960", "1,234", "5,678", "4,321"),
        *("THA01-THA-1", "The story of step 2.", "6002 units-final: used", "1.75 s", "22.50 s"),
        *("held-without-issuance", "REC-1", "ab" * 32, "000000000000…", "+44"),
        "its own ledger shows 1,960: 44 more",
        *("1,930", "+1,916", "MWh", "815", "-815"),
        "CHE01-CHE-HLD-1-27, emission reductions, designation N, authorization T version 2",
        "expected: rejected",
        "step step-3 ended expired, expected rejected",
    ):
        assert words in page, words


def test_each_example_is_shown_with_what_was_expected_and_what_came(outcome: Outcome) -> None:
    page = render_report(outcome)
    rows = [re.sub(r"<[^>]+>", "|", row) for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL)]
    told = [[cell for cell in row.split("|") if cell.strip()] for row in rows]
    assert ["How steps end", "1 rejected", "1 expired", "✗ differs"] in told
    assert ["First transfers", "7,140,002 units", "7,140,002 units", "✓ as expected"] in told
    title, shown = "Thailand to Switzerland, buses", "That both recognise it."
    assert ["A1", title, ", 3 steps. ", shown, "✗ differs"] in told
    assert ["A2", "Ghana, stoves", ", 0 steps. ", "A cap.", "✓ as expected"] in told


def counted_in(unit: str, outcome: Outcome) -> str:
    """The report of an outcome of which everything is counted in another unit of measure."""
    summary = outcome.summary.model_copy(update={"units_issued": {f"itmo {unit}": 3000}})
    lines = {
        name: [line.model_copy(update={"unit": unit}) for line in getattr(outcome, name)]
        for name in ("transactions", "flows", "holdings")
    }
    return render_report(outcome.model_copy(update=lines | {"summary": summary}))


def test_what_is_not_counted_in_tonnes_says_so_everywhere(outcome: Outcome) -> None:
    page = counted_in("MWh", outcome)
    for words in ("7,140,001 MWh", ">1,916 MWh<", "<td>itmo, MWh</td>", ">underlying, MWh<"):
        assert words in page, words
    assert page.count("ITMOs and A6.4ERs in MWh") == 3  # at the top, in the summary, of the flows
    assert "7,140,001 MWh" not in render_report(outcome)
    assert "script" not in structure(counted_in(NASTY, outcome)).tags


def test_a_passed_run_says_so(outcome: Outcome) -> None:
    summary = outcome.summary.model_copy(update={"expectations_failed": []})
    page = render_report(outcome.model_copy(update={"summary": summary}))
    assert "Every expectation of the scenario held." in page
    assert "did not hold" not in page


def test_names_from_a_run_are_escaped(outcome: Outcome) -> None:
    plain = structure(render_report(outcome))
    page = render_report(Outcome.model_validate(spoiled(outcome.model_dump())))
    seen = structure(page)
    assert seen.tags == plain.tags
    assert sorted({name for name, _ in seen.attributes}) == sorted(
        {name for name, _ in plain.attributes}
    )
    assert "&lt;script&gt;alert(" in page
    assert "{{7*7}}" in page  # text, not a template
    assert not set(page) & {"\x00", "\x1b", "\u202e"}
    assert svgs(page)


def test_the_page_loads_and_runs_nothing(outcome: Outcome) -> None:
    page = render_report(outcome)
    seen = structure(page)
    loading = {"src", "href", "srcset", "action", "data", "poster", "xlink:href", "style"}
    assert [value for name, value in seen.attributes if name in loading] == ["data:,"]
    assert not {"script", "iframe", "object", "img", "image", "use", "form"} & set(seen.tags)
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert not re.search(r"https?:|url\(|@import", page)


def test_every_picture_is_well_formed_and_described(outcome: Outcome) -> None:
    pictures = [svg for svg in svgs(render_report(outcome)) if svg.get("role") == "img"]
    assert len(pictures) == 4  # flows, two holdings, timeline
    for svg in pictures:
        assert svg.find("title") is not None
        assert svg.find("desc") is not None


def test_an_empty_run_can_be_shown(outcome: Outcome) -> None:
    lists = (
        "examples",
        "transactions",
        "flows",
        "holdings",
        "timeline",
        "discrepancies",
        "sources",
        "adjustments",
    )
    nothing = outcome.model_copy(update={name: [] for name in lists} | {"timeline_of": ""})
    page = render_report(nothing)
    assert "No transfer between two actors" in page
    assert "Nothing was first-transferred" in page


def test_every_state_cause_and_kind_has_plain_words() -> None:
    ends = get_args(Step.model_fields["expect"].annotation)
    assert set(STATES) == {str(state) for state in State} | {*ends, "overdue"}
    assert set(CAUSES) == set(get_args(Cause))
    assert set(KINDS) == {str(kind) for kind in Kind}


# --- labels never overlap -----------------------------------------------------------------------

Box = tuple[float, float, float, float, str]
SIZES = {"value": 11.5, "more": 11, "count": 10.5, "tick": 10.5, "warning": 11, "type": 11.5}


def boxes(picture: str) -> Iterator[Box]:
    """Where each text lies, for a common font: 0.56 of its size wide, of which 0.75 is ascent."""
    for text in ET.fromstring(picture).iter("text"):  # noqa: S314 - our own
        classes = (text.get("class") or "").split()
        size = next((SIZES[c] for c in classes if c in SIZES), 11.5 if "mono" in classes else 12.5)
        words = text.text or ""
        if not words:
            continue
        width = len(words) * size * (0.6 if "mono" in classes else 0.56)
        x, y = float(text.get("x", "0")), float(text.get("y", "0"))
        x -= {"end": width, "middle": width / 2}.get(text.get("text-anchor", ""), 0)
        yield x, y - 0.75 * size, x + width, y + 0.1 * size, words


def assert_legible(picture: str) -> None:
    svg = ET.fromstring(picture)  # noqa: S314 - our own
    _, _, width, height = (float(n) for n in (svg.get("viewBox") or "").split())
    found = list(boxes(picture))
    for left, top, right, bottom, words in found:
        assert left >= -8, words
        assert right <= width + 8, words
        assert top >= -1, words
        assert bottom <= height + 1, words
    for a, b in combinations(found, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, f"{a[4]!r} lies on {b[4]!r}"


@pytest.mark.parametrize("seed", range(20))
def test_labels_of_any_figures_are_apart(seed: int) -> None:
    chance = random.Random(seed)
    actors = [f"{a}{b}{c}01/{a}{b}{c}" for a in "AB" for b in "XY" for c in "PQ"]
    names = {actor[:5]: "A rather long name " * chance.randint(0, 3) for actor in actors}

    def quantity() -> int:
        return chance.choice([0, 1, 1000, 7_140_000, chance.randint(1, 10**10 - 1)])

    flows = [
        FlowLine(
            source=chance.choice(actors),
            target=chance.choice(actors),
            layer=chance.choice(["itmo", "underlying"]),
            unit=chance.choice([TONNES, "MWh", "a unit of measure with a long name"]),
            quantity=max(1, quantity()),
            transactions=chance.randint(1, 12_000),
        )
        for _ in range(chance.randint(0, 12))
    ]
    assert_legible(draw_flows(flows, names))
    lines = [
        HoldingLine(
            actor=actors[0],
            kind=kind,
            layer=layer,
            unit=chance.choice([TONNES, "MWh", "a unit of measure with a long name"]),
            before=quantity(),
            after=after,
            rows=rows,
        )
        for kind in Kind
        for layer in ("itmo", "underlying")
        for after in [quantity()]
        for rows in [chance.choice([after, quantity()])]
    ]
    most = max(max(line.before, line.after, line.rows) for line in lines)
    assert_legible(draw_holdings(actors[0], names[actors[0][:5]], lines, most))
    programs = ["HUB", "REC", *(actor[:5] for actor in actors[:3])]
    messages = [
        TimelineLine(
            at="2026-01-31T23:59:58.500000Z",
            author=chance.choice(["HUB", *actors[:3]]),
            recipient=chance.choice(programs),
            type=chance.choice(["proposal", "acceptance", "enclosure", "status-request", "entry"]),
            digest="0" * 64,
            says="says something that is longer than there is room " * chance.randint(0, 2),
        )
        for _ in range(chance.randint(0, 100))
    ]
    assert_legible(draw_timeline(messages, [actors[0][:5], actors[1][:5]], names))
