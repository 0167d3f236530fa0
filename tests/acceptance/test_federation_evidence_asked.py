# SPDX-License-Identifier: Apache-2.0
"""Evidence from a registry's own database: asked of the hub, held to what the registry has itself.

What it proves is the same, whoever of those concerned writes the file.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hub import evidence as at_the_hub
from ledger.verifying import Verdict, verify
from registry import evidence as at_a_registry
from runtime import events
from runtime.errors import LocalProtocolError
from runtime.journal import kept_line, said_lines
from schemas.directory import Profile, parse_act
from schemas.envelope import digest, open_manifest
from schemas.evidence import (
    Bundle,
    EvidencePart,
    EvidenceRequest,
    Trust,
    read_bundle,
    read_trust,
    write_bundle,
)
from schemas.findings import Reason
from schemas.identifiers import Actor, Digest, Participant, TransactionId
from schemas.limits import EVIDENCE_ACTS_MAX, EVIDENCE_REQUESTS_MAX
from schemas.messages import parse_message
from tests.cast import (
    ACTORS,
    ADMINISTRATORS,
    CHE,
    GHA,
    HUB,
    KOR,
    LOG,
    REC,
    ROG,
    VUT,
    I,
    first_transfer,
    genesis,
    profile,
    signed,
    transfer,
    use,
)
from tests.federation import Federation, Settings, copy_databases
from tests.voice import Voice

GHANA, SWISS = Participant("GHA01"), Participant("CHE01")
SECTIONS, MECHANISM = Participant("UN02"), Participant("UN01")
BY_HAND = pytest.mark.parametrize("settings", [Settings(manual=frozenset({SWISS}))])


class Exported(NamedTuple):
    """A file by its bytes, and the trust root of whoever wrote it."""

    bundle: Bundle
    trust: Trust
    verdict: Verdict


async def moved(federation: Federation) -> str:
    """A first transfer from Ghana to Switzerland, which everybody has acknowledged and seen."""
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201))
    assert await federation.ended(transaction) == "completed"
    await federation.settled()
    await witnessed(federation)
    return transaction


async def witnessed(federation: Federation) -> None:
    """Everybody has had a heartbeat since."""
    await asyncio.sleep(federation.settings.heartbeat_seconds * 1.5)


async def asked(federation: Federation, place: Participant, transaction: str) -> None:
    """Order the evidence, and wait until all of it has come."""
    before = await arrived(federation, place, transaction)
    await federation.order(place, "evidence", transaction=transaction)
    await came(federation, place, transaction, before + 1)


async def came(federation: Federation, place: Participant, transaction: str, number: int) -> None:
    async def there() -> bool | None:
        return True if await arrived(federation, place, transaction) >= number else None

    await federation.wait(there, f"the evidence of {transaction} at {place}")


async def arrived(federation: Federation, place: Participant, transaction: str) -> int:
    """How many answers have come whole."""
    return sum(part.last for part in await parts_at(federation, place, transaction))


async def exported(federation: Federation, place: Participant, transaction: str) -> Exported:
    """What a program's operator would write."""
    id_ = TransactionId(transaction)
    async with federation.store(place).snapshot() as session:
        if place == HUB:
            bundle = await at_the_hub.collect(session, id_)
            trust = await at_the_hub.trust_root(session)
        else:
            bundle = await at_a_registry.collect(session, id_, ACTORS[place])
            await at_a_registry.hold_to_records(session, bundle, ACTORS[place])
            trust = await at_a_registry.trust_root(session, genesis())
    bundle = read_bundle(write_bundle(bundle))
    return Exported(bundle, trust, verify(bundle, trust))


async def refused(federation: Federation, place: Participant, transaction: str) -> str:
    """Why a registry writes no file."""
    try:
        found = await exported(federation, place, transaction)
    except LocalProtocolError as error:
        return str(error)
    assert not found.verdict.valid
    return f"step {found.verdict.failed}: {found.verdict.reason}"


def facts(found: Exported) -> dict[str, Any]:
    """What a file tells of a transaction, but for when it was written."""
    assert found.verdict.valid, f"step {found.verdict.failed}: {found.verdict.reason}"
    return {
        "messages": found.bundle.messages,
        "entries": [one.line for one in found.bundle.entries],
        "acts": [one.line for one in found.bundle.directory],
        "outcome": found.verdict.state,
        "said": [found.verdict.steps[number - 1].said for number in (1, 3, 5, 6, 7)],
        "trust": found.trust,
    }


# --- the same facts from each ---------------------------------------------------------------------


async def test_hub_proposer_and_acquirer_write_files_with_the_same_facts(
    federation: Federation, tmp_path: Path
) -> None:
    transaction = await moved(federation)
    for place in (GHANA, SWISS):
        await asked(federation, place, transaction)
        logged = federation.logged(events.EVIDENCE_RECEIVED, participant=place)
        assert [one["transaction"] for one in logged] == [transaction]
    texts: dict[Participant, dict[str, Any]] = {}
    for place in (HUB, GHANA, SWISS):
        settings = written_settings(federation, tmp_path, place)
        file, root = tmp_path / f"{place}.json", tmp_path / f"{place}.trust.json"
        run("evidence", "export", transaction, "--settings", settings, "--output", file)
        run("evidence", "trust", "--settings", settings, "--output", root)
        bundle, trust = read_bundle(file.read_bytes()), read_trust(root.read_bytes())
        texts[place] = facts(Exported(bundle, trust, verify(bundle, trust)))
    assert texts[HUB] == texts[GHANA] == texts[SWISS]
    assert len(texts[HUB]["messages"]) == len(texts[HUB]["entries"]) == 2
    assert texts[HUB]["outcome"] == "completed"


def run(*words: object) -> str:
    """A verb in a process of its own, which must succeed."""
    done = subprocess.run(
        [sys.executable, "-c", "from harness.cli import main; main()", *map(str, words)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def written_settings(federation: Federation, folder: Path, place: Participant) -> Path:
    """The settings file of a participant, as far as a verb needs it."""
    files = {name: folder / f"{place}.{name}" for name in ("database", "broker", "genesis")}
    files["database"].write_text(federation.urls[place])
    files["genesis"].write_text(genesis().model_dump_json())
    members: dict[str, Any] = {
        "participant": place,
        "actors": [str(actor) for actor in ACTORS[place]],
        "database_file": str(files["database"]),
        "broker_file": str(files["broker"]),
        "keys": str(folder),
        **({"anchor_file": "anchor"} if place == HUB else {"genesis": str(files["genesis"])}),
    }
    file = folder / f"{place}.toml"
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in members.items()))
    return file


@pytest.mark.requirement(44)
@BY_HAND
@pytest.mark.parametrize("answer", ["accept", "reject", "withdraw", "expire"])
async def test_whatever_became_of_it_each_side_proves_it(
    federation: Federation, answer: str
) -> None:
    proposal = first_transfer(201, 300, 201)
    transaction = await federation.propose(GHA, proposal, lifetime_seconds=30)
    await federation.reached(transaction, "cleared", SWISS)
    if answer in {"accept", "reject"}:
        await federation.order(SWISS, answer, transaction=transaction)
    elif answer == "withdraw":
        await federation.order(GHANA, answer, transaction=transaction)
    await federation.ended(transaction)
    await witnessed(federation)
    for place in (GHANA, SWISS):
        await asked(federation, place, transaction)
    at_hub, *others = [
        facts(await exported(federation, place, transaction)) for place in (HUB, GHANA, SWISS)
    ]
    assert others == [at_hub, at_hub]


async def test_what_concerned_one_actor_alone_is_proven_by_it(federation: Federation) -> None:
    await witnessed(federation)
    await asked(federation, GHANA, "GHA01-GHA-1")
    found = facts(await exported(federation, GHANA, "GHA01-GHA-1"))
    assert found == facts(await exported(federation, HUB, "GHA01-GHA-1"))
    assert len(found["messages"]) == len(found["entries"]) == 1


async def test_units_that_followed_are_proven_by_their_holder_and_by_who_never_saw_the_pledge(
    federation: Federation,
) -> None:
    assert await federation.transact(CHE, transfer(I, 1, 50, CHE, KOR)) == "completed"
    used = await federation.propose(KOR, use(I, 1, 50, KOR))
    assert await federation.ended(used) == "completed"
    await federation.settled()
    await witnessed(federation)
    for place in (GHANA, SECTIONS):
        await asked(federation, place, used)
    at_hub, *others = [
        facts(await exported(federation, place, used)) for place in (HUB, GHANA, SECTIONS)
    ]
    assert others == [at_hub, at_hub]
    named = {parse_message(one.line.encode()).conversation for one in at_hub["messages"]}
    assert named == {used, "GHA01-GHA-3"}


async def test_a_long_directory_comes_in_several_parts(federation: Federation) -> None:
    transaction = await moved(federation)
    kinds = (Profile.VIEW, Profile.INFORMATION)
    for number in range(EVIDENCE_ACTS_MAX):
        act = profile(GHA, ROG, kinds[number % 2], federation.clock.now())
        done, why = await federation.act(act)
        assert done, why
    await federation.settled()
    await witnessed(federation)
    await asked(federation, SWISS, transaction)
    assert len(await parts_at(federation, SWISS, transaction)) > 3
    found = facts(await exported(federation, SWISS, transaction))
    assert found == facts(await exported(federation, HUB, transaction))
    assert len(found["acts"]) > EVIDENCE_ACTS_MAX


async def parts_at(federation: Federation, place: Participant, transaction: str) -> list[Any]:
    """The parts that have come, as bodies."""
    sql = (
        "select i.body, m.line from messages m join inbox i on i.sender = m.author and "
        "i.sequence = m.sequence where m.type = 'evidence-part' and m.conversation = :t "
        "order by m.sequence, m.line"
    )
    rows = await federation.rows(place, sql, t=transaction)
    lines = [bytes(row.body).split(b"\n")[row.line + 1] for row in rows]
    return [parse_message(line).body for line in lines]


# --- who is given it ------------------------------------------------------------------------------


async def test_who_is_not_concerned_is_refused_by_its_own_desk_and_by_the_hub(
    federation: Federation,
) -> None:
    transaction = await moved(federation)
    done, why = await federation.command(MECHANISM, "evidence", transaction=transaction)
    assert not done
    assert "transaction-unknown" in why
    assert "evidence is for those concerned" in why
    rogue = await federation.voice(ROG)
    assert await reasons(rogue, transaction) == [Reason.NOT_CONCERNED]
    assert await reasons(rogue, "ROG01-ROG-99") == [Reason.TRANSACTION_UNKNOWN]
    assert await waiting(federation) == 0
    await rogue.close()


async def test_a_transaction_under_way_is_refused_by_the_desk_and_by_the_hub(
    federation: Federation,
) -> None:
    rogue = await federation.voice(ROG)
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201, to=ROG))
    await federation.reached(transaction, "cleared", GHANA)
    done, why = await federation.command(GHANA, "evidence", transaction=transaction)
    assert not done
    assert "5011 transaction-under-way" in why
    assert await reasons(rogue, transaction) == [Reason.TRANSACTION_UNDER_WAY]
    assert "ask the hub for it" in await refused(federation, GHANA, transaction)
    await rogue.close()


async def test_no_participant_has_more_requests_waiting_than_it_may(
    federation: Federation,
) -> None:
    rogue = await federation.voice(ROG)
    one = TransactionId("ROG01-ROG-1")
    lines = [
        rogue.make("evidence-request", one, EvidenceRequest(transaction=one))
        for _ in range(EVIDENCE_REQUESTS_MAX + 2)
    ]
    await rogue.send(HUB, await rogue.seal(HUB, lines))
    await rogue.taken()
    sql = "select id from messages where author = 'HUB' and type = 'notice' and conversation = :t"
    assert len(await federation.rows(HUB, sql, t=one)) == 2
    assert len(federation.logged(events.MESSAGE_REFUSED, author=ROG)) == 2

    async def answered() -> bool | None:
        sent = federation.logged(events.EVIDENCE_SENT, actor=ROG)
        return True if len(sent) == EVIDENCE_REQUESTS_MAX else None

    await federation.wait(answered, "the answers")
    assert await waiting(federation) == 0
    assert await reasons(rogue, one) == []
    await rogue.close()


async def test_of_several_actors_the_one_concerned_asks(federation: Federation) -> None:
    await federation.settled()
    await witnessed(federation)
    brought = "UN01-MMR-2"
    await federation.order(SECTIONS, "evidence", transaction=brought, actor=VUT)

    async def told() -> bool | None:
        found = federation.logged(events.NOTICE_RECEIVED, participant=SECTIONS)
        return True if found else None

    await federation.wait(told, "the notice")
    why = await refused(federation, SECTIONS, brought)
    assert (
        f"the hub gives no evidence: 5005 not-concerned in body/transaction: no entry of {brought}"
        in why
    )
    done, why = await federation.command(SECTIONS, "evidence", transaction=brought, actor=CHE)
    assert not done
    assert "CHE01/CHE is not an actor of this registry" in why
    await asked(federation, SECTIONS, brought)
    assert (await exported(federation, SECTIONS, brought)).verdict.valid


async def test_a_request_that_the_hub_cannot_answer_stops_neither_its_clock_nor_others(
    federation: Federation,
) -> None:
    transaction = await moved(federation)
    sql = "update messages set digest = :d where conversation = :t and type = 'acceptance'"
    await federation.edit(HUB, sql, d="0" * 64, t=transaction)
    await federation.order(SWISS, "evidence", transaction=transaction)

    async def told() -> bool | None:
        return True if federation.logged(events.NOTICE_RECEIVED, participant=SWISS) else None

    await federation.wait(told, "the notice")
    assert len(federation.logged(events.EVIDENCE_FAILED, transaction=transaction)) == 1
    problem = f"9001 internal: the evidence of {transaction} cannot be put together"
    assert problem in await refused(federation, SWISS, transaction)
    assert await waiting(federation) == 0
    await asked(federation, SWISS, "GHA01-GHA-3")
    assert (await exported(federation, SWISS, "GHA01-GHA-3")).verdict.valid
    late = await federation.propose(GHA, first_transfer(301, 400, 301, to=ROG), lifetime_seconds=5)
    assert await federation.ended(late) == "expired"


async def reasons(rogue: Voice, transaction: str) -> list[Reason]:
    """Why the hub refuses a request."""
    body = EvidenceRequest(transaction=TransactionId(transaction))
    return await rogue.reasons(await rogue.say("evidence-request", transaction, body))


async def waiting(federation: Federation) -> int:
    return int((await federation.rows(HUB, "select count(*) from evidence_requests"))[0][0])


# --- asking again, and dying between --------------------------------------------------------------


async def test_asking_twice_is_harmless(federation: Federation) -> None:
    transaction = await moved(federation)
    before = await federation.ledgers()
    for _ in range(2):
        await federation.order(SWISS, "evidence", transaction=transaction)
    await came(federation, SWISS, transaction, 2)
    assert (await exported(federation, SWISS, transaction)).verdict.valid
    assert await waiting(federation) == 0
    assert await federation.ledgers() == before


async def test_what_is_asked_too_early_is_asked_again_and_then_proven(
    federation: Federation,
) -> None:
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201))
    assert await federation.ended(transaction) == "completed"
    await asked(federation, SWISS, transaction)
    assert (await refused(federation, SWISS, transaction)).startswith("step ")
    await witnessed(federation)
    await asked(federation, SWISS, transaction)
    assert (await exported(federation, SWISS, transaction)).verdict.valid


async def test_requests_that_wait_when_the_hub_is_killed_are_answered_after_it(
    federation: Federation,
) -> None:
    transactions = [
        await federation.propose(GHA, first_transfer(first, first + 9, first))
        for first in range(201, 241, 10)
    ]
    for one in transactions:
        assert await federation.ended(one) == "completed"
    await federation.settled()
    for one in transactions:
        await federation.submit(SWISS, "evidence", transaction=one)

    async def some() -> bool | None:
        return True if federation.logged(events.EVIDENCE_SENT) else None

    await federation.wait(some, "the first answer")
    await federation.crash(HUB)
    assert 0 < await waiting(federation) < len(transactions)
    await federation.start(HUB)
    for one in transactions:
        await came(federation, SWISS, one, 1)
    assert await waiting(federation) == 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("who", [HUB, SWISS])
async def test_a_death_between_request_and_answer_loses_nothing(
    federation: Federation, who: Participant, when: str
) -> None:
    transaction = await moved(federation)
    await federation.stop()
    await federation.let_go()
    copy_databases(federation.folder, federation.folder / "kept")
    deaths = 0
    for commit in range(1, 40):
        await federation.let_go()
        copy_databases(federation.folder / "kept", federation.folder)
        federation.empty_broker()
        federation.logs.clear()
        await federation.start(*[p for p in federation.urls if p not in {who, "ROG01"}])
        await federation.start(who, crash=(commit, when))
        await federation.submit(SWISS, "evidence", transaction=transaction)
        died = await federation.crashed(who, 20)
        if died:
            await federation.start(who)
        deaths += died
        await came(federation, SWISS, transaction, 1)
        assert (await exported(federation, SWISS, transaction)).verdict.valid
        assert await waiting(federation) == 0
        if not died:
            break
        await federation.stop()
    assert deaths >= 2


@pytest.mark.parametrize("settings", [Settings(batch_max=1)])
async def test_an_answer_is_as_of_the_batch_before(federation: Federation) -> None:
    """The statement that the hub hears in the batch in which it answers is not kept before its end:
    it is the newest one, and nothing to prove anything with yet.
    """
    transaction = await moved(federation)
    await federation.stop(HUB, GHANA)
    voice = await federation.voice(GHA)
    await federation.submit(SWISS, "evidence", transaction=transaction)

    async def requested() -> bool | None:
        sql = "select 1 from messages where type = 'evidence-request'"
        return True if await federation.rows(SWISS, sql) else None

    await federation.wait(requested, "the request")
    sql = "select digest from messages where type = 'statement' order by sequence desc limit 1"
    (newest,) = await federation.rows(GHANA, sql)
    async with federation.store(GHANA).snapshot() as session:
        (kept,) = await said_lines(session, [Digest(newest.digest)])
        _, line = await kept_line(session, kept)
    for _ in range(20):
        said = voice.make("statement", "statement", parse_message(line).body)
        await voice.send(HUB, await voice.seal(HUB, [said]))
    await federation.start(HUB)
    await came(federation, SWISS, transaction, 1)
    assert not federation.logged(events.EVIDENCE_FAILED)
    await voice.close()


# --- a hub that answers something else ------------------------------------------------------------


Parts = list[dict[str, Any]]
"""The members of the three parts: what proves the entries; what was said and seen; the acts."""


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


async def own_message(federation: Federation, parts: Parts) -> None:
    said = parts[1]["messages"][0]
    said["line"] = changed(said["line"], '"quantity":100', '"quantity":200')


async def anothers_message(federation: Federation, parts: Parts) -> None:
    said = parts[1]["messages"][1]
    said["line"] = changed(said["line"], '"comment":null', '"comment":"no"')


async def other_envelope(federation: Federation, parts: Parts) -> None:
    other = parts[1]["receipts"][0]["statement"]
    parts[1]["messages"][1]["manifest"] = other["manifest"]


async def own_statement(federation: Federation, parts: Parts) -> None:
    (said,) = [
        one["statement"]
        for one in parts[1]["receipts"]
        if open_manifest(one["statement"]["manifest"].encode())[1].sender == GHA
    ]
    said["line"] = changed(said["line"], '"expiries":[]', '"expiries":[ ]')


async def other_log(federation: Federation, parts: Parts) -> None:
    head = parts[1]["heads"][-1]
    head["note"] = changed(head["note"], LOG, f"{LOG}.other")


async def no_witnesses(federation: Federation, parts: Parts) -> None:
    for head in parts[1]["heads"]:
        text, _, signatures = head["note"].partition("\n\n")
        head["note"] = f"{text}\n\n{signatures.splitlines()[0]}\n"


async def entry_left_out(federation: Federation, parts: Parts) -> None:
    del parts[0]["entries"][1]
    await proven_anew(federation, parts[0], parts[0]["entries"])


async def entry_of_nobody(federation: Federation, parts: Parts) -> None:
    parts[0]["entries"][1] = "0" * 64


async def act_left_out(federation: Federation, parts: Parts) -> None:
    del parts[2]["acts"][-1]
    await proven_anew(federation, parts[2], parts[2]["acts"])


async def proven_anew(federation: Federation, part: dict[str, Any], named: list[str]) -> None:
    """The hashes that belong to what a part names now."""
    places = {digest(bytes(row.line)): row.position for row in await lines(federation)}
    async with federation.store(HUB).snapshot() as session:
        positions = [places[Digest(one)] for one in named]
        nodes = await at_the_hub.proving_nodes(session, positions, part["size"])
    part["nodes"] = [value.hex() for value in nodes.values()]


async def lines(federation: Federation) -> list[Any]:
    return await federation.rows(HUB, "select position, line from log_entries")


async def other_hash(federation: Federation, parts: Parts) -> None:
    parts[0]["nodes"][0] = "0" * 64


async def hash_left_out(federation: Federation, parts: Parts) -> None:
    del parts[0]["nodes"][0]


async def another_size(federation: Federation, parts: Parts) -> None:
    parts[1]["size"] += 1


async def a_size_too_small(federation: Federation, parts: Parts) -> None:
    for part in parts:
        part["size"] = 3


async def no_receipts(federation: Federation, parts: Parts) -> None:
    parts[1]["receipts"] = []


async def no_heads(federation: Federation, parts: Parts) -> None:
    parts[1]["heads"] = []


async def end_left_out(federation: Federation, parts: Parts) -> None:
    del parts[2]


FALSE: dict[Callable[[Federation, Parts], Awaitable[None]], str] = {
    own_message: "the proposal of GHA01/GHA in it has other bytes than any that GHA01/GHA said",
    anothers_message: "the acceptance of CHE01/CHE in it has other bytes than any that was passed",
    other_envelope: "the acceptance of CHE01/CHE in it is in another envelope than the one",
    own_statement: "the statement of GHA01/GHA in it has other bytes than any",
    other_log: "step 2: ",
    no_witnesses: "step 9: 0 of ",
    entry_left_out: "it leaves out an entry that came here",
    entry_of_nobody: f"it names an entry that never came here, {'0' * 64}",
    act_left_out: "it leaves out the act of entry ",
    other_hash: "step 3: ",
    hash_left_out: "part 0 proves its entries by ",
    another_size: "part 1 belongs to another answer",
    a_size_too_small: "it names an entry beyond its last head, of 3",
    no_receipts: "step 8: ",
    no_heads: "it makes no file",
    end_left_out: "has not answered yet; wait",
}


async def test_an_answer_that_is_not_what_it_must_be_becomes_no_file(
    federation: Federation,
) -> None:
    transaction = await moved(federation)
    await asked(federation, GHANA, transaction)
    true = [part.model_dump(mode="json") for part in await parts_at(federation, GHANA, transaction)]
    assert len(true) == 3
    await federation.stop(REC, HUB)
    hub = await federation.voice(Actor("HUB"))
    for number, (falsify, reason) in enumerate([(leave, ""), *FALSE.items()]):
        parts = json.loads(json.dumps(true))
        await falsify(federation, parts)
        told = await federation.order(GHANA, "evidence", transaction=transaction)
        assert told == f"the hub was asked for the evidence of {transaction}"
        await say(federation, hub, transaction, parts)
        if number == 0:
            assert (await exported(federation, GHANA, transaction)).verdict.valid
        elif falsify is end_left_out:  # what came before is still whole, and still wrong
            assert FALSE[no_heads] in await refused(federation, GHANA, transaction)
        else:
            assert reason in await refused(federation, GHANA, transaction), falsify.__name__
    assert federation.nodes[GHANA].halted is None
    await hub.close()


async def leave(federation: Federation, parts: Parts) -> None:
    """The truth, from the same mouth, so that it is the lie that is refused."""


async def say(federation: Federation, hub: Voice, transaction: str, parts: Parts) -> None:
    """Answer the newest request as the hub would."""
    sql = (
        "select digest from messages where type = 'evidence-request' and conversation = :t "
        "order by id desc"
    )
    request = (await federation.rows(GHANA, sql, t=transaction))[0].digest
    for part in parts:
        body = EvidencePart.model_validate_json(json.dumps(part))
        await hub.say("evidence-part", transaction, body, answers=request, to=GHANA)


async def test_what_is_not_there_yet_says_what_to_do(federation: Federation) -> None:
    transaction = await moved(federation)
    order = f'`order evidence \'{{"transaction": "{transaction}"}}\'`'
    assert order in await refused(federation, GHANA, transaction)
    await federation.stop(HUB)
    await federation.order(GHANA, "evidence", transaction=transaction)
    assert "has not answered yet; wait" in await refused(federation, GHANA, transaction)
    await federation.start(HUB)
    await came(federation, GHANA, transaction, 1)
    assert (await exported(federation, GHANA, transaction)).verdict.valid


async def test_another_genesis_is_no_trust_root(federation: Federation) -> None:
    act = parse_act(genesis().act).model_copy(update={"threshold": 3})
    other = signed(act, "HUB", *ADMINISTRATORS)
    async with federation.store(GHANA).snapshot() as session:
        with pytest.raises(LocalProtocolError, match="begins with another genesis than ours"):
            await at_a_registry.trust_root(session, other)
