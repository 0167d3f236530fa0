# SPDX-License-Identifier: Apache-2.0
"""Acts that come to the hub and are none: what is said of them."""

import json
from typing import Any

import pytest

from hub.acts import handed_in, unfit_change
from runtime.program import Order
from schemas.directory import SignedAct
from schemas.findings import Finding, Reason
from tests.cast import GHA
from tests.plain import traces_of_pydantic

HANDED_IN: dict[str, tuple[Any, str]] = {
    "nothing": (None, "Invalid JSON: "),
    "no signatures": ('{"act": "{}"}', "signatures: Field required"),
    "a number": ('{"act": 7, "signatures": ["x"]}', "act: Input should be a valid string"),
}


@pytest.mark.parametrize("name", HANDED_IN)
def test_what_is_handed_in_and_no_signed_act_is_refused_in_one_sentence(name: str) -> None:
    given, words = HANDED_IN[name]
    found = handed_in(Order(1, "act", "olga", {"act": given}))
    assert isinstance(found, Finding)
    assert (found.reason, found.field) == (Reason.COMMAND_INVALID, "act")
    assert found.detail.startswith(words)
    assert traces_of_pydantic(found.detail) == []


ACTS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown act": ({"act": "expulsion"}, "not an act: Input tag 'expulsion' "),
    "a participant that is none": (
        {"act": "status", "participant": "g", "status": "active", "at": "now"},
        "not an act: status/participant: ",
    ),
    "a rotation to no key": ({"act": "rotation", "new": None}, "not an act: rotation/"),
}


@pytest.mark.parametrize("name", ACTS)
def test_a_message_with_no_act_in_it_is_refused_in_one_sentence(name: str) -> None:
    members, words = ACTS[name]
    signed = SignedAct(act=json.dumps(members), signatures=("x",))
    (found,) = unfit_change(GHA, 7, signed)
    assert (found.reason, found.field) == (Reason.COMMAND_INVALID, "body/act")
    assert found.detail.startswith(words)
    assert traces_of_pydantic(found.detail) == []
