# SPDX-License-Identifier: Apache-2.0
"""A participant gets a further section: first in its node's settings, or first in the log."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from runtime import events
from schemas.directory import ActorKey, Profile, SectionAdmission, SignedAct, Status, StatusChange
from schemas.identifiers import Actor, Instant, Participant
from tests.acceptance.test_federation_bindings import bind
from tests.acceptance.test_federation_evidence import evidence
from tests.cast import (
    CHE,
    GHA,
    HUB,
    KOR,
    REC,
    VUT,
    I,
    asked,
    first_transfer,
    profile,
    public,
    signed,
    transfer,
    use,
)
from tests.federation import Federation, Settings, copy_databases

SHARED = Participant("UN02")
NORWAY, SWISS = Actor("UN02/NOR"), Actor("UN02/CHE")
"""A Party that had no section anywhere, and one that has a registry of its own."""


def section(federation: Federation, *actors: Actor, ahead: int = 0) -> SignedAct:
    """Two administrators, Korea's section for the registry, and the new ones."""
    now = federation.clock.now()
    act = SectionAdmission(
        participant=SHARED,
        actors=tuple(ActorKey(actor=a, key=public(a)) for a in actors),
        at=now if not ahead else Instant(str(now).replace("202", "203", 1)),
    )
    return signed(act, "ada", "cleo", KOR, *actors)


async def restarted(federation: Federation, *actors: Actor) -> None:
    """The international registry's node has these in its settings as well."""
    await federation.stop(SHARED)
    federation.more = {SHARED: actors}
    await federation.start(SHARED)
    await federation.nodes[SHARED].ready.wait()


async def handed_in(federation: Federation, act: SignedAct) -> None:
    done, why = await federation.act(act)
    assert done, why


async def connected(federation: Federation, actor: Actor) -> None:
    """Accounts and profiles of a new section."""
    for kind in ("holding", "use"):
        await federation.order(SHARED, "open-account", actor=actor, kind=kind)
    for other in (GHA, CHE):
        now = federation.clock.now()
        await handed_in(federation, profile(actor, other, Profile.INFORMATION, now))


async def agreed(federation: Federation, *actors: Actor) -> None:
    """Everybody has stated, and what these state is what the log implies."""
    await federation.settled()
    sql = "select equal from standings where actor = :actor"

    async def compared() -> bool | None:
        for actor in actors:
            rows = await federation.rows(REC, sql, actor=str(actor))
            if [row.equal for row in rows] != [1]:
                return None
        return True

    await federation.wait(compared, "comparing")
    assert await federation.rows(REC, "select 1 from cases") == []
    assert await federation.rows(REC, "select 1 from alarms") == []


async def deliveries(federation: Federation, actor: Actor) -> list[tuple[Any, ...]]:
    """What was delivered to an actor: here, and as the hub has it."""
    sql = "select number, position from deliveries where actor = :actor order by number"
    here = await federation.rows(SHARED, sql, actor=str(actor))
    there = await federation.rows(HUB, sql, actor=str(actor))
    assert [tuple(row) for row in here] == [tuple(row) for row in there]
    return [tuple(row) for row in here]


# --- in the settings first ------------------------------------------------------------------------


@pytest.mark.requirement(1, 11)
async def test_a_party_that_had_no_registry_gets_a_section_and_units(
    federation: Federation,
) -> None:
    await restarted(federation, NORWAY)
    forward = transfer(I, 1, 5, CHE, KOR)
    now = federation.clock.now()
    await handed_in(federation, profile(CHE, KOR, Profile.INFORMATION, now))
    assert await federation.transact(CHE, forward) == "completed", "the node works as before"
    await federation.settled()
    assert await deliveries(federation, NORWAY) == []
    done, why = await federation.command(SHARED, "open-account", actor=NORWAY, kind="holding")
    assert not done
    assert "UN02/NOR is not an actor of this registry" in why, "nor before it is one"

    await handed_in(federation, section(federation, NORWAY))
    await federation.applied()
    await agreed(federation, NORWAY, KOR, VUT)
    await connected(federation, NORWAY)
    moved = await federation.propose(GHA, first_transfer(201, 300, 201, NORWAY))
    assert await federation.ended(moved) == "completed"
    assert await federation.transact(NORWAY, use(I, 201, 210, NORWAY)) == "completed"
    assert await federation.transact(NORWAY, transfer(I, 211, 220, NORWAY, CHE)) == "completed"
    await agreed(federation, NORWAY, KOR, VUT, GHA, CHE)
    assert {row[1:3] for row in await federation.holdings(NORWAY)} >= {(221, 300)}
    first, *rest = await deliveries(federation, NORWAY)
    assert first[0] == 0
    assert rest
    verdict = await evidence(federation, moved)
    assert verdict.valid, f"step {verdict.failed}: {verdict.reason}"


@pytest.mark.requirement(1)
async def test_a_party_changes_its_registry_to_a_section_that_came_later(
    federation: Federation,
) -> None:
    await restarted(federation, SWISS)
    await handed_in(federation, section(federation, SWISS))
    await federation.applied()
    await connected(federation, SWISS)
    over = transfer(I, 1, 90, CHE, SWISS)
    why = await federation.command(CHE.participant, "propose", actor=CHE, **asked(over))
    assert "not-bound" in why[1]
    await bind(federation, "CHE", SWISS, CHE, SWISS)
    assert await federation.transact(CHE, over) == "completed"
    assert await federation.transact(SWISS, use(I, 1, 5, SWISS)) == "completed"
    assert await federation.transact(GHA, first_transfer(201, 300, 201, SWISS)) == "completed"
    await agreed(federation, SWISS, CHE, GHA)


# --- in the log first -----------------------------------------------------------------------------


@pytest.mark.requirement(1)
async def test_a_section_that_was_admitted_before_its_node_had_it_works_from_the_restart_on(
    federation: Federation,
) -> None:
    await handed_in(federation, section(federation, NORWAY))
    now = federation.clock.now()
    await handed_in(federation, profile(GHA, NORWAY, Profile.INFORMATION, now))
    waiting = await federation.propose(GHA, first_transfer(201, 300, 201, NORWAY))
    await federation.reached(waiting, "cleared", SHARED)
    await federation.applied()
    done, why = await federation.command(SHARED, "accept", transaction=waiting)
    assert not done
    assert "UN02/NOR is not in the settings" in why
    assert await federation.transact(GHA, first_transfer(301, 310, 301)) == "completed"
    said = "select 1 from statements where actor = 'UN02/NOR'"
    assert await federation.rows(HUB, said) == []

    await restarted(federation, NORWAY)
    await federation.settled()
    await agreed(federation, NORWAY, KOR, VUT)
    await connected(federation, NORWAY)
    await federation.order(SHARED, "accept", transaction=waiting)
    assert await federation.ended(waiting) == "completed"
    assert await federation.transact(NORWAY, use(I, 201, 210, NORWAY)) == "completed"
    await agreed(federation, NORWAY, KOR, VUT, GHA)
    assert len(await deliveries(federation, NORWAY)) > 4


@pytest.mark.parametrize("settings", [Settings(manual=frozenset({SHARED}))])
async def test_what_waits_for_a_section_without_a_node_keeps_no_other_from_stating(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of both expiries fits a statement; the first is left to the section."""
    monkeypatch.setattr("registry.witness.EXPIRIES", 1)
    await handed_in(federation, section(federation, NORWAY))
    now = federation.clock.now()
    expired = []
    for first, to in ((201, NORWAY), (301, KOR)):
        await handed_in(federation, profile(GHA, to, Profile.INFORMATION, now))
        await federation.applied()
        moved = first_transfer(first, first + 9, first, to)
        expired.append(await federation.propose(GHA, moved, lifetime_seconds=30))
        assert await federation.ended(expired[-1]) == "expired"

    async def stated() -> list[int] | None:
        sql = "select stated from transactions where state = 'expired' order by id"
        found = [row.stated for row in await federation.rows(SHARED, sql)]
        return found if any(found) else None

    await handed_in(federation, profile(CHE, KOR, Profile.INFORMATION, now))
    assert await federation.wait(stated, "a statement that covers one of them") == [0, 1]


@pytest.mark.parametrize(("seconds", "expected"), [(3600, "completed"), (30, "refused")])
async def test_what_a_section_has_said_counts_if_it_is_not_in_the_settings_any_more(
    federation: Federation, seconds: int, expected: str
) -> None:
    await restarted(federation, NORWAY)
    await handed_in(federation, section(federation, NORWAY))
    await federation.applied()
    await connected(federation, NORWAY)
    assert await federation.transact(GHA, first_transfer(201, 300, 201, NORWAY)) == "completed"
    await federation.settled()
    await federation.stop(HUB)
    by_norway = use(I, 201, 210, NORWAY)
    moved = await federation.propose(NORWAY, by_norway, lifetime_seconds=seconds)
    await federation.stop(SHARED)
    federation.more = {}
    await asyncio.sleep(60)
    await federation.start(HUB, SHARED)
    await federation.reached(moved, expected, SHARED)
    await restarted(federation, NORWAY)
    await federation.settled()
    await agreed(federation, NORWAY, KOR)
    reserved = "select 1 from overlays where actor = :actor"
    assert await federation.rows(SHARED, reserved, actor=str(NORWAY)) == []


# --- lost and set back ----------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [Settings(heartbeat_seconds=5.0)])
async def test_a_node_restored_to_before_the_act_has_back_what_its_new_section_said(
    federation: Federation, tmp_path: Path
) -> None:
    await restarted(federation, NORWAY)
    await federation.settled()
    await federation.stop(SHARED)
    kept = tmp_path / "older"
    copy_databases(federation.folder, kept, str(SHARED))
    await federation.start(SHARED)
    await handed_in(federation, section(federation, NORWAY))
    await federation.applied()
    await connected(federation, NORWAY)
    assert await federation.transact(GHA, first_transfer(201, 300, 201, NORWAY)) == "completed"
    assert await federation.transact(NORWAY, use(I, 201, 210, NORWAY)) == "completed"
    await federation.settled()
    await federation.stop(SHARED)
    await federation.let_go()
    copy_databases(kept, federation.folder, str(SHARED))
    await federation.start(SHARED)
    await federation.applied()
    await federation.settled()
    assert not federation.tasks[SHARED].done()
    await federation.order(SHARED, "open-account", actor=NORWAY, kind="holding")
    assert await federation.transact(NORWAY, transfer(I, 211, 220, NORWAY, CHE)) == "completed"
    await agreed(federation, NORWAY, KOR, VUT)
    assert federation.logged(events.MESSAGE_REFUSED, author=NORWAY) == []


async def test_a_node_restored_together_with_its_old_settings_says_which_section_they_lack(
    federation: Federation, tmp_path: Path
) -> None:
    await federation.settled()
    await federation.stop(SHARED)
    kept = tmp_path / "older"
    copy_databases(federation.folder, kept, str(SHARED))
    await federation.start(SHARED)
    await restarted(federation, NORWAY)
    await handed_in(federation, section(federation, NORWAY))
    await federation.applied()
    await connected(federation, NORWAY)
    assert await federation.transact(GHA, first_transfer(201, 300, 201, NORWAY)) == "completed"
    await federation.settled()
    await federation.stop(SHARED)
    await federation.let_go()
    copy_databases(kept, federation.folder, str(SHARED))
    federation.more = {}
    await federation.start(SHARED)
    await federation.halted(SHARED)
    (refused,) = await federation.rows(SHARED, "select reason, detail from dead_letters")
    assert refused.reason == "consent-missing"
    assert "settings lack UN02/NOR" in refused.detail


# --- acts that do not count -----------------------------------------------------------------------


async def test_a_section_that_does_not_count_changes_nothing(federation: Federation) -> None:
    before = await federation.ledgers()
    whole = section(federation, NORWAY)
    unsigned = whole.model_copy(update={"signatures": whole.signatures[:-1]})
    for act, expected in (
        (unsigned, "signature-invalid"),
        (section(federation, NORWAY, ahead=1), "clock-ahead"),
        (section(federation, KOR), "admitted already"),
    ):
        done, why = await federation.act(act)
        assert not done
        assert expected in why
    assert await federation.ledgers() == before
    stop = StatusChange(
        participant=SHARED, status=Status.SUSPENDED, reason="tried", at=federation.clock.now()
    )
    await handed_in(federation, signed(stop, "ada", "ben"))
    done, why = await federation.act(whole)
    assert not done
    assert "participant-suspended" in why
