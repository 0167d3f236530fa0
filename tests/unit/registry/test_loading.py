# SPDX-License-Identifier: Apache-2.0
"""What a registry loads for a batch: what its items name, and not whole tables. What an item does
is there for the next one all the same.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from registry.program import Registry
from registry.tables import authorizations
from runtime.clock import Ids
from runtime.many import add
from runtime.program import Entity, Heard, Order
from runtime.schema import migrate
from runtime.store import open_store
from schemas.effects import AuthorizationTerms
from schemas.envelope import digest
from schemas.findings import Finding, Reason
from schemas.messages import Enclosure, Proposal, new_message, parse_message
from schemas.units import Attributes
from tests.cast import (
    CHE,
    GH1,
    GHA,
    I,
    U,
    account,
    admission,
    asked,
    first_transfer,
    genesis,
    issuance,
    keyring,
    line,
    terms,
    transfer,
    use,
)
from tests.unit.registry.bench import NOON, Bench, bench_of

HERE = GHA.participant
IDENTITY = {
    "name": "A company",
    "document": {
        "type": "extract of the register of companies",
        "reference": "C-4711",
        "authority": "Registrar",
        "country": "GHA",
        "date": "2025-03-01",
    },
    "authorized_by": {"letter": "2026/12"},
}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    registry = Registry(HERE, [GHA], genesis(), keyring(HERE))
    url, admitted = f"sqlite:///{tmp_path / 'registry.db'}", admission(HERE, NOON)
    async with bench_of(registry, url, admitted) as bench:
        yield bench


def order(place: int, command: str, **arguments: Any) -> Order:
    return Order(place, command, "olga", {"actor": str(GHA), **arguments})


def opening(number: int, kind: str = "holding") -> Order:
    return order(number, "open-account", kind=kind)


def proposing(number: int, proposal: dict[str, Any]) -> Order:
    return order(number, "propose", **asked(proposal))


def identified(entity: str) -> Order:
    return order(9, "identify", **IDENTITY | {"entity": entity})


def of(found: list[Finding]) -> set[Reason]:
    return {one.reason for one in found}


async def test_the_accounts_that_commands_name_are_loaded_and_no_others(bench: Bench) -> None:
    await bench.run(*(opening(n) for n in range(1, 6)), opening(6, "use"))
    facts = await bench.load(proposing(1, issuance(GHA, U, 1, 10)))
    assert set(facts.accounts) == {account(GHA)}
    facts = await bench.load(order(1, "close-account", account=account(GHA, "HLD", 3)))
    assert set(facts.accounts) == {account(GHA, "HLD", 3)}
    assert set((await bench.load(order(1, "withdraw", transaction="x"))).accounts) == set()
    assert len((await bench.load(opening(1), proposing(2, issuance(GHA, U, 1, 10)))).accounts) == 6


async def test_an_account_that_the_same_batch_opens_or_closes_is_found_so(bench: Bench) -> None:
    propose, closing = issuance(GHA, U, 1, 10), {"account": account(GHA)}
    (missing,) = await bench.run(proposing(1, propose))
    assert Reason.ACCOUNT_UNKNOWN in of(missing)
    opened, found = await bench.run(opening(1), proposing(2, propose))
    assert not opened
    assert Reason.ACCOUNT_UNKNOWN not in of(found)
    closed, gone = await bench.run(order(1, "close-account", **closing), proposing(2, propose))
    assert not closed
    assert Reason.ACCOUNT_UNKNOWN in of(gone)
    await bench.run(order(1, "open-account", kind="holding", number=1))
    (found,) = await bench.run(proposing(1, propose))
    assert Reason.ACCOUNT_UNKNOWN not in of(found)


@pytest.mark.requirement(28)
async def test_an_account_takes_units_of_its_metric_alone(bench: Bench) -> None:
    mwh = Attributes(metric="non-GHG", unit="MWh")
    await bench.run(opening(1), order(2, "open-account", kind="holding", unit="MWh"))
    tonnes = issuance(GHA, U, 1, 10)
    hours = issuance(GHA, U, 11, 20, attributes=mwh) | {"unit": "MWh"}
    hours["lines"] = (line(U, 11, 20, target=account(GHA, "HLD", 2), attributes=mwh),)
    assert await bench.run(proposing(3, tonnes), proposing(4, hours)) == [[], []]
    into_tonnes = hours | {"lines": (line(U, 21, 30, target=account(GHA), attributes=mwh),)}
    (found,) = await bench.run(proposing(5, into_tonnes))
    assert [(f.reason, f.field) for f in found] == [(Reason.METRIC_DIFFERS, "body/lines/0/target")]
    assert found[0].detail == "GHA01-GHA-HLD-1-51 takes t CO2 eq, this is MWh"


@pytest.mark.requirement(28)
async def test_an_account_keeps_its_metric_when_it_is_opened_again(bench: Bench) -> None:
    opened, closed = await bench.run(
        order(1, "open-account", kind="holding", unit="MWh"),
        order(2, "close-account", account=account(GHA)),
    )
    assert (opened, closed) == ([], [])
    again = {"kind": "holding", "number": 1}
    for wrong in ("GJ", "", 7, "x" * 41):
        (found,) = await bench.run(order(3, "open-account", **again, unit=wrong))
        assert of(found) == {Reason.COMMAND_INVALID}
    (found,) = await bench.run(order(4, "open-account", **again))
    assert not found
    facts = await bench.load(order(5, "close-account", account=account(GHA)))
    assert facts.accounts[account(GHA)].unit == "MWh"


async def test_accounts_of_an_earlier_build_are_of_tonnes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    registry = Registry(HERE, [GHA], genesis(), keyring(HERE))
    await migrate(url, registry.packages)
    store = open_store(url)
    async with store.transaction() as session:
        await session.execute(text("alter table accounts drop column unit"))
        await session.execute(
            text("update alembic_version set version_num = 'g0004' where version_num like 'g%'")
        )
        await session.execute(
            text(
                "insert into accounts (number, actor, kind, name, state, opened_at) values "
                "('GHA01-GHA-HLD-1-51', 'GHA01/GHA', 'holding', '', 'open', :at)"
            ),
            {"at": NOON},
        )
    await store.close()
    await migrate(url, registry.packages)
    old = Bench(open_store(url), registry)
    async with old.store.transaction() as session:
        await registry.start(session)
    facts = await old.load(order(1, "close-account", account=account(GHA)))
    assert facts.accounts[account(GHA)].unit is None
    await old.store.close()


@pytest.mark.requirement(31)
async def test_an_entity_acts_with_units_of_its_own_accounts_and_as_itself(bench: Bench) -> None:
    await bench.run(opening(1), opening(2, "use"), identified("Airline"))
    await bench.run(order(3, "open-account", kind="holding", entity="Airline"))
    airline = Entity("Airline", (account(GHA, "HLD", 2),))

    def asks(number: int, proposal: dict[str, Any]) -> Order:
        return replace(proposing(number, proposal), entity=airline)

    issuing = asks(3, issuance(GHA, U, 1, 10))
    using = asks(4, use(I, 1, 10, GHA))
    authorizing = asks(5, {"action": "authorization", "terms": terms("GH-9", GHA, "CA0007")})
    mine = transfer(I, 1, 10, GHA, CHE)
    own = line(I, 1, 10, account(GHA, "HLD", 2), account(CHE))
    found = await bench.run(issuing, using, authorizing, asks(6, mine | {"lines": (own,)}))
    assert [[(f.reason, f.field) for f in each] for each in found[:3]] == [
        [(Reason.COMMAND_NOT_ALLOWED, "body/lines/0/source")],
        [
            (Reason.COMMAND_NOT_ALLOWED, "body/lines/0/source"),
            (Reason.COMMAND_NOT_ALLOWED, "body/use/user"),
        ],
        [(Reason.COMMAND_NOT_ALLOWED, None)],
    ]
    assert Reason.COMMAND_NOT_ALLOWED not in of(found[3]), "what it has not got, other checks say"


async def test_the_accounts_of_an_enclosed_proposal_are_loaded(bench: Bench) -> None:
    await bench.run(opening(1), opening(2))
    members = transfer(I, 1, 10, CHE, GHA)
    body = Proposal(**members, quantity=10, expires_at=NOON)
    made = new_message("proposal", Ids().message(NOON), "CHE01-CHE-1", body)
    facts = await bench.load(enclosing(made.model_dump_json()), enclosing("{}"))
    assert set(facts.accounts) == {account(GHA)}


def recorded_terms(id_: str, version: int) -> str:
    given = json.dumps(terms(id_, GHA, "CA0007", version=version))
    return AuthorizationTerms.model_validate_json(given).model_dump_json()


def enclosing(line: str) -> Heard:
    enclosure = Enclosure(manifest="m", line=line)
    text = new_message("enclosure", Ids().message(NOON), "CHE01-CHE-1", enclosure)
    said = text.model_dump_json().encode()
    return Heard(CHE, parse_message(said), said, digest(said), b"m", 1, 0)


async def test_the_authorizations_that_commands_name_are_loaded_and_no_others(
    bench: Bench,
) -> None:
    recorded = [
        {"party": "GHA", "id": id_, "version": version, "terms": recorded_terms(id_, version)}
        for id_, version in (("GH-1", 1), ("GH-1", 2), ("GH-2", 1))
    ]
    async with bench.store.transaction() as session:
        rows = [{**row, "position": n} for n, row in enumerate(recorded)]
        await add(session, authorizations, rows)
    facts = await bench.load(proposing(1, first_transfer(1, 10, 1)))
    assert {n: set(a.versions) for n, a in facts.authorizations.items()} == {
        ("GHA", GH1.id): {1, 2}
    }
    facts = await bench.load(
        proposing(1, {"action": "authorization", "terms": terms("GH-2", GHA, "CA0007", version=2)})
    )
    assert {id_ for _, id_ in facts.authorizations} == {"GH-2"}
    assert not (await bench.load(opening(1))).authorizations
