# SPDX-License-Identifier: Apache-2.0
"""Accusing: from what a registry keeps, a proof that the hub broke the protocol.

A node that halts keeps what it halted at as a dead letter, and every envelope of the hub in its
inbox. A proof is the run of envelopes that ends with that one and begins behind a head of the log,
early enough to hold an entry before: what the hub says of acts and deliveries is held to that.

Elsewhere: what a proof proves (`ledger.convicting`), why a node halts (`applying`, `witness`).
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, select

from ledger import log
from ledger.growth import Growth
from registry import tables
from runtime.errors import LocalProtocolError
from runtime.journal import kept_line, said_lines
from runtime.places import Place, hub_line, hub_said, is_before, last_before, run_between
from runtime.store import Session
from runtime.tables import dead_letters, messages
from schemas.envelope import EnvelopeError, digest, open_manifest
from schemas.evidence import Said, Trust
from schemas.findings import Reason
from schemas.identifiers import HUB, HUB_ACTOR, Actor, Digest, Participant
from schemas.messages import Checkpoint, Enclosure, Entry, Message, parse_message
from schemas.misbehaviour import EARLIER_MAX, Frontier, Misbehaviour

__all__ = ["Place", "accuse", "gather"]

PROOFS = {Reason.LOG_DIFFERS, Reason.CONSENT_MISSING}
"""Of what a node halts at."""
LEAVES = 500
"""Entries looked at together, when a delivery tree is built again."""


async def accuse(session: Session, to: Participant, letter: int) -> tuple[Misbehaviour, Trust]:
    """The proof for a dead letter at which the node has halted, and the trust root that it is held
    to, which is this registry's own. `LocalProtocolError` for any other letter.
    """
    found = await gather(session, to, *await _halted_at(session, letter))
    first = found.directory[0].line.encode()
    genesis: Entry = parse_message(first).body
    return found, Trust(log=genesis.log, root=digest(first))


async def gather(session: Session, to: Participant, said: Message, place: Place) -> Misbehaviour:
    """What the hub said up to a message of its, in the form of a proof."""
    begin, head = await _beginning(session, place)
    envelopes = await run_between(session, begin, place)
    return Misbehaviour(
        to=to,
        directory=tuple(await _directory(session, begin, place)),
        before=begin.line,
        trees=await _trees(session, head) if head else (),
        envelopes=envelopes,
        earlier=await _earlier(session, said, begin),
        words=await _words(session, said),
    )


async def _halted_at(session: Session, letter: int) -> tuple[Message, Place]:
    statement = select(dead_letters).where(dead_letters.c.id == letter)
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise LocalProtocolError(f"no letter {letter}")
    manifest_line, _, line = bytes(row.body).partition(b"\n")
    try:
        _, manifest = open_manifest(manifest_line)
    except EnvelopeError:
        manifest = None
    if row.reason not in PROOFS or manifest is None or manifest.sender != HUB_ACTOR:
        raise LocalProtocolError(f"letter {letter} is {row.reason}: no node halts at that")
    assert manifest.sequence is not None
    return parse_message(line), Place(manifest.sequence, manifest.messages.index(digest(line)))


# --- the run ------------------------------------------------------------------------------------


async def _beginning(session: Session, place: Place) -> tuple[Place, Checkpoint | None]:
    """Where the run begins: behind the last head that has an entry behind it, or with the hub's
    first word. Its line is how many messages of that envelope come before.
    """
    entry = await last_before(session, "entry", place)
    head = await last_before(session, "checkpoint", entry) if entry else None
    if head is None:
        return Place(1, 0), None
    body: Checkpoint = parse_message(await hub_line(session, head)).body
    return Place(head.sequence, head.line + 1), body


async def _trees(session: Session, head: Checkpoint) -> tuple[Frontier, ...]:
    """The frontiers of the delivery trees that a head names, from the entries themselves."""
    found = []
    for tree in head.deliveries:
        grown = await _grown(session, tree.actor, tree.size)
        nodes = [Digest(grown.nodes[address].hex()) for address in log.frontier(tree.size)]
        found.append(Frontier(actor=tree.actor, nodes=tuple(nodes)))
    return tuple(found)


async def _grown(session: Session, actor: Actor, size: int) -> Growth:
    grown, table = Growth(), tables.deliveries
    while grown.size < size:
        span = table.c.number.between(grown.size, min(size, grown.size + LEAVES) - 1)
        statement = select(table.c.digest).where(table.c.actor == actor, span)
        digests = [row.digest for row in await session.execute(statement.order_by(table.c.number))]
        lines = {digest(one.line.encode()): one.line for one in await hub_said(session, digests)}
        for one in digests:
            grown = grown.append(log.leaf_hash(lines[one].encode())).written()
    return grown


# --- what stands beside it ----------------------------------------------------------------------


async def _entries(session: Session, place: Place, *which: ColumnElement[bool]) -> list[Said]:
    """Entries before a place, in the order in which they came."""
    column = messages.c
    statement = (
        select(column.digest)
        .where(column.author == HUB_ACTOR, column.type == "entry", is_before(place), *which)
        .order_by(column.sequence, column.line)
    )
    order = [row.digest for row in await session.execute(statement)]
    lines = {digest(one.line.encode()): one for one in await hub_said(session, order)}
    return [lines[one] for one in order]


async def _directory(session: Session, begin: Place, end: Place) -> list[Said]:
    """The entries with acts before the run, by position; each may have come more than once. The
    log's first entry always, even if it is the run itself that brings it.
    """
    acts = {row.position for row in await session.execute(select(tables.acts.c.position))}
    of_no_transaction = messages.c.conversation.not_in(select(tables.transactions.c.id))
    before, found = len(await _entries(session, begin, of_no_transaction)), dict[int, Said]()
    for number, one in enumerate(await _entries(session, end, of_no_transaction)):
        position = parse_message(one.line.encode()).body.position
        if position == 0 or (position in acts and number < before):
            found.setdefault(position, one)
    if 0 not in found:
        raise LocalProtocolError("the log's first entry has not come: there is nothing to hold to")
    return [found[position] for position in sorted(found)]


async def _earlier(session: Session, said: Message, begin: Place) -> tuple[Said, ...]:
    if not isinstance(said.body, Entry) or said.body.state is None:
        return ()
    conversation = messages.c.conversation == said.conversation
    return tuple(await _entries(session, begin, conversation))[-EARLIER_MAX:]


async def _words(session: Session, said: Message) -> tuple[Said, ...]:
    """What an entry's consents rest on, as far as this registry has said or was shown it."""
    if not isinstance(said.body, Entry):
        return ()
    wanted = {one.message for one in said.body.consents}
    if said.body.state == "cleared" and said.answers is not None:
        wanted.add(said.answers)
    found = await _said_or_shown(session, said.conversation, wanted)
    answered = {parse_message(one.line.encode()).answers for one in found.values()}
    more = {one for one in answered if one is not None} - found.keys()
    found |= await _said_or_shown(session, said.conversation, more)
    return tuple(found[one] for one in sorted(found))


async def _said_or_shown(
    session: Session, conversation: str, wanted: set[Digest]
) -> dict[Digest, Said]:
    """Our own words to the hub, and others' that the hub passed on: in this conversation, as it
    should be, or in any other.
    """
    found: dict[Digest, Said] = {}
    for kept in await said_lines(session, wanted):
        if kept.author != HUB_ACTOR and kept.recipient == HUB:
            manifest, line = await kept_line(session, kept)
            found[kept.digest] = Said(manifest=manifest.decode(), line=line.decode())
    for which in (messages.c.conversation == conversation, messages.c.conversation != conversation):
        if wanted <= found.keys():
            break
        for body in await _enclosed(session, which):
            one = digest(body.line.encode())
            if one in wanted:
                found.setdefault(one, Said(manifest=body.manifest, line=body.line))
    return found


async def _enclosed(session: Session, which: ColumnElement[bool]) -> Sequence[Enclosure]:
    column = messages.c
    passed_on = and_(column.author == HUB_ACTOR, column.type == "enclosure")
    statement = select(column.digest).where(passed_on, which)
    digests = [row.digest for row in await session.execute(statement)]
    return [parse_message(one.line.encode()).body for one in await hub_said(session, digests)]
