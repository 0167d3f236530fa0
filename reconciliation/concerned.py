# SPDX-License-Identifier: Apache-2.0
"""Whom a difference concerns, besides the actor that differs: by the log alone. Pure.

A discrepancy in what one Party holds is one of whoever had a part in it (2/CMA.3 annex para 33). Of
units that differ, each of which has gone the same way, these are the actors to whom the log
addressed

* the entry that last moved them: the transaction that put them where the log has them, so their
  holder is among these, where that is another;
* the last entry that moved them from or to the actor in question and was addressed to others, too:
  who transferred them to it, or had them of it;
* the entries that its books lack.

So nobody is told of units that it was not told of before, by an entry that moved these very units;
an effect on one's rows comes in no other way. Where that is more than `CONCERNED_MAX`, who had a
part in the newest entries comes first.

Elsewhere: the pieces that have gone the same way (`classify`), what becomes of them (`cases`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.identifiers import Actor
from schemas.limits import CONCERNED_MAX

__all__ = ["NOBODY", "Addressed", "Concerned", "Movement", "concerned_by"]

Addressed = Mapping[int, Sequence[Actor]]
"""The actors that entries are addressed to, by position."""


class Movement(NamedTuple):
    """An entry that moved units, and whether it moved them from or to the actor in question."""

    position: int
    own: bool


class Concerned(NamedTuple):
    """Who is to be told of a difference, sorted, and how many others are not."""

    actors: tuple[Actor, ...] = ()
    left_out: int = 0


NOBODY = Concerned()


def concerned_by(
    actor: Actor, moved: Sequence[Movement], lost: Iterable[int], addressed: Addressed
) -> Concerned:
    """Whom the difference of some units concerns, all of which went by these movements."""
    others = {
        one.position: [a for a in addressed.get(one.position, ()) if a != actor] for one in moved
    }
    shared = [one.position for one in moved if one.own and others[one.position]]
    telling = {max(others, default=-1), max(shared, default=-1), *lost}
    found = [a for position in sorted(telling, reverse=True) for a in others.get(position, ())]
    distinct = list(dict.fromkeys(found))
    told = distinct[:CONCERNED_MAX]
    return Concerned(tuple(sorted(told)), len(distinct) - len(told))
