# SPDX-License-Identifier: Apache-2.0
"""Comparing the dates in the registries' account statements with the log.

Each registry's table `movements` is its account statement: a line for each effect on its rows, with
the instant of the entry that made it. Reconciliation compares rows, and rows bear no dates, so the
demonstration compares these, line by line.

Elsewhere: comparing rows, to the serial (the reconciliation service).
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

from harness.remote import Remote
from schemas.identifiers import Actor, Instant, Participant

__all__ = ["Booking", "wrongly_dated"]


class Booking(NamedTuple):
    """A line of an account statement that is dated otherwise than the entry that made it."""

    actor: Actor
    transaction: str
    first: int
    last: int
    logged_at: Instant
    stated_at: Instant

    @property
    def days(self) -> int:
        """By how many whole days the line is late; negative when it is early."""
        return (self.stated_at.moment() - self.logged_at.moment()) // timedelta(days=1)


async def wrongly_dated(
    remote: Remote, registries: Iterable[Participant], logged: Mapping[int, Instant]
) -> list[Booking]:
    """Every line that is dated otherwise than the log's entry at its position."""
    found = []
    for registry in registries:
        rows = await remote.rows(
            registry,
            "select actor, conversation, position, first, last, at from movements "
            "order by actor, number, effect",
        )
        found += [
            Booking(
                Actor(row.actor),
                row.conversation,
                row.first,
                row.last,
                logged[row.position],
                Instant(row.at),
            )
            for row in rows
            if logged[row.position] != row.at
        ]
    return found
