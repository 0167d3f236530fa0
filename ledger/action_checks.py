# SPDX-License-Identifier: Apache-2.0
"""The checks that depend on what is asked for: who may issue, what is authorized, and what units
are fit for. Each gives nothing for actions that it is not about.

Elsewhere: the order in which they are asked, and all other checks (`checks`).
"""

import re
from collections.abc import Iterator

from ledger.asking import (
    Approval,
    Ask,
    Authorization,
    Found,
    levy,
)
from ledger.blocks import Block
from schemas.effects import AuthorizationTerms
from schemas.findings import Reason, finding
from schemas.identifiers import (
    RegistryId,
)
from schemas.messages import Line
from schemas.units import (
    KIND_CODES,
    Attributes,
    AuthorizationRef,
    Kind,
    Layer,
    Purpose,
)

__all__ = [
    "authorization_is_next",
    "first_transfer_is_authorized",
    "issuance_fits",
    "issuer_may_issue",
    "units_fit_the_action",
]


def issuer_may_issue(ask: Ask) -> Found:
    policy, author, action = ask.facts.policy, ask.author, ask.proposal.action
    if action == "issuance" and author.participant in policy.international:
        yield finding(Reason.ISSUANCE_NOT_HERE, f"{author.participant} does not issue")
    mechanism = author.participant == policy.mechanism
    if action in {"issuance", "forwarding"} and mechanism and author.section != "ADM":
        yield finding(Reason.ADMINISTRATOR_ONLY, f"{author} is not the administrator")
    if action == "forwarding" and not mechanism:
        yield finding(Reason.ADMINISTRATOR_ONLY, "forwarding belongs to the mechanism registry")
    acquirer = ask.proposal.acquirer
    if action == "forwarding" and acquirer and acquirer.participant != author.participant:
        detail = f"{acquirer} is of another registry; what leaves is first-transferred"
        yield finding(Reason.ACQUIRER_WRONG, detail, field="body/acquirer")


def issuance_fits(ask: Ask) -> Found:
    if ask.proposal.action != "issuance":
        return
    policy = ask.facts.policy
    total = ask.proposal.quantity
    for i, line in enumerate(ask.proposal.lines):
        if line.key.vintage < policy.vintage_from:
            detail = f"vintage {line.key.vintage}"
            yield finding(Reason.VINTAGE_TOO_EARLY, detail, field=f"body/lines/{i}/key/vintage")
    yield from _approval_covers(ask, total)
    yield from _new_units_are_new(ask)
    if ask.author.participant == policy.mechanism:
        yield from _levies_fit(ask, total)


def _new_units_are_new(ask: Ask) -> Found:
    """Nothing has happened to units before they are issued, but that levies are first-transferred
    with the issuance; and none but the mechanism has levies (3/CMA.3 annex paras 58, 59). What is
    authorized is said of A6.4ERs alone (para 55); a Party's units come to it by first transfer.
    """
    mechanism = ask.author.participant == ask.facts.policy.mechanism
    for i, line in enumerate(ask.proposal.lines):
        assert line.target is not None
        assert line.attributes is not None
        said, where = line.attributes, f"body/lines/{i}/attributes"
        levied = KIND_CODES[line.target.kind_code] in {Kind.SHARE_OF_PROCEEDS, Kind.OMGE}
        if said.first_transferred and not levied:
            detail = "the first transfer of these units is yet to be authorized"
            field = f"{where}/first_transferred"
            yield finding(Reason.ALREADY_FIRST_TRANSFERRED, detail, field=field)
        if levied and not said.first_transferred:
            detail = "what is levied is first-transferred with the issuance"
            yield finding(Reason.NOT_FIRST_TRANSFERRED, detail, field=f"{where}/first_transferred")
        for name in _not_yet(said, mechanism=mechanism):
            detail = f"units are not issued with this {name}"
            yield finding(Reason.MEMBER_SUPERFLUOUS, detail, field=f"{where}/{name}")
        if mechanism and said.authorization is not None:
            yield from _named_authorization_stands(ask, line, said.authorization, where)


def _not_yet(said: Attributes, *, mechanism: bool) -> Iterator[str]:
    """Attributes that new units cannot have. A Party's may stand for units of a programme's
    registry, which no log knows, but for no registry's that could be here.
    """
    if said.use is not None:
        yield "use"
    below = said.underlying_registry
    if below is not None and (mechanism or re.fullmatch(RegistryId.pattern, below)):
        yield "underlying_registry"
    for name in () if mechanism else ("designation", "authorization"):
        if getattr(said, name) is not None:
            yield name


def _named_authorization_stands(
    ask: Ask, line: Line, ref: AuthorizationRef, attributes: str
) -> Found:
    where = f"{attributes}/authorization"
    known = ask.facts.authorizations.get((line.key.party, ref.id))
    if known is not None and ref.version in known.versions:
        yield from _is_current(known, ref, where)
    elif ask.facts.whole:
        yield finding(Reason.AUTHORIZATION_MISSING, f"{line.key.party} {ref.id}", field=where)


def _approval_covers(ask: Ask, total: int) -> Found:
    references = ask.proposal.references
    if references is None:
        return
    name, approved = references.approval, references.approved_quantity
    known = ask.facts.approvals.get((ask.author, name)) or Approval(approved)
    if known.issued + total > approved:
        detail = f"{known.issued} of {approved} issued under {name:.200}, {total} asked for"
        yield finding(Reason.APPROVAL_EXCEEDED, detail, field="body/quantity")
    if known.approved_quantity != approved:
        detail = (
            f"{name:.200} was for {known.approved_quantity} units before, here it is {approved}"
        )
        where = "body/references/approved_quantity"
        yield finding(Reason.APPROVAL_DIFFERS, detail, field=where)


def _levies_fit(ask: Ask, total: int) -> Found:
    policy, sums = ask.facts.policy, dict.fromkeys(Kind, 0)
    for line in ask.proposal.lines:
        assert line.target is not None
        sums[KIND_CODES[line.target.kind_code]] += line.last - line.first + 1
    share = levy(total, policy.share_of_proceeds_permille)
    if sums[Kind.SHARE_OF_PROCEEDS] != share:
        detail = f"{sums[Kind.SHARE_OF_PROCEEDS]} units; {share} of {total} are due"
        yield finding(Reason.SHARE_OF_PROCEEDS_WRONG, detail, field="body/lines")
    least = levy(total, policy.omge_permille)
    if sums[Kind.OMGE] < least:
        detail = f"{sums[Kind.OMGE]} units; at least {least} of {total} are due"
        yield finding(Reason.OMGE_TOO_SMALL, detail, field="body/lines")


def authorization_is_next(ask: Ask) -> Found:
    terms = ask.proposal.terms
    if terms is None:
        return
    known = ask.facts.authorizations.get((terms.party, terms.id))
    next_version = max(known.versions) + 1 if known else 1
    if terms.version != next_version:
        detail = f"version {terms.version}; the next is {next_version}"
        yield finding(Reason.AUTHORIZATION_EXISTS, detail, field="body/terms/version")


def first_transfer_is_authorized(ask: Ask) -> Found:
    proposal = ask.proposal
    if proposal.action != "first-transfer" or proposal.authorization is None:
        return
    ref, where = proposal.authorization, "body/authorization"
    for party in sorted({line.key.party for line in proposal.lines}):
        known = ask.facts.authorizations.get((party, ref.id))
        if known is None or ref.version not in known.versions:
            if ask.facts.whole or party == ask.author.section:
                yield finding(Reason.AUTHORIZATION_MISSING, f"{party} {ref.id}", field=where)
            continue
        terms = known.current
        yield from _is_current(known, ref, where)
        lines = [line for line in proposal.lines if line.key.party == party]
        yield from _terms_cover(ask, terms, lines)
        quantity = sum(line.last - line.first + 1 for line in lines)
        if terms.quantity is not None and known.used + quantity > terms.quantity:
            detail = f"{known.used} of {terms.quantity} used, {quantity} asked for"
            yield finding(Reason.AUTHORIZATION_EXCEEDED, detail, field="body/quantity")


def _is_current(known: Authorization, ref: AuthorizationRef, where: str) -> Found:
    terms = known.current
    if terms.revoked or terms.version != ref.version:
        detail = f"version {terms.version} is current" + (", revoked" if terms.revoked else "")
        yield finding(Reason.AUTHORIZATION_REVOKED, detail, field=where)


def _terms_cover(ask: Ask, terms: AuthorizationTerms, lines: list[Line]) -> Found:
    acquirer = ask.proposal.acquirer
    if acquirer is None and terms.first_transfer is None:
        detail = "for use towards an NDC the first transfer is an international one"
        yield finding(Reason.ACQUIRER_WRONG, detail, field="body/acquirer")
    if acquirer is not None and terms.parties and acquirer.section not in terms.parties:
        detail = f"{acquirer.section} is not among {', '.join(terms.parties)}"
        yield finding(Reason.AUTHORIZATION_PARTY, detail, field="body/acquirer")
    for line in lines:
        if line.key.approach != terms.approach:
            detail = f"{terms.id} is for {terms.approach}"
            yield finding(Reason.KEY_WRONG, detail, field="body/authorization")
        if not terms.vintage_from <= line.key.vintage <= terms.vintage_to:
            detail = f"vintage {line.key.vintage} not in {terms.vintage_from}-{terms.vintage_to}"
            yield finding(Reason.AUTHORIZATION_OUT_OF_TIME, detail, field="body/authorization")


def units_fit_the_action(ask: Ask) -> Found:
    action = ask.proposal.action
    if action not in {"first-transfer", "transfer", "use", "cancellation"}:
        return
    if action == "cancellation" and ask.proposal.use and ask.proposal.use.purpose is Purpose.NDC:
        detail = "a cancellation is for another purpose than an NDC; for an NDC units are used"
        yield finding(Reason.AUTHORIZATION_PURPOSE, detail, field="body/use/purpose")
    for i, line in enumerate(ask.proposal.lines):
        for row in ask.facts.holdings.find(line.key.series, line.first, line.last):
            for reason in _row_problems(ask, row):
                units = (row.key, row.first, row.last)
                yield finding(reason, field=f"body/lines/{i}", units=units)
            if action == "first-transfer":
                yield from _designation_is_served(ask, row, f"body/lines/{i}")
            if action in {"use", "cancellation"}:
                yield from _use_is_designated(ask, row, f"body/lines/{i}")
                yield from _use_is_authorized(ask, row, f"body/lines/{i}")


def _row_problems(ask: Ask, row: Block) -> Iterator[Reason]:
    action, acquirer = ask.proposal.action, ask.proposal.acquirer
    done, itmo = row.attributes.first_transferred, row.key.layer is Layer.ITMO
    leaves = acquirer is not None and acquirer.participant != ask.author.participant
    if action == "first-transfer":
        if done:
            yield Reason.ALREADY_FIRST_TRANSFERRED
        if itmo and row.attributes.designation == "MCU":
            yield Reason.CONTRIBUTION_STAYS
        elif itmo and row.attributes.designation is None:
            yield Reason.NOT_AUTHORIZED_UNITS
    elif action in {"transfer", "use"} and not done:
        yield Reason.NOT_FIRST_TRANSFERRED
    elif action == "transfer" and leaves and row.attributes.designation == "MCU":
        yield Reason.CONTRIBUTION_STAYS  # such as the share of proceeds of an issuance of MCUs


def _designation_is_served(ask: Ask, row: Block, where: str) -> Found:
    """What A6.4ERs are designated for is authorized in part at least by what is relied on."""
    ref, letters = ask.proposal.authorization, _letters(row)
    known = ref and ask.facts.authorizations.get((row.key.party, ref.id))
    if not letters or not known or ref is None or ref.version not in known.versions:
        return
    if not any(letter in letters for letter in map(_letter, known.current.purposes)):
        detail = f"designated {letters}, authorized for {', '.join(known.current.purposes)}"
        units = (row.key, row.first, row.last)
        yield finding(Reason.AUTHORIZATION_PURPOSE, detail, field=where, units=units)


def _use_is_designated(ask: Ask, row: Block, where: str) -> Found:
    """A6.4ERs are used for what they are designated for; contributions are cancelled for anything
    but an NDC.
    """
    use, letters = ask.proposal.use, _letters(row)
    if use is None or str(row.key.registry) != ask.facts.policy.mechanism:
        return
    if ask.proposal.action == "cancellation" and not letters:
        return
    if use.purpose is not None and _letter(use.purpose) not in letters:
        detail = f"designated {row.attributes.designation or 'for nothing'}, not for {use.purpose}"
        units = (row.key, row.first, row.last)
        yield finding(Reason.AUTHORIZATION_PURPOSE, detail, field=where, units=units)


def _letters(row: Block) -> str:
    """The letters of a designation: none of a mitigation contribution."""
    given = row.attributes.designation or ""
    return "" if given == "MCU" else given


def _letter(purpose: Purpose) -> str:
    return purpose.value[0]


def _use_is_authorized(ask: Ask, row: Block, where: str) -> Found:
    use, ref, units = ask.proposal.use, row.attributes.authorization, (row.key, row.first, row.last)
    if use is None:
        return
    if use.purpose is Purpose.NDC and use.user != ask.author.section:
        detail = f"{ask.author} uses for {ask.author.section}, not for {use.user}"
        yield finding(Reason.AUTHOR_NOT_ACTING, detail, field="body/use/user")
    if ref is None:
        if ask.proposal.action == "use":
            yield finding(Reason.NOT_AUTHORIZED_UNITS, field=where, units=units)
        return
    known = ask.facts.authorizations.get((row.key.party, ref.id))
    terms = known.versions.get(ref.version) if known else None
    if terms is None:
        if ask.facts.whole:
            yield finding(Reason.AUTHORIZATION_MISSING, f"{ref.id}", field=where, units=units)
        return
    if use.purpose is not None and use.purpose not in terms.purposes:
        detail = f"{use.purpose} is not among {', '.join(terms.purposes)}"
        yield finding(Reason.AUTHORIZATION_PURPOSE, detail, field="body/use/purpose", units=units)
    if use.purpose is Purpose.NDC:
        if terms.parties and use.user not in terms.parties:
            detail = f"{use.user} is not among {', '.join(terms.parties)}"
            yield finding(Reason.AUTHORIZATION_PARTY, detail, field="body/use/user", units=units)
    elif terms.entities and use.user not in terms.entities:
        detail = f"{use.user} is not among the authorized entities"
        yield finding(Reason.AUTHORIZATION_PARTY, detail, field="body/use/user", units=units)
    if use.year is not None and not terms.use_from <= use.year <= terms.use_to:
        detail = f"{use.year} not in {terms.use_from}-{terms.use_to}"
        yield finding(Reason.AUTHORIZATION_OUT_OF_TIME, detail, field="body/use/year", units=units)
