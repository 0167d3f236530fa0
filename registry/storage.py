# SPDX-License-Identifier: Apache-2.0
"""A registry's facts in and out of its database.

Elsewhere: tables (`tables`), facts (`state`), ledger rows (`runtime.books`).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import BigInteger, Text, and_, bindparam, cast, select
from sqlalchemy.dialects import postgresql, sqlite

from ledger.checks import Authorization
from ledger.directory import Directory
from ledger.growth import Growth
from ledger.log import EMPTY_ROOT
from ledger.transactions import State
from registry import tables
from registry.state import Account, Kept, RegistryFacts, Transaction
from runtime.journal import Kept as KeptMessage
from runtime.journal import bury, get_mark, kept_line, set_mark
from runtime.store import Session, each
from runtime.tables import messages
from schemas.directory import SignedAct
from schemas.effects import AuthorizationTerms
from schemas.findings import Finding
from schemas.identifiers import (
    AccountNumber,
    Actor,
    AuthorizationId,
    Digest,
    Instant,
    PartyCode,
    TransactionId,
)
from schemas.messages import Proposal, parse_message
from schemas.units import KIND_CODES

__all__ = [
    "answered",
    "load_accounts",
    "load_authorizations",
    "load_kept",
    "load_transactions",
    "overlapping_movements",
    "said_proposals",
    "save_facts",
    "unstated_expiries",
]

LOG = "log"


async def load_kept(session: Session, genesis: SignedAct, actors: Sequence[Actor]) -> Kept:
    """What the registry keeps between batches."""
    directory = Directory.begin(genesis)
    last = 0
    rows = await session.execute(select(tables.acts).order_by(tables.acts.c.position))
    for row in rows:
        signed = SignedAct(act=row.act, signatures=tuple(json.loads(row.signatures)))
        directory = directory.apply(signed)
        last = row.position
    kept = Kept(directory=directory, known_acts=last, log_root=EMPTY_ROOT)
    for row in await session.execute(select(tables.witness)):
        if row.subject == LOG:
            kept.log_size, kept.log_root = row.size, bytes.fromhex(row.root)
        else:
            kept.deliveries[Actor(row.subject)] = Growth(row.size, _nodes(row.nodes))
    for actor in actors:
        kept.numbers[actor] = await get_mark(session, f"number {actor}")
    return kept


def _nodes(text: str) -> dict[tuple[int, int], bytes]:
    return {(level, node): bytes.fromhex(value) for level, node, value in json.loads(text)}


_asked = each(bindparam("asked", type_=Text)).table_valued("value").alias("asked")
_id = cast(_asked.c.value.op("->>")("i"), Text)
_TRANSACTIONS = (
    select(tables.transactions)
    .select_from(_asked)
    .join(tables.transactions, tables.transactions.c.id == _id)
)
_ANSWERED = (
    select(messages.c.answers, messages.c.type, messages.c.sequence, messages.c.author)
    .select_from(_asked)
    .join(messages, messages.c.answers == _id)
)


async def load_transactions(
    session: Session, ids: Iterable[str]
) -> dict[TransactionId, Transaction]:
    """Transactions by id."""
    asked = json.dumps([{"i": id_} for id_ in ids])
    rows = await session.execute(_TRANSACTIONS, {"asked": asked})
    return {TransactionId(row.id): _transaction(row) for row in rows}


def _transaction(row: Any) -> Transaction:
    proposal = None
    if row.proposal is not None:
        body = parse_message(bytes(row.proposal)).body
        assert isinstance(body, Proposal)
        proposal = body
    return Transaction(
        id=TransactionId(row.id),
        state=State(row.state),
        action=row.action,
        proposer=Actor(row.proposer),
        acquirer=Actor(row.acquirer) if row.acquirer else None,
        proposal=proposal,
        line=bytes(row.proposal) if row.proposal is not None else None,
        message=Digest(row.message) if row.message else None,
        position=row.position,
        opened_at=Instant(row.opened_at),
        changed_at=Instant(row.changed_at),
        findings=[Finding.model_validate_json(f) for f in json.loads(row.findings)],
        waiting=bool(row.waiting),
        stated=bool(row.stated),
    )


async def answered(session: Session, digests: Iterable[Digest], own: set[Actor]) -> set[Digest]:
    """Which of these lines an actor of ours has accepted or rejected before."""
    asked = json.dumps([{"i": digest} for digest in digests])
    rows = await session.execute(_ANSWERED, {"asked": asked})
    return {
        Digest(r.answers)
        for r in rows
        if r.type in {"acceptance", "rejection"} and Actor(r.author) in own
    }


async def said_proposals(session: Session, kept: Iterable[KeptMessage]) -> dict[Digest, Proposal]:
    """The proposals among messages of ours, read from the envelopes that carried them."""
    found: dict[Digest, Proposal] = {}
    for message in kept:
        if message.type == "proposal":
            _, line = await kept_line(session, message)
            found[message.digest] = parse_message(line).body
    return found


async def load_accounts(session: Session) -> dict[AccountNumber, Account]:
    """All accounts of the registry."""
    rows = await session.execute(select(tables.accounts))
    return {
        AccountNumber(r.number): Account(
            AccountNumber(r.number), Actor(r.actor), r.name, r.state == "open", Instant(r.opened_at)
        )
        for r in rows
    }


async def load_authorizations(
    session: Session,
) -> dict[tuple[PartyCode, AuthorizationId], Authorization]:
    """All authorizations that this registry's actors recorded."""
    found: dict[tuple[PartyCode, AuthorizationId], Authorization] = {}
    for row in await session.execute(select(tables.authorizations)):
        name = (PartyCode(row.party), AuthorizationId(row.id))
        terms = AuthorizationTerms.model_validate_json(row.terms)
        found.setdefault(name, Authorization()).versions[row.version] = terms
    return found


async def unstated_expiries(
    session: Session, most: int
) -> list[tuple[TransactionId, Actor, Digest | None]]:
    """Expired transactions that no statement has covered yet: id, acquirer, proposal."""
    rows = await session.execute(
        select(tables.transactions)
        .where(tables.transactions.c.state == State.EXPIRED, tables.transactions.c.stated == 0)
        .order_by(tables.transactions.c.id)
        .limit(most)
    )
    return [
        (TransactionId(r.id), Actor(r.acquirer or r.proposer), r.message and Digest(r.message))
        for r in rows
    ]


async def answer_sequence(session: Session, message: Digest | None, actor: Actor) -> int | None:
    """The sequence in which an actor of ours answered a proposal, if it did."""
    if message is None:
        return None
    rows = await session.execute(_ANSWERED, {"asked": json.dumps([{"i": message}])})
    for row in rows:
        if row.type in {"acceptance", "rejection"} and Actor(row.author) == actor:
            return int(row.sequence)
    return None


async def mark_stated(session: Session, ids: Sequence[TransactionId]) -> None:
    """These expiries are covered by a statement."""
    if ids:
        await session.execute(
            tables.transactions.update().where(tables.transactions.c.id.in_(ids)).values(stated=1)
        )


async def overlapping_movements(
    session: Session, actor: Actor, series: str, first: int, last: int, most: int
) -> list[Any]:
    """Movements of an actor's units that share a serial with a range, oldest first."""
    table = tables.movements
    statement = (
        select(table)
        .where(
            and_(
                table.c.actor == actor,
                table.c.series == series,
                table.c.first <= cast(last, BigInteger),
                table.c.last >= cast(first, BigInteger),
            )
        )
        .order_by(table.c.number, table.c.effect)
        .limit(most)
    )
    return list(await session.execute(statement))


# --- writing ------------------------------------------------------------------------------------


def _upserts(table: Any) -> dict[str, Any]:
    return {
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


_UPSERT_TRANSACTION = _upserts(tables.transactions)
_UPSERT_WITNESS = _upserts(tables.witness)


async def save_facts(session: Session, facts: RegistryFacts, kept: Kept) -> None:
    """Write what a batch has changed, ledger rows excepted."""
    changed = [_row(facts.transactions[id_]) for id_ in sorted(facts.changed)]
    if changed:
        await session.execute(_UPSERT_TRANSACTION[session.dialect], changed)
    for table, rows in (
        (tables.accounts, [_account_row(a) for a in facts.new_accounts]),
        (
            tables.acts,
            [
                {"position": p, "act": s.act, "signatures": json.dumps(s.signatures)}
                for p, s in facts.new_acts
            ],
        ),
        (tables.deliveries, [{**asdict(d), "applied_at": facts.now} for d in facts.new_deliveries]),
        (tables.movements, [asdict(m) for m in facts.new_movements]),
        (
            tables.authorizations,
            [
                {"party": p, "id": i, "version": v, "terms": t, "position": n}
                for p, i, v, t, n in facts.new_versions
            ],
        ),
    ):
        if rows:
            await session.execute(table.insert(), rows)
    witnessed = [
        _witness_row(str(actor), growth.size, growth.root(), growth)
        for actor, growth in facts.deliveries.items()
        if growth is not kept.deliveries.get(actor)
    ]
    if facts.log_size != kept.log_size:
        witnessed.append(_witness_row(LOG, facts.log_size, facts.log_root, None))
    if witnessed:
        await session.execute(_UPSERT_WITNESS[session.dialect], witnessed)
    for actor, number in facts.numbers.items():
        if number != kept.numbers.get(actor):
            await set_mark(session, f"number {actor}", number)
    if facts.closed:
        await session.execute(
            tables.accounts.update()
            .where(tables.accounts.c.number.in_(facts.closed))
            .values(state="closed")
        )
    for body, found in facts.buried:
        await bury(session, found, body, "HUB", facts.now)


def _witness_row(subject: str, size: int, root: bytes, growth: Growth | None) -> dict[str, Any]:
    nodes = [[v, n, h.hex()] for (v, n), h in growth.nodes.items()] if growth else []
    return {"subject": subject, "size": size, "root": root.hex(), "nodes": json.dumps(nodes)}


def _account_row(account: Account) -> dict[str, Any]:
    return {
        "number": account.number,
        "actor": account.actor,
        "kind": str(KIND_CODES[account.number.kind_code]),
        "name": account.name,
        "state": "open" if account.open else "closed",
        "opened_at": account.opened_at,
    }


def _row(state: Transaction) -> dict[str, Any]:
    return {
        "id": state.id,
        "state": str(state.state),
        "action": state.action,
        "proposer": state.proposer,
        "acquirer": state.acquirer,
        "proposal": state.line,
        "message": state.message,
        "position": state.position,
        "findings": json.dumps([f.model_dump_json() for f in state.findings]),
        "waiting": int(state.waiting),
        "stated": int(state.stated),
        "opened_at": state.opened_at,
        "changed_at": state.changed_at,
    }
