# SPDX-License-Identifier: Apache-2.0
"""A set of serials kept as ranges, held against a set of serials kept as such."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ledger.blocks import Range, normalize, quantity
from ledger.ranges import Ranges

serials = st.integers(1, 40)
ranges = st.tuples(serials, serials).map(lambda ends: (min(ends), max(ends)))
steps = st.lists(st.tuples(st.booleans(), ranges), max_size=30)


def serials_of(parts: list[Range]) -> set[int]:
    return {serial for first, last in parts for serial in range(first, last + 1)}


@given(steps)
def test_each_step_tells_what_it_changed_and_leaves_what_a_set_would_have(
    steps: list[tuple[bool, Range]],
) -> None:
    kept, model = Ranges(), set[int]()
    for adding, (first, last) in steps:
        whole = set(range(first, last + 1))
        assert serials_of(kept.within(first, last)) == whole & model
        if adding:
            told, expected = kept.add(first, last), whole - model
            model |= whole
        else:
            told, expected = kept.remove(first, last), whole & model
            model -= whole
        assert serials_of(told) == expected
        assert quantity(told) == len(expected)
        assert serials_of(list(kept)) == model
        assert kept.quantity == len(model)
        assert list(kept) == normalize(kept)
        assert all(a[1] + 1 < b[0] for a, b in pairwise(kept)), "neighbours are one range"
