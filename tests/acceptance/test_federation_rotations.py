# SPDX-License-Identifier: Apache-2.0
"""Keys that change while envelopes are under way, and while programs start anew."""

import asyncio
from typing import Any

import pytest

from runtime import events
from schemas.directory import LastSequence, Revocation, SignedAct
from schemas.identifiers import Participant
from tests.cast import (
    ADM,
    CHE,
    GHA,
    HUB,
    MMR,
    REC,
    I,
    first_transfer,
    public,
    signed,
    signer,
    transfer,
)
from tests.federation import Federation

GHANA, SWISS = Participant("GHA01"), Participant("CHE01")


async def sealed(federation: Federation) -> list[tuple[Any, ...]]:
    """All that Ghana has ever sealed."""
    sql = "select recipient, sequence, body from outbox order by recipient, sequence"
    return [tuple(row) for row in await federation.rows(GHANA, sql)]


async def learned(federation: Federation, number: int) -> None:
    """Wait until Ghana has been told of so many changes of its key."""
    sql = "select count(*) from acts where act like '%\"rotation\"%'"

    async def there() -> bool | None:
        return True if (await federation.rows(GHANA, sql))[0][0] == number else None

    await federation.wait(there, f"rotation {number}")


async def test_a_restart_while_a_second_rotation_is_under_way_seals_nothing_anew(
    federation: Federation,
) -> None:
    """Between sending a rotation and hearing of it, the directory names a key that is not in use
    any more: what that key sealed was accepted, and must stay as it was sent.
    """
    await federation.order(GHANA, "rotate-key", actor=GHA)
    await learned(federation, 1)
    assert await federation.transact(GHA, first_transfer(201, 210, 201)) == "completed"
    await federation.stop(HUB)
    await federation.order(GHANA, "rotate-key", actor=GHA)
    before = await sealed(federation)
    await federation.stop(GHANA)
    await federation.start(GHANA)
    await asyncio.sleep(5)
    assert await sealed(federation) == before
    await federation.start(HUB)
    await federation.greeted()
    await learned(federation, 2)
    assert await federation.transact(GHA, first_transfer(211, 220, 211)) == "completed"
    assert await federation.transact(CHE, transfer(I, 211, 220, CHE, GHA)) == "completed"
    assert federation.logged(events.ENVELOPE_DEAD) == []
    await federation.settled()


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
async def test_a_rotation_that_the_broker_lost_is_asked_for(
    federation: Federation,
    restarted: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The broker had confirmed it, so nobody sends it again by itself, and the hub can verify
    nothing that comes after it, greetings included.
    """
    await federation.greeted()
    await federation.stop(HUB)
    await federation.order(GHANA, "rotate-key", actor=GHA)
    await asyncio.sleep(5)
    inbox = federation.exchange.mailbox(HUB).waiting
    assert len(inbox) > 0
    inbox.clear()
    if restarted:
        await federation.stop(GHANA)
        await federation.start(GHANA)
    await federation.start(HUB)
    await learned(federation, 1)
    await federation.greeted()
    assert await federation.transact(GHA, first_transfer(201, 210, 201)) == "completed"
    await federation.settled()


async def last(federation: Federation, at: Participant, to: Participant) -> int:
    """The last sequence from Ghana to somebody, as a program knows it."""
    sql = "select last from sequences where sender = :s and recipient = :r"
    rows = await federation.rows(at, sql, s=str(GHA), r=str(to))
    return int(rows[0].last) if rows else 0


async def revocation(federation: Federation, new: str | None) -> SignedAct:
    """Ghana's first key is withdrawn; what was taken under it stands."""
    taken = [LastSequence(to=to, last=await last(federation, to, to)) for to in (HUB, REC)]
    act = Revocation(
        actor=GHA,
        old=signer(GHA).public.key_id,
        new=new,
        closes=tuple(taken),
        reason="lost",
        at=federation.clock.now(),
    )
    return signed(act, "ada", "ben")


async def test_a_withdrawn_key_has_nothing_asked_for(federation: Federation) -> None:
    """Its owner goes on under it and knows nothing: what it says is put aside, each once."""
    await federation.settled()
    assert (await federation.act(await revocation(federation, None)))[0]
    await asyncio.sleep(3600)
    said = await last(federation, GHANA, HUB) - await last(federation, HUB, HUB)
    assert said > 10
    assert federation.logged(events.GAP_ASKED) == []
    letters = len(await federation.rows(HUB, "select 1 from dead_letters"))
    assert letters <= said + 3  # greetings


async def test_what_a_key_sealed_that_nobody_was_told_of_is_sealed_anew(
    federation: Federation,
) -> None:
    """The broker lost a rotation; then the key before it was revoked, and a third one named."""
    await federation.settled()
    await federation.stop(HUB)
    await federation.order(GHANA, "rotate-key", actor=GHA)
    begun = await federation.propose(GHA, first_transfer(201, 210, 201))
    await asyncio.sleep(5)
    federation.exchange.mailbox(HUB).waiting.clear()
    await federation.stop(GHANA)
    await federation.start(HUB)
    assert (await federation.act(await revocation(federation, public("third"))))[0]
    await federation.start(GHANA, keys={GHA: (str(GHA), "third")})
    await federation.greeted()
    assert await federation.ended(begun) == "completed"
    await federation.settled()


async def test_two_actors_do_not_change_to_the_same_key(federation: Federation) -> None:
    """The hub would record the first, and know nothing that the second says after that."""
    await federation.settled()
    mechanism = MMR.participant
    await federation.stop(mechanism)
    await federation.start(mechanism, keys={ADM: (str(ADM), "next"), MMR: (str(MMR), "next")})
    for actor in (ADM, MMR):
        done, result = await federation.command(mechanism, "rotate-key", actor=actor)
        assert not done
        assert "stands for something else in the key folder as well" in result


async def test_no_key_is_changed_before_everybody_is_greeted(federation: Federation) -> None:
    """A restored registry may have said more to whom it has not heard from since: the change would
    close its key too early.
    """
    await federation.settled()
    await federation.stop(GHANA, REC)
    await federation.start(GHANA)
    await federation.nodes[GHANA].ready.wait()
    done, result = await federation.command(GHANA, "rotate-key", actor=GHA)
    assert not done
    assert "sequences are not exchanged yet with REC" in result
    await federation.start(REC)
    await asyncio.sleep(60)
    assert (await federation.command(GHANA, "rotate-key", actor=GHA))[0]
    await learned(federation, 1)
    await federation.settled()
