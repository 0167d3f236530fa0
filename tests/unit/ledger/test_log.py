# SPDX-License-Identifier: Apache-2.0
"""The Merkle tree against published vectors, its own properties, and another implementation."""

import hashlib
import math
from collections.abc import Iterator

import pymerkle  # type: ignore[import-untyped, unused-ignore]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import log

# The leaves, roots and proofs of the certificate-transparency reference tests; the tree-head
# tests of RFC 6962 implementations have all used them since.
LEAVES = [
    bytes.fromhex(data)
    for data in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
    (
        6,
        7,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
]

SIZE_MAX = 70
DATA = [f"entry {index}".encode() for index in range(SIZE_MAX)]
HASHES = [log.leaf_hash(data) for data in DATA]
TREE = log.Tree(HASHES)

sizes = st.integers(min_value=1, max_value=SIZE_MAX)


def published() -> log.Tree:
    return log.Tree(log.leaf_hash(leaf) for leaf in LEAVES)


def definition(leaves: list[bytes]) -> bytes:
    """MTH(D[n]), word for word as RFC 6962 §2.1 has it."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(
        b"\x01" + definition(leaves[:split]) + definition(leaves[split:])
    ).digest()


def test_the_published_roots_come_out() -> None:
    tree = published()
    assert [tree.root(size).hex() for size in range(9)] == ROOTS


@pytest.mark.parametrize(("index", "size", "proof"), INCLUSION)
def test_the_published_inclusion_proofs_come_out_and_verify(
    index: int, size: int, proof: list[str]
) -> None:
    tree = published()
    path = [bytes.fromhex(value) for value in proof]
    assert tree.inclusion(index, size) == path
    leaf = log.leaf_hash(LEAVES[index])
    assert log.verify_inclusion(leaf, index, size, path, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "new", "proof"), CONSISTENCY)
def test_the_published_consistency_proofs_come_out_and_verify(
    old: int, new: int, proof: list[str]
) -> None:
    tree = published()
    path = [bytes.fromhex(value) for value in proof]
    assert tree.consistency(old, new) == path
    old_root, new_root = bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new])
    assert log.verify_consistency(old, old_root, new, new_root, path)


@pytest.mark.parametrize("size", range(SIZE_MAX + 1))
def test_roots_are_those_of_the_definition(size: int) -> None:
    assert TREE.root(size) == definition(DATA[:size])


@pytest.mark.parametrize("size", range(1, SIZE_MAX + 1))
def test_every_leaf_of_every_size_is_proved_from_the_announced_nodes_alone(size: int) -> None:
    for index in range(size):
        needed = log.inclusion_path(index, size)
        assert len(set(needed)) == len(needed)
        proof = log.inclusion_proof(index, size, {at: TREE._nodes[at] for at in needed})
        assert log.verify_inclusion(HASHES[index], index, size, proof, TREE.root(size))


@pytest.mark.parametrize("new", range(SIZE_MAX + 1))
def test_every_earlier_size_is_proved_from_the_announced_nodes_alone(new: int) -> None:
    for old in range(new + 1):
        needed = log.consistency_path(old, new)
        assert len(set(needed)) == len(needed)
        proof = log.consistency_proof(old, new, {at: TREE._nodes[at] for at in needed})
        assert log.verify_consistency(old, TREE.root(old), new, TREE.root(new), proof)


@given(old=st.integers(min_value=0, max_value=SIZE_MAX), data=st.data())
def test_appending_needs_the_frontier_alone_and_leaves_the_next_one(
    old: int, data: st.DataObject
) -> None:
    new = data.draw(st.integers(min_value=old, max_value=SIZE_MAX))
    nodes = {at: TREE._nodes[at] for at in log.frontier(old)}
    made = log.append(old, nodes, HASHES[old:new])
    assert made.keys().isdisjoint(nodes)
    assert made.items() <= TREE._nodes.items()
    known = {**nodes, **made}
    assert log.root(new, {at: known[at] for at in log.frontier(new)}) == TREE.root(new)


def test_one_by_one_and_all_at_once_make_the_same_nodes() -> None:
    slowly = log.Tree()
    assert [slowly.append(leaf) for leaf in HASHES] == list(range(SIZE_MAX))
    assert slowly._nodes == TREE._nodes
    assert slowly.size == TREE.size == SIZE_MAX


def flipped(value: bytes, bit: int) -> bytes:
    return (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(len(value), "big")


def damaged(proof: list[bytes]) -> Iterator[list[bytes]]:
    """Yield the proof with an element too many, too few, exchanged, cut or joined."""
    yield [*proof, log.EMPTY_ROOT]
    yield [log.EMPTY_ROOT, *proof]
    yield [*proof, b""]
    for at, value in enumerate(proof):
        yield proof[:at] + proof[at + 1 :]
        yield [*proof[:at], value, *proof[at:]]
        yield [*proof[:at], value[:-1], *proof[at + 1 :]]
        yield [*proof[:at], value + b"\x00", *proof[at + 1 :]]
        if at + 1 < len(proof):
            yield [*proof[:at], proof[at + 1], value, *proof[at + 2 :]]
            yield [*proof[:at], value + proof[at + 1], *proof[at + 2 :]]


@given(size=sizes, data=st.data(), bit=st.integers(min_value=0, max_value=255))
def test_no_inclusion_proof_survives_a_change(size: int, data: st.DataObject, bit: int) -> None:
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    leaf, proof, root = HASHES[index], TREE.inclusion(index, size), TREE.root(size)
    assert log.verify_inclusion(leaf, index, size, proof, root)
    assert not log.verify_inclusion(flipped(leaf, bit), index, size, proof, root)
    assert not log.verify_inclusion(leaf, index, size, proof, flipped(root, bit))
    for at, value in enumerate(proof):
        bad = [*proof[:at], flipped(value, bit), *proof[at + 1 :]]
        assert not log.verify_inclusion(leaf, index, size, bad, root)
    for bad in damaged(proof):
        assert not log.verify_inclusion(leaf, index, size, bad, root)
    for other in range(-2, SIZE_MAX + 2):
        assert other == index or not log.verify_inclusion(leaf, other, size, proof, root)
        # The same proof may fit a tree of another size, but never one with that size's root.
        if 0 <= other <= SIZE_MAX and other != size:
            assert not log.verify_inclusion(leaf, index, other, proof, TREE.root(other))


@given(new=st.integers(min_value=2, max_value=SIZE_MAX), data=st.data(), bit=st.integers(0, 255))
def test_no_consistency_proof_survives_a_change(new: int, data: st.DataObject, bit: int) -> None:
    old = data.draw(st.integers(min_value=1, max_value=new - 1))
    proof, before, after = TREE.consistency(old, new), TREE.root(old), TREE.root(new)
    assert log.verify_consistency(old, before, new, after, proof)
    assert not log.verify_consistency(old, flipped(before, bit), new, after, proof)
    assert not log.verify_consistency(old, before, new, flipped(after, bit), proof)
    assert not log.verify_consistency(old, after, new, before, proof)
    assert not log.verify_consistency(new, after, old, before, proof)
    for at, value in enumerate(proof):
        bad = [*proof[:at], flipped(value, bit), *proof[at + 1 :]]
        assert not log.verify_consistency(old, before, new, after, bad)
    for bad in damaged(proof):
        assert not log.verify_consistency(old, before, new, after, bad)
    for other in range(-2, SIZE_MAX + 2):
        root = TREE.root(other) if 0 <= other <= SIZE_MAX else before
        assert other == old or not log.verify_consistency(other, root, new, after, proof)
        assert other == new or not log.verify_consistency(old, before, other, root, proof)


def test_a_tree_that_rewrote_a_leaf_has_no_consistency_proof() -> None:
    forged = log.Tree([*HASHES[:3], log.leaf_hash(b"forged"), *HASHES[4:]])
    for old in range(4, SIZE_MAX):
        proof = forged.consistency(old)
        assert not log.verify_consistency(
            old, TREE.root(old), SIZE_MAX, forged.root(SIZE_MAX), proof
        )


def test_a_size_is_believed_with_its_root_only() -> None:
    """Leaf 0 stands two levels down in trees of 3 and of 4 leaves: the proof fits both sizes."""
    proof, root = TREE.inclusion(0, 3), TREE.root(3)
    assert log.verify_inclusion(HASHES[0], 0, 4, proof, root)
    assert root != TREE.root(4)


EMPTY, ROOT = log.EMPTY_ROOT, TREE.root(1)


@pytest.mark.parametrize(
    ("old_size", "old_root", "new_size", "new_root", "proof", "verdict"),
    [
        (0, EMPTY, 0, EMPTY, [], True),
        (0, EMPTY, 1, ROOT, [], True),
        (1, ROOT, 1, ROOT, [], True),
        (0, EMPTY, 0, EMPTY, [EMPTY], False),
        (0, EMPTY, 1, ROOT, [EMPTY], False),
        (1, ROOT, 1, ROOT, [ROOT], False),
        (0, ROOT, 0, ROOT, [], False),
        (0, ROOT, 1, ROOT, [], False),
        (1, ROOT, 1, EMPTY, [], False),
        (1, ROOT, 2, ROOT, [], False),
        (1, ROOT, 0, EMPTY, [], False),
        (-1, EMPTY, 0, EMPTY, [], False),
        (0, EMPTY, 1, ROOT[:-1], [], False),
        (1, ROOT, 2**53, ROOT, [ROOT], False),
    ],
)
def test_edges_of_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: list[bytes], *,
    verdict: bool,
) -> None:  # fmt: skip
    assert log.verify_consistency(old_size, old_root, new_size, new_root, proof) is verdict


@pytest.mark.parametrize(
    ("index", "size"), [(0, 0), (1, 1), (2, 1), (-1, 1), (0, -1), (0, 2**53), (0, 2**4000)]
)
def test_places_outside_a_tree_hold_nothing(index: int, size: int) -> None:
    assert not log.verify_inclusion(ROOT, index, size, [], ROOT)


def test_one_leaf_is_its_own_root() -> None:
    assert log.verify_inclusion(ROOT, 0, 1, [], ROOT)
    assert not log.verify_inclusion(b"", 0, 1, [], b"")


def test_a_proof_without_end_is_given_up_at_the_root() -> None:
    assert not log.verify_inclusion(ROOT, 0, 1, [ROOT] * 10_000, ROOT)
    assert not log.verify_inclusion(ROOT, 0, 2**50, [ROOT] * 10_000, ROOT)


def test_our_own_mistakes_are_errors() -> None:
    tree = log.Tree(HASHES[:4])
    for call in (
        lambda: log.frontier(-1),
        lambda: log.append(-1, {}, []),
        lambda: log.append(0, {}, [b"not a hash"]),
        lambda: log.inclusion_path(4, 4),
        lambda: log.inclusion_path(-1, 4),
        lambda: log.consistency_path(5, 4),
        lambda: log.consistency_path(-1, 4),
        lambda: tree.root(5),
        lambda: tree.inclusion(0, -1),
        lambda: tree.consistency(2, 5),
    ):
        with pytest.raises(ValueError, match=r"."):
            call()
    with pytest.raises(KeyError):
        log.root(3, {(1, 0): HASHES[0]})


@given(st.integers(min_value=1, max_value=10**7), st.data())
def test_few_nodes_are_read_however_large_the_tree(size: int, data: st.DataObject) -> None:
    levels = math.ceil(math.log2(size)) if size > 1 else 0
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    assert len(log.frontier(size)) == size.bit_count()
    assert len(log.inclusion_path(index, size)) <= 2 * levels
    assert len(log.consistency_path(index, size)) <= 2 * levels


@pytest.mark.parametrize("size", [10**7 - 1, 10**7, 2**23 - 1, 2**23, 2**23 + 1])
def test_the_worst_places_of_large_trees_are_cheap_too(size: int) -> None:
    levels = (size - 1).bit_length()
    for place in (0, 1, size // 2, size - 2, size - 1, 2**22 - 1, 2**22, 2**22 + 1):
        assert len(log.inclusion_path(place, size)) <= 2 * levels
        assert len(log.consistency_path(place, size)) <= 2 * levels


def test_another_implementation_makes_the_same_trees_and_proofs() -> None:
    """In pymerkle an inclusion path opens with the leaf itself, and indices begin at one."""
    other = pymerkle.InmemoryTree(algorithm="sha256", disable_security=False)
    for size, data in enumerate(DATA[:40], 1):
        other.append_entry(data)
        assert other.get_root(size) == TREE.root(size)
        for index in range(size):
            path = other.prove_inclusion(index + 1, size).path
            assert path == [HASHES[index], *TREE.inclusion(index, size)]
            earlier = other.prove_consistency(index + 1, size)
            earlier.verify(TREE.root(index + 1), TREE.root(size))  # raises if it disagrees
