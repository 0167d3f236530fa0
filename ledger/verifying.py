# SPDX-License-Identifier: Apache-2.0
"""What a file of evidence proves, step by step, by nothing but itself and the trust root.

1. *The log* is the one that is trusted: its first entry has the digest that the verifier knows, and
   was signed by the hub and every administrator.
2. *Heads* of the log are signed by the hub, and each contains the one before it.
3. *Entries*, those of the transaction and those with acts, are in the last head, where they say.
4. *The directory* follows from its acts, none of which is left out: an entry says how many acts
   come before it.
5. *Messages* were signed by their authors, with keys valid for them, and have not been changed.
6. *The transaction* took the steps that it may take, each caused by the message that it names.
7. *Consent*: whatever it did to anybody's units or rights was agreed to by that actor's own words.
8. *Receipts*: the actors concerned have acknowledged the entries in statements of their own.
9. *Witnesses*: a majority of the active participants have cosigned heads that contain it all.

A step that fails ends the verification; its number and reason are what is reported. Nothing is
passed over: a signature, proof or message that is not needed fails the file like a false one.

All is pure. Elsewhere: the steps about the log (`proven_log`) and about the transaction
(`proven_transaction`), the form of a file (`schemas.evidence`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ledger.proven_log import ProvenLog
from ledger.proven_transaction import ProvenTransaction
from ledger.transactions import State
from schemas.evidence import Bundle, Trust
from schemas.identifiers import TransactionId
from schemas.plain import in_words

__all__ = ["STEPS", "Step", "Verdict", "verify"]

STEPS = (
    "the log is the one that is trusted",
    "the heads of the log are the hub's, and of one log",
    "the entries are in it",
    "the directory is whole",
    "the messages are their authors'",
    "the transaction took lawful steps",
    "whoever was bound had agreed",
    "the actors concerned have acknowledged it",
    "enough witnesses have seen it",
)


class Step(NamedTuple):
    """One step that holds: its number, what it claims, and who said what when, in plain words."""

    number: int
    claim: str
    said: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What became of a file: the steps that hold, and the first that does not with the reason."""

    transaction: TransactionId
    steps: tuple[Step, ...]
    failed: int | None = None
    reason: str | None = None
    state: State | None = None

    @property
    def valid(self) -> bool:
        """Whether every step holds."""
        return self.failed is None


def verify(bundle: Bundle, trust: Trust) -> Verdict:
    """Hold a file to the trust root."""
    log = ProvenLog(bundle, trust)
    transaction = ProvenTransaction(bundle, log)
    works: Sequence[Callable[[], list[str]]] = (
        log.trusted,
        log.headed,
        log.included,
        log.admitted,
        transaction.authentic,
        transaction.lawful,
        transaction.agreed,
        transaction.acknowledged,
        log.witnessed,
    )
    held: list[Step] = []
    for number, (claim, work) in enumerate(zip(STEPS, works, strict=True), 1):
        try:
            held.append(Step(number, claim, tuple(work())))
        except ValueError as flaw:  # a `Flaw`, or a value in some line that nothing can be made of
            return Verdict(bundle.transaction, tuple(held), number, in_words(flaw))
    return Verdict(bundle.transaction, tuple(held), state=transaction.state)
