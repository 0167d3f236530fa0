# SPDX-License-Identifier: Apache-2.0
"""A hub that lies to the reconciliation service: the alarm that it raises is a proof to others.

The real hub is stopped and spoken for with its own keys. What cannot convict it is listed as such,
with the reason that the operator is told.
"""

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from harness import verify
from hub.evidence import trust_root
from ledger import log, note
from ledger.convicting import Conviction, convict
from reconciliation.accusing import NamedAlarm, Proof, alarms_named, gather, prove
from reconciliation.cli import app
from runtime.places import Place
from schemas.effects import Effect, Move
from schemas.envelope import open_envelope
from schemas.evidence import Unreadable, read_members, write_members, write_trust
from schemas.identifiers import REC_ACTOR, Actor, Digest
from schemas.messages import Addressed, Delivered, Enclosure, Statement, parse_message
from schemas.misbehaviour import Misbehaviour
from schemas.units import Attributes
from tests.acceptance.test_federation_false_hub import (
    DIGEST,
    fork,
    position,
    shown_with,
    status_act,
)
from tests.acceptance.test_federation_misbehaviour import (
    CHANGES,
    Change,
    Members,
    innocent,
    settings_of,
    verb,
)
from tests.acceptance.test_federation_recovery import (
    goes_on,
    lively,
    recovered,
    set_aside,
    set_back,
    told_to_recover,
)
from tests.cast import CHE, GHA, HUB, LOG, REC, ROG, I, U, first_transfer, signer, transfer
from tests.false_hub import FalseHub, tree
from tests.federation import Federation
from tests.keeping import Keeper
from tests.simulation.lies import LIES
from tests.voice import Voice

GHANA = GHA.participant


class Teller:
    """A false hub that speaks to the reconciliation service."""

    def __init__(self, hub: FalseHub, ghana: Voice) -> None:
        self.hub, self.ghana = hub, ghana
        self.size = hub.log.size

    @classmethod
    async def begin(cls, federation: Federation) -> "Teller":
        hub = await FalseHub.take_over(federation, stopping=(GHANA,))
        return cls(hub, await federation.voice(GHA))

    async def entry(self, *effects: Effect, to: Actor | None = GHA, **members: Any) -> bytes:
        """An entry that is the next one and addressed to an actor, but for what is told."""
        hub = self.hub
        if to is not None and "addressed" not in members:
            shift = members.pop("shift", 0)
            index = (await hub.deliveries(to)).size + shift
            members["addressed"] = (Addressed(actor=to, index=index),)
        conversation = members.pop("conversation", "REC-1")
        values = {"addressed": (), **members}
        _, line = await hub.say_entry([REC_ACTOR], conversation, effects, **values)
        return line

    async def right(self, **members: Any) -> bytes:
        """An entry that is right, and part of the log from now on."""
        line = await self.entry(to=None, **members)
        self.hub.log = self.hub.log.append(log.leaf_hash(line))
        return line

    async def head(self, **members: Any) -> None:
        """A head, right but for what is said otherwise."""
        values = {"deliveries": tree(0, log.EMPTY_ROOT, REC_ACTOR), **members}
        await self.hub.say_checkpoint(REC_ACTOR, **values)

    async def passes_on(self, size: int, root: bytes, **members: Any) -> None:
        """Ghana's statement about a head, passed on."""
        own = await self.hub.deliveries(GHA)
        text = note.Checkpoint(members.pop("origin", LOG), size, root).to_text()
        statement = Statement.model_validate(
            {
                "size": size,
                "root": Digest(root.hex()),
                "delivered": Delivered(size=own.size, root=Digest(own.root().hex())),
                "holdings": DIGEST,
                "sent": (),
                "cosignature": note.cosign(text, GHANA, signer(f"witness {GHANA}"), 1),
                **members,
            }
        )
        line = self.ghana.make("statement", "statement", statement)
        manifest, _ = (await self.ghana.seal(HUB, [line])).split(b"\n")
        body = Enclosure(manifest=manifest.decode(), line=line.decode())
        await self.hub.voice.say("enclosure", "statement", body, to=REC)

    async def close(self) -> None:
        await self.hub.voice.close()
        await self.ghana.close()


Tell = Callable[[Teller], Awaitable[Any]]


async def proven(federation: Federation, name: str) -> Conviction | str:
    """What becomes of an alarm's proof in the hands of somebody who has the trust root alone."""
    async with federation.store(REC).snapshot() as session:
        (alarm,) = await alarms_named(session, name)
        assert alarm.place is not None
        found = await prove(session, alarm)
    if isinstance(found, str):
        return found
    async with federation.store(HUB).snapshot() as session:
        trust = await trust_root(session)
    assert found.trust == trust
    return convict(read_members(Misbehaviour, write_members(found.file)), trust)


async def raised(federation: Federation) -> list[str]:
    async with federation.store(REC).snapshot() as session:
        rows = await federation.rows(REC, "select kind from alarms")
        return [alarm.name for alarm in await alarms_named(session, None)] if rows else []


# --- lies ---------------------------------------------------------------------------------------

THEFT = Move(
    key=U,
    first=201,
    last=210,
    attributes=Attributes(),
    source=position(GHA),
    target=position(CHE),
)


NOWHERE = THEFT.model_copy(update={"first": 9001, "last": 9002})


async def an_entry_is_passed_over(hub: Teller) -> None:
    await hub.right()
    await hub.entry(position=hub.hub.log.size + 1, to=None)


async def an_entry_is_passed_over_behind_a_head(hub: Teller) -> None:
    await hub.entry(position=hub.size + 1, to=None)


async def an_entry_comes_again_as_another(hub: Teller) -> None:
    await hub.right()
    await hub.right()
    await hub.entry(position=hub.size, to=None)


async def an_old_entry_is_another_now(hub: Teller) -> None:
    await hub.right()
    await hub.entry(position=5, to=None)


async def the_log_begins_anew(hub: Teller) -> None:
    await hub.entry(position=0, acts=0, to=None)


async def the_same_entry_as_two_messages(hub: Teller) -> None:
    await hub.right(conversation="REC-7")
    await hub.entry(position=hub.size, to=None, conversation="REC-7")


async def a_delivery_is_passed_over(hub: Teller) -> None:
    await hub.right()
    await hub.head()
    await hub.right()
    await hub.entry(shift=1)


async def a_delivery_comes_again(hub: Teller) -> None:
    await hub.entry(shift=-1)


async def an_actor_is_addressed_twice(hub: Teller) -> None:
    index = (await hub.hub.deliveries(GHA)).size
    both = Addressed(actor=GHA, index=index)
    await hub.entry(addressed=(both, both))


async def a_stranger_is_delivered_to(hub: Teller) -> None:
    await hub.entry(addressed=(Addressed(actor=Actor("FRA01/FRA"), index=1),))


async def an_actor_is_robbed_unseen(hub: Teller) -> None:
    await hub.entry(THEFT, to=CHE)


async def acts_are_left_out(hub: Teller) -> None:
    await hub.entry(acts=hub.hub.acts + 1, to=None)


async def acts_are_hidden(hub: Teller) -> None:
    await hub.entry(acts=hub.hub.acts - 1, to=None)


async def an_act_does_not_count(hub: Teller) -> None:
    await hub.entry(*status_act("ada"), to=None)


async def two_acts_at_once(hub: Teller) -> None:
    await hub.entry(*status_act("ada", "ben"), *status_act("ada", "cleo"), to=None)


async def another_root(hub: Teller) -> None:
    await hub.right()
    await hub.head(log=fork(hub.size + 1))


async def another_root_of_the_same_size(hub: Teller) -> None:
    await hub.head(log=fork(hub.size))


async def a_log_that_has_shrunk(hub: Teller) -> None:
    await hub.head(log=fork(5))


async def entries_that_never_came(hub: Teller) -> None:
    grown = hub.hub.log.append(DIGEST_BYTES)
    way = log.consistency_proof(hub.size, grown.size, grown.fresh)
    await hub.head(log=grown, proof=tuple(Digest(one.hex()) for one in way))


async def another_key(hub: Teller) -> None:
    await hub.head(key=signer("mallory"))


async def no_note_at_all(hub: Teller) -> None:
    await hub.head(note="hello")


async def a_delivery_to_the_service(hub: Teller) -> None:
    await hub.head(deliveries=tree(1, fork(1).root(), REC_ACTOR))


async def cosignatures_of_no_head(hub: Teller) -> None:
    await hub.right()
    _, lines = await shown_with(hub.hub, hub.size)
    await hub.head(cosignatures=lines)


async def a_head_before_of_another_log(hub: Teller) -> None:
    await hub.right()
    text = note.Checkpoint(LOG, 5, fork(5).root()).to_text()
    forked = note.format_note(text, [note.sign_note(text, LOG, signer("checkpoints"))])
    await hub.head(previous=forked)


async def others_were_shown_another_log(hub: Teller) -> None:
    await hub.right()
    await hub.passes_on(hub.size + 1, fork(hub.size + 1).root())


async def others_were_shown_another_log_before(hub: Teller) -> None:
    await hub.right()
    await hub.passes_on(5, fork(5).root())


async def others_were_shown_more(hub: Teller) -> None:
    await hub.right()
    await hub.passes_on(hub.size + 3, fork(hub.size + 3).root())


async def completed_twice(hub: Teller) -> None:
    again: dict[str, Any] = {"conversation": "GHA01-GHA-3", "state": "completed"}
    await hub.entry(NOWHERE, addressed=await both(hub), **again)
    await is_compared(hub)


async def both(hub: Teller) -> tuple[Addressed, ...]:
    """Ghana and Switzerland, whose next deliveries an entry is."""
    sizes = [(one, (await hub.hub.deliveries(one)).size) for one in (GHA, CHE)]
    return tuple(Addressed(actor=one, index=size) for one, size in sizes)


async def is_compared(hub: Teller) -> None:
    """Ghana states that it has applied one delivery more, so that the service looks at it."""
    sql = "select number, root from deliveries where actor = 'GHA01/GHA' order by number"
    *_, row = await hub.hub.federation.rows(REC, sql)
    delivered = Delivered(size=row.number + 1, root=Digest(bytes(row.root).hex()))
    await hub.passes_on(hub.size, hub.hub.log.root(), delivered=delivered)


DIGEST_BYTES = bytes.fromhex(DIGEST)


class Convicts(NamedTuple):
    """What the hub says, the alarm that comes of it, and what the proof says."""

    tell: Tell
    alarm: str
    said: str


CONVICTING = [
    Convicts(an_entry_is_passed_over, "log-hole:", r"entry \d+ came, \d+ did not"),
    Convicts(an_entry_is_passed_over_behind_a_head, "log-hole:", r"entry \d+ came, \d+ did not"),
    Convicts(an_entry_comes_again_as_another, "log-fork:", r"entry \d+ was \w+, is \w+"),
    Convicts(an_old_entry_is_another_now, "log-fork:5", r"entry 5 was \w+, is \w+"),
    Convicts(the_log_begins_anew, "log-fork:0", r"entry 0 was \w+, is \w+"),
    Convicts(the_same_entry_as_two_messages, "log-fork:", r"entry \d+ was \w+, is \w+"),
    Convicts(a_delivery_is_passed_over, "delivery-misnumbered:GHA01/GHA", "is the next"),
    Convicts(a_delivery_comes_again, "delivery-misnumbered:GHA01/GHA", "is the next"),
    Convicts(an_actor_is_addressed_twice, "delivery-misnumbered:GHA01/GHA", "is the next"),
    Convicts(a_stranger_is_delivered_to, "delivery-misnumbered:FRA01/FRA", "0 is the next"),
    Convicts(an_actor_is_robbed_unseen, "delivery-withheld:GHA01/GHA", "is not addressed to it"),
    Convicts(acts_are_left_out, "acts-miscounted:", r"acts before it, \d+ came"),
    Convicts(acts_are_hidden, "acts-miscounted:", r"acts before it, \d+ came"),
    Convicts(an_act_does_not_count, "act-void:", "an act that does not count"),
    Convicts(two_acts_at_once, "act-void:", "carries 2 acts"),
    Convicts(another_root, "checkpoint-false:", "does not contain|another root"),
    Convicts(another_root_of_the_same_size, "checkpoint-false:", "does not contain"),
    Convicts(a_log_that_has_shrunk, "checkpoint-false:", "comes after one of"),
    Convicts(entries_that_never_came, "checkpoint-false:", r"covers \d+ entries, \d+ came"),
    Convicts(another_key, "checkpoint-false:", "checkpoint:"),
    Convicts(no_note_at_all, "checkpoint-false:", "checkpoint:"),
    Convicts(a_delivery_to_the_service, "checkpoint-false:", "is not what was received"),
    Convicts(cosignatures_of_no_head, "checkpoint-false:", "cosignatures of no head"),
    Convicts(a_head_before_of_another_log, "checkpoint-false:", "does not contain the previous"),
    Convicts(others_were_shown_another_log, "log-fork:GHA01/GHA", "have another root"),
    Convicts(others_were_shown_another_log_before, "log-fork:GHA01/GHA", "have another root"),
    Convicts(others_were_shown_more, "log-hole:", r"of size \d+, and \d+ entries came"),
    Convicts(completed_twice, "entry-impossible:", "makes GHA01-GHA-3 completed"),
]


def name_of(told: NamedTuple) -> str:
    return str(told[0].__name__)


@pytest.mark.parametrize("told", CONVICTING, ids=name_of)
async def test_what_shows_the_lie_convicts_the_hub(federation: Federation, told: Convicts) -> None:
    hub = await Teller.begin(federation)
    assert await raised(federation) == []
    await told.tell(hub)
    (name,) = await raised(federation)
    assert name.startswith(told.alarm)
    found = await proven(federation, name)
    assert isinstance(found, Conviction), found
    assert found.flaw is None
    assert re.search(told.said, found.proven or ""), found.proven
    await hub.close()


async def test_no_part_of_a_proof_can_be_another(federation: Federation) -> None:
    """A proof in which anything is changed proves nothing, or the same."""
    hub = await Teller.begin(federation)
    await a_delivery_is_passed_over(hub)
    await hub.close()
    async with federation.store(REC).snapshot() as session:
        (alarm,) = await alarms_named(session, None)
        found = await prove(session, alarm)
    assert isinstance(found, Proof)
    data, expected = write_members(found.file), convict(*found)
    assert expected.proven is not None
    chances, tried = random.Random(7), 0
    for _ in range(300):
        bit = chances.randrange(8 * len(data))
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            file = read_members(Misbehaviour, bytes(changed))
        except Unreadable:
            continue
        tried += 1
        assert convict(file, found.trust).proven in {None, expected.proven}, f"bit {bit}"
    assert tried > 150


# --- what convicts nobody -----------------------------------------------------------------------


async def an_entry_of_another_log(hub: Teller) -> None:
    await hub.entry(log="another.log", to=None)


async def a_head_of_another_log(hub: Teller) -> None:
    await hub.head(origin="another.log")


async def a_statement_that_no_witness_signed(hub: Teller) -> None:
    await hub.passes_on(hub.size, fork(hub.size).root(), cosignature="x")


async def a_statement_about_another_log(hub: Teller) -> None:
    await hub.passes_on(hub.size, fork(hub.size).root(), origin="another.log")


async def units_that_are_not_there(hub: Teller) -> None:
    await hub.entry(NOWHERE, addressed=await both(hub))
    await is_compared(hub)


NEITHER = "a hub may keep two logs with one key"
UNEXPLAINED = "the hub's words do not contradict one another"
CONVICTING_NOBODY = [
    Convicts(an_entry_of_another_log, "other-log:another.log", NEITHER),
    Convicts(a_head_of_another_log, "other-log:another.log", NEITHER),
    Convicts(a_statement_that_no_witness_signed, "log-fork:GHA01/GHA", UNEXPLAINED),
    Convicts(a_statement_about_another_log, "log-fork:GHA01/GHA", UNEXPLAINED),
    Convicts(units_that_are_not_there, "entry-impossible:", "which no file has"),
]


@pytest.mark.parametrize("told", CONVICTING_NOBODY, ids=name_of)
async def test_what_may_be_explained_convicts_nobody(
    federation: Federation, told: Convicts
) -> None:
    hub = await Teller.begin(federation)
    await told.tell(hub)
    (name,) = await raised(federation)
    assert name.startswith(told.alarm)
    why = await proven(federation, name)
    assert isinstance(why, str), why
    assert told.said in why
    await hub.close()


async def test_a_log_that_never_began_here_is_held_to_nothing(federation: Federation) -> None:
    """The service was told to follow another log, and has taken not even the first entry."""
    await federation.stop(REC)
    await federation.edit(REC, "delete from entries where position = 0")
    async with federation.store(REC).snapshot() as session:
        why = await prove(session, NamedAlarm("log-fork", "0", Place(1, 0)))
    assert why == "the log's first entry has not come: there is nothing to hold to"


# --- the hub itself -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, lie in LIES.items() if lie.found_by == REC])
async def test_a_hub_that_tells_the_service_another_log_is_convicted(
    federation: Federation, name: str
) -> None:
    """Everybody else is told the truth, and goes on by it."""
    with LIES[name].plant():
        assert await federation.transact(GHA, first_transfer(201, 300, 201)) == "completed"
        await federation.settled()
        names = await federation.wait(lambda: alarmed(federation, "checkpoint-false"), "the alarm")
    assert len(names) > 1
    for one in names:
        found = await proven(federation, one)
        assert isinstance(found, Conviction), found
        assert found.proven is not None


async def alarmed(federation: Federation, kind: str) -> list[str] | None:
    names = await raised(federation)
    return names if any(name.startswith(kind) for name in names) else None


async def test_behind_words_of_another_log_those_of_this_one_convict(
    federation: Federation,
) -> None:
    """A hub does not get away by saying something of a log that is no concern of anybody's."""
    hub = await Teller.begin(federation)
    await hub.right()
    await an_entry_of_another_log(hub)
    await a_head_of_another_log(hub)
    await hub.entry(position=hub.hub.log.size + 1, to=None)
    await hub.close()
    (name,) = [one for one in await raised(federation) if one.startswith("log-hole")]
    found = await proven(federation, name)
    assert isinstance(found, Conviction)
    assert "did not" in (found.proven or "")


# --- an honest hub ------------------------------------------------------------------------------


async def test_an_honest_hub_is_convicted_by_no_run(federation: Federation) -> None:
    """Of what it said to the service any run is shown, with anything in the file left out,
    exchanged or said once more: whoever makes it can keep things back.
    """
    assert await federation.transact(CHE, transfer(I, 1, 10, CHE, GHA)) == "completed"
    assert await federation.transact(GHA, first_transfer(201, 300, 201)) == "completed"
    await federation.settled()
    chances, tried = random.Random(13), 0
    said, places = await heard(federation, "entry"), await where(federation)
    assert len(said) > 20
    for place in places[1:]:
        async with federation.store(REC).snapshot() as session:
            proofs = [await gather(session, place), await gather(session, place, GHA)]
        for proof in proofs:
            assert innocent(convict(*proof)), place
        for _ in range(6):
            members = json.loads(write_members(chances.choice(proofs).file))
            for change in chances.sample([*CHANGES, *OURS], chances.randrange(1, 4)):
                change(chances, members, said)
            try:
                changed = read_members(Misbehaviour, json.dumps(members).encode())
            except Unreadable:
                continue
            tried += 1
            assert innocent(convict(changed, proof.trust)), convict(changed, proof.trust)
    assert tried > 200
    assert await raised(federation) == []


async def test_a_hub_that_recovered_is_convicted_by_no_run(federation: Federation) -> None:
    """It was given back what it had said, and said what it had not: all in one sequence."""
    keeper = Keeper(federation, ROG)
    keeping = asyncio.create_task(keeper.keep())
    await keeper.keeping.wait()
    await federation.settled()
    await federation.stop(HUB)
    older = await set_aside(federation, "older")
    await federation.start(HUB)
    await lively(federation)
    await federation.stop(HUB)
    await set_back(federation, older)
    await told_to_recover(federation)
    await federation.start(HUB)
    await recovered(federation)
    await goes_on(federation)
    for place in (await where(federation))[-40:]:
        async with federation.store(REC).snapshot() as session:
            assert innocent(convict(*await gather(session, place))), place
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await keeper.broker.close()


def another_log_tree(chances: random.Random, file: Members, said: list[Members]) -> None:
    """The head with which it begins, and the log's tree as it was at another."""
    for one in file["trees"]:
        if one["actor"] == "HUB" and one["nodes"]:
            del one["nodes"][chances.randrange(len(one["nodes"]))]


def to_a_registry(chances: random.Random, file: Members, said: list[Members]) -> None:
    file["to"] = "GHA01"


def the_last_entries_before(chances: random.Random, file: Members, said: list[Members]) -> None:
    file["earlier"] = said[-4:]


def all_acts_there_are(chances: random.Random, file: Members, said: list[Members]) -> None:
    acts = [one for one in said if '"directory"' in one["line"]]
    file["directory"] = acts


OURS: list[Change] = [another_log_tree, to_a_registry, the_last_entries_before, all_acts_there_are]


async def heard(federation: Federation, type_: str) -> list[Members]:
    """The hub's messages of a type, as it said them to the service."""
    found = []
    for row in await federation.rows(REC, "select body from inbox where sender = 'HUB'"):
        envelope = open_envelope(bytes(row.body))
        manifest = envelope.manifest_line.decode()
        found += [
            {"manifest": manifest, "line": line.decode()}
            for line in envelope.lines
            if parse_message(line).type == type_
        ]
    return found


async def where(federation: Federation) -> list[Place]:
    """Where each entry, head and enclosure stands, in order."""
    sql = (
        "select sequence, line from messages where author = 'HUB' "
        "and type in ('entry', 'checkpoint', 'enclosure') order by sequence, line"
    )
    return [Place(row.sequence, row.line) for row in await federation.rows(REC, sql)]


# --- the operator's verb ------------------------------------------------------------------------


async def test_an_operator_writes_the_proof_of_the_oldest_alarm_that_convicts(
    federation: Federation, tmp_path: Path
) -> None:
    hub = await Teller.begin(federation)
    await an_entry_of_another_log(hub)
    await a_head_before_of_another_log(hub)
    await an_entry_is_passed_over(hub)
    await hub.close()
    await federation.stop(REC)
    settings, proof, root = settings_of(federation, tmp_path, REC), tmp_path / "p", tmp_path / "t"
    refused = verb(settings, "proof", "other-log:another.log", "--output", str(proof), of=app)
    assert refused.exit_code == 2
    assert "other-log:another.log convicts nobody: a hub may keep two logs" in refused.stderr
    unknown = verb(settings, "proof", "log-hole:1", "--output", str(proof), of=app)
    assert "there is no alarm log-hole:1" in unknown.stderr
    assert not proof.exists()
    assert verb(settings, "proof", "--output", str(proof), of=app).output == ""
    async with federation.store(HUB).snapshot() as session:
        root.write_bytes(write_trust(await trust_root(session)))
    told = CliRunner().invoke(verify.app, [str(proof), "--trust", str(root)])
    assert told.exit_code == 0, told.output
    assert "what the hub said to REC" in told.output
    assert "does not contain the previous one" in told.output
    assert told.output.endswith("proven: the hub has broken the protocol\n")
    named = verb(settings, "proof", f"log-hole:{hub.size + 2}", "--output", str(proof), of=app)
    assert named.exit_code == 0, named.output


async def test_an_alarm_of_an_older_version_convicts_once_it_is_raised_again(
    federation: Federation,
) -> None:
    await federation.stop(REC)
    name = f"log-hole:{await federation.log_size()}"
    sql = "insert into alarms (kind, subject, detail, at) values ('log-hole', :subject, 'x', :at)"
    values = {"subject": name.partition(":")[2], "at": federation.clock.now()}
    await federation.edit(REC, sql, **values)
    await federation.start(REC)
    await federation.greeted()
    hub = await Teller.begin(federation)
    async with federation.store(REC).snapshot() as session:
        (alarm,) = await alarms_named(session, name)
        assert "did not keep what shows it" in str(await prove(session, alarm))
    await hub.entry(position=hub.size + 1, to=None)
    assert isinstance(await proven(federation, name), Conviction)
    await hub.close()


async def test_acts_and_entries_of_another_log_stand_beside_no_run(
    federation: Federation,
) -> None:
    """What the hub says of another log explains nothing, and is held against nobody."""
    hub = await Teller.begin(federation)
    await an_entry_of_another_log(hub)
    await an_entry_is_passed_over(hub)
    (foreign,) = [one for one in await heard(federation, "entry") if "another.log" in one["line"]]
    (name,) = [one for one in await raised(federation) if one.startswith("log-hole")]
    async with federation.store(REC).snapshot() as session:
        (alarm,) = await alarms_named(session, name)
        found = await prove(session, alarm)
    assert isinstance(found, Proof)
    for member, said in (("earlier", "an earlier entry is of"), ("directory", "an act is of")):
        members = json.loads(write_members(found.file))
        members[member].append(foreign)
        changed = read_members(Misbehaviour, json.dumps(members).encode())
        assert said in (convict(changed, found.trust).flaw or "")
    await hub.close()
