# SPDX-License-Identifier: Apache-2.0
"""x."""

from tests.cast import CHE, ROG, I, use
from tests.federation import Federation


async def test_smoke(federation: Federation) -> None:
    print(await federation.holdings(CHE))
    assert await federation.transact(CHE, use(I, 1, 10, CHE)) == "completed"
    await federation.settled()


async def test_smoke2(federation: Federation) -> None:
    rogue = await federation.voice(ROG)
    said = await rogue.propose("ROG01-ROG-9", use(I, 1, 10, CHE))
    print(await rogue.reasons(said))
