# SPDX-License-Identifier: Apache-2.0
"""Witnessing: a registry looks at each checkpoint and answers with a statement.

A checkpoint counts when nothing is wrong with it (`ledger.shown`): the hub's key signed it, the
log contains the one seen before, the deliveries are those that came, and the cosignatures of the
head before are their witnesses'. Anything else is kept as proof, and the node halts.

The statement says, from one database snapshot: the checkpoint seen, the deliveries applied, what
the rows hold, the last sequences sent, and for each newly covered expiry whether this actor had
answered.
"""

from collections.abc import Sequence
from datetime import timedelta

from ledger import note
from ledger.growth import Growth
from ledger.shown import Head, majority_size, read_head
from registry import saving, storage
from registry.applying import keep_proof
from registry.state import Majority, RegistryFacts
from runtime import books, events
from runtime.keys import Keyring
from runtime.program import Batch, Heard
from runtime.store import Session
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import HUB, Actor, Digest, Instant, Participant
from schemas.messages import Checkpoint, Delivered, ExpiryAnswer, LastSent, Statement

__all__ = ["make_statements", "witness_checkpoint"]

EXPIRIES = 500


def witness_checkpoint(
    facts: RegistryFacts, heard: Heard, mine: Sequence[Actor], batch: Batch
) -> list[Finding]:
    """Check a checkpoint; a statement is owed when it counts."""
    body: Checkpoint = heard.message.body
    own = mine[0].participant
    ours = [actor for actor in facts.directory.keys if actor.participant == own]
    head = read_head(facts, body, ours)
    if isinstance(head, str):
        batch.log(events.CHECKPOINT_REFUSED, problem=head)
        return keep_proof(facts, heard, batch, finding(Reason.LOG_DIFFERS, head))
    _count_witnesses(facts, head, own, batch)
    facts.log_size, facts.log_root = head.size, head.root
    facts.witnessed = True
    return []


def _count_witnesses(facts: RegistryFacts, head: Head, own: Participant, batch: Batch) -> None:
    """Note what a majority is known to have cosigned: each witness's newest head counts, which
    contains all before it. A hub that keeps two logs for two groups cannot show one group the
    cosignatures of the other: to the smaller one the log grows, and a majority stays behind.
    """
    known = facts.majority
    newest = dict.fromkeys(head.previous.witnesses, head.previous.size) if head.previous else {}
    for witness, size in {**newest, own: head.size}.items():
        facts.cosigned[witness] = max(size, facts.cosigned.get(witness, 0))
    size = max(known.size, majority_size(facts.directory, facts.cosigned))
    if known.since is None or size > known.size or known.size >= facts.log_size:
        facts.majority = Majority(size, facts.now)
    elif facts.now.moment() - known.since.moment() > timedelta(seconds=facts.majority_seconds):
        batch.log(events.MAJORITY_MISSING, size=head.size, seen=size, since=str(known.since))


async def make_statements(
    session: Session,
    facts: RegistryFacts,
    mine: Sequence[Actor],
    keyring: Keyring,
    batch: Batch,
) -> None:
    """One statement per actor about the checkpoint witnessed last, of those that are admitted."""
    participant, stating = mine[0].participant, [a for a in mine if a in facts.directory.keys]
    text = note.Checkpoint(facts.directory.genesis.log, facts.log_size, facts.log_root).to_text()
    cosignature = note.cosign(text, str(participant), keyring.witness, _seconds(batch.now))
    member = facts.directory.members.get(participant)
    silent = [a for a in (member.actors if member else ()) if a not in stating]
    expired = await storage.unstated_expiries(session, silent, EXPIRIES)
    for actor in stating:
        own = facts.deliveries.get(actor, Growth())
        root = await books.holdings_root(session, actor)
        answers = [
            ExpiryAnswer(
                transaction=id_,
                sequence=await storage.answer_sequence(session, message, actor),
            )
            for id_, acquirer, message in expired
            if acquirer == actor
        ]
        sent = sorted((to, last) for (a, to), last in batch.sequences.items() if a == actor)
        statement = Statement(
            size=facts.log_size,
            root=Digest(facts.log_root.hex()),
            delivered=Delivered(size=own.size, root=Digest(own.root().hex())),
            holdings=Digest(root.hex()),
            sent=tuple(LastSent(to=to, last=last) for to, last in sent),
            expiries=tuple(answers),
            cosignature=cosignature,
        )
        batch.say(actor, HUB, "statement", "statement", statement)
        batch.log(events.STATEMENT_MADE, actor=actor, size=facts.log_size, holdings=root.hex())
    await saving.mark_stated(session, [id_ for id_, _, _ in expired])


def _seconds(now: Instant) -> int:
    return int(now.moment().timestamp())
