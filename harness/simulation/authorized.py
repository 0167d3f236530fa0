# SPDX-License-Identifier: Apache-2.0
"""What is authorized, as the auditor has it: versions and their terms, which event is the first
transfer of units, and for what they may be used (protocol 5.13, 5.20 to 5.22; 2/CMA.3 annex para 2,
4/CMA.6).

Elsewhere: issuance and its levies, and which action asks what (`terms`).
"""

import re
from collections.abc import Iterator
from typing import Any

from harness.simulation.model import attributes_of, kind_of, locked_below
from harness.simulation.question import Question

__all__ = [
    "VINTAGE_FIRST",
    "authorization",
    "cancellation",
    "counter_entry",
    "first_transfer",
    "leaned_on",
    "newly",
    "transfer",
    "use",
]

VINTAGE_FIRST, YEAR_LAST = 2021, 2200
OTHERS = {"IMP", "OP"}
ADMINISTRATOR = "ADM"
PARTY = re.compile("[A-Z]{3}")

Terms = dict[str, Any]


def authorization(q: Question) -> Iterator[str]:
    """Versions follow one another from 1."""
    terms = q.proposal["terms"]
    known = q.model.authorizations.get((terms["party"], terms["id"]), [])
    if terms["version"] != len(known) + 1:
        yield "authorization-exists"


# --- what lines lean on ---------------------------------------------------------------------------


def leaned_on(q: Question) -> Iterator[str]:
    """The authorizations that lines name are there, current, and cover what the lines say."""
    for line, reference in _named(q):
        party, key = line["key"]["party"], line["key"]
        known = q.model.authorizations.get((party, reference["id"]), [])
        if not 1 <= reference["version"] <= len(known):
            yield "authorization-missing"
            continue
        terms = known[-1]
        if reference["version"] != len(known) or terms.get("revoked"):
            yield "authorization-revoked"
        to = (q.acquirer or "").partition("/")[2]
        if to not in {"", "ADM", party} and terms.get("parties") and to not in terms["parties"]:
            yield "authorization-party"
        entity = q.proposal.get("entity")
        if entity and terms.get("entities") and entity not in terms["entities"]:
            yield "authorization-party"
        if key["approach"] != terms["approach"]:
            yield "key-wrong"
        if not _within(key["vintage"], terms, "vintage"):
            yield "authorization-out-of-time"
        of_one = terms.get("metric") or terms.get("quantity") is not None
        if of_one and terms.get("unit") != q.proposal.get("unit"):
            yield "metric-differs"
        if q.action != "designation":
            yield from _is_so(q, line, terms)
    for name, quantity in newly(q.proposal).items():
        known = q.model.authorizations.get(name, [])
        most = known[-1].get("quantity") if known else None
        if most is not None and quantity > 0 and q.model.used.get(name, 0) + quantity > most:
            yield "authorization-exceeded"


def _named(q: Question) -> Iterator[tuple[dict[str, Any], Terms]]:
    for line in q.lines if q.action != "counter-entry" else ():
        said = line.get("attributes") or {}
        reference = said.get("authorization") or q.proposal.get("authorization")
        if reference:
            yield line, reference


def newly(proposal: dict[str, Any]) -> dict[tuple[str, str], int]:
    """By Party and authorization, the units that a proposal first-transfers; those that it takes
    back count down.
    """
    each = -1 if proposal["action"] == "counter-entry" else 1
    found: dict[tuple[str, str], int] = {}
    if proposal["action"] == "designation":
        return found
    for line in proposal.get("lines", ()):
        said = line.get("attributes")
        reference = proposal.get("authorization")
        if said is not None:
            reference = said.get("authorization") if said.get("first_transferred") else None
        if reference:
            name = (line["key"]["party"], reference["id"])
            found[name] = found.get(name, 0) + each * (line["last"] - line["first"] + 1)
    return found


def _is_so(q: Question, line: dict[str, Any], terms: Terms) -> Iterator[str]:
    """Whether this is the first transfer exactly if the proposal says that it is."""
    if q.action == "issuance":
        levied = kind_of(line["target"]) in {"share-of-proceeds", "omge"}
        said = line["attributes"]
        soon = _soon(terms, _purposes(terms, said.get("designation")))
        if not levied and soon != bool(said.get("first_transferred")):
            yield "first-transfer-wrong"
        return
    mark = q.proposal.get("use") or {}
    for designation in {unit.said["designation"] for one, _, unit in q.units() if one is line}:
        purposes = _purposes(terms, designation)
        if q.action == "first-transfer":
            yield from _moves(q, line, terms, purposes)
        elif not _omge(mark) and not (mark["purpose"] in OTHERS and terms.get("first_transfer")):
            yield "first-transfer-wrong"


def _moves(q: Question, line: dict[str, Any], terms: Terms, purposes: set[str]) -> Iterator[str]:
    to = (q.acquirer or "").partition("/")[2]
    abroad = to not in {"", "ADM", line["key"]["party"]}
    if not purposes or _soon(terms, purposes) or (abroad and "NDC" in purposes):
        return
    yield "first-transfer-wrong" if OTHERS & purposes else "acquirer-wrong"


def _purposes(terms: Terms, designation: str | None) -> set[str]:
    """What units of a designation are authorized for."""
    letters = set("NIO") if designation is None else _designated(designation)
    return {purpose for purpose in terms["purposes"] if purpose[0] in letters}


def _soon(terms: Terms, purposes: set[str]) -> bool:
    """Whether issuance and authorization together are the first transfer."""
    at_once = terms.get("first_transfer") in {"authorization", "issuance"}
    return at_once and bool(OTHERS & purposes)


def _designated(designation: str | None) -> set[str]:
    """The letters of a designation that is one."""
    return set(designation or "") - set("MCU")


def _within(year: int, terms: Terms, what: str) -> bool:
    first, last = terms.get(f"{what}_from", VINTAGE_FIRST), terms.get(f"{what}_to", YEAR_LAST)
    return bool(first <= year <= last)


# --- first transfer and transfer ------------------------------------------------------------------


def first_transfer(q: Question) -> Iterator[str]:
    """Units that may, and that are designated for something which is authorized."""
    reference = q.proposal["authorization"]
    for line, _, unit in q.units():
        if unit.said["first_transferred"]:
            yield "already-first-transferred"
        if unit.is_itmo and unit.said["designation"] == "MCU":
            yield "contribution-stays"
        if unit.is_itmo and not (unit.said["designation"] or unit.said["authorization"]):
            yield "not-authorized-units"
        known = q.model.authorizations.get((line["key"]["party"], reference["id"]), [])
        designated = bool(_designated(unit.said["designation"]))
        there = 1 <= reference["version"] <= len(known)
        if there and designated and not _purposes(known[-1], unit.said["designation"]):
            yield "authorization-purpose"


def transfer(q: Question) -> Iterator[str]:
    """ITMOs alone; mitigation contributions stay, and so does what was withdrawn."""
    for line, _, unit in q.units():
        if not unit.said["first_transferred"]:
            yield "not-first-transferred"
        elif q.leaves and unit.said["designation"] == "MCU":
            yield "contribution-stays"
        reference = unit.said["authorization"] or {"id": "", "version": 0}
        known = q.model.authorizations.get((line["key"]["party"], reference["id"]), [])
        if 1 <= reference["version"] <= len(known):
            binds = known[reference["version"] - 1].get("binds_first_transferred")
            if binds and known[-1].get("revoked"):
                yield "authorization-revoked"


def counter_entry(q: Question) -> Iterator[str]:
    """Takes back what a revocation binds, and takes it home (5.25)."""
    named, receiver = q.proposal["authorization"], q.acquirer or q.proposer
    for line, place, unit in q.units():
        key, under = line["key"], unit.said["authorization"] or {"id": "", "version": 0}
        known = q.model.authorizations.get((key["party"], named["id"]), [])
        if not 1 <= named["version"] <= len(known):
            yield "authorization-missing"
        elif named["version"] < len(known) or not known[-1].get("revoked"):
            yield "first-transfer-stands"
        if not unit.said["first_transferred"]:
            yield "not-first-transferred"
        elif under["id"] != named["id"] or not _binds(known, under["version"]):
            yield "first-transfer-stands"
        below = locked_below(q.model, place, unit)
        home = below.actor if below is not None else f"{key['registry']}/{key['party']}"
        if home != receiver:
            yield "acquirer-wrong"


def _binds(known: list[Terms], version: int) -> bool:
    """Whether a version lets a revocation bind; what is not known is said to be missing."""
    return not known or bool(known[version - 1].get("binds_first_transferred"))


# --- use and cancellation -------------------------------------------------------------------------


def use(q: Question) -> Iterator[str]:
    """ITMOs alone, or what becomes one by it, for what their authorization allows."""
    if q.section == ADMINISTRATOR:
        yield "author-not-acting"
    if q.proposal["use"].get("cancellation"):
        yield "member-superfluous"
    for _, _, unit in q.units():
        if not q.proposal.get("authorization"):
            if not unit.said["first_transferred"]:
                yield "not-first-transferred"
            if unit.said["authorization"] is None:
                yield "not-authorized-units"
    yield from _ends(q)


def cancellation(q: Question) -> Iterator[str]:
    """For what the authorization allows, if there is one, and never towards an NDC."""
    mark = q.proposal["use"]
    if mark.get("purpose") == "NDC":
        yield "authorization-purpose"
    if not q.proposal.get("authorization"):
        for line, _, unit in q.units():
            if not unit.said["first_transferred"] and _counts(q, line, unit.said, mark):
                yield "first-transfer-wrong"
            authorized = unit.said["authorization"] or _designated(unit.said["designation"])
            if mark.get("purpose") == "IMP" and not authorized:
                yield "not-authorized-units"
    yield from _ends(q)


def _counts(q: Question, line: dict[str, Any], said: Terms, mark: Terms) -> bool:
    """Whether cancelling these units unnamed would hide their first transfer."""
    letters = _designated(said["designation"])
    authorized = bool(letters) if line["key"].get("activity") else bool(said["authorization"])
    purpose = mark.get("purpose")
    towards = purpose in OTHERS and (not letters or purpose[0] in letters)
    return authorized and (towards or _omge(mark))


def _omge(mark: Terms) -> bool:
    return str(mark.get("cancellation")).startswith("omge-")


def _ends(q: Question) -> Iterator[str]:
    mark = q.proposal["use"]
    purpose, named = mark.get("purpose"), q.proposal.get("authorization")
    if any((kind_of(line["target"]) == "omge") != _omge(mark) for line in q.lines):
        yield "account-wrong"
    if purpose == "NDC" and mark["user"] != q.section:
        yield "author-not-acting"
    for line, _, unit in q.units():
        letters = _designated(unit.said["designation"])
        authorized = bool(letters) if line["key"].get("activity") else unit.said["authorization"]
        if named and unit.said["first_transferred"]:
            yield "already-first-transferred"
        if named and unit.is_itmo and not authorized:
            yield "not-authorized-units"
        asked = q.action == "use" or letters
        fits = line["key"]["registry"] != q.model.mechanism or (purpose or " ")[0] in letters
        if asked and purpose and not fits:
            yield "authorization-purpose"
    for text, party in {(unit.attributes, line["key"]["party"]) for line, _, unit in q.units()}:
        said = attributes_of(text)
        reference = named or said["authorization"]
        if reference is not None:
            yield from _allows(q, party, reference, mark, done=said["first_transferred"])


def _allows(
    q: Question, party: str, reference: Terms, mark: dict[str, Any], *, done: bool
) -> Iterator[str]:
    """What the version allows; ITMOs that a revocation binds stop, whatever they would end for."""
    known = q.model.authorizations.get((party, reference["id"]), [])
    if not 1 <= reference["version"] <= len(known):
        yield "authorization-missing"
        return
    terms = known[reference["version"] - 1]
    if terms.get("binds_first_transferred"):
        terms = known[-1]
        if terms.get("revoked") and (done or mark.get("purpose")):
            yield "authorization-revoked"
    if not mark.get("purpose"):
        return
    if mark["purpose"] not in terms["purposes"]:
        yield "authorization-purpose"
    if mark.get("oimp") and terms.get("oimp") and mark["oimp"] != terms["oimp"]:
        yield "authorization-purpose"
    section = party if q.section == ADMINISTRATOR else q.section
    if terms.get("parties") and section not in {party, *terms["parties"]}:
        yield "authorization-party"
    entities, user = terms.get("entities") or (), mark["user"]
    stranger = user != section and user not in entities and mark["purpose"] != "NDC"
    if stranger and (entities or PARTY.fullmatch(user)):
        yield "authorization-party"
    if not _within(mark.get("year") or int(q.at[:4]), terms, "use"):
        yield "authorization-out-of-time"
