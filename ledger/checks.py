# SPDX-License-Identifier: Apache-2.0
"""The checks that a proposal must pass: pure functions over loaded facts, in ordered classes.

The first class that fails stops; within a class every finding is returned, each naming the member
and the units concerned. The hub runs all classes before it clears and again before it completes a
proposal; a node runs the same functions on its own rows before it proposes, where facts that only
the hub has (`Facts.whole`) are not asked for. Codes, policy marks and decision paragraphs stand
with each reason in `schemas.findings`.

Some 700 lines, because the order of the checks is a rule too, and is read best in one place.

Elsewhere: authenticity and viability (`runtime`), checks of the acquiring registry's own accounts
(`registry`), what an action does (`actions`).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

from ledger.actions import pledged
from ledger.blocks import Block, overlaps, subtract
from ledger.directory import Directory
from ledger.holdings import Holdings, OverlayKind
from schemas.directory import Profile, Status
from schemas.effects import AuthorizationTerms
from schemas.findings import CheckClass, Finding, Reason, finding
from schemas.identifiers import (
    AccountNumber,
    Actor,
    ApproachId,
    AuthorizationId,
    CaseId,
    Instant,
    PartyCode,
    RegistryId,
    TransactionId,
)
from schemas.limits import FINDINGS_MAX, PROPOSAL_LIFETIME_SECONDS_MAX, SERIAL_MAX
from schemas.messages import Line, Proposal
from schemas.units import (
    FINAL_KINDS,
    KIND_CODES,
    Attributes,
    AuthorizationRef,
    Key,
    Kind,
    Layer,
    Purpose,
)

__all__ = [
    "CLASSES",
    "MECHANISM_APPROACH",
    "MOVES",
    "RULES_VERSION",
    "SHAPES",
    "Approval",
    "Ask",
    "Authorization",
    "Facts",
    "Moves",
    "Policy",
    "Shape",
    "examine",
    "levy",
]

RULES_VERSION = "2026-11"
"""Named in every entry, so that a reader knows which rules were applied."""

MECHANISM_APPROACH = ApproachId("CA0001")


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings of the rules; shares are in permille and rounded up."""

    mechanism: str = "UN01"
    international: frozenset[str] = frozenset({"UN02"})
    share_of_proceeds_permille: int = 50
    omge_permille: int = 20
    vintage_from: int = 2021
    suspend_overdue: bool = True
    """Whether units leave no account of an actor that differs and has not answered in time."""


@dataclass(slots=True)
class Authorization:
    """All versions of one authorization, and the units first-transferred under it so far."""

    versions: dict[int, AuthorizationTerms] = field(default_factory=dict)
    used: int = 0

    @property
    def current(self) -> AuthorizationTerms:
        """The newest version."""
        return self.versions[max(self.versions)]


@dataclass(slots=True)
class Approval:
    """What was approved under one reference, and the units issued under it so far."""

    approved_quantity: int
    issued: int = 0


@dataclass(slots=True)
class Facts:
    """What the checks look at. `whole` is true at the hub, whose facts are everybody's."""

    directory: Directory
    holdings: Holdings
    authorizations: Mapping[tuple[PartyCode, AuthorizationId], Authorization]
    now: Instant
    policy: Policy
    whole: bool = True
    approvals: Mapping[tuple[Actor, str], Approval] = field(default_factory=dict)
    """By the actor that issues and the reference of the approval."""
    overdue: Mapping[Actor, tuple[CaseId, ...]] = field(default_factory=dict)
    """Open cases by actors that owe an answer or a statement, oldest first."""


class Ask(NamedTuple):
    """A proposal to be checked. `first` is false when it is checked again before completion."""

    transaction: TransactionId
    author: Actor
    proposal: Proposal
    facts: Facts
    known: bool = False
    first: bool = True


Found = Iterator[Finding]
Check = Callable[[Ask], Found]


def examine(ask: Ask) -> list[Finding]:
    """The findings of the first class that has any; none when the proposal passes."""
    for _, checks in CLASSES:
        found = [f for check in checks for f in check(ask)]
        if found:
            return found[:FINDINGS_MAX]
    return []


def levy(quantity: int, permille: int) -> int:
    """A share of a quantity, rounded up to whole units."""
    return -(-quantity * permille // 1000)


# --- participant --------------------------------------------------------------------------------


def _author_acts(ask: Ask) -> Found:
    if ask.transaction.proposer != ask.author:
        detail = f"{ask.transaction} belongs to {ask.transaction.proposer}"
        yield finding(Reason.AUTHOR_NOT_ACTING, detail, field="conversation")
    for i, line in enumerate(ask.proposal.lines):
        if line.source is not None and line.source.actor != ask.author:
            detail = f"{line.source} is an account of {line.source.actor}"
            yield finding(Reason.AUTHOR_NOT_ACTING, detail, field=f"body/lines/{i}/source")


def _members_may_act(ask: Ask) -> Found:
    directory, acquirer = ask.facts.directory, ask.proposal.acquirer
    status = directory.status(ask.author.participant)
    if status is Status.SUSPENDED:
        yield finding(Reason.PARTICIPANT_SUSPENDED, f"{ask.author.participant} is suspended")
    if status is Status.TESTING and (ask.proposal.lines or acquirer):
        yield finding(Reason.PARTICIPANT_TESTING, f"{ask.author.participant} is in testing")
    if acquirer is None:
        return
    if directory.current_key(acquirer) is None:
        yield finding(
            Reason.PARTICIPANT_UNKNOWN, f"{acquirer} is not admitted", field="body/acquirer"
        )
    elif directory.status(acquirer.participant) is Status.TESTING:
        detail = f"{acquirer.participant} is in testing"
        yield finding(Reason.PARTICIPANT_TESTING, detail, field="body/acquirer")


def _author_has_answered(ask: Ask) -> Found:
    """Whoever owes an answer about its rows does not move units out of them meanwhile."""
    leaving = any(line.source is not None for line in ask.proposal.lines)
    if not leaving or not ask.facts.policy.suspend_overdue:
        return
    cases = ask.facts.overdue.get(ask.author)
    if cases:
        case = cases[0]
        more = f" and {len(cases) - 1} more" if len(cases) > 1 else ""
        detail = f"{ask.author} has not answered under case {case}{more}"
        yield finding(Reason.ACTOR_SUSPENDED, detail, case=case)


def _profile_allows(ask: Ask) -> Found:
    acquirer = ask.proposal.acquirer
    if acquirer is None or acquirer.participant == ask.author.participant:
        return
    profile = ask.facts.directory.profile(ask.author, acquirer)
    underlying = any(line.key.layer is Layer.UNDERLYING for line in ask.proposal.lines)
    allowed = {Profile.INFORMATION} if underlying else {Profile.UNIT}
    if ask.proposal.action == "transfer":
        allowed = {Profile.INFORMATION, Profile.UNIT}
    if profile not in allowed:
        names = " or ".join(sorted(allowed))
        detail = f"{ask.author} and {acquirer} have the profile {profile}; this needs {names}"
        yield finding(Reason.PROFILE_FORBIDS, detail, field="body/acquirer")


# --- data integrity -----------------------------------------------------------------------------


class Shape(NamedTuple):
    """Which members an action has: `must` and `may` of the proposal, `line` of each line."""

    must: frozenset[str]
    may: frozenset[str]
    line: frozenset[str]


def _shape(must: str, may: str, line: str) -> Shape:
    return Shape(frozenset(must.split()), frozenset(may.split()), frozenset(line.split()))


SHAPES: dict[str, Shape] = {
    "authorization": _shape("terms", "", ""),
    "issuance": _shape("lines references", "", "target attributes"),
    "forwarding": _shape("lines acquirer", "", "source target"),
    "first-transfer": _shape("lines authorization", "acquirer", "source target"),
    "transfer": _shape("lines acquirer", "", "source target"),
    "use": _shape("lines use", "", "source target"),
    "cancellation": _shape("lines use", "", "source target"),
}
_MEMBERS = ("lines", "acquirer", "authorization", "terms", "use", "references")
_LINE_MEMBERS = ("source", "target", "attributes", "itmo_first")


def _members_fit(ask: Ask) -> Found:
    shape = SHAPES[ask.proposal.action]
    for name in _MEMBERS:
        present = bool(getattr(ask.proposal, name))
        if name in shape.must and not present:
            yield finding(Reason.MEMBER_MISSING, field=f"body/{name}")
        if present and name not in shape.must | shape.may:
            yield finding(Reason.MEMBER_SUPERFLUOUS, field=f"body/{name}")
    if ask.proposal.acquirer == ask.author:
        yield finding(Reason.ACQUIRER_WRONG, "the acquirer is the proposer", field="body/acquirer")
    for i, line in enumerate(ask.proposal.lines):
        expected = set(shape.line)
        if ask.proposal.action == "first-transfer" and line.key.layer is Layer.UNDERLYING:
            expected.add("itmo_first")
        for name in _LINE_MEMBERS:
            present = getattr(line, name) is not None
            if present != (name in expected):
                reason = Reason.MEMBER_SUPERFLUOUS if present else Reason.MEMBER_MISSING
                yield finding(reason, field=f"body/lines/{i}/{name}")


def _ranges_fit(ask: Ask) -> Found:
    lines = ask.proposal.lines
    for i, line in enumerate(lines):
        if line.first > line.last:
            units = (line.key, line.first, line.last)
            yield finding(Reason.RANGE_REVERSED, field=f"body/lines/{i}", units=units)
    ordered = sorted(named for line in lines for named in _serials_named(line))
    for a, b in pairwise(ordered):
        if a[0] == b[0] and overlaps(a[1:], b[1:]):
            detail = f"{a[0]} {b[1]}-{min(a[2], b[2])} stands in two lines"
            yield finding(Reason.RANGES_OVERLAP, detail, field="body/lines")
    total = sum(line.last - line.first + 1 for line in lines)
    if ask.proposal.quantity != total:
        detail = f"quantity {ask.proposal.quantity}, lines {total}"
        yield finding(Reason.QUANTITY_DIFFERS, detail, field="body/quantity")


def _serials_named(line: Line) -> Iterator[tuple[str, int, int]]:
    """The units of a line, and the ITMOs that it brings into being."""
    yield line.key.series, line.first, line.last
    if line.itmo_first is not None and line.key.layer is Layer.UNDERLYING:
        last = line.itmo_first + line.last - line.first
        yield line.key.on(Layer.ITMO).series, line.itmo_first, last


class Moves(NamedTuple):
    """From and to which kinds of account an action moves units."""

    source: frozenset[Kind]
    target: frozenset[Kind]


MOVES: dict[str, Moves] = {
    "issuance": Moves(
        frozenset(), frozenset({Kind.HOLDING, Kind.PENDING, Kind.SHARE_OF_PROCEEDS, Kind.OMGE})
    ),
    "forwarding": Moves(frozenset({Kind.PENDING}), frozenset({Kind.HOLDING})),
    "first-transfer": Moves(frozenset({Kind.HOLDING, Kind.PENDING}), frozenset({Kind.HOLDING})),
    "transfer": Moves(frozenset({Kind.HOLDING, Kind.SHARE_OF_PROCEEDS}), frozenset({Kind.HOLDING})),
    "use": Moves(frozenset({Kind.HOLDING}), frozenset({Kind.USE})),
    "cancellation": Moves(frozenset({Kind.HOLDING, Kind.PENDING}), frozenset({Kind.CANCELLATION})),
}
"""The legal moves between kinds of account."""


def _accounts_fit(ask: Ask) -> Found:
    moves = MOVES.get(ask.proposal.action)
    if moves is None:
        return
    owner = ask.proposal.acquirer or ask.author
    for i, line in enumerate(ask.proposal.lines):
        for name, account, kinds, holder in (
            ("source", line.source, moves.source, ask.author),
            ("target", line.target, moves.target, owner),
        ):
            if account is None:
                continue
            kind = KIND_CODES.get(account.kind_code)
            if kind not in kinds or account.actor != holder:
                allowed = ", ".join(sorted(kinds)) or "no"
                detail = f"{account}: this needs an account of {holder} of kind {allowed}"
                yield finding(Reason.ACCOUNT_WRONG, detail, field=f"body/lines/{i}/{name}")


def _keys_fit(ask: Ask) -> Found:
    for i, line in enumerate(ask.proposal.lines):
        problem = _key_problem(ask, line.key)
        if problem:
            units = (line.key, min(line.first, line.last), max(line.first, line.last))
            yield finding(Reason.KEY_WRONG, problem, field=f"body/lines/{i}/key", units=units)
    terms = ask.proposal.terms
    if terms is not None and terms.party != ask.author.section:
        detail = f"{ask.author} authorizes for {ask.author.section}, not for {terms.party}"
        yield finding(Reason.KEY_WRONG, detail, field="body/terms/party")


def _key_problem(ask: Ask, key: Key) -> str | None:
    mechanism = key.registry == ask.facts.policy.mechanism
    if mechanism != (key.activity is not None) or mechanism != (key.approach == MECHANISM_APPROACH):
        return "units of the mechanism registry, and only they, are of CA0001 and name an activity"
    if mechanism and key.layer is not Layer.ITMO:
        return "A6.4ERs live on the layer itmo"
    action, author = ask.proposal.action, ask.author
    if action == "issuance" and str(key.registry) != author.participant:
        return f"{author.participant} issues in its own keys only"
    if action == "issuance" and not mechanism and key.layer is not Layer.UNDERLYING:
        return "a Party registry issues on the layer underlying"
    if action in {"issuance", "first-transfer"} and author.section not in {key.party, "ADM"}:
        return f"{author.section} is not the first transferring Party {key.party}"
    if action in {"transfer", "use"} and key.layer is not Layer.ITMO:
        return f"{action} is an action on ITMOs"
    return None


# --- sequence -----------------------------------------------------------------------------------


def _is_new(ask: Ask) -> Found:
    if ask.known:
        yield finding(Reason.TRANSACTION_EXISTS, str(ask.transaction), field="conversation")


def _in_time(ask: Ask) -> Found:
    if not ask.first:
        return
    now, expires = ask.facts.now, ask.proposal.expires_at
    if expires <= now:
        yield finding(Reason.PROPOSAL_LATE, f"expired at {expires}", field="body/expires_at")
    elif expires.moment() - now.moment() > timedelta(seconds=PROPOSAL_LIFETIME_SECONDS_MAX):
        yield finding(Reason.LIFETIME_TOO_LONG, f"{expires}", field="body/expires_at")


# --- general ------------------------------------------------------------------------------------


def _units_are_free_to_move(ask: Ask) -> Found:
    for i, line in enumerate(ask.proposal.lines):
        if line.source is not None:
            yield from _line_is_free(ask, line, line.source, f"body/lines/{i}")
        if ask.proposal.action in {"use", "cancellation"}:
            yield from _represented_are_free(ask, line, f"body/lines/{i}")


def _represented_are_free(ask: Ask, line: Line, where: str) -> Found:
    """Pledged units end with the ITMOs that represent them: not while a case lies on them at their
    holder, whoever that is.
    """
    holdings = ask.facts.holdings
    for block, _ in pledged(line, holdings):
        for overlay in holdings.overlaid(block.key, block.first, block.last, block.position.actor):
            if overlay.kind is OverlayKind.FROZEN:
                case = CaseId(overlay.reference)
                detail = f"these represent units of {overlay.actor} that are under case {case}"
                units = (block.key, max(overlay.first, block.first), min(overlay.last, block.last))
                yield finding(Reason.UNITS_FROZEN, detail, field=where, units=units, case=case)


def _line_is_free(ask: Ask, line: Line, source: AccountNumber, where: str) -> Found:
    holdings = ask.facts.holdings
    rows = holdings.find(line.key.series, line.first, line.last)
    for overlay in holdings.overlaid(line.key, line.first, line.last, ask.author):
        units = (line.key, max(overlay.first, line.first), min(overlay.last, line.last))
        if overlay.kind is OverlayKind.FROZEN:
            case = CaseId(overlay.reference)
            detail = f"under case {case}"
            yield finding(Reason.UNITS_FROZEN, detail, field=where, units=units, case=case)
        elif overlay.kind is OverlayKind.RESERVED and overlay.reference != ask.transaction:
            detail = f"reserved by {overlay.reference}"
            yield finding(Reason.UNITS_RESERVED, detail, field=where, units=units)
    found, kinds = [], set()
    for row in rows:
        units = (row.key, row.first, row.last)
        if row.position.account == source and row.key == line.key:
            found.append((row.first, row.last))
            kinds.add(row.attributes)
        elif row.position.kind in FINAL_KINDS:
            yield finding(Reason.UNITS_FINAL, _mark(row), field=where, units=units)
            found.append((row.first, row.last))
    for first, last in subtract((line.first, line.last), found):
        detail = f"not in {source}"
        units = (line.key, first, last)
        yield finding(Reason.UNITS_NOT_HELD, detail, field=where, units=units)
    if len(kinds) > 1:
        yield finding(Reason.UNITS_DIFFER, field=where, units=(line.key, line.first, line.last))


def _mark(row: Block) -> str:
    use = row.attributes.use
    if use is None:
        return f"{row.position.kind} in {row.position.account}"
    year = f", {use.year}" if use.year else ""
    return f"{row.position.kind} in {row.position.account}: {use.purpose} by {use.user}{year}"


def _new_serials_are_free(ask: Ask) -> Found:
    for i, line in enumerate(ask.proposal.lines):
        if line.source is None:
            key, first, last = line.key, line.first, line.last
        elif line.itmo_first is not None:
            key, first = line.key.on(Layer.ITMO), line.itmo_first
            last = first + line.last - line.first
        else:
            continue
        if last > SERIAL_MAX:
            detail = f"there are no serials beyond {SERIAL_MAX}"
            yield finding(Reason.SERIALS_TAKEN, detail, field=f"body/lines/{i}/itmo_first")
        for row in ask.facts.holdings.find(key.series, first, last):
            units = (row.key, row.first, row.last)
            detail = f"held by {row.position.actor}" if ask.facts.whole else ""
            yield finding(Reason.SERIALS_TAKEN, detail, field=f"body/lines/{i}", units=units)


# --- type-specific ------------------------------------------------------------------------------


def _issuer_may_issue(ask: Ask) -> Found:
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


def _issuance_fits(ask: Ask) -> Found:
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
        if levied and not mechanism:
            detail = "levies belong to the mechanism registry"
            yield finding(Reason.ACCOUNT_WRONG, detail, field=f"body/lines/{i}/target")
        if said.first_transferred and not (levied and mechanism):
            detail = "the first transfer of these units is yet to be authorized"
            field = f"{where}/first_transferred"
            yield finding(Reason.ALREADY_FIRST_TRANSFERRED, detail, field=field)
        if levied and mechanism and not said.first_transferred:
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
    if sums[Kind.HOLDING]:
        detail = "issued units go into the pending account"
        yield finding(Reason.ACCOUNT_WRONG, detail, field="body/lines")


def _authorization_is_next(ask: Ask) -> Found:
    terms = ask.proposal.terms
    if terms is None:
        return
    known = ask.facts.authorizations.get((terms.party, terms.id))
    next_version = max(known.versions) + 1 if known else 1
    if terms.version != next_version:
        detail = f"version {terms.version}; the next is {next_version}"
        yield finding(Reason.AUTHORIZATION_EXISTS, detail, field="body/terms/version")


def _first_transfer_is_authorized(ask: Ask) -> Found:
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


def _units_fit_the_action(ask: Ask) -> Found:
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
    if _letter(use.purpose) not in letters:
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
    if use.purpose not in terms.purposes:
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


CLASSES: tuple[tuple[CheckClass, tuple[Check, ...]], ...] = (
    (
        CheckClass.PARTICIPANT,
        (_author_acts, _members_may_act, _author_has_answered, _profile_allows),
    ),
    (CheckClass.INTEGRITY, (_members_fit, _ranges_fit)),
    (CheckClass.INTEGRITY, (_accounts_fit, _keys_fit)),
    (CheckClass.SEQUENCE, (_is_new, _in_time)),
    (CheckClass.SPECIFIC, (_issuer_may_issue,)),
    (CheckClass.GENERAL, (_units_are_free_to_move, _new_serials_are_free)),
    (
        CheckClass.SPECIFIC,
        (
            _issuance_fits,
            _authorization_is_next,
            _first_transfer_is_authorized,
            _units_fit_the_action,
        ),
    ),
)
"""The classes in order. Who may issue at all is asked before whether serials are free."""
