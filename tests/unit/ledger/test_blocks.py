# SPDX-License-Identifier: Apache-2.0
"""Block arithmetic, held against sets of serials.

The model is the obvious one: a range is the set of its serials, a list of blocks maps each serial
of a key to how it is held. What is slow on a registry is quick on forty serials.
"""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.blocks import Block, Range, cut, join, normalize, overlaps, quantity, subtract
from schemas.identifiers import Actor, ApproachId, PartyCode, RegistryId, account_number
from schemas.limits import SERIAL_MAX
from schemas.units import Attributes, Key, Layer, Position

# A stalled disk or a busy neighbour is no failure.
unhurried = settings(deadline=None)

GHANA, SWITZERLAND = (
    Key(
        layer=Layer.ITMO,
        approach=ApproachId("CA0007"),
        registry=RegistryId(registry),
        party=PartyCode(registry[:3]),
        vintage=2023,
    )
    for registry in ("GHA01", "CHE01")
)
HELD, LOCKED = (Position.of(account_number(Actor("GHA01/GHA"), kind, 1)) for kind in ("HLD", "LCK"))
PLAIN, MARKED = Attributes(), Attributes(first_transferred=True)
LABELS = [(PLAIN, HELD), (PLAIN, LOCKED), (MARKED, HELD)]

Cells = dict[tuple[Key, int], tuple[Attributes, Position]]

serials = st.integers(1, 40)
ranges = st.tuples(serials, serials).map(lambda ends: (min(ends), max(ends)))
labels = st.sampled_from(LABELS)
whole_blocks = st.builds(lambda r, label: Block(GHANA, *r, *label), ranges, labels)
runs = st.lists(st.tuples(st.integers(1, 6), st.none() | labels), max_size=8)


def serials_of(*parts: Range) -> set[int]:
    return {serial for first, last in parts for serial in range(first, last + 1)}


def cells_of(blocks: list[Block]) -> Cells:
    cells: Cells = {}
    for b in blocks:
        for serial in range(b.first, b.last + 1):
            assert (b.key, serial) not in cells, "one unit in two blocks"
            cells[b.key, serial] = b.attributes, b.position
    return cells


@st.composite
def holdings(draw: st.DrawFn) -> list[Block]:
    """Disjoint blocks of two keys, as long as can be."""
    blocks: list[Block] = []
    for key in (GHANA, SWITZERLAND):
        first = 1
        for length, label in draw(runs):
            if label is not None:
                blocks.append(Block(key, first, first + length - 1, *label))
            first += length
    return list(join(blocks))


def shattered(blocks: list[Block], random: Random) -> list[Block]:
    """The same units in more blocks and any order."""
    pieces = []
    for block in blocks:
        ends = {e for e in range(block.first, block.last) if random.random() < 0.4} | {block.last}
        first = block.first
        for end in sorted(ends):
            pieces.append(block._replace(first=first, last=end))
            first = end + 1
    random.shuffle(pieces)
    return pieces


@pytest.mark.requirement(38)
@unhurried
@given(ranges, ranges)
def test_ranges_overlap_when_they_share_a_serial(a: Range, b: Range) -> None:
    assert overlaps(a, b) == bool(serials_of(a) & serials_of(b))
    assert overlaps(a, b) == overlaps(b, a)


@unhurried
@given(st.lists(ranges))
def test_normalized_ranges_have_the_same_serials_and_gaps_between_them(parts: list[Range]) -> None:
    result = normalize(parts)
    assert serials_of(*result) == serials_of(*parts)
    assert all(a[1] + 1 < b[0] for a, b in pairwise(result))
    assert quantity(result) == len(serials_of(*parts))
    assert normalize(reversed(result)) == result


@unhurried
@given(ranges, st.lists(ranges))
def test_subtraction_leaves_what_lies_in_no_part(whole: Range, parts: list[Range]) -> None:
    rest = subtract(whole, parts)
    assert serials_of(*rest) == serials_of(whole) - serials_of(*parts)
    assert normalize(rest) == rest


@pytest.mark.requirement(38)
@unhurried
@given(ranges, st.lists(ranges))
def test_subtraction_conserves_quantity(whole: Range, parts: list[Range]) -> None:
    rest = subtract(whole, parts)
    removed = subtract(whole, rest)
    assert quantity(rest) + quantity(removed) == quantity([whole])
    assert serials_of(*removed) == serials_of(whole) & serials_of(*parts)


@unhurried
@given(whole_blocks, ranges)
def test_a_cut_keeps_every_unit_once_and_as_it_was(block: Block, at: Range) -> None:
    outside, inside = cut(block, *at)
    pieces = [*outside, *([inside] if inside else [])]
    assert cells_of(pieces) == cells_of([block])
    assert sum(piece.quantity for piece in pieces) == block.quantity
    common = serials_of((block.first, block.last)) & serials_of(at)
    assert (serials_of((inside.first, inside.last)) if inside else set()) == common


@unhurried
@given(whole_blocks, ranges)
def test_a_cut_joined_again_is_the_block(block: Block, at: Range) -> None:
    outside, inside = cut(block, *at)
    assert list(join([*([inside] if inside else []), *outside])) == [block]


@pytest.mark.requirement(38)
@unhurried
@given(holdings(), st.randoms(use_true_random=False))
def test_split_then_join_is_identity(blocks: list[Block], random: Random) -> None:
    assert list(join(shattered(blocks, random))) == blocks


@unhurried
@given(holdings(), st.randoms(use_true_random=False))
def test_joining_moves_no_unit_and_leaves_nothing_to_join(
    blocks: list[Block], random: Random
) -> None:
    joined = list(join(shattered(blocks, random)))
    assert cells_of(joined) == cells_of(blocks)
    for a, b in pairwise(joined):
        touching = a.key == b.key and a.last + 1 == b.first
        assert not (touching and (a.attributes, a.position) == (b.attributes, b.position))


@pytest.mark.parametrize(
    "other",
    [
        Block(GHANA, 11, 20, MARKED, HELD),
        Block(GHANA, 11, 20, PLAIN, LOCKED),
        Block(SWITZERLAND, 11, 20, PLAIN, HELD),
        Block(GHANA.on(Layer.UNDERLYING), 11, 20, PLAIN, HELD),
        Block(GHANA, 12, 20, PLAIN, HELD),
    ],
    ids=["attributes", "position", "key", "layer", "gap"],
)
def test_neighbours_that_differ_are_not_joined(other: Block) -> None:
    block = Block(GHANA, 1, 10, PLAIN, HELD)
    assert len(list(join([other, block]))) == 2


@pytest.mark.parametrize(
    ("at", "outside", "inside"),
    [
        ((11, 20), [], (11, 20)),
        ((1, 99), [], (11, 20)),
        ((11, 11), [(12, 20)], (11, 11)),
        ((20, 20), [(11, 19)], (20, 20)),
        ((14, 15), [(11, 13), (16, 20)], (14, 15)),
        ((1, 10), [(11, 20)], None),
        ((21, SERIAL_MAX), [(11, 20)], None),
    ],
)
def test_cuts(at: Range, outside: list[Range], inside: Range | None) -> None:
    left, taken = cut(Block(GHANA, 11, 20, PLAIN, HELD), *at)
    assert [(b.first, b.last) for b in left] == outside
    assert (taken and (taken.first, taken.last)) == inside


def test_quantities_at_the_largest_serial_are_exact() -> None:
    block = Block(GHANA, 1, SERIAL_MAX, PLAIN, HELD)
    outside, inside = cut(block, SERIAL_MAX, SERIAL_MAX)
    assert inside is not None
    assert (outside[0].quantity, inside.quantity) == (SERIAL_MAX - 1, 1)
    assert subtract((1, SERIAL_MAX), [(1, SERIAL_MAX)]) == []
