# SPDX-License-Identifier: Apache-2.0
"""The tally of a Party and its closed years, out of a registry's database.

Nothing is kept that could drift from the log: the tally is counted anew from the entries that came
here, byte for byte as they were signed, of those that changed a row of this registry.

Elsewhere: what counts (`ledger.tally`), what a year's figures are (`ledger.adjustments`), closing
(`adjustments`).
"""

import asyncio
from collections.abc import Container, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import select

from ledger.adjustments import ClosedYear, Figures
from ledger.tally import Tally
from registry import tables
from registry.state import Closings
from runtime.errors import LocalProtocolError
from runtime.journal import kept_lines, messages_by_digest
from runtime.many import add
from runtime.store import Session
from schemas.identifiers import HUB_ACTOR, Digest, Instant, Participant, PartyCode
from schemas.messages import parse_message

__all__ = ["load_closed", "load_tally", "save_closed"]

PART = 200
"""Entries that are read at a time: each stands in an envelope of up to a mebibyte."""

_ENTRIES = (
    select(tables.movements.c.position, tables.movements.c.entry)
    .distinct()
    .order_by(tables.movements.c.position)
)


async def load_tally(
    session: Session,
    participant: Participant,
    party: PartyCode,
    left_out: Container[int] = (),
) -> Tally:
    """What the entries that came here say of a Party, in the order of the log."""
    tally = Tally(party, participant, left_out)
    entries = list(dict.fromkeys(Digest(row.entry) for row in await session.execute(_ENTRIES)))
    for start in range(0, len(entries), PART):
        part = entries[start : start + PART]
        kept = await messages_by_digest(session, part, {HUB_ACTOR})
        lines = await kept_lines(session, kept.values())
        for one in part:
            tally.take(parse_message(lines[one][1]).body.effects)
        await asyncio.sleep(0)  # the link to the broker goes on while a node counts
    return tally


async def load_closed(session: Session) -> Closings:
    """The closed years. `LocalProtocolError` where figures are not those that were closed."""
    found: Closings = {}
    for row in await session.execute(select(tables.closed_years)):
        figures = _figures(row)
        one = ClosedYear(figures, Instant(row.closed_at), row.operator, row.command)
        found.setdefault(figures.party, {})[figures.year] = one
    return found


def _figures(row: Any) -> Figures:
    with suppress(ValueError):
        figures = Figures.model_validate_json(row.figures)
        if (figures.party, figures.year, figures.digest) == (row.party, row.year, row.digest):
            return figures
    raise LocalProtocolError(
        f"the table closed_years has other figures of {row.party} {row.year} than those that "
        f"command {row.command} has closed: somebody has changed them; restore that row"
    )


async def save_closed(session: Session, closed: Sequence[ClosedYear]) -> None:
    """Write years that were closed; one is closed once."""
    rows: list[dict[str, Any]] = [
        {
            "party": one.figures.party,
            "year": one.figures.year,
            "figures": one.figures.text,
            "digest": one.figures.digest,
            "operator": one.operator,
            "command": one.command,
            "closed_at": one.closed_at,
        }
        for one in closed
    ]
    await add(session, tables.closed_years, rows)
