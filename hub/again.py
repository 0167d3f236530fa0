# SPDX-License-Identifier: Apache-2.0
"""Hearing again: what others had said to the hub before its database was set back.

They send it once more, by the rules for gaps (3.9). What the hub had answered by an entry, a
notice, a status or evidence has had its outcome, and gets no second one: who proposed a transaction
that was refused as too early must not find it completed. All else was not decided, as far as
anybody knows, and is decided now. Statements are taken as if they came for the first time.

What the hub had passed on behind such an entry is passed on now to whom it had not reached.

Elsewhere: the entries themselves (`recovering`).
"""

from collections.abc import Iterable, Sequence

from hub.clearing import pass_on
from hub.state import HubFacts, Outcome, Transaction
from runtime.journal import Kept, answers_said, kept_lines
from runtime.program import Batch, Heard
from runtime.store import Session
from schemas.envelope import digest
from schemas.findings import Finding
from schemas.identifiers import HUB_ACTOR, Actor, TransactionId
from schemas.messages import Entry, parse_message

__all__ = ["hear_again", "load_outcomes"]

OUTCOMES = {"notice", "status", "evidence-part"}
"""What is said to the author of a message when it does not become an entry."""


async def load_outcomes(session: Session, heard: Sequence[Heard]) -> dict[str, Outcome]:
    """What messages have led to before they were heard, by their names."""
    said = await answers_said(session, HUB_ACTOR, {one.digest for one in heard})
    found: dict[str, Outcome] = {}
    for one in heard:
        answers = [kept for kept in said if kept.answers == one.digest]
        passed = frozenset(kept.recipient for kept in answers if kept.type == "enclosure")
        own = one.author.participant
        told = any(kept.type in OUTCOMES and kept.recipient == own for kept in answers)
        entry = None
        for _, line in (await kept_lines(session, _entries(answers))).values():
            body: Entry = parse_message(line).body
            if body.manifest == digest(one.manifest):
                entry = body
        if told or entry is not None:
            found[one.name] = Outcome(entry, passed)
    return found


def _entries(answers: Iterable[Kept]) -> list[Kept]:
    return [kept for kept in answers if kept.type == "entry"]


def hear_again(facts: HubFacts, heard: Heard, outcome: Outcome, batch: Batch) -> list[Finding]:
    """A message that has had its outcome: pass it on to whoever should have it and does not."""
    if outcome.entry is None or outcome.entry.state is None:
        return []
    known = facts.transactions[TransactionId(heard.message.conversation)]
    for actor in _due(outcome.entry, known, heard):
        if actor.participant not in outcome.passed_on_to:
            pass_on(heard.manifest, heard.line, actor, known.id, batch)
    return []


def _due(entry: Entry, known: Transaction, heard: Heard) -> Iterable[Actor]:
    """Whom the cause of an entry is passed on to (rules 5.7, 5.9, 5.10, 5.14)."""
    if heard.digest != known.message and heard.author != known.proposer:
        return [known.proposer]
    if entry.state in {"cleared", "withdrawn"}:
        return [known.acquirer] if known.acquirer is not None else []
    others = {one.actor for one in entry.consents} - {known.proposer, known.acquirer}
    return list({actor.participant: actor for actor in sorted(others)}.values())
