# SPDX-License-Identifier: Apache-2.0
"""The directory as operators read it."""

import pytest

from hub.listing import KINDS, Of, listed
from tests.unit.ledger.acts import GHANA, binding, revocation, shared
from tests.unit.ledger.world import CHE, GHA, directory, signed, signer

NOON = "2027-03-01T12:0{}:00.000000Z"


def test_a_directory_is_listed_by_actors_pairs_and_parties() -> None:
    after = directory().apply(signed(revocation(CHE), "ada", "ben"))
    assert listed(after, Of.ACTORS)[:2] == [
        ("CHE01", "active", "CHE01/CHE", signer(CHE).public.key_id, "withdrawn"),
        ("GHA01", "active", "GHA01/GHA", signer(GHA).public.key_id, "current"),
    ]
    assert listed(after, Of.PROFILES)[-2:] == [
        ("CHE01/CHE", "GHA01/GHA", "information"),
        ("UN01/MMR", "UN02/KOR", "unit"),
    ]
    assert listed(after, Of.BINDINGS) == [
        ("CHE", "CHE01/CHE", NOON.format(0), None),
        ("GHA", "GHA01/GHA", NOON.format(0), None),
        ("KOR", "UN02/KOR", NOON.format(0), None),
    ]


@pytest.mark.parametrize("of", Of)
def test_every_row_has_the_columns_of_its_list(of: Of) -> None:
    rows = listed(directory(), of)
    assert rows
    assert {type(row) for row in rows} == {KINDS[of]}


@pytest.mark.requirement(1)
def test_former_bindings_of_a_party_are_listed_with_their_dates() -> None:
    after = shared()
    for act, names in ((binding(None, 1), (GHA,)), (binding(GHANA, 2), (GHANA,))):
        after = after.apply(signed(act, "ada", "ben", *names))
    history: list[tuple[object, ...]] = [
        ("GHA", "GHA01/GHA", NOON.format(0), NOON.format(1)),
        ("GHA", None, NOON.format(1), NOON.format(2)),
        ("GHA", "UN03/GHA", NOON.format(2), None),
    ]
    assert [row for row in listed(after, Of.BINDINGS) if row[0] == "GHA"] == history
    ended = after.apply(signed(binding(None, 3), "ada", "ben", GHANA))
    last = ("GHA", None, NOON.format(3), None)
    assert [row for row in listed(ended, Of.BINDINGS) if row[0] == "GHA"][-1] == last
