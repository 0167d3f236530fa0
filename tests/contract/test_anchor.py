# SPDX-License-Identifier: Apache-2.0
"""The anchor's contract, on a file and in memory alike; what only a file can meet comes after."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ledger import log, note
from runtime import events
from runtime.anchor import Anchor, FileAnchor, MemoryAnchor
from runtime.errors import LocalProtocolError, Unavailable
from tests.cast import signer


def head(size: int, origin: str = "a6hub.test") -> str:
    """A signed head of a log of so many entries."""
    leaves = [log.leaf_hash(b"%d" % n) for n in range(size)]
    text = note.Checkpoint(origin, size, log.Tree(leaves).root()).to_text()
    return note.format_note(text, [note.sign_note(text, origin, signer("checkpoints"))])


@pytest.fixture(params=["file", "memory"])
def anchor(request: pytest.FixtureRequest, tmp_path: Path) -> Anchor:
    return FileAnchor(tmp_path / "anchor") if request.param == "file" else MemoryAnchor()


def test_nothing_is_read_before_anything_was_written(anchor: Anchor) -> None:
    assert anchor.read() is None


def test_what_was_written_last_is_read(anchor: Anchor) -> None:
    for size in (1, 2, 9):
        anchor.write(head(size))
        assert anchor.read() == head(size)


def test_it_has_a_name_for_people(anchor: Anchor) -> None:
    assert anchor.name


# --- a file -------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "anchor"


def test_a_file_is_its_owners_alone(path: Path) -> None:
    FileAnchor(path).write(head(1))
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_program_on_the_same_file_reads_it(path: Path) -> None:
    FileAnchor(path).write(head(3))
    assert FileAnchor(path).read() == head(3)
    assert [p.name for p in path.parent.iterdir()] == ["anchor"]


def test_half_a_write_leaves_what_was_there_and_the_next_one_goes_over_it(path: Path) -> None:
    FileAnchor(path).write(head(1))
    path.with_name("anchor.new").write_text(head(2)[:40])
    assert FileAnchor(path).read() == head(1)
    FileAnchor(path).write(head(2))
    assert FileAnchor(path).read() == head(2)


def failing(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    """Have the disk fail at the nth of these calls from now on."""
    real: Callable[..., object] = getattr(os, name)
    calls = iter(range(1, 100))

    def call(*arguments: object) -> object:
        if next(calls) >= number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments)

    monkeypatch.setattr(os, name, call)


@pytest.mark.parametrize(
    ("name", "number", "left"),
    [("open", 1, 1), ("fsync", 1, 1), ("replace", 1, 1), ("open", 2, 2), ("fsync", 2, 2)],
)
def test_a_full_disk_is_unavailable_and_an_event_and_leaves_the_old_or_the_new(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int, left: int
) -> None:
    FileAnchor(path).write(head(1))
    with monkeypatch.context() as disk, capture_logs() as logs:
        failing(disk, name, number)
        with pytest.raises(Unavailable, match="cannot be written: no space left on device"):
            FileAnchor(path).write(head(2))
    assert [(e["event"], e["log_level"]) for e in logs] == [(events.ANCHOR_UNWRITTEN, "error")]
    assert FileAnchor(path).read() == head(left)


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    anchor = FileAnchor(tmp_path / "absent" / "anchor")
    assert anchor.read() is None
    with capture_logs(), pytest.raises(Unavailable, match="no such file"):
        anchor.write(head(1))
    assert not (tmp_path / "absent").exists()


def test_what_is_no_text_is_read_as_a_text_that_nobody_signed(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")
    assert FileAnchor(path).read() == "\ufffd\ufffd\0"


def test_what_cannot_be_read_says_why(path: Path) -> None:
    path.mkdir()
    with pytest.raises(LocalProtocolError, match=r"the anchor cannot be read: .*is a directory"):
        FileAnchor(path).read()


# --- memory -------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [head(2), head(1), head(3, "another.log")])
def test_in_memory_what_does_not_grow_one_log_is_a_bug(second: str) -> None:
    anchor = MemoryAnchor(head(2))
    with pytest.raises(AssertionError):
        anchor.write(second)


def test_in_memory_it_can_fail_both_ways() -> None:
    def full() -> None:
        raise Unavailable("the disk is full")

    anchor = MemoryAnchor(head(1), before=full)
    with pytest.raises(Unavailable):
        anchor.write(head(2))
    assert anchor.size == 1
    anchor = MemoryAnchor(head(1), after=full)
    with pytest.raises(Unavailable):
        anchor.write(head(2))
    assert anchor.size == 2
