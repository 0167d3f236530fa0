# SPDX-License-Identifier: Apache-2.0
"""The floor weighs what a transfer of ours weighs, part by part."""

from pathlib import Path

import pytest

from harness.bench.course import ACQUIRER, SENDER, UNITS, transfer
from harness.bench.floors import Weight
from harness.bench.part import NOISE_BYTES, Noise, Part
from schemas.identifiers import HUB, REC

CHE, GHA = SENDER.participant, ACQUIRER.participant
WEIGHT = Weight(
    envelopes={
        (CHE, HUB): 600.0,
        (HUB, CHE): 5000.0,
        (HUB, GHA): 6000.0,
        (HUB, REC): 2500.0,
        (GHA, HUB): 300.0,
        (HUB, HUB): 99.0,
    },
    durable=9000.0,
)
LINKS = {str(p): (f"amqp {p}", f"database {p}") for p in (HUB, REC, CHE, GHA)}


def parts() -> dict[str, Part]:
    return {part.participant: part for part in WEIGHT.parts(LINKS, bundle=32, batch=200)}


def test_each_process_sends_messages_of_the_sizes_of_ours() -> None:
    found = parts()
    assert found["CHE01"].sizes == {"proposal HUB": 600}
    assert found["GHA01"].sizes == {"acceptance HUB": 300}
    assert found["REC"].sizes == {}
    assert found["HUB"].sizes == {
        "cleared CHE01": 2500,
        "completed CHE01": 2500,
        "cleared GHA01": 3000,
        "completed GHA01": 3000,
        "cleared REC": 1250,
        "completed REC": 1250,
    }


def test_what_is_stored_is_shared_out_by_messages() -> None:
    """Two at the hub, two at everybody else, and what the sender begins."""
    assert {part.durable for part in parts().values()} == {1000}


ANSWERS = {
    ("HUB", "proposal"): {("cleared", "CHE01"), ("cleared", "GHA01"), ("cleared", "REC")},
    ("HUB", "acceptance"): {("completed", "CHE01"), ("completed", "GHA01"), ("completed", "REC")},
    ("GHA01", "cleared"): {("acceptance", "HUB")},
}
"""Everything else is the end of it."""


def test_a_transfer_takes_the_same_ways_as_ours() -> None:
    kinds = ("proposal", "cleared", "acceptance", "completed")
    found = {
        (name, kind): set(answers)
        for name, part in parts().items()
        for kind in kinds
        if (answers := part.answers(kind))
    }
    assert found == ANSWERS


def test_noise_is_as_long_as_asked_and_never_the_same_at_once() -> None:
    noise = Noise("HUB")
    taken = [noise.take(size) for size in (1000, 1000, 0)]
    assert [len(some) for some in taken] == [1000, 1000, 0]
    assert taken[0] != taken[1]


def test_more_noise_than_there_is_cannot_be_had() -> None:
    with pytest.raises(AssertionError, match="not so much noise"):
        Noise("HUB").take(NOISE_BYTES)


def test_a_process_is_given_itself_as_a_file(tmp_path: Path) -> None:
    part, file = parts()["HUB"], tmp_path / "HUB.json"
    file.write_text(part.text)
    assert Part.read(file) == part


def test_transfers_take_one_range_after_another() -> None:
    lines = [transfer(number)["lines"][0] for number in range(3)]
    assert [(line["first"], line["last"]) for line in lines] == [
        (1, UNITS),
        (UNITS + 1, 2 * UNITS),
        (2 * UNITS + 1, 3 * UNITS),
    ]
