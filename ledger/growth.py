# SPDX-License-Identifier: Apache-2.0
"""A Merkle tree that only grows, of which only the frontier is in memory.

The hub's log and every delivery tree are kept so: appending needs the frontier alone, and the nodes
made on the way (`fresh`) are what a batch writes. A `Growth` is a value; appending gives a new one,
so a batch that fails leaves the old one as it was.

Elsewhere: the arithmetic (`log`).
"""

from dataclasses import dataclass, field, replace

from ledger import log
from ledger.log import Address

__all__ = ["Growth"]


@dataclass(frozen=True)
class Growth:
    """Size, frontier nodes, and the nodes not yet written anywhere."""

    size: int = 0
    nodes: dict[Address, bytes] = field(default_factory=dict)
    fresh: dict[Address, bytes] = field(default_factory=dict)

    def append(self, leaf: bytes) -> "Growth":
        """The tree with one more leaf hash."""
        made = log.append(self.size, self.nodes, [leaf])
        known = {**self.nodes, **made}
        frontier = {a: known[a] for a in log.frontier(self.size + 1)}
        return Growth(self.size + 1, frontier, {**self.fresh, **made})

    def root(self) -> bytes:
        """The root as it is now."""
        return log.root(self.size, self.nodes)

    def written(self) -> "Growth":
        """The same tree, all of it written."""
        return replace(self, fresh={})
