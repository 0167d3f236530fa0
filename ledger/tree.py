# SPDX-License-Identifier: Apache-2.0
"""The holdings tree: one digest of what an actor holds, and the way from it to exact serials.

A block gives two signed *points*: +1 at its first serial, -1 at the serial after its last, both
labelled by key, attributes and account. Where equal blocks meet, their points cancel; so the set
of points says which unit is where, and nothing about how rows are split, joined or ordered. The
points fall by key and serial into buckets, the leaves of a tree of fan-out 16.

The rules of this file:

* A bucket is 48 bits: the slot of the key (the first 12 bits of the SHA-256 of its text), then
  the serial divided by 256. Keys may share a slot; a bucket's digest covers their texts.
* Level 12 holds the buckets, level 0 the root; the parent of a node is its index without the last
  four bits. A node with nothing below it does not exist.
* Bucket digest: SHA-256 of 0x02 and the records of its points, in the order of key, serial,
  sign, attributes, account (texts by code point). A record is the serial (8 bytes, big-endian
  like all that follow), the sign (1 byte, two's complement), the lengths of key, attributes and
  account in UTF-8 (4 bytes each), and then these three.
* Node digest: SHA-256 of 0x03 and, for each child in order, one byte with the last four bits of
  its index, and its digest. `EMPTY_ROOT`, for an actor that holds nothing, is that of no children.
  0x00 and 0x01 are those of the log, so no node of one tree can pass for one of the other.
* What our own rows cannot mean (a reversed range, a unit twice in one account with the same
  attributes) is a `ValueError`. One unit in two accounts is not: the tree shows what the rows say,
  and the comparison then names it.
* What others sent is judged by `verify_children` and `verify_points`, which are False for
  anything wrong, and by `differences` and `explain`, whose only exception is `ValueError`.

Deliberately elsewhere: the tables and triggers that keep the levels and the dirty buckets, the
messages that carry a descent, and what a difference means for people (`reconciliation`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sized
from hashlib import sha256
from itertools import pairwise
from struct import pack
from typing import Final, NamedTuple

from ledger.blocks import Block, Range, normalize
from schemas.limits import SERIAL_MAX

__all__ = [
    "EMPTY_ROOT",
    "LABELS_MAX",
    "LEVELS",
    "SLOT_LEVEL",
    "Difference",
    "Explained",
    "Label",
    "Point",
    "Tree",
    "bucket",
    "bucket_digest",
    "bucket_points",
    "by_bucket",
    "children",
    "climb",
    "differences",
    "differing",
    "dirty_buckets",
    "explain",
    "goes_on",
    "node_digest",
    "parents",
    "points",
    "slot",
    "verify_children",
    "verify_points",
]

LEVELS: Final = 12
"""The level of the buckets: 3 levels of slots and 9 of serials, four bits each."""

SLOT_LEVEL: Final = 3
"""The level whose nodes are the slots of keys."""

EMPTY_ROOT: Final = sha256(b"\x03").digest()
"""The root for an actor that holds nothing."""

LABELS_MAX: Final = 16
"""Labels of one unit that differ. A sound node gives two at most, a broken one a few more; without
a limit a liar's few thousand, laid over one another, would cost their square to explain."""


class Point(NamedTuple):
    """Where units of one label begin (+1) or have ended (-1); see `points`."""

    key: str
    serial: int
    sign: int
    attributes: str
    account: str


class Tree:
    """A whole tree in memory, for the simulation, for tests and for comparison.

    It is climbed exactly as a stored tree is, so that one proves the other.
    """

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self._levels: list[dict[int, bytes]] = [{} for _ in range(LEVELS + 1)]
        self.put(
            {place: bucket_digest(found) for place, found in by_bucket(points(blocks)).items()}
        )

    @property
    def root(self) -> bytes:
        return self._levels[0].get(0, EMPTY_ROOT)

    def put(self, buckets: Mapping[int, bytes | None]) -> None:
        """Replace digests of buckets, None for one that has become empty."""
        changed: Mapping[int, bytes | None] = buckets
        for level in range(LEVELS, -1, -1):
            stored = self._levels[level]
            for index, digest in changed.items():
                if digest is None:
                    stored.pop(index, None)
                else:
                    stored[index] = digest
            if level:
                changed = climb(level, changed, stored)

    def below(self, level: int, indexes: Iterable[int]) -> dict[int, bytes]:
        """The stored children, at `level` + 1, of these nodes: what one inquiry is answered."""
        stored = self._levels[level + 1]
        return {i: stored[i] for index in indexes for i in children(index) if i in stored}


def points(blocks: Iterable[Block]) -> frozenset[Point]:
    """The points of blocks; any split, join or order of the same units gives the same set."""
    held: defaultdict[tuple[str, str, str], list[Range]] = defaultdict(list)
    for block in blocks:
        if not 1 <= block.first <= block.last <= SERIAL_MAX:
            raise ValueError(f"{block.key.text}: {block.first} to {block.last} is not a range")
        label = block.key.text, block.attributes.text, block.position.account
        held[label].append((block.first, block.last))
    found: list[Point] = []
    for (key, attributes, account), ranges in held.items():
        ranges.sort()
        for (_, last), (first, _) in pairwise(ranges):
            if first <= last:
                raise ValueError(f"{key}: serial {first} lies in two blocks of {account}")
        for first, last in normalize(ranges):
            found.append(Point(key, first, 1, attributes, account))
            found.append(Point(key, last + 1, -1, attributes, account))
    return frozenset(found)


def bucket_points(blocks: Iterable[Block], bucket: int) -> frozenset[Point]:
    """The points in one bucket, from at least all blocks that begin in it or whose serial after
    the last lies in it.

    More blocks do no harm. Fewer would: a block that ends where its equal begins has its end in
    the other's bucket, and without it the two points would not cancel. For many buckets at once,
    look them up in `by_bucket(points(blocks))`: it is right for all buckets whose blocks are there.
    """
    return frozenset(by_bucket(points(blocks)).get(bucket, ()))


def by_bucket(points: Iterable[Point]) -> dict[int, list[Point]]:
    """Points by the bucket that they fall into."""
    slots: dict[str, int] = {}
    found: defaultdict[int, list[Point]] = defaultdict(list)
    for point in points:
        if point.key not in slots:
            slots[point.key] = slot(point.key)
        found[bucket(slots[point.key], point.serial)].append(point)
    return dict(found)


def slot(key_text: str) -> int:
    """The twelve bits that place a key."""
    return int.from_bytes(sha256(key_text.encode()).digest()[:2]) >> 4


def bucket(slot: int, serial: int) -> int:
    """The bucket of a serial; one more than `SERIAL_MAX` still has one."""
    if not (0 <= slot < 1 << 12 and 0 <= serial < 1 << 44):
        raise ValueError(f"there is no bucket for serial {serial} in slot {slot}")
    return slot << 36 | serial >> 8


def dirty_buckets(key_text: str, first: int, last: int) -> set[int]:
    """The buckets that change when a block comes, goes or changes; the triggers say the same."""
    place = slot(key_text)
    return {bucket(place, first), bucket(place, last + 1)}


def bucket_digest(points: Iterable[Point]) -> bytes | None:
    """The digest of a bucket; None for no points, since an empty bucket is not stored."""
    records = [_record(point) for point in sorted(_sound(points))]
    return sha256(b"\x02" + b"".join(records)).digest() if records else None


def node_digest(below: Mapping[int, bytes]) -> bytes | None:
    """The digest of a node from those of its children, by the last four bits of their index."""
    if not below:
        return None
    nibbles = sorted(below)
    if nibbles[0] < 0 or nibbles[-1] > 15 or set(map(len, below.values())) != {32}:
        raise ValueError("a node has up to 16 children, each with a digest of 32 bytes")
    pairs = [bytes((nibble,)) + below[nibble] for nibble in nibbles]
    return sha256(b"\x03" + b"".join(pairs)).digest()


def climb(
    level: int, changed: Mapping[int, bytes | None], siblings: Mapping[int, bytes]
) -> dict[int, bytes | None]:
    """The changed nodes one level up, None for a node that has lost its last child.

    `siblings` holds at least all nodes stored at `level` below `parents(changed)`; where it has
    one of `changed`, as before or after, `changed` counts.
    """
    if not 0 < level <= LEVELS:
        raise ValueError(f"nothing lies above level {level}")
    above: dict[int, bytes | None] = {}
    for parent in sorted(parents(changed)):
        below: dict[int, bytes] = {}
        for child in children(parent):
            digest = changed.get(child, siblings.get(child))  # a None in `changed` is an answer
            if digest is not None:
                below[child & 15] = digest
        above[parent] = node_digest(below)
    return above


def parents(indexes: Iterable[int]) -> set[int]:
    """The nodes one level up."""
    return {index >> 4 for index in indexes}


def children(index: int) -> range:
    """The sixteen places one level down; few of them are taken."""
    return range(index << 4, (index + 1) << 4)


def verify_children(level: int, index: int, digest: bytes, below: Mapping[int, bytes]) -> bool:
    """Whether these are the children, all of them, of the node with this digest.

    Asked at each step of a descent, it ties every answer to the root that was signed.
    """
    if not below:
        return level == 0 and digest == EMPTY_ROOT
    if not all(child in children(index) for child in below):
        return False
    try:
        return node_digest({child & 15: value for child, value in below.items()}) == digest
    except ValueError:
        return False


def goes_on(level: int, below: Iterable[Sized]) -> bool:
    """Whether an answer has, in place of these children of nodes, theirs: some are there, and no
    node has two, so that there is nothing to choose. `level` is the one that the children are at;
    an answer goes no further than to the slots, and than to the buckets.
    """
    return level not in {SLOT_LEVEL, LEVELS} and max(map(len, below), default=0) == 1


def verify_points(bucket: int, digest: bytes, points: Iterable[Point]) -> bool:
    """Whether these are the points, all of them, of the bucket with this digest."""
    stated = list(points)
    try:
        return bucket_digest(stated) == digest and by_bucket(stated).keys() == {bucket}
    except ValueError:
        return False


def differing(mine: Mapping[int, bytes], theirs: Mapping[int, bytes]) -> list[int]:
    """The nodes of one level whose digests differ or that one side alone has."""
    return sorted(i for i in mine.keys() | theirs.keys() if mine.get(i) != theirs.get(i))


class Difference(NamedTuple):
    """Units that are stated with a label and not expected so (`surplus`), or the reverse."""

    key: str
    first: int
    last: int
    attributes: str
    account: str
    surplus: bool


def differences(expected: Iterable[Point], stated: Iterable[Point]) -> list[Difference]:
    """The exact ranges in which two sets of points differ, sorted, as long as can be.

    Both sides give *all* points of *all* buckets that differ: elsewhere their points are equal,
    so what is stated less what is expected sums up to the truth without them. `ValueError` when
    a side gives what no blocks give (a sign other than 1 and -1, a serial out of range, two points
    that should have cancelled), or when the sum is ever above one, below minus one or not zero in
    the end. It is not clamped at a bucket's edge: where it does not close, an answer is incomplete
    or false, and a range made up for it would look like a finding.
    """
    net: defaultdict[tuple[str, str, str], defaultdict[int, int]]
    net = defaultdict(lambda: defaultdict(int))
    for weight, side in ((-1, expected), (1, stated)):
        for point in _sound(side):
            net[point.key, point.attributes, point.account][point.serial] += weight * point.sign
    found = [
        Difference(key, first, last, attributes, account, surplus)
        for (key, attributes, account), steps in net.items()
        for first, last, surplus in _sums(key, steps)
    ]
    return sorted(found)


class Label(NamedTuple):
    """How units of a key are held."""

    attributes: str
    account: str


class Explained(NamedTuple):
    """Units of one key that are expected in one way and stated in another.

    Nothing stated: they are missing. Nothing expected: they are surplus. Otherwise their
    attributes, their account or both differ.
    """

    key: str
    first: int
    last: int
    expected: Label | None
    stated: Label | None


def explain(differences: Iterable[Difference]) -> list[Explained]:
    """Put what is missing and what is surplus of the same units side by side.

    Each row is alike from its first serial to its last, and as long as can be. `ValueError` when
    more than `LABELS_MAX` differences meet in one unit.
    """
    edges: defaultdict[tuple[str, int], set[Difference]] = defaultdict(set)
    for difference in differences:
        edges[difference.key, difference.first].add(difference)
        edges[difference.key, difference.last + 1].add(difference)
    cells: list[Explained] = []
    open_here: set[Difference] = set()
    start = 0
    for key, serial in sorted(edges):
        cells += (Explained(key, start, serial - 1, *pair) for pair in _pairs(open_here))
        open_here ^= edges[key, serial]  # the first edge of a difference opens, the second closes
        if len(open_here) > LABELS_MAX:
            raise ValueError(f"{key!r:.80}: serial {serial} is held in too many ways at once")
        start = serial
    return _joined(cells)


def _pairs(differences: Iterable[Difference]) -> Iterator[tuple[Label | None, Label | None]]:
    """Match each missing label with the surplus label most like it; the account weighs more.

    One serial has one expected label. That a broken node states several is why there is a choice.
    """
    found = sorted(differences)
    surplus = [Label(d.attributes, d.account) for d in found if d.surplus]
    for missing in (Label(d.attributes, d.account) for d in found if not d.surplus):
        match = min(surplus, key=lambda label: _unlike(label, missing), default=None)
        if match is not None:
            surplus.remove(match)
        yield missing, match
    for label in surplus:
        yield None, label


def _unlike(a: Label, b: Label) -> tuple[bool, bool, Label]:
    return a.account != b.account, a.attributes != b.attributes, a


def _joined(cells: Iterable[Explained]) -> list[Explained]:
    """Join neighbours that say the same, and sort by key and serial."""
    said: defaultdict[tuple[str, Label | None, Label | None], list[Range]] = defaultdict(list)
    for key, first, last, expected, stated in cells:
        said[key, expected, stated].append((first, last))
    rows = [
        Explained(key, first, last, expected, stated)
        for (key, expected, stated), ranges in said.items()
        for first, last in normalize(ranges)
    ]
    return sorted(rows, key=lambda r: (r.key, r.first, r.last, r.expected or (), r.stated or ()))


def _sums(key: str, steps: Mapping[int, int]) -> Iterator[tuple[int, int, bool]]:
    """Add up the steps of one label: first and last serial of each stretch, and whether above 0."""
    total, start = 0, 0
    for serial in sorted(serial for serial, step in steps.items() if step):
        if total:
            yield start, serial - 1, total > 0
        total, start = total + steps[serial], serial
        if abs(total) > 1:
            raise ValueError(f"{key!r:.80}: serial {serial} differs by more than one unit")
    if total:
        raise ValueError(f"{key!r:.80}: a difference begins at {start} and never ends")


def _sound(points: Iterable[Point]) -> list[Point]:
    """These points, if they are such as blocks give; `ValueError` otherwise."""
    found = list(points)
    for point in found:
        if point.sign not in {1, -1} or not 1 <= point.serial <= SERIAL_MAX + 1:
            raise ValueError(f"{point.key!r:.80}: {point.sign} at {point.serial} is not a point")
    if len({(p.key, p.serial, p.attributes, p.account) for p in found}) != len(found):
        raise ValueError("two points of equal label stand at one serial")
    return found


def _record(point: Point) -> bytes:
    """The bytes of a point; they say their own length, so that records can follow one another."""
    texts = [text.encode() for text in (point.key, point.attributes, point.account)]
    return pack(">QbIII", point.serial, point.sign, *map(len, texts)) + b"".join(texts)
