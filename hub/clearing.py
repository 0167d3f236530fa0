# SPDX-License-Identifier: Apache-2.0
"""Clearing: the life of a transaction at the hub, one function for each message that steps it.

A proposal is checked and becomes an entry: `refused`, `completed` (one actor concerned), or
`cleared` (another actor must agree). An acceptance is checked again, and the entry that completes
is the point of no return. Whatever cannot be tied to a transaction of its author has no entry: its
author gets the findings.

What causes an entry is passed on, as said, to the others that it is addressed to: each actor
concerned can prove later who said what.

Elsewhere: the checks (`ledger.checks`), effects (`ledger.actions`), entries (`entries`), time
(`deadlines`).
"""

from collections.abc import Sequence

from hub.entries import Logging, count_used
from hub.state import HubFacts, Transaction
from ledger import actions
from ledger.asking import Ask
from ledger.checks import examine
from ledger.transactions import Event, IllegalStep, State, step
from runtime.program import Batch, Heard
from schemas.effects import Effect
from schemas.envelope import digest
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import HUB_ACTOR, Actor, TransactionId
from schemas.limits import BUNDLE_BYTES_MAX, EFFECTS_MAX
from schemas.messages import Consent, Enclosure, Proposal, StatusAnswer

__all__ = [
    "accept",
    "end",
    "pass_on",
    "propose",
    "reject",
    "tell_status",
    "unfit_to_pass_on",
    "withdraw",
]


ENTRY_BYTES_MAX = 512 * 1024
"""Effects of one entry in bytes: an envelope with it, quoted to be given back, fits a message."""

MANIFEST_BYTES_MAX = 16 * 1024
"""Of an envelope whose messages are passed on: what an enclosure holds."""

CONSENTS_MAX = 300
"""Consents that an entry can list."""

Findings = list[Finding]


# --- passing on ---------------------------------------------------------------------------------


def unfit_to_pass_on(heard: Heard) -> Findings:
    """Why a message cannot be passed on as said: quoted, it must fit a message of ours. Otherwise
    the envelope that carries it would never be taken, and all that follows it would wait.
    """
    if len(heard.line) > BUNDLE_BYTES_MAX:
        detail = f"{len(heard.line)} bytes; what is passed on has {BUNDLE_BYTES_MAX} at most"
        return [finding(Reason.MESSAGE_TOO_LARGE, detail)]
    if len(heard.manifest) > MANIFEST_BYTES_MAX:
        detail = f"its manifest has {len(heard.manifest)} bytes, {MANIFEST_BYTES_MAX} at most"
        return [finding(Reason.MESSAGE_TOO_LARGE, detail)]
    return []


def pass_on(manifest: bytes, line: bytes, to: Actor, conversation: str, batch: Batch) -> None:
    """Pass on what somebody said, as said."""
    enclosed = Enclosure(manifest=manifest.decode(), line=line.decode())
    batch.say(HUB_ACTOR, to.participant, "enclosure", conversation, enclosed, answers=digest(line))


# --- the proposer -------------------------------------------------------------------------------


def propose(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    """A proposal: an entry, unless the transaction is another's or known already."""
    proposal: Proposal = heard.message.body
    transaction, found = _transaction_of(heard)
    if transaction is None or (found := unfit_to_pass_on(heard)):
        return found
    found = examine(Ask(transaction, heard.author, proposal, facts))
    if transaction.proposer != heard.author:
        return found
    if transaction in facts.transactions:
        return [finding(Reason.TRANSACTION_EXISTS, str(transaction), field="conversation")]
    state = Transaction(
        id=transaction,
        state=step(None, Event.PROPOSE),
        proposer=heard.author,
        acquirer=proposal.acquirer,
        proposal=proposal,
        line=heard.line,
        message=heard.digest,
        deadline=proposal.expires_at,
        position=facts.log.size,
        opened_at=batch.now,
        changed_at=batch.now,
    )
    facts.transactions[transaction] = state
    facts.begun.add(transaction)
    logging = Logging(facts, batch)
    if found:
        end(logging, state, Event.REFUSE, heard, found)
    elif actions.needs_acceptance(proposal, heard.author):
        assert proposal.acquirer is not None
        reserved = actions.reserve(proposal, heard.author, transaction)
        logging.transaction(state, Event.CLEAR, heard, effects=reserved)
        pass_on(heard.manifest, heard.line, proposal.acquirer, transaction, batch)
    else:
        _complete(logging, state, heard)
    return []


def withdraw(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    """The proposer takes back what nobody has accepted yet."""
    state, found = _answered(facts, heard, Event.WITHDRAW)
    if state is None or (found := unfit_to_pass_on(heard)):
        return found
    assert state.acquirer is not None, "what was cleared waits for somebody"
    pass_on(heard.manifest, heard.line, state.acquirer, state.id, batch)
    end(Logging(facts, batch), state, Event.WITHDRAW, heard, [])
    return []


def tell_status(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    """What is known of a transaction, for those who have a part in it."""
    asked: TransactionId = heard.message.body.transaction
    state = facts.transactions.get(asked)
    if state is not None and heard.author not in {state.proposer, state.acquirer}:
        return [finding(Reason.NOT_CONCERNED, f"{heard.author} has no part in {asked}")]
    answer = StatusAnswer(
        transaction=asked,
        state=state.state.value if state else None,
        position=state.position if state else None,
        closed_to=heard.sequence - 1,  # what follows in the same envelope is not heard yet
    )
    batch.say(
        HUB_ACTOR, heard.author.participant, "status", str(asked), answer, answers=heard.digest
    )
    return []


# --- the acquirer -------------------------------------------------------------------------------


def accept(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    """An acceptance: everything is checked again, and the entry completes or refuses."""
    state, found = _answered(facts, heard, Event.COMPLETE)
    if state is None or (found := unfit_to_pass_on(heard)):
        return found
    pass_on(heard.manifest, heard.line, state.proposer, state.id, batch)
    again = examine(Ask(state.id, state.proposer, state.proposal, facts, first=False))
    logging = Logging(facts, batch)
    if again:
        end(logging, state, Event.REFUSE, heard, again)
    else:
        _complete(logging, state, heard)
    return []


def reject(facts: HubFacts, heard: Heard, batch: Batch) -> Findings:
    """A rejection, with the acquirer's own findings."""
    state, found = _answered(facts, heard, Event.REJECT)
    if state is None or (found := unfit_to_pass_on(heard)):
        return found
    pass_on(heard.manifest, heard.line, state.proposer, state.id, batch)
    end(Logging(facts, batch), state, Event.REJECT, heard, heard.message.body.findings)
    return []


# --- steps --------------------------------------------------------------------------------------


def _transaction_of(heard: Heard) -> tuple[TransactionId | None, Findings]:
    try:
        return TransactionId(heard.message.conversation), []
    except ValueError as error:
        return None, [finding(Reason.MESSAGE_MALFORMED, str(error), field="conversation")]


def _answered(facts: HubFacts, heard: Heard, event: Event) -> tuple[Transaction | None, Findings]:
    """The transaction that a message answers, if its author may step it so."""
    transaction, found = _transaction_of(heard)
    if transaction is None:
        return None, found
    state = facts.transactions.get(transaction)
    if state is None:
        return None, [finding(Reason.TRANSACTION_UNKNOWN, str(transaction))]
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


def _complete(logging: Logging, state: Transaction, heard: Heard) -> None:
    """The point of no return, unless the entry would be larger than an entry may be."""
    facts, proposal = logging.facts, state.proposal
    acceptance = heard.digest if heard.digest != state.message else None
    effects: list[Effect] = [
        *_release(state),
        *actions.completion(proposal, state.proposer, facts.holdings, state.message),
    ]
    consents = actions.consents(proposal, state.proposer, facts.holdings, state.message, acceptance)
    problem = _too_large(effects, consents)
    if problem is not None:
        detail = f"the units are fragmented: {problem}; propose fewer at a time"
        end(logging, state, Event.REFUSE, heard, [finding(Reason.MESSAGE_TOO_LARGE, detail)])
        return
    logging.transaction(state, Event.COMPLETE, heard, effects=effects, consents=consents)
    _show_pledgers(state, heard, consents, logging.batch)
    count_used(facts, proposal)


def _show_pledgers(
    state: Transaction, heard: Heard, consents: Sequence[Consent], batch: Batch
) -> None:
    """Those whose pledged units follow are shown the proposal that used them (rule 5.14)."""
    others = {consent.actor for consent in consents} - {state.proposer, state.acquirer}
    assert not others or heard.digest == state.message, "what uses pledges needs no acceptance"
    for actor in {actor.participant: actor for actor in sorted(others)}.values():
        pass_on(heard.manifest, heard.line, actor, state.id, batch)


def _too_large(effects: Sequence[Effect], consents: Sequence[Consent]) -> str | None:
    if len(effects) > EFFECTS_MAX:
        return f"an entry has {EFFECTS_MAX} effects at most, this one would have {len(effects)}"
    if len(consents) > CONSENTS_MAX:
        return f"an entry lists {CONSENTS_MAX} consents at most, this one would {len(consents)}"
    size = sum(len(effect.model_dump_json()) for effect in effects) if len(effects) > 200 else 0
    if size > ENTRY_BYTES_MAX:
        return f"an entry's effects have {ENTRY_BYTES_MAX} bytes at most, these would have {size}"
    return None


def end(
    logging: Logging,
    state: Transaction,
    event: Event,
    heard: Heard | None,
    found: Sequence[Finding],
) -> None:
    """Refused, rejected, withdrawn or expired: the reservation ends, if the log has made one."""
    logging.transaction(state, event, heard, effects=_release(state), findings=found)


def _release(state: Transaction) -> list[Effect]:
    """The end of the reservation, if the log has made one: with the clearing, and not before."""
    if state.state is State.PROPOSED:
        return []
    return actions.release(state.proposal, state.proposer, state.id)
