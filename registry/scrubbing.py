# SPDX-License-Identifier: Apache-2.0
"""Scrubbing: the holdings trees are hashed again from the rows, share by share, all the time.

A tree is kept up to date by the database's triggers. Whoever can turn those off, or writes to the
files of the database, changes rows and leaves the tree as it was, so that statements would go on
saying what is not so. So one share of one actor's tree is hashed anew at a time, in turn, and all
of them within one period. What comes of it needs no rule of its own: the next statement says the
root that the rows have now.

Which share is next, and when the last one was, is kept in the database: a registry that is started
again and again gets round all the same.

Elsewhere: the trees (`runtime.digests`), statements (`witness`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from runtime import books, events
from runtime.books import SHARES
from runtime.journal import get_mark, set_mark
from runtime.program import Batch
from runtime.store import Session
from schemas.identifiers import Actor, Instant

__all__ = ["Scrubbed", "is_due", "load_scrubbed", "scrub_next"]

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Scrubbed(NamedTuple):
    """How many shares were scrubbed so far, and when the last one was due (None: none was)."""

    shares: int = 0
    at: Instant | None = None


def is_due(scrubbed: Scrubbed, now: Instant, actors: int, period_seconds: float) -> bool:
    """Whether the next share's time has come; also when the clock was set back."""
    due = _next(scrubbed, actors, period_seconds)
    return due is None or due <= now or (scrubbed.at is not None and now < scrubbed.at)


def _next(scrubbed: Scrubbed, actors: int, period_seconds: float) -> Instant | None:
    """When the next share is due; None when none ever was."""
    if scrubbed.at is None:
        return None
    return Instant.of(scrubbed.at.moment() + _pause(actors, period_seconds))


def _pause(actors: int, period_seconds: float) -> timedelta:
    return timedelta(seconds=period_seconds) / (actors * SHARES)


async def load_scrubbed(session: Session) -> Scrubbed:
    """How far the scrub has come."""
    at = await get_mark(session, "scrubbed_at")
    instant = Instant.of(_BEGINNING + at * _MICROSECOND) if at else None
    return Scrubbed(await get_mark(session, "scrubbed"), instant)


async def scrub_next(
    session: Session,
    actors: Sequence[Actor],
    scrubbed: Scrubbed,
    period_seconds: float,
    batch: Batch,
) -> Scrubbed:
    """Hash the next share of the next actor again. A late one does not put off those after it,
    unless it is late by more than a share's time.
    """
    actor, share = actors[scrubbed.shares // SHARES % len(actors)], scrubbed.shares % SHARES
    before = await books.holdings_root(session, actor)
    await books.scrub(session, actor, share)
    if await books.holdings_root(session, actor) != before:
        batch.log(events.SCRUB_DIFFERED, actor=actor, share=share)
    due, now = _next(scrubbed, len(actors), period_seconds), batch.now
    at = now.moment()
    if due is not None and due <= now:
        at = max(due.moment(), at - _pause(len(actors), period_seconds))
    await set_mark(session, "scrubbed", scrubbed.shares + 1)
    await set_mark(session, "scrubbed_at", (at - _BEGINNING) // _MICROSECOND)
    return Scrubbed(scrubbed.shares + 1, Instant.of(at))
