# SPDX-License-Identifier: Apache-2.0
"""The hub's facts in and out of its database: a handful of queries per batch, whatever its size.

Elsewhere: tables (`tables`), what the facts mean (`state`), ledger rows (`runtime.books`).
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Text, and_, bindparam, cast, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from hub import tables
from hub.state import HubFacts, Kept, StatementRow, Transaction
from ledger import log
from ledger.checks import Authorization
from ledger.directory import Directory
from ledger.growth import Growth
from ledger.transactions import State
from runtime.journal import get_mark
from runtime.store import Session, each
from schemas.directory import SignedAct
from schemas.effects import AuthorizationTerms
from schemas.identifiers import (
    Actor,
    AuthorizationId,
    Digest,
    Instant,
    PartyCode,
    TransactionId,
)
from schemas.messages import Message, Proposal, parse_message

__all__ = [
    "load_authorizations",
    "load_delivered_roots",
    "load_due",
    "load_earlier",
    "load_kept",
    "load_nodes",
    "load_statements",
    "load_transactions",
    "save_facts",
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
    size = (await session.execute(select(func.count()).select_from(tables.log_entries))).scalar()
    kept = Kept(directory=directory)
    kept.log = Growth(int(size or 0), await _frontier(session, None, int(size or 0)))
    sizes = await session.execute(
        select(tables.deliveries.c.actor, func.count()).group_by(tables.deliveries.c.actor)
    )
    for row in list(sizes):
        nodes = await _frontier(session, row[0], row[1])
        kept.deliveries[Actor(row[0])] = Growth(row[1], nodes)
    newest = await session.execute(
        select(tables.checkpoints).order_by(tables.checkpoints.c.size.desc()).limit(1)
    )
    for row in newest:
        kept.checkpoint_size, kept.checkpoint_at = row.size, Instant(row.at)
    for participant in kept.directory.members:
        kept.shown[participant] = await get_mark(session, f"shown {participant}")
    kept.owed = frozenset(p for p, shown in kept.shown.items() if shown < kept.log.size)
    turn = await get_mark(session, "last_turn")
    kept.last_turn = _instant(turn) if turn else None
    kept.next_deadline = await next_deadline(session)
    return kept


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


async def _frontier(session: Session, actor: str | None, size: int) -> dict[log.Address, bytes]:
    return await load_nodes(session, actor, log.frontier(size))


_asked = each(bindparam("asked", type_=Text)).table_valued("value").alias("asked")


def _text(name: str) -> Any:
    return cast(_asked.c.value.op("->>")(name), Text)


def _number(name: str) -> Any:
    return cast(_asked.c.value.op("->>")(name), BigInteger)


_LOG_NODES = (
    select(tables.log_nodes)
    .select_from(_asked)
    .join(
        tables.log_nodes,
        and_(tables.log_nodes.c.level == _number("v"), tables.log_nodes.c.node == _number("n")),
    )
)
_DELIVERY_NODES = (
    select(
        tables.delivery_nodes.c.level, tables.delivery_nodes.c.node, tables.delivery_nodes.c.hash
    )
    .select_from(_asked)
    .join(
        tables.delivery_nodes,
        and_(
            tables.delivery_nodes.c.actor == bindparam("actor"),
            tables.delivery_nodes.c.level == _number("v"),
            tables.delivery_nodes.c.node == _number("n"),
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
    .select_from(_asked)
    .join(tables.transactions, tables.transactions.c.id == _text("i"))
)


async def load_transactions(
    session: Session, ids: Iterable[str]
) -> dict[TransactionId, Transaction]:
    """Transactions by id."""
    asked = json.dumps([{"i": id_} for id_ in ids])
    rows = await session.execute(_TRANSACTIONS, {"asked": asked})
    return {TransactionId(row.id): _transaction(row) for row in rows}


async def load_due(session: Session, now: Instant, most: int) -> dict[TransactionId, Transaction]:
    """Transactions that wait for an answer and whose deadline has come."""
    statement = (
        select(tables.transactions)
        .where(tables.transactions.c.state == State.CLEARED, tables.transactions.c.deadline <= now)
        .order_by(tables.transactions.c.deadline)
        .limit(most)
    )
    return {TransactionId(r.id): _transaction(r) for r in await session.execute(statement)}


async def load_deadlines(session: Session) -> dict[TransactionId, Instant]:
    """The deadlines of all transactions that wait for an answer."""
    statement = select(tables.transactions.c.id, tables.transactions.c.deadline).where(
        tables.transactions.c.state == State.CLEARED
    )
    return {TransactionId(r.id): Instant(r.deadline) for r in await session.execute(statement)}


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
        manifest=bytes(row.manifest),
        message=Digest(row.message),
        deadline=Instant(row.deadline),
        position=row.position,
        opened_at=Instant(row.opened_at),
        changed_at=Instant(row.changed_at),
    )


_AUTHORIZATIONS = (
    select(tables.authorizations)
    .select_from(_asked)
    .join(
        tables.authorizations,
        and_(tables.authorizations.c.party == _text("p"), tables.authorizations.c.id == _text("i")),
    )
)
_USE = (
    select(tables.authorization_use)
    .select_from(_asked)
    .join(
        tables.authorization_use,
        and_(
            tables.authorization_use.c.party == _text("p"),
            tables.authorization_use.c.id == _text("i"),
        ),
    )
)


async def load_authorizations(
    session: Session, names: Iterable[tuple[str, str]]
) -> dict[tuple[PartyCode, AuthorizationId], Authorization]:
    """Authorizations by Party and id, with all versions and what was used of each."""
    asked = json.dumps([{"p": party, "i": id_} for party, id_ in names])
    found: dict[tuple[PartyCode, AuthorizationId], Authorization] = {}
    for row in await session.execute(_AUTHORIZATIONS, {"asked": asked}):
        name = (PartyCode(row.party), AuthorizationId(row.id))
        terms = AuthorizationTerms.model_validate_json(row.terms)
        found.setdefault(name, Authorization()).versions[row.version] = terms
    for row in await session.execute(_USE, {"asked": asked}):
        found[PartyCode(row.party), AuthorizationId(row.id)].used = row.used
    return found


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
    rows = await session.execute(
        select(tables.checkpoints.c.size, tables.checkpoints.c.root).where(
            tables.checkpoints.c.size.in_(sizes)
        )
    )
    return {row.size: Digest(row.root) for row in rows}


async def load_delivered_roots(
    session: Session, wanted: Iterable[tuple[Actor, int]]
) -> dict[tuple[Actor, int], bytes]:
    """The roots of delivery trees at sizes."""
    clauses = [
        and_(tables.deliveries.c.actor == actor, tables.deliveries.c.number == size - 1)
        for actor, size in wanted
        if size > 0
    ]
    if not clauses:
        return {}
    rows = await session.execute(select(tables.deliveries).where(or_(*clauses)))
    return {(Actor(r.actor), r.number + 1): bytes(r.root) for r in rows}


async def load_earlier(session: Session) -> list[tuple[bytes, Message]]:
    """Every entry so far, in order; read only when somebody is admitted."""
    rows = await session.execute(
        select(tables.log_entries.c.line).order_by(tables.log_entries.c.position)
    )
    return [(bytes(row[0]), parse_message(bytes(row[0]))) for row in rows]


# --- writing ------------------------------------------------------------------------------------

_UPSERTS = {
    table.name: {
        name: dialect.insert(table).on_conflict_do_update(
            index_elements=[c.name for c in table.primary_key],
            set_={
                c.name: dialect.insert(table).excluded[c.name]
                for c in table.columns
                if not c.primary_key
            },
        )
        for name, dialect in (("postgresql", postgresql), ("sqlite", sqlite))
    }
    for table in (
        tables.transactions,
        tables.authorization_use,
        tables.statements,
        tables.cosignatures,
    )
}


async def save_facts(session: Session, facts: HubFacts) -> None:
    """Write what a batch has changed, ledger rows excepted."""
    await _save_entries(session, facts)
    await _upsert(
        session, tables.transactions, [_row(facts.transactions[i]) for i in facts.changed]
    )
    versions = [
        {
            "party": party,
            "id": id_,
            "version": version,
            "terms": facts.authorizations[party, id_].versions[version].model_dump_json(),
        }
        for party, id_, version in facts.versions
    ]
    if versions:
        await session.execute(tables.authorizations.insert(), versions)
    used = [
        {"party": party, "id": id_, "used": known.used}
        for (party, id_), known in facts.authorizations.items()
        if known.used
    ]
    await _upsert(session, tables.authorization_use, used)
    statements = [
        {
            "actor": s.actor,
            "size": s.size,
            "delivered": s.delivered,
            "holdings": s.holdings,
            "message": s.message,
            "at": s.at,
        }
        for s in facts.statements.values()
    ]
    await _upsert(session, tables.statements, statements)
    cosigned = [
        {"size": size, "participant": participant, "line": line}
        for (size, participant), line in facts.cosigned.items()
    ]
    await _upsert(session, tables.cosignatures, cosigned)


async def _upsert(session: Session, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        await session.execute(_UPSERTS[table.name][session.dialect], rows)


async def _save_entries(session: Session, facts: HubFacts) -> None:
    if not facts.entries:
        return
    await session.execute(
        tables.log_entries.insert(),
        [
            {
                "position": new.message.body.position,
                "line": new.line,
                "conversation": new.message.conversation,
                "at": new.message.body.at,
            }
            for new in facts.entries
        ],
    )
    nodes = [{"level": v, "node": n, "hash": h} for (v, n), h in facts.log.fresh.items()]
    await session.execute(tables.log_nodes.insert(), nodes)
    delivered = [
        {"actor": actor, "number": number, "position": new.message.body.position, "root": root}
        for new in facts.entries
        for actor, number, root in new.addressed
    ]
    if delivered:
        await session.execute(tables.deliveries.insert(), delivered)
    grown = [
        {"actor": actor, "level": v, "node": n, "hash": h}
        for actor, growth in facts.deliveries.items()
        for (v, n), h in growth.fresh.items()
    ]
    if grown:
        await session.execute(tables.delivery_nodes.insert(), grown)
    acts = [
        {
            "position": new.message.body.position,
            "act": effect.act,
            "signatures": json.dumps(effect.signatures),
        }
        for new in facts.entries
        for effect in new.message.body.effects
        if effect.effect == "directory"
    ]
    if acts:
        await session.execute(tables.acts.insert(), acts)


def _row(state: Transaction) -> dict[str, Any]:
    return {
        "id": state.id,
        "state": str(state.state),
        "action": state.proposal.action,
        "proposer": state.proposer,
        "acquirer": state.acquirer,
        "proposal": state.line,
        "manifest": state.manifest,
        "message": state.message,
        "deadline": state.deadline,
        "position": state.position,
        "opened_at": state.opened_at,
        "changed_at": state.changed_at,
    }
