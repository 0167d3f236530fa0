# SPDX-License-Identifier: Apache-2.0
"""The hub's facts out of its database: a handful of queries per batch, whatever its size.

Elsewhere: writing them (`saving`), tables (`tables`), what the facts mean (`state`), ledger rows
(`runtime.books`).
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, func, or_, select

from hub import tables
from hub.entries import OVERDUE
from hub.state import Case, Kept, StatementRow, Transaction, Wanted
from hub.tail import RECOVERED
from ledger import log
from ledger.asking import Approval, Authorization
from ledger.directory import Directory
from ledger.growth import Growth
from ledger.transactions import State
from runtime.journal import get_mark
from runtime.rows import read_approval
from runtime.store import ASKED, Session, asked_number, asked_text
from schemas.directory import SignedAct
from schemas.effects import AuthorizationTerms
from schemas.identifiers import (
    Actor,
    AuthorizationId,
    CaseId,
    Digest,
    Instant,
    PartyCode,
    TransactionId,
)
from schemas.messages import Entry, Message, Proposal, parse_message

__all__ = [
    "BOOK",
    "load_approvals",
    "load_authorizations",
    "load_cases",
    "load_checkpoint_roots",
    "load_checkpoints",
    "load_concerned",
    "load_cosigned",
    "load_delivered_roots",
    "load_due",
    "load_earlier",
    "load_kept",
    "load_nodes",
    "load_open",
    "load_statements",
    "load_transactions",
    "next_deadline",
]

BOOK = "log"
"""The book of the hub's rows: everybody's, as the log has them."""


async def load_kept(session: Session) -> Kept | None:
    """What the hub keeps between batches; None when there is no log yet."""
    rows = await session.execute(select(tables.acts).order_by(tables.acts.c.position))
    signed = [SignedAct(act=r.act, signatures=tuple(json.loads(r.signatures))) for r in rows]
    if not signed:
        return None
    directory = Directory.begin(signed[0])
    for act in signed[1:]:
        directory = directory.apply(act)
    kept = Kept(directory=directory, acts=len(signed))
    last = (await session.execute(select(func.max(tables.log_entries.c.position)))).scalar()
    kept.log = await _grown(session, None, last)
    for actor in directory.keys:
        numbers = select(func.max(tables.deliveries.c.number))
        last = (await session.execute(numbers.where(tables.deliveries.c.actor == actor))).scalar()
        if last is not None:
            kept.deliveries[actor] = await _grown(session, actor, last)
    newest = await session.execute(
        select(tables.checkpoints).order_by(tables.checkpoints.c.size.desc()).limit(1)
    )
    for row in newest:
        kept.checkpoint_size = row.size
    for participant in kept.directory.members:
        kept.shown[participant] = await get_mark(session, f"shown {participant}")
    kept.owed = frozenset(p for p, shown in kept.shown.items() if shown < kept.log.size)
    kept.recovered = bool(await get_mark(session, RECOVERED))
    turn = await get_mark(session, "last_turn")
    kept.last_turn = _instant(turn) if turn else None
    kept.next_deadline = await next_deadline(session)
    table = tables.cases
    late = select(table.c.id, table.c.actor).where(table.c.open == 1, table.c.cause == OVERDUE)
    for row in await session.execute(late.order_by(func.length(table.c.id), table.c.id)):
        before = kept.overdue.get(Actor(row.actor), ())
        kept.overdue[Actor(row.actor)] = (*before, CaseId(row.id))
    kept.wanted = await _load_wanted(session)
    return kept


async def _load_wanted(session: Session) -> dict[Digest, Wanted]:
    """Requests for evidence that are not wholly answered, oldest first."""
    table = tables.evidence_requests
    rows = await session.execute(select(table).order_by(table.c.asked_at, table.c.message))
    found = [
        Wanted(
            message=Digest(row.message),
            actor=Actor(row.actor),
            transaction=TransactionId(row.transaction),
            position=row.position,
            asked_at=Instant(row.asked_at),
            size=row.size,
            part=row.part,
            after=row.after,
        )
        for row in rows
    ]
    return {one.message: one for one in found}


def _instant(microseconds: int) -> Instant:
    return Instant.of(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds))


async def next_deadline(session: Session) -> Instant | None:
    """The earliest deadline of a transaction that waits for an answer."""
    found = await session.execute(
        select(func.min(tables.transactions.c.deadline)).where(
            tables.transactions.c.state == State.CLEARED
        )
    )
    value = found.scalar_one_or_none()
    return Instant(value) if value else None


async def _grown(session: Session, actor: Actor | None, last: int | None) -> Growth:
    """The tree that ends with a leaf: an actor's deliveries, or the log."""
    size = 0 if last is None else last + 1
    return Growth(size, await load_nodes(session, actor, log.frontier(size)))


_LOG_NODES = (
    select(tables.log_nodes)
    .select_from(ASKED)
    .join(
        tables.log_nodes,
        and_(
            tables.log_nodes.c.level == asked_number("v"),
            tables.log_nodes.c.node == asked_number("n"),
        ),
    )
)
_DELIVERY_NODES = (
    select(
        tables.delivery_nodes.c.level, tables.delivery_nodes.c.node, tables.delivery_nodes.c.hash
    )
    .select_from(ASKED)
    .join(
        tables.delivery_nodes,
        and_(
            tables.delivery_nodes.c.actor == bindparam("actor"),
            tables.delivery_nodes.c.level == asked_number("v"),
            tables.delivery_nodes.c.node == asked_number("n"),
        ),
    )
)


async def load_nodes(
    session: Session, actor: str | None, addresses: Iterable[log.Address]
) -> dict[log.Address, bytes]:
    """Nodes of the log, or of an actor's delivery tree, by address."""
    asked = json.dumps([{"v": level, "n": node} for level, node in addresses])
    if actor is None:
        rows = await session.execute(_LOG_NODES, {"asked": asked})
    else:
        rows = await session.execute(_DELIVERY_NODES, {"asked": asked, "actor": actor})
    return {(row.level, row.node): bytes(row.hash) for row in rows}


_TRANSACTIONS = (
    select(tables.transactions)
    .select_from(ASKED)
    .join(tables.transactions, tables.transactions.c.id == asked_text("i"))
)


async def load_transactions(
    session: Session, ids: Iterable[str]
) -> dict[TransactionId, Transaction]:
    """Transactions by id."""
    asked = [{"i": id_} for id_ in ids]
    if not asked:
        return {}
    rows = await session.execute(_TRANSACTIONS, {"asked": json.dumps(asked)})
    return {TransactionId(row.id): _transaction(row) for row in rows}


async def load_due(
    session: Session, now: Instant, most: int, early: Iterable[Actor] = (), since: str = ""
) -> dict[TransactionId, Transaction]:
    """Transactions that wait for an answer and whose deadline has come; for acquirers in `early`
    has come by `since`, so that what is held takes no place of what is not.
    """
    table = tables.transactions
    statement = (
        select(table)
        .where(table.c.state == State.CLEARED, table.c.deadline <= now)
        .order_by(table.c.deadline)
        .limit(most)
    )
    if early:
        free = or_(table.c.acquirer.not_in(sorted(early)), table.c.deadline <= since)
        statement = statement.where(free)
    return {TransactionId(r.id): _transaction(r) for r in await session.execute(statement)}


async def load_open(session: Session) -> dict[TransactionId, tuple[Instant, Instant]]:
    """All transactions that wait for an answer: their deadlines, and since when they wait."""
    table = tables.transactions
    statement = select(table.c.id, table.c.deadline, table.c.changed_at).where(
        table.c.state == State.CLEARED
    )
    return {
        TransactionId(r.id): (Instant(r.deadline), Instant(r.changed_at))
        for r in await session.execute(statement)
    }


def _transaction(row: Any) -> Transaction:
    message = parse_message(bytes(row.proposal))
    assert isinstance(message.body, Proposal)
    return Transaction(
        id=TransactionId(row.id),
        state=State(row.state),
        proposer=Actor(row.proposer),
        acquirer=Actor(row.acquirer) if row.acquirer else None,
        proposal=message.body,
        line=bytes(row.proposal),
        message=Digest(row.message),
        deadline=Instant(row.deadline),
        position=row.position,
        opened_at=Instant(row.opened_at),
        changed_at=Instant(row.changed_at),
    )


_versions, _use = tables.authorizations, tables.authorization_use
_AUTHORIZATIONS = (
    select(_versions, func.coalesce(_use.c.used, 0).label("used"))
    .select_from(ASKED)
    .join(_versions, and_(_versions.c.party == asked_text("p"), _versions.c.id == asked_text("i")))
    .outerjoin(_use, and_(_use.c.party == _versions.c.party, _use.c.id == _versions.c.id))
)


async def load_authorizations(
    session: Session, names: Iterable[tuple[str, str]]
) -> dict[tuple[PartyCode, AuthorizationId], Authorization]:
    """Authorizations by Party and id, with all versions and what was used of each."""
    asked = [{"p": party, "i": id_} for party, id_ in names]
    if not asked:
        return {}
    found: dict[tuple[PartyCode, AuthorizationId], Authorization] = {}
    for row in await session.execute(_AUTHORIZATIONS, {"asked": json.dumps(asked)}):
        name = (PartyCode(row.party), AuthorizationId(row.id))
        known = found.setdefault(name, Authorization(used=row.used))
        known.versions[row.version] = AuthorizationTerms.model_validate_json(row.terms)
    return found


_APPROVALS = (
    select(tables.approvals)
    .select_from(ASKED)
    .join(
        tables.approvals,
        and_(
            tables.approvals.c.actor == asked_text("a"),
            tables.approvals.c.approval == asked_text("r"),
        ),
    )
)


async def load_approvals(
    session: Session, names: Iterable[tuple[str, str]]
) -> dict[tuple[Actor, str], Approval]:
    """What was issued under approvals, by actor and reference; absent if nothing was."""
    asked = [{"a": actor, "r": reference} for actor, reference in names]
    if not asked:
        return {}
    return {
        (Actor(row.actor), row.approval): read_approval(row)
        for row in await session.execute(_APPROVALS, {"asked": json.dumps(asked)})
    }


async def load_cases(session: Session, ids: Iterable[CaseId]) -> dict[CaseId, Case]:
    """Cases by id, open and closed."""
    asked = sorted(ids)
    if not asked:
        return {}
    rows = await session.execute(select(tables.cases).where(tables.cases.c.id.in_(asked)))
    return {
        CaseId(r.id): Case(
            id=CaseId(r.id),
            actor=Actor(r.actor),
            concerned=tuple(Actor(one) for one in json.loads(r.concerned)),
            cause=r.cause,
            key=r.key,
            first=r.first,
            last=r.last,
            frozen=bool(r.frozen),
            open=bool(r.open),
        )
        for r in rows
    }


async def load_statements(session: Session, actors: Iterable[Actor]) -> dict[Actor, StatementRow]:
    """The newest statements of actors."""
    rows = await session.execute(
        select(tables.statements).where(tables.statements.c.actor.in_(list(actors)))
    )
    return {
        Actor(r.actor): StatementRow(
            Actor(r.actor),
            r.size,
            r.delivered,
            Digest(r.holdings),
            Digest(r.message),
            Instant(r.at),
        )
        for r in rows
    }


async def load_checkpoint_roots(session: Session, sizes: Sequence[int]) -> dict[int, Digest]:
    """The roots of checkpoints by size."""
    return {size: root for size, (root, _) in (await load_checkpoints(session, sizes)).items()}


async def load_checkpoints(
    session: Session, sizes: Sequence[int]
) -> dict[int, tuple[Digest, Instant]]:
    """Root and time of checkpoints by size."""
    table = tables.checkpoints
    asked = select(table.c.size, table.c.root, table.c.at).where(table.c.size.in_(sizes))
    rows = await session.execute(asked)
    return {row.size: (Digest(row.root), Instant(row.at)) for row in rows}


_DELIVERED = (
    select(tables.deliveries)
    .select_from(ASKED)
    .join(
        tables.deliveries,
        and_(
            tables.deliveries.c.actor == asked_text("a"),
            tables.deliveries.c.number == asked_number("n"),
        ),
    )
)


async def load_delivered_roots(
    session: Session, wanted: Iterable[tuple[Actor, int]]
) -> dict[tuple[Actor, int], bytes]:
    """The roots of delivery trees at sizes above nought; absent where so much was not delivered."""
    asked = json.dumps([{"a": actor, "n": size - 1} for actor, size in wanted if size > 0])
    rows = await session.execute(_DELIVERED, {"asked": asked})
    return {(Actor(r.actor), r.number + 1): bytes(r.root) for r in rows}


async def load_concerned(session: Session, positions: Iterable[int]) -> dict[int, frozenset[Actor]]:
    """To whom the entries at these positions are addressed."""
    asked = sorted(positions)
    if not asked:
        return {}
    table = tables.log_entries
    rows = await session.execute(select(table.c.line).where(table.c.position.in_(asked)))
    bodies: list[Entry] = [parse_message(bytes(row.line)).body for row in rows]
    return {body.position: frozenset(one.actor for one in body.addressed) for body in bodies}


async def load_cosigned(session: Session, size: int) -> tuple[str, tuple[str, ...]]:
    """The checkpoint of a size, and the cosignatures that it has gathered."""
    found = await session.execute(
        select(tables.checkpoints.c.note).where(tables.checkpoints.c.size == size)
    )
    lines = await session.execute(
        select(tables.cosignatures.c.line)
        .where(tables.cosignatures.c.size == size)
        .order_by(tables.cosignatures.c.participant)
    )
    return found.scalar_one(), tuple(line[0] for line in lines)


async def load_earlier(session: Session, *, whole: bool) -> list[tuple[Message, bytes]]:
    """The entries so far, in order: all, or those with acts; read only to welcome a newcomer."""
    statement = select(tables.log_entries.c.line).order_by(tables.log_entries.c.position)
    if not whole:
        statement = statement.join(
            tables.acts, tables.acts.c.position == tables.log_entries.c.position
        )
    lines = [bytes(row[0]) for row in await session.execute(statement)]
    return [(parse_message(line), line) for line in lines]
