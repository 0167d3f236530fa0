# SPDX-License-Identifier: Apache-2.0
"""A run of the hub's envelopes, for a file that says what it did."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.errors import LocalProtocolError
from runtime.places import Place, run_between
from runtime.store import Store, open_store
from runtime.tables import inbox
from schemas.identifiers import HUB_ACTOR
from schemas.limits import EVIDENCE_BYTES_MAX
from schemas.misbehaviour import ENVELOPES_MAX
from tests.peer import NOON
from tests.toy import make_database


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    await make_database(url)
    opened = open_store(url)
    yield opened
    await opened.close()


async def received(store: Store, *bodies: bytes) -> None:
    row = {"sender": HUB_ACTOR, "signed": "", "received_at": NOON, "applied": 1}
    rows = [{**row, "sequence": n, "body": body} for n, body in enumerate(bodies, 1)]
    async with store.transaction() as session:
        await session.execute(inbox.insert(), rows)


async def test_a_run_has_the_envelopes_of_both_ends(store: Store) -> None:
    await received(store, b"one", b"two", b"three", b"four")
    async with store.snapshot() as session:
        assert await run_between(session, Place(2, 1), Place(3, 0)) == ("two", "three")
        assert await run_between(session, Place(7, 0), Place(9, 0)) == ()


@pytest.mark.parametrize(
    "bodies",
    [[b"x"] * (ENVELOPES_MAX + 1), [b"x" * (EVIDENCE_BYTES_MAX // 2 + 1)] * 2],
    ids=["envelopes", "bytes"],
)
async def test_a_run_that_no_file_holds_is_refused(store: Store, bodies: list[bytes]) -> None:
    await received(store, *bodies)
    last = len(bodies)
    async with store.snapshot() as session:
        assert len(await run_between(session, Place(2, 0), Place(last, 0))) == last - 1
        with pytest.raises(LocalProtocolError, match=f"envelopes 1 to {last} of the hub, with"):
            await run_between(session, Place(1, 0), Place(last, 0))
