# SPDX-License-Identifier: Apache-2.0
"""`a6hub bench` on servers of its own, small: its figures are there, and wrong use is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.bench import floor as floors
from harness.bench.cli import app
from harness.bench.course import SENDER
from harness.bench.floors import Carriers
from harness.bench.growth_cli import app as growth_app
from harness.bench.layers import LAYERS, REST
from harness.bench.verify import RoundFailed


def test_a_small_round_has_every_figure(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    # More than are in flight at a time: some begin while others arrive.
    small = ("--transfers", "700", "--rounds", "1", "--variants", "floor,ours", "--no-layers")
    done = CliRunner().invoke(app, [*small, "--json", str(file)])
    assert done.exit_code == 0, done.output
    everybody = "HUB, REC, GHA01, CHE01"
    assert f"{everybody} were killed once each among 175 transfers: all of these" in done.stdout
    assert "saturation_vs_floor" in done.stdout
    found = json.loads(file.read_text())
    assert found["killed"]["transfers"] == 175
    assert found["killed"]["killed"] == everybody.split(", ")
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
    for window in (8, 32, 128):
        assert one["ours"][f"window {window}"]["window"] == window
        assert one["floor"][f"window {window}"]["per_second"] > 0
    ours, floor = (one[name]["saturation"]["durable_bytes"] for name in ("ours", "floor"))
    assert 0.5 < floor / ours < 2, "the floor stores as much"


def test_everything_in_one_process_has_its_figures_and_no_floor(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    small = ("--embedded", "--transfers", "100", "--rounds", "1")
    done = CliRunner().invoke(app, [*small, "--json", str(file)])
    assert done.exit_code == 0, done.output
    found = json.loads(file.read_text())
    assert set(found["ratios"]) == {"saturation_vs_naive", "cpu_512_vs_1"}
    assert found["killed"] is None
    assert set(found["layers_us"]) == {*LAYERS, REST}
    assert all(used > 0 for used in found["layers_us"].values())
    for variant in ("ours", "naive"):
        for phase in ("saturation", "single"):
            figures = found["rounds"][0][variant][phase]
            assert figures["per_second"] > 0
            assert figures["durable_bytes"] >= 0
            assert set(figures["cpu_us_by_part"]) == {"everything"}


def test_common_libraries_carry_the_same_messages_and_store_nothing(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    libraries = ("raw-aio-pika", "faststream")
    small = ("--transfers", "200", "--rounds", "1", "--variants", ",".join(libraries))
    done = CliRunner().invoke(app, [*small, "--no-kill", "--no-layers", "--json", str(file)])
    assert done.exit_code == 0, done.output
    found = json.loads(file.read_text())
    assert found["ratios"] == {}
    (one,) = found["rounds"]
    assert set(one) == set(libraries)
    for variant in libraries:
        assert set(one[variant]) == {"saturation", "single"}
        assert one[variant]["saturation"]["window"] == 512
        for figures in one[variant].values():
            assert figures["per_second"] > 0
            assert figures["p50_ms"] > 0
            assert figures["cpu_us_by_part"]["HUB"] > 0
            assert figures["durable_bytes"] < 10_000, "what a transfer weighs is not stored"


def test_without_faststream_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faststream", None)
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 2
    assert done.stderr.startswith("a6hub: the variant faststream needs the package faststream")
    assert "make venv" in done.stderr
    assert len(done.stderr.splitlines()) == 1


WRONG = {
    "a floor where there is none": ("--variants", "floor", "--embedded"),
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
    small = (
        "--transfers",
        "100",
        "--rounds",
        "1",
        "--variants",
        "floor",
        "--no-kill",
        "--no-layers",
    )
    done = CliRunner().invoke(app, small)
    assert done.exit_code == 1
    assert "a round does not count: the floor has failed: UndefinedTableError" in done.stderr
    assert 'relation "kept" does not exist' in done.stderr


async def test_a_process_of_the_floor_that_has_ended_ends_the_round(tmp_path: Path) -> None:
    """The sender would wait for its answer for ever."""

    def launch(code: str) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe)

    (tmp_path / "HUB.log").write_text("the last words\n")
    waits, ends = launch("import time; time.sleep(600)"), launch("raise SystemExit(7)")
    try:
        both = {str(SENDER.participant): waits, "HUB": ends}
        running = Carriers("the floor", both, tmp_path)
        with pytest.raises(RoundFailed, match="HUB of the floor has ended with 7: the last words"):
            await running.run(1, 1)
    finally:
        for process in (waits, ends):
            process.kill()
            process.communicate()


def test_a_small_run_on_what_grows_has_every_figure(tmp_path: Path) -> None:
    file = tmp_path / "growth.json"
    sizes = {
        "--small": 1000,
        "--blocks": 2000,
        "--leaves": 3000,
        "--participants": 6,
        "--transfers": 40,
        "--memory": 200,
    }
    words = [str(word) for pair in sizes.items() for word in pair]
    done = CliRunner().invoke(growth_app, [*words, "--json", str(file)])
    assert done.exit_code == 0, done.output
    found = json.loads(file.read_text())
    assert set(found["ratios"]) == {"ledger", "log", "participant"}
    for name, ratio in found["ratios"].items():
        turns = found[f"{name}_ratios"]
        assert len(turns) == 3
        assert 0 < ratio["least"] == min(turns) <= ratio["median"] <= ratio["most"] == max(turns)
    assert len(found["start_seconds"]) == 5
    assert found["start_median_seconds"] > 0
    assert found["help_median_seconds"] > 0
    assert set(found["memory_bytes"]) == {"HUB", "REC", "GHA01", "CHE01"}
    assert all(len(looks) == 10 for looks in found["memory_bytes"].values())
    descents = {(one["blocks"], one["differences"]): one for one in found["descents"]}
    assert set(descents) == {(blocks, d) for blocks in (500, 2000) for d in (0, 1, 10)}
    for (_, differences), one in descents.items():
        assert one["seconds"]["least"] > 0
        assert (one["questions"] > 0) == (differences > 0)
    everything = descents[2000, 10]["everything"]
    assert everything["bytes"] > descents[2000, 10]["bytes"] > descents[2000, 1]["bytes"]


GROWTH_WRONG = {
    "a small ledger that is too small": ("--small", "700"),
    "a large one that is smaller": ("--blocks", "1000"),
    "a large one that the load exhausts": ("--blocks", "100000"),
    "a log that is too short": ("--leaves", "999"),
    "no more participants": ("--participants", "3"),
    "too many of them": ("--participants", "677"),
    "no transfers": ("--transfers", "0"),
    "no memory": ("--memory", "0"),
    "a folder for a file": ("--json", "."),
}


@pytest.mark.parametrize("name", GROWTH_WRONG, ids=lambda name: name.replace(" ", "-"))
def test_wrong_sizes_are_refused(name: str) -> None:
    done = CliRunner().invoke(growth_app, GROWTH_WRONG[name])
    assert done.exit_code == 2
    assert done.stderr.startswith("a6hub: --")
    assert len(done.stderr.splitlines()) == 1
