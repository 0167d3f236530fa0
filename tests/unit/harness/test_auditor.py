# SPDX-License-Identifier: Apache-2.0
"""The auditor on logs written by hand: a small world, one entry more, and what is said of it.

Elsewhere: the log of a federation, as it was and tampered with, in
`tests/acceptance/test_federation_auditor.py`.
"""

import copy
import json
import random
from typing import Any

import pytest

from harness.simulation.auditor import Auditor, Observed

GHA, CHE, ADM, MMR, KOR = "GHA01/GHA", "CHE01/CHE", "UN01/ADM", "UN01/MMR", "UN02/KOR"
HERE, THERE, LOCKED = "GHA01-GHA-HLD-1-51", "CHE01-CHE-HLD-1-27", "GHA01-GHA-LCK-1-56"
AT, SOON, LATER = (f"2027-03-0{day}T12:00:00.000000Z" for day in (1, 2, 3))
PROPOSED, ACCEPTED = "a" * 64, "b" * 64

U: dict[str, Any] = {
    "layer": "underlying",
    "approach": "CA0007",
    "registry": "GHA01",
    "party": "GHA",
}
U |= {"vintage": 2023, "activity": None}
I = {**U, "layer": "itmo"}  # noqa: E741 - beside U, as in the text
PLAIN: dict[str, Any] = {
    "metric": "GHG",
    "unit": None,
    "mitigation": "Emission reductions",
    "designation": None,
    "authorization": None,
    "first_transferred": False,
    "underlying_registry": None,
    "underlying_offset": None,
    "use": None,
}
GH1 = {"id": "GH-1", "version": 1}
GONE = {**PLAIN, "authorization": GH1, "first_transferred": True}
TERMS = {"id": "GH-1", "version": 1, "approach": "CA0007", "party": "GHA", "purposes": ["NDC"]}
TERMS |= {"quantity": 60}


def position(account: str) -> dict[str, str]:
    registry, section, code, *_ = account.split("-")
    kinds = {"HLD": "holding", "LCK": "locked", "CAN": "cancellation"}
    return {"actor": f"{registry}/{section}", "kind": kinds[code], "account": account}


def units(key: dict[str, Any], first: int, last: int, **members: Any) -> dict[str, Any]:
    return {"key": key, "first": first, "last": last, **members}


def move(
    key: dict[str, Any], first: int, last: int, source: str | None, target: str, **attributes: Any
) -> dict[str, Any]:
    return units(
        key,
        first,
        last,
        effect="move",
        attributes={**PLAIN, **attributes},
        source=position(source) if source else None,
        target=position(target),
    )


def bind(effect: str, first: int, last: int, transaction: str) -> dict[str, Any]:
    return units(U, first, last, effect=effect, actor=GHA, transaction=transaction)


class Log:
    """Writes entries and shows them to an auditor; positions and deliveries follow."""

    def __init__(self) -> None:
        self.auditor = Auditor("UN01", frozenset({"UN02"}), 50, 20)
        self.size = 0
        self.delivered: dict[str, int] = {}
        self.shown: list[Observed] = []

    def entry(
        self, conversation: str, addressed: list[str], effects: list[dict[str, Any]], **body: Any
    ) -> dict[str, Any]:
        numbered = []
        for actor in addressed:
            numbered.append({"actor": actor, "index": self.delivered.get(actor, 0)})
            self.delivered[actor] = self.delivered.get(actor, 0) + 1
        whole = {
            "log": "by.hand",
            "position": self.size,
            "at": AT,
            "manifest": None,
            "state": None,
            "action": None,
            "findings": [],
            "consents": [],
            "addressed": numbered,
            "effects": effects,
            **body,
        }
        self.size += 1
        answers = whole.pop("answers", None)
        return {"type": "entry", "conversation": conversation, "answers": answers, "body": whole}

    def show(
        self, entry: dict[str, Any], proposal: dict[str, Any] | None = None, by: str | None = None
    ) -> list[str]:
        self.shown.append(Observed(entry, proposal, by))
        return self.auditor.observe(self.shown[-1])

    def act(self, addressed: list[str], **act: Any) -> list[str]:
        effect = {"effect": "directory", "act": json.dumps(act), "signatures": []}
        return self.show(self.entry("directory", addressed, [effect]))

    def transaction(
        self,
        number: int,
        proposal: dict[str, Any],
        state: str,
        effects: list[dict[str, Any]] | None = None,
        **body: Any,
    ) -> list[str]:
        """What concerns Ghana alone, or is cleared or refused at once."""
        addressed = [GHA, CHE] if state == "cleared" else [GHA]
        consents = [{"actor": GHA, "message": PROPOSED}] if state == "completed" else []
        told = {"consents": consents, "answers": PROPOSED, "action": proposal["action"], **body}
        findings = [{"reason": reason} for reason in told.pop("findings", [])]
        done = list(effects or [])
        if state == "completed" and not any(one["effect"] == "approval" for one in done):
            done += taken_of_approval(proposal)
        entry = self.entry(
            f"GHA01-GHA-{number}", addressed, done, state=state, findings=findings, **told
        )
        return self.show(entry, proposal, GHA)

    def accepted(
        self,
        number: int,
        proposal: dict[str, Any],
        effects: list[dict[str, Any]],
        state: str = "completed",
        **body: Any,
    ) -> list[str]:
        """What Switzerland has answered."""
        consents = [{"actor": GHA, "message": PROPOSED}, {"actor": CHE, "message": ACCEPTED}]
        told = {"consents": consents if state == "completed" else [], "answers": ACCEPTED, **body}
        name, action = f"GHA01-GHA-{number}", proposal["action"]
        entry = self.entry(name, [GHA, CHE], effects, state=state, action=action, **told)
        return self.show(entry, proposal, GHA)


def proposal(action: str, *lines: dict[str, Any], **members: Any) -> dict[str, Any]:
    quantity = sum(line["last"] - line["first"] + 1 for line in lines)
    return {"action": action, "lines": list(lines), "quantity": quantity, "expires_at": SOON} | (
        members
    )


def taken_of_approval(proposal: dict[str, Any]) -> list[dict[str, Any]]:
    """What an issuance of Ghana's takes of its approval."""
    references = proposal.get("references")
    if references is None:
        return []
    named = {name: references[name] for name in ("approval", "approved_quantity")}
    return [{"effect": "approval", "actor": GHA, "quantity": proposal["quantity"], **named}]


def issuance(first: int, last: int, approved: int = 100, **members: Any) -> dict[str, Any]:
    references = {"request": "R", "approval": "A", "approved_quantity": approved}
    one = units(U, first, last, target=HERE, attributes={})
    return proposal("issuance", one, references=references, **members)


def bring(first: int, last: int, created: int, **members: Any) -> dict[str, Any]:
    """A first transfer under the profile `information`."""
    one = units(U, first, last, source=HERE, target=THERE, itmo_first=created)
    return proposal("first-transfer", one, **{"acquirer": CHE, "authorization": GH1, **members})


def brought(number: int, first: int, last: int, created: int) -> list[dict[str, Any]]:
    """The effects of its completion."""
    offset = first - created
    restate = units(U, first, last, effect="restate", position=position(HERE), before=PLAIN)
    below = {"underlying_registry": "GHA01", "underlying_offset": offset}
    return [
        bind("release", first, last, f"GHA01-GHA-{number}"),
        {**restate, "after": GONE},
        move(U, first, last, HERE, LOCKED, **GONE),
        units(U, first, last, effect="pledge", actor=GHA, consent=PROPOSED),
        move(I, created, last - offset, None, THERE, **(GONE | below)),
    ]


def cancel(first: int, last: int, **members: Any) -> dict[str, Any]:
    mark = {"purpose": "OP", "user": "Nobody"}
    one = units(U, first, last, source=HERE, target="GHA01-GHA-CAN-1-41")
    return proposal("cancellation", one, **{"use": mark, **members})


def world() -> Log:
    """Ghana and Switzerland, 100 units, an authorization, 11 to 20 brought to Switzerland."""
    log = Log()
    said = log.act([], act="genesis", log="by.hand")
    registries: list[str] = []
    for participant, actors in (
        ("REC", ["REC"]),
        ("GHA01", [GHA]),
        ("CHE01", [CHE]),
        ("UN01", [ADM, MMR]),
        ("UN02", [KOR]),
    ):
        registries += [actor for actor in actors if actor != "REC"]
        keys = [{"actor": actor, "key": "k"} for actor in actors]
        said += log.act(registries, act="admission", participant=participant, actors=keys)
    said += log.act(registries, act="profile", actors=[GHA, CHE], profile="information")
    said += log.transaction(1, issuance(1, 100), "completed", [move(U, 1, 100, None, HERE)])
    recorded = {"effect": "authorization", "actor": GHA, "terms": TERMS}
    authorization = proposal("authorization", terms=TERMS)
    said += log.transaction(2, authorization, "completed", [recorded])
    said += log.transaction(
        3, bring(11, 20, 1), "cleared", [bind("reserve", 11, 20, "GHA01-GHA-3")]
    )
    said += log.accepted(3, bring(11, 20, 1), brought(3, 11, 20, 1))
    assert said == []
    return log


def case(log: Log, number: int, first: int, last: int, **members: Any) -> list[str]:
    """A case about Ghana's units, with what is laid or lifted beside it."""
    told = {"actor": GHA, "concerned": [], "cause": "missing", "frozen": True, **members}
    told = {"state": "open", "explanation": None, **told}
    frozen = told.pop("frozen")
    about = units(U, first, last, actor=told["actor"], case=f"REC-{number}")
    mark = "freeze" if told["state"] == "open" else "unfreeze"
    effects = [{**about, **told, "effect": "case"}]
    effects += [{**about, "effect": mark}] if frozen else []
    return log.show(log.entry(f"REC-{number}", [told["actor"], *told["concerned"]], effects))


# --- what passes ----------------------------------------------------------------------------------


def test_units_are_where_the_rules_put_them_and_none_is_gone() -> None:
    auditor = world().auditor
    (of_ghana,) = auditor.units(GHA).values()
    assert [span[:3] for span in of_ghana] == [(1, 10, HERE), (11, 20, LOCKED), (21, 100, HERE)]
    (of_switzerland,) = auditor.units(CHE).values()
    assert [span[:3] for span in of_switzerland] == [(1, 10, THERE)]
    assert json.loads(of_switzerland[0][3])["underlying_offset"] == 10
    assert auditor.issued() == {
        "underlying:CA0007-GHA01-GHA-2023": 100,
        "itmo:CA0007-GHA01-GHA-2023": 10,
    }
    assert set(auditor.transactions().values()) == {"completed"}
    assert auditor.reserved() == set()


def test_what_is_cleared_is_reserved_until_its_end() -> None:
    log = world()
    wanted = bring(21, 30, 11)
    log.transaction(4, wanted, "cleared", [bind("reserve", 21, 30, "GHA01-GHA-4")])
    key = "underlying:CA0007-GHA01-GHA-2023"
    assert log.auditor.reserved() == {(GHA, key, 21, 30, "GHA01-GHA-4")}
    assert log.transaction(5, cancel(30, 31), "refused", findings=["units-reserved"]) == []
    ended = log.entry(
        "GHA01-GHA-4",
        [GHA, CHE],
        [bind("release", 21, 30, "GHA01-GHA-4")],
        state="expired",
        action="first-transfer",
        at=LATER,
    )
    assert log.show(ended, wanted, GHA) == []
    assert log.auditor.reserved() == set()


def test_a_freeze_begins_and_ends_with_its_case() -> None:
    log = world()
    assert case(log, 7, 31, 40) == []
    assert log.transaction(4, cancel(40, 41), "refused", findings=["units-frozen"]) == []
    assert case(log, 7, 31, 40, state="closed") == []
    said = log.transaction(5, cancel(40, 41), "refused", findings=["units-frozen"])
    assert "by the model completed" in said[0]


# --- what is refused ------------------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "late": (cancel(21, 22, expires_at=AT), "proposal-late"),
    "too long": (cancel(21, 22, expires_at="2027-05-01T12:00:00.000000Z"), "lifetime-too-long"),
    "one more than is held": (cancel(100, 101), "units-not-held"),
    "locked units": (cancel(20, 21), "units-not-held"),
    "a wrong sum": (cancel(21, 22, quantity=3), "quantity-differs"),
    "an acquirer too many": (cancel(21, 22, acquirer=CHE), "member-superfluous"),
    "no mark": (cancel(21, 22, use=None), "member-missing"),
    "issued serials": (issuance(100, 101), "serials-taken"),
    "more than approved": (issuance(101, 201), "approval-exceeded"),
    "taken serials of itmos": (bring(21, 30, 10), "serials-taken"),
    "an authorization exceeded": (bring(21, 71, 11), "authorization-exceeded"),
    "an authorization nobody gave": (
        bring(21, 30, 11, authorization={"id": "GH-2", "version": 1}),
        "authorization-missing",
    ),
    "no profile": (bring(21, 30, 11, acquirer=KOR), "profile-forbids"),
    "nobody": (bring(21, 30, 11, acquirer="FRA01/FRA"), "participant-unknown"),
    "a version again": (proposal("authorization", terms=TERMS), "authorization-exists"),
    "another Party's": (
        proposal("authorization", terms={**TERMS, "party": "CHE"}),
        "key-wrong",
    ),
    "every serial there is": (cancel(21, 17_592_186_044_414), "units-not-held"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_rules_forbid_has_to_be_refused(name: str) -> None:
    wanted, reason = REFUSED[name]
    assert world().transaction(4, wanted, "refused", findings=[reason]) == []
    said = world().transaction(4, wanted, "refused", findings=["internal"])
    assert any(f"'{reason}'" in text for text in said)
    said = world().transaction(4, wanted, "cleared" if wanted.get("acquirer") else "completed")
    assert "by the model refused" in said[0]


# --- approvals, cases, and who is overdue ---------------------------------------------------------


def test_an_approval_is_shared_by_its_issuances() -> None:
    def second(log: Log, state: str, **body: Any) -> list[str]:
        effects = [move(U, 101, 110, None, HERE)] if state == "completed" else []
        return log.transaction(4, issuance(101, 110), state, effects, **body)

    assert "approval-exceeded" in second(world(), "completed")[0]
    assert second(world(), "refused", findings=["approval-exceeded"]) == []
    raised = issuance(101, 110, approved=200)
    assert world().transaction(4, raised, "refused", findings=["approval-differs"]) == []


def test_what_is_taken_of_an_approval_is_what_was_issued() -> None:
    wanted = issuance(101, 110)
    wanted["references"] |= {"approval": "B", "approved_quantity": 10}
    moved = move(U, 101, 110, None, HERE)
    for quantity in (10, 9):
        (taken,) = taken_of_approval(wanted)
        effects = [moved, {**taken, "quantity": quantity}]
        said = world().transaction(4, wanted, "completed", effects)
        assert bool(said) is (quantity != 10)


def test_who_is_overdue_sends_nothing_out() -> None:
    log = world()
    assert case(log, 7, 90, 90, cause="statement-overdue") == []
    reserved = [bind("reserve", 21, 30, "GHA01-GHA-4")]
    said = log.transaction(4, bring(21, 30, 11), "cleared", reserved)
    assert "by the model refused because of ['actor-suspended']" in said[0]


def used(log: Log, state: str, **body: Any) -> list[str]:
    """Switzerland uses what stands for Ghana's units 11 to 20."""
    mark = {"purpose": "NDC", "user": "CHE", "year": 2025}
    one = units(I, 1, 10, source=THERE, target="CHE01-CHE-USE-1-93")
    wanted = proposal("use", one, use=mark)
    entry = log.entry("CHE01-CHE-1", [CHE], [], state=state, action="use", answers="c" * 64, **body)
    return log.show(entry, wanted, CHE)


def test_an_itmo_is_not_used_while_what_it_stands_for_is_frozen() -> None:
    log = world()
    case(log, 7, 15, 15)
    assert used(log, "refused", findings=[{"reason": "units-frozen"}]) == []


def test_serials_under_a_case_may_be_issued() -> None:
    """A case lies on what an actor states; nobody holds what is yet to be issued."""
    log = world()
    case(log, 7, 101, 110, cause="held-without-issuance")
    wanted, moved = issuance(101, 110, approved=10), move(U, 101, 110, None, HERE)
    wanted["references"]["approval"] = "B"
    assert log.transaction(4, wanted, "completed", [moved]) == []


# --- acts and cases -------------------------------------------------------------------------------


ACTS: dict[str, tuple[dict[str, Any], str]] = {
    "a second genesis": ({"act": "genesis", "log": "by.hand"}, "genesis is entry 0"),
    "admitted twice": (
        {"act": "admission", "participant": "GHA01", "actors": []},
        "admitted already",
    ),
    "a stranger's section": (
        {"act": "section", "participant": "FRA01", "actors": []},
        "FRA01 gets a section, and is None",
    ),
    "another's section": (
        {"act": "section", "participant": "GHA01", "actors": [{"actor": "UN02/GHA"}]},
        "no actor of GHA01",
    ),
    "a section that is there": (
        {"act": "section", "participant": "UN02", "actors": [{"actor": KOR}]},
        "there already",
    ),
    "the service's section": (
        {"act": "section", "participant": "REC", "actors": []},
        "REC gets a section",
    ),
    "a stranger's status": (
        {"act": "status", "participant": "FRA01", "status": "active"},
        "no status",
    ),
    "a stranger's profile": (
        {"act": "profile", "actors": [GHA, "FRA01/FRA"], "profile": "unit"},
        "no profile",
    ),
    "a stranger's key": ({"act": "rotation", "actor": "FRA01/FRA", "new": "k"}, "not admitted"),
    "an unknown act": ({"act": "abdication"}, "does not know"),
}


@pytest.mark.parametrize("name", ACTS)
def test_acts_that_cannot_follow_are_named(name: str) -> None:
    act, words = ACTS[name]
    said = world().act([GHA, CHE, ADM, MMR, KOR], **act)
    assert any(words in text for text in said), said


@pytest.mark.requirement(1)
def test_a_section_that_came_later_is_addressed_like_others_and_binds_its_party() -> None:
    log, everybody = world(), [GHA, CHE, ADM, MMR, KOR]
    late = [{"actor": "UN02/NOR"}, {"actor": "UN02/GHA"}]
    told = [*everybody, "UN02/NOR", "UN02/GHA"]
    assert log.act(told, act="section", participant="UN02", actors=late) == []
    assert log.act(told, act="binding", party="GHA", actor="UN02/GHA") == []
    again = log.act(told, act="binding", party="NOR", actor="UN02/NOR")
    assert again == ["NOR is bound to UN02/NOR again"]
    assert log.act(everybody, act="status", participant="CHE01", status="testing") != []


def test_a_status_stops_proposals_and_a_revoked_key_acquisitions() -> None:
    everybody = [GHA, CHE, ADM, MMR, KOR]
    log = world()
    assert log.act(everybody, act="revocation", actor=CHE, new=None) == []
    gone = log.transaction(4, bring(21, 30, 11), "refused", findings=["participant-unknown"])
    assert gone == []
    assert log.act(everybody, act="revocation", actor=CHE, new="k") == []
    assert log.act(everybody, act="status", participant="CHE01", status="testing") == []
    tried = log.transaction(5, bring(21, 30, 11), "refused", findings=["participant-testing"])
    assert tried == []
    assert log.act(everybody, act="status", participant="GHA01", status="suspended") == []
    stopped = log.transaction(6, cancel(21, 30), "refused", findings=["participant-suspended"])
    assert stopped == []


def test_cases_that_cannot_follow_are_named() -> None:
    log = world()
    assert "closes and is not open" in case(log, 7, 1, 2, state="closed")[0]
    assert case(log, 8, 1, 2) == []
    assert "opened again" in case(log, 8, 1, 2)[0]
    assert "another range" in case(log, 8, 1, 3, state="closed")[0]
    assert "opened again" in case(log, 8, 1, 2)[0], "though it is closed"
    assert case(log, 9, 1, 2, frozen=False) == []
    assert "does not agree" in case(log, 9, 1, 2, state="closed")[0]
    assert "not admitted" in case(log, 10, 1, 2, actor="FRA01/FRA")[0]


def test_a_case_is_explained_while_it_is_open_to_the_same() -> None:
    log = world()
    why = {"state": "explained", "explanation": "why", "frozen": False}
    assert "is explained and is not open" in case(log, 7, 1, 2, **why)[0]
    assert case(log, 8, 11, 12, concerned=[CHE]) == []
    assert case(log, 8, 11, 12, **why, concerned=[CHE]) == []
    assert "without a word" in case(log, 8, 11, 12, **why | {"frozen": True}, concerned=[CHE])[0]
    assert "to others" in case(log, 8, 11, 12, **why)[0]
    assert case(log, 8, 11, 12, state="closed", concerned=[CHE]) == []


@pytest.mark.requirement(111)
def test_a_case_does_not_concern_who_never_heard_of_its_units() -> None:
    log = world()
    assert case(log, 7, 11, 20, concerned=[CHE]) == [], "their ITMOs came to it"
    (told,) = case(log, 8, 15, 25, concerned=[CHE])
    assert "REC-8 tells CHE01/CHE of" in told
    assert "21, which it never heard of" in told
    assert "not admitted" in case(log, 9, 1, 2, concerned=["FRA01/FRA"])[0]
    assert "differs itself" in case(log, 10, 1, 2, concerned=[GHA])[0]


# --- whatever is shown ----------------------------------------------------------------------------


def spoilt(value: Any, chance: random.Random) -> Any:
    """The same with something left out, or something else in its place."""
    if isinstance(value, dict) and value:
        name = chance.choice(sorted(value))
        rest = {key: inside for key, inside in value.items() if key != name}
        return rest if chance.random() < 0.2 else {**value, name: spoilt(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [*value[:place], spoilt(value[place], chance), *value[place + 1 :]]
    return chance.choice([None, 0, -1, 10**12, "", "x", "itmo", [], {}, [None], True])


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_shown_is_answered_in_words(seed: int) -> None:
    chance = random.Random(seed)
    shown = copy.deepcopy(world().shown)
    auditor = Auditor("UN01", frozenset({"UN02"}), 50, 20)
    for one in shown:
        odd = chance.random() < 0.3
        entry = spoilt(one.entry, chance) if odd else one.entry
        told = spoilt(one.proposal, chance) if odd and chance.random() < 0.5 else one.proposal
        said = auditor.observe(Observed(entry, told, one.proposer))
        assert all(isinstance(text, str) for text in said)
    auditor.units(GHA)
    auditor.reserved()
    auditor.transactions()
