# SPDX-License-Identifier: Apache-2.0
"""Everybody concerned is told of a case at each turn, and acknowledges it by a statement."""

import pytest
from sqlalchemy import text

from reconciliation import report
from runtime import events
from runtime.program import Batch, Order
from schemas.effects import CaseEffect, CaseWord
from schemas.identifiers import Actor, Digest, Participant
from schemas.messages import CaseNotice
from tests.unit.reconciliation.steps import CASE, give, hand_over, issue, the_case
from tests.unit.reconciliation.world import GHANA, REC, START, SWISS, Voice, World


async def a_missing_acquisition(world: World) -> CaseNotice:
    """Switzerland lacks 11-20, which Ghana has transferred to it."""
    await issue(world, GHANA, 1, 100)
    await hand_over(world, 11, 20, lose=SWISS)
    (notice,) = await world.examine(SWISS)
    return notice


def effect(notice: CaseNotice) -> CaseEffect:
    """What the hub's entry says of a case, as the service has said it."""
    members = {name: getattr(notice, name) for name in CaseWord.model_fields}
    explanation = notice.detail if notice.state == "explained" else None
    return CaseEffect(**members, explanation=explanation)


async def tell(world: World, notice: CaseNotice, *to: Actor) -> None:
    """The hub logs what the service has said."""
    await world.log(effect(notice), to=to or (notice.actor, *notice.concerned))


async def told(world: World) -> list[tuple[str, str, str | None, int | None]]:
    async with world.store.snapshot() as session:
        found = await report.told(session)
    assert all((one.acknowledged_at is None) is (one.statement is None) for one in found)
    return [(one.state, one.actor, one.acknowledged_at, one.size) for one in found]


@pytest.mark.requirement(111)
async def test_a_case_names_both_sides_of_the_transfer(world: World) -> None:
    notice = await a_missing_acquisition(world)
    assert (notice.actor, notice.concerned, notice.state) == (SWISS, (GHANA,), "open")
    assert (notice.cause, notice.first, notice.last) == ("late-or-lost-message", 11, 20)
    await world.nodes[GHANA].sql("update blocks set last = 15 where last = 10")
    claimed = await world.examine(GHANA)
    assert [(n.first, n.last, n.concerned) for n in claimed] == [(11, 15, (SWISS,))]
    await world.nodes[GHANA].sql("delete from blocks where first = 1")
    other = await world.examine(GHANA)
    assert [n.concerned for n in other if n.open] == [()], "of 1-10 nobody else ever heard"


@pytest.mark.requirement(111)
async def test_a_statement_acknowledges_what_its_deliveries_contain(world: World) -> None:
    notice = await a_missing_acquisition(world)
    before = await world.stated(GHANA)
    await tell(world, notice)
    assert await told(world) == [("open", SWISS, None, None), ("open", GHANA, None, None)]
    await world.feed(before)
    case = await the_case(world)
    assert (case.acknowledged, case.awaited) == (None, "CHE01/CHE, GHA01/GHA")
    await world.restart()
    await world.feed(await world.stated(GHANA))
    ghana = world.nodes[GHANA].deliveries.size
    assert await told(world) == [("open", SWISS, None, None), ("open", GHANA, START, ghana)]
    case = await the_case(world)
    assert (case.concerned, case.acknowledged, case.awaited) == (GHANA, GHANA, SWISS)
    await issue(world, GHANA, 201, 210)
    await world.feed(await world.stated(GHANA), await world.stated(SWISS))
    assert [(actor, size) for _, actor, _, size in await told(world)] == [
        (SWISS, world.nodes[SWISS].deliveries.size),
        (GHANA, ghana),
    ], "the first statement that covers it stays its acknowledgement"
    assert world.events.count(events.CASE_ACKNOWLEDGED) == 2
    assert not world.rec.kept.told


async def test_a_statement_of_other_deliveries_acknowledges_nothing(world: World) -> None:
    notice = await a_missing_acquisition(world)
    await tell(world, notice)
    false = world.nodes[GHANA].delivered.model_copy(update={"root": Digest("0" * 64)})
    await world.settle(await world.feed(await world.stated(GHANA, delivered=false)))
    assert {actor: at for _, actor, at, _ in await told(world)}[GHANA] is None


@pytest.mark.requirement(111)
async def test_an_explanation_and_the_end_are_said_to_the_same(world: World) -> None:
    await issue(world, GHANA, 1, 100)
    await hand_over(world, 11, 20)
    await world.nodes[SWISS].sql("update blocks set last = 15 where last = 20")
    (opened,) = await world.examine(SWISS)
    assert (opened.actor, opened.concerned) == (SWISS, (GHANA,))
    why = "restored on Sunday"
    (said,) = await world.feed(Order(1, "explain", "ada", {"case": CASE, "text": why}))
    assert said.message.body == opened.model_copy(update={"state": "explained", "detail": why})
    await world.nodes[SWISS].sql("update blocks set last = 20 where last = 15")
    (closed,) = await world.examine(SWISS)
    over = {"state": "closed", "detail": "the ledgers agree again"}
    assert closed == opened.model_copy(update=over)


async def test_an_explanation_is_kept_and_a_later_one_stands_in_its_place(world: World) -> None:
    notice = await a_missing_acquisition(world)
    done, result = await give(world, "ada", "explain", case=CASE, text="restored on Sunday")
    assert (done, result) == (True, "REC-1 is explained to CHE01/CHE, GHA01/GHA")
    await tell(world, notice)
    explained = notice.model_copy(update={"state": "explained", "detail": "restored on Sunday"})
    await tell(world, explained)
    await world.restart()
    case = await the_case(world)
    assert (case.state, case.explained_at) == ("explained", START)
    assert case.explanation == "restored on Sunday"
    done, why = await give(world, "ben", "explain", case=CASE, text="restored on Sunday")
    assert (done, "in these words already" in why) == (False, True)
    done, _ = await give(world, "ben", "explain", case=CASE, text="on Saturday, rather")
    assert done
    assert (await the_case(world)).explanation == "on Saturday, rather"


async def test_what_is_explained_ends_like_any_case_and_is_not_explained_any_more(
    world: World,
) -> None:
    await issue(world, GHANA, 1, 10)
    await world.nodes[GHANA].sql("update blocks set last = 8 where last = 10")
    await world.examine(GHANA)
    assert (await give(world, "ada", "explain", case=CASE, text="an edit"))[0]
    await world.nodes[GHANA].sql("update blocks set last = 10 where last = 8")
    (closed,) = await world.examine(GHANA)
    assert (closed.state, closed.case) == ("closed", CASE)
    case = await the_case(world)
    assert (case.state, case.explanation) == ("closed", "an edit")
    done, why = await give(world, "ada", "explain", case=CASE, text="too late")
    assert (done, "REC-1 is not open" in why) == (False, True)


async def test_what_was_explained_before_a_restore_is_known_again(world: World) -> None:
    notice = await a_missing_acquisition(world)
    explained = notice.model_copy(update={"state": "explained", "detail": "a lost backup"})
    batch = Batch(now=START, ids=world.ids)
    lines = [batch.make("case", str(CASE), body)[1] for body in (notice, explained)]
    voice = Voice(REC, world.ids)
    ours = [voice.sealed(Participant("HUB"), line, n, START) for n, line in enumerate(lines, 1)]
    async with world.store.transaction() as session:
        await session.execute(text("delete from cases"))
    await world.restart()
    async with world.store.transaction() as session:
        await world.rec.recall(session, ours, Batch(now=START, ids=world.ids))
    case = await the_case(world)
    assert (case.state, case.explanation, case.concerned) == ("explained", "a lost backup", GHANA)
    await world.restart()
    assert world.rec.kept.cases[1].detail == notice.detail


@pytest.mark.requirement(111)
@pytest.mark.parametrize("to", [(SWISS,), (SWISS, GHANA, Actor("KOR01/KOR"))])
async def test_an_entry_for_others_than_the_case_concerns_is_an_alarm(
    world: World, to: tuple[Actor, ...]
) -> None:
    notice = await a_missing_acquisition(world)
    await world.feed(world.hub.entry(effect(notice), to=to))
    assert await world.alarms() == ["case-misaddressed"]
