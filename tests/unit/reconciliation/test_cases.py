# SPDX-License-Identifier: Apache-2.0
"""Opening and closing cases: the same units have one open case at most."""

from ledger.directory import Directory
from reconciliation.cases import close_cases, gone, open_cases
from reconciliation.classify import Classified
from reconciliation.state import Facts, Kept
from runtime.clock import Ids
from runtime.program import Batch
from schemas.effects import Cause, Units
from tests.unit.reconciliation.world import GHANA, KEY, START, SWISS, Counted, genesis


def facts() -> Facts:
    return Facts(kept=Kept(genesis=genesis(), directory=Directory.begin(genesis())))


def batch() -> Batch:
    return Batch(now=START, ids=Ids(Counted()))


def found(first: int, last: int, cause: Cause = "missing") -> Classified:
    return Classified(KEY.text, first, last, cause, None, None)


def spans(known: Facts) -> list[tuple[int, int]]:
    return sorted((case.first, case.last) for case in known.kept.cases.values())


def test_only_what_has_no_case_gets_one() -> None:
    known = facts()
    assert open_cases(known, batch(), GHANA, [found(1, 10), found(31, 40)], [], freeze=True)
    assert open_cases(known, batch(), GHANA, [found(5, 35), found(8, 60)], [], freeze=True)
    assert spans(known) == [(1, 10), (11, 30), (31, 40), (41, 60)]
    assert open_cases(known, batch(), SWISS, [found(5, 6)], [], freeze=True)
    assert len(known.kept.cases) == 5


def test_a_case_is_over_when_no_unit_of_it_differs() -> None:
    known = facts()
    cases = [found(1, 10), found(21, 30), found(31, 99, "statement-overdue")]
    open_cases(known, batch(), GHANA, cases, [], freeze=False)
    left = [Units(key=KEY, first=30, last=40)]
    over = gone(known.kept.cases_of(GHANA), left)
    said = batch()
    close_cases(known, said, over)
    assert [s.message.body.open for s in said.said] == [False, False]
    assert [s.message.conversation for s in said.said] == ["REC-1", "REC-3"]
    assert spans(known) == [(21, 30)]
    open_cases(known, batch(), GHANA, [found(1, 10)], [], freeze=False)
    assert known.kept.last_case == 4
