# SPDX-License-Identifier: Apache-2.0
"""The outbox: statements on our own envelopes, sealed once and sent until the broker has them.

What is sent again, for whatever reason, is what stands here, byte for byte.

Elsewhere: envelopes of others, messages and sequences (`journal`), sealing, and sending (`relay`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Integer, and_, bindparam, literal_column, select, update

from runtime.journal import Sealed, part_end
from runtime.many import add, change
from runtime.store import Session
from runtime.tables import messages, outbox
from schemas.identifiers import Actor, Digest, Instant, Participant

__all__ = [
    "answers_to",
    "keep_sealed",
    "mark_confirmed",
    "replace_sealed",
    "sealed_part",
    "sealed_range",
    "unconfirmed",
]


async def keep_sealed(session: Session, sealed: Sequence[Sealed], now: Instant) -> None:
    """Store envelopes of ours, not yet confirmed by the broker."""
    await add(session, outbox, [{**envelope._asdict(), "sealed_at": now} for envelope in sealed])


async def mark_confirmed(session: Session, sealed: Iterable[Sealed]) -> None:
    """Remember that the broker has these."""
    rows = [
        {"sender": e.sender, "recipient": e.recipient, "sequence": e.sequence, "confirmed": 1}
        for e in sealed
    ]
    await change(session, outbox, ["sender", "recipient", "sequence"], rows)


async def unconfirmed(session: Session, before: Instant, most: int) -> list[Sealed]:
    """Envelopes sealed before an instant and not confirmed since: what a sweep sends again."""
    rows = await session.execute(_UNCONFIRMED, {"before": str(before), "most": most})
    return [_sealed(row) for row in rows]


# A literal, so that a plan made once still uses the index over what is unconfirmed alone.
_UNCONFIRMED = (
    select(outbox.c.sender, outbox.c.recipient, outbox.c.sequence, outbox.c.body)
    .where(outbox.c.confirmed == literal_column("0"), outbox.c.sealed_at <= bindparam("before"))
    .order_by(outbox.c.sealed_at, outbox.c.sender, outbox.c.recipient, outbox.c.sequence)
    .limit(bindparam("most", type_=Integer))
)


async def sealed_range(
    session: Session, sender: Actor, recipient: Participant, first: int, last: int
) -> list[Sealed]:
    """Envelopes of an actor of ours by their sequences."""
    statement = (
        select(outbox.c.sender, outbox.c.recipient, outbox.c.sequence, outbox.c.body)
        .where(
            outbox.c.sender == sender,
            outbox.c.recipient == recipient,
            outbox.c.sequence.between(first, last),
        )
        .order_by(outbox.c.sequence)
    )
    return [_sealed(row) for row in await session.execute(statement)]


async def sealed_part(
    session: Session, sender: Actor, recipient: Participant, first: int, last: int
) -> list[Sealed]:
    """The beginning of such a range: as much of it as is sent again at a time."""
    where = and_(outbox.c.sender == sender, outbox.c.recipient == recipient)
    end = await part_end(session, outbox, where, first, last)
    return await sealed_range(session, sender, recipient, first, end)


async def replace_sealed(session: Session, sealed: Iterable[Sealed]) -> None:
    """Put envelopes that were sealed anew in the place of the old ones, unconfirmed."""
    for envelope in sealed:
        await session.execute(
            update(outbox)
            .where(
                outbox.c.sender == envelope.sender,
                outbox.c.recipient == envelope.recipient,
                outbox.c.sequence == envelope.sequence,
            )
            .values(body=envelope.body, confirmed=0)
        )


async def answers_to(session: Session, wanted: Digest) -> list[Sealed]:
    """The envelopes of ours that answered a message."""
    statement = (
        select(outbox.c.sender, outbox.c.recipient, outbox.c.sequence, outbox.c.body)
        .join(
            messages,
            and_(
                messages.c.author == outbox.c.sender,
                messages.c.recipient == outbox.c.recipient,
                messages.c.sequence == outbox.c.sequence,
            ),
        )
        .where(messages.c.answers == wanted)
        .order_by(outbox.c.sequence)
    )
    return [_sealed(row) for row in await session.execute(statement)]


def _sealed(row: Any) -> Sealed:
    return Sealed(Actor(row[0]), Participant(row[1]), row[2], bytes(row[3]))
