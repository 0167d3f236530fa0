# SPDX-License-Identifier: Apache-2.0
"""The report of a run: one HTML file with its pictures in it, for people who know climate policy.

Nothing is fetched and nothing runs: the page forbids itself both by a content security policy, so
it may be mailed, archived and printed. Every word from a run is escaped by the template. States and
causes are explained here in plain words, and a test holds the words to the code's own lists.

Elsewhere: the pictures (`pictures`), the page's text and style (`report.html.jinja`), the same
figures on a terminal (`console`) and for programs (`summary.json`).
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.outcome import TONNES, HoldingLine, Outcome, TransactionLine
from harness.pictures import (
    LAYER_WORDS,
    draw_flows,
    draw_holdings,
    draw_timeline,
    kind_words,
    printable,
    units_words,
)
from schemas.units import Attributes, Kind

__all__ = ["CAUSES", "KINDS", "STATES", "duration", "render_report", "write_report"]


class Word(NamedTuple):
    """How a state is shown and what it means."""

    sign: str
    name: str
    meaning: str


STATES: dict[str, Word] = {
    "completed": Word(
        "✓",
        "completed",
        "Everybody concerned agreed, in writing, and the hub recorded it. The units have moved; "
        "nobody can undo it alone.",
    ),
    "refused": Word(
        "✗",
        "refused",
        "The hub found that a rule would be broken and said which. Nothing moved.",
    ),
    "refused-at-home": Word(
        "✗",
        "refused at home",
        "The proposer's own registry found it before anything was sent. Nothing moved, and the hub "
        "never heard of it.",
    ),
    "rejected": Word(
        "⊘", "rejected", "The acquiring registry said no, signed. The units are free again."
    ),
    "expired": Word(
        "◷", "expired", "Nobody answered before the deadline. The units are free again."
    ),
    "withdrawn": Word(
        "↩", "withdrawn", "The proposer took it back before it was accepted. The units are free."
    ),
    "proposed": Word("…", "proposed", "Sent, and not yet checked by the hub."),
    "cleared": Word("…", "cleared", "Checked by the hub; the acquirer's answer is awaited."),
    "overdue": Word("!", "overdue", "It did not end within the time that the run allows: a fault."),
}
"""Every way in which a step can end, in plain words."""

CAUSES: dict[str, str] = {
    "held-without-issuance": "The ledger shows units that nobody ever issued.",
    "held-twice": "Two ledgers show the same units.",
    "missing": "Units that the log places there are not in the ledger.",
    "surplus": "The ledger shows units that the log places elsewhere.",
    "attributes-differ": "The units are there, but what is recorded of them differs.",
    "position-differs": "The units are there, but in another account.",
    "late-or-lost-message": "A message has not arrived, so the ledger is behind.",
    "tampered-rows": "Rows were changed without any entry of the log.",
    "log-fork": "Somebody was shown another log.",
    "statement-overdue": "The registry has not said for too long what its ledger holds.",
    "deliveries-differ": "The registry says that it was delivered other entries than the log has.",
}
"""Why a ledger and the log differ, in plain words."""

KINDS: dict[str, str] = {
    "pending": "issued by the mechanism registry and not yet given to anybody",
    "holding": "held, and free to be transferred, used or cancelled",
    "locked": "staying where it was issued while an ITMO represents it abroad",
    "use": "used, towards an NDC or for another authorized purpose; final",
    "cancellation": "cancelled voluntarily; final",
    "omge": "cancelled for overall mitigation in global emissions; final",
    "share-of-proceeds": "for the Adaptation Fund",
    "retirement": "used in the mechanism registry, or represented by an ITMO that was used; final",
    "administrative": "cancelled by the mechanism registry's administrator; final",
    "buffer": "kept by the mechanism registry against reversals",
    "cer": "of the clean development mechanism, from before 2021",
}
"""What each kind of position means; `schemas.units.Kind` names them."""

NOTHING = "\N{EN DASH}"
_FOLDER = Path(__file__).resolve().parent


def write_report(outcome: Outcome, path: Path) -> None:
    """Write the report of a run as one HTML file."""
    path.write_text(render_report(outcome), encoding="utf-8")


def render_report(outcome: Outcome) -> str:
    """The page."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["signed"] = lambda value: f"{value:+,}"
    environment.filters["kind"] = kind_words
    environment.filters["units"] = units_words
    environment.filters["moment"] = moment
    environment.filters["held"] = held_words
    environment.filters["seconds"] = lambda value: NOTHING if value is None else f"{value:,.2f} s"
    return environment.get_template("report.html.jinja").render(
        outcome=outcome,
        summary=outcome.summary,
        flows=draw_flows(outcome.flows, outcome.registries),
        holdings=_holdings(outcome),
        timeline=draw_timeline(outcome.timeline, _ends(outcome), outcome.registries),
        subject=_subject(outcome),
        states=STATES,
        states_met=_met([line.state for line in outcome.transactions], list(STATES)),
        causes_met=_met([line.cause for line in outcome.discrepancies], list(CAUSES)),
        causes=CAUSES,
        kinds=KINDS,
        layers=LAYER_WORDS,
        positions=[h for h in _in_order(outcome) if h.after or h.rows],
        duration=duration,
        tonnes=TONNES,
        as_wanted=sum(line.state == line.expected for line in outcome.transactions),
    )


def duration(begun: str, ended: str) -> float | None:
    """Seconds between two instants; None when either is not known."""
    try:
        return (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()
    except ValueError:
        return None


def moment(instant: str) -> str:
    """An instant as people read it: `2026-01-31 23:59:59 UTC`."""
    return f"{instant[:10]} {instant[11:19]} UTC" if instant[10:11] == "T" else instant or NOTHING


def _met(found: Sequence[str], order: Sequence[str]) -> list[str]:
    return [*(word for word in order if word in found), *sorted(set(found) - set(order))]


def held_words(said: str | None) -> str:
    """What one side of a discrepancy holds: an account and the attributes of the units there."""
    if not said:
        return "nothing there"
    account, _, text = said.partition(" ")
    try:
        attributes = Attributes.model_validate_json(text)
    except ValueError:
        return said
    words = [account, attributes.mitigation.lower()]
    if attributes.designation:
        words.append(f"designation {attributes.designation}")
    if attributes.authorization:
        reference = attributes.authorization
        words.append(f"authorization {reference.id} version {reference.version}")
    words.append("first-transferred" if attributes.first_transferred else "not first-transferred")
    if attributes.use:
        words.append(f"used: {attributes.use.words}")
    return ", ".join(words)


def _holdings(outcome: Outcome) -> list[str]:
    """A picture for each actor that ever held units, all on one scale."""
    lines = [h for h in _in_order(outcome) if h.before or h.after or h.rows]
    most = max((max(h.before, h.after, h.rows) for h in lines), default=1)
    names = outcome.registries
    return [
        draw_holdings(actor, names.get(actor.partition("/")[0], actor), list(held), most)
        for actor, held in groupby(lines, key=lambda h: h.actor)
    ]


def _in_order(outcome: Outcome) -> list[HoldingLine]:
    """Holdings by registry as the scenario lists them, actor, layer and kind."""
    registries, kinds = list(outcome.registries), [str(kind) for kind in Kind]

    def place(line: HoldingLine) -> tuple[int, str, bool, str, int]:
        registry = line.actor.partition("/")[0]
        where = registries.index(registry) if registry in registries else len(registries)
        return where, line.actor, line.unit != TONNES, line.layer, kinds.index(line.kind)

    return sorted(outcome.holdings, key=place)


def _subject(outcome: Outcome) -> TransactionLine | None:
    """The transaction whose messages the timeline shows."""
    return next((t for t in outcome.transactions if t.id == outcome.timeline_of), None)


def _ends(outcome: Outcome) -> list[str]:
    subject = _subject(outcome)
    ends = [subject.proposer, subject.acquirer or subject.proposer] if subject else []
    return [actor.partition("/")[0] for actor in ends]
