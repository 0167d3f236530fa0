# SPDX-License-Identifier: Apache-2.0
"""The checks that a proposal must pass: pure functions over loaded facts, in ordered classes.

The first class that fails stops; within a class every finding is returned, each naming the member
and the units concerned. The hub runs all classes before it clears and again before it completes a
proposal; a node runs the same functions on its own rows before it proposes, where facts that only
the hub has (`Facts.whole`) are not asked for. Codes, policy marks and decision paragraphs stand
with each reason in `schemas.findings`.

Elsewhere: the checks that depend on the action (`action_checks`), what they look at (`asking`),
authenticity and viability (`runtime`), checks of the acquiring registry's own accounts
(`registry`), what an action does (`actions`).
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

from ledger.action_checks import issuance_fits, issuer_may_issue, units_fit_the_action
from ledger.actions import makes_itmos, pledged
from ledger.approvals import approval_is_new
from ledger.asking import MECHANISM_APPROACH, Ask, Check, Found
from ledger.authorization_checks import (
    authorization_covers,
    authorization_is_next,
    first_transfer_is_due,
    metrics_agree,
)
from ledger.binding_checks import sections_are_bound
from ledger.blocks import Block, overlaps, subtract
from ledger.buffer_checks import administrative_fits, buffer_is_filled, replenishment_fits
from ledger.cer_checks import CER_ACTIONS, cer_key_problem, cers_fit
from ledger.counter_entry_checks import counter_entry_fits
from ledger.first_transfer import is_international
from ledger.holdings import OverlayKind
from ledger.mechanism_checks import (
    designation_fits,
    forwarding_is_no_first_transfer,
    instruction_stands,
)
from ledger.moves import realm_of, sources, targets
from schemas.directory import Profile, Status
from schemas.findings import CheckClass, Finding, Reason, finding
from schemas.identifiers import (
    ADMINISTRATOR,
    AccountNumber,
    CaseId,
)
from schemas.limits import FINDINGS_MAX, PROPOSAL_LIFETIME_SECONDS_MAX, SERIAL_MAX
from schemas.messages import Line
from schemas.units import (
    FINAL_KINDS,
    KIND_CODES,
    Key,
    Layer,
)

__all__ = ["CLASSES", "RULES_VERSION", "SHAPES", "Shape", "examine"]

RULES_VERSION = "2026-11"
"""Named in every entry, so that a reader knows which rules were applied."""


def examine(ask: Ask) -> list[Finding]:
    """The findings of the first class that has any; none when the proposal passes."""
    for _, checks in CLASSES:
        found = [f for check in checks for f in check(ask)]
        if found:
            return found[:FINDINGS_MAX]
    return []


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
    keys = [line.key for line in ask.proposal.lines]
    allowed = {Profile.INFORMATION, Profile.UNIT}
    if ask.proposal.action != "transfer" and any(k.layer is Layer.UNDERLYING for k in keys):
        allowed = {Profile.INFORMATION}
    elif ask.proposal.action != "transfer" and not all(_is_itmo_of_a_party(k) for k in keys):
        allowed = {Profile.UNIT}
    if profile not in allowed:
        names = " or ".join(sorted(allowed))
        detail = f"{ask.author} and {acquirer} have the profile {profile}; this needs {names}"
        yield finding(Reason.PROFILE_FORBIDS, detail, field="body/acquirer")


def _link_of_the_mechanism_carries(ask: Ask) -> Found:
    """What passes between the mechanism registry and others, and to whom it may go from there."""
    policy, acquirer = ask.facts.policy, ask.proposal.acquirer
    if acquirer is None or acquirer.participant == ask.author.participant:
        return
    there = acquirer.participant
    if policy.mechanism not in {ask.author.participant, there}:
        return
    for i, line in enumerate(ask.proposal.lines):
        if str(line.key.registry) != policy.mechanism and not policy.mechanism_passes_all:
            detail = f"units of {line.key.registry}; only A6.4ERs pass here (mechanism_passes_all)"
            yield finding(Reason.PROFILE_FORBIDS, detail, field=f"body/lines/{i}/key")
    to_party = there != policy.mechanism and there not in policy.international
    if to_party and not policy.mechanism_to_parties:
        detail = f"{there} is a Party's registry; A6.4ERs go to a section (mechanism_to_parties)"
        yield finding(Reason.PROFILE_FORBIDS, detail, field="body/acquirer")


def _is_itmo_of_a_party(key: Key) -> bool:
    """ITMOs that a Party registry issued: they move as any others that are there."""
    return key.layer is Layer.ITMO and key.activity is None


# --- data integrity -----------------------------------------------------------------------------


class Shape(NamedTuple):
    """Which members an action has: `must` and `may` of the proposal, `line` of each line."""

    must: frozenset[str]
    may: frozenset[str]
    line: frozenset[str]


def _shape(must: str, may: str, line: str) -> Shape:
    return Shape(frozenset(must.split()), frozenset(may.split()), frozenset(line.split()))


SHAPES: dict[str, Shape] = {
    "approval": _shape("approval", "", ""),
    "authorization": _shape("terms", "", ""),
    "issuance": _shape("lines references", "", "target attributes"),
    "designation": _shape("lines authorization designation", "", "source"),
    "forwarding": _shape("lines acquirer", "instruction", "source target"),
    "replenishment": _shape("lines reversal", "acquirer instruction", "source target"),
    "administrative-cancellation": _shape("lines use", "reversal", "source target"),
    "first-transfer": _shape(
        "lines authorization", "acquirer entity adjustment instruction", "source target"
    ),
    "cer-entry": _shape("lines references", "", "target attributes"),
    "cer-transfer": _shape("lines acquirer", "", "source target"),
    "cer-use": _shape("lines use", "", "source target"),
    "counter-entry": _shape("lines authorization", "acquirer", "source target"),
    "transfer": _shape("lines acquirer", "entity adjustment", "source target"),
    "use": _shape("lines use", "authorization", "source target"),
    "cancellation": _shape("lines use", "authorization instruction", "source target"),
}
_TRANSFER_DATA = ("entity", "adjustment")
_MEMBERS = (
    *("lines", "acquirer", "authorization", "terms", "use", "references"),
    *("approval", "instruction", "designation", "reversal"),
    *_TRANSFER_DATA,
)
_LINE_MEMBERS = ("source", "target", "attributes", "itmo_first")


def _members_fit(ask: Ask) -> Found:
    shape = SHAPES[ask.proposal.action]
    for name in _MEMBERS:
        present = bool(getattr(ask.proposal, name))
        if name in shape.must and not present:
            yield finding(Reason.MEMBER_MISSING, field=f"body/{name}")
        if name in _TRANSFER_DATA and not present and _asks_for_transfer_data(ask):
            yield finding(Reason.MEMBER_MISSING, field=f"body/{name}")
        if present and name not in shape.must | shape.may:
            yield finding(Reason.MEMBER_SUPERFLUOUS, field=f"body/{name}")
    if ask.proposal.acquirer == ask.author:
        yield finding(Reason.ACQUIRER_WRONG, "the acquirer is the proposer", field="body/acquirer")
    for i, line in enumerate(ask.proposal.lines):
        expected = set(shape.line)
        if makes_itmos(ask.proposal, line.key):
            expected.add("itmo_first")
        for name in _LINE_MEMBERS:
            present = getattr(line, name) is not None
            if present != (name in expected):
                reason = Reason.MEMBER_SUPERFLUOUS if present else Reason.MEMBER_MISSING
                yield finding(reason, field=f"body/lines/{i}/{name}")


def _asks_for_transfer_data(ask: Ask) -> bool:
    """Whether units go to another Party, and the rules want to know to whom and how it counts."""
    if ask.proposal.action not in {"first-transfer", "transfer"}:
        return False
    abroad = any(is_international(x.key.party, ask.proposal.acquirer) for x in ask.proposal.lines)
    return ask.facts.policy.transfer_data and abroad


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


def _accounts_fit(ask: Ask) -> Found:
    """Whose the accounts are, and whether the action moves units between such kinds (`moves`). An
    action that this registry has none of is refused by who may take it, not here.
    """
    policy, action = ask.facts.policy, ask.proposal.action
    realm = realm_of(ask.author, policy.mechanism, policy.international)
    left, owner = sources(action, realm), ask.proposal.acquirer or ask.author
    for i, line in enumerate(ask.proposal.lines if left else ()):
        source = KIND_CODES.get(line.source.kind_code) if line.source else None
        for name, account, kinds, holder in (
            ("source", line.source, left, ask.author),
            ("target", line.target, targets(action, realm, source), owner),
        ):
            if account is None:
                continue
            kind = KIND_CODES.get(account.kind_code)
            if kind is None or kind not in kinds or account.actor != holder:
                allowed = ", ".join(sorted(k for k in kinds if k)) or "no"
                detail = f"{account}: this needs an account of {holder} of kind {allowed}"
                yield finding(Reason.ACCOUNT_WRONG, detail, field=f"body/lines/{i}/{name}")


def _keys_fit(ask: Ask) -> Found:
    for i, line in enumerate(ask.proposal.lines):
        problem = _key_problem(ask, line)
        if problem:
            units = (line.key, min(line.first, line.last), max(line.first, line.last))
            yield finding(Reason.KEY_WRONG, problem, field=f"body/lines/{i}/key", units=units)
    terms = ask.proposal.terms
    if terms is not None and terms.party != ask.author.section:
        detail = f"{ask.author} authorizes for {ask.author.section}, not for {terms.party}"
        yield finding(Reason.KEY_WRONG, detail, field="body/terms/party")


def _key_problem(ask: Ask, line: Line) -> str | None:
    key = line.key
    mechanism = key.registry == ask.facts.policy.mechanism
    if mechanism != (key.activity is not None) or mechanism != (key.approach == MECHANISM_APPROACH):
        return "units of the mechanism registry, and only they, are of CA0001 and name an activity"
    if ask.proposal.action in CER_ACTIONS:
        return cer_key_problem(ask, key)
    if mechanism and key.layer is not Layer.ITMO:
        return "A6.4ERs live on the layer itmo"
    action, author = ask.proposal.action, ask.author
    if action == "counter-entry" and mechanism:
        return "the first transfer of A6.4ERs is not taken back here"
    if action == "issuance" and str(key.registry) != author.participant:
        return f"{author.participant} issues in its own keys only"
    if action == "issuance" and key.vintage > ask.facts.now.moment().year:
        return f"{key.vintage} has not begun: what is issued has happened"
    itmo, said = key.layer is Layer.ITMO, line.attributes
    if action == "issuance" and not mechanism and itmo and said and said.authorization is None:
        return "a Party registry issues on the layer underlying what names no authorization"
    own = action in {"issuance", "first-transfer", "designation"}
    if own and author.section not in {key.party, ADMINISTRATOR}:
        return f"{author.section} is not the first transferring Party {key.party}"
    of_itmos = action in {"transfer", "use", "counter-entry"}
    if of_itmos and not itmo and not makes_itmos(ask.proposal, key):
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
        if ask.proposal.action in {"use", "cancellation", "counter-entry"}:
            yield from _represented_are_free(ask, line, f"body/lines/{i}")


def _represented_are_free(ask: Ask, line: Line, where: str) -> Found:
    """Pledged units end, or are first-transferred no longer, with the ITMOs that represent them:
    not while a case lies on them at their holder, whoever that is.
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
    return f"{row.position.kind} in {row.position.account}: {use.words}"


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


CLASSES: tuple[tuple[CheckClass, tuple[Check, ...]], ...] = (
    (
        CheckClass.PARTICIPANT,
        (
            _author_acts,
            _members_may_act,
            _author_has_answered,
            sections_are_bound,
            _profile_allows,
            _link_of_the_mechanism_carries,
        ),
    ),
    (CheckClass.INTEGRITY, (_members_fit, _ranges_fit)),
    (CheckClass.INTEGRITY, (_accounts_fit, _keys_fit)),
    (CheckClass.SEQUENCE, (_is_new, _in_time)),
    (CheckClass.SPECIFIC, (issuer_may_issue,)),
    (CheckClass.GENERAL, (_units_are_free_to_move, _new_serials_are_free)),
    (
        CheckClass.SPECIFIC,
        (
            issuance_fits,
            approval_is_new,
            designation_fits,
            instruction_stands,
            forwarding_is_no_first_transfer,
            buffer_is_filled,
            replenishment_fits,
            administrative_fits,
            cers_fit,
            counter_entry_fits,
            authorization_is_next,
            authorization_covers,
            first_transfer_is_due,
            units_fit_the_action,
            metrics_agree,
        ),
    ),
)
"""The classes in order. Who may issue at all is asked before whether serials are free."""
