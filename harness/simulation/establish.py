# SPDX-License-Identifier: Apache-2.0
"""An established federation: everybody admitted and connected, with accounts and first units; the
same for all seeds.

Elsewhere: what is done with it (`run`).
"""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from harness.simulation.cast import ADM, HUB, KOR, MMR, REC, VUT, Cast
from harness.simulation.cer_work import CERS_FIRST, cer_approval, cer_key
from harness.simulation.chances import Chances
from harness.simulation.held import MWH, MWH_NUMBER
from harness.simulation.mechanism_work import approval_record
from harness.simulation.trace import Trace
from harness.simulation.virtual_time import START
from harness.simulation.workload import APPROACH, FIRST_UNITS, VINTAGE, own_key
from harness.simulation.world import Places, World
from hub.genesis import begin_log
from hub.guard import Guard
from runtime.schema import migrate
from schemas.identifiers import Actor, Participant, account_number
from schemas.units import Key

__all__ = ["established"]

SAID = {"approval": "first", "participant": "Developer", "reference": "letter"}
PATIENCE_SECONDS = 120.0


async def established(folder: Path, cast: Cast) -> tuple[datetime, str]:
    """Make the databases of an established federation in a new folder; gives its time, and the text
    of the hub's anchor.
    """
    folder.mkdir(parents=True)
    places = Places(folder, cast)
    world = World(cast, places, 0, Chances({}), Trace(), START)
    for participant in cast.programs:
        url = f"sqlite:///{places.paths[participant]}"
        await migrate(url, world.program(participant).packages)
    guard = Guard(world.anchor, cast.keyring(HUB).checkpoint)
    await begin_log(world.view(HUB), cast.genesis(), world.right.now(), world.ids, guard)
    for participant in cast.programs:
        world.start(participant)
    for participant in cast.actors:
        if participant != HUB:
            await _act(world, cast.admission(participant, world.right.now()).model_dump_json())
    for a, b, name in cast.profiles:
        signed = cast.profile((a, b), name, (0, 0), world.right.now())
        await _act(world, signed.model_dump_json())
    for actor in cast.parties:
        for kind in ("holding", "holding", "use", "cancellation", "omge"):
            await world.command(actor.participant, "open-account", actor=actor, kind=kind)
        for kind in ("holding", "use", "cancellation", "omge"):
            mwh = {"kind": kind, "number": MWH_NUMBER, "unit": MWH}
            await world.command(actor.participant, "open-account", actor=actor, **mwh)
    for actor, kinds in (
        (ADM, ("pending", "share-of-proceeds", "omge", "cancellation", "buffer", "administrative")),
        (ADM, ("cer", "retirement")),
        (MMR, ("holding", "retirement", "cancellation", "omge", "cer")),
        (KOR, ("holding", "use", "cancellation", "omge")),
        (VUT, ("holding", "use", "cancellation", "omge")),
    ):
        for kind in kinds:
            await world.command(actor.participant, "open-account", actor=actor, kind=kind)
    await _everybody_idle(world)
    for actor in cast.parties:
        await _first_units(world, actor)
    await _first_a6_4ers(world)
    await _first_cers(world)
    await asyncio.sleep(60.0)
    for life in world.lives.values():
        life.node.stop()
    await asyncio.wait([life.task for life in world.lives.values()])
    ended = world.right.now().moment()
    for participant in cast.programs:  # who greeted before it was admitted is not of interest
        async with world.view(participant).transaction() as session:
            await session.execute(text("delete from dead_letters"))
        await places.let_go(participant)
    assert world.anchor.text is not None, "the log has begun"
    return ended, world.anchor.text


async def _first_units(world: World, actor: Actor) -> None:
    """A Party issues, and authorizes."""
    line = {
        "key": own_key(actor, VINTAGE).model_dump(mode="json"),
        "first": 1,
        "last": FIRST_UNITS,
        "target": account_number(actor, "HLD", 1),
        "attributes": {},
    }
    references = {"request": "R", "approval": "first", "approved_quantity": FIRST_UNITS}
    terms = {
        "id": f"{actor.section}-1",
        "version": 1,
        "approach": APPROACH,
        "party": actor.section,
        "purposes": ["NDC", "IMP"],
        "first_transfer": "use-or-cancellation",
        "binds_first_transferred": True,
    }
    await _propose(world, actor, action="issuance", lines=[line], references=references)
    await _propose(world, actor, action="authorization", terms=terms)


async def _first_a6_4ers(world: World) -> None:
    """The administrator issues A6.4ERs, half of them authorized, and forwards some."""
    terms = {
        "id": "MMR-1",
        "version": 1,
        "approach": "CA0001",
        "party": "MMR",
        "purposes": ["NDC", "IMP"],
        "first_transfer": "use-or-cancellation",
    }
    await _propose(world, MMR, action="authorization", terms=terms)
    record = approval_record("first", "A0042", VINTAGE, FIRST_UNITS)
    await _propose(world, ADM, action="approval", approval=record)
    await world.command(
        ADM.participant,
        "issue",
        party="MMR",
        activity="A0042",
        vintage=VINTAGE,
        quantity=FIRST_UNITS,
        first=1,
        authorized=FIRST_UNITS // 2,
        designation="NI",
        authorization={"id": "MMR-1", "version": 1},
        references={"request": "R first", "approval": "first", "approved_quantity": FIRST_UNITS},
    )
    await _everybody_idle(world)
    line = {
        "key": Key.parse(f"itmo:CA0001-UN01-MMR-{VINTAGE}:A0042").model_dump(mode="json"),
        "first": 1,
        "last": FIRST_UNITS // 4,
        "source": account_number(ADM, "PEN", 1),
        "target": account_number(MMR, "HLD", 1),
    }
    await _propose(world, ADM, action="forwarding", lines=[line], acquirer=MMR, instruction=SAID)


async def _first_cers(world: World) -> None:
    """The administrator takes in CERs, and gives half of them to a Party."""
    await _propose(world, ADM, action="approval", approval=cer_approval())
    line = {
        "key": cer_key().model_dump(mode="json"),
        "first": 1,
        "last": CERS_FIRST,
        "target": account_number(ADM, "CER", 1),
        "attributes": {"designation": "CER"},
    }
    record = cer_approval()
    references = {
        "request": record["request"],
        "approval": record["id"],
        "approved_quantity": record["quantity"],
    }
    await _propose(world, ADM, action="cer-entry", lines=[line], references=references)
    del line["attributes"]
    line |= {"last": CERS_FIRST // 2, "source": line["target"]}
    line["target"] = account_number(MMR, "CER", 1)
    await _propose(world, ADM, action="cer-transfer", lines=[line], acquirer=MMR)


async def _propose(world: World, actor: Actor, **proposal: Any) -> None:
    await world.command(actor.participant, "propose", actor=actor, **proposal)
    await _everybody_idle(world)
    rows = await world.rows(actor.participant, "select result from desk where state = 'refused'")
    assert not rows, rows


async def _everybody_idle(world: World) -> None:
    """Wait until nothing waits on a desk and no transaction is open."""
    for participant in world.cast.programs:
        await _none(world, participant, "desk where state = 'open'")
    for participant in world.cast.programs:
        if participant != REC:
            await _none(world, participant, "transactions where state in ('proposed', 'cleared')")


async def _act(world: World, act: str) -> None:
    await world.command(HUB, "act", act=act)
    await _none(world, HUB, "desk where state = 'open'")
    rows = await world.rows(HUB, "select result from desk where state = 'refused'")
    assert not rows, rows


async def _none(world: World, participant: Participant, what: str) -> None:
    """Wait until there are no such rows."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await world.rows(participant, f"select 1 from {what}"):  # noqa: ASYNC110 - a look
            await asyncio.sleep(0.2)
