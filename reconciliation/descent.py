# SPDX-License-Identifier: Apache-2.0
"""The descent: from two roots that differ to exact serials, question by question. Pure.

    children 0 ─► 1 ─► 2 ─► totals ─► children 3 ─► … ─► 11 ─► points ─► trail ─► named

Levels at which there is nothing to choose come in one answer, and are taken one after another.

`step` takes an answer, beside what our replica says at the same position, to the next question or
to an end: `Named` rows of exact ranges, or `Broken`.

The rules of this file:

* Every answer is compared with our replica at the answer's own position, so trading goes on.
* Whatever the actor stated under one root is held to that root: children must hash to the digest
  stated for their parent, points to that of their bucket (rule 7.11). `Broken.false` is set when
  they do not, and never for a fault of ours, which is an exception.
* Nothing is asked about what the actor has not, as long as that is all that differs.
* When its rows have moved on between two answers that tie is lost, but what differs stays what
  differs; the answers are taken as they are, and a sum that does not close in the end is `Broken`
  without blame, and begun again.

Elsewhere: what the levels of an answer must be (`levels`), the state of a drill-down (`drill`),
what our replica says (`ours`), sending, deadlines and replicas (`examine`), what a difference is
called (`classify`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ledger import tree
from ledger.tree import LEVELS, SLOT_LEVEL, Point
from reconciliation.drill import DifferingTotal, Drill, Held, Place, PointLine, Row, fits
from reconciliation.levels import Below
from runtime.rows import points_in
from schemas.effects import Units
from schemas.identifiers import Digest
from schemas.limits import ANSWER_LINES_MAX, TREE_NODES_MAX
from schemas.messages import Answer, AuditLine
from schemas.units import Key

__all__ = ["Broken", "Named", "Ours", "step"]

BUCKETS_MAX = 16
"""Buckets in one inquiry: each may have some hundred points of a kilobyte."""

EVIDENCE_MAX = 64
"""Digests kept as evidence: a descent without breadth has some ten answers."""


@dataclass(frozen=True, slots=True)
class Ours:
    """What our replica says at the answer's position, as far as the question needs it; children
    of all nodes of which the answer states them, and of others that it may lead to without a
    question.
    """

    root: Digest
    children: Below = field(default_factory=dict)
    points: Mapping[int, frozenset[Point]] = field(default_factory=dict)
    totals: Sequence[tuple[str, str, int]] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """The end of a drill-down: every range that differs, and the actor's trail of them up to its
    delivery number `delivered`; `cut` when there was more of it than an answer can hold. `missing`
    and `surplus` are the points that we have and the actor has not, and the reverse.
    """

    rows: tuple[Row, ...]
    trail: tuple[AuditLine, ...]
    delivered: int
    cut: bool = False
    missing: tuple[PointLine, ...] = ()
    surplus: tuple[PointLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """The descent came to nothing; `false` when the actor contradicted its own root."""

    why: str
    false: bool


def step(
    drill: Drill, answer: Answer, said: Digest, stated: Below, ours: Ours
) -> Drill | Named | Broken:
    """Take one answer, whose line has the digest `said` and which states these children, to the
    next question or the end.
    """
    assert fits(drill, answer)
    if drill.question == "children" and drill.level == 0:
        drill = drill.but(stated=answer.holdings, expected=ours.root)
    drill = drill.but(
        moved=drill.moved or (answer.holdings, ours.root) != (drill.stated, drill.expected),
        evidence=(*drill.evidence[: EVIDENCE_MAX - 1], said),
    )
    if drill.question == "children":
        return _children(drill, answer, stated, ours)
    if drill.question == "totals":
        return _turn(drill.but(totals=drill.totals + _totals(drill, answer, ours)))
    if drill.question == "points":
        return _points(drill, answer, ours)
    return _trail(drill, answer)


def _children(drill: Drill, answer: Answer, stated: Below, ours: Ours) -> Drill | Broken:
    while True:
        after = _turn(drill.but(found=(*drill.found, *_differing(drill, answer, stated, ours))))
        if isinstance(after, Broken) or not _is_answered(drill, after, stated, ours):
            return after
        drill = after


def _differing(drill: Drill, answer: Answer, stated: Below, ours: Ours) -> Iterator[Place]:
    """What differs below the nodes of one level."""
    for place in drill.now:
        at = drill.level, place.node
        theirs = stated.get(at, {})
        for node in tree.differing(ours.children[at], theirs):
            value = theirs.get(node)
            digest = None if value is None else Digest(value.hex())
            yield Place(node=node, digest=digest, root=answer.holdings)


def _is_answered(drill: Drill, after: Drill, stated: Below, ours: Ours) -> bool:
    """Whether the next level needs no question: all that differs there is in the answer, or is
    nothing that the actor has.
    """
    if (after.question, after.level) != ("children", drill.level + 1) or after.todo:
        return False
    places = {(after.level, place.node): place for place in after.now}
    return all(
        at in ours.children and (at in stated or place.digest is None)
        for at, place in places.items()
    )


def _totals(drill: Drill, answer: Answer, ours: Ours) -> tuple[DifferingTotal, ...]:
    """For people: the sums that differ. They are not tied to a root and decide nothing."""
    mine = {(key, kind): quantity for key, kind, quantity in ours.totals}
    theirs = {(total.key, total.kind): total.quantity for total in answer.totals}
    known = {(total.key, total.kind) for total in drill.totals}
    return tuple(
        DifferingTotal(
            key=key, kind=kind, expected=mine.get((key, kind), 0), stated=theirs.get((key, kind), 0)
        )
        for key, kind in sorted((mine.keys() | theirs.keys()) - known)
        if mine.get((key, kind), 0) != theirs.get((key, kind), 0)
    )


def _points(drill: Drill, answer: Answer, ours: Ours) -> Drill | Broken:
    stated: dict[int, list[Point]] = {}
    for bucket in answer.buckets:
        if bucket.node in stated or all(place.node != bucket.node for place in drill.now):
            return Broken(f"bucket {bucket.node} was not asked for, or is given twice", false=True)
        stated[bucket.node] = points_in(bucket, answer.labels)
    missing, surplus = list(drill.missing), list(drill.surplus)
    for place in drill.now:
        theirs = stated.get(place.node, [])
        if not _belong(place, answer.holdings, theirs):
            return Broken(f"the points of bucket {place.node} are not its points", false=True)
        mine = ours.points.get(place.node, frozenset())
        missing += (PointLine.of(point) for point in sorted(mine - set(theirs)))
        surplus += (PointLine.of(point) for point in sorted(set(theirs) - mine))
    return _turn(drill.but(missing=tuple(missing), surplus=tuple(surplus)))


def _belong(place: Place, root: Digest, points: Sequence[Point]) -> bool:
    if place.root != root:
        return tree.by_bucket(points).keys() <= {place.node}
    if place.digest is None:
        return not points
    return tree.verify_points(place.node, bytes.fromhex(place.digest), points)


def _turn(drill: Drill) -> Drill | Broken:
    """The next nodes of this level, else the next level or question."""
    most = BUCKETS_MAX if drill.question == "points" else TREE_NODES_MAX
    if drill.todo:
        return drill.but(now=drill.todo[:most], todo=drill.todo[most:])
    if drill.question == "points":
        return _explain(drill)
    if not drill.found:
        return Broken("nothing differs below any more", false=False)
    below = drill.level + 1
    if drill.question == "totals":
        fresh = drill.but(question="children", todo=drill.found, found=())
    elif below == SLOT_LEVEL:
        fresh = drill.but(question="totals", level=below, todo=drill.found)
    elif below == LEVELS:
        fresh = drill.but(question="points", level=below, todo=drill.found, found=())
    else:
        fresh = drill.but(level=below, todo=drill.found, found=())
    return _turn(fresh)


def _explain(drill: Drill) -> Drill | Broken:
    """All points are there: put them together into ranges, and ask for the trail of these."""
    missing = [line.point for line in drill.missing]
    surplus = [line.point for line in drill.surplus]
    try:
        found = tree.explain(tree.differences(missing, surplus))
        keys = {one.key: _key(one.key) for one in found}
    except ValueError as error:  # said by these of points and keys that no blocks give
        return Broken(str(error), false=not drill.moved)
    if not found:
        return Broken("the differences cancel out", false=not drill.moved)
    rows = tuple(
        Row(
            key=one.key,
            first=one.first,
            last=one.last,
            expected=_held(one.expected),
            stated=_held(one.stated),
        )
        for one in found
    )
    ranges = sorted({(row.key, row.first, row.last) for row in rows})
    units = tuple(Units(key=keys[key], first=first, last=last) for key, first, last in ranges)
    return drill.but(question="trail", level=0, now=(), rows=rows, ranges=units)


def _key(text: str) -> Key:
    key = Key.parse(text)
    if key.text != text:
        raise ValueError(f"{text!r:.80} is not how a key is written")
    return key


def _trail(drill: Drill, answer: Answer) -> Drill | Named:
    trail, rest = (*drill.trail, *answer.trail), drill.ranges[TREE_NODES_MAX:]
    cut = drill.cut or len(answer.trail) >= ANSWER_LINES_MAX
    if rest:
        return drill.but(trail=trail, ranges=rest, cut=cut)
    size = answer.delivered.size
    return Named(drill.rows, trail, size, cut, drill.missing, drill.surplus)


def _held(label: tree.Label | None) -> Held | None:
    return label and Held(attributes=label.attributes, account=label.account)
