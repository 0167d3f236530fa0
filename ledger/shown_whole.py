# SPDX-License-Identifier: Apache-2.0
"""What the hub shows to whoever is sent every entry: the log itself, held to each further word.

The reconciliation service is sent the whole log, in order (rule 6.7). So what it is shown says more
than what a registry is shown (`shown`): each position has one entry and none is passed over, every
actor's deliveries are counted, and the log's root follows from the entries, so that a head cannot
be of others. A statement that the hub passes on is about a head that it made (rule 6.14): by that
word of its, too, the log must be the one that the entries gave. Which log the statement's author
saw says the cosignature in it.

Reading begins at a head, or with the first entry. Deliveries that an actor had before that are not
known: the first one that is read says how many they were.

Elsewhere: what any participant is shown (`shown`), holding a file to both (`convicting`).
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from ledger import log, note
from ledger.consent import moved_by
from ledger.directory import Directory
from ledger.enclosed import unproven
from ledger.growth import Growth
from ledger.shown import Head, misaddressed
from schemas.envelope import EnvelopeError, digest, open_manifest
from schemas.identifiers import Actor, Digest
from schemas.messages import Enclosure, Entry, Malformed, Statement, parse_message

__all__ = ["WholeLog", "unaddressed"]


def unaddressed(entry: Entry) -> list[Actor]:
    """The actors whose units an entry moves and to whom it is not addressed (rule 6.5)."""
    addressed = {one.actor for one in entry.addressed}
    return sorted({actor for effect in entry.effects for actor in moved_by(effect)} - addressed)


@dataclass
class WholeLog:
    """The log as it was shown from a head on. Of `uncounted` actors it is not known yet how many
    deliveries they had; all others have those in `counts`, or none. `said` has the digests of
    entries by position, earlier ones included as far as they are known, `roots` those of the log
    from that head on.
    """

    log: Growth = field(default_factory=Growth)
    uncounted: AbstractSet[Actor] = frozenset()
    counts: dict[Actor, int] = field(default_factory=dict)
    said: dict[int, Digest] = field(default_factory=dict)
    roots: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.roots[self.log.size] = self.log.root()

    def has(self, entry: Entry) -> bool:
        """Whether an entry of this position was shown already."""
        return entry.position < self.log.size

    def misplaced(self, entry: Entry, said: Digest) -> str | None:
        """Whether an entry is another one than was shown at its position, or not the next."""
        known = self.said.get(entry.position, said)
        if known != said:
            return f"entry {entry.position} was {known}, is {said}"
        if entry.position > self.log.size:
            return f"entry {entry.position} came, {self.log.size} did not"
        return None

    def take(self, entry: Entry, line: bytes) -> str | None:
        """The next entry; or what is wrong with whom it is addressed to, and then nothing of it is
        taken.
        """
        counts = dict[Actor, int]()
        for one in entry.addressed:
            first = one.index if one.actor in self.uncounted else 0
            expected = counts.get(one.actor, self.counts.get(one.actor, first))
            if one.index != expected:
                return (
                    f"entry {entry.position} is delivery {one.index} of {one.actor}, "
                    f"{expected} is the next"
                )
            counts[one.actor] = expected + 1
        for actor in unaddressed(entry):
            return f"entry {entry.position} moves units of {actor} and is not addressed to it"
        problem = misaddressed(entry)
        if problem is not None:
            return problem
        self.counts |= counts
        self.log = self.log.append(log.leaf_hash(line)).written()
        self.said[entry.position], self.roots[self.log.size] = digest(line), self.log.root()
        return None

    def false_head(self, head: Head) -> str | None:
        """Whether a head, or the one before it, is of other entries than came."""
        if head.size > self.log.size:
            return f"the checkpoint covers {head.size} entries, {self.log.size} came"
        heads = [(head.size, head.root)]
        if head.previous is not None:
            heads.append((head.previous.size, head.previous.root))
        for size, root in heads:
            if self.roots.get(size, root) != root:
                return f"at size {size} the entries that came have another root than the checkpoint"
        return None

    def false_statement(self, directory: Directory, body: Enclosure) -> str | None:
        """Whether a statement is passed on that is about a head of other entries than came. What is
        not its author's own word on this log is none, and nothing is held against anybody.
        """
        try:
            token, manifest = open_manifest(body.manifest.encode())
            line = body.line.encode()
            statement = parse_message(line).body
        except (EnvelopeError, Malformed, ValueError):
            return None
        if unproven(directory, token, manifest, digest(line)) is not None:
            return None
        author = manifest.sender
        if not isinstance(statement, Statement) or not _cosigned(directory, author, statement):
            return None
        size, root = statement.size, bytes.fromhex(statement.root)
        if size > self.log.size:
            what = f"{self.log.size} entries came"
        elif self.roots.get(size, root) != root:
            what = "the entries that came have another root"
        else:
            return None
        return f"it passes on what {author} states of its checkpoint of size {size}, and {what}"


def _cosigned(directory: Directory, author: Actor, statement: Statement) -> bool:
    """Whether a statement's head is one of this log, by its author's witness."""
    member = directory.members.get(author.participant)
    if member is None:
        return False
    log_id, root = directory.genesis.log, bytes.fromhex(statement.root)
    try:
        line = note.SignatureLine.from_text(statement.cosignature)
        kind = note.SignatureType.COSIGNATURE
        key = note.VerifierKey(str(author.participant), kind, member.witness_key)
        text = note.Checkpoint(log_id, statement.size, root).to_text()
        note.verify_cosignature(text, line, key)
    except note.NoteError:
        return False
    return True
