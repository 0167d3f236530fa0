# SPDX-License-Identifier: Apache-2.0
"""The desk: what operators ask of a registry, and how it answers a clearance.

Proposing runs the hub's own checks on this registry's rows first, reserves the exact ranges and
then says the proposal; an issuance is made to say what is first-transferred with it. The
reservation ends by the hub's word alone. A clearance is accepted at once or waits for an operator,
as the registry is set; either way the acquirer's own accounts are checked, and for a counter-entry
its closed years.

Elsewhere: the checks (`ledger.checks`), accounts (`accounts`), who entities are (`identification`)
and on whose word they act (`entities`), what becomes of entries (`applying`).
"""

import json
from collections.abc import Callable, Sequence

from pydantic import ValidationError

from ledger import actions
from ledger.asking import Ask
from ledger.checks import examine
from ledger.effects import apply
from ledger.first_transfer import stated
from ledger.transactions import FINAL, Event, State, step
from registry import accounts, adjustments, entities, identification
from registry.accounts import not_open
from registry.arguments import WrongArgument, lifetime, total
from registry.initial_reports import look_for_report
from registry.sections import own
from registry.state import RegistryFacts, Transaction
from runtime.orders import unfit
from runtime.program import Batch, Order
from schemas.evidence import EvidenceRequest
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import HUB, Actor, Instant, TransactionId
from schemas.limits import FINDINGS_MAX
from schemas.messages import Acceptance, Proposal, Rejection, StatusRequest, Withdrawal

__all__ = ["COMMANDS", "answer_clearance", "decide_order", "malformed"]

DEFAULT_LIFETIME_SECONDS = 24 * 3600

COMMANDS = {
    "propose": "operator",
    "accept": "operator",
    "reject": "operator",
    "withdraw": "operator",
    "status": "viewer",
    "evidence": "operator",
}
"""Commands about transactions and the role that each needs."""

Findings = list[Finding]


def decide_order(
    facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch
) -> Findings:
    """Carry out one command; each looks at all its arguments before it does anything."""
    return _said(lambda: _ORDERS[order.command](facts, order, mine, batch))


def malformed(order: Order, mine: Sequence[Actor], now: Instant) -> Findings:
    """What is wrong with the form of a command, whatever the facts are."""

    def look() -> Findings:
        if order.command == "propose":
            _asked_for(order, mine, now)
        elif order.command in identification.COMMANDS:
            identification.record_in(order, mine)
        return []

    return _said(look)


def _said(work: Callable[[], Findings]) -> Findings:
    """What a command's arguments are not fit for, as a finding."""
    try:
        return work()
    except KeyError as error:
        name = str(error.args[0])
        return [finding(Reason.COMMAND_INVALID, f"the argument {name} is missing", field=name)]
    except (TypeError, AttributeError) as error:
        return [finding(Reason.COMMAND_INVALID, f"an argument is of a wrong type: {error}")]
    except ValidationError as error:
        return [unfit(error)]
    except WrongArgument as error:
        return [finding(Reason.COMMAND_INVALID, str(error), field=error.name)]
    except (ValueError, OverflowError) as error:
        return [finding(Reason.COMMAND_INVALID, str(error))]


# --- the proposer -------------------------------------------------------------------------------


def _asked_for(
    order: Order, mine: Sequence[Actor], now: Instant
) -> tuple[Actor, entities.Word | None, Proposal]:
    """The actor, whose word is told, and the proposal that the arguments of `propose` make."""
    arguments = dict(order.arguments)
    actor = own(arguments.pop("actor"), mine)
    word = entities.word(arguments)
    lives = lifetime(arguments.pop("lifetime_seconds", DEFAULT_LIFETIME_SECONDS))
    arguments.setdefault("quantity", total(arguments.get("lines", ())))
    arguments["expires_at"] = str(Instant.of(now.moment() + lives))
    return actor, word, Proposal.model_validate_json(json.dumps(arguments))


def _propose(facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch) -> Findings:
    actor, word, proposal = _asked_for(order, mine, batch.now)
    proposal = stated(proposal, facts.authorizations)
    number = facts.numbers.get(actor, 0) + 1
    transaction = TransactionId(f"{actor.replace('/', '-')}-{number}")
    found = entities.beyond(facts, order, proposal)
    found += entities.not_instructed(facts, order, proposal, word)
    found = found or examine(Ask(transaction, actor, proposal, facts))
    found += not_open(facts, proposal, mine)
    found += adjustments.closed_vintages(facts, proposal, proposal.acquirer or actor, mine)
    found = found or look_for_report(facts.initial_reports, proposal, transaction, batch)
    if found:
        return found
    facts.numbers[actor] = number
    for effect in actions.reserve(proposal, actor, transaction):
        apply(facts.holdings, effect, {actor})
    message, line = batch.make("proposal", transaction, proposal)
    digest = batch.repeat(actor, [HUB], message, line)
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


def _withdraw(facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch) -> Findings:
    id_ = TransactionId(order.arguments["transaction"])
    known = facts.transactions.get(id_)
    if known is None or known.proposer not in mine:
        return [finding(Reason.TRANSACTION_UNKNOWN, str(id_))]
    if known.proposal is not None and (found := entities.beyond(facts, order, known.proposal)):
        return found
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
    if actor is None or actor not in mine:
        return [finding(Reason.NOT_CONCERNED, f"{id_} is {known.state} here; only units follow it")]
    batch.say(actor, HUB, "status-request", id_, StatusRequest(transaction=id_))
    batch.results[order.id] = f"{id_} is {known.state} here; the hub was asked"
    return []


# --- anybody concerned --------------------------------------------------------------------------


def _evidence(facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch) -> Findings:
    """Ask the hub for the evidence of a transaction; what comes is kept for `evidence export`."""
    id_ = TransactionId(order.arguments["transaction"])
    known = facts.transactions.get(id_)
    if known is None:
        detail = f"no entry of {id_} came here; evidence is for those concerned"
        return [finding(Reason.TRANSACTION_UNKNOWN, detail)]
    if known.state not in FINAL:
        detail = f"{id_} is {known.state} here; ask once it has ended"
        return [finding(Reason.TRANSACTION_UNDER_WAY, detail)]
    if known.position is None:
        detail = f"the hub refused {id_} without an entry; its notice is all there is"
        return [finding(Reason.TRANSACTION_UNKNOWN, detail)]
    actor = _asking(order, known, mine)
    if actor is None:
        return [finding(Reason.COMMAND_INVALID, f"for which actor: one of {', '.join(mine)}")]
    batch.say(actor, HUB, "evidence-request", id_, EvidenceRequest(transaction=id_))
    batch.results[order.id] = f"the hub was asked for the evidence of {id_}"
    return []


def _asking(order: Order, known: Transaction, mine: Sequence[Actor]) -> Actor | None:
    """The actor that is named, or that has the part in it; one whose units followed is neither
    proposer nor acquirer.
    """
    if "actor" in order.arguments:
        return own(order.arguments["actor"], mine)
    parts = [actor for actor in (known.proposer, known.acquirer) if actor in mine]
    return (parts or [mine[0] if len(mine) == 1 else None])[0]


# --- the acquirer -------------------------------------------------------------------------------


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
    found = _against(facts, known, mine)
    if found:
        _reject(facts, known, found, None, batch)
    elif accept:
        _accept(facts, known, None, batch)
    else:
        known.waiting = True
        facts.changed.add(known.id)


def _against(facts: RegistryFacts, known: Transaction, mine: Sequence[Actor]) -> Findings:
    """Why the acquirer cannot agree: its own accounts, or its closed years."""
    assert known.proposal is not None
    assert known.acquirer is not None
    found = not_open(facts, known.proposal, mine)
    return found + adjustments.closed_vintages(facts, known.proposal, known.acquirer, mine)


def _accept(facts: RegistryFacts, known: Transaction, comment: str | None, batch: Batch) -> None:
    _answer(facts, known, "acceptance", Acceptance(comment=comment), batch)


def _reject(
    facts: RegistryFacts,
    known: Transaction,
    found: Findings,
    comment: str | None,
    batch: Batch,
) -> None:
    body = Rejection(findings=tuple(found[:FINDINGS_MAX]), comment=comment)
    _answer(facts, known, "rejection", body, batch)


def _answer(
    facts: RegistryFacts,
    known: Transaction,
    type_: str,
    body: Acceptance | Rejection,
    batch: Batch,
) -> None:
    """Say the one answer to a clearance; it binds exactly the proposal's bytes."""
    assert known.acquirer is not None
    assert known.message is not None
    known.waiting = False
    facts.changed.add(known.id)
    facts.answered.add(known.message)
    batch.say(known.acquirer, HUB, type_, known.id, body, answers=known.message)


def _waiting(facts: RegistryFacts, order: Order, mine: Sequence[Actor]) -> Transaction | Findings:
    id_ = TransactionId(order.arguments["transaction"])
    known = facts.transactions.get(id_)
    if known is None:
        return [finding(Reason.TRANSACTION_UNKNOWN, str(id_))]
    if not known.waiting or known.state is not State.CLEARED:
        return [finding(Reason.TRANSACTION_STATE, f"{id_} does not wait for an answer of yours")]
    if known.acquirer not in mine:
        detail = f"{known.acquirer} is not in the settings of this registry, or not admitted yet"
        return [finding(Reason.NOT_CONCERNED, detail)]
    return known


def _accept_order(
    facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch
) -> Findings:
    known = _waiting(facts, order, mine)
    if isinstance(known, list):
        return known
    found = _against(facts, known, mine)
    if found:  # closed since it was cleared: open it again, or reject
        return found
    _accept(facts, known, order.arguments.get("comment"), batch)
    batch.results[order.id] = f"{known.id} accepted"
    return []


def _reject_order(
    facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch
) -> Findings:
    known = _waiting(facts, order, mine)
    if isinstance(known, list):
        return known
    comment = order.arguments.get("comment")
    found = finding(Reason.DECLINED, comment if isinstance(comment, str) else "")
    _reject(facts, known, [found], comment, batch)
    batch.results[order.id] = f"{known.id} rejected"
    return []


def _close_year(
    facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch
) -> Findings:
    return adjustments.close_year(facts, order, mine[0].participant, batch)


_ORDERS: dict[str, Callable[[RegistryFacts, Order, Sequence[Actor], Batch], Findings]] = {
    "open-account": accounts.open_account,
    "close-account": accounts.close_account,
    "identify": identification.identify,
    "end-identification": identification.end_identification,
    "propose": _propose,
    "accept": _accept_order,
    "reject": _reject_order,
    "withdraw": _withdraw,
    "status": _status,
    "evidence": _evidence,
    "close-year": _close_year,
}
