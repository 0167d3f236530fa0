# SPDX-License-Identifier: Apache-2.0
"""Identifying entities: by command, ended by command, and whether one stands.

An entity *stands* in a Party's section while its newest record is no end, and while what the record
names still authorizes it: the authorization's current version lists it and is not revoked, or the
approval lists it among the participants. For a letter the record is all there is, until its end. So
the revocation of an authorization is felt at once, without a command.

An entity that does not stand gets no account, nothing enters the accounts that it has, and nobody
moves units out of them on its word.

Elsewhere: on whose word units of an entity move (`entities`), the records (`identities`), SQL
(`identified`).
"""

import json
from collections.abc import Sequence

from registry.identities import Ending, Grounds, Identification, Identity
from registry.sections import own
from registry.state import RegistryFacts
from runtime.program import Batch, Order
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import ADMINISTRATOR, Actor, AuthorizationId, PartyCode

__all__ = ["COMMANDS", "end_identification", "identify", "not_standing", "record_in"]

COMMANDS = {"identify": "administrator", "end-identification": "administrator"}
"""Commands about who entities are, and the role that each needs."""

Findings = list[Finding]


def record_in(order: Order, mine: Sequence[Actor]) -> Identity | Ending:
    """The record that a command's arguments make; `ValueError` where they make none."""
    form: type[Identity | Ending] = Identity if order.command == "identify" else Ending
    record = form.model_validate_json(json.dumps(order.arguments))
    own(record.actor, mine)
    return record


def identify(facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch) -> Findings:
    """Record who an entity is and what authorizes it; a record that is there is superseded."""
    identity = record_in(order, mine)
    assert isinstance(identity, Identity)
    if identity.document.date > batch.now[:10]:
        raise ValueError(f"document: {identity.document.date} is a day to come")
    found = _not_authorized(facts, identity, identity.entity, "authorized_by")
    if found:
        return found
    number = _record(facts, identity, order, batch)
    section = identity.actor.section
    batch.results[order.id] = f"{identity.entity} identified for {section}, record {number}"
    return []


def end_identification(
    facts: RegistryFacts, order: Order, mine: Sequence[Actor], batch: Batch
) -> Findings:
    """End what was recorded, for good or until the entity is identified anew."""
    ending = record_in(order, mine)
    assert isinstance(ending, Ending)
    found = _not_identified(facts, ending.actor, ending.entity, ending.entity, "entity")
    if found:
        return found
    _record(facts, ending, order, batch)
    batch.results[order.id] = f"{ending.entity} no longer identified for {ending.actor.section}"
    return []


def _record(facts: RegistryFacts, record: Identity | Ending, order: Order, batch: Batch) -> int:
    """Append a record of an entity; gives its number."""
    name = (record.actor, record.entity)
    before = facts.identified.get(name)
    number = before.number + 1 if before else 1
    made = Identification(record, number, order.operator, order.id, batch.now)
    facts.identified[name] = made
    facts.new_identifications.append(made)
    return number


# --- standing -------------------------------------------------------------------------------------


def not_standing(grounds: Grounds, actor: Actor, entity: str, who: str, where: str) -> Findings:
    """Why an entity does not stand in an actor's section; `who` is what findings call it."""
    found = _not_identified(grounds, actor, entity, who, where)
    if found:
        return found
    known = grounds.identified[actor, entity].identity
    assert known is not None
    return _not_authorized(grounds, known, who, where)


def _not_identified(grounds: Grounds, actor: Actor, entity: str, who: str, where: str) -> Findings:
    known = grounds.identified.get((actor, entity))
    if known is not None and known.identity is not None:
        return []
    since = f"any more, since {known.at[:10]}" if known is not None else "here"
    detail = f"{who:.120} is not identified for {actor.section} {since}"
    return [finding(Reason.ENTITY_NOT_IDENTIFIED, detail, field=where)]


def _not_authorized(grounds: Grounds, identity: Identity, who: str, where: str) -> Findings:
    """Why what a record names does not authorize its entity, as far as this registry knows."""
    ground, party = identity.authorized_by, PartyCode(identity.actor.section)
    if ground.authorization is not None:
        return _not_by_authorization(grounds, party, ground.authorization, identity, who, where)
    if ground.approval is not None:
        return _not_by_approval(grounds, party, ground.approval, identity, who, where)
    return []


def _not_by_authorization(
    grounds: Grounds,
    party: PartyCode,
    id_: AuthorizationId,
    identity: Identity,
    who: str,
    where: str,
) -> Findings:
    known = grounds.authorizations.get((party, id_))
    if known is None:
        detail = f"{party} has not recorded {id_} in this registry; name a letter instead"
        return [finding(Reason.AUTHORIZATION_MISSING, detail, field=where)]
    terms = known.current
    if terms.revoked:
        detail = f"{id_}, which authorizes {who:.120}, is revoked"
        return [finding(Reason.AUTHORIZATION_REVOKED, detail, field=where)]
    if identity.entity not in terms.entities:
        detail = f"version {terms.version} of {id_} does not list {who:.120}"
        return [finding(Reason.AUTHORIZATION_PARTY, detail, field=where)]
    return []


def _not_by_approval(
    grounds: Grounds, party: PartyCode, id_: str, identity: Identity, who: str, where: str
) -> Findings:
    administrator = Actor(f"{identity.actor.participant}/{ADMINISTRATOR}")
    known = grounds.approvals.get((administrator, id_))
    if known is None or known.record is None:
        detail = f"{id_} is not recorded in this registry; name a letter instead"
        return [finding(Reason.APPROVAL_MISSING, detail, field=where)]
    record = known.record
    if record.party != party:
        detail = f"{id_} is for {record.party}, not for {party}"
        return [finding(Reason.AUTHORIZATION_PARTY, detail, field=where)]
    if identity.entity not in record.participants:
        detail = f"{id_} does not list {who:.120} among the participants"
        return [finding(Reason.AUTHORIZATION_PARTY, detail, field=where)]
    return []
