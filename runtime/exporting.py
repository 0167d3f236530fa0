# SPDX-License-Identifier: Apache-2.0
"""Writing the file that an operator's verb was asked for, and over no other.

A file that is there already is replaced only by one of its own kind: evidence by evidence, a trust
root by a trust root. Anything else that a name hits by mistake, such as a private key, stays as it
is. All of this is asked before the work, so that a wrong name costs nothing.

Elsewhere: the output folder of a demonstration (`harness.output`), private keys (`keys`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from runtime.errors import LocalProtocolError
from schemas.evidence import BUNDLE, TRUST, format_of
from schemas.limits import EVIDENCE_BYTES_MAX
from schemas.misbehaviour import MISBEHAVIOUR

__all__ = ["EVIDENCE_FILE", "PROOF_FILE", "TRUST_FILE", "FileKind", "check_folder", "export_file"]


class FileKind(NamedTuple):
    """A kind of file that verbs write: what it is called, and whether a file there is one."""

    name: str
    recognizes: Callable[[Path], bool]


def export_file(path: Path, kind: FileKind, make: Callable[[], bytes]) -> None:
    """Make a file's bytes and write them; `LocalProtocolError` if they may not go there."""
    _check(path, kind)
    path.write_bytes(make())


def check_folder(path: Path) -> None:
    """`LocalProtocolError` unless the folder of a file that is to be written is there."""
    if not path.parent.is_dir():
        raise LocalProtocolError(
            f"{path}: no such folder: {path.parent}; make it, or name another file"
        )


def _check(path: Path, kind: FileKind) -> None:
    check_folder(path)
    if path.is_dir():
        raise LocalProtocolError(f"{path}: is a folder; name a file in it")
    # What is no regular file, such as /dev/stdout, has nothing to lose; an empty one neither.
    if path.is_file() and path.stat().st_size and not kind.recognizes(path):
        raise LocalProtocolError(
            f"{path}: exists and is no {kind.name}, so it is left as it is; name another file"
        )


def _of_format(name: str, wanted: str) -> FileKind:
    def recognizes(path: Path) -> bool:
        with path.open("rb") as file:
            return format_of(file.read(EVIDENCE_BYTES_MAX + 1)) == wanted

    return FileKind(name, recognizes)


EVIDENCE_FILE = _of_format("file of evidence", BUNDLE)
TRUST_FILE = _of_format("trust root", TRUST)
PROOF_FILE = _of_format("proof of misbehaviour", MISBEHAVIOUR)
