# SPDX-License-Identifier: Apache-2.0
"""A Merkle tree that only grows, of which only the frontier is in memory.

The hub's log and every delivery tree are kept so: appending needs the frontier alone, and the nodes
made on the way (`fresh`) are what a batch writes. A `Growth` is a value; appending gives a new one,
so a batch that fails leaves the old one as it was.

Elsewhere: the arithmetic of whole trees and proofs (`log`).
"""

from dataclasses import dataclass, field

from ledger.log import EMPTY_ROOT, Address, node_hash

__all__ = ["Growth"]


@dataclass(frozen=True)
class Growth:
    """Size and frontier: `nodes` are the largest complete subtrees, one for each bit of the size
    (`log.frontier`). Until it is written it holds what its last leaf made, and the tree before.
    """

    size: int = 0
    nodes: dict[Address, bytes] = field(default_factory=dict)
    made: dict[Address, bytes] = field(default_factory=dict, compare=False, repr=False)
    before: "Growth | None" = field(default=None, compare=False, repr=False)

    def append(self, leaf: bytes) -> "Growth":
        """The tree with one more leaf hash: wherever two subtrees of a size stand side by side they
        become one (RFC 9162 §2.1.1).
        """
        assert len(leaf) == len(EMPTY_ROOT), "a leaf is a hash"
        nodes, level, index, value = dict(self.nodes), 0, self.size, leaf
        made = {(level, index): value}
        while index & 1:
            value = node_hash(nodes.pop((level, index - 1)), value)
            level, index = level + 1, index >> 1
            made[level, index] = value
        nodes[level, index] = value
        return Growth(self.size + 1, nodes, made, self)

    def root(self) -> bytes:
        """The root as it is now: the frontier folded from its smallest subtree on."""
        folded = b""
        for _, value in sorted(self.nodes.items()):
            folded = node_hash(value, folded) if folded else value
        return folded or EMPTY_ROOT

    @property
    def fresh(self) -> dict[Address, bytes]:
        """The nodes made since the last `written`, in order."""
        steps, tree = [self.made], self.before
        while tree is not None:
            steps.append(tree.made)
            tree = tree.before
        return {address: value for made in reversed(steps) for address, value in made.items()}

    def written(self) -> "Growth":
        """The same tree, all of it written."""
        return Growth(self.size, self.nodes)
