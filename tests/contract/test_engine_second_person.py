# SPDX-License-Identifier: Apache-2.0
"""The engine's contract about commands that need a second person (ADR 0029).

Elsewhere: who may be one, as values (`tests/unit/runtime/test_second_person`); what the mechanism
registry's commands need (`tests/acceptance/test_federation_second_person`).
"""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from runtime import events
from runtime.clock import SystemClock
from runtime.desk import COMMANDS_MAX
from runtime.orders import Operator
from runtime.second_person import SecondPerson
from schemas.envelope import digest
from schemas.identifiers import Instant
from tests.cast import GHA, HUB, public
from tests.crashes import CrashingStore
from tests.engine import OPERATORS, Engine, until

REGISTRY = GHA.participant
ASK = {"transaction": "GHA01-GHA-1"}


class Clock(SystemClock):
    """The system's clock, and so much later."""

    later = timedelta()

    def now(self) -> Instant:
        return Instant.of(super().now().moment() + self.later)


async def registry(engine: Engine, *commands: str, **members: Any) -> None:
    """The hub and a registry whose commands of these names need a second person."""
    engine.second = SecondPerson(commands or ("ask",), 3600.0)
    await engine.start(HUB)
    await again(engine, **members)


async def again(engine: Engine, **members: Any) -> None:
    await engine.start(REGISTRY, **members)
    await asyncio.wait_for(engine.nodes[REGISTRY].ready.wait(), 60)


async def row(engine: Engine, number: int) -> Any:
    sql = "select command, signature, state, result from desk where id = :id"
    return (await engine.rows(sql, REGISTRY, id=number))[0]


async def comes_to(engine: Engine, number: int, state: str) -> None:
    """Wait until a command is in a state; it has no other end."""

    async def there() -> bool:
        found = await row(engine, number)
        assert found.state in {"open", "awaiting", state}, found.result
        return bool(found.state == state)

    await until(there, f"command {number} is {state}")


async def waiting(
    engine: Engine, operator: str = "olga", command: str = "ask", **given: Any
) -> int:
    """A command that has come to wait; gives its number."""
    number = await engine.submit(command, REGISTRY, operator, **(given or ASK))
    await comes_to(engine, number, "awaiting")
    return number


async def named(engine: Engine, number: int) -> dict[str, Any]:
    """What whoever confirms signs."""
    return {"command": number, "digest": digest((await row(engine, number)).command.encode())}


async def answer(
    engine: Engine, number: int, operator: str = "otto", word: str = "confirm"
) -> tuple[str, str]:
    return await engine.order(word, REGISTRY, operator, **await named(engine, number))


async def awaited(engine: Engine, number: int) -> Any:
    return (await engine.rows("select * from awaited where command = :id", REGISTRY, id=number))[0]


@pytest.mark.requirement(26)
async def test_a_command_does_nothing_until_somebody_else_confirms_it(engine: Engine) -> None:
    await registry(engine)
    first = await waiting(engine)
    kept = await row(engine, first)
    one = await named(engine, first)
    assert f'{{"command": {first}, "digest": "{one["digest"]}"}}' in kept.result
    assert await engine.counted() == []
    assert await answer(engine, first) == ("done", "asked")
    assert tuple(await row(engine, first)) == (kept.command, kept.signature, "done", "asked")
    await engine.counts(1)
    found = await awaited(engine, first)
    assert (found.author, found.ending, found.person) == ("olga", "confirmed", "otto")
    assert found.author_key != found.person_key
    (logged,) = await engine.logged(events.COMMAND_CONFIRMED, command=first)
    assert (logged["operator"], logged["by"]) == ("olga", "otto")


@pytest.mark.requirement(26)
async def test_what_others_may_command_goes_on_without_a_second_person(engine: Engine) -> None:
    await registry(engine, "rotate-key")
    assert await engine.order("ask", REGISTRY, **ASK) == ("done", "asked")
    await engine.counts(1)


WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "by whoever gave it": ("olga", {}, "2008 second-person-wrong: olga has given it"),
    "by the same key": ("twin", {}, "2008 second-person-wrong: twin has the key of olga"),
    "by a lower role": ("oscar", {}, "2008 second-person-wrong: it takes the role administrator"),
    "by a viewer": ("vera", {}, "2006 command-not-allowed"),
    "of another line": ("otto", {"digest": "0" * 64}, "2010 command-differs in digest"),
    "of no command": ("otto", {"command": 2**31 - 1}, "2009 command-not-awaited in command"),
    "of a number beyond all columns": ("otto", {"command": 2**31}, "2007 command-invalid in comm"),
    "of a text": ("otto", {"command": "1"}, "2007 command-invalid in command"),
    "without a digest": ("otto", {"digest": None}, "2007 command-invalid in digest"),
    "with a member too many": ("otto", {"more": 1}, "2007 command-invalid in more"),
}


@pytest.mark.requirement(26)
@pytest.mark.parametrize("name", WRONG, ids=lambda name: name.replace(" ", "-"))
async def test_no_other_confirmation_counts_and_the_command_goes_on_waiting(
    engine: Engine, name: str
) -> None:
    operator, members, why = WRONG[name]
    await registry(engine)
    first = await waiting(engine)
    wrong = {**await named(engine, first), **members}
    state, result = await engine.order("confirm", REGISTRY, operator, **wrong)
    assert (state, why in result) == ("refused", True), result
    assert (await row(engine, first)).state == "awaiting"
    assert await engine.counted() == []
    assert await answer(engine, first) == ("done", "asked")


@pytest.mark.requirement(26)
async def test_a_command_is_confirmed_but_once(engine: Engine) -> None:
    await registry(engine)
    await engine.stop(REGISTRY)
    first = await engine.submit("ask", REGISTRY, **ASK)
    one = await named(engine, first)
    numbers = [await engine.submit("confirm", REGISTRY, "otto", **one) for _ in range(2)]
    await again(engine)  # all three are taken in one batch
    state, result = await answer(engine, first)
    ended = (
        f"command {first} was confirmed by otto with command {numbers[0]}; if it is still wanted"
    )
    assert (state, ended in result) == ("refused", True), result
    assert [(await row(engine, n)).state for n in (first, *numbers)] == ["done", "done", "refused"]
    await engine.counts(1)


@pytest.mark.requirement(26)
async def test_what_is_not_well_formed_waits_for_nobody(engine: Engine) -> None:
    await registry(engine)
    state, result = await engine.order("ask", REGISTRY, wrong=1)
    assert (state, result) == ("refused", "2007 command-invalid in transaction: missing")
    state, result = await engine.order("ask", REGISTRY, "vera", **ASK)
    assert (state, "needs the role operator" in result) == ("refused", True)
    assert await engine.rows("select * from awaited", REGISTRY) == []


@pytest.mark.requirement(26)
@pytest.mark.parametrize("operator", ["olga", "otto"])
async def test_a_command_is_declined_by_its_author_or_somebody_else(
    engine: Engine, operator: str
) -> None:
    await registry(engine)
    first = await waiting(engine)
    ended = await answer(engine, first, operator, "decline")
    assert ended == ("done", f"command {first} of olga declined")
    kept = await row(engine, first)
    assert kept.state == "refused"
    assert kept.result.startswith(f"2011 command-declined: {operator} declined it by command ")
    state, result = await answer(engine, first)
    assert (state, "was declined by" in result) == ("refused", True)
    assert await engine.counted() == []


@pytest.mark.requirement(26)
@pytest.mark.parametrize("operator", ["twin", "oscar", "vera"])
async def test_nobody_declines_who_could_not_confirm(engine: Engine, operator: str) -> None:
    await registry(engine)
    first = await waiting(engine)
    state, result = await answer(engine, first, operator, "decline")
    assert (state, result[:24]) == ("refused", "2008 second-person-wrong")
    assert (await row(engine, first)).state == "awaiting"


@pytest.mark.requirement(26)
async def test_what_nobody_confirms_in_time_lapses_on_a_node_with_nothing_else_to_do(
    engine: Engine,
) -> None:
    engine.clock = clock = Clock()
    await registry(engine)
    first = await waiting(engine)
    clock.later = timedelta(seconds=3601)
    await comes_to(engine, first, "refused")
    assert (await row(engine, first)).result.startswith("2012 command-lapsed: nobody confirmed it")
    assert (await awaited(engine, first)).ending == "lapsed"
    clock.later = timedelta()  # a clock that steps back brings nothing to life again
    state, result = await answer(engine, first)
    assert (state, "was lapsed" in result) == ("refused", True)
    assert await engine.counted() == []


@pytest.mark.requirement(26)
async def test_a_confirmation_that_comes_with_the_end_of_the_time_is_too_late(
    engine: Engine,
) -> None:
    engine.clock = clock = Clock()
    await registry(engine)
    first = await waiting(engine)
    await engine.stop(REGISTRY)
    late = await engine.submit("confirm", REGISTRY, "otto", **await named(engine, first))
    clock.later = timedelta(hours=1)
    await again(engine)
    await comes_to(engine, late, "refused")
    assert (await row(engine, first)).state == "refused"
    assert await engine.counted() == []


@pytest.mark.requirement(26)
async def test_more_may_lapse_than_one_batch_ends_and_none_of_it_is_confirmed_meanwhile(
    engine: Engine,
) -> None:
    engine.clock = clock = Clock()
    await registry(engine)
    asked = [f"GHA01-GHA-{number}" for number in range(1, COMMANDS_MAX + 2)]
    given = [await engine.submit("ask", REGISTRY, transaction=one) for one in asked]
    await comes_to(engine, given[-1], "awaiting")
    await engine.stop(REGISTRY)
    late = await engine.submit("confirm", REGISTRY, "otto", **await named(engine, given[-1]))
    clock.later = timedelta(hours=1)
    await again(engine)
    await comes_to(engine, late, "refused")
    await comes_to(engine, given[-1], "refused")
    assert (await awaited(engine, given[-1])).ending == "lapsed"
    assert await engine.counted() == []


# --- what is refused at being carried out -------------------------------------------------------


@pytest.mark.requirement(26)
async def test_what_is_refused_when_it_is_carried_out_says_so_to_both(engine: Engine) -> None:
    await registry(engine, "replay", "rotate-key")
    for command, given, why in (
        ("replay", {"letter": 7}, "no open dead letter 7"),
        (
            "rotate-key",
            {"actor": "CHE01/CHE"},
            "'CHE01/CHE' is not a registry actor of this program",
        ),
    ):
        first = await waiting(engine, "olga", command, **given)
        assert await answer(engine, first) == ("refused", why)
        assert tuple(await row(engine, first))[2:] == ("refused", why)
        assert (await awaited(engine, first)).ending == "confirmed"


@pytest.mark.requirement(26)
async def test_a_bug_in_what_was_confirmed_is_told_to_both_and_the_desk_goes_on(
    engine: Engine,
) -> None:
    await registry(engine, bugs={"GHA01-GHA-13"})
    first = await waiting(engine, transaction="GHA01-GHA-13")
    state, result = await answer(engine, first)
    assert (state, result[:13]) == ("refused", "9001 internal")
    assert tuple(await row(engine, first))[2:] == (state, result)
    assert await answer(engine, await waiting(engine)) == ("done", "asked")
    await engine.counts(1)


# --- what happens meanwhile ---------------------------------------------------------------------


@pytest.mark.requirement(26)
async def test_what_waits_goes_on_waiting_after_a_crash_and_is_carried_out_once(
    engine: Engine,
) -> None:
    await registry(engine)
    first = await waiting(engine)
    await engine.crash(REGISTRY)
    confirming = await engine.submit("confirm", REGISTRY, "otto", **await named(engine, first))
    for how in ("before", "after"):
        await engine.start(REGISTRY, wrap=partial(CrashingStore, commits=2, when=how))
        await until(partial(engine.died, REGISTRY), f"the crash {how} a commit")
    await again(engine)
    await comes_to(engine, confirming, "done")
    await engine.counts(1)
    assert (await row(engine, first)).state == "done"


@pytest.mark.requirement(26)
async def test_a_setting_made_stricter_has_what_comes_after_wait_and_what_is_done_stays(
    engine: Engine,
) -> None:
    await registry(engine, "rotate-key")
    assert await engine.order("ask", REGISTRY, **ASK) == ("done", "asked")
    await engine.stop(REGISTRY)
    queued = await engine.submit("ask", REGISTRY, transaction="GHA01-GHA-2")
    engine.second = SecondPerson(("ask",), 3600.0)
    await again(engine)
    await comes_to(engine, queued, "awaiting")
    assert await answer(engine, queued) == ("done", "asked")
    await engine.counts(1, 2)


@pytest.mark.requirement(26)
async def test_a_setting_made_looser_carries_nothing_out(engine: Engine) -> None:
    await registry(engine)
    first = await waiting(engine)
    await engine.stop(REGISTRY)
    engine.second = SecondPerson((), 3600.0)
    await again(engine)
    assert await engine.order("ask", REGISTRY, transaction="GHA01-GHA-2") == ("done", "asked")
    assert (await row(engine, first)).state == "awaiting"
    assert await answer(engine, first) == ("done", "asked")
    await engine.counts(2, 1)


CHANGED: dict[str, tuple[tuple[Operator, ...], str]] = {
    "is gone": (OPERATORS[1:], "2006 command-not-allowed: no such operator here"),
    "has a lower role": (
        (OPERATORS[0].model_copy(update={"role": "viewer"}), *OPERATORS[1:]),
        "2006 command-not-allowed: ask needs the role operator, olga is viewer",
    ),
    "has another key": (
        (OPERATORS[0].model_copy(update={"key": public("next")}), *OPERATORS[1:]),
        "1008 signature-invalid",
    ),
}


@pytest.mark.requirement(26)
@pytest.mark.parametrize("name", CHANGED, ids=lambda name: name.replace(" ", "-"))
async def test_nothing_is_carried_out_of_somebody_who_by_now(engine: Engine, name: str) -> None:
    await registry(engine)
    first = await waiting(engine)
    await engine.stop(REGISTRY)
    engine.operators, why = CHANGED[name]
    await again(engine)
    state, result = await answer(engine, first)
    assert (state, why in result) == ("refused", True), result
    assert tuple(await row(engine, first))[2:] == (state, result)
    assert (await awaited(engine, first)).ending == "void"
    assert await engine.counted() == []


@pytest.mark.requirement(26)
async def test_somebody_who_is_gone_confirms_nothing(engine: Engine) -> None:
    await registry(engine)
    first = await waiting(engine)
    await engine.stop(REGISTRY)
    engine.operators = tuple(one for one in OPERATORS if one.name != "otto")
    await again(engine)
    state, result = await answer(engine, first)
    assert (state, "no such operator here" in result) == ("refused", True)
    assert (await row(engine, first)).state == "awaiting"
