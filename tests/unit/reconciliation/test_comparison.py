# SPDX-License-Identifier: Apache-2.0
"""Comparing statements with the log, and naming what differs."""

import pytest

from reconciliation import report
from reconciliation.cases import CASES_MAX
from schemas.effects import Restate
from tests.unit.reconciliation.steps import ADD, hand_over, issue
from tests.unit.reconciliation.world import (
    GHANA,
    KEY,
    OTHER_KEY,
    PLAIN,
    SWISS,
    USED,
    World,
    brief,
    holding,
    move,
)


async def test_equal_ledgers_ask_no_question(world: World) -> None:
    await issue(world, GHANA, 1, 11_733)
    await hand_over(world, 1, 1_916)
    said = await world.feed(await world.stated(GHANA), await world.stated(SWISS))
    assert said == []
    async with world.store.snapshot() as session:
        positions = {p.actor: p for p in await report.positions(session)}
    assert positions[SWISS].equal
    assert (positions[SWISS].deliveries, positions[SWISS].stated, positions[SWISS].lag) == (1, 1, 0)
    assert positions[GHANA].equal
    assert not positions[GHANA].drilling
    assert world.rec.seen == world.hub.log.size


async def test_a_statement_that_agrees_costs_a_handful_of_queries(world: World) -> None:
    for first in range(1, 500, 10):
        await issue(world, GHANA, first, first + 9)
    await world.feed(await world.stated(GHANA))
    world.queries = 0
    await world.feed(await world.stated(GHANA))
    assert world.queries <= 8
    for first in range(501, 800, 10):
        await issue(world, GHANA, first, first + 9)
    stated = await world.stated(GHANA)
    world.queries = 0
    await world.feed(stated)  # thirty deliveries later: one load, one write, one walk up the tree
    assert world.queries <= 60


async def test_44_units_too_many_are_held_without_issuance(world: World) -> None:
    await issue(world, GHANA, 1, 1_916)
    await hand_over(world, 1, 1_916)
    await world.nodes[SWISS].sql("update blocks set last = 1960")
    notices = await world.examine(SWISS)
    assert brief(notices) == [("held-without-issuance", 1_917, 1_960)]
    assert notices[0].freeze
    assert notices[0].actor == SWISS
    assert notices[0].key == KEY
    assert "44 units" in notices[0].detail
    (found,) = await world.discrepancies()
    assert (found.case, found.quantity, found.state) == ("REC-1", 44, "open")
    assert found.expected is None
    assert found.stated is not None
    assert found.stated.account == holding(SWISS).account
    assert await world.examine(GHANA) == []


async def test_levels_at_which_nothing_is_to_choose_need_no_question(world: World) -> None:
    await issue(world, GHANA, 1, 100)
    await world.nodes[GHANA].sql("update blocks set last = 90")
    await world.examine(GHANA)
    asked = ["children 0", "totals 3", "children 3", "points 12", "trail 0"]
    assert world.nodes[GHANA].asked == asked


async def test_a_level_that_branches_has_the_next_question(world: World) -> None:
    await issue(world, GHANA, 1, 100)
    await issue(world, GHANA, 1 << 30, 1 << 30)  # parts ways with the other at level 7
    await world.nodes[GHANA].sql("update blocks set last = 90 where first = 1")
    await world.examine(GHANA)
    children = ["children 3", "children 7"]
    asked = ["children 0", "totals 3", *children, "points 12", "trail 0"]
    assert world.nodes[GHANA].asked == asked


@pytest.mark.parametrize(("where", "gone"), [("true", 2), ("first > 1", 1)])
async def test_what_the_actor_has_not_needs_no_question_until_its_points(
    world: World, where: str, gone: int
) -> None:
    await issue(world, GHANA, 1, 100)
    await issue(world, GHANA, 1 << 30, 1 << 30)
    await world.nodes[GHANA].sql(f"delete from blocks where {where}")
    assert len(await world.examine(GHANA)) == gone
    asked = ["children 0", "totals 3", "children 3", "points 12", "trail 0"]
    assert world.nodes[GHANA].asked == asked


async def test_more_nodes_than_an_inquiry_has_are_asked_about_level_by_level(world: World) -> None:
    """A hundred blocks that all differ, each alone below its node of level 9."""
    firsts = [1 + (i << 20) for i in range(100)]
    await world.log(*(move(n, n + 9, holding(GHANA)) for n in firsts), to=[GHANA])
    await world.nodes[GHANA].sql("update blocks set last = last - 1")
    notices = await world.examine(GHANA)
    assert [(n.first, n.last) for n in notices] == [(n + 9, n + 9) for n in firsts]
    children = ["children 3", "children 8", *(f"children {n}" for n in (9, 9, 10, 10, 11, 11))]
    points = ["points 12"] * 7
    asked = ["children 0", "totals 3", *children, *points, "trail 0", "trail 0"]
    assert world.nodes[GHANA].asked == asked
    inquiries = [s.message.body for s in world.said if s.message.type == "inquiry"]
    assert [q.level for q in inquiries if q.one_level] == [9, 9, 10, 10, 11, 11]


@pytest.mark.requirement(42)
async def test_a_lost_acquisition_is_a_lost_message(world: World) -> None:
    await issue(world, GHANA, 1, 500)
    await hand_over(world, 1, 200)
    await hand_over(world, 201, 300, lose=SWISS)
    assert brief(await world.examine(SWISS)) == [("late-or-lost-message", 201, 300)]
    assert await world.examine(GHANA) == []


async def test_a_lost_outgoing_transfer_is_a_lost_message_too(world: World) -> None:
    await issue(world, GHANA, 1, 500)
    await hand_over(world, 101, 200, lose=GHANA)
    assert brief(await world.examine(GHANA)) == [("late-or-lost-message", 101, 200)]


async def test_a_deleted_row_is_missing(world: World) -> None:
    await issue(world, GHANA, 1, 500)
    await world.nodes[GHANA].sql("delete from blocks")
    (notice,) = await world.examine(GHANA)
    assert (notice.cause, notice.first, notice.last) == ("missing", 1, 500)
    async with world.store.snapshot() as session:
        (total,) = await report.totals(session)
    assert (total.kind, total.expected, total.stated) == ("holding", 500, 0)


@pytest.mark.requirement(122)
async def test_units_of_somebody_else_are_held_twice_and_freeze_nothing_of_theirs(
    world: World,
) -> None:
    await issue(world, GHANA, 1, 500)
    await hand_over(world, 1, 100)
    await world.nodes[SWISS].sql(ADD, first=301, last=310)
    (notice,) = await world.examine(SWISS)
    assert (notice.cause, notice.first, notice.last) == ("held-twice", 301, 310)
    assert notice.actor == SWISS
    assert str(GHANA) in notice.detail


async def test_one_row_can_have_several_causes(world: World) -> None:
    await issue(world, GHANA, 1, 500)
    await hand_over(world, 1, 100)
    await world.nodes[SWISS].sql("update blocks set last = 600")
    assert brief(await world.examine(SWISS)) == [
        ("held-twice", 101, 500),
        ("held-without-issuance", 501, 600),
    ]


async def test_other_attributes_and_another_account_are_told_apart(world: World) -> None:
    await issue(world, GHANA, 1, 100)
    await issue(world, GHANA, 1_001, 1_100)
    await world.nodes[GHANA].sql(
        "update blocks set attributes = :other where first = 1", other=USED.text
    )
    await world.nodes[GHANA].sql(
        "update blocks set account = :other where first = 1001", other=holding(GHANA, 2).account
    )
    notices = await world.examine(GHANA)
    assert brief(notices) == [("attributes-differ", 1, 100), ("position-differs", 1_001, 1_100)]
    assert '"designation":"N"' in notices[0].detail
    assert holding(GHANA, 2).account in notices[1].detail


async def test_a_lost_change_of_attributes_is_a_lost_message(world: World) -> None:
    await issue(world, GHANA, 1, 100)
    effect = Restate(key=KEY, first=11, last=20, position=holding(GHANA), before=PLAIN, after=USED)
    await world.log(effect, to=[GHANA], lose=[GHANA])
    assert brief(await world.examine(GHANA)) == [("late-or-lost-message", 11, 20)]


async def test_a_registry_that_was_shown_another_entry_proves_a_fork(world: World) -> None:
    await issue(world, GHANA, 1, 100)
    node = world.nodes[GHANA]
    node.trail = [line.model_copy(update={"entry": "0" * 64}) for line in node.trail]
    await node.sql("update blocks set last = 90")
    assert brief(await world.examine(GHANA)) == [("log-fork", 91, 100)]


async def test_two_ranges_of_two_keys_at_once(world: World) -> None:
    await issue(world, GHANA, 1, 100_000)
    await issue(world, GHANA, 1, 70_000, key=OTHER_KEY)
    await world.nodes[GHANA].sql("update blocks set first = 11 where key = :k", k=KEY.text)
    await world.nodes[GHANA].sql("update blocks set last = 69000 where key = :k", k=OTHER_KEY.text)
    notices = await world.examine(GHANA)
    assert sorted((n.key.text, n.first, n.last, n.cause) for n in notices) == [
        (OTHER_KEY.text, 69_001, 70_000, "missing"),
        (KEY.text, 1, 10, "missing"),
    ]
    assert {n.case for n in notices} == {"REC-1", "REC-2"}


async def test_an_open_range_is_not_opened_twice_and_a_new_one_is(world: World) -> None:
    await issue(world, GHANA, 1, 1_000)
    node = world.nodes[GHANA]
    await node.sql("update blocks set last = 990")
    assert len(await world.examine(GHANA)) == 1
    assert await world.feed(await world.stated(GHANA)) == []  # the same roots: nothing is asked
    await node.sql("update blocks set last = 980")
    assert brief(await world.examine(GHANA)) == [("missing", 981, 990)]
    assert len(await world.discrepancies()) == 2


async def test_a_known_difference_is_not_asked_about_again_while_trade_goes_on(
    world: World,
) -> None:
    await issue(world, GHANA, 1, 1_000)
    await world.nodes[GHANA].sql("update blocks set last = 1100")
    assert len(await world.examine(GHANA)) == 1
    await issue(world, GHANA, 2_001, 2_010)
    await hand_over(world, 1, 500)
    assert await world.feed(await world.stated(GHANA), await world.stated(SWISS)) == []
    await world.restart()
    await issue(world, GHANA, 1_101, 1_200)  # right beside what it should not hold
    assert await world.feed(await world.stated(GHANA)) == []
    await world.nodes[GHANA].sql("update blocks set last = 2009 where first = 2001")
    assert brief(await world.examine(GHANA)) == [("missing", 2_010, 2_010)]


async def test_cases_close_when_the_ledger_agrees_again_and_not_before(world: World) -> None:
    await issue(world, GHANA, 1, 1_000)
    node = world.nodes[GHANA]
    await node.sql("update blocks set first = 6, last = 990")
    assert brief(await world.examine(GHANA)) == [("missing", 1, 5), ("missing", 991, 1_000)]
    await node.sql("update blocks set first = 1")
    (closed,) = await world.examine(GHANA)
    assert (closed.open, closed.freeze, closed.case) == (False, True, "REC-1")
    await node.sql("update blocks set last = 1000")
    (closed,) = await world.examine(GHANA)
    assert (closed.open, closed.case) == (False, "REC-2")
    assert [d.state for d in await world.discrepancies()] == ["closed", "closed"]
    async with world.store.snapshot() as session:
        assert await report.totals(session) == []


@pytest.mark.requirement(112)
async def test_freezing_is_a_setting(world: World) -> None:
    await issue(world, GHANA, 1, 10)
    world.settings = type(world.settings)(freeze=False)
    await world.restart()
    await world.nodes[GHANA].sql("delete from blocks")
    (notice,) = await world.examine(GHANA)
    assert not notice.freeze


async def test_units_may_be_split_and_joined_at_will(world: World) -> None:
    await issue(world, GHANA, 1, 1_000)
    await world.nodes[GHANA].sql("update blocks set last = 400")
    await world.nodes[GHANA].sql(ADD, first=401, last=1_000)
    assert await world.feed(await world.stated(GHANA)) == []


async def test_more_cases_than_may_be_opened_at_once_go_on_at_the_next_statement(
    world: World,
) -> None:
    effects = [move(i * 10 + 1, i * 10 + 5, holding(GHANA)) for i in range(CASES_MAX + 20)]
    await world.log(*effects, to=[GHANA])
    await world.nodes[GHANA].sql("delete from blocks")
    assert len(await world.examine(GHANA)) == CASES_MAX
    assert len(await world.examine(GHANA)) == 20
    assert await world.feed(await world.stated(GHANA)) == []


@pytest.mark.parametrize("rows", [30, 300])
async def test_many_differences_are_all_named(world: World, rows: int) -> None:
    effects = [move(i * 1_000 + 1, i * 1_000 + 10, holding(GHANA)) for i in range(rows)]
    await world.log(*effects, to=[GHANA])
    await world.nodes[GHANA].sql("delete from blocks where first > 1001")
    notices = await world.examine(GHANA)
    assert [(n.first, n.last) for n in notices] == [
        (i * 1_000 + 1, i * 1_000 + 10) for i in range(2, rows)
    ]
