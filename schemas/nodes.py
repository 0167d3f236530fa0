# SPDX-License-Identifier: Apache-2.0
"""Nodes of a holdings tree as they travel in an answer: children and points, in few bytes.

Digests stand one after another, without a name for each; what many points have in common, their
label, stands once for all of them. Each node, bucket, point and label has one spelling, and labels
have one order; nodes, buckets and the points of a bucket may come in any.

Elsewhere: what a tree is and how nodes are hashed (`ledger.tree`), inquiry and answer (`messages`).
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from schemas.jws import b64url_decode_strict, b64url_encode
from schemas.limits import BUCKET_POINTS_MAX
from schemas.strict import no_boolean
from schemas.units import Frozen, Whole

__all__ = ["Bucket", "BucketPoint", "Children", "Node", "PointLabel", "check_labels"]

DIGEST_BYTES = 32

Node = Annotated[int, Field(ge=0, lt=2**48)]


class Children(Frozen):
    """One node, its `level` and its index, and all of its children, of which it has at least one.
    `at` has the last four bits of their indexes as hexadecimal digits, in ascending order;
    `digests` their digests in that order, 32 bytes each, in base64url without padding.
    """

    level: Annotated[int, Field(ge=0, le=11)]
    node: Node
    at: Annotated[
        str, Field(min_length=1, pattern=r"^0?1?2?3?4?5?6?7?8?9?a?b?c?d?e?f?$", max_length=16)
    ]
    digests: Annotated[str, Field(min_length=43, pattern=r"^[A-Za-z0-9_-]+$", max_length=683)]

    @model_validator(mode="after")
    def _one_digest_each(self) -> Self:
        size = len(b64url_decode_strict(self.digests))
        if size != DIGEST_BYTES * len(self.at):
            raise ValueError(f"{size} bytes are not {len(self.at)} digests of {DIGEST_BYTES}")
        return self

    @classmethod
    def of(cls, level: int, node: int, below: Mapping[int, bytes]) -> Self:
        """The children of a node, given by index."""
        nodes = sorted(below)
        return cls(
            level=level,
            node=node,
            at="".join(f"{child & 15:x}" for child in nodes),
            digests=b64url_encode(b"".join(below[child] for child in nodes)),
        )

    @cached_property
    def below(self) -> dict[int, bytes]:
        """The digests of the children by index; the opposite of `of`."""
        joined = b64url_decode_strict(self.digests)
        parts = (joined[n : n + DIGEST_BYTES] for n in range(0, len(joined), DIGEST_BYTES))
        return {
            self.node << 4 | int(digit, 16): part
            for digit, part in zip(self.at, parts, strict=True)
        }


class PointLabel(Frozen):
    """What the points of equal units have in common; see `ledger.tree`."""

    key: Annotated[str, Field(max_length=80)]
    attributes: Annotated[str, Field(max_length=1000)]
    account: Annotated[str, Field(max_length=40)]


BucketPoint = tuple[
    Annotated[int, Field(ge=0, le=255)],
    Annotated[Literal[-1, 1], BeforeValidator(no_boolean)],
    Whole,
]
"""A signed point: its serial less the first of its bucket, its sign, and the place of its label
among those of the answer."""


class Bucket(Frozen):
    """The points of one bucket."""

    node: Node
    points: Annotated[tuple[BucketPoint, ...], Field(max_length=BUCKET_POINTS_MAX)]


def check_labels(labels: Sequence[PointLabel], buckets: Iterable[Bucket]) -> None:
    """Hold labels to their one spelling: sorted, each once, and each used; `ValueError` if not."""
    texts = [(label.key, label.attributes, label.account) for label in labels]
    if any(before >= after for before, after in pairwise(texts)):
        raise ValueError("labels are in the order of key, attributes and account, each once")
    used = {place for bucket in buckets for _, _, place in bucket.points}
    if used and max(used) >= len(labels):
        raise ValueError(f"a point names label {max(used)}, and there are {len(labels)}")
    if len(used) != len(labels):
        raise ValueError("a label is used by no point")
