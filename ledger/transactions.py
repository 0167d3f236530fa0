# SPDX-License-Identifier: Apache-2.0
"""The life of a transaction, as one table that does not know which role steps it.

The hub, the proposer and the acquirer step the same states by the same events; they differ in when
they learn of an event, never in what it leads to. The hub's log entry decides: an entry names the
state that a transaction is in from then on, and `completed` is the point of no return.

Diagrams and tests are made from `TRANSITIONS`. Every pair that is not listed is illegal and changes
nothing.
"""

from enum import StrEnum

__all__ = ["EVENT_OF", "FINAL", "TRANSITIONS", "Event", "IllegalStep", "State", "mermaid", "step"]


class State(StrEnum):
    """Where a transaction is."""

    PROPOSED = "proposed"
    CLEARED = "cleared"
    COMPLETED = "completed"
    REFUSED = "refused"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Event(StrEnum):
    """What happens to a transaction."""

    PROPOSE = "propose"
    CLEAR = "clear"
    COMPLETE = "complete"
    REFUSE = "refuse"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"


TRANSITIONS: dict[tuple[State | None, Event], State] = {
    (None, Event.PROPOSE): State.PROPOSED,
    # The hub checks what was proposed.
    (State.PROPOSED, Event.REFUSE): State.REFUSED,
    (State.PROPOSED, Event.COMPLETE): State.COMPLETED,  # one actor concerned
    (State.PROPOSED, Event.CLEAR): State.CLEARED,  # another actor must agree
    # The acquiring actor answers, and the hub checks again before it completes.
    (State.CLEARED, Event.COMPLETE): State.COMPLETED,
    (State.CLEARED, Event.REFUSE): State.REFUSED,
    (State.CLEARED, Event.REJECT): State.REJECTED,
    (State.CLEARED, Event.WITHDRAW): State.WITHDRAWN,
    (State.CLEARED, Event.EXPIRE): State.EXPIRED,
}
"""State and event to the next state; no state is the state of what is not yet known."""

FINAL = frozenset(State) - {state for state, _ in TRANSITIONS if state is not None}
"""States that nothing leaves."""

EVENT_OF: dict[State, Event] = {after: event for (_, event), after in TRANSITIONS.items()}
"""The one event that leads to a state: an entry says the state, and so the event."""


class IllegalStep(ValueError):
    """The state does not allow the event; the transaction is as it was."""


def step(state: State | None, event: Event) -> State:
    """The state after an event; `IllegalStep` when the table has no such line."""
    after = TRANSITIONS.get((state, event))
    if after is None:
        raise IllegalStep(f"a transaction that is {state or 'unknown'} cannot {event}")
    return after


def mermaid() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2"]
    lines += [
        f"    {before or '[*]'} --> {after} : {e}" for (before, e), after in TRANSITIONS.items()
    ]
    lines += [f"    {state} --> [*]" for state in State if state in FINAL]
    return "\n".join(lines)
