# SPDX-License-Identifier: Apache-2.0
"""Recalling: after a restore from an older backup, what this registry had said since comes back.

A proposal that was sent is under way, whether or not the restored rows know of it: its number is
taken and its units are reserved again, before anything else is done. Entries that came since are
fetched by sequence and applied as they were.

Elsewhere: fetching envelopes back (`runtime.control`).
"""

from ledger.actions import reserve
from ledger.effects import apply
from ledger.transactions import State
from registry.state import RegistryFacts, Transaction
from runtime.program import Batch, Heard
from schemas.identifiers import TransactionId
from schemas.messages import Proposal

__all__ = ["recall_proposal"]


def recall_proposal(facts: RegistryFacts, heard: Heard, batch: Batch) -> None:
    """A proposal of ours that this database had forgotten."""
    proposal: Proposal = heard.message.body
    id_ = TransactionId(heard.message.conversation)
    number = int(id_.split("-")[2])
    facts.numbers[heard.author] = max(number, facts.numbers.get(heard.author, 0))
    if id_ in facts.transactions:
        return
    for effect in reserve(proposal, heard.author, id_):
        apply(facts.holdings, effect, {heard.author})
    facts.transactions[id_] = Transaction(
        id=id_,
        state=State.PROPOSED,
        action=proposal.action,
        proposer=heard.author,
        acquirer=proposal.acquirer,
        proposal=proposal,
        line=heard.line,
        message=heard.digest,
        position=None,
        opened_at=batch.now,
        changed_at=batch.now,
    )
    facts.changed.add(id_)
