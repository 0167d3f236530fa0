# SPDX-License-Identifier: Apache-2.0
"""Blocks and serial ranges: split, join, subtract, overlap.

A range is inclusive at both ends and never empty; quantity = last - first + 1. A split inherits
every attribute on both sides, so nothing about a unit depends on the block it happens to lie in
(6/CMA.4 annex I para 6).

Elsewhere: which blocks an actor holds (`ledger.holdings`), their digest (`ledger.tree`).
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.units import Attributes, Key, Position

__all__ = ["Block", "Range", "cut", "join", "normalize", "overlaps", "quantity", "subtract"]

Range = tuple[int, int]
"""First and last serial, both included, first <= last."""


class Block(NamedTuple):
    """Units of one key, alike in every attribute, in one position."""

    key: Key
    first: int
    last: int
    attributes: Attributes
    position: Position

    @property
    def quantity(self) -> int:
        """Units in the block, in the key's metric."""
        return self.last - self.first + 1


def overlaps(a: Range, b: Range) -> bool:
    """Whether two ranges share a serial."""
    return a[0] <= b[1] and b[0] <= a[1]


def quantity(ranges: Iterable[Range]) -> int:
    """Serials in disjoint ranges."""
    return sum(last - first + 1 for first, last in ranges)


def normalize(ranges: Iterable[Range]) -> list[Range]:
    """The same serials as sorted ranges with gaps between them."""
    result: list[Range] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def subtract(whole: Range, parts: Iterable[Range]) -> list[Range]:
    """What of `whole` lies in none of `parts`, in order."""
    rest, start = [], whole[0]
    for first, last in sorted(parts):
        if first > whole[1]:
            break
        if first > start:
            rest.append((start, first - 1))
        start = max(start, last + 1)
    if start <= whole[1]:
        rest.append((start, whole[1]))
    return rest


def cut(block: Block, first: int, last: int) -> tuple[list[Block], Block | None]:
    """Cut a range out of a block: what stays outside (none to two blocks), and the part inside."""
    if not overlaps((block.first, block.last), (first, last)):
        return [block], None
    low, high = max(block.first, first), min(block.last, last)
    outside = [
        block._replace(first=a, last=b)
        for a, b in subtract((block.first, block.last), [(low, high)])
    ]
    return outside, block._replace(first=low, last=high)


def join(blocks: Iterable[Block]) -> Iterator[Block]:
    """Merge neighbours that differ in nothing but their ranges; ordered by key and serial."""
    current: Block | None = None
    for block in sorted(blocks, key=lambda b: (b.key.text, b.first)):
        if (
            current is not None
            and current.last + 1 == block.first
            and current.key == block.key
            and current.position == block.position
            and current.attributes == block.attributes
        ):
            current = current._replace(last=block.last)
        else:
            if current is not None:
                yield current
            current = block
    if current is not None:
        yield current
