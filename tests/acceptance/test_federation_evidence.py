# SPDX-License-Identifier: Apache-2.0
"""Evidence of whatever may become of a transaction, taken from a running federation."""

import asyncio
from collections.abc import Sequence

import pytest

from hub.evidence import collect, trust_root
from ledger import note
from ledger.verifying import STEPS, Verdict, verify
from runtime.definitions import recipients
from schemas.envelope import digest
from schemas.evidence import read_bundle, read_trust, write_bundle, write_trust
from schemas.identifiers import Participant, TransactionId
from schemas.messages import Acceptance, ExpiryAnswer, Statement
from tests.acceptance.test_federation_statements import shown, truth, witness
from tests.cast import (
    ACTORS,
    CHE,
    GHA,
    HUB,
    LOG,
    ROG,
    I,
    R,
    first_transfer,
    issuance,
    use,
)
from tests.federation import Federation, Settings
from tests.voice import Voice

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


@pytest.mark.requirement(59, 65)
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


# --- what others may try beforehand ---------------------------------------------------------------


async def enclosed(federation: Federation, rogue: Voice, transaction: str) -> bytes:
    """The proposal that the hub passed on to a voice."""

    async def heard() -> bytes | None:
        for message in await rogue.hear():
            if message.type == "enclosure" and message.conversation == transaction:
                line: str = message.body.line
                return line.encode()
        return None

    return await federation.wait(heard, "the enclosure")


async def test_who_says_anothers_line_again_spoils_no_evidence(federation: Federation) -> None:
    rogue = await federation.voice(ROG)
    moved = await federation.propose(GHA, first_transfer(201, 300, 201))
    assert await federation.ended(moved) == "completed"
    assert (await evidence(federation, moved)).valid
    async with federation.store(HUB).snapshot() as session:
        line = (await collect(session, TransactionId(moved))).messages[0].line.encode()
    await rogue.say_line(line)
    assert (await evidence(federation, moved)).valid
    await rogue.close()


async def test_who_hears_its_own_line_from_another_goes_on(federation: Federation) -> None:
    """The acquirer sends the proposer its proposal back, and then accepts it."""
    rogue = await federation.voice(ROG)
    federation.exchange.define(recipients([str(p) for p in ACTORS], [("GHA01", "ROG01")]))
    moved = await federation.propose(GHA, first_transfer(201, 300, 201, to=ROG))
    await federation.reached(moved, "cleared")
    line = await enclosed(federation, rogue, moved)
    await rogue.send(GHANA, await rogue.seal(GHANA, [line]))
    await asyncio.sleep(2)
    await rogue.say("acceptance", moved, Acceptance(), answers=str(digest(line)))
    await federation.reached(moved, "completed", GHANA)
    assert federation.nodes[GHANA].halted is None
    await rogue.close()


async def test_words_about_what_will_never_expire_spoil_no_evidence(
    federation: Federation,
) -> None:
    rogue = await federation.voice(ROG)
    await rogue.completes("ROG01-ROG-3", issuance(ROG, R, 2001, 2010))
    word = await truth(federation, await shown(federation, rogue), ROG)
    early = ExpiryAnswer(transaction=TransactionId("ROG01-ROG-4"), sequence=None)
    await rogue.say("statement", "statement", Statement(**word | {"expiries": (early,)}))
    await rogue.completes("ROG01-ROG-4", issuance(ROG, R, 2011, 2020))
    word = await truth(federation, await shown(federation, rogue), ROG)
    await rogue.say("statement", "statement", Statement(**word))
    verdict = await evidence(federation, "ROG01-ROG-4")
    assert verdict.failed is None, verdict.reason
    await rogue.close()


async def test_a_cosignature_of_a_year_that_no_calendar_has_is_none(
    federation: Federation,
) -> None:
    rogue = await federation.voice(ROG)
    moved = await federation.propose(GHA, first_transfer(201, 300, 201))
    assert await federation.ended(moved) == "completed"
    word = await truth(federation, await shown(federation, rogue), ROG)
    text = note.Checkpoint(LOG, word["size"], bytes.fromhex(word["root"])).to_text()
    with pytest.raises(note.NoteError, match="cannot be made at second"):
        note.cosign(text, "ROG01", witness(ROG), 10**12)
    await rogue.close()
