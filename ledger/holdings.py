# SPDX-License-Identifier: Apache-2.0
"""Holdings: rows of blocks and the overlays on them, changed in memory and compared at the end.

A handler loads the rows that a batch touches, decides against them one message after another, and
then writes the difference. No two rows of one series overlap; `put` refuses what would.

Overlays lie on ranges of an actor and do not move units: *reserved* (bound to a transaction),
*pledged* (follows the fate of the ITMOs that represent it), *frozen* (under a case), *disputed*
(the log says something else than these rows could carry).

Elsewhere: arithmetic on ranges (`blocks`), what changes and why (`effects`), storage (`runtime`).
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from ledger.blocks import Block, Range, cut, subtract
from schemas.identifiers import Actor
from schemas.units import Key, Position

__all__ = ["Changes", "Holdings", "OverlapError", "Overlay", "OverlayKind"]


class OverlayKind(StrEnum):
    """What an overlay says of its range."""

    RESERVED = "reserved"
    PLEDGED = "pledged"
    FROZEN = "frozen"
    DISPUTED = "disputed"


class Overlay(NamedTuple):
    """A range of an actor's units and what is said of it; `reference` names the transaction,
    consent, case or entry behind it.
    """

    kind: OverlayKind
    actor: Actor
    key: Key
    first: int
    last: int
    reference: str


class Changes(NamedTuple):
    """What became of the rows since they were loaded."""

    removed: tuple[Block, ...]
    added: tuple[Block, ...]
    lifted: tuple[Overlay, ...]
    laid: tuple[Overlay, ...]


class OverlapError(ValueError):
    """Two blocks of one series would share a serial."""


class Holdings:
    """Rows and overlays by series, sorted by serial. Overlays may overlap; `_longest` says how far
    before a serial one on it may begin.
    """

    def __init__(self, blocks: Iterable[Block] = (), overlays: Iterable[Overlay] = ()) -> None:
        self._rows: dict[str, list[tuple[int, Block]]] = {}
        self._overlays: dict[str, list[Overlay]] = {}
        self._longest: dict[str, int] = {}
        for block in blocks:
            self.put(block)
        for overlay in overlays:
            self.lay(overlay)
        self._loaded = frozenset(self.blocks())
        self._loaded_overlays = frozenset(self.overlays())

    def blocks(self) -> list[Block]:
        """All rows, by series and serial."""
        return [block for rows in self._rows.values() for _, block in rows]

    def overlays(self) -> list[Overlay]:
        """All overlays, by series and first serial."""
        return [overlay for overlays in self._overlays.values() for overlay in overlays]

    def find(self, series: str, first: int, last: int) -> list[Block]:
        """The parts of rows that lie in a range, whoever holds them, by serial."""
        return [
            block
            if first <= block.first and block.last <= last
            else block._replace(first=max(block.first, first), last=min(block.last, last))
            for _, block in self._near(series, first, last)
        ]

    def _near(self, series: str, first: int, last: int) -> list[tuple[int, Block]]:
        rows = self._rows.get(series, [])
        start = bisect_left(rows, first, key=lambda row: row[0])
        if start and rows[start - 1][1].last >= first:
            start -= 1
        end = bisect_left(rows, last + 1, key=lambda row: row[0])
        return rows[start:end]

    def missing(self, series: str, first: int, last: int) -> list[Range]:
        """The parts of a range that no row covers."""
        return subtract((first, last), [(b.first, b.last) for b in self.find(series, first, last)])

    def put(self, block: Block) -> None:
        """Add a row; `OverlapError` when a serial of it is taken."""
        if block.first > block.last:
            raise OverlapError(f"range reversed: {block.first} comes after {block.last}")
        near = self._near(block.key.series, block.first, block.last)
        if near:
            taken = near[0][1]
            raise OverlapError(
                f"{block.key.series} {block.first}-{block.last} overlaps {taken.first}-{taken.last}"
            )
        insort(
            self._rows.setdefault(block.key.series, []), (block.first, block), key=lambda r: r[0]
        )

    def take(self, key: Key, first: int, last: int, position: Position) -> list[Block]:
        """Remove what of a range stands in `position`; gives the removed parts, by serial."""
        taken: list[Block] = []
        rows = self._rows.get(key.series, [])
        for row in self._near(key.series, first, last):
            block = row[1]
            if block.position != position or block.key != key:
                continue
            outside, inside = cut(block, first, last)
            assert inside is not None
            rows.remove(row)
            for rest in outside:
                insort(rows, (rest.first, rest), key=lambda r: r[0])
            taken.append(inside)
        return taken

    def overlaid(
        self, key: Key, first: int, last: int, actor: Actor | None = None
    ) -> list[Overlay]:
        """The overlays that share a serial with a range, of one actor or of all."""
        rows = self._overlays.get(key.series, [])
        start = bisect_right(rows, first - self._longest.get(key.series, 0), key=_first)
        end = bisect_right(rows, last, key=_first)
        return sorted(
            overlay
            for overlay in rows[start:end]
            if overlay.last >= first
            and (actor is None or overlay.actor == actor)
            and overlay.key == key
        )

    def lay(self, overlay: Overlay) -> None:
        """Add an overlay; the same one twice is one."""
        series = overlay.key.series
        rows = self._overlays.setdefault(series, [])
        start = bisect_left(rows, overlay.first, key=_first)
        end = bisect_right(rows, overlay.first, key=_first)
        if overlay not in rows[start:end]:
            rows.insert(end, overlay)
            length = overlay.last - overlay.first + 1
            self._longest[series] = max(length, self._longest.get(series, 0))

    def lift(self, overlay: Overlay) -> list[Range]:
        """Take an overlay of this kind, actor and reference off a range; gives what was lifted.

        An empty `reference` stands for any.
        """
        lifted: list[Range] = []
        for old in self.overlaid(overlay.key, overlay.first, overlay.last, overlay.actor):
            if old.kind is not overlay.kind or overlay.reference not in ("", old.reference):
                continue
            self._overlays[overlay.key.series].remove(old)
            for first, last in subtract((old.first, old.last), [(overlay.first, overlay.last)]):
                self.lay(old._replace(first=first, last=last))
            lifted.append((max(old.first, overlay.first), min(old.last, overlay.last)))
        return lifted

    def changes(self) -> Changes:
        """What differs from what was loaded: rows and overlays to delete and to insert, in order.

        The order is the same in every run, so that a seeded simulation repeats itself.
        """
        rows, overlays = frozenset(self.blocks()), frozenset(self.overlays())
        return Changes(
            removed=tuple(sorted(self._loaded - rows, key=_by_serial)),
            added=tuple(sorted(rows - self._loaded, key=_by_serial)),
            lifted=tuple(sorted(self._loaded_overlays - overlays, key=_by_reference)),
            laid=tuple(sorted(overlays - self._loaded_overlays, key=_by_reference)),
        )


def _first(overlay: Overlay) -> int:
    return overlay.first


def _by_serial(block: Block) -> tuple[str, int]:
    return block.key.series, block.first


def _by_reference(overlay: Overlay) -> tuple[str, str, str, str, int, int]:
    kind, actor, key, first, last, reference = overlay
    return key.text, actor, kind, reference, first, last
