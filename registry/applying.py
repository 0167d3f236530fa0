# SPDX-License-Identifier: Apache-2.0
"""Applying entries: how what the log decided becomes rows of this registry.

For each entry, in order: it is of our log; it counts the acts that came before it; it is the next
delivery of every actor of ours that it is addressed to; it takes its transaction to a state that
can follow; those of our actors that it concerns have agreed to all that it does to them. Then its
effects are carried out on those actors' rows, and the transaction takes the state it names.

Applying never fails: rows that cannot carry an effect are disputed and stated as they are. An entry
that is not what it must be is not applied at all: it is kept as proof, and the node halts.

Elsewhere: consent (`consent`), carrying out effects (`ledger.effects`), checkpoints (`witness`),
what else the hub says (`hearing`).
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from ledger import log
from ledger.asking import Approval, Authorization
from ledger.consent import moved_by, not_agreed
from ledger.directory import Directory, DirectoryError
from ledger.effects import apply
from ledger.growth import Growth
from ledger.holdings import Overlay, OverlayKind
from ledger.transactions import EVENT_OF, IllegalStep, State, step
from registry.state import Delivery, Movement, RegistryFacts, Transaction
from runtime import events
from runtime.program import Batch, Heard
from schemas.directory import SignedAct, parse_act
from schemas.effects import (
    ApprovalEffect,
    AuthorizationEffect,
    AuthorizationTerms,
    DirectoryEffect,
    Move,
    Restate,
)
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, TransactionId
from schemas.messages import Entry, Message

__all__ = ["apply_entry", "keep_proof", "release_locally"]


class Learned(NamedTuple):
    """The directory after an act, and the act."""

    directory: Directory
    signed: SignedAct


def apply_entry(
    facts: RegistryFacts, heard: Heard, mine: Sequence[Actor], batch: Batch
) -> list[Finding]:
    """Carry out one entry of the log: everything is looked at first, and then everything done."""
    entry: Entry = heard.message.body
    deliveries = {one.actor: one.index for one in entry.addressed if one.actor in mine}
    problem = _not_of_the_log(facts, entry, mine) or _miscounted(facts, entry)
    learned = None
    if problem is None:
        learned, problem = _learned(facts, entry)
    if problem is None and deliveries:
        problem = _out_of_place(facts, entry, deliveries)
    if problem is None and deliveries and entry.state is not None:
        problem = _contradicts(facts, heard.message)
    if problem is not None:
        return keep_proof(facts, heard, batch, finding(Reason.LOG_DIFFERS, problem))
    problem = not_agreed(facts, heard.message, set(deliveries)) if deliveries else None
    if problem is not None:
        batch.log(events.CONSENT_MISSING, position=entry.position, problem=problem)
        return keep_proof(facts, heard, batch, finding(Reason.CONSENT_MISSING, problem))

    if learned is not None:
        _learn(facts, entry.position, learned, batch)
    if deliveries:
        _deliver(facts, heard, deliveries)
        _carry_out(facts, heard, deliveries, batch)
        if entry.state is not None:
            _step(facts, heard, batch)
    return []


def keep_proof(facts: RegistryFacts, heard: Heard, batch: Batch, found: Finding) -> list[Finding]:
    """The hub broke the protocol: what it said is kept as it was signed, and the node halts."""
    facts.buried.append((heard.manifest + b"\n" + heard.line, found))
    batch.halt = f"the hub broke the protocol: {found}"
    return [found]


# --- what an entry must be ----------------------------------------------------------------------


def _not_of_the_log(facts: RegistryFacts, entry: Entry, mine: Sequence[Actor]) -> str | None:
    genesis = facts.directory.genesis
    if entry.log != genesis.log:
        return f"an entry of the log {entry.log}, not of {genesis.log}"
    if entry.position == 0:
        acts = [e.act for e in entry.effects if isinstance(e, DirectoryEffect)]
        try:
            if [parse_act(act) for act in acts] != [genesis]:
                return "the log begins with another genesis than ours"
        except ValueError as error:
            return f"the log begins with no genesis: {error}"
    actors = [one.actor for one in entry.addressed if one.actor in mine]
    return "an actor is addressed twice" if len(set(actors)) != len(actors) else None


def _miscounted(facts: RegistryFacts, entry: Entry) -> str | None:
    """Every act comes here, in order: an entry that counts others had some withheld, or hides some
    from those who are shown it later (rule 4.10).
    """
    known = bisect_left(facts.known_acts, entry.position)
    if entry.acts == known:
        return None
    return f"entry {entry.position} counts {entry.acts} acts before it, {known} came"


def _learned(facts: RegistryFacts, entry: Entry) -> tuple[Learned | None, str | None]:
    """What an entry's act makes of the directory, whoever it is addressed to, or why the act does
    not count; each act is verified here once more. Nothing is changed yet.
    """
    acts = [effect for effect in entry.effects if isinstance(effect, DirectoryEffect)]
    if not acts or entry.position <= facts.known_acts[-1]:
        return None, None
    if len(acts) > 1:
        return None, f"entry {entry.position} carries {len(acts)} acts"
    signed = SignedAct(act=acts[0].act, signatures=acts[0].signatures)
    try:
        return Learned(facts.directory.apply(signed), signed), None
    except DirectoryError as error:
        return None, f"entry {entry.position} carries an act that does not count: {error}"


def _out_of_place(facts: RegistryFacts, entry: Entry, deliveries: dict[Actor, int]) -> str | None:
    """Each delivery is the next one; one that is missing was withheld."""
    for actor, number in deliveries.items():
        expected = facts.deliveries.get(actor, Growth()).size
        if number != expected:
            return f"entry {entry.position} is delivery {number} of {actor}, {expected} is the next"
    return None


def _contradicts(facts: RegistryFacts, message: Message) -> str | None:
    """A transaction's states follow one another as the one table says, at the hub as here."""
    entry: Entry = message.body
    try:
        id_ = TransactionId(message.conversation)
    except ValueError as error:
        return f"entry {entry.position} steps no transaction: {error}"
    known = facts.transactions.get(id_)
    if known is None:  # what concerns us may begin here: a refusal, or units that follow others
        return None
    assert entry.state is not None
    state = State(entry.state)
    try:
        after = step(known.state, EVENT_OF[state])
    except (IllegalStep, KeyError):
        return f"entry {entry.position} makes {id_} {state}, which is {known.state}"
    assert after is state
    return None


# --- carrying out -------------------------------------------------------------------------------


def _learn(facts: RegistryFacts, position: int, learned: Learned, batch: Batch) -> None:
    facts.directory = learned.directory
    facts.new_acts.append((position, learned.signed))
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
        elif isinstance(effect, ApprovalEffect) and effect.actor in deliveries:
            _count_issued(facts, effect)
        for actor in sorted(moved_by(effect) & set(deliveries)):
            assert isinstance(effect, Move | Restate)
            facts.new_movements.append(_movement(actor, deliveries[actor], number, heard, effect))


def _record_terms(facts: RegistryFacts, terms: AuthorizationTerms, position: int) -> None:
    known = facts.authorizations.setdefault((terms.party, terms.id), Authorization())
    known.versions[terms.version] = terms
    facts.new_versions.append((terms, position))


def _count_issued(facts: RegistryFacts, effect: ApprovalEffect) -> None:
    name = (effect.actor, effect.approval)
    approval = facts.approvals.setdefault(name, Approval(effect.approved_quantity))
    approval.issued += effect.quantity
    facts.issued.add(name)


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
