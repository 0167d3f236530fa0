# SPDX-License-Identifier: Apache-2.0
"""Accusing: from what the service keeps, a proof that the hub broke the protocol.

An alarm says where the hub's message stands that shows it, and every envelope of the hub is in the
inbox. A proof is the run of envelopes that ends with that one and begins behind a head which the
entries that came bear out, early enough to hold what the message is measured by: an entry before
it, and for a delivery that is misnumbered the delivery before.

Not every alarm convicts. What the hub says of another log proves nothing about this one, and that
units were not where an entry takes them from follows from all that went before, which no file has.

Elsewhere: why an alarm is raised (`follow`, `examine`), what a proof proves (`ledger.convicting`),
the same for a registry (`registry.accusing`).
"""

from typing import NamedTuple

from sqlalchemy import func, select

from ledger import log, note
from ledger.convicting import convict
from ledger.growth import Growth
from ledger.shown import open_head
from reconciliation import past, tables
from runtime.errors import LocalProtocolError
from runtime.places import Place, hub_line, hub_said, is_before, last_before, run_between
from runtime.store import Session
from runtime.tables import messages
from schemas.directory import Genesis, parse_act
from schemas.effects import DirectoryEffect
from schemas.envelope import digest
from schemas.evidence import Said, Trust
from schemas.identifiers import HUB_ACTOR, REC, REC_ACTOR, Actor, Digest
from schemas.messages import (
    Checkpoint,
    Enclosure,
    Entry,
    Malformed,
    Message,
    Statement,
    parse_message,
)
from schemas.misbehaviour import EARLIER_MAX, Frontier, Misbehaviour

__all__ = ["NamedAlarm", "Proof", "alarms_named", "gather", "prove"]

ENTRIES_AT_ONCE = 500
"""Entries read together, when the log's tree is built again."""

OTHER_LOG = (
    "a hub may keep two logs with one key, and what it says of one proves nothing about the other"
)
IMPOSSIBLE = (
    "that units are not where the entry takes them from follows from all that went before, which "
    "no file has"
)


class NamedAlarm(NamedTuple):
    """An alarm: kind and subject are its name. `place` is missing in those of older versions."""

    kind: str
    subject: str
    place: Place | None

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.subject}"


class Proof(NamedTuple):
    """A proof of misbehaviour, and the trust root of the log as it came here."""

    file: Misbehaviour
    trust: Trust


async def alarms_named(session: Session, name: str | None) -> list[NamedAlarm]:
    """The alarm of a name, or all, oldest first; `LocalProtocolError` if there is none."""
    table = tables.alarms
    rows = await session.execute(select(table).order_by(table.c.at, table.c.kind, table.c.subject))
    found = [NamedAlarm(row.kind, row.subject, _place(row.sequence, row.line)) for row in rows]
    chosen = [alarm for alarm in found if name in {None, alarm.name}]
    if not chosen:
        what = f"no alarm {name}" if name else "no alarm"
        raise LocalProtocolError(f"there is {what}; `alarms` lists them, by kind and subject")
    return chosen


def _place(sequence: int | None, line: int | None) -> Place | None:
    return None if sequence is None or line is None else Place(sequence, line)


async def prove(session: Session, alarm: NamedAlarm) -> Proof | str:
    """The proof that an alarm stands for, or why it proves nothing to others."""
    if alarm.kind == "other-log":
        return OTHER_LOG
    if alarm.place is None:
        return "it was raised by an older version, which did not keep what shows it"
    misnumbered = Actor(alarm.subject) if alarm.kind == "delivery-misnumbered" else None
    try:
        proof = await gather(session, alarm.place, misnumbered)
    except LocalProtocolError as error:
        return str(error)
    flaw = convict(*proof).flaw
    if flaw is not None:
        return IMPOSSIBLE if alarm.kind == "entry-impossible" else flaw
    return proof


async def gather(session: Session, place: Place, misnumbered: Actor | None = None) -> Proof:
    """What the hub said up to a message of its, in the form of a proof. If that misnumbers an
    actor's delivery, the one before is in it.
    """
    digests = await past.load_digests(session, [0])
    if 0 not in digests:
        raise LocalProtocolError("the log's first entry has not come: there is nothing to hold to")
    (first,) = await hub_said(session, [digests[0]])
    genesis = _genesis(first)
    line = await hub_line(session, place)
    said = parse_message(line)
    since = await _measure(session, said, place, misnumbered)
    begin, head, size = await _beginning(session, genesis, since, _oldest(said))
    envelopes = await run_between(session, begin, place)
    file = Misbehaviour(
        to=REC,
        directory=(first, *await _acts(session, size)),
        before=begin.line,
        trees=await _trees(session, head, size) if head else (),
        envelopes=envelopes,
        earlier=await _earlier(session, said, digest(line), begin, size),
    )
    return Proof(file, Trust(log=genesis.log, root=digest(first.line.encode())))


def _genesis(first: Said) -> Genesis:
    entry: Entry = parse_message(first.line.encode()).body
    (act,) = [effect.act for effect in entry.effects if isinstance(effect, DirectoryEffect)]
    genesis = parse_act(act)
    assert isinstance(genesis, Genesis)
    return genesis


# --- the run ------------------------------------------------------------------------------------


async def _measure(
    session: Session, said: Message, place: Place, misnumbered: Actor | None
) -> Place | None:
    """Where what a message is measured by stands: the run begins before that; at the hub's first
    word, if there is no such message.
    """
    if misnumbered is None or not isinstance(said.body, Entry):
        return await last_before(session, "entry", place)
    table = tables.deliveries
    statement = select(func.max(table.c.position)).where(
        table.c.actor == misnumbered, table.c.position < said.body.position
    )
    position = (await session.execute(statement)).scalar_one_or_none()
    return None if position is None else await past.load_place(session, position)


def _oldest(said: Message) -> int | None:
    """The size of the head that a statement is about: the run begins at no larger one."""
    if not isinstance(said.body, Enclosure):
        return None
    try:
        statement = parse_message(said.body.line.encode()).body
    except Malformed:
        return None
    return statement.size if isinstance(statement, Statement) else None


async def _beginning(
    session: Session, genesis: Genesis, since: Place | None, oldest: int | None
) -> tuple[Place, Checkpoint | None, int]:
    """Where the run begins, with which head of which size: behind the last one before a message
    which is of the entries that came, or with the hub's first word.
    """
    head = await last_before(session, "checkpoint", since) if since else None
    while head is not None:
        body: Checkpoint = parse_message(await hub_line(session, head)).body
        size = await _borne_out(session, genesis, body)
        if size is not None and (oldest is None or size <= oldest):
            return Place(head.sequence, head.line + 1), body, size
        head = await last_before(session, "checkpoint", head)
    return Place(1, 0), None, 0


async def _borne_out(session: Session, genesis: Genesis, body: Checkpoint) -> int | None:
    """The size of a head, if the entries that came give it, and it says that nothing was delivered
    to this service.
    """
    try:
        head = open_head(genesis, body.note)
    except note.NoteError:
        return None
    roots = await past.load_roots(session, [head.size])
    trees = [(tree.actor, tree.size) for tree in body.deliveries]
    is_ours = roots.get(head.size) == head.root and trees == [(REC_ACTOR, 0)]
    return head.size if is_ours else None


# --- what stands beside it ----------------------------------------------------------------------


async def _acts(session: Session, size: int) -> list[Said]:
    """The entries with acts behind genesis and below a size, as the hub said them."""
    table = tables.acts
    positions = select(table.c.position).where(table.c.position < size)
    found = [row.position for row in await session.execute(positions)]
    return await _entries(session, found)


async def _entries(session: Session, positions: list[int]) -> list[Said]:
    """Entries that were taken, as the hub said them, by position."""
    digests = await past.load_digests(session, positions)
    lines = {digest(one.line.encode()): one for one in await hub_said(session, digests.values())}
    return [lines[digests[position]] for position in sorted(digests)]


async def _trees(session: Session, head: Checkpoint, size: int) -> tuple[Frontier, ...]:
    """The frontiers of the trees that a head names, and of the log's own."""
    grown, table = Growth(), tables.entries
    while grown.size < size:
        span = table.c.position.between(grown.size, min(size, grown.size + ENTRIES_AT_ONCE) - 1)
        statement = select(table.c.line).where(span).order_by(table.c.position)
        for row in await session.execute(statement):
            grown = grown.append(log.leaf_hash(bytes(row.line))).written()
    nodes = tuple(Digest(grown.nodes[address].hex()) for address in log.frontier(size))
    named = tuple(Frontier(actor=tree.actor, nodes=()) for tree in head.deliveries)
    return (*named, Frontier(actor=HUB_ACTOR, nodes=nodes))


async def _earlier(
    session: Session, said: Message, line: Digest, begin: Place, size: int
) -> tuple[Said, ...]:
    """Entries before the run that the message is measured by: the one that came at its position,
    and those of its transaction.
    """
    if not isinstance(said.body, Entry):
        return ()
    entry: Entry = said.body
    wanted = set[Digest]()
    if entry.position < size:
        wanted |= set((await past.load_digests(session, [entry.position])).values()) - {line}
    if entry.state is not None:
        column = messages.c
        statement = select(column.digest).where(
            column.author == HUB_ACTOR,
            column.type == "entry",
            column.conversation == said.conversation,
            is_before(begin),
        )
        wanted |= {Digest(row.digest) for row in await session.execute(statement)}
    found: dict[int, Said] = {}
    for one in await hub_said(session, wanted):
        found.setdefault(parse_message(one.line.encode()).body.position, one)
    return tuple(found[position] for position in sorted(found)[-EARLIER_MAX:])
