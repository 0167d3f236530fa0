# SPDX-License-Identifier: Apache-2.0
"""Why a proposal is refused: the rules as an ordered list of plain questions.

`why_refused` asks class by class in the order of protocol 5.6. The first class that finds
something stops, and its reasons are what the hub may have said. Nothing found means that the
proposal passes. `may_refuse` gives what the hub may say besides, where the rules leave it a choice.

Elsewhere: what each action asks by itself (`terms`), a proposal as it is looked at (`question`).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

from harness.simulation.model import (
    UNITS_MAX,
    Place,
    actor_of,
    key_on,
    key_text,
    kind_of,
    represented,
    serials,
    series_of,
)
from harness.simulation.question import Question, Rule
from harness.simulation.terms import own_rules

__all__ = ["Question", "may_refuse", "why_refused"]

LIFETIME_MAX = timedelta(seconds=2_592_000)
SERIAL_MAX = 17_592_186_044_414
EFFECTS_SMALL = 200
"""So many effects certainly fit an entry; past them their bytes count, too."""
FINAL = {"use", "cancellation", "omge", "retirement", "administrative"}
MECHANISM_APPROACH = "CA0001"

# action: members needed, may be there, of each line (5.13)
ACTIONS: dict[str, tuple[str, str, str]] = {
    "issuance": ("lines references", "", "attributes target"),
    "approval": ("approval", "", ""),
    "authorization": ("terms", "", ""),
    "designation": ("authorization designation lines", "", "source"),
    "forwarding": ("acquirer lines", "instruction", "source target"),
    "replenishment": ("lines reversal", "acquirer instruction", "source target"),
    "administrative-cancellation": ("lines use", "reversal", "source target"),
    "first-transfer": (
        "authorization lines",
        "acquirer entity adjustment instruction",
        "source target",
    ),
    "cer-entry": ("lines references", "", "attributes target"),
    "cer-transfer": ("acquirer lines", "", "source target"),
    "cer-use": ("lines use", "", "source target"),
    "counter-entry": ("authorization lines", "acquirer", "source target"),
    "transfer": ("acquirer lines", "entity adjustment", "source target"),
    "use": ("lines use", "authorization", "source target"),
    "cancellation": ("lines use", "authorization instruction", "source target"),
}

# action: kinds of account left and entered, in the mechanism's registry and in all others (5.19)
MOVES: dict[str, tuple[str, str]] = {
    "issuance": (">pending >share-of-proceeds >omge >buffer", ">holding"),
    "designation": ("pending> holding>", ""),
    "forwarding": ("pending>holding", ""),
    "cer-entry": (">cer", ""),
    "cer-transfer": ("cer>cer", ""),
    "cer-use": ("cer>retirement", ""),
    "replenishment": ("pending>buffer holding>buffer", ""),
    "administrative-cancellation": ("pending>administrative buffer>administrative", ""),
    "first-transfer": ("pending>holding holding>holding", "holding>holding"),
    "counter-entry": ("holding>holding", "holding>holding"),
    "transfer": ("holding>holding share-of-proceeds>holding", "holding>holding"),
    "use": ("holding>retirement", "holding>use"),
    "cancellation": (
        "pending>cancellation holding>cancellation pending>omge holding>omge",
        "holding>cancellation holding>omge",
    ),
}

OF_PROPOSALS = (
    *("acquirer", "lines", "authorization", "terms", "use", "references"),
    *("approval", "instruction", "designation", "reversal", "entity", "adjustment"),
)
OF_LINES = ("source", "target", "attributes", "itmo_first")


def why_refused(question: Question) -> set[str]:
    """The reasons of the first class that fails, or none."""
    for ask in CLASSES:
        found = set(ask(question))
        if found:
            return found
    return set()


def may_refuse(question: Question) -> set[str]:
    """For what the hub may refuse a proposal that passes: the entry would be too large."""
    return {"message-too-large"} if _effects(question) > EFFECTS_SMALL else set()


# --- participant ----------------------------------------------------------------------------------


def participant(q: Question) -> Iterator[str]:
    """Who speaks, to whom, connected how (1.3, 4.6, 4.7, 5.4)."""
    if any(line.get("source") and actor_of(line["source"]) != q.proposer for line in q.lines):
        yield "author-not-acting"
    status = q.model.status
    if status.get(q.participant) == "suspended":
        yield "participant-suspended"
    if status.get(q.participant) == "testing" and (q.lines or q.acquirer):
        yield "participant-testing"
    if _is_overdue(q) and any(line.get("source") for line in q.lines):
        yield "actor-suspended"
    if _acts_elsewhere(q):
        yield "not-bound"
    if q.acquirer is None:
        return
    if q.acquirer not in q.model.actors - q.model.keyless:
        yield "participant-unknown"
    elif not _is_tracked(q, q.acquirer):
        yield "not-bound"
    if status.get(q.acquirer.partition("/")[0]) == "testing":
        yield "participant-testing"
    if q.leaves and q.model.profile(q.proposer, q.acquirer) not in _profiles(q):
        yield "profile-forbids"
    if q.leaves and q.model.mechanism in {q.participant, q.acquirer.partition("/")[0]}:
        yield from _by_the_mechanism(q, q.acquirer.partition("/")[0])


def _acts_elsewhere(q: Question) -> bool:
    """Whether the proposer is not where its Party's ITMOs are tracked, and does not hand over to
    that section (5.24).
    """
    terms = q.proposal.get("terms")
    if q.participant == q.model.mechanism:
        return terms is not None and terms["approach"] != MECHANISM_APPROACH
    over = q.acquirer is not None and q.acquirer == q.model.bound.get(q.section)
    return q.proposer != q.model.bound.get(q.section) and not over


def _is_tracked(q: Question, actor: str) -> bool:
    """Whether a section is where its Party's ITMOs are tracked, or needs not be (5.24)."""
    participant, _, section = actor.partition("/")
    return participant == q.model.mechanism or q.model.bound.get(section) == actor


def _by_the_mechanism(q: Question, there: str) -> Iterator[str]:
    """A6.4ERs alone pass between the mechanism's registry and others, and to sections (4.7)."""
    strange = any(line["key"]["registry"] != q.model.mechanism for line in q.lines)
    if strange or there not in {q.model.mechanism, *q.model.international}:
        yield "profile-forbids"


def _profiles(q: Question) -> set[str]:
    """The table of 4.7; an action that is not in it is judged by what its lines name."""
    if q.action == "transfer":
        return {"information", "unit"}
    keys = [line["key"] for line in q.lines]
    if any(key["layer"] == "underlying" for key in keys):
        return {"information"}
    itmos_of_parties = all(key["layer"] == "itmo" and not key.get("activity") for key in keys)
    return {"information", "unit"} if itmos_of_parties else {"unit"}


def _is_overdue(q: Question) -> bool:
    """Whether the proposer differs from the log and does not answer."""
    return any(
        case.actor == q.proposer and case.cause == "statement-overdue"
        for case in q.model.cases.values()
    )


# --- data integrity -------------------------------------------------------------------------------


def members(q: Question) -> Iterator[str]:
    """Whether the proposal has what its action needs, and ranges that can be."""
    needed, allowed, of_lines = (set(words.split()) for words in ACTIONS[q.action])
    present = {name for name in OF_PROPOSALS if q.proposal.get(name)}
    if needed - present:
        yield "member-missing"
    if present - needed - allowed:
        yield "member-superfluous"
    if q.acquirer == q.proposer:
        yield "acquirer-wrong"
    for line in q.lines:
        given = {name for name in OF_LINES if line.get(name) is not None}
        wanted = of_lines | {"itmo_first"} if _becomes_itmos(q, line["key"]) else of_lines
        if wanted - given:
            yield "member-missing"
        if given - wanted:
            yield "member-superfluous"
        if line["first"] > line["last"]:
            yield "range-reversed"
    spans = sorted(span for line in q.lines for span in _spans(line))
    if any(a[0] == b[0] and b[1] <= a[2] for a, b in pairwise(spans)):
        yield "ranges-overlap"
    if q.proposal["quantity"] != sum(x["last"] - x["first"] + 1 for x in q.lines):
        yield "quantity-differs"


def _becomes_itmos(q: Question, key: dict[str, Any]) -> bool:
    """Underlying units do by their first transfer: by that action, or by an end that names what
    authorizes it (5.13).
    """
    ends = q.action in {"use", "cancellation"} and bool(q.proposal.get("authorization"))
    return key["layer"] == "underlying" and (ends or q.action == "first-transfer")


def _spans(line: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    """The series and serials that a line names, and those that it brings into being."""
    series = series_of(line["key"])
    yield series, line["first"], line["last"]
    created = line.get("itmo_first")
    if created is not None and line["key"]["layer"] == "underlying":
        yield key_on(series, "itmo"), created, created + line["last"] - line["first"]


def accounts(q: Question) -> Iterator[str]:
    """Whether accounts are of the right owner and kind, and keys fit."""
    at_home = q.participant == q.model.mechanism
    legal = MOVES.get(q.action, ("", ""))[0 if at_home else 1].split()
    if q.action == "issuance" and q.participant in q.model.international:
        legal = []  # refused by who may issue
    for line in q.lines:
        source, target = line.get("source"), line.get("target")
        if legal and _move(source, target) not in legal:
            yield "account-wrong"
        owners = {source: q.proposer, target: q.acquirer or q.proposer}
        if legal and any(one and actor_of(one) != owner for one, owner in owners.items()):
            yield "account-wrong"
        if not _key_fits(q, line):
            yield "key-wrong"
    terms = q.proposal.get("terms")
    if terms and terms["party"] != q.section:
        yield "key-wrong"


def _move(source: str | None, target: str | None) -> str:
    left, entered = (kind_of(one) if one else "" for one in (source, target))
    return f"{left}>{entered}"


def _key_fits(q: Question, line: dict[str, Any]) -> bool:
    key = line["key"]
    mechanism = key["registry"] == q.model.mechanism
    marks = {mechanism, key.get("activity") is not None, key["approach"] == MECHANISM_APPROACH}
    if len(marks) == 2:
        return False
    if q.action.startswith("cer-"):
        return mechanism and key["layer"] == "underlying" and bool(key["vintage"] < 2021)
    if mechanism and (key["layer"] != "itmo" or q.action == "counter-entry"):
        return False
    if q.action == "issuance" and key["registry"] != q.participant:
        return False
    if q.action == "issuance" and key["vintage"] > int(q.at[:4]):
        return False
    named = (line.get("attributes") or {}).get("authorization")
    if q.action == "issuance" and not mechanism and key["layer"] == "itmo" and not named:
        return False
    own = q.action in {"issuance", "first-transfer", "designation"}
    if own and q.section not in {key["party"], "ADM"}:
        return False
    itmos = key["layer"] == "itmo" or _becomes_itmos(q, key)
    return itmos or q.action not in {"transfer", "use", "counter-entry"}


# --- sequence, and who may issue ------------------------------------------------------------------


def lifetime(q: Question) -> Iterator[str]:
    """Whether it is still time, and not for too long; not asked again (5.9)."""
    if q.again:
        return
    now, end = (datetime.fromisoformat(x) for x in (q.at, q.proposal["expires_at"]))
    if end <= now:
        yield "proposal-late"
    if end > now + LIFETIME_MAX:
        yield "lifetime-too-long"


def issuers(q: Question) -> Iterator[str]:
    """Who may issue and forward (5.13)."""
    mechanism = q.participant == q.model.mechanism
    if q.action == "issuance" and q.participant in q.model.international:
        yield "issuance-not-here"
    theirs = {"approval", "forwarding", "administrative-cancellation", "cer-entry"}
    if q.action in theirs | {"issuance"} and mechanism and q.section != "ADM":
        yield "administrator-only"
    others = {"designation", "replenishment", "cer-transfer", "cer-use"}
    if q.action in theirs | others and not mechanism:
        yield "administrator-only"
    if q.action == "forwarding" and q.leaves:
        yield "acquirer-wrong"


# --- general --------------------------------------------------------------------------------------


def free(q: Question) -> Iterator[str]:
    """Whether the units are there, in the named accounts, alike, and free."""
    for line in q.lines:
        key, series = key_text(line["key"]), series_of(line["key"])
        issued = q.action in {"issuance", "cer-entry"}
        if line["last"] - line["first"] >= UNITS_MAX and not issued:
            yield "units-not-held"
        frozen = q.model.freezes(q.proposer, key, line["first"], line["last"])
        if frozen and not issued:
            yield "units-frozen"
        if issued and any(q.model.unit((series, serial)) for serial in serials(line)):
            yield "serials-taken"
        if not issued:
            yield from _held(q, line, series)
        if q.action in {"use", "cancellation", "counter-entry"}:
            yield from _below(q)
        created = list(_created(line))
        if any(q.model.unit(place) or place[1] > SERIAL_MAX for place in created):
            yield "serials-taken"


def _created(line: dict[str, Any]) -> Iterator[Place]:
    """Where ITMOs of a line come into being."""
    if line.get("itmo_first") is not None:
        series = key_on(series_of(line["key"]), "itmo")
        for number in range(len(serials(line))):
            yield series, line["itmo_first"] + number


def _held(q: Question, line: dict[str, Any], series: str) -> Iterator[str]:
    kinds: set[str] = set()
    for serial in serials(line):
        unit = q.model.unit((series, serial))
        if q.model.reserved.get((series, serial), q.transaction.id) != q.transaction.id:
            yield "units-reserved"
        if (
            unit is not None
            and unit.account == line["source"]
            and unit.key == key_text(line["key"])
        ):
            kinds.add(unit.attributes)
        else:
            yield "units-final" if unit is not None and unit.kind in FINAL else "units-not-held"
    if len(kinds) > 1:
        yield "units-differ"


def _below(q: Question) -> Iterator[str]:
    """The locked units that would follow must not be under a case of their holder (7.13)."""
    for _, place, unit in q.units():
        below = represented(q.model, place, unit)
        if below is not None:
            locked = q.model.series[below[0]][below[1]]
            if q.model.freezes(locked.actor, locked.key, below[1], below[1]):
                yield "units-frozen"


# --- how large the entry would be -----------------------------------------------------------------


def _effects(q: Question) -> int:
    """How many effects the completion has at most: pledges lie as they were laid, and each locked
    unit may be under one of its own.
    """
    each = {"transfer": 1, "forwarding": 1, "issuance": 1}.get(q.action, 4)
    found = list(q.units())
    runs = groupby(found, key=lambda x: (id(x[0]), x[2].account, x[2].attributes))
    locked = sum(1 for _, place, unit in found if represented(q.model, place, unit))
    return len(q.lines) + each * max(len(q.lines), sum(1 for _ in runs)) + 2 * locked


CLASSES: tuple[Rule, ...] = (participant, members, accounts, lifetime, issuers, free, own_rules)
"""The order of 5.6."""
