# SPDX-License-Identifier: Apache-2.0
"""Every state with every event: the table says what follows, and nothing else does."""

from itertools import product

import pytest

from ledger.transactions import (
    EVENT_OF,
    FINAL,
    TRANSITIONS,
    Event,
    IllegalStep,
    State,
    mermaid,
    step,
)

P, C = State.PROPOSED, State.CLEARED
# Written again, by hand, from the design's picture: what is not here must not be.
LEGAL = {
    (None, Event.PROPOSE): State.PROPOSED,
    (P, Event.REFUSE): State.REFUSED,
    (P, Event.COMPLETE): State.COMPLETED,
    (P, Event.CLEAR): State.CLEARED,
    (C, Event.COMPLETE): State.COMPLETED,
    (C, Event.REFUSE): State.REFUSED,
    (C, Event.REJECT): State.REJECTED,
    (C, Event.WITHDRAW): State.WITHDRAWN,
    (C, Event.EXPIRE): State.EXPIRED,
}
PAIRS = [
    pytest.param(state, event, id=f"{state or 'unknown'}-{event}")
    for state, event in product([None, *State], Event)
]


@pytest.mark.requirement(118)
@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_a_step_leads_where_the_picture_says_or_is_illegal(
    state: State | None, event: Event
) -> None:
    if (state, event) in LEGAL:
        assert step(state, event) is LEGAL[state, event]
    else:
        with pytest.raises(IllegalStep, match=f"is {state or 'unknown'} cannot {event}"):
            step(state, event)


def test_final_states_are_left_by_nothing_and_the_others_lead_to_one() -> None:
    assert set(State) - {P, C} == FINAL
    assert not [state for state, _ in TRANSITIONS if state in FINAL]
    for state in set(State) - FINAL:
        assert {after for (before, _), after in TRANSITIONS.items() if before is state} & FINAL


def test_every_state_can_be_reached() -> None:
    reached: set[State | None] = {None}
    for _ in State:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
    assert reached == {None, *State}


def test_a_state_says_by_which_event_it_came() -> None:
    assert set(EVENT_OF) == set(State)
    for (_, event), after in TRANSITIONS.items():
        assert EVENT_OF[after] is event


def test_nothing_is_completed_twice() -> None:
    for path in product(Event, repeat=4):
        state, completed = None, 0
        for event in path:
            try:
                state = step(state, event)
            except IllegalStep:
                break
            completed += state is State.COMPLETED
        assert completed <= 1


def test_the_diagram_has_a_line_for_every_transition_and_final_state() -> None:
    lines = mermaid().splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert len(lines) == 1 + len(TRANSITIONS) + len(FINAL)
    assert "    [*] --> proposed : propose" in lines
    assert "    cleared --> completed : complete" in lines
    assert "    expired --> [*]" in lines
