# SPDX-License-Identifier: Apache-2.0
"""On whose word units of an entity move, and what its own people may propose.

Elsewhere: who is identified, and stands (`test_identification`).
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.program import Entity
from schemas.findings import Finding, Reason
from tests.cast import MM1, MMR, A, account, line
from tests.unit.registry.bench import Bench
from tests.unit.registry.developer import (
    AIRLINE,
    DEVELOPER,
    X,
    at,
    bench_with_developer,
    cancellation,
    end,
    first_transfer,
    identify,
    opening,
    proposing,
)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_with_developer(tmp_path) as bench:
        yield bench


ITS_WORD = {"name": DEVELOPER, "reference": "letter of 1 May"}
PARTY_S_WORD = {"name": "MMR", "reference": "letter of 2 May"}
ADM_S_WORD = {"name": "ADM", "reference": "decision 3"}
THEIRS = {X.MEMBER_MISSING, X.COMMAND_NOT_ALLOWED, X.MEMBER_SUPERFLUOUS, X.ENTITY_NOT_IDENTIFIED}


def of_the_word(found: list[Finding]) -> list[tuple[Reason, str | None]]:
    """The findings about whose word it is; what the ledger says of units is not of interest."""
    return [
        (one.reason, one.field)
        for one in found
        if one.reason in THEIRS and one.field and "instruct" in one.field
    ]


@pytest.mark.requirement(24)
@pytest.mark.parametrize(
    ("word", "stands", "ended"),
    [
        (
            None,
            [(X.MEMBER_MISSING, "instructed_by")],
            [(X.MEMBER_MISSING, "instructed_by")],
        ),
        (ITS_WORD, [], [(X.ENTITY_NOT_IDENTIFIED, "instructed_by")]),
        (PARTY_S_WORD, [(X.COMMAND_NOT_ALLOWED, "instructed_by/name")], []),
        (ADM_S_WORD, [(X.COMMAND_NOT_ALLOWED, "instructed_by/name")], []),
        (
            {"name": AIRLINE, "reference": "letter"},
            [(X.COMMAND_NOT_ALLOWED, "instructed_by/name")],
            [(X.COMMAND_NOT_ALLOWED, "instructed_by/name")],
        ),
    ],
)
async def test_units_of_an_entity_move_on_its_word_while_it_stands_and_then_on_its_party_s(
    bench: Bench, word: dict[str, str] | None, stands: Any, ended: Any
) -> None:
    await bench.run(identify(), opening())
    asking = proposing(first_transfer(), MMR, **({"instructed_by": word} if word else {}))
    (found,) = await bench.run(asking)
    assert of_the_word(found) == stands
    await bench.run(end())
    (found,) = await bench.run(asking)
    assert of_the_word(found) == ended


async def test_a_word_is_given_about_units_of_entities_and_by_no_person_of_theirs(
    bench: Bench,
) -> None:
    await bench.run(identify(), opening(), opening(None))
    asking = proposing(first_transfer(2), MMR, instructed_by=ITS_WORD)
    (found,) = await bench.run(asking)
    assert of_the_word(found) == [(X.MEMBER_SUPERFLUOUS, "instructed_by")]
    developer = Entity(DEVELOPER, (account(MMR),))
    asking = proposing(first_transfer(), MMR, instructed_by=ITS_WORD)
    (found,) = await bench.run(replace(asking, entity=developer))
    assert of_the_word(found) == [(X.MEMBER_SUPERFLUOUS, "instructed_by")]
    for wrong in ("letter", {"name": DEVELOPER}, {**ITS_WORD, "more": 1}):
        (found,) = await bench.run(proposing(first_transfer(), MMR, instructed_by=wrong))
        assert [one.reason for one in found] == [X.COMMAND_INVALID]


@pytest.mark.requirement(22)
async def test_what_an_entity_has_cancelled_is_cancelled_for_it(bench: Bench) -> None:
    await bench.run(identify(), opening())
    for user, wrong in ((DEVELOPER, False), (AIRLINE, True)):
        asking = proposing(cancellation(user), MMR, instructed_by=ITS_WORD)
        (found,) = await bench.run(asking)
        assert ((X.COMMAND_NOT_ALLOWED, "body/use/user") in at(found)) == wrong


@pytest.mark.requirement(31)
async def test_a_person_of_an_entity_has_no_accounts_that_are_not_the_entity_s(
    bench: Bench,
) -> None:
    """Whatever the settings say: the Party's, another entity's, or one that is not there."""
    await bench.run(identify(), identify(AIRLINE, authorized_by={"letter": "2026/12"}))
    await bench.run(opening(None), opening(AIRLINE), opening())
    settings = tuple(account(MMR, "HLD", number) for number in (1, 2, 3, 9))
    developer = Entity(DEVELOPER, settings)
    for number in (1, 2, 9):
        asking = replace(proposing(first_transfer(number), MMR), entity=developer)
        (found,) = await bench.run(asking)
        assert at(found)[0] == (X.COMMAND_NOT_ALLOWED, "body/lines/0/source")
    (found,) = await bench.run(replace(proposing(first_transfer(3), MMR), entity=developer))
    assert X.COMMAND_NOT_ALLOWED not in {one.reason for one in found}


@pytest.mark.requirement(31)
async def test_a_person_of_an_entity_does_not_say_what_units_are_authorized_for(
    bench: Bench,
) -> None:
    await bench.run(identify(), opening())
    named = {"action": "designation", "designation": "N", "authorization": MM1}
    asking = proposing({**named, "lines": (line(A, 1, 10, account(MMR)),)}, MMR)
    developer = Entity(DEVELOPER, (account(MMR),))
    (found,) = await bench.run(replace(asking, entity=developer))
    assert at(found) == [(X.COMMAND_NOT_ALLOWED, "body/action")]
    (found,) = await bench.run(asking)
    assert of_the_word(found) == [], "the Party says it, and nothing moves"


@pytest.mark.requirement(88)
async def test_a_person_of_an_entity_takes_no_first_transfer_back(bench: Bench) -> None:
    """Both Parties sign that: an operator does for the entity's, on its word as ever."""
    await bench.run(identify(), opening())
    back = {**first_transfer(), "action": "counter-entry"}
    developer = Entity(DEVELOPER, (account(MMR),))
    (found,) = await bench.run(replace(proposing(back, MMR), entity=developer))
    assert at(found) == [(X.COMMAND_NOT_ALLOWED, "body/action")]
    (found,) = await bench.run(proposing(back, MMR))
    assert of_the_word(found) == [(X.MEMBER_MISSING, "instructed_by")]
    (found,) = await bench.run(proposing(back, MMR, instructed_by=ITS_WORD))
    assert of_the_word(found) == []
