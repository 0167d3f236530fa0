# SPDX-License-Identifier: Apache-2.0
"""Carrying out effects: nothing appears or vanishes, and rows that diverged never stop a node."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.actions import release, reserve
from ledger.blocks import Block, normalize, subtract
from ledger.effects import Dispute, Everybody, apply
from ledger.holdings import Holdings, Overlay, OverlayKind
from schemas.effects import (
    AuthorizationEffect,
    CaseEffect,
    DirectoryEffect,
    Effect,
    Freeze,
    Move,
    Pledge,
    Release,
    Reserve,
    Restate,
    Unfreeze,
    Units,
)
from schemas.findings import Reason
from schemas.identifiers import Actor, CaseId, Digest, TransactionId
from schemas.messages import Proposal
from schemas.units import FINAL_KINDS, Attributes, Key, Position, UseMark
from tests.unit.ledger.world import (
    ACTORS,
    ADM,
    AUTHORIZED,
    CHE,
    FLIGHT,
    GHA,
    KOR,
    MMR,
    NDC,
    NDC_KOREA,
    A,
    I,
    U,
    World,
    account,
    approval,
    authorization,
    first_transfer,
    issuance,
    move,
    terms,
    unit_transfer,
)

TRANSACTION, CASE = TransactionId("GHA01-GHA-7"), CaseId("REC-3")
PLAIN, MARKED = Attributes(), Attributes(first_transferred=True)
HELD, LOCKED, SWISS = (
    Position.of(account(actor, code)) for actor, code in ((GHA, "HLD"), (GHA, "LCK"), (CHE, "HLD"))
)


DESIGNATED = Attributes(designation="NI")
MANY = ("SB-1", 10**6)


# --- valid actions ------------------------------------------------------------------------------

numbers = st.integers(1, 30)
ranges = st.tuples(numbers, st.integers(1, 8)).map(lambda r: (r[0], r[0] + r[1] - 1))


def moves(
    action: str, key: Key, source: str, target: str, use: UseMark | None = None
) -> st.SearchStrategy[tuple[Actor, Proposal]]:
    """Proposals of one kind, on any range: many of them will be refused."""
    a, b = (account(Actor(text[:-4]), text[-3:]) for text in (source, target))
    return ranges.map(lambda r: (a.actor, move(action, key, r[0], r[1], a, b, use=use)))


proposals = st.one_of(
    ranges.map(lambda r: (GHA, issuance(GHA, U, 30 + r[0], 30 + r[1]))),
    ranges.map(lambda r: (ADM, issuance(ADM, A, 30 + r[0], 32 + r[1], DESIGNATED, MANY))),
    st.tuples(ranges, numbers).map(lambda x: (GHA, first_transfer(*x[0], x[1]))),
    ranges.map(lambda r: (MMR, unit_transfer(*r))),
    moves("forwarding", A, "UN01/ADM PEN", "UN01/MMR HLD"),
    moves("transfer", I, "CHE01/CHE HLD", "GHA01/GHA HLD"),
    moves("transfer", I, "GHA01/GHA HLD", "CHE01/CHE HLD"),
    moves("transfer", A, "UN02/KOR HLD", "UN01/MMR HLD"),
    moves("use", I, "CHE01/CHE HLD", "CHE01/CHE USE", NDC),
    moves("use", A, "UN02/KOR HLD", "UN02/KOR USE", NDC_KOREA),
    moves("cancellation", I, "CHE01/CHE HLD", "CHE01/CHE CAN", FLIGHT),
    moves("cancellation", U, "GHA01/GHA HLD", "GHA01/GHA CAN", FLIGHT),
    moves("cancellation", A, "UN01/ADM PEN", "UN01/ADM CAN", FLIGHT),
)

STOCK: list[tuple[Actor, Proposal]] = [
    (GHA, authorization(GHA, quantity=None)),
    (MMR, authorization(MMR, quantity=None)),
    (GHA, issuance(GHA, U, 1, 30)),
    (ADM, approval(*MANY)),
    (ADM, issuance(ADM, A, 1, 30, DESIGNATED, MANY)),
    (GHA, first_transfer(1, 20, 5)),
    (CHE, move("use", I, 5, 9, account(CHE, "HLD"), account(CHE, "USE"), use=NDC)),
    (CHE, move("transfer", I, 10, 14, account(CHE, "HLD"), account(GHA, "HLD"))),
    (ADM, move("forwarding", A, 1, 20, account(ADM, "PEN"), account(MMR, "HLD"))),
    (MMR, unit_transfer(1, 12)),
    (KOR, move("use", A, 1, 2, account(KOR, "HLD"), account(KOR, "USE"), use=NDC_KOREA)),
]
"""So that random proposals find something to act on."""


def stocked() -> tuple[World, list[Effect]]:
    world = World()
    return world, [effect for author, wanted in STOCK for effect in world.act(author, wanted)]


def deliver(nodes: dict[Actor, Holdings], effects: list[Effect]) -> None:
    for actor, rows in nodes.items():
        for effect in effects:
            assert apply(rows, effect, {actor}) == []


Serials = dict[str, set[int]]


def serials(rows: Iterable[Block]) -> Serials:
    found: Serials = {}
    for row in rows:
        own = set(range(row.first, row.last + 1))
        assert not found.get(row.key.text, set()) & own, "a unit in two rows"
        found.setdefault(row.key.text, set()).update(own)
    return found


def issued(effects: list[Effect]) -> Serials:
    new: Serials = {}
    for effect in effects:
        if isinstance(effect, Move) and effect.source is None:
            new.setdefault(effect.key.text, set()).update(range(effect.first, effect.last + 1))
    return new


def of(rows: Iterable[Block], actor: Actor) -> set[tuple[str, int, Attributes, Position]]:
    return {
        (row.key.text, serial, row.attributes, row.position)
        for row in rows
        if row.position.actor == actor
        for serial in range(row.first, row.last + 1)
    }


@pytest.mark.requirement(56)
@given(st.lists(proposals, min_size=5, max_size=25))
def test_under_valid_actions_nothing_appears_or_vanishes(
    wanted: list[tuple[Actor, Proposal]],
) -> None:
    world, effects = stocked()
    nodes = {actor: Holdings() for actor in ACTORS}
    deliver(nodes, effects)
    for author, proposal in wanted:
        before = serials(world.holdings.blocks())
        if world.examine(author, proposal):
            continue
        effects = world.act(author, proposal)
        deliver(nodes, effects)
        after, new = serials(world.holdings.blocks()), issued(effects)
        for key in after.keys() | before.keys() | new.keys():
            assert after.get(key, set()) == before.get(key, set()) | new.get(key, set())
            assert not before.get(key, set()) & new.get(key, set())
        for actor, rows in nodes.items():
            assert of(rows.blocks(), actor) == of(world.holdings.blocks(), actor)
            assert all(row.position.actor == actor for row in rows.blocks())
        check_mirror(world.holdings)


def check_mirror(holdings: Holdings) -> None:
    """Each ITMO with an underlying unit has one of its own, which is out of circulation."""
    underlying = {
        serial: row
        for row in holdings.blocks()
        if row.key == U
        for serial in range(row.first, row.last + 1)
    }
    seen: set[int] = set()
    for row in holdings.blocks():
        offset = row.attributes.underlying_offset
        if row.key != I or offset is None:
            continue
        for serial in range(row.first + offset, row.last + offset + 1):
            assert serial not in seen, "two ITMOs for one unit"
            seen.add(serial)
            unit = underlying[serial]
            assert unit.attributes.first_transferred
            expected = {"use": "retirement", "cancellation": "cancellation"}
            assert unit.position.kind == expected.get(row.position.kind, "locked")
            assert unit.attributes.use == row.attributes.use
    for serial, unit in underlying.items():
        assert (serial in seen) == (unit.attributes.first_transferred)


@given(st.lists(proposals, min_size=5, max_size=25))
def test_what_is_final_stays_where_it_is(wanted: list[tuple[Actor, Proposal]]) -> None:
    world, _ = stocked()
    final: set[tuple[str, int, Attributes, Position]] = set()
    for author, proposal in wanted:
        if world.examine(author, proposal):
            continue
        world.act(author, proposal)
        rows = [row for row in world.holdings.blocks() if row.position.kind in FINAL_KINDS]
        now = {cell for actor in ACTORS for cell in of(rows, actor)}
        assert final <= now
        final = now


# --- rows that diverged -------------------------------------------------------------------------

SIZE = 20
small = st.integers(1, SIZE)
pieces = st.tuples(small, small).map(lambda ends: (min(ends), max(ends)))
labels = st.sampled_from([PLAIN, MARKED])
places = st.sampled_from([HELD, LOCKED, SWISS])
rows_of_all = st.lists(
    st.tuples(pieces, labels, places).map(lambda x: Block(U, x[0][0], x[0][1], x[1], x[2])),
    max_size=6,
)


def disjoint(rows: list[Block], actors: Iterable[Actor]) -> Holdings:
    holdings = Holdings()
    for row in rows:
        if row.position.actor in actors and not holdings.find(U.series, row.first, row.last):
            holdings.put(row)
    return Holdings(holdings.blocks())


row_effects: st.SearchStrategy[Effect] = st.one_of(
    st.builds(
        lambda r, a, s, t: Move(key=U, first=r[0], last=r[1], attributes=a, source=s, target=t),
        pieces,
        labels,
        st.none() | places,
        places,
    ),
    st.builds(
        lambda r, p, b, a: Restate(key=U, first=r[0], last=r[1], position=p, before=b, after=a),
        pieces,
        places,
        labels,
        labels,
    ),
)
other_effects: st.SearchStrategy[Effect] = st.one_of(
    pieces.map(lambda r: Reserve(key=U, first=r[0], last=r[1], actor=GHA, transaction=TRANSACTION)),
    pieces.map(lambda r: Release(key=U, first=r[0], last=r[1], actor=GHA, transaction=TRANSACTION)),
    pieces.map(lambda r: Freeze(key=U, first=r[0], last=r[1], actor=CHE, case=CASE)),
    pieces.map(lambda r: Unfreeze(key=U, first=r[0], last=r[1], actor=CHE, case=CASE)),
    pieces.map(lambda r: Pledge(key=U, first=r[0], last=r[1], actor=GHA, consent=Digest("0" * 64))),
    st.just(AuthorizationEffect(actor=GHA, terms=terms(GHA))),
    st.just(DirectoryEffect(act="{}", signatures=())),
    pieces.map(
        lambda r: CaseEffect(
            key=U, first=r[0], last=r[1], case=CASE, actor=GHA, cause="missing", state="open"
        )
    ),
)
scopes = st.sampled_from([frozenset({GHA}), frozenset({CHE}), frozenset({GHA, CHE})])


def covered(disputes: list[Dispute], actor: Actor) -> set[int]:
    return {
        serial
        for units, whose in disputes
        if whose == actor
        for serial in range(units.first, units.last + 1)
    }


@given(rows_of_all, st.lists(row_effects | other_effects, max_size=6), scopes)
def test_applying_never_fails_and_marks_what_it_could_not_carry(
    rows: list[Block], effects: list[Effect], scope: frozenset[Actor]
) -> None:
    holdings = disjoint(rows, scope)
    for effect in effects:
        marked = {o for o in holdings.overlays() if o.kind is OverlayKind.DISPUTED}
        disputes = apply(holdings, effect, scope, reference="entry 7")
        assert all(actor in scope for _, actor in disputes)
        laid = {o for o in holdings.overlays() if o.kind is OverlayKind.DISPUTED}
        assert laid - marked <= {
            Overlay(OverlayKind.DISPUTED, actor, u.key, u.first, u.last, "entry 7")
            for u, actor in disputes
        }
        assert not disputes or laid
        serials(holdings.blocks())
        assert all(row.position.actor in scope for row in holdings.blocks())


@given(rows_of_all, row_effects, scopes)
def test_an_effect_is_carried_exactly_as_far_as_the_rows_go(
    rows: list[Block], effect: Effect, scope: frozenset[Actor]
) -> None:
    holdings = disjoint(rows, scope)
    before = {
        serial: (row.attributes, row.position)
        for row in holdings.blocks()
        for serial in range(row.first, row.last + 1)
    }
    disputes = apply(holdings, effect, scope)
    after = {
        serial: (row.attributes, row.position)
        for row in holdings.blocks()
        for serial in range(row.first, row.last + 1)
    }
    assert isinstance(effect, Move | Restate)
    for serial in range(1, SIZE + 1):
        wanted, disputed = model(effect, scope, serial, before.get(serial))
        assert after.get(serial) == wanted
        for actor in scope:
            assert (serial in covered(disputes, actor)) == (actor in disputed)


Cell = tuple[Attributes, Position] | None


def model(
    effect: Move | Restate, scope: frozenset[Actor], serial: int, cell: Cell
) -> tuple[Cell, set[Actor]]:
    """What one serial should come to, and who disputes it, in the plainest words."""
    if not effect.first <= serial <= effect.last:
        return cell, set()
    if isinstance(effect, Restate):
        position = effect.position
        if position.actor not in scope:
            return cell, set()
        if cell is None or cell[1] != position:
            return cell, {position.actor}
        return (effect.after, position), ({position.actor} if cell[0] != effect.before else set())
    disputed: set[Actor] = set()
    source, target = effect.source, effect.target
    if source is not None and source.actor in scope:
        if cell is None or cell[1] != source:
            if source.actor == target.actor:
                return cell, {source.actor}  # nothing leaves, so nothing arrives
            disputed.add(source.actor)  # another actor's rows are not worse for it
        else:
            if cell[0] != effect.attributes:
                disputed.add(source.actor)
            cell = None
    if target.actor in scope:
        if cell is not None:
            return cell, {*disputed, target.actor}  # something is in its place
        cell = (effect.attributes, target)
    return cell, disputed


# --- one by one ---------------------------------------------------------------------------------


def held(*parts: tuple[int, int, Attributes, Position]) -> Holdings:
    return Holdings([Block(U, *part) for part in parts])


def test_units_that_are_not_there_do_not_arrive() -> None:
    holdings = held((1, 4, PLAIN, HELD), (8, 10, PLAIN, HELD))
    effect = Move(key=U, first=1, last=10, attributes=PLAIN, source=HELD, target=LOCKED)
    disputes = apply(holdings, effect, {GHA}, reference="5")
    assert disputes == [(Units(key=U, first=5, last=7), GHA)]
    assert {(b.first, b.last, b.position) for b in holdings.blocks()} == {
        (1, 4, LOCKED),
        (8, 10, LOCKED),
    }
    assert holdings.overlays() == [Overlay(OverlayKind.DISPUTED, GHA, U, 5, 7, "5")]


def test_units_come_to_a_section_whatever_another_section_s_rows_lack() -> None:
    holdings = held((1, 4, PLAIN, HELD))
    effect = Move(key=U, first=1, last=10, attributes=PLAIN, source=HELD, target=SWISS)
    disputes = apply(holdings, effect, {GHA, CHE}, reference="5")
    assert disputes == [(Units(key=U, first=5, last=10), GHA)]
    assert holdings.blocks() == [Block(U, 1, 10, PLAIN, SWISS)]


def test_units_that_arrive_where_others_stand_are_disputed_and_the_others_stay() -> None:
    holdings = held((3, 5, MARKED, SWISS))
    effect = Move(key=U, first=1, last=6, attributes=PLAIN, source=HELD, target=SWISS)
    assert apply(holdings, effect, {CHE}) == [(Units(key=U, first=3, last=5), CHE)]
    assert holdings.find(U.series, 3, 5) == [Block(U, 3, 5, MARKED, SWISS)]
    assert holdings.missing(U.series, 1, 6) == []


def test_units_with_other_attributes_move_as_the_log_says_and_are_disputed() -> None:
    holdings = held((1, 4, MARKED, HELD))
    effect = Move(key=U, first=1, last=4, attributes=PLAIN, source=HELD, target=LOCKED)
    assert apply(holdings, effect, {GHA}) == [(Units(key=U, first=1, last=4), GHA)]
    assert holdings.blocks() == [Block(U, 1, 4, PLAIN, LOCKED)]


def test_effects_on_others_rows_do_nothing_here() -> None:
    holdings = held((1, 4, PLAIN, HELD))
    for effect in (
        Restate(key=U, first=1, last=4, position=HELD, before=PLAIN, after=MARKED),
        Move(key=U, first=1, last=4, attributes=PLAIN, source=HELD, target=LOCKED),
        Reserve(key=U, first=1, last=4, actor=GHA, transaction=TRANSACTION),
        Freeze(key=U, first=1, last=4, actor=GHA, case=CASE),
    ):
        assert apply(holdings, effect, {CHE}) == []
    assert not any(holdings.changes())


def test_a_proposal_reserves_what_it_takes_and_releases_it_again() -> None:
    holdings = held((1001, 1100, PLAIN, HELD))
    proposal = first_transfer(1001, 1010, 1)
    for effect in reserve(proposal, GHA, TRANSACTION):
        apply(holdings, effect, {GHA})
    assert holdings.overlays() == [
        Overlay(OverlayKind.RESERVED, GHA, U, 1001, 1010, str(TRANSACTION))
    ]
    for effect in release(proposal, GHA, TRANSACTION):
        apply(holdings, effect, {GHA})
    assert holdings.overlays() == []


@pytest.mark.parametrize("number", [18, 170])
def test_a_release_lifts_no_other_transactions_reservation(number: int) -> None:
    holdings = Holdings()
    other = TransactionId(f"GHA01-GHA-{number}")
    apply(holdings, Reserve(key=U, first=1, last=9, actor=GHA, transaction=other), {GHA})
    apply(holdings, Release(key=U, first=1, last=9, actor=GHA, transaction=TRANSACTION), {GHA})
    assert [o.reference for o in holdings.overlays()] == [str(other)]


def test_a_freeze_is_lifted_by_its_own_case_and_range() -> None:
    holdings = Holdings()
    apply(holdings, Freeze(key=U, first=1, last=9, actor=GHA, case=CASE), {GHA})
    apply(holdings, Unfreeze(key=U, first=4, last=5, actor=GHA, case=CaseId("REC-4")), {GHA})
    apply(holdings, Unfreeze(key=U, first=4, last=5, actor=GHA, case=CASE), {GHA})
    left = normalize((o.first, o.last) for o in holdings.overlays())
    assert left == subtract((1, 9), [(4, 5)])


def test_the_log_itself_is_concerned_with_everybody() -> None:
    assert GHA in Everybody()
    assert Reason.DECLINED in Everybody()


def test_authorizations_stand_in_no_row() -> None:
    world = World()
    world.act(GHA, authorization(GHA))
    assert world.holdings.blocks() == []
    assert world.authorizations[terms(GHA).party, AUTHORIZED.id].current == terms(GHA)
