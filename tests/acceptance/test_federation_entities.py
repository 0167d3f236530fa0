# SPDX-License-Identifier: Apache-2.0
"""An entity in the running mechanism registry: identified, with an account, and out."""

from typing import Any

import pytest

from registry import identification
from registry.entity_verbs import list_entities
from runtime.orders import Operator
from schemas.identifiers import AccountNumber, Participant
from tests.cast import (
    ADM,
    KOR,
    MM1,
    MMR,
    A,
    account,
    asked,
    instruction,
    line,
    public,
    terms,
)
from tests.federation import Federation

MECHANISM = Participant("UN01")
DEVELOPER = "Developer"
IDENTITY: dict[str, Any] = {
    "actor": MMR,
    "entity": DEVELOPER,
    "name": "Delta Cookstoves Ltd",
    "document": {
        "type": "certificate of incorporation",
        "reference": "C-4711",
        "authority": "Directorate of Companies",
        "country": "MMR",
        "date": "2025-03-01",
    },
    "authorized_by": {"approval": "A"},
}
OPENING: dict[str, Any] = {"actor": MMR, "kind": "holding", "entity": DEVELOPER}
HIS = account(MMR, "HLD", 2)


def forwarded(first: int, last: int, to: AccountNumber = HIS) -> dict[str, Any]:
    return {
        "action": "forwarding",
        "lines": (line(A, first, last, account(ADM, "PEN"), to),),
        "acquirer": MMR,
        "instruction": instruction("A"),
    }


def brought(first: int, last: int) -> dict[str, Any]:
    one = line(A, first, last, HIS, account(KOR))
    return {"action": "first-transfer", "lines": (one,), "acquirer": KOR, "authorization": MM1}


def cancelled(first: int, last: int) -> dict[str, Any]:
    one = line(A, first, last, HIS, account(MMR, "CAN"))
    mark = {"purpose": "OP", "user": DEVELOPER, "cancellation": "voluntary"}
    return {"action": "cancellation", "lines": (one,), "use": mark}


async def refused(federation: Federation, command: str, **arguments: Any) -> str:
    done, why = await federation.command(MECHANISM, command, **arguments)
    assert not done
    return why


def said_by(name: str) -> dict[str, Any]:
    return {"instructed_by": {"name": name, "reference": "letter 12"}}


async def live(federation: Federation) -> None:
    """The whole life of an entity with the mechanism registry; A6.4ERs 401 to 500 are pending and
    authorized, those from 501 are contributions.
    """
    assert "entity-not-identified in entity" in await refused(federation, "open-account", **OPENING)
    await federation.order(MECHANISM, "identify", **IDENTITY)
    assert await federation.order(MECHANISM, "open-account", **OPENING) == HIS

    assert await federation.transact(ADM, forwarded(401, 500)) == "completed"
    assert await federation.transact(ADM, forwarded(501, 600)) == "completed"
    assert (A.text, 401, 500, HIS) in await federation.holdings(MMR)

    missing = await refused(federation, "propose", actor=MMR, **asked(brought(401, 410)))
    assert "member-missing in instructed_by" in missing
    word = said_by(DEVELOPER)
    assert await federation.transact(MMR, brought(401, 410), **word) == "completed"
    assert (A.text, 401, 410, account(KOR)) in await federation.holdings(KOR)
    assert await federation.transact(MMR, cancelled(501, 510), **word) == "completed"

    ending = {"actor": MMR, "entity": DEVELOPER, "reason": "licence withdrawn"}
    await federation.order(MECHANISM, "end-identification", **ending)
    assert "any more, since" in await refused(federation, "open-account", **OPENING)
    before = await federation.ledgers()
    for actor, proposal, members in (
        (ADM, forwarded(601, 610), {}),
        (MMR, brought(411, 420), word),
        (MMR, cancelled(511, 520), word),
    ):
        why = await refused(federation, "propose", actor=actor, **asked(proposal), **members)
        assert "entity-not-identified" in why
    assert await federation.ledgers() == before
    one = line(A, 1, 10, account(KOR), HIS)
    back = {"action": "transfer", "lines": (one,), "acquirer": MMR}
    transaction = await federation.propose(KOR, back)
    assert await federation.ended(transaction) == "rejected"
    sql = "select findings from transactions where id = :id"
    (row,) = await federation.rows(KOR.participant, sql, id=transaction)
    assert "entity-not-identified" in row.findings
    assert DEVELOPER not in row.findings

    assert await federation.transact(MMR, brought(411, 500), **said_by("MMR")) == "completed"
    assert await federation.transact(MMR, cancelled(511, 600), **said_by("ADM")) == "completed"
    assert HIS not in {row[3] for row in await federation.holdings(MMR)}
    assert await federation.order(MECHANISM, "close-account", account=HIS) == f"{HIS} closed"
    async with federation.store(MECHANISM).snapshot() as session:
        (listed,) = await list_entities(session)
    assert [(one.number, one.operator) for one in listed.records] == [(1, "olga"), (2, "olga")]
    assert [(one.number, one.open) for one in listed.accounts] == [(HIS, False)]
    assert [one.detail for one in listed.found] == [
        f"Developer is not identified for MMR any more, since {listed.records[1].at[:10]}"
    ]


@pytest.mark.requirement(24, 21, 22)
async def test_an_entity_has_an_account_from_its_identification_until_its_end(
    federation: Federation,
) -> None:
    await live(federation)


@pytest.mark.requirement(24)
async def test_commands_of_one_batch_follow_on_one_another(federation: Federation) -> None:
    """Whoever gives them all at once has the same as whoever waits in between."""
    await federation.stop(MECHANISM)
    ending = {"actor": MMR, "entity": DEVELOPER, "reason": "licence withdrawn"}
    given = [
        ("open-account", OPENING),
        ("identify", IDENTITY),
        ("open-account", OPENING),
        ("end-identification", ending),
        ("open-account", OPENING),
        ("identify", IDENTITY),
    ]
    numbers = []
    for command, more in given:
        numbers.append(await federation.submit(MECHANISM, command, **more))
        if command in identification.COMMANDS:  # which takes two administrators there
            await federation.answer(MECHANISM, numbers[-1])
    await federation.start(MECHANISM)
    await federation.greeted()
    await federation.order(MECHANISM, "open-account", **OPENING)
    sql = "select state from desk where id = :id"
    states = [(await federation.rows(MECHANISM, sql, id=n))[0].state for n in numbers]
    assert states == ["refused", "done", "done", "done", "refused", "done"]
    sql = "select number from accounts where entity = :e order by number"
    rows = await federation.rows(MECHANISM, sql, e=DEVELOPER)
    assert [row.number for row in rows] == [HIS, account(MMR, "HLD", 3)]


@pytest.mark.requirement(31, 24)
async def test_a_person_of_an_entity_is_refused_once_its_authorization_is_revoked(
    federation: Federation,
) -> None:
    """What it signs is refused by the Party's entry in the log alone: no settings are changed."""
    await federation.stop(MECHANISM)
    eva = Operator(
        name="eva", role="entity", key=public("eva"), entity=DEVELOPER, accounts=(account(MMR), HIS)
    )
    federation.operators.append(eva)
    await federation.start(MECHANISM)
    await federation.greeted()
    version = terms("MM-1", MMR, "CA0001", quantity=500, version=2, entities=[DEVELOPER])
    recorded = {"action": "authorization", "terms": version}
    assert await federation.transact(MMR, recorded) == "completed"
    ground = {"authorized_by": {"authorization": "MM-1"}}
    await federation.order(MECHANISM, "identify", **IDENTITY | ground)
    await federation.order(MECHANISM, "open-account", **OPENING)
    assert await federation.transact(ADM, forwarded(401, 500)) == "completed"

    now = {"authorization": {"id": "MM-1", "version": 2}}
    mine = {"actor": MMR, "by": "eva", **asked(brought(401, 410) | now)}
    done, transaction = await federation.command(MECHANISM, "propose", **mine)
    assert done, transaction
    assert await federation.ended(transaction) == "completed"
    partys = asked(
        {**brought(101, 110), "lines": (line(A, 101, 110, account(MMR), account(KOR)),)} | now
    )
    assert "command-not-allowed" in await refused(
        federation, "propose", actor=MMR, by="eva", **partys
    )

    revoked = {"action": "authorization", "terms": version | {"version": 3, "revoked": True}}
    assert await federation.transact(MMR, revoked) == "completed"
    mine |= asked(brought(411, 420) | now)
    why = await refused(federation, "propose", **mine)
    assert "authorization-revoked in body/lines/0/source" in why
    assert "authorization-revoked" in await refused(federation, "open-account", **OPENING)
