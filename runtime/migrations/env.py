# SPDX-License-Identifier: Apache-2.0
"""alembic's entry: migrations run on the connection that `runtime.schema` hands over."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
