# SPDX-License-Identifier: Apache-2.0
"""The pictures of the report, as inline SVG: flows, holdings, and the timeline of one transfer.

Plain functions from lines of an outcome to text. What holds for all of them:

- Well-formed XML whatever the names are: every text goes through `text`, every attribute is quoted.
- Labels have room of their own by construction (ports, rows and lanes at fixed distances), so they
  cannot overlap however the figures fall; what is too long is cut with an ellipsis.
- Colours are classes that the page defines (light, dark, print), from the palette of Okabe and Ito;
  nothing is said by colour alone: layers differ in line, before and after in filling.

Elsewhere: the page around them (`report`), where the figures come from (`gather`).
"""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from harness.outcome import TONNES, FlowLine, HoldingLine, TimelineLine, units_name
from schemas.units import Kind, Layer

__all__ = [
    "LAYER_WORDS",
    "draw_flows",
    "draw_holdings",
    "draw_timeline",
    "kind_words",
    "printable",
    "units_words",
]

LAYER_WORDS: dict[str, str] = {
    Layer.ITMO: "ITMOs and A6.4ERs",
    Layer.UNDERLYING: "underlying units",
}
_SHORT_LAYERS = {Layer.ITMO: "ITMO layer", Layer.UNDERLYING: "underlying layer"}
_KINDS = [str(kind) for kind in Kind]
_GLYPH = 0.6  # a character's width in font sizes, on the wide side of common fonts


# --- drawing ------------------------------------------------------------------------------------


def printable(words: str) -> str:
    """Without control characters, which XML cannot carry and a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)


def _element(_name: str, _content: str = "", **attributes: object) -> str:
    """An element; `class_` is the attribute `class`, underscores are hyphens."""
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(_plain(value))}"'
        for name, value in attributes.items()
    )
    return f"<{_name}{written}>{_content}</{_name}>" if _content else f"<{_name}{written}/>"


def _plain(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else printable(str(value))


def _text(x: float, y: float, words: str, class_: str = "", **attributes: object) -> str:
    return _element("text", html.escape(printable(words)), x=x, y=y, class_=class_, **attributes)


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return _element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def _rect(x: float, y: float, width: float, height: float, class_: str) -> str:
    return _element("rect", x=x, y=y, width=width, height=height, rx=3, class_=class_)


def _cut(words: str, room: float, size: float) -> str:
    """As much of a text as fits into `room`."""
    most = max(1, int(room / (size * _GLYPH)))
    return words if len(words) <= most else words[: most - 1] + "…"


def _arrow_head(x: float, y: float, towards: int, class_: str, size: float = 7) -> str:
    back = x - towards * size * 1.6
    points = f"{x:.1f},{y:.1f} {back:.1f},{y - size:.1f} {back:.1f},{y + size:.1f}"
    return _element("polygon", points=points, class_=class_)


def _picture(parts: Iterable[str], width: float, height: float, title: str, about: str) -> str:
    head = _element("title", html.escape(printable(title)))
    head += _element("desc", html.escape(printable(about)))
    return _element(
        "svg", head + "".join(parts), viewBox=f"0 0 {width:g} {height:g}", role="img", class_="pic"
    )


# --- flows --------------------------------------------------------------------------------------

_FLOWS_WIDTH, _NODE, _PORT, _APART = 960, 240, 52, 16


def draw_flows(flows: Sequence[FlowLine], names: Mapping[str, str]) -> str:
    """Who handed how much to whom: givers on the left, takers on the right, an arrow for each pair
    and layer. A label stands over its arrow's straight beginning, where no other arrow comes by.
    """
    most = max((flow.quantity for flow in flows), default=1)
    left = sorted(flows, key=lambda f: (-_given(flows, f.source), f.source, -f.quantity))
    right = left
    for _ in range(3):  # each side follows the middle of what it is tied to, so few arrows cross
        right = _follow(flows, left, by_source=False)
        left = _follow(flows, right, by_source=True)
    starts, ends = _ports([f.source for f in left]), _ports([f.target for f in right])
    height = max([*starts, *ends, 0]) + _PORT / 2 + 8
    lower = (max([*starts, 0]) - max([*ends, 0])) / 2  # the shorter side stands in the middle
    starts = [y + max(0.0, -lower) for y in starts]
    ends = [y + max(0.0, lower) for y in ends]
    end_of = {id(flow): y for flow, y in zip(right, ends, strict=True)}
    parts = [_flow(flow, y, end_of[id(flow)], most) for flow, y in zip(left, starts, strict=True)]
    sources = _boxes([(flow.source, y) for flow, y in zip(left, starts, strict=True)])
    targets = _boxes([(flow.target, y) for flow, y in zip(right, ends, strict=True)])
    parts += [_node(0, *box, names) for box in sources]
    parts += [_node(_FLOWS_WIDTH - _NODE, *box, names) for box in targets]
    about = "; ".join(
        f"{f.source} to {f.target}: {f.quantity:,} {units_words(units_name(f.layer, f.unit))}"
        for f in flows
    )
    return _picture(parts, _FLOWS_WIDTH, height, "Flows between registries", about)


def _given(flows: Sequence[FlowLine], source: str) -> int:
    return sum(flow.quantity for flow in flows if flow.source == source)


def _follow(
    flows: Sequence[FlowLine], other: Sequence[FlowLine], *, by_source: bool
) -> list[FlowLine]:
    """Arrows ordered for one side, its owners by the middle of their arrows on the other side."""
    place = {id(flow): i for i, flow in enumerate(other)}
    owned: dict[str, list[FlowLine]] = {}
    for flow in flows:
        owned.setdefault(flow.source if by_source else flow.target, []).append(flow)
    for held in owned.values():
        held.sort(key=lambda f: place[id(f)])
    middle = {o: sum(place[id(f)] for f in held) / len(held) for o, held in owned.items()}
    return [f for owner in sorted(owned, key=lambda o: (middle[o], o)) for f in owned[owner]]


def _ports(owners: Sequence[str]) -> list[float]:
    """The height of each arrow's end; arrows of one owner are neighbours, owners keep apart."""
    heights, y = [], 4.0
    for i, owner in enumerate(owners):
        y += _PORT if i else _PORT / 2
        y += _APART if i and owner != owners[i - 1] else 0
        heights.append(y)
    return heights


def _boxes(ports: Sequence[tuple[str, float]]) -> list[tuple[str, float, float]]:
    """The box of each owner: from its first to its last port."""
    boxes = []
    for owner, held in groupby(ports, key=lambda port: port[0]):
        heights = [y for _, y in held]
        boxes.append((owner, heights[0] - _PORT / 2 + 3, heights[-1] + _PORT / 2 - 3))
    return boxes


def _node(x: float, actor: str, top: float, bottom: float, names: Mapping[str, str]) -> str:
    middle = (top + bottom) / 2
    name = names.get(actor.partition("/")[0], actor)
    return (
        _rect(x, top, _NODE, bottom - top, "node")
        + _text(x + 12, middle - 3, _cut(name, _NODE - 20, 11.8), "strong")
        + _text(x + 12, middle + 14, _cut(actor, _NODE - 20, 12), "soft mono")
    )


def _flow(flow: FlowLine, start: float, end: float, most: int) -> str:
    layer = Layer(flow.layer)
    width = 2 + 7 * math.log10(flow.quantity + 1) / math.log10(most + 1)
    left, right, straight = _NODE, _FLOWS_WIDTH - _NODE - 12, _NODE + 235
    way = (
        f"M{left} {start:.1f} H{straight} "
        f"C{straight + 110} {start:.1f} {right - 110} {end:.1f} {right} {end:.1f}"
    )
    units = "unit" if flow.quantity == 1 else "units"
    label = f"{flow.quantity:,} {units if flow.unit == TONNES else flow.unit}"
    times = "transfer" if flow.transactions == 1 else "transfers"
    more = f"{_SHORT_LAYERS[layer]}, {flow.transactions:,} {times}"
    return (
        _element("path", d=way, class_=f"flow {layer}", stroke_width=width)
        + _arrow_head(_FLOWS_WIDTH - _NODE - 2, end, 1, f"head {layer}", max(6.0, width))
        + _text(left + 10, start - width / 2 - 5, _cut(label, 225, 11.5), "value")
        + _text(left + 10, start + width / 2 + 13, _cut(more, 225, 11), "more soft")
    )


# --- holdings -----------------------------------------------------------------------------------

_PANEL, _LABELS, _BARS, _ROW = 560, 140, 320, 36


def draw_holdings(
    actor: str, name: str, lines: Sequence[HoldingLine], most: int, title: str = "Holdings"
) -> str:
    """An actor's units by kind of position: after issuance (hollow) and at the end (filled), on a
    logarithmic scale up to `most`; where the actor's own rows differ from the log, a mark says it.
    """
    decades = max(1, math.ceil(math.log10(max(most, 2))))
    ordered = sorted(lines, key=lambda h: (_KINDS.index(h.kind), h.layer != Layer.UNDERLYING))
    parts = [
        _text(0, 15, _cut(name, 330, 12.5), "strong"),
        _text(_PANEL, 15, actor, "soft mono", text_anchor="end"),
    ]
    y = 44.0
    bodies = []
    for line in ordered:
        bodies.append(_holding(line, y, decades))
        y += _ROW + (18 if line.rows != line.after else 0)
    parts += [_scale(decades, y - 4), *bodies]
    about = "; ".join(
        f"{h.kind}, {h.layer}: {h.before:,} before, {h.after:,} after, {h.rows:,} in its rows"
        for h in ordered
    )
    return _picture(parts, _PANEL, y + 2, f"{title} of {actor}", about)


def units_words(name: str) -> str:
    """What the units of a sum are called."""
    layer, _, unit = name.partition(" ")
    words = LAYER_WORDS.get(layer, layer)
    return f"{words} in {unit}" if unit else words


def kind_words(kind: str) -> str:
    """A kind of position as people write it."""
    return "OMGE" if kind == Kind.OMGE else kind.replace("-", " ")


def _bar_end(units: int, decades: int) -> float:
    """Where the bar of so many units ends; one unit is still to be seen."""
    return _LABELS + max(3.0, _BARS * math.log10(max(units, 1)) / decades)


def _scale(decades: int, bottom: float) -> str:
    words = {0: "1", 2: "100", 4: "10,000", 6: "1 million", 8: "100 million", 10: "10 billion"}
    parts = []
    for decade in range(decades + 1):
        x = _LABELS + _BARS * decade / decades
        parts.append(_line(x, 36, x, bottom, "grid"))
        if decade in words and (decades <= 8 or decade % 4 == 0):
            parts.append(_text(x, 31, words[decade], "tick", text_anchor="middle"))
    return "".join(parts)


def _holding(line: HoldingLine, y: float, decades: int) -> str:
    layer = Layer(line.layer)
    kind = _cut(kind_words(line.kind), _LABELS - 8, 11.5)
    note = ["underlying"] * (layer is Layer.UNDERLYING) + [line.unit] * (line.unit != TONNES)
    aside, middle = _LABELS - 8, y + (11 if note else 15)
    parts = [_text(aside, middle, kind, text_anchor="end")]
    if note:
        words = _cut(", ".join(note), _LABELS - 8, 10.5)
        parts.append(_text(aside, y + 24, words, "count soft", text_anchor="end"))
    for units, top, class_ in ((line.before, y, "before"), (line.after, y + 13, "after")):
        end = _bar_end(units, decades) if units else _LABELS
        if units:
            parts.append(_rect(_LABELS, top, end - _LABELS, 9, f"bar {class_} {layer}"))
        parts.append(_text(end + 7, top + 8.5, f"{units:,}", f"count {class_}"))
    if line.rows != line.after:
        x = _bar_end(line.rows, decades) if line.rows else float(_LABELS)
        points = f"{x:.1f},{y + 24} {x - 5:.1f},{y + 33} {x + 5:.1f},{y + 33}"
        parts.append(_element("polygon", points=points, class_="alert"))
        much = f"{abs(line.rows - line.after):,} {'more' if line.rows > line.after else 'fewer'}"
        words = f"its own ledger shows {line.rows:,}: {much}"
        wide = len(words) * 11 * _GLYPH
        parts.append(_text(max(0.0, min(x - wide / 2, _PANEL - wide)), y + 44, words, "warning"))
    return "".join(parts)


# --- timeline -----------------------------------------------------------------------------------

_TIMELINE_WIDTH, _TIMES, _LANES, _STEP, _ROWS_MAX = 960, 180, 500, 36, 80
_REGISTRY_SAYS = frozenset({"proposal", "acceptance", "rejection", "withdrawal"})


def draw_timeline(
    lines: Sequence[TimelineLine], ends: Sequence[str], names: Mapping[str, str]
) -> str:
    """The messages of one transfer, downwards in time: a lane for each program, an arrow for each
    message, and beside it what it says and the beginning of its SHA-256 digest. `ends` are the
    proposer's and the acquirer's participants, whose lanes stand left and right of the hub's.
    """
    shown = lines[:_ROWS_MAX]
    heard = [p for line in shown for p in (line.author.partition("/")[0], line.recipient)]
    order = dict.fromkeys([*ends[:1], "HUB", *ends[1:], "REC", *heard])
    lanes = [lane for lane in order if lane in heard]
    apart = _LANES / max(1, len(lanes))
    place = {lane: _TIMES + apart * (i + 0.5) for i, lane in enumerate(lanes)}
    height = 64 + _STEP * (len(shown) + (len(lines) > len(shown)))
    parts = []
    for lane, x in place.items():
        parts.append(_line(x, 44, x, height - 10, "lane"))
        name = {"HUB": "Hub", "REC": "Reconciliation"}.get(lane, names.get(lane, lane))
        parts.append(_text(x, 16, _cut(name, apart - 6, 11.8), "strong", text_anchor="middle"))
        parts.append(_text(x, 33, lane, "soft mono", text_anchor="middle"))
    begun = _moment(shown[0].at) if shown else None
    for i, line in enumerate(shown):
        parts.append(_message(line, 64 + _STEP * i + 12, place, begun))
    if len(lines) > len(shown):
        words = f"and {len(lines) - len(shown)} more messages"
        parts.append(_text(0, height - 14, words, "soft"))
    about = "; ".join(f"{x.author} to {x.recipient}: {x.type}, {x.says}" for x in shown)
    return _picture(parts, _TIMELINE_WIDTH, height, "Timeline of one transfer", about)


def _message(
    line: TimelineLine, y: float, place: Mapping[str, float], begun: datetime | None
) -> str:
    start, end = place[line.author.partition("/")[0]], place[line.recipient]
    says = "registry" if line.type in _REGISTRY_SAYS else "hub"
    class_ = "enclosed" if line.type == "enclosure" else says
    towards = 1 if end >= start else -1
    moment = _moment(line.at)
    after = f"+{(moment - begun).total_seconds() * 1000:,.0f} ms" if moment and begun else ""
    right = _TIMES + _LANES + 12
    parts = [
        _text(0, y + 4, line.at[11:23] or line.at, "soft mono"),
        _text(_TIMES - 4, y + 4, after, "soft more", text_anchor="end"),
        _element("circle", cx=start, cy=y, r=3.5, class_=f"head {class_}"),
        _text(right, y - 2, _cut(line.says, _TIMELINE_WIDTH - right, 12), ""),
        _text(right, y + 12, line.digest[:12] + "…", "soft mono"),
    ]
    if start == end:  # two sections of one registry
        outer = start - _TIMES > right - start
        x, anchor = (start - 10, "end") if outer else (start + 10, "start")
        parts.append(_text(x, y - 6, line.type, "type", text_anchor=anchor))
        return "".join(parts)
    parts.append(_line(start, y, end - towards * 8, y, f"arrow {class_}"))
    parts.append(_arrow_head(end - towards * 1, y, towards, f"head {class_}", 4.5))
    label = _cut(line.type, abs(end - start) - 24, 10.5)
    parts.append(_text((start + end) / 2, y - 6, label, "type", text_anchor="middle"))
    return "".join(parts)


def _moment(instant: str) -> datetime | None:
    try:
        return datetime.fromisoformat(instant)
    except ValueError:
        return None
