# SPDX-License-Identifier: Apache-2.0
"""The parts of the invariants that can be wrong by themselves: roots, and naming what is wrong.

That they hold, and that they break when they should, is shown in `tests/simulation`.
"""

import pytest

from harness.simulation.invariants import Violation, merkle_root, require

# The leaves and roots of the certificate-transparency reference tests.
LEAVES = [
    bytes.fromhex(data)
    for data in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.mark.parametrize("size", ROOTS)
def test_the_root_of_so_many_leaves_is_the_published_one(size: int) -> None:
    assert merkle_root(LEAVES[:size]).hex() == ROOTS[size]


def test_nothing_wrong_is_no_violation() -> None:
    require("all is well", [])


def test_a_violation_names_its_invariant_and_the_first_few_that_are_wrong() -> None:
    with pytest.raises(Violation, match=r"^units are conserved: 0; ") as raised:
        require("units are conserved", range(7))
    assert raised.value.invariant == "units are conserved"
    assert raised.value.detail == "0; 1; 2; 3 and 3 more"


def test_what_is_wrong_is_told_in_moderate_length() -> None:
    with pytest.raises(Violation) as raised:
        require("units are conserved", ["x" * 10_000])
    assert len(raised.value.detail) == 2000
