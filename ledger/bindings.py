# SPDX-License-Identifier: Apache-2.0
"""In which section a Party's ITMOs are tracked, since when, and where they were before.

Each Party has, or has access to, one registry for tracking its ITMOs (2/CMA.3 annex para 29): its
own, one that it shares, or its section in the international registry. The first section of a Party
that is admitted binds it; after that an act says so. The mechanism registry binds nobody: what it
holds before the first transfer is tracked by other rules (3/CMA.3 annex para 63). Neither do
administrators' sections, which belong to no Party.

The mechanism registry is told by its id (protocol 1.1), not by a setting: whether an act counts
must be the same for everybody who reads the log.

Elsewhere: who signs the act (`directory`), what a Party cannot do elsewhere (`binding_checks`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.directory import BindingChange
from schemas.identifiers import ADMINISTRATOR, MECHANISM, Actor, Instant

__all__ = ["Bindings", "Bound", "may_be_bound", "unfit_binding", "with_admitted"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A Party's ITMOs are tracked in this section, or in none, since then."""

    actor: Actor | None
    since: Instant


Bindings = Mapping[str, tuple[Bound, ...]]
"""By Party code, oldest first: the last one holds."""


def may_be_bound(actor: Actor) -> bool:
    """Whether a section is one in which a Party's ITMOs may be tracked."""
    return actor.section not in {"", ADMINISTRATOR} and actor.participant != MECHANISM


def with_admitted(bindings: Bindings, actors: Iterable[Actor], at: Instant) -> Bindings:
    """The bindings after an admission: a Party that had none is bound to its first section."""
    first = {
        actor.section: (Bound(actor, at),)
        for actor in actors
        if may_be_bound(actor) and actor.section not in bindings
    }
    return {**bindings, **first}


def unfit_binding(act: BindingChange, history: Sequence[Bound]) -> str | None:
    """Why an act changes nothing about the Party, whoever has signed it."""
    if act.actor is not None and not may_be_bound(act.actor):
        return f"no Party's ITMOs are tracked in {act.actor}; name a section in another registry"
    now = history[-1] if history else None
    if now is not None and act.at < now.since:
        return f"an act of {now.since} on the same subject is newer"
    if (now.actor if now else None) == act.actor:
        return f"{act.party} is bound to {act.actor or 'no section'} already"
    return None
