# SPDX-License-Identifier: Apache-2.0
"""The Merkle tree of the log and of the delivery trees: RFC 6962 §2.1, restated in RFC 9162 §2.1.

A tree is a size and the hashes of its *complete* subtrees. A complete subtree never changes
again, however much is appended, so its hash is written once and kept for ever. The ragged right
edge of a tree is never stored: it is folded from complete subtrees when a root or proof is made.

The rules of this file:

* A leaf is the SHA-256 of 0x00 and the data, an inner node that of 0x01 and its two children, so
  no leaf can pass for a node. The root of the empty tree is the SHA-256 of nothing (§2.1.1).
* The address `(level, index)` names the complete subtree over the leaves from `index << level`
  up to, and without, `(index + 1) << level`; level 0 holds the leaves.
* Whatever is computed needs at most some 2 log2 n nodes, and `frontier` and the functions that
  end in `_path` say beforehand which. A caller with its nodes in a database asks for the
  addresses, loads exactly those in one query, and hands them in as a mapping.
* `verify_...` functions judge what others sent: anything wrong is False, never an exception. All
  others serve our own log: a wrong size is a `ValueError`, a node not handed in a `KeyError`.

A root means nothing without its size: trees of other sizes can have the same shape along a path
and then accept the same proof with the same root (3 and 4 do, for leaf 0). Size and root are
therefore only ever believed together, signed in one checkpoint.

Deliberately elsewhere: where nodes are kept, what an entry is, checkpoints (`ledger.note`).
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final

from schemas.limits import INTEGER_MAX

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "Address",
    "Nodes",
    "Tree",
    "append",
    "consistency_path",
    "consistency_proof",
    "frontier",
    "inclusion_path",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "root",
    "verify_consistency",
    "verify_inclusion",
]

Address = tuple[int, int]
"""Level and index of a complete subtree."""

Nodes = Mapping[Address, bytes]
"""Hashes of complete subtrees, 32 bytes each, by address."""

HASH_BYTES: Final = 32

EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of a tree without leaves, RFC 9162 §2.1.1."""


class Tree:
    """A whole tree in memory, for clients, delivery trees that are rebuilt, and tests.

    Leaves are leaf hashes (`leaf_hash`), never the data itself. All complete subtrees are kept,
    so roots and proofs can be had for every size that the tree ever had.
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._nodes: dict[Address, bytes] = {}
        self._size = 0
        self.extend(tuple(leaves))

    @property
    def size(self) -> int:
        return self._size

    def append(self, leaf: bytes) -> int:
        """Add one leaf hash and return its index."""
        self.extend((leaf,))
        return self._size - 1

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes in order; `ValueError` if one of them is not 32 bytes long."""
        self._nodes.update(append(self._size, self._nodes, leaves))
        self._size += len(leaves)

    def root(self, size: int | None = None) -> bytes:
        return root(self._reached(size), self._nodes)

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Prove that the leaf at `index` is in the tree as it is now, or was at `size`."""
        return inclusion_proof(index, self._reached(size), self._nodes)

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """Prove that the tree of size `old` was only appended to, until now or until `new`."""
        return consistency_proof(old, self._reached(new), self._nodes)

    def _reached(self, size: int | None) -> int:
        if size is None:
            return self._size
        if not 0 <= size <= self._size:
            raise ValueError(f"the tree has {self._size} leaves and never had {size}")
        return size


def leaf_hash(data: bytes) -> bytes:
    """Hash the bytes of an entry into a leaf, RFC 9162 §2.1.1; 32 bytes come out."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two child hashes into their parent, RFC 9162 §2.1.1; 32 bytes come out."""
    return sha256(b"\x01" + left + right).digest()


def append(size: int, nodes: Nodes, leaves: Sequence[bytes]) -> dict[Address, bytes]:
    """Return the complete nodes that arise when leaf hashes are added to a tree of `size` leaves.

    `nodes` must hold `frontier(size)`; nothing else is read. The result holds the new leaves and
    every inner node that they complete, none of which existed before. Together with the old
    frontier it holds the new one, so the new root is
    `root(size + len(leaves), {**nodes, **made})`.
    """
    if size < 0:
        raise ValueError(f"a tree of {size} leaves does not exist")
    if not _are_hashes(*leaves):
        raise ValueError("a leaf is a SHA-256 hash of 32 bytes; leaf_hash() makes one")
    made: dict[Address, bytes] = {}
    level, first, row = 0, size, list(leaves)
    while row:
        made.update(((level, index), value) for index, value in enumerate(row, first))
        if first & 1:
            # The first new node is a right child: its sibling is the old frontier at this level.
            first -= 1
            row.insert(0, nodes[level, first])
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        level, first = level + 1, first >> 1
    return made


def frontier(size: int) -> tuple[Address, ...]:
    """Return what `root` and `append` read: the largest complete subtrees, left to right."""
    if size < 0:
        raise ValueError(f"a tree of {size} leaves does not exist")
    return _cover(0, size)


def root(size: int, nodes: Nodes) -> bytes:
    """Return the Merkle tree hash, RFC 9162 §2.1.1; `nodes` must hold `frontier(size)`."""
    return _fold(frontier(size), nodes) if size else EMPTY_ROOT


def inclusion_path(index: int, size: int) -> tuple[Address, ...]:
    """Return the addresses that `inclusion_proof` reads, in the order of the proof."""
    return tuple(address for span in _inclusion_spans(index, size) for address in _cover(*span))


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """Prove that a leaf is in the tree: PATH(m, D_n) of RFC 9162 §2.1.3.1, leaf to root.

    `nodes` must hold `inclusion_path(index, size)`.
    """
    return [_fold(_cover(*span), nodes) for span in _inclusion_spans(index, size)]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Say whether `proof` shows the leaf hash at `index` in the tree of `size` leaves and `root`.

    The algorithm of RFC 9162 §2.1.3.2, its steps numbered.
    """
    if not 0 <= index < size <= INTEGER_MAX:  # 1
        return False
    if not _are_hashes(leaf, root, *proof):
        return False
    climbed = _climb(index, size - 1, leaf, proof)  # 2, 3, 4
    return climbed is not None and climbed[1] == root  # 5


def consistency_path(old: int, new: int) -> tuple[Address, ...]:
    """Return the addresses that `consistency_proof` reads, in the order of the proof."""
    return tuple(address for span in _consistency_spans(old, new) for address in _cover(*span))


def consistency_proof(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """Prove that the first `old` leaves are unchanged: PROOF(m, D_n) of RFC 9162 §2.1.4.1.

    `nodes` must hold `consistency_path(old, new)`. From size 0, and between equal sizes, the
    proof is empty.
    """
    return [_fold(_cover(*span), nodes) for span in _consistency_spans(old, new)]


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Say whether `proof` shows that the tree of the old root was only appended to.

    The algorithm of RFC 9162 §2.1.4.2, its steps numbered. That section starts at size 1; here
    every tree also extends the empty one, by an empty proof and with `EMPTY_ROOT` as old root.
    """
    if not 0 <= old_size <= new_size <= INTEGER_MAX:
        return False
    if not _are_hashes(old_root, new_root, *proof):
        return False
    if old_size == new_size:
        return not proof and old_root == new_root and (old_size > 0 or old_root == EMPTY_ROOT)
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    if not proof:  # 1
        return False
    if old_size & (old_size - 1) == 0:  # 2
        proof = [old_root, *proof]
    fn, sn = old_size - 1, new_size - 1  # 3
    while fn & 1:  # 4
        fn, sn = fn >> 1, sn >> 1
    climbed = _climb(fn, sn, proof[0], proof[1:])  # 5, 6
    return climbed == (old_root, new_root)  # 7


def _climb(fn: int, sn: int, start: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Hash a proof upwards from the node `fn` of a level whose last node is `sn`.

    Steps 4 of RFC 9162 §2.1.3.2 and 6 of §2.1.4.2, which differ in nothing but that inclusion
    has no use for the first of the two results: the root of the tree that ends with the starting
    node, and the root of the whole tree. None if the proof is longer or shorter than the climb.
    """
    fr = sr = start
    for c in proof:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return (fr, sr) if sn == 0 else None


def _inclusion_spans(index: int, size: int) -> list[tuple[int, int]]:
    """Return the leaf ranges, end excluded, whose hashes prove the leaf at `index`, upwards.

    Walks down from the root; at each split the half without the leaf belongs to the proof.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    spans: list[tuple[int, int]] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = _split(begin, end)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((begin, middle))
            begin = middle
    return spans[::-1]


def _consistency_spans(old: int, new: int) -> list[tuple[int, int]]:
    """Return the leaf ranges, end excluded, whose hashes prove the old tree's prefix, upwards.

    They stand beside the path of the old tree's last leaf, but those below the node that ends
    where the old tree ended give way to that node; and if it is the whole old tree, the verifier
    knows its hash and it is left out (b in SUBPROOF of RFC 9162 §2.1.4.1).
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not extend one of {old}")
    if old in (0, new):
        return []
    spans = _inclusion_spans(old - 1, new)
    begin = old - 1
    while spans[0][0] < old:
        begin, _ = spans.pop(0)
    return [(begin, old), *spans] if begin else spans


def _split(begin: int, end: int) -> int:
    """Return where a range divides: after the largest power of two below its length."""
    return begin + (1 << (end - begin - 1).bit_length() - 1)


def _cover(begin: int, end: int) -> tuple[Address, ...]:
    """Return the complete subtrees over a range, largest first: one per one-bit of its length.

    The range must come from splitting; it then begins at a multiple of its largest subtree.
    """
    addresses = []
    length = end - begin
    while length:
        level = length.bit_length() - 1
        addresses.append((level, begin >> level))
        begin += 1 << level
        length -= 1 << level
    return tuple(addresses)


def _fold(addresses: Sequence[Address], nodes: Nodes) -> bytes:
    """Hash neighbouring subtrees, largest first, into the node above them all."""
    folded = nodes[addresses[-1]]
    for address in reversed(addresses[:-1]):
        folded = node_hash(nodes[address], folded)
    return folded


def _are_hashes(*values: bytes) -> bool:
    # Other lengths must not reach `node_hash`: 31 and 33 bytes hash like 32 and 32.
    return all(len(value) == HASH_BYTES for value in values)
