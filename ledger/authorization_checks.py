# SPDX-License-Identifier: Apache-2.0
"""The checks on what is authorized: versions, what they cover, when units are first-transferred by
them, and for what units may be used.

Elsewhere: which event is a first transfer (`first_transfer`), the other checks that depend on the
action (`action_checks`), the order in which they are asked (`checks`).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ledger.asking import Ask, Authorization, Found
from ledger.blocks import Block
from ledger.first_transfer import OIMP, counted, is_due_at_once, is_international, served
from schemas.effects import AuthorizationTerms
from schemas.findings import Reason, finding
from schemas.identifiers import ADMINISTRATOR, PartyCode
from schemas.messages import Line
from schemas.units import (
    FINAL_KINDS,
    KIND_CODES,
    Attributes,
    AuthorizationRef,
    Kind,
    Layer,
    Purpose,
    UseMark,
)

__all__ = [
    "authorization_covers",
    "authorization_is_next",
    "designated",
    "first_transfer_is_due",
    "is_all_known",
    "is_stopped",
    "may_have_more",
    "metric_words",
    "metrics_agree",
    "transfer_is_not_withdrawn",
    "use_is_authorized",
]


class Reliance(NamedTuple):
    """An authorization that a line relies on, and the member that says so."""

    ref: AuthorizationRef
    line: Line
    number: int
    where: str


def authorization_is_next(ask: Ask) -> Found:
    terms = ask.proposal.terms
    if terms is None:
        return
    known = ask.facts.authorizations.get((terms.party, terms.id))
    next_version = max(known.versions) + 1 if known else 1
    if terms.version < next_version or (
        terms.version > next_version and not may_have_more(ask, terms.party)
    ):
        detail = f"version {terms.version}; the next is {next_version}"
        yield finding(Reason.AUTHORIZATION_EXISTS, detail, field="body/terms/version")


def may_have_more(ask: Ask, party: PartyCode) -> bool:
    """Whether another registry has a section of the Party, too, so that versions may be recorded
    there which are not known here. What these say is for the hub to ask.
    """
    here, directory = ask.author.participant, ask.facts.directory
    return not ask.facts.whole and any(
        actor.section == party and actor.participant != here for actor in directory.actors()
    )


def is_all_known(ask: Ask, party: PartyCode) -> bool:
    """Whether what the Party has recorded is known here, as far as there is any."""
    own = party == ask.author.section and not may_have_more(ask, party)
    return ask.facts.whole or own


def authorization_covers(ask: Ask) -> Found:
    """What is relied on is recorded, current, and covers the units; the quantity is counted over
    all versions.
    """
    asked: set[tuple[str, str, int, str]] = set()
    for relied in _relied_on(ask):
        party, ref = relied.line.key.party, relied.ref
        known = _known(ask, relied)
        name = (str(party), str(ref.id), ref.version, relied.where)
        if name not in asked:
            asked.add(name)
            if known is not None:
                yield from _is_current(known, ref, relied.where)
            elif is_all_known(ask, party):
                yield finding(Reason.AUTHORIZATION_MISSING, f"{party} {ref.id}", field=relied.where)
        if known is not None:
            yield from _terms_cover(ask, known.current, relied)
    for (party, id_), quantity in sorted(counted(ask.proposal).items()):
        whole = ask.facts.authorizations.get((party, id_))
        most = whole.current.quantity if whole else None
        if whole is None or most is None or may_have_more(ask, party):
            continue
        if whole.used + quantity > most and quantity > 0:
            detail = f"{whole.used} of {most} used, {quantity} asked for"
            yield finding(Reason.AUTHORIZATION_EXCEEDED, detail, field="body/quantity")


def _relied_on(ask: Ask) -> Iterator[Reliance]:
    """What a proposal leans on. A counter-entry leans on no authorization, but on its end."""
    lines = ask.proposal.lines if ask.proposal.action != "counter-entry" else ()
    for i, line in enumerate(lines):
        if line.attributes is not None:
            ref, where = line.attributes.authorization, f"body/lines/{i}/attributes/authorization"
        else:
            ref, where = ask.proposal.authorization, "body/authorization"
        if ref is not None:
            yield Reliance(ref, line, i, where)


def _known(ask: Ask, relied: Reliance) -> Authorization | None:
    known = ask.facts.authorizations.get((relied.line.key.party, relied.ref.id))
    return known if known is not None and relied.ref.version in known.versions else None


def _is_current(known: Authorization, ref: AuthorizationRef, where: str) -> Found:
    terms = known.current
    if terms.revoked or terms.version != ref.version:
        detail = f"version {terms.version} is current" + (", revoked" if terms.revoked else "")
        yield finding(Reason.AUTHORIZATION_REVOKED, detail, field=where)


def _terms_cover(ask: Ask, terms: AuthorizationTerms, relied: Reliance) -> Found:
    acquirer, key, where = ask.proposal.acquirer, relied.line.key, relied.where
    to = acquirer.section if acquirer and is_international(key.party, acquirer) else None
    if to is not None and terms.parties and to not in terms.parties:
        detail = f"{to} is not among {', '.join(terms.parties)}"
        yield finding(Reason.AUTHORIZATION_PARTY, detail, field="body/acquirer")
    entity = ask.proposal.entity
    if entity is not None and terms.entities and entity not in terms.entities:
        detail = f"{entity} is not among the authorized entities"
        yield finding(Reason.AUTHORIZATION_PARTY, detail, field="body/entity")
    if key.approach != terms.approach:
        yield finding(Reason.KEY_WRONG, f"{terms.id} is for {terms.approach}", field=where)
    if not terms.vintage_from <= key.vintage <= terms.vintage_to:
        detail = f"vintage {key.vintage} not in {terms.vintage_from}-{terms.vintage_to}"
        yield finding(Reason.AUTHORIZATION_OUT_OF_TIME, detail, field=where)
    of_one = terms.metric is not None or terms.quantity is not None
    if of_one and terms.unit != ask.proposal.unit:
        words = metric_words(terms.unit), metric_words(ask.proposal.unit)
        detail = "{} is for {}, this is {}".format(terms.id, *words)
        yield finding(Reason.METRIC_DIFFERS, detail, field=where)


# --- first transfer -----------------------------------------------------------------------------


def first_transfer_is_due(ask: Ask) -> Found:
    """What is proposed as first transfer is one by the definition of the authorization, and what is
    one is proposed as such (2/CMA.3 annex para 2).
    """
    for relied in _relied_on(ask) if ask.proposal.action != "designation" else ():
        known = _known(ask, relied)
        if known is None:
            continue
        terms, line = known.current, relied.line
        if ask.proposal.action == "issuance":
            assert line.attributes is not None
            assert line.target is not None
            if KIND_CODES[line.target.kind_code] not in {Kind.SHARE_OF_PROCEEDS, Kind.OMGE}:
                yield from _is_issued_so(terms, line.attributes, relied.where)
            continue
        rows = ask.facts.holdings.find(line.key.series, line.first, line.last)
        for designation in sorted({row.attributes.designation for row in rows}, key=str):
            if ask.proposal.action == "first-transfer":
                yield from _is_moved_so(ask, terms, designation, line)
            else:
                yield from _is_ended_so(ask, terms, designation)


def _is_issued_so(terms: AuthorizationTerms, said: Attributes, where: str) -> Found:
    due = is_due_at_once(terms, said.designation)
    if due != said.first_transferred:
        what = "with their issuance" if due else "later"
        detail = f"by {terms.id} units are first-transferred {what} ({_definition(terms)})"
        field = where.replace("/authorization", "/first_transferred")
        yield finding(Reason.FIRST_TRANSFER_WRONG, detail, field=field)


def _is_moved_so(ask: Ask, terms: AuthorizationTerms, designation: str | None, line: Line) -> Found:
    purposes, acquirer = served(terms, designation), ask.proposal.acquirer
    if is_due_at_once(terms, designation) or not purposes:
        return
    abroad = is_international(line.key.party, acquirer)
    if Purpose.NDC in purposes and abroad:
        return
    if not OIMP & purposes:
        detail = "for use towards an NDC the first transfer is an international one"
        yield finding(Reason.ACQUIRER_WRONG, detail, field="body/acquirer")
    else:
        detail = f"by {terms.id} it is the use or cancellation, which names the authorization"
        yield finding(Reason.FIRST_TRANSFER_WRONG, detail, field="body/action")


def _is_ended_so(ask: Ask, terms: AuthorizationTerms, designation: str | None) -> Found:
    use = ask.proposal.use
    if use is None or _delivers_omge(use) or (use.purpose in OIMP and terms.first_transfer):
        return
    detail = f"by {terms.id} this is not the first transfer ({_definition(terms)})"
    yield finding(Reason.FIRST_TRANSFER_WRONG, detail, field="body/authorization")


def _definition(terms: AuthorizationTerms) -> str:
    return str(terms.first_transfer or "first international transfer")


def _delivers_omge(use: UseMark) -> bool:
    return use.cancellation is not None and use.cancellation.delivers_omge


# --- use and cancellation -----------------------------------------------------------------------


def use_is_authorized(ask: Ask, row: Block, where: str) -> Found:
    """Units are used for what the version that they are under allows, by whom and when."""
    use, units = ask.proposal.use, (row.key, row.first, row.last)
    if use is None:
        return
    if use.purpose is Purpose.NDC and use.user != ask.author.section:
        detail = f"{ask.author} uses for {ask.author.section}, not for {use.user}"
        yield finding(Reason.AUTHOR_NOT_ACTING, detail, field="body/use/user")
    if ask.proposal.authorization is None:
        yield from _is_named(ask, row, use)
    else:
        yield from _may_be_named(row, where)
    ref = ask.proposal.authorization or row.attributes.authorization
    if ref is None:
        claimed = use.purpose is Purpose.IMP and not designated(row)
        if ask.proposal.action == "use" or claimed:
            yield finding(Reason.NOT_AUTHORIZED_UNITS, field=where, units=units)
        return
    known = ask.facts.authorizations.get((row.key.party, ref.id))
    terms = known.versions.get(ref.version) if known else None
    if known is None or terms is None:
        if ask.facts.whole:
            yield finding(Reason.AUTHORIZATION_MISSING, f"{ref.id}", field=where, units=units)
        return
    if terms.binds_first_transferred and (use.purpose or row.attributes.first_transferred):
        terms = known.current
        yield from _is_not_withdrawn(ask, terms, row, where)
    if use.purpose is not None:
        yield from _terms_allow(ask, terms, use, row)


def _is_named(ask: Ask, row: Block, use: UseMark) -> Found:
    """A cancellation that is the first transfer of authorized units names what authorizes them. So
    does a use; what does not is refused as one of units that were not first-transferred.
    """
    letters = designated(row)
    serves = not letters or (use.purpose is not None and use.purpose.value[0] in letters)
    counts = (use.purpose in OIMP and serves) or _delivers_omge(use)
    fresh = _is_authorized(row) and not row.attributes.first_transferred
    if counts and fresh and ask.proposal.action != "use":
        detail = "this is the first transfer of the units; name the authorization"
        units = (row.key, row.first, row.last)
        yield finding(Reason.FIRST_TRANSFER_WRONG, detail, field="body/authorization", units=units)


def _may_be_named(row: Block, where: str) -> Found:
    """What names an authorization is the first transfer, and of ITMOs that are authorized."""
    units = (row.key, row.first, row.last)
    if row.attributes.first_transferred:
        yield finding(Reason.ALREADY_FIRST_TRANSFERRED, field=where, units=units)
    if not _is_authorized(row) and row.key.layer is Layer.ITMO:
        yield finding(Reason.NOT_AUTHORIZED_UNITS, field=where, units=units)


def _is_authorized(row: Block) -> bool:
    """A6.4ERs are by the letters of their designation, others by what they were issued under."""
    if row.key.activity:
        return bool(designated(row))
    return row.attributes.authorization is not None


def designated(row: Block) -> str:
    """The letters of a designation: none of a mitigation contribution."""
    given = row.attributes.designation or ""
    return "" if given == "MCU" else given


def _is_not_withdrawn(ask: Ask, terms: AuthorizationTerms, row: Block, where: str) -> Found:
    if terms.revoked and not may_have_more(ask, row.key.party):
        detail = f"{terms.id} is revoked, and its terms bind units that were first-transferred; "
        detail += "a counter-entry takes their first transfer back"
        units = (row.key, row.first, row.last)
        yield finding(Reason.AUTHORIZATION_REVOKED, detail, field=where, units=units)


def _terms_allow(ask: Ask, terms: AuthorizationTerms, use: UseMark, row: Block) -> Found:
    units = (row.key, row.first, row.last)
    if use.purpose not in terms.purposes:
        detail = f"{use.purpose} is not among {', '.join(terms.purposes)}"
        yield finding(Reason.AUTHORIZATION_PURPOSE, detail, field="body/use/purpose", units=units)
    if use.oimp is not None and terms.oimp is not None and use.oimp != terms.oimp:
        detail = f"{use.oimp}; authorized is {terms.oimp}"
        yield finding(Reason.AUTHORIZATION_PURPOSE, detail, field="body/use/oimp", units=units)
    yield from _user_is_authorized(ask, terms, use, row)
    year = use.year or ask.facts.now.moment().year
    if not terms.use_from <= year <= terms.use_to:
        where = "body/use/year" if use.year else "body/use"
        detail = f"{year} not in {terms.use_from}-{terms.use_to}"
        yield finding(Reason.AUTHORIZATION_OUT_OF_TIME, detail, field=where, units=units)


def _user_is_authorized(ask: Ask, terms: AuthorizationTerms, use: UseMark, row: Block) -> Found:
    """Units are used or cancelled by the Party that authorizes or by one that it names, also where
    an entity does so in that Party's section; and that is one that it names (check II06).
    """
    units, section = (row.key, row.first, row.last), ask.author.section
    party = str(row.key.party) if section == ADMINISTRATOR else section
    if terms.parties and party not in {row.key.party, *terms.parties}:
        detail = f"{party} is not among {', '.join(terms.parties)}"
        yield finding(Reason.AUTHORIZATION_PARTY, detail, field="body/use/user", units=units)
    if use.purpose is Purpose.NDC or use.user == party or use.user in terms.entities:
        return  # a use towards an NDC is the Party's own, and refused above if it says otherwise
    if terms.entities or re.fullmatch(PartyCode.pattern, use.user):
        detail = f"{use.user} is not {party}, nor among the authorized entities"
        yield finding(Reason.AUTHORIZATION_PARTY, detail, field="body/use/user", units=units)


def transfer_is_not_withdrawn(ask: Ask, row: Block, where: str) -> Found:
    """Units whose authorization was revoked, by terms that bind them, stay where they are."""
    ref = row.attributes.authorization
    known = ref and ask.facts.authorizations.get((row.key.party, ref.id))
    if not known or ref is None:
        return
    terms = known.versions.get(ref.version)
    if terms is not None and terms.binds_first_transferred:
        yield from _is_not_withdrawn(ask, known.current, row, where)


def is_stopped(row: Block, known: Authorization) -> bool:
    """Whether units stand still since this authorization, which they are under, was revoked."""
    said = row.attributes
    terms = known.versions.get(said.authorization.version) if said.authorization else None
    if terms is None or not said.first_transferred or row.position.kind in FINAL_KINDS:
        return False
    return terms.binds_first_transferred and known.current.revoked


# --- metrics ------------------------------------------------------------------------------------


def metrics_agree(ask: Ask) -> Found:
    """The quantity is in the metric of the units: sums of different metrics mean nothing."""
    unit, lines = ask.proposal.unit, ask.proposal.lines
    if unit is not None and not lines:
        yield finding(Reason.MEMBER_SUPERFLUOUS, field="body/unit")
    for line in lines:
        if line.attributes is not None:
            said = {line.attributes.unit}
        else:
            rows = ask.facts.holdings.find(line.key.series, line.first, line.last)
            said = {row.attributes.unit for row in rows}
        for other in sorted(said - {unit}, key=str):
            detail = f"the units are {metric_words(other)}, the quantity is {metric_words(unit)}"
            where = "body/unit"
            units = (line.key, line.first, line.last)
            yield finding(Reason.METRIC_DIFFERS, detail, field=where, units=units)


def metric_words(unit: str | None) -> str:
    """A metric as people call it."""
    return unit or "t CO2 eq"
