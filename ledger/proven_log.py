# SPDX-License-Identifier: Apache-2.0
"""Evidence, steps 1 to 4 and 9: the log, its heads, its entries, the directory, its witnesses.

Elsewhere: what all steps are (`verifying`), the transaction itself (`proven_transaction`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from ledger import log, note
from ledger.directory import Directory, DirectoryError, Member
from ledger.flaws import Flaw, must
from schemas import jws
from schemas.directory import SignedAct, Status
from schemas.effects import DirectoryEffect
from schemas.envelope import digest
from schemas.evidence import Bundle, Head, Logged, Trust
from schemas.identifiers import Digest, Instant, Participant, TransactionId
from schemas.messages import Entry, Malformed, Message, parse_message

__all__ = ["ProvenEntry", "ProvenLog", "hashes"]


class ProvenEntry(NamedTuple):
    """An entry of the file."""

    digest: Digest
    leaf: bytes
    message: Message
    body: Entry


class _Top(NamedTuple):
    """A head of the log, and who signed it."""

    size: int
    root: bytes
    text: str
    lines: tuple[note.SignatureLine, ...]


@dataclass
class ProvenLog:
    """The file's log, as far as it has been found to hold."""

    bundle: Bundle
    trust: Trust
    heads: list[_Top] = field(default_factory=list)
    entries: list[ProvenEntry] = field(default_factory=list)
    """Those of the transaction."""
    acts: list[ProvenEntry] = field(default_factory=list)
    directory: Directory | None = None
    past: list[tuple[int, Directory]] = field(default_factory=list)
    """The directory after each act, by the act's position."""
    members: Mapping[Participant, Member] = field(default_factory=dict)
    """As of the transaction's last entry."""

    # --- 1 --------------------------------------------------------------------------------------

    def trusted(self) -> list[str]:
        """The first entry is the trusted one."""
        first = self.bundle.directory[0]
        found = digest(first.line.encode())
        must(found == self.trust.root, f"the log begins with {found}, not {self.trust.root}")
        self.directory = _begin(_entry(first).body)
        genesis = self.directory.genesis
        must(genesis.log == self.trust.log, f"the log is {genesis.log}, not {self.trust.log}")
        names = ", ".join(administrator.name for administrator in genesis.administrators)
        any_of = f"any {genesis.threshold} of these {len(genesis.administrators)} administrators"
        return [
            f"log {genesis.log}, begun on {genesis.at} by the hub and the administrators {names}",
            f"{any_of} decide who takes part",
        ]

    # --- 2 --------------------------------------------------------------------------------------

    def headed(self) -> list[str]:
        """Each head is signed by the hub and contains the one before."""
        before: _Top | None = None
        for head in self.bundle.heads:
            top = self._top(head)
            if before is None:
                must(not head.proof, "the first head has a proof, and nothing to prove")
            else:
                must(top.size > before.size, "heads do not stand in the order of their size")
                sizes = (before.size, before.root, top.size, top.root)
                proven = log.verify_consistency(*sizes, hashes(head.proof))
                must(proven, f"head {top.size} does not contain head {before.size}")
            self.heads.append(top)
            before = top
        sizes_in_words = ", ".join(str(top.size) for top in self.heads)
        return [f"heads of {sizes_in_words} entries, each signed by the hub"]

    def _top(self, head: Head) -> _Top:
        assert self.directory is not None
        genesis = self.directory.genesis
        key = note.VerifierKey(
            genesis.log,
            note.SignatureType.ED25519,
            jws.PublicKey.from_text(genesis.checkpoint_key),
        )
        try:
            text, lines = note.parse_note(head.note)
            note.verify_signature(text, lines[0], key)
            checkpoint = note.Checkpoint.from_text(text)
        except note.NoteError as error:
            raise Flaw(f"a head is not signed by the hub: {error}") from None
        must(checkpoint.origin == genesis.log, f"a head of another log, {checkpoint.origin}")
        return _Top(checkpoint.size, checkpoint.root, text, lines[1:])

    # --- 3 --------------------------------------------------------------------------------------

    def included(self) -> list[str]:
        """Entries stand in the last head, where they say that they are."""
        self.entries = self._included(self.bundle.entries)
        self.acts = self._included(self.bundle.directory)
        others = [one.body.position for one in self.entries if _conversation(one) is None]
        must(not others, f"entry {others[:1]} is of no transaction")
        strangers = {one.message.conversation for one in self.entries} - {self.bundle.transaction}
        must(not strangers, f"an entry is of {', '.join(sorted(strangers))}")
        return [
            f"entry {one.body.position}, of {one.body.at}: {one.body.state}" for one in self.entries
        ]

    def _included(self, logged: Iterable[Logged]) -> list[ProvenEntry]:
        assert self.directory is not None
        last, before, found = self.heads[-1], -1, []
        for one in logged:
            entry = _entry(one)
            body = entry.body
            must(body.log == self.directory.genesis.log, f"entry {body.position} of another log")
            must(body.position > before, "entries do not stand in the order of their position")
            where = (body.position, last.size, hashes(one.proof), last.root)
            must(
                log.verify_inclusion(entry.leaf, *where),
                f"entry {body.position} is not in the log of {last.size} entries",
            )
            found.append(entry)
            before = body.position
        return found

    # --- 4 --------------------------------------------------------------------------------------

    def admitted(self) -> list[str]:
        """Acts in their order, as many as the entries say, give the directory."""
        assert self.directory is not None
        last, number = self.entries[-1].body, 0
        for entry in self.acts:
            body = entry.body
            must(body.acts == number, f"act {number} is left out before entry {body.position}")
            acts = [e for e in body.effects if isinstance(e, DirectoryEffect)]
            must(bool(acts), f"entry {body.position} carries no act")
            if body.position > last.position and not self.members:
                self.members = self.directory.members
            for act in acts if number else acts[1:]:  # the first one was genesis
                self.directory = _apply(self.directory, act, body.position)
            number += len(acts)
            self.past.append((body.position, self.directory))
        for entry in self.entries:
            before = sum(1 for act in self.acts if act.body.position < entry.body.position)
            must(entry.body.acts == before, f"an act before entry {entry.body.position} is absent")
        self.members = self.members or self.directory.members
        return [f"{number} acts; {len(self.members)} participants when the transaction ended"]

    @property
    def latest(self) -> Directory:
        """The directory after all acts of the file."""
        return self.past[-1][1]

    def as_of(self, position: int) -> Directory:
        """The directory that the entry at a position had before it."""
        return [directory for at, directory in self.past if at < position][-1]

    # --- 9 --------------------------------------------------------------------------------------

    def witnessed(self) -> list[str]:
        """Cosignatures are right, and a majority of those active has made one on what counts."""
        assert self.directory is not None
        members = {str(name): member for name, member in self.directory.members.items()}
        last, seen = self.entries[-1].body.position, dict[Participant, str]()
        for top in self.heads:
            names: set[str] = set()
            for line in top.lines:
                member = members.get(line.name)
                if member is None or line.name in names:
                    raise Flaw(f"head {top.size}: a cosignature by {line.name}, who has none here")
                names.add(line.name)
                kind = note.SignatureType.COSIGNATURE
                key = note.VerifierKey(line.name, kind, member.witness_key)
                try:
                    second = note.verify_cosignature(top.text, line, key)
                except note.NoteError as error:
                    raise Flaw(f"head {top.size}: {error}") from None
                if top.size > last:
                    seen.setdefault(member.participant, _instant(second))
        active = {p for p, member in self.members.items() if member.status is Status.ACTIVE}
        counted = active & seen.keys()
        must(
            2 * len(counted) > len(active),
            f"{len(counted)} of {len(active)} active participants have seen it, no majority",
        )
        concerned = {o.actor.participant for e in self.entries for o in e.body.addressed}
        missing = sorted(concerned - seen.keys())
        must(not missing, f"{', '.join(missing)}, concerned, has cosigned no head with it")
        return [
            f"{name} cosigned a head that contains it on {at}" for name, at in sorted(seen.items())
        ]


def _entry(logged: Logged) -> ProvenEntry:
    line = logged.line.encode()
    try:
        message = parse_message(line)
    except Malformed as error:
        raise Flaw(f"an entry cannot be read: {error}") from None
    if not isinstance(message.body, Entry):
        raise Flaw(f"{message.type} stands among the entries")
    return ProvenEntry(digest(line), log.leaf_hash(line), message, message.body)


def _conversation(entry: ProvenEntry) -> TransactionId | None:
    try:
        return TransactionId(entry.message.conversation)
    except ValueError:
        return None


def _begin(body: Entry) -> Directory:
    acts = [effect for effect in body.effects if isinstance(effect, DirectoryEffect)]
    if not acts:
        raise Flaw("the first entry carries no act")
    try:
        return Directory.begin(SignedAct(act=acts[0].act, signatures=acts[0].signatures))
    except DirectoryError as error:
        raise Flaw(f"the first act: {error}") from None


def _apply(directory: Directory, act: DirectoryEffect, position: int) -> Directory:
    try:
        return directory.apply(SignedAct(act=act.act, signatures=act.signatures))
    except DirectoryError as error:
        raise Flaw(f"the act of entry {position}: {error}") from None


def hashes(proof: Iterable[Digest]) -> list[bytes]:
    return [bytes.fromhex(value) for value in proof]


def _instant(second: int) -> str:
    return str(Instant.of(datetime.fromtimestamp(second, UTC)))
