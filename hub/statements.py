# SPDX-License-Identifier: Apache-2.0
"""Statements: what actors say of the log and of their rows, taken, witnessed and passed on.

A statement counts when it is about a checkpoint that the hub made and about deliveries that it
made: otherwise an actor could settle, by its word alone, what it was never sent. The reconciliation
service is sent every statement about a checkpoint of ours, and so by passing one on the hub says
that it made that checkpoint. What it says of deliveries is its author's word, and that service's
business to judge.

Elsewhere: checkpoints (`showing`), comparing holdings (the reconciliation service).
"""

from hub.clearing import pass_on, unfit_to_pass_on
from hub.state import HubFacts, StatementRow
from ledger import log, note
from runtime import events
from runtime.program import Batch, Heard
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import REC, REC_ACTOR, Actor, Instant, Participant
from schemas.limits import CLOCK_AHEAD_SECONDS_TOLERATED
from schemas.messages import Statement

__all__ = ["take_statement"]


def take_statement(facts: HubFacts, heard: Heard, batch: Batch) -> list[Finding]:
    """Keep the newest statement of an actor, and the first cosignature of its participant."""
    statement: Statement = heard.message.body
    found = unfit_to_pass_on(heard)
    if found:
        return found
    root, made_at = facts.checkpoints.get(statement.size, (None, batch.now))
    if root != statement.root:
        detail = f"no checkpoint of size {statement.size} was made with root {statement.root}"
        return [finding(Reason.LOG_DIFFERS, detail, field="body/root")]
    participant = heard.author.participant
    if REC in facts.directory.members and heard.author != REC_ACTOR:
        pass_on(heard.manifest, heard.line, REC_ACTOR, "statement", batch)
    if not _delivered(facts, heard.author, statement):
        detail = f"{statement.delivered.size} deliveries with root {statement.delivered.root}"
        return [finding(Reason.LOG_DIFFERS, detail, field="body/delivered")]
    before = facts.statements.get(heard.author)
    if before is None or statement.delivered.size >= before.delivered:
        facts.statements[heard.author] = StatementRow(
            heard.author,
            statement.size,
            statement.delivered.size,
            statement.holdings,
            heard.digest,
            batch.now,
        )
    for one in statement.expiries:
        facts.expired.setdefault((heard.author, one.transaction), heard.digest)
    try:
        second = _cosigned_at(facts, participant, statement)
    except note.NoteError as error:
        batch.log(
            events.COSIGNATURE_REFUSED,
            witness=participant,
            size=statement.size,
            problem=str(error),
        )
    else:
        facts.cosigned.setdefault((statement.size, participant), statement.cosignature)
        _look_at_clock(participant, second, statement.size, made_at, batch)
    return []


def _look_at_clock(
    witness: Participant, second: int, size: int, made_at: Instant, batch: Batch
) -> None:
    """Nobody cosigns a checkpoint before it is made, but by a clock that is behind ours. A clock
    that is ahead shows in what is sent (rule 2.12).
    """
    behind = int(made_at.moment().timestamp()) - second
    if behind > CLOCK_AHEAD_SECONDS_TOLERATED:
        batch.log(events.CLOCK_BEHIND, witness=witness, size=size, seconds=behind)


def _delivered(facts: HubFacts, author: Actor, statement: Statement) -> bool:
    """Whether so much was delivered to the actor, and this."""
    size, root = statement.delivered.size, bytes.fromhex(statement.delivered.root)
    expected = facts.delivered_roots.get((author, size)) if size else log.EMPTY_ROOT
    return root == expected


def _cosigned_at(facts: HubFacts, participant: Participant, statement: Statement) -> int:
    """The second at which the participant cosigned; `NoteError` if it has not."""
    member = facts.directory.members[participant]
    text = note.Checkpoint(facts.log_id, statement.size, bytes.fromhex(statement.root)).to_text()
    line = note.SignatureLine.from_text(statement.cosignature)
    key = note.VerifierKey(str(participant), note.SignatureType.COSIGNATURE, member.witness_key)
    return note.verify_cosignature(text, line, key)
