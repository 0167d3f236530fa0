# SPDX-License-Identifier: Apache-2.0
"""Recalling: our own envelopes that came back after a restore from an older backup (rule 3.11).

They are stored as sent, under their sequences, and the program takes back what they said. Between
them there may be sequences that nobody has: those are free, and what is sealed next takes them.
Commands that still wait at the desk, be it for a second person, are of the older state, and are
refused: whoever gave one may have seen it carried out.

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
from schemas.identifiers import Actor, Participant

__all__ = ["recall"]

Way = tuple[Actor, Participant]
RESTORED = "the node was restored from an older backup; see what was sent, then ask anew"


async def recall(
    session: Session, program: Program, journal: Journal, hearing: Hearing, done: Done
) -> None:
    """Take back the returned envelopes that are not here."""
    back: dict[tuple[Way, int], Opened] = {}
    for opened in sorted(done.replies.returned, key=lambda o: o.manifest.sequence or 0):
        manifest = opened.manifest
        way, number = (manifest.sender, manifest.to), manifest.sequence
        if number is not None and journal.lacks(*way, number):
            back[way, number] = opened
    if not back:
        return
    for way, number in back:
        journal.ahead.setdefault(way, set()).add(number)
    for way in {way for way, _ in back}:
        done.changed[way] = journal.joined(way, journal.sent(*way))
    sealed = [Sealed(*way, number, opened.body) for (way, number), opened in back.items()]
    await outbox.keep_sealed(session, sealed, done.batch.now)
    await outbox.mark_confirmed(session, sealed)
    said = []
    for (way, _), opened in back.items():
        heard = hearing.parse([opened], done.batch)
        await journals.keep_messages(session, [kept_as(h, way[1]) for h in heard])
        said += heard
    await program.recall(session, said, done.batch)
    await desk.end_waiting(session, RESTORED, done.batch.now)
