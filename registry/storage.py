# SPDX-License-Identifier: Apache-2.0
"""A registry's facts out of its database.

Elsewhere: writing them (`saving`), tables (`tables`), facts (`state`), ledger rows
(`runtime.books`).
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, func, select

from ledger.asking import Approval, Authorization
from ledger.directory import Directory
from ledger.growth import Growth
from ledger.log import EMPTY_ROOT
from ledger.transactions import State
from registry import tables
from registry.state import Account, Kept, Majority, Transaction
from runtime.journal import Kept as KeptMessage
from runtime.journal import get_mark, kept_line
from runtime.rows import read_approval
from runtime.store import ASKED, Session, asked_number, asked_text
from runtime.tables import blocks, messages
from schemas.directory import SignedAct
from schemas.effects import AuthorizationTerms, Units
from schemas.envelope import digest
from schemas.findings import Finding
from schemas.identifiers import (
    AccountNumber,
    Actor,
    AuthorizationId,
    Digest,
    Instant,
    PartyCode,
    TransactionId,
)
from schemas.messages import Proposal, parse_message

__all__ = [
    "LOG",
    "answer_sequence",
    "answered",
    "load_accounts",
    "load_all_accounts",
    "load_approvals",
    "load_authorizations",
    "load_kept",
    "load_transactions",
    "occupied",
    "overlapping_movements",
    "said_proposals",
    "unstated_expiries",
]

LOG = "log"
"""The subject of the row in `witness` that is about the log."""

MAJORITY = "majority"
"""The mark with the size of the largest head that a majority is known to have cosigned."""


async def load_kept(session: Session, genesis: SignedAct, actors: Sequence[Actor]) -> Kept:
    """What the registry keeps between batches."""
    directory = Directory.begin(genesis)
    positions = [0]
    rows = await session.execute(select(tables.acts).order_by(tables.acts.c.position))
    for row in rows:
        signed = SignedAct(act=row.act, signatures=tuple(json.loads(row.signatures)))
        directory = directory.apply(signed)
        positions.append(row.position)
    kept = Kept(directory=directory, known_acts=tuple(positions), log_root=EMPTY_ROOT)
    for row in await session.execute(select(tables.witness)):
        if row.subject == LOG:
            kept.log_size, kept.log_root = row.size, bytes.fromhex(row.root)
        else:
            kept.deliveries[Actor(row.subject)] = Growth(row.size, _nodes(row.nodes))
    kept.majority = Majority(await get_mark(session, MAJORITY))
    for actor in actors:
        kept.numbers[actor] = await get_mark(session, f"number {actor}")
    return kept


def _nodes(text: str) -> dict[tuple[int, int], bytes]:
    return {(level, node): bytes.fromhex(value) for level, node, value in json.loads(text)}


_id = asked_text("i")
_TRANSACTIONS = (
    select(tables.transactions)
    .select_from(ASKED)
    .join(tables.transactions, tables.transactions.c.id == _id)
)
_ACCOUNTS = (
    select(tables.accounts)
    .select_from(ASKED)
    .join(tables.accounts, tables.accounts.c.number == _id)
)
_AUTHORIZATIONS = (
    select(tables.authorizations)
    .select_from(ASKED)
    .join(
        tables.authorizations,
        and_(
            tables.authorizations.c.party == asked_text("p"),
            tables.authorizations.c.id == _id,
        ),
    )
)
_ANSWERED = (
    select(messages.c.answers, messages.c.type, messages.c.sequence, messages.c.author)
    .select_from(ASKED)
    .join(messages, messages.c.answers == _id)
)


async def load_transactions(
    session: Session, ids: Iterable[str]
) -> dict[TransactionId, Transaction]:
    """Transactions by id."""
    asked = [{"i": id_} for id_ in ids]
    if not asked:
        return {}
    rows = await session.execute(_TRANSACTIONS, {"asked": json.dumps(asked)})
    return {TransactionId(row.id): _transaction(row) for row in rows}


def _transaction(row: Any) -> Transaction:
    proposal = None
    if row.proposal is not None:
        body = parse_message(bytes(row.proposal)).body
        assert isinstance(body, Proposal)
        proposal = body
    return Transaction(
        id=TransactionId(row.id),
        state=State(row.state),
        action=row.action,
        proposer=Actor(row.proposer),
        acquirer=Actor(row.acquirer) if row.acquirer else None,
        proposal=proposal,
        line=bytes(row.proposal) if row.proposal is not None else None,
        message=Digest(row.message) if row.message else None,
        position=row.position,
        opened_at=Instant(row.opened_at),
        changed_at=Instant(row.changed_at),
        findings=[Finding.model_validate_json(f) for f in json.loads(row.findings)],
        waiting=bool(row.waiting),
        stated=bool(row.stated),
    )


async def answered(session: Session, digests: Iterable[Digest], own: set[Actor]) -> set[Digest]:
    """Which of these lines an actor of ours has accepted or rejected before."""
    asked = [{"i": digest} for digest in digests]
    if not asked:
        return set()
    rows = await session.execute(_ANSWERED, {"asked": json.dumps(asked)})
    return {
        Digest(r.answers)
        for r in rows
        if r.type in {"acceptance", "rejection"} and Actor(r.author) in own
    }


async def said_proposals(
    session: Session,
    kept: Iterable[KeptMessage],
    transactions: Mapping[TransactionId, Transaction],
) -> dict[Digest, Proposal]:
    """Proposals of ours, byte for byte: from their transactions where those are loaded and have
    the bytes that were signed, and else from the envelopes that carried them.
    """
    found: dict[Digest, Proposal] = {}
    for message in kept:
        known = transactions.get(TransactionId(message.conversation))
        if known and known.line and known.proposal and digest(known.line) == message.digest:
            found[message.digest] = known.proposal
        else:
            _, line = await kept_line(session, message)
            found[message.digest] = parse_message(line).body
    return found


async def load_accounts(session: Session, numbers: Collection[str]) -> dict[AccountNumber, Account]:
    """Accounts by number, as far as there are such."""
    if not numbers:
        return {}
    asked = json.dumps([{"i": number} for number in sorted(numbers)])
    return _accounts(await session.execute(_ACCOUNTS, {"asked": asked}))


async def load_all_accounts(session: Session) -> dict[AccountNumber, Account]:
    """All accounts by number."""
    return _accounts(await session.execute(select(tables.accounts)))


def _accounts(rows: Iterable[Any]) -> dict[AccountNumber, Account]:
    return {
        AccountNumber(r.number): Account(
            AccountNumber(r.number),
            Actor(r.actor),
            r.name,
            r.state == "open",
            Instant(r.opened_at),
            r.unit,
            r.entity,
        )
        for r in rows
    }


async def occupied(session: Session, numbers: Collection[str]) -> set[AccountNumber]:
    """Which of these accounts hold units."""
    if not numbers:
        return set()
    statement = select(blocks.c.account).where(blocks.c.account.in_(sorted(numbers))).distinct()
    return {AccountNumber(row[0]) for row in await session.execute(statement)}


async def load_authorizations(
    session: Session, names: Collection[tuple[str, str]]
) -> dict[tuple[PartyCode, AuthorizationId], Authorization]:
    """Authorizations that this registry's actors recorded, by Party and id, with all versions."""
    if not names:
        return {}
    asked = json.dumps([{"p": party, "i": id_} for party, id_ in sorted(names)])
    found: dict[tuple[PartyCode, AuthorizationId], Authorization] = {}
    for row in await session.execute(_AUTHORIZATIONS, {"asked": asked}):
        name = (PartyCode(row.party), AuthorizationId(row.id))
        terms = AuthorizationTerms.model_validate_json(row.terms)
        found.setdefault(name, Authorization()).versions[row.version] = terms
    return found


async def load_approvals(
    session: Session, names: Iterable[str]
) -> dict[tuple[Actor, str], Approval]:
    """What this registry's actors have issued under these approvals."""
    table = tables.approvals
    rows = await session.execute(select(table).where(table.c.approval.in_(sorted(names))))
    return {(Actor(row.actor), row.approval): read_approval(row) for row in rows}


async def unstated_expiries(
    session: Session, silent: Collection[Actor], most: int
) -> list[tuple[TransactionId, Actor, Digest | None]]:
    """Expired transactions that no statement has covered yet: id, acquirer, proposal; not those
    that are left to a section which states nothing (`silent`).
    """
    table = tables.transactions
    answers = func.coalesce(table.c.acquirer, table.c.proposer)
    rows = await session.execute(
        select(table)
        .where(table.c.state == State.EXPIRED, table.c.stated == 0, answers.not_in(silent))
        .order_by(table.c.id)
        .limit(most)
    )
    return [
        (TransactionId(r.id), Actor(r.acquirer or r.proposer), r.message and Digest(r.message))
        for r in rows
    ]


async def answer_sequence(session: Session, message: Digest | None, actor: Actor) -> int | None:
    """The sequence in which an actor of ours answered a proposal, if it did."""
    if message is None:
        return None
    rows = await session.execute(_ANSWERED, {"asked": json.dumps([{"i": message}])})
    for row in rows:
        if row.type in {"acceptance", "rejection"} and Actor(row.author) == actor:
            return int(row.sequence)
    return None


_OVERLAPPING = (
    select(tables.movements)
    .select_from(ASKED)
    .join(
        tables.movements,
        and_(
            tables.movements.c.actor == bindparam("actor"),
            tables.movements.c.series == asked_text("s"),
            tables.movements.c.first <= asked_number("l"),
            tables.movements.c.last >= asked_number("f"),
        ),
    )
    .order_by(asked_number("n"), tables.movements.c.number, tables.movements.c.effect)
    .limit(bindparam("most"))
)


async def overlapping_movements(
    session: Session, actor: Actor, ranges: Sequence[Units], most: int
) -> list[Any]:
    """Movements of an actor's units that share a serial with a range, range after range, of each
    the oldest first; one that overlaps two of them comes twice.
    """
    asked = [
        {"n": number, "s": units.key.series, "f": units.first, "l": units.last}
        for number, units in enumerate(ranges)
    ]
    values = {"asked": json.dumps(asked), "actor": actor, "most": most}
    return list(await session.execute(_OVERLAPPING, values))
