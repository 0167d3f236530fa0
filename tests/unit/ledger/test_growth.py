# SPDX-License-Identifier: Apache-2.0
"""A tree of which only the frontier is kept is the whole tree, at every size."""

from ledger import log
from ledger.growth import Growth

LEAVES = [log.leaf_hash(bytes([n])) for n in range(200)]


def test_a_growth_is_the_tree_of_its_leaves_at_every_size() -> None:
    grown, whole = Growth(), log.Tree()
    for size, leaf in enumerate(LEAVES):
        assert grown.size == size
        assert grown.root() == whole.root()
        assert set(grown.nodes) == set(log.frontier(size))
        grown = grown.append(leaf)
        whole.append(leaf)


def test_what_is_fresh_is_what_was_made_since_it_was_written() -> None:
    for first in (0, 1, 7, 64):
        written = Growth()
        for leaf in LEAVES[:first]:
            written = written.append(leaf).written()
        assert written.fresh == {}
        grown = written
        for leaf in LEAVES[first:]:
            grown = grown.append(leaf)
        assert grown.fresh == log.append(first, written.nodes, LEAVES[first:])
        assert grown.written() == grown
        assert grown.written().fresh == {}


def test_appending_leaves_the_tree_that_it_began_with_alone() -> None:
    begun = Growth().append(LEAVES[0])
    one, other = begun.append(LEAVES[1]), begun.append(LEAVES[2])
    assert (begun.size, begun.root()) == (1, LEAVES[0])
    assert one.root() != other.root()
    assert one.fresh[0, 1] == LEAVES[1]
    assert other.fresh[0, 1] == LEAVES[2]
