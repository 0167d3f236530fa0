# SPDX-License-Identifier: Apache-2.0
"""`a6hub bench` on servers of its own, small: its figures are there, and wrong use is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = "import sys; from harness.cli import main; sys.argv[0] = 'a6hub'; main()"
    return subprocess.run(
        [sys.executable, "-c", command, "bench", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def test_a_small_round_has_every_figure(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    # More than are in flight at a time: some begin while others arrive.
    small = ("--transfers", "700", "--rounds", "1", "--variants", "floor,ours")
    done = bench(*small, "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
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
    "no rounds": ("--rounds", "0"),
    "a folder that is not there": ("--json", "/nowhere/bench.json"),
}


@pytest.mark.parametrize("name", WRONG, ids=lambda name: name.replace(" ", "-"))
def test_wrong_arguments_are_refused(name: str) -> None:
    done = bench(*WRONG[name])
    assert done.returncode == 2
    assert done.stderr.startswith(f"a6hub: {WRONG[name][0]}")
    assert len(done.stderr.splitlines()) == 1
