# SPDX-License-Identifier: Apache-2.0
"""Actors that state nothing: when that is a case, when it ends, and whose absence never counts."""

from ledger.directory import sign_act
from reconciliation.examine import ReconcilerSettings
from runtime import events
from schemas.directory import ActorKey, SectionAdmission
from schemas.identifiers import Actor
from tests.unit.reconciliation.steps import issue
from tests.unit.reconciliation.world import (
    GHANA,
    SWISS,
    World,
    holding,
    move,
    public,
    signer,
)

SECONDS = 1000
LATE = Actor("GHA01/LAT")
"""A section that Ghana's registry gets later."""


async def listening(world: World) -> None:
    """Ghana holds 1-10, Switzerland nothing; both have stated so."""
    world.settings = ReconcilerSettings(silent_seconds=SECONDS)
    await world.restart()
    await issue(world, GHANA, 1, 10)
    for actor in (GHANA, SWISS):
        await world.examine(actor)
    await world.tick()


async def wait(world: World, seconds: int, *, hub: bool = True, swiss: bool = True) -> None:
    """Time passes; the hub shows checkpoints, and Switzerland answers them."""
    for _ in range(0, seconds, 50):
        world.later(50)
        if hub:
            await world.feed(world.hub.checkpoint(world.now))
        if hub and swiss:
            await world.examine(SWISS)
        await world.tick()


async def cases(world: World) -> list[tuple[str, str, int, int, str]]:
    return [
        (case.actor, case.cause, case.first, case.last, case.state)
        for case in await world.discrepancies()
    ]


async def test_an_actor_that_states_nothing_has_a_case_until_it_does(world: World) -> None:
    await listening(world)
    await wait(world, SECONDS - 50)
    assert await cases(world) == []
    await wait(world, 100)
    overdue = (GHANA, "statement-overdue", 1, 10)
    assert await cases(world) == [(*overdue, "open")]
    (case,) = await world.discrepancies()
    assert case.detail.startswith("GHA01/GHA has stated nothing since 2026-03-01T12:00:00")
    await wait(world, 2 * SECONDS)
    assert await cases(world) == [(*overdue, "open")], "it is one case"
    assert world.events.count(events.STATEMENT_OVERDUE) == 1
    await world.examine(GHANA)
    assert await cases(world) == [(*overdue, "closed")]
    await wait(world, SECONDS - 50)
    assert len(await cases(world)) == 1, "its time begins anew"


async def test_a_section_that_came_later_has_its_time_from_its_act_on(world: World) -> None:
    await listening(world)
    await wait(world, SECONDS - 50)
    await world.examine(GHANA)
    pairs = (ActorKey(actor=LATE, key=public(LATE)),)
    act = SectionAdmission(participant=GHANA.participant, actors=pairs, at=world.now)
    signers = [signer(name) for name in ("anna", "ben", GHANA, LATE)]
    signed = sign_act(act.model_dump_json(), signers)
    await world.feed(world.hub.act(signed, to=[GHANA, SWISS, LATE]))
    issued = world.hub.entry(move(501, 510, holding(LATE)), to=[LATE])
    await world.feed(issued)
    await world.tick()
    await wait(world, SECONDS - 50)
    late = (LATE, "statement-overdue", 501, 510, "open")
    assert late not in await cases(world), "it had no more than this time"
    await wait(world, 100)
    assert late in await cases(world)


async def test_when_it_speaks_again_and_differs_that_is_named_instead(world: World) -> None:
    await listening(world)
    await wait(world, SECONDS + 50)
    await world.nodes[GHANA].sql("update blocks set last = 8 where last = 10")
    notices = await world.examine(GHANA)
    assert [(n.cause, n.open) for n in notices] == [
        ("statement-overdue", False),
        ("missing", True),
    ]


async def test_a_statement_does_not_end_a_case_about_a_question_that_is_open(
    world: World,
) -> None:
    await listening(world)
    await world.nodes[GHANA].sql("update blocks set last = 8 where last = 10")
    await world.feed(await world.stated(GHANA))
    for _ in range(8):
        world.later(50)
        await world.tick()
    assert [case[1] for case in await cases(world)] == ["statement-overdue"]
    said = await world.feed(await world.stated(GHANA))
    assert [case[-1] for case in await cases(world)] == ["open"]
    (asked,) = [s for s in world.said if s.message.type == "inquiry"][-1:]
    said = await world.feed(await world.nodes[GHANA].answer(asked))
    await world.feed(await world.stated(GHANA))
    assert [case[-1] for case in await cases(world)] == ["open"], "it has not told all yet"
    await world.settle(said)
    assert [case[1:] for case in await cases(world)] == [
        ("statement-overdue", 1, 10, "closed"),
        ("missing", 9, 10, "open"),
    ]


async def test_a_known_difference_needs_no_answer_to_end_the_case(world: World) -> None:
    await listening(world)
    await world.nodes[GHANA].sql("update blocks set last = 8 where last = 10")
    await world.examine(GHANA)
    await wait(world, SECONDS + 50)
    assert [case[1:] for case in await cases(world)] == [
        ("missing", 9, 10, "open"),
        ("statement-overdue", 1, 8, "open"),
    ]
    assert await world.examine(GHANA) != []
    assert [case[-1] for case in await cases(world)] == ["open", "closed"]


async def test_nobody_is_blamed_while_the_hub_is_away(world: World) -> None:
    await listening(world)
    await wait(world, 3 * SECONDS, hub=False)
    assert await cases(world) == []
    await wait(world, SECONDS - 50)
    assert await cases(world) == [], "the time begins when the hub is back"
    await wait(world, 100)
    assert len(await cases(world)) == 1


async def test_nobody_is_blamed_for_the_time_before_a_start(world: World) -> None:
    await listening(world)
    await wait(world, SECONDS - 50)
    await world.restart()
    await wait(world, SECONDS - 50)
    assert await cases(world) == []
    await wait(world, 150)
    assert len(await cases(world)) == 1


async def test_the_case_is_about_what_the_log_has_and_not_about_rows_that_are_gone(
    world: World,
) -> None:
    await listening(world)
    await issue(world, SWISS, 11, 20)
    await world.nodes[SWISS].sql("delete from blocks")
    await wait(world, SECONDS + 50, swiss=False)
    assert sorted(await cases(world)) == [
        (SWISS, "statement-overdue", 11, 20, "open"),
        (GHANA, "statement-overdue", 1, 10, "open"),
    ]


async def test_whoever_the_log_has_nothing_for_is_not_waited_for(world: World) -> None:
    await listening(world)
    await wait(world, SECONDS + 50, swiss=False)
    assert [case[0] for case in await cases(world)] == [GHANA]
