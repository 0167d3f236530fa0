# SPDX-License-Identifier: Apache-2.0
"""Recalling: our own envelopes that came back after a restore from an older backup (rule 3.11).

They are stored as sent, in their sequence, and the program takes back what they said. Commands that
still wait at the desk are of the older state, and are refused: whoever gave one may have seen it
carried out.

Elsewhere: asking for them (`control`), what a program makes of it (each program's `recall`).
"""

from runtime import desk, outbox
from runtime import journal as journals
from runtime.hearing import Hearing, kept_as
from runtime.journal import Journal, Sealed
from runtime.program import Program
from runtime.store import Session
from runtime.work import Done
from schemas.envelope import Opened

__all__ = ["recall"]

RESTORED = "the node was restored from an older backup; see what was sent, then ask anew"


async def recall(
    session: Session, program: Program, journal: Journal, hearing: Hearing, done: Done
) -> None:
    """Take back the returned envelopes that are next in their sequence."""
    back: list[tuple[Sealed, Opened]] = []
    for opened in done.replies.returned:
        manifest = opened.manifest
        place = (manifest.sender, manifest.to)
        following = done.changed.get(place, journal.sent(*place)) + 1
        if manifest.sequence == following:
            done.changed[place] = following
            back.append((Sealed(*place, following, opened.body), opened))
    if not back:
        return
    sealed = [envelope for envelope, _ in back]
    await outbox.keep_sealed(session, sealed, done.batch.now)
    await outbox.mark_confirmed(session, sealed)
    said = []
    for envelope, opened in back:
        heard = hearing.parse([opened], done.batch)
        await journals.keep_messages(session, [kept_as(h, envelope.recipient) for h in heard])
        said += heard
    await program.recall(session, said, done.batch)
    for row in await desk.open_commands(session, 1000):
        await desk.close_command(session, row.id, done=False, result=RESTORED)
