# SPDX-License-Identifier: Apache-2.0
"""What is shown to whoever is sent every entry: positions, deliveries, heads."""

import pytest

from ledger import log
from ledger.growth import Growth
from ledger.shown import Head, Previous, misaddressed
from ledger.shown_whole import WholeLog, unaddressed
from schemas.effects import CaseEffect, Effect, Move
from schemas.envelope import digest
from schemas.identifiers import Actor, CaseId, Digest, Instant, account_number
from schemas.messages import Addressed, Entry
from schemas.units import Attributes, Key, Position

GHANA, SWISS = Actor("GHA01/GHA"), Actor("CHE01/CHE")
KEY = Key.parse("itmo:CA0007-GHA01-GHA-2023")
NOON = Instant("2026-03-01T12:00:00.000000Z")


def grown(size: int) -> Growth:
    tree = Growth()
    for number in range(size):
        tree = tree.append(log.leaf_hash(b"%d" % number)).written()
    return tree


def entry(position: int, *addressed: tuple[Actor, int], effects: tuple[Effect, ...] = ()) -> Entry:
    return Entry(
        log="a.log",
        position=position,
        acts=1,
        at=NOON,
        manifest=None,
        state=None,
        action=None,
        rules="1",
        addressed=tuple(Addressed(actor=actor, index=index) for actor, index in addressed),
        effects=effects,
    )


def whole(size: int = 10) -> WholeLog:
    """A log that is read from a head on, when Ghana had been admitted before."""
    return WholeLog(grown(size), uncounted=frozenset({GHANA}))


def test_the_first_delivery_that_is_read_says_how_many_there_were() -> None:
    read = whole()
    assert read.take(entry(10, (GHANA, 7)), b"10") is None
    assert read.take(entry(11, (GHANA, 8)), b"11") is None
    found = read.take(entry(12, (GHANA, 10)), b"12")
    assert found == "entry 12 is delivery 10 of GHA01/GHA, 9 is the next"
    assert read.log.root() == grown(12).root(), "what is wrong is not taken"


def test_of_an_entry_that_is_wrong_nothing_is_counted() -> None:
    read = whole()
    found = read.take(entry(10, (GHANA, 7), (SWISS, 3)), b"10")
    assert found == "entry 10 is delivery 3 of CHE01/CHE, 0 is the next"
    assert read.counts == {}
    assert read.take(entry(10, (GHANA, 7), (SWISS, 0)), b"10") is None
    assert read.counts == {GHANA: 8, SWISS: 1}


def test_an_actor_that_is_addressed_twice_has_two_deliveries() -> None:
    found = whole().take(entry(10, (GHANA, 7), (GHANA, 7)), b"10")
    assert found == "entry 10 is delivery 7 of GHA01/GHA, 8 is the next"


def told(*concerned: Actor) -> CaseEffect:
    return CaseEffect(
        key=KEY,
        first=1,
        last=9,
        case=CaseId("REC-3"),
        actor=GHANA,
        concerned=concerned,
        cause="missing",
        state="open",
    )


@pytest.mark.requirement(111)
@pytest.mark.parametrize(
    ("concerned", "addressed", "problem"),
    [
        ((), [(GHANA, 7)], None),
        ((SWISS,), [(GHANA, 7), (SWISS, 0)], None),
        ((SWISS,), [(GHANA, 7)], "entry 10 does not tell CHE01/CHE of the case that concerns it"),
        ((SWISS,), [(SWISS, 0)], "entry 10 does not tell GHA01/GHA of the case that concerns it"),
        (
            (),
            [(GHANA, 7), (SWISS, 0)],
            "entry 10 tells CHE01/CHE of a case that does not concern it",
        ),
    ],
)
def test_a_case_is_for_its_actor_and_for_whom_it_concerns_and_for_nobody_else(
    concerned: tuple[Actor, ...], addressed: list[tuple[Actor, int]], problem: str | None
) -> None:
    read, said = whole(), entry(10, *addressed, effects=(told(*concerned),))
    assert read.take(said, b"10") == problem == misaddressed(said)
    assert read.log.size == (11 if problem is None else 10)


def test_whoever_is_admitted_meanwhile_has_had_no_delivery() -> None:
    assert whole().take(entry(10, (SWISS, 0)), b"10") is None
    found = whole().take(entry(10, (SWISS, 3)), b"10")
    assert found == "entry 10 is delivery 3 of CHE01/CHE, 0 is the next"


def test_an_entry_again_is_no_other_one_and_none_is_passed_over() -> None:
    read = whole()
    assert read.take(entry(10), b"10") is None
    assert read.misplaced(entry(10), digest(b"10")) is None
    assert read.has(entry(10))
    assert "entry 10 was" in (read.misplaced(entry(10), digest(b"others")) or "")
    assert read.misplaced(entry(4), digest(b"what nobody knows any more")) is None
    assert read.misplaced(entry(12), digest(b"12")) == "entry 12 came, 11 did not"
    assert not read.has(entry(11))


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (Head(11, grown(11).root(), None), None),
        (Head(11, b"\0" * 32, None), "at size 11 the entries that came have another root"),
        (Head(12, grown(12).root(), None), "the checkpoint covers 12 entries, 11 came"),
        (Head(11, grown(11).root(), Previous(10, b"\0" * 32, frozenset())), "at size 10"),
        (Head(11, grown(11).root(), Previous(4, b"\0" * 32, frozenset())), None),
    ],
)
def test_a_head_is_of_the_entries_that_came(head: Head, said: str | None) -> None:
    """Of those before the beginning nothing is known but their root."""
    read = whole()
    assert read.take(entry(10), b"10") is None
    found = read.false_head(head)
    assert found is None if said is None else said in (found or "")


def test_whose_units_move_is_addressed() -> None:
    source, target = (Position.of(account_number(one, "HLD", 1)) for one in (GHANA, SWISS))
    move = Move(key=KEY, first=1, last=9, attributes=Attributes(), source=source, target=target)
    assert unaddressed(entry(10, (GHANA, 7), effects=(move,))) == [SWISS]
    assert unaddressed(entry(10, (GHANA, 7), (SWISS, 0), effects=(move,))) == []
    found = whole().take(entry(10, (GHANA, 7), effects=(move,)), b"10")
    assert found == "entry 10 moves units of CHE01/CHE and is not addressed to it"


def test_the_digest_of_an_entry_is_that_of_its_line() -> None:
    read = whole()
    read.take(entry(10), b"10")
    assert read.said == {10: Digest(digest(b"10"))}
