# SPDX-License-Identifier: Apache-2.0
"""Statements and checkpoints: what settles, what is witnessed, and what a false word is worth."""

import asyncio
from typing import Any

import pytest

from ledger import log, note
from runtime import events
from schemas.findings import Reason
from schemas.identifiers import Actor, Digest, Instant, Participant
from schemas.messages import Checkpoint, Delivered, Entry, Line, Message, Statement, parse_message
from tests.cast import (
    CHE,
    GHA,
    HUB,
    LOG,
    ROG,
    I,
    R,
    account,
    issuance,
    signer,
    use,
)
from tests.federation import Federation
from tests.voice import Voice

X = Reason
GHANA = Participant("GHA01")
EMPTY = Digest("0" * 64)


async def shown(federation: Federation, voice: Voice) -> Checkpoint:
    """The newest checkpoint that a voice was shown."""

    async def one() -> Checkpoint | None:
        found = [m.body for m in await voice.hear() if isinstance(m.body, Checkpoint)]
        return found[-1] if found else None

    return await federation.wait(one, "a checkpoint", 120)


async def truth(federation: Federation, checkpoint: Checkpoint, actor: Actor) -> dict[str, Any]:
    """The members of a right statement about a checkpoint."""
    key = note.VerifierKey(LOG, note.SignatureType.ED25519, public("checkpoints"))
    text, _ = note.open_note(checkpoint.note, [key])
    head = note.Checkpoint.from_text(text)
    (tree,) = [one for one in checkpoint.deliveries if one.actor == actor]
    return {
        "size": head.size,
        "root": Digest(head.root.hex()),
        "delivered": Delivered(size=tree.size, root=tree.root),
        "holdings": EMPTY,
        "sent": (),
        "cosignature": note.cosign(text, str(actor.participant), witness(actor), 1_800_000_000),
    }


def witness(actor: Actor) -> Any:
    return signer(f"witness {actor.participant}")


def public(name: str) -> Any:
    return signer(name).public


async def asked_for_a_word(federation: Federation) -> tuple[Voice, dict[str, Any]]:
    """The rogue was shown a checkpoint, and what it ought to state."""
    rogue = await federation.voice(ROG)
    await rogue.completes("ROG01-ROG-3", issuance(ROG, R, 2001, 2010))
    return rogue, await truth(federation, await shown(federation, rogue), ROG)


async def stated(federation: Federation, actor: Actor) -> list[Any]:
    return await federation.rows(
        HUB, "select size, delivered, holdings from statements where actor = :a", a=str(actor)
    )


async def test_a_statement_settles_what_it_says_was_applied(federation: Federation) -> None:
    rogue, word = await asked_for_a_word(federation)
    assert await stated(federation, ROG) == []
    said = await rogue.say("statement", "statement", Statement(**word))
    assert await rogue.reasons(said) == []
    (row,) = await stated(federation, ROG)
    assert (row.size, row.delivered) == (word["size"], word["delivered"].size)
    await rogue.close()


def with_delivered(size: int, root: str) -> dict[str, Any]:
    return {"delivered": Delivered(size=size, root=Digest(root))}


FALSE: dict[str, Any] = {
    "deliveries that never were": lambda w: with_delivered(w["delivered"].size + 5, EMPTY),
    "deliveries of other content": lambda w: with_delivered(w["delivered"].size, EMPTY),
    "fewer deliveries of other content": lambda w: with_delivered(1, w["delivered"].root),
    "no deliveries, with a root": lambda w: with_delivered(0, w["delivered"].root),
    "another root of the log": lambda _: {"root": EMPTY},
    "a size at which no checkpoint was made": lambda w: {"size": w["size"] + 1},
    "the beginning of the log": lambda _: {"size": 0, "root": Digest(log.EMPTY_ROOT.hex())},
}


@pytest.mark.parametrize("name", FALSE)
async def test_a_false_statement_settles_nothing_and_its_author_is_told(
    federation: Federation, name: str
) -> None:
    rogue, word = await asked_for_a_word(federation)
    before = await federation.ledgers()
    said = await rogue.say("statement", "statement", Statement(**word | FALSE[name](word)))
    assert await rogue.reasons(said) == [X.LOG_DIFFERS]
    assert await stated(federation, ROG) == []
    assert await federation.ledgers() == before
    said = await rogue.say("statement", "statement", Statement(**word))
    assert await rogue.reasons(said) == []
    assert len(await stated(federation, ROG)) == 1
    await rogue.close()


async def test_an_older_statement_does_not_undo_a_newer_one(federation: Federation) -> None:
    rogue, word = await asked_for_a_word(federation)
    await rogue.say("statement", "statement", Statement(**word))
    older = with_delivered(0, log.EMPTY_ROOT.hex())
    said = await rogue.say("statement", "statement", Statement(**word | older))
    assert await rogue.reasons(said) == []
    (row,) = await stated(federation, ROG)
    assert row.delivered == word["delivered"].size
    await rogue.close()


async def test_every_statement_about_a_checkpoint_of_ours_reaches_the_reconciliation(
    federation: Federation,
) -> None:
    """Also one with false deliveries: that is its to judge, and a case about the author."""
    rogue, word = await asked_for_a_word(federation)
    for changes in ({}, with_delivered(word["delivered"].size, EMPTY)):
        said = await rogue.say("statement", "statement", Statement(**word | changes))
        sql = "select count(*) from messages where type = 'enclosure' and answers = :d"
        rows = await federation.rows(HUB, sql, d=str(said))
        assert rows[0][0] == 1

    async def named() -> tuple[str, str] | None:
        rows = await federation.rows("REC", "select actor, cause from cases where state = 'open'")
        return (rows[0].actor, rows[0].cause) if rows else None

    assert await federation.wait(named, "the case") == (str(ROG), "deliveries-differ")
    assert federation.logged(events.ALARM_RAISED) == [], "the hub has done nothing wrong"
    assert await federation.rows("REC", "select 1 from alarms") == []
    await rogue.close()


async def test_whoever_differs_and_does_not_answer_is_suspended_in_time(
    federation: Federation,
) -> None:
    """The rogue states that it holds nothing, which is not so, and answers no question."""
    rogue, word = await asked_for_a_word(federation)
    empty = Digest(log.EMPTY_ROOT.hex())
    said = await rogue.say("statement", "statement", Statement(**word | {"holdings": empty}))
    assert await rogue.reasons(said) == []

    async def suspended() -> str | None:
        rows = await federation.rows(HUB, "select id, cause from cases where open = 1")
        return rows[0].id if rows and rows[0].cause == "statement-overdue" else None

    case = await federation.wait(suspended, "the case", 400)
    one = Line(key=R, first=2001, last=2005, source=account(ROG), target=account(ROG, "CAN"))
    mark = {"purpose": "OP", "user": "Nobody"}
    wanted = {"action": "cancellation", "lines": (one,), "use": mark}
    said = await rogue.propose("ROG01-ROG-4", wanted)
    (entry,) = [m.body for m in await rogue.answers(said) if isinstance(m.body, Entry)]
    (found,) = entry.findings
    assert (found.reason, found.case) == (X.ACTOR_SUSPENDED, case)
    await rogue.completes("ROG01-ROG-5", issuance(ROG, R, 3001, 3010))
    await rogue.close()


# --- cosignatures --------------------------------------------------------------------------------


async def carried(federation: Federation, size: int) -> tuple[str, ...]:
    """The cosignatures on a checkpoint that the next one carries."""
    found: list[Message] = []
    sql = "select body from outbox where recipient = 'GHA01' order by sequence"
    for row in await federation.rows(HUB, sql):
        found += map(parse_message, bytes(row.body).split(b"\n")[1:])
    shows = [m.body for m in found if isinstance(m.body, Checkpoint) and m.body.previous]
    (last,) = [b for b in shows if f"\n{size}\n" in (b.previous or "")][-1:]
    return tuple(last.cosignatures)


async def test_verified_cosignatures_of_a_checkpoint_ride_on_the_next_one(
    federation: Federation,
) -> None:
    assert await federation.transact(CHE, use(I, 1, 5, CHE)) == "completed"
    await federation.settled()
    await asyncio.sleep(2)
    rows = await federation.rows(HUB, "select size from checkpoints order by size desc")
    size = rows[0].size
    assert await federation.transact(CHE, use(I, 6, 10, CHE)) == "completed"
    await federation.settled()
    lines = await carried(federation, size)
    text = (await federation.rows(HUB, "select note from checkpoints where size = :s", s=size))[
        0
    ].note.split("\n\n")[0] + "\n"
    names = set()
    for line in map(note.SignatureLine.from_text, lines):
        key = note.VerifierKey(
            line.name, note.SignatureType.COSIGNATURE, public(f"witness {line.name}")
        )
        note.verify_cosignature(text, line, key)
        names.add(line.name)
    assert {"CHE01", "GHA01", "REC"} <= names


@pytest.mark.parametrize("how", ["another's key", "over another checkpoint", "no line at all"])
async def test_a_wrong_cosignature_is_left_out_with_an_event(
    federation: Federation, how: str
) -> None:
    rogue, word = await asked_for_a_word(federation)
    text = note.Checkpoint(LOG, word["size"], bytes.fromhex(word["root"])).to_text()
    other = note.Checkpoint(LOG, word["size"], bytes(31) + b"1").to_text()
    wrong = {
        "another's key": note.cosign(text, "ROG01", signer("mallory"), 1_800_000_000),
        "over another checkpoint": note.cosign(other, "ROG01", witness(ROG), 1_800_000_000),
        "no line at all": "hello",
    }[how]
    said = await rogue.say("statement", "statement", Statement(**word | {"cosignature": wrong}))
    assert await rogue.reasons(said) == [], "the statement itself counts"
    assert len(await stated(federation, ROG)) == 1
    assert federation.logged(events.COSIGNATURE_REFUSED, witness="ROG01", size=word["size"])
    sql = "select 1 from cosignatures where participant = 'ROG01'"
    assert await federation.rows(HUB, sql) == []
    await rogue.close()


@pytest.mark.requirement(121)
@pytest.mark.parametrize(("seconds", "told"), [(0, False), (-10, False), (-12, True)])
async def test_a_clock_that_is_behind_is_told_of_when_its_node_cosigns(
    federation: Federation, seconds: int, *, told: bool
) -> None:
    rogue, word = await asked_for_a_word(federation)
    rows = await federation.rows(HUB, "select at from checkpoints where size = :s", s=word["size"])
    made = int(Instant(rows[0].at).moment().timestamp())
    text = note.Checkpoint(LOG, word["size"], bytes.fromhex(word["root"])).to_text()
    signed = note.cosign(text, "ROG01", witness(ROG), made + seconds)
    said = await rogue.say("statement", "statement", Statement(**word | {"cosignature": signed}))
    assert await rogue.reasons(said) == [], "nothing is refused for it"
    assert await federation.rows(HUB, "select 1 from cosignatures where participant = 'ROG01'")
    behind = federation.logged(events.CLOCK_BEHIND, witness="ROG01", size=word["size"])
    assert [one["seconds"] for one in behind] == ([str(-seconds)] if told else [])
    await rogue.close()


async def test_a_cosignature_in_another_s_name_counts_for_nobody(federation: Federation) -> None:
    rogue, word = await asked_for_a_word(federation)
    text = note.Checkpoint(LOG, word["size"], bytes.fromhex(word["root"])).to_text()
    forged = note.cosign(text, "GHA01", signer("witness GHA01"), 1_800_000_000)
    await rogue.say("statement", "statement", Statement(**word | {"cosignature": forged}))
    assert federation.logged(events.COSIGNATURE_REFUSED, witness="ROG01")
    await rogue.close()


# --- settlement ----------------------------------------------------------------------------------


async def test_nothing_is_settled_while_somebody_concerned_has_not_stated(
    federation: Federation,
) -> None:
    """Completed is the hub's word, settled is everybody's."""
    await federation.settled()
    federation.exchange.partition("GHA01")
    transaction = await federation.propose(CHE, use(I, 1, 5, CHE))
    await federation.reached(transaction, "completed")
    await asyncio.sleep(20)
    sql = (
        "select d.actor, d.number, s.delivered from deliveries d join transactions t "
        "on t.position = d.position left join statements s on s.actor = d.actor where t.id = :id"
    )
    rows = {
        r.actor: r.delivered > r.number for r in await federation.rows(HUB, sql, id=transaction)
    }
    assert rows == {str(CHE): True, str(GHA): False}
    federation.exchange.heal("GHA01")
    await federation.settled()
    rows = {
        r.actor: r.delivered > r.number for r in await federation.rows(HUB, sql, id=transaction)
    }
    assert rows == {str(CHE): True, str(GHA): True}


async def test_an_idle_federation_writes_nothing_into_its_log(federation: Federation) -> None:
    await federation.settled()
    size = await federation.log_size()
    await asyncio.sleep(200)
    assert await federation.log_size() == size
    assert federation.logged(events.STATEMENT_MADE, participant=GHANA)
