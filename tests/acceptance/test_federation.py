# SPDX-License-Identifier: Apache-2.0
"""The life of transactions on a whole federation: what operators do, and what comes of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ledger.transactions import FINAL
from schemas.findings import Reason, finding
from schemas.identifiers import Actor, Participant
from schemas.messages import Enclosure, Entry, Notice, StatusAnswer
from schemas.units import Key
from tests.cast import (
    ADM,
    CHE,
    GHA,
    HUB,
    KOR,
    MM1,
    MMR,
    REC,
    ROG,
    VUT,
    A,
    I,
    R,
    U,
    account,
    asked,
    first_transfer,
    issuance,
    line,
    terms,
    transfer,
    use,
)
from tests.federation import Federation, Settings
from tests.voice import Voice

GHANA, SWISS = Participant("GHA01"), Participant("CHE01")
BY_HAND = pytest.mark.parametrize("settings", [Settings(manual=frozenset({SWISS}))])


# --- parts of blocks ----------------------------------------------------------------------------


@pytest.mark.requirement(4, 25, 66)
async def test_a_part_and_then_the_rest_are_each_first_transferred(federation: Federation) -> None:
    """A10: what is split off inherits that it was not first-transferred, and so does the rest."""
    bring = {"action": "first-transfer", "acquirer": KOR, "authorization": MM1}
    for first, last in ((201, 250), (101, 120), (121, 200), (251, 400)):
        one = line(A, first, last, account(MMR), account(KOR))
        assert await federation.transact(MMR, {**bring, "lines": (one,)}) == "completed"
    held = await federation.holdings(KOR)
    assert sum(last - first + 1 for key, first, last, _ in held if key == A.text) == 400
    assert await federation.holdings(MMR) == set()
    one = line(A, 101, 120, account(MMR), account(KOR))
    wanted = {"actor": MMR, **asked({**bring, "lines": (one,)})}
    done, why = await federation.command("UN01", "propose", **wanted)
    assert not done
    assert "units-not-held" in why


async def test_ranges_over_several_rows_and_parts_of_rows_move_at_once(
    federation: Federation,
) -> None:
    """How rows are split is nobody's business: a line may begin and end inside of some."""
    for first, last in ((201, 240), (241, 300), (301, 333)):
        moved = first_transfer(first, last, first)
        assert await federation.transact(GHA, moved) == "completed"
    assert await federation.transact(CHE, use(I, 230, 310, CHE)) == "completed"
    assert (I.text, 230, 310, account(CHE, "USE")) in await federation.holdings(CHE)
    retired = {row[1:3] for row in await federation.holdings(GHA) if row[3] == account(GHA, "RET")}
    assert retired == {(230, 240), (241, 300), (301, 310)}, "cut to the pledges"


async def test_a_completion_too_large_for_an_entry_is_refused_and_its_units_are_free(
    federation: Federation,
) -> None:
    """Five hundred pledges of a unit each: an entry that retires them all would not fit."""
    for begin in range(101, 601, 100):
        lines = tuple(
            line(U, n, n, account(GHA), account(CHE), itmo_first=n)
            for n in range(begin, begin + 100)
        )
        moved = first_transfer(begin, begin + 99, begin, lines=lines)
        assert await federation.transact(GHA, moved) == "completed"
    transaction = await federation.propose(CHE, use(I, 101, 600, CHE))
    assert await federation.ended(transaction) == "refused"
    (row,) = await federation.rows(
        SWISS, "select findings from transactions where id = :id", id=transaction
    )
    assert "message-too-large" in row.findings
    assert "propose fewer at a time" in row.findings
    assert await federation.transact(CHE, use(I, 101, 300, CHE)) == "completed"


# --- an operator answers --------------------------------------------------------------------------


@BY_HAND
async def test_a_clearance_waits_for_the_operator_who_accepts_it(federation: Federation) -> None:
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201))
    await federation.reached(transaction, "cleared", SWISS)
    await asyncio.sleep(30)
    assert await federation.state(transaction) == "cleared"
    assert (await federation.rows(SWISS, "select waiting from transactions"))[-1].waiting == 1
    await federation.order(SWISS, "accept", transaction=transaction, comment="Welcome.")
    assert await federation.ended(transaction) == "completed"
    done, why = await federation.command(SWISS, "accept", transaction=transaction)
    assert not done
    assert "transaction-state" in why


@pytest.mark.requirement(6, 115)
@BY_HAND
async def test_what_comes_in_stands_in_no_row_before_it_was_accepted(
    federation: Federation,
) -> None:
    before = await federation.holdings(CHE)
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201))
    await federation.reached(transaction, "cleared", SWISS)
    assert await federation.holdings(CHE) == before
    assert await federation.holdings(CHE, HUB) == before
    await federation.order(SWISS, "accept", transaction=transaction)
    assert await federation.ended(transaction) == "completed"
    assert await federation.holdings(CHE) - before == {(I.text, 201, 300, account(CHE))}
    sql = "select proposer, acquirer from transactions where id = :id"
    (row,) = await federation.rows(SWISS, sql, id=transaction)
    assert tuple(row) == (GHA, CHE)


@BY_HAND
async def test_an_operator_rejects_with_a_comment_that_the_proposer_reads(
    federation: Federation,
) -> None:
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201))
    await federation.reached(transaction, "cleared", SWISS)
    await federation.order(SWISS, "reject", transaction=transaction, comment="Not this year.")
    assert await federation.ended(transaction) == "rejected"
    rows = await federation.rows(
        GHANA, "select state, findings from transactions where id = :id", id=transaction
    )
    assert rows[0].state == "rejected"
    assert "Not this year." in rows[0].findings
    assert await federation.rows(GHANA, "select 1 from overlays where kind = 'reserved'") == []


@BY_HAND
async def test_the_proposer_withdraws_and_then_the_operator_is_too_late(
    federation: Federation,
) -> None:
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201))
    await federation.reached(transaction, "cleared", SWISS)
    done, why = await federation.command(SWISS, "withdraw", transaction=transaction)
    assert not done
    assert "transaction-unknown" in why
    await federation.order(GHANA, "withdraw", transaction=transaction)
    assert await federation.ended(transaction) == "withdrawn"
    for command in ("accept", "reject"):
        done, why = await federation.command(SWISS, command, transaction=transaction)
        assert not done
        assert "transaction-state" in why


async def enclosed(federation: Federation, transaction: str, place: Participant) -> list[str]:
    """What a registry was shown of what others said in a transaction: their types."""
    sql = (
        "select answers from messages where type = 'enclosure' and author = 'HUB' "
        "and conversation = :id"
    )
    shown = [row.answers for row in await federation.rows(place, sql, id=transaction)]
    sql = "select type from messages where digest = :digest"
    return [row.type for told in shown for row in await federation.rows(HUB, sql, digest=str(told))]


@BY_HAND
async def test_whoever_is_concerned_is_shown_what_was_said(federation: Federation) -> None:
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201))
    await federation.reached(transaction, "cleared", SWISS)
    await federation.order(GHANA, "withdraw", transaction=transaction)
    await federation.reached(transaction, "withdrawn", SWISS)
    assert sorted(await enclosed(federation, transaction, SWISS)) == ["proposal", "withdrawal"]
    used = await federation.propose(CHE, use(I, 1, 10, CHE))
    await federation.reached(used, "completed", GHANA)
    assert await enclosed(federation, used, GHANA) == ["proposal"]
    assert await federation.rows(HUB, "select 1 from messages where type = 'notice'") == []


@BY_HAND
async def test_acceptance_and_withdrawal_at_once_end_in_one_state_everywhere(
    federation: Federation,
) -> None:
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201))
    await federation.reached(transaction, "cleared", SWISS)
    await federation.submit(GHANA, "withdraw", transaction=transaction)
    await federation.submit(SWISS, "accept", transaction=transaction)
    state = await federation.ended(transaction)
    assert state in {"withdrawn", "completed"}
    for place in (GHANA, SWISS):
        assert await federation.state(transaction, place) == state


# --- accounts -------------------------------------------------------------------------------------


async def test_what_would_enter_a_closed_account_is_rejected(federation: Federation) -> None:
    other = account(CHE, number=2)
    one = line(U, 201, 300, account(GHA), other, itmo_first=201)
    wanted = first_transfer(201, 300, 201, lines=(one,))
    await federation.order(SWISS, "close-account", account=other)
    assert await federation.transact(GHA, wanted) == "rejected"
    rows = await federation.rows(
        GHANA, "select findings from transactions where state = 'rejected'"
    )
    assert "account-unknown" in rows[0].findings
    await federation.order(SWISS, "open-account", actor=CHE, kind="holding", number=2)
    assert await federation.transact(GHA, wanted) == "completed"
    done, why = await federation.command(SWISS, "close-account", account=other)
    assert not done
    assert "holds units" in why


@BY_HAND
async def test_an_account_closed_while_a_clearance_waits_is_not_accepted_into(
    federation: Federation,
) -> None:
    other = account(CHE, number=2)
    one = line(U, 201, 300, account(GHA), other, itmo_first=201)
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201, lines=(one,)))
    await federation.reached(transaction, "cleared", SWISS)
    await federation.order(SWISS, "close-account", account=other)
    done, why = await federation.command(SWISS, "accept", transaction=transaction)
    assert not done
    assert "account-unknown" in why
    await federation.order(SWISS, "reject", transaction=transaction)
    assert await federation.ended(transaction) == "rejected"


@BY_HAND
async def test_units_that_arrive_in_an_account_closed_meanwhile_are_not_stranded(
    federation: Federation,
) -> None:
    """Accepted, then closed, then completed: the account is opened again, and all is as before."""
    other = account(CHE, number=2)
    one = line(U, 201, 300, account(GHA), other, itmo_first=201)
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201, lines=(one,)))
    await federation.reached(transaction, "cleared", SWISS)
    await federation.stop(HUB)
    await federation.order(SWISS, "accept", transaction=transaction)
    await federation.order(SWISS, "close-account", account=other)
    await federation.start(HUB)
    assert await federation.ended(transaction) == "completed"
    moved = line(I, 201, 210, other, account(CHE, "USE"))
    wanted = use(I, 201, 210, CHE, lines=(moved,))
    done, why = await federation.command(SWISS, "propose", actor=CHE, **asked(wanted))
    assert not done
    assert "account-unknown" in why
    await federation.order(SWISS, "open-account", actor=CHE, kind="holding", number=2)
    assert await federation.transact(CHE, wanted) == "completed"


# --- the desk -------------------------------------------------------------------------------------

REFUSED_AT_THE_DESK: dict[str, tuple[Actor, dict[str, Any], str]] = {
    "units that are not there": (GHA, first_transfer(1001, 1010, 1001), "units-not-held"),
    "used units": (CHE, use(I, 91, 100, CHE), "units-final"),
    "an account of its own that was never opened": (
        CHE,
        use(I, 1, 5, CHE, lines=(line(I, 1, 5, account(CHE), account(CHE, "USE", 9)),)),
        "account-unknown",
    ),
    "somebody else's section": (
        CHE,
        {"actor": GHA, **use(I, 1, 5, CHE)},
        "is not an actor of this",
    ),
    "an actor that is none": (CHE, {"actor": "nobody", **use(I, 1, 5, CHE)}, "is not an actor"),
    "no action": (CHE, {"lines": (line(I, 1, 5, account(CHE)),)}, "command-invalid in action"),
    "a wish": (CHE, use(I, 1, 5, CHE, action="wish"), "command-invalid in action"),
    "a lifetime of ages": (CHE, use(I, 1, 5, CHE, lifetime_seconds=10**18), "command-invalid"),
    "a lifetime in words": (CHE, use(I, 1, 5, CHE, lifetime_seconds="long"), "command-invalid"),
    "an issuance by a section": (KOR, issuance(KOR, U, 5001, 5010), "key-wrong"),
}


@pytest.mark.parametrize("name", REFUSED_AT_THE_DESK)
async def test_the_desk_refuses_before_anything_is_sent(federation: Federation, name: str) -> None:
    actor, wanted, expected = REFUSED_AT_THE_DESK[name]
    assert await federation.transact(CHE, use(I, 91, 100, CHE)) == "completed"
    await federation.settled()
    place = actor.participant
    sql = "select count(*) from messages where type = 'proposal'"
    sent = (await federation.rows(place, sql))[0][0]
    before = await federation.ledgers()
    done, why = await federation.command(place, "propose", **{"actor": actor, **asked(wanted)})
    assert not done
    assert expected in why
    assert await federation.ledgers() == before
    assert (await federation.rows(place, sql))[0][0] == sent
    assert await federation.transact(CHE, use(I, 1, 5, CHE)) == "completed"


BAD_COMMANDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "no such command": ("dance", {}, "no command dance"),
    "an account of no kind": (
        "open-account",
        {"actor": CHE, "kind": "piggy-bank"},
        "is no kind of account",
    ),
    "an account of a list": (
        "open-account",
        {"actor": CHE, "kind": ["holding"]},
        "command-invalid",
    ),
    "an account of nobody": ("open-account", {"kind": "holding"}, "the argument actor is missing"),
    "an account for another": ("open-account", {"actor": GHA, "kind": "holding"}, "not an actor"),
    "account nought": (
        "open-account",
        {"actor": CHE, "kind": "holding", "number": 0},
        "is not an account number",
    ),
    "an account twice": ("open-account", {"actor": CHE, "kind": "holding", "number": 1}, "is open"),
    "an account that is none": ("close-account", {"account": 5}, "command-invalid"),
    "an account that was never opened": (
        "close-account",
        {"account": account(CHE, number=9)},
        "account-unknown",
    ),
    "another's account": ("close-account", {"account": account(GHA)}, "account-unknown"),
    "an account with units": ("close-account", {"account": account(CHE)}, "holds units"),
    "an answer to nothing": ("accept", {"transaction": "GHA01-GHA-77"}, "transaction-unknown"),
    "an answer to no transaction": ("accept", {"transaction": 5}, "command-invalid"),
    "an answer without a transaction": ("reject", {}, "the argument transaction is missing"),
    "an answer to what is over": ("accept", {"transaction": "GHA01-GHA-3"}, "transaction-state"),
    "a withdrawal of another's": (
        "withdraw",
        {"transaction": "GHA01-GHA-3"},
        "transaction-unknown",
    ),
    "the status of nothing": ("status", {"transaction": "CHE01-CHE-77"}, "transaction-unknown"),
    "lines that are none": ("propose", {"actor": CHE, "lines": 5}, "command-invalid"),
    "lines of words": ("propose", {"actor": CHE, "lines": ["a"]}, "command-invalid"),
    "a line without serials": ("propose", {"actor": CHE, "lines": [{}]}, "command-invalid"),
    "an issuance by no mechanism": ("issue", {"party": "CHE"}, "no command issue"),
}


@pytest.mark.parametrize("name", BAD_COMMANDS)
async def test_a_bad_command_is_refused_with_a_reason(federation: Federation, name: str) -> None:
    command, arguments, expected = BAD_COMMANDS[name]
    before = await federation.ledgers()
    done, why = await federation.command(SWISS, command, **arguments)
    assert not done
    assert expected in why
    assert await federation.ledgers() == before


BAD_ISSUES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "command-invalid in party"),
    "one unit": ({"quantity": 1, "authorized": 0, "designation": None}, "issue more at once"),
    "more authorized than remain": ({"quantity": 1000, "authorized": 931}, "remain after"),
    "authorized for nothing": ({"designation": None}, "have a designation"),
    "designated and not authorized": ({"authorized": 0}, "have a designation"),
    "serials past the last": ({"first": 2**44 - 5}, "command-invalid"),
    "serials that are taken": ({"first": 900}, "serials-taken"),
    "vintage 2020": ({"vintage": 2020}, "vintage-too-early"),
    "over the approval": (
        {"references": {"request": "R", "approval": "B", "approved_quantity": 7124}},
        "approval-exceeded",
    ),
}
ISSUE = {
    "party": "MMR",
    "activity": "A0042",
    "vintage": 2024,
    "quantity": 7125,
    "first": 5001,
    "authorized": 100,
    "designation": "N",
    "authorization": {"id": "MM-1", "version": 1},
    "references": {"request": "R", "approval": "B", "approved_quantity": 7125},
}


@pytest.mark.parametrize("name", BAD_ISSUES)
async def test_an_issuance_that_does_not_add_up_is_refused(
    federation: Federation, name: str
) -> None:
    changes, expected = BAD_ISSUES[name]
    before = await federation.ledgers()
    arguments = {**ISSUE, **changes} if changes else {}
    done, why = await federation.command("UN01", "issue", **arguments)
    assert not done
    assert expected in why
    assert await federation.ledgers() == before


@pytest.mark.requirement(18, 19)
async def test_an_issuance_pays_both_levies_rounded_up(federation: Federation) -> None:
    """7,125 A6.4ERs: 357 to the Adaptation Fund, 143 cancelled for overall mitigation."""
    issued = await federation.order("UN01", "issue", **ISSUE)
    assert await federation.ended(issued) == "completed"
    held = {row[3]: row[2] - row[1] + 1 for row in await federation.holdings(ADM) if row[1] > 5000}
    assert held[account(ADM, "SOP")] == 357
    assert held[account(ADM, "OMG")] == 143


# --- sections -------------------------------------------------------------------------------------


@pytest.mark.requirement(50)
async def test_a_transfer_between_two_sections_is_one_commit(federation: Federation) -> None:
    """Both sections' rows and deliveries come from one entry, in one transaction."""
    assert await federation.transact(KOR, transfer(A, 1, 40, KOR, VUT)) == "completed"
    rows = await federation.rows(
        "UN02",
        "select actor, position, applied_at from deliveries where conversation = 'UN02-KOR-1'",
    )
    assert {row.actor for row in rows} == {KOR, VUT}
    by_position = {(row.position, row.applied_at) for row in rows}
    assert len(by_position) == 2, "cleared and completed, each at one moment"
    assert (A.text, 1, 40, account(VUT)) in await federation.holdings(VUT)


@pytest.mark.requirement(11, 54)
@pytest.mark.parametrize(("actor", "key", "other"), [(CHE, I, KOR), (KOR, A, CHE)])
async def test_a_section_does_what_a_registry_of_one_s_own_does(
    federation: Federation, actor: Actor, key: Key, other: Actor
) -> None:
    recorded = terms("S-1", actor, "CA0012", purposes=["NDC", "OP"], first_transfer="authorization")
    assert await federation.transact(actor, {"action": "authorization", "terms": recorded}) == (
        "completed"
    )
    assert await federation.transact(actor, transfer(key, 1, 20, actor, other)) == "completed"
    assert await federation.transact(other, transfer(key, 1, 20, other, actor)) == "completed"
    assert await federation.transact(actor, use(key, 11, 30, actor)) == "completed"
    rows = {row[1:] for row in await federation.holdings(actor) if row[0] == key.text}
    assert (11, 30, account(actor, "USE")) in rows
    assert {row for row in rows if row[2] == account(actor)} == {
        (1, 10, account(actor)),
        (31, 100, account(actor)),
    }


@pytest.mark.requirement(117)
async def test_parties_that_share_a_registry_have_their_own_units_alone(
    federation: Federation,
) -> None:
    assert await federation.transact(KOR, transfer(A, 1, 40, KOR, VUT)) == "completed"
    before = await federation.ledgers()
    taken = {
        "action": "transfer",
        "lines": (line(A, 1, 10, account(VUT), account(KOR)),),
        "acquirer": CHE,
    }
    for wanted, expected in (
        (taken, "author-not-acting"),
        (use(A, 1, 10, VUT), "author-not-acting"),
        (use(A, 1, 10, KOR), "units-not-held"),
    ):
        done, why = await federation.command("UN02", "propose", actor=KOR, **asked(wanted))
        assert not done
        assert expected in why
    assert await federation.ledgers() == before


async def test_a_section_s_closed_account_rejects_its_neighbour(federation: Federation) -> None:
    await federation.order("UN02", "close-account", account=account(VUT))
    wanted = transfer(A, 1, 40, KOR, VUT)
    done, why = await federation.command("UN02", "propose", actor=KOR, **asked(wanted))
    assert not done
    assert "account-unknown" in why, "one operator sees both"


# --- what the hub says of a proposal ------------------------------------------------------------


async def under_way(federation: Federation) -> tuple[str, int, Voice]:
    """Ghana has proposed, and the hub that it speaks to is spoken for: the transaction, the
    sequence of the proposal, and the hub's voice.
    """
    await federation.settled()
    await federation.stop(REC, HUB)
    federation.diverged.add(GHA)  # it reserves what the log knows nothing of
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201))
    sql = "select sequence from messages where conversation = :c and type = 'proposal'"
    (row,) = await federation.rows(GHANA, sql, c=transaction)
    return transaction, row.sequence, await federation.voice(Actor("HUB"))


async def reserved(federation: Federation) -> list[tuple[int, int]]:
    rows = await federation.rows(GHANA, "select first, last from overlays where kind = 'reserved'")
    return [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("closed", "released"), [(-1, False), (0, True), (5, True)], ids=["before", "at", "behind"]
)
async def test_unknown_and_closed_behind_it_releases_a_proposal(
    federation: Federation, closed: int, *, released: bool
) -> None:
    transaction, sequence, hub = await under_way(federation)
    answer = StatusAnswer.model_validate(
        {
            "transaction": transaction,
            "state": None,
            "position": None,
            "closed_to": sequence + closed,
        },
        strict=False,
    )
    await hub.say("status", transaction, answer, to=GHANA)
    assert await reserved(federation) == ([] if released else [(201, 300)])
    expected = "refused" if released else "proposed"
    assert await federation.state(transaction, GHANA) == expected
    await hub.close()


async def test_a_known_state_in_a_status_releases_nothing(federation: Federation) -> None:
    """Only an entry, in its place among the deliveries, ends a transaction that is known."""
    transaction, sequence, hub = await under_way(federation)
    for state in sorted(FINAL):
        answer = StatusAnswer.model_validate(
            {
                "transaction": transaction,
                "state": state.value,
                "position": 99,
                "closed_to": sequence,
            },
            strict=False,
        )
        await hub.say("status", transaction, answer, to=GHANA)
    assert await reserved(federation) == [(201, 300)]
    await hub.close()


@pytest.mark.parametrize("conversation", ["as proposed", "notice"])
async def test_the_hub_s_notice_about_the_very_proposal_releases_it(
    federation: Federation, conversation: str
) -> None:
    """Also when the hub could not even read of which transaction it was."""
    transaction, sequence, hub = await under_way(federation)
    sql = "select message from transactions where id = :id"
    (row,) = await federation.rows(GHANA, sql, id=transaction)
    about = transaction if conversation == "as proposed" else "notice"
    for told, left in (("0" * 64, [(201, 300)]), (row.message, [])):
        notice = Notice.model_validate(
            {"about": told, "sequence": sequence, "findings": (finding(Reason.TYPE_UNKNOWN),)},
            strict=False,
        )
        await hub.say("notice", about, notice, to=GHANA)
        assert await reserved(federation) == left
    await hub.close()


async def test_somebody_else_s_notice_releases_nothing(federation: Federation) -> None:
    transaction, sequence, hub = await under_way(federation)
    (row,) = await federation.rows(
        GHANA, "select message from transactions where id = :id", id=transaction
    )
    rec = await federation.voice(Actor("REC"))
    notice = Notice.model_validate(
        {"about": row.message, "sequence": sequence, "findings": (finding(Reason.INTERNAL),)},
        strict=False,
    )
    await rec.say("notice", transaction, notice, to=GHANA)
    assert await reserved(federation) == [(201, 300)]
    await rec.close()
    await hub.close()


async def test_the_operator_asks_and_the_hub_tells_what_it_knows(federation: Federation) -> None:
    said = await federation.order(SWISS, "status", transaction="GHA01-GHA-3")
    assert said == "GHA01-GHA-3 is completed here; the hub was asked"
    done, why = await federation.command(GHANA, "status", transaction="GHA01-GHA-3")
    assert done, why
    assert await federation.transact(CHE, use(I, 1, 5, CHE)) == "completed"
    done, why = await federation.command(GHANA, "status", transaction="CHE01-CHE-1")
    assert not done, "its units followed; it has no part in the transaction"
    assert "not-concerned" in why


# --- enclosures ---------------------------------------------------------------------------------

Spoilt = Callable[[str, str], tuple[str, str]]
ENCLOSURES: dict[str, tuple[Spoilt, str]] = {  # each takes the manifest and the line
    "not a manifest": (lambda _, x: ("hello", x), "envelope-malformed"),
    "not even letters": (lambda _, x: ("\u00fc", x), "envelope-malformed"),
    "another line": (lambda m, x: (m, x.replace("}", " }", 1)), "manifest-mismatch"),
    "a signature that was cut": (lambda m, x: (m[:-8] + "AAAAAAAA", x), "signature-invalid"),
    "no message": (lambda m, _: (m, "hello"), "manifest-mismatch"),
}


@pytest.mark.parametrize("name", ENCLOSURES)
async def test_an_enclosure_that_is_not_what_its_author_signed_is_not_answered(
    federation: Federation, name: str
) -> None:
    spoil, reason = ENCLOSURES[name]
    await federation.settled()
    rows = await federation.rows(
        HUB,
        "select i.body, m.line from messages m join inbox i on i.sender = m.author and "
        "i.sequence = m.sequence where m.type = 'proposal' and m.conversation = 'GHA01-GHA-3'",
    )
    lines = bytes(rows[0].body).decode().split("\n")
    manifest, said = lines[0], lines[rows[0].line + 1]
    await federation.stop(REC, HUB)
    hub = await federation.voice(Actor("HUB"))
    await hub.hear()
    spoilt = spoil(manifest, said)
    body = Enclosure(manifest=spoilt[0], line=spoilt[1])
    digest = await hub.say("enclosure", "GHA01-GHA-3", body, to=SWISS)
    assert await hub.reasons(digest, SWISS) == [reason]
    await hub.close()


# --- a rogue as neighbour -----------------------------------------------------------------------


async def test_what_is_said_by_hand_and_right_arrives_like_anything_else(
    federation: Federation,
) -> None:
    """The table of refusals means something only because the right thing passes."""
    rogue = await federation.voice(ROG)
    one = line(R, 1, 10, account(ROG), account(CHE), itmo_first=1)
    bring: dict[str, Any] = {
        "action": "first-transfer",
        "lines": (one,),
        "acquirer": CHE,
        "authorization": {"id": "RG-1", "version": 1},
    }
    said = await rogue.propose("ROG01-ROG-3", bring)
    assert await federation.ended("ROG01-ROG-3") == "completed"
    states = [m.body.state for m in await rogue.answers(said) if isinstance(m.body, Entry)]
    assert states == ["cleared"]
    await rogue.close()
