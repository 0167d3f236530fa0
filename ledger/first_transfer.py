# SPDX-License-Identifier: Apache-2.0
"""First transfers: which event is the first transfer of units, and which entries made one.

2/CMA.3 annex para 2: of units authorized for an NDC it is the first international transfer; for
other international mitigation purposes it is what their authorization defines: the authorization,
the issuance, or the use or cancellation. Of units authorized for both it is the earliest of these.
Rules kept here:

* Units are first-transferred once. The attribute `first_transferred` is set by the entry that makes
  the event, and by none after it; a part of a block inherits it, set or not. A counter-entry alone
  takes it away, and the authorization with it: so no other first transfer follows.
* By authorization or issuance units are first-transferred as soon as both have happened. That is
  with their issuance if they are issued under the authorization, and otherwise by a proposal that
  brings units and authorization together.
* What stays with the Party is no first transfer for an NDC.
* Cancelling authorized units for overall mitigation is one, whatever the definition: they count for
  nobody else after it.

Elsewhere: the checks that hold proposals to this (`authorization_checks`), what a proposal then
does (`actions`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from ledger.asking import Authorization
from schemas.effects import AuthorizationTerms, Move, Restate, Units
from schemas.identifiers import ADMINISTRATOR, Actor, AuthorizationId, Instant, PartyCode
from schemas.messages import Entry, Line, Proposal
from schemas.units import (
    Attributes,
    AuthorizationRef,
    FirstTransferDefinition,
    Kind,
    Layer,
    Position,
    Purpose,
)

__all__ = [
    "OIMP",
    "FirstTransfer",
    "Recorded",
    "Subtype",
    "Version",
    "counted",
    "first_transfers",
    "is_due_at_once",
    "is_international",
    "served",
    "stated",
]

OIMP = frozenset({Purpose.IMP, Purpose.OP})
"""Other international mitigation purposes (2/CMA.3 annex para 1(f))."""


class Subtype(StrEnum):
    """Which event was the first transfer (common nomenclatures, table 26(b))."""

    INTERNATIONAL = "first-international-transfer"
    AUTHORIZATION = "authorization"
    ISSUANCE = "issuance"
    USE_OR_CANCELLATION = "use-or-cancellation"
    SHARE_OF_PROCEEDS = "share-of-proceeds"
    OMGE_MANDATORY = "omge-mandatory"
    OMGE_VOLUNTARY = "omge-voluntary"


class Recorded(NamedTuple):
    """A version of an authorization, and when the log recorded it."""

    terms: AuthorizationTerms
    at: Instant


Version = tuple[PartyCode, AuthorizationId, int]
"""A version of an authorization, by the Party that authorizes."""


Known = Mapping[tuple[PartyCode, AuthorizationId], Authorization]


class FirstTransfer(NamedTuple):
    """Units that an entry first-transferred. `at` is the time of the entry; `occurred_at` that of
    the event, which is earlier where units are issued after they were authorized.
    """

    units: Units
    subtype: Subtype
    authorization: AuthorizationRef | None
    at: Instant
    occurred_at: Instant


# --- what the authorization says ----------------------------------------------------------------


def served(terms: AuthorizationTerms, designation: str | None) -> frozenset[Purpose]:
    """For what units are authorized: the purposes of the terms that their designation allows."""
    if designation is None:
        return frozenset(terms.purposes)
    letters = "" if designation == "MCU" else designation
    return frozenset(purpose for purpose in terms.purposes if purpose.value[0] in letters)


def is_due_at_once(terms: AuthorizationTerms, designation: str | None) -> bool:
    """Whether units are first-transferred as soon as they are issued and authorized both."""
    at_once = {FirstTransferDefinition.AUTHORIZATION, FirstTransferDefinition.ISSUANCE}
    return terms.first_transfer in at_once and bool(OIMP & served(terms, designation))


def is_international(party: PartyCode, to: Actor | None) -> bool:
    """Whether units of a Party would go to another Party. An administrator is none."""
    return to is not None and to.section not in {str(party), ADMINISTRATOR}


def counted(proposal: Proposal) -> Counter[tuple[PartyCode, AuthorizationId]]:
    """How many units a proposal first-transfers under each authorization: what counts against the
    quantity authorized, over all versions. A counter-entry gives its units back.
    """
    sign = -1 if proposal.action == "counter-entry" else 1
    found: Counter[tuple[PartyCode, AuthorizationId]] = Counter()
    for line in proposal.lines if proposal.action != "designation" else ():
        ref, said = proposal.authorization, line.attributes
        if said is not None:
            ref = said.authorization if said.first_transferred else None
        if ref is not None:
            found[line.key.party, ref.id] += sign * (line.last - line.first + 1)
    return found


def stated(proposal: Proposal, known: Known) -> Proposal:
    """An issuance that says what is first-transferred with it, as far as the authorizations known
    here tell; any other proposal as it is.
    """
    lines = tuple(_stated(line, known) for line in proposal.lines)
    return proposal if lines == proposal.lines else proposal.model_copy(update={"lines": lines})


def _stated(line: Line, known: Known) -> Line:
    said = line.attributes
    if said is None or said.authorization is None or said.first_transferred:
        return line
    recorded = known.get((line.key.party, said.authorization.id))
    if recorded is None or not is_due_at_once(recorded.current, said.designation):
        return line
    return line.model_copy(update={"attributes": said.but(first_transferred=True)})


# --- what the log says --------------------------------------------------------------------------


def first_transfers(entry: Entry, recorded: Mapping[Version, Recorded]) -> Iterator[FirstTransfer]:
    """The first transfers that an entry made. `recorded` has the authorizations that entries up to
    this one have recorded.

    Units are ITMOs here: where underlying units are locked it is the ITMOs made of them.
    """
    for effect in entry.effects:
        if isinstance(effect, Move) and effect.source is None:
            attributes, position, fresh = effect.attributes, effect.target, True
        elif isinstance(effect, Restate) and not effect.before.first_transferred:
            attributes, position, fresh = effect.after, effect.position, False
        else:
            continue
        if effect.key.layer is not Layer.ITMO or not attributes.first_transferred:
            continue
        ref = attributes.authorization
        known = recorded.get((effect.key.party, ref.id, ref.version)) if ref else None
        to = position if fresh else _target(entry, effect)
        subtype = _subtype(entry, effect.key.party, attributes, to, known)
        early = known if subtype is Subtype.AUTHORIZATION else None
        yield FirstTransfer(
            units=Units(key=effect.key, first=effect.first, last=effect.last),
            subtype=subtype,
            authorization=ref,
            at=entry.at,
            occurred_at=early.at if early is not None else entry.at,
        )


def _target(entry: Entry, restated: Units) -> Position | None:
    """Where units that are restated are moved to in the same entry."""
    for effect in entry.effects:
        if not isinstance(effect, Move) or effect.key != restated.key:
            continue
        if effect.first <= restated.first and restated.last <= effect.last:
            return effect.target
    return None


def _subtype(
    entry: Entry,
    party: PartyCode,
    attributes: Attributes,
    to: Position | None,
    known: Recorded | None,
) -> Subtype:
    mark = attributes.use
    if mark is not None and mark.cancellation is not None and mark.cancellation.delivers_omge:
        return Subtype(mark.cancellation.value)
    if entry.action == "issuance" and to is not None and to.kind is Kind.SHARE_OF_PROCEEDS:
        return Subtype.SHARE_OF_PROCEEDS
    if entry.action == "issuance" and to is not None and to.kind is Kind.OMGE:
        return Subtype.OMGE_MANDATORY
    terms = known.terms if known else None
    abroad = entry.action == "first-transfer" and to and is_international(party, to.actor)
    towards_ndc = terms is None or Purpose.NDC in served(terms, attributes.designation)
    if terms is None or terms.first_transfer is None or (abroad and towards_ndc):
        return Subtype.INTERNATIONAL
    return Subtype(terms.first_transfer.value)
