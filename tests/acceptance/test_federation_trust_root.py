# SPDX-License-Identifier: Apache-2.0
"""A trust root that was told by other means than the hub: no log that begins otherwise is followed,
even one that begins with the same genesis act.
"""

import pytest

from hub.evidence import trust_root
from runtime.errors import LocalProtocolError
from runtime.schema import migrate
from schemas.identifiers import Digest, Participant
from tests.cast import CHE, GHA, HUB, REC, I, transfer
from tests.federation import Federation

OTHER = Digest("0" * 64)
GHANA = GHA.participant


async def begin_anew(federation: Federation, participant: Participant) -> None:
    """Take a program's database away; it gets a new one."""
    await federation.stop(participant)
    await federation.let_go()
    for file in federation.folder.glob(f"{participant}.db*"):
        file.unlink()
    program = federation.program(participant)
    await migrate(federation.urls[participant], program.packages)


@pytest.mark.parametrize("participant", [GHANA, REC])
async def test_a_program_does_not_start_on_another_log(
    federation: Federation, participant: Participant
) -> None:
    await federation.stop(participant)
    federation.settings.trust_root = OTHER
    program = federation.program(participant)
    with pytest.raises(LocalProtocolError, match=f"trust_root is {OTHER}, and the log that came"):
        async with federation.store(participant).transaction() as session:
            await program.start(session)
    async with federation.store(HUB).snapshot() as session:
        federation.settings.trust_root = (await trust_root(session)).root
    await federation.start(participant)
    assert await federation.transact(CHE, transfer(I, 1, 10, CHE, GHA)) == "completed"
    await federation.settled()


async def test_a_registry_halts_at_the_first_entry_of_another_log(federation: Federation) -> None:
    await begin_anew(federation, GHANA)
    federation.settings.trust_root = OTHER
    await federation.start(GHANA)
    why = await federation.halted(GHANA)
    assert f"and trust_root is {OTHER}" in why
    assert await federation.rows(GHANA, "select * from deliveries") == []
    federation.diverged.add(GHA)


async def test_the_reconciliation_service_takes_nothing_of_another_log(
    federation: Federation,
) -> None:
    await begin_anew(federation, REC)
    federation.settings.trust_root = OTHER
    await federation.start(REC)

    async def alarmed() -> bool | None:
        rows = await federation.rows(REC, "select detail from alarms where kind = 'log-fork'")
        return any(f"and trust_root is {OTHER}" in row.detail for row in rows) or None

    await federation.wait(alarmed, "the alarm")
    assert await federation.rows(REC, "select * from entries") == []
    await federation.stop(REC)
