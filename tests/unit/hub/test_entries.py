# SPDX-License-Identifier: Apache-2.0
"""What every entry says, whatever made it."""

from sqlalchemy import select

from hub import tables
from schemas.directory import Profile
from schemas.effects import DirectoryEffect
from schemas.identifiers import Participant
from schemas.messages import Entry, parse_message
from tests.cast import CHE, GHA, REC, U, admission, issuance, profile
from tests.unit.hub.alone import Alone

PARTIES = (Participant("GHA01"), Participant("CHE01"))


async def entries(alone: Alone) -> list[Entry]:
    async with alone.store.snapshot() as session:
        table = tables.log_entries
        rows = await session.execute(select(table.c.line).order_by(table.c.position))
        return [parse_message(bytes(row.line)).body for row in rows]


async def test_every_entry_counts_the_acts_before_it(alone: Alone) -> None:
    """Over a restart, and where one batch logs acts and other entries."""
    await alone.admit(*PARTIES)
    await alone.run(alone.proposal(GHA, "GHA01-GHA-1", issuance(GHA, U, 1, 10)))
    await alone.restart()
    await alone.run(
        alone.order(profile(GHA, CHE, Profile.VIEW, alone.now), 1),
        alone.proposal(GHA, "GHA01-GHA-2", issuance(GHA, U, 11, 20)),
        alone.order(admission(REC, alone.now), 2),
        alone.proposal(GHA, "GHA01-GHA-3", issuance(GHA, U, 21, 30)),
    )
    logged = await entries(alone)
    carried = [sum(isinstance(e, DirectoryEffect) for e in one.effects) for one in logged]
    assert logged[0].acts == 0, "genesis is the first act"
    assert [one.acts for one in logged] == [sum(carried[:n]) for n in range(len(logged))]
    assert [one.acts_after for one in logged] == [sum(carried[: n + 1]) for n in range(len(logged))]
    assert sum(carried) == alone.hub.kept.acts == 6
