# SPDX-License-Identifier: Apache-2.0
"""Making entries, and taking them: the one place where the log grows.

An entry is a message of the hub's; its line is the leaf. It is made once (`Logging`): numbered,
with the number of acts before it, and said once to each participant concerned and to the
reconciliation service. Then it is taken (`take`): appended to the log and to the delivery tree of
every actor it is addressed to, and its effects carried out on the rows of the log. What a hub that
was set back is given back of its own was made before, and is only taken.

Elsewhere: taking what came back (`taking`).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hub.state import Case, HubFacts, NewEntry, Transaction
from ledger import log
from ledger.approvals import count_approval
from ledger.asking import Authorization
from ledger.checks import RULES_VERSION
from ledger.effects import Dispute, Everybody, apply
from ledger.first_transfer import counted
from ledger.growth import Growth
from ledger.transactions import Event, State, step
from runtime import events
from runtime.program import Batch, Heard
from schemas.effects import (
    ApprovalEffect,
    ApprovalRecordEffect,
    AuthorizationEffect,
    CaseEffect,
    Cause,
    Effect,
    Freeze,
    Unfreeze,
)
from schemas.envelope import digest
from schemas.findings import Finding
from schemas.identifiers import HUB_ACTOR, REC, Actor
from schemas.messages import Action, Addressed, Consent, Entry, Message, Proposal

__all__ = ["OVERDUE", "Logging", "count_used", "take"]

EVERYBODY = Everybody()

OVERDUE: Cause = "statement-overdue"
"""The cause of cases about actors that differ and have not answered in time."""

_FREEZES = (Freeze, Unfreeze)


class Logging(NamedTuple):
    """Adds entries to the facts of a batch."""

    facts: HubFacts
    batch: Batch

    def transaction(
        self,
        state: Transaction,
        event: Event,
        heard: Heard | None,
        *,
        effects: Sequence[Effect] = (),
        findings: Sequence[Finding] = (),
        consents: Sequence[Consent] = (),
    ) -> None:
        """Step a transaction and log it, to every actor whose rows or consent it concerns."""
        before, state.state = state.state, step(state.state, event)
        state.changed_at = self.batch.now
        fresh = before is State.PROPOSED and event is Event.REFUSE
        concerned = [state.proposer]
        if state.acquirer is not None and not fresh:  # it never saw what was refused at once
            concerned.append(state.acquirer)
        concerned += [consent.actor for consent in consents]
        state.position = self.entry(
            str(state.id),
            heard,
            addressed=concerned,
            effects=effects,
            findings=findings,
            consents=consents,
            state=state.state,
            action=state.proposal.action,
        )
        self.facts.changed.add(state.id)
        self.batch.log(
            events.TRANSACTION_STEPPED,
            transaction=state.id,
            state=state.state,
            findings=[f.code for f in findings],
        )

    def entry(
        self,
        conversation: str,
        heard: Heard | None,
        *,
        addressed: Iterable[Actor],
        effects: Sequence[Effect] = (),
        findings: Sequence[Finding] = (),
        consents: Sequence[Consent] = (),
        state: State | None = None,
        action: Action | None = None,
        everybody: bool = False,
    ) -> int:
        """Append an entry; gives its position."""
        facts, batch = self.facts, self.batch
        actors = list(dict.fromkeys(addressed))
        body = Entry(
            log=facts.log_id,
            position=facts.log.size,
            acts=facts.acts,
            at=batch.now,
            manifest=digest(heard.manifest) if heard else None,
            state=state.value if state else None,
            action=action,
            findings=tuple(findings),
            rules=RULES_VERSION,
            consents=tuple(consents),
            addressed=tuple(
                Addressed(actor=a, index=facts.deliveries.get(a, Growth()).size) for a in actors
            ),
            effects=tuple(effects),
        )
        message, line = batch.make(
            "entry", conversation, body, answers=heard.digest if heard else None
        )
        disputes = take(facts, message, line)
        assert not disputes, f"the log's own rows cannot carry {disputes}"
        recipients = {actor.participant: None for actor in actors}
        if everybody:
            recipients |= dict.fromkeys(facts.directory.members)
        if REC in facts.directory.members:
            recipients[REC] = None
        batch.repeat(HUB_ACTOR, recipients, message, line)
        facts.owed.update(recipients)
        batch.log(events.ENTRY_LOGGED, position=body.position, conversation=conversation)
        return body.position


def take(facts: HubFacts, message: Message, line: bytes) -> list[Dispute]:
    """Append an entry that is the next one, and carry out what it does; gives what the rows could
    not carry, which is nothing where they are the log's.
    """
    body: Entry = message.body
    leaf = log.leaf_hash(line)
    facts.log = facts.log.append(leaf)
    facts.acts = body.acts_after
    delivered = []
    for one in body.addressed:
        grown = facts.deliveries.get(one.actor, Growth()).append(leaf)
        facts.deliveries[one.actor] = grown
        delivered.append((one.actor, one.index, grown.root()))
    facts.entries.append(NewEntry(message, line, tuple(delivered)))
    return _carry_out(facts, body.effects)


def count_used(facts: HubFacts, proposal: Proposal) -> None:
    """What a completed proposal first-transfers of the authorizations that it relies on."""
    for name, quantity in counted(proposal).items():
        facts.authorizations[name].used += quantity
        facts.used.add(name)


def _carry_out(facts: HubFacts, effects: Sequence[Effect]) -> list[Dispute]:
    disputes: list[Dispute] = []
    for effect in effects:
        disputes += apply(facts.holdings, effect, EVERYBODY)
        if isinstance(effect, AuthorizationEffect):
            terms = effect.terms
            known = facts.authorizations.setdefault((terms.party, terms.id), Authorization())
            known.versions[terms.version] = terms
            facts.versions.append((terms.party, terms.id, terms.version))
        elif isinstance(effect, ApprovalEffect | ApprovalRecordEffect):
            facts.issued.add(count_approval(facts.approvals, effect))
        elif isinstance(effect, CaseEffect):
            _mark_case(facts, effect, frozen=any(isinstance(e, _FREEZES) for e in effects))
    return disputes


def _mark_case(facts: HubFacts, effect: CaseEffect, *, frozen: bool) -> None:
    """A case is open or closed, and stays as it is when it is explained; while an overdue one is
    open its actor is suspended.
    """
    if effect.state == "explained":
        return
    facts.cases[effect.case] = Case(
        id=effect.case,
        actor=effect.actor,
        concerned=effect.concerned,
        cause=effect.cause,
        key=effect.key.text,
        first=effect.first,
        last=effect.last,
        frozen=frozen,
        open=effect.open,
    )
    others = tuple(c for c in facts.overdue.get(effect.actor, ()) if c != effect.case)
    if effect.open and effect.cause == OVERDUE:
        others = (*others, effect.case)
    facts.overdue[effect.actor] = others
    if not others:
        del facts.overdue[effect.actor]
