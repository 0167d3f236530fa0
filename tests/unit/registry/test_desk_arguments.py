# SPDX-License-Identifier: Apache-2.0
"""Arguments of the wrong type, form or size at the desk: each command says so by a finding, and
nothing else happens; what is missing or no number is named.
"""

import json
from typing import Any

import pytest

from harness.simulation.virtual_time import START
from ledger.asking import Policy
from ledger.directory import Directory
from ledger.holdings import Holdings
from mechanism_node.program import MechanismRegistry
from registry.desk import decide_order
from registry.program import Registry
from registry.state import RegistryFacts
from runtime.clock import Ids
from runtime.program import Batch, Order
from schemas.findings import Finding, Reason
from schemas.identifiers import Instant
from schemas.limits import INTEGER_MAX
from tests.cast import ADM, GHA, U, account, asked, genesis, issuance, keyring

NOON = Instant.of(START)
PROPOSING: dict[str, Any] = {"actor": str(GHA), **asked(issuance(GHA, U, 1, 10))}
COMMANDS: dict[str, dict[str, Any]] = {
    "propose": PROPOSING
    | {"lifetime_seconds": 3600, "quantity": 10, "comment": "c", "instructed_by": None},
    "open-account": {"actor": str(GHA), "kind": "holding", "number": 7, "unit": "MWh", "name": "n"},
    "close-account": {"actor": str(GHA), "account": str(account(GHA))},
    "withdraw": {"actor": str(GHA), "transaction": "GHA01-GHA-1", "comment": "c"},
    "accept": {"actor": str(GHA), "transaction": "GHA01-GHA-1", "comment": "c"},
    "reject": {"actor": str(GHA), "transaction": "GHA01-GHA-1", "comment": "c"},
    "status": {"actor": str(GHA), "transaction": "GHA01-GHA-1"},
    "evidence": {"actor": str(GHA), "transaction": "GHA01-GHA-1"},
    "identify": {
        "actor": str(GHA),
        "entity": "Airline",
        "name": "Airline of the Alps",
        "document": {
            "type": "extract",
            "reference": "R-1",
            "authority": "Office",
            "country": "CHE",
            "date": "2024-01-01",
        },
        "authorized_by": {"letter": "L-1"},
        "contact": "the office",
    },
    "end-identification": {"actor": str(GHA), "entity": "Airline", "reason": "over"},
    "close-year": {"party": "GHA", "year": 2023, "digest": "0" * 64},
}
HOSTILE: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        INTEGER_MAX,
        -INTEGER_MAX,
        "",
        "x",
        "7",
        "\u202e\u0430",
        "GHA\n",
        "9" * 500,
    ),
    *([], [[]], [1], ["x"], {}, {"first": 1}, {"last": []}, [{}], [{"first": "1", "last": 2}]),
    *([None], [{"first": 1}], [{"first": [], "last": {}}], {"a": {"b": [None]}}),
]


def given(command: str, arguments: dict[str, Any]) -> tuple[list[Finding], RegistryFacts]:
    facts = RegistryFacts(
        directory=Directory.begin(genesis()),
        holdings=Holdings(),
        authorizations={},
        now=NOON,
        policy=Policy(),
    )
    order = Order(1, command, "olga", json.loads(json.dumps(arguments)))
    return decide_order(facts, order, (GHA,), Batch(NOON, Ids())), facts


def test_every_command_of_the_desk_is_tried() -> None:
    assert set(COMMANDS) == set(Registry.roles)


@pytest.mark.requirement(43)
@pytest.mark.parametrize(
    ("command", "name"), [(c, n) for c, arguments in COMMANDS.items() for n in arguments]
)
def test_whatever_an_argument_is_it_is_taken_or_refused_with_a_finding(
    command: str, name: str
) -> None:
    for value in HOSTILE:
        found, facts = given(command, COMMANDS[command] | {name: value})
        if found:
            assert facts.holdings.changes() == Holdings().changes(), (name, value)
            assert facts.transactions == {}, (name, value)


@pytest.mark.requirement(43)
@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("propose", "actor"),
        ("open-account", "actor"),
        ("open-account", "kind"),
        ("close-account", "account"),
        ("withdraw", "transaction"),
        ("accept", "transaction"),
        ("reject", "transaction"),
        ("status", "transaction"),
        ("evidence", "transaction"),
        ("close-year", "party"),
        ("close-year", "year"),
        ("close-year", "digest"),
    ],
)
def test_an_argument_that_is_missing_is_named(command: str, name: str) -> None:
    less = {n: value for n, value in COMMANDS[command].items() if n != name}
    (found,), _ = given(command, less)
    assert (found.reason, found.field) == (Reason.COMMAND_INVALID, name)
    assert found.detail == f"the argument {name} is missing"


@pytest.mark.requirement(43)
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lifetime_seconds": "soon"}, "lifetime_seconds"),
        ({"lifetime_seconds": 1.5}, "lifetime_seconds"),
        ({"lifetime_seconds": True}, "lifetime_seconds"),
        ({"lifetime_seconds": INTEGER_MAX}, "lifetime_seconds"),
        ({"lifetime_seconds": -INTEGER_MAX}, "lifetime_seconds"),
        ({"lines": "all of them"}, "lines"),
        ({"lines": {"first": 1}}, "lines"),
        ({"lines": ["all of them"]}, "lines/0"),
        ({"lines": [PROPOSING["lines"][0] | {"last": "10"}]}, "lines/0/last"),
        ({"lines": [PROPOSING["lines"][0] | {"last": 1.5}]}, "lines/0/last"),
        ({"lines": [PROPOSING["lines"][0] | {"last": None}]}, "lines/0/last"),
        ({"lines": [{"first": 1, "last": 2}]}, "lines/0/key"),
        ({"lines": [PROPOSING["lines"][0] | {"last": INTEGER_MAX}]}, "lines/0/last"),
        ({"lines": [PROPOSING["lines"][0]] * 101}, "lines"),
        ({"action": "give"}, "action"),
        ({"quantity": "10"}, "quantity"),
    ],
)
def test_a_wrong_argument_of_a_proposal_is_named(changes: dict[str, Any], field: str) -> None:
    (found,), facts = given("propose", PROPOSING | changes)
    assert (found.reason, found.field) == (Reason.COMMAND_INVALID, field), found
    assert facts.transactions == {}


ISSUING: dict[str, Any] = {
    "party": "MMR",
    "activity": "A0042",
    "vintage": 2024,
    "quantity": 100,
    "first": 1,
    "authorized": 50,
    "buffer": 0,
    "designation": "N",
    "references": {"request": "R", "approval": "A", "approved_quantity": 100},
}


def issue(**changes: Any) -> Finding | Order:
    registry = MechanismRegistry(ADM.participant, [ADM], genesis(), keyring(ADM.participant))
    return registry._proposal(Order(1, "issue", "olga", ISSUING | changes))


@pytest.mark.parametrize("name", ISSUING)
def test_whatever_an_argument_of_an_issuance_is_it_is_taken_or_refused(name: str) -> None:
    assert isinstance(issue(), Order)
    for value in HOSTILE:
        issue(**{name: value})


@pytest.mark.requirement(18)
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"quantity": 1, "authorized": 0}, "of 1 units 1 are share of proceeds and 1 deliver"),
        ({"quantity": 2, "authorized": 1}, "of 2 units 0 remain after the levies"),
        ({"quantity": 100, "authorized": 94}, "of 100 units 93 remain after the levies"),
        ({"quantity": 100, "authorized": 0, "buffer": 94}, "94 go to the buffer"),
    ],
)
def test_an_issuance_that_its_levies_eat_up_says_so(changes: dict[str, Any], why: str) -> None:
    found = issue(designation="N" if changes["authorized"] else None, **changes)
    assert isinstance(found, Finding)
    assert why in found.detail
