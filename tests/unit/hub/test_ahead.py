# SPDX-License-Identifier: Apache-2.0
"""What a hub that recovers learns of the directory before it is its turn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.program import Heard
from schemas.directory import LastSequence, Profile, Rotation
from schemas.identifiers import Actor
from schemas.jws import PublicKey
from schemas.messages import RotationRequest
from tests.cast import CHE, GHA, HUB, profile, signed, signer
from tests.unit.hub.alone import NOON
from tests.unit.hub.pair import SWISS, Pair

NEXT = "GHA01/GHA next"


@pytest.fixture
async def pair(tmp_path: Path, each_url: str) -> AsyncIterator[Pair]:
    one = await Pair.begin(tmp_path, each_url)
    await one.live()
    await one.set_back()
    yield one
    await one.close()


def change(pair: Pair, actor: Actor = GHA, beside: int = 0) -> Heard:
    """A change of an actor's key, as Ghana says it, closing so much beside its envelope."""
    names = (str(actor), f"{actor} next")
    act = Rotation(
        actor=actor,
        old=signer(names[0]).public.key_id,
        new=signer(names[1]).public.to_text(),
        closes=(LastSequence(to=HUB, last=pair.alive.sequence + 1 + beside),),
        at=NOON,
    )
    return pair.alive.heard(GHA, "rotation", "rotation", RotationRequest(act=signed(act, *names)))


def key_of(pair: Pair, actor: Actor) -> PublicKey | None:
    return pair.back.hub.directory.current_key(actor)


async def test_a_change_of_a_key_that_is_stored_is_understood_and_not_logged(pair: Pair) -> None:
    await pair.resent([change(pair)])
    acts = pair.back.hub.kept.acts
    await pair.step(SWISS)
    assert key_of(pair, GHA) == signer(NEXT).public
    await pair.resent(pair.heard)
    await pair.given(pair.said)
    for _ in range(3):
        await pair.step(SWISS)
    assert key_of(pair, GHA) == signer(NEXT).public, "the log grows, and has nothing of it"
    await pair.finish()
    assert key_of(pair, GHA) == signer(GHA).public, "it is heard in its turn"
    assert pair.back.hub.kept.acts == acts


async def test_a_change_that_the_hub_would_refuse_is_not_understood(pair: Pair) -> None:
    await pair.resent([change(pair, beside=1), change(pair, actor=CHE)])
    await pair.step(SWISS)
    assert key_of(pair, GHA) == signer(GHA).public
    assert key_of(pair, CHE) == signer(CHE).public


async def test_a_change_that_came_back_in_the_log_is_learned_once(pair: Pair) -> None:
    """Its owner sends it again, and an entry has it."""
    said = change(pair)
    await pair.says(said)
    await pair.alive.run(pair.alive.order(profile(GHA, CHE, Profile.UNIT, NOON)))
    pair.collect(await pair.alive.tick(70))
    pair.back.anchor.text = pair.alive.anchor.text
    await pair.resent(pair.heard)
    await pair.given(one for one in pair.said if one.message.type != "checkpoint")
    await pair.step(SWISS)
    assert key_of(pair, GHA) == signer(NEXT).public
    assert len(pair.back.hub.directory.keys[GHA]) == 2
