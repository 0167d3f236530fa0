# SPDX-License-Identifier: Apache-2.0
"""What is asked for with CERs in a simulation: that they are taken in, change hands inside the
mechanism registry, and are used towards a first NDC; and what nobody may do with them.

What is wrong here is wrong about CERs: the year or the purpose of a use, an account, units that are
used already, a registry that is not theirs, an action that is not theirs.

Elsewhere: other units of the mechanism registry (`mechanism_work`), what is spoilt besides
(`spoiling`), that a CER stays one (`cers`).
"""

import random
from collections.abc import Callable
from typing import Any

from harness.simulation.cast import ADM, KOR, MMR
from harness.simulation.held import Held, Holdings, line_of, pick, some_of
from harness.simulation.mechanism_work import approval_record
from schemas.identifiers import Actor, account_number
from schemas.units import Key, Layer

__all__ = ["CERS_FIRST", "CER_APPROVAL", "CerWork", "cer_approval", "cer_key"]

CER_APPROVAL = "CDM 1"
CERS_FIRST, CERS_APPROVED = 120, 1000
"""What the mechanism registry has taken in before a run begins, and may under that approval."""

ACTIVITY = "CDM7"
VINTAGE = 2019
PLAIN = {"designation": "CER"}

Asked = tuple[Actor, dict[str, Any]]


def cer_key(vintage: int = VINTAGE) -> Key:
    """The key of CERs of an activity in Myanmar."""
    return Key.parse(f"underlying:CA0001-UN01-MMR-{vintage}:{ACTIVITY}")


def cer_approval(name: str = CER_APPROVAL, quantity: int = CERS_APPROVED) -> dict[str, Any]:
    """What was approved to be taken in: of vintages before the mechanism, and one after."""
    return {**approval_record(name, ACTIVITY, 2013, quantity), "vintage_to": 2021}


class CerWork:
    """Draws what is asked for. `units` tells what an actor holds by the model."""

    def __init__(self, randomness: random.Random, units: Callable[[str], Holdings]) -> None:
        self._dice = randomness
        self._units = units
        self._approvals = [(CER_APPROVAL, CERS_APPROVED)]
        self._next = {VINTAGE: CERS_FIRST + 1}

    def draw(self) -> Asked | None:
        """One of all actions on CERs, or of those that are none on them."""
        ways = (self._enter, self._give, self._give, self._use, self._use, self._misuse)
        return self._dice.choice(ways)()

    # --- what may be done -----------------------------------------------------------------------

    def _enter(self) -> Asked:
        """CERs are taken in under an approval; now and then another one is asked for first."""
        if self._dice.random() < 0.2:
            name, quantity = f"CDM {len(self._approvals) + 1}", self._dice.choice((40, 300))
            self._approvals.append((name, quantity))
            return ADM, {"action": "approval", "approval": cer_approval(name, quantity)}
        actor = MMR if self._chance(0.05) else ADM
        late = 2021 if self._chance(0.3) else 2020
        vintage = self._dice.choice((VINTAGE, VINTAGE, 2015, late))
        name, quantity = self._dice.choice(self._approvals)
        first, number = self._next.get(vintage, 1), self._dice.randint(1, 60)
        self._next[vintage] = first + number
        key = cer_key(vintage)
        if self._chance(0.05):
            key = key.on(Layer.ITMO)
        line = {
            "key": key.model_dump(mode="json"),
            "first": first,
            "last": first + number - 1,
            "target": account_number(actor, "PEN" if self._chance(0.05) else "CER", 1),
            "attributes": self._said(),
        }
        references = {"request": f"R {name}", "approval": name, "approved_quantity": quantity}
        return actor, {"action": "cer-entry", "lines": [line], "references": references}

    def _said(self) -> dict[str, Any]:
        """What is said of CERs that come in: that they are such."""
        if self._chance(0.75):
            return dict(PLAIN)
        return self._dice.choice(
            (
                {},
                {"designation": "N"},
                {**PLAIN, "first_transferred": True},
                {**PLAIN, "authorization": {"id": "MMR-1", "version": 1}},
                {**PLAIN, "mitigation": "Removals"},
            )
        )

    def _give(self) -> Asked | None:
        """They go to another account of the registry; not to one of another registry."""
        found = self._held(lambda held: held.kind == "CER")
        if found is None:
            return None
        actor, held = found
        to = MMR if actor == ADM else ADM
        if self._chance(0.1):
            to = KOR
        line = self._line(held, account_number(to, "CER", 1))
        return actor, {"action": "cer-transfer", "lines": [line], "acquirer": to}

    def _use(self) -> Asked | None:
        """They are used towards the first NDC of whoever holds them: mostly so, and once."""
        found = self._held(_is_cer)
        if found is None:
            return None
        actor, held = found
        code = self._dice.choice(("USE", "CAN", "CER")) if self._chance(0.1) else "RET"
        line = self._line(held, account_number(actor, code, 1))
        if held.kind == "RET" and self._chance(0.7):  # as if it were still there
            line["source"] = account_number(actor, "CER", 1)
        return actor, {"action": "cer-use", "lines": [line], "use": self._mark(actor)}

    def _mark(self, actor: Actor) -> dict[str, Any]:
        right = {"purpose": "NDC", "user": actor.section, "year": self._dice.randint(2021, 2030)}
        if self._chance(0.7):
            return right
        return self._dice.choice(
            (
                {**right, "year": 2031},
                {**right, "user": "KOR"},
                {"purpose": "IMP", "user": "Airline", "oimp": "CORSIA"},
                {"purpose": "OP", "user": "Airline", "cancellation": "voluntary"},
                {"user": actor.section, "cancellation": "other"},
            )
        )

    # --- what may not ---------------------------------------------------------------------------

    def _misuse(self) -> Asked | None:
        """CERs in an action on ITMOs, or ITMOs in one on CERs."""
        if self._chance(0.3):
            found = self._held(lambda held: held.kind in {"HLD", "PEN"})
            if found is None:
                return None
            actor, held = found
            line = self._line(held, account_number(actor, "RET", 1))
            return actor, {"action": "cer-use", "lines": [line], "use": self._mark(actor)}
        found = self._held(lambda held: held.kind == "CER")
        if found is None:
            return None
        actor, held = found
        return actor, self._as_itmos(actor, held, self._dice.choice(tuple(NOT_OF_CERS)))

    def _as_itmos(self, actor: Actor, held: Held, action: str) -> dict[str, Any]:
        """A proposal that would be one of ITMOs, if these were any."""
        to, code, members = NOT_OF_CERS[action]
        owner = Actor(to) if to else actor
        line = self._line(held, account_number(owner, code, 1))
        if action == "designation":
            del line["target"]
        if action == "first-transfer":
            line["itmo_first"] = line["first"]
        acquirer = {"acquirer": owner} if owner != actor else {}
        return {"action": action, "lines": [line], **members, **acquirer}

    # --- drawing --------------------------------------------------------------------------------

    def _chance(self, of: float) -> bool:
        return self._dice.random() < of

    def _held(self, fits: Callable[[Held], bool]) -> tuple[Actor, Held] | None:
        actor = self._dice.choice((ADM, MMR))
        held = pick(self._units(actor), self._dice, fits)
        return None if held is None else (actor, held)

    def _line(self, held: Held, target: str) -> dict[str, Any]:
        return line_of(held, *some_of(held, self._dice), ADM) | {"target": target}


def _is_cer(held: Held) -> bool:
    """Whether these are CERs, used or not."""
    return bool(held.attributes["designation"] == "CER")


_REFERENCE = {"authorization": {"id": "MMR-1", "version": 1}}
_OTHER = {"use": {"user": "Developer", "cancellation": "other"}}

NOT_OF_CERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "transfer": ("UN02/KOR", "HLD", {}),
    "first-transfer": ("UN02/KOR", "HLD", _REFERENCE),
    "forwarding": ("UN01/MMR", "HLD", {}),
    "replenishment": ("UN01/ADM", "BUF", {"reversal": "RV"}),
    "administrative-cancellation": ("", "ADC", _OTHER),
    "designation": ("", "CER", {**_REFERENCE, "designation": "N"}),
    "counter-entry": ("UN01/ADM", "HLD", _REFERENCE),
    "use": ("", "RET", {"use": {"purpose": "NDC", "user": "MMR", "year": 2025}}),
    "cancellation": ("", "CAN", _OTHER),
}
"""Actions that are none on CERs: to whom, into which kind of account, and what else they have."""
