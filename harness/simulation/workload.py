# SPDX-License-Identifier: Apache-2.0
"""What operators ask for in a simulation: over all actions, plausible and not.

A plausible operation is drawn from where units are by the auditor's model, as a person would read
it off a screen; by the time it reaches the hub that may have changed. An implausible one is a
plausible one with something spoilt. Every step is one draw, and what is drawn depends on the seed
and on the model alone.

Extended with every action and profile that the programs learn.

Elsewhere: who says it (`world` for programs, `voice` for the rogue), what comes of it (`auditor`).
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.simulation.authorization_work import Authorizing, Known
from harness.simulation.cast import ADM, KOR, MMR, ROG, VUT, Cast
from harness.simulation.cer_work import CerWork
from harness.simulation.held import (
    MWH,
    MWH_NUMBER,
    Held,
    Holdings,
    line_of,
    pick,
    some_of,
)
from harness.simulation.mechanism_work import Approvals
from harness.simulation.spoiling import spoil
from schemas.identifiers import Actor, account_number
from schemas.units import Key, Layer

__all__ = ["APPROACH", "FIRST_UNITS", "VINTAGE", "Operation", "Workload", "own_key"]

APPROACH = "CA0007"
VINTAGE = 2022
FIRST_UNITS = 300
"""What every Party, and the mechanism, has issued of that vintage before a run begins."""

SERIALS_APART = 1000

IN_ANOTHERS_NAME = 0.03
"""How likely a proposal is made by the rogue instead: of units that are not its own, or by an
action that is not for it. It has no desk that would refuse it.
"""

ITMOS_FROM = 50_001
"""Serials of ITMOs that are issued as such; those that underlying units become lie below."""


@dataclass(frozen=True)
class Operation:
    """A command at an actor's desk; for `ROG` it is said by hand."""

    actor: Actor
    command: str
    arguments: dict[str, Any]
    name: str


@dataclass
class Workload:
    """Draws operations. `units` tells what an actor holds by the model, `authorizations` what is
    recorded.
    """

    cast: Cast
    randomness: random.Random
    units: Callable[[str], Holdings]
    states: Callable[[], Mapping[str, str]]
    authorizations: Callable[[], Known]
    next_serial: dict[str, int] = field(default_factory=dict)
    approvals: int = 0

    def __post_init__(self) -> None:
        self.mechanism = Approvals(self.randomness)
        self.authorizing = Authorizing(self.randomness, self.authorizations)
        self.cers = CerWork(self.randomness, self.units)
        for actor in self.cast.parties:
            self.next_serial[own_key(actor, VINTAGE).series] = FIRST_UNITS + 1
        self.next_serial[f"itmo:CA0001-UN01-MMR-{VINTAGE}"] = FIRST_UNITS + 1

    def draw(self) -> Operation | None:
        """The next operation; None when the drawn kind has nothing to work on."""
        kinds, weights = zip(*((k, w) for k, w in _WEIGHTS.items()), strict=True)
        kind = self.randomness.choices(kinds, weights)[0]
        operation: Operation | None = getattr(self, f"_{kind}")()
        if operation is not None and operation.command == "propose":
            self._instruct(operation.arguments)
            if self.randomness.random() < IN_ANOTHERS_NAME:
                operation = replace(operation, actor=ROG)
            operation.arguments["lifetime_seconds"] = self.randomness.choice((6, 15, 40, 90))
            if self.randomness.random() < 0.25:
                spoilt = spoil(operation.arguments, operation.actor, self.randomness)
                return replace(operation, arguments=spoilt, name=f"spoilt {operation.name}")
        return operation

    def _instruct(self, arguments: dict[str, Any]) -> None:
        """A participant has mostly said what becomes of pending units."""
        lines = arguments.get("lines") or [{}]
        if "-PEN-" in lines[0].get("source", ""):
            arguments |= self.mechanism.instructed(arguments["action"], lines[0]["key"])

    # --- issuing --------------------------------------------------------------------------------

    def _issue(self) -> Operation:
        actor = self._party()
        return self._issuance(actor, self.randomness.randint(2021, 2024))

    def _issuance(self, actor: Actor, vintage: int) -> Operation:
        key = own_key(actor, vintage)
        first, quantity = self._serials(key), self.randomness.randint(1, 120)
        self.next_serial[key.series] = first + quantity
        self.approvals += 1
        line = {
            "key": key.model_dump(mode="json"),
            "first": first,
            "last": first + quantity - 1,
            "target": account_number(actor, "HLD", 1),
            "attributes": {},
        }
        approved = quantity + self.randomness.choice((0, 0, 50))
        references = {
            "request": f"R{self.approvals}",
            "approval": f"A{self.approvals}",
            "approved_quantity": approved,
        }
        arguments = {"action": "issuance", "lines": [line], "references": references}
        if self.randomness.random() < 0.15:
            line["attributes"] = {"metric": "non-GHG", "unit": MWH}
            line["target"] = account_number(actor, "HLD", MWH_NUMBER)
            arguments["unit"] = MWH
        return _propose(actor, arguments)

    def _issue_itmos(self) -> Operation | None:
        """A Party's ITMOs, under an authorization: first-transferred with it, if that says so."""
        actor, vintage = self._party(), self.randomness.randint(2021, 2024)
        ref = self.authorizing.reference(actor.section)
        if ref is None:
            return None
        definition = self.authorizing.definition(actor.section, ref["id"])
        operation = self._issuance(actor, vintage)
        (line,) = operation.arguments["lines"]
        key = own_key(actor, vintage).on(Layer.ITMO)
        quantity = line["last"] - line["first"] + 1
        first = self.next_serial.get(key.series, ITMOS_FROM)
        self.next_serial[key.series] = first + quantity
        line |= {"key": key.model_dump(mode="json"), "first": first, "last": first + quantity - 1}
        line["attributes"] |= {"authorization": ref}
        due = definition in {"authorization", "issuance"}
        if due != (self.randomness.random() < 0.1):
            line["attributes"]["first_transferred"] = True
        return operation

    def _issue_a6_4ers(self) -> Operation:
        """What was approved is issued; or something is approved first."""
        found = self.mechanism.issue(self.next_serial) if self.randomness.random() < 0.7 else None
        if found is None:
            return _propose(ADM, {"action": "approval", "approval": self.mechanism.approve()})
        authorized = self.randomness.choice((0, found["quantity"] // 3))
        arguments = {**found, "authorized": authorized}
        if authorized:
            known = self.authorizing.reference("MMR")
            arguments |= {"designation": self.randomness.choice(("N", "NI", "O"))}
            if known is not None:
                arguments["authorization"] = known
        if self.randomness.random() < 0.15:
            return _propose(ADM, self.mechanism.by_hand(arguments))
        return Operation(ADM, "issue", arguments, "issuance of A6.4ERs")

    def _authorize(self) -> Operation:
        actor = self.randomness.choice((*self.cast.parties, MMR, ROG))
        approach = "CA0001" if actor == MMR else APPROACH
        terms = self.authorizing.terms(actor.section, approach)
        return _propose(actor, {"action": "authorization", "terms": terms})

    def _cers(self) -> Operation | None:
        """Something with units of the clean development mechanism."""
        asked = self.cers.draw()
        return None if asked is None else _propose(*asked)

    # --- moving ---------------------------------------------------------------------------------

    def _first_transfer(self) -> Operation | None:
        actor = self._party()
        held = self._held(
            actor,
            lambda h: (
                h.key.layer is Layer.UNDERLYING
                and h.kind == "HLD"
                and not h.attributes["first_transferred"]
            ),
        )
        ref = self.authorizing.reference(actor.section)
        if held is None or ref is None:
            return None
        to = self._other(actor, (*self.cast.parties, ROG))
        at_home = self.randomness.random() < 0.15
        first, last = self._part(held)
        line = line_of(held, first, last, actor if at_home else to)
        line["itmo_first"] = _itmo_first(first)
        arguments = {"action": "first-transfer", "lines": [line], "authorization": ref}
        return _propose(actor, arguments if at_home else arguments | {"acquirer": to}, held)

    def _first_transfer_of_itmos(self) -> Operation | None:
        """ITMOs that were issued as such leave the Party, or are first-transferred at home."""
        actor = self._party()
        held = self._held(
            actor,
            lambda h: (
                h.key.layer is Layer.ITMO
                and h.kind == "HLD"
                and not h.attributes["first_transferred"]
            ),
        )
        if held is None:
            return None
        to = self._other(actor, (*self.cast.parties, ROG))
        first, last = self._part(held)
        arguments = {
            "action": "first-transfer",
            "lines": [line_of(held, first, last, to)],
            "acquirer": to,
            "authorization": held.attributes["authorization"],
        }
        return _propose(actor, arguments, held)

    def _forward(self) -> Operation | None:
        held = self._held(ADM, lambda h: h.kind == "PEN")
        if held is None:
            return None
        first, last = self._part(held)
        line = line_of(held, first, last, MMR)
        return _propose(ADM, {"action": "forwarding", "lines": [line], "acquirer": MMR})

    def _replenish(self) -> Operation | None:
        """Units go to the buffer after a reversal."""
        actor = self.randomness.choice((MMR, MMR, ADM))
        held = self._held(actor, lambda h: h.kind in {"HLD", "PEN"} and bool(h.key.activity))
        if held is None:
            return None
        line = line_of(held, *self._part(held), ADM) | {"target": account_number(ADM, "BUF", 1)}
        arguments = {"action": "replenishment", "lines": [line], "reversal": "RV"}
        return _propose(actor, arguments | ({} if actor == ADM else {"acquirer": ADM}))

    def _cancel_for_reversal(self) -> Operation | None:
        """Units of the buffer are cancelled for a reversal, and pending ones now and then."""
        held = self._held(ADM, lambda h: h.kind in {"BUF", "PEN"})
        if held is None:
            return None
        line = line_of(held, *self._part(held), ADM) | {"target": account_number(ADM, "ADC", 1)}
        return _propose(ADM, self.mechanism.cancel(line))

    def _designate(self) -> Operation | None:
        """Contributions, and now and then others, are authorized later."""
        actor = self.randomness.choice((MMR, ADM))
        held = self._held(actor, lambda h: h.attributes["designation"] in {"MCU", "O"})
        ref = self.authorizing.reference("MMR")
        if held is None or ref is None:
            return None
        first, last = self._part(held)
        line = line_of(held, first, last, actor)
        del line["target"]
        letters = self.randomness.choice(("N", "NI", "O"))
        arguments = {"action": "designation", "lines": [line], "authorization": ref}
        return _propose(actor, arguments | {"designation": letters})

    def _bring_to_section(self) -> Operation | None:
        """A6.4ERs leave the mechanism registry: their first transfer."""
        actor = self.randomness.choice((MMR, MMR, ADM))
        held = self._held(
            actor, lambda h: h.kind in {"HLD", "PEN"} and not h.attributes["first_transferred"]
        )
        ref = self.authorizing.reference("MMR")
        if held is None or ref is None:
            return None
        first, last = self._part(held)
        to = self.randomness.choice((KOR, VUT))
        arguments = {
            "action": "first-transfer",
            "lines": [line_of(held, first, last, to)],
            "acquirer": to,
            "authorization": ref,
        }
        return _propose(actor, arguments, held)

    def _transfer(self) -> Operation | None:
        actor = self.randomness.choice((*self.cast.parties, KOR, VUT, MMR, ADM, ROG))
        held = self._held(actor, lambda h: h.key.layer is Layer.ITMO and h.kind in {"HLD", "SOP"})
        if held is None:
            return None
        first, last = self._part(held)
        to = self._other(actor, (*self.cast.parties, KOR, VUT, MMR, ROG))
        line = line_of(held, first, last, to)
        return _propose(actor, {"action": "transfer", "lines": [line], "acquirer": to}, held)

    def _take_back(self) -> Operation | None:
        """Units that a revocation binds go back to the Party; now and then others, or elsewhere."""
        whatever = self.randomness.random() < 0.3

        def fits(held: Held) -> bool:
            under, done = held.attributes["authorization"], held.attributes["first_transferred"]
            bound = whatever or self.authorizing.stops(held.key.party, under)
            return held.kind == "HLD" and bool(done) and bound

        actors = (*self.cast.parties, KOR, VUT, MMR, ROG)
        found = [(actor, held) for actor in actors if (held := self._held(actor, fits))]
        if not found:
            return None
        actor, held = self.randomness.choice(found)
        under = held.attributes["authorization"]
        named = under and {
            "id": under["id"],
            "version": self.authorizing.newest(held.key.party, under),
        }
        home = Actor(f"{held.key.registry}/{held.key.party}")
        odd = self.randomness.random() < 0.1
        to = self._other(actor, (*self.cast.parties, KOR)) if odd else home
        first, last = self._part(held)
        arguments = {
            "action": "counter-entry",
            "lines": [line_of(held, first, last, to)],
            "authorization": named or {"id": "MMR-1", "version": 1},
        }
        return _propose(actor, arguments | ({} if to == actor else {"acquirer": to}), held)

    def _use(self) -> Operation | None:
        actor = self.randomness.choice((*self.cast.parties, KOR, VUT, MMR, ROG))
        return self._ending(actor, "use", "RET" if actor == MMR else "USE")

    def _cancel(self) -> Operation | None:
        actor = self.randomness.choice((*self.cast.parties, KOR, VUT, MMR, ADM, ROG))
        return self._ending(actor, "cancellation", "CAN")

    def _ending(self, actor: Actor, action: str, code: str) -> Operation | None:
        held = self._held(actor, lambda h: h.kind in {"HLD", "PEN"})
        if held is None:
            return None
        first, last = self._part(held)
        mark = self._mark(actor, action)
        if str(mark.get("cancellation")).startswith("omge"):
            code = "OMG"
        number = MWH_NUMBER if held.attributes["unit"] else 1
        line = line_of(held, first, last, actor) | {"target": account_number(actor, code, number)}
        arguments: dict[str, Any] = {"action": action, "lines": [line], "use": mark}
        fresh = not held.attributes["first_transferred"]
        ref = held.attributes["authorization"] or self.authorizing.reference(held.key.party)
        if fresh and ref is not None and self.randomness.random() < 0.6:
            arguments["authorization"] = ref
            if held.key.layer is Layer.UNDERLYING:
                line["itmo_first"] = _itmo_first(first)
        return _propose(actor, arguments, held)

    def _mark(self, actor: Actor, action: str) -> dict[str, Any]:
        """What units are used or cancelled for."""
        if action == "use" and self.randomness.random() < 0.5:
            return {"purpose": "NDC", "user": actor.section, "year": 2025}
        mark = {"purpose": self.randomness.choice(("IMP", "OP")), "user": "Airline"}
        if self.randomness.random() < 0.2:
            mark["oimp"] = self.randomness.choice(("CORSIA", "a shop"))
        if action == "cancellation" and self.randomness.random() < 0.4:
            kind = self.randomness.choice(
                ("voluntary", "omge-voluntary", "omge-mandatory", "other")
            )
            if kind == "voluntary":
                return mark | {"cancellation": kind}
            return {"user": actor.section, "cancellation": kind}
        return mark

    # --- answering ------------------------------------------------------------------------------

    def _answer(self) -> Operation | None:
        cleared = [t for t, state in self.states().items() if state == "cleared"]
        if not cleared:
            return None
        transaction = self.randomness.choice(cleared)
        command = self.randomness.choice(("accept", "accept", "reject", "withdraw", "status"))
        actors = (*self.cast.parties, KOR, VUT, MMR, ROG, ROG, ROG)
        actor = self.randomness.choice(actors)
        if command == "withdraw":
            registry, section, _ = transaction.split("-")
            actor = Actor(f"{registry}/{section}")
        return Operation(actor, command, {"transaction": transaction}, command)

    def _ask(self) -> Operation | None:
        known = list(self.states())
        if not known:
            return None
        transaction = self.randomness.choice(known)
        actor = self._party()
        return Operation(actor, "status", {"transaction": transaction}, "status")

    def _account(self) -> Operation:
        actor = self.randomness.choice(self.cast.holders)
        if self.randomness.random() < 0.5:
            kind = self.randomness.choice(("holding", "use", "cancellation"))
            return Operation(actor, "open-account", {"actor": actor, "kind": kind}, "account")
        number = account_number(actor, "HLD", self.randomness.randint(2, 3))
        return Operation(actor, "close-account", {"account": number}, "account")

    # --- drawing --------------------------------------------------------------------------------

    def _party(self) -> Actor:
        return self.randomness.choice((*self.cast.parties, ROG))

    def _other(self, actor: Actor, among: tuple[Actor, ...]) -> Actor:
        return self.randomness.choice([a for a in among if a != actor] or [KOR])

    def _serials(self, key: Key) -> int:
        """Mostly the next serials; now and then a leap to another thousand, or taken ones."""
        expected = self.next_serial.get(key.series, 1)
        chance = self.randomness.random()
        if chance < 0.08:
            return max(1, expected - self.randomness.randint(1, 50))
        if chance < 0.2:
            return (expected // SERIALS_APART + 1) * SERIALS_APART + 1
        return expected

    def _held(self, actor: Actor, fits: Callable[[Held], bool]) -> Held | None:
        return pick(self.units(actor), self.randomness, fits)

    def _part(self, held: Held) -> tuple[int, int]:
        return some_of(held, self.randomness)


def _itmo_first(first: int) -> int:
    """Where ITMOs are numbered by another offset, it is one for a whole thousand of serials."""
    return first + (SERIALS_APART if (first // SERIALS_APART) % 2 else 0)


def own_key(actor: Actor, vintage: int) -> Key:
    """The key in which a Party issues."""
    return Key.parse(f"underlying:{APPROACH}-{actor.participant}-{actor.section}-{vintage}")


def _propose(actor: Actor, arguments: dict[str, Any], held: Held | None = None) -> Operation:
    """A proposal, about units that are held: in their metric."""
    if held is not None and held.attributes["unit"]:
        arguments["unit"] = held.attributes["unit"]
    return Operation(actor, "propose", {"actor": actor, **arguments}, arguments["action"])


_WEIGHTS = {
    "issue": 10,
    "issue_itmos": 6,
    "issue_a6_4ers": 4,
    "authorize": 8,
    "first_transfer": 18,
    "first_transfer_of_itmos": 5,
    "designate": 3,
    "cers": 9,
    "replenish": 2,
    "cancel_for_reversal": 2,
    "forward": 5,
    "bring_to_section": 7,
    "transfer": 18,
    "take_back": 6,
    "use": 9,
    "cancel": 6,
    "answer": 14,
    "ask": 3,
    "account": 2,
}
"""How often each kind of operation is drawn."""
