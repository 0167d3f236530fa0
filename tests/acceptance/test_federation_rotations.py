# SPDX-License-Identifier: Apache-2.0
"""Keys that change while envelopes are under way, and while programs start anew."""

import asyncio
from typing import Any

import pytest

from runtime import events
from schemas.identifiers import Participant
from tests.cast import CHE, GHA, HUB, I, first_transfer, transfer
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
    federation: Federation, restarted: object
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
