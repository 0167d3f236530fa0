# SPDX-License-Identifier: Apache-2.0
"""Approvals as the log has them, worked out from what is there already; cases came with them, and
are made anew since (`h0003`).
"""

import json
from collections import Counter
from typing import Any

from alembic import op
from sqlalchemy import Connection, select

from hub.tables import approvals, metadata, transactions

revision = "h0002"
down_revision = "h0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and fill it."""
    connection = op.get_bind()
    metadata.create_all(connection, tables=[approvals])
    rows = _issued(connection)
    if rows:
        connection.execute(approvals.insert(), rows)


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
