# SPDX-License-Identifier: Apache-2.0
"""A registry's facts into its database, inside the transaction of the batch.

Elsewhere: reading (`storage`), tables (`tables`), ledger rows (`runtime.books`).
"""

import json
from collections.abc import Sequence
from typing import Any

from ledger.growth import Growth
from registry import tables
from registry.identified import save_identifications
from registry.state import Account, Kept, RegistryFacts, Transaction
from registry.storage import LOG, MAJORITY
from registry.tallying import save_closed
from runtime.journal import bury, set_mark
from runtime.many import add, write_over
from runtime.rows import approval_rows
from runtime.store import Session
from schemas.identifiers import TransactionId
from schemas.units import KIND_CODES

__all__ = ["mark_stated", "save_facts"]


async def save_facts(session: Session, facts: RegistryFacts, kept: Kept) -> None:
    """Write what a batch has changed, ledger rows excepted."""
    changed = [_transaction(facts.transactions[id_]) for id_ in sorted(facts.changed)]
    await write_over(session, tables.transactions, changed)
    await save_identifications(session, facts.new_identifications)
    accounts = [_account(facts.accounts[number]) for number in sorted(facts.changed_accounts)]
    await write_over(session, tables.accounts, accounts)
    await _save_delivered(session, facts)
    await _save_witnessed(session, facts, kept)
    for actor, number in facts.numbers.items():
        if number != kept.numbers.get(actor):
            await set_mark(session, f"number {actor}", number)
    await save_closed(session, facts.new_closed)
    for body, found in facts.buried:
        await bury(session, found, body, "HUB", facts.now)


async def mark_stated(session: Session, ids: Sequence[TransactionId]) -> None:
    """These expiries are covered by a statement."""
    if ids:
        await session.execute(
            tables.transactions.update().where(tables.transactions.c.id.in_(ids)).values(stated=1)
        )


async def _save_delivered(session: Session, facts: RegistryFacts) -> None:
    """What entries brought: acts, deliveries, movements, versions of authorizations."""
    for table, rows in (
        (
            tables.acts,
            [
                {"position": p, "act": s.act, "signatures": json.dumps(s.signatures)}
                for p, s in facts.new_acts
            ],
        ),
        (
            tables.deliveries,
            [{**d._asdict(), "applied_at": facts.now} for d in facts.new_deliveries],
        ),
        (tables.movements, [m._asdict() for m in facts.new_movements]),
    ):
        await add(session, table, rows)
    versions = {  # a hub that repeats itself has its last word
        (terms.party, terms.id, terms.version): {
            "party": terms.party,
            "id": terms.id,
            "version": terms.version,
            "terms": terms.model_dump_json(),
            "position": position,
        }
        for terms, position in facts.new_versions
    }
    await write_over(session, tables.authorizations, list(versions.values()))
    issued = approval_rows(facts.approvals, facts.issued)
    await write_over(session, tables.approvals, issued)


async def _save_witnessed(session: Session, facts: RegistryFacts, kept: Kept) -> None:
    witnessed = [
        _witness(str(actor), growth.size, growth.root(), growth)
        for actor, growth in facts.deliveries.items()
        if growth is not kept.deliveries.get(actor)
    ]
    if facts.log_size != kept.log_size:
        witnessed.append(_witness(LOG, facts.log_size, facts.log_root, None))
    if facts.majority.size != kept.majority.size:
        await set_mark(session, MAJORITY, facts.majority.size)
    await write_over(session, tables.witness, witnessed)


def _witness(subject: str, size: int, root: bytes, growth: Growth | None) -> dict[str, Any]:
    nodes = [[v, n, h.hex()] for (v, n), h in growth.nodes.items()] if growth else []
    return {"subject": subject, "size": size, "root": root.hex(), "nodes": json.dumps(nodes)}


def _account(account: Account) -> dict[str, Any]:
    return {
        "number": account.number,
        "actor": account.actor,
        "kind": str(KIND_CODES[account.number.kind_code]),
        "name": account.name,
        "state": "open" if account.open else "closed",
        "opened_at": account.opened_at,
        "unit": account.unit,
        "entity": account.entity,
    }


def _transaction(state: Transaction) -> dict[str, Any]:
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
