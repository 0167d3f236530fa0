# SPDX-License-Identifier: Apache-2.0
"""Commands that wait for a second person: kept, confirmed, declined, lapsed (ADR 0029).

A command that waits stays at the desk, in the state `awaiting`, and has a row in `awaited`: who
gave it with which key, the digest of its line, until when it waits, and how that ended. Its end is
final, and the database holds who confirmed it to be another than its author.

What is asked when it is confirmed is asked of the settings of that moment: its signature and its
author's role are looked at again, so whoever was taken off the settings meanwhile has nothing
carried out. A command that waits goes on waiting when the setting `second_person` is loosened: no
change of settings carries anything out.

Elsewhere: who may confirm (`second_person`), carrying a command out (`desk`).
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, Text, bindparam, select, update

from runtime import events
from runtime.orders import Operator
from runtime.program import Order
from runtime.second_person import Answer, key_id, objection
from runtime.store import Session
from runtime.tables import awaited, desk
from runtime.work import Done
from schemas.envelope import digest
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Instant

__all__ = [
    "conclude",
    "declined",
    "end_all",
    "find",
    "keep",
    "lapse",
    "late_commands",
    "object_to",
    "with_awaited",
]


async def keep(
    session: Session, row: Any, author: Operator, seconds: float, done: Done
) -> tuple[int, str, str]:
    """Keep a command until somebody confirms it; gives what is written of it at the desk."""
    now = done.batch.now
    named = digest(row.command.encode())
    until = Instant.of(now.moment() + timedelta(seconds=seconds))
    await session.execute(
        awaited.insert(),
        {
            "command": row.id,
            "digest": named,
            "author": author.name,
            "author_key": key_id(author),
            "since": str(now),
            "until": str(until),
        },
    )
    done.batch.log(events.COMMAND_AWAITING, command=row.id, operator=author.name, until=until)
    answer = f'{{"command": {row.id}, "digest": "{named}"}}'
    return row.id, "awaiting", f"a second person confirms or declines {answer} until {until}"


async def find(session: Session, answer: Answer, now: Instant) -> Row[Any] | Finding:
    """The command that an answer is about, as `with_awaited` has it, if it waits and is the one
    whose digest is given. One whose time is over waits no longer, though its end may be written in
    a later batch.
    """
    row = (await session.execute(with_awaited().where(desk.c.id == answer.command))).one_or_none()
    if row is None or row.since is None:
        detail = f"command {answer.command} does not wait for anybody; look at `commands`"
        return finding(Reason.COMMAND_NOT_AWAITED, detail, field="command")
    if row.ending is not None:
        detail = f"command {row.id} was {_ended(row)}; if it is still wanted, have it given anew"
        return finding(Reason.COMMAND_NOT_AWAITED, detail, field="command")
    if row.until <= str(now):
        detail = f"command {row.id} waited until {row.until}; if it is still wanted, give it anew"
        return finding(Reason.COMMAND_NOT_AWAITED, detail, field="command")
    named = digest(row.command.encode())
    if answer.digest != named:
        detail = f"the digest of command {row.id} is {named}; read it with `command {row.id}`"
        return finding(Reason.COMMAND_DIFFERS, detail, field="digest")
    return row


def object_to(
    first: Order, by: Order, operators: Mapping[str, Operator], needed: str
) -> Finding | None:
    """Why somebody may neither confirm nor decline this command; its author may decline it."""
    if by.command == "decline" and by.operator == first.operator:
        return None
    return objection(operators[first.operator], operators[by.operator], needed)


def declined(by: Order) -> Finding:
    """What becomes of a command that somebody declines."""
    detail = f"{by.operator} declined it by command {by.id}; agree, then give it anew"
    return finding(Reason.COMMAND_DECLINED, detail)


async def conclude(
    session: Session,
    number: int,
    ending: str,
    now: Instant,
    by: tuple[Order, Operator] | None = None,
) -> None:
    """Record how the waiting of a command ended, and by whose command."""
    values: dict[str, Any] = {"ending": ending, "ended_at": str(now)}
    if by is not None:
        order, operator = by
        values |= {"answer": order.id, "person": operator.name, "person_key": key_id(operator)}
    await session.execute(update(awaited).where(awaited.c.command == number).values(**values))


async def lapse(
    session: Session, rows: Iterable[Row[Any]], done: Done
) -> list[tuple[int, str, str]]:
    """End what nobody has confirmed in time; gives what is written of it at the desk."""
    ends = []
    for row in rows:
        await conclude(session, row.id, "lapsed", done.batch.now)
        found = finding(
            Reason.COMMAND_LAPSED, f"nobody confirmed it until {row.until}; give it anew"
        )
        done.batch.log(events.COMMAND_REFUSED, command=row.id, finding=str(found))
        ends.append((row.id, "refused", str(found)))
    return ends


async def end_all(session: Session, now: Instant) -> list[int]:
    """End the waiting of everything; gives the numbers."""
    ended = await session.execute(
        update(awaited)
        .where(awaited.c.ending.is_(None))
        .values(ending="void", ended_at=str(now))
        .returning(awaited.c.command)
    )
    return sorted(row.command for row in ended)


def with_awaited() -> Select[Any]:
    """Commands at the desk, with what is known of the waiting of those that wait or did."""
    more = [column for column in awaited.c if column.name != "command"]
    return select(desk, *more).select_from(desk.outerjoin(awaited, awaited.c.command == desk.c.id))


def late_commands() -> Select[Any]:
    """Commands that nobody has confirmed until the parameter `now`, with the time until when they
    waited, oldest first.
    """
    return (
        select(desk, awaited.c.until)
        .join(awaited, awaited.c.command == desk.c.id)
        .where(awaited.c.ending.is_(None), awaited.c.until <= bindparam("now", type_=Text))
        .order_by(desk.c.id)
    )


def _ended(row: Any) -> str:
    by = f" by {row.person} with command {row.answer}" if row.person is not None else ""
    return f"{row.ending}{by}"
