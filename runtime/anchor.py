# SPDX-License-Identifier: Apache-2.0
"""The anchor: a note of how far a log has come, kept apart from the database that has the log.

Contract of the port (`Anchor`):

* It holds one text or none. `write` replaces it whole: after a crash at any point it is the text
  from before or the new one, never a part of either.
* When `write` returns, the text outlives a loss of power. When it raises `Unavailable`, it may have
  been written or not.
* `read` gives what was written last, None when nothing ever was. It does not judge the text.

There is one writer, which is for the lock of the database beside it to see to.

Elsewhere: what the text says, and what follows from it (`hub.guard`).
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from ledger.note import NOTE_BYTES_MAX, Checkpoint, parse_note
from runtime import events
from runtime.errors import LocalProtocolError, Unavailable, in_one_line

__all__ = ["Anchor", "FileAnchor", "MemoryAnchor"]


class Anchor(Protocol):
    """One text, kept durably; the contract stands at the head of this module."""

    @property
    def name(self) -> str:
        """What people know it by."""
        ...

    def read(self) -> str | None:
        """What was written last."""
        ...

    def write(self, text: str) -> None:
        """Replace it."""
        ...


@dataclass(frozen=True)
class FileAnchor:
    """A file, replaced by renaming a new one over it. Its folder must be there."""

    path: Path

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.path)

    def read(self) -> str | None:
        """The file's text; bytes that are no UTF-8 make a text that nobody has signed."""
        try:
            with self.path.open("rb") as file:
                return file.read(NOTE_BYTES_MAX + 1).decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LocalProtocolError(f"the anchor cannot be read: {in_one_line(error)}") from None

    def write(self, text: str) -> None:
        """A new file, synced; renamed; the folder synced, or the old name could come back."""
        try:
            self._replace(text.encode())
        except OSError as error:
            words = f"the anchor cannot be written: {in_one_line(error)}"
            structlog.get_logger().error(events.ANCHOR_UNWRITTEN, error=words)
            raise Unavailable(words) from None

    def _replace(self, data: bytes) -> None:
        fresh = self.path.with_name(f"{self.path.name}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@dataclass
class MemoryAnchor:
    """An anchor in memory, which outlives its program if its owner keeps it; stricter than a file.

    It takes checkpoints of one log only, each larger than the one before: whoever writes anything
    else has a bug. `before` and `after` are called around each write, and may raise what a disk or
    a crash would.
    """

    text: str | None = None
    before: Callable[[], None] = field(default=lambda: None)
    after: Callable[[], None] = field(default=lambda: None)
    name: str = "the anchor in memory"

    @property
    def size(self) -> int:
        """The size that it holds; nought when nothing was written."""
        return Checkpoint.from_text(parse_note(self.text)[0]).size if self.text else 0

    def read(self) -> str | None:
        return self.text

    def write(self, text: str) -> None:
        self.before()
        new = Checkpoint.from_text(parse_note(text)[0])
        if self.text is not None:
            old = Checkpoint.from_text(parse_note(self.text)[0])
            assert (new.origin, new.size > old.size) == (old.origin, True), f"{old}, then {new}"
        self.text = text
        self.after()
