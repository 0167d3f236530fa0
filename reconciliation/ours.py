# SPDX-License-Identifier: Apache-2.0
"""An answer beside what our replica says: read once, our side loaded for it, the two compared.

Elsewhere: the comparison itself (`descent`), what the answer must be (`levels`), how a replica is
brought to where the answer speaks of (`examine`).
"""

from collections.abc import Mapping

from ledger.tree import LEVELS, SLOT_LEVEL
from reconciliation.descent import Broken, Named, Ours, step
from reconciliation.drill import Drill
from reconciliation.levels import Below, FalseAnswer, stated_below
from runtime import books
from runtime.store import Session
from schemas.identifiers import Digest
from schemas.limits import TREE_NODES_MAX
from schemas.messages import Answer

__all__ = ["compare"]


async def compare(
    session: Session, drill: Drill, answer: Answer, said: Digest, root: Digest
) -> Drill | Named | Broken:
    """Take one answer, whose line has the digest `said`, to the next question or the end; our
    replica has this root, and has applied as much as the answer says.
    """
    try:
        stated = stated_below(drill, answer)
    except FalseAnswer as error:
        return Broken(str(error), false=True)
    return step(drill, answer, said, stated, await _load_ours(session, drill, stated, root))


async def _load_ours(session: Session, drill: Drill, stated: Below, root: Digest) -> Ours:
    """What our replica says to what was asked, and to the children that were stated."""
    nodes = [place.node for place in drill.now]
    if drill.question == "children":
        return Ours(root, children=await _children(session, drill, stated))
    if drill.question == "points":
        return Ours(root, points=await books.load_tree_points(session, drill.actor, nodes))
    if drill.question == "totals":
        return Ours(root, totals=await books.totals(session, drill.actor, nodes))
    return Ours(root)


async def _children(
    session: Session, drill: Drill, stated: Below
) -> dict[tuple[int, int], dict[int, bytes]]:
    """Our children of all nodes asked about and answered, by level and index.

    Where nothing is left to ask about but what we alone have, what is below that comes along, down
    to the slots or the buckets: it needs no question. Past TREE_NODES_MAX nodes it is asked about
    after all.
    """
    found = await books.children_of(session, drill.actor, stated)
    mine, theirs = _flat(found), _flat(stated)
    if drill.todo or any(at not in stated and mine.get(at) != theirs[at] for at in theirs):
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
