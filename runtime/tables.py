# SPDX-License-Identifier: Apache-2.0
"""The tables that every program has: its journal of messages and its ledger rows.

Text, integers and bytes only, so that PostgreSQL and SQLite hold the same values. Instants are
`schemas.identifiers.Instant` text, whose order is time order.

The database itself refuses overlapping blocks of a series and marks the holdings tree's buckets
that any write to `blocks` touches, whoever made it; the migration carries those rules, since they
differ per database (ADR 0007).

Elsewhere: statements on these tables (`journal`, `outbox`, `desk`, `books`), what each program adds
(its own tables).
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from schemas.limits import SERIAL_MAX
from schemas.units import KIND_CODES

__all__ = [
    "NUMBER_MAX",
    "OVERLAY_REACHES",
    "awaited",
    "blocks",
    "dead_letters",
    "desk",
    "dirty",
    "inbox",
    "keys",
    "marks",
    "messages",
    "metadata",
    "outbox",
    "overlays",
    "sequences",
    "sums",
    "tree",
]

metadata = MetaData()

NUMBER_MAX = 2**31 - 1
"""What the column takes that numbers commands, and the one that numbers dead letters."""

_RANGE = (
    "first >= 1 and first <= last and "
    f"last <= {SERIAL_MAX} and first = cast(first as bigint) and last = cast(last as bigint)"
)
"""SQLite puts text and fractions into a column of integers if asked; PostgreSQL does not."""

_CLASS_BITS = 8
OVERLAY_REACHES = tuple(
    1 << _CLASS_BITS * (n + 1) for n in range(-(-SERIAL_MAX.bit_length() // _CLASS_BITS))
)
"""By size class: overlays of it have at most so many serials."""

_KINDS = ", ".join(f"'{kind}'" for kind in KIND_CODES.values())
_PREFIX = (
    "replace(actor, '/', '-') || '-' || case kind "
    + " ".join(f"when '{kind}' then '{code}'" for code, kind in KIND_CODES.items())
    + " else '' end || '-'"
)
"""How the number of an account of this actor and kind begins."""

marks = Table(
    "marks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""Small numbers with a name: the largest log size seen, the next transaction number."""

sequences = Table(
    "sequences",
    metadata,
    Column("sender", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("last", BigInteger, CheckConstraint("last >= 0"), nullable=False),
)
"""The last sequence applied (others' actors) or sealed (our own) per sender and recipient."""

outbox = Table(
    "outbox",
    metadata,
    Column("sender", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("sealed_at", Text, nullable=False),
    Column("confirmed", Integer, nullable=False, server_default="0"),
    Index(
        "outbox_unconfirmed",
        "sealed_at",
        postgresql_where=text("confirmed = 0"),
        sqlite_where=text("confirmed = 0"),
    ),
)
"""Every envelope sealed, byte for byte and for ever; `confirmed` once the broker has it."""

inbox = Table(
    "inbox",
    metadata,
    Column("sender", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("signed", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Text, nullable=False),
    Column("applied", Integer, nullable=False),
    Index(
        "inbox_early",
        "sender",
        "sequence",
        postgresql_where=text("applied = 0"),
        sqlite_where=text("applied = 0"),
    ),
)
"""Every authentic envelope received; `applied` is 0 while an earlier one is missing."""

messages = Table(
    "messages",
    metadata,
    Column("author", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("answers", Text),
    Column("recipient", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("line", Integer, nullable=False),
    Index("messages_digest", "digest"),
    Index("messages_answers", "answers"),
    Index("messages_conversation", "conversation"),
)
"""Where each message said or heard stands: envelope and line."""

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("received_at", Text, nullable=False),
    Column("claimed_sender", Text),
    Column("code", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column(
        "state",
        Text,
        CheckConstraint("state in ('open', 'replayed', 'discarded')"),
        nullable=False,
        server_default="open",
    ),
)
"""What was not taken, with the reason; replayed or discarded by command."""

desk = Table(
    "desk",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("submitted_at", Text, nullable=False),
    Column("nonce", Text, nullable=False, unique=True),
    Column("command", Text, nullable=False),
    Column("signature", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    Column("result", Text),
    CheckConstraint("state in ('open', 'awaiting', 'done', 'refused')", name="desk_states"),
    Index(
        "desk_open",
        "id",
        postgresql_where=text("state = 'open'"),
        sqlite_where=text("state = 'open'"),
    ),
)
"""Operators' signed commands, waiting to be handled like any message, or for a second person."""

awaited = Table(
    "awaited",
    metadata,
    Column("command", Integer, ForeignKey("desk.id"), primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("author_key", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("until", Text, nullable=False),
    Column("ending", Text),
    Column("ended_at", Text),
    Column("answer", Integer, ForeignKey("desk.id"), unique=True),
    Column("person", Text),
    Column("person_key", Text),
    CheckConstraint(
        "ending is null and ended_at is null or "
        "ending is not null and ended_at is not null and "
        "ending in ('confirmed', 'declined', 'lapsed', 'void')",
        name="awaited_endings",
    ),
    CheckConstraint(
        "case when ending in ('confirmed', 'declined') "
        "then answer is not null and person is not null and person_key is not null "
        "else person is null or ending = 'void' end",
        name="awaited_answered",
    ),
    CheckConstraint(
        "case when ending = 'confirmed' "
        "then answer <> command and person <> author and person_key <> author_key else true end",
        name="awaited_two_persons",
    ),
    Index(
        "awaited_open",
        "until",
        postgresql_where=text("ending is null"),
        sqlite_where=text("ending is null"),
    ),
)
"""Commands that need a second person: who gave each and with which key, until when it waits, how
that ended and by whom. Whoever confirms is another than who gave it, by name and by key.
"""

keys = Table(
    "keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("series", Text, nullable=False),
    Column("slot", Integer, nullable=False),
    UniqueConstraint("key", "series", "slot"),
)
"""Each key of units with its series and its slot in the holdings tree."""

blocks = Table(
    "blocks",
    metadata,
    Column("book", Text, primary_key=True),
    Column("series", Text, primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("account", Text, nullable=False),
    ForeignKeyConstraint(["key", "series", "slot"], ["keys.key", "keys.series", "keys.slot"]),
    CheckConstraint(_RANGE, name="blocks_range"),
    CheckConstraint(
        f"actor like '%/%' and kind in ({_KINDS}) "
        f"and substr(account, 1, length({_PREFIX})) = {_PREFIX}",
        name="blocks_account_agrees",
    ),
    Index("blocks_tree", "actor", "slot", "first"),
    Index("blocks_tree_end", "actor", "slot", "last"),
)
"""Ledger rows. A `book` is one ledger: the log's, a registry's, or the replica of one actor."""

overlays = Table(
    "overlays",
    metadata,
    Column("book", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("actor", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
    Column("reference", Text, primary_key=True),
    Column("series", Text, nullable=False),
    Column("size_class", Integer, nullable=False),
    CheckConstraint(_RANGE, name="overlays_range"),
    CheckConstraint(
        f"size_class between 0 and {len(OVERLAY_REACHES) - 1} and "
        f"(last - first) >> ({_CLASS_BITS} * (size_class + 1)) = 0",
        name="overlays_size",
    ),
    Index("overlays_series", "book", "series", "size_class", "first"),
)
"""Reservations, pledges, freezes and disputes on ranges. They may overlap; but none is longer than
its `size_class` says, so that those on a serial are found without looking at all that begin before
it.
"""

dirty = Table(
    "dirty",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("bucket", BigInteger, primary_key=True),
)
"""Buckets of holdings trees that a write has touched since they were hashed."""

sums = Table(
    "sums",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("quantity", BigInteger, nullable=False),
)
"""Units by key and kind; the triggers that mark buckets keep it. Nought where none are left."""

tree = Table(
    "tree",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("node", BigInteger, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
)
"""Every stored node of the actors' holdings trees."""
