# SPDX-License-Identifier: Apache-2.0
"""Owing: what a hub that was set back had sent, or was about to, and others do not have.

An entry that somebody did not give back is said again, the same line. Behind the clearance of what
an actor is asked to accept comes what it is asked: an entry that completes it may follow, and is
not understood without it. What else belongs behind an entry is passed on when its author says it
once more (`again`).

Elsewhere: who has been told of what (`tail`), the entries themselves (`recovering`).
"""

from collections.abc import Sequence

from sqlalchemy import or_, select

from hub import storage, tables, tail
from hub.causes import Causes, Word
from hub.clearing import pass_on
from hub.state import HubFacts
from runtime.program import Batch
from runtime.store import Session
from schemas.directory import Admission, parse_act
from schemas.identifiers import HUB_ACTOR, REC, Actor, Participant, TransactionId
from schemas.messages import Message, parse_message

__all__ = ["say_what_is_owed"]

Lines = Sequence[tuple[Message, bytes]]


async def say_what_is_owed(
    session: Session, facts: HubFacts, base: int, causes: Causes, batch: Batch
) -> None:
    """Whoever was to be sent an entry from a position on and has not got it is sent it now."""
    newcomers = await _admitted_since(session, base)
    for participant in sorted(facts.directory.members):
        first = await tail.told(session, participant)
        if participant not in newcomers:
            first = max(first, base)
        actors = facts.directory.members[participant].actors
        entries = await _entries_for(session, participant, actors, first)
        asked = await _asked(session, entries, participant, causes)
        for message, line in entries:
            batch.repeat(HUB_ACTOR, [participant], message, line)
            if message.body.position in asked:
                actor, word = asked[message.body.position]
                pass_on(word.manifest, word.line, actor, message.conversation, batch)


async def _asked(
    session: Session, entries: Lines, participant: Participant, causes: Causes
) -> dict[int, tuple[Actor, Word]]:
    """By the position of its clearance: whom of a participant's it asks, and what."""
    cleared = [message for message, _ in entries if message.body.state == "cleared"]
    known = await storage.load_transactions(session, {m.conversation for m in cleared})
    words = await causes.find(session, {t.message: t.proposer for t in known.values()})
    found: dict[int, tuple[Actor, Word]] = {}
    for message in cleared:
        transaction = known[TransactionId(message.conversation)]
        actor = transaction.acquirer
        if actor is not None and actor.participant == participant:
            found[message.body.position] = actor, words[transaction.message]
    return found


async def _admitted_since(session: Session, base: int) -> set[Participant]:
    """Who was admitted by an entry from a position on."""
    rows = await session.execute(select(tables.acts.c.act).where(tables.acts.c.position >= base))
    acts = [parse_act(row.act) for row in rows]
    return {act.participant for act in acts if isinstance(act, Admission)}


async def _entries_for(
    session: Session, participant: Participant, actors: Sequence[Actor], first: int
) -> Lines:
    """The entries from a position on that a participant is sent: all of them, or those that are
    addressed to its actors or carry an act.
    """
    table, acts, deliveries = tables.log_entries, tables.acts, tables.deliveries
    statement = select(table.c.line).where(table.c.position >= first)
    if participant != REC:
        mine = select(deliveries.c.position).where(
            deliveries.c.actor.in_(actors), deliveries.c.position >= first
        )
        carrying = select(acts.c.position).where(acts.c.position >= first)
        statement = statement.where(or_(table.c.position.in_(mine), table.c.position.in_(carrying)))
    lines = [bytes(r.line) for r in await session.execute(statement.order_by(table.c.position))]
    return [(parse_message(line), line) for line in lines]
