# SPDX-License-Identifier: Apache-2.0
"""What a drill-down is: the question under way, what was found so far, and how both are kept. Pure.

`Drill` is the whole state of one drill-down, about one actor; it survives restarts as JSON. What is
asked now follows from it (`inquiry`).

Elsewhere: from an answer to the next question (`descent`), sending and deadlines (`examine`).
"""

from collections.abc import Iterable
from typing import Any, Literal

from ledger.tree import Point
from schemas.effects import Units
from schemas.identifiers import Actor, Digest, Instant
from schemas.limits import TREE_NODES_MAX
from schemas.messages import Answer, AuditLine, Inquiry
from schemas.units import Frozen

__all__ = [
    "DifferingTotal",
    "Drill",
    "Held",
    "Place",
    "PointLine",
    "Row",
    "again",
    "begin",
    "fits",
    "in_parts",
    "inquiry",
]


class Place(Frozen):
    """A node that differs, its digest as stated under `root`; None where the actor has no such
    node.
    """

    node: int
    digest: Digest | None
    root: Digest


class PointLine(Frozen):
    """A signed point of a holdings tree, as it is kept."""

    key: str
    serial: int
    sign: int
    attributes: str
    account: str

    @classmethod
    def of(cls, point: Point) -> "PointLine":
        """A point as a line."""
        return cls(**point._asdict())

    @property
    def point(self) -> Point:
        """The point of this line."""
        return Point(self.key, self.serial, self.sign, self.attributes, self.account)


class Held(Frozen):
    """How units are held: canonical text of their attributes, and the account."""

    attributes: str
    account: str

    @property
    def text(self) -> str:
        """The account, a space, the attributes: for tables and people."""
        return f"{self.account} {self.attributes}"

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, text: str | None) -> "Held | None":
        """Read what `text` gives."""
        account, _, attributes = (text or "").partition(" ")
        return cls(attributes=attributes, account=account) if text else None


class Row(Frozen):
    """Units that are held in one way per the log and in another as stated; None: not at all."""

    key: str
    first: int
    last: int
    expected: Held | None
    stated: Held | None


class DifferingTotal(Frozen):
    """Units of one key and kind, as we expect them and as stated."""

    key: str
    kind: str
    expected: int
    stated: int


class Drill(Frozen):
    """One drill-down. `now` are the nodes asked about, `todo` those of the same level to come,
    `found` the differing ones a level below; `moved` is set once a root has changed,
    theirs or ours.
    """

    actor: Actor
    stated: Digest
    expected: Digest
    question: Literal["children", "points", "totals", "trail"] = "children"
    level: int = 0
    now: tuple[Place, ...] = ()
    todo: tuple[Place, ...] = ()
    found: tuple[Place, ...] = ()
    totals: tuple[DifferingTotal, ...] = ()
    missing: tuple[PointLine, ...] = ()
    surplus: tuple[PointLine, ...] = ()
    rows: tuple[Row, ...] = ()
    ranges: tuple[Units, ...] = ()
    trail: tuple[AuditLine, ...] = ()
    cut: bool = False
    moved: bool = False
    restarts: int = 0
    evidence: tuple[Digest, ...] = ()
    asked: tuple[Digest, ...] = ()
    asked_at: Instant
    since: Instant
    tries: int = 0
    overdue: bool = False
    held: str | None = None
    """An answer that speaks of deliveries which we have not received yet."""

    def but(self, **changes: Any) -> "Drill":
        """This drill with some members changed."""
        return self.model_copy(update=changes)


def begin(
    actor: Actor, stated: Digest, expected: Digest, evidence: Iterable[Digest], now: Instant
) -> Drill:
    """A drill-down from the root, about a statement that differs."""
    return Drill(
        actor=actor,
        stated=stated,
        expected=expected,
        now=(Place(node=0, digest=None, root=stated),),
        evidence=tuple(evidence),
        asked_at=now,
        since=now,
    )


def again(drill: Drill, now: Instant) -> Drill:
    """The same from the root once more."""
    fresh = begin(drill.actor, drill.stated, drill.expected, drill.evidence, now)
    return fresh.but(restarts=drill.restarts + 1)


def inquiry(drill: Drill) -> Inquiry:
    """What is asked now."""
    if drill.question == "trail":
        ranges = drill.ranges[:TREE_NODES_MAX]
        return Inquiry(question="trail", actor=drill.actor, ranges=ranges)
    return Inquiry(
        question=drill.question,
        actor=drill.actor,
        level=drill.level,
        nodes=tuple(place.node for place in drill.now),
        one_level=in_parts(drill),
    )


def in_parts(drill: Drill) -> bool:
    """Whether a level has more nodes than one inquiry: then it is compared as a whole before the
    next, and what an answer had of the next would be asked for again.
    """
    return drill.question == "children" and bool(drill.todo or drill.found)


def fits(drill: Drill, answer: Answer) -> bool:
    """Whether this answers what was asked."""
    asked = inquiry(drill)
    return (answer.question, answer.level) == (asked.question, asked.level)
