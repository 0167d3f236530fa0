# SPDX-License-Identifier: Apache-2.0
"""What may cause an entry: each end of a transaction has its cause, and no other will do."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import pytest

from harness.simulation.causes import Causes, Said, messages_in

GHA, CHE = "GHA01/GHA", "CHE01/CHE"
TRANSACTION = "GHA01-GHA-1"


def said(type_: str, author: str, *, about: str = TRANSACTION, **members: Any) -> Said:
    """A message in an envelope of its own."""
    message = {"type": type_, "conversation": about, "answers": None, "body": {}, **members}
    payload = urlsafe_b64encode(json.dumps({"from": author}).encode()).rstrip(b"=")
    (found,) = messages_in(b"head." + payload + b".signature\n" + json.dumps(message).encode())
    return found


def entry(cause: Said | None, state: str | None, *, about: str = TRANSACTION, **body: Any) -> Any:
    """An entry that names a cause."""
    named = (cause.digest, cause.manifest) if cause else (None, None)
    members = {"manifest": named[1], "state": state, "findings": [], "effects": [], **body}
    return {"conversation": about, "answers": named[0], "body": members}


PROPOSAL = said("proposal", GHA, body={"acquirer": CHE})


def wrong(cause: Said | None, state: str, **body: Any) -> list[str]:
    """What is wrong with the cause of a second entry, after the clearing."""
    causes = Causes()
    assert list(causes.wrong(entry(PROPOSAL, "cleared"), PROPOSAL)) == []
    assert causes.proposal(TRANSACTION) == PROPOSAL
    return list(causes.wrong(entry(cause, state, **body), cause))


def answer(type_: str, author: str, to: Said = PROPOSAL, **members: Any) -> Said:
    return said(type_, author, answers=to.digest, **members)


FITTING = {
    "completed": answer("acceptance", CHE),
    "refused": answer("acceptance", CHE),
    "rejected": answer("rejection", CHE, body={"findings": []}),
    "withdrawn": answer("withdrawal", GHA),
    "expired": None,
}
UNFIT = {
    "a rejection does not complete": ("completed", answer("rejection", CHE)),
    "an acceptance does not reject": ("rejected", answer("acceptance", CHE)),
    "a proposer does not accept": ("completed", answer("acceptance", GHA)),
    "an acquirer does not withdraw": ("withdrawn", answer("withdrawal", CHE)),
    "another proposal is another": (
        "completed",
        answer("acceptance", CHE, to=said("proposal", CHE)),
    ),
    "another transaction is another": ("completed", answer("acceptance", CHE, about="GHA01-GHA-2")),
    "nothing is not accepted": ("completed", None),
    "a deadline is no message": ("expired", answer("acceptance", CHE)),
}


@pytest.mark.parametrize("state", FITTING)
def test_each_end_has_its_cause(state: str) -> None:
    assert wrong(FITTING[state], state) == []


@pytest.mark.parametrize("case", UNFIT)
def test_a_cause_that_does_not_fit_is_named(case: str) -> None:
    state, cause = UNFIT[case]
    assert wrong(cause, state) != []


def test_findings_of_a_rejection_are_those_given() -> None:
    cause = answer("rejection", CHE, body={"findings": [{"reason": "declined"}]})
    assert wrong(cause, "rejected", findings=[{"reason": "declined"}]) == []
    assert wrong(cause, "rejected", findings=[]) != []


def test_what_is_answered_was_really_said() -> None:
    named = entry(PROPOSAL, "cleared")
    assert list(Causes().wrong(named, None)) != []
    assert list(Causes().wrong(named, said("proposal", GHA))) != []
    elsewhere = entry(PROPOSAL, "cleared", manifest=sha256(b"").hexdigest())
    assert list(Causes().wrong(elsewhere, PROPOSAL)) != []


def test_a_transaction_begins_with_its_proposal() -> None:
    assert list(Causes().wrong(entry(None, "completed"), None)) != []
    accepted = said("acceptance", CHE)
    assert list(Causes().wrong(entry(accepted, "completed"), accepted)) != []


def test_acts_are_commands_and_rotations_are_said_by_their_actor() -> None:
    def act(cause: Said | None, **members: Any) -> list[str]:
        effects = [{"effect": "directory", "act": json.dumps(members)}]
        return list(Causes().wrong(entry(cause, None, effects=effects), cause))

    line = json.dumps({"act": "rotation", "actor": GHA})
    own, other = (said("rotation", author, body={"act": {"act": line}}) for author in (GHA, CHE))
    assert act(None, act="status") == []
    assert act(own, act="status") != []
    assert act(own, act="rotation", actor=GHA) == []
    assert act(other, act="rotation", actor=GHA) != []
    assert act(None, act="rotation", actor=GHA) != []


def test_a_case_is_as_the_reconciliation_service_says() -> None:
    body = {"case": "C1", "actor": GHA, "cause": "missing", "key": {}, "first": 1, "last": 2}
    body |= {"concerned": [CHE], "state": "open", "freeze": True, "detail": "10 units"}

    def case(author: str, **members: Any) -> list[str]:
        effect = {name: body[name] for name in body.keys() - {"freeze", "detail"}}
        effect["explanation"] = None
        effects = [{**effect, "effect": "case", **members}, {"effect": "freeze"}]
        cause = said("case", author, body=body)
        return list(Causes().wrong(entry(cause, None, effects=effects), cause))

    assert case("REC") == []
    assert case(GHA) != []
    assert case("REC", last=3) != []
    assert case("REC", concerned=[]) != []
    assert case("REC", state="closed") != []
    body["state"] = "explained"
    assert case("REC", explanation="10 units") == []
    assert case("REC", explanation="another word") != []
