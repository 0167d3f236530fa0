# SPDX-License-Identifier: Apache-2.0
"""What is drawn for operators to ask: the same for a seed, and of a form that a desk can answer."""

import json
import random
from collections import Counter
from functools import cache

import pytest

from harness.simulation.authorization_work import Known
from harness.simulation.cast import ADM, ROG, Cast
from harness.simulation.held import Holdings
from harness.simulation.workload import (
    FIRST_UNITS,
    VINTAGE,
    Operation,
    Workload,
    own_key,
)
from ledger.asking import Policy
from mechanism_node.issuance import Issuance, issuance_proposal
from registry.desk import COMMANDS
from schemas.identifiers import Actor, account_number
from schemas.messages import Proposal
from schemas.units import Attributes, Layer

CAST = Cast(2)
ATTRIBUTES = Attributes().model_dump_json()
DRAWS = 1500


def units(actor: str) -> Holdings:
    """Every Party holds what it has issued first."""
    if actor not in CAST.parties:
        return {}
    one = Actor(actor)
    key = own_key(one, VINTAGE)
    return {key.text: [(1, FIRST_UNITS, str(account_number(one, "HLD", 1)), ATTRIBUTES)]}


def authorizations() -> Known:
    """Every Party has authorized, as at the beginning of a run."""
    terms = {"purposes": ["NDC", "IMP"], "first_transfer": "use-or-cancellation"}
    return {(party, f"{party}-1"): [terms] for party in ("GHA", "CHE", "MMR")}


def states() -> dict[str, str]:
    return {"GHA01-GHA-1": "cleared", "ROG01-ROG-2": "completed"}


@cache
def drawn(seed: int) -> list[Operation]:
    workload = Workload(CAST, random.Random(seed), units, states, authorizations)
    return [one for _ in range(DRAWS) if (one := workload.draw()) is not None]


def proposals() -> list[Operation]:
    return [one for one in drawn(1) if one.command == "propose"]


def test_a_seed_draws_the_same_operations_each_time() -> None:
    workload = Workload(CAST, random.Random(1), units, states, authorizations)
    again = [one for _ in range(DRAWS) if (one := workload.draw()) is not None]
    assert again == drawn(1)
    assert drawn(2) != drawn(1)


def test_what_is_not_spoilt_is_a_proposal_that_the_wire_knows() -> None:
    fine = [one for one in proposals() if not one.name.startswith("spoilt")]
    assert len(fine) > 300
    for one in fine:
        parsed(one.arguments)


def test_what_is_spoilt_differs_from_what_would_be_fine_and_is_still_data() -> None:
    spoilt = [one for one in proposals() if one.name.startswith("spoilt")]
    assert 0.15 < len(spoilt) / len(proposals()) < 0.35
    for one in spoilt:
        json.dumps(one.arguments)
        assert one.name.removeprefix("spoilt ") == one.arguments["action"]


def test_issuances_of_the_mechanism_registry_are_what_its_desk_takes() -> None:
    issued = [one for one in drawn(1) if one.command == "issue"]
    assert issued
    for one in issued:
        issuance = Issuance.model_validate_json(json.dumps(one.arguments))
        parsed({"lifetime_seconds": 60, **issuance_proposal(issuance, one.actor, Policy())})


def test_some_issuances_are_written_by_hand_and_go_to_wrong_accounts() -> None:
    lines = [
        line
        for one in proposals()
        if one.actor == ADM and one.arguments["action"] == "issuance"
        for line in one.arguments["lines"]
    ]
    targets = [line["target"].split("-")[2] for line in lines]
    assert set(targets) >= {"PEN", "SOP", "OMG"}
    assert any(line["attributes"]["designation"] is None for line in lines)


def test_some_proposals_are_made_by_somebody_whose_units_they_are_not() -> None:
    strange = [
        one for one in proposals() if one.actor == ROG and str(one.arguments["actor"]) != ROG
    ]
    assert 0.01 < len(strange) / len(proposals()) < 0.06
    actions = {one.arguments["action"] for one in strange}
    assert {"issuance", "approval", "first-transfer"} <= actions, "others' to take"


def test_commands_are_those_of_a_desk_and_actors_those_of_the_cast() -> None:
    actors = {*CAST.holders, ROG}
    known = {*COMMANDS, "issue", "open-account", "close-account"}
    for one in drawn(1):
        assert one.command in known
        assert one.actor in actors or one.command == "withdraw"


def test_every_action_that_the_holdings_allow_is_drawn_and_every_kind_of_answer() -> None:
    names = Counter(one.name for one in drawn(1))
    wanted = {"issuance", "approval", "authorization", "first-transfer", "use", "cancellation"}
    wanted |= {"accept", "reject", "withdraw", "status", "account", "issuance of A6.4ERs"}
    assert wanted <= set(names)


def test_where_nobody_holds_anything_issuing_authorizing_and_asking_is_left() -> None:
    workload = Workload(CAST, random.Random(1), lambda _actor: {}, dict, dict)
    found = [one for _ in range(600) if (one := workload.draw()) is not None]
    assert {one.name.removeprefix("spoilt ") for one in found} == {
        "issuance",
        "approval",
        "issuance of A6.4ERs",
        "authorization",
        "account",
        "cer-entry",
    }


@pytest.mark.parametrize("registries", [1, 3])
def test_each_registry_of_a_cast_has_operators(registries: int) -> None:
    cast = Cast(registries)
    workload = Workload(cast, random.Random(4), lambda _actor: {}, dict, dict)
    actors = {one.actor for _ in range(400) if (one := workload.draw()) is not None}
    assert set(cast.parties) <= actors


def parsed(arguments: dict[str, object]) -> Proposal:
    """The proposal that a desk makes of a command."""
    values = {k: v for k, v in arguments.items() if k not in {"actor", "lifetime_seconds"}}
    lines = values.get("lines", ())
    assert isinstance(lines, list | tuple)
    values.setdefault("quantity", sum(x["last"] - x["first"] + 1 for x in lines))
    values["expires_at"] = "2027-03-01T12:00:00.000000Z"
    return Proposal.model_validate_json(json.dumps(values))


def test_what_a_revocation_binds_is_asked_back_mostly_for_where_it_came_from() -> None:
    swiss, key = Actor("CHE01/CHE"), own_key(Actor("GHA01/GHA"), VINTAGE).on(Layer.ITMO)
    under = {"id": "GHA-1", "version": 1}
    said = Attributes.model_validate({"first_transferred": True, "authorization": under})
    held = (1, 90, str(account_number(swiss, "HLD", 1)), said.model_dump_json())
    versions = [{"binds_first_transferred": True}, {"revoked": True}]
    workload = Workload(
        *(CAST, random.Random(3), lambda actor: {key.text: [held]} if actor == swiss else {}),
        *(dict, lambda: {("GHA", "GHA-1"): versions}),
    )
    drawn = [one for _ in range(DRAWS) if (one := workload.draw()) is not None]
    asked = [one.arguments for one in drawn if one.name == "counter-entry"]
    assert len(asked) > 5
    for arguments in asked:
        parsed(arguments)
        assert arguments["authorization"] == {"id": "GHA-1", "version": 2}
    back = [arguments for arguments in asked if arguments.get("acquirer") == "GHA01/GHA"]
    assert len(back) / len(asked) > 0.7
