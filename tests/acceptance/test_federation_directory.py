# SPDX-License-Identifier: Apache-2.0
"""Acts on the directory at a running hub: who must sign, what counts once, what newcomers get."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.simulation.virtual_time import LoopClock
from runtime import events
from schemas.directory import (
    ActorKey,
    Admission,
    BindingChange,
    LastSequence,
    Profile,
    ProfileChange,
    Revocation,
    Rotation,
    SignedAct,
    Status,
    StatusChange,
)
from schemas.findings import Reason
from schemas.identifiers import Actor, Instant, Participant, PartyCode
from schemas.messages import Acceptance, Entry, RotationRequest
from tests.cast import (
    ACTORS,
    CHE,
    GHA,
    HUB,
    MMR,
    PROFILES,
    REC,
    ROG,
    I,
    R,
    U,
    admission,
    asked,
    first_transfer,
    issuance,
    profile,
    public,
    signed,
    signer,
    terms,
    transfer,
    use,
)
from tests.federation import Federation, Settings
from tests.voice import Voice

X = Reason
GHANA, SWISS, ROGUE = Participant("GHA01"), Participant("CHE01"), Participant("ROG01")
FRANCE = Participant("FRA01")
FRENCH = Actor("FRA01/FRA")


def newcomer(now: Instant, **changes: Any) -> Admission:
    members: dict[str, Any] = {
        "participant": FRANCE,
        "actors": (ActorKey(actor=FRENCH, key=public(FRENCH)),),
        "witness_key": public("witness FRA01"),
        "at": now,
    }
    return Admission(**members | changes)


def status(now: Instant, name: Status = Status.SUSPENDED, of: Participant = SWISS) -> StatusChange:
    return StatusChange(participant=of, status=name, reason="tried", at=now)


def unbinding(now: Instant) -> BindingChange:
    return BindingChange(party=PartyCode("CHE"), actor=None, reason="tried", at=now)


def revocation(now: Instant, old: str = CHE, **changes: Any) -> Revocation:
    members: dict[str, Any] = {
        "actor": CHE,
        "old": signer(old).public.key_id,
        "new": None,
        "closes": (LastSequence(to=HUB, last=1000),),
        "reason": "lost",
        "at": now,
    }
    return Revocation(**members | changes)


def rotation(now: Instant, actor: Actor, last: int, new: str = "new", **changes: Any) -> Rotation:
    members: dict[str, Any] = {
        "actor": actor,
        "old": signer(actor).public.key_id,
        "new": public(new),
        "closes": (LastSequence(to=HUB, last=last),),
        "at": now,
    }
    return Rotation(**members | changes)


Make = Callable[[Instant], SignedAct]
REFUSED: dict[str, tuple[Make, str]] = {
    "an admission by one administrator": (
        lambda now: signed(newcomer(now), "ada", FRENCH),
        "signature-invalid",
    ),
    "an admission by one administrator twice": (
        lambda now: signed(newcomer(now), "ada", "ada", FRENCH),
        "signature-invalid",
    ),
    "an admission without the newcomer": (
        lambda now: signed(newcomer(now), "ada", "ben"),
        "signature-invalid",
    ),
    "an admission by the hub itself": (
        lambda now: signed(newcomer(now), "HUB", "HUB", FRENCH),
        "signature-invalid",
    ),
    "a second admission": (
        lambda now: admission(GHANA, now, Status.TESTING),
        "is admitted already",
    ),
    "an admission with somebody's key": (
        lambda now: signed(
            newcomer(now, actors=(ActorKey(actor=FRENCH, key=public(GHA)),)), "ada", "ben", GHA
        ),
        "a key of its own",
    ),
    "the admission of another's actor": (
        lambda now: signed(
            newcomer(now, actors=(ActorKey(actor=Actor("GHA01/CHE"), key=public(FRENCH)),)),
            "ada",
            "ben",
            FRENCH,
        ),
        "its own",
    ),
    "a status by one administrator": (lambda now: signed(status(now), "ada"), "signature-invalid"),
    "a status of nobody": (
        lambda now: signed(status(now, of=FRANCE), "ada", "ben"),
        "participant-unknown",
    ),
    "a status from the future": (
        lambda now: signed(status(Instant.of(now.moment() + timedelta(seconds=11))), "ada", "ben"),
        "clock-ahead",
    ),
    "a profile from the future": (
        lambda now: profile(GHA, CHE, Profile.VIEW, Instant.of(now.moment() + timedelta(days=9))),
        "clock-ahead",
    ),
    "an admission from the future": (
        lambda now: signed(
            newcomer(Instant.of(now.moment() + timedelta(seconds=11))), "ada", "ben", FRENCH
        ),
        "clock-ahead",
    ),
    "a binding from the future": (
        lambda now: signed(
            unbinding(Instant.of(now.moment() + timedelta(days=9))), "ada", "ben", CHE
        ),
        "clock-ahead",
    ),
    "a binding that the section did not sign": (
        lambda now: signed(unbinding(now), "ada", "ben", GHA),
        "signature-invalid",
    ),
    "a revocation by its owner": (
        lambda now: signed(revocation(now), CHE),
        "signature-invalid",
    ),
    "a revocation of an older key": (
        lambda now: signed(revocation(now, "older"), "ada", "ben"),
        "key-unknown",
    ),
    "a profile that one side signed": (
        lambda now: signed(
            ProfileChange(actors=(GHA, MMR), profile=Profile.UNIT, at=now), GHA, "ada", "ben"
        ),
        "signature-invalid",
    ),
    "a profile with nobody": (
        lambda now: signed(
            ProfileChange(actors=(GHA, FRENCH), profile=Profile.UNIT, at=now), GHA, FRENCH
        ),
        "participant-unknown",
    ),
    "an admission with an administrator's key": (
        lambda now: signed(
            newcomer(now, actors=(ActorKey(actor=FRENCH, key=public("cleo")),)),
            "ada",
            "ben",
            "cleo",
        ),
        "a key of its own",
    ),
    "a rotation that its owner signed": (
        lambda now: signed(rotation(now, CHE, 1000), CHE, "new"),
        "changes its key by message",
    ),
    "no act": (lambda _: SignedAct(act='{"act":"expulsion"}', signatures=()), "command-invalid"),
    "no JSON": (lambda _: SignedAct(act="hello", signatures=()), "command-invalid"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_an_act_that_does_not_count_changes_nothing(
    federation: Federation, name: str
) -> None:
    make, expected = REFUSED[name]
    before = await federation.ledgers()
    done, why = await federation.act(make(federation.clock.now()))
    assert not done
    assert expected in why
    assert await federation.ledgers() == before
    assert (await federation.act(signed(status(federation.clock.now()), "cleo", "ben")))[0]


async def test_what_is_no_act_at_all_is_refused(federation: Federation) -> None:
    for arguments in ({}, {"act": None}, {"act": 5}, {"act": "{}"}, {"act": {"act": "x"}}):
        done, why = await federation.command(HUB, "act", **arguments)
        assert not done
        assert "command-invalid" in why


# --- an act counts once --------------------------------------------------------------------------


async def test_nobody_undoes_a_suspension_by_saying_an_old_act_again(
    federation: Federation,
) -> None:
    """Everybody has the old acts with their signatures; said again they must not count again."""
    clock = federation.clock
    active = signed(status(clock.now(), Status.ACTIVE, ROGUE), "ada", "ben")
    assert (await federation.act(active))[0]
    assert (await federation.act(signed(status(clock.now(), of=ROGUE), "ada", "ben")))[0]
    voice = await federation.voice(ROG)
    said = await voice.say("rotation", "rotation", RotationRequest(act=active))
    assert await voice.reasons(said) == [X.TYPE_NOT_ALLOWED], "nothing but a rotation by message"
    done, why = await federation.act(active)
    assert not done
    assert "recorded already" in why
    said = await voice.propose("ROG01-ROG-3", issuance(ROG, R, 2001, 2010))
    assert await voice.reasons(said) == [X.PARTICIPANT_SUSPENDED]
    await voice.close()


async def test_a_profile_that_was_ended_is_not_brought_back_by_the_old_act(
    federation: Federation,
) -> None:
    agreed = profile(GHA, CHE, Profile.UNIT, federation.clock.now())
    assert (await federation.act(agreed))[0]
    ended = profile(GHA, CHE, Profile.VIEW, federation.clock.now())
    assert (await federation.act(ended))[0]
    done, why = await federation.act(agreed)
    assert not done
    assert "recorded already" in why
    wanted = transfer(I, 1, 5, CHE, GHA)
    await federation.applied()
    done, why = await federation.command(SWISS, "propose", actor=CHE, **asked(wanted))
    assert not done
    assert "profile-forbids" in why


# --- rotations by message -------------------------------------------------------------------------


async def say_rotation(voice: Voice, act: Rotation, *names: str) -> list[Reason]:
    said = await voice.say("rotation", "rotation", RotationRequest(act=signed(act, *names)))
    return await voice.reasons(said)


@pytest.mark.requirement(49)
async def test_an_actor_changes_its_own_key_and_goes_on_with_the_new_one(
    federation: Federation,
) -> None:
    voice = await federation.voice(ROG)
    now, sequence = federation.clock.now(), await voice.next_sequence(HUB)
    voice.sequences[HUB] -= 1
    assert await say_rotation(voice, rotation(now, ROG, sequence), ROG, "new") == []
    voice.key = "new"
    await voice.completes("ROG01-ROG-3", issuance(ROG, R, 2001, 2010))
    voice.key = ROG
    envelope = await voice.seal(
        HUB, [voice.make("proposal", "ROG01-ROG-4", voice.proposal(issuance(ROG, R, 3001, 3001)))]
    )
    await voice.send(HUB, envelope)

    async def dead() -> bool | None:
        return True if federation.logged(events.ENVELOPE_DEAD, participant=HUB) else None

    await federation.wait(dead, "the refusal of the old key")
    assert await federation.state("ROG01-ROG-4") is None
    voice.key, voice.sequences[HUB] = "new", voice.sequences[HUB] - 1
    await voice.completes("ROG01-ROG-4", issuance(ROG, R, 3001, 3001))
    await voice.close()


ROTATIONS: dict[str, tuple[Callable[[Instant, int], Rotation], tuple[str, ...], Reason]] = {
    "of another's key": (
        lambda now, n: rotation(now, CHE, n),
        (CHE, "new"),
        X.AUTHOR_NOT_ACTING,
    ),
    "signed by the new key alone": (
        lambda now, n: rotation(now, ROG, n),
        ("new",),
        X.SIGNATURE_INVALID,
    ),
    "signed by the old key alone": (
        lambda now, n: rotation(now, ROG, n),
        (ROG,),
        X.SIGNATURE_INVALID,
    ),
    "to a key that somebody has": (
        lambda now, n: rotation(now, ROG, n, new=CHE),
        (ROG, CHE),
        X.COMMAND_INVALID,
    ),
    "to the key that it has": (
        lambda now, n: rotation(now, ROG, n, new=ROG),
        (ROG, ROG),
        X.COMMAND_INVALID,
    ),
    "that closes before this envelope": (
        lambda now, n: rotation(now, ROG, n - 1),
        (ROG, "new"),
        X.COMMAND_INVALID,
    ),
    "that closes in the future": (
        lambda now, n: rotation(now, ROG, n + 1000),
        (ROG, "new"),
        X.COMMAND_INVALID,
    ),
    "that closes nothing": (
        lambda now, n: rotation(now, ROG, n, closes=()),
        (ROG, "new"),
        X.COMMAND_INVALID,
    ),
    "of a key that is not the current one": (
        lambda now, n: rotation(now, ROG, n, old=signer("older").public.key_id),
        (ROG, "new"),
        X.KEY_UNKNOWN,
    ),
}


@pytest.mark.parametrize("name", ROTATIONS)
async def test_a_wrong_rotation_changes_no_key(federation: Federation, name: str) -> None:
    make, names, reason = ROTATIONS[name]
    voice = await federation.voice(ROG)
    sequence = await voice.next_sequence(HUB)
    voice.sequences[HUB] -= 1
    before = await federation.ledgers()
    act = make(federation.clock.now(), sequence)
    assert await say_rotation(voice, act, *names) == [reason]
    assert await federation.ledgers() == before
    await voice.completes("ROG01-ROG-3", issuance(ROG, R, 2001, 2010))
    await voice.close()


async def test_administrators_acts_are_not_taken_from_a_registry(federation: Federation) -> None:
    """Not even when they are signed as they must be: the hub's own desk is where they belong."""
    voice = await federation.voice(ROG)
    now = federation.clock.now()
    before = await federation.ledgers()
    for act in (
        signed(newcomer(now), "ada", "ben", FRENCH),
        signed(status(now), "ada", "ben"),
        signed(revocation(now), "ada", "ben"),
        signed(unbinding(now), "ada", "ben", CHE),
        profile(GHA, MMR, Profile.UNIT, now),
    ):
        said = await voice.say("rotation", "rotation", RotationRequest(act=act))
        assert await voice.reasons(said) == [X.TYPE_NOT_ALLOWED]
    said = await voice.say(
        "rotation", "r-1", RotationRequest(act=SignedAct(act="x", signatures=()))
    )
    assert await voice.reasons(said) == [X.COMMAND_INVALID]
    assert await federation.ledgers() == before
    await voice.close()


# --- revocation -----------------------------------------------------------------------------------


async def test_after_a_revocation_the_old_key_says_nothing_more(federation: Federation) -> None:
    voice = await federation.voice(ROG)
    last = await voice.next_sequence(HUB) - 1
    voice.sequences[HUB] -= 1
    act = Revocation(
        actor=ROG,
        old=signer(ROG).public.key_id,
        new=public("replacement"),
        closes=(LastSequence(to=HUB, last=last),),
        reason="stolen",
        at=federation.clock.now(),
    )
    assert (await federation.act(signed(act, "ada", "cleo")))[0]
    before = await federation.ledgers()
    stolen = voice.make("proposal", "ROG01-ROG-3", voice.proposal(issuance(ROG, R, 2001, 2010)))
    await voice.send(HUB, await voice.seal(HUB, [stolen]))

    async def dead() -> bool | None:
        found = federation.logged(events.ENVELOPE_DEAD, participant=HUB)
        return True if any("key-unknown" in str(one["finding"]) for one in found) else None

    await federation.wait(dead, "the refusal of the stolen key")
    assert await federation.ledgers() == before
    voice.key, voice.sequences[HUB] = "replacement", last
    await voice.completes("ROG01-ROG-3", issuance(ROG, R, 2001, 2010))
    await voice.close()


# --- newcomers ------------------------------------------------------------------------------------


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


async def beginning(folder: Path, federation: Federation) -> Federation:
    """Another federation, in which nobody is admitted yet."""
    fresh = Federation(folder, federation.logs, LoopClock(), Settings())
    await fresh.make_databases()
    await fresh.start()
    return fresh


async def acts_known(federation: Federation, participant: Participant) -> list[tuple[Any, ...]]:
    rows = await federation.rows(participant, "select position, act from acts order by position")
    return [tuple(row) for row in rows if row.position > 0]


async def test_a_late_newcomer_gets_the_whole_directory_and_takes_part(
    federation: Federation, empty: Path
) -> None:
    fresh = await beginning(empty, federation)
    for participant in (REC, GHANA):
        assert (await fresh.act(admission(participant, fresh.clock.now())))[0]
    await fresh.order(GHANA, "open-account", actor=GHA, kind="holding")
    assert await fresh.transact(GHA, issuance(GHA, U, 1, 1000)) == "completed"
    given = {"action": "authorization", "terms": terms("GH-1", GHA, "CA0007")}
    assert await fresh.transact(GHA, given) == "completed"
    assert (await fresh.act(admission(SWISS, fresh.clock.now())))[0]
    assert (await fresh.act(profile(*PROFILES[0], fresh.clock.now())))[0]
    await fresh.order(SWISS, "open-account", actor=CHE, kind="holding")
    assert await fresh.transact(GHA, first_transfer(1, 100, 1)) == "completed"
    await fresh.settled()
    expected = [
        tuple(row)
        for row in await fresh.rows(HUB, "select position, act from acts order by position")
        if row.position > 0
    ]
    for participant in (GHANA, SWISS):
        assert await acts_known(fresh, participant) == expected
    await fresh.audit()
    await fresh.close()


async def test_a_reconciliation_service_admitted_late_gets_the_whole_log(
    federation: Federation, empty: Path
) -> None:
    fresh = await beginning(empty, federation)
    assert (await fresh.act(admission(GHANA, fresh.clock.now())))[0]
    await fresh.order(GHANA, "open-account", actor=GHA, kind="holding")
    for first in (1, 101, 201):
        assert await fresh.transact(GHA, issuance(GHA, U, first, first + 99)) == "completed"
    assert (await fresh.act(admission(REC, fresh.clock.now())))[0]

    async def has_all() -> bool | None:
        rows = await fresh.rows(REC, "select count(*) from entries")
        return True if rows[0][0] == await fresh.log_size() else None

    await fresh.wait(has_all, "the log at the reconciliation service")
    await fresh.edit(GHANA, "update blocks set last = 150 where first = 101")
    fresh.diverged.add(GHA)
    assert await fresh.transact(GHA, issuance(GHA, U, 301, 400)) == "completed"

    async def named() -> list[Any] | None:
        return await fresh.rows(REC, "select first, last, cause from cases") or None

    found = await fresh.wait(named, "the case")
    assert [tuple(row) for row in found] == [(151, 200, "missing")]
    await fresh.audit()
    await fresh.close()


async def test_admissions_handed_in_at_once_reach_everybody(
    federation: Federation, empty: Path
) -> None:
    """Several in one batch: each newcomer gets those before it and those behind it."""
    fresh = await beginning(empty, federation)
    order = [p for p in ACTORS if p not in {HUB, "ROG01"}]
    for participant in order:
        act = admission(participant, fresh.clock.now())
        await fresh.submit(HUB, "act", act=act.model_dump_json())
    await fresh.greeted()
    await fresh.settled()
    for participant in order:
        if participant != REC:
            assert len(await acts_known(fresh, participant)) == len(order), participant
    positions = [m.body.position for m in await fresh.entries() if isinstance(m.body, Entry)]
    assert positions == list(range(len(order) + 1))
    await fresh.audit()
    await fresh.close()


async def test_somebody_suspended_still_answers_and_is_transferred_to(
    federation: Federation,
) -> None:
    act = signed(status(federation.clock.now()), "ada", "ben")
    assert (await federation.act(act))[0]
    assert await federation.transact(GHA, first_transfer(201, 300, 201)) == "completed"
    transaction = await propose_past_the_desk(federation)
    assert await federation.state(transaction) == "refused"
    act = signed(status(federation.clock.now(), Status.ACTIVE), "ada", "ben")
    assert (await federation.act(act))[0]
    await federation.applied()


async def propose_past_the_desk(federation: Federation) -> str:
    await federation.settled()
    await federation.stop(SWISS)
    voice = await federation.voice(CHE)
    said = await voice.propose("CHE01-CHE-1", use(I, 1, 5, CHE))
    assert await voice.reasons(said) == [X.PARTICIPANT_SUSPENDED]
    await voice.close()
    return "CHE01-CHE-1"


async def test_a_proposer_suspended_before_the_acceptance_does_not_complete(
    federation: Federation,
) -> None:
    """Everything is checked again at the point of no return."""
    rogue = await federation.voice(ROG)
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201, ROG))
    await federation.reached(transaction, "cleared", GHANA)
    act = signed(status(federation.clock.now(), of=GHANA), "ada", "ben")
    assert (await federation.act(act))[0]
    (row,) = await federation.rows(
        HUB, "select message from transactions where id = :id", id=transaction
    )
    await rogue.say("acceptance", transaction, Acceptance(), answers=row.message)
    assert await federation.ended(transaction) == "refused"
    assert await federation.rows(GHANA, "select 1 from overlays where kind = 'reserved'") == []
    await rogue.close()
