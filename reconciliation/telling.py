# SPDX-License-Identifier: Apache-2.0
"""Who was told of a case, and who has acknowledged it. Pure.

The hub's entry about a case tells its actor and those whom it concerns, at each turn that the case
takes. There is no message for an acknowledgement, since there is one already: the statement that
its author signs over the size and root of its deliveries (rule 6.12). Once these contain the entry,
it has signed that it was told. Both follow from the log and from statements, so what is kept of
them here can be worked out again.

Elsewhere: opening, explaining and closing (`cases`), the report (`report`).
"""

from dataclasses import replace

from reconciliation.state import Facts, Stated, Telling
from runtime import events
from runtime.program import Batch
from schemas.effects import CaseEffect
from schemas.identifiers import Actor
from schemas.messages import Entry

__all__ = ["acknowledge", "take_told"]


def take_told(facts: Facts, entry: Entry, numbers: dict[Actor, int]) -> None:
    """Note whom an entry tells of which case, and as which of its deliveries, by our own count."""
    for effect in entry.effects:
        if isinstance(effect, CaseEffect):
            for actor, number in numbers.items():
                position, at = entry.position, entry.at
                told = Telling(effect.case, effect.state, position, actor, number, at)
                facts.kept.told[actor] = (*facts.kept.told.get(actor, ()), told)
                facts.tellings.append(told)


def acknowledge(facts: Facts, stated: Stated, batch: Batch) -> None:
    """A statement whose deliveries are the log's acknowledges what is among them."""
    actor, size = stated.actor, stated.body.delivered.size
    waiting = facts.kept.told.get(actor, ())
    covered = [told for told in waiting if told.number < size]
    if not covered:
        return
    left = tuple(told for told in waiting if told.number >= size)
    if left:
        facts.kept.told[actor] = left
    else:
        del facts.kept.told[actor]
    said_at = facts.kept.standing(actor).said_at
    for told in covered:
        facts.tellings.append(replace(told, statement=stated.digest, size=size, said_at=said_at))
        batch.log(events.CASE_ACKNOWLEDGED, case=told.case, state=told.state, actor=actor)
