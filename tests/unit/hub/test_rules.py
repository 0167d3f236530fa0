# SPDX-License-Identifier: Apache-2.0
"""What holds for every message to the hub, whatever it says."""

import pytest

from ledger.transactions import State
from runtime.program import Heard
from schemas.directory import LastSequence, Rotation
from schemas.findings import Reason
from schemas.identifiers import Digest
from schemas.messages import (
    Acceptance,
    Delivered,
    RotationRequest,
    Statement,
    StatusRequest,
    Withdrawal,
)
from tests.cast import CHE, GHA, HUB, U, issuance, public, signed, signer
from tests.unit.hub.alone import Alone
from tests.unit.hub.test_clearing import ID, brought_to, state

KINDS = ("proposal", "acceptance", "withdrawal", "status-request", "statement")


def said(alone: Alone, kind: str, proposal: str) -> Heard:
    """A message of a kind that is fine by itself."""
    if kind == "proposal":
        return alone.proposal(GHA, "GHA01-GHA-9", issuance(GHA, U, 2001, 2010))
    if kind == "acceptance":
        return alone.heard(CHE, kind, ID, Acceptance(), proposal)
    if kind == "withdrawal":
        return alone.heard(GHA, kind, ID, Withdrawal(), proposal)
    if kind == "status-request":
        return alone.heard(GHA, kind, "q-1", StatusRequest(transaction=ID))
    kept = alone.hub.kept
    own = kept.deliveries[GHA]
    body = Statement(
        size=kept.log.size,
        root=Digest(kept.log.root().hex()),
        delivered=Delivered(size=own.size, root=Digest(own.root().hex())),
        holdings=Digest("0" * 64),
        sent=(),
        cosignature="none",
    )
    return alone.heard(GHA, kind, "statement", body)


@pytest.mark.requirement(46)
@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_has_seen_more_of_the_log_than_there_is(alone: Alone, kind: str) -> None:
    """Whoever says so is refused, and was not heard; up to its size everything is believed."""
    proposal = await brought_to(alone, State.CLEARED)
    await alone.tick(10)
    size = alone.hub.kept.log.size
    alone.seen = size + 1
    one = said(alone, kind, proposal)
    batch = await alone.run(one)
    assert [f.reason for f in alone.found[one.name]] == [Reason.SEEN_AHEAD]
    assert (alone.hub.kept.log.size, batch.said) == (size, [])
    assert await state(alone) is State.CLEARED
    alone.seen = size
    again = said(alone, kind, proposal)
    await alone.run(again)
    assert alone.found[again.name] == []


async def test_what_is_seen_may_lag_and_go_back(alone: Alone) -> None:
    """A node knows sizes from checkpoints, and fewer of them once it was restored."""
    await brought_to(alone, State.CLEARED)
    for number, seen in enumerate((4, 1, 0, 3)):
        alone.seen = seen
        first = 2001 + number
        one = alone.proposal(GHA, f"GHA01-GHA-{20 + number}", issuance(GHA, U, first, first))
        await alone.run(one)
        assert alone.found[one.name] == []


async def test_what_a_key_signs_behind_its_rotation_has_no_effect(alone: Alone) -> None:
    """Both were authentic when the batch began; nobody would believe the second one passed on."""
    proposal = await brought_to(alone, State.CLEARED)
    closes = (LastSequence(to=HUB, last=alone.sequence + 1),)
    act = Rotation(
        actor=CHE,
        old=signer(CHE).public.key_id,
        new=public("another key"),
        closes=closes,
        at=alone.now,
    )
    body = RotationRequest(act=signed(act, CHE, "another key"))
    last = alone.heard(CHE, "rotation", "rotation", body)
    behind = alone.heard(CHE, "acceptance", ID, Acceptance(), proposal)
    await alone.run(last, behind)
    assert alone.found[last.name] == []
    assert [f.reason for f in alone.found[behind.name]] == [Reason.KEY_UNKNOWN]
    assert await state(alone) is State.CLEARED
