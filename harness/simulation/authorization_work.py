# SPDX-License-Identifier: Apache-2.0
"""What Parties are asked to authorize in a simulation: new terms, later versions of terms that are
known, revocations; and which authorization is named by whoever leans on one.

Later versions decide about units and money: what is narrowed or revoked meets proposals that are
under way, and units that left under an earlier version. A version is mostly the one before with one
thing changed, as people write it.

Elsewhere: everything else that is asked for (`workload`).
"""

import random
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Authorizing", "Known"]

Known = Mapping[tuple[str, str], list[dict[str, Any]]]
"""By Party and id, the terms of each version."""

Terms = dict[str, Any]

DEFINITIONS = ("authorization", "issuance", "use-or-cancellation")
PURPOSES = (["NDC"], ["NDC", "IMP"], ["IMP", "OP"])
NUMBERS = 3


class Authorizing:
    """Draws terms and references. `known` tells what is recorded by the model."""

    def __init__(self, randomness: random.Random, known: Callable[[], Known]) -> None:
        self._dice = randomness
        self._known = known

    def terms(self, party: str, approach: str) -> Terms:
        """The terms of a version of any of a Party's authorizations, mostly of the next."""
        known = self._of(party)
        name = f"{party}-{self._dice.randint(1, NUMBERS)}"
        if known and self._chance(0.6):
            name = self._dice.choice(list(known))
        versions = known.get(name, [])
        version = len(versions) + 1
        if self._chance(0.06):  # not raised, or by too much
            version += self._dice.choice((-1, 1)) if versions else 1
        terms = self._changed(versions[-1]) if versions and self._chance(0.75) else self._new()
        return {**terms, "id": name, "version": version, "approach": approach, "party": party}

    def reference(self, party: str) -> Terms | None:
        """An authorization of a Party as somebody names it: mostly one that stands, mostly by its
        newest version.
        """
        found = self._of(party)
        if not found:
            return None
        standing = [name for name, versions in found.items() if not versions[-1].get("revoked")]
        names = standing if standing and self._chance(0.7) else list(found)
        name = self._dice.choice(names)
        version = len(found[name])
        if version > 1 and self._chance(0.1):
            version -= 1
        return {"id": name, "version": version}

    def definition(self, party: str, name: str) -> str | None:
        """How the newest version defines the first transfer."""
        versions = self._known().get((party, name)) or [{}]
        return versions[-1].get("first_transfer")

    def newest(self, party: str, reference: Terms) -> int:
        """The newest version of an authorization that somebody names."""
        return len(self._of(party).get(reference["id"], [])) or 1

    def stops(self, party: str, reference: Terms | None) -> bool:
        """Whether units under this version are bound by its revocation."""
        versions = self._of(party).get(reference["id"], []) if reference else []
        if reference is None or not versions or not versions[-1].get("revoked"):
            return False
        return bool(versions[reference["version"] - 1].get("binds_first_transferred"))

    def _of(self, party: str) -> Mapping[str, list[Terms]]:
        """The authorizations of a Party, by their ids, in the order of the log."""
        return {name: terms for (of, name), terms in self._known().items() if of == party}

    # --- drawing --------------------------------------------------------------------------------

    def _new(self) -> Terms:
        terms: Terms = {"purposes": self._dice.choice(PURPOSES)}
        if terms["purposes"] != ["NDC"]:
            terms["first_transfer"] = self._dice.choice(DEFINITIONS)
            terms["oimp"] = self._dice.choice((None, None, "CORSIA"))
        if self._chance(0.5):
            terms["binds_first_transferred"] = True
        if self._chance(0.1):
            terms["use_to"] = 2025
        if self._chance(0.4):
            terms["quantity"] = self._dice.randint(50, 400)
        if self._chance(0.2):
            terms["parties"] = self._some_parties()
        if self._chance(0.1):
            terms["entities"] = ["Airline"]
        return terms

    def _changed(self, before: Terms) -> Terms:
        """The version before, revoked or with one thing changed; a revoked one stands again."""
        terms = {name: value for name, value in before.items() if name != "revoked"}
        ways: tuple[Callable[[], Terms], ...] = (
            lambda: {"revoked": True},
            lambda: {"revoked": True},
            lambda: {"revoked": True},
            lambda: {"quantity": self._dice.randint(50, 600)},
            lambda: {"parties": self._some_parties() if not before.get("parties") else []},
            lambda: {"vintage_from": 2023},
            lambda: {"use_to": 2025},
            lambda: {"binds_first_transferred": True},
            self._other_purposes,
        )
        return terms | self._dice.choice(ways)()

    def _other_purposes(self) -> Terms:
        """Other purposes, with what belongs to them alone."""
        return {"first_transfer": None, "oimp": None} | self._new()

    def _some_parties(self) -> list[str]:
        return self._dice.sample(["CHE", "KOR", "THA", "VUT"], 2)

    def _chance(self, of: float) -> bool:
        return self._dice.random() < of
