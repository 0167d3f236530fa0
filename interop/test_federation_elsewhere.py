# SPDX-License-Identifier: Apache-2.0
"""Files of evidence, checked by what we have not written.

Signatures, manifests and digests by `jose` on Node (`check.mjs`), the trees by pymerkle, the hub's
signature on a head by OpenSSL's command. `make test-interop` installs what that needs.
"""

import asyncio
import base64
import json
import subprocess
from pathlib import Path

import pymerkle  # type: ignore[import-untyped, unused-ignore]
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.evidence import collect, trust_root
from ledger import note
from schemas import jws
from schemas.directory import Genesis, parse_act
from schemas.evidence import Bundle, write_bundle, write_trust
from schemas.identifiers import TransactionId
from schemas.messages import Message, parse_message
from tests.cast import CHE, GHA, HUB, I, first_transfer, use
from tests.federation import Federation

CHECK = Path(__file__).with_name("check.mjs")


async def taken(federation: Federation) -> list[Bundle]:
    """Evidence of all that has ended, by participants that run."""
    moved = await federation.propose(GHA, first_transfer(201, 300, 201))
    assert await federation.ended(moved) == "completed"
    used = await federation.propose(CHE, use(I, 201, 250, CHE))
    assert await federation.ended(used) == "completed"
    await asyncio.sleep(90)
    sql = "select id from transactions where proposer <> 'ROG01/ROG' order by id"
    rows = await federation.rows(HUB, sql)
    async with federation.store(HUB).snapshot() as session:
        return [await collect(session, TransactionId(row.id)) for row in rows]


def read_by_node(bundle: Path, trust: Path) -> subprocess.CompletedProcess[str]:
    # Node 18, Debian 12's, has the global that jose uses behind this option; later ones ignore it.
    command = ["node", "--experimental-global-webcrypto", str(CHECK), str(bundle), str(trust)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


async def test_a_jose_library_of_another_language_reads_the_same(
    federation: Federation, tmp_path: Path
) -> None:
    bundles = await taken(federation)
    assert len(bundles) > 5
    trust = tmp_path / "trust.json"
    async with federation.store(HUB).snapshot() as session:
        trust.write_bytes(write_trust(await trust_root(session)))
    file = tmp_path / "evidence.json"
    for bundle in bundles:
        file.write_bytes(write_bundle(bundle))
        done = read_by_node(file, trust)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("sequence") == len(bundle.messages) + len(bundle.receipts)
        assert done.stdout.count("witnesses") == len(bundle.heads)
    members = json.loads(file.read_bytes())
    said = members["messages"][0]
    said["line"] = said["line"].replace('"comment"', '"cOmment"')
    file.write_text(json.dumps(members))
    done = read_by_node(file, trust)
    assert done.returncode == 1
    assert "is not in the manifest" in done.stderr


async def test_another_library_makes_the_same_trees_and_proofs(federation: Federation) -> None:
    bundles = await taken(federation)
    tree = pymerkle.InmemoryTree(algorithm="sha256", disable_security=False)
    for row in await federation.rows(HUB, "select line from log_entries order by position"):
        tree.append_entry(bytes(row.line))
    for bundle in bundles:
        sizes = []
        for head in bundle.heads:
            checkpoint = note.Checkpoint.from_text(note.parse_note(head.note)[0])
            assert tree.get_root(checkpoint.size) == checkpoint.root
            sizes.append(checkpoint.size)
        for before, after, head in zip(sizes, sizes[1:], bundle.heads[1:], strict=False):
            tree.prove_consistency(before, after).verify(
                tree.get_root(before), tree.get_root(after)
            )
            assert head.proof
        for logged in (*bundle.entries, *bundle.directory):
            position = _message(logged.line).body.position
            path = tree.prove_inclusion(position + 1, sizes[-1]).path[1:]
            assert [value.hex() for value in path] == list(logged.proof)


async def test_openssl_verifies_the_hubs_signature_on_heads(
    federation: Federation, tmp_path: Path
) -> None:
    bundle = (await taken(federation))[0]
    genesis = parse_act(_message(bundle.directory[0].line).body.effects[0].act)
    assert isinstance(genesis, Genesis)
    key = jws.PublicKey.from_text(genesis.checkpoint_key).loaded
    pem, text, signature = (tmp_path / name for name in ("key.pem", "text", "signature"))
    pem.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(pem), "-rawin"]
    command += ["-in", str(text), "-sigfile", str(signature)]
    for head in bundle.heads:
        said, _, lines = head.note.rpartition("\n\n")
        text.write_text(f"{said}\n")
        signature.write_bytes(base64.b64decode(lines.split("\n")[0].split(" ")[2])[4:])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        text.write_text(f"{said}!\n")
        assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def _message(line: str) -> Message:
    return parse_message(line.encode())
