# SPDX-License-Identifier: Apache-2.0
"""What each action asks by itself: quantities, levies and metrics.

The last class of protocol 5.6; all before it has passed, so that every unit named is there and in
its account. Rules of the Parties: 3/CMA.3 annex paras 53-59, and protocol 5.13.

Elsewhere: what is authorized (`authorized`).
"""

import re
from collections.abc import Iterator

from harness.simulation.authorized import (
    VINTAGE_FIRST,
    authorization,
    cancellation,
    counter_entry,
    first_transfer,
    leaned_on,
    transfer,
    use,
)
from harness.simulation.mechanism_rules import (
    administrative,
    approval,
    cer_transfer,
    cer_use,
    designation,
    forwarding,
    instructed,
    issued,
    recorded,
    replenishment,
)
from harness.simulation.model import Approval, kind_of
from harness.simulation.question import Question, Rule

__all__ = ["own_rules"]

REGISTRY = re.compile(r"([A-Z]{3}|UN)[0-9]{2}")
"""Who could be here; other names are of programmes' registries, which stay outside (1.2)."""


def own_rules(q: Question) -> Iterator[str]:
    """The reasons for which an action itself refuses."""
    yield from RULES[q.action](q)
    yield from leaned_on(q)
    yield from instructed(q)
    yield from _metrics(q)


# --- issuance -------------------------------------------------------------------------------------


def cer_entry(q: Question) -> Iterator[str]:
    """What was approved, labelled, with nothing else said of it."""
    yield from _under_approval(q)
    for line in q.lines:
        said = {n: v for n, v in line["attributes"].items() if v not in (None, False)}
        plain = {"designation": "CER", "metric": "GHG", "mitigation": said.get("mitigation")}
        unlike = any(plain.get(name) != value for name, value in said.items())
        if unlike or said.get("designation") != "CER":
            yield "designation-wrong"


def issuance(q: Question) -> Iterator[str]:
    """An approved quantity of a vintage that counts, and the levies of the mechanism."""
    if any(line["key"]["vintage"] < VINTAGE_FIRST for line in q.lines):
        yield "vintage-too-early"
    yield from _under_approval(q)
    yield from _history(q)
    if q.participant == q.model.mechanism:
        yield from issued(q)


def _under_approval(q: Question) -> Iterator[str]:
    """Approved, and not used up."""
    quantity, references = q.proposal["quantity"], q.proposal["references"]
    approved = references["approved_quantity"]
    before = q.model.approvals.get((q.proposer, references["approval"]))
    known = before or Approval(approved)
    if known.issued + quantity > approved:
        yield "approval-exceeded"
    if known.approved != approved:
        yield "approval-differs"
    if q.participant == q.model.mechanism:
        yield from recorded(q, known.record)


def _history(q: Question) -> Iterator[str]:
    """New units have none, but that levies are first-transferred at once."""
    mechanism = q.participant == q.model.mechanism
    for line in q.lines:
        never = {"use"} if mechanism else {"use", "designation"}
        if line["key"]["layer"] == "underlying":
            never.add("authorization")
        given = {name: value for name, value in line["attributes"].items() if value is not None}
        due = kind_of(line["target"]) in {"share-of-proceeds", "omge"}
        moved = bool(given.get("first_transferred"))
        if moved > due and "authorization" not in given:
            yield "already-first-transferred"
        if due > moved:
            yield "not-first-transferred"
        below = given.get("underlying_registry")
        outside = below is None or not (mechanism or REGISTRY.fullmatch(below))
        if never & set(given) or not outside:
            yield "member-superfluous"


# --- all ------------------------------------------------------------------------------------------


def _metrics(q: Question) -> Iterator[str]:
    """The quantity is in the metric of the units, where there are units."""
    given = q.proposal.get("unit")
    if given and not q.lines:
        yield "member-superfluous"
    said = [(line.get("attributes") or {}).get("unit") for line in q.lines]
    if q.action not in {"issuance", "cer-entry"}:
        said = [unit.said["unit"] for _, _, unit in q.units()]
    if any(unit != given for unit in said):
        yield "metric-differs"


RULES: dict[str, Rule] = {
    "issuance": issuance,
    "approval": approval,
    "authorization": authorization,
    "designation": designation,
    "forwarding": forwarding,
    "cer-entry": cer_entry,
    "cer-transfer": cer_transfer,
    "cer-use": cer_use,
    "replenishment": replenishment,
    "administrative-cancellation": administrative,
    "first-transfer": first_transfer,
    "counter-entry": counter_entry,
    "transfer": transfer,
    "use": use,
    "cancellation": cancellation,
}
