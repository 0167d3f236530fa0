# SPDX-License-Identifier: Apache-2.0
"""Where the hub's messages stand in its sequence to this participant.

A proof of misbehaviour is a run of what the hub said here, from one place to another.

Elsewhere: the journal that all of it is taken from (`journal`), the proofs themselves
(`registry.accusing`, `reconciliation.accusing`).
"""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select

from runtime.errors import LocalProtocolError
from runtime.journal import kept_line, received_range, said_lines
from runtime.store import Session
from runtime.tables import inbox, messages
from schemas.envelope import open_envelope
from schemas.evidence import Said
from schemas.identifiers import HUB_ACTOR, Digest
from schemas.limits import EVIDENCE_BYTES_MAX
from schemas.misbehaviour import ENVELOPES_MAX

__all__ = ["Place", "hub_line", "hub_said", "is_before", "last_before", "run_between"]


class Place(NamedTuple):
    """Where a message stands: its envelope's sequence, and how many messages precede it there."""

    sequence: int
    line: int


def is_before(place: Place) -> ColumnElement[bool]:
    """Whether a message of the same sequence stands before a place."""
    column = messages.c
    return or_(
        column.sequence < place.sequence,
        and_(column.sequence == place.sequence, column.line < place.line),
    )


async def last_before(session: Session, type_: str, place: Place) -> Place | None:
    """The hub's last message of a type before a place."""
    column = messages.c
    statement = (
        select(column.sequence, column.line)
        .where(column.author == HUB_ACTOR, column.type == type_, is_before(place))
        .order_by(column.sequence.desc(), column.line.desc())
        .limit(1)
    )
    row = (await session.execute(statement)).one_or_none()
    return Place(row.sequence, row.line) if row else None


async def hub_line(session: Session, place: Place) -> bytes:
    """The message that stands at a place, as it came; it must have come."""
    (body,) = await received_range(session, HUB_ACTOR, place.sequence, place.sequence)
    return open_envelope(body).lines[place.line]


async def hub_said(session: Session, digests: Iterable[Digest]) -> list[Said]:
    """Messages of the hub, as it said them here."""
    kept = [one for one in await said_lines(session, digests) if one.author == HUB_ACTOR]
    lines = [await kept_line(session, one) for one in kept]
    return [Said(manifest=manifest.decode(), line=line.decode()) for manifest, line in lines]


async def run_between(session: Session, begin: Place, end: Place) -> tuple[str, ...]:
    """The hub's envelopes from one place to another, as they came; `LocalProtocolError` if no file
    holds as many.
    """
    bytes_ = func.coalesce(func.sum(func.length(inbox.c.body)), 0)
    statement = select(func.count(), bytes_).where(
        inbox.c.sender == HUB_ACTOR, inbox.c.sequence.between(begin.sequence, end.sequence)
    )
    number, size = (await session.execute(statement)).one()
    if number > ENVELOPES_MAX or size > EVIDENCE_BYTES_MAX:
        raise LocalProtocolError(
            f"it takes envelopes {begin.sequence} to {end.sequence} of the hub, with {size} bytes, "
            "which are too many for one file: keep the database"
        )
    bodies = await received_range(session, HUB_ACTOR, begin.sequence, end.sequence)
    return tuple(body.decode() for body in bodies)
