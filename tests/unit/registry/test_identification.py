# SPDX-License-Identifier: Apache-2.0
"""Entities in the mechanism registry: no account before they are identified, and on whose word
their units move.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ledger.blocks import Block
from ledger.holdings import Holdings
from mechanism_node.program import MechanismRegistry
from registry import tables
from registry.entity_verbs import list_entities
from registry.program import Registry
from runtime.books import save_holdings
from runtime.many import write_over
from runtime.program import Entity, Order
from runtime.schema import migrate
from runtime.store import open_store
from schemas.approvals import ApprovalRecord
from schemas.effects import AuthorizationTerms
from schemas.findings import Finding, Reason
from schemas.units import Attributes, Position
from tests.cast import (
    ADM,
    GHA,
    KOR,
    MM1,
    MMR,
    A,
    account,
    approval,
    asked,
    genesis,
    instruction,
    keyring,
    line,
    terms,
)
from tests.unit.registry.bench import NOON, Bench, bench_of

HERE = ADM.participant
DEVELOPER, AIRLINE = "Developer", "Airline"
DOCUMENT = {
    "type": "certificate of incorporation",
    "reference": "C-4711",
    "authority": "Directorate of Companies",
    "country": "MMR",
    "date": "2025-03-01",
}
X = Reason


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """The mechanism registry, where an approval lists the developer as a participant."""
    registry = MechanismRegistry(HERE, [ADM, MMR], genesis(), keyring(HERE))
    async with bench_of(registry, f"sqlite:///{tmp_path / 'registry.db'}") as bench:
        record = ApprovalRecord.model_validate_json(json.dumps(approval("A", A, 1000)["approval"]))
        row = {
            "actor": ADM,
            "approval": "A",
            "approved_quantity": 1000,
            "issued": 0,
            "record": record.model_dump_json(),
        }
        async with bench.store.transaction() as session:
            await write_over(session, tables.approvals, [row])
        yield bench


async def authorize(bench: Bench, version: int, **members: Any) -> None:
    """A version of the Party's authorization, as an entry would have brought it."""
    given = json.dumps(terms("MM-1", MMR, "CA0001", version=version, **members))
    row = {
        "party": "MMR",
        "id": "MM-1",
        "version": version,
        "terms": AuthorizationTerms.model_validate_json(given).model_dump_json(),
        "position": version,
    }
    async with bench.store.transaction() as session:
        await write_over(session, tables.authorizations, [row])


def order(command: str, **arguments: Any) -> Order:
    return Order(1, command, "olga", arguments)


def identify(entity: str = DEVELOPER, **members: Any) -> Order:
    given = {
        "actor": MMR,
        "entity": entity,
        "name": f"{entity} Ltd",
        "document": DOCUMENT,
        "authorized_by": {"approval": "A"},
    }
    return order("identify", **given | members)


def end(entity: str = DEVELOPER, reason: str = "dissolved") -> Order:
    return order("end-identification", actor=MMR, entity=entity, reason=reason)


def opening(entity: str | None = DEVELOPER, **members: Any) -> Order:
    return order("open-account", **{"actor": MMR, "kind": "holding", "entity": entity} | members)


def proposing(proposal: dict[str, Any], actor: Any = ADM, **members: Any) -> Order:
    return order("propose", actor=actor, **asked(proposal) | members)


def forwarding(number: int = 1) -> dict[str, Any]:
    one = line(A, 1, 10, account(ADM, "PEN"), account(MMR, "HLD", number))
    return {
        "action": "forwarding",
        "lines": (one,),
        "acquirer": MMR,
        "instruction": instruction("A"),
    }


def first_transfer(number: int = 1, **members: Any) -> dict[str, Any]:
    one = line(A, 1, 10, account(MMR, "HLD", number), account(KOR))
    return {"action": "first-transfer", "lines": (one,), "acquirer": KOR, "authorization": MM1} | (
        members
    )


def cancellation(user: str, number: int = 1) -> dict[str, Any]:
    one = line(A, 1, 10, account(MMR, "HLD", number), account(MMR, "CAN"))
    mark = {"purpose": "OP", "user": user, "cancellation": "voluntary"}
    return {"action": "cancellation", "lines": (one,), "use": mark}


def at(found: list[Finding]) -> list[tuple[Reason, str | None]]:
    return [(one.reason, one.field) for one in found]


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
    "the administrator's": ({"actor": ADM}, X.COMMAND_INVALID, ""),
    "another registry's": ({"actor": GHA}, X.COMMAND_INVALID, None),
    "a Party": ({"entity": "GHA"}, X.COMMAND_INVALID, ""),
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


# --- on whose word --------------------------------------------------------------------------------

ITS_WORD = {"name": DEVELOPER, "reference": "letter of 1 May"}
PARTY_S_WORD = {"name": "MMR", "reference": "letter of 2 May"}
ADM_S_WORD = {"name": "ADM", "reference": "decision 3"}
THEIRS = {X.MEMBER_MISSING, X.COMMAND_NOT_ALLOWED, X.MEMBER_SUPERFLUOUS, X.ENTITY_NOT_IDENTIFIED}


def of_the_word(found: list[Finding]) -> list[tuple[Reason, str | None]]:
    """The findings about whose word it is; what the ledger says of units is not of interest."""
    return [
        (one.reason, one.field)
        for one in found
        if one.reason in THEIRS and one.field and "instruct" in one.field
    ]


@pytest.mark.requirement(24)
@pytest.mark.parametrize(
    ("word", "stands", "ended"),
    [
        (
            None,
            [(X.MEMBER_MISSING, "instructed_by")],
            [(X.MEMBER_MISSING, "instructed_by")],
        ),
        (ITS_WORD, [], [(X.ENTITY_NOT_IDENTIFIED, "instructed_by")]),
        (PARTY_S_WORD, [(X.COMMAND_NOT_ALLOWED, "instructed_by/name")], []),
        (ADM_S_WORD, [(X.COMMAND_NOT_ALLOWED, "instructed_by/name")], []),
        (
            {"name": AIRLINE, "reference": "letter"},
            [(X.COMMAND_NOT_ALLOWED, "instructed_by/name")],
            [(X.COMMAND_NOT_ALLOWED, "instructed_by/name")],
        ),
    ],
)
async def test_units_of_an_entity_move_on_its_word_while_it_stands_and_then_on_its_party_s(
    bench: Bench, word: dict[str, str] | None, stands: Any, ended: Any
) -> None:
    await bench.run(identify(), opening())
    asking = proposing(first_transfer(), MMR, **({"instructed_by": word} if word else {}))
    (found,) = await bench.run(asking)
    assert of_the_word(found) == stands
    await bench.run(end())
    (found,) = await bench.run(asking)
    assert of_the_word(found) == ended


async def test_a_word_is_given_about_units_of_entities_and_by_no_person_of_theirs(
    bench: Bench,
) -> None:
    await bench.run(identify(), opening(), opening(None))
    asking = proposing(first_transfer(2), MMR, instructed_by=ITS_WORD)
    (found,) = await bench.run(asking)
    assert of_the_word(found) == [(X.MEMBER_SUPERFLUOUS, "instructed_by")]
    developer = Entity(DEVELOPER, (account(MMR),))
    asking = proposing(first_transfer(), MMR, instructed_by=ITS_WORD)
    (found,) = await bench.run(replace(asking, entity=developer))
    assert of_the_word(found) == [(X.MEMBER_SUPERFLUOUS, "instructed_by")]
    for wrong in ("letter", {"name": DEVELOPER}, {**ITS_WORD, "more": 1}):
        (found,) = await bench.run(proposing(first_transfer(), MMR, instructed_by=wrong))
        assert [one.reason for one in found] == [X.COMMAND_INVALID]


@pytest.mark.requirement(22)
async def test_what_an_entity_has_cancelled_is_cancelled_for_it(bench: Bench) -> None:
    await bench.run(identify(), opening())
    for user, wrong in ((DEVELOPER, False), (AIRLINE, True)):
        asking = proposing(cancellation(user), MMR, instructed_by=ITS_WORD)
        (found,) = await bench.run(asking)
        assert ((X.COMMAND_NOT_ALLOWED, "body/use/user") in at(found)) == wrong


@pytest.mark.requirement(31)
async def test_a_person_of_an_entity_has_no_accounts_that_are_not_the_entity_s(
    bench: Bench,
) -> None:
    """Whatever the settings say: the Party's, another entity's, or one that is not there."""
    await bench.run(identify(), identify(AIRLINE, authorized_by={"letter": "2026/12"}))
    await bench.run(opening(None), opening(AIRLINE), opening())
    settings = tuple(account(MMR, "HLD", number) for number in (1, 2, 3, 9))
    developer = Entity(DEVELOPER, settings)
    for number in (1, 2, 9):
        asking = replace(proposing(first_transfer(number), MMR), entity=developer)
        (found,) = await bench.run(asking)
        assert at(found)[0] == (X.COMMAND_NOT_ALLOWED, "body/lines/0/source")
    (found,) = await bench.run(replace(proposing(first_transfer(3), MMR), entity=developer))
    assert X.COMMAND_NOT_ALLOWED not in {one.reason for one in found}


@pytest.mark.requirement(31)
async def test_a_person_of_an_entity_does_not_say_what_units_are_authorized_for(
    bench: Bench,
) -> None:
    await bench.run(identify(), opening())
    named = {"action": "designation", "designation": "N", "authorization": MM1}
    asking = proposing({**named, "lines": (line(A, 1, 10, account(MMR)),)}, MMR)
    developer = Entity(DEVELOPER, (account(MMR),))
    (found,) = await bench.run(replace(asking, entity=developer))
    assert at(found) == [(X.COMMAND_NOT_ALLOWED, "body/action")]
    (found,) = await bench.run(asking)
    assert of_the_word(found) == [], "the Party says it, and nothing moves"


@pytest.mark.requirement(88)
async def test_a_person_of_an_entity_takes_no_first_transfer_back(bench: Bench) -> None:
    """Both Parties sign that: an operator does for the entity's, on its word as ever."""
    await bench.run(identify(), opening())
    back = {**first_transfer(), "action": "counter-entry"}
    developer = Entity(DEVELOPER, (account(MMR),))
    (found,) = await bench.run(replace(proposing(back, MMR), entity=developer))
    assert at(found) == [(X.COMMAND_NOT_ALLOWED, "body/action")]
    (found,) = await bench.run(proposing(back, MMR))
    assert of_the_word(found) == [(X.MEMBER_MISSING, "instructed_by")]
    (found,) = await bench.run(proposing(back, MMR, instructed_by=ITS_WORD))
    assert of_the_word(found) == []


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
