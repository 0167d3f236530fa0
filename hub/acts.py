# SPDX-License-Identifier: Apache-2.0
"""Acts on the directory: by the hub's administrators at the desk, and rotations by message.

Who must have signed an act is the directory's rule (`ledger.directory`), whoever hands it in. By
message an actor hands in nothing but the rotation of its own key, in the last envelope under the
old one, so that the sequences that the act names are the ones that the hub has seen.

A newcomer is sent the directory so far; the reconciliation service the whole log.
"""

from datetime import timedelta

from hub.entries import Logging
from hub.state import HubFacts
from ledger.directory import DirectoryError
from runtime import events
from runtime.program import Batch, Heard, Order
from schemas.directory import (
    Admission,
    BindingChange,
    ProfileChange,
    Rotation,
    SectionAdmission,
    SignedAct,
    StatusChange,
    parse_act,
)
from schemas.effects import DirectoryEffect
from schemas.envelope import digest
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import HUB, HUB_ACTOR, REC, Actor, Instant
from schemas.limits import CLOCK_AHEAD_SECONDS_TOLERATED
from schemas.messages import Entry
from schemas.plain import in_words

__all__ = ["COMMANDS", "decide_order", "handed_in", "rotate", "unfit_change"]


COMMANDS = {"act": "administrator"}
"""The hub's commands and the role that each needs."""

_DATED = StatusChange | ProfileChange | BindingChange | Admission | SectionAdmission
"""Acts after which an older one on their subject does not count; a new section may bind a Party."""

Findings = list[Finding]


def handed_in(order: Order) -> SignedAct | Finding:
    """The signed act in a command's arguments."""
    try:
        return SignedAct.model_validate_json(str(order.arguments.get("act")))
    except ValueError as error:
        return finding(Reason.COMMAND_INVALID, in_words(error), field="act")


def decide_order(facts: HubFacts, order: Order, batch: Batch) -> Findings:
    """Record a signed act on the directory, whoever signed it; no rotation (`rotate`)."""
    signed = handed_in(order)
    if isinstance(signed, Finding):
        return [signed]
    if _is_rotation(signed):
        detail = "an actor changes its key by message, in the last envelope under the old one"
        return [finding(Reason.COMMAND_INVALID, detail, field="act")]
    found = _record(facts, signed, None, batch)
    if not found:
        batch.results[order.id] = f"logged at {facts.log.size - 1}"
    return found


def _is_rotation(signed: SignedAct) -> bool:
    try:
        return isinstance(parse_act(signed.act), Rotation)
    except ValueError:
        return False  # the directory says what is wrong with it


def rotate(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    """An actor changes its own key, with the last envelope that the old one seals."""
    signed: SignedAct = heard.message.body.act
    return unfit_change(heard.author, heard.sequence, signed) or _record(
        facts, signed, heard, batch
    )


def unfit_change(author: Actor, sequence: int, signed: SignedAct) -> Findings:
    """Why an act, said in an envelope with this sequence, is no change of its author's key; whether
    it counts the directory knows.
    """
    try:
        act = parse_act(signed.act)
    except ValueError as error:
        return [finding(Reason.COMMAND_INVALID, f"not an act: {in_words(error)}", field="body/act")]
    if not isinstance(act, Rotation):
        detail = f"{act.act} is handed in by the hub's administrators"
        return [finding(Reason.TYPE_NOT_ALLOWED, detail, field="body/act")]
    if act.actor != author:
        detail = f"{author} cannot change the key of {act.actor}"
        return [finding(Reason.AUTHOR_NOT_ACTING, detail, field="body/act")]
    closes = {pair.to: pair.last for pair in act.closes}
    if closes.get(HUB) != sequence:
        detail = f"the old key closes at {closes.get(HUB)}, this is {sequence}"
        return [finding(Reason.COMMAND_INVALID, detail, field="body/act")]
    return []


def _record(facts: HubFacts, signed: SignedAct, heard: Heard | None, batch: Batch) -> Findings:
    found = _from_the_future(signed, batch.now)
    if found is not None:
        return [found]
    try:
        facts.directory = facts.directory.apply(signed)
    except DirectoryError as error:
        return [error.finding]
    act = parse_act(signed.act)
    if isinstance(act, Admission):
        _welcome(facts, act, batch)
    Logging(facts, batch).entry(
        "directory",
        heard,
        addressed=facts.directory.actors(),
        effects=[DirectoryEffect(act=signed.act, signatures=signed.signatures)],
        everybody=True,
    )
    batch.log(events.DIRECTORY_CHANGED, act=act.act, digest=digest(signed.act.encode()))
    return []


def _from_the_future(signed: SignedAct, now: Instant) -> Finding | None:
    """An act after which no other on its subject would count before that time comes. This is asked
    when an act is handed in; what is in the log counts whatever its date.
    """
    try:
        act = parse_act(signed.act)
    except ValueError as error:
        return finding(Reason.COMMAND_INVALID, f"not an act: {in_words(error)}", field="act")
    latest = now.moment() + timedelta(seconds=CLOCK_AHEAD_SECONDS_TOLERATED)
    if isinstance(act, _DATED) and act.at.moment() > latest:
        return finding(Reason.CLOCK_AHEAD, f"the act is of {act.at}, it is {now}", field="act/at")
    return None


def _welcome(facts: HubFacts, act: Admission, batch: Batch) -> None:
    """A newcomer gets the directory so far; the reconciler gets the whole log."""
    earlier = [*facts.earlier, *((new.message, new.line) for new in facts.entries)]
    for message, line in earlier:
        entry: Entry = message.body
        if act.participant == REC or any(isinstance(e, DirectoryEffect) for e in entry.effects):
            batch.repeat(HUB_ACTOR, [act.participant], message, line)
