# SPDX-License-Identifier: Apache-2.0
"""`a6hub bench` on servers of its own, small: its figures are there, and wrong use is refused."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.bench import floor as floors
from harness.bench.cli import app


def test_a_small_round_has_every_figure(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    # More than are in flight at a time: some begin while others arrive.
    small = ("--transfers", "700", "--rounds", "1", "--variants", "floor,ours")
    done = CliRunner().invoke(app, [*small, "--json", str(file)])
    assert done.exit_code == 0, done.output
    assert "saturation_vs_floor" in done.stdout
    found = json.loads(file.read_text())
    assert set(found["ratios"]) == {
        "saturation_vs_floor",
        "one_in_flight_p50_vs_floor",
        "one_in_flight_p99_vs_floor",
        "cpu_vs_floor",
        "cpu_512_vs_1",
    }
    (one,) = found["rounds"]
    for variant, phase in (("floor", "saturation"), ("ours", "saturation"), ("ours", "single")):
        figures = one[variant][phase]
        assert figures["per_second"] > 0
        assert figures["cpu_us"] > 0
        assert figures["durable_bytes"] > 0
        assert {"HUB", "REC", "CHE01", "GHA01", "RabbitMQ", "PostgreSQL"} == set(
            figures["cpu_us_by_part"]
        )
    ours, floor = (one[name]["saturation"]["durable_bytes"] for name in ("ours", "floor"))
    assert 0.5 < floor / ours < 2, "the floor stores as much"


WRONG = {
    "a variant that there is not": ("--variants", "ours,gremlins"),
    "too few transfers": ("--transfers", "99"),
    "too many transfers": ("--transfers", "1000001"),
    "no rounds": ("--rounds", "0"),
    "too many rounds": ("--rounds", "101"),
    "a folder that is not there": ("--json", "/nowhere/bench.json"),
    "a folder for a file": ("--json", "."),
}


@pytest.mark.parametrize("name", WRONG, ids=lambda name: name.replace(" ", "-"))
def test_wrong_arguments_are_refused(name: str) -> None:
    done = CliRunner().invoke(app, WRONG[name])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"a6hub: {WRONG[name][0]}")
    assert len(done.stderr.splitlines()) == 1


def test_a_floor_that_breaks_ends_the_run_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its processes cannot store anything: the run does not wait for them for ever."""
    monkeypatch.setattr("harness.bench.floors.TABLE", floors.TABLE.replace("kept", "elsewhere"))
    small = ("--transfers", "100", "--rounds", "1", "--variants", "floor")
    done = CliRunner().invoke(app, small)
    assert done.exit_code == 1
    assert "a round does not count: the floor has ended with 1" in done.stderr
    assert 'relation "kept" does not exist' in done.stderr
