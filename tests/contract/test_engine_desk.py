# SPDX-License-Identifier: Apache-2.0
"""The engine's contract about operators' commands, dead letters, and keys.

Elsewhere: messages (`test_engine`), commits, crashes and restores (`test_engine_commits`).
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ledger.directory import sign_act
from runtime import desk, events
from runtime.bell import desk_bell
from schemas import limits
from schemas.directory import LastSequence, Rotation
from schemas.envelope import open_envelope
from schemas.findings import Reason
from schemas.messages import ResendRequest, RotationRequest
from tests.cast import CHE, GHA, HUB, public, signer
from tests.engine import Engine, Hand, until

REGISTRY = GHA.participant


async def registry(engine: Engine, **members: Any) -> None:
    """The hub and a registry, greeted."""
    await engine.start(HUB)
    await engine.start(REGISTRY, **members)
    await asyncio.wait_for(engine.nodes[REGISTRY].ready.wait(), 60)


async def test_a_command_is_carried_out_once_and_told_its_result(engine: Engine) -> None:
    await registry(engine)
    asked = await engine.order("ask", REGISTRY, transaction="GHA01-GHA-1")
    assert asked == ("done", "asked")
    await engine.counts(1)
    await engine.stop(REGISTRY)
    waiting = await engine.submit("ask", REGISTRY, transaction="GHA01-GHA-2")
    await engine.start(REGISTRY)
    await engine.counts(1, 2)
    rows = await engine.rows("select state from desk where id = :id", REGISTRY, id=waiting)
    assert rows[0].state == "done"


async def test_a_node_that_hears_the_bell_does_not_wait_for_its_next_look(engine: Engine) -> None:
    """PostgreSQL rings for each command, and once more when a lost connection is there again."""
    await registry(engine)
    engine.nodes[REGISTRY].settings = replace(engine.settings, tick_seconds=3600.0)
    engine.nodes[REGISTRY].ring()
    number = 0
    async with desk_bell(engine.urls[REGISTRY], engine.nodes[REGISTRY].ring):
        if engine.urls[REGISTRY].startswith("postgresql"):
            for number in (1, 2, 3):
                asked = await engine.order("ask", REGISTRY, transaction=f"GHA01-GHA-{number}")
                assert asked == ("done", "asked")
    await engine.submit("ask", REGISTRY, transaction="GHA01-GHA-9")
    engine.nodes[REGISTRY].ring()
    await engine.counts(*range(1, number + 1), 9)


async def test_more_commands_than_a_batch_takes_are_taken_one_batch_after_another(
    engine: Engine,
) -> None:
    await registry(engine)
    node = engine.nodes[REGISTRY]
    node.settings = replace(engine.settings, tick_seconds=3600.0)
    many = desk.COMMANDS_MAX * 2 + 1
    for number in range(1, many + 1):
        await engine.submit("ask", REGISTRY, transaction=f"GHA01-GHA-{100 + number}")
    node.ring()
    await engine.counts(*range(101, 101 + many))


REFUSED: dict[str, tuple[str, str, dict[str, object], str]] = {
    "beyond the operator's role": ("ask", "vera", {"transaction": "GHA01-GHA-1"}, "needs the role"),
    "by a stranger": ("ask", "eve", {"transaction": "GHA01-GHA-1"}, "no such operator"),
    "unknown": ("dance", "olga", {}, "no command dance"),
    "of a letter that is not there": ("replay", "olga", {"letter": 7}, "no open dead letter 7"),
    "of a letter beyond all columns": ("discard", "olga", {"letter": 2**40}, "no open dead letter"),
    "of a letter that is no number": ("discard", "olga", {"letter": "x"}, "no open dead letter x"),
    "about another's key": ("rotate-key", "olga", {"actor": "CHE01/CHE"}, "not a registry actor"),
    "about a key that is not made": ("rotate-key", "olga", {}, "is not in the key folder"),
    "that has a bug": ("ask", "olga", {"transaction": "GHA01-GHA-13"}, "internal"),
    "that breaks at once": ("ask", "olga", {}, "internal"),
}


@pytest.mark.parametrize("name", REFUSED, ids=lambda name: name.replace(" ", "-"))
async def test_a_command_that_cannot_be_carried_out_says_why_and_the_desk_goes_on(
    engine: Engine, name: str
) -> None:
    command, operator, arguments, why = REFUSED[name]
    await registry(engine, bugs={"GHA01-GHA-13"})
    state, result = await engine.order(command, REGISTRY, operator, **arguments)
    assert state == "refused"
    assert why in result
    assert await engine.order("ask", REGISTRY, transaction="GHA01-GHA-1") == ("done", "asked")
    await engine.counts(1)


# --- dead letters and keys ----------------------------------------------------------------------


def rotation(ghana: Hand, sequence: int) -> bytes:
    """The envelope that changes Ghana's key, the last one under the old one."""
    act = Rotation(
        actor=GHA,
        old=signer(GHA).public.key_id,
        new=public("next"),
        closes=(LastSequence(to=HUB, last=sequence),),
        at=ghana.now(),
    )
    signed = sign_act(act.model_dump_json(), [signer(GHA), signer("next")])
    return ghana.seal([ghana.line("rotation", "rotation", RotationRequest(act=signed))])


async def test_a_dead_letter_that_is_right_by_now_is_replayed_and_counts(engine: Engine) -> None:
    await engine.start()
    ghana = await engine.hand(GHA)
    changing = rotation(ghana, 1)
    ghana.signer = signer("next")
    ahead = ghana.ask(5)
    await ghana.send(ahead)  # its key is not known yet
    assert await engine.dead(1) == [Reason.KEY_UNKNOWN]
    await ghana.send(changing)

    async def known() -> bool:
        return len(engine.toys[HUB].directory.keys[GHA]) == 2

    await until(known, "the new key in the directory")
    assert await engine.order("replay", letter=1) == ("done", "dead letter 1 replayed")
    await engine.counts(5)
    assert [row.state for row in await engine.rows("select state from dead_letters")] == [
        "replayed"
    ]


async def test_a_dead_letter_that_is_still_wrong_dies_again_and_is_discarded(
    engine: Engine,
) -> None:
    await engine.start()
    ghana = await engine.hand(GHA)
    await ghana.send(b"rubbish")
    await engine.dead(1)
    assert await engine.order("replay", letter=1) == ("done", "dead letter 1 replayed")
    assert await engine.dead(2) == [Reason.ENVELOPE_MALFORMED] * 2
    assert await engine.order("discard", letter=2) == ("done", "dead letter 2 discarded")
    state, result = await engine.order("discard", letter=2)
    assert (state, result) == ("refused", "no open dead letter 2")
    rows = await engine.rows("select state, body from dead_letters order by id")
    assert [(row.state, bytes(row.body)) for row in rows] == [
        ("replayed", b"rubbish"),
        ("discarded", b"rubbish"),
    ]
    await ghana.send(ghana.ask(1))
    await engine.counts(1)


async def test_an_envelope_whose_key_comes_in_time_is_held_for_it(engine: Engine) -> None:
    engine.settings = type(engine.settings)(tick_seconds=0.02, hold_seconds=60.0)
    await engine.start()
    ghana = await engine.hand(GHA)
    changing = rotation(ghana, 1)
    ghana.signer = signer("next")
    await ghana.send(ghana.ask(5))
    await engine.logged(events.ENVELOPE_HELD)
    await ghana.send(changing, ghana.ask(6))
    await engine.counts(5, 6)
    assert await engine.rows("select * from dead_letters") == []


async def test_one_participant_cannot_fill_the_places_of_held_envelopes(engine: Engine) -> None:
    engine.settings = type(engine.settings)(
        tick_seconds=0.02, hold_seconds=60.0, held_max=4, held_of_one_max=2
    )
    await engine.start()
    ghana = await engine.hand(GHA)
    swiss = await engine.hand(CHE)
    ghana.signer = swiss.signer = signer("next")
    await ghana.send(*[ghana.ask(n) for n in range(1, 5)])
    assert await engine.dead(2) == [Reason.KEY_UNKNOWN] * 2
    await swiss.send(swiss.ask(1), swiss.ask(2))
    await engine.logged(events.ENVELOPE_HELD, 4)
    assert len(await engine.rows("select * from dead_letters")) == 2


async def test_a_key_is_not_changed_twice_before_the_hub_has_told_of_it(engine: Engine) -> None:
    await registry(engine)
    assert await engine.order("ask", REGISTRY, transaction="GHA01-GHA-1") == ("done", "asked")
    await engine.counts(1)
    await engine.stop(HUB)
    for name in ("next", "later"):
        engine.keyrings[REGISTRY].add(GHA, signer(name))
    assert (await engine.order("rotate-key", REGISTRY))[0] == "done"
    state, result = await engine.order("rotate-key", REGISTRY)
    assert state == "refused"
    assert "is not the one in the directory yet; try again when the hub has told" in result
    assert len(await engine.rows("select 1 from messages where type = 'rotation'", REGISTRY)) == 1


@pytest.mark.parametrize("used", [str(CHE), "ada"])
async def test_a_key_is_not_changed_to_one_that_was_used_before(engine: Engine, used: str) -> None:
    """The hub would refuse that change, and know nothing that is sealed after it."""
    await registry(engine)
    engine.keyrings[REGISTRY].add(GHA, signer(used))
    state, result = await engine.order("rotate-key", REGISTRY)
    assert state == "refused"
    assert "was used before" in result
    assert await engine.order("ask", REGISTRY, transaction="GHA01-GHA-1") == ("done", "asked")
    await engine.counts(1)


async def test_a_withdrawn_key_is_not_changed(engine: Engine) -> None:
    await registry(engine)
    engine.keyrings[REGISTRY].add(GHA, signer("next"))
    toy = engine.toys[REGISTRY]
    (record,) = toy.directory.keys[GHA]
    withdrawn = {**toy.directory.keys, GHA: (replace(record, closes={}),)}
    toy.directory = replace(toy.directory, keys=withdrawn)
    state, result = await engine.order("rotate-key", REGISTRY)
    assert (state, result) == (
        "refused",
        f"the key of {GHA} is withdrawn; the administrators of the hub name its next one",
    )


async def test_what_has_an_unknown_key_has_the_hub_ask_what_came_before_it(engine: Engine) -> None:
    """It may be a change of the key; as many are asked for as one request may name."""
    await engine.start()
    ghana = await engine.hand(GHA)
    await ghana.send(ghana.ask(1))
    await engine.counts(1)
    ghana.ask(2)  # and never sends it
    ghana.signer = signer("next")
    await ghana.send(ghana.ask(3))
    assert await engine.dead(1) == [Reason.KEY_UNKNOWN]
    asked = await ghana.hears(lambda m: m.type == "resend", "a request for what came before")
    last = 1 + limits.RESEND_ENVELOPES_MAX
    assert asked.body == ResendRequest(sender=GHA, first=2, last=last)


async def test_a_key_is_changed_by_command_and_everything_goes_on_under_the_new_one(
    engine: Engine,
) -> None:
    await registry(engine)
    assert await engine.order("ask", REGISTRY, transaction="GHA01-GHA-1") == ("done", "asked")
    engine.keyrings[REGISTRY].add(GHA, signer("next"))
    state, result = await engine.order("rotate-key", REGISTRY)
    assert (state, result) == ("done", f"the key of {GHA} changes with the next envelope")
    assert await engine.order("ask", REGISTRY, transaction="GHA01-GHA-2") == ("done", "asked")
    await engine.counts(1, 2)
    old, new = engine.toys[HUB].directory.keys[GHA]
    assert (old.key, new.key) == (signer(GHA).public, signer("next").public)
    sql = "select sequence, body from outbox order by sequence"
    kids = {
        row.sequence: open_envelope(bytes(row.body)).token.kid
        for row in await engine.rows(sql, REGISTRY)
    }
    assert old.closes is not None
    last = old.closes["HUB"]
    assert {n: kid == old.key.key_id for n, kid in kids.items()} == {n: n <= last for n in kids}
    await engine.stop(REGISTRY)
    await engine.start(REGISTRY)  # which key is in use is remembered
    assert await engine.order("ask", REGISTRY, transaction="GHA01-GHA-3") == ("done", "asked")
    await engine.counts(1, 2, 3)
