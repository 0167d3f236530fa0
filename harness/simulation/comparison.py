# SPDX-License-Identifier: Apache-2.0
"""What an entry's effects claim, expanded to units, held to what the model predicts.

`Claim` reads effects one after another against the model as it stands before the entry: a unit
must leave where it is, with the attributes that it has, and come into being where none is. What the
effects add up to is then compared with the prediction, unit by unit and overlay by overlay.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.simulation.consequences import Changes
from harness.simulation.model import (
    UNITS_MAX,
    Model,
    Place,
    Unit,
    actor_of,
    attributes_text,
    key_text,
    kind_of,
    serials,
    series_of,
)

__all__ = ["Claim", "Overlays", "differences"]

Overlays = set[tuple[str, str, Place, str]]
"""What is laid or lifted, actor, unit, and the transaction or message named."""

_NAMED = {"reserve": "transaction", "release": "transaction", "pledge": "consent"}
EFFECTS_MAX = 800


@dataclass
class Claim:
    """What the effects of an entry say they do."""

    model: Model
    complaints: list[str] = field(default_factory=list)
    after: dict[Place, tuple[str, str, str]] = field(default_factory=dict)
    """Key, account and attributes that each unit touched ends up with."""
    overlays: Overlays = field(default_factory=set)
    authorizations: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    approvals: list[dict[str, Any]] = field(default_factory=list)
    other: list[dict[str, Any]] = field(default_factory=list)
    """Effects on the directory, cases and freezes."""

    def read(self, effects: Iterable[dict[str, Any]]) -> None:
        """Take in effects, in order."""
        for number, effect in enumerate(effects):
            if number == EFFECTS_MAX:
                self.complaints.append(f"there are more than {EFFECTS_MAX} effects")
            name = effect["effect"]
            if name == "authorization":
                self.authorizations.append((effect["actor"], effect["terms"]))
            elif name in {"approval", "approval-record"}:
                self.approvals.append(effect)
            elif name == "move":
                self._position_agrees(effect["target"])
                self._change(effect, effect["source"], effect["attributes"], None)
            elif name == "restate":
                self._change(effect, effect["position"], effect["before"], effect["after"])
            elif name in _NAMED:
                for place in self._places(effect):
                    one = (name, effect["actor"], place, effect[_NAMED[name]])
                    if one in self.overlays:
                        self.complaints.append(f"{name} of {place} twice")
                    self.overlays.add(one)
            else:
                self.other.append(effect)

    def _places(self, effect: dict[str, Any]) -> Iterator[Place]:
        if effect["first"] > effect["last"]:
            self.complaints.append(f"an effect on a reversed range of {key_text(effect['key'])}")
        if effect["last"] - effect["first"] >= UNITS_MAX:
            self.complaints.append("an effect on more units than the model follows")
        series = series_of(effect["key"])
        yield from ((series, serial) for serial in serials(effect))

    def _position_agrees(self, position: dict[str, Any]) -> None:
        account = position["account"]
        if (actor_of(account), kind_of(account)) != (position["actor"], position["kind"]):
            self.complaints.append(f"{account} is no account of {position['actor']}")

    def _change(
        self,
        effect: dict[str, Any],
        position: dict[str, Any] | None,
        before: dict[str, Any],
        after: dict[str, Any] | None,
    ) -> None:
        """A move has `position` as source and attributes that stay; a restatement the other way."""
        key, wanted = key_text(effect["key"]), attributes_text(before)
        wrong: list[Place] = []
        for place in self._places(effect):
            now = self._now(place)
            here = None if position is None else (key, position["account"], wanted)
            if now != here:
                wrong.append(place)
            if after is not None and position is not None:
                self.after[place] = (key, position["account"], attributes_text(after))
            else:
                self.after[place] = (key, effect["target"]["account"], wanted)
        if wrong and position is None:
            self.complaints.append(f"{_spell(wrong)}: doubled, there is such a unit already")
        elif wrong:
            self.complaints.append(f"{_spell(wrong)}: not where or as {effect['effect']} says")

    def _now(self, place: Place) -> tuple[str, str, str] | None:
        if place in self.after:
            return self.after[place]
        unit = self.model.unit(place)
        return None if unit is None else _shape(unit)


def _shape(unit: Unit) -> tuple[str, str, str]:
    return unit.key, unit.account, unit.attributes


def differences(claim: Claim, predicted: Changes, overlays: Overlays) -> list[str]:
    """Where the claim and the prediction are not the same."""
    found = list(claim.complaints)
    wanted = {place: _shape(unit) for place, unit in predicted.items()}
    for places, words in (
        (wanted.keys() - claim.after.keys(), "should change, and the entry does not say so"),
        (claim.after.keys() - wanted.keys(), "should stay as they are, and the entry changes them"),
    ):
        if places:
            found.append(f"{_spell(places)}: {words}")
    unlike = [p for p in wanted.keys() & claim.after.keys() if wanted[p] != claim.after[p]]
    if unlike:
        one = min(unlike)
        found.append(
            f"{_spell(unlike)}: the entry makes of it {claim.after[one]}, the model {wanted[one]}"
        )
    for marks, words in (
        (overlays - claim.overlays, "is missing"),
        (claim.overlays - overlays, "should not be"),
    ):
        for name in sorted({mark[0] for mark in marks}):
            some = sorted(mark for mark in marks if mark[0] == name)
            _, actor, _, what = some[0]
            found.append(
                f"{_spell([mark[2] for mark in some])}: {name} for {actor}, {what}, {words}"
            )
    return found


def _spell(places: Iterable[Place]) -> str:
    """A range of units in words: the first few of them tell enough."""
    ordered = sorted(places)
    series, serial = ordered[0]
    more = f" and {len(ordered) - 1} more" if len(ordered) > 1 else ""
    return f"{series} {serial}{more}"
