# SPDX-License-Identifier: Apache-2.0
"""On whose word units of an authorized entity move: on its own, while it stands.

Its own people propose at the desk, with the role `entity`: they act as the entity, with units of
its own accounts alone. What the entity asks for by letter an operator proposes, who says so in
`instructed_by`: on whose word, and in which document. The signed command at the desk keeps that; it
is no part of the proposal.

Once an entity does not stand any more, what is left in its accounts leaves on the word of its Party
or of the registry's administrator, and on nobody else's.

Elsewhere: who stands (`identification`), what enters an account (`accounts`), roles
(`runtime.orders`).
"""

from typing import Any

from registry.identification import not_standing
from registry.state import Account, RegistryFacts
from runtime.program import Entity, Order
from schemas.approvals import Reference
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import ADMINISTRATOR, Actor
from schemas.messages import Proposal
from schemas.units import Frozen, Purpose, User

__all__ = ["Word", "beyond", "not_instructed", "word"]

Findings = list[Finding]

_PARTYS = {
    "designation": "what units are authorized for is the Party's to say",
    "counter-entry": "taking a first transfer back is for the two Parties to agree",
}
"""What is not an entity's to propose, whoever holds the units."""


class Word(Frozen):
    """On whose word an operator proposes, and in which document it stands."""

    name: User
    reference: Reference


def word(arguments: dict[str, Any]) -> Word | None:
    """Take the member `instructed_by` out of the arguments of a command to propose."""
    given = arguments.pop("instructed_by", None)
    return None if given is None else Word.model_validate(given)


# --- the entity's own people ----------------------------------------------------------------------


def beyond(facts: RegistryFacts, order: Order, proposal: Proposal) -> Findings:
    """What an entity's person may not do: it acts as itself, with units of its own accounts, as
    long as it stands.
    """
    entity = order.entity
    if entity is None:
        return []
    found = []
    for i, line in enumerate(proposal.lines):
        account = facts.accounts.get(line.source) if line.source is not None else None
        where = f"body/lines/{i}/source"
        if account is None or not _its_own(entity, account):
            detail = f"{entity.id} acts with units of its own accounts alone"
            found.append(finding(Reason.COMMAND_NOT_ALLOWED, detail, field=where))
        else:
            found += not_standing(facts, account.actor, entity.id, entity.id, where)
    if not proposal.lines:
        found.append(finding(Reason.COMMAND_NOT_ALLOWED, f"{entity.id} acts with units alone"))
    if proposal.action in _PARTYS:
        detail = _PARTYS[proposal.action]
        found.append(finding(Reason.COMMAND_NOT_ALLOWED, detail, field="body/action"))
    if proposal.use is not None and proposal.use.user != entity.id:
        detail = f"{entity.id} does not use for {proposal.use.user}"
        found.append(finding(Reason.COMMAND_NOT_ALLOWED, detail, field="body/use/user"))
    return found


def _its_own(entity: Entity, account: Account) -> bool:
    """Whether the settings give the account to the person, and the registry to the entity."""
    return account.number in entity.accounts and account.entity == entity.id


# --- operators ------------------------------------------------------------------------------------


def not_instructed(
    facts: RegistryFacts, order: Order, proposal: Proposal, given: Word | None
) -> Findings:
    """Why an operator may not move the units that are in entities' accounts, if some are."""
    if order.entity is not None:
        return [] if given is None else [_superfluous(f"{order.entity.id} gives its own word")]
    owners = _owners(facts, proposal)
    if not owners:
        return [] if given is None else [_superfluous("none of the units are an entity's")]
    if given is None:
        names = ", ".join(sorted({entity for _, entity in owners}))
        detail = f"units of {names:.200} move on a word: say whose, and in which document"
        return [finding(Reason.MEMBER_MISSING, detail, field="instructed_by")]
    found: Findings = []
    for actor, entity in owners:
        found += _not_its_word(facts, actor, entity, given)
    use = proposal.use
    if not found and use is not None and use.purpose is not Purpose.NDC:
        named = {given.name, *(entity for _, entity in owners)}
        if use.user not in named:
            detail = f"{given.name} does not use for {use.user}"
            found.append(finding(Reason.COMMAND_NOT_ALLOWED, detail, field="body/use/user"))
    return found


def _owners(facts: RegistryFacts, proposal: Proposal) -> list[tuple[Actor, str]]:
    """Section and name of the entities whose units are to move; a designation moves nothing."""
    if proposal.action == "designation":
        return []
    accounts = [facts.accounts.get(x.source) for x in proposal.lines if x.source is not None]
    return sorted({(a.actor, a.entity) for a in accounts if a is not None and a.entity is not None})


def _not_its_word(facts: RegistryFacts, actor: Actor, entity: str, given: Word) -> Findings:
    """Why units of an entity do not move on the word that is given."""
    found = not_standing(facts, actor, entity, entity, "instructed_by")
    instead = {str(actor.section), ADMINISTRATOR}
    if not found:
        if given.name == entity:
            return []
        detail = f"units of {entity} move on its own word, not on that of {given.name}"
        return [finding(Reason.COMMAND_NOT_ALLOWED, detail, field="instructed_by/name")]
    if given.name in instead:
        return []
    if given.name == entity:
        return found
    detail = f"what {entity} has left moves on the word of {' or '.join(sorted(instead))}"
    return [finding(Reason.COMMAND_NOT_ALLOWED, detail, field="instructed_by/name")]


def _superfluous(detail: str) -> Finding:
    return finding(Reason.MEMBER_SUPERFLUOUS, detail, field="instructed_by")
