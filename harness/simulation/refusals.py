# SPDX-License-Identifier: Apache-2.0
"""Why a proposal is refused: the rules as an ordered list of plain questions.

`why_refused` asks class by class in the order of protocol 5.6. The first class that finds
something stops, and its reasons are what the hub may have said; where documents leave open which
of two names a fault has, both are given. Nothing found means that the proposal passes.

Facts come from the model alone, as of the entry's place in the log and its time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from harness.simulation.consequences import represented
from harness.simulation.model import (
    UNITS_MAX,
    Model,
    Place,
    Transaction,
    Unit,
    actor_of,
    attributes_of,
    attributes_text,
    key_on,
    key_text,
    kind_of,
    serials,
    series_of,
)

__all__ = ["why_refused"]

LIFETIME_MAX = timedelta(seconds=2_592_000)
FINAL = {"use", "cancellation", "omge", "retirement"}
MECHANISM_APPROACH = "CA0001"

# action: members needed, members allowed beside, members of each line, kinds left, kinds entered
ACTIONS: dict[str, tuple[set[str], set[str], set[str], set[str], set[str]]] = {
    "issuance": (
        {"lines", "references"},
        set(),
        {"attributes", "target"},
        set(),
        {"pending", "holding", "omge", "share-of-proceeds"},
    ),
    "authorization": ({"terms"}, set(), set(), set(), set()),
    "forwarding": (
        {"acquirer", "lines"},
        set(),
        {"source", "target"},
        {"pending"},
        {"holding"},
    ),
    "first-transfer": (
        {"authorization", "lines"},
        {"acquirer"},
        {"source", "target"},
        {"pending", "holding"},
        {"holding"},
    ),
    "transfer": (
        {"acquirer", "lines"},
        set(),
        {"source", "target"},
        {"holding", "share-of-proceeds"},
        {"holding"},
    ),
    "use": ({"lines", "use"}, set(), {"source", "target"}, {"holding"}, {"use"}),
    "cancellation": (
        {"lines", "use"},
        set(),
        {"source", "target"},
        {"pending", "holding"},
        {"cancellation"},
    ),
}
"""The table of 5.13."""

OF_PROPOSALS = ("acquirer", "lines", "authorization", "terms", "use", "references")
OF_LINES = ("source", "target", "attributes")


@dataclass(frozen=True)
class Question:
    """A proposal at a place in the log: asked for the first time, or again after an acceptance."""

    model: Model
    transaction: Transaction
    at: str
    again: bool

    @property
    def proposal(self) -> dict[str, Any]:
        return self.transaction.proposal

    @property
    def action(self) -> str:
        return str(self.proposal["action"])

    @property
    def proposer(self) -> str:
        return self.transaction.proposer

    @property
    def acquirer(self) -> str | None:
        return self.proposal.get("acquirer")

    @property
    def lines(self) -> list[dict[str, Any]]:
        return list(self.proposal.get("lines") or ())

    def units(self) -> Iterator[tuple[dict[str, Any], Place, Unit | None]]:
        """Every unit that the lines name."""
        for line in self.lines:
            series = series_of(line["key"])
            for serial in serials(line):
                yield line, (series, serial), self.model.unit((series, serial))


def why_refused(question: Question) -> set[str]:
    """The reasons of the first class that fails, or none."""
    for ask in CLASSES:
        found = set(ask(question))
        if found:
            return found
    return set()


# --- participant ----------------------------------------------------------------------------------


def participant(q: Question) -> Iterator[str]:
    """Who speaks, to whom, connected how (1.3, 4.6, 4.7, 5.4)."""
    if any(line.get("source") and actor_of(line["source"]) != q.proposer for line in q.lines):
        yield from ("author-not-acting", "account-wrong")
    terms = q.proposal.get("terms")
    if terms and terms["party"] != q.proposer.partition("/")[2]:
        yield "author-not-acting"
    status = q.model.status
    own = q.proposer.partition("/")[0]
    if status.get(own) == "testing":
        yield "participant-testing"
    if status.get(own) == "suspended":
        yield "participant-suspended"
    if q.model.overdue_proposes_nothing and any(
        case.actor == q.proposer and case.cause == "statement-overdue"
        for case in q.model.cases.values()
    ):
        yield from ("participant-suspended", "units-frozen")
    if q.acquirer is not None:
        other = q.acquirer.partition("/")[0]
        if q.acquirer not in q.model.actors:
            yield "participant-unknown"
        if status.get(other) == "testing":
            yield "participant-testing"
        if other != own and not _passes(q, q.model.profile(q.proposer, q.acquirer)):
            yield "profile-forbids"


def _passes(q: Question, profile: str) -> bool:
    """The table of 4.7."""
    if q.action == "first-transfer":
        layers = {line["key"]["layer"] for line in q.lines}
        return layers <= {{"information": "underlying", "unit": "itmo"}.get(profile, "")}
    return q.action == "transfer" and profile in {"information", "unit"}


# --- data integrity -------------------------------------------------------------------------------


def members(q: Question) -> Iterator[str]:
    """Whether the proposal has what its action needs, and ranges that can be."""
    needed, allowed, of_lines, _, _ = ACTIONS[q.action]
    present = {name for name in OF_PROPOSALS if q.proposal.get(name)}
    if needed - present - {"acquirer"}:
        yield "member-missing"
    if present - needed - allowed - {"acquirer"}:
        yield "member-superfluous"
    wants = "acquirer" in needed
    if (wants and q.acquirer is None) or q.acquirer == q.proposer:
        yield "acquirer-wrong"
    if q.acquirer is not None and not wants and "acquirer" not in allowed:
        yield "acquirer-wrong"
    for line in q.lines:
        given = {name for name in OF_LINES if line.get(name) is not None}
        underlying = q.action == "first-transfer" and line["key"]["layer"] == "underlying"
        if of_lines - given or (underlying and line.get("itmo_first") is None):
            yield "member-missing"
        if given - of_lines or (not underlying and line.get("itmo_first") is not None):
            yield "member-superfluous"
        if line["first"] > line["last"]:
            yield "range-reversed"
    spans = sorted((series_of(x["key"]), x["first"], x["last"]) for x in q.lines)
    if any(a[0] == b[0] and b[1] <= a[2] for a, b in zip(spans, spans[1:], strict=False)):
        yield "ranges-overlap"
    if q.proposal["quantity"] != sum(x["last"] - x["first"] + 1 for x in q.lines):
        yield "quantity-differs"


def accounts(q: Question) -> Iterator[str]:
    """Whether accounts are of the right owner and kind, and keys fit."""
    _, _, _, left, entered = ACTIONS[q.action]
    for line in q.lines:
        source, target = line.get("source"), line.get("target")
        if source and kind_of(source) not in left:
            yield "account-wrong"
        owner = q.acquirer or q.proposer
        if target and (kind_of(target) not in entered or actor_of(target) != owner):
            yield "account-wrong"
        key = line["key"]
        if q.action == "forwarding" and key["registry"] != q.model.mechanism:
            yield "key-wrong"
        if q.action in {"transfer", "use"} and key["layer"] != "itmo":
            yield "key-wrong"


# --- sequence, and who may issue ------------------------------------------------------------------


def lifetime(q: Question) -> Iterator[str]:
    """Whether it is still time, and not for too long; not asked again (5.9)."""
    if q.again:
        return
    now, end = (datetime.fromisoformat(x) for x in (q.at, q.proposal["expires_at"]))
    if end <= now:
        yield "proposal-late"
    if end > now + LIFETIME_MAX:
        yield "lifetime-too-long"


def issuers(q: Question) -> Iterator[str]:
    """Who may issue what (5.13)."""
    if q.action != "issuance":
        return
    own, _, section = q.proposer.partition("/")
    if own in q.model.international:
        yield "issuance-not-here"
        return
    if own == q.model.mechanism and section != "ADM":
        yield "administrator-only"
    for line in q.lines:
        key = line["key"]
        if key["registry"] != own:
            yield from ("key-wrong", "issuance-not-here")
        mechanism = own == q.model.mechanism
        if key["layer"] != ("itmo" if mechanism else "underlying"):
            yield "key-wrong"
        if mechanism != (key["approach"] == MECHANISM_APPROACH):
            yield "key-wrong"


# --- general --------------------------------------------------------------------------------------


def free(q: Question) -> Iterator[str]:
    """Whether the units are there, in the named accounts, alike, and free."""
    for line in q.lines:
        series = series_of(line["key"])
        if line["last"] - line["first"] >= UNITS_MAX:
            yield "serials-taken" if q.action == "issuance" else "units-not-held"
        if q.model.freezes(q.proposer, series, line["first"], line["last"]):
            yield "units-frozen"
        yield from _line_free(q, line, series)
    created = [s for line in q.lines for s in _created(line)]
    if any(q.model.unit(place) for place in created) or len(set(created)) < len(created):
        yield from ("serials-taken", "ranges-overlap")


def _created(line: dict[str, Any]) -> Iterator[Place]:
    """Where ITMOs of a line come into being."""
    if line.get("itmo_first") is not None:
        series = key_on(series_of(line["key"]), "itmo")
        for number in range(len(serials(line))):
            yield series, line["itmo_first"] + number


def _line_free(q: Question, line: dict[str, Any], series: str) -> Iterator[str]:
    kinds: set[str] = set()
    for serial in serials(line):
        unit = q.model.unit((series, serial))
        if q.action == "issuance":
            if unit is not None:
                yield "serials-taken"
            continue
        holder = q.model.reserved.get((series, serial))
        if holder is not None and holder != q.transaction.id:
            yield "units-reserved"
        if unit is None or unit.key != key_text(line["key"]):
            yield "units-not-held"
        elif unit.account != line.get("source"):
            yield "units-final" if unit.kind in FINAL else "units-not-held"
        else:
            kinds.add(unit.attributes)
    if len(kinds) > 1:
        yield "units-differ"


# --- type-specific --------------------------------------------------------------------------------


def own_rules(q: Question) -> Iterator[str]:
    """What each action asks by itself."""
    yield from RULES[q.action](q)


def issuance(q: Question) -> Iterator[str]:
    quantity = q.proposal["quantity"]
    references = q.proposal["references"]
    before = 0
    if q.model.approval_is_shared:
        before = q.model.approved.get((q.proposer, references["approval"]), 0)
    if before + quantity > references["approved_quantity"]:
        yield "approval-exceeded"
    if q.proposer.partition("/")[0] != q.model.mechanism:
        return
    if any(line["key"]["vintage"] < 2021 for line in q.lines):
        yield "vintage-too-early"
    sums: dict[str, int] = {}
    for line in q.lines:
        kind = kind_of(line["target"])
        sums[kind] = sums.get(kind, 0) + line["last"] - line["first"] + 1
    if sums.get("share-of-proceeds", 0) != -(
        -quantity * q.model.share_of_proceeds_permille // 1000
    ):
        yield "share-of-proceeds-wrong"
    if sums.get("omge", 0) < -(-quantity * q.model.omge_permille // 1000):
        yield "omge-too-small"


def authorization(q: Question) -> Iterator[str]:
    terms = q.proposal["terms"]
    known = q.model.authorizations.get((terms["party"], terms["id"]), [])
    if terms["version"] <= len(known):
        yield "authorization-exists"
    if terms["version"] > len(known) + 1:
        yield from ("authorization-missing", "authorization-exists")


def first_transfer(q: Question) -> Iterator[str]:
    for _, _, unit in q.units():
        if unit is not None and unit.said["first_transferred"]:
            yield "already-first-transferred"
        if unit is not None and unit.said["designation"] == "MCU":
            yield "contribution-stays"
        if unit is not None and unit.is_itmo and unit.said["designation"] is None:
            yield "not-authorized-units"
    reference = q.proposal["authorization"]
    for line in q.lines:
        yield from _covers(q, reference, line["key"])
    party = q.lines[0]["key"]["party"]
    known = q.model.authorizations.get((party, reference["id"]), [])
    limit = known[-1].get("quantity") if known else None
    used = q.model.used.get((party, reference["id"]), 0)
    if limit is not None and used + q.proposal["quantity"] > limit:
        yield "authorization-exceeded"


def _covers(q: Question, reference: dict[str, Any], key: dict[str, Any]) -> Iterator[str]:
    """Whether the current version of an authorization covers Party and vintage."""
    known = q.model.authorizations.get((key["party"], reference["id"]), [])
    if not 1 <= reference["version"] <= len(known):
        yield "authorization-missing"
        return
    terms = known[-1]
    if reference["version"] != len(known) or terms.get("revoked"):
        yield "authorization-revoked"
    if key["vintage"] < 2021:
        yield "vintage-too-early"
    if not terms.get("vintage_from", 2021) <= key["vintage"] <= terms.get("vintage_to", 2200):
        yield "authorization-out-of-time"
    if terms["approach"] != key["approach"]:
        yield "authorization-missing"
    if q.acquirer and terms.get("parties"):
        if q.acquirer.partition("/")[2] not in terms["parties"]:
            yield "authorization-party"


def forwarding(q: Question) -> Iterator[str]:
    for _, _, unit in q.units():
        if unit is not None and unit.said["first_transferred"]:
            yield "already-first-transferred"


def transfer(q: Question) -> Iterator[str]:
    for _, _, unit in q.units():
        if unit is not None and not unit.said["first_transferred"]:
            yield "not-first-transferred"


def use(q: Question) -> Iterator[str]:
    yield from _marked(q)
    for _, place, unit in q.units():
        if unit is not None and not unit.said["first_transferred"]:
            yield "not-first-transferred"
        if unit is not None:
            yield from _below(q, place, unit)


def cancellation(q: Question) -> Iterator[str]:
    yield from _marked(q)
    for _, place, unit in q.units():
        if unit is not None:
            yield from _below(q, place, unit)


def _below(q: Question, place: Place, unit: Unit) -> Iterator[str]:
    below = represented(q.model, place, unit)
    locked = q.model.unit(below) if below is not None else None
    if below is None or locked is None or not q.model.frozen_behind_itmo_refuses:
        return
    if q.model.freezes(locked.actor, below[0], below[1], below[1]):
        yield "units-frozen"


def _marked(q: Question) -> Iterator[str]:
    """Whether the purpose, user and year are authorized."""
    mark = q.proposal["use"]
    texts = {unit.attributes: line["key"]["party"] for line, _, unit in q.units() if unit}
    for text, party in texts.items():
        reference = attributes_of(text)["authorization"]
        if reference is None:
            continue
        known = q.model.authorizations.get((party, reference["id"]), [])
        if not 1 <= reference["version"] <= len(known):
            yield "authorization-missing"
            continue
        terms = known[reference["version"] - 1]
        if mark["purpose"] not in terms["purposes"]:
            yield "authorization-purpose"
        year = mark.get("year")
        if year and not terms.get("use_from", 2021) <= year <= terms.get("use_to", 2200):
            yield "authorization-out-of-time"
        users = [*terms.get("parties", ()), *terms.get("entities", ())]
        if users and mark["user"] not in users:
            yield "authorization-party"


Rule = Callable[[Question], Iterator[str]]

RULES: dict[str, Rule] = {
    "issuance": issuance,
    "authorization": authorization,
    "forwarding": forwarding,
    "first-transfer": first_transfer,
    "transfer": transfer,
    "use": use,
    "cancellation": cancellation,
}

CLASSES: tuple[Rule, ...] = (
    participant,
    members,
    accounts,
    lifetime,
    issuers,
    free,
    own_rules,
)
"""The order of 5.6."""
