# SPDX-License-Identifier: Apache-2.0
"""The rule that names a difference, case by case."""

import pytest

from reconciliation.classify import Moved, classify
from reconciliation.descent import Named
from reconciliation.drill import Held, Row
from schemas.identifiers import Actor, Digest
from schemas.messages import AuditLine
from tests.unit.reconciliation.world import GHANA, KEY, PLAIN, SWISS, USED, holding

HERE = Held(attributes=PLAIN.text, account=holding(GHANA).account)
MARKED = Held(attributes=USED.text, account=holding(GHANA).account)
ELSEWHERE = Held(attributes=USED.text, account=holding(GHANA, 2).account)
ENTRY = {position: Digest(f"{position:064x}") for position in range(9)}


def moved(
    position: int, first: int, last: int, target: Actor, source: Actor | None = None
) -> Moved:
    mine = GHANA in {target, source}
    return Moved(position, 0, KEY.series, first, last, source, target, position if mine else None)


def line(position: int, first: int, last: int, entry: Digest | None = None) -> AuditLine:
    return AuditLine(
        key=KEY,
        first=first,
        last=last,
        delivery=position,
        position=position,
        entry=entry or ENTRY[position],
    )


def row(expected: Held | None, stated: Held | None, first: int = 1, last: int = 100) -> Row:
    return Row(key=KEY.text, first=first, last=last, expected=expected, stated=stated)


def causes(
    one: Row, log: list[Moved], trail: list[AuditLine], *, delivered: int = 9, cut: bool = False
) -> list[tuple[str, int, int]]:
    named = Named((one,), tuple(trail), delivered, cut)
    return [(c.cause, c.first, c.last) for c in classify(GHANA, named, log, ENTRY, {})]


ISSUED, SAID = moved(1, 1, 100, GHANA), line(1, 1, 100)
GONE, SAID_GONE = moved(2, 1, 100, SWISS, GHANA), line(2, 1, 100)


@pytest.mark.parametrize(
    ("one", "log", "trail", "cause"),
    [
        (row(None, HERE), [], [], "held-without-issuance"),
        (row(None, HERE), [moved(1, 1, 100, SWISS)], [], "held-twice"),
        (row(None, HERE), [ISSUED, GONE], [SAID, SAID_GONE], "held-twice"),
        (row(None, HERE), [ISSUED, GONE], [SAID], "late-or-lost-message"),
        (row(None, ELSEWHERE), [ISSUED], [SAID], "surplus"),
        (row(HERE, None), [ISSUED], [SAID], "missing"),
        (row(HERE, None), [ISSUED], [], "late-or-lost-message"),
        (row(HERE, MARKED), [ISSUED], [SAID], "attributes-differ"),
        (row(HERE, ELSEWHERE), [ISSUED], [SAID], "position-differs"),
        (row(HERE, MARKED), [ISSUED], [], "late-or-lost-message"),
        (row(HERE, None), [ISSUED], [line(1, 1, 100, Digest("f" * 64))], "log-fork"),
    ],
)
def test_each_cause_has_its_rule(
    one: Row, log: list[Moved], trail: list[AuditLine], cause: str
) -> None:
    assert causes(one, log, trail) == [(cause, 1, 100)]


def test_a_row_is_cut_where_its_history_changes_and_joined_where_it_does_not_matter() -> None:
    log = [moved(1, 1, 40, GHANA), moved(2, 41, 60, GHANA), moved(3, 61, 200, GHANA)]
    trail = [line(1, 1, 40), line(3, 61, 200)]
    assert causes(row(HERE, None), log, trail) == [
        ("missing", 1, 40),
        ("late-or-lost-message", 41, 60),
        ("missing", 61, 100),
    ]
    assert causes(row(HERE, None), log, [*trail, line(2, 41, 60)]) == [("missing", 1, 100)]


def test_what_was_not_applied_yet_and_what_an_answer_could_not_hold_is_not_lost() -> None:
    assert causes(row(HERE, None), [ISSUED], [], delivered=1) == [("missing", 1, 100)]
    assert causes(row(HERE, None), [ISSUED], [], cut=True) == [("missing", 1, 100)]


def test_movements_of_other_series_and_ranges_do_not_count() -> None:
    other = ISSUED._replace(series="itmo:CA0009-GHA01-GHA-2023")
    beside = moved(1, 101, 200, GHANA)
    assert causes(row(None, HERE), [other, beside], []) == [("held-without-issuance", 1, 100)]


def test_rows_of_one_series_are_told_apart() -> None:
    rows = tuple(row(HERE, None, first, first + 9) for first in range(991, 0, -30))
    log = [moved(1, 1, 500, GHANA), moved(2, 501, 1_000, GHANA)]
    found = classify(GHANA, Named(rows, (line(1, 1, 500),), 9, cut=False), log, ENTRY, {})
    assert {(c.first, c.cause) for c in found} == {
        (r.first, "missing" if r.last <= 500 else "late-or-lost-message") for r in rows
    }
