# SPDX-License-Identifier: Apache-2.0
"""Taking back: an entry that the hub had made before its database was set back. Pure.

It is what it was when it was made: the next position of this log, the next delivery of everybody
addressed, as many acts before it as there are, a step that its transaction can take, effects that
the rows can carry. What does not fit was not made by this log's hub on this log's rows, and nothing
of it is taken. No rule is asked and no time is looked at: what was decided is decided (rule 6.3).

Elsewhere: where entries come from (`recovering`), making them and carrying them out (`entries`).
"""

from collections.abc import Mapping

from hub.entries import count_used, take
from hub.state import HubFacts, Transaction
from ledger.directory import DirectoryError
from ledger.growth import Growth
from ledger.transactions import EVENT_OF, IllegalStep, State, step
from schemas.directory import SignedAct
from schemas.effects import DirectoryEffect
from schemas.identifiers import Digest, TransactionId
from schemas.messages import Entry, Message, Proposal, parse_message

__all__ = ["take_back"]


def take_back(
    facts: HubFacts, message: Message, line: bytes, proposals: Mapping[Digest, bytes]
) -> str | None:
    """Take an entry once more; gives what is wrong with it, and then the facts are spoilt.

    `proposals` are lines by digest: of each proposal that entries not taken yet name first.
    """
    problem = _out_of_place(facts, message) or _learn(facts, message.body)
    if problem is None and message.body.state is not None:
        problem = _step(facts, message, proposals)
    if problem is not None:
        return problem
    disputes = take(facts, message, line)
    return f"the log's rows cannot carry {disputes[0]}" if disputes else None


def _out_of_place(facts: HubFacts, message: Message) -> str | None:
    entry: Entry = message.body
    if entry.log != facts.log_id:
        return f"it is of log {entry.log}"
    if entry.position != facts.log.size:
        return f"it comes after {facts.log.size} entries"
    if entry.acts != facts.acts:
        return f"it counts {entry.acts} acts before it, there are {facts.acts}"
    for one in entry.addressed:
        if one.index != facts.deliveries.get(one.actor, Growth()).size:
            return f"it is not the next delivery of {one.actor}"
    return None


def _learn(facts: HubFacts, entry: Entry) -> str | None:
    for effect in entry.effects:
        if isinstance(effect, DirectoryEffect):
            signed = SignedAct(act=effect.act, signatures=effect.signatures)
            try:
                facts.directory = facts.directory.apply(signed)
            except DirectoryError as error:
                return f"its act does not count: {error}"
    return None


def _step(facts: HubFacts, message: Message, proposals: Mapping[Digest, bytes]) -> str | None:
    """The transaction takes the state that the entry names; one that begins with it is made."""
    entry: Entry = message.body
    id_, state = TransactionId(message.conversation), State(str(entry.state))
    known = facts.transactions.get(id_)
    if known is None:
        named = message.answers
        if named is None or named not in proposals:
            return f"{id_} begins with it, and its proposal is not here"
        known = _begun(id_, entry, named, proposals[named])
        facts.transactions[id_] = known
        facts.begun.add(id_)
    try:
        known.state = step(known.state, EVENT_OF[state])
    except (IllegalStep, KeyError):
        return f"it makes {id_} {state}, which is {known.state}"
    known.position, known.changed_at = entry.position, entry.at
    facts.changed.add(id_)
    if state is State.COMPLETED:
        count_used(facts, known.proposal)
    return None


def _begun(id_: TransactionId, entry: Entry, named: Digest, line: bytes) -> Transaction:
    """A transaction as it was when its proposal had come."""
    proposal: Proposal = parse_message(line).body
    return Transaction(
        id=id_,
        state=State.PROPOSED,
        proposer=id_.proposer,
        acquirer=proposal.acquirer,
        proposal=proposal,
        line=line,
        message=named,
        deadline=proposal.expires_at,
        position=entry.position,
        opened_at=entry.at,
        changed_at=entry.at,
    )
