# SPDX-License-Identifier: Apache-2.0
"""Cases with their units, as the log opened them; worked out from the log."""

import json
from typing import Any

from alembic import op
from sqlalchemy import Connection, select

from hub.tables import cases, log_entries, metadata
from schemas.units import Key

revision = "h0003"
down_revision = "h0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table anew, and fill it."""
    connection = op.get_bind()
    op.execute("drop table if exists cases")
    metadata.create_all(connection, tables=[cases])
    rows = _opened(connection)
    if rows:
        connection.execute(cases.insert(), rows)


def _opened(connection: Connection) -> list[dict[str, Any]]:
    """The newest effect on each case, and whether a freeze came or went with it; a case's entries
    are filed under its id.
    """
    statement = (
        select(log_entries.c.line)
        .where(log_entries.c.conversation.like("REC-%"))
        .order_by(log_entries.c.position)
    )
    found: dict[str, dict[str, Any]] = {}
    for row in connection.execute(statement):
        effects = json.loads(bytes(row.line))["body"]["effects"]
        laid = {e["case"] for e in effects if e["effect"] in {"freeze", "unfreeze"}}
        for effect in effects:
            if effect["effect"] == "case" and effect["state"] != "explained":
                found[effect["case"]] = {
                    "id": effect["case"],
                    "actor": effect["actor"],
                    "cause": effect["cause"],
                    "key": Key.model_validate_json(json.dumps(effect["key"])).text,
                    "first": effect["first"],
                    "last": effect["last"],
                    "frozen": int(effect["case"] in laid),
                    "open": int(effect["state"] == "open"),
                    "concerned": json.dumps(effect.get("concerned", [])),
                }
    return list(found.values())
