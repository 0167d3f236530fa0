# SPDX-License-Identifier: Apache-2.0
"""Answering requests for evidence: an actor concerned is sent, part by part, what it lacks.

A request is kept with the batch that takes it, and answered when its turn comes: one at a time, and
of one no more at a time than a page of acts, with the clock's ticks. So an answer that is long
delays nobody else's business, and none is lost when the hub stops. Requests whose answer needs
several turns alternate.

What is sent is what a registry cannot have: messages, receipts and heads, and the hashes that prove
entries. The entries themselves were sent to it before, and are named by their digests (rule 6.18).

Elsewhere: what evidence consists of (`evidence`), the form of a part (`schemas.evidence`), making a
file of the parts (`registry.evidence`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from hub import saving
from hub.evidence import Gathered, acts_after, gather, proving_nodes
from hub.state import HubFacts, Transaction, Wanted
from ledger.transactions import FINAL
from runtime import events
from runtime.errors import LocalProtocolError
from runtime.program import Batch, Heard
from runtime.store import Session
from schemas.envelope import digest
from schemas.evidence import EvidencePart
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import HUB_ACTOR, Actor, Digest, TransactionId
from schemas.limits import BUNDLE_BYTES_MAX, EVIDENCE_ACTS_MAX, EVIDENCE_REQUESTS_MAX
from schemas.messages import Notice
from schemas.units import Frozen

__all__ = ["next_wanted", "take_request", "take_turn"]


# --- the request --------------------------------------------------------------------------------


def take_request(facts: HubFacts, heard: Heard, batch: Batch) -> list[Finding]:
    """Keep a request of somebody to whom the transaction's entries are addressed."""
    asked: TransactionId = heard.message.body.transaction
    state = facts.transactions.get(asked)
    if state is None:
        return [finding(Reason.TRANSACTION_UNKNOWN, str(asked), field="body/transaction")]
    concerned = _concerned(facts, state)
    if concerned is None:
        return [finding(Reason.EVIDENCE_BUSY)]
    if heard.author not in concerned:
        detail = f"no entry of {asked} is addressed to {heard.author}"
        return [finding(Reason.NOT_CONCERNED, detail, field="body/transaction")]
    if state.state not in FINAL:
        detail = f"{asked} is {state.state}; ask once it has ended"
        return [finding(Reason.TRANSACTION_UNDER_WAY, detail, field="body/transaction")]
    participant = heard.author.participant
    waiting = sum(one.actor.participant == participant for one in facts.wanted.values())
    if waiting >= EVIDENCE_REQUESTS_MAX:
        detail = f"{waiting} requests of {participant} wait; ask again when some are answered"
        return [finding(Reason.EVIDENCE_BUSY, detail)]
    facts.wanted[heard.digest] = Wanted(
        message=heard.digest,
        actor=heard.author,
        transaction=asked,
        position=state.position,
        asked_at=batch.now,
    )
    facts.asked.append(heard.digest)
    return []


def _concerned(facts: HubFacts, state: Transaction) -> frozenset[Actor] | None:
    """To whom a transaction's last entry is addressed, which is to everybody concerned; None when
    it was not looked up, because its asker has asked for too much at once.
    """
    for new in facts.entries:
        if new.message.body.position == state.position:
            return frozenset(actor for actor, _, _ in new.addressed)
    return facts.concerned.get(state.position)


# --- the answer ---------------------------------------------------------------------------------


def next_wanted(wanted: Mapping[Digest, Wanted], size: int) -> Wanted | None:
    """Whose turn it is; a head of the log must hold what it is about."""
    return next((one for one in wanted.values() if one.position < size), None)


async def take_turn(session: Session, facts: HubFacts, size: int, batch: Batch) -> None:
    """Say the next parts of one answer, as of the last batch: what this one has heard is kept only
    at its end, and nothing that it writes may be here yet. A request that cannot be answered is the
    culprit and has its notice: it must stop neither the clock nor other requests.
    """
    kept = {named: one for named, one in facts.wanted.items() if named not in facts.asked}
    wanted = next_wanted(kept, size)
    if wanted is None:
        return
    del facts.wanted[wanted.message]
    try:
        after = await _go_on(session, wanted, batch)
    except (LocalProtocolError, ValueError, LookupError, AssertionError) as error:
        _fail(wanted, error, batch)
        after = None
    if after is not None:
        facts.wanted[after.message] = after  # behind the others
    await saving.save_turn(session, after or wanted, over=after is None)


async def _go_on(session: Session, wanted: Wanted, batch: Batch) -> Wanted | None:
    """Say what is next; gives what is left, or None when that was all."""
    if not wanted.size:
        wanted = await _begin(session, wanted, batch)
    found = await acts_after(session, wanted.after, wanted.size, EVIDENCE_ACTS_MAX + 1)
    acts, more = found[:EVIDENCE_ACTS_MAX], len(found) > EVIDENCE_ACTS_MAX
    positions = [position for position, _ in acts]
    members = {
        "acts": tuple(digest(line) for _, line in acts),
        "nodes": _texts(await proving_nodes(session, positions, wanted.size)),
    }
    wanted = _say(wanted, members, batch, last=not more)
    if more:
        return replace(wanted, after=positions[-1])
    batch.log(events.EVIDENCE_SENT, transaction=wanted.transaction, actor=wanted.actor)
    return None


async def _begin(session: Session, wanted: Wanted, batch: Batch) -> Wanted:
    """Say everything but the acts: it is as of now, and they are proven in its last head."""
    found = await gather(session, wanted.transaction)
    wanted = replace(wanted, size=found.size)
    positions = [message.body.position for message, _ in found.entries]
    entries: dict[str, Any] = {
        "entries": tuple(digest(line) for _, line in found.entries),
        "nodes": _texts(await proving_nodes(session, positions, found.size)),
    }
    for members in (entries, *_packed(found)):
        wanted = _say(wanted, members, batch, last=False)
    return wanted


def _say(wanted: Wanted, members: Mapping[str, Any], batch: Batch, *, last: bool) -> Wanted:
    part = EvidencePart(
        transaction=wanted.transaction,
        number=wanted.part,
        last=last,
        size=wanted.size,
        **members,
    )
    to, conversation = wanted.actor.participant, str(wanted.transaction)
    batch.say(HUB_ACTOR, to, "evidence-part", conversation, part, answers=wanted.message)
    return replace(wanted, part=wanted.part + 1)


def _packed(found: Gathered) -> list[dict[str, tuple[Frozen, ...]]]:
    """Messages, receipts and heads in parts that an envelope takes; what is larger is alone."""
    parts: list[dict[str, tuple[Frozen, ...]]] = []
    left = 0
    for name, one in chain(
        _named("messages", found.messages),
        _named("receipts", found.receipts),
        _named("heads", found.heads),
    ):
        size = len(one.model_dump_json())
        if size > left:
            parts.append({})
            left = BUNDLE_BYTES_MAX
        parts[-1][name] = (*parts[-1].get(name, ()), one)
        left -= size
    return parts


def _named(name: str, values: Iterable[Frozen]) -> Iterable[tuple[str, Frozen]]:
    return ((name, value) for value in values)


def _texts(nodes: Mapping[Any, bytes]) -> tuple[Digest, ...]:
    return tuple(Digest(value.hex()) for value in nodes.values())


def _fail(wanted: Wanted, error: Exception, batch: Batch) -> None:
    """The asker is told, and our operators."""
    problem = f"the evidence of {wanted.transaction} cannot be put together"
    batch.log(events.EVIDENCE_FAILED, transaction=wanted.transaction, problem=repr(error))
    body = Notice(
        about=wanted.message, sequence=None, findings=(finding(Reason.INTERNAL, problem),)
    )
    to, conversation = wanted.actor.participant, str(wanted.transaction)
    batch.say(HUB_ACTOR, to, "notice", conversation, body, answers=wanted.message)
