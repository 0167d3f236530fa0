# SPDX-License-Identifier: Apache-2.0
"""Causes of entries: what an entry answers was really said, by whoever may say it.

An entry names the message that caused it (protocol 6.2). The auditor goes on from there; here that
name is held to the envelopes themselves: the line must stand in one, under the manifest that the
entry names, and its type, its author and what it answers in turn must fit what the entry makes of
it. So no rejection completes a transaction, nor an acceptance of something else.

Nothing of `schemas`, `ledger`, `hub` or `registry` is used, so that a fault there is not here.

Elsewhere: what follows from a cause (`auditor`), where envelopes are found (`invariants`).
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

__all__ = ["Causes", "Said", "messages_in"]

ENDED_BY = {
    "completed": "acceptance",
    "refused": "acceptance",
    "rejected": "rejection",
    "withdrawn": "withdrawal",
}
"""The answer that a cleared transaction came to its end by; `expired` has none (5.9 to 5.11)."""

OF_CASES = ("case", "actor", "concerned", "cause", "key", "first", "last", "state")


@dataclass(frozen=True)
class Said:
    """A message in an envelope: who signed it, and the digests of its line and of the manifest."""

    author: str
    digest: str
    manifest: str
    message: dict[str, Any]

    @property
    def type(self) -> str:
        return str(self.message["type"])

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = self.message["body"]
        return found

    @property
    def about(self) -> str:
        return str(self.message["conversation"])


def messages_in(envelope: bytes) -> list[Said]:
    """The messages of an envelope that was authenticated (2.4 to 2.6)."""
    manifest, *lines = envelope.split(b"\n")
    payload = manifest.split(b".")[1]
    author = json.loads(urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))["from"]
    over = sha256(manifest).hexdigest()
    return [Said(author, sha256(line).hexdigest(), over, json.loads(line)) for line in lines]


class Causes:
    """Remembers the proposal of each transaction, and holds causes to it."""

    def __init__(self) -> None:
        self._proposals: dict[str, Said] = {}

    def proposal(self, transaction: str) -> Said | None:
        """The proposal by which a transaction began."""
        return self._proposals.get(transaction)

    def wrong(self, entry: dict[str, Any], said: Said | None) -> Iterator[str]:
        """What is wrong with the cause of the next entry, in words; `said` is the message that it
        answers, as it was found in an envelope.
        """
        named = (entry["answers"], entry["body"]["manifest"])
        if named != ((said.digest, said.manifest) if said else (None, None)):
            yield f"it answers {entry['answers']}, which nobody has said"
        elif entry["body"]["state"] is not None:
            yield from self._of_transaction(entry, said)
        else:
            yield from _of_other(entry["body"]["effects"], said)

    def _of_transaction(self, entry: dict[str, Any], said: Said | None) -> Iterator[str]:
        transaction, body = entry["conversation"], entry["body"]
        known = self._proposals.get(transaction)
        if known is None:
            if said is None or (said.type, said.about) != ("proposal", transaction):
                yield f"{transaction} has no proposal"
            else:
                self._proposals[transaction] = said
            return
        kind = ENDED_BY.get(body["state"])
        if kind is None or said is None:
            if kind or said:
                yield f"{transaction} is {body['state']}, caused by {said.type if said else None}"
            return
        entitled = known.author if kind == "withdrawal" else known.body.get("acquirer")
        if (said.type, said.author, said.about) != (kind, entitled, transaction):
            yield f"{transaction} is {body['state']}, caused by {said.type} of {said.author}"
        elif said.message["answers"] != known.digest:
            yield f"{transaction} is {body['state']} by an answer to another proposal"
        elif kind == "rejection" and said.body["findings"] != body["findings"]:
            yield f"{transaction} is rejected with other findings than were given"


def _of_other(effects: list[dict[str, Any]], said: Said | None) -> Iterator[str]:
    """The reconciliation service says a case; acts are commands, but for rotations."""
    for effect in effects:
        if effect["effect"] == "case":
            fits = said is not None and _says_case(said, effect)
        elif effect["effect"] == "directory":
            fits = _handed_in(effect["act"], said)
        else:
            continue
        if not fits:
            yield f"a {effect['effect']} caused by {said.type if said else None}"


def _says_case(said: Said, effect: dict[str, Any]) -> bool:
    told = {member: said.body.get(member) for member in OF_CASES}
    words = said.body.get("detail") if effect["state"] == "explained" else None
    told |= {"concerned": told["concerned"] or [], "explanation": words}
    return (said.type, said.author) == ("case", "REC") and told.items() <= effect.items()


def _handed_in(line: str, said: Said | None) -> bool:
    """Whether an act came as it may: an actor says the rotation of its own key (4.4)."""
    act = json.loads(line)
    if act["act"] != "rotation" or said is None:
        return act["act"] != "rotation" and said is None
    by = (said.type, said.author)
    return by == ("rotation", act["actor"]) and bool(said.body["act"]["act"] == line)
