# SPDX-License-Identifier: Apache-2.0
"""Leaving out: a hub goes on without somebody who is gone, by an operator's command.

Nobody knows which sequences the hub has used to whoever does not answer, nor what that one may have
said. So, until it has given back what it keeps, the hub says nothing to it, hears nothing of it and
shows it nothing; what the log has for it is owed. It is back when the hub has recovered once more,
with it: by then it was held to the log like everybody, and is sent what it is owed.

Each is remembered by a mark: the size of the log, and one, from which on it may lack everything.

Elsewhere: the recovery itself (`recovering`), what is owed (`owing`), hearing and saying nothing
(`runtime.control`, `runtime.handler`).
"""

from collections.abc import Collection

from sqlalchemy import select

from hub.state import Kept
from runtime.errors import LocalProtocolError
from runtime.journal import set_mark
from runtime.store import Session
from runtime.tables import marks
from schemas.identifiers import REC, Participant

__all__ = ["are_back", "leave_out", "load_left_out", "load_returning", "stay_away"]

WITHOUT, RETURNING = "without ", "returning "


async def load_left_out(session: Session) -> dict[Participant, int]:
    """Who is left out, and the size of the log when that began."""
    return await _marked(session, WITHOUT)


async def load_returning(session: Session) -> dict[Participant, int]:
    """Who was left out and is waited for by this recovery."""
    return await _marked(session, RETURNING)


async def leave_out(
    session: Session, kept: Kept, chosen: Collection[Participant], size: int
) -> None:
    """Have a recovery leave out these alone; whoever else was left out is waited for."""
    for participant in sorted(chosen):
        if participant not in kept.directory.members:
            raise LocalProtocolError(f"--without {participant}: it is not admitted")
        if participant == REC:
            raise LocalProtocolError(
                "--without REC: nobody else has every entry, and nobody else compares statements; "
                "bring a database of it, however old"
            )
    away = await load_left_out(session) | await load_returning(session)
    for participant in sorted(away.keys() | set(chosen)):
        since = away.get(participant, size)
        out = participant in chosen
        await set_mark(session, WITHOUT + participant, since + 1 if out else 0)
        await set_mark(session, RETURNING + participant, 0 if out else since + 1)


async def are_back(session: Session) -> None:
    """The recovery is over: whoever was waited for is as everybody."""
    for participant in await load_returning(session):
        await set_mark(session, RETURNING + participant, 0)


async def stay_away(session: Session) -> None:
    """The recovery is undone: whoever was left out before is so still."""
    for participant, since in (await load_returning(session)).items():
        await set_mark(session, RETURNING + participant, 0)
        await set_mark(session, WITHOUT + participant, since + 1)


async def _marked(session: Session, prefix: str) -> dict[Participant, int]:
    where = (marks.c.name.startswith(prefix), marks.c.value > 0)
    rows = await session.execute(select(marks.c.name, marks.c.value).where(*where))
    return {Participant(row.name.removeprefix(prefix)): int(row.value) - 1 for row in rows}
