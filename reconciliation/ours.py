# SPDX-License-Identifier: Apache-2.0
"""What our replica says to an answer: loaded for the step that compares the two.

Elsewhere: the comparison (`descent`), how a replica is brought to where the answer speaks of
(`examine`).
"""

from collections.abc import Mapping

from ledger.tree import LEVELS, SLOT_LEVEL
from reconciliation.descent import Ours
from reconciliation.drill import Drill
from reconciliation.levels import stated_below
from runtime import books
from runtime.store import Session
from schemas.identifiers import Digest
from schemas.limits import TREE_NODES_MAX
from schemas.messages import Answer

__all__ = ["load_ours"]


async def load_ours(session: Session, drill: Drill, answer: Answer, root: Digest) -> Ours:
    """What our replica, whose root this is, says to what was asked and answered."""
    nodes = [place.node for place in drill.now]
    if drill.question == "children":
        return Ours(root, children=await _children(session, drill, answer))
    if drill.question == "points":
        return Ours(root, points=await books.load_tree_points(session, drill.actor, nodes))
    if drill.question == "totals":
        return Ours(root, totals=await books.totals(session, drill.actor, nodes))
    return Ours(root)


async def _children(
    session: Session, drill: Drill, answer: Answer
) -> dict[tuple[int, int], dict[int, bytes]]:
    """Our children of all nodes asked about and answered, by level and index.

    Where nothing is left to ask about but what we alone have, what is below that comes along, down
    to the slots or the buckets: it needs no question. If it is much, it has one all the same.
    """
    try:
        given = stated_below(drill, answer)
    except ValueError:  # there is nothing to compare
        return {}
    found = await books.children_of(session, drill.actor, given)
    mine, theirs = _flat(found), _flat(given)
    if drill.todo or any(at not in given and mine.get(at) != theirs[at] for at in theirs):
        return found
    alone = set(mine) - set(theirs)
    while alone and len(alone) <= TREE_NODES_MAX:
        further = [(level, node) for level, node in alone if level not in {SLOT_LEVEL, LEVELS}]
        below = await books.children_of(session, drill.actor, further) if further else {}
        found |= below
        alone = set(_flat(below))
    return found


def _flat(below: Mapping[tuple[int, int], Mapping[int, bytes]]) -> dict[tuple[int, int], bytes]:
    """Children by their own level and index."""
    return {
        (level + 1, child): digest
        for (level, _), found in below.items()
        for child, digest in found.items()
    }
