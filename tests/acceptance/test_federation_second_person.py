# SPDX-License-Identifier: Apache-2.0
"""Dual control at a running mechanism registry: no administrator brings units into being alone.

Elsewhere: every refusal and whatever happens meanwhile, on both kinds of store
(`tests/contract/test_engine_second_person`).
"""

from typing import Any

import pytest

from runtime import events
from schemas.identifiers import Participant
from tests.cast import ADM, KOR, MMR, A, account, approval, asked, instruction, issuance, line
from tests.federation import Federation

MECHANISM = Participant("UN01")
ISSUE: dict[str, Any] = {
    "party": "MMR",
    "activity": "A0042",
    "vintage": 2024,
    "quantity": 100,
    "first": 5001,
    "references": {"request": "R", "approval": "B", "approved_quantity": 7125},
}


async def state(federation: Federation, number: int) -> tuple[str, str]:
    return await federation.handled(MECHANISM, number)


@pytest.mark.requirement(26, 27)
async def test_an_issuance_waits_and_units_exist_once_somebody_else_has_confirmed_it(
    federation: Federation,
) -> None:
    before = await federation.ledgers()
    number = await federation.submit(MECHANISM, "issue", **ISSUE)
    waits, told = await state(federation, number)
    assert (waits, told.startswith("a second person confirms or declines")) == ("awaiting", True)
    await federation.settled()
    assert await federation.ledgers() == before
    done, transaction = await state(federation, await federation.answer(MECHANISM, number))
    assert (done, await state(federation, number)) == ("done", ("done", transaction))
    assert await federation.ended(transaction) == "completed"
    held = {row[3]: row[2] - row[1] + 1 for row in await federation.holdings(ADM) if row[1] > 5000}
    assert held == {account(ADM, "PEN"): 93, account(ADM, "SOP"): 5, account(ADM, "OMG"): 2}
    (row,) = await federation.rows(MECHANISM, "select * from awaited where command = :n", n=number)
    assert (row.author, row.person, row.ending) == ("olga", "otto", "confirmed")
    (logged,) = federation.logged(events.COMMAND_CONFIRMED, command=number)
    assert (logged["operator"], logged["by"]) == ("olga", "otto")


@pytest.mark.requirement(26, 27)
async def test_one_administrator_alone_can_never_issue(federation: Federation) -> None:
    """Whatever one person orders, confirms and orders again, nothing comes of it."""
    before = await federation.ledgers()
    numbers = [
        await federation.submit(MECHANISM, "issue", **ISSUE),
        await federation.submit(
            MECHANISM, "propose", actor=ADM, **asked(issuance(ADM, A, 5001, 5100))
        ),
        await federation.submit(MECHANISM, "issue", **ISSUE),
    ]
    for number in numbers:
        assert (await state(federation, number))[0] == "awaiting"
        alone = await federation.answer(MECHANISM, number, "olga")
        ended, why = await state(federation, alone)
        assert (ended, why[:24]) == ("refused", "2008 second-person-wrong")
        sideways = await federation.answer(MECHANISM, alone, "olga")
        assert (await state(federation, sideways))[0] == "refused"
    await federation.stop(MECHANISM)
    await federation.start(MECHANISM)
    assert [(await state(federation, number))[0] for number in numbers] == ["awaiting"] * 3
    for number in numbers:
        declined = await federation.answer(MECHANISM, number, "olga", "decline")
        assert (await state(federation, declined))[0] == "done"
    await federation.settled()
    assert await federation.ledgers() == before


ADMINISTRATORS: dict[str, dict[str, Any]] = {
    "approval": approval("C", A, 10),
    "forwarding": {
        "action": "forwarding",
        "lines": (line(A, 401, 410, account(ADM, "PEN"), account(MMR)),),
        "acquirer": MMR,
        "instruction": instruction("A"),
    },
    "administrative cancellation": {
        "action": "administrative-cancellation",
        "lines": (line(A, 401, 410, account(ADM, "PEN"), account(ADM, "ADM")),),
        "reversal": "R-1",
    },
}


@pytest.mark.requirement(26, 27)
@pytest.mark.parametrize("action", ADMINISTRATORS)
async def test_whatever_the_administrator_s_section_proposes_waits(
    federation: Federation, action: str
) -> None:
    wanted = asked(ADMINISTRATORS[action])
    number = await federation.submit(MECHANISM, "propose", actor=ADM, **wanted)
    assert (await state(federation, number))[0] == "awaiting"
    declined = await federation.answer(MECHANISM, number, word="decline")
    assert (await state(federation, declined))[0] == "done"


@pytest.mark.requirement(26, 27)
async def test_a_party_s_section_there_goes_on_with_one_person(federation: Federation) -> None:
    one = line(A, 101, 110, account(MMR), account(KOR))
    bring = {
        "action": "first-transfer",
        "lines": (one,),
        "acquirer": KOR,
        "authorization": {"id": "MM-1", "version": 1},
    }
    number = await federation.submit(MECHANISM, "propose", actor=MMR, **asked(bring))
    ended, transaction = await state(federation, number)
    assert ended == "done", transaction
    assert await federation.ended(transaction) == "completed"


@pytest.mark.requirement(26, 27)
async def test_what_is_refused_when_it_is_carried_out_says_so_to_both(
    federation: Federation,
) -> None:
    """The approval is asked for when the issuance is carried out, and not before."""
    wrong = {**ISSUE, "references": {**ISSUE["references"], "approval": "none such"}}
    number = await federation.submit(MECHANISM, "issue", **wrong)
    assert (await state(federation, number))[0] == "awaiting"
    ended, why = await state(federation, await federation.answer(MECHANISM, number))
    assert (ended, "approval-missing" in why) == ("refused", True)
    assert await state(federation, number) == (ended, why)


@pytest.mark.requirement(26, 27)
async def test_what_is_no_issuance_at_all_waits_for_nobody(federation: Federation) -> None:
    number = await federation.submit(MECHANISM, "issue", **{**ISSUE, "authorized": 99})
    ended, why = await state(federation, number)
    assert (ended, why[:20]) == ("refused", "2007 command-invalid")
    number = await federation.submit(MECHANISM, "propose", actor=ADM, action="dance")
    assert (await state(federation, number))[0] == "refused"
