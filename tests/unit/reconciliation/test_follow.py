# SPDX-License-Identifier: Apache-2.0
"""Following the log: what the hub says is derived again, and what does not agree is an alarm."""

from pathlib import Path

import pytest
from sqlalchemy import text

from ledger import note
from ledger.directory import sign_act
from ledger.growth import Growth
from runtime import events
from runtime.program import Batch
from runtime.schema import migrate
from runtime.store import open_store
from schemas.directory import LastSequence, Revocation, Status, StatusChange
from schemas.identifiers import Digest, Participant
from schemas.messages import Delivered, Enclosure
from tests.unit.reconciliation.steps import hand_over, issue
from tests.unit.reconciliation.world import (
    GHANA,
    LOG,
    REC,
    START,
    SWISS,
    Crash,
    Voice,
    World,
    admission,
    brief,
    genesis,
    holding,
    move,
    signer,
)


def reasons(world: World) -> list[str]:
    return [str(one.reason) for one in world.findings]


async def test_a_checkpoint_is_answered_with_a_statement_and_a_cosignature(world: World) -> None:
    (said,) = await world.feed(world.hub.checkpoint())
    statement = said.message.body
    assert (said.to, said.message.type) == ("HUB", "statement")
    assert (statement.size, statement.root) == (world.hub.log.size, world.hub.log.root().hex())
    assert statement.delivered.size == 0
    head = note.Checkpoint(LOG, statement.size, world.hub.log.root()).to_text()
    witness = world.rec.directory.members[Participant("REC")].witness_key
    key = note.VerifierKey("REC", note.SignatureType.COSIGNATURE, witness)
    line = note.SignatureLine.from_text(statement.cosignature)
    assert note.verify_cosignature(head, line, key) == int(START.moment().timestamp())


async def test_a_checkpoint_with_its_entries_in_one_batch_and_one_of_the_past(world: World) -> None:
    old = world.hub.checkpoint()
    entry = world.hub.entry(move(1, 10, holding(GHANA)), to=[GHANA])
    (said,) = await world.feed(old, entry, world.hub.checkpoint())
    assert said.message.body.size == world.hub.log.size
    await world.restart()
    (said,) = await world.feed(old)
    assert said.message.body.size == world.hub.log.size - 1


async def test_a_forked_log_is_never_cosigned(world: World) -> None:
    assert await world.feed(world.hub.checkpoint(root=b"\0" * 32)) == []
    assert await world.feed(world.hub.checkpoint(root=b"\1" * 32)) == []
    assert await world.alarms() == ["checkpoint-false"]
    assert reasons(world) == ["message-equivocation"] * 2


async def test_a_checkpoint_by_another_key_is_an_alarm(world: World) -> None:
    """It came in an envelope that the hub has signed."""
    assert await world.feed(world.hub.checkpoint(key="anna")) == []
    assert await world.alarms() == ["checkpoint-false"]
    assert reasons(world) == ["message-equivocation"]


async def test_a_false_head_before_is_an_alarm(world: World) -> None:
    hub, size = world.hub, world.hub.log.size
    (said,) = await world.feed(hub.checkpoint())
    own = said.message.body.cosignature
    assert len(await world.feed(hub.checkpoint(previous=hub.note(), cosignatures=(own,)))) == 1
    for members in (
        {"previous": hub.note(b"\0" * 32)},
        {"previous": hub.note(key="anna")},
        {"previous": hub.note(), "cosignatures": (own, own)},
        {"previous": hub.note(), "cosignatures": (own.replace("REC", "GHA01"),)},
        {"cosignatures": (own,)},
    ):
        assert await world.feed(hub.checkpoint(**members)) == []
    assert await world.alarms() == ["checkpoint-false"]
    assert reasons(world) == ["message-equivocation"] * 5
    assert world.rec.seen == size


async def test_a_repeated_entry_is_harmless(world: World) -> None:
    entry = world.hub.entry(move(1, 10, holding(GHANA)), to=[GHANA])
    await world.feed(entry)
    await world.feed(entry)
    await world.feed(entry, entry)
    await world.restart()
    await world.feed(entry)
    assert world.rec.seen == world.hub.log.size
    assert await world.alarms() == []


async def test_the_same_position_with_other_bytes_is_a_fork(world: World) -> None:
    size = world.hub.log.size
    await issue(world, GHANA, 1, 10)
    await world.feed(
        world.hub.entry(move(1, 99, holding(GHANA)), to=[GHANA], position=size, index=0)
    )
    assert await world.alarms() == ["log-fork"]
    assert await world.feed(world.hub.checkpoint()) == []  # it covers what never came
    world.hub.entry()
    assert world.rec.seen == size + 1


async def test_a_hole_is_refused_until_it_is_filled(world: World) -> None:
    missing = world.hub.entry(move(1, 10, holding(GHANA)), to=[GHANA])
    after = world.hub.entry(move(11, 20, holding(GHANA)), to=[GHANA])
    await world.feed(after)
    await world.feed(world.hub.checkpoint())
    assert await world.alarms() == ["checkpoint-false", "log-hole"]
    (said,) = await world.feed(missing, after, world.hub.checkpoint())
    assert said.message.type == "statement"


async def test_entries_of_another_log_or_genesis_are_refused(world: World) -> None:
    foreign = world.hub.entry()
    body = foreign.message.body.model_copy(update={"log": "other.a6hub"})
    heard = world.hub.voice.say(Participant("REC"), "entry", body, START)
    size = world.rec.seen
    await world.feed(heard)
    assert await world.alarms() == ["other-log"]
    assert world.rec.seen == size


async def test_a_log_begins_with_the_genesis_that_was_given(world: World, tmp_path: Path) -> None:
    line = genesis().act.replace('"threshold":2', '"threshold": 2')
    other = sign_act(line, [signer(p) for p in ("HUB", "anna", "ben")])
    url = f"sqlite:///{tmp_path / 'fresh.db'}"
    await migrate(url, world.rec.packages)
    fresh = World(open_store(url), world.ids)
    await fresh.restart()
    await fresh.feed(fresh.hub.act(other))
    assert await fresh.alarms() == ["log-fork"]
    assert fresh.rec.seen == 0
    await fresh.store.close()


async def test_a_delivery_that_is_misnumbered_or_withheld_shows(world: World) -> None:
    await world.feed(world.hub.entry(move(1, 10, holding(GHANA)), to=[GHANA], index=7))
    await world.feed(world.hub.entry(move(11, 20, holding(SWISS)), to=[GHANA]))
    assert sorted(await world.alarms()) == ["delivery-misnumbered", "delivery-withheld"]
    assert world.rec.seen == world.hub.log.size


async def test_other_deliveries_than_the_log_has_show_in_the_statement(world: World) -> None:
    await issue(world, GHANA, 1, 10)
    forged = Delivered(size=1, root=Digest("0" * 64))
    notices = await world.settle(await world.feed(await world.stated(GHANA, delivered=forged)))
    assert brief(notices) == [("deliveries-differ", 1, 10)]
    assert notices[0].detail.startswith("GHA01/GHA says that its first 1 deliveries are others")
    assert await world.alarms() == [], "its word proves nothing against the hub"


async def test_more_deliveries_than_the_log_has_are_a_case_and_are_not_compared(
    world: World,
) -> None:
    await issue(world, GHANA, 1, 10)
    ahead = Delivered(size=2, root=Digest("0" * 64))
    for _ in range(2):  # said again, it is the same case
        await world.feed(await world.stated(GHANA, delivered=ahead))
    (case,) = await world.discrepancies()
    assert (case.cause, case.state) == ("deliveries-differ", "open")
    assert await world.alarms() == []
    assert not [said for said in world.said if said.message.type == "inquiry"]
    await world.examine(GHANA)
    (case,) = await world.discrepancies()
    assert case.state == "closed"


async def test_a_false_word_on_deliveries_of_who_holds_nothing_is_told_and_no_alarm(
    world: World,
) -> None:
    ahead = Delivered(size=2, root=Digest("0" * 64))
    assert await world.feed(await world.stated(SWISS, delivered=ahead)) == []
    assert world.events.count(events.DELIVERIES_DIFFER) == 1
    await world.feed(await world.stated(SWISS, delivered=ahead))
    assert world.events.count(events.DELIVERIES_DIFFER) == 1
    assert await world.alarms() == []
    assert world.rec.kept.standing(SWISS).equal is False


async def test_after_a_false_word_what_really_differs_is_named(world: World) -> None:
    await issue(world, GHANA, 1, 10)
    await world.nodes[GHANA].sql("update blocks set last = 8 where last = 10")
    forged = Delivered(size=1, root=Digest("0" * 64))
    await world.feed(await world.stated(GHANA, delivered=forged))
    notices = await world.examine(GHANA)
    assert [(n.cause, n.open) for n in notices] == [
        ("deliveries-differ", False),
        ("missing", True),
    ]


async def test_an_answer_about_other_deliveries_is_a_case_and_no_answer(world: World) -> None:
    """Nor is it a way out of answering."""
    await issue(world, GHANA, 1, 10)
    await world.nodes[GHANA].sql("update blocks set last = 8 where last = 10")
    (asked,) = await world.feed(await world.stated(GHANA))
    node = world.nodes[GHANA]
    true, node.deliveries = node.deliveries, Growth().append(bytes(32))
    notices = await world.settle(await world.feed(await node.answer(asked)))
    assert brief(notices) == [("deliveries-differ", 1, 10)]
    assert world.rec.kept.drills[GHANA].asked == (asked.digest,)
    assert await world.alarms() == []
    node.deliveries = true
    notices = await world.settle(await world.feed(await node.answer(asked)))
    assert [(n.cause, n.open) for n in notices] == [
        ("deliveries-differ", False),
        ("missing", True),
    ]


async def test_a_registry_that_saw_another_log_is_an_alarm(world: World) -> None:
    await issue(world, GHANA, 1, 10)
    await world.feed(await world.stated(GHANA, root=Digest("0" * 64)))
    await world.feed(await world.stated(SWISS, size=world.hub.log.size + 3))
    assert sorted(await world.alarms()) == ["log-fork", "log-hole"]


async def test_an_act_that_does_not_count_is_an_alarm(world: World) -> None:
    act = StatusChange(
        participant=GHANA.participant, status=Status.SUSPENDED, reason="none", at=START
    ).model_dump_json()
    await world.feed(world.hub.act(sign_act(act, [signer("anna")])))
    assert await world.alarms() == ["act-void"]
    await world.feed(world.hub.act(sign_act(act, [signer("anna"), signer("ben")])))
    await world.restart()
    assert world.rec.directory.status(GHANA.participant) is Status.SUSPENDED


@pytest.mark.parametrize("wrong", [-1, 1])
async def test_an_entry_that_miscounts_the_acts_before_it_is_an_alarm(
    world: World, wrong: int
) -> None:
    counted = world.hub.acts
    await world.feed(world.hub.entry(acts=counted + wrong))
    assert await world.alarms() == ["acts-miscounted"]
    assert world.rec.seen == world.hub.log.size


async def test_every_entry_is_held_to_the_one_before_it(world: World) -> None:
    """After a restart as well, and behind an act that does not count: it is in the log."""
    act = StatusChange(
        participant=GHANA.participant, status=Status.SUSPENDED, reason="none", at=START
    ).model_dump_json()
    await world.feed(world.hub.entry(), world.hub.act(sign_act(act, [signer("anna")])))
    await world.restart()
    await world.feed(world.hub.entry())
    await world.feed(world.hub.act(sign_act(act, [signer("anna"), signer("ben")])))
    await world.restart()
    await world.feed(world.hub.entry(), world.hub.entry())
    assert await world.alarms() == ["act-void"]


async def test_a_newcomer_may_state_in_the_batch_that_admits_it(world: World) -> None:
    newcomer = type(GHANA)("NOR01/NOR")
    world.nodes[newcomer] = type(world.nodes[GHANA])(newcomer, world.nodes[GHANA].store, world.ids)
    admitted = world.hub.act(admission(newcomer))
    stated = await world.stated(newcomer)
    assert await world.feed(admitted, stated) == []
    assert world.findings == []
    assert world.rec.kept.standing(newcomer).equal


async def test_statements_are_believed_only_as_their_author_signed_them(world: World) -> None:
    await issue(world, GHANA, 1, 10)
    good = (await world.nodes[GHANA].state(world.hub), await world.nodes[GHANA].state(world.hub))
    manifest, line = good[0].manifest.decode(), good[1].line.decode()
    forged = manifest[:-6] + ("AAAAAA" if manifest[-6:] != "AAAAAA" else "BBBBBB")
    other = world.nodes[GHANA].voice.say(
        Participant("REC"), "statement", good[0].message.body, START
    )
    for body in (
        Enclosure(manifest=manifest, line=line),
        Enclosure(manifest=forged, line=good[0].line.decode()),
        Enclosure(manifest="nonsense", line=line),
        Enclosure(manifest=manifest, line="{}"),
        Enclosure(manifest=other.manifest.decode(), line=other.line.decode()),
    ):
        await world.feed(world.hub.voice.say(Participant("REC"), "enclosure", body, START))
    assert len(world.findings) == 5
    assert world.rec.kept.standing(GHANA).statement is None


async def test_what_a_withdrawn_key_signs_beyond_its_last_sequence_is_nobody_s_word(
    world: World,
) -> None:
    await issue(world, GHANA, 1, 10)
    good, late = [await world.nodes[GHANA].state(world.hub) for _ in range(2)]
    revocation = Revocation(
        actor=GHANA,
        old=signer(GHANA).public.key_id,
        new=None,
        closes=(LastSequence(to=Participant("HUB"), last=good.sequence),),
        reason="stolen",
        at=START,
    ).model_dump_json()
    await world.feed(world.hub.act(sign_act(revocation, [signer("anna"), signer("ben")])))
    await world.feed(world.hub.enclose(late))
    assert reasons(world) == ["key-unknown"]
    await world.feed(world.hub.enclose(good))
    assert world.rec.kept.standing(GHANA).statement == good.digest


async def test_older_statements_are_older_news(world: World) -> None:
    await issue(world, GHANA, 1, 10)
    old = await world.stated(GHANA)
    await hand_over(world, 1, 5)
    new = await world.stated(GHANA)
    assert await world.feed(new) == []
    assert await world.feed(old) == []
    assert await world.feed(old, new) == []
    standing = world.rec.kept.standing(GHANA)
    assert (standing.delivered, standing.applied, standing.equal) == (2, 2, True)


async def test_everything_is_as_it_was_after_a_crash(world: World) -> None:
    heard = world.hub.entry(move(1, 10, holding(GHANA)), to=[GHANA])
    await world.nodes[GHANA].apply(heard)
    items = (heard, world.hub.checkpoint(), await world.stated(GHANA))
    with pytest.raises(Crash):
        await world.feed(*items, crash=True)
    await world.restart()
    (said,) = await world.feed(*items)
    assert said.message.type == "statement"
    kept = world.rec.kept
    await world.restart()
    assert world.rec.kept == kept
    assert world.rec.kept.delivered(REC).size == 0


async def test_cases_said_before_a_restore_keep_their_numbers(world: World) -> None:
    await issue(world, GHANA, 1, 100)
    await world.nodes[GHANA].sql("update blocks set last = 90")
    await world.examine(GHANA)
    case = next(s for s in world.said if s.message.type == "case")
    ours = Voice(REC, world.ids).sealed(Participant("HUB"), case.line, 1, START)
    async with world.store.transaction() as session:  # the backup is older than the case
        await session.execute(text("delete from cases"))
        await session.execute(text("update standings set explained = null"))
    await world.restart()
    async with world.store.transaction() as session:
        await world.rec.recall(session, [ours], Batch(now=START, ids=world.ids))
    assert [(d.case, d.first, d.state) for d in await world.discrepancies()] == [
        ("REC-1", 91, "open")
    ]
    assert await world.examine(GHANA) == []
    await world.nodes[GHANA].sql("update blocks set last = 80")
    (notice,) = await world.examine(GHANA)
    assert (notice.case, notice.first, notice.last) == ("REC-2", 81, 90)
    await world.nodes[GHANA].sql("update blocks set last = 100")
    ended = await world.examine(GHANA)
    opened = {n.case: n for n in (case.message.body, notice)}
    same = {"state": "closed", "detail": "the ledgers agree again"}
    assert {n.case: n for n in ended} == {
        name: n.model_copy(update=same) for name, n in opened.items()
    }, "as the hub wants them: about what they were opened about"
