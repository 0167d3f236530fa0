# SPDX-License-Identifier: Apache-2.0
"""A program dies just before or just after any of its commits: the transfer ends as if it had not.

The sweep runs the same transfer again and again, each time with the death one commit later, until
it comes to its end without one. Every end is audited: one effect, nothing lost, nothing twice.
"""

from pathlib import Path

import pytest

from runtime import events
from schemas.identifiers import Participant
from schemas.messages import Acceptance
from schemas.units import Attributes
from tests.cast import (
    ADM,
    CHE,
    GHA,
    HUB,
    KOR,
    MM1,
    MMR,
    REC,
    ROG,
    VUT,
    A,
    I,
    account,
    asked,
    first_transfer,
    line,
    transfer,
    use,
)
from tests.federation import Federation, copy_databases

GHANA, SWISS = Participant("GHA01"), Participant("CHE01")
SECTIONS, MECHANISM = Participant("UN02"), Participant("UN01")
TRANSFERS = {
    "first transfer": (GHA, first_transfer(201, 300, 201)),
    "use of what is pledged elsewhere": (CHE, use(I, 1, 50, CHE)),
    "between two sections": (KOR, transfer(A, 1, 40, KOR, VUT)),
    "out of the mechanism": (
        MMR,
        {
            "action": "first-transfer",
            "lines": (line(A, 101, 200, account(MMR), account(KOR)),),
            "acquirer": KOR,
            "authorization": MM1,
        },
    ),
    "issuance with both levies": (
        ADM,
        {
            "action": "issuance",
            "lines": tuple(
                line(
                    A,
                    first,
                    last,
                    target=account(ADM, code),
                    attributes=Attributes(designation="MCU", first_transferred=code != "PEN"),
                )
                for first, last, code in (
                    (5001, 5093, "PEN"),
                    (5094, 5098, "SOP"),
                    (5099, 5100, "OMG"),
                )
            ),
            "references": {"request": "R", "approval": "B", "approved_quantity": 7125},
        },
    ),
}
SWEEPS = [
    ("first transfer", HUB),
    ("first transfer", GHANA),
    ("first transfer", SWISS),
    ("first transfer", REC),
    ("use of what is pledged elsewhere", HUB),
    ("use of what is pledged elsewhere", GHANA),
    ("use of what is pledged elsewhere", SWISS),
    ("between two sections", HUB),
    ("between two sections", SECTIONS),
    ("out of the mechanism", MECHANISM),
    ("issuance with both levies", HUB),
    ("issuance with both levies", MECHANISM),
]
COMMITS_MAX = 40


@pytest.mark.requirement(18, 115)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("name", "who"), SWEEPS)
async def test_a_death_between_any_two_steps_changes_nothing(
    federation: Federation, name: str, who: Participant, when: str
) -> None:
    actor, wanted = TRANSFERS[name]
    await federation.settled()
    await federation.stop()
    rested = await keep(federation)
    deaths = 0
    for commit in range(1, COMMITS_MAX):
        await restore(federation, rested)
        others = [p for p in federation.urls if p not in {who, "ROG01"}]
        await federation.start(*others)
        await federation.start(who, crash=(commit, when))
        place, members = actor.participant, asked(wanted)
        number = await federation.submit(place, "propose", actor=actor, **members)
        if actor == ADM:
            await federation.answer(place, number)
        died = await federation.crashed(who, 20)
        if died:
            await federation.start(who)
        deaths += died
        transaction = await proposed(federation, place, number)
        assert await federation.ended(transaction) == "completed", f"death {when} commit {commit}"
        await federation.settled()
        await federation.audit()
        await federation.stop()
        if not died:
            break
    else:
        pytest.fail(f"more than {COMMITS_MAX} commits for one transfer")
    assert deaths >= 4, "it died in the midst of it"
    await restore(federation, rested)
    await federation.start()


async def proposed(federation: Federation, place: Participant, number: int) -> str:
    """The transaction that a command has begun."""

    async def done() -> str | None:
        sql = "select state, result from desk where id = :id"
        (row,) = await federation.rows(place, sql, id=number)
        assert row.state != "refused", row.result
        return row.result if row.state == "done" else None

    return await federation.wait(done, "the proposal")


async def keep(federation: Federation, name: str = "kept") -> Path:
    """Copies of all databases, while nobody runs."""
    await federation.let_go()
    kept = federation.folder / name
    copy_databases(federation.folder, kept)
    return kept


async def restore(federation: Federation, kept: Path) -> None:
    """Put the copies back, and empty the broker."""
    await federation.let_go()
    federation.logs.clear()
    federation.empty_broker()
    copy_databases(kept, federation.folder)


# --- an older backup ----------------------------------------------------------------------------


async def books_at(
    federation: Federation, place: Participant
) -> dict[str, list[tuple[object, ...]]]:
    """What a registry knows, without the moments at which it learned it."""
    queries = {
        "blocks": "select series, first, last, attributes, account from blocks",
        "overlays": "select kind, actor, key, first, last, reference from overlays",
        "transactions": "select id, state, acquirer, proposal, message, position from transactions",
        "deliveries": "select actor, number, position, digest from deliveries",
        "movements": "select actor, number, effect, position, entry, first, last from movements",
        "witness": "select subject, size, root from witness where subject <> 'log'",
        "sequences": "select sender, recipient from sequences",
    }
    found = {}
    for name, sql in queries.items():
        found[name] = sorted((tuple(r) for r in await federation.rows(place, sql)), key=repr)
    return found


@pytest.mark.parametrize("place", [GHANA, SWISS])
async def test_a_registry_restored_from_an_older_backup_gets_back_what_it_had_said_and_heard(
    federation: Federation, place: Participant
) -> None:
    """Nothing is said twice with other words, and what was under way is under way again."""
    await federation.settled()
    await federation.stop(place)
    backup = await keep(federation, "backup")
    await federation.start(place)
    rogue = await federation.voice(ROG)
    open_one = await federation.propose(GHA, first_transfer(401, 410, 401, ROG))
    for first in (201, 301):
        assert (
            await federation.transact(GHA, first_transfer(first, first + 9, first)) == "completed"
        )
    assert await federation.transact(CHE, use(I, 201, 205, CHE)) == "completed"
    await federation.settled()
    before = await books_at(federation, place)
    await federation.stop(place)
    await federation.let_go()
    copy_databases(backup, federation.folder, str(place))
    await federation.start(place)
    await federation.greeted()
    await federation.applied()
    await federation.settled()
    assert await books_at(federation, place) == before
    (row,) = await federation.rows(
        HUB, "select message from transactions where id = :id", id=open_one
    )
    await rogue.say("acceptance", open_one, Acceptance(), answers=row.message)
    assert await federation.ended(open_one) == "completed"
    assert await federation.transact(GHA, first_transfer(501, 510, 501)) == "completed"
    assert await federation.transact(CHE, use(I, 501, 505, CHE)) == "completed"
    assert not federation.logged(events.ENVELOPE_DEAD)
    await rogue.close()


async def test_what_the_hub_keeps_behind_a_gap_comes_back_as_well(federation: Federation) -> None:
    """Of three envelopes the first is lost, and two are at the hub behind the gap. The restored
    registry takes these two back and seals something else in the place of the first.
    """
    await federation.settled()
    await federation.stop(GHANA)
    backup = await keep(federation, "backup")
    voice = await federation.voice(GHA)
    lost = await voice.next_sequence(HUB)
    proposals = [first_transfer(first, first + 9, first) for first in (401, 501)]
    behind = [
        await voice.seal(HUB, [voice.make("proposal", f"GHA01-GHA-{n}", voice.proposal(one))])
        for n, one in enumerate(proposals, start=20)
    ]
    for envelope in behind:
        await voice.send(HUB, envelope)
    await voice.broker.close()
    await federation.let_go()
    copy_databases(backup, federation.folder, str(GHANA))
    await federation.start(GHANA)
    await federation.greeted()
    for transaction in ("GHA01-GHA-20", "GHA01-GHA-21"):
        assert await federation.ended(transaction) == "completed"
    assert await federation.transact(GHA, first_transfer(601, 610, 601)) == "completed"
    sql = "select sequence, body from inbox where sender = :a and sequence >= :n order by sequence"
    heard = await federation.rows(HUB, sql, a=str(GHA), n=lost)
    assert [row.sequence for row in heard][:3] == [lost, lost + 1, lost + 2]
    assert [bytes(row.body) for row in heard][1:3] == behind
    assert not federation.logged(events.ENVELOPE_DEAD)
    await federation.settled()


async def test_a_restored_reconciliation_service_asks_under_sequences_that_are_free(
    federation: Federation,
) -> None:
    """It was asking when it was set back: its questions come back to it before it asks anew."""
    await federation.settled()
    await federation.stop(REC)
    backup = await keep(federation, "backup")
    await federation.start(REC)
    await federation.greeted()
    changed = "update blocks set last = last - 1 where actor = :a and first = 1"
    await federation.edit(SWISS, changed, a=str(CHE))
    assert await federation.transact(GHA, first_transfer(201, 210, 201)) == "completed"
    await found(federation)
    await federation.stop(REC)
    await federation.let_go()
    copy_databases(backup, federation.folder, str(REC))
    federation.logs.clear()
    await federation.start(REC)
    await federation.greeted()
    assert await federation.transact(GHA, first_transfer(301, 310, 301)) == "completed"
    await found(federation)
    assert not federation.logged(events.ENVELOPE_DEAD)
    federation.diverged.add(CHE)


async def found(federation: Federation) -> None:
    """Wait until the Swiss ledger's missing unit is in a case."""

    async def there() -> bool | None:
        sql = "select first, last from cases where actor = :a and state = 'open'"
        return True if await federation.rows(REC, sql, a=str(CHE)) else None

    await federation.wait(there, "the case")
