# SPDX-License-Identifier: Apache-2.0
"""Evidence of whatever may become of a transaction, taken from a running federation."""

import asyncio
from collections.abc import Sequence

import pytest

from hub.evidence import collect, trust_root
from ledger.verifying import STEPS, Verdict, verify
from schemas.evidence import read_bundle, read_trust, write_bundle, write_trust
from schemas.identifiers import Participant, TransactionId
from tests.cast import CHE, GHA, HUB, I, first_transfer, use
from tests.federation import Federation, Settings

GHANA, SWISS = Participant("GHA01"), Participant("CHE01")
BY_HAND = pytest.mark.parametrize("settings", [Settings(manual=frozenset({SWISS}))])


async def evidence(federation: Federation, transaction: str) -> Verdict:
    """What the hub's file about a transaction proves, by its bytes and the trust root's."""
    await asyncio.sleep(90)  # everybody has had a heartbeat since
    async with federation.store(HUB).snapshot() as session:
        bundle = await collect(session, TransactionId(transaction))
        data, root = write_bundle(bundle), write_trust(await trust_root(session))
    return verify(read_bundle(data), read_trust(root))


def said(verdict: Verdict, number: int) -> Sequence[str]:
    return verdict.steps[number - 1].said


async def test_every_transaction_that_has_ended_is_proven(federation: Federation) -> None:
    moved = await federation.propose(GHA, first_transfer(201, 300, 201))
    assert await federation.ended(moved) == "completed"
    used = await federation.propose(CHE, use(I, 201, 250, CHE))
    assert await federation.ended(used) == "completed"
    rows = await federation.rows(
        HUB, "select id, state from transactions where proposer <> 'ROG01/ROG' order by id"
    )  # nobody runs ROG01, and so it has acknowledged nothing
    assert len(rows) > 5
    for row in rows:
        verdict = await evidence(federation, row.id)
        assert verdict.valid, f"{row.id}, {row.state}: step {verdict.failed}: {verdict.reason}"
        assert verdict.state == row.state
        assert len(verdict.steps) == len(STEPS)


@BY_HAND
@pytest.mark.parametrize("answer", ["reject", "withdraw", "expire"])
async def test_what_came_to_nothing_is_proven(federation: Federation, answer: str) -> None:
    proposal = first_transfer(201, 300, 201)
    transaction = await federation.propose(GHA, proposal, lifetime_seconds=30)
    await federation.reached(transaction, "cleared", SWISS)
    if answer == "reject":
        await federation.order(SWISS, "reject", transaction=transaction, comment="Not this year.")
    elif answer == "withdraw":
        await federation.order(GHANA, "withdraw", transaction=transaction)
    ended = await federation.ended(transaction)
    verdict = await evidence(federation, transaction)
    assert verdict.valid, f"step {verdict.failed}: {verdict.reason}"
    assert verdict.state == ended
    if answer == "expire":
        assert any("when it expired it had not answered" in one for one in said(verdict, 8))
    if answer == "reject":
        assert any("CHE01/CHE sent its rejection" in one for one in said(verdict, 5))
