# SPDX-License-Identifier: Apache-2.0
"""The trace of a run: a digest over everything that happened, in the order in which it did.

Two runs of one seed have the same trace, on any machine; if they have not, something read a clock,
drew from elsewhere, or depended on the order of a set.
"""

from hashlib import sha256
from pathlib import Path
from typing import IO

__all__ = ["Trace"]


class Trace:
    """A running SHA-256; with a file, every event is written there in a line as well."""

    def __init__(self, file: Path | None = None) -> None:
        self._hash = sha256()
        self._file: IO[str] | None = file.open("w", encoding="utf-8") if file else None

    def note(self, kind: str, subject: str, content: bytes) -> None:
        """Something happened: what kind of thing, to whom, and the bytes that matter."""
        head = f"{kind} {subject} {len(content)}\n".encode()
        self._hash.update(head + content)
        if self._file is not None:
            digest = sha256(content).hexdigest()[:16]
            self._file.write(f"{kind} {subject} {len(content)} {digest}\n")

    @property
    def digest(self) -> str:
        """The trace so far, in hexadecimal."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Finish the file, if there is one."""
        if self._file is not None:
            self._file.close()
