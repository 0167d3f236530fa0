# SPDX-License-Identifier: Apache-2.0
"""Silence: actors that have stated nothing of their rows for too long. Pure.

Every checkpoint asks for a statement, and the hub shows one now and then even if nothing happens.
Whoever says nothing shows nothing, right or wrong; after `silent_seconds` that is a case of the
cause `statement-overdue`, until the actor states.

The time counts by this service's own clock and only while it could have heard: from its start, from
when it first saw the actor, and from anew after a pause in which the hub said nothing, since
statements come through the hub. So nobody is blamed for our absence, or the hub's.

Elsewhere: opening the case (`examine`); what it does to its actor (the hub).
"""

from datetime import timedelta

from reconciliation.cases import OVERDUE
from reconciliation.state import Case, Facts, Kept
from schemas.identifiers import Actor, Instant

__all__ = ["due", "hear_actor", "hear_hub", "of_silence", "silent"]

PAUSES = 10
"""The hub was away if it said nothing for a tenth of the time that an actor may be silent."""

LOOKS = 20
"""Looks in that time."""


def hear_hub(kept: Kept, now: Instant, silent_seconds: float) -> None:
    """The hub has said something; after a pause all actors' time begins anew."""
    if kept.hub_heard is None or _since(kept.hub_heard, now) > silent_seconds / PAUSES:
        kept.spoken = {}
    kept.hub_heard = now


def hear_actor(kept: Kept, actor: Actor, now: Instant) -> None:
    """An actor has stated something."""
    kept.spoken = {**kept.spoken, actor: now}


def due(kept: Kept, now: Instant, silent_seconds: float) -> bool:
    """Whether to look who is silent."""
    looked = kept.looked_at
    return looked is None or not 0 <= _since(looked, now) < silent_seconds / LOOKS


def silent(facts: Facts, now: Instant, silent_seconds: float) -> list[tuple[Actor, Instant]]:
    """Who has been silent for too long, and since when; who has a case for it is left out."""
    kept = facts.kept
    kept.looked_at = now
    if kept.hub_heard is None or _since(kept.hub_heard, now) > silent_seconds / PAUSES:
        return []
    actors = [actor for actor in kept.directory.actors() if kept.delivered(actor).size]
    kept.spoken = {actor: kept.spoken.get(actor, now) for actor in actors}
    known = {case.actor for case in kept.cases.values() if case.cause == OVERDUE}
    return [
        (actor, since)
        for actor, since in kept.spoken.items()
        if actor not in known and _since(since, now) >= silent_seconds
    ]


def of_silence(kept: Kept, actor: Actor) -> list[Case]:
    """An actor's cases that end when it has stated and no question to it is open."""
    return [case for case in kept.cases_of(actor) if case.cause == OVERDUE]


def _since(then: Instant, now: Instant) -> float:
    return (now.moment() - then.moment()) / timedelta(seconds=1)
