# SPDX-License-Identifier: Apache-2.0
"""What the hub does with each message and command: the rule book's table of contents.

Every rule works on facts in memory alone, finds everything that is wrong before it changes
anything, and gives findings exactly when it had no effect.

Elsewhere: transactions (`clearing`), acts on the directory (`acts`), statements (`statements`),
requests for evidence (`evidence_answers`), deadlines (`deadlines`), entries (`entries`).
"""

from collections.abc import Callable

from hub import acts, clearing, evidence_answers, statements
from hub.entries import Logging
from hub.state import Case, HubFacts
from runtime import events
from runtime.program import Batch, Heard
from schemas.effects import CaseEffect, Effect, Freeze, Unfreeze
from schemas.envelope import Manifest, open_manifest
from schemas.evidence import EvidenceRequest
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import HUB
from schemas.jws import Token
from schemas.messages import (
    Acceptance,
    CaseNotice,
    Notice,
    Proposal,
    Rejection,
    RotationRequest,
    Statement,
    StatusRequest,
    Withdrawal,
)

__all__ = ["DECIDED_BY", "decide_heard"]

Findings = list[Finding]


def decide_heard(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    """One message; findings mean that it had no effect."""
    token, manifest = open_manifest(heard.manifest)
    found = _closed(facts, heard, token) or _seen_ahead(facts, manifest)
    return [found] if found else DECIDED_BY[type(heard.message.body)](facts, heard, batch)


def _closed(facts: HubFacts, heard: Heard, token: Token) -> Finding | None:
    """An act that was logged since the envelope was opened, in the same batch, may have closed its
    key before it. Nobody could be shown what it says as its author's word (rules 2.9, 4.8).
    """
    if facts.directory.key_for(heard.author, token.kid, HUB, heard.sequence) is not None:
        return None
    detail = f"{heard.author} with key {token.kid} in sequence {heard.sequence}"
    return finding(Reason.KEY_UNKNOWN, detail)


def _seen_ahead(facts: HubFacts, manifest: Manifest) -> Finding | None:
    """Nobody knows a larger log than there is (rule 2.18): so an entry's position is no less than
    the size that the sender of its cause says it knew. More does not follow: who tells the truth
    may lag behind what it was sent, and goes back when it is restored.
    """
    if manifest.seen <= facts.log.size:
        return None
    detail = f"{manifest.sender} says that it knows {manifest.seen} entries, {facts.log.size} are"
    return finding(Reason.SEEN_AHEAD, f"{detail} in the log", field="manifest/seen")


def _case(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    """The reconciliation service opens, explains or closes a case, and all whom it concerns are
    told; the freeze is part of the entry that opens it, and what was frozen is what is lifted.
    """
    body: CaseNotice = heard.message.body
    unknown = _unknown(facts, body)
    if unknown:
        return unknown
    known = facts.cases.get(body.case)
    problem = _misfit(body, known)
    if problem is not None:
        return [finding(Reason.CASE_DIFFERS, problem, field="body/case", case=body.case)]
    freezes = body.freeze if known is None else known.frozen
    effects: list[Effect] = [
        CaseEffect(
            key=body.key,
            first=body.first,
            last=body.last,
            case=body.case,
            actor=body.actor,
            concerned=body.concerned,
            cause=body.cause,
            state=body.state,
            explanation=body.detail if body.state == "explained" else None,
        )
    ]
    if freezes and body.state != "explained":
        freeze = Freeze if body.open else Unfreeze
        effects.append(
            freeze(key=body.key, first=body.first, last=body.last, actor=body.actor, case=body.case)
        )
    told = [body.actor, *body.concerned]
    Logging(facts, batch).entry(str(body.case), heard, addressed=told, effects=effects)
    return []


def _unknown(facts: HubFacts, body: CaseNotice) -> Findings:
    """Those named who are not admitted: nobody could be told of the case in their name."""
    admitted = set(facts.directory.actors())
    named = [("body/actor", body.actor), *(("body/concerned", one) for one in body.concerned)]
    return [
        finding(Reason.PARTICIPANT_UNKNOWN, f"{actor} is not admitted", field=field)
        for field, actor in named
        if actor not in admitted
    ]


def _misfit(body: CaseNotice, known: Case | None) -> str | None:
    """Why a notice does not fit its case: an id is opened once, and explained and closed as it was
    opened: about the same units of the same actor, of the same cause, to the same others.
    """
    if body.state == "open":
        if known is None:
            return None
        return f"{body.case} is open already" if known.open else f"{body.case} was closed before"
    if known is None or not known.open:
        return f"{body.case} is not open"
    if known.subject != (body.actor, body.key.text, body.first, body.last):
        return f"{body.case} is about {known.key} {known.first}-{known.last} of {known.actor}"
    if known.cause != body.cause:
        return f"{body.case} was opened with the cause {known.cause}"
    if known.concerned != body.concerned:
        return f"{body.case} concerns {known.told}"
    return None


def _noticed(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    """What somebody thinks of a message of ours: for the hub's operators."""
    body: Notice = heard.message.body
    for found in body.findings:
        batch.log(events.NOTICE_RECEIVED, about=body.about, finding=str(found))
    return []


DECIDED_BY: dict[type, Callable[[HubFacts, Heard, Batch], Findings]] = {
    Proposal: clearing.propose,
    Acceptance: clearing.accept,
    Rejection: clearing.reject,
    Withdrawal: clearing.withdraw,
    StatusRequest: clearing.tell_status,
    Statement: statements.take_statement,
    EvidenceRequest: evidence_answers.take_request,
    RotationRequest: acts.rotate,
    CaseNotice: _case,
    Notice: _noticed,
}
