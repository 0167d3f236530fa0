# SPDX-License-Identifier: Apache-2.0
"""Both Parties to what differs are told of a case: found, explained, over; each acknowledges it.

Ghana has transferred 1 to 100 to Switzerland, whose rows lose some of them.
"""

from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner, Result

from party_node.cli import app
from reconciliation import report
from registry.cases import KnownCase, load_cases
from runtime import events
from schemas.directory import Status, StatusChange
from schemas.identifiers import REC_ACTOR, Actor, CaseId, Participant
from schemas.messages import CaseNotice
from tests.cast import CHE, GHA, HUB, KOR, MMR, REC, VUT, A, I, first_transfer, signed, use
from tests.edits import EDITS, plant
from tests.federation import Federation, Settings

GHANA, SWISS, UNITED = (a.participant for a in (GHA, CHE, KOR))
QUICK = pytest.mark.parametrize("settings", [Settings(heartbeat_seconds=5.0)])
ROWS = "where actor = 'CHE01/CHE' and series = :series and first = 1"
TURNS = ["open", "explained", "closed"]
STATEMENTS = "select digest from messages where type = 'statement'"
SETTINGS = """participant = "GHA01"
actors = ["GHA01/GHA"]
database_file = "{database}"
broker_file = "broker"
keys = "keys"
"""
WHY = "A backup was restored; 91 to 100 came after it."


async def known(federation: Federation, actor: Actor) -> list[KnownCase]:
    """The cases that a registry knows of, as its operator is shown them."""
    async with federation.store(actor.participant).snapshot() as session:
        return await load_cases(session, (actor,))


async def at_both(federation: Federation, state: str) -> list[KnownCase]:
    """The case at both registries, once it stands so there."""

    async def there() -> list[KnownCase] | None:
        found = [one for actor in (CHE, GHA) for one in await known(federation, actor)]
        return found if [one.newest.state for one in found] == [state] * 2 else None

    return await federation.wait(there, f"the case, {state}, at both")


async def acknowledged(federation: Federation, *wanted: tuple[str, Actor]) -> list[report.Told]:
    """Who was told of what, once these have acknowledged how the case stood."""

    async def there() -> list[report.Told] | None:
        async with federation.store(REC).snapshot() as session:
            told = await report.told(session)
        stated = {(one.state, one.actor) for one in told if one.acknowledged_at is not None}
        return told if stated >= set(wanted) else None

    return await federation.wait(there, "acknowledgements")


def shown(settings: Path, *words: str) -> list[str]:
    """What the verb `cases` prints, or why it does not; it runs a loop of its own, in a thread."""
    arguments, found = ["cases", "--settings", str(settings), *words], list[Result]()
    other = Thread(target=lambda: found.append(CliRunner().invoke(app, arguments)))
    other.start()
    other.join()
    (done,) = found
    return (done.stdout if done.exit_code == 0 else done.stderr).splitlines()


async def lose(federation: Federation) -> None:
    """Switzerland's rows lack 91 to 100."""
    federation.diverged.add(CHE)
    await federation.edit(SWISS, f"update blocks set last = 90 {ROWS}", series=I.series)


@pytest.mark.requirement(111)
@QUICK
async def test_both_parties_are_told_of_a_missing_acquisition_until_it_is_mended(
    federation: Federation,
) -> None:
    await federation.settled()
    await lose(federation)
    for one in await at_both(federation, "open"):
        case = one.newest
        assert (case.actor, case.concerned, case.cause) == (CHE, (GHA,), "missing")
        assert (case.key, case.first, case.last) == (I, 91, 100)
    await federation.order(REC, "explain", case="REC-1", text=WHY)
    assert {one.explanation for one in await at_both(federation, "explained")} == {WHY}
    assert await federation.transact(GHA, first_transfer(201, 300, 201)) == "completed"
    await federation.edit(SWISS, f"update blocks set last = 100 {ROWS}", series=I.series)
    for one in await at_both(federation, "closed"):
        assert one.opened_at < (one.explained_at or "") < (one.closed_at or "")
        assert one.explanation == WHY, "it stays to be read"
    place, place_file = federation.folder, federation.folder / "database"
    place_file.write_text(federation.urls[GHANA])
    settings = place / "settings.toml"
    settings.write_text(SETTINGS.format(database=place_file))
    head, row = shown(settings)
    assert head.split()[:7] == ["case", "state", "cause", "actor", "key", "first", "last"]
    assert row.split()[:7] == ["REC-1", "closed", "missing", "CHE01/CHE", I.text, "91", "100"]
    assert row.endswith(f"  {WHY}")
    record = dict(line.split(maxsplit=1) for line in shown(settings, "--format", "record"))
    assert (record["told"], record["told_elsewhere"]) == ("GHA01/GHA", "CHE01/CHE")
    assert record["opened_at"] < record["explained_at"] < record["closed_at"]
    assert (record["quantity"], record["explanation"]) == ("10", WHY)
    assert shown(settings, "--open") == []
    (refused,) = shown(settings, "--section", "CHE")
    assert "CHE has no section in GHA01" in refused
    every = [(state, actor) for state in TURNS for actor in (CHE, GHA)]
    told = await acknowledged(federation, *every)
    assert [(one.state, one.actor) for one in told] == every, "and nobody else"
    said = {row.digest for row in await federation.rows(HUB, STATEMENTS)}
    assert {one.statement for one in told} <= said, "each by a statement that it has signed"
    assert all(one.delivery < (one.size or 0) for one in told)
    for elsewhere in (KOR, VUT):
        assert await known(federation, elsewhere) == []
    assert await federation.rows(GHANA, "select 1 from overlays where kind = 'frozen'") == []
    told_there = federation.logged(events.CASE_TOLD, participant=GHANA)
    assert [one["state"] for one in told_there] == TURNS
    assert not federation.logged(events.CASE_TOLD, participant=UNITED)


@pytest.mark.requirement(111)
@QUICK
async def test_who_claims_what_another_holds_has_its_holder_told_and_not_stopped(
    federation: Federation,
) -> None:
    """Switzerland's rows have units that Korea has brought from Myanmar's section of another
    registry; Vanuatu is a section beside Korea's.
    """
    await federation.settled()
    edit = EDITS["a row of another actor's units is added"]
    await plant(federation, edit)

    async def told() -> list[KnownCase] | None:
        return await known(federation, KOR) or None

    (case,) = await federation.wait(told, "the case at its holder")
    assert (case.newest.actor, case.newest.cause) == (CHE, "held-twice")
    assert {(A.text, case.newest.first, case.newest.last, "held-twice")} == edit.cases
    assert case.newest.concerned == (MMR, KOR), "who holds them, and of whom it had them"
    assert len(await known(federation, MMR)) == 1
    assert await known(federation, VUT) == []
    assert await known(federation, GHA) == []
    frozen = "select actor from overlays where kind = 'frozen'"
    assert await federation.rows(UNITED, frozen) == []
    assert {row.actor for row in await federation.rows(HUB, frozen)} == {str(CHE)}
    assert await federation.transact(KOR, use(A, 1, 10, KOR)) == "completed"


@pytest.mark.requirement(111)
@QUICK
async def test_a_party_that_is_suspended_is_told_and_one_that_is_away_is_told_later(
    federation: Federation,
) -> None:
    await federation.settled()
    stopped = StatusChange(
        participant=GHANA, status=Status.SUSPENDED, reason="tried", at=federation.clock.now()
    )
    assert (await federation.act(signed(stopped, "ada", "cleo")))[0]
    await federation.stop(GHANA)
    await lose(federation)
    told = await acknowledged(federation, ("open", CHE))
    assert [(o.actor, o.acknowledged_at is None) for o in told] == [(CHE, False), (GHA, True)]
    async with federation.store(REC).snapshot() as session:
        (case,) = await report.discrepancies(session)
    assert (case.acknowledged, case.awaited) == (CHE, GHA)
    await federation.start(GHANA)
    told = await acknowledged(federation, ("open", GHA))
    assert [one.newest.state for one in await known(federation, GHA)] == ["open"]


@pytest.mark.requirement(111)
async def test_a_case_that_concerns_nobody_s_actor_is_refused(federation: Federation) -> None:
    await federation.stop(REC)
    voice = await federation.voice(REC_ACTOR)
    notice = CaseNotice(
        key=I,
        first=1,
        last=10,
        case=CaseId("REC-7"),
        actor=CHE,
        concerned=(Actor("FRA01/FRA"), GHA),
        cause="missing",
        state="open",
        freeze=True,
        detail="",
    )
    said = await voice.say("case", "REC-7", notice)
    assert [r.value for r in await voice.reasons(said)] == ["participant-unknown"]
    assert await federation.rows(HUB, "select 1 from cases") == []
    await voice.close()
    assert Participant("CHE01") in federation.tasks
