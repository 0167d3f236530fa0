# SPDX-License-Identifier: Apache-2.0
"""What was issued under approvals, worked out from the issuances that are there already."""

import json
from collections import Counter
from typing import Any

from alembic import op
from sqlalchemy import select

from registry.tables import approvals, metadata, transactions

revision = "g0002"
down_revision = "g0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and fill it."""
    connection = op.get_bind()
    metadata.create_all(connection, tables=[approvals])
    table = transactions
    statement = (
        select(table.c.proposer, table.c.proposal)
        .where(
            table.c.action == "issuance",
            table.c.state == "completed",
            table.c.proposal.is_not(None),
        )
        .order_by(table.c.position)
    )
    approved: dict[tuple[str, str], int] = {}
    sums: Counter[tuple[str, str]] = Counter()
    for row in connection.execute(statement):
        body: dict[str, Any] = json.loads(bytes(row.proposal))["body"]
        name = (row.proposer, body["references"]["approval"])
        approved.setdefault(name, body["references"]["approved_quantity"])
        sums[name] += body["quantity"]
    rows = [
        {"actor": a, "approval": ref, "approved_quantity": approved[a, ref], "issued": n}
        for (a, ref), n in sums.items()
    ]
    if rows:
        connection.execute(approvals.insert(), rows)
