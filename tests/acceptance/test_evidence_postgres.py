# SPDX-License-Identifier: Apache-2.0
"""Evidence from the databases of hub, proposer and acquirer on PostgreSQL: the same facts.

The same federation as on SQLite, in real time.
"""

from tests.acceptance.test_federation_evidence_asked import (
    GHANA,
    SWISS,
    asked,
    exported,
    facts,
    waiting,
)
from tests.cast import GHA, HUB, first_transfer
from tests.federation import Federation


async def test_on_postgresql_each_writes_a_file_with_the_same_facts(
    on_postgres: Federation,
) -> None:
    federation = on_postgres
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201))
    assert await federation.ended(transaction) == "completed"

    async def proven() -> bool | None:
        return True if (await exported(federation, HUB, transaction)).verdict.valid else None

    await federation.settled()
    await federation.wait(proven, "enough witnesses")
    for place in (GHANA, SWISS):
        await asked(federation, place, transaction)
    at_hub, *others = [
        facts(await exported(federation, place, transaction)) for place in (HUB, GHANA, SWISS)
    ]
    assert others == [at_hub, at_hub]
    assert await waiting(federation) == 0
