# SPDX-License-Identifier: Apache-2.0
"""The reconciliation service's facts in and out of its database.

What is kept between batches is loaded once; a batch writes what it has changed.

Elsewhere: tables (`tables`), what the facts mean (`state`), questions about the past (`past`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, func, select

from ledger.directory import Directory
from ledger.growth import Growth
from reconciliation import tables
from reconciliation.drill import Drill, Held
from reconciliation.known import Known
from reconciliation.state import Alarm, Case, Facts, Kept, NewEntry, Standing, Telling
from runtime.many import add, write_over
from runtime.store import Session
from schemas.directory import SignedAct
from schemas.effects import Move, Restate
from schemas.identifiers import Actor, CaseId, Digest, Instant
from schemas.messages import Entry, parse_message
from schemas.units import Frozen

__all__ = ["load_kept", "read_telling", "save_cases", "save_kept", "save_log"]

LOG = "log"


# --- what is kept -------------------------------------------------------------------------------


async def load_kept(session: Session, genesis: SignedAct) -> Kept:
    """Everything that is kept between batches."""
    directory = Directory.begin(genesis)
    order = (tables.acts.c.position, tables.acts.c.number)
    for row in await session.execute(select(tables.acts).order_by(*order)):
        signed = SignedAct(act=row.act, signatures=tuple(json.loads(row.signatures)))
        directory = directory.apply(signed)
    kept = Kept(genesis=genesis, directory=directory)
    for row in await session.execute(select(tables.trees)):
        nodes = {(v, n): bytes.fromhex(h) for v, n, h in json.loads(row.nodes)}
        grown = Growth(row.size, nodes)
        if row.name == LOG:
            kept.log = grown
        else:
            kept.deliveries[Actor(row.name)] = grown
    newest = select(tables.entries.c.line).order_by(tables.entries.c.position.desc()).limit(1)
    for row in await session.execute(newest):
        entry: Entry = parse_message(bytes(row.line)).body
        kept.acts = entry.acts_after
    for row in await session.execute(select(tables.standings)):
        kept.standings[Actor(row.actor)] = _standing(row)
    for row in await session.execute(select(tables.drills)):
        kept.drills[Actor(row.actor)] = Drill.model_validate_json(row.body)
    for row in await session.execute(select(tables.known)):
        kept.known[Actor(row.actor)] = Known.model_validate_json(row.body)
    opened = select(tables.cases).where(tables.cases.c.state == "open")
    for row in await session.execute(opened.order_by(tables.cases.c.number)):
        kept.cases[row.number] = _case(row)
    order = (tables.tellings.c.position, tables.tellings.c.actor)
    waiting = select(tables.tellings).where(tables.tellings.c.statement.is_(None)).order_by(*order)
    for row in await session.execute(waiting):
        told = read_telling(row)
        kept.told[told.actor] = (*kept.told.get(told.actor, ()), told)
    last = await session.execute(select(func.max(tables.cases.c.number)))
    kept.last_case = last.scalar_one_or_none() or 0
    placed = tables.alarms.c.sequence.is_not(None)  # others may be raised again, with a place
    named = await session.execute(select(tables.alarms).where(placed))
    kept.alarms = frozenset((row.kind, row.subject) for row in named)
    return kept


def _standing(row: Any) -> Standing:
    return Standing(
        actor=Actor(row.actor),
        applied=row.applied,
        expected=Digest(row.expected),
        statement=Digest(row.statement) if row.statement else None,
        place=row.place,
        size=row.size,
        delivered=row.delivered,
        holdings=Digest(row.holdings) if row.holdings else None,
        said_at=Instant(row.said_at) if row.said_at else None,
        equal=None if row.equal is None else bool(row.equal),
        explained=row.explained,
    )


def _case(row: Any) -> Case:
    return Case(
        number=row.number,
        actor=Actor(row.actor),
        key=row.key,
        first=row.first,
        last=row.last,
        cause=row.cause,
        frozen=bool(row.frozen),
        detail=row.detail,
        opened_at=Instant(row.opened_at),
        expected=Held.parse(row.expected),
        stated=Held.parse(row.stated),
        evidence=tuple(Digest(d) for d in json.loads(row.evidence)),
        concerned=tuple(Actor(one) for one in json.loads(row.concerned)),
        explanation=row.explanation,
        explained_at=Instant(row.explained_at) if row.explained_at else None,
    )


def read_telling(row: Any) -> Telling:
    """A row of `tellings`."""
    return Telling(
        case=CaseId(row.case),
        state=row.state,
        position=row.position,
        actor=Actor(row.actor),
        number=row.number,
        at=Instant(row.at),
        statement=Digest(row.statement) if row.statement else None,
        size=row.size,
        said_at=Instant(row.said_at) if row.said_at else None,
    )


# --- writing ------------------------------------------------------------------------------------


async def save_log(session: Session, facts: Facts, before: Kept) -> None:
    """Write the entries that a batch has taken; replicas are brought forward from them."""
    entries, kept = facts.entries, facts.kept
    if not entries:
        return
    await add(session, tables.entries, [_entry_row(new) for new in entries])
    delivered = [
        {"actor": actor, "number": number, "position": new.body.position, "root": root}
        for new in entries
        for actor, number, root in new.delivered
    ]
    await add(session, tables.deliveries, delivered)
    await add(session, tables.movements, [row for n in entries for row in _movement_rows(n)])
    acts = [
        {
            "position": new.body.position,
            "number": number,
            "act": signed.act,
            "signatures": json.dumps(signed.signatures),
        }
        for new in entries
        for number, signed in enumerate(new.acts)
    ]
    await add(session, tables.acts, acts)
    grown = {str(a): g for a, g in kept.deliveries.items() if g is not before.deliveries.get(a)}
    grown[LOG] = kept.log
    rows = [
        {
            "name": n,
            "size": g.size,
            "nodes": json.dumps([[*a, h.hex()] for a, h in g.nodes.items()]),
        }
        for n, g in sorted(grown.items())
    ]
    await write_over(session, tables.trees, rows)


def _entry_row(new: NewEntry) -> dict[str, Any]:
    return {
        "position": new.body.position,
        "line": new.line,
        "digest": new.digest,
        "root": new.root,
    }


def _movement_rows(new: NewEntry) -> list[dict[str, Any]]:
    rows = []
    for number, effect in enumerate(new.body.effects):
        if not isinstance(effect, Move | Restate):
            continue
        target = effect.target if isinstance(effect, Move) else effect.position
        source = effect.source if isinstance(effect, Move) else effect.position
        rows.append(
            {
                "position": new.body.position,
                "effect": number,
                "series": effect.key.series,
                "first": effect.first,
                "last": effect.last,
                "source": str(source.actor) if source else None,
                "target": str(target.actor),
            }
        )
    return rows


async def save_kept(session: Session, facts: Facts, before: Kept, now: Instant) -> None:
    """Write what a batch has changed of what is kept."""
    kept = facts.kept
    standings = [s for a, s in kept.standings.items() if s is not before.standings.get(a)]
    await write_over(session, tables.standings, [_standing_row(s) for s in standings])
    await _save_bodies(session, tables.drills, before.drills, kept.drills)
    await _save_bodies(session, tables.known, before.known, kept.known)
    opened = [_case_row(c, None) for n, c in kept.cases.items() if c is not before.cases.get(n)]
    closed = [_case_row(case, now) for case in facts.closed]
    await write_over(session, tables.cases, opened + closed)
    tellings = {(told.position, told.actor): asdict(told) for told in facts.tellings}
    await write_over(session, tables.tellings, list(tellings.values()))
    for actor, totals in facts.totals.items():
        await session.execute(delete(tables.totals).where(tables.totals.c.actor == actor))
        await add(session, tables.totals, [{"actor": str(actor), **t.model_dump()} for t in totals])
    await add(session, tables.case_notes, [note._asdict() for note in facts.noted])
    alarms = [_alarm_row(alarm, now) for alarm in facts.alarms]
    await write_over(session, tables.alarms, alarms)


async def _save_bodies(
    session: Session, table: Any, before: Mapping[Actor, Frozen], after: Mapping[Actor, Frozen]
) -> None:
    changed = {a: body for a, body in after.items() if body is not before.get(a)}
    rows = [{"actor": str(a), "body": body.model_dump_json()} for a, body in changed.items()]
    await write_over(session, table, rows)
    for actor in before.keys() - after.keys():
        await session.execute(delete(table).where(table.c.actor == actor))


async def save_cases(session: Session, cases: Iterable[Case], closed_at: Instant | None) -> None:
    """Write cases that are open, or closed at an instant."""
    await write_over(session, tables.cases, [_case_row(case, closed_at) for case in cases])


def _case_row(case: Case, closed_at: Instant | None) -> dict[str, Any]:
    return {
        "id": case.id,
        "number": case.number,
        "actor": str(case.actor),
        "key": case.key,
        "first": case.first,
        "last": case.last,
        "cause": case.cause,
        "expected": case.expected and case.expected.text,
        "stated": case.stated and case.stated.text,
        "detail": case.detail,
        "frozen": int(case.frozen),
        "state": "closed" if closed_at else "open",
        "opened_at": str(case.opened_at),
        "closed_at": closed_at,
        "evidence": json.dumps(case.evidence),
        "concerned": json.dumps(case.concerned),
        "explanation": case.explanation,
        "explained_at": case.explained_at,
    }


def _standing_row(standing: Standing) -> dict[str, Any]:
    return {
        "actor": str(standing.actor),
        "applied": standing.applied,
        "expected": standing.expected,
        "statement": standing.statement,
        "place": standing.place,
        "size": standing.size,
        "delivered": standing.delivered,
        "holdings": standing.holdings,
        "said_at": standing.said_at,
        "equal": None if standing.equal is None else int(standing.equal),
        "explained": standing.explained,
    }


def _alarm_row(alarm: Alarm, now: Instant) -> dict[str, Any]:
    return {
        "kind": alarm.kind,
        "subject": alarm.subject,
        "detail": alarm.detail,
        "at": str(now),
        "sequence": alarm.place.sequence if alarm.place else None,
        "line": alarm.place.line if alarm.place else None,
    }
