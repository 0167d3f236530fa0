# SPDX-License-Identifier: Apache-2.0
"""Carrying out effects on rows: the one way in which a ledger changes.

The log's own rows cannot fail to carry an effect, because checks came before. A node's rows can,
when they diverged: applying never fails, it goes as far as the rows go, and each range that could
not be carried is given back as disputed (design: the true rows are stated, nothing is made up).

Elsewhere: which effects an action has (`actions`), what entitles it (`checks`).
"""

from collections.abc import Container, Iterable

from ledger.blocks import Block, Range, normalize, subtract
from ledger.holdings import Holdings, Overlay, OverlayKind
from schemas.effects import Effect, Freeze, Move, Pledge, Release, Reserve, Restate, Unfreeze, Units
from schemas.identifiers import Actor
from schemas.messages import Entry
from schemas.units import Position

__all__ = ["Dispute", "Everybody", "apply", "spans_of_effects"]

Dispute = tuple[Units, Actor]
"""Units that an actor's rows could not carry as the effect said."""


class Everybody:
    """The scope of the log itself: the rows of every actor."""

    def __contains__(self, actor: object) -> bool:
        return True


def apply(
    holdings: Holdings, effect: Effect, actors: Container[Actor], *, reference: str = ""
) -> list[Dispute]:
    """Carry out one effect on the rows of `actors`; gives what could not be carried.

    Effects on others' rows, on the directory, on authorizations and on cases do nothing here.
    `reference` names the entry, for the overlay that marks a dispute.
    """
    disputes: list[Dispute] = []
    if isinstance(effect, Move):
        disputes = _move(holdings, effect, actors)
    elif isinstance(effect, Restate) and effect.position.actor in actors:
        disputes = _restate(holdings, effect)
    elif isinstance(effect, Reserve | Pledge | Freeze) and effect.actor in actors:
        holdings.lay(_overlay(effect))
    elif isinstance(effect, Release | Unfreeze) and effect.actor in actors:
        holdings.lift(_overlay(effect))
    for units, actor in disputes:
        holdings.lay(
            Overlay(OverlayKind.DISPUTED, actor, units.key, units.first, units.last, reference)
        )
    return disputes


def spans_of_effects(entries: Iterable[Entry]) -> set[tuple[str, int, int]]:
    """The ranges that the effects of entries name: series, first and last serial. What is to be
    loaded before `apply`.
    """
    return {
        (effect.key.series, effect.first, effect.last)
        for entry in entries
        for effect in entry.effects
        if isinstance(effect, Units)
    }


def _move(holdings: Holdings, move: Move, actors: Container[Actor]) -> list[Dispute]:
    disputes: list[Dispute] = []
    arriving: list[Range] = [(move.first, move.last)]
    if move.source is not None and move.source.actor in actors:
        taken = holdings.take(move.key, move.first, move.last, move.source)
        found = normalize((block.first, block.last) for block in taken)
        gone = subtract((move.first, move.last), found)
        strange = [(b.first, b.last) for b in taken if b.attributes != move.attributes]
        disputes += _disputes(move, gone + strange, move.source)
        if move.source.actor == move.target.actor:
            arriving = found  # what an actor does not have does not appear in another account of it
    if move.target.actor in actors:
        for first, last in arriving:
            free = holdings.missing(move.key.series, first, last)
            for low, high in free:
                holdings.put(Block(move.key, low, high, move.attributes, move.target))
            disputes += _disputes(move, subtract((first, last), free), move.target)
    return disputes


def _restate(holdings: Holdings, restate: Restate) -> list[Dispute]:
    taken = holdings.take(restate.key, restate.first, restate.last, restate.position)
    for block in taken:
        holdings.put(block._replace(attributes=restate.after))
    ranges = [(block.first, block.last) for block in taken]
    strange = [(b.first, b.last) for b in taken if b.attributes != restate.before]
    gone = subtract((restate.first, restate.last), ranges)
    return _disputes(restate, gone + strange, restate.position)


def _disputes(units: Units, ranges: list[Range], position: Position) -> list[Dispute]:
    return [
        (Units(key=units.key, first=first, last=last), position.actor) for first, last in ranges
    ]


def _overlay(effect: Reserve | Release | Pledge | Freeze | Unfreeze) -> Overlay:
    if isinstance(effect, Reserve | Release):
        kind, reference = OverlayKind.RESERVED, str(effect.transaction)
    elif isinstance(effect, Pledge):
        kind, reference = OverlayKind.PLEDGED, str(effect.consent)
    else:
        kind, reference = OverlayKind.FROZEN, str(effect.case)
    return Overlay(kind, effect.actor, effect.key, effect.first, effect.last, reference)
