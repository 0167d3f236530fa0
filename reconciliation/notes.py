# SPDX-License-Identifier: Apache-2.0
"""Notes: what people write to a case, and what follows from all of them. Pure.

Notes are only ever added. Who owns a case and by when it is due is what the newest assignment says.
A resolution is one text that two people have signed, each by a command of their own; their
signatures stand at the desk, under the command's number.

Elsewhere: the commands (`work`), the table (`tables`). When a case ends is not for people to say:
it does when the ledgers agree (`examine`).
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from schemas.identifiers import CaseId, Instant

__all__ = ["SIGNERS", "Note", "Progress", "Resolution", "progress_of"]

SIGNERS = 2
"""People who must sign one and the same resolution."""

NoteKind = Literal["assignment", "comment", "explanation", "resolution"]


class Note(NamedTuple):
    """One thing that an operator did about a case; `command` is its number at the desk."""

    case: CaseId
    number: int
    at: Instant
    operator: str
    kind: NoteKind
    text: str = ""
    owner: str | None = None
    due: str | None = None
    command: int = 0


class Resolution(NamedTuple):
    """A text and who has signed it."""

    text: str
    signers: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether enough people have signed it."""
        return len(self.signers) >= SIGNERS


class Progress(NamedTuple):
    """How the work on a case stands. `resolution` is the one that holds, else the newest."""

    owner: str | None = None
    due: str | None = None
    comments: tuple[Note, ...] = ()
    resolution: Resolution | None = None


def progress_of(notes: Sequence[Note]) -> Progress:
    """What all notes to one case come to, in their order."""
    progress = Progress(comments=tuple(note for note in notes if note.kind == "comment"))
    signed: dict[str, tuple[str, ...]] = {}
    for note in notes:
        if note.kind == "assignment":
            progress = progress._replace(owner=note.owner, due=note.due)
        elif note.kind == "resolution":
            before = signed.pop(note.text, ())
            signed[note.text] = tuple(dict.fromkeys((*before, note.operator)))
    return progress._replace(resolution=_newest(Resolution(*one) for one in signed.items()))


def _newest(resolutions: Iterable[Resolution]) -> Resolution | None:
    newest = None
    for one in resolutions:
        if newest is None or not newest.holds:
            newest = one
    return newest
