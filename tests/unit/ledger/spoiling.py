# SPDX-License-Identifier: Apache-2.0
"""Good proposals in which one thing is spoiled, in them or in the facts, and what is then found.

Elsewhere: the good ones (`world`), the cases (`cases_*`).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from ledger.asking import Approval
from ledger.holdings import Overlay, OverlayKind
from schemas.directory import BindingChange, Profile, Status, StatusChange
from schemas.findings import Finding, Reason
from schemas.identifiers import AccountNumber, Actor, CaseId, Participant, PartyCode
from schemas.messages import IssuanceReferences, Line, Proposal
from schemas.units import Key, Purpose, UseMark
from tests.unit.ledger.world import (
    ADM,
    AT_ISSUANCE,
    BUYER,
    CHE,
    GHA,
    GOOD,
    KOR,
    MMR,
    NOON,
    REVOKED,
    A,
    B,
    U,
    World,
    account,
    authorization,
    directory,
    move,
    profile,
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


def told(found: list[Finding]) -> list[Where]:
    return [
        (f.reason, f.field, (f.key, f.first, f.last) if f.key is not None else None) for f in found
    ]
