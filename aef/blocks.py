# SPDX-License-Identifier: Apache-2.0
"""Blocks as workbooks print them: in two styles of identifiers, with the units that they represent.

*Whole* identifiers say cooperative approach, originating registry, first transferring Party, serial
and vintage (6/CMA.4 annex I para 5). *Integers* are the serial alone: the row says approach, Party
and vintage, and nobody says the originating registry. So two blocks of which one is printed in
integers may be of the same series although one does not say its registry, and are held against each
other.

Of underlying units there is no common form. The serial is the one number in which first and last
identifier differ; numbers are compared whole, so that 100 and 199 differ in one of them. In the
identifier of a single unit it may be any of its numbers. Where a registry needs another rule, the
nomenclatures have an expression for it (`unit_ids`).

Elsewhere: identifiers of the wire (`schemas.units`), which rows are compared (`consistency`).
"""

import re
from typing import NamedTuple

from aef.nomenclature import Nomenclature
from aef.tables import ActionRow, HoldingRow
from schemas.units import ItmoIdentifier

__all__ = ["Alignment", "Span", "alignments_of", "is_integer", "quantity_of", "span_of"]

NUMBERS_MAX = 20
"""Numbers in the identifier of an underlying unit; the longest in use have some twelve."""

_NUMBERS = re.compile(r"([0-9]+)")


class Span(NamedTuple):
    """A block of a row: its series, and first and last serial. `registry` is empty if unknown."""

    approach: str
    party: str
    vintage: int
    registry: str
    first: int
    last: int

    def meets(self, other: "Span") -> bool:
        """Whether the two share a unit, as far as they say."""
        return (
            self[:3] == other[:3]
            and (not self.registry or not other.registry or self.registry == other.registry)
            and self.first <= other.last
            and other.first <= self.last
        )


class Alignment(NamedTuple):
    """Which underlying unit stands for which ITMO: equal for all rows about the same units."""

    registry: str
    before: str
    after: str
    offset: int


def is_integer(text: str) -> bool:
    """Whether an identifier is a serial alone."""
    return text.isascii() and text.isdigit()


def span_of(row: ActionRow | HoldingRow) -> Span | None:
    """The block of a row; `None` when it has none that can be read."""
    if row.first is None or row.last is None:
        return None
    if is_integer(row.first) and is_integer(row.last):
        if row.approach is None or row.first_party is None or row.vintage is None:
            return None
        span = Span(row.approach, row.first_party, row.vintage, "", int(row.first), int(row.last))
        return span if span.first <= span.last else None
    try:
        first, last = ItmoIdentifier.parse(row.first), ItmoIdentifier.parse(row.last)
    except ValueError:
        return None
    if first._replace(serial=0) != last._replace(serial=0) or first.serial > last.serial:
        return None
    return Span(
        first.approach, first.party, first.vintage, first.registry, first.serial, last.serial
    )


def quantity_of(span: Span) -> int:
    """Units in a block."""
    return span.last - span.first + 1


def alignments_of(
    row: ActionRow | HoldingRow, span: Span, nomenclature: Nomenclature
) -> frozenset[Alignment] | str:
    """How the underlying units of a row may lie beside its ITMOs; a text says what is wrong with
    them. A row without any has the alignment of nothing.
    """
    if row.unit_first is None and row.unit_last is None:
        return frozenset({Alignment("", "", "", 0)})
    if row.unit_first is None or row.unit_last is None:
        return "one of first and last unit is missing"
    form = nomenclature.unit_ids.get(row.unit_registry or "")
    parts = _parts(row.unit_first, row.unit_last, form)
    if isinstance(parts, str):
        return parts
    a, b = parts
    differing = [n for n, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    if len(differing) > 1 or any(n % 2 == 0 for n in differing):
        return f"{row.unit_first} and {row.unit_last} differ in more than a number"
    found: set[Alignment] = set()
    for place in differing or range(1, len(a), 2):
        first, last = int(a[place]), int(b[place])
        if first > last:
            return f"{row.unit_first} comes after {row.unit_last}"
        if last - first != span.last - span.first:
            return f"{last - first + 1} units stand for {quantity_of(span)} ITMOs"
        before, after = "".join(a[:place]), "".join(a[place + 1 :])
        found.add(Alignment(row.unit_registry or "", before, after, first - span.first))
    return frozenset(found)


def _parts(
    first: str, last: str, form: re.Pattern[str] | None
) -> tuple[list[str], list[str]] | str:
    """Two identifiers as text and numbers in turn; by a registry's own form, around its serial."""
    if form is not None:
        a, b = form.fullmatch(first), form.fullmatch(last)
        if a is None or b is None:
            return f"{first} or {last} is not an identifier of its registry"
        return _around(first, a), _around(last, b)
    one, other = _NUMBERS.split(first), _NUMBERS.split(last)
    if len(one) > 2 * NUMBERS_MAX + 1:
        return f"{first} has more than {NUMBERS_MAX} numbers in it"
    if len(one) != len(other) or len(one) < 3:
        return f"{first} and {last} differ in more than a number"
    return one, other


def _around(text: str, found: re.Match[str]) -> list[str]:
    start, end = found.span("serial")
    return [text[:start], text[start:end], text[end:]]
