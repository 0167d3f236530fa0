# SPDX-License-Identifier: Apache-2.0
"""Witnessing: a registry looks at each checkpoint and answers with a statement.

A checkpoint counts when the hub's checkpoint key signed it, when the log that it heads contains the
one seen before, and when the hub's delivery trees are the ones that this registry has built from
what it received. Anything else is kept as proof, and the node halts.

The statement says, from one database snapshot: the checkpoint seen, the deliveries applied, what
the rows hold, the last sequences sent, and for each newly covered expiry whether this actor had
answered.
"""

from collections.abc import Sequence

from ledger import log, note
from ledger.growth import Growth
from registry import saving, storage
from registry.applying import keep_proof
from registry.state import RegistryFacts
from runtime import books, events
from runtime.keys import Keyring
from runtime.program import Batch, Heard
from runtime.store import Session
from schemas import jws
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import HUB, Actor, Digest, Instant
from schemas.messages import Checkpoint, Delivered, ExpiryAnswer, LastSent, Statement

__all__ = ["make_statements", "witness_checkpoint"]

EXPIRIES = 500


def witness_checkpoint(
    facts: RegistryFacts, heard: Heard, mine: Sequence[Actor], batch: Batch
) -> list[Finding]:
    """Check a checkpoint; a statement is owed when it counts."""
    body: Checkpoint = heard.message.body
    problem = _problem(facts, body, _admitted(facts, mine))
    if problem:
        batch.log(events.CHECKPOINT_REFUSED, problem=problem)
        return keep_proof(facts, heard, batch, finding(Reason.LOG_DIFFERS, problem))
    facts.witnessed = True
    return []


def _admitted(facts: RegistryFacts, mine: Sequence[Actor]) -> list[Actor]:
    """Our actors as far as the directory has them: the others have nothing to state yet."""
    return [actor for actor in mine if actor in facts.directory.keys]


def _problem(facts: RegistryFacts, body: Checkpoint, mine: Sequence[Actor]) -> str | None:
    genesis = facts.directory.genesis
    key = note.VerifierKey(
        genesis.log, note.SignatureType.ED25519, jws.PublicKey.from_text(genesis.checkpoint_key)
    )
    try:
        text, signed = note.open_note(body.note, [key])
        head = note.Checkpoint.from_text(text)
    except note.NoteError as error:
        return f"checkpoint: {error}"
    if key not in signed or head.origin != genesis.log:
        return "the checkpoint is not signed by the hub"
    if head.size < facts.log_size:
        return f"the checkpoint of size {head.size} comes after one of {facts.log_size}"
    proof = [bytes.fromhex(value) for value in body.proof]
    if facts.log_size and not log.verify_consistency(
        facts.log_size, facts.log_root, head.size, head.root, proof
    ):
        return f"the log of size {head.size} does not contain the one of size {facts.log_size}"
    shown = {tree.actor: (tree.size, tree.root) for tree in body.deliveries}
    for actor in mine:
        own = facts.deliveries.get(actor, Growth())
        if shown.get(actor) != (own.size, Digest(own.root().hex())):
            return f"the hub's delivery tree of {actor} is not what was received"
    facts.log_size, facts.log_root = head.size, head.root
    return None


async def make_statements(
    session: Session,
    facts: RegistryFacts,
    mine: Sequence[Actor],
    keyring: Keyring,
    batch: Batch,
) -> None:
    """One statement per actor about the checkpoint witnessed last."""
    participant = mine[0].participant
    text = note.Checkpoint(facts.directory.genesis.log, facts.log_size, facts.log_root).to_text()
    cosignature = note.cosign(text, str(participant), keyring.witness, _seconds(batch.now))
    expired = await storage.unstated_expiries(session, EXPIRIES)
    for actor in _admitted(facts, mine):
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
