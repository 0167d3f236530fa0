# SPDX-License-Identifier: Apache-2.0
"""Evidence out of the hub's database: everything that was said and logged about one transaction.

What is taken: the entries of the transaction and all entries with acts; the messages that these
entries name; of each actor concerned its newest statement; the first head that holds the last
entry, the heads that these statements speak of, and of each witness the first head after the last
entry that it has cosigned.

Elsewhere: the file's form (`schemas.evidence`), what it proves (`ledger.verifying`), sending it to
actors concerned (`evidence_answers`).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, select

from hub import storage, tables
from ledger import log, note
from runtime.errors import LocalProtocolError
from runtime.journal import kept_line, messages_by_digest, said_lines
from runtime.store import Session
from schemas.envelope import digest
from schemas.evidence import Bundle, Head, Logged, Receipt, Said, Trust
from schemas.identifiers import Actor, Digest, TransactionId
from schemas.messages import Entry, Message, parse_message

__all__ = ["Gathered", "acts_after", "collect", "gather", "proving_nodes", "trust_root"]

COSIGNATURES_MAX = 5000
"""Cosignatures looked through: each witness gives one for each heartbeat at least."""


async def trust_root(session: Session) -> Trust:
    """The trust root of this hub's log; it is worth what the way by which it reaches one is."""
    statement = select(tables.log_entries.c.line).where(tables.log_entries.c.position == 0)
    line = (await session.execute(statement)).scalar_one_or_none()
    if line is None:
        raise LocalProtocolError("there is no log yet; begin one with `a6hub hub begin`")
    entry: Entry = parse_message(bytes(line)).body
    return Trust(log=entry.log, root=digest(bytes(line)))


Lines = Sequence[tuple[Message, bytes]]
"""Entries and their lines."""

Placed = Sequence[tuple[int, bytes]]
"""Entries by their positions and lines."""


class Gathered(NamedTuple):
    """What there is about one transaction; all but the entries is as a file has it. `size` is that
    of the last head.
    """

    entries: Lines
    messages: tuple[Said, ...]
    heads: tuple[Head, ...]
    receipts: tuple[Receipt, ...]
    size: int


async def collect(session: Session, transaction: TransactionId) -> Bundle:
    """The evidence of a transaction as far as there is any by now; see `gather`."""
    found = await gather(session, transaction)
    acts = await acts_after(session, -1, found.size)
    entries = [(message.body.position, line) for message, line in found.entries]
    return Bundle(
        transaction=transaction,
        messages=found.messages,
        entries=await _logged(session, entries, found.size),
        directory=await _logged(session, acts, found.size),
        heads=found.heads,
        receipts=found.receipts,
    )


async def gather(session: Session, transaction: TransactionId) -> Gathered:
    """The evidence of a transaction, but for the acts and for what proves that they and the
    entries are in the log.

    `LocalProtocolError` when the transaction is unknown, under way, or has no head above it yet.
    Whether enough witnesses and all actors concerned have spoken is for `verify` to say.
    """
    entries = await _entries(session, tables.log_entries.c.conversation == str(transaction))
    if not entries:
        raise LocalProtocolError(f"{transaction}: the log has no such transaction")
    bodies = [message.body for message, _ in entries]
    last: Entry = bodies[-1]
    if last.state == "cleared":
        raise LocalProtocolError(f"{transaction} is under way; it has been {last.state}")
    receipts = await _statements(session, transaction, bodies)
    sizes = {message.body.size for message, _, _ in receipts}
    heads = await _heads(session, last.position, sizes)
    if not heads:
        raise LocalProtocolError(f"{transaction}: no head of the log holds its last entry yet")
    return Gathered(
        entries=entries,
        messages=await _messages(session, entries),
        heads=tuple([await _head(session, heads, n) for n in range(len(heads))]),
        receipts=tuple([await _receipt(session, bodies, *statement) for statement in receipts]),
        size=heads[-1][0],
    )


async def acts_after(session: Session, position: int, size: int, most: int | None = None) -> Placed:
    """The entries with acts behind a position, in a log of a size."""
    acts, entries = tables.acts, tables.log_entries
    statement = (
        select(entries.c.position, entries.c.line)
        .join(acts, acts.c.position == entries.c.position)
        .where(acts.c.position > position, acts.c.position < size)
        .order_by(acts.c.position)
        .limit(most)
    )
    return [(row.position, bytes(row.line)) for row in await session.execute(statement)]


async def proving_nodes(session: Session, positions: Iterable[int], size: int) -> log.Nodes:
    """The hashes that prove entries in the log of a size, by address, in the order of addresses."""
    wanted = {address for p in positions for address in log.inclusion_path(p, size)}
    nodes = await storage.load_nodes(session, None, sorted(wanted))
    return {address: nodes[address] for address in sorted(wanted)}


async def _entries(session: Session, which: ColumnElement[bool]) -> Lines:
    statement = select(tables.log_entries.c.line).where(which)
    rows = await session.execute(statement.order_by(tables.log_entries.c.position))
    return [(parse_message(bytes(row.line)), bytes(row.line)) for row in rows]


async def _logged(session: Session, entries: Placed, size: int) -> tuple[Logged, ...]:
    """Entries with their inclusion in the log of a size."""
    nodes = await proving_nodes(session, [position for position, _ in entries], size)
    return tuple(
        Logged(
            line=line.decode(),
            proof=_proof(log.inclusion_proof(position, size, nodes)),
        )
        for position, line in entries
    )


async def _messages(session: Session, entries: Lines) -> tuple[Said, ...]:
    """What the entries rest on, in the order in which they name it."""
    named: list[Digest] = []
    by: dict[Digest, Actor | Digest] = {}  # who said it, or in which manifest: others may repeat it
    for message, _ in entries:
        body: Entry = message.body
        if message.answers is not None and body.manifest is not None:
            named.append(message.answers)
            by[message.answers] = body.manifest
        for one in body.consents:
            named.append(one.message)
            by.setdefault(one.message, one.actor)
    wanted = list(dict.fromkeys(named))
    found: dict[Digest, tuple[bytes, bytes]] = {}
    for kept in await said_lines(session, wanted):
        manifest, line = await kept_line(session, kept)
        if by[kept.digest] in {kept.author, digest(manifest)}:
            found[kept.digest] = manifest, line
    absent = [one for one in wanted if one not in found]
    if absent:
        raise LocalProtocolError(
            f"message {absent[0]}, on which the transaction rests, is not here; if the hub has "
            "just recovered, wait until its author has sent it again"
        )
    said = [found[one] for one in wanted]
    return tuple(Said(manifest=m.decode(), line=line.decode()) for m, line in said)


async def _statements(
    session: Session, transaction: TransactionId, bodies: Sequence[Entry]
) -> list[tuple[Message, Said, Actor]]:
    """A statement of each actor concerned that covers these entries, by actor: its newest, or of a
    transaction that expired the one in which it says whether it had answered.
    """
    needed: dict[Actor, int] = {}
    for body in bodies:
        needed |= {one.actor: one.index for one in body.addressed}
    rows = await storage.load_statements(session, needed)
    chosen = {actor: row.message for actor, row in rows.items() if row.delivered > needed[actor]}
    table = tables.expiries
    for row in await session.execute(select(table).where(table.c.transaction == transaction)):
        if row.actor in chosen and bodies[-1].state == "expired":
            early = await messages_by_digest(session, [row.message], {row.actor})
            _, line = await kept_line(session, early[row.message])
            if parse_message(line).body.delivered.size > needed[row.actor]:
                chosen[Actor(row.actor)] = Digest(row.message)
    kept = await messages_by_digest(session, chosen.values(), chosen)
    found = []
    for actor in sorted(chosen):
        manifest, line = await kept_line(session, kept[chosen[actor]])
        said = Said(manifest=manifest.decode(), line=line.decode())
        found.append((parse_message(line), said, actor))
    return found


async def _receipt(
    session: Session, bodies: Sequence[Entry], message: Message, said: Said, actor: Actor
) -> Receipt:
    size = message.body.delivered.size
    places = [one.index for body in bodies for one in body.addressed if one.actor == actor]
    wanted = {address for place in places for address in log.inclusion_path(place, size)}
    nodes = await storage.load_nodes(session, actor, sorted(wanted))
    proofs = tuple(_proof(log.inclusion_proof(place, size, nodes)) for place in places)
    return Receipt(statement=said, proofs=proofs)


async def _heads(
    session: Session, position: int, more: Iterable[int]
) -> list[tuple[int, str, list[str]]]:
    """Size, note and cosignatures of the heads to show, by size."""
    table = tables.checkpoints
    first = select(table.c.size).where(table.c.size > position).order_by(table.c.size).limit(1)
    sizes = {row.size for row in await session.execute(first)} | set(more)
    sizes |= set((await _first_cosigned(session, position)).values())
    heads = select(table).where(table.c.size.in_(sorted(sizes))).order_by(table.c.size)
    cosigned = select(tables.cosignatures).where(tables.cosignatures.c.size.in_(sorted(sizes)))
    lines: dict[int, list[str]] = {}
    for row in await session.execute(cosigned.order_by(tables.cosignatures.c.participant)):
        lines.setdefault(row.size, []).append(row.line)
    rows = await session.execute(heads)
    return [(row.size, row.note, lines.get(row.size, [])) for row in rows]


async def _first_cosigned(session: Session, position: int) -> dict[str, int]:
    """The first head above a position that each witness has cosigned, among the next ones."""
    table = tables.cosignatures
    statement = (
        select(table.c.size, table.c.participant)
        .where(table.c.size > position)
        .order_by(table.c.size)
        .limit(COSIGNATURES_MAX)
    )
    found: dict[str, int] = {}
    for row in await session.execute(statement):
        found.setdefault(row.participant, row.size)
    return found


async def _head(session: Session, heads: Sequence[tuple[int, str, list[str]]], number: int) -> Head:
    """One of these heads, and that it contains the one before."""
    size, signed, cosignatures = heads[number]
    text, own = note.parse_note(signed)
    lines = [*(line.to_text() for line in own), *cosignatures]
    if number == 0:
        return Head(note=note.format_note(text, lines), proof=())
    before = heads[number - 1][0]
    nodes = await storage.load_nodes(session, None, log.consistency_path(before, size))
    proof = _proof(log.consistency_proof(before, size, nodes))
    return Head(note=note.format_note(text, lines), proof=proof)


def _proof(hashes: Iterable[bytes]) -> tuple[Digest, ...]:
    return tuple(Digest(value.hex()) for value in hashes)
