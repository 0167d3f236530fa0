# SPDX-License-Identifier: Apache-2.0
"""The hub's facts into its database, inside the transaction of the batch.

The log, its trees, deliveries, acts and checkpoints are only ever added to; the database refuses
anything else there. A transaction is added once and changed by its steps; of a witness's
cosignatures on a checkpoint the first one stays; everything else is written over by key.

Elsewhere: reading (`storage`), tables (`tables`), ledger rows (`runtime.books`).
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hub import tables
from hub.state import HubFacts, Kept, NewEntry, Transaction, Wanted
from runtime.journal import set_mark
from runtime.many import add, add_new, change, remove, write_over
from runtime.rows import approval_rows
from runtime.store import Session
from schemas.effects import DirectoryEffect
from schemas.identifiers import Instant

__all__ = ["save_checkpoint", "save_facts", "save_turn"]


async def save_facts(session: Session, facts: HubFacts, kept: Kept) -> None:
    """Write what a batch has changed, ledger rows excepted."""
    if facts.entries:
        await _save_log(session, facts)
        await _save_deliveries(session, facts)
    begun = [_transaction(facts.transactions[id_]) for id_ in sorted(facts.begun)]
    await add(session, tables.transactions, begun)
    stepped = [_step(facts.transactions[id_]) for id_ in sorted(facts.changed - facts.begun)]
    await change(session, tables.transactions, ["id"], stepped)
    moved = [{"id": id_, "deadline": deadline} for id_, deadline in facts.moved.items()]
    await change(session, tables.transactions, ["id"], moved)
    await _save_authorizations(session, facts)
    await _save_approvals(session, facts)
    await _save_cases(session, facts)
    await _save_statements(session, facts)
    asked = [_wanted(facts.wanted[one]) for one in facts.asked]
    await add(session, tables.evidence_requests, asked)
    if facts.last_turn is not None and facts.last_turn != kept.last_turn:
        await set_mark(session, "last_turn", _microseconds(facts.last_turn))


async def save_checkpoint(
    session: Session, size: int, root: bytes, note: str, now: Instant
) -> None:
    """Keep a signed head of the log."""
    await session.execute(
        tables.checkpoints.insert(),
        {"size": size, "root": root.hex(), "note": note, "at": str(now)},
    )


async def save_turn(session: Session, wanted: Wanted, *, over: bool) -> None:
    """Keep how far the answer to a request for evidence has come, or that it is over."""
    if over:
        await remove(session, tables.evidence_requests, [{"message": wanted.message}])
    else:
        await write_over(session, tables.evidence_requests, [_wanted(wanted)])


async def _save_log(session: Session, facts: HubFacts) -> None:
    await add(session, tables.log_entries, [_entry(new) for new in facts.entries])
    nodes = [{"level": v, "node": n, "hash": h} for (v, n), h in facts.log.fresh.items()]
    await add(session, tables.log_nodes, nodes)
    acts = [
        {
            "position": new.message.body.position,
            "act": effect.act,
            "signatures": json.dumps(effect.signatures),
        }
        for new in facts.entries
        for effect in new.message.body.effects
        if isinstance(effect, DirectoryEffect)
    ]
    await add(session, tables.acts, acts)


async def _save_deliveries(session: Session, facts: HubFacts) -> None:
    delivered = [
        {"actor": actor, "number": number, "position": new.message.body.position, "root": root}
        for new in facts.entries
        for actor, number, root in new.addressed
    ]
    await add(session, tables.deliveries, delivered)
    grown = [
        {"actor": actor, "level": v, "node": n, "hash": h}
        for actor, growth in facts.deliveries.items()
        for (v, n), h in growth.fresh.items()
    ]
    await add(session, tables.delivery_nodes, grown)


async def _save_authorizations(session: Session, facts: HubFacts) -> None:
    versions = [
        {
            "party": party,
            "id": id_,
            "version": version,
            "terms": facts.authorizations[party, id_].versions[version].model_dump_json(),
        }
        for party, id_, version in facts.versions
    ]
    await add(session, tables.authorizations, versions)
    used = [
        {"party": party, "id": id_, "used": facts.authorizations[party, id_].used}
        for party, id_ in sorted(facts.used)
    ]
    await write_over(session, tables.authorization_use, used)


async def _save_approvals(session: Session, facts: HubFacts) -> None:
    issued = approval_rows(facts.approvals, facts.issued)
    await write_over(session, tables.approvals, issued)


async def _save_cases(session: Session, facts: HubFacts) -> None:
    marked = [
        {
            "id": c.id,
            "actor": c.actor,
            "concerned": json.dumps(c.concerned),
            "cause": c.cause,
            "key": c.key,
            "first": c.first,
            "last": c.last,
            "frozen": int(c.frozen),
            "open": int(c.open),
        }
        for c in facts.cases.values()
    ]
    await write_over(session, tables.cases, marked)


async def _save_statements(session: Session, facts: HubFacts) -> None:
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
    await write_over(session, tables.statements, statements)
    cosigned = [
        {"size": size, "participant": participant, "line": line}
        for (size, participant), line in facts.cosigned.items()
    ]
    await add_new(session, tables.cosignatures, cosigned)
    expired = [
        {"actor": actor, "transaction": transaction, "message": message}
        for (actor, transaction), message in facts.expired.items()
    ]
    await add_new(session, tables.expiries, expired)


def _entry(new: NewEntry) -> dict[str, Any]:
    return {
        "position": new.message.body.position,
        "line": new.line,
        "conversation": new.message.conversation,
        "at": new.message.body.at,
    }


def _step(state: Transaction) -> dict[str, Any]:
    return {
        "id": state.id,
        "state": str(state.state),
        "position": state.position,
        "changed_at": state.changed_at,
    }


def _transaction(state: Transaction) -> dict[str, Any]:
    return {
        **_step(state),
        "action": state.proposal.action,
        "proposer": state.proposer,
        "acquirer": state.acquirer,
        "proposal": state.line,
        "message": state.message,
        "deadline": state.deadline,
        "opened_at": state.opened_at,
    }


def _wanted(wanted: Wanted) -> dict[str, Any]:
    return {
        "message": wanted.message,
        "actor": wanted.actor,
        "transaction": wanted.transaction,
        "position": wanted.position,
        "asked_at": wanted.asked_at,
        "size": wanted.size,
        "part": wanted.part,
        "after": wanted.after,
    }


def _microseconds(instant: Instant) -> int:
    since = instant.moment() - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1)
