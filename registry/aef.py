# SPDX-License-Identifier: Apache-2.0
"""A Party's reporting workbook of a year, out of a registry's database.

Nothing is kept for it: the tables are made from the entries that were delivered here, byte for byte
as they were signed, in the order of the log. The same entries make the same tables, whenever they
are asked for.

Elsewhere: what the entries mean (`aef_rows`), the file (`aef.writing`), the verb (`harness.aef`).
"""

from collections.abc import Collection

from sqlalchemy import select

from aef.tables import Aef, SubmissionRow
from registry import tables
from registry.aef_rows import Year
from registry.sections import check_section
from runtime.journal import kept_lines, messages_by_digest
from runtime.store import Session
from schemas.identifiers import HUB_ACTOR, Actor, Digest, Participant, PartyCode
from schemas.messages import parse_message

__all__ = ["load_aef"]

PART = 200
"""Entries that are read at a time: each stands in an envelope of up to a mebibyte."""

_DELIVERED = (
    select(tables.deliveries.c.position, tables.deliveries.c.digest)
    .distinct()
    .order_by(tables.deliveries.c.position)
)


async def load_aef(
    session: Session,
    participant: Participant,
    actors: Collection[Actor],
    submission: SubmissionRow,
) -> Aef:
    """The tables of the Party and year of a submission; `LocalProtocolError` for a Party that has
    no section here.
    """
    assert submission.party is not None
    assert submission.year is not None
    year = Year(participant, PartyCode(submission.party), submission.year)
    check_section(participant, actors, year.party)
    entries = [Digest(row.digest) for row in await session.execute(_DELIVERED)]
    for start in range(0, len(entries), PART):
        part = entries[start : start + PART]
        kept = await messages_by_digest(session, part, {HUB_ACTOR})
        lines = await kept_lines(session, kept.values())
        for one in part:
            message = parse_message(lines[one][1])
            year.take(message.body, message.conversation)
    return year.report(submission)
