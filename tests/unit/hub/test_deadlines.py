# SPDX-License-Identifier: Apache-2.0
"""Deadlines at the hub alone: when a look at the clock moves them, and when it ends something."""

from typing import NamedTuple

import pytest

from hub import storage
from hub.deadlines import STALL_SECONDS
from hub.program import HubSettings
from runtime.program import Tick
from schemas.directory import Profile
from schemas.identifiers import Actor, Instant, Participant, TransactionId
from schemas.limits import GAP_SECONDS_MAX
from schemas.messages import Acceptance
from tests.cast import CHE, GHA, ROG, U, first_transfer, issuance, profile, terms
from tests.unit.hub.alone import Alone, later

PARTIES = (Participant("GHA01"), Participant("CHE01"))
ID = TransactionId("GHA01-GHA-3")
LIFETIME = 30


async def cleared(alone: Alone, at: float = 0) -> str:
    """A first transfer waits for its acquirer from `at` on; gives the proposal's digest."""
    await alone.admit(*PARTIES)
    alone.now = later(at)
    given = {"action": "authorization", "terms": terms("GH-1", GHA, "CA0007")}
    wanted = alone.proposal(GHA, ID, first_transfer(1, 100, 1), LIFETIME)
    await alone.run(
        alone.proposal(GHA, "GHA01-GHA-1", issuance(GHA, U, 1, 1000)),
        alone.proposal(GHA, "GHA01-GHA-2", given),
        wanted,
    )
    assert await state(alone) == "cleared"
    return wanted.digest


async def state(alone: Alone) -> str:
    async with alone.store.snapshot() as session:
        return str((await storage.load_transactions(session, [ID]))[ID].state)


async def deadline(alone: Alone) -> Instant:
    async with alone.store.snapshot() as session:
        return (await storage.load_transactions(session, [ID]))[ID].deadline


def looks(*spans: tuple[float, float], consuming: bool = True) -> list[tuple[float, bool]]:
    """A look every second of the spans, both ends included."""
    return [(first + n, consuming) for first, last in spans for n in range(int(last - first) + 1)]


class Life(NamedTuple):
    """Looks at the clock after a clearing, each consuming or not, and the one at which it expires
    (None: not yet). The hub was `idle` for so long before.
    """

    looks: list[tuple[float, bool]]
    expires: float | None
    idle: float = 0


LIVES: dict[str, Life] = {
    "often": Life(looks((1, 32)), 30),
    "just before its time": Life(looks((1, 29)), None),
    "late by less than an absence": Life(looks((1, 27), (31, 32)), 31),
    "idle for an hour before": Life(looks((1, 32)), 30, 3600),
    "idle for a year before": Life(looks((1, 32)), 30, 365 * 86400),
    "away over the time": Life(looks((1, 10), (100, 101)), None),
    "away, and then the rest": Life(looks((1, 10), (100, 125)), 120),
    "twice away": Life(looks((1, 10), (100, 105), (200, 210)), None),
    "twice away, and then the rest": Life(looks((1, 10), (100, 105), (200, 220)), 215),
    "cut off over the time": Life(
        [*looks((1, 28)), *looks((29, 31), consuming=False), (32, True)], None
    ),
    "cut off for a blink": Life([*looks((1, 28)), (29, False), (29.5, True), *looks((30, 33))], 32),
    "cut off all the while": Life(looks((1, 100), consuming=False), None),
    "a clock that steps back": Life([*looks((1, 10)), (-3600, True), *looks((11, 29))], None),
}


@pytest.mark.parametrize("name", LIVES)
async def test_a_deadline_comes_after_so_much_time_of_consuming(alone: Alone, name: str) -> None:
    life = LIVES[name]
    await cleared(alone, life.idle)
    await alone.tick(life.idle)  # the absence at the start is over
    ended = None
    for seconds, consuming in life.looks:
        await alone.tick(life.idle + seconds, consuming=consuming)
        if ended is None and await state(alone) == "expired":
            ended = seconds
    assert ended == life.expires


async def test_after_a_start_nothing_expires_at_the_first_look(alone: Alone) -> None:
    """What waited in the inbox is heard before; however short the absence was."""
    await cleared(alone)
    await alone.tick(0)
    await alone.tick(1)
    await alone.restart()
    await alone.tick(LIFETIME + 1)
    assert await state(alone) == "cleared"
    assert await deadline(alone) == later(LIFETIME + LIFETIME)
    await alone.tick(LIFETIME + 3)
    assert await state(alone) == "cleared"


async def test_an_answer_in_the_batch_of_the_deadline_wins(alone: Alone) -> None:
    said = await cleared(alone)
    for seconds in range(1, LIFETIME):
        await alone.tick(seconds)
    alone.now = later(LIFETIME + 1)
    answer = alone.heard(CHE, "acceptance", ID, Acceptance(), said)
    await alone.run(answer, Tick(alone.now))
    assert alone.found[answer.name] == []
    assert await state(alone) == "completed"


async def test_an_answer_after_the_deadline_is_heard_if_nobody_looked(alone: Alone) -> None:
    """The log decides, not the clock: as long as no expiry is logged, the answer counts."""
    said = await cleared(alone)
    alone.now = later(LIFETIME * 10)
    answer = alone.heard(CHE, "acceptance", ID, Acceptance(), said)
    await alone.run(answer)
    assert await state(alone) == "completed"


async def test_the_hub_looks_when_something_may_be_due_and_only_then(alone: Alone) -> None:
    await cleared(alone)
    assert alone.hub.due(later(0)), "it has never looked"
    await alone.tick(0)
    await alone.tick(1)  # shows the checkpoint
    assert not alone.hub.due(later(1.5))
    assert alone.hub.due(later(1 + STALL_SECONDS / 5 + 0.1)), "the last look is old"
    for seconds in range(2, LIFETIME + 2):
        await alone.tick(seconds)
    assert await state(alone) == "expired"
    await alone.tick(LIFETIME + 3)
    assert not alone.hub.due(later(LIFETIME + 30)), "nothing is open, nobody is owed anything"


async def test_a_gap_of_the_acquirer_holds_the_deadline_and_no_longer_than_is_bound(
    alone: Alone,
) -> None:
    await cleared(alone)
    alone.early = frozenset({CHE})
    last = LIFETIME + GAP_SECONDS_MAX
    for seconds in range(0, last, 4):
        await alone.tick(seconds)
    assert await state(alone) == "cleared"
    await alone.tick(last)
    assert await state(alone) == "expired"


@pytest.mark.parametrize("early", [set(), {GHA}])
async def test_a_filled_gap_and_the_proposer_s_own_hold_nothing(
    alone: Alone, early: set[Actor]
) -> None:
    await cleared(alone)
    alone.early = frozenset({CHE})
    for seconds in range(1, LIFETIME + 9):
        await alone.tick(seconds)
    assert await state(alone) == "cleared"
    alone.early = frozenset(early)
    await alone.tick(LIFETIME + 9)
    assert await state(alone) == "expired"


async def test_what_a_gap_holds_takes_no_place_of_what_is_due(alone: Alone) -> None:
    alone.hub._settings = HubSettings(expiries_max=1)
    await cleared(alone)
    await alone.admit(Participant("ROG01"))
    alone.early = frozenset({CHE})
    await alone.run(alone.order(profile(GHA, ROG, Profile.INFORMATION, alone.now), 9))
    wanted = alone.proposal(GHA, "GHA01-GHA-4", first_transfer(401, 410, 401, ROG), LIFETIME)
    await alone.run(wanted)
    for seconds in range(1, LIFETIME + 2):
        await alone.tick(seconds)
    assert await state(alone) == "cleared"
    async with alone.store.snapshot() as session:
        other = TransactionId("GHA01-GHA-4")
        assert (await storage.load_transactions(session, [other]))[other].state == "expired"


async def test_as_many_expire_at_once_as_the_settings_say(alone: Alone) -> None:
    alone.hub._settings = HubSettings(expiries_max=2)
    await cleared(alone)
    wanted = [
        alone.proposal(GHA, f"GHA01-GHA-{n}", first_transfer(n * 100, n * 100, n * 100), LIFETIME)
        for n in range(4, 8)
    ]
    await alone.run(*wanted)
    for seconds in range(LIFETIME):
        await alone.tick(seconds)
    counts = []
    for seconds in range(LIFETIME, LIFETIME + 4):
        await alone.tick(seconds)
        assert alone.facts is not None
        counts.append(len(alone.facts.entries))
    assert counts == [2, 2, 1, 0]
