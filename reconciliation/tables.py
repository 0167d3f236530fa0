# SPDX-License-Identifier: Apache-2.0
"""The reconciliation service's own tables: the log, what is known of each actor, cases.

The replicas of the actors' ledgers are rows of the shared `blocks` table, one book per actor
(`runtime.tables`). Entries, deliveries, movements and acts are only ever added to.
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
    UniqueConstraint,
)

__all__ = [
    "acts",
    "alarms",
    "case_notes",
    "cases",
    "deliveries",
    "drills",
    "entries",
    "known",
    "metadata",
    "movements",
    "standings",
    "tellings",
    "totals",
    "trees",
]

metadata = MetaData()

entries = Table(
    "entries",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("line", LargeBinary, nullable=False),
    Column("digest", Text, nullable=False),
    Column("root", LargeBinary, nullable=False),
)
"""Entries of the log, byte for byte, and the root of the log after each."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    UniqueConstraint("actor", "position"),
    Index("deliveries_position", "position"),
)
"""Which entry is an actor's nth delivery, and the root of its delivery tree after it."""

movements = Table(
    "movements",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("effect", Integer, primary_key=True, autoincrement=False),
    Column("series", Text, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("source", Text),
    Column("target", Text, nullable=False),
    Index("movements_series", "series", "first"),
)
"""Which entry moved or restated which units, from which actor (none: issued) to which."""

acts = Table(
    "acts",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("act", Text, nullable=False),
    Column("signatures", Text, nullable=False),
)
"""The acts that the directory is built from after genesis, in the order of the log."""

trees = Table(
    "trees",
    metadata,
    Column("name", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("nodes", Text, nullable=False),
)
"""The frontier of the log (name `log`) and of each actor's delivery tree."""

standings = Table(
    "standings",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("applied", BigInteger, nullable=False),
    Column("expected", Text, nullable=False),
    Column("statement", Text),
    Column("place", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("delivered", BigInteger, nullable=False),
    Column("holdings", Text),
    Column("said_at", Text),
    Column("equal", Integer),
    Column("explained", Text),
)
"""Per actor: how far its replica is, the newest statement, and how the two compare. `place` orders
an actor's statements; `explained` is the last pair of roots whose difference is accounted for."""

drills = Table(
    "drills",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("body", Text, nullable=False),
)
"""Drill-downs under way (`reconciliation.drill.Drill`)."""

known = Table(
    "known",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("body", Text, nullable=False),
)
"""The difference that the last drill-down has found (`reconciliation.known.Known`)."""

totals = Table(
    "totals",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("expected", BigInteger, nullable=False),
    Column("stated", BigInteger, nullable=False),
)
"""The totals by key and kind that differ, as the last drill-down found them."""

cases = Table(
    "cases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("actor", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("expected", Text),
    Column("stated", Text),
    Column("detail", Text, nullable=False),
    Column("frozen", Integer, nullable=False),
    Column("state", Text, CheckConstraint("state in ('open', 'closed')"), nullable=False),
    Column("opened_at", Text, nullable=False),
    Column("closed_at", Text),
    Column("evidence", Text, nullable=False),
    Column("concerned", Text, nullable=False, server_default="[]"),
    Column("explanation", Text),
    Column("explained_at", Text),
    CheckConstraint("first >= 1 and first <= last"),
    Index("cases_state", "state", "actor"),
)
"""Discrepancies. `expected` and `stated` are an account and attributes (`drill.Held`), or nothing;
`evidence` lists the digests of the statement and the answers that the case rests on: the lines are
in the journal, the statement's in the enclosure that answers its digest."""

tellings = Table(
    "tellings",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("actor", Text, primary_key=True),
    Column("case", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("at", Text, nullable=False),
    Column("statement", Text),
    Column("size", BigInteger),
    Column("said_at", Text),
    Index("tellings_case", "case"),
)
"""Whom an entry has told how a case stands, as which of its deliveries; and the first statement of
that actor whose deliveries, `size` of them, contain it: its acknowledgement."""

case_notes = Table(
    "case_notes",
    metadata,
    Column("case", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column(
        "kind",
        Text,
        CheckConstraint("kind in ('assignment', 'comment', 'explanation', 'resolution')"),
        nullable=False,
    ),
    Column("text", Text, nullable=False),
    Column("owner", Text),
    Column("due", Text),
    Column("command", BigInteger, nullable=False),
)
"""What people have written to cases (`notes.Note`); only ever added to. The operator's signature is
at the desk, in the row `command`."""

alarms = Table(
    "alarms",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("detail", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("sequence", BigInteger),
    Column("line", Integer),
)
"""What the hub said that cannot be true of one log; the first of each kind and subject is kept.
`sequence` and `line` are where the message stands that shows it: the hub's envelope in the inbox,
and how many messages precede it there. Alarms of older versions lack them, until they are raised
again."""
