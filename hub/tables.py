# SPDX-License-Identifier: Apache-2.0
"""The hub's own tables: the log and its trees, transactions, authorizations, statements.

The log, its nodes and the delivery trees are only ever added to; the migration has the database
refuse changes and deletions there.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

from ledger.transactions import State

__all__ = [
    "acts",
    "approvals",
    "authorization_use",
    "authorizations",
    "cases",
    "checkpoints",
    "cosignatures",
    "deliveries",
    "delivery_nodes",
    "evidence_requests",
    "expiries",
    "log_entries",
    "log_nodes",
    "metadata",
    "statements",
    "tail",
    "transactions",
]

metadata = MetaData()

log_entries = Table(
    "log_entries",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("line", LargeBinary, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("at", Text, nullable=False),
    Index("log_entries_conversation", "conversation"),
)
"""Entries, byte for byte; the line is the leaf."""

log_nodes = Table(
    "log_nodes",
    metadata,
    Column("level", Integer, primary_key=True),
    Column("node", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
)
"""Complete subtrees of the log, RFC 6962."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
)
"""Which entry is an actor's nth delivery, and the root of its delivery tree after it."""

delivery_nodes = Table(
    "delivery_nodes",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("node", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
)
"""Complete subtrees of the delivery trees."""

acts = Table(
    "acts",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("act", Text, nullable=False),
    Column("signatures", Text, nullable=False),
)
"""The acts that the directory is built from, in the order of the log."""

_STATES = ", ".join(f"'{state}'" for state in State)

transactions = Table(
    "transactions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("state", Text, CheckConstraint(f"state in ({_STATES})"), nullable=False),
    Column("action", Text, nullable=False),
    Column("proposer", Text, nullable=False),
    Column("acquirer", Text),
    Column("proposal", LargeBinary, nullable=False),
    Column("message", Text, nullable=False),
    Column("deadline", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("opened_at", Text, nullable=False),
    Column("changed_at", Text, nullable=False),
    Index(
        "transactions_deadline",
        "deadline",
        postgresql_where=text("state = 'cleared'"),
        sqlite_where=text("state = 'cleared'"),
    ),
)
"""Each transaction as its last entry left it; `deadline` moves while the hub is not consuming."""

authorizations = Table(
    "authorizations",
    metadata,
    Column("party", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("terms", Text, nullable=False),
)
"""Every version of every authorization."""

authorization_use = Table(
    "authorization_use",
    metadata,
    Column("party", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("used", BigInteger, CheckConstraint("used >= 0"), nullable=False),
)
"""Units first-transferred under an authorization so far."""

approvals = Table(
    "approvals",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("approval", Text, primary_key=True),
    Column("approved_quantity", BigInteger, nullable=False),
    Column("issued", BigInteger, CheckConstraint("issued >= 0"), nullable=False),
    Column("record", Text),
)
"""What an actor has issued under an approval: the sum of the log's effects `approval`. Of the
approved quantity the first word counts; the checks refuse another one. `record` is that of the
log's effect `approval-record`, if there is one."""

cases = Table(
    "cases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("frozen", Integer, nullable=False),
    Column("open", Integer, nullable=False),
    Column("concerned", Text, nullable=False, server_default="[]"),
    Index("cases_open", "cause", postgresql_where=text("open = 1"), sqlite_where=text("open = 1")),
)
"""Each case as the log opened it, whether it froze its range, and whether it is still open;
`concerned` lists the actors besides its own that it is told to."""

statements = Table(
    "statements",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("delivered", BigInteger, nullable=False),
    Column("holdings", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("at", Text, nullable=False),
)
"""The newest statement of each actor."""

expiries = Table(
    "expiries",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("transaction", Text, primary_key=True),
    Column("message", Text, nullable=False),
)
"""The first statement in which an actor says whether it had answered what expired."""

evidence_requests = Table(
    "evidence_requests",
    metadata,
    Column("message", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("transaction", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("asked_at", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("part", BigInteger, nullable=False),
    Column("after", BigInteger, nullable=False),
)
"""Requests for evidence that are not wholly answered. `position` is that of the transaction's last
entry; `size` the head that everything is proven in, nought before the first part; `part` the next
part's number; `after` the position of the last act that was sent."""

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", Text, nullable=False),
)
"""Signed heads of the log."""

cosignatures = Table(
    "cosignatures",
    metadata,
    Column("size", BigInteger, primary_key=True),
    Column("participant", Text, primary_key=True),
    Column("line", Text, nullable=False),
)
"""Witnesses' first cosignatures on checkpoints."""

tail = Table(
    "tail",
    metadata,
    Column("kind", Text, CheckConstraint("kind in ('entry', 'head')"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", Text, primary_key=True),
    Column("line", LargeBinary, nullable=False),
    Column("at", Text, nullable=False),
)
"""What others gave back of the log to a hub that was set back, until it is in the log again:
entries by position, heads by size. Empty otherwise.
"""
