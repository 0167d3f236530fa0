# SPDX-License-Identifier: Apache-2.0
"""Following the log: every entry, checkpoint and enclosed statement that the hub sends. Pure.

The hub is not trusted. What it says about the log and can be derived, the service derives itself
and compares:

* entries come in order, each once, from one log; a hole, or a position said twice with other bytes,
  is refused, and what was heard first stays;
* the log's root and each actor's delivery tree come from the entries and their `addressed` alone; a
  checkpoint, and the size and root that a statement names, must agree with them;
* each entry says how many acts the log had before it, which is as many as came;
* an actor whose units an entry moves must be among those that it is addressed to, and one about a
  case is for those whom it says that the case concerns;
* acts on the directory must count by their own signatures.

What does not agree is an alarm, kept once per kind and subject with the place of the message that
shows it, and the hub is told. Nothing stops: other actors are still compared, but a checkpoint that
is wrong is never cosigned.

An alarm rests on what the hub itself has signed: its entries and checkpoints, and that it passed a
statement on, which it does only if it made the checkpoint that the statement names (rule 6.14).
What an actor says of its deliveries is nothing of the kind. It is that actor's word, and whatever
is wrong with it is a case about that actor (`misdelivered`, `examine`).

Elsewhere: comparing holdings (`examine`), storing (`storage`), proving an alarm to others
(`accusing`).
"""

from contextlib import suppress
from dataclasses import replace

from ledger import log, note
from ledger.directory import DirectoryError
from ledger.enclosed import unproven
from ledger.shown import misaddressed, open_head, open_previous, origin_of
from ledger.shown_whole import unaddressed
from reconciliation import silence
from reconciliation.state import Alarm, Enclosed, Facts, Head, NewEntry, Stated
from reconciliation.telling import take_told
from runtime import events
from runtime.places import Place
from runtime.program import Batch, Heard
from schemas.directory import SignedAct
from schemas.effects import DirectoryEffect
from schemas.envelope import EnvelopeError, digest, open_manifest
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import REC_ACTOR, Actor, Digest
from schemas.limits import MESSAGES_MAX
from schemas.messages import (
    Checkpoint,
    Enclosure,
    Entry,
    Malformed,
    Statement,
    parse_message,
)

__all__ = [
    "head_sizes",
    "misdelivered",
    "open_enclosed",
    "raise_alarm",
    "take_checkpoint",
    "take_enclosure",
    "take_entry",
]


Findings = list[Finding]


def raise_alarm(
    facts: Facts, batch: Batch, place: Place | None, kind: str, subject: object, detail: str
) -> Findings:
    """Note what cannot be, and where the hub's message stands that shows it; the findings are for
    the hub, which said it.
    """
    name = (kind, str(subject))
    if name not in facts.kept.alarms:
        facts.kept.alarms |= {name}
        facts.alarms.append(Alarm(*name, detail, place))
        batch.log(events.ALARM_RAISED, kind=kind, subject=subject, detail=detail)
    return [finding(Reason.MESSAGE_EQUIVOCATION, f"{kind}: {detail}")]


def _place(heard: Heard) -> Place:
    return Place(heard.sequence, heard.index)


# --- entries ------------------------------------------------------------------------------------


def take_entry(facts: Facts, heard: Heard, batch: Batch) -> Findings:
    """The next entry of the log."""
    entry: Entry = heard.message.body
    kept, size, place = facts.kept, facts.kept.log.size, _place(heard)
    if entry.log != kept.directory.genesis.log:
        detail = f"an entry of log {entry.log}"
        return raise_alarm(facts, batch, place, "other-log", entry.log, detail)
    if entry.position < size:
        if facts.digests.get(entry.position) == heard.digest:
            return []
        was = facts.digests.get(entry.position)
        detail = f"entry {entry.position} was {was}, is {heard.digest}"
        return raise_alarm(facts, batch, place, "log-fork", entry.position, detail)
    if entry.position > size:
        detail = f"entry {entry.position} came, {size} did not"
        return raise_alarm(facts, batch, place, "log-hole", size, detail)
    if size == 0 and not _is_genesis(entry, kept.genesis.act):
        detail = "the log begins with another genesis"
        return raise_alarm(facts, batch, place, "log-fork", 0, detail)
    if size == 0 and kept.trust_root not in {None, heard.digest}:
        detail = f"the log begins with {heard.digest}, and trust_root is {kept.trust_root}"
        return raise_alarm(facts, batch, place, "log-fork", 0, detail)
    _count_acts(facts, heard, batch)
    leaf = log.leaf_hash(heard.line)
    kept.log = kept.log.append(leaf)
    delivered = _deliver(facts, heard, leaf, batch)
    _check_addressed(facts, heard, batch)
    take_told(facts, entry, {actor: number for actor, number, _ in delivered})
    root = kept.log.root()
    facts.roots[kept.log.size], facts.digests[size] = root, heard.digest
    acts = _learn(facts, heard, batch)
    facts.entries.append(NewEntry(entry, heard.line, heard.digest, root, delivered, acts))
    return []


def _is_genesis(entry: Entry, expected: str) -> bool:
    """Whether entry 0 carries the genesis act that we were given as trust root."""
    acts = [effect.act for effect in entry.effects if isinstance(effect, DirectoryEffect)]
    return acts == [expected]


def _count_acts(facts: Facts, heard: Heard, batch: Batch) -> None:
    """Each entry counts the acts before it: as many as the last one did, and those that it carried.
    Whoever is shown some entries later knows by it how many acts to ask for (rule 4.10).
    """
    entry: Entry = heard.message.body
    if entry.acts != facts.kept.acts:
        detail = f"entry {entry.position} counts {entry.acts} acts before it, not {facts.kept.acts}"
        raise_alarm(facts, batch, _place(heard), "acts-miscounted", entry.position, detail)
    facts.kept.acts = entry.acts_after


def _deliver(
    facts: Facts, heard: Heard, leaf: bytes, batch: Batch
) -> tuple[tuple[Actor, int, bytes], ...]:
    """Grow the delivery tree of everybody addressed, by our own count."""
    entry: Entry = heard.message.body
    kept = facts.kept
    delivered: dict[Actor, tuple[Actor, int, bytes]] = {}
    for one in entry.addressed:
        grown = kept.delivered(one.actor)
        if one.index != grown.size:
            detail = f"entry {entry.position} is delivery {one.index}, by our count {grown.size}"
            raise_alarm(facts, batch, _place(heard), "delivery-misnumbered", one.actor, detail)
        if one.actor in delivered:
            continue
        kept.deliveries[one.actor] = after = grown.append(leaf).written()
        root = after.root()
        delivered[one.actor] = (one.actor, grown.size, root)
        facts.delivered_roots[one.actor, after.size] = root
    return tuple(delivered.values())


def _check_addressed(facts: Facts, heard: Heard, batch: Batch) -> None:
    entry: Entry = heard.message.body
    for actor in unaddressed(entry):
        detail = f"entry {entry.position} moves units of {actor} and is not addressed to it"
        raise_alarm(facts, batch, _place(heard), "delivery-withheld", actor, detail)
    problem = misaddressed(entry)
    if problem is not None:
        raise_alarm(facts, batch, _place(heard), "case-misaddressed", entry.position, problem)


def _learn(facts: Facts, heard: Heard, batch: Batch) -> tuple[SignedAct, ...]:
    """Acts on the directory, each verified here once more; genesis is known."""
    entry: Entry = heard.message.body
    acts: list[SignedAct] = []
    if entry.acts_after > entry.acts + 1:
        detail = f"entry {entry.position} carries {entry.acts_after - entry.acts} acts"
        raise_alarm(facts, batch, _place(heard), "act-void", entry.position, detail)
    for effect in entry.effects:
        if not isinstance(effect, DirectoryEffect) or entry.position == 0:
            continue
        signed = SignedAct(act=effect.act, signatures=effect.signatures)
        try:
            facts.kept.directory = facts.kept.directory.apply(signed)
        except DirectoryError as error:
            raise_alarm(facts, batch, _place(heard), "act-void", entry.position, str(error))
            continue
        acts.append(signed)
        batch.log(events.DIRECTORY_CHANGED, position=entry.position)
    return tuple(acts)


# --- checkpoints --------------------------------------------------------------------------------


def head_sizes(body: Checkpoint) -> set[int]:
    """The sizes of the heads that a checkpoint names, before anything is verified."""
    found = set()
    for text in (body.note, body.previous or ""):
        with suppress(note.NoteError):
            found.add(note.Checkpoint.from_text(note.parse_note(text)[0]).size)
    return found


def take_checkpoint(facts: Facts, heard: Heard, batch: Batch) -> Findings:
    """A head of the log: signed by the hub, and the one that its entries give."""
    body: Checkpoint = heard.message.body
    genesis, place = facts.kept.directory.genesis, _place(heard)
    try:
        head = open_head(genesis, body.note)
    except note.NoteError as error:
        batch.log(events.CHECKPOINT_REFUSED, problem=str(error))
        origin = origin_of(body.note)
        if origin not in {None, genesis.log}:
            detail = f"a checkpoint of log {origin}"
            return raise_alarm(facts, batch, place, "other-log", origin, detail)
        detail = f"checkpoint: {error}"
        return raise_alarm(facts, batch, place, "checkpoint-false", genesis.log, detail)
    problem = _problem(facts, head, body)
    if problem is not None:
        batch.log(events.CHECKPOINT_REFUSED, problem=problem)
        return raise_alarm(facts, batch, place, "checkpoint-false", head.origin, problem)
    if facts.head is None or head.size >= facts.head.size:
        facts.head = Head(head.to_text(), head.size, head.root)
    return []


def _problem(facts: Facts, head: note.Checkpoint, body: Checkpoint) -> str | None:
    kept = facts.kept
    if head.size > kept.log.size:
        return f"it covers {head.size} entries, {kept.log.size} came"
    if facts.roots.get(head.size) != head.root:
        return f"at size {head.size} the entries that came have another root"
    own = kept.delivered(REC_ACTOR)
    for shown in body.deliveries:
        if shown.actor == REC_ACTOR and (shown.size, shown.root) != (own.size, own.root().hex()):
            return "the deliveries to this service are others"
    previous = open_previous(kept.directory, body)
    if isinstance(previous, str):
        return previous
    if previous is not None and facts.roots.get(previous.size) != previous.root:
        return f"at size {previous.size} the entries that came have another root"
    return None


# --- statements ---------------------------------------------------------------------------------


def open_enclosed(body: Enclosure) -> Enclosed | Finding:
    """Take an enclosure apart; signatures wait until the directory is up to date."""
    try:
        token, manifest = open_manifest(body.manifest.encode())
        line = body.line.encode()
        return Enclosed(token, manifest, parse_message(line), digest(line))
    except (EnvelopeError, Malformed) as error:
        return error.finding
    except ValueError as error:
        return finding(Reason.MESSAGE_MALFORMED, str(error), field="body")


def take_enclosure(facts: Facts, heard: Heard, batch: Batch) -> Findings:
    """An actor's own statement, as the hub passes it on."""
    enclosed = facts.enclosed[heard.digest]
    if isinstance(enclosed, Finding):
        return [enclosed]
    manifest = enclosed.manifest
    found = unproven(facts.kept.directory, enclosed.token, manifest, enclosed.digest)
    if found is not None:
        return [found]
    statement, author = enclosed.message.body, manifest.sender
    if not isinstance(statement, Statement):
        return []
    assert manifest.sequence is not None
    line = manifest.messages.index(enclosed.digest)
    place = manifest.sequence * MESSAGES_MAX + line
    if place <= facts.kept.standing(author).place:
        return []
    silence.hear_actor(facts.kept, author, batch.now)
    _check_view(facts, heard, author, statement, batch)
    facts.statements[author] = Stated(author, statement, enclosed.digest, place)
    facts.kept.standings[author] = replace(
        facts.kept.standing(author),
        statement=enclosed.digest,
        place=place,
        size=statement.size,
        delivered=statement.delivered.size,
        holdings=statement.holdings,
        said_at=manifest.sent_at,
    )
    return []


def _check_view(
    facts: Facts, heard: Heard, author: Actor, statement: Statement, batch: Batch
) -> None:
    """Whether the checkpoint that a statement is about is one of the log that we were shown. The
    hub passes on statements about checkpoints that it made, so this is its word, too.
    """
    size, place = statement.size, _place(heard)
    if size > facts.kept.log.size:
        detail = f"{author} saw a checkpoint of {size}, {facts.kept.log.size} entries came here"
        raise_alarm(facts, batch, place, "log-hole", facts.kept.log.size, detail)
    elif size and facts.roots.get(size) != bytes.fromhex(statement.root):
        detail = f"{author} saw another log of size {size}, with root {statement.root}"
        raise_alarm(facts, batch, place, "log-fork", author, detail)


def misdelivered(facts: Facts, author: Actor, size: int, root: Digest) -> str | None:
    """What is wrong with the deliveries that an actor says it has applied; None when the log has
    addressed just these to it. Who of the two is wrong, its word alone does not tell.
    """
    own = facts.kept.delivered(author).size
    if size > own:
        return f"that it has applied {size} deliveries, the log has {own} for it"
    known = facts.delivered_roots[author, size] if size else log.EMPTY_ROOT
    if known != bytes.fromhex(root):
        return f"that its first {size} deliveries are others than the log's, with root {root}"
    return None
