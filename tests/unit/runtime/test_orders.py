# SPDX-License-Identifier: Apache-2.0
"""Commands of operators: what makes one count, and by which finding it does not."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from runtime.clock import Ids
from runtime.orders import Operator, check_order, submit, write_order
from runtime.program import Entity, Order
from runtime.store import open_store
from schemas.findings import Finding, Reason
from tests.cast import CHE, GHA, account, public, signer
from tests.peer import NOON
from tests.plain import traces_of_pydantic
from tests.toy import make_database

DESK = GHA.participant
OPERATORS = {
    name: Operator(name=name, role=role, key=public(name))
    for name, role in (("vera", "viewer"), ("otto", "operator"), ("olga", "administrator"))
}
OPERATORS["eva"] = Operator.model_validate(
    {
        "name": "eva",
        "role": "entity",
        "key": public("eva"),
        "entity": "Airline",
        "accounts": [str(account(GHA))],
    }
)
ROLES = {"look": "viewer", "propose": "operator", "rotate-key": "administrator"}
ARGUMENTS = {"quantity": 7, "lines": [{"first": 1}]}


def row(
    command: str = "propose", operator: str = "otto", key: str | None = None, **changes: Any
) -> Any:
    """A desk row of a command; `changes` are made after it was signed."""
    line, signature = write_order(
        DESK, command, ARGUMENTS, operator, signer(key or operator), NOON, Ids()
    )
    nonce = json.loads(line)["nonce"]
    return SimpleNamespace(
        **{"id": 3, "command": line, "signature": signature, "nonce": nonce, **changes}
    )


def checked(found: Any, participant: Any = DESK) -> Order | Finding:
    return check_order(found, participant, OPERATORS, ROLES)


def test_a_signed_command_within_its_operators_role_is_an_order() -> None:
    assert checked(row()) == Order(3, "propose", "otto", ARGUMENTS)


@pytest.mark.requirement(31)
@pytest.mark.parametrize("command", ["propose", "look", "rotate-key"])
def test_an_entity_s_person_may_propose_and_nothing_else(command: str) -> None:
    found = checked(row(command, "eva"))
    if command == "propose":
        assert found == Order(3, "propose", "eva", ARGUMENTS, Entity("Airline", (account(GHA),)))
    else:
        assert isinstance(found, Finding)
        assert found.reason is Reason.COMMAND_NOT_ALLOWED


@pytest.mark.requirement(31)
def test_an_entity_whose_access_is_revoked_is_refused_what_it_has_signed() -> None:
    signed = row("propose", "eva")
    assert isinstance(checked(signed), Order)
    left = {name: one for name, one in OPERATORS.items() if name != "eva"}
    found = check_order(signed, DESK, left, ROLES)
    assert isinstance(found, Finding)
    assert (found.reason, found.detail) == (Reason.COMMAND_NOT_ALLOWED, "no such operator here")


@pytest.mark.parametrize(
    "members",
    [
        {"role": "entity"},
        {"role": "entity", "entity": "Airline"},
        {"role": "entity", "accounts": [str(account(GHA))]},
        {"role": "operator", "entity": "Airline", "accounts": [str(account(GHA))]},
        {"role": "viewer", "accounts": [str(account(GHA))]},
        {"role": "entity", "entity": "Airline", "accounts": ["GHA01-GHA-HLD-1-99"]},
    ],
)
def test_entity_and_accounts_go_with_the_role_entity(members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Operator.model_validate({"name": "eva", "key": public("eva")} | members)


RANKS = [
    ("vera", "look", True),
    ("vera", "propose", False),
    ("vera", "rotate-key", False),
    ("otto", "look", True),
    ("otto", "rotate-key", False),
    ("olga", "look", True),
    ("olga", "propose", True),
    ("olga", "rotate-key", True),
]


@pytest.mark.parametrize(("operator", "command", "allowed"), RANKS)
def test_a_role_may_what_the_lower_ones_may(operator: str, command: str, allowed: object) -> None:
    found = checked(row(command, operator))
    assert isinstance(found, Order) is allowed
    if isinstance(found, Finding):
        assert found.reason is Reason.COMMAND_NOT_ALLOWED


def edited(change: Callable[[dict[str, Any]], None]) -> Any:
    """A command that was changed after it was signed."""
    found = row()
    members = json.loads(found.command)
    change(members)
    found.command = json.dumps(members)
    return found


REFUSED: dict[str, tuple[Callable[[], Any], Reason]] = {
    "by nobody known": (lambda: row(operator="eve"), Reason.COMMAND_NOT_ALLOWED),
    "signed by another": (lambda: row(operator="olga", key="otto"), Reason.SIGNATURE_INVALID),
    "other arguments than signed": (
        lambda: edited(lambda m: m["arguments"].update(quantity=8)),
        Reason.SIGNATURE_INVALID,
    ),
    "no signature": (lambda: row(signature="x"), Reason.SIGNATURE_INVALID),
    "another's nonce": (lambda: row(nonce="0" * 32), Reason.COMMAND_NOT_ALLOWED),
    "unknown": (lambda: row("dance"), Reason.COMMAND_INVALID),
    "no JSON": (lambda: row(command="{"), Reason.COMMAND_INVALID),
    "a name twice": (
        lambda: row(command='{"command":"look","command":"propose"}'),
        Reason.COMMAND_INVALID,
    ),
    "a null character in a text": (
        lambda: edited(lambda m: m["arguments"].update(comment="a\0b")),
        Reason.COMMAND_INVALID,
    ),
    "a member too many": (lambda: edited(lambda m: m.update(more=1)), Reason.COMMAND_INVALID),
}


@pytest.mark.requirement(27)
@pytest.mark.parametrize("name", REFUSED, ids=lambda name: name.replace(" ", "-"))
def test_any_other_command_is_refused_with_its_finding(name: str) -> None:
    make, reason = REFUSED[name]
    found = checked(make())
    assert isinstance(found, Finding)
    assert found.reason is reason
    assert traces_of_pydantic(found.detail) == []


def test_a_command_is_good_at_one_desk_alone() -> None:
    found = checked(row(), CHE.participant)
    assert isinstance(found, Finding)
    assert found.reason is Reason.COMMAND_NOT_ALLOWED


async def test_a_command_is_good_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'desk.db'}"
    await make_database(url)
    store, one = open_store(url), row()
    async with store.transaction() as session:
        assert await submit(session, one.command, one.signature, NOON) == 1
    with pytest.raises(IntegrityError):
        async with store.transaction() as session:
            await submit(session, one.command, one.signature, NOON)
    await store.close()
