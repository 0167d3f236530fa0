# SPDX-License-Identifier: Apache-2.0
"""What operators read: discrepancies, positions, totals that differ, alarms. Queries only.

They run in a snapshot of the store beside the daemon, and never write.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import select

from reconciliation import tables
from reconciliation.drill import Held
from reconciliation.notes import Note, Progress, progress_of
from reconciliation.past import read_note
from reconciliation.storage import read_telling
from runtime.store import Session
from schemas.identifiers import Actor, CaseId, Digest, Instant, Participant

__all__ = [
    "ActorPosition",
    "AlarmRow",
    "DifferingTotal",
    "Discrepancy",
    "LogHead",
    "Told",
    "alarms",
    "discrepancies",
    "head",
    "positions",
    "told",
    "totals",
]


class Discrepancy(NamedTuple):
    """One case: an exact range of an actor's units, how the log has it and how the actor does; whom
    else it concerns, and who of all these has `acknowledged` how it stands, or is `awaited`; and
    what people have done about it. It is `resolved` when two have signed the `resolution`.
    """

    case: CaseId
    participant: Participant
    actor: Actor
    key: str
    first: int
    last: int
    quantity: int
    cause: str
    expected: Held | None
    stated: Held | None
    state: str
    opened_at: Instant
    closed_at: Instant | None
    detail: str
    evidence: str
    owner: str | None
    due: str | None
    comments: int
    last_comment: str | None
    resolution: str | None
    signed_by: str | None
    resolved: bool
    concerned: str | None
    explanation: str | None
    explained_at: Instant | None
    acknowledged: str | None
    awaited: str | None


class Told(NamedTuple):
    """An actor was told by an entry how a case stands. It has acknowledged that by its `statement`,
    which it said at `acknowledged_at` of `size` deliveries; this was one of them.
    """

    case: CaseId
    state: str
    participant: Participant
    actor: Actor
    position: int
    delivery: int
    told_at: Instant
    acknowledged_at: Instant | None
    size: int | None
    statement: Digest | None


class ActorPosition(NamedTuple):
    """How far an actor is: deliveries per the log and as it last stated, the difference, and
    whether its rows were equal to the log there (None: not compared yet).
    """

    participant: Participant
    actor: Actor
    deliveries: int
    stated: int
    lag: int
    equal: bool | None
    holdings: Digest | None
    said_at: Instant | None
    drilling: bool
    open_cases: int


class DifferingTotal(NamedTuple):
    """Units of a key and kind, as the log has them and as the actor stated them."""

    participant: Participant
    actor: Actor
    key: str
    kind: str
    expected: int
    stated: int


class LogHead(NamedTuple):
    """Size and root of the log, by the entries that came here."""

    size: int
    root: str


class AlarmRow(NamedTuple):
    """Something that the hub said and that cannot be true of one log; `sequence` and `line` are
    where it stands in what the hub sent.
    """

    kind: str
    subject: str
    detail: str
    at: Instant
    sequence: int | None
    line: int | None


async def discrepancies(session: Session, *, open_only: bool = False) -> list[Discrepancy]:
    """All cases, oldest first."""
    statement = select(tables.cases).order_by(tables.cases.c.number)
    if open_only:
        statement = statement.where(tables.cases.c.state == "open")
    notes: defaultdict[str, list[Note]] = defaultdict(list)
    order = (tables.case_notes.c.case, tables.case_notes.c.number)
    for row in await session.execute(select(tables.case_notes).order_by(*order)):
        notes[row.case].append(read_note(row))
    newest = _newest(await told(session))
    return [
        Discrepancy(
            case=CaseId(row.id),
            participant=Actor(row.actor).participant,
            actor=Actor(row.actor),
            key=row.key,
            first=row.first,
            last=row.last,
            quantity=row.last - row.first + 1,
            cause=row.cause,
            expected=Held.parse(row.expected),
            stated=Held.parse(row.stated),
            state="explained" if row.state == "open" and row.explanation else row.state,
            opened_at=Instant(row.opened_at),
            closed_at=Instant(row.closed_at) if row.closed_at else None,
            detail=row.detail,
            evidence=row.evidence,
            **_work(progress_of(notes[row.id])),
            concerned=", ".join(json.loads(row.concerned)) or None,
            explanation=row.explanation,
            explained_at=Instant(row.explained_at) if row.explained_at else None,
            acknowledged=_names(newest.get(row.id, ()), acknowledged=True),
            awaited=_names(newest.get(row.id, ()), acknowledged=False),
        )
        for row in await session.execute(statement)
    ]


def _work(progress: Progress) -> dict[str, Any]:
    """What people have done, as columns."""
    comments, resolution = progress.comments, progress.resolution
    return {
        "owner": progress.owner,
        "due": progress.due,
        "comments": len(comments),
        "last_comment": f"{comments[-1].operator}: {comments[-1].text}" if comments else None,
        "resolution": resolution.text if resolution else None,
        "signed_by": ", ".join(resolution.signers) if resolution else None,
        "resolved": resolution is not None and resolution.holds,
    }


def _newest(all_told: Sequence[Told]) -> dict[str, list[Told]]:
    """Per case, whom the newest entry about it has told."""
    found: dict[str, list[Told]] = {}
    for one in all_told:  # in the order of the log
        before = found.setdefault(one.case, [])
        if before and before[0].position < one.position:
            before.clear()
        before.append(one)
    return found


def _names(newest: Sequence[Told], *, acknowledged: bool) -> str | None:
    """Those who have, or have not, stated that they were told."""
    named = [one.actor for one in newest if (one.acknowledged_at is not None) is acknowledged]
    return ", ".join(named) or None


async def told(session: Session) -> list[Told]:
    """Who was told of which case and how it stood, in the order of the log."""
    order = (tables.tellings.c.position, tables.tellings.c.actor)
    rows = await session.execute(select(tables.tellings).order_by(*order))
    return [
        Told(
            case=one.case,
            state=one.state,
            participant=one.actor.participant,
            actor=one.actor,
            position=one.position,
            delivery=one.number,
            told_at=one.at,
            acknowledged_at=one.said_at,
            size=one.size,
            statement=one.statement,
        )
        for one in map(read_telling, rows)
    ]


async def positions(session: Session) -> list[ActorPosition]:
    """Every actor that the log has delivered anything to or that has stated anything, sorted."""
    sizes = {
        Actor(row.name): int(row.size)
        for row in await session.execute(select(tables.trees.c.name, tables.trees.c.size))
        if row.name != "log"
    }
    standings = {row.actor: row for row in await session.execute(select(tables.standings))}
    drilling = {row.actor for row in await session.execute(select(tables.drills.c.actor))}
    found = await discrepancies(session, open_only=True)
    rows = []
    for actor in sorted(sizes.keys() | {Actor(name) for name in standings}):
        row = standings.get(str(actor))
        stated = row.delivered if row else 0
        rows.append(
            ActorPosition(
                participant=actor.participant,
                actor=actor,
                deliveries=sizes.get(actor, 0),
                stated=stated,
                lag=sizes.get(actor, 0) - stated,
                equal=None if row is None or row.equal is None else bool(row.equal),
                holdings=Digest(row.holdings) if row and row.holdings else None,
                said_at=Instant(row.said_at) if row and row.said_at else None,
                drilling=str(actor) in drilling,
                open_cases=sum(1 for case in found if case.actor == actor),
            )
        )
    return rows


async def totals(session: Session) -> list[DifferingTotal]:
    """The figures that people recognise: sums by key and kind that differ, of actors that do."""
    table = tables.totals
    order = (table.c.actor, table.c.key, table.c.kind)
    return [
        DifferingTotal(
            Actor(row.actor).participant,
            Actor(row.actor),
            row.key,
            row.kind,
            row.expected,
            row.stated,
        )
        for row in await session.execute(select(table).order_by(*order))
    ]


async def alarms(session: Session) -> list[AlarmRow]:
    """What the hub said and cannot be, oldest first."""
    statement = select(tables.alarms).order_by(tables.alarms.c.at, tables.alarms.c.kind)
    return [
        AlarmRow(row.kind, row.subject, row.detail, Instant(row.at), row.sequence, row.line)
        for row in await session.execute(statement)
    ]


async def head(session: Session) -> list[LogHead]:
    """How long the log is here, and its root; nothing when no entry has come."""
    entries = tables.entries
    newest = select(entries.c.position, entries.c.root).order_by(entries.c.position.desc()).limit(1)
    rows = await session.execute(newest)
    return [LogHead(row.position + 1, bytes(row.root).hex()) for row in rows]
