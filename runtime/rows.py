# SPDX-License-Identifier: Apache-2.0
"""Ledger rows as values and back.

What the database holds is read as it stands, even if somebody has edited a key, an account or
attributes into nonsense: such a row has its text as its name, so that it can be stated, compared
and named, and does not stop the program that keeps it.

Points of holdings trees and sums of approvals are here, too: more than one program has them.

Elsewhere: the statements (`books`, `digests`), the tables and what they refuse (`tables`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from ledger.asking import Approval
from ledger.blocks import Block
from ledger.holdings import Overlay, OverlayKind
from ledger.tree import Point, slot
from runtime.tables import OVERLAY_REACHES
from schemas.approvals import ApprovalRecord
from schemas.identifiers import AccountNumber, Actor, Identifier
from schemas.nodes import Bucket, PointLabel
from schemas.units import Attributes, Frozen, Key, Layer, Position

__all__ = [
    "approval_rows",
    "block_row",
    "labelled",
    "overlay_row",
    "points_in",
    "read_approval",
    "read_block",
    "read_overlay",
]

Name = TypeVar("Name", bound=Identifier)
Value = TypeVar("Value", bound=Frozen)


def read_block(row: Any) -> Block:
    """A row as a block."""
    return Block(
        _key(row["key"], row["series"]),
        row["first"],
        row["last"],
        _attributes(row["attributes"]),
        _position(row["account"], row["actor"], row["kind"]),
    )


def block_row(book: str, block: Block) -> dict[str, Any]:
    """A block as a row."""
    return {
        "book": book,
        "series": block.key.series,
        "first": block.first,
        "last": block.last,
        "key": block.key.text,
        "slot": slot(block.key.text),
        "attributes": block.attributes.text,
        "actor": str(block.position.actor),
        "kind": str(block.position.kind),
        "account": str(block.position.account),
    }


def read_overlay(row: Any) -> Overlay:
    """A row as an overlay."""
    return Overlay(
        OverlayKind(row["kind"]),
        Actor(row["actor"]),
        _key(row["key"], row["series"]),
        row["first"],
        row["last"],
        row["reference"],
    )


def overlay_row(book: str, overlay: Overlay) -> dict[str, Any]:
    """An overlay as a row."""
    return {
        "book": book,
        "kind": str(overlay.kind),
        "actor": str(overlay.actor),
        "key": overlay.key.text,
        "first": overlay.first,
        "last": overlay.last,
        "reference": overlay.reference,
        "series": overlay.key.series,
        "size_class": bisect_right(OVERLAY_REACHES, overlay.last - overlay.first),
    }


def labelled(held: Iterable[tuple[int, Sequence[Point]]]) -> dict[str, tuple[Frozen, ...]]:
    """Points by bucket as the members of an answer."""
    buckets = list(held)
    labels = sorted({_label(point) for _, points in buckets for point in points})
    place = {label: number for number, label in enumerate(labels)}
    return {
        "labels": tuple(PointLabel(key=k, attributes=a, account=n) for k, a, n in labels),
        "buckets": tuple(
            Bucket(
                node=node,
                points=tuple(
                    (p.serial & 255, -1 if p.sign < 0 else 1, place[_label(p)]) for p in points
                ),
            )
            for node, points in buckets
        ),
    }


def points_in(bucket: Bucket, labels: Sequence[PointLabel]) -> list[Point]:
    """The points of a bucket of an answer that has these labels."""
    first = (bucket.node & (1 << 36) - 1) << 8
    return [
        Point(labels[n].key, first + offset, sign, labels[n].attributes, labels[n].account)
        for offset, sign, n in bucket.points
    ]


def _label(point: Point) -> tuple[str, str, str]:
    return point.key, point.attributes, point.account


def approval_rows(
    approvals: Mapping[tuple[Actor, str], Approval], changed: Iterable[tuple[Actor, str]]
) -> list[dict[str, Any]]:
    """What actors have issued under approvals, as rows; of those that have changed."""
    return [
        {
            "actor": actor,
            "approval": reference,
            "approved_quantity": approvals[actor, reference].approved_quantity,
            "issued": approvals[actor, reference].issued,
            "record": _record_text(approvals[actor, reference]),
        }
        for actor, reference in sorted(changed)
    ]


def _record_text(approval: Approval) -> str | None:
    return approval.record.model_dump_json() if approval.record is not None else None


def read_approval(row: Any) -> Approval:
    """An approval as its row has it."""
    record = ApprovalRecord.model_validate_json(row.record) if row.record is not None else None
    return Approval(row.approved_quantity, row.issued, record)


@lru_cache(maxsize=4096)
def _key(text: str, series: str) -> Key:
    try:
        key = Key.parse(text)
    except ValueError:
        return _named(_unread(Key, {"layer": Layer.UNDERLYING}), text=text, series=series)
    return key if key.series == series else _named(key, series=series)


@lru_cache(maxsize=4096)
def _attributes(text: str) -> Attributes:
    try:
        attributes = Attributes.model_validate_json(text)
    except ValueError:
        return _named(Attributes(), text=text)
    return attributes if attributes.text == text else _named(attributes, text=text)


@lru_cache(maxsize=4096)
def _position(account: str, actor: str, kind: str) -> Position:
    try:
        return Position.of(AccountNumber(account))
    except ValueError:
        members = {
            "actor": _as_it_stands(Actor, actor),
            "kind": kind,
            "account": _as_it_stands(AccountNumber, account),
        }
        return _unread(Position, members)


def _unread(kind: type[Value], members: dict[str, Any]) -> Value:
    """A value that nobody has checked; members that are not given are None."""
    every: dict[str, Any] = {**dict.fromkeys(kind.model_fields), **members}
    made: Any = kind.model_construct(None, **every)
    value: Value = made
    return value


def _named(value: Value, **texts: str) -> Value:
    """A value that goes by these texts instead of those that it would work out."""
    value.__dict__.update(texts)
    return value


def _as_it_stands(kind: type[Name], text: str) -> Name:
    return str.__new__(kind, text)
