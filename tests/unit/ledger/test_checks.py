# SPDX-License-Identifier: Apache-2.0
"""Each check: it fires with its code, member and units on a proposal with one fault, and only then.

Every case takes one of the good proposals of `world.GOOD`, spoils one thing in it or in the facts,
and says all the findings that come of it. A test at the end holds the table to the source: no
reason that `ledger.checks` can give is without a case.
"""

import ast
import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ledger import (
    action_checks,
    approvals,
    authorization_checks,
    binding_checks,
    buffer_checks,
    cer_checks,
    checks,
    counter_entry_checks,
    mechanism_checks,
)
from ledger.actions import completion
from ledger.asking import (
    Approval,
    Authorization,
    Policy,
    Rounding,
    levies,
    levy,
)
from ledger.checks import CLASSES, examine
from ledger.effects import Everybody, apply
from ledger.holdings import Holdings, Overlay, OverlayKind
from schemas.approvals import ApprovalRecord
from schemas.directory import BindingChange, Profile, Status, StatusChange
from schemas.effects import AuthorizationTerms
from schemas.findings import CheckClass, Finding, Reason
from schemas.identifiers import (
    AccountNumber,
    Actor,
    ApproachId,
    CaseId,
    Instant,
    Participant,
    PartyCode,
    TransactionId,
)
from schemas.limits import FINDINGS_MAX, LINES_MAX, PROPOSAL_LIFETIME_SECONDS_MAX, SERIAL_MAX
from schemas.messages import IssuanceReferences, Line, Proposal
from schemas.units import (
    Attributes,
    AuthorizationRef,
    Cancellation,
    Key,
    Kind,
    Layer,
    Position,
    Purpose,
    UseMark,
)
from tests.unit.ledger.world import (
    ADM,
    AT_ISSUANCE,
    AUTHORIZED,
    AUTHORIZED64,
    BUYER,
    CHE,
    FLIGHT,
    GHA,
    GOOD,
    KOR,
    KOREA64,
    LATER,
    MMR,
    NDC,
    NDC_KOREA,
    NDC_MYANMAR,
    NOON,
    OMGE,
    REVERSED,
    REVOKED,
    VOLUNTARY,
    A,
    B,
    C,
    I,
    U,
    World,
    account,
    approval,
    authorization,
    cer_entry,
    designation,
    directory,
    first_transfer,
    instruction,
    issuance,
    move,
    profile,
    reversed_by,
    settled,
    signed,
    terms,
)

Where = tuple[Reason, str | None, tuple[Key, int | None, int | None] | None]
Spoil = Callable[[World], None]
R = Reason


def changed(key: Key, first: int, last: int, **changes: Any) -> Spoil:
    """As if the attributes of some units, or their position, had come to be other ones."""

    def spoil(world: World) -> None:
        for block in world.holdings.find(key.series, first, last):
            world.holdings.take(key, block.first, block.last, block.position)
            position = changes.get("position", block.position)
            others = {name: value for name, value in changes.items() if name != "position"}
            attributes = block.attributes.but(**others)
            world.holdings.put(block._replace(attributes=attributes, position=position))

    return spoil


def nothing(world: World) -> None:
    """Spoil nothing."""


def issued(name: str, of: int, units: int, by: Actor = GHA) -> Spoil:
    """As if so many units of so many that were approved had been issued."""

    def spoil(world: World) -> None:
        known = world.approvals.get((by, name))
        world.approvals[by, name] = Approval(of, units, known.record if known else None)

    return spoil


def owes_an_answer(*cases: str) -> Spoil:
    """Switzerland differs and has not answered."""

    def spoil(world: World) -> None:
        world.overdue[CHE] = tuple(map(CaseId, cases))

    return spoil


def forget(world: World) -> None:
    """No authorization is known any more."""
    world.authorizations.clear()


def asking_for_transfer_data(world: World) -> None:
    """The rules want to know to which entity units go, and how they are adjusted for."""
    world.policy = replace(world.policy, transfer_data=True)


class Case(NamedTuple):
    """Who proposes what in a world spoiled so, and every finding: reason, member, units."""

    author: Actor
    wanted: Proposal
    found: list[Where]
    spoil: Spoil = nothing
    ask: dict[str, Any] = {}  # noqa: RUF012 - never changed


def at(reason: Reason, field: str | None = None, *units: Any) -> Where:
    return reason, field, units or None


def good(name: str, **changes: Any) -> tuple[Actor, Proposal]:
    author, wanted = GOOD[name]
    return author, wanted.model_copy(update=changes)


def line(name: str, index: int = 0, **changes: Any) -> tuple[Actor, Proposal]:
    """A good proposal in which one line is changed, and the quantity with it."""
    author, wanted = GOOD[name]
    lines = list(wanted.lines)
    lines[index] = lines[index].model_copy(update=changes)
    total = sum(x.last - x.first + 1 for x in lines)
    return author, wanted.model_copy(update={"lines": tuple(lines), "quantity": max(total, 0)})


def status(participant: str, name: Status) -> Spoil:
    def spoil(world: World) -> None:
        act = StatusChange(participant=Participant(participant), status=name, reason="", at=NOON)
        world.directory = world.directory.apply(signed(act, "ada", "ben"))

    return spoil


def unbound(party: PartyCode, actor: Actor) -> Spoil:
    """The Party's ITMOs are tracked nowhere any more, as its section has agreed."""

    def spoil(world: World) -> None:
        act = BindingChange(party=party, actor=None, reason="", at=NOON)
        world.directory = world.directory.apply(signed(act, "ada", "ben", actor))

    return spoil


def connected(a: Actor, b: Actor, name: Profile) -> Spoil:
    def spoil(world: World) -> None:
        world.directory = world.directory.apply(signed(profile(a, b, name), a, b))

    return spoil


def overlaid(kind: OverlayKind, actor: Actor, key: Key, first: int, last: int, ref: str) -> Spoil:
    return lambda world: world.holdings.lay(Overlay(kind, actor, key, first, last, ref))


def authorized(actor: Actor, **changes: Any) -> Spoil:
    """The Party records another version, with these terms."""

    def spoil(world: World) -> None:
        world.act(actor, authorization(actor, version=2, **changes))

    return spoil


def amended(actor: Actor, **changes: Any) -> Spoil:
    """As if the first version had said this all along."""

    def spoil(world: World) -> None:
        new = terms(actor, **changes)
        world.authorizations[new.party, new.id].versions[1] = new

    return spoil


def amended_2(**changes: Any) -> Spoil:
    """As if Ghana's authorization by issuance had said this all along."""

    def spoil(world: World) -> None:
        known = world.authorizations[U.party, AT_ISSUANCE.id]
        known.versions[1] = known.current.model_copy(update=changes)

    return spoil


def without_binding_terms(world: World) -> None:
    """As if the version that Ghana revoked had said nothing of units first-transferred under it."""
    known = world.authorizations[U.party, REVOKED.id]
    known.versions[1] = known.versions[1].model_copy(update={"binds_first_transferred": False})


def then(*spoils: Spoil) -> Spoil:
    def spoil(world: World) -> None:
        for one in spoils:
            one(world)

    return spoil


def acted(author: Actor, wanted: Proposal) -> Spoil:
    def spoil(world: World) -> None:
        world.act(author, wanted)

    return spoil


HLD = {actor: account(actor, "HLD") for actor in (GHA, CHE, MMR, ADM, KOR)}
FRANCE = Actor("FRA01/FRA")
NDC_GHANA = UseMark(purpose=Purpose.NDC, user="GHA", year=2026)
NEXT_YEAR = U.model_copy(update={"vintage": 2028})
NDC_OF_NOBODY = UseMark(purpose=Purpose.NDC, user="ADM", year=2026)
JAPAN = UseMark(purpose=Purpose.NDC, user="JPN", year=2026)
TWO_LINES = (
    Line(key=U, first=1101, last=1110, source=HLD[GHA], target=HLD[CHE], itmo_first=101),
    Line(key=U, first=1110, last=1119, source=HLD[GHA], target=HLD[CHE], itmo_first=201),
)
UNDERLYING_LINES = GOOD["cancellation of underlying units"][1].lines
SAME_ITMOS = (
    TWO_LINES[0],
    Line(key=U, first=1111, last=1120, source=HLD[GHA], target=HLD[CHE], itmo_first=110),
)


def with_target(name: str, target: AccountNumber) -> tuple[Actor, Proposal]:
    """A good proposal of one line, by which the units go to another account."""
    author, wanted = GOOD[name]
    only = wanted.lines[0].model_copy(update={"target": target})
    to = target.actor if target.actor != author else None
    return author, wanted.model_copy(update={"lines": (only,), "acquirer": to})


def lines_of(name: str, *lines: Line) -> tuple[Actor, Proposal]:
    author, wanted = GOOD[name]
    total = sum(x.last - x.first + 1 for x in lines)
    return author, wanted.model_copy(update={"lines": lines, "quantity": total})


def levied(pending: int, share: int, omge: int) -> tuple[Actor, Proposal]:
    """An issuance of A6.4ERs in these proportions."""
    lines, first = [], 301
    for size, code in ((pending, "PEN"), (share, "SOP"), (omge, "OMG")):
        if size:
            template = GOOD["issuance of A6.4ERs"][1].lines[0]
            assert template.attributes is not None
            changes = {
                "first": first,
                "last": first + size - 1,
                "target": account(ADM, code),
                "attributes": template.attributes.but(first_transferred=code != "PEN"),
            }
            lines.append(template.model_copy(update=changes))
            first += size
    author, wanted = lines_of("issuance of A6.4ERs", *lines)
    total = wanted.quantity
    references = IssuanceReferences(request="R-1", approval=f"S{total}", approved_quantity=total)
    return author, wanted.model_copy(update={"references": references})


def by(actor: Actor, name: str) -> tuple[Actor, Proposal]:
    """An issuance as another section would propose it, into accounts of its own."""
    lines = GOOD[name][1].lines
    return actor, lines_of(
        name,
        *(
            one.model_copy(update={"target": account(actor, one.target.kind_code)})
            for one in lines
            if one.target is not None
        ),
    )[1]


def every_line(name: str, **members: Any) -> tuple[Actor, Proposal]:
    return lines_of(name, *(one.model_copy(update=members) for one in GOOD[name][1].lines))


def rests_on(name: str, quantity: int, request: str = "R-1") -> IssuanceReferences:
    return IssuanceReferences(request=request, approval=name, approved_quantity=quantity)


def buffered(pending: int, buffer: int) -> tuple[Actor, Proposal]:
    """An issuance of 100 A6.4ERs with both levies and a deposit in the buffer."""
    author, wanted = levied(pending + buffer, 5, 2)
    first = wanted.lines[0]
    lines = (
        first.model_copy(update={"last": first.first + pending - 1}),
        first.model_copy(
            update={"first": first.first + pending, "target": account(ADM, "BUF")},
        ),
        *wanted.lines[1:],
    )
    return author, wanted.model_copy(update={"lines": lines})


def needs_buffer(permille: int) -> Spoil:
    """As if the approval asked for a deposit against reversals."""

    def spoil(world: World) -> None:
        known = world.approvals[ADM, "S100"]
        assert known.record is not None
        record = known.record.model_copy(update={"buffer_permille": permille})
        world.approvals[ADM, "S100"] = replace(known, record=record)

    return spoil


def admitted_too(actor: Actor) -> Spoil:
    """As if the mechanism registry had a section more."""

    def spoil(world: World) -> None:
        world.directory = directory((ADM, MMR, actor))

    return spoil


PENDING_CANCELLED = move(
    "cancellation", B, 161, 170, account(ADM, "PEN"), account(ADM, "CAN"), use=BUYER
)
TO_MECHANISM = GOOD["transfer"][1].lines[0].model_copy(update={"target": HLD[MMR]})
TO_SWITZERLAND = (
    GOOD["first transfer of A6.4ERs"][1].lines[0].model_copy(update={"target": HLD[CHE]})
)
OTHER_KEY = U.model_copy(update={"registry": "CHE01"})
ODD_MECHANISM = A.model_copy(update={"activity": None})

CASES: dict[str, Case] = {
    # --- participant
    "the transaction's id is another actor's": Case(
        *good("use"),
        [at(R.AUTHOR_NOT_ACTING, "conversation")],
        ask={"transaction": TransactionId("GHA01-GHA-1")},
    ),
    "the source is another actor's account": Case(
        *line("use", source=HLD[GHA]),
        [at(R.AUTHOR_NOT_ACTING, "body/lines/0/source")],
    ),
    "the use is for another Party": Case(
        *good("use", use=JAPAN),
        [at(R.AUTHOR_NOT_ACTING, "body/use/user")],
    ),
    "the acquirer is not admitted": Case(
        *good("first transfer", acquirer=FRANCE),
        [at(R.PARTICIPANT_UNKNOWN, "body/acquirer"), at(R.PROFILE_FORBIDS, "body/acquirer")],
    ),
    "the author is in testing": Case(
        *good("use"),
        [at(R.PARTICIPANT_TESTING)],
        status("CHE01", Status.TESTING),
    ),
    "the acquirer is in testing": Case(
        *good("first transfer"),
        [at(R.PARTICIPANT_TESTING, "body/acquirer")],
        status("CHE01", Status.TESTING),
    ),
    "the author is suspended": Case(
        *good("transfer"),
        [at(R.PARTICIPANT_SUSPENDED)],
        status("CHE01", Status.SUSPENDED),
    ),
    "the author has not answered": Case(
        *good("transfer"), [at(R.ACTOR_SUSPENDED)], owes_an_answer("REC-3")
    ),
    "the author uses and has not answered": Case(
        *good("use"), [at(R.ACTOR_SUSPENDED)], owes_an_answer("REC-10", "REC-9")
    ),
    "the Party is bound to no section": Case(
        *good("use"), [at(R.NOT_BOUND)], unbound(PartyCode("CHE"), CHE)
    ),
    "the acquiring Party is bound to no section": Case(
        *good("first transfer"),
        [at(R.NOT_BOUND, "body/acquirer")],
        unbound(PartyCode("CHE"), CHE),
    ),
    "the profile is view, which lets nothing move": Case(
        *good("first transfer"),
        [at(R.PROFILE_FORBIDS, "body/acquirer")],
        connected(GHA, CHE, Profile.VIEW),
    ),
    "underlying units are not represented under the profile unit": Case(
        *good("first transfer"),
        [at(R.PROFILE_FORBIDS, "body/acquirer")],
        connected(GHA, CHE, Profile.UNIT),
    ),
    "A6.4ERs do not leave under the profile information": Case(
        *good("first transfer of A6.4ERs"),
        [at(R.PROFILE_FORBIDS, "body/acquirer")],
        connected(MMR, KOR, Profile.INFORMATION),
    ),
    "A6.4ERs do not leave under the profile extension": Case(
        *good("first transfer of A6.4ERs"),
        [at(R.PROFILE_FORBIDS, "body/acquirer")],
        connected(MMR, KOR, Profile.EXTENSION),
    ),
    "ITMOs of another registry go to the mechanism registry": Case(
        *good("transfer", acquirer=MMR, lines=(TO_MECHANISM,)),
        [at(R.PROFILE_FORBIDS, "body/lines/0/key")],
        connected(CHE, MMR, Profile.UNIT),
    ),
    "A6.4ERs go to a Party's own registry": Case(
        *good("first transfer of A6.4ERs", acquirer=CHE, lines=(TO_SWITZERLAND,)),
        [at(R.PROFILE_FORBIDS, "body/acquirer")],
        connected(CHE, MMR, Profile.UNIT),
    ),
    # --- data integrity
    "a range is reversed": Case(
        *line("use", first=20, last=11),
        [
            at(R.RANGE_REVERSED, "body/lines/0", I, 20, 11),
            at(R.QUANTITY_DIFFERS, "body/quantity"),
        ],
    ),
    "two lines share a unit": Case(
        *lines_of("first transfer", *TWO_LINES),
        [at(R.RANGES_OVERLAP, "body/lines")],
    ),
    "two lines make the same ITMO": Case(
        *lines_of("first transfer", *SAME_ITMOS),
        [at(R.RANGES_OVERLAP, "body/lines")],
    ),
    "two lines issue the same serial to two activities": Case(
        *line("issuance of A6.4ERs", 1, key=B, first=393, last=397),
        [at(R.RANGES_OVERLAP, "body/lines")],
    ),
    "the quantity is not the sum": Case(
        *good("use", quantity=11),
        [at(R.QUANTITY_DIFFERS, "body/quantity")],
    ),
    "an authorization has a quantity of units": Case(
        *good("authorization", quantity=1),
        [at(R.QUANTITY_DIFFERS, "body/quantity")],
    ),
    "a use goes to a holding account": Case(
        *line("use", target=account(CHE, "HLD", 2)),
        [at(R.ACCOUNT_WRONG, "body/lines/0/target")],
    ),
    "a use leaves the account of used units": Case(
        *line("use", source=account(CHE, "USE")),
        [at(R.ACCOUNT_WRONG, "body/lines/0/source")],
    ),
    "locked units are cancelled": Case(
        *line("cancellation of underlying units", source=account(GHA, "LCK")),
        [at(R.ACCOUNT_WRONG, "body/lines/0/source")],
    ),
    "units cancelled for overall mitigation are transferred": Case(
        ADM,
        move("forwarding", A, 99, 100, account(ADM, "OMG"), HLD[MMR]),
        [at(R.ACCOUNT_WRONG, "body/lines/0/source")],
    ),
    "the target is not the acquirer's": Case(
        *line("transfer", target=HLD[KOR]),
        [at(R.ACCOUNT_WRONG, "body/lines/0/target")],
    ),
    "the target is of an unknown kind": Case(
        *line("use", target=account(CHE, "ZZZ")),
        [at(R.ACCOUNT_WRONG, "body/lines/0/target")],
    ),
    "A6.4ERs are issued into a holding account": Case(
        *line("issuance of A6.4ERs", 0, target=HLD[ADM]),
        [at(R.ACCOUNT_WRONG, "body/lines/0/target")],
    ),
    "the acquirer is the proposer": Case(
        *good("first transfer at home", acquirer=GHA),
        [at(R.ACQUIRER_WRONG, "body/acquirer")],
    ),
    "a first transfer for NDCs goes to the same Party": Case(
        ADM,
        move(
            "first-transfer",
            A,
            61,
            70,
            account(ADM, "PEN"),
            HLD[MMR],
            authorization=AUTHORIZED64,
        ),
        [at(R.ACQUIRER_WRONG, "body/acquirer")],
        amended(MMR, purposes=(Purpose.NDC,), first_transfer=None, oimp=None),
    ),
    "a first transfer for NDCs stays at home": Case(
        *good("first transfer at home", authorization=AUTHORIZED),
        [at(R.ACQUIRER_WRONG, "body/acquirer")],
        amended(GHA, purposes=(Purpose.NDC,), first_transfer=None, oimp=None),
    ),
    "a transfer to nobody": Case(
        *good("transfer", acquirer=None),
        [at(R.MEMBER_MISSING, "body/acquirer")],
    ),
    "a use with no mark": Case(*good("use", use=None), [at(R.MEMBER_MISSING, "body/use")]),
    "a transfer of nothing": Case(
        *good("transfer", lines=(), quantity=0), [at(R.MEMBER_MISSING, "body/lines")]
    ),
    "an issuance that rests on nothing": Case(
        *good("issuance", references=None), [at(R.MEMBER_MISSING, "body/references")]
    ),
    "a first transfer that nobody authorized": Case(
        *good("first transfer", authorization=None), [at(R.MEMBER_MISSING, "body/authorization")]
    ),
    "an authorization without terms": Case(
        *good("authorization", terms=None), [at(R.MEMBER_MISSING, "body/terms")]
    ),
    "underlying units with no ITMOs to be": Case(
        *line("first transfer", itmo_first=None), [at(R.MEMBER_MISSING, "body/lines/0/itmo_first")]
    ),
    "issued units with no attributes": Case(
        *line("issuance", attributes=None), [at(R.MEMBER_MISSING, "body/lines/0/attributes")]
    ),
    "issued units that go nowhere": Case(
        *line("issuance", target=None), [at(R.MEMBER_MISSING, "body/lines/0/target")]
    ),
    "used units that come from nowhere": Case(
        *line("use", source=None), [at(R.MEMBER_MISSING, "body/lines/0/source")]
    ),
    "a cancellation with an acquirer": Case(
        *good("cancellation of a contribution", acquirer=ADM),
        [at(R.MEMBER_SUPERFLUOUS, "body/acquirer")],
    ),
    "a transfer with a use mark": Case(
        *good("transfer", use=NDC), [at(R.MEMBER_SUPERFLUOUS, "body/use")]
    ),
    "a transfer with an authorization": Case(
        *good("transfer", authorization=AUTHORIZED),
        [at(R.MEMBER_SUPERFLUOUS, "body/authorization")],
    ),
    "an authorization with units": Case(
        *good(
            "authorization", lines=GOOD["cancellation of underlying units"][1].lines, quantity=10
        ),
        [
            at(R.MEMBER_SUPERFLUOUS, "body/lines"),
            at(R.MEMBER_SUPERFLUOUS, "body/lines/0/source"),
            at(R.MEMBER_SUPERFLUOUS, "body/lines/0/target"),
        ],
    ),
    "A6.4ERs that become other ITMOs": Case(
        *line("first transfer of A6.4ERs", itmo_first=1),
        [at(R.MEMBER_SUPERFLUOUS, "body/lines/0/itmo_first")],
    ),
    "transferred units that are given attributes": Case(
        *line("transfer", attributes=Attributes()),
        [at(R.MEMBER_SUPERFLUOUS, "body/lines/0/attributes")],
    ),
    "a registry issues in another registry's key": Case(
        *line("issuance", key=OTHER_KEY),
        [at(R.KEY_WRONG, "body/lines/0/key", OTHER_KEY, 2001, 2100)],
    ),
    "a Party registry issues ITMOs": Case(
        *line("issuance", key=I),
        [at(R.KEY_WRONG, "body/lines/0/key", I, 2001, 2100)],
    ),
    "a Party issues in another Party's key": Case(
        *line("issuance", key=U.model_copy(update={"party": "CHE"})),
        [at(R.KEY_WRONG, "body/lines/0/key", U.model_copy(update={"party": "CHE"}), 2001, 2100)],
    ),
    "underlying units are used": Case(
        GHA,
        move("use", U, 1101, 1110, HLD[GHA], account(GHA, "USE"), use=FLIGHT),
        [at(R.KEY_WRONG, "body/lines/0/key", U, 1101, 1110)],
    ),
    "A6.4ERs name no activity": Case(
        *line("first transfer of A6.4ERs", key=ODD_MECHANISM),
        [at(R.KEY_WRONG, "body/lines/0/key", ODD_MECHANISM, 21, 30)],
    ),
    "other units name an activity": Case(
        *line("use", key=I.model_copy(update={"activity": "A0042"})),
        [
            at(
                R.KEY_WRONG,
                "body/lines/0/key",
                I.model_copy(update={"activity": "A0042"}),
                11,
                20,
            )
        ],
    ),
    "other units say that they are of the mechanism": Case(
        *line("use", key=I.model_copy(update={"approach": "CA0001"})),
        [
            at(
                R.KEY_WRONG,
                "body/lines/0/key",
                I.model_copy(update={"approach": "CA0001"}),
                11,
                20,
            )
        ],
    ),
    "A6.4ERs are on the layer of underlying units": Case(
        *line("use of A6.4ERs", key=A.on(Layer.UNDERLYING)),
        [at(R.KEY_WRONG, "body/lines/0/key", A.on(Layer.UNDERLYING), 1, 5)],
    ),
    "a Party authorizes for another": Case(
        *good("authorization", terms=terms(GHA, party=PartyCode("CHE"))),
        [at(R.KEY_WRONG, "body/terms/party")],
    ),
    "the authorization is for another cooperative approach": Case(
        *good("first transfer"),
        [at(R.KEY_WRONG, "body/authorization")],
        amended(GHA, approach=ApproachId("CA0008")),
    ),
    # --- sequence
    "the transaction exists": Case(
        *good("use"), [at(R.TRANSACTION_EXISTS, "conversation")], ask={"known": True}
    ),
    "the proposal expires at this moment": Case(
        *good("use", expires_at=NOON), [at(R.PROPOSAL_LATE, "body/expires_at")]
    ),
    "the proposal binds units for too long": Case(
        *good("use", expires_at=Instant("2027-03-31T12:00:00.000001Z")),
        [at(R.LIFETIME_TOO_LONG, "body/expires_at")],
    ),
    # --- general
    "issued serials exist": Case(
        *line("issuance", first=1999, last=2010),
        [at(R.SERIALS_TAKEN, "body/lines/0", U, 1999, 2000)],
    ),
    "issued serials exist for another activity": Case(
        *line("issuance of A6.4ERs", 0, key=B, first=59, last=61),
        [
            at(R.SERIALS_TAKEN, "body/lines/0", A, 59, 60),
            at(R.SERIALS_TAKEN, "body/lines/0", A, 61, 61),
        ],
    ),
    "ITMOs to be have serials that exist": Case(
        *line("first transfer", itmo_first=100),
        [at(R.SERIALS_TAKEN, "body/lines/0", I, 100, 100)],
    ),
    "ITMOs to be have serials that cannot exist": Case(
        *line("first transfer", itmo_first=SERIAL_MAX),
        [at(R.SERIALS_TAKEN, "body/lines/0/itmo_first")],
    ),
    "units are used already": Case(
        *line("use", first=89, last=92),
        [at(R.UNITS_FINAL, "body/lines/0", I, 91, 92)],
    ),
    "units are under a case": Case(
        *good("use"),
        [at(R.UNITS_FROZEN, "body/lines/0", I, 15, 20)],
        overlaid(OverlayKind.FROZEN, CHE, I, 15, 25, "REC-3"),
    ),
    "units are reserved by another transaction": Case(
        *good("use"),
        [at(R.UNITS_RESERVED, "body/lines/0", I, 11, 12)],
        overlaid(OverlayKind.RESERVED, CHE, I, 5, 12, "CHE01-CHE-999"),
    ),
    "units are in another account": Case(
        *line("use", source=account(CHE, "HLD", 2)),
        [at(R.UNITS_NOT_HELD, "body/lines/0", I, 11, 20)],
    ),
    "units do not exist": Case(
        *line("first transfer", first=1996, last=2005),
        [at(R.UNITS_NOT_HELD, "body/lines/0", U, 2001, 2005)],
    ),
    "units are another actor's": Case(
        *line("use", first=8, last=11),
        [at(R.UNITS_NOT_HELD, "body/lines/0", I, 8, 10)],
        acted(*GOOD["transfer"]),
    ),
    "units are of another activity": Case(
        *line("first transfer of A6.4ERs", key=B),
        [at(R.UNITS_NOT_HELD, "body/lines/0", B, 21, 30)],
    ),
    "units were first-transferred, and so are locked": Case(
        *line("first transfer", first=1081, last=1090),
        [at(R.UNITS_NOT_HELD, "body/lines/0", U, 1081, 1090)],
    ),
    "units of one line differ": Case(
        *line("use", first=85, last=90),
        [at(R.UNITS_DIFFER, "body/lines/0", I, 85, 90)],
        changed(I, 88, 90, mitigation="Removals"),
    ),
    # --- type-specific
    "the international registry issues": Case(
        KOR,
        issuance(KOR, U.model_copy(update={"registry": "UN02", "party": "KOR"}), 1, 10),
        [at(R.ISSUANCE_NOT_HERE)],
    ),
    "a Party issues in the mechanism registry": Case(
        *by(MMR, "issuance of A6.4ERs"),
        [at(R.ADMINISTRATOR_ONLY)],
    ),
    "a Party forwards in the mechanism registry": Case(
        MMR,
        move("forwarding", A, 61, 62, account(MMR, "PEN"), HLD[ADM]),
        [at(R.ADMINISTRATOR_ONLY)],
    ),
    "another registry forwards": Case(
        GHA,
        move("forwarding", I, 1, 2, account(GHA, "PEN"), HLD[CHE]),
        [at(R.ADMINISTRATOR_ONLY), at(R.ACQUIRER_WRONG, "body/acquirer")],
        connected(GHA, CHE, Profile.UNIT),
    ),
    "A6.4ERs are forwarded to another registry": Case(
        ADM,
        move("forwarding", A, 61, 70, account(ADM, "PEN"), HLD[KOR]),
        [at(R.ACQUIRER_WRONG, "body/acquirer")],
        connected(ADM, KOR, Profile.UNIT),
    ),
    "the vintage is before 2021": Case(
        *line("issuance", key=U.model_copy(update={"vintage": 2020})),
        [at(R.VINTAGE_TOO_EARLY, "body/lines/0/key/vintage")],
    ),
    "the share of proceeds is one unit short": Case(
        *levied(94, 4, 2), [at(R.SHARE_OF_PROCEEDS_WRONG, "body/lines")]
    ),
    "the share of proceeds is one unit over": Case(
        *levied(92, 6, 2), [at(R.SHARE_OF_PROCEEDS_WRONG, "body/lines")]
    ),
    "the share of proceeds is rounded down": Case(
        *levied(93, 5, 3), [at(R.SHARE_OF_PROCEEDS_WRONG, "body/lines")]
    ),
    "the cancellation for overall mitigation is rounded down": Case(
        *levied(93, 6, 2), [at(R.OMGE_TOO_SMALL, "body/lines")]
    ),
    "the cancellation for overall mitigation is one unit short": Case(
        *levied(94, 5, 1), [at(R.OMGE_TOO_SMALL, "body/lines")]
    ),
    "no levies at all": Case(
        *levied(100, 0, 0),
        [at(R.SHARE_OF_PROCEEDS_WRONG, "body/lines"), at(R.OMGE_TOO_SMALL, "body/lines")],
    ),
    "one unit more than was approved": Case(
        *good(
            "issuance",
            references=IssuanceReferences(request="R", approval="S", approved_quantity=99),
        ),
        [at(R.APPROVAL_EXCEEDED, "body/quantity")],
    ),
    "one unit more than is left of what was approved": Case(
        *good("issuance"),
        [at(R.APPROVAL_EXCEEDED, "body/quantity")],
        issued("SB-2001", 100, 1),
    ),
    "the same approval of another quantity": Case(
        *good("issuance"),
        [at(R.APPROVAL_DIFFERS, "body/references/approved_quantity")],
        issued("SB-2001", 99, 0),
    ),
    "the same approval of another quantity, which is used up": Case(
        *good("issuance"),
        [
            at(R.APPROVAL_EXCEEDED, "body/quantity"),
            at(R.APPROVAL_DIFFERS, "body/references/approved_quantity"),
        ],
        issued("SB-2001", 200, 200),
    ),
    "an issuance of A6.4ERs that nobody has approved": Case(
        *good("issuance of A6.4ERs", references=rests_on("SB-999", 100)),
        [at(R.APPROVAL_MISSING, "body/references/approval")],
    ),
    "one A6.4ER more than was approved": Case(
        *good("issuance of A6.4ERs"),
        [at(R.APPROVAL_EXCEEDED, "body/quantity")],
        issued("SB-301", 100, 1, ADM),
    ),
    "an issuance of A6.4ERs says that more was approved": Case(
        *good("issuance of A6.4ERs", references=rests_on("SB-301", 101)),
        [at(R.APPROVAL_DIFFERS, "body/references/approved_quantity")],
    ),
    "an issuance on another request than was approved": Case(
        *good("issuance of A6.4ERs", references=rests_on("SB-301", 100, "R-2")),
        [at(R.APPROVAL_DIFFERS, "body/references/request")],
    ),
    "units of another activity than was approved": Case(
        *every_line("issuance of A6.4ERs", key=B),
        [at(R.APPROVAL_DIFFERS, f"body/lines/{i}/key") for i in range(3)],
    ),
    "units of another vintage than was approved": Case(
        *line("issuance of A6.4ERs", 0, key=A.model_copy(update={"vintage": 2023})),
        [at(R.APPROVAL_DIFFERS, "body/lines/0/key")],
    ),
    "an approval is recorded twice": Case(
        ADM, approval("SB-301", 100), [at(R.APPROVAL_EXISTS, "body/approval/id")]
    ),
    "an approval is of another quantity than was issued under": Case(
        *GOOD["approval"],
        [at(R.APPROVAL_DIFFERS, "body/approval/quantity")],
        issued("SB-401", 99, 7, ADM),
    ),
    "a Party records an approval in the mechanism registry": Case(
        MMR, approval("SB-401", 100), [at(R.ADMINISTRATOR_ONLY)]
    ),
    "another registry records an approval": Case(
        GHA, approval("SB-401", 100), [at(R.ADMINISTRATOR_ONLY)]
    ),
    "an approval with nothing approved": Case(
        *good("approval", approval=None), [at(R.MEMBER_MISSING, "body/approval")]
    ),
    "A6.4ERs are issued and not designated": Case(
        *line("issuance of A6.4ERs", 0, attributes=Attributes()),
        [at(R.DESIGNATION_WRONG, "body/lines/0/attributes/designation")],
    ),
    "pending units leave uninstructed": Case(
        *good("forwarding", instruction=None), [at(R.MEMBER_MISSING, "body/instruction")]
    ),
    "pending units are cancelled uninstructed": Case(
        ADM,
        PENDING_CANCELLED.model_copy(update={"instruction": None}),
        [at(R.MEMBER_MISSING, "body/instruction")],
    ),
    "units that are not pending leave on an instruction": Case(
        *good("cancellation of a contribution", instruction=instruction()),
        [at(R.MEMBER_SUPERFLUOUS, "body/instruction")],
    ),
    "an instruction under an approval that is not recorded": Case(
        *good("forwarding", instruction=instruction(approval="SB-9")),
        [at(R.APPROVAL_MISSING, "body/instruction/approval")],
    ),
    "an instruction by nobody of the activity": Case(
        *good("forwarding", instruction=instruction(participant="Somebody")),
        [at(R.INSTRUCTION_WRONG, "body/instruction/participant")],
    ),
    "an instruction by a participant of another activity": Case(
        *good("forwarding", instruction=instruction(B)),
        [at(R.INSTRUCTION_WRONG, "body/lines/0/key")],
    ),
    "authorized units are forwarded to another Party": Case(
        ADM,
        move("forwarding", A, 61, 70, account(ADM, "PEN"), account(KOREA64, "HLD")),
        [at(R.FIRST_TRANSFER_WRONG, "body/lines/0", A, 61, 70)],
        admitted_too(KOREA64),
    ),
    "units are designated that are no contributions": Case(
        MMR,
        designation(201, 210),
        [at(R.DESIGNATION_WRONG, "body/lines/0", B, 201, 210)],
    ),
    "contributions are designated for what is not authorized": Case(
        MMR, designation(111, 120, "NO"), [at(R.DESIGNATION_WRONG, "body/designation")]
    ),
    "contributions are authorized after their first transfer": Case(
        *GOOD["designation"],
        [at(R.ALREADY_FIRST_TRANSFERRED, "body/lines/0", B, 111, 120)],
        changed(B, 111, 120, first_transferred=True),
    ),
    "contributions are authorized after their cancellation": Case(
        MMR,
        designation(101, 110),
        [at(R.UNITS_FINAL, "body/lines/0", B, 101, 110)],
        acted(*GOOD["cancellation of a contribution"]),
    ),
    "contributions are authorized by a superseded version": Case(
        *GOOD["designation"],
        [at(R.AUTHORIZATION_REVOKED, "body/authorization")],
        acted(MMR, authorization(MMR, version=2)),
    ),
    "another Party authorizes contributions": Case(
        KOREA64,
        designation(111, 120).model_copy(
            update={"lines": (Line(key=B, first=111, last=120, source=account(KOREA64, "HLD")),)}
        ),
        [at(R.KEY_WRONG, "body/lines/0/key", B, 111, 120)],
        admitted_too(KOREA64),
    ),
    "contributions are authorized outside the mechanism registry": Case(
        KOR,
        designation(111, 120).model_copy(
            update={"lines": (Line(key=B, first=111, last=120, source=HLD[KOR]),)}
        ),
        [at(R.KEY_WRONG, "body/lines/0/key", B, 111, 120)],
    ),
    "an authorization of contributions for nothing": Case(
        *good("designation", designation=None), [at(R.MEMBER_MISSING, "body/designation")]
    ),
    "an issuance deposits too little in the buffer": Case(
        *buffered(92, 1), [at(R.BUFFER_WRONG, "body/lines")], needs_buffer(11)
    ),
    "an issuance deposits in the buffer what nobody asked for": Case(
        *buffered(92, 1), [at(R.BUFFER_WRONG, "body/lines")]
    ),
    "the buffer of another actor is replenished": Case(
        MMR,
        move("replenishment", B, 141, 150, HLD[MMR], account(MMR, "BUF"), reversal="RV-1"),
        [at(R.ACQUIRER_WRONG, "body/acquirer")],
    ),
    "the buffer is replenished with what was first-transferred": Case(
        *GOOD["replenishment"],
        [at(R.ALREADY_FIRST_TRANSFERRED, "body/lines/0", B, 141, 150)],
        changed(B, 141, 150, first_transferred=True),
    ),
    "the buffer is replenished for nothing": Case(
        *good("replenishment", reversal=None), [at(R.MEMBER_MISSING, "body/reversal")]
    ),
    "the buffer is cancelled for nothing": Case(
        *good("administrative cancellation", reversal=None),
        [at(R.MEMBER_MISSING, "body/reversal")],
    ),
    "the buffer is cancelled for somebody's purpose": Case(
        *good("administrative cancellation", use=FLIGHT),
        [at(R.AUTHORIZATION_PURPOSE, "body/use/cancellation")],
    ),
    "the buffer is cancelled otherwise, and for a purpose": Case(
        *good(
            "administrative cancellation",
            use=UseMark(purpose=Purpose.OP, user="Nobody", cancellation=Cancellation.OTHER),
        ),
        [at(R.AUTHORIZATION_PURPOSE, "body/use/purpose")],
    ),
    "a Party cancels administratively": Case(
        MMR,
        move(
            "administrative-cancellation",
            B,
            161,
            170,
            account(MMR, "PEN"),
            account(MMR, "ADC"),
            use=REVERSED,
        ),
        [at(R.ADMINISTRATOR_ONLY)],
    ),
    "another registry has a buffer": Case(
        KOR,
        move("replenishment", A, 1, 5, HLD[KOR], account(KOR, "BUF"), reversal="RV-1"),
        [at(R.ADMINISTRATOR_ONLY)],
    ),
    "CERs are used for a flight": Case(
        *good("use of CERs", use=FLIGHT), [at(R.FIRST_NDC_ONLY, "body/use/purpose")]
    ),
    "CERs are used towards a later NDC": Case(
        *good("use of CERs", use=NDC_MYANMAR.model_copy(update={"year": 2031})),
        [at(R.FIRST_NDC_ONLY, "body/use/year")],
    ),
    "CERs are used for another Party": Case(
        *good("use of CERs", use=NDC_KOREA), [at(R.AUTHOR_NOT_ACTING, "body/use/user")]
    ),
    "CERs are cancelled for a flight": Case(
        MMR,
        move("cancellation", C, 1, 10, account(MMR, "CER"), account(MMR, "CAN"), use=FLIGHT),
        [
            at(R.ACCOUNT_WRONG, "body/lines/0/source"),
            at(R.KEY_WRONG, "body/lines/0/key", C, 1, 10),
        ],
    ),
    "CERs leave the mechanism registry": Case(
        MMR,
        move("cer-transfer", C, 1, 10, account(MMR, "CER"), account(KOR, "CER")),
        [at(R.ACQUIRER_WRONG, "body/acquirer")],
        connected(MMR, KOR, Profile.INFORMATION),
    ),
    "CERs are of 2021": Case(
        *line("entry of CERs", key=C.model_copy(update={"vintage": 2021})),
        [at(R.KEY_WRONG, "body/lines/0/key", C.model_copy(update={"vintage": 2021}), 101, 200)],
    ),
    "CERs are ITMOs": Case(
        *line("entry of CERs", key=C.on(Layer.ITMO)),
        [at(R.KEY_WRONG, "body/lines/0/key", C.on(Layer.ITMO), 101, 200)],
    ),
    "CERs are taken in without their label": Case(
        *line("entry of CERs", attributes=Attributes()),
        [at(R.DESIGNATION_WRONG, "body/lines/0/attributes/designation")],
    ),
    "CERs are taken in as first-transferred": Case(
        *line("entry of CERs", attributes=Attributes(designation="CER", first_transferred=True)),
        [at(R.DESIGNATION_WRONG, "body/lines/0/attributes/first_transferred")],
    ),
    "CERs are taken in that nobody has approved": Case(
        *good("entry of CERs", references=rests_on("CDM-9", 200)),
        [at(R.APPROVAL_MISSING, "body/references/approval")],
    ),
    "a Party takes CERs in": Case(
        MMR,
        cer_entry(101, 200).model_copy(
            update={
                "lines": (
                    cer_entry(101, 200).lines[0].model_copy(update={"target": account(MMR, "CER")}),
                )
            }
        ),
        [at(R.ADMINISTRATOR_ONLY)],
    ),
    "CERs are used outside the mechanism registry": Case(
        KOR,
        move("cer-use", C, 1, 10, account(KOR, "CER"), account(KOR, "RET"), use=NDC_KOREA),
        [at(R.ADMINISTRATOR_ONLY)],
    ),
    "the version of an authorization exists": Case(
        *good("authorization", terms=terms(GHA, version=1)),
        [at(R.AUTHORIZATION_EXISTS, "body/terms/version")],
    ),
    "a version of an authorization is skipped": Case(
        *good("authorization", terms=terms(GHA, version=3)),
        [at(R.AUTHORIZATION_EXISTS, "body/terms/version")],
    ),
    "a new authorization begins with version 2": Case(
        *good("authorization", terms=terms(GHA, id="GHA-9", version=2)),
        [at(R.AUTHORIZATION_EXISTS, "body/terms/version")],
    ),
    "no such authorization": Case(
        *good("first transfer", authorization=AUTHORIZED64),
        [at(R.AUTHORIZATION_MISSING, "body/authorization")],
    ),
    "no such version of the authorization": Case(
        *good("first transfer", authorization=AuthorizationRef(id=AUTHORIZED.id, version=2)),
        [at(R.AUTHORIZATION_MISSING, "body/authorization")],
    ),
    "used units name an authorization that nobody knows": Case(
        *good("use"),
        [at(R.AUTHORIZATION_MISSING, "body/lines/0", I, 11, 20)],
        forget,
    ),
    "the authorization is revoked": Case(
        *good("first transfer", authorization=AuthorizationRef(id=AUTHORIZED.id, version=2)),
        [at(R.AUTHORIZATION_REVOKED, "body/authorization")],
        authorized(GHA, revoked=True),
    ),
    "the authorization is superseded": Case(
        *good("first transfer"),
        [at(R.AUTHORIZATION_REVOKED, "body/authorization")],
        authorized(GHA),
    ),
    "the vintage is too early for the authorization": Case(
        *good("first transfer"),
        [at(R.AUTHORIZATION_OUT_OF_TIME, "body/authorization")],
        amended(GHA, vintage_from=2024),
    ),
    "the vintage is too late for the authorization": Case(
        *good("first transfer"),
        [at(R.AUTHORIZATION_OUT_OF_TIME, "body/authorization")],
        amended(GHA, vintage_to=2022),
    ),
    "the use is too early for the authorization": Case(
        *good("use", use=NDC.model_copy(update={"year": 2023})),
        [at(R.AUTHORIZATION_OUT_OF_TIME, "body/use/year", I, 11, 20)],
    ),
    "the use is too late for the authorization": Case(
        *good("use", use=NDC.model_copy(update={"year": 2031})),
        [at(R.AUTHORIZATION_OUT_OF_TIME, "body/use/year", I, 11, 20)],
    ),
    "one unit more than is authorized": Case(
        *good("first transfer"),
        [at(R.AUTHORIZATION_EXCEEDED, "body/quantity")],
        amended(GHA, quantity=149),
    ),
    "the purpose is not authorized": Case(
        *good("use", use=UseMark(purpose=Purpose.OP, user=FLIGHT.user)),
        [at(R.AUTHORIZATION_PURPOSE, "body/use/purpose", I, 11, 20)],
    ),
    "the purpose of a cancellation is not authorized": Case(
        *good("cancellation", use=UseMark(purpose=Purpose.OP, user=FLIGHT.user)),
        [at(R.AUTHORIZATION_PURPOSE, "body/use/purpose", I, 31, 40)],
    ),
    "the acquiring Party is not authorized": Case(
        *good("first transfer"),
        [at(R.AUTHORIZATION_PARTY, "body/acquirer")],
        amended(GHA, parties=(PartyCode("KOR"),)),
    ),
    "the using entity is not authorized": Case(
        *good("use by an entity", use=UseMark(purpose=Purpose.IMP, user="Other Airline")),
        [at(R.AUTHORIZATION_PARTY, "body/use/user", I, 21, 30)],
    ),
    "the using Party is not authorized": Case(
        KOR,
        move("use", I, 11, 12, HLD[KOR], account(KOR, "USE"), use=NDC_KOREA),
        [at(R.AUTHORIZATION_PARTY, "body/use/user", I, 11, 12)],
        changed(I, 11, 12, position=Position.of(HLD[KOR])),
    ),
    "an entity uses in the section of a Party that is not authorized": Case(
        KOR,
        move("use", I, 11, 12, HLD[KOR], account(KOR, "USE"), use=FLIGHT),
        [at(R.AUTHORIZATION_PARTY, "body/use/user", I, 11, 12)],
        changed(I, 11, 12, position=Position.of(HLD[KOR])),
    ),
    "an entity has units cancelled in the section of a Party that is not authorized": Case(
        KOR,
        move("cancellation", I, 11, 12, HLD[KOR], account(KOR, "CAN"), use=VOLUNTARY),
        [at(R.AUTHORIZATION_PARTY, "body/use/user", I, 11, 12)],
        changed(I, 11, 12, position=Position.of(HLD[KOR])),
    ),
    "a Party uses for a flight in the name of another, though any entity may": Case(
        *good("use by an entity", use=UseMark(purpose=Purpose.IMP, user="KOR")),
        [at(R.AUTHORIZATION_PARTY, "body/use/user", I, 21, 30)],
        amended(GHA, parties=(), entities=()),
    ),
    "an administrator uses units towards an NDC": Case(
        ADM,
        move("use", A, 11, 12, HLD[ADM], account(ADM, "RET"), use=NDC_OF_NOBODY),
        [at(R.AUTHOR_NOT_ACTING, "body/action")],
        then(
            amended(MMR, parties=()),
            changed(A, 11, 12, position=Position.of(HLD[ADM])),
        ),
    ),
    "an administrator uses CERs": Case(
        ADM,
        move("cer-use", C, 51, 60, account(ADM, "CER"), account(ADM, "RET"), use=NDC_OF_NOBODY),
        [at(R.AUTHOR_NOT_ACTING, "body/use/user")],
    ),
    "units that nobody authorized are cancelled for a flight": Case(
        *good("cancellation of underlying units", use=VOLUNTARY),
        [at(R.NOT_AUTHORIZED_UNITS, "body/lines/0", U, 1301, 1310)],
    ),
    "contributions are cancelled for a flight": Case(
        *good("cancellation of a contribution", use=FLIGHT),
        [at(R.NOT_AUTHORIZED_UNITS, "body/lines/0", B, 101, 110)],
    ),
    "MWh under an authorization of a quantity in no metric": Case(
        *good("first transfer", unit="MWh"),
        [at(R.METRIC_DIFFERS, "body/authorization")],
        then(changed(U, 1101, 1150, metric="non-GHG", unit="MWh"), amended(GHA, quantity=10**6)),
    ),
    "units are issued of a year that has not begun": Case(
        *line("issuance", key=NEXT_YEAR),
        [at(R.KEY_WRONG, "body/lines/0/key", NEXT_YEAR, 2001, 2100)],
    ),
    "a mitigation contribution leaves": Case(
        *line("first transfer of A6.4ERs", key=B, first=101, last=110),
        [at(R.CONTRIBUTION_STAYS, "body/lines/0", B, 101, 110)],
    ),
    "a mitigation contribution leaves from the share of proceeds": Case(
        ADM,
        move("transfer", B, 194, 198, account(ADM, "SOP"), HLD[KOR]),
        [at(R.CONTRIBUTION_STAYS, "body/lines/0", B, 194, 198)],
        then(
            changed(B, 194, 198, first_transferred=True),
            connected(ADM, KOR, Profile.UNIT),
        ),
    ),
    "A6.4ERs leave that nobody authorized": Case(
        *line("first transfer of A6.4ERs", key=B, first=201, last=210),
        [at(R.NOT_AUTHORIZED_UNITS, "body/lines/0", B, 201, 210)],
        changed(B, 201, 210, designation=None),
    ),
    "units are used that nobody authorized": Case(
        KOR,
        move("use", A, 50, 51, HLD[KOR], account(KOR, "USE"), use=NDC_KOREA),
        [at(R.NOT_AUTHORIZED_UNITS, "body/lines/0", A, 50, 51)],
        changed(A, 50, 51, first_transferred=True, position=Position.of(HLD[KOR])),
    ),
    "pending units are issued as first-transferred": Case(
        *line(
            "issuance of A6.4ERs", attributes=Attributes(designation="N", first_transferred=True)
        ),
        [at(R.ALREADY_FIRST_TRANSFERRED, "body/lines/0/attributes/first_transferred")],
    ),
    "a levy is issued and not first-transferred": Case(
        *line("issuance of A6.4ERs", 1, attributes=Attributes(designation="N")),
        [at(R.NOT_FIRST_TRANSFERRED, "body/lines/1/attributes/first_transferred")],
    ),
    "units are issued as used": Case(
        *line(
            "issuance of A6.4ERs",
            2,
            attributes=Attributes(designation="N", use=FLIGHT, first_transferred=True),
        ),
        [at(R.MEMBER_SUPERFLUOUS, "body/lines/2/attributes/use")],
    ),
    "A6.4ERs are issued as if they represented others": Case(
        *line(
            "issuance of A6.4ERs",
            attributes=Attributes(
                designation="N", underlying_registry="GHA01", underlying_offset=0
            ),
        ),
        [
            at(R.MEMBER_SUPERFLUOUS, "body/lines/0/attributes/underlying_registry"),
        ],
    ),
    "a Party's units are issued as if they represented another registry's": Case(
        *line(
            "issuance",
            attributes=Attributes(underlying_registry="CHE01", underlying_offset=0),
        ),
        [at(R.MEMBER_SUPERFLUOUS, "body/lines/0/attributes/underlying_registry")],
    ),
    "A6.4ERs name an authorization that nobody knows": Case(
        *line(
            "issuance of A6.4ERs", attributes=Attributes(designation="N", authorization=AUTHORIZED)
        ),
        [at(R.AUTHORIZATION_MISSING, "body/lines/0/attributes/authorization")],
    ),
    "A6.4ERs name a version of an authorization that nobody knows": Case(
        *line(
            "issuance of A6.4ERs",
            attributes=Attributes(
                designation="N", authorization=AUTHORIZED64.model_copy(update={"version": 2})
            ),
        ),
        [at(R.AUTHORIZATION_MISSING, "body/lines/0/attributes/authorization")],
    ),
    "A6.4ERs name an authorization that is superseded": Case(
        *line(
            "issuance of A6.4ERs",
            attributes=Attributes(designation="N", authorization=AUTHORIZED64),
        ),
        [at(R.AUTHORIZATION_REVOKED, "body/lines/0/attributes/authorization")],
        authorized(MMR),
    ),
    "A6.4ERs name an authorization that is revoked": Case(
        *line(
            "issuance of A6.4ERs",
            attributes=Attributes(designation="N", authorization=AUTHORIZED64),
        ),
        [at(R.AUTHORIZATION_REVOKED, "body/lines/0/attributes/authorization")],
        amended(MMR, revoked=True),
    ),
    "a Party's units are issued as designated and authorized": Case(
        *line("issuance", attributes=Attributes(designation="N", authorization=AUTHORIZED)),
        [
            at(R.MEMBER_SUPERFLUOUS, "body/lines/0/attributes/designation"),
            at(R.MEMBER_SUPERFLUOUS, "body/lines/0/attributes/authorization"),
        ],
    ),
    "a Party's units are issued as first-transferred": Case(
        *line("issuance", attributes=Attributes(first_transferred=True)),
        [at(R.ALREADY_FIRST_TRANSFERRED, "body/lines/0/attributes/first_transferred")],
    ),
    "a Party has a levy": Case(
        *line(
            "issuance",
            target=account(GHA, "SOP"),
            attributes=Attributes(first_transferred=True),
        ),
        [at(R.ACCOUNT_WRONG, "body/lines/0/target")],
    ),
    "A6.4ERs are used for what they are not designated for": Case(
        *good("use of A6.4ERs"),
        [at(R.AUTHORIZATION_PURPOSE, "body/lines/0", A, 1, 5)],
        changed(A, 1, 5, designation="IO"),
    ),
    "a contribution is used": Case(
        *good("use of A6.4ERs"),
        [at(R.AUTHORIZATION_PURPOSE, "body/lines/0", A, 1, 5)],
        changed(A, 1, 5, designation="MCU"),
    ),
    "A6.4ERs are cancelled for what they are not designated for": Case(
        MMR,
        move("cancellation", A, 41, 42, HLD[MMR], account(MMR, "CAN"), use=FLIGHT),
        [at(R.AUTHORIZATION_PURPOSE, "body/lines/0", A, 41, 42)],
        changed(A, 41, 42, designation="NO"),
    ),
    "nothing that A6.4ERs are designated for is authorized": Case(
        *good("first transfer of A6.4ERs"),
        [at(R.AUTHORIZATION_PURPOSE, "body/lines/0", A, 21, 30)],
        changed(A, 21, 30, designation="O"),
    ),
    "a cancellation for an NDC": Case(
        *good("cancellation", use=NDC),
        [at(R.AUTHORIZATION_PURPOSE, "body/use/purpose")],
    ),
    "ITMOs are first-transferred again": Case(
        CHE,
        move("first-transfer", I, 1, 2, HLD[CHE], account(CHE, "HLD", 2), authorization=AUTHORIZED),
        [
            at(R.KEY_WRONG, "body/lines/0/key", I, 1, 2),
        ],
    ),
    "A6.4ERs are first-transferred again": Case(
        *line("first transfer of A6.4ERs", first=41, last=42),
        [at(R.ALREADY_FIRST_TRANSFERRED, "body/lines/0", A, 41, 42)],
        changed(A, 41, 42, first_transferred=True),
    ),
    "units are transferred that were not first-transferred": Case(
        MMR,
        move("transfer", A, 41, 42, HLD[MMR], HLD[KOR]),
        [at(R.NOT_FIRST_TRANSFERRED, "body/lines/0", A, 41, 42)],
    ),
    "units are used that were not first-transferred": Case(
        MMR,
        move("use", A, 41, 42, HLD[MMR], account(MMR, "RET"), use=FLIGHT),
        [
            at(R.NOT_FIRST_TRANSFERRED, "body/lines/0", A, 41, 42),
            at(R.NOT_AUTHORIZED_UNITS, "body/lines/0", A, 41, 42),
        ],
    ),
    # --- first transfers and what is authorized
    "at home, of what is first-transferred by its use": Case(
        *good("first transfer at home", authorization=AUTHORIZED),
        [at(R.FIRST_TRANSFER_WRONG, "body/action")],
    ),
    "abroad, of what is first-transferred by its use": Case(
        *good("first transfer"),
        [at(R.FIRST_TRANSFER_WRONG, "body/action")],
        amended(GHA, purposes=(Purpose.IMP,)),
    ),
    "an issuance that is a first transfer and does not say so": Case(
        *line("issuance of ITMOs", attributes=Attributes(authorization=AT_ISSUANCE)),
        [at(R.FIRST_TRANSFER_WRONG, "body/lines/0/attributes/first_transferred")],
    ),
    "an issuance that says it is a first transfer and is none": Case(
        *line(
            "issuance of ITMOs",
            attributes=Attributes(authorization=AUTHORIZED, first_transferred=True),
        ),
        [at(R.FIRST_TRANSFER_WRONG, "body/lines/0/attributes/first_transferred")],
    ),
    "ITMOs are issued that nobody authorized": Case(
        *line("issuance of ITMOs", attributes=Attributes()),
        [at(R.KEY_WRONG, "body/lines/0/key", I, 5001, 5100)],
    ),
    "ITMOs are issued of another approach than is authorized": Case(
        *line("issuance of ITMOs", key=I.model_copy(update={"approach": "CA0008"})),
        [at(R.KEY_WRONG, "body/lines/0/attributes/authorization")],
    ),
    "ITMOs are issued of an earlier vintage than is authorized": Case(
        *line("issuance of ITMOs", key=I.model_copy(update={"vintage": 2021})),
        [at(R.AUTHORIZATION_OUT_OF_TIME, "body/lines/0/attributes/authorization")],
    ),
    "one unit more is issued as first-transferred than is authorized": Case(
        *good("issuance of ITMOs"),
        [at(R.AUTHORIZATION_EXCEEDED, "body/quantity")],
        amended_2(quantity=99),
    ),
    "one unit more is first-transferred by its use than is authorized": Case(
        *good("first transfer by use"),
        [at(R.AUTHORIZATION_EXCEEDED, "body/quantity")],
        amended(GHA, quantity=109),
    ),
    "a cancellation that is the first transfer and names no authorization": Case(
        *good("first transfer by cancellation", authorization=None),
        [at(R.FIRST_TRANSFER_WRONG, "body/authorization", I, 4011, 4020)],
    ),
    "a cancellation for overall mitigation of authorized units names no authorization": Case(
        GHA,
        move("cancellation", I, 4011, 4020, HLD[GHA], account(GHA, "OMG"), use=OMGE),
        [at(R.FIRST_TRANSFER_WRONG, "body/authorization", I, 4011, 4020)],
    ),
    "designated units are cancelled for what they are designated for, unnamed": Case(
        MMR,
        move("cancellation", A, 41, 42, HLD[MMR], account(MMR, "CAN"), use=FLIGHT),
        [at(R.FIRST_TRANSFER_WRONG, "body/authorization", A, 41, 42)],
    ),
    "a use towards an NDC is no first transfer": Case(
        GHA,
        move(
            "use",
            I,
            4011,
            4020,
            HLD[GHA],
            account(GHA, "USE"),
            authorization=AUTHORIZED,
            use=NDC_GHANA,
        ),
        [at(R.FIRST_TRANSFER_WRONG, "body/authorization")],
    ),
    "underlying units are used without becoming ITMOs": Case(
        *line("first transfer by use", itmo_first=None),
        [at(R.MEMBER_MISSING, "body/lines/0/itmo_first")],
    ),
    "what was first-transferred is so again by its cancellation": Case(
        *good("cancellation", authorization=AUTHORIZED),
        [at(R.ALREADY_FIRST_TRANSFERRED, "body/lines/0", I, 31, 40)],
    ),
    "a contribution is first-transferred by its cancellation": Case(
        *good("cancellation of a contribution", authorization=AUTHORIZED64, use=FLIGHT),
        [at(R.NOT_AUTHORIZED_UNITS, "body/lines/0", B, 101, 110)],
    ),
    "a use says that it is a cancellation": Case(
        *good("use by an entity", use=VOLUNTARY),
        [at(R.MEMBER_SUPERFLUOUS, "body/use/cancellation")],
    ),
    "what delivers overall mitigation goes elsewhere": Case(
        *line("cancellation for overall mitigation", target=account(CHE, "CAN")),
        [at(R.ACCOUNT_WRONG, "body/lines/0/target")],
    ),
    "what delivers no overall mitigation goes where that is": Case(
        *line("cancellation", target=account(CHE, "OMG")),
        [at(R.ACCOUNT_WRONG, "body/lines/0/target")],
    ),
    "another international mitigation purpose than is authorized": Case(
        *good("cancellation", use=VOLUNTARY.model_copy(update={"oimp": "a shop"})),
        [at(R.AUTHORIZATION_PURPOSE, "body/use/oimp", I, 31, 40)],
    ),
    "an airline uses what is authorized for NDCs alone": Case(
        *good("use by an entity"),
        [at(R.AUTHORIZATION_PURPOSE, "body/use/purpose", I, 21, 30)],
        amended(GHA, purposes=(Purpose.NDC,), first_transfer=None, oimp=None),
    ),
    "an airline uses after the time": Case(
        *good("use by an entity"),
        [at(R.AUTHORIZATION_OUT_OF_TIME, "body/use", I, 21, 30)],
        amended(GHA, use_to=2026),
    ),
    "a use under an authorization whose revocation binds": Case(
        *good("use"),
        [at(R.AUTHORIZATION_REVOKED, "body/lines/0", I, 11, 20)],
        then(amended(GHA, binds_first_transferred=True), authorized(GHA, revoked=True)),
    ),
    "a transfer under an authorization whose revocation binds": Case(
        *good("transfer"),
        [at(R.AUTHORIZATION_REVOKED, "body/lines/0", I, 1, 10)],
        then(amended(GHA, binds_first_transferred=True), authorized(GHA, revoked=True)),
    ),
    "a cancellation of units that a revocation binds, for overall mitigation": Case(
        *good("cancellation for overall mitigation"),
        [at(R.AUTHORIZATION_REVOKED, "body/lines/0", I, 41, 42)],
        then(amended(GHA, binds_first_transferred=True), authorized(GHA, revoked=True)),
    ),
    "a counter-entry under an authorization that nobody knows": Case(
        *good("counter-entry"), [at(R.AUTHORIZATION_MISSING, "body/authorization")], forget
    ),
    "a counter-entry by the version that was revoked": Case(
        *good("counter-entry", authorization=REVOKED.model_copy(update={"version": 1})),
        [at(R.FIRST_TRANSFER_STANDS, "body/authorization")],
    ),
    "a counter-entry under an authorization that is valid again": Case(
        *good("counter-entry"),
        [at(R.FIRST_TRANSFER_STANDS, "body/authorization")],
        acted(GHA, authorization(GHA, id=REVOKED.id, version=3)),
    ),
    "a counter-entry of units whose terms let no revocation bind them": Case(
        *good("counter-entry"),
        [at(R.FIRST_TRANSFER_STANDS, "body/lines/0", I, 901, 930)],
        without_binding_terms,
    ),
    "a counter-entry of units that are under another authorization": Case(
        *line("counter-entry", first=1, last=10),
        [at(R.FIRST_TRANSFER_STANDS, "body/lines/0", I, 1, 10)],
    ),
    "a counter-entry of units that were not first-transferred": Case(
        *good("counter-entry"),
        [at(R.NOT_FIRST_TRANSFERRED, "body/lines/0", I, 901, 930)],
        changed(I, 901, 950, first_transferred=False),
    ),
    "a counter-entry of units that are used": Case(
        *good("counter-entry"),
        [at(R.UNITS_FINAL, "body/lines/0", I, 901, 930)],
        changed(I, 901, 950, position=Position.of(account(CHE, "USE")), use=NDC),
    ),
    "a counter-entry to somebody else than the first transferring Party": Case(
        *with_target("counter-entry", account(KOR, "HLD")),
        [at(R.ACQUIRER_WRONG, "body/acquirer", I, 901, 930)],
        connected(CHE, KOR, Profile.INFORMATION),
    ),
    "a counter-entry that stays where the units are": Case(
        *with_target("counter-entry", account(CHE, "HLD", 2)),
        [at(R.ACQUIRER_WRONG, "body/acquirer", I, 901, 930)],
    ),
    "a counter-entry of underlying units": Case(
        *line("counter-entry", key=U), [at(R.KEY_WRONG, "body/lines/0/key", U, 901, 930)]
    ),
    "a counter-entry of A6.4ERs": Case(
        KOR,
        move("counter-entry", A, 1, 5, HLD[KOR], HLD[MMR], authorization=AUTHORIZED64),
        [at(R.KEY_WRONG, "body/lines/0/key", A, 1, 5)],
    ),
    "a counter-entry by somebody else than the holder": Case(
        GHA,
        GOOD["counter-entry"][1].model_copy(update={"acquirer": None}),
        [at(R.AUTHOR_NOT_ACTING, "body/lines/0/source")],
    ),
    "a counter-entry of units under a case of whoever holds what they represent": Case(
        *good("counter-entry"),
        [at(R.UNITS_FROZEN, "body/lines/0", U, 1905, 1906)],
        overlaid(OverlayKind.FROZEN, GHA, U, 1905, 1906, "REC-1"),
    ),
    "a use that a later version which binds does not allow": Case(
        *good("use by an entity"),
        [at(R.AUTHORIZATION_PARTY, "body/use/user", I, 21, 30)],
        then(
            amended(GHA, binds_first_transferred=True),
            authorized(GHA, entities=("Other Airline",)),
        ),
    ),
    "it is not said to whom units go, nor how they are adjusted for": Case(
        *good("first transfer"),
        [at(R.MEMBER_MISSING, "body/entity"), at(R.MEMBER_MISSING, "body/adjustment")],
        asking_for_transfer_data,
    ),
    "an entity acquires that is not authorized": Case(
        *good("first transfer", entity="Other Airline"),
        [at(R.AUTHORIZATION_PARTY, "body/entity")],
    ),
    "a use names an acquiring entity": Case(
        *good("use", entity="Airline of the Alps", adjustment="averaging"),
        [at(R.MEMBER_SUPERFLUOUS, "body/entity"), at(R.MEMBER_SUPERFLUOUS, "body/adjustment")],
    ),
    # --- metrics
    "the quantity is in another metric than the units": Case(
        *good("use", unit="MWh"),
        [at(R.METRIC_DIFFERS, "body/unit", I, 11, 20)],
    ),
    "units of another metric are issued in tonnes": Case(
        *line("issuance", attributes=Attributes(metric="non-GHG", unit="MWh")),
        [at(R.METRIC_DIFFERS, "body/unit", U, 2001, 2100)],
    ),
    "another metric is authorized": Case(
        *good("first transfer"),
        [at(R.METRIC_DIFFERS, "body/authorization")],
        amended(GHA, metric="non-GHG", unit="MWh"),
    ),
    "an authorization has no quantity in any metric": Case(
        *good("authorization", unit="MWh"),
        [at(R.MEMBER_SUPERFLUOUS, "body/unit")],
    ),
}


def told(found: list[Finding]) -> list[Where]:
    return [
        (f.reason, f.field, (f.key, f.first, f.last) if f.key is not None else None) for f in found
    ]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_proposal_passes(name: str) -> None:
    world = settled()
    assert world.examine(*GOOD[name]) == []
    assert world.examine(*GOOD[name], first=False) == []


@pytest.mark.requirement(95, case="CERs are used for a flight")
@pytest.mark.requirement(95, case="CERs are used towards a later NDC")
@pytest.mark.requirement(95, case="CERs are cancelled for a flight")
@pytest.mark.requirement(14, case="an issuance on another request than was approved")
@pytest.mark.requirement(15, case="an issuance of A6.4ERs that nobody has approved")
@pytest.mark.requirement(15, case="one A6.4ER more than was approved")
@pytest.mark.requirement(16, case="a Party records an approval in the mechanism registry")
@pytest.mark.requirement(17, case="A6.4ERs are issued and not designated")
@pytest.mark.requirement(21, case="pending units leave uninstructed")
@pytest.mark.requirement(21, case="an instruction by nobody of the activity")
@pytest.mark.requirement(21, case="authorized units are forwarded to another Party")
@pytest.mark.requirement(22, case="pending units are cancelled uninstructed")
@pytest.mark.requirement(89, case="contributions are authorized after their first transfer")
@pytest.mark.requirement(89, case="contributions are authorized after their cancellation")
@pytest.mark.requirement(89, case="units are designated that are no contributions")
@pytest.mark.requirement(89, case="contributions are designated for what is not authorized")
@pytest.mark.requirement(89, case="another Party authorizes contributions")
@pytest.mark.requirement(17, case="A6.4ERs leave that nobody authorized")
@pytest.mark.requirement(17, case="a mitigation contribution leaves from the share of proceeds")
@pytest.mark.requirement(18, case="the share of proceeds is one unit short")
@pytest.mark.requirement(18, case="the share of proceeds is one unit over")
@pytest.mark.requirement(18, case="the share of proceeds is rounded down")
@pytest.mark.requirement(18, case="a levy is issued and not first-transferred")
@pytest.mark.requirement(19, case="the cancellation for overall mitigation is one unit short")
@pytest.mark.requirement(21, case="an instruction by a participant of another activity")
@pytest.mark.requirement(27, case="a Party cancels administratively")
@pytest.mark.requirement(27, case="a Party records an approval in the mechanism registry")
@pytest.mark.requirement(27, case="a Party takes CERs in")
@pytest.mark.requirement(28, case="the quantity is in another metric than the units")
@pytest.mark.requirement(28, case="units of another metric are issued in tonnes")
@pytest.mark.requirement(28, case="another metric is authorized")
@pytest.mark.requirement(3, case="the authorization is superseded")
@pytest.mark.requirement(9, case="a cancellation for an NDC")
@pytest.mark.requirement(114, case="an entity acquires that is not authorized")
@pytest.mark.requirement(15, case="an issuance of A6.4ERs says that more was approved")
@pytest.mark.requirement(14, case="an issuance that rests on nothing")
@pytest.mark.requirement(96, case="an issuance deposits too little in the buffer")
@pytest.mark.requirement(96, case="the buffer is cancelled for nothing")
@pytest.mark.requirement(96, case="the buffer of another actor is replenished")
@pytest.mark.requirement(95, case="CERs are ITMOs")
@pytest.mark.requirement(14, case="an issuance of A6.4ERs that nobody has approved")
@pytest.mark.requirement(40, case="issued units with no attributes")
@pytest.mark.requirement(2, case="a transfer of nothing")
@pytest.mark.requirement(3, case="no such authorization")
@pytest.mark.requirement(3, case="the authorization is revoked")
@pytest.mark.requirement(3, case="the vintage is too late for the authorization")
@pytest.mark.requirement(4, case="A6.4ERs are first-transferred again")
@pytest.mark.requirement(5, case="a transfer to nobody")
@pytest.mark.requirement(7, case="units are used already")
@pytest.mark.requirement(12, 77, case="the international registry issues")
@pytest.mark.requirement(16, case="a Party issues in the mechanism registry")
@pytest.mark.requirement(16, case="A6.4ERs are issued into a holding account")
@pytest.mark.requirement(17, case="a mitigation contribution leaves")
@pytest.mark.requirement(19, case="the cancellation for overall mitigation is rounded down")
@pytest.mark.requirement(27, case="a Party forwards in the mechanism registry")
@pytest.mark.requirement(56, 73, case="units were first-transferred, and so are locked")
@pytest.mark.requirement(60, 75, case="the author is in testing")
@pytest.mark.requirement(73, case="locked units are cancelled")
@pytest.mark.requirement(74, case="the profile is view, which lets nothing move")
@pytest.mark.requirement(80, case="a first transfer for NDCs stays at home")
@pytest.mark.requirement(10, case="what delivers overall mitigation goes elsewhere")
@pytest.mark.requirement(80, case="a first transfer for NDCs goes to the same Party")
@pytest.mark.requirement(81, case="an issuance that is a first transfer and does not say so")
@pytest.mark.requirement(81, case="abroad, of what is first-transferred by its use")
@pytest.mark.requirement(84, case="an airline uses what is authorized for NDCs alone")
@pytest.mark.requirement(86, case="one unit more is issued as first-transferred than is authorized")
@pytest.mark.requirement(87, case="a use under an authorization whose revocation binds")
@pytest.mark.requirement(87, case="a transfer under an authorization whose revocation binds")
@pytest.mark.requirement(88, case="a counter-entry by the version that was revoked")
@pytest.mark.requirement(88, case="a counter-entry of units that are used")
@pytest.mark.requirement(
    88, case="a counter-entry of units whose terms let no revocation bind them"
)
@pytest.mark.requirement(88, case="a counter-entry by somebody else than the holder")
@pytest.mark.requirement(83, case="the vintage is before 2021")
@pytest.mark.requirement(84, case="the purpose is not authorized")
@pytest.mark.requirement(84, case="the purpose of a cancellation is not authorized")
@pytest.mark.requirement(85, case="the using entity is not authorized")
@pytest.mark.requirement(85, case="the using Party is not authorized")
@pytest.mark.requirement(85, case="an entity acquires that is not authorized")
@pytest.mark.requirement(85, case="an entity uses in the section of a Party that is not authorized")
@pytest.mark.requirement(84, case="units that nobody authorized are cancelled for a flight")
@pytest.mark.requirement(84, case="contributions are cancelled for a flight")
@pytest.mark.requirement(84, case="A6.4ERs are used for what they are not designated for")
@pytest.mark.requirement(84, case="a contribution is used")
@pytest.mark.requirement(84, case="a cancellation for an NDC")
@pytest.mark.requirement(85, case="the use is for another Party")
@pytest.mark.requirement(
    85, case="a Party uses for a flight in the name of another, though any entity may"
)
@pytest.mark.requirement(84, case="another international mitigation purpose than is authorized")
@pytest.mark.requirement(7, case="an administrator uses units towards an NDC")
@pytest.mark.requirement(86, case="MWh under an authorization of a quantity in no metric")
@pytest.mark.requirement(83, case="units are issued of a year that has not begun")
@pytest.mark.requirement(86, case="one unit more than is authorized")
@pytest.mark.requirement(86, case="the vintage is too early for the authorization")
@pytest.mark.requirement(86, case="the use is too late for the authorization")
@pytest.mark.requirement(112, case="units are under a case")
@pytest.mark.requirement(122, case="issued serials exist")
@pytest.mark.requirement(43)
@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_found_and_nothing_else(name: str) -> None:
    case = CASES[name]
    world = settled()
    case.spoil(world)
    found = world.examine(case.author, case.wanted, **case.ask)
    assert told(found) == case.found, [str(f) for f in found]
    assert all(f.code == f.reason.rule.code for f in found)


def test_every_reason_that_a_check_can_give_has_a_case() -> None:
    given = {
        Reason[node.attr]
        for module in (
            checks,
            binding_checks,
            action_checks,
            approvals,
            authorization_checks,
            mechanism_checks,
            buffer_checks,
            cer_checks,
            counter_entry_checks,
        )
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Reason"
    }
    assert given == {reason for case in CASES.values() for reason, _, _ in case.found}


# --- who owes an answer ---------------------------------------------------------------------------


def test_who_owes_an_answer_is_told_the_oldest_case_and_may_do_what_moves_nothing() -> None:
    world = settled()
    owes_an_answer("REC-9", "REC-10")(world)
    (found,) = world.examine(*GOOD["use"])
    assert (found.case, found.detail) == (
        "REC-9",
        "CHE01/CHE has not answered under case REC-9 and 1 more",
    )
    assert world.examine(*GOOD["first transfer"]) == [], "to it, units go on coming"
    world.overdue[GHA] = (CaseId("REC-11"),)
    assert world.examine(*GOOD["issuance"]) == []
    assert world.examine(*GOOD["authorization"]) == []
    world.policy = replace(world.policy, suspend_overdue=False)
    assert world.examine(*GOOD["use"]) == []


@pytest.mark.requirement(114)
def test_what_goes_to_another_party_says_to_whom_and_how_it_is_adjusted_for() -> None:
    world = settled()
    asking_for_transfer_data(world)
    said = {"entity": FLIGHT.user, "adjustment": "averaging"}
    for name in ("first transfer", "first transfer of A6.4ERs"):
        assert world.examine(*good(name, **said)) == []
        for member in said:
            (found,) = world.examine(*good(name, **said | {member: None}))
            assert (found.reason, found.field) == (R.MEMBER_MISSING, f"body/{member}")
    for name in ("first transfer at home", "transfer", "use", "forwarding"):
        assert world.examine(*GOOD[name]) == [], "it does not leave the Party in its key"


@pytest.mark.requirement(114)
@pytest.mark.parametrize("member", ["acquirer", "quantity", "authorization", "lines"])
def test_a_proposal_says_who_how_much_what_and_by_which_authorization(member: str) -> None:
    author, wanted = GOOD["first transfer"]
    said = wanted.model_dump(mode="json")
    without = {name: value for name, value in said.items() if name != member}
    if member == "quantity":
        with pytest.raises(ValidationError, match="quantity"):
            Proposal.model_validate_json(json.dumps(without))
        return
    less = Proposal.model_validate_json(json.dumps(without))
    found = {f.reason for f in settled().examine(author, less)}
    wrong = {"acquirer": R.ACCOUNT_WRONG}
    assert wrong.get(member, R.MEMBER_MISSING) in found


def test_issuances_under_one_approval_are_summed_and_another_s_is_another() -> None:
    world = settled()
    under = IssuanceReferences(request="R", approval="S", approved_quantity=150)
    author, wanted = good("issuance", references=under)
    world.act(author, wanted)
    (one,) = wanted.lines
    rest = one.model_copy(update={"first": 3001, "last": 3050})
    more = wanted.model_copy(update={"lines": (rest,), "quantity": 50})
    world.act(author, more)
    last = rest.model_copy(update={"first": 4001, "last": 4001})
    late = wanted.model_copy(update={"lines": (last,), "quantity": 1})
    assert told(world.examine(author, late)) == [at(R.APPROVAL_EXCEEDED, "body/quantity")]
    world.approvals[CHE, "S"] = world.approvals.pop((GHA, "S"))
    assert world.examine(author, late) == []


# --- which class stops --------------------------------------------------------------------------


def test_the_first_class_that_fails_stops_and_finds_all_that_it_can() -> None:
    world = settled()
    author, wanted = line("use", source=account(CHE, "USE"), first=91, last=92, itmo_first=1)
    late = wanted.model_copy(update={"expires_at": NOON, "quantity": 7})
    assert told(world.examine(author, late)) == [
        at(R.MEMBER_SUPERFLUOUS, "body/lines/0/itmo_first"),
        at(R.QUANTITY_DIFFERS, "body/quantity"),
    ]
    fixed = late.model_copy(
        update={"quantity": 2, "lines": (wanted.lines[0].model_copy(update={"itmo_first": None}),)}
    )
    assert told(world.examine(author, fixed)) == [at(R.ACCOUNT_WRONG, "body/lines/0/source")]
    author, wanted = line("use", first=91, last=92)
    late = wanted.model_copy(update={"expires_at": NOON})
    assert told(world.examine(author, late)) == [at(R.PROPOSAL_LATE, "body/expires_at")]
    assert told(world.examine(author, wanted)) == [at(R.UNITS_FINAL, "body/lines/0", I, 91, 92)]


def test_classes_stand_in_the_order_of_the_catalogue_but_for_who_may_issue_at_all() -> None:
    order = [check_class for check_class, _ in CLASSES]
    assert order.count(CheckClass.SPECIFIC) == 2
    order.remove(CheckClass.SPECIFIC)
    assert order == sorted(order, key=list(CheckClass).index)


def test_findings_are_no_more_than_fit_an_answer() -> None:
    world = settled()
    author, wanted = GOOD["use"]
    lines = tuple(
        wanted.lines[0].model_copy(update={"first": n, "last": n, "target": HLD[CHE]})
        for n in range(1, LINES_MAX + 1)
    )
    many = wanted.model_copy(update={"lines": lines, "quantity": LINES_MAX})
    assert len(world.examine(author, many)) == FINDINGS_MAX


# --- when and where a proposal is checked -------------------------------------------------------


def test_a_lifetime_is_no_matter_when_a_proposal_is_checked_again() -> None:
    world = settled()
    author, wanted = good("first transfer", expires_at=NOON)
    assert world.examine(author, wanted, first=False) == []


def test_thirty_days_are_not_too_long() -> None:
    assert PROPOSAL_LIFETIME_SECONDS_MAX == 30 * 24 * 3600
    assert settled().examine(*good("use", expires_at=Instant("2027-03-31T12:00:00.000000Z"))) == []


def test_a_transactions_own_reservation_does_not_hinder_it() -> None:
    world = settled()
    author, wanted = GOOD["first transfer"]
    own = str(world.ask(author, wanted).transaction)
    world.holdings.lay(Overlay(OverlayKind.RESERVED, GHA, U, 1101, 1150, own))
    assert world.examine(author, wanted, first=False) == []


@pytest.mark.parametrize("kind", [OverlayKind.PLEDGED, OverlayKind.DISPUTED])
def test_other_overlays_do_not_hinder(kind: OverlayKind) -> None:
    world = settled()
    world.holdings.lay(Overlay(kind, CHE, I, 11, 20, "REC-3"))
    assert world.examine(*GOOD["use"]) == []


def test_a_freeze_of_another_actors_claim_does_not_hinder_the_holder() -> None:
    world = settled()
    world.holdings.lay(Overlay(OverlayKind.FROZEN, GHA, I, 11, 20, "REC-3"))
    assert world.examine(*GOOD["use"]) == []


@pytest.mark.requirement(7)
def test_a_frozen_units_finding_names_its_case_and_what_is_final_shows_its_use() -> None:
    world = settled()
    world.holdings.lay(Overlay(OverlayKind.FROZEN, CHE, I, 11, 20, "REC-3"))
    (found,) = world.examine(*GOOD["use"])
    assert (found.case, found.detail) == ("REC-3", "under case REC-3")
    (found,) = world.examine(*line("use", first=91, last=92))
    assert found.detail == f"use in {account(CHE, 'USE')}: NDC by CHE for 2026"


def test_the_acquirer_may_be_suspended_which_is_for_outgoing_actions() -> None:
    world = settled()
    status("CHE01", Status.SUSPENDED)(world)
    assert world.examine(*GOOD["first transfer"]) == []


def test_a_registry_in_testing_may_record_an_authorization() -> None:
    world = settled()
    status("GHA01", Status.TESTING)(world)
    assert world.examine(*GOOD["authorization"]) == []
    assert world.examine(*GOOD["issuance"])[0].reason is R.PARTICIPANT_TESTING


def test_inside_a_registry_no_profile_is_needed() -> None:
    assert settled().directory.profile(ADM, MMR) is Profile.VIEW
    assert settled().examine(*GOOD["forwarding"]) == []


def test_a_node_does_not_miss_facts_that_only_the_hub_has() -> None:
    world = settled()
    world.whole = False
    forget(world)
    assert world.examine(*GOOD["use"]) == []
    assert told(world.examine(*GOOD["first transfer"])) == [
        at(R.AUTHORIZATION_MISSING, "body/authorization")
    ], "its own authorizations a registry does know"
    author, wanted = line("issuance", first=1999, last=2010)
    (found,) = world.examine(author, wanted)
    assert "GHA01/GHA" not in found.detail, "a node's rows are not everybody's"


def test_new_terms_do_not_touch_units_first_transferred_under_the_old_ones() -> None:
    world = settled()
    authorized(GHA, revoked=True, purposes=(Purpose.NDC,), first_transfer=None, oimp=None)(world)
    assert world.examine(*GOOD["use"]) == []
    assert world.examine(*GOOD["use by an entity"]) == []


@pytest.mark.requirement(34)
def test_rules_that_change_leave_what_was_recorded_under_the_old_ones() -> None:
    world = settled()
    world.policy = replace(
        world.policy, vintage_from=2030, share_of_proceeds_permille=200, omge_permille=500
    )
    assert [f.reason for f in world.examine(*GOOD["issuance"])] == [R.VINTAGE_TOO_EARLY]
    for name in sorted(name for name in GOOD if not name.startswith("issuance")):
        assert world.examine(*GOOD[name]) == [], name


@pytest.mark.requirement(87)
@pytest.mark.parametrize("name", ["use", "use by an entity", "transfer", "cancellation"])
def test_a_revocation_is_nothing_to_units_that_were_first_transferred(name: str) -> None:
    world = settled()
    world.act(GHA, authorization(GHA, version=2, revoked=True))
    assert world.examine(*GOOD[name]) == []
    revoked = AuthorizationRef(id=AUTHORIZED.id, version=2)
    for fresh in ("first transfer", "first transfer by use", "first transfer by cancellation"):
        (found,) = world.examine(*good(fresh, authorization=revoked))
        assert found.reason is R.AUTHORIZATION_REVOKED


@pytest.mark.requirement(86)
def test_a_quantity_is_counted_over_all_versions_and_ways_of_first_transfer() -> None:
    world = settled()  # 100 of Ghana's are first-transferred
    for name, used in (
        ("first transfer", 150),
        ("first transfer by use", 160),
        ("first transfer by cancellation", 170),
        ("first transfer for overall mitigation", 172),
    ):
        world.act(*GOOD[name])
        assert world.authorizations[U.party, AUTHORIZED.id].used == used
    world.act(GHA, authorization(GHA, version=2, quantity=181))
    second = AuthorizationRef(id=AUTHORIZED.id, version=2)
    (found,) = world.examine(*good("first transfer of a Party's ITMOs", authorization=second))
    assert (found.reason, found.detail) == (
        R.AUTHORIZATION_EXCEEDED,
        "172 of 181 used, 10 asked for",
    )


@pytest.mark.requirement(7)
@pytest.mark.requirement(9)
@pytest.mark.parametrize("second", [NDC, FLIGHT, VOLUNTARY, OMGE])
@pytest.mark.parametrize("first", [NDC, FLIGHT, VOLUNTARY, OMGE])
def test_a_second_use_under_any_scheme_is_refused_and_shows_the_first(
    first: UseMark, second: UseMark
) -> None:
    """Units that one scheme had retired were once sold again into another."""

    def ended(mark: UseMark, source: str) -> Proposal:
        code = "USE" if mark.cancellation is None else "CAN"
        code = "OMG" if mark is OMGE else code
        action = "use" if code == "USE" else "cancellation"
        return move(action, I, 51, 60, account(CHE, source), account(CHE, code), use=mark)

    world = settled()
    world.act(CHE, ended(first, "HLD"))
    (found,) = world.examine(CHE, ended(second, "HLD"))
    assert found.reason is R.UNITS_FINAL
    assert found.detail.endswith(first.words)
    moved = move("transfer", I, 51, 60, HLD[CHE], HLD[GHA])
    assert [f.reason for f in world.examine(CHE, moved)] == [R.UNITS_FINAL]


def test_what_is_authorized_to_the_last_unit_passes() -> None:
    world = settled()
    amended(GHA, quantity=150)(world)
    world.act(*GOOD["first transfer"])
    assert told(world.examine(GHA, first_transfer(1151, 1151, 151))) == [
        at(R.AUTHORIZATION_EXCEEDED, "body/quantity")
    ]


def test_an_authorization_for_any_party_and_entity_covers_all() -> None:
    world = settled()
    amended(GHA, parties=(), entities=(), quantity=None)(world)
    assert world.examine(*GOOD["first transfer"]) == []
    other = UseMark(purpose=Purpose.IMP, user="Other Airline")
    assert world.examine(*good("use by an entity", use=other)) == []


@pytest.mark.requirement(19, case="7125-357-143")
@pytest.mark.parametrize(
    ("quantity", "share", "omge"),
    [(1, 1, 1), (20, 1, 1), (21, 2, 1), (50, 3, 1), (51, 3, 2), (100, 5, 2), (7125, 357, 143)],
)
def test_levies_are_rounded_up(quantity: int, share: int, omge: int) -> None:
    assert (levy(quantity, 50), levy(quantity, 20)) == (share, omge)


@pytest.mark.requirement(18, 19)
@pytest.mark.parametrize(
    ("rounding", "share", "omge"), [("up", 357, 143), ("nearest", 356, 143), ("down", 356, 142)]
)
def test_how_levies_are_rounded_the_settings_say(rounding: Rounding, share: int, omge: int) -> None:
    chosen = Policy(share_of_proceeds_rounding=rounding, omge_rounding=rounding)
    assert levies(7125, chosen) == (share, omge)


@pytest.mark.requirement(18, 19)
@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, [R.SHARE_OF_PROCEEDS_WRONG, R.OMGE_TOO_SMALL]),
        ({"share_of_proceeds_rounding": "down"}, [R.OMGE_TOO_SMALL]),
        ({"omge_rounding": "nearest"}, [R.SHARE_OF_PROCEEDS_WRONG]),
        ({"share_of_proceeds_rounding": "nearest", "omge_rounding": "down"}, []),
    ],
)
def test_the_hub_asks_levies_as_the_settings_round_them(
    settings: dict[str, Any], found: list[Reason]
) -> None:
    world = settled()
    world.policy = replace(world.policy, **settings)
    assert [f.reason for f in world.examine(*levied(94, 5, 2))] == found


@pytest.mark.requirement(67)
def test_other_itmos_pass_to_the_mechanism_registry_where_that_is_chosen() -> None:
    world = settled()
    connected(CHE, MMR, Profile.UNIT)(world)
    wanted = good("transfer", acquirer=MMR, lines=(TO_MECHANISM,))
    assert [f.reason for f in world.examine(*wanted)] == [R.PROFILE_FORBIDS]
    world.policy = replace(world.policy, mechanism_passes_all=True)
    assert world.examine(*wanted) == []


@pytest.mark.requirement(68)
def test_a6_4ers_go_straight_to_a_party_s_registry_where_that_is_chosen() -> None:
    world = settled()
    connected(CHE, MMR, Profile.UNIT)(world)
    amended(MMR, parties=("CHE",))(world)
    wanted = good("first transfer of A6.4ERs", acquirer=CHE, lines=(TO_SWITZERLAND,))
    assert [f.reason for f in world.examine(*wanted)] == [R.PROFILE_FORBIDS]
    world.policy = replace(world.policy, mechanism_to_parties=True)
    assert world.examine(*wanted) == []


def test_a_deposit_in_the_buffer_is_rounded_up() -> None:
    world = settled()
    needs_buffer(11)(world)
    assert world.examine(*buffered(91, 2)) == []


@pytest.mark.requirement(96)
def test_a_reversal_of_500_is_made_good_from_the_buffer_and_made_up_for() -> None:
    """A synthetic reversal: 700 deposited, 500 cancelled, and as many deposited again."""
    world = settled()
    world.act(ADM, approval("SB-R", 10_000, B, buffer_permille=70))
    lines = []
    for first, last, code in (
        (1001, 9600, "PEN"),
        (9601, 10_300, "BUF"),
        (10_301, 10_800, "SOP"),
        (10_801, 11_000, "OMG"),
    ):
        said = Attributes(designation="MCU", first_transferred=code in {"SOP", "OMG"})
        target = account(ADM, code)
        lines.append(Line(key=B, first=first, last=last, target=target, attributes=said))
    author, wanted = lines_of("issuance of A6.4ERs", *lines)
    world.act(author, wanted.model_copy(update={"references": rests_on("SB-R", 10_000)}))
    world.act(ADM, reversed_by(9601, 10_100))
    back = move(
        "replenishment",
        B,
        1001,
        1500,
        account(ADM, "PEN"),
        account(ADM, "BUF"),
        reversal="RV-1",
        instruction=instruction(B, approval="SB-R"),
    )
    world.act(ADM, back)
    sums: dict[Kind, int] = {}
    for row in world.holdings.find(B.series, 1001, 11_000):
        sums[row.position.kind] = sums.get(row.position.kind, 0) + row.last - row.first + 1
    assert (sums[Kind.BUFFER], sums[Kind.ADMINISTRATIVE], sums[Kind.PENDING]) == (700, 500, 8100)
    again = reversed_by(9601, 9700)
    assert [f.reason for f in world.examine(ADM, again)] == [R.UNITS_FINAL]


def test_more_than_the_least_may_be_cancelled_for_overall_mitigation() -> None:
    assert settled().examine(*levied(85, 5, 10)) == []


@pytest.mark.requirement(22)
def test_a_partial_cancellation_splits_the_block() -> None:
    world = settled()
    world.act(*GOOD["cancellation"])
    rows = {(b.first, b.last, b.position.kind) for b in world.holdings.find(I.series, 31, 45)}
    assert rows == {(31, 40, Kind.CANCELLATION), (41, 45, Kind.HOLDING)}


@pytest.mark.requirement(20)
@pytest.mark.parametrize(
    ("action", "target", "members"),
    [
        ("forwarding", "HLD", {}),
        ("transfer", "HLD", {}),
        ("first-transfer", "HLD", {"authorization": AUTHORIZED64}),
        ("use", "USE", {"use": FLIGHT}),
        ("cancellation", "CAN", {"use": FLIGHT}),
    ],
)
def test_nothing_is_done_with_what_was_cancelled_for_overall_mitigation(
    action: str, target: str, members: dict[str, Any]
) -> None:
    into = account(MMR if target == "HLD" else ADM, target)
    for source in (account(ADM, "OMG"), account(ADM, "PEN"), account(ADM, "HLD")):
        wanted = move(action, A, 99, 100, source, into, **members)
        found = {finding.reason for finding in settled().examine(ADM, wanted)}
        assert found & {R.ACCOUNT_WRONG, R.UNITS_FINAL}, source


@pytest.mark.requirement(22)
def test_a_part_of_pending_units_is_cancelled_on_an_instruction_and_the_rest_stays() -> None:
    world = settled()
    world.act(ADM, PENDING_CANCELLED)
    rows = {(b.first, b.last, b.position.kind) for b in world.holdings.find(B.series, 161, 175)}
    assert rows == {(161, 170, Kind.CANCELLATION), (171, 175, Kind.PENDING)}


@pytest.mark.requirement(89)
def test_contributions_that_were_authorized_later_leave_as_others_do() -> None:
    world = settled()
    world.act(*GOOD["designation"])
    (row,) = world.holdings.find(B.series, 111, 120)
    assert (row.attributes.designation, row.attributes.authorization) == ("I", AUTHORIZED64)
    assert not row.attributes.first_transferred
    world.act(MMR, designation(121, 130, "N"))
    there = account(KOR, "HLD")
    bring = move("first-transfer", B, 121, 130, HLD[MMR], there, authorization=AUTHORIZED64)
    world.act(MMR, bring)
    (gone,) = world.holdings.find(B.series, 121, 130)
    assert (gone.position.actor, gone.attributes.first_transferred) == (KOR, True)


def test_pending_units_may_be_cancelled_as_they_are() -> None:
    pending, gone = account(ADM, "PEN"), account(ADM, "CAN")
    cancelled = move("cancellation", A, 71, 80, pending, gone, use=FLIGHT)
    named = cancelled.model_copy(update={"authorization": AUTHORIZED64})
    assert settled().examine(ADM, named) == []
    contribution = move("cancellation", B, 161, 170, pending, gone, use=BUYER)
    assert settled().examine(ADM, contribution) == []


LINE_OF_KEY = "lines/0/key"
LEFT_OUT = [
    *("action", "acquirer", "lines", "quantity", "authorization", "expires_at", LINE_OF_KEY),
    *(f"{LINE_OF_KEY}/{name}" for name in ("layer", "approach", "registry", "party", "vintage")),
    *(f"lines/0/{name}" for name in ("first", "last", "source", "target", "itmo_first")),
]


@pytest.mark.requirement(40)
@pytest.mark.parametrize("path", LEFT_OUT)
def test_no_member_of_a_first_transfer_can_be_left_out(path: str) -> None:
    author, wanted = GOOD["first transfer"]
    said = json.loads(wanted.model_dump_json(exclude_none=True))
    assert not is_refused(author, said)
    *way, name = path.split("/")
    inner = said
    for step in way:
        inner = inner[int(step) if step.isdigit() else step]
    del inner[name]
    assert is_refused(author, said)


def is_refused(author: Actor, said: dict[str, Any]) -> bool:
    """Whether this is no proposal, or one that does not pass."""
    try:
        wanted = Proposal.model_validate_json(json.dumps(said))
    except ValidationError:
        return True
    return settled().examine(author, wanted) != []


# --- whatever is proposed -----------------------------------------------------------------------

CHANGES: list[tuple[str, Any]] = [
    ("action", action) for action in ("issuance", "authorization", "forwarding", "first-transfer")
]
CHANGES += [("action", "transfer"), ("action", "use"), ("action", "cancellation")]
CHANGES += [("acquirer", actor) for actor in (None, GHA, CHE, KOR, FRANCE, Actor("HUB"))]
CHANGES += [("use", None), ("use", NDC), ("use", FLIGHT), ("authorization", AUTHORIZED)]
CHANGES += [("authorization", None), ("terms", terms(GHA)), ("terms", None), ("references", None)]
CHANGES += [("quantity", 0), ("quantity", 10), ("expires_at", LATER)]
LINE_CHANGES: list[tuple[str, Any]] = [("key", key) for key in (U, I, A, B, OTHER_KEY)]
LINE_CHANGES += [("first", n) for n in (1, 11, 1101, SERIAL_MAX)]
LINE_CHANGES += [("last", n) for n in (1, 20, 1150, SERIAL_MAX)]
LINE_CHANGES += [("itmo_first", n) for n in (None, 1, 101, SERIAL_MAX)]
LINE_CHANGES += [("attributes", a) for a in (None, Attributes(), Attributes(designation="MCU"))]
LINE_CHANGES += [
    (end, account(actor, code))
    for end in ("source", "target")
    for actor in (GHA, CHE, ADM)
    for code in ("HLD", "PEN", "LCK", "USE", "SOP", "ZZZ")
]
LINE_CHANGES += [("source", None), ("target", None)]


@given(
    st.sampled_from(sorted(GOOD)),
    st.lists(st.sampled_from(CHANGES), max_size=2),
    st.lists(st.sampled_from(LINE_CHANGES), max_size=4),
    st.sampled_from([GHA, CHE, ADM, None]),
    st.booleans(),
)
def test_whatever_is_proposed_is_refused_or_can_be_carried_out(
    name: str,
    changes: list[tuple[str, Any]],
    line_changes: list[tuple[str, Any]],
    other: Actor | None,
    sum_up: bool,  # noqa: FBT001
) -> None:
    author, wanted = GOOD[name]
    lines = tuple(one.model_copy(update=dict(line_changes)) for one in wanted.lines)
    total = max(sum(x.last - x.first + 1 for x in lines), 0)
    wanted = wanted.model_copy(
        update={"lines": lines} | ({"quantity": total} if sum_up else {}) | dict(changes)
    )
    world = settled_copy()
    author = other or author
    world.whole = False
    examine(world.ask(author, wanted))
    world.whole = True
    found = examine(world.ask(author, wanted))
    assert len(found) <= FINDINGS_MAX
    if not found:
        for effect in completion(wanted, author, world.holdings, world.message(wanted)):
            assert apply(world.holdings, effect, Everybody()) == []


SETTLED = settled()


def settled_copy() -> World:
    """The settled world again, without settling it again."""
    holdings = Holdings(SETTLED.holdings.blocks(), SETTLED.holdings.overlays())
    known = {
        key: Authorization(dict(one.versions), one.used)
        for key, one in SETTLED.authorizations.items()
    }
    return replace(SETTLED, holdings=holdings, authorizations=known)


def test_a_share_of_proceeds_may_be_sold_inside_the_mechanism_registry() -> None:
    world = settled()
    changed(B, 194, 198, first_transferred=True)(world)
    sold = move("transfer", B, 194, 198, account(ADM, "SOP"), account(MMR, "HLD"))
    assert world.examine(ADM, sold) == []


def test_the_largest_serial_is_one_that_can_be() -> None:
    last = SERIAL_MAX
    assert settled().examine(*line("first transfer", itmo_first=last - 49)) == []
    assert told(settled().examine(*line("first transfer", itmo_first=last - 48))) == [
        at(R.SERIALS_TAKEN, "body/lines/0/itmo_first")
    ]


def test_years_at_the_edge_of_a_timeframe_are_inside_it() -> None:
    world = settled()
    amended(GHA, vintage_from=2023, vintage_to=2023)(world)
    assert world.examine(*GOOD["first transfer"]) == []
    for year in (2024, 2030):
        assert world.examine(*good("use", use=NDC.model_copy(update={"year": year}))) == []
    assert world.examine(*line("issuance", key=U.model_copy(update={"vintage": 2021}))) == []


def test_a_wrong_account_says_which_would_be_right() -> None:
    (found,) = settled().examine(*line("use", target=account(CHE, "HLD", 2)))
    assert found.detail.endswith("this needs an account of CHE01/CHE of kind use")
    (found,) = settled().examine(*line("first transfer", source=account(GHA, "LCK")))
    assert found.detail.endswith("this needs an account of GHA01/GHA of kind holding")


@pytest.mark.requirement(95)
@pytest.mark.parametrize(("last", "year"), [(2025, 2025), (2025, 2026), (2035, 2031), (2035, 2036)])
def test_cers_are_used_as_long_as_first_ndcs_last_by_the_settings(last: int, year: int) -> None:
    world = settled()
    world.policy = replace(world.policy, first_ndc_last_year=last)
    author, wanted = good("use of CERs", use=NDC_MYANMAR.model_copy(update={"year": year}))
    late = [at(R.FIRST_NDC_ONLY, "body/use/year")] if year > last else []
    assert told(world.examine(author, wanted)) == late


@pytest.mark.requirement(85)
def test_the_party_that_authorizes_uses_what_came_back_to_it() -> None:
    """Check II06: whoever uses is the authorizer or one that it lists."""
    world = settled()
    world.act(*GOOD["transfer"])
    mark = NDC.model_copy(update={"user": "GHA"})
    back = move("use", I, 1, 2, HLD[GHA], account(GHA, "USE"), use=mark)
    assert world.examine(GHA, back) == []
    world.act(CHE, move("use", I, 21, 30, HLD[CHE], account(CHE, "USE"), use=flight_of("CHE")))


def flight_of(user: str) -> UseMark:
    return UseMark(purpose=Purpose.IMP, user=user)


@pytest.mark.requirement(85)
def test_an_entity_of_three_letters_is_one_where_the_terms_name_it() -> None:
    world = settled()
    amended(GHA, entities=("ANA", FLIGHT.user))(world)
    assert world.examine(*good("use by an entity", use=flight_of("ANA"))) == []
    (found,) = world.examine(*good("use by an entity", use=flight_of("JAL")))
    assert found.reason is R.AUTHORIZATION_PARTY


@pytest.mark.requirement(86)
@pytest.mark.parametrize(
    ("now", "passes"),
    [
        ("2025-12-31T23:59:59.999999Z", False),
        ("2026-01-01T00:00:00.000000Z", True),
        ("2026-12-31T23:59:59.999999Z", True),
        ("2027-01-01T00:00:00.000000Z", False),
    ],
)
def test_a_timeframe_ends_with_the_last_moment_of_its_last_year(now: str, *, passes: bool) -> None:
    world = settled()
    amended(GHA, use_from=2026, use_to=2026)(world)
    world.now = Instant(now)
    later = Instant.of(world.now.moment() + timedelta(days=1))
    out = [at(R.AUTHORIZATION_OUT_OF_TIME, "body/use", I, 21, 30)]
    wanted = good("use by an entity", expires_at=later)
    assert told(world.examine(*wanted)) == ([] if passes else out)


@pytest.mark.requirement(83)
@pytest.mark.parametrize("moment", ["2027-12-31T23:59:59.999999Z", "2028-01-01T00:00:00.000000Z"])
def test_a_vintage_is_there_from_the_first_moment_of_its_year_on(moment: str) -> None:
    world = settled()
    world.now = Instant(moment)
    later = Instant.of(world.now.moment() + timedelta(days=1))
    author, wanted = line("issuance", key=NEXT_YEAR)
    found = world.examine(author, wanted.model_copy(update={"expires_at": later}))
    assert [f.reason for f in found] == [R.KEY_WRONG] * moment.startswith("2027")


@pytest.mark.requirement(3, 8)
@pytest.mark.parametrize(
    "changes",
    [
        {"vintage_from": 2026, "vintage_to": 2025},
        {"use_from": 2031, "use_to": 2030},
        {"party": "ADM"},
        {"version": 0},
        {"version": 10_000},
        {"quantity": -1},
        {"quantity": 2**53},
        {"purposes": ()},
        {"purposes": ("NDC", "NDC")},
        {"purposes": ("OIMP",)},
        {"first_transfer": None},
        {"purposes": ("NDC",)},
        {"parties": ("ADM",)},
        {"parties": ("Switzerland",)},
        {"entities": ("",)},
        {"id": "-"},
        {"oimp": ""},
        {"purposes": ("NDC",), "first_transfer": None},
    ],
)
def test_terms_that_say_nothing_that_can_be_kept_to_are_none(changes: dict[str, Any]) -> None:
    given = json.loads(terms(GHA).model_dump_json())
    assert AuthorizationTerms.model_validate_json(json.dumps(given)) == terms(GHA)
    with pytest.raises(ValidationError):
        AuthorizationTerms.model_validate_json(json.dumps(given | changes))


@pytest.mark.requirement(9)
@pytest.mark.parametrize("kind", [None, *Cancellation])
@pytest.mark.parametrize("purpose", [None, *Purpose])
def test_a_mark_says_for_what_units_end_unless_its_kind_says_that_it_is_for_nothing(
    purpose: Purpose | None, kind: Cancellation | None
) -> None:
    year = 2026 if purpose is Purpose.NDC else None
    members = {"user": "Buyer", "purpose": purpose, "cancellation": kind, "year": year}
    of_nothing = kind is Cancellation.OTHER or (kind is not None and kind.delivers_omge)
    right = of_nothing if purpose is None else not (kind is not None and kind.delivers_omge)
    if right:
        UseMark.model_validate(members)
    else:
        with pytest.raises(ValidationError):
            UseMark.model_validate(members)


@pytest.mark.requirement(14)
@pytest.mark.parametrize(
    "member",
    [
        *("id", "request", "requested_by", "verification", "certification", "decided_on"),
        *("party", "activity", "vintage_from", "vintage_to", "quantity", "participants"),
    ],
)
def test_an_approval_says_everything_that_it_rests_on(member: str) -> None:
    record = GOOD["approval"][1].approval
    assert record is not None
    said = json.loads(record.model_dump_json())
    del said[member]
    with pytest.raises(ValidationError, match=member):
        ApprovalRecord.model_validate_json(json.dumps(said))


@pytest.mark.requirement(21)
def test_what_stays_with_the_host_is_forwarded_and_what_goes_to_korea_first_transferred() -> None:
    """From the pending account, by the same instruction: one or the other, and never both."""
    world = settled()
    world.directory = directory((ADM, MMR, KOREA64))
    for to, right, wrong in (
        (MMR, "forwarding", R.ACQUIRER_WRONG),
        (KOREA64, "first-transfer", R.FIRST_TRANSFER_WRONG),
    ):
        amended(MMR, purposes=(Purpose.NDC,), first_transfer=None, oimp=None)(world)
        ends = account(ADM, "PEN"), account(to, "HLD")
        forwarded = move("forwarding", A, 61, 70, *ends)
        gone = move("first-transfer", A, 61, 70, *ends, authorization=AUTHORIZED64)
        asked = {"forwarding": forwarded, "first-transfer": gone}
        assert world.examine(ADM, asked.pop(right)) == []
        ((_, other),) = asked.items()
        assert [f.reason for f in world.examine(ADM, other)] == [wrong]
