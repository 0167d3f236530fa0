# SPDX-License-Identifier: Apache-2.0
"""Points as the members of an answer, and back."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.tree import Point, bucket
from runtime.rows import labelled, points_in
from schemas.identifiers import Actor, Digest
from schemas.messages import Answer, Delivered

ROOT = Digest("0" * 64)
LAST = 2**44 - 1
texts = st.sampled_from(["", "a", "{}", "b"])
serials = st.sampled_from([0, 1, 255, 256, LAST - 255, LAST]) | st.integers(0, LAST)
points = st.builds(Point, texts, serials, st.sampled_from([1, -1]), texts, texts)


@given(st.lists(points, max_size=12), st.integers(0, 2**12 - 1))
def test_points_come_back_as_they_were(held: list[Point], slot: int) -> None:
    by_bucket: dict[int, list[Point]] = {}
    for point in held:
        by_bucket.setdefault(bucket(slot, point.serial), []).append(point)
    answer = Answer.model_validate(
        {
            "question": "points",
            "actor": Actor("GHA01/GHA"),
            "delivered": Delivered(size=0, root=ROOT),
            "holdings": ROOT,
            **labelled(by_bucket.items()),
        }
    )
    read = Answer.model_validate_json(answer.model_dump_json())
    assert {one.node: points_in(one, read.labels) for one in read.buckets} == by_bucket
