# SPDX-License-Identifier: Apache-2.0
"""Approvals at the hub: recorded before anything is issued, kept over restarts, used up once."""

import json
from typing import Any

import pytest
from sqlalchemy import text

from ledger.asking import Policy
from mechanism_node.issuance import Issuance, issuance_proposal
from runtime.program import Heard
from runtime.schema import migrate
from runtime.store import open_store
from schemas.findings import Reason
from schemas.identifiers import Actor, Participant
from schemas.messages import Entry, Line
from schemas.units import Kind
from tests.cast import ADM, MMR, A, approval
from tests.unit.hub.alone import Alone

MECHANISM = Participant("UN01")


def issue(alone: Alone, number: int, first: int, quantity: int, under: str = "SB") -> Heard:
    """An issuance of A6.4ERs with its levies, as the mechanism registry works it out."""
    references = {"request": "R", "approval": under, "approved_quantity": 7125}
    wanted = Issuance.model_validate(
        {
            "party": A.party,
            "activity": A.activity,
            "vintage": A.vintage,
            "quantity": quantity,
            "first": first,
            "references": references,
        }
    )
    arguments: dict[str, Any] = issuance_proposal(wanted, ADM, Policy())
    arguments.pop("actor")
    lines = tuple(Line.model_validate_json(json.dumps(one)) for one in arguments.pop("lines"))
    return alone.proposal(ADM, f"UN01-ADM-{number}", {**arguments, "lines": lines})


def approved(alone: Alone, number: int, by: Actor = ADM, quantity: int = 7125) -> Heard:
    name = f"{by.replace('/', '-')}-{number}"
    return alone.proposal(by, name, approval("SB", A, quantity))


async def ended(alone: Alone, said: Heard) -> tuple[str | None, list[Reason]]:
    await alone.run(said)
    assert alone.facts is not None
    body: Entry = alone.facts.entries[-1].message.body
    return body.state, [f.reason for f in body.findings]


@pytest.fixture
async def established(each_url: str) -> Any:
    alone = await Alone.begin(each_url)
    await alone.admit(MECHANISM)
    yield alone
    await alone.store.close()


@pytest.mark.requirement(14, 15)
async def test_nothing_is_issued_before_its_request_is_approved(established: Alone) -> None:
    alone = established
    assert await ended(alone, issue(alone, 1, 1, 7125)) == ("refused", [Reason.APPROVAL_MISSING])
    assert await ended(alone, approved(alone, 2)) == ("completed", [])
    assert await ended(alone, issue(alone, 3, 1, 7125)) == ("completed", [])


@pytest.mark.requirement(18, 19)
async def test_levies_come_with_the_issuance_in_one_entry(established: Alone) -> None:
    alone = established
    await alone.run(approved(alone, 1), issue(alone, 2, 1, 7125))
    assert alone.facts is not None
    effects = alone.facts.entries[-1].message.body.effects
    moved = {e.target.kind: e.quantity for e in effects if e.effect == "move"}
    assert moved == {Kind.PENDING: 6625, Kind.SHARE_OF_PROCEEDS: 357, Kind.OMGE: 143}


@pytest.mark.requirement(15)
async def test_one_unit_more_than_approved_is_refused_over_all_issuances(
    established: Alone,
) -> None:
    alone = established
    assert await ended(alone, approved(alone, 1)) == ("completed", [])
    assert await ended(alone, issue(alone, 2, 1, 7000)) == ("completed", [])
    await alone.restart()
    assert await ended(alone, issue(alone, 3, 8001, 126)) == (
        "refused",
        [Reason.APPROVAL_EXCEEDED],
    )
    assert await ended(alone, issue(alone, 4, 8001, 125)) == ("completed", [])


async def test_an_approval_is_the_administrators_and_recorded_once(established: Alone) -> None:
    alone = established
    assert await ended(alone, approved(alone, 1, MMR)) == ("refused", [Reason.ADMINISTRATOR_ONLY])
    assert await ended(alone, approved(alone, 1)) == ("completed", [])
    assert await ended(alone, approved(alone, 2)) == ("refused", [Reason.APPROVAL_EXISTS])


async def test_what_was_issued_before_approvals_had_records_counts(established: Alone) -> None:
    """Before revision h0009 an approval was a reference and two numbers."""
    alone = established
    await alone.run(approved(alone, 1), issue(alone, 2, 1, 7000))
    async with alone.store.transaction() as session:
        for sql in (
            "create table older as select * from approvals",
            "drop table approvals",
            "alter table older rename to approvals",
            "alter table approvals drop column record",
            "update alembic_version set version_num = 'h0008' where version_num = 'h0010'",
        ):
            await session.execute(text(sql))
    url = alone.store.url
    await alone.store.close()
    await migrate(url, alone.hub.packages)
    alone.store = open_store(url)
    await alone.restart()
    assert await ended(alone, approved(alone, 3, quantity=7126)) == (
        "refused",
        [Reason.APPROVAL_DIFFERS],
    )
    assert await ended(alone, approved(alone, 4)) == ("completed", [])
    assert await ended(alone, issue(alone, 5, 8001, 126)) == (
        "refused",
        [Reason.APPROVAL_EXCEEDED],
    )
