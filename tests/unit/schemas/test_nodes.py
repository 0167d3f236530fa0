# SPDX-License-Identifier: Apache-2.0
"""Nodes as they travel: there and back, in one spelling. Bad ones, case by case, are vectors."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.jws import b64url_encode
from schemas.nodes import Bucket, Children, PointLabel, check_labels

digest = st.binary(min_size=32, max_size=32)
ONE, TWO = (PointLabel(key=key, attributes="{}", account="A") for key in ("a", "b"))


@given(
    st.integers(0, 11),
    st.integers(0, 2**44 - 1),
    st.dictionaries(st.integers(0, 15), digest, min_size=1),
)
def test_children_come_back_as_they_were(level: int, node: int, at: Mapping[int, bytes]) -> None:
    below = {node << 4 | nibble: value for nibble, value in at.items()}
    made = Children.of(level, node, below)
    assert made.at == "".join(sorted(made.at))
    assert Children.model_validate_json(made.model_dump_json()).below == below


@pytest.mark.parametrize(
    ("at", "digests"),
    [
        ("", ""),
        ("A", b64url_encode(bytes(32))),
        ("10", b64url_encode(bytes(64))),
        ("11", b64url_encode(bytes(64))),
        ("g", b64url_encode(bytes(32))),
        ("1\n", b64url_encode(bytes(32))),
        ("1", b64url_encode(bytes(32)) + "="),
        ("1", b64url_encode(bytes(32))[:-1] + "B"),
        ("1", b64url_encode(bytes(33))),
        ("1", b64url_encode(bytes(64))),
        ("12", b64url_encode(bytes(32))),
        ("1", "A" * 45),
        ("1", "+" * 43),
    ],
)
def test_children_have_one_spelling(at: str, digests: str) -> None:
    with pytest.raises(ValidationError):
        Children(level=0, node=0, at=at, digests=digests)


@pytest.mark.parametrize(
    ("labels", "used", "why"),
    [
        ((), (), None),
        ((ONE,), (0,), None),
        ((ONE, TWO), (1, 0, 1), None),
        ((ONE, TWO), (1, 2), "names label 2, and there are 2"),
        ((), (0,), "names label 0, and there are 0"),
        ((ONE, TWO), (1,), "used by no point"),
        ((ONE,), (), "used by no point"),
        ((ONE, ONE), (0, 1), "each once"),
        ((TWO, ONE), (0, 1), "in the order"),
    ],
)
def test_labels_have_one_spelling(
    labels: tuple[PointLabel, ...], used: tuple[int, ...], why: str | None
) -> None:
    buckets = [Bucket(node=number, points=((1, 1, place),)) for number, place in enumerate(used)]
    if why is None:
        check_labels(labels, buckets)
        return
    with pytest.raises(ValueError, match=why):
        check_labels(labels, buckets)
