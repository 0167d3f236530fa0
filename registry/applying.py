# SPDX-License-Identifier: Apache-2.0
"""Applying entries: how what the log decided becomes rows of this registry.

For each entry, in order: it fits what was shown before (`ledger.shown`); it takes its transaction
to a state that can follow; those of our actors that it concerns have agreed to all that it does to
them. Then its effects are carried out on those actors' rows, and the transaction takes the state
that it names.

Applying never fails: rows that cannot carry an effect are disputed and stated as they are. An entry
that is not what it must be is not applied at all: it is kept as proof, and the node halts.

Elsewhere: consent (`consent`), carrying out effects (`ledger.effects`), checkpoints (`witness`),
what else the hub says (`hearing`).
"""

from collections.abc import Iterable, Sequence

from ledger import log
from ledger.approvals import count_approval
from ledger.asking import Authorization
from ledger.consent import moved_by, not_agreed
from ledger.effects import apply
from ledger.growth import Growth
from ledger.holdings import Overlay, OverlayKind
from ledger.shown import Learned, false_entry, false_step, learned
from ledger.transactions import State
from registry.adjustments import count_entry
from registry.state import Delivery, Movement, RegistryFacts, Transaction
from runtime import events
from runtime.program import Batch, Heard
from schemas.effects import (
    ApprovalEffect,
    ApprovalRecordEffect,
    AuthorizationEffect,
    AuthorizationTerms,
    CaseEffect,
    Move,
    Restate,
)
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, TransactionId
from schemas.messages import Entry

__all__ = ["apply_entry", "keep_proof", "release_locally"]


def apply_entry(
    facts: RegistryFacts, heard: Heard, mine: Sequence[Actor], batch: Batch
) -> list[Finding]:
    """Carry out one entry of the log: everything is looked at first, and then everything done."""
    entry: Entry = heard.message.body
    own = mine[0].participant
    deliveries = {one.actor: one.index for one in entry.addressed if one.actor.participant == own}
    problem = _untrusted(facts, heard) or false_entry(facts, entry, sorted(deliveries))
    if problem is None and deliveries:
        problem = false_step(heard.message, _state(facts, heard.message.conversation))
    if problem is not None:
        return keep_proof(facts, heard, batch, finding(Reason.LOG_DIFFERS, problem))
    problem = not_agreed(facts, heard.message, set(deliveries)) if deliveries else None
    if problem is not None:
        problem += _without_settings(deliveries, mine)
        batch.log(events.CONSENT_MISSING, position=entry.position, problem=problem)
        return keep_proof(facts, heard, batch, finding(Reason.CONSENT_MISSING, problem))

    act, _ = learned(facts, entry)
    if act is not None:
        _learn(facts, entry.position, act, mine, batch)
    if deliveries:
        _deliver(facts, heard, deliveries)
        _carry_out(facts, heard, deliveries, batch)
        count_entry(facts, entry, mine[0].participant, batch)
        _tell_cases(entry, sorted(deliveries), batch)
        if entry.state is not None:
            _step(facts, heard, batch)
    return []


def keep_proof(facts: RegistryFacts, heard: Heard, batch: Batch, found: Finding) -> list[Finding]:
    """The hub broke the protocol: what it said is kept as it was signed, and the node halts."""
    facts.buried.append((heard.manifest + b"\n" + heard.line, found))
    batch.halt = f"the hub broke the protocol: {found}"
    return [found]


def _untrusted(facts: RegistryFacts, heard: Heard) -> str | None:
    """The log's first entry is the one that we were told of, if we were."""
    entry: Entry = heard.message.body
    if entry.position > 0 or facts.trust_root in {None, heard.digest}:
        return None
    return f"the log begins with {heard.digest}, and trust_root is {facts.trust_root}"


def _without_settings(deliveries: Iterable[Actor], mine: Sequence[Actor]) -> str:
    """What an operator should look at first, where a registry's settings were set back with its
    database: what a section that is not in them has agreed to is not fetched again.
    """
    lacking = sorted(set(deliveries) - set(mine))
    if not lacking:
        return ""
    what = f"the settings lack {', '.join(lacking)}"
    return f"; {what}: if that is an oversight, add it and restore the backup once more"


def _state(facts: RegistryFacts, conversation: str) -> State | None:
    """The state of the transaction that is so named, if it is known here."""
    return next((t.state for t in facts.transactions.values() if t.id == conversation), None)


# --- carrying out -------------------------------------------------------------------------------


def _learn(
    facts: RegistryFacts, position: int, act: Learned, mine: Sequence[Actor], batch: Batch
) -> None:
    """Take an act into the directory. A section of ours that it admits may have said something
    already, if this database is a restored one: nothing more is heard before it was greeted.
    """
    if facts.directory.known_of(mine) != act.directory.known_of(mine):
        batch.pause = True
    facts.directory = act.directory
    facts.new_acts.append((position, act.signed))
    facts.known_acts = (*facts.known_acts, position)
    batch.log(events.DIRECTORY_CHANGED, position=position)


def _deliver(facts: RegistryFacts, heard: Heard, deliveries: dict[Actor, int]) -> None:
    entry: Entry = heard.message.body
    for actor, delivery in deliveries.items():
        grown = facts.deliveries.get(actor, Growth()).append(log.leaf_hash(heard.line))
        facts.deliveries[actor] = grown
        facts.new_deliveries.append(
            Delivery(actor, delivery, entry.position, heard.digest, heard.message.conversation)
        )


def _carry_out(
    facts: RegistryFacts, heard: Heard, deliveries: dict[Actor, int], batch: Batch
) -> None:
    """Change the rows of the actors that the entry is addressed to, and what is kept of theirs."""
    entry: Entry = heard.message.body
    for number, effect in enumerate(entry.effects):
        for units, actor in apply(facts.holdings, effect, deliveries, reference=str(heard.digest)):
            batch.log(
                events.ENTRY_DISPUTED,
                position=entry.position,
                actor=actor,
                key=units.key.text,
                first=units.first,
                last=units.last,
            )
        if isinstance(effect, AuthorizationEffect):
            _record_terms(facts, effect.terms, entry.position)
        elif (
            isinstance(effect, ApprovalEffect | ApprovalRecordEffect) and effect.actor in deliveries
        ):
            facts.issued.add(count_approval(facts.approvals, effect))
        for actor in sorted(moved_by(effect) & set(deliveries)):
            assert isinstance(effect, Move | Restate)
            facts.new_movements.append(_movement(actor, deliveries[actor], number, heard, effect))


def _tell_cases(entry: Entry, told: Sequence[Actor], batch: Batch) -> None:
    """Tell the registry's operators of a case that concerns actors of ours."""
    for effect in entry.effects:
        if isinstance(effect, CaseEffect):
            batch.log(
                events.CASE_TOLD,
                case=effect.case,
                state=effect.state,
                actor=effect.actor,
                told=told,
                key=effect.key.text,
                first=effect.first,
                last=effect.last,
                cause=effect.cause,
            )


def _record_terms(facts: RegistryFacts, terms: AuthorizationTerms, position: int) -> None:
    known = facts.authorizations.setdefault((terms.party, terms.id), Authorization())
    known.versions[terms.version] = terms
    facts.new_versions.append((terms, position))


def _movement(
    actor: Actor, delivery: int, number: int, heard: Heard, effect: Move | Restate
) -> Movement:
    entry: Entry = heard.message.body
    if isinstance(effect, Move):
        source, target = effect.source, effect.target
    else:
        source = target = effect.position
    return Movement(
        actor=actor,
        number=delivery,
        effect=number,
        position=entry.position,
        entry=heard.digest,
        at=entry.at,
        action=entry.action,
        conversation=heard.message.conversation,
        key=effect.key.text,
        series=effect.key.series,
        first=effect.first,
        last=effect.last,
        source=str(source.account) if source else None,
        target=str(target.account),
    )


def _step(facts: RegistryFacts, heard: Heard, batch: Batch) -> None:
    """The transaction takes the state that the entry names; the hub's word decides."""
    entry: Entry = heard.message.body
    id_ = TransactionId(heard.message.conversation)
    assert entry.state is not None
    state = State(entry.state)
    known = facts.transactions.get(id_)
    if known is None:  # what is not known here yet comes with the proposal's enclosure (`hearing`)
        known = Transaction(
            id=id_,
            state=state,
            action=entry.action or "",
            proposer=id_.proposer,
            acquirer=None,
            proposal=None,
            line=None,
            message=heard.message.answers if state is State.CLEARED else None,
            position=entry.position,
            opened_at=entry.at,
            changed_at=entry.at,
        )
        facts.transactions[id_] = known
    known.state, known.position, known.changed_at = state, entry.position, entry.at
    known.findings = list(entry.findings)
    known.waiting = known.waiting and state is State.CLEARED
    facts.changed.add(id_)
    if state is not State.CLEARED:
        release_locally(facts, known)
    batch.log(events.TRANSACTION_STEPPED, transaction=id_, state=state)


def release_locally(facts: RegistryFacts, known: Transaction) -> None:
    """Lift this registry's own reservation for a transaction that is over."""
    if known.proposal is None:
        return
    for line in known.proposal.lines:
        if line.source is not None:
            facts.holdings.lift(
                Overlay(
                    OverlayKind.RESERVED,
                    known.proposer,
                    line.key,
                    line.first,
                    line.last,
                    str(known.id),
                )
            )
