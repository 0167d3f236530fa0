# SPDX-License-Identifier: Apache-2.0
"""Drill-downs while the world goes on: crashes, trade, delays, silence and lies."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from reconciliation import report
from reconciliation.examine import ReconcilerSettings
from runtime.program import Said
from runtime.store import Session
from schemas.messages import CaseNotice, Inquiry
from schemas.nodes import Children
from tests.unit.reconciliation.steps import ADD, hand_over, issue
from tests.unit.reconciliation.world import (
    GHANA,
    KEY,
    SWISS,
    Crash,
    FakeNode,
    World,
    brief,
    holding,
    move,
)

FAR = 5_000_000_000_000
"""A serial whose bucket parts ways with those of small serials right below the slot."""

MIDDLE, MIDDLE_LEVEL = 1 << 30, 7
"""A serial whose bucket parts ways with those of small serials at this level."""


def inquiry(said: Sequence[Said]) -> Said:
    (one,) = [s for s in said if s.message.type == "inquiry"]
    return one


async def differ(world: World) -> Said:
    """Ghana lacks 91-100; gives the first question."""
    await issue(world, GHANA, 1, 100)
    await world.nodes[GHANA].sql("update blocks set last = 90 where last = 100")
    return inquiry(await world.feed(await world.stated(GHANA)))


async def test_a_crash_before_any_commit_repeats_the_step_and_nothing_else(world: World) -> None:
    asked = await differ(world)
    notices: list[CaseNotice] = []
    for _ in range(30):
        answer = await world.nodes[GHANA].answer(asked)
        with pytest.raises(Crash):
            await world.feed(answer, crash=True)
        await world.restart()
        said = await world.feed(answer)
        assert await world.feed(answer) == []  # and once more after the commit
        await world.restart()
        assert await world.feed(answer) == []
        notices += [s.message.body for s in said if s.message.type == "case"]
        if notices:
            break
        asked = inquiry(said)
    assert brief(notices) == [("missing", 91, 100)]
    assert len(await world.discrepancies()) == 1


async def test_answers_from_a_later_position_lead_to_the_same_ranges(world: World) -> None:
    asked = await differ(world)
    notices: list[CaseNotice] = []
    for number in range(30):
        first = 1_000 + 10 * number
        await issue(world, GHANA, first, first + 9)
        await hand_over(world, first, first + 4)
        said = await world.feed(await world.nodes[GHANA].answer(asked))
        notices += [s.message.body for s in said if s.message.type == "case"]
        if notices:
            break
        asked = inquiry(said)
    assert brief(notices) == [("missing", 91, 100)]
    assert await world.examine(GHANA) == []


async def test_an_answer_that_overtakes_the_log_waits_for_it(world: World) -> None:
    asked = await differ(world)
    early = world.hub.entry(move(2_001, 2_010, holding(GHANA)), to=[GHANA])
    await world.nodes[GHANA].apply(early)
    assert await world.feed(await world.nodes[GHANA].answer(asked)) == []
    await world.restart()
    said = await world.feed(early)
    assert brief(await world.settle(said)) == [("missing", 91, 100)]
    assert world.nodes[GHANA].asked.count("children 0") == 1
    assert await world.alarms() == []


async def test_an_answer_about_the_past_is_asked_for_again(world: World) -> None:
    asked = await differ(world)
    late = await world.nodes[GHANA].answer(asked)
    await issue(world, GHANA, 2_001, 2_010)
    await world.feed(await world.stated(GHANA))
    said = await world.feed(late)
    assert inquiry(said).message.body.level == 0
    assert brief(await world.settle(said)) == [("missing", 91, 100)]


async def test_a_statement_that_agrees_ends_the_drill_down(world: World) -> None:
    asked = await differ(world)
    await world.nodes[GHANA].sql("update blocks set last = 100")
    assert await world.feed(await world.stated(GHANA)) == []
    assert await world.feed(await world.nodes[GHANA].answer(asked)) == []
    assert await world.discrepancies() == []


async def test_an_answer_that_agrees_ends_the_drill_down(world: World) -> None:
    asked = await differ(world)
    await world.nodes[GHANA].sql("update blocks set last = 100")
    assert await world.feed(await world.nodes[GHANA].answer(asked)) == []
    assert not world.rec.kept.drills
    assert world.events.count("drill_broken") == 1


async def test_an_error_made_during_the_descent_is_found_by_the_next_statement(
    world: World,
) -> None:
    await issue(world, GHANA, MIDDLE, MIDDLE)
    asked = await differ(world)
    while asked.message.body.level < MIDDLE_LEVEL:
        asked = inquiry(await world.feed(await world.nodes[GHANA].answer(asked)))
    assert asked.message.body.question == "children"
    await world.nodes[GHANA].sql(ADD, first=FAR, last=FAR)
    notices = await world.settle(await world.feed(await world.nodes[GHANA].answer(asked)))
    assert brief(notices) == [("missing", 91, 100)]
    assert brief(await world.examine(GHANA)) == [("held-without-issuance", FAR, FAR)]


async def test_an_error_repaired_and_another_made_begins_again(world: World) -> None:
    asked = await differ(world)
    while asked.message.body.question != "points":
        asked = inquiry(await world.feed(await world.nodes[GHANA].answer(asked)))
    await world.nodes[GHANA].sql("update blocks set last = 100")
    await world.nodes[GHANA].sql(ADD, first=9_001, last=9_005)
    notices = await world.settle(await world.feed(await world.nodes[GHANA].answer(asked)))
    assert "drill_broken" in world.events
    assert brief(notices) == [("held-without-issuance", 9_001, 9_005)]


# --- silence ------------------------------------------------------------------------------------


async def test_a_question_without_answer_is_asked_again_and_then_overdue(world: World) -> None:
    world.settings = ReconcilerSettings(inquiry_seconds=10, overdue_seconds=25)
    await world.restart()
    first = await differ(world)
    assert await world.tick() == []
    world.later(11)
    again = inquiry(await world.tick())
    assert again.message.body == first.message.body
    world.later(11)
    assert brief([s.message.body for s in await world.tick() if s.message.type == "case"]) == []
    world.later(11)
    said = await world.tick()
    cases = [s.message.body for s in said if s.message.type == "case"]
    assert brief(cases) == [("statement-overdue", 1, 100)]
    assert cases[0].freeze
    world.later(24)
    assert await world.tick() == []
    notices = await world.settle(await world.feed(await world.nodes[GHANA].answer(first)))
    assert [(n.cause, n.open) for n in notices] == [("statement-overdue", False), ("missing", True)]


async def test_a_service_that_was_away_itself_blames_nobody(world: World) -> None:
    first = await differ(world)
    world.later(100_000)
    await world.restart()
    said = await world.tick()
    assert [s.message.type for s in said] == ["inquiry"]
    notices = await world.settle(await world.feed(await world.nodes[GHANA].answer(first)))
    assert brief(notices) == [("missing", 91, 100)]


async def test_overdue_covers_the_differing_keys_alone_once_these_are_known(world: World) -> None:
    world.settings = ReconcilerSettings(inquiry_seconds=10, overdue_seconds=15)
    await world.restart()
    await issue(world, GHANA, 1, 50, key=KEY.model_copy(update={"vintage": 2024}))
    asked = await differ(world)
    while asked.message.body.question != "points":
        asked = inquiry(await world.feed(await world.nodes[GHANA].answer(asked)))
    cases: list[CaseNotice] = []
    for _ in range(3):
        world.later(11)
        cases += [s.message.body for s in await world.tick() if s.message.type == "case"]
    assert [(c.cause, c.key) for c in cases] == [("statement-overdue", KEY)]
    async with world.store.snapshot() as session:
        assert [p.drilling for p in await report.positions(session) if p.actor == GHANA] == [True]


async def test_without_a_trail_the_case_is_about_the_exact_range(world: World) -> None:
    world.settings = ReconcilerSettings(inquiry_seconds=10, overdue_seconds=15)
    await world.restart()
    asked = await differ(world)
    while asked.message.body.question != "trail":
        asked = inquiry(await world.feed(await world.nodes[GHANA].answer(asked)))
    world.later(11)
    await world.tick()
    world.later(11)
    cases = [s.message.body for s in await world.tick() if s.message.type == "case"]
    assert brief(cases) == [("statement-overdue", 91, 100)]
    notices = await world.settle(await world.feed(await world.nodes[GHANA].answer(asked)))
    assert [(n.cause, n.open) for n in notices] == [("statement-overdue", False), ("missing", True)]


# --- lies ---------------------------------------------------------------------------------------


Contents = dict[str, tuple[Any, ...]]
FORGED = b"\xab" * 32


def forged(one: Children) -> Children:
    return Children.of(one.level, one.node, dict.fromkeys(one.below, FORGED))


def elsewhere(one: Children) -> Children:
    return one.model_copy(update={"node": one.node ^ 1 << 20})


# What is asked, at which level, and what is answered instead of the truth. A ledger of one bucket
# has one way down, and so one node in each answer.
LIES: dict[str, tuple[str, int, Callable[[Contents], Contents]]] = {
    "digests of nothing": ("children", 3, lambda true: {"children": (forged(*true["children"]),)}),
    "another node": ("children", 3, lambda true: {"children": (elsewhere(*true["children"]),)}),
    "no children": ("children", 3, lambda _: {"children": ()}),
    "a node not asked about": (
        "children",
        0,
        lambda _: {"children": (Children.of(0, 999, {999 << 4: FORGED}),)},
    ),
    "no points": ("points", 12, lambda _: {"labels": (), "buckets": ()}),
}


class Liar(FakeNode):
    """Answers from its rows, but for one question."""

    lie: str | None = None

    async def contents(self, session: Session, inquiry: Inquiry) -> Contents:
        true = await super().contents(session, inquiry)
        if self.lie is None:
            return true
        question, level, told = LIES[self.lie]
        return told(true) if (question, level) == (inquiry.question, inquiry.level) else true


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.replace(" ", "-"))
async def test_answers_that_contradict_the_signed_root_are_named_tampered(
    world: World, lie: str
) -> None:
    honest = world.nodes[GHANA]
    liar = world.nodes[GHANA] = Liar(GHANA, honest.store, world.ids)
    liar.lie = lie
    await issue(world, GHANA, 1, 100)
    await liar.sql("update blocks set last = 90")
    assert brief(await world.examine(GHANA)) == [("tampered-rows", 1, 100)]
    assert liar.asked.count("children 0") == 1 + world.settings.restarts_max
    assert await world.examine(GHANA) == []  # nothing new under the same roots
    liar.lie = None
    await liar.sql("update blocks set last = 80")
    notices = await world.examine(GHANA)
    assert [(n.cause, n.open, n.first) for n in notices] == [
        ("tampered-rows", False, 1),
        ("missing", True, 81),
    ]


async def test_answers_to_other_questions_and_of_others_change_nothing(world: World) -> None:
    asked = await differ(world)
    node = world.nodes[GHANA]
    stranger = await world.nodes[SWISS].answer(asked)
    foreign = stranger.message.model_copy(
        update={"body": stranger.message.body.model_copy(update={"actor": GHANA})}
    )
    wrong = node.voice.say(
        world.rec.participant,
        "answer",
        (await node.answer(asked)).message.body.model_copy(update={"level": 7}),
        world.now,
        answers=asked.digest,
    )
    for heard in (stranger, wrong):
        assert await world.feed(heard) == []
    said = Said(SWISS, world.rec.participant, foreign, stranger.line, stranger.digest)
    assert (
        await world.feed(
            type(stranger)(
                author=said.author,
                message=said.message,
                line=said.line,
                digest=said.digest,
                manifest=stranger.manifest,
                sequence=9,
                index=0,
            )
        )
        == []
    )
    assert "author-not-acting" in [str(one.reason) for one in world.findings]
    assert brief(await world.settle(await world.feed(await node.answer(asked)))) == [
        ("missing", 91, 100)
    ]
