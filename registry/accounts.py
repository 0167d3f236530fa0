# SPDX-License-Identifier: Apache-2.0
"""Accounts: opened and closed by command; whatever enters or leaves one must find it open.

An account is closed only while it is empty. Units can still arrive in it, when a transfer that was
accepted before completes after; then it is opened again. An account's number is never another's,
and its metric stays: an account of MWh takes no tonnes, and one of tonnes no MWh. So does its
owner, the Party or an entity that it has authorized: a holding account is opened for an entity once
that is identified, and units enter it while the entity stands (3/CMA.3 annex para 63). One that was
closed and holds units all the same is opened again for them to leave, whether it stands or not.

Elsewhere: the accounts beside one where units are locked or retired, which nobody opens
(`ledger.actions`); who stands (`identification`), and on whose word units leave (`entities`).
"""

from collections.abc import Sequence
from dataclasses import replace

from ledger.authorization_checks import metric_words
from registry.identification import not_standing
from registry.sections import own
from registry.state import Account, RegistryFacts
from runtime.program import Batch, Order
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import AccountNumber, Actor, account_number
from schemas.messages import Proposal
from schemas.units import KIND_CODES, Kind

__all__ = ["COMMANDS", "close_account", "not_open", "open_account"]

COMMANDS = {"open-account": "operator", "close-account": "operator"}
"""Commands about accounts and the role that each needs."""

UNIT_CHARACTERS_MAX = 40
"""As in a proposal."""

Findings = list[Finding]


def open_account(
    facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch
) -> Findings:
    """Open an account of a kind, with the next number or the one given; or a closed one again."""
    arguments = order.arguments
    actor = own(arguments["actor"], mine)
    codes = {str(kind): code for code, kind in KIND_CODES.items()}
    if arguments["kind"] not in codes:
        raise ValueError(f"{arguments['kind']} is no kind of account; one of {', '.join(codes)}")
    code = codes[arguments["kind"]]
    taken = [
        int(a.number.split("-")[3])
        for a in facts.accounts.values()
        if a.actor == actor and a.number.kind_code == code
    ]
    number = account_number(actor, code, int(arguments.get("number", max(taken, default=0) + 1)))
    known = facts.accounts.get(number)
    if known is not None and known.open:
        return [finding(Reason.COMMAND_INVALID, f"{number} is open", field="number")]
    unit = _unit(arguments.get("unit"), known)
    entity = _entity(arguments.get("entity"), known)
    left_in_it = known is not None and number in facts.occupied
    if entity is not None and not left_in_it:
        found = _no_account_for(facts, actor, entity, code)
        if found:
            return found
    name = str(arguments.get("name", ""))[:80] or (known.name if known else "")
    facts.accounts[number] = Account(number, actor, name, True, batch.now, unit, entity)
    facts.changed_accounts.add(number)
    batch.results[order.id] = str(number)
    return []


def _unit(given: object, known: Account | None) -> str | None:
    """The metric of an account that is opened; `ValueError` if it was another one before."""
    unit = known.unit if known is not None and given is None else given
    if unit is not None and not (isinstance(unit, str) and 1 <= len(unit) <= UNIT_CHARACTERS_MAX):
        raise ValueError(f"unit: a text of 1 to {UNIT_CHARACTERS_MAX} characters, or none")
    if known is not None and unit != known.unit:
        raise ValueError(f"{known.number} is an account of {metric_words(known.unit)}")
    return unit


def _entity(given: object, known: Account | None) -> str | None:
    """Whose account is opened, if an entity's; `ValueError` if it was another's before."""
    entity = known.entity if known is not None and given is None else given
    if entity is not None and not (isinstance(entity, str) and entity):
        raise ValueError("entity: its name, as its identification has it, or none")
    if known is not None and entity != known.entity:
        owner = f"{known.entity}'s" if known.entity else f"{known.actor.section}'s own"
        raise ValueError(f"{known.number} is {owner} account and stays it; open another one")
    return entity


def _no_account_for(facts: RegistryFacts, actor: Actor, entity: str, code: str) -> Findings:
    """Why an entity gets no account of a kind: it has holding accounts, while it stands."""
    if KIND_CODES[code] is not Kind.HOLDING:
        detail = "an entity has holding accounts; the Party's take what it cancels or uses"
        return [finding(Reason.ACCOUNT_WRONG, detail, field="kind")]
    return not_standing(facts, actor, entity, entity, "entity")


def close_account(
    facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch
) -> Findings:
    """Close an empty account: what would enter it from now on is rejected."""
    number = AccountNumber(order.arguments["account"])
    account = facts.accounts.get(number)
    if account is None or not account.open:
        return [finding(Reason.ACCOUNT_UNKNOWN, str(number), field="account")]
    if number in facts.occupied:
        return [finding(Reason.COMMAND_INVALID, f"{number} holds units", field="account")]
    facts.accounts[number] = replace(account, open=False)
    facts.changed_accounts.add(number)
    batch.results[order.id] = f"{number} closed"
    return []


def not_open(facts: RegistryFacts, proposal: Proposal, mine: Sequence[Actor]) -> Findings:
    """This registry's own accounts in a proposal that do not exist, are closed, take units of
    another metric, or may not be entered.
    """
    found = []
    for i, line in enumerate(proposal.lines):
        for name, number in (("source", line.source), ("target", line.target)):
            if number is None or number.actor not in mine:
                continue
            account, where = facts.accounts.get(number), f"body/lines/{i}/{name}"
            if account is None or not account.open:
                found.append(finding(Reason.ACCOUNT_UNKNOWN, str(number), field=where))
                continue
            if account.unit != proposal.unit:
                words = metric_words(account.unit), metric_words(proposal.unit)
                detail = "{} takes {}, this is {}".format(number, *words)
                found.append(finding(Reason.METRIC_DIFFERS, detail, field=where))
            if name == "target" and account.entity is not None:
                found += _not_entered(facts, account, proposal, where)
    return found


def _not_entered(
    facts: RegistryFacts, account: Account, proposal: Proposal, where: str
) -> Findings:
    """Why nothing enters an entity's account: it does not stand, or another one acquires. What is
    found may be told to whoever proposed, who need not know the entity's name.
    """
    assert account.entity is not None
    if proposal.entity not in {None, account.entity}:
        detail = f"{account.number} is another entity's than the one that is said to acquire"
        return [finding(Reason.ACCOUNT_WRONG, detail, field=where)]
    who = f"the entity of {account.number}"
    return not_standing(facts, account.actor, account.entity, who, where)
