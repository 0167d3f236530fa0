# SPDX-License-Identifier: Apache-2.0
"""Approvals and cases as the log has them; both are worked out from what is there already."""

import json
from collections import Counter
from typing import Any

from alembic import op
from sqlalchemy import Connection, select

from hub.tables import approvals, cases, log_entries, metadata, transactions

revision = "h0002"
down_revision = "h0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, and fill them."""
    connection = op.get_bind()
    metadata.create_all(connection, tables=[approvals, cases])
    _insert(connection, approvals, _issued(connection))
    _insert(connection, cases, _opened(connection))


def _insert(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(table.insert(), rows)


def _issued(connection: Connection) -> list[dict[str, Any]]:
    """Completed issuances in the order of the log: their proposals name the approvals."""
    table = transactions
    statement = (
        select(table.c.proposer, table.c.proposal)
        .where(table.c.action == "issuance", table.c.state == "completed")
        .order_by(table.c.position)
    )
    approved: dict[tuple[str, str], int] = {}
    sums: Counter[tuple[str, str]] = Counter()
    for row in connection.execute(statement):
        body = json.loads(bytes(row.proposal))["body"]
        name = (row.proposer, body["references"]["approval"])
        approved.setdefault(name, body["references"]["approved_quantity"])
        sums[name] += body["quantity"]
    return [
        {"actor": a, "approval": ref, "approved_quantity": approved[a, ref], "issued": n}
        for (a, ref), n in sums.items()
    ]


def _opened(connection: Connection) -> list[dict[str, Any]]:
    """The newest effect on each case; its entries are filed under its id."""
    statement = (
        select(log_entries.c.line)
        .where(log_entries.c.conversation.like("REC-%"))
        .order_by(log_entries.c.position)
    )
    found: dict[str, dict[str, Any]] = {}
    for row in connection.execute(statement):
        for effect in json.loads(bytes(row.line))["body"]["effects"]:
            if effect["effect"] == "case":
                found[effect["case"]] = {
                    "id": effect["case"],
                    "actor": effect["actor"],
                    "cause": effect["cause"],
                    "open": int(effect["open"]),
                }
    return list(found.values())
