# SPDX-License-Identifier: Apache-2.0
"""What the hub shows to one participant: each word held to those before it.

An entry is of our log, counts the acts that came before it, carries at most one act that counts,
and is the next delivery of every actor that it is addressed to; one about a case is addressed to
those whom the case concerns. A head is signed by the hub's
checkpoint key, contains the head shown before, and names the deliveries that came; the head before
it in the log is contained in it as well, and was really cosigned by whom it says.

What is wrong is a sentence, and what is asked changes nothing. A node asks before it takes what
the hub says, and halts; whoever is given a proof of misbehaviour asks the same of the same words
(`convicting`). So what stops a node is what convicts the hub.

Elsewhere: consent (`consent`), what a registry does with entries and heads (`registry.applying`,
`registry.witness`), the reconciliation service, which has the whole log (`reconciliation.follow`).
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ledger import log, note
from ledger.directory import Directory, DirectoryError
from ledger.growth import Growth
from ledger.transactions import EVENT_OF, IllegalStep, State, step
from schemas import jws
from schemas.directory import Genesis, SignedAct, Status, parse_act
from schemas.effects import CaseEffect, DirectoryEffect
from schemas.identifiers import Actor, Digest, Participant, TransactionId
from schemas.messages import Checkpoint, Entry, Message
from schemas.plain import in_words

__all__ = [
    "Head",
    "Learned",
    "Previous",
    "Shown",
    "false_entry",
    "false_step",
    "learned",
    "majority_size",
    "misaddressed",
    "open_head",
    "open_previous",
    "origin_of",
    "read_head",
]


class Shown(Protocol):
    """How much one participant has been shown."""

    @property
    def directory(self) -> Directory: ...
    @property
    def known_acts(self) -> tuple[int, ...]:
        """The positions of the acts that came, genesis first."""

    @property
    def log_size(self) -> int: ...
    @property
    def log_root(self) -> bytes: ...
    @property
    def deliveries(self) -> Mapping[Actor, Growth]: ...


class Learned(NamedTuple):
    """The directory after an act, and the act."""

    directory: Directory
    signed: SignedAct


class Previous(NamedTuple):
    """The head before, and the participants whose witnesses have cosigned it."""

    size: int
    root: bytes
    witnesses: frozenset[Participant]


class Head(NamedTuple):
    """A head that is right, and the one before, if it was shown."""

    size: int
    root: bytes
    previous: Previous | None


# --- entries ------------------------------------------------------------------------------------


def false_entry(shown: Shown, entry: Entry, mine: Sequence[Actor]) -> str | None:
    """What is wrong with an entry as the next one that a participant with these actors is shown;
    None when nothing is. Whether anybody agreed to what it does is another question (`consent`).
    """
    problem = _of_another_log(shown, entry, mine) or _miscounted(shown, entry)
    if problem is None:
        _, problem = learned(shown, entry)
    return problem or _out_of_place(shown, entry, mine) or misaddressed(entry)


def misaddressed(entry: Entry) -> str | None:
    """Whether an entry about a case goes past one who must be told, or to one who must not be: it
    is for the case's actor, for those that it concerns, and for nobody else (rule 7.13).
    """
    told = {a for e in entry.effects if isinstance(e, CaseEffect) for a in (e.actor, *e.concerned)}
    if not told:
        return None
    addressed = {one.actor for one in entry.addressed}
    for actor in sorted(told - addressed):
        return f"entry {entry.position} does not tell {actor} of the case that concerns it"
    for actor in sorted(addressed - told):
        return f"entry {entry.position} tells {actor} of a case that does not concern it"
    return None


def false_step(message: Message, before: State | None) -> str | None:
    """What is wrong with where an entry takes its transaction, from the state before, if that is
    known: states follow one another as the one table says, at the hub as everywhere.
    """
    entry: Entry = message.body
    if entry.state is None:
        return None
    try:
        id_ = TransactionId(message.conversation)
    except ValueError as error:
        return f"entry {entry.position} steps no transaction: {error}"
    if before is None:  # what concerns us may begin here: a refusal, or units that follow others
        return None
    try:
        step(before, EVENT_OF[State(entry.state)])
    except (IllegalStep, KeyError):
        return f"entry {entry.position} makes {id_} {entry.state}, which is {before}"
    return None


def learned(shown: Shown, entry: Entry) -> tuple[Learned | None, str | None]:
    """What an entry's act makes of the directory, whoever it is addressed to, or why the act does
    not count; each act is verified here once more. Neither for an entry without one that is new.
    """
    acts = [effect for effect in entry.effects if isinstance(effect, DirectoryEffect)]
    if not acts or entry.position <= shown.known_acts[-1]:
        return None, None
    if len(acts) > 1:
        return None, f"entry {entry.position} carries {len(acts)} acts"
    signed = SignedAct(act=acts[0].act, signatures=acts[0].signatures)
    try:
        return Learned(shown.directory.apply(signed), signed), None
    except DirectoryError as error:
        return None, f"entry {entry.position} carries an act that does not count: {error}"


def _of_another_log(shown: Shown, entry: Entry, mine: Sequence[Actor]) -> str | None:
    genesis = shown.directory.genesis
    if entry.log != genesis.log:
        return f"an entry of the log {entry.log}, not of {genesis.log}"
    if entry.position == 0:
        acts = [e.act for e in entry.effects if isinstance(e, DirectoryEffect)]
        try:
            if [parse_act(act) for act in acts] != [genesis]:
                return "the log begins with another genesis than ours"
        except ValueError as error:
            return f"the log begins with no genesis: {in_words(error)}"
    actors = [one.actor for one in entry.addressed if one.actor in mine]
    return "an actor is addressed twice" if len(set(actors)) != len(actors) else None


def _miscounted(shown: Shown, entry: Entry) -> str | None:
    """Every act comes to everybody, in order: an entry that counts others had some withheld, or
    hides some from those who are shown it later (rule 4.10).
    """
    known = bisect_left(shown.known_acts, entry.position)
    if entry.acts == known:
        return None
    return f"entry {entry.position} counts {entry.acts} acts before it, {known} came"


def _out_of_place(shown: Shown, entry: Entry, mine: Sequence[Actor]) -> str | None:
    """Each delivery is the next one; one that is missing was withheld."""
    for one in entry.addressed:
        if one.actor not in mine:
            continue
        expected = shown.deliveries.get(one.actor, Growth()).size
        if one.index != expected:
            return (
                f"entry {entry.position} is delivery {one.index} of {one.actor}, "
                f"{expected} is the next"
            )
    return None


# --- heads --------------------------------------------------------------------------------------


def open_head(genesis: Genesis, text: str) -> note.Checkpoint:
    """The head that a note speaks of; `NoteError` unless the log's checkpoint key signed it."""
    public = jws.PublicKey.from_text(genesis.checkpoint_key)
    key = note.VerifierKey(genesis.log, note.SignatureType.ED25519, public)
    signed, signatures = note.open_note(text, [key])
    head = note.Checkpoint.from_text(signed)
    if key not in signatures or head.origin != genesis.log:
        raise note.NoteError("the checkpoint is not signed by the hub")
    return head


def origin_of(text: str) -> str | None:
    """The log that a head says that it is of, signed or not; None when it is no head."""
    try:
        return note.Checkpoint.from_text(note.parse_note(text)[0]).origin
    except note.NoteError:
        return None


def read_head(shown: Shown, body: Checkpoint, mine: Sequence[Actor]) -> Head | str:
    """The next head that a participant with these actors is shown, or what is wrong with it."""
    try:
        head = open_head(shown.directory.genesis, body.note)
    except note.NoteError as error:
        return f"checkpoint: {error}"
    if head.size < shown.log_size:
        return f"the checkpoint of size {head.size} comes after one of {shown.log_size}"
    if shown.log_size and not _contains(head, shown.log_size, shown.log_root, body.proof):
        return f"the log of size {head.size} does not contain the one of size {shown.log_size}"
    named = {tree.actor: (tree.size, tree.root) for tree in body.deliveries}
    for actor in mine:
        own = shown.deliveries.get(actor, Growth())
        if named.get(actor) != (own.size, Digest(own.root().hex())):
            return f"the hub's delivery tree of {actor} is not what was received"
    previous = open_previous(shown.directory, body)
    if isinstance(previous, str):
        return previous
    if previous and not _contains(head, previous.size, previous.root, body.previous_proof):
        return f"the log of size {head.size} does not contain the previous one of {previous.size}"
    return Head(head.size, head.root, previous)


def open_previous(directory: Directory, body: Checkpoint) -> Previous | str | None:
    """The head before, and who has cosigned it, each cosignature verified; a sentence when the hub
    says what is not so, None when it speaks of no head before.
    """
    if body.previous is None:
        return "cosignatures of no head" if body.cosignatures or body.previous_proof else None
    try:
        head = open_head(directory.genesis, body.previous)
    except note.NoteError as error:
        return f"previous checkpoint: {error}"
    text, witnesses = head.to_text(), set[Participant]()
    for line in body.cosignatures:
        try:
            signature = note.SignatureLine.from_text(line)
            member = directory.members.get(Participant(signature.name))
            if member is None or member.participant in witnesses:
                return f"a cosignature of {head.size} by {signature.name}, which has none to give"
            kind = note.SignatureType.COSIGNATURE
            key = note.VerifierKey(signature.name, kind, member.witness_key)
            note.verify_cosignature(text, signature, key)
        except (note.NoteError, ValueError) as error:
            return f"a cosignature of {head.size}: {error}"
        witnesses.add(member.participant)
    return Previous(head.size, head.root, frozenset(witnesses))


def majority_size(directory: Directory, cosigned: Mapping[Participant, int]) -> int:
    """The largest size that a majority of the active participants has cosigned a head of, or a
    larger one, by the newest head of each.
    """
    active = [p for p, member in directory.members.items() if member.status is Status.ACTIVE]
    sizes = sorted((cosigned.get(p, 0) for p in active), reverse=True)
    return sizes[len(sizes) // 2] if sizes else 0


def _contains(head: note.Checkpoint, size: int, root: bytes, proof: Sequence[Digest]) -> bool:
    hashes = [bytes.fromhex(value) for value in proof]
    return log.verify_consistency(size, root, head.size, head.root, hashes)
