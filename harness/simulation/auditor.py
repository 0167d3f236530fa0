# SPDX-License-Identifier: Apache-2.0
"""The auditor: a second, deliberately simple model of the rules, held to the hub's log.

Every entry is shown to `Auditor.observe`, in order, with the proposal that it is about. The auditor
predicts what the hub had to do: refuse or not and why, clear or complete, what becomes of which
unit, whose consents and which deliveries. It says in words what is otherwise, and goes on from its
own prediction, never from the entry's effects, so that a wrong effect is not believed later.

Two things are taken from the entry, since nothing else in the log says them: which event came to a
cleared transaction (an answer, a withdrawal, a deadline), and that a case was opened or closed.
Both have a cause that was said, and `causes` holds the entry to that.

Not modelled: keys, signatures, sequences and closed or unknown accounts; who opens accounts is a
registry's business, and a rejection is the acquirer's.

Elsewhere: the model (`model`), why something is refused (`refusals`), what follows from a proposal
(`consequences`), acts and cases (`acts`), effects against predictions (`comparison`).
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from harness.simulation import acts
from harness.simulation.cers import Cers
from harness.simulation.comparison import Claim, Overlays, differences
from harness.simulation.consequences import Changes, bound, carry_out, changes, consents
from harness.simulation.firsts import Firsts
from harness.simulation.model import Model, Place, Transaction, key_text
from harness.simulation.refusals import Question, may_refuse, why_refused

__all__ = ["Auditor", "Observed"]

ENDS = {"completed", "refused", "rejected", "withdrawn", "expired"}


@dataclass(frozen=True)
class Observed:
    """One entry of the hub's log, as plain data."""

    entry: dict[str, Any]
    proposal: dict[str, Any] | None
    proposer: str | None


@dataclass
class Expected:
    """What the model says an entry of a transaction has to hold."""

    consents: set[tuple[str, str | None]]
    addressed: set[str]
    changes: Changes
    overlays: Overlays
    terms: list[tuple[str, dict[str, Any]]]
    approvals: list[dict[str, Any]] = field(default_factory=list)


class Auditor:
    """Holds a log to the rules, entry by entry."""

    def __init__(
        self,
        mechanism: str,
        international: frozenset[str],
        share_of_proceeds_permille: int,
        omge_permille: int,
    ) -> None:
        self._model = Model(mechanism, international, share_of_proceeds_permille, omge_permille)
        self._size = 0
        self._firsts = Firsts()
        self._cers = Cers(mechanism)
        self._shares: dict[str, list[dict[str, int]]] = {}
        """What each actor holds of each key after each of its deliveries."""

    # --- looking ----------------------------------------------------------------------------------

    def observe(self, observed: Observed) -> list[str]:
        """What is wrong with this entry by the model, in words; empty when it is as predicted."""
        found: list[str] = []
        due, self._size = self._size, self._size + 1
        try:
            self._observe(observed, due, found)
        except Exception as error:  # noqa: BLE001 - whatever an entry holds, the audit goes on
            found.append(f"the entry cannot be followed: {type(error).__name__}: {error}")
        return found

    def _observe(self, observed: Observed, due: int, found: list[str]) -> None:
        entry, body = observed.entry, observed.entry["body"]
        if entry["type"] != "entry":
            found.append(f"a {entry['type']} stands in the log")
        if body["position"] != due:
            found.append(f"position {body['position']} where {due} should be")
        expected = self._predict(observed, found)
        self._spread(body)
        if body["log"] != self._model.log:
            found.append(f"the entry belongs to the log {body['log']}")
        if expected is None:  # to whom it would be addressed, nobody can say
            self._deliveries(body, {one["actor"] for one in body["addressed"]}, found)
            return
        self._deliveries(body, expected.addressed, found)
        listed = [(one["actor"], one["message"]) for one in body["consents"]]
        if len(listed) != len(set(listed)) or set(listed) != expected.consents:
            found.append(f"consents are {sorted(listed)}, by the model {_sorted(expected)}")

    def _spread(self, body: dict[str, Any]) -> None:
        """Whom an entry is addressed to knows the units that it moves."""
        for effect in body["effects"]:
            if effect["effect"] in {"move", "restate"}:
                serials, key = range(effect["first"], effect["last"] + 1), key_text(effect["key"])
                for one in body["addressed"]:
                    self._model.heard_of.setdefault((one["actor"], key), set()).update(serials)

    def _deliveries(self, body: dict[str, Any], wanted: set[str], found: list[str]) -> None:
        given = [one["actor"] for one in body["addressed"]]
        if len(given) != len(set(given)) or set(given) != wanted:
            found.append(f"addressed to {sorted(given)}, by the model to {sorted(wanted)}")
        for one in body["addressed"]:
            due = len(self._shares.get(one["actor"], ()))
            if one["index"] != due:
                found.append(f"delivery {one['index']} to {one['actor']} where {due} is due")
        for actor in wanted:
            held = self._model.sums.get(actor, Counter())
            self._shares.setdefault(actor, []).append(dict(+held))

    def _predict(self, observed: Observed, found: list[str]) -> Expected | None:
        """What the entry has to be, the model having gone on to after it."""
        body = observed.entry["body"]
        if body["state"] is not None:
            return self._transaction(observed, found)
        effects = body["effects"]
        names = {effect["effect"] for effect in effects}
        if names == {"directory"} and len(effects) == 1:
            found.extend(acts.act(self._model, body["position"], effects[0]))
            return Expected(set(), acts.registry_actors(self._model), {}, set(), [])
        if "case" in names:
            found.extend(acts.case(self._model, effects))
            told = next(e for e in effects if e["effect"] == "case")
            return Expected(set(), {told["actor"], *told["concerned"]}, {}, set(), [])
        found.append("the entry is of no transaction, act or case")
        return None

    # --- transactions -----------------------------------------------------------------------------

    def _transaction(self, observed: Observed, found: list[str]) -> Expected | None:
        entry, body = observed.entry, observed.entry["body"]
        known = self._model.transactions.get(entry["conversation"])
        if known is None:
            if observed.proposal is None or observed.proposer is None:
                found.append(f"{entry['conversation']} has no proposal")
                return None
            known = Transaction(
                entry["conversation"], observed.proposer, observed.proposal, entry["answers"]
            )
            self._model.transactions[known.id] = known
            if known.id.rpartition("-")[0] != known.proposer.replace("/", "-"):
                found.append(f"{known.id} is no number of {known.proposer}")
        elif known.state != "cleared":
            found.append(f"{known.id} is {known.state} and becomes {body['state']}")
            return None
        if body["action"] != known.proposal["action"]:
            found.append(f"the action is {body['action']}, and {known.proposal['action']} proposed")
        return self._step(known, entry, found)

    def _step(self, known: Transaction, entry: dict[str, Any], found: list[str]) -> Expected | None:
        body, before = entry["body"], known.state
        known.state = self._next(known, entry, found)
        acquirer = known.proposal.get("acquirer")
        expected = Expected(set(), {known.proposer}, {}, set(), [])
        if acquirer and (before == "cleared" or known.state != "refused"):
            expected.addressed.add(acquirer)
        held = bound(known.proposal) if "cleared" in {before, known.state} else set()
        mark = "reserve" if known.state == "cleared" else "release"
        expected.overlays = {(mark, known.proposer, place, known.id) for place in held}
        if known.state == "completed":
            expected.changes = changes(self._model, known)
            expected.consents = consents(self._model, known, entry["answers"])
            expected.addressed |= {actor for actor, _ in expected.consents}
            expected.overlays |= {
                ("pledge", unit.actor, place, unit.pledge)
                for place, unit in expected.changes.items()
                if unit.kind == "locked" and unit.pledge == known.digest
            }
            if known.proposal["action"] == "authorization":
                expected.terms = [(known.proposer, known.proposal["terms"])]
            if known.proposal["action"] in {"issuance", "cer-entry"}:
                expected.approvals = [_taken(known)]
            if known.proposal["action"] == "approval":
                record = known.proposal["approval"]
                effect = {"effect": "approval-record", "actor": known.proposer, "record": record}
                expected.approvals = [effect]
        self._compare(body, expected, found)
        found.extend(self._firsts.look(body["effects"], known.proposal["action"]))
        self._advance(known, before, held)
        return expected

    def _compare(self, body: dict[str, Any], expected: Expected, found: list[str]) -> None:
        claim = Claim(self._model)
        claim.read(body["effects"])
        found.extend(differences(claim, expected.changes, expected.overlays))
        found.extend(self._cers.look(body["effects"]))
        if [(a, _known(t)) for a, t in claim.authorizations] != [
            (a, _known(t)) for a, t in expected.terms
        ]:
            found.append("the terms recorded are not those proposed")
        if claim.approvals != expected.approvals:
            found.append(f"{claim.approvals} are not taken of an approval: {expected.approvals}")
        if claim.other:
            found.append(f"a transaction does not {claim.other[0]['effect']}")

    def _advance(self, known: Transaction, before: str, held: set[Place]) -> None:
        if known.state == "cleared":
            self._model.reserved.update(dict.fromkeys(held, known.id))
        elif before == "cleared":
            for place in held:
                self._model.reserved.pop(place, None)
        if known.state == "completed":
            carry_out(self._model, known)

    def _next(self, known: Transaction, entry: dict[str, Any], found: list[str]) -> str:
        """The state that follows by the model; says where the entry has another."""
        body, state = entry["body"], entry["body"]["state"]
        again = known.state == "cleared"
        if state not in ENDS | {"cleared"}:
            found.append(f"no transaction becomes {state}")
        if again and state in {"rejected", "withdrawn", "expired"}:
            return self._ended(known, entry, found)
        question = Question(self._model, known, body["at"], again)
        reasons = why_refused(question)
        named = {one["reason"] for one in body["findings"]}
        if not reasons and state == "refused" and may_refuse(question) & named:
            return "refused"
        if reasons:
            predicted = "refused"
        elif known.proposal.get("acquirer") and not again:
            predicted = "cleared"
        else:
            predicted = "completed"
        if state != predicted:
            why = f" because of {sorted(reasons)}" if reasons else ""
            said = f" with {sorted(named)}" if named else ""
            found.append(f"{known.id} is {state}{said}, by the model {predicted}{why}")
        elif predicted == "refused" and not reasons & named:
            found.append(f"{known.id} is refused with {sorted(named)}, not {sorted(reasons)}")
        if named and state != "refused":
            found.append(f"{known.id} is {state} and has findings: {sorted(named)}")
        return predicted

    def _ended(self, known: Transaction, entry: dict[str, Any], found: list[str]) -> str:
        """An end that somebody or a deadline has made (5.9 to 5.11)."""
        body, state = entry["body"], str(entry["body"]["state"])
        if state == "expired":
            if body["at"] < known.proposal["expires_at"]:
                found.append(f"{known.id} expires at {body['at']}, before its deadline")
            if entry["answers"] is not None or body["manifest"] is not None:
                found.append(f"{known.id} expires, and names a message as the cause")
        elif entry["answers"] is None:
            found.append(f"{known.id} is {state}, and no message is the cause")
        if (state == "rejected") != bool(body["findings"]):
            found.append(f"{known.id} is {state}: findings belong to a rejection, and only there")
        return state

    # --- what is believed -------------------------------------------------------------------------

    def units(self, actor: str) -> dict[str, list[tuple[int, int, str, str]]]:
        """Per key text, the ranges that the actor holds: first, last, account, attributes text."""
        return self._model.ranges(actor)

    def reserved(self) -> set[tuple[str, str, int, int, str]]:
        """Actor, key, first, last and transaction of what cleared transactions bind."""
        return self._model.bound_ranges()

    def issued(self) -> dict[str, int]:
        """Per key text, units that ever came into being."""
        return dict(self._model.issued)

    def share(self, actor: str, delivered: int) -> dict[str, int]:
        """Per key text, how many units an actor holds after so many deliveries to it."""
        return self._shares[actor][delivered - 1] if delivered else {}

    def authorizations(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """By Party and id, the terms of each version."""
        return self._model.authorizations

    def transactions(self) -> dict[str, str]:
        """The state of each transaction."""
        return {name: one.state for name, one in self._model.transactions.items()}


def _known(terms: dict[str, Any]) -> dict[str, Any]:
    """Terms without what is absent or empty, so that left out members do not differ."""
    defaults = {"vintage_from": 2021, "vintage_to": 2200, "use_from": 2021, "use_to": 2200}
    return {
        name: value
        for name, value in terms.items()
        if value not in (None, [], False) and defaults.get(name) != value
    }


def _taken(issued: Transaction) -> dict[str, Any]:
    """The effect by which an issuance counts against its approval."""
    references = issued.proposal["references"]
    return {
        "effect": "approval",
        "actor": issued.proposer,
        "approval": references["approval"],
        "approved_quantity": references["approved_quantity"],
        "quantity": issued.proposal["quantity"],
    }


def _sorted(expected: Expected) -> list[tuple[str, str]]:
    return sorted((actor, str(message)) for actor, message in expected.consents)
