# SPDX-License-Identifier: Apache-2.0
"""Owing: what a hub that was set back had sent, or was about to, and others do not have.

An entry that somebody did not give back is said again, the same line, and behind it what caused
it, if that is passed on to an actor of theirs. What one is asked to accept must come at once: an
entry that completes it may follow, and is not understood without it. What is not here yet is passed
on when its author says it once more (`again`).

Elsewhere: who has been told of what (`tail`), the entries themselves (`recovering`).
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import or_, select

from hub import storage, tables, tail
from hub.again import due
from hub.causes import Causes, Word
from hub.clearing import pass_on
from hub.state import HubFacts
from hub.words import cause
from runtime.program import Batch
from runtime.store import Session
from schemas.directory import Admission, parse_act
from schemas.identifiers import HUB_ACTOR, REC, Actor, Digest, Participant, TransactionId
from schemas.messages import Message, parse_message

__all__ = ["say_what_is_owed"]

Lines = Sequence[tuple[Message, bytes]]


async def say_what_is_owed(
    session: Session,
    facts: HubFacts,
    since: Mapping[Participant, int],
    causes: Causes,
    batch: Batch,
) -> None:
    """Whoever was to be sent an entry from a position on, its own, and has not got it is sent it
    now; whoever was admitted since is sent all.
    """
    for participant in sorted(since):
        first = await tail.told(session, participant)
        if not await _is_admitted_since(session, participant, since[participant]):
            first = max(first, since[participant])
        actors = facts.directory.members[participant].actors
        entries = await _entries_for(session, participant, actors, first)
        behind = await _behind(session, entries, participant, causes)
        for message, line in entries:
            batch.repeat(HUB_ACTOR, [participant], message, line)
            for actor, word in behind.get(message.body.position, ()):
                pass_on(word.manifest, word.line, actor, message.conversation, batch)


async def _behind(
    session: Session, entries: Lines, participant: Participant, causes: Causes
) -> dict[int, list[tuple[Actor, Word]]]:
    """By the position of an entry: the actors of a participant that are passed on its cause."""
    steps = [message for message, _ in entries if message.body.state is not None]
    known = await storage.load_transactions(session, {m.conversation for m in steps})
    found: dict[int, list[tuple[Actor, Digest]]] = {}
    wanted: dict[Digest, Actor] = {}
    for message in steps:
        transaction = known[TransactionId(message.conversation)]
        said, author = message.answers, cause(message, known)
        if said is None or author is None:
            continue
        for actor in due(message.body, transaction, said, author):
            if actor.participant == participant:
                wanted[said] = author
                found.setdefault(message.body.position, []).append((actor, said))
    words = await causes.find(session, wanted)
    return {
        position: [(actor, words[said]) for actor, said in passed_on if said in words]
        for position, passed_on in found.items()
    }


async def _is_admitted_since(session: Session, participant: Participant, first: int) -> bool:
    """Whether a participant was admitted by an entry from a position on."""
    rows = await session.execute(select(tables.acts.c.act).where(tables.acts.c.position >= first))
    acts = [parse_act(row.act) for row in rows]
    return any(isinstance(act, Admission) and act.participant == participant for act in acts)


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
