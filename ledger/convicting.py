# SPDX-License-Identifier: Apache-2.0
"""What a proof of misbehaviour proves: that the hub has signed what cannot be.

1. *The log* is the one that is trusted, and the acts before the run give the directory.
2. *The envelopes* are the hub's, to one participant, and none between the first and the last is
   missing: what is not in them was not said.
3. *The beginning* is a head that the hub signed, or its very first word.
4. *The contradiction*: read as its recipient read it, some word does not fit those before it
   (`shown`, and to the reconciliation service `shown_whole`), takes a transaction where it cannot
   go, or binds an actor that did not agree (`consent`).

The first three must hold, or the file proves nothing; the fourth is what convicts. Whoever made
the file chose what stands in it, so nothing is held against the hub that something left out could
explain: acts are as many as the hub itself counts, whatever an entry names as consent is here, and
such words are read as the hub says that they were said. What belongs to another log, or has a form
that this version does not know, ends the reading.

All is pure. Elsewhere: the form of a file (`schemas.misbehaviour`), making one
(`registry.accusing`, `reconciliation.accusing`), evidence of a transaction (`verifying`).
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger import log, note
from ledger.consent import not_agreed
from ledger.directory import Directory, DirectoryError
from ledger.flaws import Flaw, must
from ledger.growth import Growth
from ledger.proven_words import ProvenWord, prove_word
from ledger.shown import false_entry, false_step, learned, open_head, origin_of, read_head
from ledger.shown_whole import WholeLog
from ledger.transactions import State
from schemas.directory import SignedAct
from schemas.effects import DirectoryEffect
from schemas.envelope import EnvelopeError, Opened, digest, open_envelope, verify
from schemas.evidence import Trust
from schemas.identifiers import HUB, HUB_ACTOR, REC, Actor, Digest, Participant, TransactionId
from schemas.messages import (
    Checkpoint,
    Enclosure,
    Entry,
    Malformed,
    Message,
    Proposal,
    parse_message,
)
from schemas.misbehaviour import Misbehaviour
from schemas.plain import in_words

__all__ = ["Conviction", "convict"]


@dataclass(frozen=True)
class Conviction:
    """What became of a file: what holds, in plain words, and either how the hub contradicts itself
    (`proven`) or why the file proves nothing (`flaw`).
    """

    held: tuple[str, ...]
    proven: str | None = None
    flaw: str | None = None


def convict(file: Misbehaviour, trust: Trust) -> Conviction:
    """Hold a proof of misbehaviour to the trust root."""
    held: list[str] = []
    try:
        reader = _Reader(file.to, *_directory(file, trust))
        held.append(f"log {trust.log}, with {len(reader.known_acts)} acts before what follows")
        envelopes = _unbroken(file)
        first, last = envelopes[0].manifest, envelopes[-1].manifest
        held.append(
            f"envelopes {first.sequence} to {last.sequence} of the hub to {file.to}, from "
            f"{first.sent_at} to {last.sent_at}, none missing"
        )
        reader.begin(file, envelopes[0])
        held.append(f"read from a head of {reader.log_size} entries on")
        reader.prepare(file)
        problem = reader.read(envelopes, file.before)
    except ValueError as flaw:  # a `Flaw`, or a value that nothing can be made of
        return Conviction(tuple(held), flaw=in_words(flaw))
    return Conviction(tuple(held), proven=problem)


# --- what must hold -----------------------------------------------------------------------------


def _directory(file: Misbehaviour, trust: Trust) -> tuple[Directory, tuple[int, ...]]:
    """The directory before the run, and the positions of its acts: none between is left out."""
    found = digest(file.directory[0].line.encode())
    must(found == trust.root, f"the log begins with {found}, not {trust.root}")
    directory, positions = None, list[int]()
    for said in file.directory:
        entry = _entry(parse_message(said.line.encode()))
        must(entry.log == trust.log, f"an act is of the log {entry.log}, not of {trust.log}")
        must(entry.acts == len(positions), f"an act before entry {entry.position} is left out")
        must(not positions or entry.position > positions[-1], "acts are not in the log's order")
        act = _act(entry)
        try:
            directory = directory.apply(act) if directory else Directory.begin(act)
        except DirectoryError as error:
            raise Flaw(f"the act of entry {entry.position}: {error}") from None
        positions.append(entry.position)
    assert directory is not None
    must(directory.genesis.log == trust.log, f"the log is {directory.genesis.log}")
    for said in file.directory:
        word = prove_word(said, directory, file.to)
        must(word.author == HUB_ACTOR, f"an act was said by {word.author}")
    return directory, tuple(positions)


def _unbroken(file: Misbehaviour) -> list[Opened]:
    """The envelopes, each behind the one before; they are verified as they are read."""
    found: list[Opened] = []
    for text in file.envelopes:
        try:
            opened = open_envelope(text.encode())
        except EnvelopeError as error:
            raise Flaw(f"an envelope cannot be read: {error}") from None
        manifest = opened.manifest
        must(manifest.sender == HUB_ACTOR, f"an envelope is of {manifest.sender}")
        must(manifest.to == file.to, f"an envelope was sent to {manifest.to}")
        must(manifest.sequence is not None, "a control envelope proves nothing")
        before = found[-1].manifest.sequence if found else None
        behind = before is None or manifest.sequence == before + 1
        must(behind, f"behind envelope {before} comes {manifest.sequence}")
        found.append(opened)
    return found


def _entry(message: Message) -> Entry:
    if not isinstance(message.body, Entry):
        raise Flaw(f"{message.type} stands among the entries")
    return message.body


def _act(entry: Entry) -> SignedAct:
    acts = [effect for effect in entry.effects if isinstance(effect, DirectoryEffect)]
    must(len(acts) == 1, f"entry {entry.position} carries {len(acts)} acts")
    return SignedAct(act=acts[0].act, signatures=acts[0].signatures)


def _grown(size: int, hashes: Sequence[Digest], root: str, what: str) -> Growth:
    """A tree from its largest complete subtrees; `Flaw` if it has another root."""
    addresses = log.frontier(size)
    must(len(addresses) == len(hashes), f"{what} is another")
    nodes = (bytes.fromhex(value) for value in hashes)
    grown = Growth(size, dict(zip(addresses, nodes, strict=True)))
    must(grown.root().hex() == root, f"{what} is another")
    return grown


# --- reading ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Known:
    """A transaction, as `consent` wants to know it."""

    id: TransactionId
    proposer: Actor
    acquirer: Actor | None
    proposal: Proposal | None
    message: Digest | None


@dataclass
class _Reader:
    """A participant that reads what it was told, in order; it has the facts of `shown` and of
    `consent`.
    """

    to: Participant
    directory: Directory
    known_acts: tuple[int, ...]
    log_size: int = 0
    log_root: bytes = b""
    deliveries: dict[Actor, Growth] = field(default_factory=dict)
    counted: bool = False
    """Whether an entry has been read: until then acts may have been left out of the file."""
    unjudged: str | None = None
    """What the last entry does that was not judged, for want of what it names as a consent."""
    states: dict[str, tuple[int, State]] = field(default_factory=dict)
    """Where the hub had taken transactions, and by the entry at which position."""
    said: dict[Digest, ProvenWord] = field(default_factory=dict)
    said_proposals: dict[Digest, Proposal] = field(default_factory=dict)
    transactions: dict[TransactionId, _Known] = field(default_factory=dict)
    whole: WholeLog | None = None
    """The log itself, if it was shown to its recipient."""

    def begin(self, file: Misbehaviour, first: Opened) -> None:
        """Begin with the hub's first word, or behind a head that it signed."""
        if file.before == 0:
            must(first.manifest.sequence == 1, "it begins in the middle, and with no head")
            must(not file.trees, "trees stand here, and no head that names them")
            self.whole = WholeLog() if self.to == REC else None
            return
        self._verify(first)
        must(file.before <= len(first.lines), "it begins behind the first envelope")
        head = parse_message(first.lines[file.before - 1]).body
        if not isinstance(head, Checkpoint):
            raise Flaw("it begins with no head")
        try:
            checkpoint = open_head(self.directory.genesis, head.note)
        except note.NoteError as error:
            raise Flaw(f"the head that it begins with: {error}") from None
        self.log_size, self.log_root = checkpoint.size, checkpoint.root
        nodes = {tree.actor: tree.nodes for tree in file.trees}
        named = {tree.actor for tree in head.deliveries}
        if self.to == REC:
            must(HUB_ACTOR not in named, "the hub's deliveries are not those of its head")
            log_nodes = nodes.pop(HUB_ACTOR, ())
            grown = _grown(checkpoint.size, log_nodes, checkpoint.root.hex(), "the log")
            self.whole = WholeLog(grown, uncounted=self.directory.keys.keys())
        must(nodes.keys() == named, "trees are not those of the head that it begins with")
        for tree in head.deliveries:
            what = f"the tree of {tree.actor}"
            self.deliveries[tree.actor] = _grown(tree.size, nodes[tree.actor], tree.root, what)

    def prepare(self, file: Misbehaviour) -> None:
        """Take what stands beside the run: earlier entries, and what consents rest on."""
        for said in file.earlier:
            word = prove_word(said, self.directory, self.to)
            must(word.author == HUB_ACTOR, f"an earlier entry is of {word.author}")
            entry, genesis = _entry(word.message), self.directory.genesis
            must(entry.log == genesis.log, f"an earlier entry is of the log {entry.log}")
            if self.whole is not None:
                self.whole.said[entry.position] = word.digest
            at, _ = self.states.get(word.conversation, (-1, None))
            must(entry.position > at, "earlier entries are not in the log's order")
            if entry.state is not None:
                self.states[word.conversation] = entry.position, State(entry.state)
        for said in file.words:
            word = prove_word(said, self.directory, HUB)
            if isinstance(word.message.body, Proposal):
                # A line does not say who said it, and others may have said it too. The hub takes a
                # proposal from nobody but the one that its transaction is named after.
                word = word._replace(author=TransactionId(word.conversation).proposer)
            self.said[word.digest] = word
            if isinstance(word.message.body, Proposal):
                self.said_proposals[word.digest] = word.message.body

    def read(self, envelopes: Sequence[Opened], before: int) -> str:
        """The first contradiction; `Flaw` if there is none."""
        for number, opened in enumerate(envelopes):
            self._verify(opened)
            for line in opened.lines[0 if number else before :]:
                try:
                    message = parse_message(line)
                except Malformed as error:  # it may be right in the form of another version
                    raise Flaw(f"in envelope {opened.manifest.sequence}: {error}") from None
                problem = None
                if isinstance(message.body, Entry):
                    problem = self._take_entry(message, line)
                elif isinstance(message.body, Checkpoint):
                    problem = self._take_head(message.body)
                elif isinstance(message.body, Enclosure) and self.whole is not None:
                    problem = self.whole.false_statement(self.directory, message.body)
                if problem is not None:
                    return f"in envelope {opened.manifest.sequence}: {problem}"
        raise Flaw(self.unjudged or "the hub's words do not contradict one another")

    def _verify(self, opened: Opened) -> None:
        sequence = opened.manifest.sequence
        key = self.directory.key_for(HUB_ACTOR, opened.token.kid, self.to, sequence)
        if key is None:
            raise Flaw(f"envelope {sequence} is signed with a key that was not the hub's")
        try:
            verify(opened.token, key)
        except EnvelopeError as error:
            raise Flaw(f"envelope {sequence}: {error}") from None

    def _take_head(self, body: Checkpoint) -> str | None:
        if not self._is_ours(origin_of(body.note), "a head"):
            return None
        actors = [actor for actor in self.directory.keys if actor.participant == self.to]
        head = read_head(self, body, actors)
        if isinstance(head, str):
            if not self.counted and "cosignature" in head:
                raise Flaw(f"{head}; but no entry says that all acts are here")
            return head
        if self.whole is not None and (problem := self.whole.false_head(head)):
            return problem
        self.log_size, self.log_root = head.size, head.root
        return None

    def _is_ours(self, origin: str | None, what: str) -> bool:
        """Whether a word is of this log, or of none. A hub may keep two logs with one key; what it
        says of the other proves nothing here. It ends the reading, but for whoever is shown this
        log whole, and lacks nothing of it if that is passed over.
        """
        log_id = self.directory.genesis.log
        is_ours = origin in {None, log_id}
        must(is_ours or self.whole is not None, f"{what} of the log {origin}, not of {log_id}")
        return is_ours

    def _take_entry(self, message: Message, line: bytes) -> str | None:
        entry: Entry = message.body
        if not self._is_ours(entry.log, "an entry"):
            return None
        if self.whole is not None:
            problem = self.whole.misplaced(entry, digest(line))
            if problem is not None or self.whole.has(entry):
                return problem
        if not self.counted:
            here = bisect_left(self.known_acts, entry.position)
            must(here == entry.acts, f"of {entry.acts} acts {here} are here")
        actors = {one.actor for one in entry.addressed if one.actor.participant == self.to}
        problem = false_entry(self, entry, sorted(actors))
        self.counted = True
        if problem is None and self.whole is not None:
            problem = self.whole.take(entry, line) or self._stepped(message)
        elif problem is None and actors:
            problem = self._stepped(message) or self._unasked(message, actors)
        if problem is not None:
            return problem
        act, _ = learned(self, entry)
        if act is not None:
            self.directory, self.known_acts = act.directory, (*self.known_acts, entry.position)
        for actor in sorted(actors):
            grown = self.deliveries.get(actor, Growth())
            self.deliveries[actor] = grown.append(log.leaf_hash(line)).written()
        return None

    def _stepped(self, message: Message) -> str | None:
        """A transaction does not go where it cannot, from where the hub itself had taken it."""
        entry: Entry = message.body
        at, before = self.states.get(message.conversation, (-1, None))
        must(at < entry.position, f"entry {at} is no earlier one than {entry.position}")
        problem = false_step(message, before)
        if problem is not None:
            return problem if before is None else f"after entry {at}: {problem}"
        if entry.state is not None:
            self.states[message.conversation] = entry.position, State(entry.state)
        return None

    def _unasked(self, message: Message, actors: set[Actor]) -> str | None:
        """What the entry does without its recipient's agreement, if all that it names is here."""
        entry: Entry = message.body
        for one in entry.consents:
            word = self.said.get(one.message)
            if word is not None and word.type == "acceptance":  # as the hub has it, so far as known
                self.said[one.message] = word._replace(author=one.actor)
        self._know(message)
        self.unjudged, problem = None, not_agreed(self, message, actors)
        if problem is None:
            return None
        named = {one.message for one in entry.consents if one.actor in actors}
        if entry.state == "cleared" and message.answers is not None:
            named.add(message.answers)
        named |= {
            word.answers
            for digest_ in named
            if (word := self.said.get(digest_)) and word.type == "acceptance" and word.answers
        }
        missing = sorted(named - self.said.keys())
        if missing:
            self.unjudged = f"{problem}, unless {missing[0]} agrees to it, which is not here"
            return None
        return f"entry {entry.position}: {problem}"

    def _know(self, message: Message) -> None:
        """The transaction by the proposal that the entry itself leads to."""
        entry: Entry = message.body
        named = [one.message for one in entry.consents]
        named += [word.answers for one in named if (word := self.said.get(one)) and word.answers]
        if entry.state == "cleared" and message.answers is not None:
            named.append(message.answers)
        for one in named:
            word, proposal = self.said.get(one), self.said_proposals.get(one)
            if word and proposal and word.conversation == message.conversation:
                id_ = TransactionId(message.conversation)
                if word.author == id_.proposer:
                    acquirer = proposal.acquirer
                    known = _Known(id_, id_.proposer, acquirer, proposal, word.digest)
                    self.transactions[id_] = known
