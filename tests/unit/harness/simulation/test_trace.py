# SPDX-License-Identifier: Apache-2.0
"""The trace: everything that happened, in order, in one digest."""

from pathlib import Path

from harness.simulation.trace import Trace

HAPPENED = [("sent", "HUB", b"body"), ("step", "1", b""), ("fault", "loss", b"GHA01")]


def traced(happened: list[tuple[str, str, bytes]], file: Path | None = None) -> str:
    trace = Trace(file)
    for one in happened:
        trace.note(*one)
    trace.close()
    return trace.digest


def test_the_same_happenings_have_the_same_digest_with_or_without_a_file(tmp_path: Path) -> None:
    assert traced(HAPPENED) == traced(HAPPENED, tmp_path / "events")
    assert len(traced([])) == 64


def test_order_kind_subject_and_content_all_count() -> None:
    others = [
        HAPPENED[::-1],
        HAPPENED[:-1],
        [*HAPPENED[:-1], ("fault", "loss", b"GHA02")],
        [*HAPPENED[:-1], ("fault", "delay", b"GHA01")],
        [*HAPPENED[:-1], ("event", "loss", b"GHA01")],
        [("sent", "HUB", b"bodystep 1 0\n"), HAPPENED[2]],
    ]
    assert len({traced(HAPPENED), *map(traced, others)}) == len(others) + 1


def test_the_file_has_a_line_for_each_happening(tmp_path: Path) -> None:
    traced(HAPPENED, tmp_path / "events")
    lines = (tmp_path / "events").read_text().splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["sent", "HUB", "4"],
        ["step", "1", "0"],
        ["fault", "loss", "5"],
    ]
