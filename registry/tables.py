# SPDX-License-Identifier: Apache-2.0
"""A registry's own tables: accounts, its view of transactions, what the log delivered to it."""

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
)

from ledger.transactions import State

__all__ = [
    "accounts",
    "acts",
    "authorizations",
    "closed_years",
    "deliveries",
    "identifications",
    "metadata",
    "movements",
    "transactions",
    "witness",
]

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("number", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, CheckConstraint("state in ('open', 'closed')"), nullable=False),
    Column("opened_at", Text, nullable=False),
    Column("unit", Text),
    Column("entity", Text),
)
"""Accounts of the registry's sections; with an entity, of that. Whose an account is stays so: the
database refuses a change, and an account of an entity that was never identified."""

identifications = Table(
    "identifications",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("entity", Text, primary_key=True),
    Column("number", Integer, CheckConstraint("number >= 1"), primary_key=True),
    Column("identity", Text),
    Column("ending", Text),
    Column("operator", Text, nullable=False),
    Column("command", BigInteger, nullable=False),
    Column("recorded_at", Text, nullable=False),
    CheckConstraint("(identity is null) <> (ending is null)", name="identifications_one_of_two"),
)
"""Who entities are, and ends of that, in the order in which they were recorded. The newest row of
an entity counts; the database refuses to change or delete one."""

_STATES = ", ".join(f"'{state}'" for state in State)

transactions = Table(
    "transactions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("state", Text, CheckConstraint(f"state in ({_STATES})"), nullable=False),
    Column("action", Text, nullable=False),
    Column("proposer", Text, nullable=False),
    Column("acquirer", Text),
    Column("proposal", LargeBinary),
    Column("message", Text),
    Column("position", BigInteger),
    Column("findings", Text, nullable=False),
    Column("waiting", Integer, nullable=False, server_default="0"),
    Column("stated", Integer, nullable=False, server_default="0"),
    Column("opened_at", Text, nullable=False),
    Column("changed_at", Text, nullable=False),
    Index("transactions_waiting", "waiting"),
    Index("transactions_stated", "state", "stated"),
)
"""Transactions that concern this registry, as far as it knows. `waiting` is 1 while an operator
must answer a clearance; `stated` is 1 once a statement has covered an expiry."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("applied_at", Text, nullable=False),
)
"""The entries delivered to each actor, in the order in which they were applied."""

movements = Table(
    "movements",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("effect", Integer, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("entry", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("action", Text),
    Column("conversation", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("series", Text, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("source", Text),
    Column("target", Text),
    Index("movements_series", "actor", "series", "first"),
)
"""The account statement: each effect on this registry's rows, with the entry that made it."""

authorizations = Table(
    "authorizations",
    metadata,
    Column("party", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("terms", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
)
"""Authorizations recorded by this registry's actors."""

approvals = Table(
    "approvals",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("approval", Text, primary_key=True),
    Column("approved_quantity", BigInteger, nullable=False),
    Column("issued", BigInteger, nullable=False),
    Column("record", Text),
)
"""What this registry's actors have issued under an approval, as entries said it, and its record."""

closed_years = Table(
    "closed_years",
    metadata,
    Column("party", Text, primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("figures", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("command", BigInteger, nullable=False),
    Column("closed_at", Text, nullable=False),
)
"""Years whose corresponding adjustments are final: the figures, whose digest an operator has signed
in the command of that number at the desk."""

acts = Table(
    "acts",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("act", Text, nullable=False),
    Column("signatures", Text, nullable=False),
)
"""The directory's acts, as the log delivered them."""

witness = Table(
    "witness",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", Text, nullable=False),
    Column("nodes", Text, nullable=False),
)
"""The last checkpoint of the log that was witnessed, and the frontier of each actor's delivery
tree."""
