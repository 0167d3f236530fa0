# SPDX-License-Identifier: Apache-2.0
"""What follows from a proposal that is completed, unit by unit (protocol 5.13, 5.14).

`changes` says what every unit concerned becomes, without changing anything; `carry_out` makes the
model so. `consents` says whose agreement the entry must list. Nothing here asks whether the
proposal may be completed at all: that is `refusals`.
"""

from collections.abc import Iterator
from typing import Any

from harness.simulation.authorized import newly
from harness.simulation.model import (
    Approval,
    Model,
    Place,
    Transaction,
    Unit,
    account_beside,
    attributes_text,
    key_on,
    key_text,
    represented,
    serials,
    series_of,
)

__all__ = ["bound", "carry_out", "changes", "consents", "places"]

Changes = dict[Place, Unit]


def places(proposal: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Place]]:
    """Every line with each of its units."""
    for line in proposal.get("lines", ()):
        series = series_of(line["key"])
        for serial in serials(line):
            yield line, (series, serial)


def bound(proposal: dict[str, Any]) -> set[Place]:
    """The units that a proposal takes from somewhere, and that are reserved for it."""
    return {place for line, place in places(proposal) if line.get("source")}


def changes(model: Model, transaction: Transaction) -> Changes:
    """What each unit is after the completion."""
    proposal = transaction.proposal
    after: Changes = {}
    for line, place in places(proposal):
        match proposal["action"]:
            case "issuance" | "cer-entry":
                text = attributes_text(line.get("attributes") or {})
                after[place] = Unit(key_text(line["key"]), line["target"], text)
            case "first-transfer":
                after |= _first_transfer(model, transaction, line, place)
            case "designation":
                unit = model.unit(place)
                if unit is not None:
                    now = {name: proposal[name] for name in ("designation", "authorization")}
                    after[place] = unit.but(**now)
            case "counter-entry":
                after |= _taken_back(model, line, place)
            case "administrative-cancellation" | "cer-use":
                unit = model.unit(place)
                if unit is not None:
                    after[place] = unit.but(line["target"], use=proposal["use"])
            case "forwarding" | "transfer" | "replenishment" | "cer-transfer":
                unit = model.unit(place)
                if unit is not None:
                    after[place] = unit.but(line["target"])
            case "use" | "cancellation":
                after |= _mark(model, proposal, line, place)
            case _:
                pass
    return after


def _first_transfer(
    model: Model, transaction: Transaction, line: dict[str, Any], place: Place
) -> Changes:
    unit = model.unit(place)
    if unit is None:
        return {}
    reference = transaction.proposal["authorization"]
    known = unit.but(authorization=reference, first_transferred=True)
    if line.get("itmo_first") is None:
        return {place: known.but(line["target"])}
    locked = Unit(
        unit.key, account_beside(unit.account, "LCK"), known.attributes, transaction.digest
    )
    return {place: locked, **_itmo(known, line, place)}


def _itmo(known: Unit, line: dict[str, Any], place: Place) -> Changes:
    """The ITMO that an underlying unit becomes."""
    offset = line["first"] - line["itmo_first"]
    below = {"underlying_registry": line["key"]["registry"], "underlying_offset": offset}
    itmo = Unit(key_on(known.key, "itmo"), line["target"], known.but(**below).attributes)
    return {(key_on(place[0], "itmo"), place[1] - offset): itmo}


def _mark(model: Model, proposal: dict[str, Any], line: dict[str, Any], place: Place) -> Changes:
    """A use or cancellation, and the locked unit that follows."""
    unit, code = model.unit(place), "RET" if proposal["action"] == "use" else "CAN"
    if unit is None:
        return {}
    marks = {"use": proposal["use"]}
    if proposal.get("authorization"):  # its first transfer, too
        marks |= {"authorization": proposal["authorization"], "first_transferred": True}
    if line.get("itmo_first") is not None:
        ended = unit.but(account_beside(unit.account, code), **marks)
        return {place: ended, **_itmo(unit.but(**marks), line, place)}
    after = {place: unit.but(line["target"], **marks)}
    below = represented(model, place, unit)
    if below is not None:
        locked = model.series[below[0]][below[1]]
        account = account_beside(locked.account, code)
        followed = locked.but(account, use=proposal["use"])
        after[below] = Unit(followed.key, followed.account, followed.attributes)
    return after


def _taken_back(model: Model, line: dict[str, Any], place: Place) -> Changes:
    """An ITMO that goes back, and the locked unit that it represents, which stays where it is."""
    unit = model.unit(place)
    if unit is None:
        return {}
    marks: dict[str, Any] = {"first_transferred": False, "authorization": None}
    after, below = {place: unit.but(line["target"], **marks)}, represented(model, place, unit)
    if below is not None:
        after[below] = model.series[below[0]][below[1]].but(**marks)
    return after


def carry_out(model: Model, transaction: Transaction) -> None:
    """Complete a transaction in the model."""
    proposal = transaction.proposal
    for place, unit in changes(model, transaction).items():
        model.put(place, unit)
    if proposal["action"] == "authorization":
        terms = proposal["terms"]
        model.authorizations.setdefault((terms["party"], terms["id"]), []).append(terms)
    for name, quantity in newly(proposal).items():
        model.used[name] = model.used.get(name, 0) + quantity
    if proposal["action"] in {"issuance", "cer-entry"}:
        references = proposal["references"]
        name = (transaction.proposer, references["approval"])
        approval = model.approvals.setdefault(name, Approval(references["approved_quantity"]))
        approval.issued += proposal["quantity"]
    if proposal["action"] == "approval":
        record = proposal["approval"]
        name = (transaction.proposer, record["id"])
        model.approvals.setdefault(name, Approval(record["quantity"])).record = record


def consents(
    model: Model, transaction: Transaction, answer: str | None
) -> set[tuple[str, str | None]]:
    """Per actor, the digest of the message by which it agreed (5.14); before carrying out."""
    proposal = transaction.proposal
    found: set[tuple[str, str | None]] = {(transaction.proposer, transaction.digest)}
    if proposal.get("acquirer"):
        found.add((proposal["acquirer"], answer))
    if proposal["action"] in {"use", "cancellation", "counter-entry"}:
        for _, place in places(proposal):
            unit = model.unit(place)
            below = represented(model, place, unit) if unit is not None else None
            locked = model.unit(below) if below is not None else None
            if locked is not None:
                found.add((locked.actor, locked.pledge))
    return found
