# SPDX-License-Identifier: Apache-2.0
"""Evidence out of a registry's database: what the hub has sent on request, joined to what came
before, and held to what is kept here.

The hub's answer stands in the journal, part by part. It names the entries, which came here in their
turn, and brings what only the hub has: the messages, statements and heads of a file, and the hashes
that prove the entries. Nothing of it is believed. Entries are this registry's own copies; messages
that it said, or that were passed on to it, must be the same bytes; none that came here may be left
out. Whether the whole holds is for `ledger.verifying`, by the genesis that this registry was given.

Elsewhere: asking (`desk`), answering (`hub.evidence_answers`), the file's form
(`schemas.evidence`).
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NoReturn

from sqlalchemy import select

from ledger import log
from ledger.directory import Directory, DirectoryError
from registry import tables
from runtime.errors import LocalProtocolError
from runtime.journal import Kept, kept_line, kept_lines, messages_by_digest, said_about
from runtime.store import Session
from schemas.directory import SignedAct
from schemas.effects import DirectoryEffect
from schemas.envelope import EnvelopeError, digest, open_manifest
from schemas.evidence import Bundle, EvidencePart, Logged, Said, Trust
from schemas.identifiers import HUB_ACTOR, Actor, Digest, TransactionId
from schemas.messages import Entry, Malformed, Notice, parse_message
from schemas.plain import in_words

__all__ = ["collect", "hold_to_records", "trust_root"]

BEGINNING = "directory"
"""The conversation of the first entry."""


async def trust_root(session: Session, genesis: SignedAct) -> Trust:
    """The trust root of the log that this registry follows: entry 0 as it came here, which must
    carry the genesis that this registry was given.
    """
    said = [kept for kept in await said_about(session, BEGINNING) if _is_entry(kept)]
    if not said:
        raise LocalProtocolError("no entry of the log came here yet; has the hub admitted us?")
    first = min(said, key=lambda kept: (kept.sequence, kept.line))
    _, line = await kept_line(session, first)
    entry: Entry = parse_message(line).body
    acts = [effect for effect in entry.effects if isinstance(effect, DirectoryEffect)]
    if entry.position != 0 or not acts:
        raise LocalProtocolError(f"the first entry that came here is {entry.position}, not 0")
    own = Directory.begin(genesis).genesis
    try:
        begun = Directory.begin(SignedAct(act=acts[0].act, signatures=acts[0].signatures))
    except DirectoryError as error:
        raise LocalProtocolError(f"entry 0 carries no genesis: {error}") from None
    if begun.genesis != own or entry.log != own.log:
        raise LocalProtocolError("the log that came here begins with another genesis than ours")
    return Trust(log=entry.log, root=digest(line))


# --- from the hub's answer ----------------------------------------------------------------------


async def collect(session: Session, transaction: TransactionId, mine: Collection[Actor]) -> Bundle:
    """The file that the newest whole answer makes; `LocalProtocolError` says what to do when there
    is none, or what is wrong with it.
    """
    parts = await _newest_answer(session, transaction, mine)
    size = parts[0].size
    entries: list[Logged] = []
    directory: list[Logged] = []
    for part in parts:
        if part.size != size or part.transaction != transaction:
            _wrong(transaction, f"part {part.number} belongs to another answer")
        logged = await _logged(session, part)
        entries += logged[: len(part.entries)]
        directory += logged[len(part.entries) :]
    await _require_acts(session, transaction, directory, size)
    try:
        return Bundle(
            transaction=transaction,
            messages=tuple(one for part in parts for one in part.messages),
            entries=tuple(entries),
            directory=tuple(directory),
            heads=tuple(one for part in parts for one in part.heads),
            receipts=tuple(one for part in parts for one in part.receipts),
        )
    except ValueError as error:
        _wrong(transaction, f"it makes no file: {in_words(error)}")


async def _newest_answer(
    session: Session, transaction: TransactionId, mine: Collection[Actor]
) -> list[EvidencePart]:
    said = await said_about(session, transaction)
    requests = [k for k in said if k.type == "evidence-request" and k.author in mine]
    for request in reversed(requests):
        answer = [
            k
            for k in said
            if k.type == "evidence-part" and k.author == HUB_ACTOR and k.answers == request.digest
        ]
        lines = (await kept_lines(session, answer)).values()
        bodies: list[EvidencePart] = [parse_message(line).body for _, line in lines]
        parts = sorted(bodies, key=lambda part: part.number)
        whole = [part.number for part in parts] == list(range(len(parts)))
        if whole and parts and parts[-1].last:
            return parts
    raise LocalProtocolError(await _what_to_do(session, transaction, said, requests))


async def _what_to_do(
    session: Session,
    transaction: TransactionId,
    said: Sequence[Kept],
    requests: Sequence[Kept],
) -> str:
    if not requests:
        order = f'order evidence \'{{"transaction": "{transaction}"}}\''
        return f"{transaction}: its evidence is not here; ask the hub for it by `{order}`"
    for kept in said:
        if kept.type == "notice" and kept.answers == requests[-1].digest:
            _, line = await kept_line(session, kept)
            notice: Notice = parse_message(line).body
            return f"{transaction}: the hub gives no evidence: {notice.findings[0]}"
    return (
        f"{transaction}: the hub was asked for its evidence, and has not answered yet; wait, or "
        "order it again if the hub was restored since"
    )


async def _logged(session: Session, part: EvidencePart) -> list[Logged]:
    """The entries that a part names, by our own copies, with their inclusion."""
    named = [*part.entries, *part.acts]
    known = await messages_by_digest(session, named, {HUB_ACTOR})
    strangers = [one for one in named if one not in known or not _is_entry(known[one])]
    if strangers:
        _wrong(part.transaction, f"it names an entry that never came here, {strangers[0]}")
    lines = {one: line for one, (_, line) in (await kept_lines(session, known.values())).items()}
    positions = {one: parse_message(line).body.position for one, line in lines.items()}
    if any(position >= part.size for position in positions.values()):
        _wrong(part.transaction, f"it names an entry beyond its last head, of {part.size}")
    places = {a for p in positions.values() for a in log.inclusion_path(p, part.size)}
    if len(places) != len(part.nodes):
        counted = f"{len(part.nodes)} hashes, not {len(places)}"
        _wrong(part.transaction, f"part {part.number} proves its entries by {counted}")
    nodes = {a: bytes.fromhex(n) for a, n in zip(sorted(places), part.nodes, strict=True)}
    return [
        Logged(
            line=lines[one].decode(),
            proof=tuple(
                Digest(value.hex())
                for value in log.inclusion_proof(positions[one], part.size, nodes)
            ),
        )
        for one in named
    ]


async def _require_acts(
    session: Session, transaction: TransactionId, directory: Iterable[Logged], size: int
) -> None:
    """No act is left out that came here, after the transaction's last entry either."""
    here = select(tables.acts.c.position).where(tables.acts.c.position < size)
    known = {row.position for row in await session.execute(here)}
    given = {parse_message(one.line.encode()).body.position for one in directory}
    if missing := sorted(known - given):
        _wrong(transaction, f"it leaves out the act of entry {missing[0]}")


# --- against what is kept here ------------------------------------------------------------------


async def hold_to_records(session: Session, bundle: Bundle, mine: Collection[Actor]) -> None:
    """`LocalProtocolError` unless all that a file says of us and to us is what is kept here."""
    transaction = bundle.transaction
    said = await said_about(session, transaction)
    entries = {digest(one.line.encode()) for one in bundle.entries}
    if missing := [kept for kept in said if _is_entry(kept) and kept.digest not in entries]:
        _wrong(transaction, f"it leaves out an entry that came here, {missing[0].digest}")
    passed_on = [k for k in said if k.type == "enclosure" and k.author == HUB_ACTOR]
    enclosed: dict[Digest, str] = {}
    for _, line in (await kept_lines(session, passed_on)).values():
        body = parse_message(line).body
        enclosed[digest(body.line.encode())] = body.manifest
    for one in bundle.messages:
        await _hold(session, transaction, one, mine, enclosed)
    for receipt in bundle.receipts:
        if _author(transaction, receipt.statement) in mine:
            await _hold(session, transaction, receipt.statement, mine, enclosed)


async def _hold(
    session: Session,
    transaction: TransactionId,
    one: Said,
    mine: Collection[Actor],
    enclosed: dict[Digest, str],
) -> None:
    """A message is the one that was said here, or passed on here; of others' earlier pledges we
    have nothing.
    """
    author, named = _author(transaction, one), digest(one.line.encode())
    try:
        message = parse_message(one.line.encode())
    except Malformed as error:
        _wrong(transaction, f"a message of {author} cannot be read: {error}")
    what = f"the {message.type} of {author} in it"
    manifest = enclosed.get(named)
    if author in mine:
        known = await messages_by_digest(session, [named], {author})
        if named not in known:
            _wrong(transaction, f"{what} has other bytes than any that {author} said")
        manifest = (await kept_line(session, known[named]))[0].decode()
    elif manifest is None:
        if message.conversation == transaction:
            _wrong(transaction, f"{what} has other bytes than any that was passed on to us")
        return
    # The signature is not compared: ES256 has two forms of each (rule 3.5).
    if manifest.rpartition(".")[0] != one.manifest.rpartition(".")[0]:
        _wrong(transaction, f"{what} is in another envelope than the one that is kept here")


def _author(transaction: TransactionId, one: Said) -> Actor:
    try:
        return open_manifest(one.manifest.encode())[1].sender
    except EnvelopeError as error:
        _wrong(transaction, f"a manifest cannot be read: {error}")


def _is_entry(kept: Kept) -> bool:
    return kept.type == "entry" and kept.author == HUB_ACTOR


def _wrong(transaction: TransactionId, why: str) -> NoReturn:
    raise LocalProtocolError(f"{transaction}: the hub's answer is wrong: {why}")
