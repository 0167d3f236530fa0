# SPDX-License-Identifier: Apache-2.0
"""What the hub does with each message, command and deadline: the rule book, one function each.

A proposal is checked and becomes an entry: `refused`, `completed` (one actor concerned), or
`cleared` (another actor must agree). An acceptance is checked again, and the entry that completes
is the point of no return. Whatever cannot be tied to a transaction of its author has no entry: its
author gets the findings. Every function works on facts in memory alone.

Elsewhere: the checks (`ledger.checks`), effects (`ledger.actions`), entries (`entries`).
"""

from collections.abc import Callable
from datetime import timedelta

from hub.entries import Logging
from hub.state import HubFacts, StatementRow, Transaction
from ledger import actions, note
from ledger.checks import Ask, examine
from ledger.directory import DirectoryError
from ledger.transactions import Event, IllegalStep, State, step
from runtime import events
from runtime.program import Batch, Heard, Order, Tick
from schemas.directory import Admission, SignedAct, parse_act
from schemas.effects import CaseEffect, DirectoryEffect, Effect, Freeze, Unfreeze
from schemas.envelope import digest
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, Instant, Participant, TransactionId
from schemas.limits import EFFECTS_MAX
from schemas.messages import (
    Acceptance,
    CaseNotice,
    Enclosure,
    Entry,
    Proposal,
    Rejection,
    RotationRequest,
    Statement,
    StatusAnswer,
    StatusRequest,
    Withdrawal,
)

__all__ = ["COMMANDS", "decide_heard", "decide_order", "decide_tick"]

HUB = Actor("HUB")
REC = Participant("REC")
STALL_SECONDS = 5
"""A longer pause between two looks at the clock means that the hub was not consuming."""

Findings = list[Finding]


def decide_heard(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    """One message; findings mean that it had no effect."""
    return _MESSAGES[type(heard.message.body)](facts, heard, batch)


def _proposal(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    proposal = heard.message.body
    try:
        transaction = TransactionId(heard.message.conversation)
    except ValueError as error:
        return [finding(Reason.MESSAGE_MALFORMED, str(error), field="conversation")]
    ask = Ask(transaction, heard.author, proposal, facts, known=transaction in facts.transactions)
    found = examine(ask)
    if ask.known:
        return [finding(Reason.TRANSACTION_EXISTS, str(transaction), field="conversation")]
    if transaction.proposer != heard.author:
        return found
    state = Transaction(
        id=transaction,
        state=step(None, Event.PROPOSE),
        proposer=heard.author,
        acquirer=proposal.acquirer,
        proposal=proposal,
        line=heard.line,
        manifest=heard.manifest,
        message=heard.digest,
        deadline=proposal.expires_at,
        position=facts.log.size,
        opened_at=batch.now,
        changed_at=batch.now,
    )
    facts.transactions[transaction] = state
    logging = Logging(facts, batch)
    if found:
        _end(logging, state, Event.REFUSE, heard, found)
    elif actions.needs_acceptance(proposal, heard.author):
        reserved = actions.reserve(proposal, heard.author, transaction)
        logging.transaction(state, Event.CLEAR, heard, effects=reserved)
        assert proposal.acquirer is not None
        _enclose(state.manifest, state.line, proposal.acquirer, transaction, batch)
    else:
        _complete(logging, state, heard)
    return []


def _complete(logging: Logging, state: Transaction, heard: Heard) -> None:
    """The point of no return, unless the entry would be larger than an entry may be."""
    facts, proposal = logging.facts, state.proposal
    acceptance = heard.digest if heard.digest != state.message else None
    effects: list[Effect] = [
        *actions.release(proposal, state.proposer, state.id),
        *actions.completion(proposal, state.proposer, facts.holdings, state.message),
    ]
    if len(effects) > EFFECTS_MAX:
        detail = f"the units are fragmented into {len(effects)} effects; propose fewer lines"
        _end(logging, state, Event.REFUSE, heard, [finding(Reason.MESSAGE_TOO_LARGE, detail)])
        return
    consents = actions.consents(proposal, state.proposer, facts.holdings, state.message, acceptance)
    logging.transaction(state, Event.COMPLETE, heard, effects=effects, consents=consents)
    if proposal.action == "first-transfer" and proposal.authorization is not None:
        for line in proposal.lines:
            used = facts.authorizations[line.key.party, proposal.authorization.id]
            used.used += line.last - line.first + 1


def _end(
    logging: Logging, state: Transaction, event: Event, heard: Heard | None, found: Findings
) -> None:
    """Refused, rejected, withdrawn or expired: the reservation ends."""
    released = actions.release(state.proposal, state.proposer, state.id)
    logging.transaction(state, event, heard, effects=released, findings=found)


def _acceptance(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    state, found = _answered(facts, heard, Event.COMPLETE)
    if state is None:
        return found
    _enclose(heard.manifest, heard.line, state.proposer, state.id, batch)
    again = examine(Ask(state.id, state.proposer, state.proposal, facts, first=False))
    logging = Logging(facts, batch)
    if again:
        _end(logging, state, Event.REFUSE, heard, again)
    else:
        _complete(logging, state, heard)
    return []


def _rejection(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    state, found = _answered(facts, heard, Event.REJECT)
    if state is None:
        return found
    _enclose(heard.manifest, heard.line, state.proposer, state.id, batch)
    _end(Logging(facts, batch), state, Event.REJECT, heard, list(heard.message.body.findings))
    return []


def _withdrawal(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    state, found = _answered(facts, heard, Event.WITHDRAW)
    if state is None:
        return found
    _end(Logging(facts, batch), state, Event.WITHDRAW, heard, [])
    return []


def _answered(facts: HubFacts, heard: Heard, event: Event) -> tuple[Transaction | None, Findings]:
    """The transaction that a message answers, if its author may step it so."""
    state = facts.transactions.get(TransactionId(heard.message.conversation))
    if state is None:
        return None, [finding(Reason.TRANSACTION_UNKNOWN, heard.message.conversation)]
    entitled = state.proposer if event is Event.WITHDRAW else state.acquirer
    if heard.author != entitled:
        return None, [finding(Reason.NOT_CONCERNED, f"{heard.author} cannot {event} {state.id}")]
    if heard.message.answers != state.message:
        detail = f"it answers {heard.message.answers}, the proposal is {state.message}"
        return None, [finding(Reason.ANSWERS_OTHER_PROPOSAL, detail, field="answers")]
    try:
        step(state.state, event)
    except IllegalStep as error:
        return None, [finding(Reason.TRANSACTION_STATE, str(error))]
    return state, []


def _status(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    asked = heard.message.body.transaction
    state = facts.transactions.get(asked)
    if state is not None and heard.author not in {state.proposer, state.acquirer}:
        return [finding(Reason.NOT_CONCERNED, f"{heard.author} has no part in {asked}")]
    answer = StatusAnswer(
        transaction=asked,
        state=state.state.value if state else None,
        position=state.position if state else None,
        closed_to=heard.sequence,
    )
    batch.say(HUB, heard.author.participant, "status", str(asked), answer, answers=heard.digest)
    return []


def _statement(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    statement: Statement = heard.message.body
    before = facts.statements.get(heard.author)
    root = facts.checkpoint_roots.get(statement.size)
    if root is None or root != statement.root:
        detail = f"no checkpoint of size {statement.size} has the root {statement.root}"
        return [finding(Reason.COMMAND_INVALID, detail, field="body/root")]
    if before is None or statement.delivered.size >= before.delivered:
        facts.statements[heard.author] = StatementRow(
            heard.author,
            statement.size,
            statement.delivered.size,
            statement.holdings,
            heard.digest,
            batch.now,
        )
    participant = heard.author.participant
    if _cosigned(facts, participant, statement):
        facts.cosigned[statement.size, participant] = statement.cosignature
    if REC in facts.directory.members and heard.author != Actor("REC"):
        _enclose(heard.manifest, heard.line, Actor("REC"), "statement", batch)
    return []


def _cosigned(facts: HubFacts, participant: Participant, statement: Statement) -> bool:
    member = facts.directory.members.get(participant)
    if member is None:
        return False
    text = note.Checkpoint(facts.log_id, statement.size, bytes.fromhex(statement.root)).to_text()
    try:
        line = note.SignatureLine.from_text(statement.cosignature)
        key = note.VerifierKey(str(participant), note.SignatureType.COSIGNATURE, member.witness_key)
        note.verify_cosignature(text, line, key)
    except note.NoteError:
        return False
    return True


def _rotation(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    return _act(facts, heard.message.body.act, batch, heard)


def _case(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    body: CaseNotice = heard.message.body
    effects: list[Effect] = [
        CaseEffect(
            key=body.key,
            first=body.first,
            last=body.last,
            case=body.case,
            actor=body.actor,
            cause=body.cause,
            open=body.open,
        )
    ]
    if body.freeze:
        freeze = Freeze if body.open else Unfreeze
        effects.append(
            freeze(key=body.key, first=body.first, last=body.last, actor=body.actor, case=body.case)
        )
    Logging(facts, batch).entry(str(body.case), heard, addressed=[body.actor], effects=effects)
    return []


_MESSAGES: dict[type, Callable[[HubFacts, Heard, Batch], Findings]] = {
    Proposal: _proposal,
    Acceptance: _acceptance,
    Rejection: _rejection,
    Withdrawal: _withdrawal,
    StatusRequest: _status,
    Statement: _statement,
    RotationRequest: _rotation,
    CaseNotice: _case,
}


# --- commands -----------------------------------------------------------------------------------

COMMANDS = {"act": "administrator"}
"""The hub's commands and the role that each needs."""


def decide_order(facts: HubFacts, order: Order, batch: Batch) -> Findings:
    """Record a signed act on the directory: admission, revocation, status, profile."""
    try:
        signed = SignedAct.model_validate_json(str(order.arguments.get("act")))
    except ValueError as error:
        return [finding(Reason.COMMAND_INVALID, str(error))]
    found = _act(facts, signed, batch, None)
    if not found:
        batch.results[order.id] = f"logged at {facts.log.size - 1}"
    return found


def _act(facts: HubFacts, signed: SignedAct, batch: Batch, heard: Heard | None) -> Findings:
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


def _welcome(facts: HubFacts, act: Admission, batch: Batch) -> None:
    """A newcomer gets the directory so far; the reconciler gets the whole log."""
    for line, message in facts.earlier:
        entry: Entry = message.body
        directory = any(isinstance(e, DirectoryEffect) for e in entry.effects)
        if directory or act.participant == REC:
            batch.repeat(HUB, act.participant, message, line)
    for new in facts.entries:
        directory = any(isinstance(e, DirectoryEffect) for e in new.message.body.effects)
        if directory or act.participant == REC:
            batch.repeat(HUB, act.participant, new.message, new.line)


# --- time ---------------------------------------------------------------------------------------


def decide_tick(facts: HubFacts, tick: Tick, batch: Batch) -> Findings:
    """Expire what is due. While the hub is not consuming deadlines stand still: after a pause every
    open deadline moves by as much, and nothing expires before the inbox is drained.
    """
    facts.ticked = True
    if not tick.consuming:
        return []
    if facts.last_turn is not None:
        pause = tick.now.moment() - facts.last_turn.moment()
        if pause > timedelta(seconds=STALL_SECONDS):
            for id_, deadline in facts.deadlines.items():
                facts.deadlines[id_] = Instant.of(deadline.moment() + pause)
                state = facts.transactions.get(id_)
                if state is not None:
                    state.deadline = facts.deadlines[id_]
                    facts.changed.add(id_)
    facts.last_turn = tick.now
    logging = Logging(facts, batch)
    for state in list(facts.transactions.values()):
        if state.state is State.CLEARED and state.deadline <= tick.now:
            _end(logging, state, Event.EXPIRE, None, [])
    return []


def _enclose(manifest: bytes, line: bytes, to: Actor, conversation: str, batch: Batch) -> None:
    """Pass on what somebody said, as said."""
    enclosed = Enclosure(manifest=manifest.decode(), line=line.decode())
    batch.say(HUB, to.participant, "enclosure", conversation, enclosed, answers=digest(line))
