# SPDX-License-Identifier: Apache-2.0
"""The desk: what operators ask of a registry, and how it answers a clearance.

Proposing runs the hub's own checks on this registry's rows first, reserves the exact ranges and then
says the proposal; the reservation ends by the hub's word alone. A clearance is accepted at once or
waits for an operator, as the registry is set; either way the acquirer's own accounts are checked.

Elsewhere: the checks (`ledger.checks`), what becomes of entries (`applying`).
"""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from ledger import actions
from ledger.checks import Ask, examine
from ledger.effects import apply
from ledger.transactions import Event, State, step
from registry.state import Account, RegistryFacts, Transaction
from runtime.program import Batch, Order
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import AccountNumber, Actor, Instant, Participant, TransactionId
from schemas.identifiers import account_number as number_account
from schemas.messages import Acceptance, Proposal, Rejection, StatusRequest, Withdrawal
from schemas.units import KIND_CODES

__all__ = ["COMMANDS", "answer_clearance", "decide_order"]

HUB = Participant("HUB")
DEFAULT_LIFETIME_SECONDS = 24 * 3600

COMMANDS = {
    "open-account": "operator",
    "close-account": "operator",
    "propose": "operator",
    "accept": "operator",
    "reject": "operator",
    "withdraw": "operator",
    "status": "viewer",
}
"""A registry's commands and the role that each needs."""

Findings = list[Finding]


def decide_order(
    facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch
) -> Findings:
    """Carry out one command."""
    try:
        return _ORDERS[order.command](facts, order, mine, batch)
    except (KeyError, TypeError) as error:
        return [finding(Reason.COMMAND_INVALID, f"argument missing or wrong: {error}")]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(str(part) for part in first["loc"])
        return [finding(Reason.COMMAND_INVALID, first["msg"], field=where)]
    except ValueError as error:
        return [finding(Reason.COMMAND_INVALID, str(error))]


def _own(actor: Any, mine: Sequence[Actor]) -> Actor:
    if actor not in mine:
        raise ValueError(f"{actor} is not an actor of this registry ({', '.join(mine)})")
    return Actor(actor)


def _open_account(
    facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch
) -> Findings:
    arguments = order.arguments
    actor = _own(arguments["actor"], mine)
    code = next(c for c, kind in KIND_CODES.items() if kind == arguments["kind"])
    taken = [
        int(a.number.split("-")[3])
        for a in facts.accounts.values()
        if a.actor == actor and a.number.kind_code == code
    ]
    account = Account(
        number_account(actor, code, int(arguments.get("number", max(taken, default=0) + 1))),
        actor,
        str(arguments.get("name", ""))[:80],
        open=True,
        opened_at=batch.now,
    )
    if account.number in facts.accounts:
        return [finding(Reason.COMMAND_INVALID, f"{account.number} exists")]
    facts.accounts[account.number] = account
    facts.new_accounts.append(account)
    batch.results[order.id] = str(account.number)
    return []


def _close_account(
    facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch
) -> Findings:
    number = AccountNumber(order.arguments["account"])
    account = facts.accounts.get(number)
    if account is None or not account.open:
        return [finding(Reason.ACCOUNT_UNKNOWN, f"{number}")]
    facts.closed.append(number)
    facts.accounts[number] = Account(
        number, account.actor, account.name, open=False, opened_at=account.opened_at
    )
    batch.results[order.id] = f"{number} closed"
    return []


def _propose(facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch) -> Findings:
    arguments = dict(order.arguments)
    actor = _own(arguments.pop("actor"), mine)
    lifetime = timedelta(seconds=int(arguments.pop("lifetime_seconds", DEFAULT_LIFETIME_SECONDS)))
    arguments.setdefault(
        "quantity", sum(x["last"] - x["first"] + 1 for x in arguments.get("lines", ()))
    )
    arguments["expires_at"] = str(Instant.of(batch.now.moment() + lifetime))
    proposal = Proposal.model_validate_json(json.dumps(arguments))
    number = facts.numbers.get(actor, 0) + 1
    transaction = TransactionId(f"{actor.replace('/', '-')}-{number}")
    found = examine(Ask(transaction, actor, proposal, facts))
    found += _accounts_open(facts, proposal, mine)
    if found:
        return found
    facts.numbers[actor] = number
    for effect in actions.reserve(proposal, actor, transaction):
        apply(facts.holdings, effect, {actor})
    message, line = batch.make("proposal", transaction, proposal)
    digest = batch.repeat(actor, HUB, message, line)
    facts.transactions[transaction] = Transaction(
        id=transaction,
        state=step(None, Event.PROPOSE),
        action=proposal.action,
        proposer=actor,
        acquirer=proposal.acquirer,
        proposal=proposal,
        line=line,
        message=digest,
        position=None,
        opened_at=batch.now,
        changed_at=batch.now,
    )
    facts.changed.add(transaction)
    batch.results[order.id] = str(transaction)
    return []


def _accounts_open(facts: RegistryFacts, proposal: Proposal, mine: Sequence[Actor]) -> Findings:
    """This registry's own accounts in a proposal must exist and be open."""
    found = []
    for i, line in enumerate(proposal.lines):
        for name, number in (("source", line.source), ("target", line.target)):
            if number is None or number.actor not in mine:
                continue
            account = facts.accounts.get(number)
            if account is None or not account.open:
                where = f"body/lines/{i}/{name}"
                found.append(finding(Reason.ACCOUNT_UNKNOWN, f"{number}", field=where))
    return found


def answer_clearance(
    facts: RegistryFacts,
    known: Transaction,
    mine: Sequence[Actor],
    batch: Batch,
    *,
    accept: bool,
) -> None:
    """Accept or reject what the hub has cleared, or leave it to an operator."""
    assert known.proposal is not None
    assert known.message is not None
    assert known.acquirer is not None
    found = _accounts_open(facts, known.proposal, mine)
    if found:
        _reject(facts, known, found, None, batch)
    elif accept:
        _accept(facts, known, None, batch)
    else:
        known.waiting = True
        facts.changed.add(known.id)


def _accept(facts: RegistryFacts, known: Transaction, comment: str | None, batch: Batch) -> None:
    assert known.acquirer is not None
    known.waiting = False
    facts.changed.add(known.id)
    body = Acceptance(comment=comment)
    batch.say(known.acquirer, HUB, "acceptance", known.id, body, answers=known.message)


def _reject(
    facts: RegistryFacts,
    known: Transaction,
    found: Findings,
    comment: str | None,
    batch: Batch,
) -> None:
    assert known.acquirer is not None
    known.waiting = False
    facts.changed.add(known.id)
    body = Rejection(findings=tuple(found), comment=comment)
    batch.say(known.acquirer, HUB, "rejection", known.id, body, answers=known.message)


def _waiting(facts: RegistryFacts, order: Order) -> Transaction | Findings:
    id_ = TransactionId(order.arguments["transaction"])
    known = facts.transactions.get(id_)
    if known is None:
        return [finding(Reason.TRANSACTION_UNKNOWN, str(id_))]
    if not known.waiting or known.state is not State.CLEARED:
        return [finding(Reason.TRANSACTION_STATE, f"{id_} does not wait for an answer of yours")]
    return known


def _accept_order(
    facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch
) -> Findings:
    known = _waiting(facts, order)
    if isinstance(known, list):
        return known
    _accept(facts, known, order.arguments.get("comment"), batch)
    batch.results[order.id] = f"{known.id} accepted"
    return []


def _reject_order(
    facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch
) -> Findings:
    known = _waiting(facts, order)
    if isinstance(known, list):
        return known
    comment = order.arguments.get("comment")
    _reject(facts, known, [finding(Reason.DECLINED, comment or "")], comment, batch)
    batch.results[order.id] = f"{known.id} rejected"
    return []


def _withdraw(facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch) -> Findings:
    id_ = TransactionId(order.arguments["transaction"])
    known = facts.transactions.get(id_)
    if known is None or known.proposer not in mine:
        return [finding(Reason.TRANSACTION_UNKNOWN, str(id_))]
    if known.state is not State.CLEARED:
        return [finding(Reason.TRANSACTION_STATE, f"{id_} is {known.state}")]
    body = Withdrawal(comment=order.arguments.get("comment"))
    batch.say(known.proposer, HUB, "withdrawal", id_, body, answers=known.message)
    batch.results[order.id] = f"withdrawal of {id_} sent"
    return []


def _status(facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch) -> Findings:
    id_ = TransactionId(order.arguments["transaction"])
    known = facts.transactions.get(id_)
    if known is None:
        return [finding(Reason.TRANSACTION_UNKNOWN, str(id_))]
    actor = known.proposer if known.proposer in mine else known.acquirer
    assert actor is not None
    batch.say(actor, HUB, "status-request", id_, StatusRequest(transaction=id_))
    batch.results[order.id] = f"{id_} is {known.state} here; the hub was asked"
    return []


_ORDERS: dict[str, Callable[[RegistryFacts, Order, Sequence[Actor], Batch], Findings]] = {
    "open-account": _open_account,
    "close-account": _close_account,
    "propose": _propose,
    "accept": _accept_order,
    "reject": _reject_order,
    "withdraw": _withdraw,
    "status": _status,
}
