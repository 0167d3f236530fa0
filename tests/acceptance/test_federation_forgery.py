# SPDX-License-Identifier: Apache-2.0
"""Attacks on files of evidence: whatever is changed in one, it is not valid any more."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from hub.evidence import collect, trust_root
from ledger.verifying import verify
from schemas.envelope import digest
from schemas.evidence import Bundle, Trust, Unreadable, read_bundle, write_bundle
from schemas.identifiers import TransactionId
from tests.cast import CHE, GHA, HUB, I, first_transfer, use
from tests.federation import Federation

FLIPS = 3000


async def taken(federation: Federation) -> tuple[Bundle, Bundle, Trust]:
    """A first transfer and a use of what it brought, as files, and the trust root."""
    moved = await federation.propose(GHA, first_transfer(201, 300, 201))
    assert await federation.ended(moved) == "completed"
    used = await federation.propose(CHE, use(I, 201, 250, CHE))
    assert await federation.ended(used) == "completed"
    await asyncio.sleep(90)
    async with federation.store(HUB).snapshot() as session:
        one, two = [await collect(session, TransactionId(t)) for t in (moved, used)]
        return one, two, await trust_root(session)


def is_valid(data: bytes, trust: Trust) -> bool:
    try:
        return verify(read_bundle(data), trust).valid
    except Unreadable:
        return False


@pytest.mark.requirement(45, 47)
async def test_no_bit_of_a_file_can_be_another_one(federation: Federation) -> None:
    for bundle in (await taken(federation))[:2]:
        trust = await federation_trust(federation)
        data = write_bundle(bundle)
        assert is_valid(data, trust)
        dice = random.Random(len(data))
        for place in dice.sample(range(len(data) * 8), FLIPS):
            changed = bytearray(data)
            changed[place // 8] ^= 1 << place % 8
            assert not is_valid(bytes(changed), trust), f"bit {place % 8} of byte {place // 8}"


async def federation_trust(federation: Federation) -> Trust:
    async with federation.store(HUB).snapshot() as session:
        return await trust_root(session)


async def test_white_space_and_the_order_of_members_are_nobodys_concern(
    federation: Federation,
) -> None:
    bundle, _, trust = await taken(federation)
    members = json.loads(write_bundle(bundle))
    turned = dict(reversed(members.items()))
    for text in (json.dumps(turned), json.dumps(members, indent=7), json.dumps(members)):
        assert is_valid(text.encode(), trust)


Members = dict[str, Any]


def swapped(name: str) -> Callable[[Members, Members], None]:
    def attack(one: Members, other: Members) -> None:
        one[name] = other[name]

    return attack


def without(name: str, place: int) -> Callable[[Members, Members], None]:
    def attack(one: Members, other: Members) -> None:
        del one[name][place]

    return attack


def doubled(name: str, place: int) -> Callable[[Members, Members], None]:
    def attack(one: Members, other: Members) -> None:
        one[name].insert(place, one[name][place])

    return attack


def reversed_(name: str) -> Callable[[Members, Members], None]:
    def attack(one: Members, other: Members) -> None:
        one[name].reverse()

    return attack


def answered_elsewhere(one: Members, other: Members) -> None:
    """An acknowledgement is moved to another proposal."""
    one["messages"][0] = other["messages"][0]


def renamed(one: Members, other: Members) -> None:
    one["transaction"] = other["transaction"]


def proven_elsewhere(one: Members, other: Members) -> None:
    one["entries"][0]["proof"] = one["entries"][-1]["proof"]


def unsigned(one: Members, other: Members) -> None:
    """The hub's line of the last head is left out."""
    text, _, lines = one["heads"][-1]["note"].rpartition("\n\n")
    rest = lines.split("\n", 1)[1]
    one["heads"][-1]["note"] = f"{text}\n\n{rest}"


def unseen(one: Members, other: Members) -> None:
    """No witness has signed any head."""
    for head in one["heads"]:
        text, _, lines = head["note"].rpartition("\n\n")
        head["note"] = f"{text}\n\n{lines.split(chr(10), 1)[0]}\n"


def witnessed_by_few(one: Members, other: Members) -> None:
    """Only the first witness of each head is left."""
    for head in one["heads"]:
        text, _, lines = head["note"].rpartition("\n\n")
        head["note"] = "\n".join([f"{text}\n", *lines.split("\n")[:2], ""])


def foreign_cosignature(one: Members, other: Members) -> None:
    """A cosignature stands under another head, beside enough good ones."""
    notes = [head["note"] for head in one["heads"]]
    last = notes[0].rstrip("\n").rpartition("\n")[2]
    one["heads"][-1]["note"] = f"{notes[-1]}{last}\n"


def own_statement(one: Members, other: Members) -> None:
    one["receipts"][0]["statement"] = one["receipts"][1]["statement"]


def forged_genesis(one: Members, other: Members) -> None:
    first = one["directory"][0]
    first["line"] = first["line"].replace("federation", "fed3ration")


ATTACKS: dict[str, Callable[[Members, Members], None]] = {
    "messages of another transaction": swapped("messages"),
    "entries of another transaction": swapped("entries"),
    "receipts of another transaction": swapped("receipts"),
    "another transaction's name": renamed,
    "an answer to another proposal": answered_elsewhere,
    "a message is left out": without("messages", -1),
    "a message stands twice": doubled("messages", 0),
    "messages in another order": reversed_("messages"),
    "an entry is left out": without("entries", 0),
    "the last entry is left out": without("entries", -1),
    "an entry stands twice": doubled("entries", 0),
    "entries in another order": reversed_("entries"),
    "an act is left out": without("directory", 3),
    "the last act is left out": without("directory", -1),
    "an act stands twice": doubled("directory", 2),
    "acts in another order": reversed_("directory"),
    "another genesis": forged_genesis,
    "a head is left out": without("heads", 0),
    "a head stands twice": doubled("heads", 0),
    "heads in another order": reversed_("heads"),
    "a receipt is left out": without("receipts", 0),
    "a receipt stands twice": doubled("receipts", 0),
    "receipts in another order": reversed_("receipts"),
    "one actor's statement for another's": own_statement,
    "a proof of another entry": proven_elsewhere,
    "a head that the hub has not signed": unsigned,
    "heads that no witness has signed": unseen,
    "too few witnesses": witnessed_by_few,
    "a false cosignature beside enough good ones": foreign_cosignature,
}


@pytest.mark.requirement(48)
async def test_forgeries_fail(federation: Federation) -> None:
    one, other, trust = await taken(federation)
    for name, attack in ATTACKS.items():
        for a, b in ((one, other), (other, one)):
            members, others = (json.loads(write_bundle(bundle)) for bundle in (a, b))
            before = json.dumps(members)
            attack(members, others)
            if json.dumps(members) == before:
                continue  # nothing to turn about in a list of one
            assert not is_valid(json.dumps(members, ensure_ascii=False).encode(), trust), name
    assert is_valid(write_bundle(one), trust)
    assert not is_valid(write_bundle(one), trust.model_copy(update={"log": "another.log"}))
    assert not is_valid(write_bundle(one), trust.model_copy(update={"root": digest(b"another")}))


HOSTILE = {
    "a name twice": b'{"format": "a6hub-evidence-1", "format": "a6hub-evidence-1"}',
    "much depth": b'{"messages": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "a giant integer": b'{"format": ' + b"9" * 5000 + b"}",
    "another format": b'{"format": "a6hub-evidence-2"}',
    "no JSON": b"\x7fELF",
    "nothing": b"",
    "not UTF-8": b'{"format": "\xff"}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_file_of_evidence_is_unreadable(name: str) -> None:
    with pytest.raises(Unreadable):
        read_bundle(HOSTILE[name])
