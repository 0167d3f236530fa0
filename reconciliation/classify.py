# SPDX-License-Identifier: Apache-2.0
"""What a difference is called: the cause class of each range, by one rule. Pure.

A range that differs is cut where the log's own history of it, or the actor's trail, changes; each
piece gets the first cause that fits and those whom it concerns, and neighbours alike in everything
are joined again. So no actor is told of units beside those that it had a part in.

1. `log-fork`: the actor's books name another entry at a position of the log than we hold.
2. `late-or-lost-message`: the log has moved these units in an entry delivered to the actor, which
   says that it has applied that delivery, but its books do not have the movement.
3. Stated and not expected, with a complete trail:
   `held-without-issuance` when no entry ever brought units with these serials into being,
   `held-twice` when the log places them with another actor,
   `surplus` otherwise (the actor holds them per the log, and once more).
4. Expected and not stated, with a complete trail: `missing`.
5. Held, but otherwise than expected, with a complete trail: `position-differs` when the account is
   another, else `attributes-differ`.

Three causes are of an actor rather than of a range, and cover all it is expected to hold where the
trees differ: `tampered-rows` (what it answers contradicts the root that it signed, again and again,
or is what no rows can give), `statement-overdue` (it does not answer) and `deliveries-differ` (what
it says it was delivered is not what the log addresses to it). None claims to know a serial, and so
none concerns others, unless only the trail is missing and the ranges are known (`unanswered`).

Elsewhere: whom a piece concerns (`concerned`), finding the ranges (`descent`), opening and closing
cases (`cases`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

from ledger.blocks import Range, overlaps
from reconciliation.concerned import NOBODY, Addressed, Concerned, Movement, concerned_by
from reconciliation.descent import Named
from reconciliation.drill import Held, Row
from schemas.effects import Cause
from schemas.identifiers import Actor, Digest
from schemas.messages import AuditLine
from schemas.units import Key

__all__ = ["Classified", "Moved", "classify", "unanswered"]


class Moved(NamedTuple):
    """An effect of the log on units: from whom (None: issued) to whom, and the number of the
    delivery that brought the entry to the actor in question, if one did.
    """

    position: int
    effect: int
    series: str
    first: int
    last: int
    source: Actor | None
    target: Actor
    delivery: int | None


class Classified(NamedTuple):
    """A range with its cause; `why` is what the actor said, where that and no row is the reason;
    `lost` are the positions of entries that the books lack.
    """

    key: str
    first: int
    last: int
    cause: Cause
    expected: Held | None
    stated: Held | None
    lost: tuple[int, ...] = ()
    holder: Actor | None = None
    why: str = ""
    concerned: Concerned = NOBODY


T = TypeVar("T", Moved, AuditLine)


def classify(
    actor: Actor,
    named: Named,
    log: Sequence[Moved],
    entries: Mapping[int, Digest],
    addressed: Addressed,
) -> list[Classified]:
    """Every row of a drill-down by its cause. `log` are the movements of all these units, `entries`
    the digests of the log's entries at the positions that the trail names, `addressed` whom the
    entries that moved them are for.
    """
    moved = _by_row(named.rows, [(m.series, m) for m in log])
    said = _by_row(named.rows, [(t.key.series, t) for t in named.trail])
    found = [
        _piece(actor, row, span, named, moved[row], said[row], entries, addressed)
        for row in named.rows
        for span in _pieces(row, _ranges(moved[row]) + _ranges(said[row]))
    ]
    return _joined(found)


def unanswered(
    actor: Actor, rows: Sequence[Row], cause: Cause, log: Sequence[Moved], addressed: Addressed
) -> list[Classified]:
    """Rows that differ and whose trail did not come: by a cause of their actor, and by those whom
    the log alone says that they concern.
    """
    moved = _by_row(rows, [(m.series, m) for m in log])
    return _joined(
        Classified(
            row.key,
            *span,
            cause,
            None,
            None,
            concerned=concerned_by(actor, _movements(actor, moved[row], span), (), addressed),
        )
        for row in rows
        for span in _pieces(row, _ranges(moved[row]))
    )


def _movements(actor: Actor, log: Iterable[Moved], span: Range) -> list[Movement]:
    """What moved a piece, and whether from or to the actor."""
    return [
        Movement(m.position, actor in {m.source, m.target})
        for m in log
        if overlaps((m.first, m.last), span)
    ]


def _by_row(rows: Iterable[Row], others: Iterable[tuple[str, T]]) -> dict[Row, list[T]]:
    """Per row, the ranges of its series that share a serial with it; one sweep over the serials."""
    waiting: defaultdict[str, list[T]] = defaultdict(list)
    for series, other in others:
        waiting[series].append(other)
    found: dict[Row, list[T]] = {}
    near: defaultdict[str, list[T]] = defaultdict(list)
    for ranges in waiting.values():
        ranges.sort(key=lambda r: -r.first)
    for row in sorted(rows, key=lambda r: r.first):
        series = Key.parse(row.key).series
        while waiting[series] and waiting[series][-1].first <= row.last:
            near[series].append(waiting[series].pop())
        near[series] = [r for r in near[series] if r.last >= row.first]
        found[row] = [r for r in near[series] if r.first <= row.last]
    return found


def _ranges(others: Iterable[T]) -> list[Range]:
    return [(other.first, other.last) for other in others]


def _pieces(row: Row, inside: Iterable[Range]) -> list[Range]:
    """Cut a row at every edge of a movement that lies inside it."""
    edges = {row.first, row.last + 1}
    for first, last in inside:
        edges |= {first, last + 1}
    kept = sorted(edge for edge in edges if row.first <= edge <= row.last + 1)
    return [(first, after - 1) for first, after in pairwise(kept)]


def _piece(
    actor: Actor,
    row: Row,
    span: Range,
    named: Named,
    log: Sequence[Moved],
    trail: Sequence[AuditLine],
    entries: Mapping[int, Digest],
    addressed: Addressed,
) -> Classified:
    here = sorted(m for m in log if overlaps((m.first, m.last), span))
    said = [t for t in trail if overlaps((t.first, t.last), span)]
    forked = any(entries.get(t.position, t.entry) != t.entry for t in said)
    applied = {
        m.position
        for m in here
        if actor in {m.source, m.target} and m.delivery is not None and m.delivery < named.delivered
    }
    lost = () if named.cut else tuple(sorted(applied - {t.position for t in said}))
    holder = here[-1].target if here else None
    cause: Cause
    if forked:
        cause = "log-fork"
    elif lost:
        cause = "late-or-lost-message"
    elif row.expected is None:
        cause = _surplus(actor, holder)
    elif row.stated is None:
        cause = "missing"
    elif row.stated.account != row.expected.account:
        cause = "position-differs"
    else:
        cause = "attributes-differ"
    told = concerned_by(actor, _movements(actor, here, span), lost, addressed)
    return Classified(row.key, *span, cause, row.expected, row.stated, lost, holder, concerned=told)


def _surplus(actor: Actor, holder: Actor | None) -> Cause:
    if holder is None:
        return "held-without-issuance"
    return "surplus" if holder == actor else "held-twice"


def _joined(found: Iterable[Classified]) -> list[Classified]:
    joined: list[Classified] = []
    for one in found:
        before = joined[-1] if joined else None
        if (
            before is not None
            and before._replace(first=one.first, last=one.last) == one
            and (before.last + 1 == one.first)
        ):
            joined[-1] = before._replace(last=one.last)
        else:
            joined.append(one)
    return joined
