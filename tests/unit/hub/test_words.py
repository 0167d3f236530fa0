# SPDX-License-Identifier: Apache-2.0
"""What others had said before a hub was set back: each has it still, or gets it back, or the hub
says that it is lost.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from hub.guard import Refusal
from runtime.program import Heard
from schemas import jws
from schemas.envelope import digest, open_manifest
from schemas.findings import Reason, finding
from schemas.identifiers import REC_ACTOR, Actor, CaseId, Digest
from schemas.messages import Acceptance, CaseNotice, Enclosure, Rejection, Withdrawal
from schemas.units import Frozen
from tests.cast import CHE, GHA, U, first_transfer, signer
from tests.unit.hub.pair import SWISS, Pair, bytes_of

BOTH = (GHA, CHE)


@pytest.fixture
async def pair(tmp_path: Path, each_url: str) -> AsyncIterator[Pair]:
    one = await Pair.begin(tmp_path, each_url)
    await one.live()
    await one.set_back()
    yield one
    await one.close()


async def test_what_its_author_has_lost_is_put_together_from_what_was_passed_on(
    pair: Pair,
) -> None:
    *kept, acceptance = pair.heard
    await pair.resent(kept)
    await pair.given(pair.said)
    batches = [await pair.step(whole=[GHA]) for _ in range(3)]
    assert pair.lacking == {CHE}, "it may be on its way"
    assert not any(batch.restored for batch in batches)
    batch = await pair.step(whole=BOTH)
    assert [one.body for one in batch.restored] == [bytes_of(acceptance)]
    batch = await pair.finish(whole=BOTH)
    assert batch.restored == []
    assert pair.back.hub.kept.log.root() == pair.alive.hub.kept.log.root()


async def test_what_its_author_sends_again_is_not_put_together(pair: Pair) -> None:
    *kept, acceptance = pair.heard
    await pair.resent(kept)
    await pair.given(pair.said)
    for _ in range(3):
        await pair.step(whole=[GHA])
    await pair.resent([acceptance])
    batch = await pair.finish(whole=[GHA])
    assert batch.restored == []


async def test_of_an_envelope_all_messages_must_have_been_passed_on(pair: Pair) -> None:
    """The author had said something else beside it, of which nobody was told."""
    transfer = pair.alive.proposal(GHA, "GHA01-GHA-4", first_transfer(11, 20, 11))
    await pair.says(transfer)
    answer = pair.alive.heard(CHE, "acceptance", "GHA01-GHA-4", Acceptance(), transfer.digest)
    await pair.says(beside(answer, digest(b"something else")))
    pair.collect(await pair.alive.tick(70))
    pair.back.anchor.text = pair.alive.anchor.text
    await pair.resent(pair.heard[:-1])
    await pair.given(pair.said)
    await taken(pair)
    why = await pair.refusal(whole=BOTH)
    assert why.startswith(f"{Refusal.LACKING}: CHE01/CHE has lost its envelope {answer.sequence} ")
    assert "of 2 messages in it 1 were passed on" in why


ENDS: dict[str, tuple[Actor, Frozen]] = {
    "acceptance": (CHE, Acceptance()),
    "rejection": (CHE, Rejection(findings=(finding(Reason.ACCOUNT_UNKNOWN),))),
    "withdrawal": (GHA, Withdrawal()),
}


@pytest.mark.parametrize("type_", ENDS)
async def test_what_nobody_has_any_more_is_named(pair: Pair, type_: str) -> None:
    author, body = ENDS[type_]
    transfer = pair.alive.proposal(GHA, "GHA01-GHA-4", first_transfer(11, 20, 11))
    await pair.says(transfer)
    position = pair.alive.hub.kept.log.size
    answer = pair.alive.heard(author, type_, "GHA01-GHA-4", body, transfer.digest)
    await pair.says(answer)
    pair.collect(await pair.alive.tick(70))
    pair.back.anchor.text = pair.alive.anchor.text
    await pair.resent(pair.heard[:-1])
    await pair.given(not_passed_on(pair, answer))
    for _ in range(3):
        await pair.step(whole={GHA, CHE} - {author})
    assert pair.lacking == {author}
    why = await pair.refusal(whole=BOTH)
    named = f"entry {position} (GHA01-GHA-4) names a "
    assert why.startswith(f"{Refusal.LACKING}: {named}")
    assert f"of {author}, message {answer.digest}, that nobody has any more" in why


async def test_a_case_that_the_reconciliation_service_does_not_know_any_more_is_named(
    pair: Pair,
) -> None:
    notice = CaseNotice(
        key=U,
        first=1,
        last=5,
        case=CaseId("REC-7"),
        actor=GHA,
        cause="missing",
        state="open",
        freeze=True,
        detail="not stated",
    )
    position = pair.alive.hub.kept.log.size
    said = pair.alive.heard(REC_ACTOR, "case", "REC-7", notice)
    await pair.says(said)
    pair.collect(await pair.alive.tick(70))
    pair.back.anchor.text = pair.alive.anchor.text
    await pair.resent(pair.heard[:-1])
    await pair.given(pair.said)
    await taken(pair)
    why = await pair.refusal(whole=[*BOTH, REC_ACTOR])
    assert f"entry {position} (REC-7) names a message of REC, message {said.digest}" in why


async def test_whoever_says_anothers_line_does_not_keep_it_for_him(pair: Pair) -> None:
    """The bytes of the acceptance come from Ghana, in an envelope of its own."""
    acceptance = pair.heard[-1]
    await pair.resent([*pair.heard[:-1], pair.alive.line(GHA, acceptance.line)])
    await pair.given(not_passed_on(pair, acceptance))
    await taken(pair)
    why = await pair.refusal(whole=BOTH)
    assert f"names a consent of CHE01/CHE, message {acceptance.digest}" in why


async def taken(pair: Pair) -> None:
    """What came back of the log is in it again; somebody has not been heard of yet."""
    for _ in range(3):
        await pair.step(SWISS)


def beside(one: Heard, other: Digest) -> Heard:
    """The same message in an envelope that has another message, too."""
    manifest = open_manifest(one.manifest)[1]
    both = manifest.model_copy(update={"messages": (one.digest, other)})
    payload = both.model_dump_json(by_alias=True, exclude_none=True).encode()
    return replace(one, manifest=jws.sign(payload, signer(one.author)).encode())


def not_passed_on(pair: Pair, one: Heard) -> Iterable[Heard]:
    """What the hub had said, but for what it had passed on of a message, in sequences of theirs."""
    left = [
        said
        for said in pair.said
        if not isinstance(said.message.body, Enclosure)
        or said.message.body.line.encode() != one.line
    ]
    return pair.renumbered(left)
