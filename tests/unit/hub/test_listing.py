# SPDX-License-Identifier: Apache-2.0
"""The directory as operators read it."""

import pytest

from hub.listing import directory_lines
from tests.unit.ledger.acts import GHANA, binding, revocation, shared
from tests.unit.ledger.world import CHE, GHA, directory, signed, signer


def test_a_directory_is_listed_by_participants_pairs_and_parties() -> None:
    after = directory().apply(signed(revocation(CHE), "ada", "ben"))
    lines = list(directory_lines(after))
    assert lines[:4] == [
        "CHE01  active",
        f"  CHE01/CHE  {signer(CHE).public.key_id}  withdrawn",
        "GHA01  active",
        f"  GHA01/GHA  {signer(GHA).public.key_id}  current",
    ]
    assert lines[-5:] == [
        "CHE01/CHE  GHA01/GHA  information",
        "UN01/MMR  UN02/KOR  unit",
        "CHE  CHE01/CHE  since 2027-03-01T12:00:00.000000Z  current",
        "GHA  GHA01/GHA  since 2027-03-01T12:00:00.000000Z  current",
        "KOR  UN02/KOR  since 2027-03-01T12:00:00.000000Z  current",
    ]


@pytest.mark.requirement(1)
def test_former_bindings_of_a_party_are_listed_with_their_dates() -> None:
    after = shared()
    for act, names in ((binding(None, 1), (GHA,)), (binding(GHANA, 2), (GHANA,))):
        after = after.apply(signed(act, "ada", "ben", *names))
    assert [line for line in directory_lines(after) if line.startswith("GHA  ")] == [
        "GHA  GHA01/GHA  since 2027-03-01T12:00:00.000000Z  until 2027-03-01T12:01:00.000000Z",
        "GHA  no section  since 2027-03-01T12:01:00.000000Z  until 2027-03-01T12:02:00.000000Z",
        "GHA  UN03/GHA  since 2027-03-01T12:02:00.000000Z  current",
    ]
    ended = after.apply(signed(binding(None, 3), "ada", "ben", GHANA))
    last = "GHA  no section  since 2027-03-01T12:03:00.000000Z  current"
    assert [line for line in directory_lines(ended) if line.startswith("GHA  ")][-1] == last
