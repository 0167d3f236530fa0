# SPDX-License-Identifier: Apache-2.0
"""Who entities are, and accounts of theirs. The database itself refuses to change or delete what
was recorded, to make an account another's, and to open one of an entity that was never identified.
"""

from alembic import op
from sqlalchemy import Column, Text, inspect

from registry.tables import identifications, metadata

revision = "g0007"
down_revision = "g0006"
branch_labels = None
depends_on = None

_KEPT = "what was recorded of who an entity is stays; record it anew"
_OWNED = "an account stays whose it is"
_UNKNOWN = "an entity has holding accounts, once it is identified"

_CHANGED = "old.actor <> new.actor or coalesce(old.entity, '') <> coalesce(new.entity, '')"
_NOT_ITS = (
    "new.entity is not null and (new.kind <> 'holding' or not exists ("
    "select 1 from identifications i where i.actor = new.actor and i.entity = new.entity "
    "and i.identity is not null))"
)


def upgrade() -> None:
    """Create the table and the column, where the first revision has not, and what guards them."""
    metadata.create_all(op.get_bind(), tables=[identifications])
    columns = {column["name"] for column in inspect(op.get_bind()).get_columns("accounts")}
    if "entity" not in columns:
        op.add_column("accounts", Column("entity", Text))
    for name, table, event, when, why in (
        ("identifications_kept", "identifications", "update", "true", _KEPT),
        ("identifications_stay", "identifications", "delete", "true", _KEPT),
        ("accounts_owned", "accounts", "update", _CHANGED, _OWNED),
        ("accounts_identified", "accounts", "insert", _NOT_ITS, _UNKNOWN),
    ):
        _refuse(name, table, event, when, why)


def _refuse(name: str, table: str, event: str, when: str, why: str) -> None:
    if op.get_bind().dialect.name != "postgresql":
        op.execute(
            f"create trigger if not exists {name} before {event} on {table} when {when} "
            f"begin select raise(abort, '{why}'); end"
        )
        return
    op.execute(
        f"create or replace function refuse_{name}() returns trigger language plpgsql as "
        f"$$ begin if {when} then raise check_violation using message = '{why}'; end if; "
        f"return {'old' if event == 'delete' else 'new'}; end $$"
    )
    op.execute(f"drop trigger if exists {name} on {table}")
    op.execute(
        f"create trigger {name} before {event} on {table} "
        f"for each row execute function refuse_{name}()"
    )
