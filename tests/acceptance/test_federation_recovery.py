# SPDX-License-Identifier: Apache-2.0
"""A hub whose database was set back is given back the tail of its log, and goes on as if nothing
had been; or it says what is lacking, and nothing forks.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from structlog.typing import EventDict

from harness.simulation.virtual_time import START, LoopClock
from hub.guard import Guard, Head, Refusal
from hub.recovering import begin_recovery
from ledger.note import Checkpoint, format_note, sign_note
from runtime import events
from runtime.anchor import MemoryAnchor
from runtime.errors import LocalProtocolError
from runtime.store import open_store
from schemas.directory import BindingChange, Profile, Rotation, parse_act
from schemas.envelope import digest, open_envelope, open_manifest
from schemas.findings import Reason
from schemas.identifiers import REC_ACTOR, Instant, Participant, PartyCode
from schemas.limits import RESEND_ENVELOPES_MAX
from schemas.messages import Enclosure, parse_message
from tests.acceptance.test_federation_bindings import bind
from tests.acceptance.test_federation_cases import ROWS, WHY, at_both, lose
from tests.acceptance.test_federation_counter_entry import TWO, revoked
from tests.acceptance.test_federation_evidence import evidence
from tests.acceptance.test_federation_evidence_asked import asked as evidence_asked
from tests.acceptance.test_federation_evidence_asked import exported, facts, moved, witnessed
from tests.acceptance.test_federation_sections import (
    NORWAY,
    agreed,
    handed_in,
    restarted,
    section,
)
from tests.cast import (
    CHE,
    GHA,
    HUB,
    KOR,
    LOG,
    MMR,
    REC,
    ROG,
    VUT,
    I,
    R,
    U,
    admission,
    asked,
    counter_entry,
    first_transfer,
    issuance,
    keyring,
    profile,
    signed,
    terms,
    use,
)
from tests.federation import Federation, Settings, copy_databases
from tests.keeping import Keeper

GHANA, SWISS = Participant("GHA01"), Participant("CHE01")

TABLES = {
    "log_entries": "position, line, conversation, at",
    "log_nodes": "level, node, hash",
    "deliveries": "actor, number, position, root",
    "delivery_nodes": "actor, level, node, hash",
    "acts": "position, act, signatures",
    "transactions": "id, state, action, proposer, acquirer, proposal, message, position, opened_at",
    "authorizations": "party, id, version, terms",
    "authorization_use": "party, id, used",
    "approvals": "actor, approval, approved_quantity, issued",
    "cases": '"id", actor, concerned, cause, "key", "first", "last", frozen, "open"',
    "blocks": "book, key, first, last, attributes, account",
    "overlays": "book, kind, actor, key, first, last, reference",
}
"""What the log's entries say, wherever it is kept at the hub."""

Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture
async def keeper(federation: Federation) -> AsyncIterator[Keeper]:
    """The one participant that has no program keeps what it is sent, too."""
    one = Keeper(federation, ROG)
    task = asyncio.create_task(one.keep())
    await one.keeping.wait()
    yield one
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await one.broker.close()


async def hub_rows(url: str) -> Rows:
    """All that the hub's database says of the log."""
    store = open_store(url)
    async with store.snapshot() as session:
        found = {
            table: sorted(
                (
                    tuple(row)
                    for row in await session.execute(text(f"select {columns} from {table}"))
                ),
                key=repr,
            )
            for table, columns in TABLES.items()
        }
    await store.close()
    return found


async def set_aside(federation: Federation, name: str, *others: Participant) -> Path:
    """A copy of the hub's database, and of others'; they have stopped."""
    await federation.let_go()
    kept = federation.folder / name
    for participant in (HUB, *others):
        copy_databases(federation.folder, kept, str(participant))
    return kept


async def set_back(federation: Federation, kept: Path, *others: Participant) -> None:
    """The hub's database is the older one again, and others' are; its anchor is not."""
    await federation.let_go()
    for participant in (HUB, *others):
        copy_databases(kept, federation.folder, str(participant))


async def told_to_recover(federation: Federation) -> tuple[Head, Head]:
    """As `a6hub hub recover` does."""
    store = open_store(federation.urls[HUB])
    found = await begin_recovery(store, Guard(federation.anchor, keyring(HUB).checkpoint))
    await store.close()
    return found


async def recovered(federation: Federation, seconds: float = 120.0) -> None:
    """Wait until the hub has all of it."""

    async def there() -> bool | None:
        hub = federation.tasks[HUB]
        assert not hub.done(), hub.exception()
        return True if federation.logged(events.LOG_RECOVERED) else None

    await federation.wait(there, "recovery", seconds)


async def all_comes_back(federation: Federation, older: Path) -> None:
    """The hub, set back to an older backup, has after its recovery the rows that it had."""
    await federation.stop(HUB)
    newest = await set_aside(federation, "newest")
    expected = await hub_rows(f"sqlite:///{newest / 'HUB.db'}")
    await set_back(federation, older)
    await told_to_recover(federation)
    await federation.start(HUB)
    await recovered(federation)
    await federation.stop(HUB)
    await federation.let_go()
    assert await hub_rows(federation.urls[HUB]) == expected


async def lively(federation: Federation) -> None:
    """Some of everything that the log can hold."""
    assert await federation.transact(GHA, issuance(GHA, U, 1001, 1100)) == "completed"
    recorded = {"action": "authorization", "terms": terms("GH-2", GHA, "CA0007", quantity=50)}
    assert await federation.transact(GHA, recorded) == "completed"
    assert await federation.transact(GHA, first_transfer(201, 300, 201)) == "completed"
    assert await federation.transact(CHE, use(I, 201, 210, CHE)) == "completed"
    recorded = {"action": "authorization", "terms": terms("MM-2", MMR, "CA0001", quantity=5)}
    assert await federation.transact(MMR, recorded) == "completed"
    done, why = await federation.act(profile(CHE, KOR, Profile.INFORMATION, federation.clock.now()))
    assert done, why
    ended = BindingChange(
        party=PartyCode("VUT"), actor=None, reason="letter", at=federation.clock.now()
    )
    done, why = await federation.act(signed(ended, "ada", "ben", VUT))
    assert done, why
    assert await federation.transact(GHA, first_transfer(401, 410, 201)) == "refused"
    await federation.settled()


def nobody_minds(federation: Federation) -> None:
    for event in (events.NODE_HALTED, events.ALARM_RAISED, events.ENVELOPE_DEAD):
        assert not federation.logged(event), event
    for event in (events.DISCREPANCY_FOUND, events.CHECKPOINT_REFUSED):
        assert not federation.logged(event), event


async def goes_on(federation: Federation, first: int = 311) -> None:
    """Units move, everybody states, and nothing differs."""
    assert await federation.transact(GHA, first_transfer(first, first + 9, first)) == "completed"
    assert await federation.transact(CHE, use(I, first, first + 4, CHE)) == "completed"
    await federation.settled()
    nobody_minds(federation)


async def test_a_hub_that_was_set_back_gets_its_tail_and_goes_on(
    federation: Federation, keeper: Keeper
) -> None:
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    await lively(federation)
    await federation.stop(HUB)
    newest = await set_aside(federation, "newest")
    expected = await hub_rows(f"sqlite:///{newest / 'HUB.db'}")

    await set_back(federation, older)
    grown, held = await told_to_recover(federation)
    assert grown.size < held.size == len(expected["log_entries"])
    await federation.start(HUB)
    await recovered(federation)
    await federation.stop(HUB)
    await federation.let_go()
    assert await hub_rows(federation.urls[HUB]) == expected
    assert not await federation.rows(HUB, "select * from tail")

    await federation.start(HUB)
    await goes_on(federation)


@pytest.mark.parametrize("settings", [Settings(heartbeat_seconds=5.0)])
async def test_bindings_counter_entries_and_the_turns_of_a_case_come_back(
    federation: Federation, keeper: Keeper
) -> None:
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    await revoked(federation)
    half = await federation.propose(CHE, counter_entry(211, 225, CHE, TWO))
    assert await federation.ended(half) == "completed"
    await bind(federation, "CHE", None, CHE)
    await bind(federation, "CHE", CHE, CHE)
    await federation.settled()
    await lose(federation)
    await at_both(federation, "open")
    await federation.order(REC, "explain", case="REC-1", text=WHY)
    await at_both(federation, "explained")
    await federation.edit(SWISS, f"update blocks set last = 100 {ROWS}", series=I.series)
    await at_both(federation, "closed")
    federation.diverged.discard(CHE)
    await federation.settled()
    await all_comes_back(federation, older)

    await federation.start(HUB)
    assert await federation.transact(KOR, counter_entry(241, 260, KOR, TWO)) == "completed"
    verdict = await evidence(federation, half)
    assert verdict.valid, f"step {verdict.failed}: {verdict.reason}"
    await federation.settled()


@pytest.mark.parametrize("settings", [Settings(heartbeat_seconds=5.0)])
@pytest.mark.parametrize("configured", [True, False])
async def test_a_section_that_was_admitted_in_the_lost_time_comes_back(
    federation: Federation, keeper: Keeper, *, configured: bool
) -> None:
    """With all that it has said; and as well if its node does not have it in its settings yet."""
    await restarted(federation, *[NORWAY][: int(configured)])
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    await handed_in(federation, section(federation, NORWAY))
    await federation.applied()
    now = federation.clock.now()
    await handed_in(federation, profile(GHA, NORWAY, Profile.INFORMATION, now))
    if configured:
        await federation.order("UN02", "open-account", actor=NORWAY, kind="holding")
        moved = first_transfer(201, 300, 201, NORWAY)
        assert await federation.transact(GHA, moved) == "completed"
        await federation.settled()
    await all_comes_back(federation, older)

    await federation.start(HUB)
    if not configured:
        await restarted(federation, NORWAY)
    assert await federation.transact(GHA, first_transfer(301, 310, 301)) == "completed"
    await agreed(federation, NORWAY, GHA)


async def test_statements_and_cosignatures_of_the_lost_time_come_back_as_well(
    federation: Federation, keeper: Keeper
) -> None:
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    await lively(federation)
    await asyncio.sleep(70)
    await federation.stop(HUB)
    sizes = "select size, root from checkpoints order by size"
    stated = "select actor, delivered, holdings from statements order by actor"
    cosigned = "select size, participant, line from cosignatures order by size, participant"
    before = {sql: await federation.rows(HUB, sql) for sql in (sizes, stated, cosigned)}

    await set_back(federation, older)
    await told_to_recover(federation)
    await federation.start(HUB)
    await recovered(federation)
    await asyncio.sleep(30)
    for sql, rows in before.items():
        assert set(rows) <= set(await federation.rows(HUB, sql)), sql
    await goes_on(federation)


@pytest.mark.parametrize("settings", [Settings(manual=frozenset({SWISS}))])
async def test_what_was_under_way_goes_on(federation: Federation, keeper: Keeper) -> None:
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    accepted = await federation.propose(GHA, first_transfer(201, 210, 201))
    rejected = await federation.propose(GHA, first_transfer(211, 220, 211))
    expired = await federation.propose(GHA, first_transfer(221, 230, 221), lifetime_seconds=900)
    for transaction in (accepted, rejected, expired):
        await federation.reached(transaction, "cleared")
    await federation.stop(HUB)
    await federation.order(SWISS, "accept", transaction=accepted)

    await set_back(federation, older)
    await told_to_recover(federation)
    await federation.start(HUB)
    await recovered(federation)
    assert await federation.ended(accepted) == "completed"
    await federation.order(SWISS, "reject", transaction=rejected, comment="not agreed")
    assert await federation.ended(rejected) == "rejected"
    assert await federation.ended(expired, 2000.0) == "expired"
    await federation.settled()
    nobody_minds(federation)


async def test_who_lacks_an_entry_is_sent_it_and_what_belongs_to_it(
    federation: Federation, keeper: Keeper
) -> None:
    """What was on its way to Switzerland is lost with the broker, and the hub does not know of it
    any more. The reconciliation service has the entry, and Ghana its proposal.
    """
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    await federation.stop(SWISS)
    transaction = await federation.propose(GHA, first_transfer(201, 210, 201))
    await federation.reached(transaction, "cleared")
    await asyncio.sleep(2)
    assert await federation.state(transaction, GHANA) == "cleared"
    await federation.stop(HUB)
    federation.exchange.mailbox(str(SWISS)).waiting.clear()

    await set_back(federation, older)
    await told_to_recover(federation)
    await federation.start(HUB, SWISS)
    await recovered(federation)
    assert await federation.ended(transaction) == "completed"
    await goes_on(federation)


async def test_keys_that_changed_meanwhile_are_learned_from_whoever_can_tell(
    federation: Federation, keeper: Keeper
) -> None:
    """Who changed a key, the hub does not understand. That includes the service, which alone has
    every entry; but everybody was sent the act.
    """
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    assert await federation.transact(GHA, issuance(GHA, U, 1001, 1100)) == "completed"
    for participant, actor in ((REC, REC_ACTOR), (GHANA, GHA)):
        acts = await federation.rows(HUB, "select count(*) from acts")
        await federation.order(participant, "rotate-key", actor=actor)

        async def changed(before: int = acts[0][0]) -> bool | None:
            ((now,),) = await federation.rows(HUB, "select count(*) from acts")
            return True if now > before else None

        await federation.wait(changed, "the change")
    assert await federation.transact(GHA, first_transfer(201, 210, 201)) == "completed"
    await federation.settled()
    await federation.stop(HUB)
    expected = await hub_rows(federation.urls[HUB])

    await set_back(federation, older)
    await told_to_recover(federation)
    await federation.start(HUB)
    await recovered(federation)
    await federation.stop(HUB)
    assert await hub_rows(federation.urls[HUB]) == expected
    await federation.start(HUB)
    assert await federation.transact(GHA, first_transfer(211, 220, 211)) == "completed"
    await federation.settled()
    assert not federation.logged(events.NODE_HALTED)
    assert not federation.logged(events.ALARM_RAISED)


@pytest.mark.parametrize("change", ["queued", "lost"])
async def test_keys_that_change_while_the_hub_is_away_are_understood(
    federation: Federation, keeper: Keeper, change: str
) -> None:
    """No entry has these changes. The service answers the hub's greeting with its new key, and it
    alone has every entry; the change itself waits in the hub's queue, or is asked for.
    """
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    assert await federation.transact(GHA, issuance(GHA, U, 1001, 1100)) == "completed"
    await federation.settled()
    await federation.stop(HUB)
    expected = await hub_rows(federation.urls[HUB])

    await set_back(federation, older)
    for participant, actor in ((REC, REC_ACTOR), (GHANA, GHA)):
        await federation.order(participant, "rotate-key", actor=actor)
    transaction = await federation.propose(GHA, first_transfer(201, 210, 201))
    if change == "lost":
        await asyncio.sleep(5)
        federation.exchange.mailbox(str(HUB)).waiting.clear()
    await told_to_recover(federation)
    await federation.start(HUB)
    await recovered(federation)
    assert await federation.ended(transaction) == "completed"
    found = await hub_rows(federation.urls[HUB])
    assert set(expected["log_entries"]) < set(found["log_entries"])
    acts = await federation.rows(HUB, "select act from acts order by position")
    rotated = [parse_act(row.act) for row in acts[len(expected["acts"]) :]]
    assert {act.actor for act in rotated if isinstance(act, Rotation)} == {REC_ACTOR, GHA}
    assert await federation.transact(GHA, first_transfer(211, 220, 211)) == "completed"
    await federation.settled()
    assert not federation.logged(events.NODE_HALTED)
    assert not federation.logged(events.ALARM_RAISED)


async def heard(federation: Federation) -> dict[str, list[Any]]:
    """What came from the hub."""
    sql = "select sequence, body from inbox where sender = 'HUB' order by sequence"
    places = [place for place in federation.urls if place not in {HUB, ROG.participant}]
    return {place: [tuple(row) for row in await federation.rows(place, sql)] for place in places}


async def end(federation: Federation) -> str:
    """Wait until the hub has ended by itself; gives why."""
    with pytest.raises(LocalProtocolError) as error:
        await asyncio.wait_for(federation.tasks.pop(HUB), 120)
    return str(error.value)


async def test_while_somebody_is_not_heard_of_the_hub_says_and_decides_nothing(
    federation: Federation, keeper: Keeper
) -> None:
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    await lively(federation)
    await federation.stop(HUB)
    before = await heard(federation)
    lines = await federation.rows(HUB, "select line from log_entries order by position")

    await set_back(federation, older)
    await told_to_recover(federation)
    keeper.silent = True
    await federation.start(HUB)
    await federation.submit(GHANA, "propose", actor=GHA, **asked(first_transfer(501, 510, 501)))
    order = await federation.submit(
        HUB, "act", act=profile(CHE, KOR, Profile.VIEW, federation.clock.now()).model_dump_json()
    )
    await asyncio.sleep(300)
    assert not federation.nodes[HUB].ready.is_set()
    assert await heard(federation) == before
    assert await federation.rows(HUB, "select line from log_entries order by position") == lines
    last = federation.logged(events.LOG_RECOVERING)[-1]
    assert (last["waiting"], last["size"]) == ("ROG01", str(len(lines)))

    keeper.silent = False
    await recovered(federation)
    await federation.greeted()
    (row,) = await federation.rows(HUB, "select state, result from desk where id = :i", i=order)
    assert row.state == "refused", "it is of the older state"
    assert "restored" in row.result
    await goes_on(federation)


async def test_what_had_been_refused_is_not_carried_out_when_it_comes_again(
    federation: Federation, keeper: Keeper
) -> None:
    """Its author was told that nothing would come of it. When it comes again it would do."""
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    proposal = keeper.proposal(issuance(ROG, R, 1001, 1010), seconds=7200)
    line = keeper.make("proposal", "ROG01-ROG-77", proposal)
    moment = federation.clock.now().moment() + timedelta(seconds=900)
    ahead = await keeper.seal(HUB, [line], sent_at=Instant.of(moment))
    await keeper.send(HUB, ahead)
    await keeper.taken()
    assert await keeper.reasons(digest(line)) == [Reason.CLOCK_AHEAD]
    await federation.stop(HUB)

    await set_back(federation, older)
    await told_to_recover(federation)
    await asyncio.sleep(1000)
    await federation.start(HUB)
    await recovered(federation)
    await keeper.taken()
    assert await federation.state("ROG01-ROG-77") is None
    await goes_on(federation)


async def test_with_another_anchor_nothing_is_recovered(
    federation: Federation, keeper: Keeper
) -> None:
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    await lively(federation)
    await federation.stop(HUB)
    size = await federation.log_size()
    await set_back(federation, older)
    federation.anchor = other = MemoryAnchor()
    signer = keyring(HUB).checkpoint
    assert signer is not None
    note_text = Checkpoint(LOG, size - 1, bytes(32)).to_text()
    other.write(format_note(note_text, [sign_note(note_text, LOG, signer)]))
    await told_to_recover(federation)
    before = await heard(federation)
    await federation.start(HUB)
    why = await end(federation)
    assert why.startswith(f"{Refusal.FORKED}: with what came back the log would have {size - 1} ")
    assert await heard(federation) == before
    assert not federation.logged(events.LOG_RECOVERED)
    await federation.stop()


@pytest.mark.parametrize("kept", ["nothing", "acts"])
async def test_a_tail_that_nobody_has_is_not_made_up(
    federation: Federation, keeper: Keeper, kept: str
) -> None:
    """Everybody's database is the older one; the anchor alone remembers, or also somebody who has
    been sent the acts.
    """
    await federation.settled()
    await federation.stop()
    older = await federation.log_size()
    await federation.let_go()
    everything = federation.folder / "everything"
    copy_databases(federation.folder, everything)
    await federation.start()
    await lively(federation)
    await federation.stop()
    size, anchor = await federation.log_size(), federation.anchor.read()
    sql = "select min(position) from acts where position >= :older"
    ((act,),) = await federation.rows(HUB, sql, older=older)
    await federation.let_go()
    copy_databases(everything, federation.folder)
    assert anchor is not None
    federation.anchor = MemoryAnchor(anchor)
    await told_to_recover(federation)
    grown = await federation.log_size()
    if kept == "nothing":
        keeper.kept.clear()
    await federation.start()
    why = await end(federation)
    lost = f"{Refusal.LACKING}: everybody gave back what they keep, and entry {grown} did not come "
    assert why.startswith(lost), why
    beyond = {"nothing": f"the anchor says that {size} entries", "acts": f"back; entry {act} did."}
    assert beyond[kept] in why
    assert await federation.log_size() == grown
    await federation.stop()


LONELY = {
    "of an only actor": (GHA, issuance(GHA, U, 1001, 1100)),
    "of another than the first actor": (
        MMR,
        {"action": "authorization", "terms": terms("MM-2", MMR, "CA0001", quantity=5)},
    ),
}
"""What concerns its proposer alone, so that nobody is sent the proposal."""


@pytest.mark.parametrize("name", LONELY, ids=lambda name: name.replace(" ", "-"))
async def test_a_proposal_that_was_lost_with_the_hubs_database_ends_the_recovery(
    federation: Federation, keeper: Keeper, name: str
) -> None:
    """Its author's database was set back as well, and nobody was sent the proposal."""
    actor, lonely = LONELY[name]
    await federation.settled()
    await federation.stop(HUB, actor.participant)
    older = await set_aside(federation, "older", actor.participant)
    await federation.start(HUB, actor.participant)
    grown = await federation.log_size()
    transaction = await federation.propose(actor, lonely)
    assert await federation.ended(transaction) == "completed"
    await federation.stop(HUB, actor.participant)

    await set_back(federation, older, actor.participant)
    await told_to_recover(federation)
    await federation.start(HUB, actor.participant)
    why = await end(federation)
    assert why.startswith(f"{Refusal.LACKING}: entry {grown} begins {transaction}, "), why
    assert f"{actor} has sent again all that it keeps" in why
    assert await federation.log_size() == grown
    await federation.stop()


async def passed_on(federation: Federation) -> dict[tuple[str, int], set[str]]:
    """By author and sequence, the manifests of what the hub has passed on, wherever it is kept."""
    found: dict[tuple[str, int], set[str]] = {}
    for rows in (await heard(federation)).values():
        for _, body in rows:
            for message in map(parse_message, open_envelope(bytes(body)).lines):
                if isinstance(message.body, Enclosure):
                    manifest = open_manifest(message.body.manifest.encode())[1]
                    assert manifest.sequence is not None
                    place = str(manifest.sender), manifest.sequence
                    found.setdefault(place, set()).add(message.body.manifest)
    return found


async def test_whoever_was_set_back_with_the_hub_has_its_own_words_back_from_others(
    federation: Federation, keeper: Keeper
) -> None:
    """Switzerland's acceptance is in neither database. Ghana was sent it, and the service what it
    had stated beside it; so it is whole, and Switzerland takes it back and says nothing else in its
    place.
    """
    await federation.settled()
    await federation.stop(HUB, SWISS)
    older = await set_aside(federation, "older", SWISS)
    await federation.start(HUB, SWISS)
    transaction = await federation.propose(GHA, first_transfer(201, 210, 201))
    assert await federation.ended(transaction) == "completed"
    await federation.settled()
    await federation.stop(HUB, SWISS)
    sql = "select sequence, body from outbox where sender = 'CHE01/CHE' and recipient = 'HUB'"
    before = await federation.rows(SWISS, sql)

    await set_back(federation, older, SWISS)
    lost = set(before) - set(await federation.rows(SWISS, sql))
    assert lost
    await told_to_recover(federation)
    await federation.start(HUB, SWISS)
    await recovered(federation)
    await federation.greeted()
    assert lost <= set(await federation.rows(SWISS, sql)), "byte for byte"
    assert await federation.ended(transaction) == "completed"
    await federation.applied()
    assert await federation.state(transaction, SWISS) == "completed"
    await goes_on(federation)
    assert all(len(manifests) == 1 for manifests in (await passed_on(federation)).values())


@pytest.mark.parametrize(
    ("other", "backups"),
    [(SWISS, (0, 2)), (SWISS, (1, 1)), (SWISS, (2, 0)), (GHANA, (1, 1)), (REC, (1, 1))],
)
async def test_whichever_backups_come_together_nobody_contradicts_itself(
    federation: Federation, keeper: Keeper, other: Participant, backups: tuple[int, int]
) -> None:
    """The hub's database is as of one time, and another's as of the same or another time."""
    await federation.settled()
    moments = []
    for number in range(3):
        await federation.stop(HUB, other)
        moments.append(await set_aside(federation, f"moment {number}", other))
        await federation.start(HUB, other)
        first = 201 + 10 * number
        assert (
            await federation.transact(GHA, first_transfer(first, first + 9, first)) == "completed"
        )
        await federation.settled()
    await federation.stop(HUB, other)
    expected = await hub_rows(federation.urls[HUB])
    await federation.let_go()
    for participant, number in zip((HUB, other), backups, strict=True):
        copy_databases(moments[number], federation.folder, str(participant))

    await told_to_recover(federation)
    await federation.start(HUB, other)
    await recovered(federation)
    await federation.greeted()
    await federation.applied()
    found = await hub_rows(federation.urls[HUB])
    assert set(expected["log_entries"]) <= set(found["log_entries"])
    await goes_on(federation)
    assert all(len(manifests) == 1 for manifests in (await passed_on(federation)).values())


@pytest.mark.parametrize("settings", [Settings(manual=frozenset({SWISS}))])
async def test_a_consent_that_nobody_has_any_more_ends_the_recovery(
    federation: Federation, keeper: Keeper
) -> None:
    """The entry that names it is with the reconciliation service. If the hub went on, Switzerland
    would halt at it.
    """
    await federation.settled()
    transaction = await federation.propose(GHA, first_transfer(201, 210, 201))
    await federation.reached(transaction, "cleared")
    await federation.settled()
    await federation.stop(HUB, SWISS, GHANA)
    older = await set_aside(federation, "older", SWISS, GHANA)
    await federation.start(HUB, SWISS, GHANA)
    grown = await federation.log_size()
    await federation.order(SWISS, "accept", transaction=transaction)
    assert await federation.ended(transaction) == "completed"
    await federation.settled()
    await federation.stop(HUB, SWISS, GHANA)

    await set_back(federation, older, SWISS, GHANA)
    await told_to_recover(federation)
    await federation.start(HUB, SWISS, GHANA)
    why = await end(federation)
    assert why.startswith(f"{Refusal.LACKING}: "), why
    assert "CHE01/CHE" in why
    assert await federation.log_size() == grown + 1
    assert not federation.logged(events.NODE_HALTED)
    await federation.stop()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_death_during_the_recovery_changes_nothing(
    federation: Federation, keeper: Keeper, when: str
) -> None:
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    await lively(federation)
    await federation.stop(HUB)
    expected = await hub_rows(federation.urls[HUB])
    await set_back(federation, older)
    await told_to_recover(federation)
    deaths = 0
    while not federation.logged(events.LOG_RECOVERED):
        await federation.start(HUB, crash=(deaths + 1, when))
        if not await federation.crashed(HUB, 30.0):
            break
        deaths += 1
    assert deaths > 3
    if HUB not in federation.tasks:
        await federation.start(HUB)
    await federation.greeted()
    found = await hub_rows(federation.urls[HUB])
    assert all(set(rows) <= set(found[table]) for table, rows in expected.items())
    await goes_on(federation)


async def test_a_hub_that_lost_but_heartbeats_gets_them_back(
    federation: Federation, keeper: Keeper
) -> None:
    """The anchor does not see that; whoever has them says so. There are more than are given back,
    or sent again, at a time.
    """
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    others = [place for place in federation.tasks if place != REC]
    await federation.stop(*others)
    await federation.start(HUB)
    await asyncio.sleep((RESEND_ENVELOPES_MAX + 5) * federation.settings.heartbeat_seconds)
    await federation.stop(HUB)
    sealed = "select recipient, sequence, body from outbox order by recipient, sequence"
    expected = await heard(federation)
    before = [tuple(row) for row in await federation.rows(HUB, sealed)]
    await set_back(federation, older)
    grown, held = await told_to_recover(federation)
    assert grown == held
    await federation.start(HUB, *others)
    await recovered(federation)
    after = [tuple(row) for row in await federation.rows(HUB, sealed)]
    assert set(before) <= set(after), "what was given back is what was sent"
    for place, rows in (await heard(federation)).items():
        assert rows[: len(expected[place])] == expected[place]
    await goes_on(federation)


async def test_what_was_sent_beyond_an_anchor_that_was_set_back_comes_back(
    federation: Federation, keeper: Keeper
) -> None:
    """A snapshot of the whole machine has both; whoever knows that it is old can say so."""
    await federation.settled()
    await federation.stop(HUB)
    older, anchor = await set_aside(federation, "older"), federation.anchor.read()
    await federation.start(HUB)
    await lively(federation)
    await federation.stop(HUB)
    expected, newest = await hub_rows(federation.urls[HUB]), federation.anchor.read()
    await set_back(federation, older)
    federation.anchor = MemoryAnchor(anchor)
    await told_to_recover(federation)
    await federation.start(HUB)
    await recovered(federation)
    await federation.stop(HUB)
    assert await hub_rows(federation.urls[HUB]) == expected
    assert federation.anchor.read() == newest
    await federation.start(HUB)
    await goes_on(federation)


async def test_participants_that_were_admitted_meanwhile_are_found_and_asked(
    tmp_path: Path, logs: list[EventDict]
) -> None:
    """The older database knows the reconciliation service alone."""
    federation = Federation(tmp_path, logs, LoopClock(START))
    await federation.make_databases()
    await federation.start(HUB, REC)
    assert (await federation.act(admission(REC, federation.clock.now())))[0]
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB, GHANA, SWISS)
    for participant in (GHANA, SWISS):
        assert (await federation.act(admission(participant, federation.clock.now())))[0]
    done, why = await federation.act(profile(GHA, CHE, Profile.INFORMATION, federation.clock.now()))
    assert done, why
    for actor in (GHA, CHE):
        await federation.order(actor.participant, "open-account", actor=actor, kind="holding")
    await federation.order(SWISS, "open-account", actor=CHE, kind="use")
    assert await federation.transact(GHA, issuance(GHA, U, 1, 1000)) == "completed"
    recorded = {"action": "authorization", "terms": terms("GH-1", GHA, "CA0007", quantity=600)}
    assert await federation.transact(GHA, recorded) == "completed"
    await federation.settled()
    await federation.stop(HUB)
    expected = await hub_rows(federation.urls[HUB])

    await set_back(federation, older)
    await told_to_recover(federation)
    await federation.start(HUB)
    await recovered(federation)
    await federation.stop(HUB)
    assert await hub_rows(federation.urls[HUB]) == expected
    await federation.start(HUB)
    assert await federation.transact(GHA, first_transfer(1, 10, 1)) == "completed"
    await federation.settled()
    await federation.audit()
    assert not federation.logged(events.NODE_HALTED)
    await federation.close()


async def test_evidence_of_the_lost_time_is_given_out_as_before(
    federation: Federation, keeper: Keeper
) -> None:
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    transaction = await moved(federation)
    await evidence_asked(federation, GHANA, transaction)
    known = facts(await exported(federation, GHANA, transaction))
    await federation.stop(HUB)

    await set_back(federation, older)
    await told_to_recover(federation)
    await federation.start(HUB)
    await recovered(federation)
    await witnessed(federation)
    assert facts(await exported(federation, GHANA, transaction)) == known, "nobody spoilt it"
    assert facts(await exported(federation, HUB, transaction)) == known
    await evidence_asked(federation, SWISS, transaction)
    assert facts(await exported(federation, SWISS, transaction)) == known
    await goes_on(federation)
