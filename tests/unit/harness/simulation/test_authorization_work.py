# SPDX-License-Identifier: Apache-2.0
"""What is authorized: terms that are such, versions that mostly follow, revocations among them."""

import json
import random
from collections import Counter
from itertools import pairwise
from typing import Any

from harness.simulation.authorization_work import Authorizing, Known
from schemas.effects import AuthorizationTerms

OF = ("GHA", "CA0007")


def recorded(rounds: int) -> tuple[list[dict[str, Any]], Known]:
    """What was drawn, and what of it follows what was recorded before."""
    known: dict[tuple[str, str], list[dict[str, Any]]] = {}
    authorizing, drawn = Authorizing(random.Random(8), lambda: known), []
    for _ in range(rounds):
        terms = authorizing.terms(*OF)
        versions = known.setdefault((terms["party"], terms["id"]), [])
        if terms["version"] == len(versions) + 1:
            versions.append(terms)
        drawn.append(terms)
    return drawn, known


def test_all_that_is_drawn_are_terms_that_the_wire_knows() -> None:
    for terms in recorded(300)[0]:
        AuthorizationTerms.model_validate_json(json.dumps(terms))


def test_most_versions_follow_and_some_are_not_raised_or_by_too_much() -> None:
    drawn, known = recorded(300)
    followed = sum(len(versions) for versions in known.values())
    assert 0.85 < followed / len(drawn) < 0.99


def test_versions_are_revoked_and_stand_again_and_mostly_change_one_thing() -> None:
    steps = Counter[str]()
    for versions in recorded(300)[1].values():
        for before, after in pairwise(versions):
            names = {n for n in {**before, **after} if before.get(n) != after.get(n)}
            steps["small"] += len(names - {"version", "revoked"}) <= 1
            steps["revoked"] += bool(after.get("revoked"))
            steps["stands again"] += bool(before.get("revoked")) and not after.get("revoked")
            steps["all"] += 1
    assert steps["small"] / steps["all"] > 0.5
    assert steps["revoked"] > 20
    assert steps["stands again"] > 10


def test_units_stop_if_the_version_they_are_under_lets_the_revocation_bind() -> None:
    bound, free, gone = ({name: True} for name in ("binds_first_transferred", "oimp", "revoked"))
    known = {("GHA", "GHA-1"): [bound, free, gone], ("GHA", "GHA-2"): [bound, free]}
    authorizing = Authorizing(random.Random(8), lambda: known)
    under = [{"id": "GHA-1", "version": number} for number in (1, 2, 3)]
    assert [authorizing.stops("GHA", one) for one in under] == [True, False, False]
    assert not authorizing.stops("GHA", {"id": "GHA-2", "version": 1}), "it stands"
    assert not authorizing.stops("CHE", under[0])
    assert not authorizing.stops("GHA", None)
    assert authorizing.newest("GHA", under[0]) == 3


def test_who_leans_on_an_authorization_names_one_that_is_recorded() -> None:
    known: Known = {("GHA", "GHA-1"): [{}, {}], ("GHA", "GHA-2"): [{}, {"revoked": True}]}
    authorizing = Authorizing(random.Random(8), lambda: known)
    named = Counter(tuple((authorizing.reference("GHA") or {}).values()) for _ in range(400))
    assert set(named) == {("GHA-1", 1), ("GHA-1", 2), ("GHA-2", 1), ("GHA-2", 2)}
    assert named["GHA-1", 2] > 200, "the newest of one that stands"
    assert authorizing.reference("CHE") is None
