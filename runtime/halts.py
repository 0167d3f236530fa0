# SPDX-License-Identifier: Apache-2.0
"""Halts: a node whose hub broke the protocol stays halted until an operator says otherwise.

What it halted at is among the dead letters. The mark stands in the same transaction, so a start by
a supervisor that knows nothing of it does not go on behind the lie.

Elsewhere: when a program halts (`registry.applying`), halting (`node`).
"""

from runtime.journal import get_mark, set_mark
from runtime.store import Session

__all__ = ["HALTED_BEFORE", "is_halted", "lift", "mark"]

HALTED_BEFORE = "it has halted before; see its dead letters, and `resume` in docs/operating.md"
MARK = "halted"


async def mark(session: Session) -> None:
    """The node halts with this transaction."""
    await set_mark(session, MARK, 1)


async def is_halted(session: Session) -> bool:
    """Whether the node has halted, and nobody has lifted it."""
    return bool(await get_mark(session, MARK))


async def lift(session: Session) -> bool:
    """Let the node start again; False if it had not halted."""
    halted = await is_halted(session)
    if halted:
        await set_mark(session, MARK, 0)
    return halted
