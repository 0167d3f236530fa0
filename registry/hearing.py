# SPDX-License-Identifier: Apache-2.0
"""Hearing what the hub says beside entries and checkpoints: enclosures, notices, status answers.

An enclosure is what another actor said, as said: it is evidence, and answered, never carried out.
A reservation ends by the hub's signed word alone: a notice about the very proposal, or an answer
that the transaction is unknown though the hub had taken everything up to the proposal.

Elsewhere: entries (`applying`), checkpoints (`witness`), how a clearance is answered (`desk`).
"""

from collections.abc import Sequence

from ledger.directory import Directory
from ledger.enclosed import unproven
from ledger.transactions import State
from registry import desk
from registry.applying import release_locally
from registry.state import RegistryFacts, Transaction
from runtime import events
from runtime.program import Batch, Heard
from schemas.envelope import EnvelopeError, digest, open_manifest
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import HUB_ACTOR, Actor
from schemas.messages import (
    Enclosure,
    Malformed,
    Message,
    Notice,
    Proposal,
    StatusAnswer,
    parse_message,
)

__all__ = ["hear_enclosure", "hear_notice", "hear_status"]


def hear_enclosure(
    facts: RegistryFacts, heard: Heard, mine: Sequence[Actor], batch: Batch, *, accept: bool
) -> list[Finding]:
    """A proposal that an actor of ours is to answer; one that cannot speak yet leaves it to an
    operator. What else is passed on (the answer to a proposal of ours) is kept in the journal as
    evidence, and changes nothing here.
    """
    try:
        author, message, line = _open_enclosure(heard.message.body, facts.directory)
    except (EnvelopeError, Malformed) as error:
        return [error.finding]
    body = message.body
    if not isinstance(body, Proposal) or body.acquirer is None:
        return []
    if body.acquirer.participant != mine[0].participant:
        return []
    told, conversation = digest(line), heard.message.conversation
    known = next((t for t in facts.transactions.values() if t.id == conversation), None)
    if (
        known is None
        or known.message != told
        or author != known.proposer
        or message.conversation != conversation
    ):
        return [finding(Reason.ANSWERS_OTHER_PROPOSAL, f"{conversation} is not of these bytes")]
    known.proposal, known.line, known.acquirer = body, line, body.acquirer
    facts.changed.add(known.id)
    if known.state is State.CLEARED and told not in facts.answered:
        speaks = body.acquirer in mine
        desk.answer_clearance(facts, known, mine, batch, accept=accept and speaks)
    return []


def hear_notice(facts: RegistryFacts, heard: Heard, batch: Batch) -> None:
    """The other side took a message without effect. A proposal that never became a transaction is
    over by the hub's signed word.
    """
    body: Notice = heard.message.body
    for found in body.findings:
        batch.log(events.NOTICE_RECEIVED, about=body.about, finding=str(found))
    if heard.author == HUB_ACTOR:
        for known in facts.transactions.values():
            if known.message == body.about and known.state is State.PROPOSED:
                _give_up(facts, known, list(body.findings))


def hear_status(facts: RegistryFacts, body: StatusAnswer) -> None:
    """Unknown, and closed behind the proposal: it will never be known."""
    known = facts.transactions.get(body.transaction)
    if known is None or known.state is not State.PROPOSED or body.state is not None:
        return
    said = facts.said.get(known.message) if known.message else None
    if said is not None and said.author == known.proposer and said.sequence <= body.closed_to:
        _give_up(facts, known, [finding(Reason.TRANSACTION_UNKNOWN, str(known.id))])


def _give_up(facts: RegistryFacts, known: Transaction, found: list[Finding]) -> None:
    known.state, known.findings, known.changed_at = State.REFUSED, found, facts.now
    facts.changed.add(known.id)
    release_locally(facts, known)


def _open_enclosure(body: Enclosure, directory: Directory) -> tuple[Actor, Message, bytes]:
    """An enclosed message that is its author's own word to the hub."""
    line = body.line.encode()
    token, manifest = open_manifest(body.manifest.encode())
    found = unproven(directory, token, manifest, digest(line))
    if found is not None:
        raise EnvelopeError(found)
    return manifest.sender, parse_message(line), line
