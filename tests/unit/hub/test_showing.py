# SPDX-License-Identifier: Apache-2.0
"""Who is shown a checkpoint, when, and that each covers what was sent before it."""

from collections.abc import Sequence

from ledger import log, note
from runtime.program import Said
from schemas.identifiers import Participant
from schemas.messages import Checkpoint, Entry
from tests.cast import GHA, LOG, REC, U, issuance, signer
from tests.unit.hub.alone import Alone, later

GHANA, SWISS = Participant("GHA01"), Participant("CHE01")


def shown(said: Sequence[Said]) -> dict[Participant, Checkpoint]:
    return {s.to: s.message.body for s in said if isinstance(s.message.body, Checkpoint)}


async def established(alone: Alone) -> None:
    await alone.admit(REC, GHANA, SWISS)
    await alone.tick(10)


async def test_whoever_was_sent_an_entry_is_shown_a_checkpoint_behind_it(alone: Alone) -> None:
    await established(alone)
    await alone.run(alone.proposal(GHA, "GHA01-GHA-1", issuance(GHA, U, 1, 10)))
    batch = await alone.tick(12)
    assert set(shown(batch.said)) == {GHANA, REC}, "not Switzerland, which was sent nothing"
    size = alone.hub.kept.log.size
    for body in shown(batch.said).values():
        text, _ = body.note.split("\n\n")
        assert note.Checkpoint.from_text(text + "\n").size == size


async def test_a_batch_that_ends_a_second_carries_its_own_checkpoint(alone: Alone) -> None:
    await established(alone)
    alone.now = later(20)
    batch = await alone.run(alone.proposal(GHA, "GHA01-GHA-1", issuance(GHA, U, 1, 10)))
    order = [s.message.type for s in batch.said if s.to == GHANA]
    assert order == ["entry", "checkpoint"], "the checkpoint comes behind the entry it covers"


async def test_checkpoints_are_made_at_most_so_often(alone: Alone) -> None:
    await established(alone)
    made = 0
    for number in range(1, 41):
        alone.now = later(20 + number / 10)
        batch = await alone.run(
            alone.proposal(GHA, f"GHA01-GHA-{number}", issuance(GHA, U, number, number))
        )
        made += GHANA in shown(batch.said)
    assert 4 <= made <= 5, "four seconds"


async def test_a_heartbeat_is_the_same_checkpoint_again(alone: Alone) -> None:
    await established(alone)
    await alone.tick(61)
    assert not alone.hub.due(later(69))
    assert alone.hub.due(later(70))
    batch = await alone.tick(121)
    assert set(shown(batch.said)) == {GHANA, SWISS, REC}
    assert not [s for s in batch.said if isinstance(s.message.body, Entry)]
    body = shown(batch.said)[SWISS]
    assert (body.proof_from, body.proof) == (alone.hub.kept.log.size, ())


async def test_a_clock_that_is_set_back_silences_no_checkpoint(alone: Alone) -> None:
    """The hub's clock was an hour ahead: what it showed then counts as long ago."""
    await established(alone)
    alone.now = later(3600)
    await alone.run(alone.proposal(GHA, "GHA01-GHA-1", issuance(GHA, U, 1, 10)))
    alone.now = later(20)
    batch = await alone.run(alone.proposal(GHA, "GHA01-GHA-2", issuance(GHA, U, 11, 20)))
    assert GHANA in shown(batch.said)
    await alone.run(alone.proposal(GHA, "GHA01-GHA-3", issuance(GHA, U, 21, 30)))
    batch = await alone.tick(22)
    assert GHANA in shown(batch.said), "and the pace is the new clock's"


async def test_every_proof_leads_from_what_that_participant_saw_last(alone: Alone) -> None:
    await established(alone)
    seen: dict[Participant, tuple[int, bytes]] = {}
    for number in range(1, 30):
        alone.now = later(100 + number * (70 if number % 7 == 0 else 0.4))
        batch = await alone.run(
            alone.proposal(GHA, f"GHA01-GHA-{number}", issuance(GHA, U, number, number))
        )
        for participant, body in shown(batch.said).items():
            head = note.Checkpoint.from_text(body.note.split("\n\n")[0] + "\n")
            if participant in seen:
                size, root = seen[participant]
                assert body.proof_from == size
                proof = [bytes.fromhex(one) for one in body.proof]
                assert log.verify_consistency(size, root, head.size, head.root, proof)
            seen[participant] = (head.size, head.root)
    assert set(seen) == {GHANA, SWISS, REC}


async def test_after_a_restart_the_next_checkpoint_follows_the_last_one_shown(
    alone: Alone,
) -> None:
    await established(alone)
    before = alone.hub.kept.shown
    await alone.run(alone.proposal(GHA, "GHA01-GHA-1", issuance(GHA, U, 1, 10)))
    await alone.restart()
    assert alone.hub.due(later(10)) is False, "heartbeats begin anew"
    batch = await alone.tick(12)
    body = shown(batch.said)[GHANA]
    assert body.proof_from == before[GHANA]
    tree = alone.hub.kept.deliveries[GHA]
    (shown_tree,) = body.deliveries
    assert (shown_tree.size, shown_tree.root) == (tree.size, tree.root().hex())


async def test_a_checkpoint_is_signed_with_the_checkpoint_key_alone(alone: Alone) -> None:
    await alone.admit(GHANA)
    batch = await alone.tick(10)
    body = shown(batch.said)[GHANA]
    text, lines = note.parse_note(body.note)
    again = note.sign_note(text, LOG, signer("checkpoints"))
    assert [one.to_text() for one in lines] == [again]
