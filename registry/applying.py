# SPDX-License-Identifier: Apache-2.0
"""Applying entries: how what the log decided becomes rows of this registry.

For each entry, in order: it is the next delivery of every actor of ours that it is addressed to;
each of those actors whose rows it moves has consented, by a message that it really said; then its
effects are carried out on those actors' rows, and the transaction takes the state it names.

Applying never fails: rows that cannot carry an effect are disputed and stated as they are. An entry
without our consent is not applied at all: it is kept as proof, and the node halts.

Elsewhere: carrying out effects (`ledger.effects`), checkpoints (`witness`), answers (`desk`).
"""

from collections.abc import Sequence

from ledger import log
from ledger.blocks import overlaps
from ledger.checks import Authorization
from ledger.directory import DirectoryError
from ledger.effects import apply
from ledger.growth import Growth
from ledger.holdings import Overlay, OverlayKind
from ledger.transactions import State
from registry.state import Delivery, Movement, RegistryFacts, Transaction
from runtime import events
from runtime.journal import Kept
from runtime.program import Batch, Heard
from schemas.directory import SignedAct
from schemas.effects import (
    AuthorizationEffect,
    DirectoryEffect,
    Effect,
    Move,
    Restate,
    Units,
)
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, Digest, TransactionId
from schemas.messages import Entry, Proposal
from schemas.units import Layer

__all__ = ["apply_entry", "release_locally"]


def apply_entry(
    facts: RegistryFacts, heard: Heard, mine: Sequence[Actor], batch: Batch
) -> list[Finding]:
    """Carry out one entry of the log."""
    entry: Entry = heard.message.body
    _learn(facts, entry, batch)
    addressed = [one for one in entry.addressed if one.actor in mine]
    if not addressed:
        return []
    for one in addressed:
        if one.index != facts.deliveries.get(one.actor, Growth()).size:
            return _halt(
                facts, heard, batch, f"delivery {one.index} of {one.actor} is not the next"
            )
    actors = {one.actor for one in addressed}
    without = _without_consent(facts, entry, actors, heard.message.conversation)
    if without:
        batch.log(events.CONSENT_MISSING, position=entry.position, actor=without)
        return _halt(
            facts, heard, batch, f"entry {entry.position} moves units of {without} unasked"
        )
    for one in addressed:
        grown = facts.deliveries.get(one.actor, Growth()).append(log.leaf_hash(heard.line))
        facts.deliveries[one.actor] = grown
        facts.new_deliveries.append(
            Delivery(one.actor, one.index, entry.position, heard.digest, heard.message.conversation)
        )
    _carry_out(facts, entry, heard, {one.actor: one.index for one in addressed}, batch)
    if entry.state is not None:
        _step(facts, entry, heard, batch)
    return []


def _halt(facts: RegistryFacts, heard: Heard, batch: Batch, why: str) -> list[Finding]:
    found = finding(Reason.NOT_CONCERNED, why)
    facts.buried.append((heard.manifest + b"\n" + heard.line, found))
    batch.halt = f"the hub broke the protocol: {why}"
    return [found]


def _learn(facts: RegistryFacts, entry: Entry, batch: Batch) -> None:
    """Directory acts, whoever they are addressed to; each is verified here once more."""
    for effect in entry.effects:
        if not isinstance(effect, DirectoryEffect) or entry.position <= facts.known_acts:
            continue
        signed = SignedAct(act=effect.act, signatures=effect.signatures)
        if entry.position > 0:
            try:
                facts.directory = facts.directory.apply(signed)
            except DirectoryError as error:
                batch.halt = f"the hub logged an act that does not count: {error}"
                return
            facts.new_acts.append((entry.position, signed))
        facts.known_acts = entry.position
        batch.log(events.DIRECTORY_CHANGED, position=entry.position)


def _without_consent(
    facts: RegistryFacts, entry: Entry, actors: set[Actor], conversation: str
) -> Actor | None:
    """An actor of ours whose rows the entry moves without a message of its own that allows it.

    An actor may have consented by several: units that were locked by two first transfers and are
    now used together, or ITMOs that their own first transferring Party uses.
    """
    listed: dict[Actor, list[Digest]] = {}
    for consent in entry.consents:
        listed.setdefault(consent.actor, []).append(consent.message)
    for effect in entry.effects:
        for actor in _moved(effect) & actors:
            said = [facts.said.get(message) for message in listed.get(actor, ())]
            if not any(
                one is not None
                and one.author == actor
                and _allows(facts, one, effect, conversation)
                for one in said
            ):
                return actor
    return None


def _allows(facts: RegistryFacts, said: Kept, effect: Effect, conversation: str) -> bool:
    """Whether what an actor said consents to an effect on its rows."""
    if said.conversation == conversation and said.type in {"proposal", "acceptance"}:
        return True
    return _standing(facts.said_proposals.get(said.digest), effect)


def _moved(effect: Effect) -> set[Actor]:
    if isinstance(effect, Restate):
        return {effect.position.actor}
    if isinstance(effect, Move):
        return {effect.target.actor} | ({effect.source.actor} if effect.source else set())
    return set()


def _standing(proposal: Proposal | None, effect: Effect) -> bool:
    """A first transfer under `information` consents to what later happens to the locked units."""
    if proposal is None or proposal.action != "first-transfer":
        return False
    if not isinstance(effect, Units) or effect.key.layer is not Layer.UNDERLYING:
        return False
    return any(
        line.key == effect.key
        and overlaps((line.first, line.last), (effect.first, effect.last))
        and line.first <= effect.first
        and effect.last <= line.last
        for line in proposal.lines
    )


def _carry_out(
    facts: RegistryFacts, entry: Entry, heard: Heard, numbers: dict[Actor, int], batch: Batch
) -> None:
    for index, effect in enumerate(entry.effects):
        disputes = apply(facts.holdings, effect, numbers, reference=str(heard.digest))
        for units, actor in disputes:
            batch.log(
                events.ENTRY_DISPUTED,
                position=entry.position,
                actor=actor,
                key=units.key.text,
                first=units.first,
                last=units.last,
            )
        if isinstance(effect, AuthorizationEffect):
            terms = effect.terms
            known = facts.authorizations.setdefault((terms.party, terms.id), Authorization())
            known.versions[terms.version] = terms
            facts.new_versions.append(
                (terms.party, terms.id, terms.version, terms.model_dump_json(), entry.position)
            )
        for actor in sorted(_moved(effect) & set(numbers)):
            assert isinstance(effect, Move | Restate)
            facts.new_movements.append(
                _movement(actor, numbers[actor], index, entry, heard, effect)
            )


def _movement(
    actor: Actor, number: int, index: int, entry: Entry, heard: Heard, effect: Move | Restate
) -> Movement:
    if isinstance(effect, Move):
        source, target = effect.source, effect.target
    else:
        source = target = effect.position
    return Movement(
        actor=actor,
        number=number,
        effect=index,
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


def _step(facts: RegistryFacts, entry: Entry, heard: Heard, batch: Batch) -> None:
    """The transaction takes the state that the entry names; the hub's word decides."""
    id_ = TransactionId(heard.message.conversation)
    assert entry.state is not None
    state = State(entry.state)
    known = facts.transactions.get(id_)
    if known is None:
        known = Transaction(
            id=id_,
            state=state,
            action=entry.action or "",
            proposer=id_.proposer,
            acquirer=None,
            proposal=None,
            line=None,
            message=_cause(heard) if state is State.CLEARED else None,
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


def _cause(heard: Heard) -> Digest | None:
    return heard.message.answers


def release_locally(facts: RegistryFacts, known: Transaction) -> None:
    """Lift this registry's own reservation for a transaction that is over."""
    if known.proposal is None:
        return
    for line in known.proposal.lines:
        if line.first <= line.last:
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
