# SPDX-License-Identifier: Apache-2.0
"""A difference that is known: as long as it is the whole difference, nothing is asked again.

What an actor states less what we expect is a sum of signed points, and trade does not change it:
both sides carry out the same entries. So once a drill-down has found that sum, the root that the
actor must state at any later position follows from our own replica. If it states just that root,
its difference is proven to be the known one, without a question; any other root is news.

Elsewhere: how the sum is found (`descent`), the tree (`ledger.tree`).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping

from ledger import tree
from ledger.tree import EMPTY_ROOT, LEVELS, Point
from reconciliation.descent import Named
from reconciliation.drill import PointLine
from runtime import books
from runtime.store import Session
from schemas.identifiers import Actor, Digest
from schemas.units import Frozen

__all__ = ["Known", "expected_of", "sum_of"]

POINTS_MAX = 2000
"""A larger difference is looked at anew each time; that its owner mends it is more urgent."""


class Known(Frozen):
    """What an actor states less what we expect, as signed points."""

    actor: Actor
    points: tuple[PointLine, ...]


def sum_of(actor: Actor, named: Named) -> Known | None:
    """The sum that a drill-down has found; None when it is too large to be kept."""
    missing = (line.model_copy(update={"sign": -line.sign}) for line in named.missing)
    points = (*named.surplus, *missing)
    return Known(actor=actor, points=points) if len(points) <= POINTS_MAX else None


async def expected_of(session: Session, known: Known) -> Digest | None:
    """The root that the actor states now if its difference is as known; None if it cannot be."""
    sums: defaultdict[int, list[PointLine]] = defaultdict(list)
    for line in known.points:
        sums[tree.bucket(tree.slot(line.key), line.serial)].append(line)
    ours = await books.load_tree_points(session, known.actor, sorted(sums))
    changed: Mapping[int, bytes | None]
    try:
        changed = {
            bucket: tree.bucket_digest(_added(ours[bucket], lines))
            for bucket, lines in sums.items()
        }
    except ValueError:
        return None
    way = [(n, node >> 4 * (LEVELS - n)) for node in sums for n in range(LEVELS)]
    stored = await books.children_of(session, known.actor, way)
    for level in range(LEVELS, 0, -1):
        siblings: dict[int, bytes] = {}
        for parent in tree.parents(changed):
            siblings |= stored[level - 1, parent]
        changed = tree.climb(level, changed, siblings)
    return Digest((changed[0] or EMPTY_ROOT).hex())


def _added(ours: frozenset[Point], lines: list[PointLine]) -> list[Point]:
    """Our points and those of the sum, equal and opposite ones cancelled; a sum that no rows give
    is refused by its digest.
    """
    total: Counter[tuple[str, int, str, str]] = Counter()
    for point in ours:
        total[point.key, point.serial, point.attributes, point.account] += point.sign
    for line in lines:
        total[line.key, line.serial, line.attributes, line.account] += line.sign
    return [
        Point(key, serial, sign, attributes, account)
        for (key, serial, attributes, account), sign in total.items()
        if sign
    ]
