# SPDX-License-Identifier: Apache-2.0
"""Acts on the directory and cases: entries that belong to no transaction (protocol 4, 7.13).

Who takes part, in which status, connected how; and which units of whom are frozen. Both take what
the entry says as the fact, since the entry is where it is first said, and find fault with what
cannot follow what came before. Keys, their sequences and signatures are not modelled.
"""

import json
from collections.abc import Iterator
from typing import Any

from harness.simulation.model import Case, Model, key_text

__all__ = ["act", "case", "registry_actors"]

_STATUSES = {"testing", "active", "suspended"}
_PROFILES = {"view", "information", "unit", "extension"}


def registry_actors(model: Model) -> set[str]:
    """Whom an act is addressed to (4.10)."""
    return model.actors - {"HUB", "REC"}


def act(model: Model, position: int, effect: dict[str, Any]) -> Iterator[str]:
    """Take an act into the directory."""
    said = json.loads(effect["act"])
    if (position == 0) != (said["act"] == "genesis"):
        yield f"the act {said['act']} at position {position}: genesis is entry 0, and nothing else"
    match said["act"]:
        case "genesis":
            model.log = said["log"]
            model.actors.add("HUB")
            model.status["HUB"] = "active"
        case "admission":
            yield from _admission(model, said)
        case "section":
            yield from _section(model, said)
        case "status":
            if said["participant"] not in model.status or said["status"] not in _STATUSES:
                yield f"no status of that kind for {said['participant']}"
            model.status[said["participant"]] = said["status"]
        case "profile":
            pair = frozenset(said["actors"])
            able = model.actors - model.keyless
            if len(pair) != 2 or not pair <= able or said["profile"] not in _PROFILES:
                yield f"no profile between {said['actors']}"
            model.profiles[pair] = said["profile"]
        case "binding":
            yield from _binding(model, said)
        case "rotation" | "revocation":
            if said["actor"] not in model.actors:
                yield f"a key of {said['actor']}, who is not admitted"
            model.keyless.discard(said["actor"])
            if said["new"] is None:
                model.keyless.add(said["actor"])
        case other:
            yield f"an act that the protocol does not know: {other}"


def _admission(model: Model, said: dict[str, Any]) -> Iterator[str]:
    participant = said["participant"]
    if participant in model.status:
        yield f"{participant} is admitted already"
    model.status[participant] = said.get("status", "active")
    yield from _new_actors(model, said)


def _section(model: Model, said: dict[str, Any]) -> Iterator[str]:
    """A participant gets further sections (4.12)."""
    participant = said["participant"]
    if model.status.get(participant) not in {"testing", "active"} or participant in {"HUB", "REC"}:
        yield f"{participant} gets a section, and is {model.status.get(participant)}"
    yield from _new_actors(model, said)


def _new_actors(model: Model, said: dict[str, Any]) -> Iterator[str]:
    """The actors of an act, each there once; the first section of a Party binds it."""
    for one in said["actors"]:
        if one["actor"].partition("/")[0] != said["participant"]:
            yield f"{one['actor']} is no actor of {said['participant']}"
        if one["actor"] in model.actors:
            yield f"{one['actor']} is there already"
        model.actors.add(one["actor"])
        if _may_be_bound(one["actor"]):
            model.bound.setdefault(one["actor"].partition("/")[2], one["actor"])


def _may_be_bound(actor: str) -> bool:
    """Whether it is a section of a Party outside the mechanism's registry (4.11)."""
    participant, _, section = actor.partition("/")
    return section not in {"", "ADM"} and participant != "UN01"


def _binding(model: Model, said: dict[str, Any]) -> Iterator[str]:
    """A Party changes its registry (4.11)."""
    party, actor = said["party"], said["actor"]
    sections = {one for one in model.actors - model.keyless if one.endswith(f"/{party}")}
    if actor is not None and (actor not in sections or not _may_be_bound(actor)):
        yield f"{party} is bound to {actor}, which is not fit for that"
    if model.bound.get(party) == actor:
        yield f"{party} is bound to {actor} again"
    model.bound[party] = actor


def case(model: Model, effects: list[dict[str, Any]]) -> Iterator[str]:
    """Open, explain or close a case; a freeze comes and goes with it."""
    told = [effect for effect in effects if effect["effect"] == "case"]
    laid = [effect for effect in effects if effect["effect"] in {"freeze", "unfreeze"}]
    if len(told) != 1 or len(laid) + 1 != len(effects) or len(laid) > 1:
        yield "an entry about a case says one thing, and at most one freeze or its end"
        return
    one = told[0]
    what = _range(one)
    if laid and (_range(laid[0]) != what or laid[0]["effect"] != _laid(one)):
        yield f"{laid[0]['effect']} of {_range(laid[0])} beside the case {what}"
    yield from _told(model, one)
    if one["state"] == "open":
        if one["case"] in model.case_names:
            yield f"{one['case']} is opened again"
        model.case_names.add(one["case"])
        if one["actor"] not in registry_actors(model):
            yield f"a case about {one['actor']}, who is not admitted"
        model.cases[one["case"]] = Case(
            one["actor"],
            one["concerned"],
            one["cause"],
            key_text(one["key"]),
            one["first"],
            one["last"],
            bool(laid),
        )
        return
    known = model.cases.get(one["case"])
    turn = "closes" if one["state"] == "closed" else "is explained"
    if one["state"] == "closed":
        model.cases.pop(one["case"], None)
    if known is None:
        yield f"{one['case']} {turn} and is not open"
    elif (known.actor, known.key, known.first, known.last) != what[1:]:
        yield f"{one['case']} {turn} with another range or actor than it was opened with"
    elif (known.concerned, known.cause) != (one["concerned"], one["cause"]):
        yield f"{one['case']} {turn} to others or of another cause than it was opened with"
    elif turn == "is explained" and (laid or not one["explanation"]):
        yield f"{one['case']} is explained with a freeze, or without a word"
    elif turn == "closes" and known.frozen != bool(laid):
        yield f"{one['case']} closes, and its freeze does not agree: it was frozen: {known.frozen}"


def _told(model: Model, one: dict[str, Any]) -> Iterator[str]:
    """Those whom a case concerns have had entries about all units that it names."""
    key = key_text(one["key"])
    for actor in one["concerned"]:
        if actor == one["actor"] or actor not in registry_actors(model):
            yield f"{one['case']} concerns {actor}, who differs itself or is not admitted"
            continue
        known = model.heard_of.get((actor, key), set())
        news = [n for n in range(one["first"], one["last"] + 1) if n not in known]
        if news:
            yield f"{one['case']} tells {actor} of {key} {news[0]}, which it never heard of"


def _range(effect: dict[str, Any]) -> tuple[str, str, str, int, int]:
    key = key_text(effect["key"])
    return effect["case"], effect["actor"], key, effect["first"], effect["last"]


def _laid(effect: dict[str, Any]) -> str:
    return "freeze" if effect["state"] == "open" else "unfreeze"
