# SPDX-License-Identifier: Apache-2.0
"""What each action asks by itself: quantities and levies, authorizations and their terms.

The last class of protocol 5.6; all before it has passed, so that every unit named is there and in
its account. Rules of the Parties: 3/CMA.3 annex paras 53-59, 4/CMA.6, and protocol 5.13.
"""

import re
from collections.abc import Iterator
from typing import Any

from harness.simulation.model import Approval, attributes_of, kind_of
from harness.simulation.question import Question, Rule

__all__ = ["own_rules"]

VINTAGE_FIRST, YEAR_LAST = 2021, 2200
REGISTRY = re.compile(r"([A-Z]{3}|UN)[0-9]{2}")
"""Who could be here; other names are of programmes' registries, which stay outside (1.2)."""

Terms = dict[str, Any]


def own_rules(q: Question) -> Iterator[str]:
    """The reasons for which an action itself refuses."""
    yield from RULES[q.action](q)


# --- issuance -------------------------------------------------------------------------------------


def issuance(q: Question) -> Iterator[str]:
    """An approved quantity of a vintage that counts, and the levies of the mechanism."""
    quantity, references = q.proposal["quantity"], q.proposal["references"]
    if any(line["key"]["vintage"] < VINTAGE_FIRST for line in q.lines):
        yield "vintage-too-early"
    approved = references["approved_quantity"]
    before = q.model.approvals.get((q.proposer, references["approval"]))
    known = before or Approval(approved)
    if known.issued + quantity > approved:
        yield "approval-exceeded"
    if known.approved != approved:
        yield "approval-differs"
    yield from _history(q)
    if q.participant == q.model.mechanism:
        yield from _levies(q, quantity)


def _history(q: Question) -> Iterator[str]:
    """New units have none, but that levies are first-transferred at once."""
    mechanism = q.participant == q.model.mechanism
    never = {"use"} if mechanism else {"use", "designation", "authorization"}
    for line in q.lines:
        given = {name: value for name, value in line["attributes"].items() if value is not None}
        due = kind_of(line["target"]) in {"share-of-proceeds", "omge"}
        moved = bool(given.get("first_transferred"))
        if moved > due:
            yield "already-first-transferred"
        if due > moved:
            yield "not-first-transferred"
        below = given.get("underlying_registry")
        outside = below is None or not (mechanism or REGISTRY.fullmatch(below))
        if never & set(given) or not outside:
            yield "member-superfluous"
        if mechanism and "authorization" in given:
            yield from _stands(q, line["key"]["party"], given["authorization"])


def _stands(q: Question, party: str, reference: Terms) -> Iterator[str]:
    """Whether a version of an authorization is there, and the newest, and not withdrawn."""
    known = q.model.authorizations.get((party, reference["id"]), [])
    if not 1 <= reference["version"] <= len(known):
        yield "authorization-missing"
    elif reference["version"] != len(known) or known[-1].get("revoked"):
        yield "authorization-revoked"


def _levies(q: Question, quantity: int) -> Iterator[str]:
    sums: dict[str, int] = {}
    for line in q.lines:
        kind = kind_of(line["target"])
        sums[kind] = sums.get(kind, 0) + line["last"] - line["first"] + 1
    if sums.get("share-of-proceeds", 0) != _up(quantity, q.model.share_of_proceeds_permille):
        yield "share-of-proceeds-wrong"
    if sums.get("omge", 0) < _up(quantity, q.model.omge_permille):
        yield "omge-too-small"


def _up(quantity: int, permille: int) -> int:
    """A share, rounded up to whole units."""
    whole, rest = divmod(quantity * permille, 1000)
    return whole + (1 if rest else 0)


# --- authorization and first transfer -------------------------------------------------------------


def authorization(q: Question) -> Iterator[str]:
    """Versions follow one another from 1."""
    terms = q.proposal["terms"]
    known = q.model.authorizations.get((terms["party"], terms["id"]), [])
    if terms["version"] != len(known) + 1:
        yield "authorization-exists"


def first_transfer(q: Question) -> Iterator[str]:
    """Units that may, under the current version of an authorization that covers them."""
    for _, _, unit in q.units():
        if unit.said["first_transferred"]:
            yield "already-first-transferred"
        if unit.is_itmo and unit.said["designation"] == "MCU":
            yield "contribution-stays"
        if unit.is_itmo and unit.said["designation"] is None:
            yield "not-authorized-units"
    quantities: dict[str, int] = {}
    for line in q.lines:
        party = line["key"]["party"]
        quantities[party] = quantities.get(party, 0) + line["last"] - line["first"] + 1
    reference = q.proposal["authorization"]
    for party, quantity in quantities.items():
        yield from _stands(q, party, reference)
        known = q.model.authorizations.get((party, reference["id"]), [])
        if not 1 <= reference["version"] <= len(known):
            continue
        terms = known[-1]
        yield from _serves(q, party, terms)
        used = q.model.used.get((party, reference["id"]), 0)
        if terms.get("quantity") is not None and used + quantity > terms["quantity"]:
            yield "authorization-exceeded"
        yield from _covers(q, terms, [x["key"] for x in q.lines if x["key"]["party"] == party])


def _covers(q: Question, terms: Terms, keys: list[dict[str, Any]]) -> Iterator[str]:
    if q.acquirer is None and terms.get("first_transfer") is None:
        yield "acquirer-wrong"
    if q.acquirer and terms.get("parties") and q.acquirer.partition("/")[2] not in terms["parties"]:
        yield "authorization-party"
    for key in keys:
        if key["approach"] != terms["approach"]:
            yield "key-wrong"
        if not _within(key["vintage"], terms, "vintage"):
            yield "authorization-out-of-time"


def _serves(q: Question, party: str, terms: Terms) -> Iterator[str]:
    """What A6.4ERs are designated for and what is authorized have something in common."""
    for line, _, unit in q.units():
        letters = _designated(unit.said)
        served = letters & {purpose[0] for purpose in terms["purposes"]}
        if line["key"]["party"] == party and letters and not served:
            yield "authorization-purpose"


def _designated(said: Terms) -> set[str]:
    """The letters of a designation that is one."""
    return set(said["designation"] or "") - set("MCU")


def _within(year: int, terms: Terms, what: str) -> bool:
    first, last = terms.get(f"{what}_from", VINTAGE_FIRST), terms.get(f"{what}_to", YEAR_LAST)
    return bool(first <= year <= last)


# --- transfer, use, cancellation ------------------------------------------------------------------


def transfer(q: Question) -> Iterator[str]:
    """ITMOs alone; mitigation contributions stay where they are."""
    for _, _, unit in q.units():
        if not unit.said["first_transferred"]:
            yield "not-first-transferred"
        elif q.leaves and unit.said["designation"] == "MCU":
            yield "contribution-stays"


def use(q: Question) -> Iterator[str]:
    """ITMOs alone, for what their authorization allows."""
    for _, _, unit in q.units():
        if not unit.said["first_transferred"]:
            yield "not-first-transferred"
        if unit.said["authorization"] is None:
            yield "not-authorized-units"
    yield from cancellation(q)


def cancellation(q: Question) -> Iterator[str]:
    """For what the authorization allows, if there is one."""
    mark = q.proposal["use"]
    if mark["purpose"] == "NDC" and mark["user"] != q.section:
        yield "author-not-acting"
    if mark["purpose"] == "NDC" and q.action == "cancellation":
        yield "authorization-purpose"
    for line, _, unit in q.units():
        letters = _designated(unit.said)
        asked = q.action == "use" or letters
        fits = line["key"]["registry"] != q.model.mechanism or mark["purpose"][0] in letters
        if asked and not fits:
            yield "authorization-purpose"
    for text, party in {(unit.attributes, line["key"]["party"]) for line, _, unit in q.units()}:
        reference = attributes_of(text)["authorization"]
        if reference is not None:
            yield from _allows(q, party, reference, mark)


def _allows(q: Question, party: str, reference: Terms, mark: dict[str, Any]) -> Iterator[str]:
    known = q.model.authorizations.get((party, reference["id"]), [])
    if not 1 <= reference["version"] <= len(known):
        yield "authorization-missing"
        return
    terms = known[reference["version"] - 1]
    if mark["purpose"] not in terms["purposes"]:
        yield "authorization-purpose"
    users = terms.get("parties" if mark["purpose"] == "NDC" else "entities")
    if users and mark["user"] not in users:
        yield "authorization-party"
    year = mark.get("year")
    if year is not None and not _within(year, terms, "use"):
        yield "authorization-out-of-time"


def _nothing(q: Question) -> Iterator[str]:
    """Forwarding asks nothing of its own."""
    return iter(())


RULES: dict[str, Rule] = {
    "issuance": issuance,
    "authorization": authorization,
    "forwarding": _nothing,
    "first-transfer": first_transfer,
    "transfer": transfer,
    "use": use,
    "cancellation": cancellation,
}
