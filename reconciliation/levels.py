# SPDX-License-Identifier: Apache-2.0
"""The children that an answer states, level by level, held to the root. Pure.

Asked for the children of node 0x5 of level 3, an actor may answer with those of node 0x502 of level
5 (rules 7.15 and 7.16): then 0x5 has one child, 0x50, and that has one, 0x502. From the children
follows the digest of 0x502, from that the one of 0x50, and from that the one of 0x5, which must be
the digest that the actor has stated for it (7.11). If it is not, or if there is anything that was
not asked for, the answer is false.

Elsewhere: what differs, and what is asked next (`descent`); points, rule 7.17 (`runtime.rows`); how
the actor comes by its answer (`registry.answers`).
"""

from collections.abc import Iterator, Mapping

from ledger import tree
from ledger.tree import LEVELS, SLOT_LEVEL
from reconciliation.drill import Drill, in_parts
from schemas.messages import Answer
from schemas.nodes import Children

__all__ = ["Below", "FalseAnswer", "stated_below"]

Below = Mapping[tuple[int, int], Mapping[int, bytes]]
"""Per node, by level and index, the digests of its children by their index."""


class FalseAnswer(Exception):
    """An answer that nobody whose rows have the stated root can mean."""


def stated_below(drill: Drill, answer: Answer) -> Below:
    """What an answer states of each node asked about, and of each on the way to what it has;
    nothing where it was not children that were asked for.

    A node that the actor has not has no children. Whatever else than `FalseAnswer` comes out is a
    fault of ours: an answer that was read has as many digests as children.
    """
    if drill.question != "children":
        return {}
    stated: dict[tuple[int, int], Mapping[int, bytes]] = {}
    for one in answer.children:
        if not (drill.level <= one.level <= _last_level(drill)):
            raise FalseAnswer(f"the children of {one.node} at level {one.level} are not asked for")
        for at, below in _way_up(one, drill.level):
            if at in stated:
                raise FalseAnswer(f"the children of {at[1]} at level {at[0]} are given twice")
            stated[at] = below
    asked = {(drill.level, place.node) for place in drill.now}
    for level, node in stated:
        if level == drill.level and (level, node) not in asked:
            raise FalseAnswer(f"the children of {node} at level {level} are not asked for")
    for node, digest in _tied(drill, answer).items():
        if not _hashes_to(drill.level, node, digest, stated.get((drill.level, node), {})):
            raise FalseAnswer(f"the children of {node} at level {drill.level} do not hash to it")
    return {**{at: {} for at in asked}, **stated}


def _last_level(drill: Drill) -> int:
    """The last level whose nodes' children may be in the answer."""
    if in_parts(drill):
        return drill.level
    return (SLOT_LEVEL if drill.level < SLOT_LEVEL else LEVELS) - 1


def _way_up(one: Children, top: int) -> Iterator[tuple[tuple[int, int], Mapping[int, bytes]]]:
    """A node and all above it up to a level, each with its children."""
    level, node, below = one.level, one.node, one.below
    yield (level, node), below
    while level > top:
        digest = tree.node_digest({child & 15: value for child, value in below.items()})
        assert digest is not None, "children have at least one"
        level, node, below = level - 1, node >> 4, {node: digest}
        yield (level, node), below


def _tied(drill: Drill, answer: Answer) -> dict[int, bytes | None]:
    """The digests of the nodes asked about, None for one that the actor has not.

    Nodes are left out whose digest was stated under another root than the answer's: the rows have
    moved on, and may have other children by now.
    """
    if drill.level == 0:
        return {0: bytes.fromhex(answer.holdings)}
    return {
        place.node: None if place.digest is None else bytes.fromhex(place.digest)
        for place in drill.now
        if place.root == answer.holdings
    }


def _hashes_to(level: int, node: int, stated: bytes | None, below: Mapping[int, bytes]) -> bool:
    if stated is None:
        return not below
    return tree.verify_children(level, node, stated, below)
