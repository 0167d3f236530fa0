# SPDX-License-Identifier: Apache-2.0
"""Whom a difference concerns: who had a part in these very units, by the log, and nobody else."""

import pytest

from reconciliation.classify import Moved, classify, unanswered
from reconciliation.concerned import NOBODY, Concerned, Movement, concerned_by
from reconciliation.descent import Named
from schemas.identifiers import Actor
from schemas.limits import CONCERNED_MAX
from tests.unit.reconciliation.test_classify import ENTRY, HERE, line, moved, row
from tests.unit.reconciliation.world import GHANA, SWISS

KOREA, VANUATU = Actor("KOR01/KOR"), Actor("VUT01/VUT")
OWN, OTHERS = True, False


@pytest.mark.requirement(111)
@pytest.mark.parametrize(
    ("moves", "lost", "addressed", "told"),
    [
        ([], (), {}, ()),
        ([(1, OWN)], (), {1: [GHANA]}, ()),
        ([(1, OWN)], (), {1: [GHANA, SWISS]}, (SWISS,)),
        # Ghana had them of Switzerland, and has moved them to another account of its own since.
        ([(1, OWN), (2, OWN)], (), {1: [SWISS, GHANA], 2: [GHANA]}, (SWISS,)),
        # It had them of Korea and gave them to Switzerland: Korea has no part in that.
        ([(1, OWN), (2, OWN)], (), {1: [KOREA, GHANA], 2: [GHANA, SWISS]}, (SWISS,)),
        # Switzerland has given them to Vanuatu, which holds them.
        ([(1, OWN), (2, OTHERS)], (), {1: [GHANA, SWISS], 2: [SWISS, VANUATU]}, (SWISS, VANUATU)),
        # It never had them: whoever holds them is told, and who had them before is not.
        ([(1, OTHERS), (2, OTHERS)], (), {1: [KOREA], 2: [KOREA, SWISS]}, (SWISS, KOREA)),
        ([(1, OTHERS), (2, OTHERS)], (), {1: [VANUATU, KOREA], 2: [KOREA]}, (KOREA,)),
        # Its books lack what came from Korea, too.
        ([(1, OWN), (2, OWN)], (1,), {1: [KOREA, GHANA], 2: [GHANA, SWISS]}, (KOREA, SWISS)),
    ],
)
def test_the_parties_to_what_put_the_units_where_the_log_has_them_are_concerned(
    moves: list[tuple[int, bool]],
    lost: tuple[int, ...],
    addressed: dict[int, list[Actor]],
    told: tuple[Actor, ...],
) -> None:
    found = concerned_by(GHANA, [Movement(*one) for one in moves], lost, addressed)
    assert found == Concerned(tuple(sorted(told)))


def test_who_had_a_part_in_the_newest_entries_is_told_first_and_others_are_counted() -> None:
    many = [Actor(f"AAA{n:02}/AAA") for n in range(1, CONCERNED_MAX + 3)]
    moves = [Movement(n, own=True) for n in range(1, len(many) + 1)]
    addressed = {n: [GHANA, actor] for n, actor in enumerate(many, 1)}
    found = concerned_by(GHANA, moves, range(1, len(many) + 1), addressed)
    assert found == Concerned(tuple(many[2:]), 2)


@pytest.mark.requirement(111)
def test_a_range_is_cut_where_others_are_concerned() -> None:
    log = [moved(1, 1, 100, GHANA), moved(2, 31, 50, SWISS, GHANA), moved(3, 51, 60, KOREA, GHANA)]
    trail = (line(1, 1, 100), line(2, 31, 50), line(3, 51, 60))
    addressed = {1: [GHANA], 2: [GHANA, SWISS], 3: [GHANA, KOREA]}
    named = Named((row(None, HERE),), trail, 9, cut=False)
    found = classify(GHANA, named, log, ENTRY, addressed)
    assert [(c.first, c.last, c.concerned.actors) for c in found] == [
        (1, 30, ()),
        (31, 50, (SWISS,)),
        (51, 60, (KOREA,)),
        (61, 100, ()),
    ]


def test_pieces_that_concern_the_same_are_one_range() -> None:
    log = [moved(1, 1, 40, GHANA, SWISS), moved(2, 41, 100, GHANA, SWISS)]
    addressed = {n: [SWISS, GHANA] for n in (1, 2)}
    named = Named((row(HERE, None),), (line(1, 1, 40), line(2, 41, 100)), 9, cut=False)
    (found,) = classify(GHANA, named, log, ENTRY, addressed)
    assert (found.first, found.last, found.concerned.actors) == (1, 100, (SWISS,))


def test_rows_without_a_trail_concern_whom_the_log_names() -> None:
    log = [moved(1, 1, 40, GHANA), Moved(2, 0, row(None, HERE).key, 1, 40, None, GHANA, 2)]
    log += [moved(3, 21, 40, SWISS, GHANA)]
    addressed = {1: [GHANA], 3: [GHANA, SWISS]}
    found = unanswered(GHANA, [row(None, HERE)], "statement-overdue", log, addressed)
    assert [(c.cause, c.first, c.last, c.concerned) for c in found] == [
        ("statement-overdue", 1, 20, NOBODY),
        ("statement-overdue", 21, 40, Concerned((SWISS,))),
        ("statement-overdue", 41, 100, NOBODY),
    ]
