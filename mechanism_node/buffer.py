# SPDX-License-Identifier: Apache-2.0
"""The buffer against reversals, told from the transactions of the mechanism registry: what was
cancelled for each reversal, what was deposited again, and what is missing.

Units are cancelled for a reversal by its name, and deposited after it by the same name. What a
reversal took that was not deposited again is told as missing. Whether somebody owes it no rule here
says: participants make up for a reversal that they could have avoided, and others stay a loss of
the pool. The Supervisory Body decides which it was, and no check refuses a deposit because of it.

Elsewhere: the checks (`ledger.buffer_checks`), the verb (`cli`).
"""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import func, select

from ledger.transactions import State
from registry.tables import transactions
from runtime.store import Session
from runtime.tables import blocks
from schemas.identifiers import Participant
from schemas.messages import Proposal, parse_message
from schemas.units import Kind

__all__ = ["Buffer", "Reversal", "read_buffer", "reversals"]

CANCELLING, DEPOSITING = "administrative-cancellation", "replenishment"


class Reversal(NamedTuple):
    """What became of the buffer by one reversal."""

    name: str
    cancelled: int = 0
    deposited: int = 0

    @property
    def missing(self) -> int:
        """What was cancelled and not deposited again."""
        return max(self.cancelled - self.deposited, 0)

    def __str__(self) -> str:
        said = f"{self.name}: {self.cancelled} cancelled, {self.deposited} deposited again"
        if self.deposited > self.cancelled:
            return f"{said}, {self.deposited - self.cancelled} more than were cancelled"
        return f"{said}, {self.missing} missing"


class Buffer(NamedTuple):
    """What the buffer holds, and every reversal by its name."""

    held: int
    reversals: tuple[Reversal, ...]


def reversals(proposals: Iterable[Proposal]) -> tuple[Reversal, ...]:
    """The reversals that completed proposals name, by name."""
    found: dict[str, Reversal] = {}
    for proposal in proposals:
        name = proposal.reversal
        if name is None:
            continue
        known = found.get(name, Reversal(name))
        if proposal.action == DEPOSITING:
            known = known._replace(deposited=known.deposited + proposal.quantity)
        else:
            known = known._replace(cancelled=known.cancelled + proposal.quantity)
        found[name] = known
    return tuple(found[name] for name in sorted(found))


async def read_buffer(session: Session, participant: Participant) -> Buffer:
    """The buffer as one snapshot of the registry's database has it."""
    table = transactions.c
    done = select(table.proposal).where(
        table.state == State.COMPLETED,
        table.action.in_((CANCELLING, DEPOSITING)),
        table.proposal.is_not(None),
    )
    said = [parse_message(bytes(row.proposal)).body for row in await session.execute(done)]
    units = func.coalesce(func.sum(blocks.c.last - blocks.c.first + 1), 0)
    there = select(units).where(blocks.c.book == participant, blocks.c.kind == Kind.BUFFER)
    held = int((await session.execute(there)).scalar_one())
    return Buffer(held, reversals(one for one in said if isinstance(one, Proposal)))
