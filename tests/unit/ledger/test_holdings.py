# SPDX-License-Identifier: Apache-2.0
"""Holdings against the naive model: a dictionary from each serial to what is true of it."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.blocks import Block
from ledger.holdings import Holdings, OverlapError, Overlay, OverlayKind
from schemas.units import Attributes, Key, Position
from tests.unit.ledger.world import CHE, GHA, A, B, I, U, account

KEYS = (U, I, A, B)  # A and B are of one series, and differ in their activity
POSITIONS = tuple(Position.of(account(a, code)) for a in (GHA, CHE) for code in ("HLD", "LCK"))
LABELS = (Attributes(), Attributes(first_transferred=True))
SIZE = 24

Cells = dict[tuple[str, int], tuple[Key, Attributes, Position]]

keys, positions, labels = map(st.sampled_from, (KEYS, POSITIONS, LABELS))
serials = st.integers(1, SIZE)
ranges = st.tuples(serials, serials).map(lambda ends: (min(ends), max(ends)))
blocks = st.builds(lambda k, r, a, p: Block(k, r[0], r[1], a, p), keys, ranges, labels, positions)


class Put(NamedTuple):
    block: Block


class Take(NamedTuple):
    key: Key
    first: int
    last: int
    position: Position


steps = st.lists(
    st.builds(Put, blocks)
    | st.builds(lambda k, r, p: Take(k, r[0], r[1], p), keys, ranges, positions),
    max_size=14,
)


def cells_of(rows: list[Block]) -> Cells:
    cells: Cells = {}
    for row in rows:
        assert row.first <= row.last
        for serial in range(row.first, row.last + 1):
            assert (row.key.series, serial) not in cells, "one serial in two rows"
            cells[row.key.series, serial] = row.key, row.attributes, row.position
    return cells


def carry_out(holdings: Holdings, model: Cells, action: Put | Take) -> None:
    """Do the same to both, and compare what they say of it."""
    if isinstance(action, Put):
        key, first, last, attributes, position = action.block
        wanted = [(key.series, serial) for serial in range(first, last + 1)]
        if any(cell in model for cell in wanted):
            with pytest.raises(OverlapError):
                holdings.put(action.block)
        else:
            holdings.put(action.block)
            model.update(dict.fromkeys(wanted, (key, attributes, position)))
    else:
        key, first, last, position = action
        gone = {
            (key.series, serial): model[key.series, serial]
            for serial in range(first, last + 1)
            if model.get((key.series, serial), (None, None, None))[::2] == (key, position)
        }
        taken = holdings.take(key, first, last, position)
        assert cells_of(taken) == gone
        assert taken == sorted(taken, key=lambda block: block.first)
        for cell in gone:
            del model[cell]


@given(steps)
def test_rows_say_of_every_serial_what_the_model_says(actions: list[Put | Take]) -> None:
    holdings, model = Holdings(), dict[tuple[str, int], tuple[Key, Attributes, Position]]()
    for action in actions:
        carry_out(holdings, model, action)
        assert cells_of(holdings.blocks()) == model


@given(steps, keys, ranges)
def test_what_is_found_and_what_is_missing_make_up_the_range(
    actions: list[Put | Take], key: Key, wanted: tuple[int, int]
) -> None:
    holdings, model = Holdings(), dict[tuple[str, int], tuple[Key, Attributes, Position]]()
    for action in actions:
        carry_out(holdings, model, action)
    found = holdings.find(key.series, *wanted)
    missing = holdings.missing(key.series, *wanted)
    inside = {
        c: v for c, v in model.items() if c[0] == key.series and wanted[0] <= c[1] <= wanted[1]
    }
    assert cells_of(found) == inside
    assert found == sorted(found, key=lambda block: block.first)
    absent = [serial for first, last in missing for serial in range(first, last + 1)]
    assert absent == [s for s in range(wanted[0], wanted[1] + 1) if (key.series, s) not in inside]


@given(steps, steps)
def test_changes_turn_what_was_loaded_into_what_is(
    before: list[Put | Take], after: list[Put | Take]
) -> None:
    source, model = Holdings(), dict[tuple[str, int], tuple[Key, Attributes, Position]]()
    for action in before:
        carry_out(source, model, action)
    loaded = source.blocks()
    holdings = Holdings(loaded)
    assert not any(holdings.changes())
    for action in after:
        carry_out(holdings, model, action)
    changes = holdings.changes()
    assert not set(changes.removed) & set(changes.added)
    assert set(changes.removed) <= set(loaded)
    rows = [row for row in loaded if row not in changes.removed] + list(changes.added)
    assert cells_of(rows) == model
    assert list(changes.added) == sorted(changes.added, key=lambda b: (b.key.series, b.first))


def test_a_reversed_range_is_no_row() -> None:
    with pytest.raises(OverlapError, match="range reversed: 2 comes after 1"):
        Holdings().put(Block(U, 2, 1, LABELS[0], POSITIONS[0]))


def test_rows_that_overlap_cannot_be_loaded() -> None:
    row = Block(A, 1, 5, LABELS[0], POSITIONS[0])
    with pytest.raises(OverlapError, match=r"CA0001-UN01-MMR-2024 5-9 overlaps 1-5"):
        Holdings([row, Block(B, 5, 9, LABELS[0], POSITIONS[0])])


def test_what_is_taken_and_put_back_is_no_change() -> None:
    row = Block(U, 1, 5, LABELS[0], POSITIONS[0])
    holdings = Holdings([row])
    for block in holdings.take(U, 1, 9, POSITIONS[0]):
        holdings.put(block)
    assert not any(holdings.changes())


# --- overlays -----------------------------------------------------------------------------------

KINDS = st.sampled_from(OverlayKind)
REFERENCES = st.sampled_from(["GHA01-GHA-1", "GHA01-GHA-2"])
overlays = st.builds(
    lambda kind, actor, key, r, ref: Overlay(kind, actor, key, r[0], r[1], ref),
    KINDS,
    st.sampled_from([GHA, CHE]),
    st.sampled_from([A, B]),
    ranges,
    REFERENCES,
)
Said = set[tuple[OverlayKind, str, Key, int, str]]


def said_by(laid: list[Overlay]) -> Said:
    return {
        (o.kind, o.actor, o.key, serial, o.reference)
        for o in laid
        for serial in range(o.first, o.last + 1)
    }


@given(st.lists(st.tuples(overlays, st.booleans(), st.booleans()), max_size=12))
def test_overlays_say_of_every_serial_what_the_model_says(
    actions: list[tuple[Overlay, bool, bool]],
) -> None:
    holdings, model = Holdings(), set[tuple[OverlayKind, str, Key, int, str]]()
    for overlay, lay, whatever in actions:
        if lay:
            holdings.lay(overlay)
            model |= said_by([overlay])
            continue
        wanted = overlay._replace(reference="") if whatever else overlay
        serials_lifted = {
            serial for first, last in holdings.lift(wanted) for serial in range(first, last + 1)
        }
        gone = {
            s
            for s in model
            if s[:3] == (overlay.kind, overlay.actor, overlay.key)
            and overlay.first <= s[3] <= overlay.last
            and (whatever or s[4] == overlay.reference)
        }
        assert serials_lifted == {s[3] for s in gone}
        model -= gone
        assert said_by(holdings.overlays()) == model


@given(st.lists(overlays, max_size=8), overlays)
def test_what_overlays_a_range_is_found_of_one_actor_and_of_all(
    laid: list[Overlay], wanted: Overlay
) -> None:
    holdings = Holdings(overlays=laid)

    def touches(overlay: Overlay) -> bool:
        apart = overlay.last < wanted.first or wanted.last < overlay.first
        return overlay.key == wanted.key and not apart

    found = holdings.overlaid(wanted.key, wanted.first, wanted.last)
    assert set(found) == {o for o in laid if touches(o)}
    own = holdings.overlaid(wanted.key, wanted.first, wanted.last, wanted.actor)
    assert set(own) == {o for o in laid if touches(o) and o.actor == wanted.actor}
    assert len(own) == len(set(own))


@given(st.lists(overlays, max_size=8), st.lists(st.tuples(overlays, st.booleans()), max_size=8))
def test_changes_turn_the_overlays_that_were_loaded_into_those_that_are(
    loaded: list[Overlay], actions: list[tuple[Overlay, bool]]
) -> None:
    holdings = Holdings(overlays=loaded)
    for overlay, lay in actions:
        if lay:
            holdings.lay(overlay)
        else:
            holdings.lift(overlay)
    changes = holdings.changes()
    assert (set(loaded) - set(changes.lifted)) | set(changes.laid) == set(holdings.overlays())
    assert not set(changes.lifted) & set(changes.laid)
    assert changes.removed == changes.added == ()


def test_laying_the_same_overlay_twice_is_laying_it_once() -> None:
    overlay = Overlay(OverlayKind.FROZEN, GHA, U, 1, 5, "REC-1")
    holdings = Holdings()
    holdings.lay(overlay)
    holdings.lay(overlay)
    assert holdings.overlays() == [overlay]
    assert holdings.lift(overlay) == [(1, 5)]
    assert holdings.overlays() == []


def test_overlays_do_not_move_units() -> None:
    row = Block(U, 1, 5, LABELS[0], POSITIONS[0])
    holdings = Holdings([row], [Overlay(OverlayKind.RESERVED, GHA, U, 2, 9, "GHA01-GHA-1")])
    assert holdings.blocks() == [row]
    assert not any(holdings.changes())
