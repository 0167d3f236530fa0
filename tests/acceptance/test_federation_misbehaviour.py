# SPDX-License-Identifier: Apache-2.0
"""Proofs of misbehaviour: a hub that lied is convicted by its own words, an honest one by none."""

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer import Typer
from typer.testing import CliRunner, Result

from harness import verify
from harness.deploy import deploy, load_federation
from hub.evidence import trust_root
from ledger.convicting import Conviction, convict
from party_node.cli import app
from registry.accusing import Place, accuse, gather
from runtime.clock import SystemClock
from runtime.halts import HALTED_BEFORE
from runtime.journal import kept_line, said_lines
from schemas.envelope import Manifest, digest, open_envelope, seal
from schemas.evidence import Trust, Unreadable, read_members, write_members, write_trust
from schemas.identifiers import Actor, Digest, Instant, Participant
from schemas.messages import Consent, parse_message
from schemas.misbehaviour import Misbehaviour
from tests.cast import CHE, GHA, HUB, ROG, I, first_transfer, signer, transfer
from tests.false_hub import FalseHub
from tests.federation import Federation

ROOT = Path(__file__).parents[2]
GHANA = GHA.participant


async def lied_to(federation: Federation) -> tuple[Misbehaviour, Trust]:
    """Ghana is told of a delivery behind one that never came, and halts."""
    assert await federation.transact(CHE, transfer(I, 1, 10, CHE, GHA)) == "completed"
    transaction = await federation.propose(GHA, first_transfer(201, 300, 201, ROG))
    await federation.reached(transaction, "cleared", "GHA01")
    hub = await FalseHub.take_over(federation)
    await hub.say_entry([GHA], "REC-1", shift=1)
    assert "is the next" in await federation.halted(GHANA)
    await hub.voice.close()
    async with federation.store(GHANA).snapshot() as session:
        (letter,) = await session.execute(text("select id from dead_letters"))
        return await accuse(session, GHANA, letter.id)


async def test_no_part_of_a_proof_can_be_another(federation: Federation) -> None:
    """A proof in which anything is changed proves nothing, or the same."""
    file, trust = await lied_to(federation)
    async with federation.store(HUB).snapshot() as session:
        assert trust == await trust_root(session)
    data, expected = write_members(file), convict(file, trust)
    assert expected.proven is not None
    chances = random.Random(7)
    for _ in range(300):
        bit = chances.randrange(8 * len(data))
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            found = convict(read_members(Misbehaviour, bytes(changed)), trust)
        except Unreadable:
            continue
        assert found.proven in {None, expected.proven}, f"bit {bit}"
    other = trust.model_copy(update={"root": Digest("0" * 64)})
    assert "the log begins with" in (convict(file, other).flaw or "")


# --- an honest hub ------------------------------------------------------------------------------

ROGUE, NOON = Actor("ROG01/ROG"), Instant("2027-03-01T12:00:00.000000Z")
Members = dict[str, Any]
Change = Callable[[random.Random, Members, list[Members]], None]


def fewer_acts(chances: random.Random, file: Members, said: list[Members]) -> None:
    del file["directory"][chances.randrange(len(file["directory"]))]


def fewer_envelopes(chances: random.Random, file: Members, said: list[Members]) -> None:
    del file["envelopes"][chances.randrange(len(file["envelopes"]))]


def envelopes_in_another_order(chances: random.Random, file: Members, said: list[Members]) -> None:
    chances.shuffle(file["envelopes"])


def another_beginning(chances: random.Random, file: Members, said: list[Members]) -> None:
    file["before"] = chances.randrange(4)


def other_trees(chances: random.Random, file: Members, said: list[Members]) -> None:
    file["trees"] = [] if chances.random() < 0.5 else file["trees"][:1]
    for tree in file["trees"]:
        chances.shuffle(tree["nodes"])


def no_words(chances: random.Random, file: Members, said: list[Members]) -> None:
    file["words"] = []


def fewer_words(chances: random.Random, file: Members, said: list[Members]) -> None:
    if file["words"]:
        del file["words"][chances.randrange(len(file["words"]))]


def words_under_another_key(chances: random.Random, file: Members, said: list[Members]) -> None:
    """Anybody who has a key can say anybody's line again."""
    for word in file["words"]:
        line = word["line"].encode()
        members = {"from": ROGUE, "to": HUB, "sequence": 1, "sent_at": NOON, "seen": 0}
        manifest = Manifest.model_validate({**members, "messages": (digest(line),)})
        word["manifest"] = seal(manifest, (line,), signer(ROGUE)).split(b"\n")[0].decode()


def other_entries_before(chances: random.Random, file: Members, said: list[Members]) -> None:
    file["earlier"] = chances.sample(said, 2)


def other_acts_before(chances: random.Random, file: Members, said: list[Members]) -> None:
    file["directory"].insert(
        chances.randrange(1 + len(file["directory"])), said[chances.randrange(len(said))]
    )


CHANGES: list[Change] = [
    fewer_acts,
    fewer_envelopes,
    envelopes_in_another_order,
    another_beginning,
    other_trees,
    no_words,
    fewer_words,
    words_under_another_key,
    other_entries_before,
    other_acts_before,
]


async def test_whose_a_line_is_an_accuser_cannot_make_up(federation: Federation) -> None:
    """The consents that an entry names, said once more by somebody else."""
    assert await federation.transact(GHA, first_transfer(201, 300, 201)) == "completed"
    sql = "select sequence, line, digest from messages where type = 'entry' order by sequence, line"
    async with federation.store(HUB).snapshot() as session:
        trust = await trust_root(session)
    *_, last = await federation.rows(GHANA, sql)
    async with federation.store(GHANA).snapshot() as session:
        (kept,) = await said_lines(session, [Digest(last.digest)])
        _, line = await kept_line(session, kept)
        place = Place(last.sequence, last.line)
        file = await gather(session, GHANA, parse_message(line), place)
    assert len(file.words) == 2
    members = json.loads(write_members(file))
    words_under_another_key(random.Random(1), members, [])
    for words in (members["words"], members["words"][:1], members["words"][1:]):
        forged = json.dumps({**members, "words": words}).encode()
        assert innocent(convict(read_members(Misbehaviour, forged), trust))


async def test_an_honest_hub_is_convicted_by_nothing(federation: Federation) -> None:
    """Of what it said to a registry any run is shown, with anything beside it left out or changed:
    whoever makes a file can keep things back, and must not frame anybody by it.
    """
    assert await federation.transact(CHE, transfer(I, 1, 10, CHE, GHA)) == "completed"
    assert await federation.transact(GHA, first_transfer(201, 300, 201)) == "completed"
    await federation.settled()
    sql = (
        "select sequence, line, type, digest from messages where author = 'HUB' "
        "and type in ('entry', 'checkpoint') order by sequence, line"
    )
    rows = await federation.rows(GHANA, sql)
    async with federation.store(HUB).snapshot() as session:
        trust = await trust_root(session)
    chances, tried, said = random.Random(11), 0, list[Members]()
    bodies = await federation.rows(GHANA, "select body from inbox where sender = 'HUB'")
    for envelope in (open_envelope(bytes(row.body)) for row in bodies):
        for line in envelope.lines:
            if parse_message(line).type == "entry":
                manifest = envelope.manifest_line.decode()
                said.append({"manifest": manifest, "line": line.decode()})
    assert len(said) > 10
    for row in rows[1:]:
        async with federation.store(GHANA).snapshot() as session:
            (body,) = await session.execute(
                text("select body from inbox where sender = 'HUB' and sequence = :n"),
                {"n": row.sequence},
            )
            message = parse_message(open_envelope(bytes(body.body)).lines[row.line])
            file = await gather(session, GHANA, message, Place(row.sequence, row.line))
        assert innocent(convict(file, trust))
        for _ in range(12):
            members = json.loads(write_members(file))
            for change in chances.sample(CHANGES, chances.randrange(1, 4)):
                change(chances, members, said)
            try:
                changed = read_members(Misbehaviour, json.dumps(members).encode())
            except Unreadable:
                continue
            tried += 1
            assert innocent(convict(changed, trust)), convict(changed, trust)
    assert tried > 200


def innocent(found: Conviction) -> bool:
    return found.proven is None and found.flaw is not None


# --- the operator's verbs -----------------------------------------------------------------------


def settings_of(federation: Federation, tmp_path: Path, participant: Participant = GHANA) -> Path:
    """Settings of a participant, on the database that it had in a federation."""
    made = tmp_path / "deployment"
    deploy(load_federation(ROOT / "harness" / "federation.toml"), made, SystemClock())
    settings = made / "programs" / participant / "settings.toml"
    settings.write_text(settings.read_text().replace("/etc/a6hub/", f"{made / 'programs'}/"))
    (settings.parent / "database").write_text(federation.urls[participant])
    return settings


def verb(settings: Path, name: str, *words: str, of: Typer = app) -> Result:
    """A verb runs a loop of its own, for which ours stands still."""
    with ThreadPoolExecutor(1) as thread:
        given = [name, "--settings", str(settings), *words]
        return thread.submit(CliRunner().invoke, of, given).result()


async def test_a_node_stays_halted_until_its_operator_says_otherwise(
    federation: Federation, tmp_path: Path
) -> None:
    file, trust = await lied_to(federation)
    await federation.start(GHANA)
    assert await federation.halted(GHANA) == HALTED_BEFORE
    settings, proof, root = settings_of(federation, tmp_path), tmp_path / "p", tmp_path / "t"
    assert verb(settings, "proof", "1", "--output", str(proof)).output == ""
    assert read_members(Misbehaviour, proof.read_bytes()) == file
    root.write_bytes(write_trust(trust))
    told = CliRunner().invoke(verify.app, [str(proof), "--trust", str(root)])
    assert told.exit_code == 0, told.output
    assert told.output.endswith("proven: the hub has broken the protocol\n")
    asked = CliRunner().invoke(verify.app, [str(proof), "--trust", str(root), "--json"])
    assert json.loads(asked.output)["valid"] is True
    assert verb(settings, "resume").output == "the node may start again\n"
    again = verb(settings, "resume")
    assert (again.exit_code, again.stderr) == (2, "a6hub: the node has not halted\n")


@pytest.mark.parametrize(
    ("letter", "said"),
    [("7", "no letter 7"), ("1", "letter 1 is signature-invalid: no node halts at that")],
)
async def test_a_proof_is_made_of_what_a_node_has_halted_at(
    federation: Federation, tmp_path: Path, letter: str, said: str
) -> None:
    await federation.edit(
        GHANA,
        "insert into dead_letters (id, received_at, code, reason, detail, body, state) "
        "values (1, '', 1, 'signature-invalid', '', :body, 'open')",
        body=b"no manifest",
    )
    settings = settings_of(federation, tmp_path)
    refused = verb(settings, "proof", letter, "--output", str(tmp_path / "p"))
    assert (refused.exit_code, refused.stderr) == (2, f"a6hub: {said}\n")
    assert not (tmp_path / "p").exists()


async def test_what_may_still_be_explained_is_written_only_if_asked_for(
    federation: Federation, tmp_path: Path
) -> None:
    """The hub names a consent that nobody has shown: it may have it."""
    await federation.propose(GHA, first_transfer(201, 300, 201))
    hub = await FalseHub.take_over(federation)
    effects = await hub.completing("GHA01-GHA-3")
    nobody = Digest("0" * 64)
    consents = (Consent(actor=GHA, message=nobody),)
    await hub.say_entry([GHA], "GHA01-GHA-77", effects, state="completed", consents=consents)
    await federation.halted(GHANA)
    await hub.voice.close()
    settings, proof, root = settings_of(federation, tmp_path), tmp_path / "p", tmp_path / "t"
    refused = verb(settings, "proof", "1", "--output", str(proof))
    assert refused.exit_code == 2
    assert f"unless {nobody} agrees to it, which is not here" in refused.stderr
    written = verb(settings, "proof", "1", "--output", str(proof), "--incomplete")
    assert written.exit_code == 0
    async with federation.store(HUB).snapshot() as session:
        root.write_bytes(write_trust(await trust_root(session)))
    told = CliRunner().invoke(verify.app, [str(proof), "--trust", str(root)])
    assert (told.exit_code, told.output.splitlines()[-1]) == (1, "it proves nothing")
