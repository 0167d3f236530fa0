# SPDX-License-Identifier: Apache-2.0
"""The figures of a benchmark: quantiles, figures of a transfer, and ratios round by round."""

import json

import pytest

from harness.bench.figures import Measured, Spread, Taken, document, measured, quantile, ratios

QUANTILES = {
    "the middle of three": ([1.0, 2.0, 3.0], 0.5, 2.0),
    "the lower middle of four": ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
    "of one": ([7.0], 0.99, 7.0),
    "of a hundred": ([float(n) for n in range(1, 101)], 0.99, 99.0),
    "the least": ([1.0, 2.0], 0.0, 1.0),
    "the most": ([1.0, 2.0], 1.0, 2.0),
}


@pytest.mark.parametrize("name", QUANTILES, ids=lambda name: name.replace(" ", "-"))
def test_a_quantile_is_the_smallest_that_so_many_do_not_exceed(name: str) -> None:
    ordered, share, expected = QUANTILES[name]
    assert quantile(ordered, share) == expected


def test_a_phase_has_figures_for_each_transfer() -> None:
    taken = Taken(4, 2, 2.0, [0.4, 0.1, 0.3, 0.2], {"HUB": 0.001, "RabbitMQ": 0.003}, 800)
    found = measured(taken)
    assert found == Measured(
        transfers=4,
        window=2,
        per_second=2.0,
        p50_ms=200.0,
        p99_ms=400.0,
        cpu_us=1000.0,
        cpu_us_by_part={"HUB": 250.0, "RabbitMQ": 750.0},
        durable_bytes=200.0,
    )


def phase(per_second: float, p50_ms: float = 1.0, cpu_us: float = 1.0) -> Measured:
    return Measured(1, 1, per_second, p50_ms, 2 * p50_ms, cpu_us)


def both(per_second: float, p50_ms: float, cpu_us: float) -> dict[str, Measured]:
    return {
        "saturation": phase(per_second, cpu_us=cpu_us),
        "single": phase(1.0, p50_ms, cpu_us=10 * cpu_us),
    }


ROUNDS = [
    {"floor": both(100.0, 10.0, 50.0), "ours": both(50.0, 20.0, 100.0)},
    {"floor": both(200.0, 10.0, 50.0), "ours": both(60.0, 30.0, 100.0)},  # the machine was busy
    {"floor": both(100.0, 10.0, 50.0), "ours": both(40.0, 10.0, 100.0)},
]


def test_ratios_are_of_two_figures_of_one_round() -> None:
    found = ratios(ROUNDS)
    assert found["saturation_vs_floor"] == Spread(0.4, 0.3, 0.5)
    assert found["one_in_flight_p50_vs_floor"] == Spread(2.0, 1.0, 3.0)
    assert found["one_in_flight_p99_vs_floor"] == Spread(2.0, 1.0, 3.0)
    assert found["cpu_vs_floor"] == Spread(2.0, 2.0, 2.0)
    assert found["cpu_512_vs_1"] == Spread(0.1, 0.1, 0.1)


def test_a_variant_that_was_left_out_has_no_ratios() -> None:
    assert set(ratios(ROUNDS)) == {
        "saturation_vs_floor",
        "one_in_flight_p50_vs_floor",
        "one_in_flight_p99_vs_floor",
        "cpu_vs_floor",
        "cpu_512_vs_1",
    }
    assert ratios([{"floor": ROUNDS[0]["floor"]}]) == {}


def test_the_document_has_the_ratios_and_every_figure() -> None:
    found = json.loads(json.dumps(document(ROUNDS, {"cores": 2})))
    assert found["machine"] == {"cores": 2}
    assert found["ratios"]["saturation_vs_floor"] == 0.4
    assert found["spreads"]["saturation_vs_floor"] == {"median": 0.4, "least": 0.3, "most": 0.5}
    assert found["rounds"][1]["ours"]["single"]["p50_ms"] == 30.0
