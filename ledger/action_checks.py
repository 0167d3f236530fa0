# SPDX-License-Identifier: Apache-2.0
"""The checks that depend on what is asked for: who may issue, and what units are fit for. Each
gives nothing for actions that it is not about.

Elsewhere: what is authorized (`authorization_checks`), the order in which checks are asked, and all
others (`checks`).
"""

import re
from collections.abc import Iterator

from ledger.approvals import approval_covers
from ledger.asking import Ask, Found, levies
from ledger.authorization_checks import (
    designated,
    transfer_is_not_withdrawn,
    use_is_authorized,
)
from ledger.blocks import Block
from schemas.findings import Reason, finding
from schemas.identifiers import ADMINISTRATOR, RegistryId
from schemas.units import KIND_CODES, Attributes, Kind, Layer, Purpose, UseMark

__all__ = ["issuance_fits", "issuer_may_issue", "units_fit_the_action"]


_ADMINISTRATORS = frozenset(
    {"issuance", "approval", "forwarding", "administrative-cancellation", "cer-entry"}
)
"""What in the mechanism registry its administrator alone does (3/CMA.3 annex paras 54 and 60)."""

_MECHANISM = frozenset(
    {
        *("approval", "forwarding", "designation", "replenishment"),
        *("administrative-cancellation", "cer-entry", "cer-transfer", "cer-use"),
    }
)
"""What no other registry does."""


def issuer_may_issue(ask: Ask) -> Found:
    policy, author, action = ask.facts.policy, ask.author, ask.proposal.action
    if action == "issuance" and author.participant in policy.international:
        yield finding(Reason.ISSUANCE_NOT_HERE, f"{author.participant} does not issue")
    mechanism = author.participant == policy.mechanism
    if action in _ADMINISTRATORS and mechanism and author.section != ADMINISTRATOR:
        yield finding(Reason.ADMINISTRATOR_ONLY, f"{author} is not the administrator")
    if action in _MECHANISM and not mechanism:
        yield finding(Reason.ADMINISTRATOR_ONLY, f"{action} belongs to the mechanism registry")
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
    yield from approval_covers(ask)
    yield from _new_units_are_new(ask)
    if ask.author.participant == policy.mechanism:
        yield from _levies_fit(ask, total)


def _new_units_are_new(ask: Ask) -> Found:
    """Nothing has happened to units before they are issued, but that levies are first-transferred
    with the issuance; and none but the mechanism has levies (3/CMA.3 annex paras 58, 59). What is
    authorized is said of ITMOs alone (para 55), and of a Party's by naming the authorization.
    """
    mechanism = ask.author.participant == ask.facts.policy.mechanism
    for i, line in enumerate(ask.proposal.lines):
        assert line.target is not None
        assert line.attributes is not None
        said, where = line.attributes, f"body/lines/{i}/attributes"
        levied = KIND_CODES[line.target.kind_code] in {Kind.SHARE_OF_PROCEEDS, Kind.OMGE}
        if said.first_transferred and not levied and said.authorization is None:
            detail = "the first transfer of these units is yet to be authorized"
            field = f"{where}/first_transferred"
            yield finding(Reason.ALREADY_FIRST_TRANSFERRED, detail, field=field)
        if levied and not said.first_transferred:
            detail = "what is levied is first-transferred with the issuance"
            yield finding(Reason.NOT_FIRST_TRANSFERRED, detail, field=f"{where}/first_transferred")
        for name in _not_yet(said, line.key.layer, mechanism=mechanism):
            detail = f"units are not issued with this {name}"
            yield finding(Reason.MEMBER_SUPERFLUOUS, detail, field=f"{where}/{name}")


def _not_yet(said: Attributes, layer: Layer, *, mechanism: bool) -> Iterator[str]:
    """Attributes that new units cannot have. A Party's may stand for units of a programme's
    registry, which no log knows, but for no registry's that could be here.
    """
    if said.use is not None:
        yield "use"
    below = said.underlying_registry
    if below is not None and (mechanism or re.fullmatch(RegistryId.pattern, below)):
        yield "underlying_registry"
    if said.designation is not None and not mechanism:
        yield "designation"
    if said.authorization is not None and layer is Layer.UNDERLYING:
        yield "authorization"


def _levies_fit(ask: Ask, total: int) -> Found:
    policy, sums = ask.facts.policy, dict.fromkeys(Kind, 0)
    for line in ask.proposal.lines:
        assert line.target is not None
        sums[KIND_CODES[line.target.kind_code]] += line.last - line.first + 1
    share, least = levies(total, policy)
    if sums[Kind.SHARE_OF_PROCEEDS] != share:
        detail = f"{sums[Kind.SHARE_OF_PROCEEDS]} units; {share} of {total} are due"
        yield finding(Reason.SHARE_OF_PROCEEDS_WRONG, detail, field="body/lines")
    if sums[Kind.OMGE] < least:
        detail = f"{sums[Kind.OMGE]} units; at least {least} of {total} are due"
        yield finding(Reason.OMGE_TOO_SMALL, detail, field="body/lines")


def units_fit_the_action(ask: Ask) -> Found:
    action = ask.proposal.action
    if action not in {"first-transfer", "transfer", "use", "cancellation"}:
        return
    if ask.proposal.use is not None:
        yield from _mark_fits_the_action(ask, ask.proposal.use)
    for i, line in enumerate(ask.proposal.lines):
        where = f"body/lines/{i}"
        for row in ask.facts.holdings.find(line.key.series, line.first, line.last):
            for reason in _row_problems(ask, row):
                yield finding(reason, field=where, units=(row.key, row.first, row.last))
            if action == "first-transfer":
                yield from _designation_is_served(ask, row, where)
            if action == "transfer":
                yield from transfer_is_not_withdrawn(ask, row, where)
            if action in {"use", "cancellation"}:
                yield from _use_is_designated(ask, row, where)
                yield from use_is_authorized(ask, row, where)


def _mark_fits_the_action(ask: Ask, use: UseMark) -> Found:
    """A use is a Party's and no kind of cancellation, and a cancellation never towards an NDC; what
    delivers overall mitigation, and nothing else, goes to the account for it.
    """
    if ask.proposal.action == "use" and ask.author.section == ADMINISTRATOR:
        detail = "an administrator is no Party, and uses nothing"
        yield finding(Reason.AUTHOR_NOT_ACTING, detail, field="body/action")
    if ask.proposal.action == "use" and use.cancellation is not None:
        yield finding(Reason.MEMBER_SUPERFLUOUS, field="body/use/cancellation")
    if ask.proposal.action == "cancellation" and use.purpose is Purpose.NDC:
        detail = "a cancellation is for another purpose than an NDC; for an NDC units are used"
        yield finding(Reason.AUTHORIZATION_PURPOSE, detail, field="body/use/purpose")
    omge = use.cancellation is not None and use.cancellation.delivers_omge
    for i, line in enumerate(ask.proposal.lines):
        assert line.target is not None
        if (KIND_CODES[line.target.kind_code] is Kind.OMGE) != omge:
            detail = "accounts for overall mitigation take what delivers it, and only they do"
            yield finding(Reason.ACCOUNT_WRONG, detail, field=f"body/lines/{i}/target")


def _row_problems(ask: Ask, row: Block) -> Iterator[Reason]:
    action, acquirer = ask.proposal.action, ask.proposal.acquirer
    done, itmo = row.attributes.first_transferred, row.key.layer is Layer.ITMO
    named = ask.proposal.authorization is not None
    leaves = acquirer is not None and acquirer.participant != ask.author.participant
    if action == "first-transfer":
        if done:
            yield Reason.ALREADY_FIRST_TRANSFERRED
        if itmo and row.attributes.designation == "MCU":
            yield Reason.CONTRIBUTION_STAYS
        elif itmo and row.attributes.designation is None and row.attributes.authorization is None:
            yield Reason.NOT_AUTHORIZED_UNITS
    elif not done and (action == "transfer" or (action == "use" and not named)):
        yield Reason.NOT_FIRST_TRANSFERRED
    elif action == "transfer" and leaves and row.attributes.designation == "MCU":
        yield Reason.CONTRIBUTION_STAYS  # such as the share of proceeds of an issuance of MCUs


def _designation_is_served(ask: Ask, row: Block, where: str) -> Found:
    """What A6.4ERs are designated for is authorized in part at least by what is relied on."""
    ref, letters = ask.proposal.authorization, designated(row)
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
    use, letters = ask.proposal.use, designated(row)
    if use is None or str(row.key.registry) != ask.facts.policy.mechanism:
        return
    if ask.proposal.action == "cancellation" and not letters:
        return
    if use.purpose is not None and _letter(use.purpose) not in letters:
        detail = f"designated {row.attributes.designation or 'for nothing'}, not for {use.purpose}"
        units = (row.key, row.first, row.last)
        yield finding(Reason.AUTHORIZATION_PURPOSE, detail, field=where, units=units)


def _letter(purpose: Purpose) -> str:
    return purpose.value[0]
