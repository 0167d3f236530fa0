# SPDX-License-Identifier: Apache-2.0
"""The holdings tree, held against a model that looks at one serial at a time.

`Cells` says for each unit how it is held. Windows of two dozen serials are laid where it matters:
at the first serial, across a bucket's edge, and up to the last serial that there can be.
"""

from collections.abc import Iterable
from hashlib import sha256
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.blocks import Block, join
from ledger.tree import (
    EMPTY_ROOT,
    LABELS_MAX,
    LEVELS,
    SLOT_LEVEL,
    Difference,
    Explained,
    Label,
    Point,
    Tree,
    bucket,
    bucket_digest,
    bucket_points,
    by_bucket,
    children,
    climb,
    differences,
    differing,
    dirty_buckets,
    explain,
    goes_on,
    node_digest,
    parents,
    points,
    slot,
    verify_children,
    verify_points,
)
from schemas.identifiers import Actor, ApproachId, PartyCode, RegistryId, account_number
from schemas.limits import SERIAL_MAX
from schemas.units import Attributes, Key, Layer, Position

# A stalled disk or a busy neighbour is no failure.
unhurried = settings(deadline=None)

Held = tuple[Attributes, Position]
Cells = dict[tuple[Key, int], Held]
Row = tuple[Label | None, Label | None]


def key_of(registry: str, vintage: int, layer: Layer = Layer.ITMO) -> Key:
    return Key(
        layer=layer,
        approach=ApproachId("CA0007"),
        registry=RegistryId(registry),
        party=PartyCode(registry[:3]),
        vintage=vintage,
    )


def position(actor: str, kind: str, number: int = 1) -> Position:
    return Position.of(account_number(Actor(actor), kind, number))


def keys_in_one_slot() -> tuple[Key, Key]:
    """The first two keys, in a fixed order, that fall into the same slot."""
    seen: dict[int, Key] = {}
    for number, vintage in product(range(100), range(2021, 2100)):
        key = key_of(f"GHA{number:02d}", vintage)
        place = slot(key.text)
        if place in seen:
            return seen[place], key
        seen[place] = key
    raise AssertionError("four thousand slots are never this empty")


KEYS = [*keys_in_one_slot(), key_of("CHE01", 2023)]
PLAIN, MARKED = Attributes(), Attributes(first_transferred=True)
HELD, LOCKED = position("GHA01/GHA", "HLD"), position("GHA01/GHA", "LCK")
OTHER_ACCOUNT, OTHER_ACTOR = position("GHA01/GHA", "HLD", 2), position("CHE01/CHE", "HLD")
LABELS: list[Held] = [
    (PLAIN, HELD), (MARKED, HELD), (PLAIN, LOCKED), (MARKED, OTHER_ACCOUNT), (PLAIN, OTHER_ACTOR),
]  # fmt: skip
WINDOW = 24
STARTS = [1, 245, SERIAL_MAX - WINDOW + 1]

runs = st.lists(st.tuples(st.integers(1, 9), st.none() | st.sampled_from(LABELS)), max_size=6)


@st.composite
def holdings(draw: st.DrawFn, starts: Iterable[int] = STARTS) -> Cells:
    cells: Cells = {}
    for key, start in product(KEYS, starts):
        window = iter(range(start, start + WINDOW))
        for length, held in draw(runs):
            for _, serial in zip(range(length), window, strict=False):
                if held is not None:
                    cells[key, serial] = held
    return cells


@st.composite
def edited(draw: st.DrawFn, cells: Cells) -> Cells:
    """The same holdings with a few ranges overwritten."""
    after = dict(cells)
    for _ in range(draw(st.integers(0, 4))):
        key, start = draw(st.sampled_from(KEYS)), draw(st.sampled_from(STARTS))
        first = start + draw(st.integers(0, WINDOW - 1))
        held = draw(st.none() | st.sampled_from(LABELS))
        for serial in range(first, min(first + draw(st.integers(1, 9)), start + WINDOW)):
            if held is None:
                after.pop((key, serial), None)
            else:
                after[key, serial] = held
    return after


pairs_of_holdings = holdings().flatmap(lambda c: st.tuples(st.just(c), edited(c)))
randoms = st.randoms(use_true_random=False)


def blocks_of(cells: Cells) -> list[Block]:
    """The holdings in blocks of one unit."""
    return [Block(key, serial, serial, *held) for (key, serial), held in cells.items()]


def rows_of(cells: Cells, random: Random) -> list[Block]:
    """The holdings in blocks as some registry might have split and ordered them."""
    rows = []
    for block in join(blocks_of(cells)):
        first = block.first
        for last in range(block.first, block.last + 1):
            if last == block.last or random.random() < 0.3:
                rows.append(block._replace(first=first, last=last))
                first = last + 1
    random.shuffle(rows)
    return rows


def label(held: Held | None) -> Label | None:
    return held and Label(held[0].text, held[1].account)


# The digest


@unhurried
@given(holdings(), randoms)
def test_the_root_is_the_same_however_blocks_are_split_joined_and_ordered(
    cells: Cells, random: Random
) -> None:
    joined = list(join(blocks_of(cells)))
    rows = rows_of(cells, random)
    assert points(rows) == points(joined) == points(blocks_of(cells))
    assert Tree(rows).root == Tree(joined).root == Tree(blocks_of(cells)).root
    assert len(points(rows)) == 2 * len(joined)


@unhurried
@given(pairs_of_holdings, randoms)
def test_roots_are_equal_only_for_equal_holdings(pair: tuple[Cells, Cells], random: Random) -> None:
    one, other = pair
    same_root = Tree(rows_of(one, random)).root == Tree(rows_of(other, random)).root
    assert same_root == (one == other)


@pytest.mark.requirement(41)
@unhurried
@given(holdings().filter(bool), st.data())
def test_one_unit_held_otherwise_changes_the_root(cells: Cells, data: st.DataObject) -> None:
    unit = data.draw(st.sampled_from(list(cells)))
    before = Tree(join(blocks_of(cells))).root
    for held in [None, *LABELS]:
        if held == cells[unit]:
            continue
        after = {**cells, unit: held} if held else {u: h for u, h in cells.items() if u != unit}
        assert Tree(join(blocks_of(after))).root != before


BLOCK = Block(KEYS[0], 100, 199, PLAIN, HELD)


@pytest.mark.requirement(39)
@pytest.mark.parametrize(
    "other",
    [
        BLOCK._replace(first=101),
        BLOCK._replace(last=200),
        BLOCK._replace(first=101, last=200),
        BLOCK._replace(attributes=MARKED),
        BLOCK._replace(attributes=PLAIN.but(designation="N")),
        BLOCK._replace(position=LOCKED),
        BLOCK._replace(position=OTHER_ACCOUNT),
        BLOCK._replace(position=OTHER_ACTOR),
        BLOCK._replace(key=KEYS[1]),
        BLOCK._replace(key=BLOCK.key.on(Layer.UNDERLYING)),
    ],
    ids=[
        "first", "last", "shifted", "attribute", "designation", "kind", "account", "actor",
        "key in the same slot", "layer",
    ],
)  # fmt: skip
def test_every_part_of_a_block_is_in_the_root(other: Block) -> None:
    assert Tree([other]).root != Tree([BLOCK]).root


def test_holding_nothing_has_a_root_of_its_own() -> None:
    assert Tree().root == EMPTY_ROOT == sha256(b"\x03").digest()
    held = Tree([BLOCK])
    held.put(dict.fromkeys(by_bucket(points([BLOCK]))))
    assert held.root == EMPTY_ROOT
    assert all(not held.below(level, [0]) for level in range(LEVELS))


def test_digests_are_made_of_the_bytes_that_the_rules_name() -> None:
    """Written out again from the module's docstring, as another implementation would."""
    account = b"GHA01-GHA-HLD-1-33"
    record = b"".join(
        [
            (7).to_bytes(8),
            b"\x01",
            *(len(text).to_bytes(4) for text in (b"k", "ü".encode(), account)),
            b"k" + "ü".encode() + account,
        ]
    )
    end = (9).to_bytes(8) + b"\xff" + record[9:]
    begins = Point("k", 7, 1, "ü", "GHA01-GHA-HLD-1-33")
    found = bucket_digest([begins._replace(serial=9, sign=-1), begins])
    assert found == sha256(b"\x02" + record + end).digest()
    assert node_digest({5: found, 1: EMPTY_ROOT}) == (
        sha256(b"\x03" + b"\x01" + EMPTY_ROOT + b"\x05" + found).digest()
    )


def test_a_known_ledger_has_a_known_root() -> None:
    """Every node that is running has signed roots like this one: a change here breaks them all."""
    key = key_of("GHA01", 2023)
    found = Tree([Block(key, 1, 1000, PLAIN, HELD), Block(key, 1001, 1300, MARKED, LOCKED)])
    assert key.text == "itmo:CA0007-GHA01-GHA-2023"
    assert slot(key.text) == 0x49D
    assert found.root.hex() == ("1a3ab6ee3eef07f9a293a007ee143d4bf7ba19ede925d06718c9f23778a867da")


@pytest.mark.parametrize(
    "ranges",
    [
        [(5, 4)],
        [(0, 4)],
        [(-3, 4)],
        [(1, SERIAL_MAX + 1)],
        [(1, 9), (1, 9)],
        [(1, 9), (9, 12)],
        [(1, 9), (3, 4)],
        [(1, 9), (30, 40), (10, 30)],
    ],
)
def test_rows_that_cannot_be_are_refused(ranges: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match=r"is not a range|lies in two blocks"):
        points(Block(KEYS[0], first, last, PLAIN, HELD) for first, last in ranges)


def test_a_unit_in_two_accounts_is_shown_and_not_refused() -> None:
    twice = [BLOCK, BLOCK._replace(first=150, last=300, position=LOCKED)]
    assert len(points(twice)) == 4
    assert explain(differences(points([BLOCK]), points(twice))) == [
        Explained(BLOCK.key.text, 150, 300, None, label((PLAIN, LOCKED)))
    ]


# The tree


def test_buckets_are_placed_by_slot_and_serial() -> None:
    assert bucket(0, 255) == 0
    assert bucket(0, 256) == 1
    assert bucket(4095, SERIAL_MAX + 1) == (1 << 48) - 1
    assert slot("k") == int(sha256(b"k").hexdigest()[:3], 16)
    assert dirty_buckets("k", 1, 254) == {bucket(slot("k"), 0)}
    assert dirty_buckets("k", 1, 255) == {bucket(slot("k"), 0), bucket(slot("k"), 256)}
    for place, serial in [(4096, 1), (-1, 1), (0, 1 << 44), (0, -1)]:
        with pytest.raises(ValueError, match="no bucket"):
            bucket(place, serial)


def test_every_node_is_a_child_of_its_parent() -> None:
    for index in (0, 5, (1 << 44) - 1):
        assert parents(children(index)) == {index}
        assert len(children(index)) == 16


@unhurried
@given(holdings(), randoms)
def test_a_bucket_needs_only_the_blocks_that_touch_it(cells: Cells, random: Random) -> None:
    rows = rows_of(cells, random)
    for place, found in by_bucket(points(rows)).items():
        touching = [b for b in rows if place in dirty_buckets(b.key.text, b.first, b.last)]
        assert bucket_points(touching, place) == bucket_points(rows, place) == frozenset(found)


def test_equal_neighbours_at_the_edge_of_a_bucket_cancel() -> None:
    low, high = BLOCK._replace(last=255), BLOCK._replace(first=256, last=511)
    edge = bucket(slot(BLOCK.key.text), 256)
    assert bucket_points([low, high], edge) == frozenset()
    assert [p.sign for p in bucket_points([low], edge)] == [-1]
    assert bucket_digest(bucket_points([low, high], edge)) is None


class Stored:
    """A tree kept as a database keeps it: `climb` is handed what one query would load.

    That query may run before the changes are written, as here, or after them, as in `Tree`.
    """

    def __init__(self) -> None:
        self.nodes: dict[tuple[int, int], bytes] = {}

    def put(self, changed: dict[int, bytes | None]) -> None:
        for level in range(LEVELS, -1, -1):
            wanted = [i for parent in parents(changed) for i in children(parent)]
            before = {i: self.nodes[level, i] for i in wanted if (level, i) in self.nodes}
            for index, digest in changed.items():
                self.nodes.pop((level, index), None)
                if digest is not None:
                    self.nodes[level, index] = digest
            if level:
                changed = climb(level, changed, before)


@unhurried
@given(pairs_of_holdings, randoms)
def test_updating_dirty_buckets_equals_building_anew(
    pair: tuple[Cells, Cells], random: Random
) -> None:
    before, after = (rows_of(cells, random) for cells in pair)
    held, stored = Tree(before), Stored()
    stored.put({b: bucket_digest(found) for b, found in by_bucket(points(before)).items()})
    gone_or_new = set(before) ^ set(after)
    dirty = {b for row in gone_or_new for b in dirty_buckets(row.key.text, row.first, row.last)}
    touching = [b for b in after if dirty & dirty_buckets(b.key.text, b.first, b.last)]
    found = by_bucket(points(touching))
    changed = {place: bucket_digest(found.get(place, ())) for place in dirty}
    held.put(changed)
    stored.put(changed)
    anew = Tree(after)
    assert held._levels == anew._levels
    assert stored.nodes == {
        (level, i): digest
        for level, nodes in enumerate(anew._levels)
        for i, digest in nodes.items()
    }


def test_there_is_nothing_above_the_root() -> None:
    for level in (0, LEVELS + 1):
        with pytest.raises(ValueError, match="nothing lies above"):
            climb(level, {0: EMPTY_ROOT}, {})


# The comparison


def descend(mine: Tree, theirs: Tree) -> list[int]:
    """The buckets that differ, asked for as the service does; every answer is verified."""
    nodes = [0] if mine.root != theirs.root else []
    digests = {0: theirs.root}
    for level in range(LEVELS):
        answer = theirs.below(level, nodes)
        for index in nodes:
            below = {i: d for i, d in answer.items() if i >> 4 == index}
            assert index not in digests or verify_children(level, index, digests[index], below)
        nodes = differing(mine.below(level, nodes), answer)
        digests = answer
    return nodes


def naive(expected: Cells, stated: Cells) -> list[Explained]:
    """Compare unit by unit, then join neighbours that say the same."""
    rows: dict[tuple[str, int], Row] = {}
    for key, serial in expected.keys() | stated.keys():
        e, s = expected.get((key, serial)), stated.get((key, serial))
        if e != s:
            rows[key.text, serial] = label(e), label(s)
    result: list[Explained] = []
    for (key_text, serial), row in sorted(rows.items(), key=lambda item: item[0]):
        last = result[-1] if result else None
        if last and (last.key, last.last + 1, last.expected, last.stated) == (
            key_text, serial, *row
        ):  # fmt: skip
            result[-1] = last._replace(last=serial)
        else:
            result.append(Explained(key_text, serial, serial, *row))
    return result


def per_unit(found: Iterable[Difference]) -> set[tuple[str, int, str, str, bool]]:
    return {
        (d.key, serial, d.attributes, d.account, d.surplus)
        for d in found
        for serial in range(d.first, d.last + 1)
    }


def naive_per_unit(expected: Cells, stated: Cells) -> set[tuple[str, int, str, str, bool]]:
    return {
        (row.key, serial, *side, surplus)
        for row in naive(expected, stated)
        for side, surplus in ((row.expected, False), (row.stated, True))
        for serial in range(row.first, row.last + 1)
        if side is not None
    }


@unhurried
@given(pairs_of_holdings, randoms)
def test_the_comparison_finds_exactly_what_was_planted(
    pair: tuple[Cells, Cells], random: Random
) -> None:
    expected, stated = (rows_of(cells, random) for cells in pair)
    places = descend(Tree(expected), Tree(stated))
    assert bool(places) == (pair[0] != pair[1])
    sides = [
        [p for place in places for p in bucket_points(rows, place)] for rows in (expected, stated)
    ]
    found = differences(*sides)
    assert found == differences(points(expected), points(stated)), "the other buckets say nothing"
    assert per_unit(found) == naive_per_unit(*pair)
    assert explain(found) == naive(*pair)


@unhurried
@given(pairs_of_holdings, randoms)
def test_differences_are_sorted_and_as_long_as_can_be(
    pair: tuple[Cells, Cells], random: Random
) -> None:
    found = differences(*(points(rows_of(cells, random)) for cells in pair))
    assert found == sorted(found)
    ends = {(d.key, d.attributes, d.account, d.surplus, d.last + 1) for d in found}
    assert not any((d.key, d.attributes, d.account, d.surplus, d.first) in ends for d in found)


def test_a_difference_over_many_buckets_is_one_range() -> None:
    long = Block(KEYS[0], 1, SERIAL_MAX, PLAIN, HELD)
    short = [long._replace(last=1000), long._replace(first=10**12)]
    assert len(descend(Tree([long]), Tree(short))) == 2
    assert explain(differences(points([long]), points(short))) == [
        Explained(long.key.text, 1001, 10**12 - 1, label((PLAIN, HELD)), None)
    ]


def test_what_differs_is_told_apart() -> None:
    a, b = Label("a", "1"), Label("b", "1")
    c, d = Label("a", "2"), Label("b", "2")
    rows: list[tuple[int, int, Label, bool]] = [
        (10, 19, a, False),  # missing to 12, other attributes to 15, other account to 17, then both
        (13, 15, b, True),
        (16, 17, c, True),
        (18, 19, d, True),
        (20, 24, d, True),  # surplus
    ]
    assert explain(Difference("k", f, last, *held, more) for f, last, held, more in rows) == [
        Explained("k", 10, 12, a, None),
        Explained("k", 13, 15, a, b),
        Explained("k", 16, 17, a, c),
        Explained("k", 18, 19, a, d),
        Explained("k", 20, 24, None, d),
    ]


def test_of_several_stated_labels_the_likest_is_put_beside_the_expected_one() -> None:
    missing = Difference("k", 1, 9, "a", "1", surplus=False)
    others = [
        Difference("k", 1, 9, "z", "1", surplus=True),
        Difference("k", 1, 9, "a", "2", surplus=True),
        Difference("k", 4, 5, "b", "2", surplus=True),
    ]
    assert explain([missing, *others]) == [
        Explained("k", 1, 9, None, Label("a", "2")),
        Explained("k", 1, 9, Label("a", "1"), Label("z", "1")),
        Explained("k", 4, 5, None, Label("b", "2")),
    ]
    equal_attributes = [
        Difference("k", 1, 9, "0", "2", surplus=True),
        Difference("k", 1, 9, "a", "3", surplus=True),
    ]
    assert explain([missing, *equal_attributes]) == [
        Explained("k", 1, 9, None, Label("0", "2")),
        Explained("k", 1, 9, Label("a", "1"), Label("a", "3")),
    ]


def test_a_unit_stated_in_too_many_ways_is_a_clean_error() -> None:
    stated = [p._replace(account=str(n)) for n in range(LABELS_MAX) for p in (BEGIN, END)]
    assert len(explain(differences([], stated))) == LABELS_MAX
    more = [*stated, BEGIN._replace(account="x", serial=8), END._replace(account="x")]
    with pytest.raises(ValueError, match="serial 8 is held in too many ways"):
        explain(differences([], more))


def test_a_unit_stated_twice_in_one_account_is_surplus() -> None:
    stated = [BEGIN._replace(serial=3), BEGIN, END, END._replace(serial=12)]
    assert differences([BEGIN, END], stated) == [Difference("k", 3, 11, "a", "1", surplus=True)]


BEGIN, END = Point("k", 5, 1, "a", "1"), Point("k", 9, -1, "a", "1")


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ([BEGIN], "never ends"),
        ([END], "never ends"),
        ([BEGIN, END, BEGIN._replace(serial=300)], "never ends"),
        ([BEGIN, BEGIN, END, END], "two points"),
        ([BEGIN, BEGIN._replace(sign=-1)], "two points"),
        ([BEGIN, BEGIN._replace(serial=6), END, END._replace(serial=10)], "more than one unit"),
        ([BEGIN._replace(sign=2), END._replace(sign=-2)], "not a point"),
        ([BEGIN._replace(sign=0)], "not a point"),
        ([BEGIN._replace(serial=0), END], "not a point"),
        ([BEGIN, END._replace(serial=SERIAL_MAX + 2)], "not a point"),
        ([BEGIN._replace(serial=-(10**40)), END], "not a point"),
    ],
)
def test_points_that_no_blocks_give_are_a_clean_error(stated: list[Point], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        differences([], stated)


strange_points = st.builds(
    Point,
    key=st.sampled_from(["k", "", "l"]) | st.text(max_size=3),
    serial=st.integers(-1, 6) | st.integers(SERIAL_MAX - 1, SERIAL_MAX + 3) | st.integers(),
    sign=st.sampled_from([1, -1]) | st.integers(-300, 300),
    attributes=st.sampled_from(["a", "\ud800"]),
    account=st.sampled_from(["1", "\x00"]),
)


@unhurried
@given(st.lists(strange_points, max_size=6))
def test_whatever_is_stated_gives_differences_or_a_value_error(stated: list[Point]) -> None:
    try:
        explained = explain(differences([BEGIN, END], stated))
        assert all(1 <= row.first <= row.last <= SERIAL_MAX for row in explained)
    except ValueError:
        pass
    assert verify_points(0, EMPTY_ROOT, stated) is False


@unhurried
@given(holdings().filter(bool))
def test_answers_are_verified_against_the_root(cells: Cells) -> None:
    rows = list(join(blocks_of(cells)))
    held = Tree(rows)
    nodes = {0: held.root}
    for level in range(LEVELS):
        for index, digest in nodes.items():
            below = held.below(level, [index])
            assert verify_children(level, index, digest, below)
            some = min(below)
            for wrong in (
                {},
                {i: d for i, d in below.items() if i != some},
                {**below, some: EMPTY_ROOT},
                {**below, some: b""},
                {**below, children(index).stop: EMPTY_ROOT},
                {i + 16: d for i, d in below.items()},
            ):
                assert not verify_children(level, index, digest, wrong)
        nodes = held.below(level, nodes)
    for place, digest in nodes.items():
        found = bucket_points(rows, place)
        assert verify_points(place, digest, found)
        assert not verify_points(place + 1, digest, found)
        assert not verify_points(place, EMPTY_ROOT, found)
        assert not verify_points(place, digest, list(found)[1:])
        assert not verify_points(place, digest, [*found, *found])


def test_an_actor_that_holds_nothing_has_no_children_to_show() -> None:
    assert verify_children(0, 0, EMPTY_ROOT, {})
    assert not verify_children(1, 0, EMPTY_ROOT, {})
    assert not verify_children(0, 0, EMPTY_ROOT, {1: EMPTY_ROOT})


@pytest.mark.parametrize("below", [{16: EMPTY_ROOT}, {-1: EMPTY_ROOT}, {0: b"short"}])
def test_a_node_has_sixteen_places_for_digests(below: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="up to 16 children"):
        node_digest(below)


def test_a_node_without_children_and_a_bucket_without_points_have_no_digest() -> None:
    assert node_digest({}) is None
    assert bucket_digest([]) is None


def test_nodes_that_one_side_alone_has_differ() -> None:
    mine, theirs = {1: b"a", 2: b"b", 3: b"c"}, {2: b"b", 3: b"x", 4: b"d"}
    assert differing(mine, theirs) == [1, 3, 4]


@pytest.mark.parametrize(
    ("level", "below"),
    [
        (4, [{7: b"", 8: b""}, {33: b""}]),
        (4, [{}, {}]),
        (4, []),
        (SLOT_LEVEL, [{7: b""}]),
        (LEVELS, [{7: b""}]),
    ],
)
def test_an_answer_stops_where_there_is_something_to_choose(
    level: int, below: list[dict[int, bytes]]
) -> None:
    assert not goes_on(level, below)


@pytest.mark.parametrize("level", set(range(1, LEVELS)) - {SLOT_LEVEL})
def test_an_answer_goes_on_as_long_as_no_node_has_two_children(level: int) -> None:
    assert goes_on(level, [{7: b""}, {}, {33: b""}])
