# SPDX-License-Identifier: Apache-2.0
"""Entities in the mechanism registry: no account before they are identified, and none when they no
longer stand.

Elsewhere: on whose word their units move (`test_entities`), what the database refuses by itself
(`tests/contract/test_identifications`).
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ledger.blocks import Block
from ledger.holdings import Holdings
from mechanism_node.program import MechanismRegistry
from registry.entity_verbs import list_entities
from registry.program import Registry
from runtime.books import save_holdings
from runtime.program import Entity
from runtime.schema import migrate
from runtime.store import open_store
from schemas.findings import Reason
from schemas.units import Attributes, Position
from tests.cast import ADM, GHA, KOR, MMR, A, account, genesis, keyring, line
from tests.unit.registry.bench import NOON, Bench, bench_of
from tests.unit.registry.developer import (
    AIRLINE,
    DEVELOPER,
    DOCUMENT,
    HERE,
    X,
    at,
    authorize,
    bench_with_developer,
    end,
    first_transfer,
    forwarding,
    identify,
    opening,
    order,
    proposing,
)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_with_developer(tmp_path) as bench:
        yield bench


# --- no account before ----------------------------------------------------------------------------


@pytest.mark.requirement(24)
async def test_an_entity_that_is_not_identified_has_no_account(bench: Bench) -> None:
    (found,) = await bench.run(opening())
    assert at(found) == [(X.ENTITY_NOT_IDENTIFIED, "entity")]
    assert found[0].detail == "Developer is not identified for MMR here"
    assert (await bench.load(opening())).accounts == {}


@pytest.mark.requirement(24)
async def test_an_entity_that_is_identified_has_an_account_of_its_own(bench: Bench) -> None:
    assert await bench.run(opening(None), identify(), opening(), opening()) == [[], [], [], []]
    accounts = (await bench.load(opening())).accounts
    assert {one.number: one.entity for one in accounts.values()} == {
        account(MMR): None,
        account(MMR, "HLD", 2): DEVELOPER,
        account(MMR, "HLD", 3): DEVELOPER,
    }


@pytest.mark.requirement(24)
async def test_what_identified_whom_is_kept_with_who_recorded_it(bench: Bench) -> None:
    await bench.run(identify(contact="registry office"))
    newer = identify(name="Developer plc", authorized_by={"letter": "2026/12"})
    await bench.run(replace(newer, id=7, operator="otto"), opening())
    async with bench.store.snapshot() as session:
        (listed,) = await list_entities(session)
    first, second = listed.records
    assert (first.number, first.operator, first.command, first.at) == (1, "olga", 1, NOON)
    assert (second.number, second.operator, second.command) == (2, "otto", 7)
    assert first.identity is not None
    assert first.identity.document.model_dump() == DOCUMENT
    assert first.identity.authorized_by.words == "approval A"
    assert [one.number for one in listed.accounts] == [account(MMR)]
    assert listed.found == []


WRONG: dict[str, tuple[dict[str, Any], Reason, str | None]] = {
    "an authorization that is not here": (
        {"authorized_by": {"authorization": "MM-1"}},
        X.AUTHORIZATION_MISSING,
        "authorized_by",
    ),
    "an approval that is not here": (
        {"authorized_by": {"approval": "B"}},
        X.APPROVAL_MISSING,
        "authorized_by",
    ),
    "an approval that lists others": ({"entity": AIRLINE}, X.AUTHORIZATION_PARTY, "authorized_by"),
    "two grounds": (
        {"authorized_by": {"approval": "A", "letter": "2026/12"}},
        X.COMMAND_INVALID,
        "authorized_by",
    ),
    "no ground": ({"authorized_by": {}}, X.COMMAND_INVALID, "authorized_by"),
    "no document": ({"document": None}, X.COMMAND_INVALID, "document"),
    "a document of tomorrow": (
        {"document": {**DOCUMENT, "date": "2999-01-01"}},
        X.COMMAND_INVALID,
        None,
    ),
    "more than is needed": ({"date_of_birth": "1990-01-01"}, X.COMMAND_INVALID, "date_of_birth"),
    "the administrator's": ({"actor": ADM}, X.COMMAND_INVALID, None),
    "another registry's": ({"actor": GHA}, X.COMMAND_INVALID, None),
    "a Party": ({"entity": "GHA"}, X.COMMAND_INVALID, None),
}


@pytest.mark.requirement(24)
@pytest.mark.parametrize("name", WRONG)
async def test_an_entity_is_not_identified_by(bench: Bench, name: str) -> None:
    members, reason, field = WRONG[name]
    (found,) = await bench.run(identify(**members))
    assert at(found) == [(reason, field)]
    entity = members.get("entity", DEVELOPER)
    (found,) = await bench.run(opening(entity))
    assert X.ENTITY_NOT_IDENTIFIED in {one.reason for one in found}


@pytest.mark.requirement(24)
async def test_an_account_stays_whose_it_is(bench: Bench) -> None:
    await bench.run(identify(), identify(AIRLINE, authorized_by={"letter": "2026/12"}))
    await bench.run(opening(None), opening())
    for number in (1, 2):
        closing = order("close-account", account=account(MMR, "HLD", number))
        assert await bench.run(closing) == [[]]
    for again in (opening(number=1), opening(AIRLINE, number=2)):
        (found,) = await bench.run(again)
        assert at(found) == [(X.COMMAND_INVALID, None)]
        assert "stays it" in found[0].detail
    assert await bench.run(opening(None, number=2)) == [[]], "without a name it is whose it was"
    accounts = (await bench.load(opening())).accounts
    assert accounts[account(MMR, "HLD", 2)].entity == DEVELOPER


@pytest.mark.requirement(24)
async def test_an_entity_has_holding_accounts_and_no_others(bench: Bench) -> None:
    _, found = await bench.run(identify(), opening(kind="cancellation"))
    assert at(found) == [(X.ACCOUNT_WRONG, "kind")]


@pytest.mark.requirement(24)
async def test_an_entity_of_one_party_has_no_account_with_another(tmp_path: Path) -> None:
    registry = Registry(KOR.participant, [KOR, MMR], genesis(), keyring(KOR.participant))
    async with bench_of(registry, f"sqlite:///{tmp_path / 'sections.db'}") as bench:
        letter = {"letter": "2026/12"}
        await bench.run(identify(authorized_by=letter))
        here, there = await bench.run(opening(), opening(actor=KOR))
        assert here == []
        assert at(there) == [(X.ENTITY_NOT_IDENTIFIED, "entity")]


# --- no longer ------------------------------------------------------------------------------------


@pytest.mark.requirement(24)
async def test_an_ended_identification_gives_no_account_until_there_is_a_new_one(
    bench: Bench,
) -> None:
    assert await bench.run(identify(), end()) == [[], []]
    for command in (opening(), end()):
        (found,) = await bench.run(command)
        assert at(found) == [(X.ENTITY_NOT_IDENTIFIED, "entity")]
        assert "any more, since" in found[0].detail
    assert await bench.run(identify(), opening()) == [[], []]
    async with bench.store.snapshot() as session:
        (listed,) = await list_entities(session)
    assert [one.identity is not None for one in listed.records] == [True, False, True]


async def test_an_account_in_which_units_arrived_late_is_opened_again_for_them_to_leave(
    bench: Bench,
) -> None:
    """They were under way when it was closed; whether the entity stands or not."""
    closing = order("close-account", account=account(MMR))
    assert await bench.run(identify(), opening(), closing, end()) == [[], [], [], []]
    (found,) = await bench.run(opening(number=1))
    assert at(found) == [(X.ENTITY_NOT_IDENTIFIED, "entity")]
    holdings = Holdings()
    position = Position.of(account(MMR))
    holdings.put(Block(A, 1, 10, Attributes(designation="MCU"), position))
    async with bench.store.transaction() as session:
        await save_holdings(session, HERE, holdings.changes())
    assert await bench.run(opening(number=1)) == [[]]
    (found,) = await bench.run(opening())
    assert at(found) == [(X.ENTITY_NOT_IDENTIFIED, "entity")], "but no other one"
    (found,) = await bench.run(proposing(forwarding()))
    assert (X.ENTITY_NOT_IDENTIFIED, "body/lines/0/target") in at(found)


@pytest.mark.requirement(24, 31)
@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"entities": [DEVELOPER], "revoked": True}, X.AUTHORIZATION_REVOKED),
        ({"entities": ["Another"]}, X.AUTHORIZATION_PARTY),
        ({}, X.AUTHORIZATION_PARTY),
    ],
)
async def test_an_authorization_that_is_withdrawn_is_felt_without_a_command(
    bench: Bench, members: dict[str, Any], reason: Reason
) -> None:
    await authorize(bench, 1, entities=[DEVELOPER])
    grounds: dict[str, Any] = {"authorized_by": {"authorization": "MM-1"}}
    assert await bench.run(identify(**grounds), opening()) == [[], []]
    await authorize(bench, 2, **members)
    (found,) = await bench.run(opening())
    assert at(found) == [(reason, "entity")]
    (found,) = await bench.run(identify(**grounds))
    assert at(found) == [(reason, "authorized_by")]
    (found,) = await bench.run(proposing(forwarding()))
    assert (reason, "body/lines/0/target") in at(found)
    developer = Entity(DEVELOPER, (account(MMR),))
    (found,) = await bench.run(replace(proposing(first_transfer(), MMR), entity=developer))
    assert at(found) == [(reason, "body/lines/0/source")]


@pytest.mark.requirement(24, 21)
async def test_nothing_is_forwarded_to_an_entity_that_does_not_stand(bench: Bench) -> None:
    await bench.run(identify(), opening())
    (found,) = await bench.run(proposing(forwarding()))
    assert X.ENTITY_NOT_IDENTIFIED not in {one.reason for one in found}
    await bench.run(end())
    (found,) = await bench.run(proposing(forwarding()))
    assert (X.ENTITY_NOT_IDENTIFIED, "body/lines/0/target") in at(found)
    (one,) = [one for one in found if one.reason is X.ENTITY_NOT_IDENTIFIED]
    assert DEVELOPER not in one.detail, "the other side reads it, too"


async def test_who_is_said_to_acquire_is_whose_account_it_is(bench: Bench) -> None:
    await bench.run(identify(), opening())
    taken = first_transfer(lines=(line(A, 1, 10, account(KOR), account(MMR)),), acquirer=MMR)
    for entity, wrong in ((AIRLINE, True), (DEVELOPER, False)):
        (found,) = await bench.run(proposing(taken | {"entity": entity}))
        assert ((X.ACCOUNT_WRONG, "body/lines/0/target") in at(found)) == wrong


# --- loading and the schema -----------------------------------------------------------------------


async def test_the_entities_that_commands_and_accounts_name_are_loaded_and_no_others(
    bench: Bench,
) -> None:
    await bench.run(identify(), identify(AIRLINE, authorized_by={"letter": "2026/12"}))
    await bench.run(opening(), opening(AIRLINE))
    facts = await bench.load(proposing(forwarding(2)))
    assert set(facts.identified) == {(MMR, AIRLINE)}
    assert set((await bench.load(end())).identified) == {(MMR, DEVELOPER)}
    assert (await bench.load(order("status", transaction="x"))).identified == {}


async def test_accounts_of_an_earlier_build_are_the_party_s(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    registry = MechanismRegistry(HERE, [ADM, MMR], genesis(), keyring(HERE))
    await migrate(url, registry.packages)
    store = open_store(url)
    async with store.transaction() as session:
        columns = "number, actor, kind, name, state, opened_at"
        values = f"'{account(MMR)}', '{MMR}', 'holding', '', 'open', '{NOON}'"
        for statement in (
            "drop trigger accounts_owned",
            "drop trigger accounts_identified",
            "drop table identifications",
            "alter table accounts drop column entity",
            "update alembic_version set version_num = 'g0006' where version_num like 'g%'",
            f"insert into accounts ({columns}) values ({values})",
        ):
            await session.execute(text(statement))
    await store.close()
    async with bench_of(registry, url) as bench:
        letter = {"letter": "2026/12"}
        assert await bench.run(identify(authorized_by=letter), opening()) == [[], []]
        accounts = (await bench.load(opening())).accounts
        assert {one.entity for one in accounts.values()} == {None, DEVELOPER}
