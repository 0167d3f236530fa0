# SPDX-License-Identifier: Apache-2.0
"""Lists of faults, and what a seed has in store of them."""

import pytest

from harness.simulation.chances import (
    BROKER,
    EVENTS,
    KINDS,
    STORE,
    Chances,
    FaultListError,
    parse_kinds,
    stream,
)

SEEDS = range(200)


def test_all_none_and_lists_of_kinds_are_read() -> None:
    assert parse_kinds("all") == frozenset(KINDS)
    assert parse_kinds("none") == frozenset()
    assert parse_kinds("loss") == {"loss"}
    assert parse_kinds(" crash , loss,crash") == {"crash", "loss"}


@pytest.mark.parametrize("text", ["", "crahs", "crash,,loss", "all,loss", "none,none", "Crash"])
def test_a_list_with_a_kind_that_there_is_none_of_is_refused_and_says_which_there_are(
    text: str,
) -> None:
    with pytest.raises(FaultListError, match="give 'all', 'none', or some of: delay, loss"):
        parse_kinds(text)


def test_every_kind_belongs_to_the_broker_the_store_or_is_an_event() -> None:
    assert [*BROKER, *STORE, *EVENTS] == list(KINDS)
    assert all(text and not text.endswith(".") for text in KINDS.values())


def test_a_seed_draws_the_same_chances_each_time() -> None:
    for seed in SEEDS:
        assert Chances.draw(seed, KINDS) == Chances.draw(seed, sorted(KINDS, reverse=True))


def test_one_kind_left_out_does_not_move_the_chances_of_others() -> None:
    for seed in SEEDS:
        whole = Chances.draw(seed, KINDS).permille
        for kind in KINDS:
            rest = Chances.draw(seed, set(KINDS) - {kind}).permille
            assert rest == {k: v for k, v in whole.items() if k != kind}


def test_each_kind_stays_away_comes_now_and_then_and_comes_often_under_some_seeds() -> None:
    for kind in KINDS:
        drawn = {Chances.draw(seed, [kind]).of(kind) for seed in SEEDS}
        assert len(drawn) == 3
        assert min(drawn) == 0
        assert max(drawn) <= 250


def test_what_is_switched_off_never_comes() -> None:
    nothing = Chances.draw(1, [])
    assert nothing.permille == {}
    assert nothing.of("loss") == 0
    broker = nothing.broker()
    assert broker.lost_permille == broker.repeated_permille == 0
    assert broker.delay_seconds_max == broker.receive_seconds_max == 0.0


def test_chances_at_the_broker_are_those_of_their_kinds() -> None:
    kinds = {"loss": 1, "unreported": 2, "repeat": 3, "reorder": 4, "delay": 5, "slow-consumer": 6}
    broker = Chances(kinds).broker()
    assert (broker.lost_permille, broker.unreported_permille) == (1, 2)
    assert (broker.repeated_permille, broker.reordered_permille) == (3, 4)
    assert min(broker.delay_seconds_max, broker.confirm_seconds_max) > 0
    assert broker.receive_seconds_max > 0


def test_streams_of_one_seed_are_apart_and_those_of_one_name_repeat() -> None:
    assert stream(1, "a").random() == stream(1, "a").random()
    assert len({stream(s, n).random() for s in (1, 11) for n in ("a", "1/a")}) == 4
