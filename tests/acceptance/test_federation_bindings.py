# SPDX-License-Identifier: Apache-2.0
"""Each Party is bound to one registry at a time: at a running hub, and from one to another."""

from pathlib import Path
from typing import Any

import pytest

from harness.simulation.virtual_time import LoopClock
from schemas.directory import BindingChange, Profile, SignedAct, Status
from schemas.findings import Reason
from schemas.identifiers import Actor, Participant, PartyCode
from schemas.messages import Acceptance
from tests.cast import (
    CHE,
    GHA,
    HUB,
    REC,
    ROG,
    I,
    U,
    admission,
    asked,
    first_transfer,
    issuance,
    profile,
    signed,
    terms,
    transfer,
    use,
)
from tests.federation import Federation

X = Reason
GHANA, SWISS, SHARED = Participant("GHA01"), Participant("CHE01"), Participant("UN02")
SECTION = Actor("UN02/CHE")
"""Switzerland's in the international registry."""
TERMS = terms("RG-2", ROG, "CA0009")


def binding(federation: Federation, party: str, actor: Actor | None, *names: str) -> SignedAct:
    """Two administrators, and those named, bind a Party now."""
    act = BindingChange(
        party=PartyCode(party), actor=actor, reason="letter", at=federation.clock.now()
    )
    return signed(act, "ada", "cleo", *names)


async def bind(federation: Federation, party: str, actor: Actor | None, *names: str) -> None:
    done, why = await federation.act(binding(federation, party, actor, *names))
    assert done, why
    await federation.applied()


async def refused_at_home(federation: Federation, actor: Actor, wanted: dict[str, Any]) -> str:
    """Why the actor's own registry does not say the proposal."""
    done, why = await federation.command(actor.participant, "propose", actor=actor, **asked(wanted))
    assert not done
    return why


# --- without a binding ----------------------------------------------------------------------------


@pytest.mark.requirement(1)
async def test_a_party_without_a_binding_is_refused_and_passes_once_it_has_one(
    federation: Federation,
) -> None:
    await bind(federation, "CHE", None, CHE)
    assert "not-bound" in await refused_at_home(federation, CHE, use(I, 1, 5, CHE))
    why = await refused_at_home(federation, GHA, first_transfer(201, 300, 201))
    assert "CHE is bound to no section" in why
    await federation.settled()
    await federation.stop(SWISS)
    voice = await federation.voice(CHE)
    said = await voice.propose("CHE01-CHE-1", use(I, 1, 5, CHE))
    assert await voice.reasons(said) == [X.NOT_BOUND], "past the desk of its own registry"
    await voice.close()
    await federation.start(SWISS)
    await bind(federation, "CHE", CHE, CHE)
    assert await federation.transact(CHE, use(I, 1, 5, CHE)) == "completed"
    assert await federation.transact(GHA, first_transfer(201, 300, 201)) == "completed"


@pytest.mark.requirement(1)
async def test_a_hub_that_starts_again_knows_who_is_bound(federation: Federation) -> None:
    await bind(federation, "ROG", None, ROG)
    await federation.settled()
    await federation.stop(HUB)
    await federation.start(HUB)
    voice = await federation.voice(ROG)
    said = await voice.propose("ROG01-ROG-3", {"action": "authorization", "terms": TERMS})
    assert await voice.reasons(said) == [X.NOT_BOUND]
    await voice.close()


@pytest.mark.requirement(1)
async def test_what_waits_for_an_answer_when_a_binding_ends_does_not_complete(
    federation: Federation,
) -> None:
    rogue = await federation.voice(ROG)
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201, ROG))
    await federation.reached(transaction, "cleared", GHANA)
    await bind(federation, "ROG", None, ROG)
    (row,) = await federation.rows(
        HUB, "select message from transactions where id = :id", id=transaction
    )
    await rogue.say("acceptance", transaction, Acceptance(), answers=row.message)
    assert await federation.ended(transaction) == "refused"
    assert await federation.rows(GHANA, "select 1 from overlays where kind = 'reserved'") == []
    await rogue.close()


@pytest.mark.requirement(1)
async def test_whoever_waits_may_still_take_its_proposal_back(federation: Federation) -> None:
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201, ROG))
    await federation.reached(transaction, "cleared", GHANA)
    await bind(federation, "GHA", None, GHA)
    await federation.order(GHANA, "withdraw", transaction=transaction)
    assert await federation.ended(transaction) == "withdrawn"


# --- acts that do not count -----------------------------------------------------------------------


@pytest.mark.requirement(1)
async def test_a_binding_that_not_all_have_signed_changes_nothing(federation: Federation) -> None:
    before = await federation.ledgers()
    for names in ((), (GHA,), ("ben",)):
        done, why = await federation.act(binding(federation, "CHE", None, *names))
        assert not done
        assert "signature-invalid" in why
    done, why = await federation.act(binding(federation, "CHE", CHE, CHE))
    assert not done
    assert "bound to CHE01/CHE already" in why
    assert await federation.ledgers() == before
    assert await federation.transact(CHE, use(I, 1, 5, CHE)) == "completed"


@pytest.mark.requirement(1)
async def test_nobody_brings_an_ended_binding_back_by_its_old_act(federation: Federation) -> None:
    await bind(federation, "ROG", None, ROG)
    back = binding(federation, "ROG", ROG, ROG)
    assert (await federation.act(back))[0]
    await bind(federation, "ROG", None, ROG)
    done, why = await federation.act(back)
    assert not done
    assert "recorded already" in why


# --- from one registry to another -----------------------------------------------------------------


@pytest.mark.requirement(1)
async def test_a_party_changes_its_registry_and_takes_its_units_with_it(
    federation: Federation, tmp_path: Path
) -> None:
    """From its own registry to a section in the international one; both are real programs."""
    folder = tmp_path / "empty"
    folder.mkdir()
    fresh = Federation(folder, federation.logs, LoopClock(), more={SHARED: (SECTION,)})
    await fresh.make_databases()
    await fresh.start()
    await admitted(fresh)
    given = {"action": "authorization", "terms": terms("GH-1", GHA, "CA0007")}
    swiss = terms("CH-1", CHE, "CA0007")
    mine = {"action": "authorization", "terms": swiss}
    for actor, wanted in ((GHA, issuance(GHA, U, 1, 1000)), (GHA, given), (CHE, mine)):
        assert await fresh.transact(actor, wanted) == "completed"
    assert await fresh.transact(GHA, first_transfer(1, 100, 1)) == "completed"

    over = transfer(I, 1, 90, CHE, SECTION)
    assert "not-bound" in await refused_at_home(fresh, CHE, over), "it is bound where it was first"
    await bind(fresh, "CHE", SECTION, CHE, SECTION)
    assert "not-bound" in await refused_at_home(fresh, CHE, use(I, 91, 95, CHE))
    assert "not-bound" in await refused_at_home(fresh, GHA, first_transfer(101, 110, 101))
    assert await fresh.transact(CHE, over) == "completed"
    assert await fresh.transact(SECTION, use(I, 1, 5, SECTION)) == "completed"
    revoked = {"action": "authorization", "terms": swiss | {"version": 2, "revoked": True}}
    assert await fresh.transact(SECTION, revoked) == "completed", "of what it never saw"
    direct = first_transfer(101, 110, 101, SECTION)
    assert await fresh.transact(GHA, direct) == "completed"
    assert {row[1:3] for row in await fresh.holdings(CHE)} == {(91, 100)}
    retired = [row for row in await fresh.holdings(GHA) if "-RET-" in row[3]]
    assert [row[1:3] for row in retired] == [(1, 5)], "locked units follow their ITMOs"

    await fresh.settled()
    acts = "select position, act, signatures from acts where position > 0 order by position"
    expected = [tuple(row) for row in await fresh.rows(HUB, acts)]
    for participant in (GHANA, SWISS, SHARED, REC):
        assert [tuple(row) for row in await fresh.rows(participant, acts)] == expected
    await fresh.audit()
    await fresh.close()


async def admitted(fresh: Federation) -> None:
    """The service, Ghana, Switzerland, and later the international registry; with accounts."""
    clock = fresh.clock
    for participant in (REC, GHANA, SWISS):
        assert (await fresh.act(admission(participant, clock.now())))[0]
    later = admission(SHARED, clock.now(), Status.ACTIVE, SECTION)
    assert (await fresh.act(later))[0]
    for a, b in ((GHA, CHE), (GHA, SECTION), (CHE, SECTION)):
        done, why = await fresh.act(profile(a, b, Profile.INFORMATION, clock.now()))
        assert done, why
    for actor, kinds in (
        (GHA, ("holding",)),
        (CHE, ("holding", "use")),
        (SECTION, ("holding", "use")),
    ):
        for kind in kinds:
            await fresh.order(actor.participant, "open-account", actor=actor, kind=kind)
