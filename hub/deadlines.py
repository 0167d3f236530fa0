# SPDX-License-Identifier: Apache-2.0
"""Deadlines: transactions expire by the hub's clock, and never because the hub was away.

Deadlines stand still while the hub is not consuming: not started, cut off from the broker, behind
with its inbox, or stalled. The next look after that moves every open deadline by as long as it
lasted, counted from the last look or, for what was cleared since, from its clearing. So nothing
expires at that look, and an answer that waited in the inbox is heard first.

An answer may also be here and wait for an earlier envelope that was lost on the way. So while
something of its acquirer is stored behind a gap, a transaction does not expire; but no longer than
`GAP_SECONDS_MAX` past its deadline, or an actor that never fills its gap would bind the proposer's
units for as long as it likes.
"""

from collections.abc import Container
from datetime import timedelta

from hub.clearing import end
from hub.entries import Logging
from hub.state import HubFacts, Transaction
from ledger.transactions import Event, State
from runtime.program import Batch, Tick
from schemas.identifiers import Actor, Instant
from schemas.limits import GAP_SECONDS_MAX

__all__ = ["STALL_SECONDS", "decide_tick", "held_since"]

STALL_SECONDS = 5
"""A longer pause between two looks at the clock means that the hub was not consuming."""


def decide_tick(facts: HubFacts, tick: Tick, batch: Batch) -> None:
    """Look at the clock: move deadlines after a pause, then expire what is due."""
    facts.ticked = True
    facts.away = facts.away or not tick.consuming
    if not tick.consuming:
        return
    for id_, (deadline, since) in facts.open.items():
        begun = max(since, facts.last_turn or since)
        pause = tick.now.moment() - begun.moment()
        if pause > timedelta(seconds=0 if facts.away else STALL_SECONDS):
            facts.moved[id_] = Instant.of(deadline.moment() + pause)
    for id_, deadline in facts.moved.items():
        if id_ in facts.transactions:
            facts.transactions[id_].deadline = deadline
    facts.last_turn, facts.away = tick.now, False
    logging = Logging(facts, batch)
    for state in list(facts.transactions.values()):
        if state.state is State.CLEARED and _is_over(state, tick.now, batch.early):
            end(logging, state, Event.EXPIRE, None, [])


def held_since(now: Instant) -> Instant:
    """Deadlines up to here are over, whatever is stored behind a gap."""
    return Instant.of(now.moment() - timedelta(seconds=GAP_SECONDS_MAX))


def _is_over(state: Transaction, now: Instant, early: Container[Actor | None]) -> bool:
    return state.deadline <= (held_since(now) if state.acquirer in early else now)
