# SPDX-License-Identifier: Apache-2.0
"""The figures on proofs as a table: a row for each kind on each log, and what growth comes to."""

from harness.bench.figures import Spread
from harness.bench.proofs import Proofs
from harness.bench.proofs_page import proofs_blocks


def proofs(leaves: int, kind: str, bound: int, made_us: float) -> Proofs:
    return Proofs(
        leaves=leaves,
        kind=kind,
        proofs=3,
        bound=bound,
        rows=Spread(9.0, 7.0, 11.0),
        hashes=Spread(8.0, 6.0, 10.0),
        made_us=Spread(made_us, 1.0, 90_000.0),
        verified_us=Spread(17.2, 15.0, 400.0),
    )


def test_a_run_is_a_table_and_a_sentence_on_how_much_longer_a_proof_takes() -> None:
    found = [
        proofs(1000, "inclusion", 20, 300.0),
        proofs(1000, "consistency", 20, 200.0),
        proofs(10_000_000, "inclusion", 48, 450.0),
        proofs(10_000_000, "consistency", 48, 1240.0),
    ]
    block = proofs_blocks({"proofs": [one.asdict() for one in found]})["proofs"]
    _, _, *rows, blank, said = block.splitlines()
    assert rows[0] == "| 1,000 | inclusion | 11 | 20 | 10 | 300 | 17 |"
    assert rows[3] == "| 10,000,000 | consistency | 11 | 48 | 10 | 1,240 | 17 |"
    assert (len(rows), blank) == (4, "")
    assert said == (
        "10,000 times as many leaves, 2.4 times as many levels: to make a proof takes 1.5 times as "
        "long for inclusion and 6.2 times as long for consistency."
    )
